"""The key of the face cache: what decides the result of a fit, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.face import cache as face_cache

SERVER = Path(face_cache.__file__).parents[1]


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Returns the digest of a copy of the server's code in tmp_path/server, read anew."""
    ignored = shutil.ignore_patterns("checkpoints", "__pycache__", "training")
    shutil.copytree(SERVER, tmp_path / "server", ignore=ignored)
    monkeypatch.setattr(face_cache, "__file__", str(tmp_path / "server" / "face" / "cache.py"))

    def read():
        face_cache._fit_digest.cache_clear()
        return face_cache._fit_digest()

    yield read
    face_cache._fit_digest.cache_clear()


@pytest.mark.parametrize("name", ["build/bench.py", "build/build_head.py", "rig_solver.py", "cache.py"])
def test_what_the_fit_does_not_run_keeps_the_key(digest, tmp_path, name):
    before = digest()
    (tmp_path / "server" / "face" / name).write_text("changed")
    assert digest() == before
    (tmp_path / "server" / "face" / "build" / "new.py").write_text("")
    assert digest() == before


@pytest.mark.parametrize(
    "name",
    ["face/space.py", "face/parts.py", "face/assets/head.npz", "face/assets/landmarks.safetensors", "numerics.py"],
)
def test_what_the_fit_runs_changes_the_key(digest, tmp_path, name):
    before = digest()
    with (tmp_path / "server" / name).open("ab") as file:
        file.write(b"\n")
    assert digest() != before


def test_a_new_module_changes_the_key(digest, tmp_path):
    before = digest()
    (tmp_path / "server" / "face" / "new.py").write_text("")
    assert digest() != before


def test_every_module_that_the_fit_imports_is_in_the_key():
    """But for errors, which decide no result, and empty packages."""
    code = (
        "import sys, server.face.space, server.face.landmark_detection\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'server'), sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=SERVER.parent, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    imported = {Path(line).resolve() for line in run.stdout.split("\n") if line.strip()}
    known = {path.resolve() for path in face_cache.fit_files()}
    rest = {path.relative_to(SERVER.resolve()).as_posix() for path in imported - known}
    assert rest <= {"__init__.py", "errors.py"}
    assert len(imported) > 15
