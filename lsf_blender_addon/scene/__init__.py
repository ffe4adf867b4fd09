"""Reads Blender's data: strips, sound, meshes, characters and their rigs; only `talking_head` adds something."""
