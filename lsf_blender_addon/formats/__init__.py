"""Reads and writes the files that other programs exchange with the add-on. No bpy."""
