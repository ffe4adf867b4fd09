"""Correcting the 68 landmarks in the viewport."""
