"""The final curves from the network's output: brows, lip contact, takes, emotion and layers."""
