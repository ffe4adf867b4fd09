"""What is known about the speech engine and this computer: for the preferences and for *Copy Report*."""

import contextlib
import getpass
import os
import platform
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from .. import compat
from ..client import last_fault, report
from ..client.process import previous_log
from ..client.requirements import REQUIREMENTS
from ..scene import extension, strips
from . import environment, session

ADDON = Path(__file__).parents[1]
LOG_LINES = 40  # of a log in the report
MEGABYTE = 1e6
MOTION_ERRORS = ("lips_mean", "lips_95", "lips_greatest", "face_mean", "face_95", "face_greatest")  # docs/protocol.md

# Names that Blender gives: a report is easier to read with them, and they tell nothing about the artist.
BLENDERS_NAMES = frozenset("Basis Camera Collection Cube Light Material Object Scene World".split())


def report_text(context: bpy.types.Context) -> str:
    """Return the report on versions, device, settings, the last error and the logs, with nothing personal in it.

    Args:
        context: Its scene's settings are told.
    """
    fault = last_fault.last()
    _device, note = session.device_in_use()
    installation = environment.installation
    sections = [
        ("What the artist was told", session.message if session.failed else ""),
        ("Last unexpected error", f"{fault.sentence}\n{fault.details}" if fault else ""),
        ("Device", note),
        ("Log of the speech engine", _engine_log()),
    ]
    if installation is not None and installation.failure is not None:
        sections += [
            ("Installation", str(installation.failure)),
            ("Log of the installation", report.tail(environment.install_log(), LOG_LINES)),
        ]
    return report.compose([*_versions(), *_engine(), *_settings(context)], sections, _personal())


def engine_state() -> str:
    """Return a sentence on the running speech engine and its memory; "" if none runs. Does not start it."""
    client = session.running_client()
    if client is None or client.server not in {"starting", "loading", "ready"}:
        return ""
    if client.server != "ready":
        return iface("The speech engine is loading")
    memory = _number(client.pong.get("memory"))
    if not memory:
        return iface("The speech engine is running")
    return iface("The speech engine is running and uses {memory} MB of memory").format(memory=round(memory / MEGABYTE))


def _engine_log() -> str:
    """The end of the speech engine's log; of the one before it, if a new one has just begun."""
    log = environment.server_log()
    lines = report.tail(log, LOG_LINES).splitlines()
    return "\n".join([*report.tail(previous_log(log), LOG_LINES).splitlines(), *lines][-LOG_LINES:])


def _versions() -> Iterator[tuple[str, str]]:
    """Yield the versions of the add-on, Blender, Python and the system."""
    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text("utf-8"))
    yield "LSF Speech Animation", manifest["version"]
    build = bpy.app.build_hash
    yield "Blender", f"{bpy.app.version_string} ({build.decode('ascii', 'replace')})"
    yield "Blender's Python", f"{platform.python_version()}, numpy {np.__version__}"
    yield "System", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
    yield "Language", bpy.context.preferences.view.language
    yield "Window", "no" if bpy.app.background else "yes"


def _engine() -> Iterator[tuple[str, str]]:
    """Yield what is known about the speech engine. Does not start it."""
    client = session.running_client()
    hello = client.hello if client is not None else {}
    packages = hello.get("packages")
    python = environment.server_python()
    if not isinstance(packages, dict) and python is not None:
        names = [requirement.split(">")[0].split("=")[0] for requirement in REQUIREMENTS]
        packages = report.package_versions(python, names)
    yield "Speech engine", client.server if client is not None else "not started" if python else "not installed"
    yield "Its Python", _word(hello.get("python"))
    yield "Its packages", ", ".join(f"{_word(name)} {_word(version)}" for name, version in (packages or {}).items())
    if client is not None:
        yield "Its device", _word(client.device)
        yield "Its model", _model()
        errors = [(name, _number(session.motion_error.get(name))) for name in MOTION_ERRORS]
        yield "Last line, mm from FLAME's motion", ", ".join(f"{name} {value:.2f}" for name, value in errors if value)
        for name, unit in (("memory", MEGABYTE), ("peak_memory", MEGABYTE), ("uptime", 1), ("jobs", 1)):
            if value := _number(client.pong.get(name)):
                yield f"Its {name.replace('_', ' ')}", f"{value / unit:.0f}{' MB' if unit == MEGABYTE else ''}"


def _model() -> str:
    """Return what the report tells of the running model: its digest, and of another than the shipped one, its kind."""
    model = session.model_in_use()
    if model is None:
        return ""
    kind = "FLAME" if model.moves_flame else "ARKit"
    chosen = f"chosen, {kind}, {'with' if model.has_emotions else 'without'} emotions"
    return f"{'shipped' if model.is_shipped else chosen}, {_word(model.digest)}".removesuffix(", ")


