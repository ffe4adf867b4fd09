"""The 68 points of a face: which they are, and how an artist corrects them on the mesh."""
