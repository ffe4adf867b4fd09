"""Playback, playblast and the graph of the mouth's opening."""
