"""Sound and mesh files."""
