"""Makes one line of a manifest after the other, and knows which are made already."""

import hashlib
import json
import posixpath
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple
from functools import cached_property, lru_cache, partial
from pathlib import Path

from .. import __version__
from ..engine import Engine, ReadSound, default_head, frame_count
from ..face import cache as face_cache
from ..files import audio, meshes
from ..files.meshes import Mesh
from ..performance.emotion import text
from ..protocol.wire import LINE_SECONDS, MAX_OTHER_LINES
from ..sounds.hearing import WEIGHTS
from . import formats
from .manifest import Line
from .report import Finished, Row
from .results import Results, file_digest

MODEL_FILES = ("config.json", "model.safetensors", "face.safetensors")  # of a checkpoint; the last of a FLAME model
REMEMBERED_SOUNDS = 4096  # whose digests are kept: several lines may be of one, and each is heard with others


def model_digests(checkpoint: Path) -> dict[str, str]:
    """SHA-256 of each file of a model that is there, hexadecimal. Raises OSError.

    Args:
        checkpoint: Folder of the model.
    """
    return {name: file_digest(checkpoint / name) for name in MODEL_FILES if (checkpoint / name).is_file()}


class Maker:
    """Makes lines. The model is loaded when the first line needs it; one character is kept at a time."""

    def __init__(
        self,
        folder: Path,
        lines: Iterable[Line],
        results: Results,
        finished: Finished,
        checkpoint: Path,
        new_engine: Callable[[], Engine],
    ):
        """Prepare it.

        Args:
            folder: The manifest's folder.
            lines: All lines of the manifest, in its order: those of one voice are heard together.
            results: Where results are written.
            finished: What is made already.
            checkpoint: Folder of the model.
            new_engine: Loads it.
        """
        self._folder, self._results, self._finished = folder, results, finished
        self._model, self._checkpoint = model_digests(checkpoint), checkpoint
        self._new_engine = new_engine
        self._engine: Engine | None = None
        self._digest = lru_cache(REMEMBERED_SOUNDS)(file_digest)
        self._voices: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            if line.voice:
                self._voices[line.voice].append(line)
        # The character of the last line, its mesh with its key, or why there is none, and its face once it is written.
        self._character: str | None = None
        self._mesh: Mesh | None = None
        self._mesh_key, self._face = "", ""
        self._refusal: Exception | None = None

    def inputs(self, line: Line) -> str:
        """SHA-256 of all that decides a result, hexadecimal.

        Raises:
            LSFError, OSError: The mesh or the sound cannot be read.
        """
        self._choose_character(line.character)
        shown, encoder = line.emotion, text.SHA256 if text.is_installed() else ""
        # A card's name is for people, and so is what its fit has left out.
        settings = asdict(line.settings) | {"styles": [(card.numbers, amount) for card, amount in line.settings.styles]}
        parts = {
            "format": [line.format, formats.VERSION],
            "server": __version__,
            "model": self._model,
            "sound": [self._digest(self._folder / line.sound), line.start, line.end],
            "others": [[self._digest_if_there(other), other.start, other.end] for other in self._others(line)],
            "character": self._mesh_key,
            "settings": settings,
            "recogniser": self._recogniser if line.settings.sounds else "",
            "emotion": [shown.name, shown.keys, shown.words, shown.words and encoder, astuple(shown.transition)],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def is_there(self, line: Line, inputs: str) -> bool:
        """Whether a line was made of these inputs, and its files are as they were written."""
        digest = self._results.digest(line.output)
        face = self._finished.get((line.output, inputs, digest)) if digest else None
        return face is not None and self._results.has_face(face)

    def load(self) -> Engine:
        """Return the engine. Raises LSFError if the model cannot be used."""
        if self._engine is None:
            self._engine = self._new_engine()
        return self._engine

    def make(self, line: Line, inputs: str) -> Row:
        """Animate a line and write its result.

        Args:
            line: The line, whose `inputs` were asked for last.
            inputs: Them.

        Returns:
            What the report says of the result.

        Raises:
            LSFError, OSError: The line cannot be animated or written.
        """
        engine = self.load()
        samples, rate = self._reader(line, line.duration)()
        settings, fps = line.settings, line.settings.fps or engine.model.config.fps
        frames = frame_count(len(samples) / rate, fps, settings.t0)
        result = engine.generate(
            samples,
            rate,
            self._mesh,
            settings,
            direction=line.emotion.direction(
                settings.emotion_strength, settings.emotion_mix, settings.bank, fps, frames
            ),
            other_lines=[self._reader(o, min(LINE_SECONDS, o.duration or LINE_SECONDS)) for o in self._others(line)],
        )
        if not self._face:
            self._face = self._results.put_face(formats.face(result))
        origin = formats.Origin(
            self._face, inputs, posixpath.basename(line.sound), line.start, line.settings.transcript
        )
        data = formats.ENCODERS[line.format](result, origin)
        self._results.write(line.output, data)
        row: Row = {
            "file": hashlib.sha256(data).hexdigest(),
            "face": self._face,
            "model": result.model_digest,
            "frames": len(result.motion),
            "fps": result.fps,
        }
        if line.voice:
            row["heard_lines"] = result.heard_lines
        if result.ignores_emotion:
            row["ignored"] = ["emotion"]
        if result.motion_error is not None:
            row["motion_error"] = result.motion_error
        if line.emotion.words:
            reading = text.read(line.emotion.words, settings.bank)
            row["understood"] = reading.explained()
            if reading.missed:
                row["missed"] = list(reading.missed)
        if result.sounds is not None and result.sounds.note:
            row["transcript_note"] = result.sounds.note
        if result.no_sounds is not None:
            row["no_sounds"] = {"code": result.no_sounds.code, "sentence": str(result.no_sounds)}
        return row

    @cached_property
    def _recogniser(self) -> str:
        """Digest of what hears the sounds: the model's own recogniser, or the one for the default model."""
        own = self._checkpoint / WEIGHTS.name
        return file_digest(own if own.is_file() else WEIGHTS)

    def _choose_character(self, character: str) -> None:
        """Read the mesh of a line, unless it is that of the last one. Raises for each line of a bad one."""
        if character != self._character:
            self._character, self._mesh, self._mesh_key, self._face, self._refusal = character, None, "", "", None
            try:
                if character:
                    self._mesh = meshes.load(self._folder / character)
                self._mesh_key = face_cache.key(self._mesh or default_head()[0])
            except Exception as error:
                self._refusal = error
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    def _others(self, line: Line) -> list[Line]:
        """Other lines of the same voice, those nearest in the manifest first."""
        lines = self._voices.get(line.voice, [])
        place = bisect_left(lines, line.number, key=lambda other: other.number)
        near = range(max(0, place - MAX_OTHER_LINES), min(len(lines), place + MAX_OTHER_LINES + 1))
        wanted = sorted((i for i in near if i != place), key=lambda i: abs(i - place))
        return [lines[i] for i in wanted[:MAX_OTHER_LINES]]

    def _digest_if_there(self, line: Line) -> str:
        """Digest of a line's sound; "" if it cannot be read, when the engine does without it."""
        try:
            return self._digest(self._folder / line.sound)
        except OSError:
            return ""

    def _reader(self, line: Line, duration: float | None) -> ReadSound:
        """What reads a line's sound, of this length."""
        return partial(audio.load, self._folder / line.sound, line.start, duration)
