"""Reads Blender's data: strips, sound, meshes, characters and their rigs.

Two modules also write: `talking_head` adds the project's own head, and `landmarks.store` stores landmarks in properties
of the add-on.
"""
