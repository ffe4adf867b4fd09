"""Makes what server/face ships, the canonical head and the landmark networks. Not part of the extension zip."""
