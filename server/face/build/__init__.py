"""Makes what server/face ships: the head and the landmark networks. Not part of the extension zip."""
