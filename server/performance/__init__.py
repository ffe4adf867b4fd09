"""From what the model says to the whole performance: brows, lips, takes, emotion and layers."""
