"""Training of the shipped checkpoint: corpora, labels, features, the two stages and the evaluation.

Every step is a command, `python -m server.training.NAME`. It takes its folders as options, has fixed seeds and can be
resumed. docs/training.md lists the commands in order and explains them. At run time the server imports nothing of this.
"""

FPS = 25  # motion frames per second; frame i is at i / FPS seconds
