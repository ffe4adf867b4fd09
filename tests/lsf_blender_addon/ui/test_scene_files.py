"""Many .blend files from the command line, with a client that answers at once."""

import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation import actions
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.ui import scene_files
from tests.lsf_blender_addon.fake_client import Client, use

pytestmark = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="the bpy 4.2 wheel can make no strips")


@pytest.fixture
def show(addon, add_strip, wav, tmp_path, monkeypatch) -> Path:
    """Two files of one line each in two folders, one without a head, and a list of them and a missing one."""
    folder = tmp_path / "show"
    (folder / "act 1").mkdir(parents=True)
    wav[0](folder / "a.wav", np.full(4 * 8000, 1000), 8000)
    for name, has_head in (("act 1/shot.blend", True), ("b.blend", True), ("none.blend", False)):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        add_strip(folder / "a.wav", "Anna_01")
        if has_head:
            bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
            bpy.context.object.name = "Anna"
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / name))
    (folder / "list.txt").write_text("# shots\nact 1/shot.blend\nb.blend\nnone.blend\nmissing.blend\n", "utf-8")
    use(addon, monkeypatch, Client())
    return folder


def run(show: Path, *more: str) -> int:
    return scene_files.run([str(show / "list.txt"), "--out", str(show.parent / "out"), *more])


def test_lines_of_many_files_are_made_and_no_file_changes(show, addon, capfd):
    before = {path: path.read_bytes() for path in show.rglob("*") if path.is_file()}
    assert run(show) == scene_files.SOME_FAILED
    told = capfd.readouterr().out
    assert "missing.blend: There is no such file." in told and "4 files, 0 were there, 2 with failures." in told
    out = show.parent / "out"
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["act 1/shot.blend", "b.blend"]
    assert {path: path.read_bytes() for path in show.rglob("*") if path.is_file()} == before
    bpy.ops.wm.open_mainfile(filepath=str(out / "act 1/shot.blend"))
    assert [line.name for line in lines_of(actions.existing(bpy.data.objects["Anna"].data))] == ["Anna_01"]
    sound = bpy.data.sounds[0].filepath
    assert Path(os.path.realpath(bpy.path.abspath(sound))) == show / "a.wav"
    client = addon.session.client()
    count = len(client.jobs)
    assert run(show) == scene_files.SOME_FAILED and len(client.jobs) == count
    assert "2 were there" in capfd.readouterr().out
    run(show, "--again")
    assert len(client.jobs) >= count


def test_actions_alone_are_a_library(show):
    run(show, "--actions")
    path = show.parent / "out/b_lsf_actions.blend"
    with bpy.data.libraries.load(str(path)) as (there, wanted):
        assert len(there.actions) == 1
        wanted.actions = there.actions
    assert [line.name for line in lines_of(wanted.actions[0])] == ["Anna_01"]


@pytest.mark.parametrize(
    ("names", "out", "fault"),
    [
        ("b.blend\nact 1/../b.blend", "out", "written to the same file"),
        ("b.blend", "show", "take the place"),
        ("# nothing", "out", "names no"),
    ],
)
def test_lists_that_cannot_be_used(show, names, out, fault, capfd):
    (show / "list.txt").write_text(names, "utf-8")
    assert scene_files.run([str(show / "list.txt"), "--out", str(show.parent / out)]) == scene_files.UNUSABLE
    assert fault in capfd.readouterr().out


def test_a_folder_without_results_cannot_be_used(show, capfd):
    assert run(show, "--results", str(show)) == scene_files.UNUSABLE
    assert '"show" has no results of a batch (.npz): choose the folder after --out.' in capfd.readouterr().out
