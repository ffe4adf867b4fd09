"""A `generate` job, from reading the sound of a strip to the server's result. Touches no Blender data."""

import tempfile
import threading
import time
import traceback

import numpy as np

from ..client import causes
from ..client.jobs import Client, Job, State
from ..client.wire import EYE_VARIANTS, Arrays, Header
from ..errors import UserError
from ..scene import audio
from ..scene.snapshots import Character, Line
from .line_plan import Result
from .shared_arrays import shared


class Generation:
    """A `generate` job: a thread reads the sound and sends the request. Call `poll` from Blender's main thread.

    Attributes:
        character: Head and parts that speak the line.
        line: The sound, and its frames.
        span: First and last scene frame of the part that is wanted; None: the whole line.
        state: What the job is doing.
        fraction: Progress, 0 to 1.
        text: What is being done.
        error: Why it failed, a sentence.
        job: The server's job, once the sound is read. It has the result when `state` is DONE.

    Args:
        client: The connection to the server.
        character: Head and parts that speak the line.
        line: The sound, and its frames.
        overrides: The settings of docs/protocol.md that do not follow from the line: temperature, seed, layers …
        control: Arrays of the request beside mesh and sound.
        span: First and last scene frame of the part that is wanted; None: the whole line.
        others: Other lines of the same head, with which its voice is compared; see scene/voice.py.
    """

    def __init__(
        self,
        client: Client,
        character: Character,
        line: Line,
        overrides: Header,
        control: Arrays | None = None,
        span: tuple[int, int] | None = None,
        others: list[Line] | None = None,
    ) -> None:
        self.character, self.line, self.span = character, line, span
        self.state, self.fraction, self.text, self.error = State.WAITING, 0.0, "Reading the sound", ""
        self.job: Job | None = None
        self.started = time.monotonic()
        self._client = client
        self._control = control or {}
        self._others = others or []
        self._settings: Header = {"fps": line.fps, "t0": line.t0, **overrides}
        self._sound_error = ""
        self._folder = tempfile.TemporaryDirectory(prefix="lsf_", ignore_cleanup_errors=True)
        self._reader = threading.Thread(target=self._submit, name="lsf-sound", daemon=True)
        self._reader.start()

    @property
    def seconds(self) -> float:
        """Seconds since the button was pressed."""
        return time.monotonic() - self.started

    def cancel(self) -> None:
        """End the job: at once for Blender, within a second on the server, which is killed if it does not stop."""
        if self.state is State.DONE or not self.state.ended:  # a result that was not written yet is discarded, too
            self._end(State.CANCELLED)
            if self.job is not None:
                self._client.cancel(self.job)

    def poll(self) -> State:
        """Update the state from the server's messages since the last call. Returns at once."""
        self._client.drain()  # the job's own fields say all of it
        job = self.job
        if self.state.ended:
            pass
        elif self._sound_error:
            self._end(State.FAILED, self._sound_error)
        elif job is None:  # the sound is still being read
            pass
        elif job.state is State.DONE and not self._is_valid(job):
            self._end(State.FAILED, causes.DAMAGED)
        elif job.state.ended:
            self._end(job.state, job.error)
        else:
            self.state, self.fraction, self.text = job.state, job.fraction, job.text
        return self.state

    def result(self, moved: int = 0) -> Result:
        """The server's answer, when `state` is DONE.

        Args:
            moved: Frames by which the strip was moved since; the wanted part moves along.
        """
        assert self.job is not None
        settings, span = self._settings, self.span
        if span is not None:
            span = span[0] + moved, span[1] + moved
        return Result(self.job.header, self.job.arrays, settings["temperature"], settings["seed"], self.seconds, span)

    def _is_valid(self, job: Job) -> bool:
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

    def _end(self, state: State, error: str = "") -> None:
        """Set the final state, and remove the folder of an unpacked sound if nothing reads it."""
        self.state, self.error = state, error
        if not self._reader.is_alive():
            self._folder.cleanup()

    def _submit(self) -> None:
        """Read the sound and send the request; runs in the thread. An error must not leave the job waiting for ever."""
        try:
            self._read_and_send()
        except Exception:
            self._sound_error = causes.unexpected(traceback.format_exc())

    def _read_and_send(self) -> None:
        """Read the sound, and send the request if it can be read."""
        self.character = shared(self.character)
        try:
            header, arrays = audio.request(self.line, self._folder.name)
        except UserError as error:
            self._sound_error = str(error)
            return
        except Exception as error:  # of a decoder
            self._sound_error = f'The sound "{self.line.path}" cannot be read ({error}): convert it to .wav or .flac'
            return
        others, other_arrays = self._read_others()
        if not self.state.ended:
            self.job = self._client.submit(
                "generate",
                {**header, **others, **self.character.header(), "settings": self._settings},
                arrays | other_arrays | self.character.arrays() | self._control,
            )
            if self.state is State.CANCELLED:  # while the request was sent
                self._client.cancel(self.job)

    def _read_others(self) -> tuple[Header, Arrays]:
        """The other lines in the form of a request; nothing if they cannot be read: the line does not need them."""
        try:
            return audio.request_others(self._others, self._folder.name)
        except OSError as error:  # the disk is full
            print(f'LSF: the voice of "{self.line.strip}" is heard without its other lines: {error}')
            return {}, {}
