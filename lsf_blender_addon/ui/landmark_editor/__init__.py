"""The editor of the 68 landmarks in the viewport."""
