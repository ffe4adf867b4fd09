"""Builds the assets of server/face: the canonical head and the landmark networks. Not part of the extension zip."""
