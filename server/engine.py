"""The engine behind the message loop and the command line: speech and a neutral mesh in, curves and a basis out."""

import contextlib
import gc
import hashlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arkit import CHANNELS
from .errors import Cancelled, LSFError
from .face import cache as face_cache
from .face import rig_solver
from .files import audio
from .files.meshes import Mesh
from .numerics import FloatArray, IntArray
from .performance import layers
from .performance.emotion.bank import Bank
from .performance.emotion.direction import Direction
from .performance.emotion.following import Following
from .performance.perform import Performance, Report, perform, stage
from .performance.style import Styles, check, mixed
from .sounds.hearing import Sounds, check_speech

if TYPE_CHECKING:  # it loads scipy, which must not delay the first answer
    from .face.space import FaceSpace
    from .flame.face import FlameHead
    from .sounds.listener import Listener

DEFAULT_CHECKPOINT = Path(__file__).parent / "checkpoints" / "default"
MAX_FPS = 240  # frames per second
MAX_TEMPERATURE = 2.0
MAX_SEED = 2**32 - 1
MAX_EYE_VARIANTS = 16
MAX_REFUSED = 16  # meshes without a face that are remembered
NO_FIT = ("no_face", "several_faces", "too_coarse")  # errors after which a line may do without a face
MAX_NAME = 60  # letters of a model's name
MIN_WINDOW, MAX_WINDOW = 1.0, 600.0  # seconds
WINDOW_OVERLAP = 0.2  # share of a window that its neighbour has, too
KEYS = ("named", "flame")  # which channels a FLAME model's motion gets: ARKit's, or FLAME's own
MAX_CURVE_BYTES = 1 << 30  # of one array of curves; a message of the protocol holds no more (wire.MAX_PAYLOAD)
IMPORT_SHARE = 0.8  # of the time that an engine takes to load, for its progress: the import of torch
IMPORTED_MODULES = 920  # how many modules that import loads, about; their number grows evenly over its time
IMPORT_TICK = 0.25  # seconds between two reports of that import
RESAMPLING_BLOCK = 4096  # frames interpolated at a time, so that float64 needs little memory
RIG_BLOCK = 4096  # frames solved at a time, so that a cancelled job stops
# Shares of a job's progress, by the time that they take: until the sound is read and converted, and until the curves
# are made, without and with shape keys to solve. FIT_WORK is the fit of a face, in seconds of speech whose animation
# takes as long; a face that is found sooner than in CACHED_SECONDS was in the cache.
HEARD, PERFORMED, PERFORMED_FOR_RIG = 0.02, 0.98, 0.9
FIT_WORK, CACHED_SECONDS = 60.0, 0.5

IsCancelled = Callable[[], bool]
"""Returns true when the job shall stop."""

ReadSound = Callable[[], tuple[FloatArray, float]]
"""Reads a sound: samples (N,) or (N, C), and their rate in Hz. May raise LSFError."""


