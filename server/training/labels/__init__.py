"""Target curves for speech: tracked lips, and an articulation model for voices without a face."""
