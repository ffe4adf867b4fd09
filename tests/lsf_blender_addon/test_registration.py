"""The package as Blender sees it: manifest, registration, version differences."""

import re
import subprocess
import sys
from pathlib import Path

import bpy

import lsf_blender_addon
from lsf_blender_addon.ui import registration
from server import __version__

ROOT = Path(lsf_blender_addon.__file__).parent
OLD_OR_NEW = r"app\.version\b|sequences_all|strips_all|channelbag|frame_final_|\bleft_handle"


def test_registers_and_unregisters_twice(blank):
    for _ in range(2):
        lsf_blender_addon.register()
        assert bpy.context.scene.lsf.take == 0
        assert hasattr(bpy.types, "LSF_PT_view3d") and hasattr(bpy.types, "LSF_PT_sequencer")
        lsf_blender_addon.unregister()
        assert not hasattr(bpy.types.Scene, "lsf") and not hasattr(bpy.types, "LSF_PT_view3d")
        assert not hasattr(bpy.types, "LSF_OT_generate")
    assert registration._on_load not in bpy.app.handlers.load_pre


def test_every_class_is_registered():
    """A class that is forgotten in CLASSES would only be missed by the artist."""
    names = set()
    for path in ROOT.rglob("*.py"):
        names |= set(re.findall(r"^class (LSF_\w+)\(.*bpy\.types\.", path.read_text("utf-8"), re.MULTILINE))
    assert names == {cls.__name__ for cls in registration.CLASSES}


def test_manifest_is_valid_for_blender():
    (tool,) = Path(bpy.utils.system_resource("SCRIPTS")).rglob("blender_ext.py")
    done = subprocess.run([sys.executable, str(tool), "validate", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifest_has_the_version_of_the_server():
    manifest = (ROOT / "blender_manifest.toml").read_text("utf-8")
    assert re.search(r'^version = "(.*)"', manifest, re.MULTILINE)[1] == __version__


def test_only_compat_asks_for_differences():
    """Old and new names of Blender's API stay in one file."""
    for path in ROOT.rglob("*.py"):
        if path.name != "compat.py":
            found = re.search(OLD_OR_NEW, path.read_text("utf-8"))
            assert not found, (path, found)
