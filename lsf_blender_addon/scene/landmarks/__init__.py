"""The 68 facial landmarks: their numbering, how they are stored with the head, and points on a surface."""
