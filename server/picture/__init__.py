"""Reads an expression from a picture of a face: the face, its landmarks, the camera, the weights of the channels."""
