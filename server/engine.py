"""The engine behind the message loop and the command line: speech and a neutral mesh in, curves and a basis out."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import Cancelled, LSFError
from .face import cache as face_cache
from .face import rig_solver
from .files import audio
from .files.meshes import Mesh
from .performance import layers
from .performance.emotion.direction import Direction
from .performance.perform import perform

if TYPE_CHECKING:  # it brings scipy, which must not hold up the first answer
    from .face.space import FaceSpace

DEFAULT_CHECKPOINT = Path(__file__).parent / "checkpoints" / "default"
MAX_FPS, MAX_TEMPERATURE = 240, 2.0
MAX_CURVE_BYTES = 1 << 30

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Settings:
    """What an artist may choose. Checked when made: LSFError("bad_settings", …)."""

    fps: float | None = None  # frames per second of the result; None: the model's own
    t0: float = 0.0  # seconds of the audio at which frame 0 lies; may be negative
    temperature: float = 0.0  # 0 is the most likely take, the same every time; higher is livelier
    seed: int = 0
    emotion: str | None = None  # instead of what the voice implies, or mixed with it; one of emotion.EMOTIONS
    emotion_strength: float = 1.0  # 0: none at all
    emotion_mix: float | None = None  # 0: as the voice implies; 1: as chosen (None: 1 if an emotion is chosen)
    layers: tuple[str, ...] = ()  # names of layers.MAKE: what else the person does, as arrays of their own

    def __post_init__(self):
        if self.fps is not None and not 1 <= self.fps <= MAX_FPS:
            raise LSFError("bad_settings", f"The frame rate must be 1 to {MAX_FPS} fps, not {self.fps}.")
        if not abs(self.t0) <= audio.MAX_SECONDS:
            raise LSFError("bad_settings", f"Frame 0 cannot lie at {self.t0} s.")
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise LSFError("bad_settings", f"The temperature must be 0 to {MAX_TEMPERATURE}, not {self.temperature}.")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise LSFError("bad_settings", f"The seed must be a whole number from 0 to 4294967295, not {self.seed}.")
        Direction.constant(self.emotion, self.emotion_strength, self.emotion_mix)
        if unknown := sorted(set(self.layers) - set(layers.MAKE)):
            raise LSFError("bad_settings", f'There is no layer "{unknown[0]}": choose of {", ".join(layers.MAKE)}.')


@dataclass
class Result:
    """offset[f] = Σ_k motion[f, k] · face.basis[k], at t0 + f / fps seconds of the audio, in the mesh's own units."""

    fps: float
    t0: float
    motion: np.ndarray  # (F, K) float32
    expression: np.ndarray  # (F, K) float32: the part of `motion` that emotion adds
    emotion: np.ndarray  # (F, 8) float32, 0 to 1: what the voice implies, in the order of emotion.EMOTIONS
    face: "FaceSpace"
    mesh: Mesh
    rig_motion: np.ndarray | None  # (F, R) float32 weights of the rig's own shapes, if there is a rig
    seconds: dict[str, float]  # wall time of each stage
    layers: dict[str, np.ndarray]  # of those that were asked for: blinks (F,), gaze (F, 2), head (F, 3); see layers.py


class Engine:
    """Owns the model and the face cache. One job at a time; not thread-safe.

    `checkpoint` is a folder with config.json and model.safetensors (None: the one that ships), `device` a torch
    device, `cache_folder` where fitted faces are kept (None: in memory only).
    """

    def __init__(self, checkpoint: str | Path | None = None, device: str = "cpu", cache_folder: Path | None = None):
        folder = Path(checkpoint or DEFAULT_CHECKPOINT)
        if not (folder / "config.json").is_file():
            raise LSFError("no_model", f'There is no model in "{folder}": reinstall the add-on, or choose another.')
        import torch

        from .model import LSF

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise LSFError("no_device", 'Torch finds no CUDA device here: use the device "cpu".')
        self.model = LSF.from_pretrained(folder).to(device).eval()
        self._faces = face_cache.FaceCache(cache_folder)

    def generate(
        self,
        samples: np.ndarray,
        rate: float,
        mesh: Mesh | None = None,
        settings: Settings | None = None,
        report: Report = lambda fraction, text: None,
        cancelled: Callable[[], bool] = lambda: False,
        landmarks: np.ndarray | None = None,
        parts: np.ndarray | None = None,
        own_rig: rig_solver.Rig | None = None,
        direction: Direction | None = None,
    ) -> Result:
        """Animate `mesh` (None: the project's own head) to the speech in `samples` (N,) or (N, C) at `rate` Hz.

        `landmarks` (68, 3) and `parts` (V,): what the caller knows of the mesh, see face.fit. `own_rig`: shape keys of
        the mesh to solve for too. `direction`: emotion over time, row i at frame i of the result (None: as the settings
        say). Raises LSFError and Cancelled.
        """
        settings = settings or Settings()
        channels, fps = tuple(self.model.config.channels), float(settings.fps or self.model.config.fps)
        seconds, clock = {}, _Clock(cancelled)
        report(0.0, "Listening")
        speech = audio.to_mono_16k(samples, rate)
        count = frame_count(len(speech) / audio.SAMPLE_RATE, fps, settings.t0)
        if count * len(channels) * 4 > MAX_CURVE_BYTES:
            raise LSFError("long_audio", f"{count} frames are too many: cut the audio, or lower the frame rate.")
        seconds["audio"] = clock.lap()
        report(0.02, "Finding the face")
        if mesh is None:
            mesh, face = default_head()
        else:
            face = self.prepare_face(mesh, landmarks, parts, _part(report, 0.02, 0.3), cancelled)
        seconds["face"] = clock.lap()
        if tuple(face.channels) != channels:
            raise LSFError("bad_checkpoint", "The model moves other channels than the face has: choose an ARKit model.")
        wanted = direction or Direction.constant(settings.emotion, settings.emotion_strength, settings.emotion_mix)
        played = perform(
            self.model,
            speech,
            face.identity,
            settings.temperature,
            settings.seed,
            lambda times: wanted.at(times, fps, settings.t0),
            _part(report, 0.3, 0.98),
            cancelled,
        )
        seconds["model"] = clock.lap()
        report(0.98, "Timing the frames")
        motion, expression, felt = (
            resample_motion(curves, self.model.config.fps, fps, settings.t0, count)
            for curves in (played.motion, played.expression, played.emotion)
        )
        times = settings.t0 + np.arange(count) / fps
        made = layers.make(settings.layers, speech, times, settings.seed)
        seconds["timing"] = clock.lap()
        rig_motion = None
        if own_rig is not None:
            report(0.99, "Solving for the rig")
            rig_motion = rig_solver.solve(own_rig, mesh.vertices, face, motion)
            seconds["rig"] = clock.lap()
        return Result(fps, float(settings.t0), motion, expression, felt, face, mesh, rig_motion, seconds, made)

    def prepare_face(
        self,
        mesh: Mesh,
        landmarks: np.ndarray | None = None,
        parts: np.ndarray | None = None,
        report: Report = lambda fraction, text: None,
        cancelled: Callable[[], bool] = lambda: False,
    ):
        """Return the FaceSpace of a mesh, from the cache if it was fitted before. Raises LSFError("no_face", …)."""
        return prepare_face(mesh, self._faces, landmarks, parts, report, cancelled)


