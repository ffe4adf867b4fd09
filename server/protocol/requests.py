"""The requests of a client: checks the fields, runs the engine, and makes the fields of the result.

See docs/protocol.md.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..engine import Engine, IsCancelled, ReadSound, Result, Settings
from ..errors import LSFError
from ..face.rig_solver import MAX_SHAPES, Rig
from ..files import audio
from ..files.meshes import Mesh
from ..numerics import FloatArray, IntArray
from ..performance import style_choice
from ..performance.emotion import text as emotion_text
from ..performance.emotion.bank import Bank
from ..performance.emotion.direction import Direction
from ..performance.emotion.following import Following
from ..performance.perform import Report
from ..sounds.hearing import Sounds, check_speech
from . import wire
from .affect import Change
from .emotions import EMOTIONS
from .style_cards import StyleCard
from .wire import quoted

if TYPE_CHECKING:  # it loads scipy, which must not delay the first answer
    from ..face.space import FaceSpace

MAX_JOB_NAME = 64  # characters
MAX_NAMES = 256  # in a list of names: there are three layers and 52 channels
MAX_NAME = 100  # characters of such a name
MAX_PATH = 32767  # characters of the longest path that a system allows (Windows)
MAX_NUMBER = 2**53  # magnitude up to which float64 holds every whole number

Reply = tuple[wire.Header, wire.Arrays]
Run = Callable[[Engine, Report, IsCancelled], Reply]
"""Runs a request whose fields were checked: gives the fields and arrays of the result. Raises LSFError, Cancelled."""


def generate(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `generate` request.

    Args:
        header: Fields of the request.
        arrays: Arrays of the request.

    Returns:
        What runs it. Only what needs the model, the face or a sound file is found out there.

    Raises:
        LSFError: If a field cannot be used; docs/protocol.md lists the codes.
    """
    read = _sound(header, arrays)
    settings = _settings(header)
    control = arrays.get("emotion_control")
    way = arrays.get("emotion_way")
    direction = None if control is None else Direction.from_control(control, settings.bank, way)
    mesh, others = _mesh(arrays), _other_lines(header, arrays)
    landmarks, parts = _landmarks(arrays), _parts(arrays)
    own_rig, face_optional = _rig(header, arrays, mesh), _flag(header, "face_optional")

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        samples, rate = read(report, cancelled)
        result = engine.generate(
            samples,
            rate,
            mesh,
            settings,
            report=report,
            cancelled=cancelled,
            landmarks=landmarks,
            parts=parts,
            own_rig=own_rig,
            direction=direction,
            other_lines=others,
            face_optional=face_optional,
        )
        return _generate_fields(result), _generate_arrays(result, own_head=mesh is None)

    return run


