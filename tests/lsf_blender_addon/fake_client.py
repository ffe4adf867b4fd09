"""A client that answers at once, without a server."""

import numpy as np

from lsf_blender_addon.client.jobs import Job, State
from server.arkit import CHANNELS


class Client:
    """Answers as the server would: 52 curves for the frames asked for, a basis on the mesh that was sent."""

    python = "/nowhere/python"

    def __init__(self, state=State.DONE):
        self.state, self.jobs, self.cancelled = state, [], []

    def submit(self, kind, request, arrays) -> Job:
        job = Job(str(len(self.jobs)), kind, request, arrays)
        if kind == "hear":
            return self._answer(job, *heard(request["settings"]["transcript"]))
        count = int((4 + 1e-6 - request["settings"]["t0"]) * request["settings"]["fps"]) + 1
        rng = np.random.default_rng(len(self.jobs))
        job.header = {"channels": list(CHANNELS), "heard_lines": 1 + len(request.get("other_lines", ()))}
        job.arrays = {
            "motion": rng.random((count, 52)).astype(np.float32),
            "basis": rng.normal(0, 0.01, (52, len(arrays["vertices"]), 3)).astype(np.float32),
        }
        job.arrays["motion"][:, CHANNELS.index("tongueOut")] = 0
        if request["settings"].get("sounds"):
            header, sounds = heard(request["settings"]["transcript"])
            job.header |= header
            job.arrays |= sounds
        return self._answer(job, job.header, job.arrays)

    def _answer(self, job: Job, header: dict, arrays: dict) -> Job:
        job.header, job.arrays = header, arrays
        job.error = "The server has a headache: give it a rest" if self.state is State.FAILED else ""
        job.state = self.state
        self.jobs.append(job)
        return job

    def drain(self):
        return []

    def cancel(self, job):
        self.cancelled.append(job)
        job.state = State.CANCELLED

    def stop(self):
        pass


def use(addon, monkeypatch, client) -> Client:
    monkeypatch.setattr(addon.session, "client", lambda: client)
    return client


# Sounds that are heard in every line: symbols, and seconds at which they begin and end.
HEARD = (("m", 0.5, 0.6), ("ɑ", 0.6, 0.8), ("p", 0.8, 0.9), ("æ", 1.1, 1.4), ("s", 1.7, 1.9))


def heard(transcript: str = "", shift: float = 0.0) -> tuple[dict, dict]:
    """The fields and arrays of a reply that hold sounds; a word of the transcript begins with each vowel."""
    words = transcript.split()
    times = np.array([times for _symbol, *times in HEARD], np.float32) + shift
    word_times = np.array([[0.5 + i, 1.0 + i] for i in range(len(words))], np.float32).reshape(-1, 2)
    return (
        {"sounds": [symbol for symbol, *_times in HEARD], "words": words, "transcript_note": ""},
        {"sound_times": times, "sound_confidence": np.full(len(times), 0.9, np.float32), "word_times": word_times},
    )
