"""The button that installs what transcripts need."""

import sys
from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon.client import environments, requirements
from lsf_blender_addon.client import installation as maker
from lsf_blender_addon.jobs import environment
from lsf_blender_addon.scene import extension


def test_it_needs_the_environment_and_says_when_it_is_done(addon, monkeypatch, tmp_path):
    monkeypatch.setattr(extension, "preferences", lambda: SimpleNamespace(python="", wheels=str(tmp_path), index=""))
    with pytest.raises(RuntimeError, match="Install the speech engine first"):
        bpy.ops.lsf.install_transcripts()
    monkeypatch.setattr(environment, "state", lambda: environments.State.READY)
    monkeypatch.setattr(environment, "transcripts_are_installed", lambda: True)
    with pytest.raises(RuntimeError, match="The packages are installed"):
        bpy.ops.lsf.install_transcripts()


@pytest.mark.skipif(sys.platform == "win32", reason="the pip of this test is a shell script")
def test_exactly_the_locked_files_are_installed(tmp_path):
    pip = maker.python_of(tmp_path)
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@"\n')
    pip.chmod(0o755)
    maker.add_transcripts(tmp_path, tmp_path / "log", lambda progress: None, lambda: False, wheels="/wheels")
    (said,) = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("-m pip")]
    assert "requirements-transcripts.txt" in said and "--require-hashes --no-deps" in said
    assert not maker.has_transcripts(tmp_path)
    (tmp_path / "lib/python3.11/site-packages/espeakng_loader-0.2.4.dist-info").mkdir(parents=True)
    assert maker.has_transcripts(tmp_path)
    (line,) = [x for x in requirements.TRANSCRIPTS.read_text("utf-8").splitlines() if x.startswith("espeakng-loader==")]
    assert line.endswith("\\")  # its hashes follow


class Work:
    """An installation."""

    def __init__(self, running: bool) -> None:
        self.running = running


def test_a_panel_searches_the_folder_once_and_again_after_an_installation(addon, monkeypatch):
    searched = []
    monkeypatch.setattr(environment, "has_transcripts", lambda folder: bool(searched.append(folder)))
    for work in (None, Work(running=True), Work(running=False)):
        monkeypatch.setattr(environment, "installation", work)
        for _redraw in range(3):
            assert not environment.transcripts_are_known()
    assert len(searched) == 3