def prepare_face(
    mesh: Mesh,
    faces: face_cache.FaceCache,
    landmarks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
    report: Report = lambda fraction, text: None,
    cancelled: Callable[[], bool] = lambda: False,
):
    """Fit a face, or take it from `faces`; needs no model. See Engine.prepare_face."""
    from .face.landmark_constraints import check_landmarks
    from .face.space import fit

    if landmarks is not None:
        landmarks = check_landmarks(landmarks).astype(np.float32)
    key = face_cache.key(mesh, landmarks, parts)
    face = faces.get(key, len(mesh.vertices))
    if face is None:

        def step(fraction: float, text: str) -> None:
            if cancelled():
                raise Cancelled
            report(fraction, text)

        face = fit(mesh.vertices, mesh.triangles, landmarks, parts, step)
        faces.put(key, face)
    return face


def available(checkpoint: str | Path | None = None) -> list[dict]:
    """What `hello` says of the models of this server: name, motion space and rate, without loading them."""
    folder = Path(checkpoint or DEFAULT_CHECKPOINT)
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return [{"name": folder.name, "motion_space": config.get("motion_space"), "fps": config.get("fps")}]
    except (OSError, ValueError, AttributeError):
        return []


def frame_count(duration: float, fps: float, t0: float) -> int:
    """Frames from t0 to the last one that is not later than `duration` seconds; at least one."""
    return max(1, math.floor((duration - t0) * fps + 1e-6) + 1)


def resample_motion(curves: np.ndarray, model_fps: float, fps: float, t0: float, count: int) -> np.ndarray:
    """(F, K) curves at i / model_fps seconds to (count, K) float32 at t0 + i / fps.

    Monotone cubic interpolation (PCHIP, Fritsch and Carlson 1980): smooth, exact on the model's own frames, and it
    never leaves the range of its neighbours, so lips that meet do not pass through each other. Before the first and
    after the last frame the curves hold their value.
    """
    if len(curves) == 1:
        return np.repeat(curves, count, 0).astype(np.float32)
    from scipy.interpolate import PchipInterpolator

    curve = PchipInterpolator(np.arange(len(curves)) / model_fps, curves, axis=0)
    times = np.clip(t0 + np.arange(count) / fps, 0, (len(curves) - 1) / model_fps)
    motion = np.empty((count, curves.shape[1]), np.float32)
    for start in range(0, count, 4096):
        motion[start : start + 4096] = curve(times[start : start + 4096])
    return motion


def default_head():
    """Return the project's own head as (Mesh, FaceSpace): nothing to fit, its identity is the average."""
    from .face import parts
    from .face.head import load_head
    from .face.space import FaceSpace

    head = load_head()
    face = FaceSpace(
        channels=head.channels,
        basis=head.basis,
        landmarks68=head.landmarks68,
        landmark_vertices=head.landmark_vertices,
        identity=np.zeros(50, np.float32),
        parts=parts.of_head(head),
        report={},
    )
    return Mesh(head.vertices, head.triangles), face


def _part(report: Report, low: float, high: float) -> Report:
    return lambda fraction, text: report(low + (high - low) * fraction, text)


class _Clock:
    """Wall time of each stage, and a place to stop between two of them."""

    def __init__(self, cancelled: Callable[[], bool]):
        self._cancelled, self._last = cancelled, time.perf_counter()

    def lap(self) -> float:
        if self._cancelled():
            raise Cancelled
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return round(lap, 4)
