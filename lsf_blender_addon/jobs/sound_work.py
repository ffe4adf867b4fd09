"""Base class of the server's jobs that need the sound of a line: a thread reads it. Touches no Blender data."""

import tempfile
import threading
import time
import traceback

from ..client import causes
from ..client.jobs import Client, Job, State
from ..client.wire import Arrays, Header
from ..errors import UserError
from ..scene import audio
from ..scene.snapshots import Character, Line


class SoundWork:
    """A job that reads the sound of a line and sends it. Call `poll` from Blender's main thread.

    A class of such jobs sets its own attributes before it calls this `__init__`, which starts the thread.

    Attributes:
        character: The character whose face is needed; None for jobs without a face.
        line: The sound, and its frames.
        state: What the job is doing.
        fraction: Progress, 0 to 1.
        text: What is being done.
        error: Why it failed, a sentence.
        job: The server's job, once the sound is read. It has the result when `state` is DONE.

    Args:
        client: The connection to the server.
        line: The sound, and its frames.
    """

    character: Character | None = None

    def __init__(self, client: Client, line: Line) -> None:
        self.line = line
        self.state, self.fraction, self.text, self.error = State.WAITING, 0.0, "Reading the sound", ""
        self.job: Job | None = None
        self.started = time.monotonic()
        self._client = client
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
        elif job.state is State.DONE and not self.is_valid(job):
            self._end(State.FAILED, causes.DAMAGED)
        elif job.state.ended:
            self._end(job.state, job.error)
        else:
            self.state, self.fraction, self.text = job.state, job.fraction, job.text
        return self.state

    def send(self, header: Header, arrays: Arrays, folder: str) -> Job | None:
        """Send the request; runs in the thread.

        Args:
            header: The fields of the request that hold the sound.
            arrays: The same of its arrays.
            folder: A folder for files that the job needs.

        Returns:
            The job; None if the work has ended meanwhile.
        """
        raise NotImplementedError

    def is_valid(self, job: Job) -> bool:
        """Whether the result of a job is complete and has the shapes that docs/protocol.md promises.

        Args:
            job: The server's job, which is done.
        """
        raise NotImplementedError

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
        try:
            header, arrays = audio.request(self.line, self._folder.name)
        except UserError as error:
            self._sound_error = str(error)
            return
        except Exception as error:  # of a decoder
            self._sound_error = f'The sound "{self.line.path}" cannot be read ({error}): convert it to .wav or .flac'
            return
        self.job = self.send(header, dict(arrays), self._folder.name)
        if self.job is not None and self.state is State.CANCELLED:  # while the request was sent
            self._client.cancel(self.job)
