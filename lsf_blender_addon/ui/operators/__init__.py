"""The operators, one in each file."""
