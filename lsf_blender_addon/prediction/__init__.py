"""The server's predictions for a line: stored in the file, tweaked, blended and made into curves. No bpy at run time."""
