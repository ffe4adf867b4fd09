"""Writes what was generated: shape keys, F-curves, Actions, NLA tracks, drivers."""
