"""Results of a batch into many .blend files from the command line. With the real server, and a tiny model."""

import csv
import importlib.util
import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.ui import scene_files

PRECISION = 2**-15  # of the motion that is kept in a file
ROOT = Path(compat.__file__).parents[1]
pytestmark = [
    pytest.mark.skipif(bpy.app.version[:2] != (5, 0), reason="it is the same in all versions, and takes seconds"),
    pytest.mark.skipif(
        "LSF_SERVER_PYTHON" not in os.environ and importlib.util.find_spec("torch") is None,
        reason="LSF_SERVER_PYTHON names no Python with the server's packages",
    ),
]


@pytest.fixture
def show(addon, add_strip, wav, monkeypatch, tmp_path, server_python, small_checkpoint) -> Path:
    """Two files with a head and a strip of 1 s each, of the same name, and the results of a batch of both in `out`."""
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    folder, rows = tmp_path / "show", []
    (folder / "act 1").mkdir(parents=True)
    times = np.arange(8000) / 8000
    for name, hertz in (("act 1/anna", 140), ("ben", 190)):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        tone = 9000 * np.sin(2 * np.pi * hertz * times) * np.abs(np.sin(2 * np.pi * 3 * times))
        path = folder / f"{Path(name).name}.wav"
        wav[0](path, tone.astype(np.int16), 8000)
        add_strip(path, "Line", 25)
        bpy.ops.lsf.add_head()
        bpy.ops.lsf.list_lines()
        assert bpy.ops.lsf.export_manifest(filepath=str(folder / "lines.csv")) == {"FINISHED"}
        with (folder / "lines.csv").open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{name}.blend"))
    with (folder / "lines.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "list.txt").write_text("act 1/anna.blend\nben.blend\n", "utf-8")
    done = subprocess.run(
        [server_python, "-m", "server", "batch", folder / "lines.csv", "--out", tmp_path / "out",
         "--checkpoint", small_checkpoint],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def run(show: Path, *more: str) -> int:
    folders = ["--out", str(show.parent / "made"), "--results", str(show.parent / "out")]
    return scene_files.run([str(show / "list.txt"), *folders, *more])


def result(show: Path, speaker: str) -> Path:
    """The result of the line of a speaker."""
    for path in (show.parent / "out").rglob("Line~*.npz"):
        with np.load(path) as file:
            if str(file["sound"]) == f"{speaker}.wav":
                return path
    raise LookupError(speaker)


def made(show: Path) -> list[str]:
    """The files that were written."""
    folder = show.parent / "made"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def motion(path: Path) -> np.ndarray:
    """The motion of the only line of a file."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (head,) = (obj for obj in bpy.data.objects if obj.type == "MESH" and actions.existing(obj.data))
    action = actions.existing(head.data)
    (line,) = lines_of(action)
    return store.load(action, line.uid).motion


def test_every_file_gets_its_own_lines(show, capfd):
    before = {path: path.read_bytes() for path in show.rglob("*") if path.is_file()}
    assert run(show) == scene_files.DONE
    assert "2 files, 0 were there, 0 with failures." in capfd.readouterr().out
    assert {path: path.read_bytes() for path in show.rglob("*") if path.is_file()} == before
    assert made(show) == ["act 1/anna.blend", "ben.blend"]
    motions = []
    for name in made(show):
        with np.load(result(show, Path(name).stem)) as file:
            motions.append(file["motion"].astype(np.float32))
        found = motion(show.parent / "made" / name)
        np.testing.assert_allclose(found, motions[-1][: len(found)], atol=PRECISION)
    assert np.abs(motions[0] - motions[1]).max() > 1e-3, "else the files could be exchanged"

    assert run(show) == scene_files.DONE and "2 were there" in capfd.readouterr().out
    later = (show.parent / "made/ben.blend").stat().st_mtime + 5
    os.utime(result(show, "ben"), (later, later))
    assert run(show) == scene_files.DONE and "0 were there" in capfd.readouterr().out, "a result is newer"


def test_what_fails_is_told_and_made_in_the_next_run(show, capfd):
    """A line without a result beside one of its name, and a file that cannot be opened after one that can."""
    (show / "list.txt").write_text("ben.blend\nbroken.blend\nact 1/anna.blend\n", "utf-8")
    (show / "broken.blend").write_bytes(b"no file of Blender")
    there = result(show, "anna")
    aside = there.rename(show / "aside.npz")
    for _ in range(2):
        assert run(show) == scene_files.SOME_FAILED
        told = capfd.readouterr().out
        assert 'anna.blend: Line: "Line~' in told and 'another strip of this name, which plays "ben.wav".' in told
        assert "broken.blend: " in told and "2 with failures." in told
        assert made(show) == ["ben.blend"], "nothing has the lines of the file that was opened before"
    aside.rename(there)
    assert run(show) == scene_files.SOME_FAILED
    assert made(show) == ["act 1/anna.blend", "ben.blend"] and "1 with failures." in capfd.readouterr().out


def test_a_line_from_before_is_no_success(show, capfd):
    assert run(show) == scene_files.DONE
    (show.parent / "made/ben.blend").replace(show / "ben.blend")
    (show / "list.txt").write_text("ben.blend\n", "utf-8")
    result(show, "ben").write_bytes(b"damaged")
    capfd.readouterr()
    for _ in range(2):  # what is incomplete is made again
        assert run(show) == scene_files.SOME_FAILED and made(show) == ["act 1/anna.blend", "ben.blend"]
        assert "ben.blend: Line: " in (told := capfd.readouterr().out) and "0 were there, 1 with failures." in told
    (show.parent / "made/ben.blend").unlink()
    for number, path in enumerate((show.parent / "out").rglob("Line~*.npz")):
        path.rename(path.with_name(f"{number}.npz"))  # which no strip has as its name
    assert run(show) == scene_files.SOME_FAILED and made(show) == ["act 1/anna.blend"]
    assert "ben.blend: Nothing fits the strips of the list" in capfd.readouterr().out