@dataclass(frozen=True)
class Settings:
    """The settings of one animation.

    Attributes:
        fps: Frames per second of the result; None is the model's own rate.
        t0: Seconds of the audio at which frame 0 lies; may be negative.
        temperature: 0 is the most likely take, the same every time; the variation of takes grows with it.
        seed: Selects the take, at a temperature above 0, and the layers.
        emotion: One of EMOTIONS or the name of an entry of the bank, shown instead of the detected emotion or mixed
            with it; None is the detected one.
        emotion_strength: 0 (none at all) to 1.
        emotion_mix: 0 (detected) to 1 (chosen); None is 1 if an emotion is chosen, else 0.
        layers: Keys of LAYERS; each becomes a separate curve.
        eye_variants: How many different blinks and gazes are made, 1 to MAX_EYE_VARIANTS.
        whole: Whether the network is given the whole clip at once instead of windows, if its encoders can take it;
            None: if its result depends on the whole clip, and the clip is not longer than those in its training.
        window: Seconds of the windows, MIN_WINDOW to MAX_WINDOW; None: as long as the clips in training where the
            result depends on the whole clip, else `model.inference.WINDOW`.
        styles: Style cards, and how much of each is applied, 0 to style.MAX_AMOUNT.
        keys: One of KEYS. "flame" is for a FLAME model alone: the channels and the basis are FLAME's own shapes,
            `FlameHead.key_names`: 50 expressions, and keys of the jaw at several angles.
        bank: Expressions that an artist has made; they can be shown as emotions are.
        sounds: Whether the sounds that were heard are wanted, too.
        transcript: What is said, which pins the sounds; "" if it is not known.
        language: Code of the language of the speech, as "de"; "" if it is not known.
        following: How emotions follow phrases and words.

    Raises:
        LSFError: "bad_settings" if a value is out of range.
    """

    fps: float | None = None
    t0: float = 0.0
    temperature: float = 0.0
    seed: int = 0
    emotion: str | None = None
    emotion_strength: float = 1.0
    emotion_mix: float | None = None
    layers: tuple[str, ...] = ()
    eye_variants: int = 1
    whole: bool | None = None
    window: float | None = None
    styles: Styles = ()
    keys: str = "named"
    bank: Bank = field(default_factory=Bank)
    following: Following = field(default_factory=Following)
    sounds: bool = False
    transcript: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if self.fps is not None and not 1 <= self.fps <= MAX_FPS:
            raise LSFError("bad_settings", f"The frame rate must be 1 to {MAX_FPS} fps, not {self.fps}.")
        if not abs(self.t0) <= audio.MAX_SECONDS:
            raise LSFError("bad_settings", f"Frame 0 cannot lie at {self.t0} s.")
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise LSFError("bad_settings", f"The temperature must be 0 to {MAX_TEMPERATURE}, not {self.temperature}.")
        if not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise LSFError("bad_settings", f"The seed must be a whole number from 0 to {MAX_SEED}, not {self.seed}.")
        if not isinstance(self.eye_variants, int) or not 1 <= self.eye_variants <= MAX_EYE_VARIANTS:
            raise LSFError(
                "bad_settings", f"The eye variants must be 1 to {MAX_EYE_VARIANTS}, not {self.eye_variants}."
            )
        if self.window is not None and not MIN_WINDOW <= self.window <= MAX_WINDOW:
            raise LSFError("bad_settings", f"A window must be {MIN_WINDOW:g} to {MAX_WINDOW:g} s, not {self.window}.")
        if self.window is not None and self.whole:
            raise LSFError("bad_settings", "The whole clip at once has no windows: leave out one of both settings.")
        if self.keys not in KEYS:
            raise LSFError("bad_settings", f'There are no keys "{self.keys}": choose one of {", ".join(KEYS)}.')
        self.direction()
        check(self.styles)
        check_speech(self.transcript, self.language)
        if unknown := sorted(set(self.layers) - set(layers.LAYERS)):
            known = ", ".join(layers.LAYERS)
            raise LSFError("bad_settings", f'There is no layer "{unknown[0]}": choose one of {known}.')

    def direction(self) -> Direction:
        """Return the direction for the whole line."""
        return Direction.constant(self.emotion, self.emotion_strength, self.emotion_mix, self.bank)


