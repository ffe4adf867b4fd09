"""What a client may ask for: the fields of a request, checked, and the fields of its result. See docs/protocol.md."""

import time
from collections.abc import Callable

import numpy as np

from ..engine import Engine, Report, Settings
from ..errors import LSFError
from ..face.rig_solver import Rig
from ..files import audio
from ..files.meshes import Mesh
from ..performance.emotion import text as emotion_text
from ..performance.emotion.direction import Direction
from ..performance.emotion.text_examples import EXAMPLES
from . import wire
from .emotions import EMOTIONS

Reply = tuple[dict, wire.Arrays]
Cancelled = Callable[[], bool]


def generate(engine: Engine, header: dict, arrays: wire.Arrays, report: Report, cancelled: Cancelled) -> Reply:
    if ("audio" in arrays) == ("audio_file" in header):
        raise LSFError("bad_request", 'A generate message needs either the array "audio" or the field "audio_file".')
    if "audio" in arrays:
        samples, rate = arrays["audio"], _number(header, "rate")
        if samples.dtype != np.float32:
            raise LSFError("bad_audio", "The audio must be float32.")
    else:
        if not isinstance(header["audio_file"], str):
            raise LSFError("bad_request", "audio_file must be a path.")
        report(0.0, "Reading the sound")
        start, duration = _number(header, "start", 0.0), _number(header, "duration", None)
        samples, rate = audio.load(header["audio_file"], start, duration)
    given = header.get("settings", {})
    if not isinstance(given, dict):
        raise LSFError("bad_request", "settings must be an object.")
    settings = Settings(
        fps=_number(given, "fps", None),
        t0=_number(given, "t0", 0.0),
        temperature=_number(given, "temperature", 0.0),
        seed=_number(given, "seed", 0),
        layers=_names(given, "layers"),
        emotion=_text(given, "emotion"),
        emotion_strength=_number(given, "emotion_strength", 1.0),
        emotion_mix=_number(given, "emotion_mix", None),
    )
    control = arrays.get("emotion_control")
    mesh = _mesh(arrays)
    result = engine.generate(
        samples,
        rate,
        mesh,
        settings,
        report,
        cancelled,
        landmarks=arrays.get("landmarks68"),
        parts=arrays.get("parts"),
        own_rig=_rig(header, arrays, mesh),
        direction=None if control is None else Direction.of_control(control),
    )
    own = {} if mesh is not None else {"vertices": result.mesh.vertices, "triangles": result.mesh.triangles}
    weights = {} if result.rig_motion is None else {"rig_motion": result.rig_motion}
    return (
        {
            "fps": result.fps,
            "t0": result.t0,
            "channels": list(result.face.channels),
            "seconds": result.seconds,
            "emotions": list(EMOTIONS),
            "report": result.face.report,
        },
        {
            "motion": result.motion,
            "expression": result.expression,
            "emotion": result.emotion,
            **result.layers,
            **_face(result.face),
            **own,
            **weights,
        },
    )


def prepare_face(engine: Engine, header: dict, arrays: wire.Arrays, report: Report, cancelled: Cancelled) -> Reply:
    mesh = _mesh(arrays)
    if mesh is None:
        raise LSFError("bad_request", 'A prepare_face message needs the arrays "vertices" and "triangles".')
    started = time.perf_counter()
    face = engine.prepare_face(mesh, arrays.get("landmarks68"), arrays.get("parts"), report, cancelled)
    seconds = {"face": round(time.perf_counter() - started, 4)}
    return {"channels": list(face.channels), "report": face.report, "seconds": seconds}, _face(face)


def read_emotion(engine: Engine, header: dict, arrays: wire.Arrays, report: Report, cancelled: Cancelled) -> Reply:
    if not isinstance(header.get("text"), str):
        raise LSFError("bad_request", "A read_emotion message needs a text.")
    report(0.0, "Reading the direction")
    weights, strength = emotion_text.read(header["text"])
    return {"emotions": list(EXAMPLES), "strength": strength}, {"weights": weights}


RUN = {"generate": generate, "prepare_face": prepare_face, "read_emotion": read_emotion}


def _face(face) -> wire.Arrays:
    return {name: getattr(face, name) for name in ("basis", "landmarks68", "landmark_vertices", "parts")}


def _rig(header: dict, arrays: wire.Arrays, mesh: Mesh | None) -> Rig | None:
    if "rig_shapes" not in arrays:
        return None
    shapes, limits = arrays["rig_shapes"], header.get("rig_limits")
    if mesh is None:
        raise LSFError("bad_request", "rig_shapes need the mesh that they belong to.")
    try:
        limits = np.array([[0.0, 1.0]] * len(shapes) if limits is None else limits, dtype=float)
    except (TypeError, ValueError):
        raise LSFError("bad_rig", "rig_limits must be a list of pairs of numbers.") from None
    return Rig(shapes, limits)


def _mesh(arrays: wire.Arrays) -> Mesh | None:
    if "vertices" not in arrays and "triangles" not in arrays:
        return None
    if "vertices" not in arrays or "triangles" not in arrays:
        raise LSFError("bad_mesh", 'A mesh needs both arrays, "vertices" and "triangles".')
    return Mesh(arrays["vertices"], arrays["triangles"])


def _number(fields: dict, name: str, *default: float | None):
    value = fields.get(name)
    if value is None and default:
        return default[0]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 2**53:
        raise LSFError("bad_request", f"{name} must be a number, not {shown(value)}.")
    return value


def _text(fields: dict, name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise LSFError("bad_request", f"{name} must be a text, not {shown(value)}.")
    return value


def _names(fields: dict, name: str) -> tuple[str, ...]:
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LSFError("bad_request", f"{name} must be a list of names, not {shown(value)}.")
    return tuple(value)


def job_id(header: dict) -> str:
    job = header.get("job")
    if not isinstance(job, str) or not 0 < len(job) <= 64:
        raise LSFError("bad_request", "job must be a text of 1 to 64 characters.")
    return job


def shown(value: object) -> str:
    """A value of a stranger's message, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
