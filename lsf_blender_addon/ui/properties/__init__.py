"""Properties that the add-on adds to scenes, objects and Actions."""
