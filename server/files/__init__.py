"""Readers of sound files and mesh files."""
