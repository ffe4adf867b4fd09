"""What `build.py release` publishes, and Blender's own command line, which installs from it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import build

ZIP = f"lsf_animation-{build.manifest_version()}.zip"

# What the command `blender --command extension` calls, in the bpy module, which has no command line. It has no start
# of Blender either, which reads the preferences that the command before has written.
COMMAND = """
import sys, bpy
bpy.ops.wm.read_userpref()
bpy.context.preferences.system.use_online_access = True
from bl_pkg import bl_extension_cli
sys.exit(bl_extension_cli.cli_extension_handler(sys.argv[1:]))
"""

# Looks at what a start of Blender with these preferences finds.
LOOK = """
import json, sys, bpy
from pathlib import Path
bpy.ops.wm.read_userpref()
module = next(addon.module for addon in bpy.context.preferences.addons if addon.module.endswith("lsf_animation"))
folder = Path(sys.modules[module].__file__).parent
works = bpy.ops.lsf.add_head() == {"FINISHED"}
print("FOUND", json.dumps([module, works, (folder / "server" / "engine.py").is_file()]))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return build.release(tmp_path_factory.mktemp("dist folder ä"))


def test_the_folder_has_zip_digest_changes_and_index(published):
    assert {path.name for path in published.iterdir()} == {ZIP, f"{ZIP}.sha256", "CHANGES.md", "index.json"}
    digest = hashlib.sha256((published / ZIP).read_bytes()).hexdigest()
    assert (published / f"{ZIP}.sha256").read_text() == f"{digest}  {ZIP}\n"
    (entry,) = json.loads((published / "index.json").read_text())["data"]
    assert entry["archive_hash"] == f"sha256:{digest}" and entry["archive_url"] == f"./{ZIP}"
    assert entry["archive_size"] == (published / ZIP).stat().st_size
    assert (entry["id"], entry["version"], entry["blender_version_min"]) == ("lsf_animation", build.version(), "4.2.0")


def test_the_changes_are_those_of_this_version_alone(published, monkeypatch, tmp_path):
    text = (published / "CHANGES.md").read_text("utf-8")
    assert text.startswith(f"# {build.version()}\n") and "\n## " not in text and len(text) > 100
    monkeypatch.setattr(build, "CHANGELOG", tmp_path / "CHANGELOG.md")
    build.CHANGELOG.write_text("# L\n\n## [Unreleased]\n\n## [0.10.0] - 2027\n\n### Added\n\n- A\n\n## [0.1.0]\n\nB\n")
    assert build.changes("Unreleased") == "" and build.changes("0.10.0") == "### Added\n\n- A"
    assert build.changes("0.1.0") == "B" and build.changes("0.1") == ""


def test_a_version_without_changes_is_not_released(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "manifest_version", lambda: "7.0.0")
    with pytest.raises(SystemExit, match=r"7\.0\.0.*no changes"):
        build.release(tmp_path)
    assert not list(tmp_path.iterdir())


def run(user: Path, *command: str | Path) -> str:
    variables = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
    variables.pop("PYTHONPATH", None)  # what is found must come from the repository, not from the source tree
    done = subprocess.run(command, env=variables, cwd=user, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


BLENDERS = [
    pytest.param([sys.executable, "-c", COMMAND], [sys.executable, "-c", LOOK], id="bpy"),
    pytest.param(
        ["blender", "--online-mode", "--command", "extension"],
        ["blender", "-b", "--python-exit-code", "1", "--python-expr", LOOK],
        id="blender",
        marks=pytest.mark.skipif(not shutil.which("blender"), reason="no Blender is on the PATH"),
    ),
]


def add_repository(user: Path, blender: list[str], folder: Path) -> None:
    """Add a folder as a repository to a Blender that has no other one, and read its index."""
    (user / "config").mkdir(parents=True)
    run(user, *blender, "repo-remove", "blender_org")  # sync would ask for it, and this test has no network
    run(user, *blender, "repo-add", "lsf", "--name", "LSF", "--url", (folder / "index.json").as_uri())
    assert "LSF" in run(user, *blender, "repo-list")
    run(user, *blender, "sync")


@pytest.mark.parametrize(("blender", "look"), BLENDERS)
def test_blender_installs_from_the_repository(published, tmp_path, blender, look):
    user = tmp_path / "blender user"
    add_repository(user, blender, published)
    run(user, *blender, "install", "--enable", "lsf_animation")
    assert "lsf_animation [installed]" in run(user, *blender, "list")
    found = run(user, *look).split("FOUND ")[1].splitlines()[0]
    assert json.loads(found) == ["bl_ext.lsf.lsf_animation", True, True]


def test_blender_refuses_another_zip_under_this_name(published, tmp_path):
    folder, user, command = tmp_path / "published", tmp_path / "user", [sys.executable, "-c", COMMAND]
    shutil.copytree(published, folder)
    data = bytearray((folder / ZIP).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / ZIP).write_bytes(data)
    add_repository(user, command, folder)
    assert "checksum mismatch" in run(user, *command, "install", "lsf_animation")
    assert not list(user.rglob("blender_manifest.toml"))
