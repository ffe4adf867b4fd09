"""Emotion on the face: what the voice implies, what the artist chooses, and the poses that show it."""
