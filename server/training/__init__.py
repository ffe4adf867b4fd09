"""Training of the shipped checkpoint: corpora, labels, features, motion prior, predictor and evaluation.

Every step is a command, `python -m server.training.NAME`. It takes its folders as options, has fixed seeds and can be
resumed. docs/training.md lists the commands in order and explains them. At run time, the server does not import this
package.
"""

FPS = 25  # motion frames per second; frame i is at i / FPS seconds
