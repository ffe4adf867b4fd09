"""Preview of a line: playback with sound, playblast, and the mouth's opening as a graph in the sequencer."""
