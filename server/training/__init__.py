"""Training of the shipped checkpoint: corpora, articulation model, motion prior, predictor, evaluation.

Every step is `python -m server.training.NAME`, takes its folders as options, is seeded and can be resumed.
docs/training.md tells the order and the reasons.
"""

FPS = 25  # motion frames per second; frame i is at i / FPS seconds