@dataclass
class Result:
    """The animation: offset[f] = Σ_k motion[f, k] · face.basis[k], at t0 + f / fps seconds, in the mesh's own units."""

    channels: tuple[str, ...]  # K names
    fps: float
    t0: float  # seconds of the audio
    motion: NDArray[np.float32]  # (F, K)
    expression: NDArray[np.float32]  # (F, K) the part of `motion` that emotion adds
    emotion: NDArray[np.float32]  # (F, 8) 0 to 1: detected in the voice, in the order of EMOTIONS; (F, 0): not detected
    face: "FaceSpace | None"  # None where none was found and the job does not need it
    no_face: LSFError | None  # why there is none
    mesh: Mesh
    rig_motion: NDArray[np.float32] | None  # (F, R) weights of the rig's own shapes, if there is a rig
    seconds: dict[str, float]  # wall time of each stage
    layers: dict[str, NDArray[np.float32]]  # those requested: blinks (V, F), gaze (V, F, 2), head (F, 3)
    heard_lines: int  # with whose average the voice was compared, this line included; 1: it was heard on its own
    model: str  # name of the model
    model_digest: str  # SHA-256 of its weights, hexadecimal
    whole: bool  # whether the network was given the whole clip at once
    ignores_emotion: bool  # whether the artist has asked for an emotion that this model cannot show
    # Of a FLAME model: how far the project's head is from FLAME's own motion with these curves, millimetres; the
    # figures of flame.named_weights.FitError
    motion_error: dict[str, float] | None
    sounds: Sounds | None = None  # what was heard, if it was asked for
    no_sounds: LSFError | None = None  # why there is nothing, if it was asked for


