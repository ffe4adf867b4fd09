"""Emotion on the face: detected in the voice or chosen by the artist, and the poses that show it."""
