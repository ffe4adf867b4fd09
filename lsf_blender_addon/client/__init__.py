"""The add-on's side of the process boundary: server process, jobs, environment. Standard library and numpy, no bpy."""
