"""`python -m server`: without arguments the message loop, with them the command line."""

import os
import sys

# Set before numpy and torch read it. One core is left to Blender: with a thread on every core, the threads wait for the
# one whose core Blender uses, and the model was several times slower than on a single thread.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
