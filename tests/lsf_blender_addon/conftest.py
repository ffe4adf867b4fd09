"""Fixtures for tests on real bpy. The add-on is registered for one test at a time: at exit it would crash bpy 4.2."""

import wave
from pathlib import Path

import numpy as np
import pytest

# ruff: noqa: E402
bpy = pytest.importorskip("bpy")  # before the imports that need it: without bpy, these tests are skipped

import lsf_blender_addon
from lsf_blender_addon import compat
from lsf_blender_addon.scene import extension
from lsf_blender_addon.ui import registration

HERE = Path(__file__).parent


@pytest.fixture
def blank():
    """An empty file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


@pytest.fixture
def addon(blank, tmp_path, monkeypatch):
    """The add-on, registered in an empty file; it keeps its own files in tmp_path."""
    monkeypatch.setattr(extension, "user_folder", lambda: tmp_path)
    monkeypatch.setenv("LSF_SERVER_PYTHON", "/nowhere/python")
    lsf_blender_addon.register()
    yield registration
    lsf_blender_addon.unregister()


@pytest.fixture
def cube(blank):
    """An object with 8 vertices and no shape keys."""
    bpy.ops.mesh.primitive_cube_add()
    return bpy.context.object


CLICKS = (0.5, 1.5, 2.5, 3.5)  # seconds


@pytest.fixture
def clicks(tmp_path) -> Path:
    """Four seconds at 48 kHz, silent but for a click of half a millisecond at each of CLICKS, each softer."""
    rate, path = 48000, tmp_path / "clicks.wav"
    samples = np.zeros(4 * rate, "<i2")
    for k, second in enumerate(CLICKS):
        samples[int(second * rate) :][:24] = 30000 - 5000 * k
    write_wav(path, samples, rate)
    return path


@pytest.fixture
def wav():
    """Functions (write, read) for .wav files."""
    return write_wav, read_wav


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """(N,) the loudest channel, and the rate."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return np.abs(samples.astype(np.float32)).max(1), file.getframerate()


@pytest.fixture
def add_strip():
    return _add_strip


def _add_strip(path: Path, name: str = "line", frame: int = 25, fps: tuple[int, float] = (24, 1.0)):
    """A sound strip of `path`, four seconds long. The bpy 4.2 wheel cannot make any: there it is one of 4.5."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps
    if bpy.app.build_options.audaspace:
        editor = scene.sequence_editor or scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        return strips.new_sound(name, str(path), 1, frame)
    with bpy.data.libraries.load(str(HERE / "assets" / "strips.blend")) as (_source, target):
        target.scenes = [f"{fps[0]}-{fps[1]}"]
    (loaded,) = target.scenes
    bpy.context.window.scene = loaded
    strip = compat.all_strips(loaded.sequence_editor)[0]
    strip.name, strip.frame_start, strip.sound.filepath = name, frame, str(path)
    return strip


# Every property of Blender data as plain values, to compare what an artist made before and after.


@pytest.fixture
def dump():
    return dump_struct


VOLATILE = {
    "rna_type",
    "session_uid",
    "is_evaluated",
    "tag",
    "original",
    "users",
    "preview",
    "is_runtime_data",
    "id_properties_ensure",
    "bl_system_properties_get",
    "active_shape_key",
    "shape_keys",
    "name_full",
    "asset_data",
    "library_weak_reference",
    "points",
    "storage_type",
}
ARRAYS = {"vertices": ("co", 3), "data": ("co", 3), "loop_triangles": ("vertices", 3)}


def dump_struct(struct, skip: frozenset | set = frozenset()) -> dict:
    """Values of all properties; other data-blocks by name, collections and nested structures in full."""
    return {
        p.identifier: _value(struct, p, skip)
        for p in struct.bl_rna.properties
        if p.identifier not in VOLATILE and p.identifier not in skip
    }


def _value(struct, prop, skip):
    name = prop.identifier
    value = getattr(struct, name)
    if prop.type == "COLLECTION":
        if name in ARRAYS and len(value):
            attribute, width = ARRAYS[name]
            if hasattr(value[0], attribute):
                flat = np.empty(len(value) * width, np.float32 if attribute == "co" else np.int32)
                value.foreach_get(attribute, flat)
                return flat.tobytes()
        return [_reference(item, skip) for item in value]
    if prop.type == "POINTER":
        return None if value is None else _reference(value, skip)
    if prop.type in {"INT", "FLOAT", "BOOLEAN"} and getattr(prop, "is_array", False):
        return [row[:] if hasattr(row, "__len__") else row for row in value]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    assert isinstance(value, (int, float, str, bool, bytes, bpy.types.bpy_struct)), (name, type(value))
    return value


def _reference(value, skip):
    if isinstance(value, bpy.types.ID) and not isinstance(value, (bpy.types.Key,)):
        return f"{type(value).__name__} {value.name}"
    if isinstance(value, (bpy.types.Key, bpy.types.ShapeKey)):
        return value.name
    return dump_struct(value, skip)
