"""Files that other tools read and write. No bpy in here."""
