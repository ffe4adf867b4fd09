"""A head with lines whose curves are known, what an artist does on it, and the values that Blender evaluates."""

from collections.abc import Iterable
from dataclasses import replace

import bpy
import numpy as np

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves, lines
from lsf_blender_addon.prediction import recording
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.scene.own_properties import lines_of
from lsf_blender_addon.scene.snapshots import Source

EVERYWHERE = ("jawOpen", "mouthClose", "mouthSmileLeft", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookUpLeft")
SOMEWHERE = "browInnerUp"  # only lines that ask for it move it
NOWHERE = "cheekPuff"  # no line moves it
MINE = "mine"  # no channel
KEYS = (*EVERYWHERE, SOMEWHERE, NOWHERE, MINE)
FPS = 24.0
FRAMES = 72  # of a line, three seconds
SAME = 2e-6  # values that are the same but for Blender's rounding

Values = dict[str, np.ndarray]


def motion(frames: int = FRAMES, count: int = len(EVERYWHERE), seed: int = 0, fps: float = FPS) -> np.ndarray:
    """Smooth curves (frames, count) between 0 and 1, at the rate of speech, that are at rest nowhere."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / fps
    waves = [np.sin(2 * np.pi * rate * t + rng.uniform(0, 6, count)) for rate in (0.4, 0.9, 1.7)]
    return (0.5 + 0.12 * sum(waves)).astype(np.float32)


def prediction(values: np.ndarray, channels: Iterable[str] = EVERYWHERE, fps: float = FPS, seed: int = 0) -> Prediction:
    """What the server would have predicted: curves (F, K), without lips, emotion, blinks and gaze."""
    names = tuple(channels)
    return Prediction(
        fps=fps,
        channels=names,
        motion=np.asarray(values, np.float32),
        expression=np.zeros_like(values, np.float32),
        emotions=(),
        emotion=np.zeros((len(values), 0), np.float32),
        temperature=0.0,
        seed=seed,
        lips=np.zeros((len(names), 0, 3), np.float32),
    )


class Head:
    """A head with the shape keys KEYS."""

    def __init__(self, obj: bpy.types.Object) -> None:
        self.object = obj

    @property
    def mesh(self) -> bpy.types.Mesh:
        return self.object.data

    @property
    def keys(self) -> bpy.types.Key:
        return self.mesh.shape_keys

    @property
    def data(self) -> bpy.types.AnimData:
        return self.keys.animation_data

    @property
    def action(self) -> bpy.types.Action:
        return actions.existing(self.mesh)

    def record(self, uid: str):
        """The line's record; not kept, because Blender moves records when one is added."""
        return lines.find(self.action, uid)

    def speak(self, uid: str, first: int, made: Prediction | None = None, **source) -> None:
        """Generate a line, or generate it again."""
        made = made or prediction(motion())
        described = Source(uid, f"line {uid}", "Scene", f"{uid}.wav", made.fps, first, len(made.motion), 0.0, 96.0)
        action, record = lines.put(self.mesh, self.object.name, replace(described, **source), made)
        lines.write(self.mesh, action, record)

    def record_take(self, name: str, first: int, values: np.ndarray, channels=EVERYWHERE, fps: float = FPS) -> None:
        """Import a recording of this name."""
        source = Source(name, name, "Scene", f"{name}.csv", fps, first, len(values), 0.0, float(len(values)))
        recorded = recording.predict(values.astype(np.float32), list(channels), fps, None)
        lines.write(self.mesh, *lines.put(self.mesh, self.object.name, source, recorded, "RECORDING"))

    def remove(self, uid: str) -> None:
        lines.remove(self.mesh, self.action, self.record(uid))

    def reset(self, uid: str) -> None:
        """Press Reset."""
        self.record(uid).tweaks.reset()
        lines.refresh(self.action, self.record(uid))

    def curve(self, name: str) -> bpy.types.FCurve:
        """The curve of a shape key in the generated Action."""
        return curve(self.action, name)

    def key(self, name: str, frame: int, value: float) -> None:
        """Set a slider and press I over it."""
        bpy.context.scene.frame_set(frame)
        block = self.keys.key_blocks[name]
        block.value = value
        assert block.keyframe_insert("value", frame=frame)

    def values(self, first: int, last: int) -> Values:
        """Values of all shape keys, as Blender evaluates them, at frames first to last."""
        scene, found = bpy.context.scene, np.empty((last - first + 1, len(KEYS)))
        for frame in range(first, last + 1):
            scene.frame_set(frame)
            blocks = self.keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
            found[frame - first] = [blocks[name].value for name in KEYS]
        return dict(zip(KEYS, found.T, strict=True))

    def points(self, name: str) -> list[tuple[float, float]]:
        """Frames and values of a curve's keys; none without a curve."""
        curves = [c for c in compat.fcurves_of(self.action) if c.data_path == fcurves.value_path(name)]
        return [tuple(point.co) for c in curves for point in c.keyframe_points]


def new_head() -> Head:
    """A head of its own mesh, at rest."""
    bpy.ops.mesh.primitive_cube_add()
    obj = bpy.context.object
    obj.shape_key_add(name="Basis")
    for name in KEYS:
        obj.shape_key_add(name=name, from_mix=False).value = 0
    return Head(obj)


def curve(action: bpy.types.Action, name: str) -> bpy.types.FCurve:
    """The curve of a shape key in an Action."""
    return next(c for c in compat.fcurves_of(action) if c.data_path == fcurves.value_path(name))


def uids(head: Head) -> list[str]:
    return [record.uid for record in lines_of(head.action)]


def move_keys(fcurve: bpy.types.FCurve, window: tuple[float, float], frames: int) -> None:
    """Move the keys of a curve in a window in time, as in the Dope Sheet: a key that is there already goes."""
    moved = [point.co[0] + frames for point in fcurve.keyframe_points if window[0] <= point.co[0] <= window[1]]
    for point in reversed(fcurve.keyframe_points):
        if point.co[0] in moved and not window[0] <= point.co[0] <= window[1]:
            fcurve.keyframe_points.remove(point, fast=True)
    for point in fcurve.keyframe_points:
        if window[0] <= point.co[0] <= window[1]:
            for name in ("co", "handle_left", "handle_right"):
                getattr(point, name)[0] += frames
    fcurve.update()
