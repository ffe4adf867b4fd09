"""What the server predicted for a line, kept in the file, and how curves are made of it."""
