"""The editor for the 68 landmarks in the viewport."""
