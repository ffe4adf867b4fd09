"""Long arrays in a temporary file, and in memory where the disk is full."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from server.files.spool import Spool, release

ROOT = Path(__file__).parents[3]
PARTS = [np.arange(5.0), np.arange(0.0), np.arange(7.0) + 10, np.arange(3.0) - 4]


def spooled(parts: list[np.ndarray]) -> np.ndarray:
    spool = Spool(np.float32)
    for part in parts:
        spool.append(part)
    return spool.finish()


def test_what_was_added_is_read_again_also_after_it_was_released():
    array = spooled(PARTS)
    assert isinstance(array, np.memmap) and array.dtype == np.float32
    for view in (array, array[3:9], np.asarray(array)[::2]):
        release(view)
        np.testing.assert_array_equal(array, np.concatenate(PARTS))


def test_no_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = spooled(PARTS)
    assert not list(tmp_path.iterdir()) and len(array) == 15


def test_nothing_is_an_empty_array():
    assert spooled([]).shape == (0,) and spooled([np.zeros(0)]).dtype == np.float32


def test_without_a_folder_for_temporary_files_memory_is_used(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    array = spooled(PARTS)
    assert not isinstance(array, np.memmap)
    np.testing.assert_array_equal(array, np.concatenate(PARTS))
    release(array)


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files stands in for a full disk")
def test_on_a_full_disk_memory_is_used_for_the_rest():
    code = """
import resource, signal, sys
import numpy as np
from server.files.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
spool, parts = Spool(np.float32), [np.full(60_000, i, np.float32) for i in range(9)]
for part in parts:
    spool.append(part)
assert np.array_equal(spool.finish(), np.concatenate(parts))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the memory of a process")
def test_reading_a_long_array_in_released_pieces_takes_little_memory():
    code = """
import resource
import numpy as np
from server.files.spool import Spool, release
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
spool = Spool(np.float32)
for i in range(64):
    spool.append(np.full(1 << 20, i, np.float32))
before = peak()
array, total = spool.finish(), 0.0
for start in range(0, len(array), 1 << 20):
    total += float(array[start : start + (1 << 20)].sum(dtype=float))
    release(array)
assert total == (1 << 20) * 63 * 32
print((peak() - before) / 1024)
"""
    grown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert float(grown.stdout) < 60  # megabytes; the array has 256