def _settings(context: bpy.types.Context) -> Iterator[tuple[str, str]]:
    """Yield the settings that are numbers or choices, and counts. Texts and names are not told."""
    if (preferences := extension.preferences()) is not None:
        chosen = [name for name in ("python", "wheels", "model_folder") if getattr(preferences, name)]
        yield (
            "Preferences",
            f"device {preferences.device}, build {preferences.build}" + "".join(f", {name} chosen" for name in chosen),
        )
    yield "Online access", "yes" if bpy.app.online_access else "no"
    yield "Settings", ", ".join(_plain_values(context.scene.lsf))
    scene = compat.sequencer_scene(context)
    yield "Frame rate", f"{scene.render.fps}/{scene.render.fps_base:g}"
    yield "Sound strips", str(len(strips.sound_strips(scene)))
    if (obj := context.object) is not None and obj.type == "MESH":
        keys = obj.data.shape_keys
        modifiers = " ".join(modifier.type for modifier in obj.modifiers)
        yield (
            "Active mesh",
            (
                f"{len(obj.data.vertices)} vertices, {len(keys.key_blocks) if keys else 0} shape keys, "
                f"modifiers: {modifiers or 'none'}, {'linked' if obj.library else 'local'}"
            ),
        )


def _plain_values(group: Any, prefix: str = "") -> Iterator[str]:
    """Yield "name value" for the numbers and choices of a property group and the groups in it, without texts."""
    for prop in group.bl_rna.properties:
        name = prop.identifier
        if prop.type in {"INT", "FLOAT", "BOOLEAN", "ENUM"} and not getattr(prop, "is_array", False):
            value = getattr(group, name)
            yield f"{prefix}{name} {value:.6g}" if isinstance(value, float) else f"{prefix}{name} {value}"
        elif (
            prop.type == "POINTER" and name != "rna_type" and isinstance(getattr(group, name), bpy.types.PropertyGroup)
        ):
            yield from _plain_values(getattr(group, name), f"{prefix}{name}.")


def _personal() -> report.Personal:
    """Return what a report must not tell, from the open file and the system."""
    python = environment.server_python()
    places = {
        str(ADDON): "add-on",
        str(extension.user_folder()): "add-on's files",
        str(Path(bpy.app.binary_path).parent) if bpy.app.binary_path else "": "blender",
        bpy.utils.resource_path("LOCAL"): "blender",
        sys.prefix: "python",
        str(python.parent.parent) if python is not None else "": "engine's python",
    }
    home = str(Path.home())
    places = {place: name for place, name in places.items() if not home.startswith(place.rstrip("/\\"))}
    return report.Personal(places, frozenset(_paths()), frozenset(_names()) - BLENDERS_NAMES, frozenset(_user()))


def _paths() -> Iterator[str]:
    """Yield the paths of the artist's files, as they are written in the file and as they are on disk."""
    for path in {bpy.data.filepath, *bpy.utils.blend_paths(absolute=False, packed=True, local=False)} - {""}:
        yield path
        yield bpy.path.abspath(path)
    if (preferences := extension.preferences()) is not None:
        yield from (preferences.python, preferences.wheels, preferences.model_folder)


def _names() -> Iterator[str]:
    """Yield what the artist has named: data-blocks, strips, shape keys and bones."""
    for collection in (getattr(bpy.data, prop.identifier) for prop in bpy.data.bl_rna.properties):
        if isinstance(collection, bpy.types.bpy_prop_collection):
            for block in collection:
                if isinstance(block, bpy.types.ID) and not isinstance(
                    block, (bpy.types.Brush, bpy.types.WindowManager)
                ):
                    yield block.name
    for scene in bpy.data.scenes:
        if scene.sequence_editor is not None:
            yield from (strip.name for strip in compat.all_strips(scene.sequence_editor))
    for keys in bpy.data.shape_keys:
        yield from (key.name for key in keys.key_blocks)
    for armature in bpy.data.armatures:
        yield from (bone.name for bone in armature.bones)


def _user() -> Iterator[str]:
    """Yield the names of the user, the home folder and this computer."""
    home = Path.home()
    with contextlib.suppress(OSError, KeyError, ImportError):  # neither a variable nor an entry in the list of users
        yield getpass.getuser()
    yield home.name
    yield from {platform.node(), platform.node().partition(".")[0]}
    yield from (os.environ.get(name, "") for name in ("USER", "USERNAME", "LOGNAME", "COMPUTERNAME", "USERDOMAIN"))


def _number(value: object) -> float:
    """Return a number from a message of the server; 0 if it is none."""
    return float(value) if isinstance(value, (int, float)) and 0 < value < 1e15 else 0.0


def _word(value: object) -> str:
    """Return a short word from a message of the server, of letters that names and versions have."""
    return "".join(letter for letter in str(value or "")[:40] if letter.isalnum() or letter in ".+-_ ")
