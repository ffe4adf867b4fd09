"""`python -m server`: without arguments the message loop, with them the command line."""

import os
import sys

# Before numpy and torch read it: leave a core to Blender. Threads that wait for a core that Blender holds made the
# model several times slower than one thread alone.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
