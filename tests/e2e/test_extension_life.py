"""The environment in the life of the extension, by Blender's own operators: kept when it is disabled or updated."""

import json
import os
import subprocess
import sys

import build

BLENDER = """
import json, sys, bpy
from importlib import import_module
from pathlib import Path
archive, ID, MODULE = sys.argv[1], "lsf_animation", "bl_ext.user_default.lsf_animation"
bpy.ops.wm.read_userpref()
preferences = bpy.context.preferences
found = {}

def note(step):
    found[step] = [MODULE in preferences.addons, weights.is_file(), user_folder.exists()]

def install():
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)

install()
environment = import_module(MODULE + ".jobs.environment")
user_folder = Path(bpy.utils.extension_path_user(MODULE))
assert environment.environment_folder().parent == environment.install_log().parent == user_folder
weights = environment.environment_folder() / "lib" / "torch" / "weights.bin"
weights.parent.mkdir(parents=True)
weights.write_bytes(b"1" * 1000)
weights.chmod(0o444)
if sys.platform != "win32":
    (environment.environment_folder() / "lib64").symlink_to("lib")
note("installed")
bpy.ops.preferences.addon_disable(module=MODULE)
note("disabled")
bpy.ops.preferences.addon_enable(module=MODULE)
install()
note("updated")
index = [repo.module for repo in preferences.extensions.repos].index("user_default")
bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id=ID)
note("removed")
print("FOUND", json.dumps(found))
"""


def test_the_environment_outlives_an_update_and_goes_with_the_extension(tmp_path):
    user = tmp_path / "Blender – Zoë's"
    (user / "config").mkdir(parents=True)
    variables = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
    variables.pop("PYTHONPATH", None)  # the add-on is the installed one, not that of the source tree
    command = [sys.executable, "-c", BLENDER, str(build.package(tmp_path / "dist"))]
    done = subprocess.run(command, env=variables, cwd=user, capture_output=True, text=True, timeout=120)
    assert "FOUND" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    enabled_environment_folder = json.loads(done.stdout.split("FOUND ")[1].splitlines()[0])
    assert enabled_environment_folder == {
        "installed": [True, True, True],
        "disabled": [False, True, True],
        "updated": [True, True, True],
        "removed": [False, False, False],
    }
