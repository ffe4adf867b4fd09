"""The requests of a client: checks the fields, runs the engine, and makes the fields of the result.

See docs/protocol.md.
"""

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..engine import Engine, IsCancelled, ReadSound, Result, Settings
from ..errors import LSFError
from ..face.rig_solver import Rig
from ..files import audio
from ..files.meshes import Mesh
from ..numerics import FloatArray
from ..performance.emotion import text as emotion_text
from ..performance.emotion.direction import Direction
from ..performance.perform import Report
from . import wire
from .emotions import EMOTIONS

if TYPE_CHECKING:  # it loads scipy, which must not delay the first answer
    from ..face.space import FaceSpace

MAX_JOB_NAME = 64  # characters
MAX_QUOTED = 40  # characters of a client's value in a message
MAX_NUMBER = 2**53  # magnitude up to which float64 holds every whole number

Reply = tuple[wire.Header, wire.Arrays]


def generate(engine: Engine, header: wire.Header, arrays: wire.Arrays, report: Report, cancelled: IsCancelled) -> Reply:
    """Run a `generate` request.

    Args:
        engine: The engine.
        header: Fields of the request.
        arrays: Arrays of the request.
        report: Called with the progress.
        cancelled: Returns true when the job shall stop.

    Returns:
        Fields and arrays of the result.

    Raises:
        LSFError: If the request cannot be carried out; docs/protocol.md lists the codes.
        Cancelled: If `cancelled` returned true.
    """
    samples, rate = _sound(header, arrays, report)
    settings = _settings(header)
    control = arrays.get("emotion_control")
    mesh, others = _mesh(arrays), _other_lines(header, arrays)
    result = engine.generate(
        samples,
        rate,
        mesh,
        settings,
        report=report,
        cancelled=cancelled,
        landmarks=arrays.get("landmarks68"),
        parts=arrays.get("parts"),
        own_rig=_rig(header, arrays, mesh),
        direction=None if control is None else Direction.from_control(control),
        other_lines=others,
        face_optional=_flag(header, "face_optional"),
    )
    return _generate_fields(result), _generate_arrays(result, own_head=mesh is None)


def prepare_face(
    engine: Engine, header: wire.Header, arrays: wire.Arrays, report: Report, cancelled: IsCancelled
) -> Reply:
    """Run a `prepare_face` request; arguments, result and errors as in `generate`."""
    mesh = _mesh(arrays)
    if mesh is None:
        raise LSFError("bad_request", 'A prepare_face message needs the arrays "vertices" and "triangles".')
    started = time.perf_counter()
    face = engine.prepare_face(mesh, arrays.get("landmarks68"), arrays.get("parts"), report, cancelled)
    seconds = {"face": round(time.perf_counter() - started, 4)}
    return {"channels": list(face.channels), "report": face.report, "seconds": seconds}, _face_arrays(face)


def read_emotion(
    engine: Engine, header: wire.Header, arrays: wire.Arrays, report: Report, cancelled: IsCancelled
) -> Reply:
    """Run a `read_emotion` request; arguments, result and errors as in `generate`."""
    if not isinstance(header.get("text"), str):
        raise LSFError("bad_request", "A read_emotion message needs a text.")
    report(0.0, "Reading the direction")
    weights, strength = emotion_text.read(header["text"])
    return {"emotions": list(EMOTIONS), "strength": strength}, {"weights": weights}


RUN = {"generate": generate, "prepare_face": prepare_face, "read_emotion": read_emotion}


def job_name(header: wire.Header) -> str:
    """Return the field `job`. Raises LSFError("bad_request") unless it is a text of 1 to MAX_JOB_NAME characters."""
    job = header.get("job")
    if not isinstance(job, str) or not 0 < len(job) <= MAX_JOB_NAME:
        raise LSFError("bad_request", f"job must be a text of 1 to {MAX_JOB_NAME} characters.")
    return job


def quoted(value: object) -> str:
    """Return the representation of a client's value for a message, cut to MAX_QUOTED characters."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"


def _sound(header: wire.Header, arrays: wire.Arrays, report: Report) -> tuple[FloatArray, float]:
    """Samples (N,) or (N, C) of a request and their rate in Hz, from an array or a file."""
    if ("audio" in arrays) == ("audio_file" in header):
        raise LSFError("bad_request", 'A generate message needs either the array "audio" or the field "audio_file".')
    if "audio" in arrays:
        samples, rate = arrays["audio"], _number(header, "rate")
        if samples.dtype != np.float32:
            raise LSFError("bad_audio", "The audio must be float32.")
        return samples, rate
    if not isinstance(header["audio_file"], str):
        raise LSFError("bad_request", "audio_file must be a path.")
    report(0.0, "Reading the sound")
    return audio.load(header["audio_file"], _number(header, "start", 0.0), _optional_number(header, "duration"))


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
        if samples is None or samples.dtype != np.float32:
            raise LSFError("bad_request", f"There is no float32 array {quoted(entry['array'])} for other_lines.")
        return lambda: (samples, rate)
    path, start = _text(entry, "audio_file"), _number(entry, "start", 0.0)
    duration = _optional_number(entry, "duration")
    if path is None or start < 0 or (duration is not None and duration <= 0):
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
    )


def _generate_fields(result: Result) -> wire.Header:
    """Fields of the reply to `generate`."""
    fields: wire.Header = {
        "fps": result.fps,
        "t0": result.t0,
        "channels": list(result.channels),
        "seconds": result.seconds,
        "emotions": list(EMOTIONS),
        "report": {} if result.face is None else result.face.report,
        "heard_lines": result.heard_lines,
    }
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
    try:
        limits = np.array([[0.0, 1.0]] * len(shapes) if limits is None else limits, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise LSFError("bad_rig", "rig_limits must be a list of pairs of numbers.") from None
    without = header.get("rig_without", [])
    if not isinstance(without, list) or not all(isinstance(channel, str) for channel in without):
        raise LSFError("bad_rig", "rig_without must be a list of channels.")
    like = header.get("rig_like") or []
    if not isinstance(like, list) or not all(isinstance(look, dict) for look in like):
        raise LSFError("bad_rig", "rig_like must be a list of objects, each with values of channels.")
    looks = tuple({channel: _number(look, channel) for channel in look} for look in like)
    return Rig(shapes, limits, tuple(without), looks)


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
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
        raise LSFError("bad_request", f"{name} must be a number, not {quoted(value)}.")
    return value


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


def _names(fields: wire.Header, name: str) -> tuple[str, ...]:
    """A list of texts; empty if it is left out or null."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LSFError("bad_request", f"{name} must be a list of names, not {quoted(value)}.")
    return tuple(value)
