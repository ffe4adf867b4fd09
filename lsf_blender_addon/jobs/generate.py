"""One press of Generate, from the sound of a strip to the server's result. Touches no Blender data."""

import tempfile
import threading
import time

import numpy as np

from ..client.jobs import Client, Job, State
from ..errors import UserError
from ..scene import audio
from ..scene.snapshots import Character, Line
from .line_plan import Result


class Generation:
    """Reads the sound in a thread, sends the job, and follows it. Call `poll` from Blender's main thread.

    `overrides` are the settings of docs/protocol.md that do not follow from the line: temperature, seed, layers and so on;
    `control` holds arrays beside the mesh. `span` are the first and last scene frame of the part of the line that is
    wanted; None: all of it.
    `state` is a State; `fraction` (0 to 1) and `text` tell how far it is, `error` why it failed, `job` has the result.
    """

    def __init__(
        self,
        client: Client,
        character: Character,
        line: Line,
        overrides: dict,
        control: dict[str, np.ndarray] | None = None,
        span: tuple[int, int] | None = None,
    ):
        self.character, self.line, self.span = character, line, span
        self.state, self.fraction, self.text, self.error = State.WAITING, 0.0, "Reading the sound", ""
        self.job: Job | None = None
        self.started = time.monotonic()
        self._client = client
        self._control = control or {}
        self._settings = {"fps": line.fps, "t0": line.t0, **overrides}
        self._refusal = ""
        self._folder = tempfile.TemporaryDirectory(prefix="lsf_", ignore_cleanup_errors=True)
        self._reader = threading.Thread(target=self._submit, name="lsf-sound", daemon=True)
        self._reader.start()

    @property
    def seconds(self) -> float:
        """Since the button was pressed."""
        return time.monotonic() - self.started

    def cancel(self) -> None:
        """End it, at once for Blender; the server lets go of the job, or is killed by the client, within a second."""
        if self.state is State.DONE or not self.state.ended:  # a result that nobody has taken yet counts as well
            self._end(State.CANCELLED)
            if self.job is not None:
                self._client.cancel(self.job)

    def poll(self) -> State:
        """Take what has happened since; returns at once."""
        self._client.drain()  # the job's own fields say all of it
        job = self.job
        if self.state.ended:
            pass
        elif self._refusal:
            self._end(State.FAILED, self._refusal)
        elif job is None:  # the sound is still being read
            pass
        elif job.state is State.DONE and not self._is_whole(job):
            self._end(State.FAILED, "The server's answer is damaged: try again, or reinstall the add-on")
        elif job.state.ended:
            self._end(job.state, job.error)
        else:
            self.state, self.fraction, self.text = job.state, job.fraction, job.text
        return self.state

    def result(self) -> Result:
        """The server's answer, when `state` is DONE."""
        assert self.job is not None
        settings = self._settings
        return Result(
            self.job.header, self.job.arrays, settings["temperature"], settings["seed"], self.seconds, self.span
        )

    def _is_whole(self, job: Job) -> bool:
        """Whether the result is what the protocol promises: motion (F, K), basis (K, V, 3) and so on, all finite."""
        channels, motion, basis = job.header.get("channels"), job.arrays.get("motion"), job.arrays.get("basis")
        return (
            isinstance(channels, list)
            and all(isinstance(channel, str) for channel in channels)
            and motion is not None
            and motion.ndim == 2
            and motion.shape[0] > 0
            and motion.shape[1] == len(channels)
            and basis is not None
            and basis.shape == (len(channels), len(self.character.vertices), 3)
            and self._has_its_shape(job, "expression", motion.shape)
            and self._has_its_shape(job, "emotion", (len(motion), len(job.header.get("emotions") or ())))
            and self._has_its_shape(job, "blinks", (len(motion),))
            and self._has_its_shape(job, "gaze", (len(motion), 2))
            and self._has_its_shape(job, "head", (len(motion), 3))
            and self._has_its_shape(job, "rig_motion", (len(motion), len(self.character.solved)))
            and (not self.character.solved or "rig_motion" in job.arrays)
            and self._has_its_shape(job, "landmarks68", (68, 3))
            and self._has_its_shape(job, "landmark_vertices", (68,))
            and all(bool(np.isfinite(array).all()) for array in job.arrays.values())
        )

    def _has_its_shape(self, job: Job, name: str, shape: tuple[int, ...]) -> bool:
        """Whether an array that a server may leave out has this shape, if it is there."""
        return name not in job.arrays or job.arrays[name].shape == shape

    def _end(self, state: State, error: str = "") -> None:
        self.state, self.error = state, error
        if not self._reader.is_alive():
            self._folder.cleanup()

    def _submit(self) -> None:
        try:
            header, arrays = audio.request(self.line, self._folder.name)
        except UserError as error:
            self._refusal = str(error)
            return
        except Exception as error:  # a decoder's own error must not leave the job waiting for ever
            self._refusal = f'The sound "{self.line.path}" cannot be read ({error}): convert it to .wav or .flac'
            return
        if not self.state.ended:
            self.job = self._client.submit(
                "generate",
                {**header, **self.character.header(), "settings": self._settings},
                arrays | self.character.arrays() | self._control,
            )
            if self.state is State.CANCELLED:  # in between
                self._client.cancel(self.job)
