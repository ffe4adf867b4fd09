"""A `generate` job, from reading the sound of a strip to the server's result. Touches no Blender data."""

import threading

import numpy as np

from ..client.jobs import Client, Job, State
from ..client.wire import EYE_VARIANTS, Arrays, Header
from ..prediction import sounds
from ..scene import audio, style_cards
from ..scene.snapshots import Character, Line
from .kept_results import KeptResults
from .line_plan import Result
from .shared_arrays import shared
from .sound_work import SoundWork


class Generation(SoundWork):
    """A `generate` job.

    Attributes:
        character: Head and parts that speak the line.
        span: First and last scene frame of the part that is wanted; None: the whole line.
        expressions: Of the bank, which the line asks for: what scene.expression_bank.digests returns.
        was_kept: Whether the result is that of an earlier run with the same inputs.

    Args:
        client: The connection to the server.
        character: Head and parts that speak the line.
        line: The sound, and its frames.
        overrides: The settings of docs/protocol.md that do not follow from the line: temperature, seed, layers …
        control: Arrays of the request beside mesh and sound.
        span: First and last scene frame of the part that is wanted; None: the whole line.
        others: Other lines of the same head, with which its voice is compared; see scene/voice.py.
        expressions: Of the bank, which the line asks for: what scene.expression_bank.digests returns.
        kept: Where the result is kept, and looked for first; None: nowhere.
    """

    character: Character

    def __init__(
        self,
        client: Client,
        character: Character,
        line: Line,
        overrides: Header,
        control: Arrays | None = None,
        span: tuple[int, int] | None = None,
        others: list[Line] | None = None,
        expressions: str = "",
        kept: KeptResults | None = None,
    ) -> None:
        self.character, self.span, self.expressions = character, span, expressions
        self._control = control or {}
        self._others = others or []
        self._kept, self._key, self.was_kept = kept, "", False
        self._settings: Header = {"fps": line.fps, "t0": line.t0, **overrides}
        super().__init__(client, line)

    def result(self, moved: int = 0) -> Result:
        """The server's answer, when `state` is DONE.

        Args:
            moved: Frames by which the strip was moved since; the wanted part moves along.
        """
        assert self.job is not None
        settings, span = self._settings, self.span
        if span is not None:
            span = span[0] + moved, span[1] + moved
        return Result(
            self.job.header,
            self.job.arrays,
            settings["temperature"],
            settings["seed"],
            self.seconds,
            span,
            settings.get("transcript", ""),
            self.expressions,
            style_cards.digest_of(settings.get("styles", [])),
        )

    def is_valid(self, job: Job) -> bool:
        """Whether the result is what the protocol promises: motion (F, K) and so on, all finite."""
        channels, motion = job.header.get("channels"), job.arrays.get("motion")
        return (
            isinstance(channels, list)
            and all(isinstance(channel, str) for channel in channels)
            and motion is not None
            and motion.ndim == 2
            and motion.shape[0] > 0
            and motion.shape[1] == len(channels)
            and self._has_face_or_needs_none(job, len(channels))
            and self._has_shape(job, "expression", motion.shape)
            and self._has_shape(job, "emotion", (len(motion), len(job.header.get("emotions") or ())))
            and self._has_shape(job, "blinks", (EYE_VARIANTS, len(motion)))
            and self._has_shape(job, "gaze", (EYE_VARIANTS, len(motion), 2))
            and self._has_shape(job, "head", (len(motion), 3))
            and self._has_shape(job, "rig_motion", (len(motion), len(self.character.solved)))
            and (not self.character.solved or "rig_motion" in job.arrays)
            and job.header.get("heard_lines", 0) in range(len(self._others) + 2)
            and self._has_shape(job, "landmarks68", (68, 3))
            and self._has_shape(job, "landmark_vertices", (68,))
            and sounds.is_valid(job.header, job.arrays)
            and all(bool(np.isfinite(array).all()) for array in job.arrays.values())
        )

    def _has_face_or_needs_none(self, job: Job, channels: int) -> bool:
        """Whether there is a basis (K, V, 3), or the reason why there is none if that was allowed."""
        basis, no_face = job.arrays.get("basis"), job.header.get("no_face")
        if basis is not None:
            return basis.shape == (channels, len(self.character.vertices), 3)
        allowed = bool(self.character.header().get("face_optional"))
        return allowed and isinstance(no_face, dict) and isinstance(no_face.get("message"), str)

    def _has_shape(self, job: Job, name: str, shape: tuple[int, ...]) -> bool:
        """Whether an array that a server may leave out has this shape, if it is there."""
        return name not in job.arrays or job.arrays[name].shape == shape

    def send(self, header: Header, arrays: Arrays, folder: str) -> Job | None:
        """Send the request with the mesh and the other lines of the voice; see `SoundWork.send`."""
        self.character = shared(self.character)
        others, other_arrays = self._read_others(folder)
        if self.state.ended:
            return None
        if (known := self._known()) is not None:
            return known
        return self._client.submit(
            "generate",
            {**header, **others, **self.character.header(), "settings": self._settings},
            arrays | other_arrays | self.character.arrays() | self._control,
        )

    def poll(self) -> State:
        """Update the state from the server's messages since the last call. Returns at once."""
        had_ended, state = self.state.ended, super().poll()
        if state is State.DONE and not had_ended and self._kept and self._key and self.job and not self.was_kept:
            save = self._kept.put, (self._key, self.job.header, self.job.arrays)
            threading.Thread(target=save[0], args=save[1], name="lsf-keep").start()
        return state

    def _known(self) -> Job | None:
        """A job that is done, with the result of an earlier run; None if there is none."""
        if self._kept is None:
            return None
        fields, arrays = {**self.character.header(), "settings": self._settings}, self.character.arrays()
        self._key = self._kept.key(fields, arrays | self._control, [self.line, *self._others])
        found = self._kept.get(self._key)
        if found is None:
            return None
        header, arrays = found
        job = Job("", "generate", {}, {}, State.DONE, 1.0, header=header, arrays=arrays)
        self.was_kept = self.is_valid(job)
        return job if self.was_kept else None

    def _read_others(self, folder: str) -> tuple[Header, Arrays]:
        """The other lines in the form of a request; nothing if they cannot be read: the line does not need them."""
        try:
            return audio.request_others(self._others, folder)
        except OSError as error:  # the disk is full
            print(f'LSF: the voice of "{self.line.strip}" is heard without its other lines: {error}')
            return {}, {}
