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
        count = int((4 + 1e-6 - request["settings"]["t0"]) * request["settings"]["fps"]) + 1
        rng = np.random.default_rng(len(self.jobs))
        job.header = {"channels": list(CHANNELS), "heard_lines": 1 + len(request.get("other_lines", ()))}
        job.arrays = {
            "motion": rng.random((count, 52)).astype(np.float32),
            "basis": rng.normal(0, 0.01, (52, len(arrays["vertices"]), 3)).astype(np.float32),
        }
        job.arrays["motion"][:, CHANNELS.index("tongueOut")] = 0
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
