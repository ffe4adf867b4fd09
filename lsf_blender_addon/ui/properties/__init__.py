"""Settings that are kept with scenes, objects and Actions."""
