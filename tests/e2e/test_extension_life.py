"""The environment in the life of the extension, by Blender's own operators: kept when it is disabled or updated."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import build

# Does what sys.argv[2] says in a Blender that starts with the preferences of the one before, and prints what is there.
BLENDER = """
import json, sys, bpy
from pathlib import Path
archive, step = sys.argv[1:3]
bpy.ops.wm.read_userpref()
ID = "lsf_animation"
MODULE = "bl_ext.user_default." + ID
preferences = bpy.context.preferences
if step in ("install", "update"):
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
elif step == "disable":
    bpy.ops.preferences.addon_disable(module=MODULE)
elif step == "enable":
    bpy.ops.preferences.addon_enable(module=MODULE)
elif step == "remove":
    index = [repo.module for repo in preferences.extensions.repos].index("user_default")
    bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id=ID)
bpy.ops.wm.save_userpref()
enabled = MODULE in preferences.addons
folder = ""
if enabled:
    from importlib import import_module
    environment = import_module(MODULE + ".jobs.environment")
    folder = str(environment.environment_folder())
    assert str(environment.install_log().parent) == bpy.utils.extension_path_user(MODULE)
print("FOUND", json.dumps([enabled, folder]))
"""


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    user = tmp_path_factory.mktemp("Blender – Zoë's")
    (user / "config").mkdir()
    archive = build.package(tmp_path_factory.mktemp("dist"))

    def run(step: str) -> tuple[bool, str]:
        variables = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
        variables.pop("PYTHONPATH", None)  # the add-on is the installed one, not that of the source tree
        command = [sys.executable, "-c", BLENDER, str(archive), step]
        done = subprocess.run(command, env=variables, cwd=user, capture_output=True, text=True, timeout=120)
        assert "FOUND" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
        return tuple(json.loads(done.stdout.split("FOUND ")[1].splitlines()[0]))

    return run


def test_the_environment_outlives_an_update_and_goes_with_the_extension(blender):
    enabled, folder = blender("install")
    assert enabled
    package = Path(folder) / "lib" / "torch"
    package.mkdir(parents=True)
    (package / "weights.bin").write_bytes(b"1" * 1000)
    (package / "weights.bin").chmod(0o444)
    if sys.platform != "win32":
        (Path(folder) / "lib64").symlink_to("lib")
    assert blender("disable") == (False, "") and package.is_dir()
    assert blender("enable") == (True, folder) and package.is_dir()
    assert blender("update") == (True, folder) and package.is_dir()
    assert blender("remove") == (False, "")
    assert not Path(folder).parent.exists()
