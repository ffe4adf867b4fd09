"""The server's predictions for lines: stored in the file, tweaked, blended and made into curves. No bpy at run time."""