def prepare_face(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `prepare_face` request; arguments, result and errors as in `generate`."""
    mesh, landmarks, parts = _mesh(arrays), _landmarks(arrays), _parts(arrays)
    if mesh is None:
        raise LSFError("bad_request", 'A prepare_face message needs the arrays "vertices" and "triangles".')

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        started = time.perf_counter()
        face = engine.prepare_face(mesh, landmarks, parts, report, cancelled)
        seconds = {"face": round(time.perf_counter() - started, 4)}
        return {"channels": list(face.channels), "report": face.report, "seconds": seconds}, _face_arrays(face)

    return run


def read_emotion(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `read_emotion` request; arguments, result and errors as in `generate`."""
    text = _text(header, "text")
    if not text or len(text) > emotion_text.MAX_CHARACTERS:
        raise LSFError(
            "bad_request", f"A read_emotion message needs a text of 1 to {emotion_text.MAX_CHARACTERS} characters."
        )
    bank = Bank.from_fields(header.get("bank") or [])

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        report(0.0, "Reading the direction")
        reading = emotion_text.read(text, bank)
        fields = {
            "emotions": list(EMOTIONS),
            "strength": reading.strength,
            "entries": dict(reading.entries),
            "channels": dict(reading.channels),
            "expression": {"weights": reading.pose(bank), "emotions": reading.felt(bank)},
            "understood": [
                {"text": part.span, "names": list(part.names), "negated": part.negated} for part in reading.understood
            ],
            "missed": list(reading.missed),
        }
        return fields, {"weights": reading.weights}

    return run


def read_picture(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `read_picture` request; arguments, result and errors as in `generate`."""
    if "picture" not in arrays:
        raise LSFError("bad_request", 'A read_picture message needs the array "picture".')
    picture = _bytes(arrays["picture"])
    neutral = _bytes(arrays["neutral"]) if "neutral" in arrays else None

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        from ..picture import reading  # it loads scipy, which must not delay the first answer

        report(0.0, "Reading the picture")
        found = reading.read(picture, neutral)
        fields = {"channels": list(CHANNELS), "error": found.error}
        return fields, {"weights": found.weights.astype(np.float32), "landmarks": found.landmarks.astype(np.float32)}

    return run


def _bytes(values: IntArray) -> NDArray[np.uint8]:
    """The bytes of a picture; messages have no type for them."""
    if values.dtype.kind not in "iu" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        raise LSFError("bad_picture", "A picture must have whole numbers from 0 to 255.")
    return values.astype(np.uint8)


def hear(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `hear` request; arguments, result and errors as in `generate`."""
    read = _sound(header, arrays)
    fields = header.get("settings")
    if fields is not None and not isinstance(fields, dict):
        raise LSFError("bad_request", "settings must be an object.")
    transcript, language = _text(fields or {}, "transcript") or "", _text(fields or {}, "language") or ""
    check_speech(transcript, language)

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        samples, rate = read(report, cancelled)
        started = time.perf_counter()
        sounds = engine.hear(samples, rate, transcript, language, report, cancelled)
        seconds = {"model": round(time.perf_counter() - started, 4)}
        return {**_sound_fields(sounds), "seconds": seconds}, _sound_arrays(sounds)

    return run


def _sound_fields(sounds: Sounds) -> wire.Header:
    """Fields of a reply that describe the sounds."""
    return {"sounds": list(sounds.symbols), "words": list(sounds.words), "transcript_note": sounds.note}


def _sound_arrays(sounds: Sounds) -> wire.Arrays:
    """Arrays of a reply that describe the sounds."""
    return {
        "sound_times": sounds.times,
        "sound_confidence": sounds.confidence,
        "word_times": sounds.word_times,
    }


def make_style(header: wire.Header, arrays: wire.Arrays) -> Run:
    """Check a `make_style` request; arguments, result and errors as in `generate`."""
    from ..style.recording import Recording  # not before it is needed: it is the only request that measures a face

    more = header.get("more_takes", [])
    if not isinstance(more, list) or not all(isinstance(fields, dict) for fields in more):
        raise LSFError("bad_request", "more_takes must be a list of objects.")
    sounds, recordings = [], []
    for number, fields in enumerate([header, *more], 1):
        suffix = "" if number == 1 else f"_{number}"
        values, names = arrays.get(f"recording{suffix}"), fields.get("channels")
        if values is None or not _is_list_of_names(names):
            raise LSFError(
                "bad_request",
                f'A make_style message needs the array "recording{suffix}" and the names of its channels.',
            )
        assert isinstance(names, list)
        own = {"audio": arrays[f"audio{suffix}"]} if f"audio{suffix}" in arrays else {}
        sounds.append(_sound(fields, own))
        recordings.append(Recording.of(names, values, _number(fields, "fps")))
    name = _text(header, "name") or ""
    StyleCard(name)  # a name that no card can have is refused before the work

    def run(engine: Engine, report: Report, cancelled: IsCancelled) -> Reply:
        from ..style.make import Take, make_card

        takes = [Take(*read(report, cancelled), face) for read, face in zip(sounds, recordings, strict=True)]
        made = make_card(engine, takes, name, report, cancelled)
        return {
            "card": made.card.to_fields(),
            "lag": round(made.lags[0], 4),
            "correlation": round(made.correlations[0], 4),
            "lags": [round(lag, 4) for lag in made.lags],
            "seconds": round(made.seconds, 2),
            "gains": {family: round(gain, 4) for family, gain in made.gains.items()},
            "error": round(made.error, 5),
            "default_error": round(made.default_error, 5),
        }, {}

    return run


JOBS = {
    "generate": generate,
    "prepare_face": prepare_face,
    "read_emotion": read_emotion,
    "read_picture": read_picture,
    "hear": hear,
    "make_style": make_style,
}


def job_name(header: wire.Header) -> str:
    """Return the field `job`. Raises LSFError("bad_request") unless it is a text of 1 to MAX_JOB_NAME characters."""
    job = header.get("job")
    if not is_job_name(job):
        raise LSFError("bad_request", f"job must be a text of 1 to {MAX_JOB_NAME} characters.")
    assert isinstance(job, str)
    return job


def is_job_name(value: object) -> bool:
    """Whether a value is a text of 1 to MAX_JOB_NAME characters, all of them Unicode: no half of a surrogate pair."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_JOB_NAME:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _sound(header: wire.Header, arrays: wire.Arrays) -> Callable[[Report, IsCancelled], tuple[FloatArray, float]]:
    """What gives the samples (N,) or (N, C) of a request and their rate in Hz, from an array or a file."""
    if ("audio" in arrays) == ("audio_file" in header):
        raise LSFError("bad_request", 'A generate message needs either the array "audio" or the field "audio_file".')
    if "audio" in arrays:
        samples, rate = arrays["audio"], _number(header, "rate")
        if samples.dtype != np.float32 or samples.ndim not in (1, 2):
            raise LSFError("bad_audio", "The audio must be float32, one value per sample and channel.")
        return lambda report, cancelled: (samples, rate)
    path, start, duration = _path(header), _number(header, "start", 0.0), _optional_number(header, "duration")

    def read(report: Report, cancelled: IsCancelled) -> tuple[FloatArray, float]:
        report(0.0, "Reading the sound")
        return audio.load(path, start, duration, cancelled)

    return read


def _other_lines(header: wire.Header, arrays: wire.Arrays) -> list[ReadSound]:
    """What reads the other lines of the voice. Whether there is sound is found out when they are read."""
    entries = header.get("other_lines")
    if entries is None:
        return []
    if not isinstance(entries, list) or len(entries) > wire.MAX_OTHER_LINES:
        raise LSFError("bad_request", f"other_lines must be a list of at most {wire.MAX_OTHER_LINES} lines.")
    return [_other_line(entry, arrays) for entry in entries]


def _other_line(entry: object, arrays: wire.Arrays) -> ReadSound:
    """What reads one of the other lines, from an array or a file."""
    if not isinstance(entry, dict) or ("array" in entry) == ("audio_file" in entry):
        raise LSFError("bad_request", 'Each of other_lines needs either the field "array" or the field "audio_file".')
    if "array" in entry:
        samples, rate = arrays.get(_text(entry, "array") or ""), _number(entry, "rate")
        if samples is None or samples.dtype != np.float32 or samples.ndim not in (1, 2):
            raise LSFError("bad_request", f"There is no float32 array {quoted(entry['array'])} for other_lines.")
        return lambda: (samples, rate)
    path, start = _path(entry), _number(entry, "start", 0.0)
    duration = _optional_number(entry, "duration")
    if start < 0 or (duration is not None and duration <= 0):
        raise LSFError("bad_request", "Each of other_lines needs a path, a start of 0 s or later, and a duration.")
    return partial(audio.load, path, start, min(wire.LINE_SECONDS, duration or wire.LINE_SECONDS))


def _settings(header: wire.Header) -> Settings:
    """The field `settings` of a request."""
    fields = header.get("settings")
    if fields is None:
        return Settings()
    if not isinstance(fields, dict):
        raise LSFError("bad_request", "settings must be an object.")
    return Settings(
        fps=_optional_number(fields, "fps"),
        t0=_number(fields, "t0", 0.0),
        temperature=_number(fields, "temperature", 0.0),
        seed=_number(fields, "seed", 0),  # type: ignore[arg-type]  # Settings refuses a fraction
        layers=_names(fields, "layers"),
        eye_variants=_number(fields, "eye_variants", 1),  # type: ignore[arg-type]  # as above
        emotion=_text(fields, "emotion"),
        emotion_strength=_number(fields, "emotion_strength", 1.0),
        emotion_mix=_optional_number(fields, "emotion_mix"),
        whole=None if fields.get("whole") is None else _flag(fields, "whole"),
        window=_optional_number(fields, "window"),
        styles=style_choice.read_fields(fields.get("styles")),
        keys=_text(fields, "keys") or "named",
        sounds=_flag(fields, "sounds"),
        transcript=_text(fields, "transcript") or "",
        language=_text(fields, "language") or "",
        bank=Bank() if fields.get("bank") is None else Bank.from_fields(fields["bank"]),
        following=_following(fields),
    )


def _following(fields: wire.Header) -> Following:
    """How the emotion follows what is said."""
    changes = fields.get("emotion_changes") or []
    pairs = [pair for pair in changes if isinstance(pair, list) and len(pair) == 2] if isinstance(changes, list) else []
    if not isinstance(changes, list) or len(pairs) < len(changes) or not all(_is_number(x) for p in pairs for x in p):
        raise LSFError("bad_request", "emotion_changes must be a list of pairs of seconds.")
    return Following(
        _flag(fields, "follow_sentence"),
        _number(fields, "follow_words", 0.0),
        tuple(Change(float(start), float(end)) for start, end in pairs),
    )


def _generate_fields(result: Result) -> wire.Header:
    """Fields of the reply to `generate`."""
    fields: wire.Header = {
        "fps": result.fps,
        "t0": result.t0,
        "channels": list(result.channels),
        "seconds": result.seconds,
        "emotions": list(EMOTIONS) if result.emotion.shape[1] else [],
        "report": {} if result.face is None else result.face.report,
        "heard_lines": result.heard_lines,
        "model": {"name": result.model, "digest": result.model_digest},
        "whole": result.whole,
    }
    if result.ignores_emotion:
        fields["ignored"] = ["emotion"]
    if result.motion_error is not None:
        fields["motion_error"] = result.motion_error
    if result.sounds is not None:
        fields |= _sound_fields(result.sounds)
    if result.no_sounds is not None:
        fields["no_sounds"] = {"code": result.no_sounds.code, "message": str(result.no_sounds)}
    if result.no_face is not None:
        fields["no_face"] = {"code": result.no_face.code, "message": str(result.no_face)}
    return fields


def _generate_arrays(result: Result, own_head: bool) -> wire.Arrays:
    """Arrays of the reply to `generate`; the mesh only if it is the project's own head."""
    arrays: wire.Arrays = {
        "motion": result.motion,
        "expression": result.expression,
        "emotion": result.emotion,
        **result.layers,
        **({} if result.face is None else _face_arrays(result.face)),
    }
    if own_head:
        arrays |= {"vertices": result.mesh.vertices, "triangles": result.mesh.triangles}
    if result.sounds is not None:
        arrays |= _sound_arrays(result.sounds)
    if result.rig_motion is not None:
        arrays["rig_motion"] = result.rig_motion
    return arrays


def _face_arrays(face: "FaceSpace") -> wire.Arrays:
    """Arrays of a reply that describe a face."""
    return {
        "basis": face.basis,
        "landmarks68": face.landmarks68,
        "landmark_vertices": face.landmark_vertices,
        "parts": face.parts,
    }


def _rig(header: wire.Header, arrays: wire.Arrays, mesh: Mesh | None) -> Rig | None:
    """The shape keys that a request asks to solve for, if any."""
    if "rig_shapes" not in arrays:
        return None
    shapes, limits = arrays["rig_shapes"], header.get("rig_limits")
    if mesh is None:
        raise LSFError("bad_request", "rig_shapes need the mesh that they belong to.")
    if shapes.ndim != 3 or not 0 < len(shapes) <= MAX_SHAPES or shapes.shape[1:] != mesh.vertices.shape:
        raise LSFError(
            "bad_rig", f"rig_shapes must be 1 to {MAX_SHAPES} shapes of the mesh's vertices, not {shapes.shape}."
        )
    try:
        limits = np.array([[0.0, 1.0]] * len(shapes) if limits is None else limits, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise LSFError("bad_rig", "rig_limits must be a list of pairs of numbers.") from None
    without = header.get("rig_without", [])
    if not _is_list_of_names(without):
        raise LSFError("bad_rig", "rig_without must be a list of channels.")
    like = header.get("rig_like") or []
    if not isinstance(like, list) or len(like) > MAX_SHAPES or not all(isinstance(look, dict) for look in like):
        raise LSFError("bad_rig", "rig_like must be a list of objects, each with values of channels.")
    looks = tuple({channel: _number(look, channel) for channel in look} for look in like)
    return Rig(shapes, limits, tuple(without), looks)


def _landmarks(arrays: wire.Arrays) -> FloatArray | None:
    """The landmarks of a request, if it has some."""
    landmarks = arrays.get("landmarks68")
    if landmarks is not None and (landmarks.shape != (68, 3) or landmarks.dtype.kind != "f"):
        raise LSFError("bad_landmarks", "The landmarks must be 68 points (68, 3): reset them and place them again.")
    return landmarks


def _parts(arrays: wire.Arrays) -> IntArray | None:
    """The parts of the vertices of a request, if it has some."""
    parts, vertices = arrays.get("parts"), arrays.get("vertices")
    if parts is not None and (vertices is None or parts.shape != vertices.shape[:1] or parts.dtype.kind != "i"):
        raise LSFError("bad_parts", "The parts must be one whole number for each vertex.")
    return parts


def _mesh(arrays: wire.Arrays) -> Mesh | None:
    """The mesh of a request, if it has one."""
    if "vertices" not in arrays and "triangles" not in arrays:
        return None
    if "vertices" not in arrays or "triangles" not in arrays:
        raise LSFError("bad_mesh", 'A mesh needs both arrays, "vertices" and "triangles".')
    return Mesh(arrays["vertices"], arrays["triangles"])


def _number(fields: wire.Header, name: str, default: float | None = None) -> float:
    """A number, or its default if it is left out or null. Raises LSFError if there is neither."""
    value = _optional_number(fields, name)
    if value is not None:
        return value
    if default is None:
        raise LSFError("bad_request", f"{name} must be a number, not {quoted(value)}.")
    return default


def _optional_number(fields: wire.Header, name: str) -> float | None:
    """A number, or None if it is left out or null."""
    value = fields.get(name)
    if value is None:
        return None
    if not _is_number(value):
        raise LSFError("bad_request", f"{name} must be a number, not {quoted(value)}.")
    number: float = value
    return number


def _is_number(value: object) -> bool:
    """Whether a value is a number that float64 holds exactly if it is whole."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


def _flag(fields: wire.Header, name: str) -> bool:
    """True or false, false if it is left out or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise LSFError("bad_request", f"{name} must be true or false, not {quoted(value)}.")
    return bool(value)


def _text(fields: wire.Header, name: str) -> str | None:
    """A text, or None if it is left out or null."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise LSFError("bad_request", f"{name} must be a text, not {quoted(value)}.")
    return value


def _path(fields: wire.Header) -> str:
    """The field `audio_file`, a path."""
    path = fields.get("audio_file")
    if not isinstance(path, str) or not 0 < len(path) <= MAX_PATH or "\0" in path:
        raise LSFError("bad_request", "audio_file must be a path.")
    return path


def _names(fields: wire.Header, name: str) -> tuple[str, ...]:
    """A list of texts, each of them once; empty if it is left out or null."""
    value = fields.get(name)
    if value is None:
        return ()
    if not _is_list_of_names(value):
        raise LSFError("bad_request", f"{name} must be a list of names, each of them once, not {quoted(value)}.")
    return tuple(value)


def _is_list_of_names(value: object) -> bool:
    """Whether a value is a list of at most MAX_NAMES different short texts."""
    if not isinstance(value, list) or len(value) > MAX_NAMES:
        return False
    return all(isinstance(item, str) and len(item) <= MAX_NAME for item in value) and len(set(value)) == len(value)
