"""Reads and writes Blender data: strips, meshes, shape keys, Actions."""
