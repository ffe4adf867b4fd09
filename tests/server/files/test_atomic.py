import os
import stat
import sys

import pytest
import torch
from safetensors.torch import save_file

from server.files import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "größe.npz"
    for data in (b"one", b"two"):
        atomic.write_bytes(path, data)
        assert path.read_bytes() == data and names(tmp_path) == ["größe.npz"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    atomic.write_bytes(path, b"old")

    def fail():
        with atomic.replacing(path) as unfinished:
            unfinished.write_bytes(b"new")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a"]


def test_the_unfinished_file_may_be_in_another_folder(tmp_path):
    (tmp_path / "work").mkdir()
    with atomic.replacing(tmp_path / "a", tmp_path / "work") as unfinished:
        unfinished.write_bytes(b"new")
        assert unfinished.parent == tmp_path / "work" and names(tmp_path) == ["work"]
    assert names(tmp_path / "work") == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_whoever_reads_new_files_reads_these(tmp_path):
    (tmp_path / "plain").touch()
    with atomic.replacing(tmp_path / "tensors") as unfinished:
        save_file({"x": torch.zeros(1)}, unfinished)
        unfinished.chmod(0o600)  # as some versions of safetensors leave it
    assert stat.S_IMODE((tmp_path / "tensors").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_only_abandoned_files_are_removed(tmp_path):
    for name, age in (("old.part", 7200), ("new.part", 0), ("notes.txt", 7200)):
        (tmp_path / name).touch()
        now = (tmp_path / name).stat().st_mtime
        os.utime(tmp_path / name, (now - age, now - age))
    atomic.remove_abandoned(tmp_path)
    assert names(tmp_path) == ["new.part", "notes.txt"]
    atomic.remove_abandoned(tmp_path, seconds=0)
    assert names(tmp_path) == ["notes.txt"]
