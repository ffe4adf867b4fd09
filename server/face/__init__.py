"""The face space: the project's own head, and fitting it to any mesh. Importing the package loads nothing else."""
