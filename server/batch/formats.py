"""The bytes of a result. The same result gives the same bytes: nothing in them tells the time or the machine."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS, mirrored
from ..engine import Result
from ..protocol.emotions import EMOTIONS
from ..sounds import formats as sound_files

VERSION = 2  # of what is written; with another one, every line is made again
DECIMALS = 4  # of values in text: finer than a hundredth of a millimetre on a face
# The columns of Live Link Face: ARKit's channels, but the right side first where jaw and mouth move sideways.
SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
COLUMNS = tuple(mirrored(name) if name in SIDEWAYS else name for name in CHANNELS)
ANGLES = ("HeadYaw", "HeadPitch", "HeadRoll", *(f"{side}Eye{axis}" for side in ("Left", "Right") for axis in
          ("Yaw", "Pitch", "Roll")))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """What a result says of where it comes from.

    Attributes:
        face: Name of its face.
        inputs: Digest of all that it was made of.
        sound: Name of its sound file, without folders.
        start: Seconds of that file at which the line starts.
        transcript: What is said, as far as it was known.
    """

    face: str
    inputs: str
    sound: str = ""
    start: float = 0.0
    transcript: str = ""


def face(result: Result) -> bytes:
    """Encode the face of a result: what `generate` writes into each file, here once for all lines of the face.

    Args:
        result: A result with a face.

    Returns:
        An .npz with channels (K,), basis (K, V, 3), vertices (V, 3), faces (P, N) and landmarks68 (68,). It is not
        compressed, as its SHA-256 is its name, and packers of other versions differ.
    """
    assert result.face is not None
    return _npz(
        np.savez,
        channels=np.array(result.face.channels),
        basis=result.face.basis,
        vertices=result.mesh.vertices,
        faces=result.mesh.faces,
        landmarks68=result.face.landmark_vertices,
    )


def npz(result: Result, origin: Origin) -> bytes:
    """Encode the curves of a line with the names of `generate`.

    They are float16: values of up to 1 are exact to 0.00025, which moves no vertex by a hundredth of a millimetre, and
    a file has half the size.

    Args:
        result: The result.
        origin: Where it comes from.
    """
    return _npz(
        np.savez_compressed,
        version=VERSION,
        fps=result.fps,
        t0=result.t0,
        channels=np.array(result.channels),
        motion=result.motion.astype(np.float16),
        expression=result.expression.astype(np.float16),
        emotions=np.array(EMOTIONS if result.emotion.shape[1] else (), dtype=str),
        emotion=result.emotion.astype(np.float16),
        face=origin.face,
        model=json.dumps({"digest": result.model_digest, "whole": result.whole}),
        inputs=origin.inputs,
        sound=origin.sound,
        start=origin.start,
        **_heard(result, origin),
    )


def curves_json(result: Result, origin: Origin) -> bytes:
    """Encode the curves as the JSON of docs/formats.md, which names face, model and so on, too; arguments as `npz`."""
    head: dict[str, Any] = {
        "format": "lsf-curves",
        "version": 1,
        "fps": result.fps,
        "first_frame": 0,
        "face": origin.face,
        "model": result.model_digest,
        "inputs": origin.inputs,
        "sound": origin.sound,
        "start": origin.start,
        "names": result.channels,
    }
    if result.sounds is not None:
        head |= {**sound_files.as_fields(result.sounds), "transcript_note": result.sounds.note}
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in _rounded(result.motion))
    return f'{json.dumps(head)[:-1]}, "values": [\n{rows}\n]}}\n'.encode()


def live_link(result: Result, origin: Origin) -> bytes:
    """Encode the ARKit channels as a .csv of Live Link Face, see docs/formats.md; arguments as `npz`.

    Timecode 0 is the start of the line, and it counts at the nearest integer rate. Angles of head and eyes are 0.
    """
    del origin  # this layout has no place for it; the report has it
    table = np.zeros((len(result.motion), len(COLUMNS) + len(ANGLES)), np.float32)
    for column, name in enumerate(COLUMNS):
        if name in result.channels:
            table[:, column] = result.motion[:, result.channels.index(name)]
    file = io.StringIO(newline="")
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in COLUMNS), *ANGLES])
    for frame, row in enumerate(_rounded(table)):
        rows.writerow(
            [_timecode(frame / result.fps, result.fps), len(row), *(f"{value:.{DECIMALS}f}" for value in row)]
        )
    return file.getvalue().encode()


ENCODERS: dict[str, Callable[[Result, Origin], bytes]] = {"npz": npz, "json": curves_json, "live_link": live_link}


def _heard(result: Result, origin: Origin) -> dict[str, Any]:
    """Arrays of the sounds of a line, with the names of the protocol; none if they were not asked for."""
    sounds = result.sounds
    if sounds is None:
        return {}
    return {
        "sounds": np.array(sounds.symbols, dtype=str),
        "sound_times": sounds.times,
        "sound_confidence": sounds.confidence,
        "words": np.array(sounds.words, dtype=str),
        "word_times": sounds.word_times,
        "transcript": origin.transcript,
        "transcript_note": sounds.note,
    }


def _npz(save: Callable[..., None], **arrays: Any) -> bytes:
    """Encode arrays with np.savez or np.savez_compressed, which write no time into the archive."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def _rounded(values: NDArray[np.float32]) -> list[list[float]]:
    """Rows of values to DECIMALS."""
    rows: list[list[float]] = np.round(values.astype(float), DECIMALS).tolist()
    return rows


def _timecode(second: float, fps: float) -> str:
    """HH:MM:SS:FF.mmm of a time."""
    rate = max(1, round(fps))
    frame, part = divmod(round(second * rate * 1000), 1000)
    whole, frame = divmod(frame, rate)
    return f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame:02}.{part:03}"
