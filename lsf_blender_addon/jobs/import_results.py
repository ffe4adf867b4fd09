"""A result of `python -m server batch`, as if the server had answered now. Touches no Blender data."""

import threading
import time
import traceback
from pathlib import Path

import numpy as np

from ..client import causes
from ..client.jobs import Job, State
from ..client.wire import Arrays, Header
from ..errors import UserError
from ..formats import batch_results
from ..formats.batch_results import Face
from ..prediction import sounds
from ..scene.snapshots import Character, Line
from .line_plan import Result

SAME_PLACE = 1e-4  # of the size of the mesh: how far vertices of the same mesh may be apart


class Faces:
    """The faces of a folder, each read once. Threads may share it.

    Args:
        folder: The folder of the results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._last: tuple[str, Face] | None = None

    def get(self, name: str) -> Face:
        """Read a face, unless it is the last one. Raises UserError if it cannot be read."""
        with self._lock:
            if self._last is None or self._last[0] != name:
                self._last = name, batch_results.read_face(self._folder, name)
            return self._last[1]


class ImportedLine:
    """Reads the result of one strip in a thread. Call `poll` from Blender's main thread.

    Attributes:
        character: Head and parts that speak the line.
        line: The strip's sound, and its frames.
        state: What is being done.
        fraction: Progress, 0 to 1.
        text: What is being done, for the artist.
        error: Why it failed, a sentence.
        job: The result in the form of an answer of the server, when `state` is DONE.
        expressions: None of the head's bank is asked for now: what they showed is in the curves.

    Args:
        character: Head and parts that speak the line.
        line: The strip's sound, and its frames.
        path: The file of the result.
        faces: The faces of its folder.
    """

    expressions = ""

    def __init__(self, character: Character, line: Line, path: Path, faces: Faces) -> None:
        self.character, self.line = character, line
        self.state, self.fraction, self.text, self.error = State.RUNNING, 0.0, "Reading the result", ""
        self.job = Job("", "generate", {}, {})
        self._path, self._faces, self._started = path, faces, time.monotonic()
        self._failure, self._transcript = "", ""
        self._reader = threading.Thread(target=self._run, name="lsf-result", daemon=True)
        self._reader.start()

    def cancel(self) -> None:
        """End the work; nothing is written."""
        self.state = State.CANCELLED

    def poll(self) -> State:
        """Update the state. Returns at once."""
        if not self.state.ended and not self._reader.is_alive():
            self.state, self.error = (State.FAILED, self._failure) if self._failure else (State.DONE, "")
        return self.state

    def result(self, moved: int = 0) -> Result:
        """The result, when `state` is DONE.

        Args:
            moved: Frames by which the strip was moved since; it changes nothing.
        """
        seconds = time.monotonic() - self._started
        return Result(self.job.header, self.job.arrays, 0.0, 0, seconds, transcript=self._transcript)

    def _run(self) -> None:
        """Read the files; runs in the thread."""
        try:
            self._read()
        except UserError as error:
            self._failure = f'"{self._path.name}" cannot be used: {error}'
        except Exception:  # else the line would wait for ever
            self._failure = causes.unexpected(traceback.format_exc())

    def _read(self) -> None:
        """Read line and face, and check that they are of this strip and this mesh."""
        found, line = batch_results.read_line(self._path), self.line
        if batch_results.is_of_another_strip(self._path.stem, found.sound, line.id, line.path):
            raise UserError(f'it is of another strip of this name, which plays "{found.sound}"')
        motion, expression, emotion = found.at(line.start + line.t0, line.fps, line.frames)
        header: Header = {"channels": list(found.channels), "emotions": list(found.emotions)}
        if found.model:
            header["model"] = {"name": "batch", "digest": found.model}
        arrays: Arrays = {"motion": motion, "expression": expression, "emotion": emotion}
        fields, times = found.heard
        if not sounds.is_valid(fields, times):
            raise UserError("it is damaged: run the batch again")
        header |= fields
        arrays |= {
            name: values + (name != "sound_confidence") * (found.start - line.start) for name, values in times.items()
        }
        self._transcript = found.transcript
        face = self._faces.get(found.face)
        if face.channels != found.channels:
            raise UserError("its face has other channels: run the batch again")
        own = self.character.vertices
        if own.shape != face.vertices.shape or np.abs(own - face.vertices).max() > SAME_PLACE * np.ptp(own, 0).max():
            raise UserError(
                f'its face was fitted to another mesh than "{self.character.head.object}" with its parts is now: '
                "export the manifest again, and run the batch again"
            )
        if self.character.solved:
            raise UserError(
                "the head's own keys need the speech engine: press Generate, or choose Add New Keys under Face > Own "
                "Shape Keys"
            )
        arrays |= {
            "basis": face.basis,
            "landmarks68": face.vertices[face.landmarks68],
            "landmark_vertices": face.landmarks68,
        }
        self.job.header, self.job.arrays = header, arrays
