"""Target curves: tracked faces retargeted to the mesh, and labels by hearing for voices without a face."""