class Engine:
    """Owns the model and the face cache. It runs one job at a time and is not thread-safe.

    Attributes:
        model: The network, in inference mode.
        name: Name of the model, that of its folder.
        device: The torch device that runs it.
        device_note: One sentence that says why "auto" fell back to the CPU; "" if it did not.
    """

    def __init__(
        self,
        checkpoint: str | Path | None = None,
        device: str = "cpu",
        cache_folder: Path | None = None,
        report: Report = lambda fraction, text: None,
    ):
        """Load the model.

        Args:
            checkpoint: A folder with config.json and model.safetensors; None is the one that ships.
            device: "auto", "cpu", "gpu" or the name of a torch device, see `model.device.load_on_device`.
            cache_folder: Where fitted faces are kept; None keeps them in memory only.
            report: Called with the progress.

        Raises:
            LSFError: "no_model", "bad_checkpoint" or "no_device".
        """
        folder = Path(checkpoint or DEFAULT_CHECKPOINT)
        self._folder, self._weights, self._loaded = folder, folder / "model.safetensors", (0, 0)
        self.name = model_name(folder)
        if not (folder / "config.json").is_file():
            raise LSFError("no_model", f'There is no model in "{folder}": reinstall the add-on, or choose another.')
        with _no_garbage_collection():
            with _import_progress(report):
                from .model.device import load_on_device
                from .model.voice_average import VoiceAverages
            report(IMPORT_SHARE, "Loading the speech model")
            with contextlib.suppress(OSError):  # what loads the model says it
                self._loaded = _stamp(self._weights.stat())
            self.model, self.device, self.device_note = load_on_device(folder, device)
            self._flame = self._load_flame(folder)
        self._voices = VoiceAverages(self.model)
        self._faces = face_cache.FaceCache(cache_folder)
        self._refused: dict[str, LSFError] = {}  # meshes without a face, by their key: the search takes seconds

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's weights, hexadecimal; "" if their file is gone or has changed since it was loaded.

        It is read when it is first asked for, not at the start: a large one takes a second.
        """
        try:
            with self._weights.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                return digest if _stamp(os.fstat(file.fileno())) == self._loaded else ""
        except OSError:
            return ""

    @cached_property
    def _listener(self) -> "Listener":
        """The recogniser of sounds, loaded when it is first asked for. Raises LSFError if none fits the model."""
        from .sounds.listener import Listener

        return Listener(self.model, self._folder)

    def _load_flame(self, folder: Path) -> "FlameHead | None":
        """FLAME's shapes on the project's head, which are part of a FLAME model; None for another model."""
        if self.model.config.motion_space != "flame":
            return None
        from .flame.face import FILE_NAME, load_flame_head

        return load_flame_head(folder / FILE_NAME)

    def generate(
        self,
        samples: FloatArray,
        rate: float,
        mesh: Mesh | None = None,
        settings: Settings | None = None,
        *,
        report: Report = lambda fraction, text: None,
        cancelled: IsCancelled = lambda: False,
        landmarks: FloatArray | None = None,
        parts: IntArray | None = None,
        own_rig: rig_solver.Rig | None = None,
        direction: Direction | None = None,
        other_lines: Sequence[ReadSound] = (),
        face_optional: bool = False,
    ) -> Result:
        """Animate a face to speech.

        Args:
            samples: (N,) or (N, C) speech.
            rate: Its sample rate in Hz.
            mesh: The neutral mesh; None is the project's own head.
            settings: The settings; None takes their defaults.
            report: Called with the progress.
            cancelled: Called between stages and windows; returns true when the job shall stop.
            landmarks: (68, 3) known landmarks of the mesh, see `face.space.fit`.
            parts: (V,) known parts of the mesh, see `face.space.fit`.
            own_rig: Shape keys of the mesh whose weights are to be solved for.
            direction: Emotion over time, row i at frame i of the result; None takes the emotion of the settings.
            other_lines: Other lines of the same voice, the most wanted first; the emotion is heard against the average
                of all. Those that cannot be read are left out.
            face_optional: Whether the curves are wanted even if no face is found on the mesh, or none that can be
                fitted. They are those of the average face then, and `own_rig` is solved by the names of its keys.

        Returns:
            The curves and the face space that they move.

        Raises:
            LSFError: If the input cannot be used; docs/protocol.md lists the codes.
            Cancelled: If `cancelled` returned true.
        """
        settings = settings or Settings()
        direction = direction or settings.direction()
        self._check_keys(settings, own_rig, face_optional)
        if settings.styles and tuple(self.model.config.channels) != CHANNELS:
            raise LSFError("bad_settings", "This model takes no style: switch the style off, or choose another model.")
        fps, t0 = float(settings.fps or self.model.config.fps), settings.t0
        clock = _Clock(cancelled)
        report(0.0, "Analysing the speech")
        speech = audio.to_mono_16k(samples, rate, cancelled)
        shapes = 0 if own_rig is None else len(own_rig.shapes)
        count = self._frame_count(speech, fps, t0, shapes)
        clock.lap("audio")
        report(HEARD, "Finding the face")
        fit_work = 0.0 if mesh is None else FIT_WORK / (FIT_WORK + len(speech) / audio.SAMPLE_RATE)
        found, performed = HEARD + (PERFORMED - HEARD) * fit_work, PERFORMED if own_rig is None else PERFORMED_FOR_RIG
        no_face = None
        try:
            mesh, face = self._face(mesh, landmarks, parts, stage(report, HEARD, found), cancelled, settings.keys)
        except LSFError as error:
            if mesh is None or not face_optional or error.code not in NO_FIT:
                raise
            face, no_face = None, error
        if clock.lap("face") < CACHED_SECONDS:  # there was no fit
            found = HEARD
        report(found, "Comparing with other lines of the voice" if other_lines else "Analysing the speech")
        own_mean, heard_lines = self._voices.own_mean((samples, rate), other_lines, cancelled)
        window = self._window(settings, len(speech))
        listener, no_sounds = None, None
        try:
            listener = self._listener if settings.sounds else None
        except LSFError as error:
            no_sounds = error
        seconds, said = len(speech) / audio.SAMPLE_RATE, (settings.transcript, settings.language)
        performance = perform(
            self.model,
            speech,
            self._identity(face),
            own_mean=own_mean,
            styles=settings.styles,
            temperature=settings.temperature,
            seed=settings.seed,
            direction=direction.resampled(self._times(speech), fps, t0),
            follow=settings.following,
            window=window,
            overlap=WINDOW_OVERLAP * window,
            hear=None if listener is None else lambda result: listener.hear(result, seconds, *said, cancelled),
            report=stage(report, found, performed),
            cancelled=cancelled,
        )
        motion_error = None
        if self._flame is not None:
            performance, motion_error = self._carried(self._flame, performance, settings.keys)
        clock.lap("model")
        report(performed, "Resampling the curves")
        motion, expression, emotion = self._resampled(performance, fps, t0, count)
        times = t0 + np.arange(count) / fps
        blink_rate = mixed(settings.styles).blink_rate
        curves = layers.make_layers(
            settings.layers, performance.voice, times, settings.seed, settings.eye_variants, blink_rate
        )
        clock.lap("timing")
        rig_motion = None
        if own_rig is not None:
            parts_of_motion = []
            for start in range(0, count, RIG_BLOCK):
                report(1 + (performed - 1) * (1 - start / count), "Solving the shape keys")
                block = motion[start : start + RIG_BLOCK]
                if face is None:
                    own_head, own_face = default_head()
                    solved = rig_solver.solve_by_names(own_rig, own_head.vertices, own_face, block)
                else:
                    solved = rig_solver.solve(own_rig, mesh.vertices, face, block)
                parts_of_motion.append(solved)
                clock.lap("rig")
            rig_motion = np.concatenate(parts_of_motion)
        return Result(
            CHANNELS if face is None else face.channels,
            fps,
            float(t0),
            motion,
            expression,
            emotion,
            face,
            no_face,
            mesh,
            rig_motion,
            clock.seconds,
            curves,
            heard_lines,
            self.name,
            self.digest,
            self.model.frame_count(len(speech)) <= min(window * self.model.config.fps, self.model.max_frames),
            direction.asks_for_emotion() and not self._shows(direction),
            motion_error,
            performance.sounds,
            no_sounds,
        )

    def hear(
        self,
        samples: FloatArray,
        rate: float,
        transcript: str = "",
        language: str = "",
        report: Report = lambda fraction, text: None,
        cancelled: IsCancelled = lambda: False,
    ) -> Sounds:
        """Find the sounds of speech without animating anything.

        Args:
            samples: (N,) or (N, C) speech.
            rate: Its sample rate in Hz.
            transcript: What is said; "" if it is not known.
            language: Code of the language, as "de"; "" if it is not known.
            report: Called with the progress.
            cancelled: Called between windows; returns true when the job shall stop.

        Returns:
            The sounds.

        Raises:
            LSFError: If the input cannot be used; docs/protocol.md lists the codes.
            Cancelled: If `cancelled` returned true.
        """
        check_speech(transcript, language)
        report(0.0, "Reading the sound")
        speech = audio.to_mono_16k(samples, rate, cancelled)
        return self._listener.listen(speech, transcript, language, report, cancelled)

    def prepare_face(
        self,
        mesh: Mesh,
        landmarks: FloatArray | None = None,
        parts: IntArray | None = None,
        report: Report = lambda fraction, text: None,
        cancelled: IsCancelled = lambda: False,
    ) -> "FaceSpace":
        """Fit a face, or take it from the cache; see the function `prepare_face`. A refusal is remembered."""
        key = face_cache.key(mesh, landmarks, parts)
        if key in self._refused:
            raise LSFError(self._refused[key].code, str(self._refused[key]))
        try:
            return prepare_face(mesh, self._faces, landmarks, parts, report, cancelled)
        except LSFError as error:
            if error.code in NO_FIT:
                self._refused = dict([*self._refused.items(), (key, error)][-MAX_REFUSED:])
            raise

    def _frame_count(self, speech: FloatArray, fps: float, t0: float, shapes: int) -> int:
        """Number of frames of the result. Raises LSFError("long_audio") if the largest array would be too large."""
        count = frame_count(len(speech) / audio.SAMPLE_RATE, fps, t0)
        if count * max(shapes, len(self.model.config.channels)) * np.float32().itemsize > MAX_CURVE_BYTES:
            raise LSFError("long_audio", f"{count} frames are too many: cut the audio, or lower the frame rate.")
        return count

    def _face(
        self,
        mesh: Mesh | None,
        landmarks: FloatArray | None,
        parts: IntArray | None,
        report: Report,
        cancelled: IsCancelled,
        keys: str,
    ) -> tuple[Mesh, "FaceSpace"]:
        """Mesh and face space of a job. Raises LSFError if the model moves other channels than the face has."""
        if keys == "flame":
            assert self._flame is not None  # _check_keys
            mesh = mesh or default_head()[0]
            further = dict(zip(self._flame.key_names, self._flame.key_basis, strict=True))
            face = fit_face(mesh, landmarks, parts, report, cancelled, further)  # it is not kept: nobody else needs it
            rows = len(face.channels) - len(further)
            face = replace(face, channels=face.channels[rows:], basis=face.basis[rows:])
        elif mesh is None:
            mesh, face = default_head()
        else:
            face = self.prepare_face(mesh, landmarks, parts, report, cancelled)
        if self._flame is None and face.channels != tuple(self.model.config.channels):
            raise LSFError("bad_checkpoint", "The model moves other channels than the face has: choose another model.")
        return mesh, face

    def _check_keys(self, settings: Settings, own_rig: rig_solver.Rig | None, face_optional: bool) -> None:
        """Raise LSFError if the settings ask for FLAME's own keys where there are none."""
        if settings.keys == "named":
            return
        if self._flame is None:
            raise LSFError("bad_settings", "This model does not move the FLAME face: choose the named keys.")
        if own_rig is not None or face_optional:
            raise LSFError("bad_settings", "Shape keys of the mesh are solved for the named keys only: choose these.")

    def _shows(self, direction: Direction) -> bool:
        """Whether the model can show a direction."""
        named = tuple(self.model.config.channels) == CHANNELS
        return self.model.config.emotion_bank or (named and direction.shows_poses_alone())

    def _window(self, settings: Settings, samples: int) -> float:
        """Seconds of a clip (N samples) that the network is given at once; math.inf: all, as far as it can take it.

        Where the result depends on the whole clip, a clip that is longer than those in training is another matter, too:
        the places of its frames were never seen. Windows as long as in training have the least error (docs/paper.md).
        """
        from .model.inference import WINDOW

        config = self.model.config
        if settings.whole:
            return math.inf
        if settings.window is not None or not config.whole_clip:
            return settings.window or WINDOW
        longest = max(config.trained_frames / config.fps, MIN_WINDOW) if config.trained_frames else WINDOW
        fits = self.model.frame_count(samples) <= longest * config.fps
        return math.inf if fits and settings.whole is None else longest

    def _identity(self, face: "FaceSpace | None") -> NDArray[np.float32]:
        """Identity coefficients (I,) of a face, as the model takes them; None is the average face."""
        if self._flame is None:
            size = self.model.config.identity_size
            return np.zeros(size, np.float32) if face is None else face.identity
        return self._flame.shape_mean if face is None else self._flame.shape_of(face.fitted)

    def _carried(self, flame: "FlameHead", performance: Performance, keys: str) -> tuple[Performance, dict[str, float]]:
        """Give FLAME's motion channels that a head can have.

        The network hears the emotion in the voice and moves the whole face. So nothing is added to its motion that the
        shipped model gets: no expression, no accents of the brows, no rest in pauses, no variation but that of the
        codes. Lips that FLAME closes are closed, see flame/named_weights.py.

        Args:
            flame: FLAME's shapes on the project's head.
            performance: FLAME's motion (F, 53).
            keys: Which channels, one of KEYS.

        Returns:
            The curves of these channels, and how far the project's head is from FLAME's motion with them.
        """
        motion = performance.motion
        if keys == "flame":
            curves, error = flame.key_curves(motion), flame.key_error(motion)
        else:
            curves, error = flame.named_weights(motion)
        figures = {name: round(float(value), 4) for name, value in vars(error).items() if name != "frames"}
        return replace(performance, motion=curves, expression=np.zeros_like(curves)), figures

    def _times(self, speech: FloatArray) -> NDArray[np.float64]:
        """Seconds of the model's own frames (F,) for speech (N,) at 16 kHz."""
        return np.arange(self.model.frame_count(len(speech))) / self.model.config.fps

    def _resampled(
        self, performance: Performance, fps: float, t0: float, count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Motion (F, K), expression (F, K) and emotion (F, 8) at the frames of the result."""
        curves = performance.motion, performance.motion - performance.expression, performance.emotion
        resampled = resample_motion(np.concatenate(curves, 1), self.model.config.fps, fps, t0, count)
        motion, speech, emotion = np.split(resampled, np.cumsum([curve.shape[1] for curve in curves[:2]]), 1)
        # This interpolation of a difference is not the difference of both.
        return np.ascontiguousarray(motion), motion - speech, np.ascontiguousarray(emotion)


def prepare_face(
    mesh: Mesh,
    faces: face_cache.FaceCache,
    landmarks: FloatArray | None = None,
    parts: IntArray | None = None,
    report: Report = lambda fraction, text: None,
    cancelled: IsCancelled = lambda: False,
) -> "FaceSpace":
    """Fit a face, or take it from the cache. It needs no model.

    Args:
        mesh: The neutral mesh.
        faces: The cache.
        landmarks: (68, 3) in the space of the mesh; rows of NaN are detected.
        parts: (V,) part of each vertex, see `face.space.fit`; −1 is detected.
        report: Called with the progress.
        cancelled: Returns true when the job shall stop.

    Returns:
        The face space of the mesh.

    Raises:
        LSFError: "no_face", "several_faces", "too_coarse", "bad_landmarks" or "bad_parts".
        Cancelled: If `cancelled` returned true.
    """
    from .face.landmark_constraints import check_landmarks

    if landmarks is not None:
        landmarks = check_landmarks(landmarks).astype(np.float32)
    key = face_cache.key(mesh, landmarks, parts)
    face: FaceSpace | None = faces.get(key, len(mesh.vertices))
    if face is None:
        face = fit_face(mesh, landmarks, parts, report, cancelled)
        faces.put(key, face)
    return face


def fit_face(
    mesh: Mesh,
    landmarks: FloatArray | None = None,
    parts: IntArray | None = None,
    report: Report = lambda fraction, text: None,
    cancelled: IsCancelled = lambda: False,
    further: Mapping[str, FloatArray] | None = None,
) -> "FaceSpace":
    """Fit a face; arguments, result and errors as in `prepare_face`, and `further` as in `face.space.fit`."""
    from .face.space import fit

    def step(fraction: float, text: str) -> None:
        if cancelled():
            raise Cancelled
        report(fraction, text)

    return fit(mesh.vertices, mesh.triangles, landmarks, parts, step, further)


def warm_up() -> None:
    """Import what the first job needs beside the model. It takes about as long as half of the import of torch."""
    import scipy.interpolate
    import scipy.ndimage
    import scipy.signal  # noqa: F401
    import soundfile  # noqa: F401

    from .face import space  # noqa: F401


def available(checkpoint: str | Path | None = None) -> list[dict[str, object]]:
    """Describe the models of this server without loading them.

    Args:
        checkpoint: The folder that will be loaded; None is the one that ships.

    Returns:
        For each model its "name", "motion_space" and "fps", whether it is "shipped" with the add-on, and whether it has
        "emotions" that can be chosen; empty if there is none.
    """
    folder = Path(checkpoint or DEFAULT_CHECKPOINT)
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return [
            {
                "name": model_name(folder),
                "motion_space": config.get("motion_space"),
                "fps": config.get("fps"),
                "shipped": checkpoint is None,
                "emotions": config.get("emotion_bank") is True,
            }
        ]
    except (OSError, ValueError, AttributeError):
        return []


def model_name(folder: Path) -> str:
    """Return the name of a model: that of its folder, as text that JSON can hold, of at most MAX_NAME letters."""
    name = folder.name or folder.resolve().name
    return name.encode("utf-8", "replace").decode("utf-8")[:MAX_NAME]


def _stamp(stat: os.stat_result) -> tuple[int, int]:
    """Return what changes with a file: the time at which it was written, in ns, and its size in bytes."""
    return stat.st_mtime_ns, stat.st_size


def frame_count(duration: float, fps: float, t0: float) -> int:
    """Return the number of frames from t0 to the last one that is not later than `duration` seconds, at least 1."""
    return max(1, math.floor((duration - t0) * fps + 1e-6) + 1)


def resample_motion(
    curves: NDArray[np.float32], model_fps: float, fps: float, t0: float, count: int
) -> NDArray[np.float32]:
    """Interpolate curves at other frames.

    Monotone cubic interpolation (PCHIP, Fritsch and Carlson 1980) is smooth, exact on the model's own frames, and never
    leaves the range of its neighbours, so lips that meet do not pass through each other.

    Args:
        curves: (F, K) values at i / model_fps seconds.
        model_fps: Frames per second of `curves`.
        fps: Frames per second of the result.
        t0: Seconds at which frame 0 of the result lies.
        count: Number of frames of the result.

    Returns:
        (count, K) values; the first and the last frame of `curves` hold outside of them.
    """
    if len(curves) == 1:
        return np.repeat(curves, count, 0).astype(np.float32)
    from scipy.interpolate import PchipInterpolator

    model_frames = len(curves)
    times = np.clip(t0 + np.arange(count) / fps, 0, (model_frames - 1) / model_fps)
    low, high = curves.min(0), curves.max(0)  # rounding would leave them by 1e-16, to below the 0 of a shape key
    motion = np.empty((count, curves.shape[1]), np.float32)
    for start in range(0, count, RESAMPLING_BLOCK):
        block = times[start : start + RESAMPLING_BLOCK]
        # The curve between two frames depends on the frames beside them, but not on any farther ones.
        first = max(0, math.floor(block[0] * model_fps) - 2)
        last = min(model_frames, math.ceil(block[-1] * model_fps) + 3)
        first = max(0, min(first, last - 3))
        curve = PchipInterpolator(np.arange(first, last) / model_fps, curves[first:last], axis=0)
        motion[start : start + RESAMPLING_BLOCK] = curve(block).clip(low, high)
    return motion


@cache
def default_head() -> tuple[Mesh, "FaceSpace"]:
    """Return the project's own head and its face space, always the same. Its identity is the average, without a fit."""
    from .face import parts
    from .face.head import load_head
    from .face.space import FaceSpace

    head = load_head()
    face = FaceSpace(
        channels=head.channels,
        basis=head.basis,
        landmarks68=head.landmarks68,
        landmark_vertices=head.landmark_vertices,
        identity=np.zeros(len(head.identity_modes), np.float32),
        parts=parts.canonical_parts(head),
        fitted=head.vertices,
        report={},
    )
    return Mesh(head.vertices, head.triangles), face


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect no garbage meanwhile: imports leave hardly any, and looking for it takes a sixth of their time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _import_progress(report: Report) -> Iterator[None]:
    """Report the progress of imports, as the share of the modules that are loaded."""
    before, ended = len(sys.modules), threading.Event()

    def watch() -> None:
        with contextlib.suppress(OSError):  # nobody reads the reports any more
            while not ended.is_set():
                share = min(1.0, (len(sys.modules) - before) / IMPORTED_MODULES)
                report(IMPORT_SHARE * share, "Loading PyTorch")
                ended.wait(IMPORT_TICK)

    watcher = threading.Thread(target=watch, name="import-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


class _Clock:
    """Measures the wall time of each stage, and stops a cancelled job between two of them."""

    def __init__(self, cancelled: IsCancelled):
        self.seconds: dict[str, float] = {}
        self._cancelled, self._last = cancelled, time.perf_counter()

    def lap(self, stage: str) -> float:
        """End a stage, or a part of one; returns its seconds. Raises Cancelled."""
        if self._cancelled():
            raise Cancelled
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + seconds, 4)
        return seconds
