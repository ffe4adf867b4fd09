"""What the artist sees: panels, operators, properties, preferences, translations."""
