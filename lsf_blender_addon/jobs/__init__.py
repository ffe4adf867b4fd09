"""Runs the server's jobs and writes their results: curves of a line, landmarks, an emotion read from words."""
