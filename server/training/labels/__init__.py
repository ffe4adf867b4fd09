"""Target curves for speech: retargeted tracking, and an articulation model for voices without a face."""
