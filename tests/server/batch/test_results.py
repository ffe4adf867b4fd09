"""The folder of the results: whole files or none, and nothing outside of it."""

import hashlib
import os

import pytest

from server.batch.results import PARTIAL, Results
from server.errors import LSFError
from server.files.atomic import ABANDONED_SECONDS


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def results(tmp_path) -> Results:
    return Results(tmp_path / "out")


def test_a_file_replaces_one_of_its_name(results):
    results.write("a/b.npz", b"one")
    results.write("a/b.npz", b"two")
    assert (results.folder / "a/b.npz").read_bytes() == b"two" and files(results.folder) == ["a/b.npz"]
    assert results.digest("a/b.npz") == hashlib.sha256(b"two").hexdigest() and results.digest("a/c.npz") is None


def test_an_error_leaves_what_was_there(results, monkeypatch):
    results.write("a.npz", b"one")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        results.write("a.npz", b"two")
    assert (results.folder / "a.npz").read_bytes() == b"one" and files(results.folder) == ["a.npz"]


def test_no_link_leads_out_of_the_folder(results, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (results.folder / "a").symlink_to(outside, target_is_directory=True)
    for name in ("a/x.npz", "a/b/x.npz"):
        with pytest.raises(LSFError, match="leads from"):
            results.write(name, b"one")
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_a_file_is_replaced_and_counts_as_nothing(results, tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    (results.folder / "x.npz").symlink_to(tmp_path / "theirs")
    assert results.digest("x.npz") is None
    results.write("x.npz", b"ours")
    assert (tmp_path / "theirs").read_bytes() == b"theirs" and (results.folder / "x.npz").read_bytes() == b"ours"


def test_a_folder_of_results_that_is_itself_a_link_is_no_escape(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk", target_is_directory=True)
    Results(tmp_path / "out").write("a/x.npz", b"one")
    assert (tmp_path / "disk/a/x.npz").read_bytes() == b"one"


def test_a_face_is_named_by_its_bytes_and_written_once(results, monkeypatch):
    name = results.put_face(b"face")
    assert name == hashlib.sha256(b"face").hexdigest() and files(results.folder) == [f"faces/{name}.npz"]
    written = []
    other = Results(results.folder)
    monkeypatch.setattr(Results, "write", lambda self, name, data: written.append(name))
    assert other.has_face(name) and other.put_face(b"face") == name and not written
    (results.folder / f"faces/{name}.npz").write_bytes(b"damaged")
    again = Results(results.folder)
    assert not again.has_face(name) and again.put_face(b"face") == name and written == [f"faces/{name}.npz"]


def test_what_killed_processes_left_goes_and_what_others_write_stays(results):
    old, new = (results.folder / PARTIAL / name for name in ("old.part", "new.part"))
    for path in (old, new):
        path.write_bytes(b"half")
    past = old.stat().st_mtime - ABANDONED_SECONDS - 60
    os.utime(old, (past, past))
    Results(results.folder)
    assert not old.exists() and new.exists()
