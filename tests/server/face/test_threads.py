"""A fit has the same bits for every number of threads."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"

# The project's own head, a little wider, so that it has to be fitted.
FIT = """
import hashlib, os
import numpy as np
from threadpoolctl import threadpool_info
from server.face.head import load_head
from server.face.space import fit
head = load_head()
face = fit(head.vertices * np.float32([1.1, 1, 1]), head.triangles)
digest = hashlib.sha256()
for name in ("basis", "landmarks68", "landmark_vertices", "identity", "parts"):
    digest.update(np.ascontiguousarray(getattr(face, name)).tobytes())
print(digest.hexdigest(), max(pool["num_threads"] for pool in threadpool_info()))
"""


def fitted(threads: int) -> tuple[str, int]:
    """The digest of a fit in a process of its own, and the greatest number of threads that its libraries then use."""
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    run = subprocess.run([sys.executable, "-c", FIT], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    digest, most = run.stdout.split()
    return digest, int(most)


def test_a_fit_has_the_same_bits_for_every_number_of_threads():
    digests, counts = zip(*map(fitted, (1, 2, 4, 8)), strict=True)
    assert len(set(digests)) == 1
    assert counts[0] == 1, "a process of one thread has one"
    assert max(counts) > 1 or os.cpu_count() == 1, "the others had several, so that the comparison tells something"
