"""Metrics and pictures of a checkpoint."""
