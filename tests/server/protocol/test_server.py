"""The message loop, with an engine under the test's control; test_process.py has the real process."""

import errno
import io
import os
import queue
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import hypothesis.extra.numpy
import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from server import liveness
from server.errors import MAX_SENTENCE, Cancelled, LSFError, explain
from server.face.cache import FaceCache
from server.protocol import requests, wire
from server.protocol import server as message_loop

ROOT = Path(__file__).resolve().parents[3]
TETRAHEDRON = {
    "vertices": np.eye(4, 3, dtype=np.float32),
    "triangles": np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32),
}
SPEECH = np.sin(np.arange(16000) / 20).astype(np.float32)


class ControlledEngine:
    """An engine that works until the test sets `go` or the job is cancelled, and then may raise `error`."""

    device, device_note, digest = "cpu", "", "12ab"

    def __init__(self):
        self.started, self.go, self.error, self.runs = threading.Event(), threading.Event(), None, []
        self.no_face = None
        self.motion_error, self.ignores_emotion = None, False

    def generate(
        self,
        samples,
        rate,
        mesh,
        settings,
        report,
        cancelled,
        landmarks,
        parts,
        own_rig,
        direction,
        other_lines,
        face_optional,
    ):
        self.runs.append(settings)
        self.rig, self.direction, self.other_lines = own_rig, direction, other_lines
        self.face_optional = face_optional
        self.started.set()
        for step in range(10_000):
            report(step / 10_000, "Working")
            if cancelled():
                raise Cancelled
            if self.go.wait(0.005):
                break
        if self.error:
            raise self.error
        face = SimpleNamespace(
            channels=("jawOpen",),
            basis=np.zeros((1, 4, 3), np.float32),
            report={},
            landmarks68=np.zeros((68, 3), np.float32),
            landmark_vertices=np.zeros(68, np.int32),
            parts=np.zeros(4, np.int32),
        )
        return SimpleNamespace(
            channels=face.channels,
            fps=settings.fps,
            t0=settings.t0,
            no_face=self.no_face,
            motion=np.ones((5, 1), np.float32),
            face=face if self.no_face is None else None,
            expression=np.zeros((5, 1), np.float32),
            emotion=np.zeros((5, 8), np.float32),
            mesh=mesh,
            seconds={"model": 0.1},
            layers={},
            heard_lines=1 + len(other_lines),
            rig_motion=None if own_rig is None else np.zeros((5, len(own_rig.shapes)), np.float32),
            model="run 3",
            model_digest=self.digest,
            whole=bool(settings.whole),
            motion_error=self.motion_error,
            sounds=None,
            no_sounds=None,
            ignores_emotion=self.ignores_emotion,
        )


class Peer:
    """A client of a Server that runs in a thread."""

    def __init__(self, engine, make_engine=None, device="cpu"):
        down, up = os.pipe(), os.pipe()
        self.engine = engine
        self.sink, self.reader = os.fdopen(down[1], "wb"), wire.Reader(os.fdopen(up[0], "rb"))
        source, sink = os.fdopen(down[0], "rb"), os.fdopen(up[1], "wb")
        self.exit_codes = queue.SimpleQueue()
        make_engine = make_engine or (lambda report: engine)
        server = message_loop.Server(source, sink, make_engine, [], device, self.exit_codes.put)
        self.thread = threading.Thread(target=server.run, daemon=True)
        self.thread.start()

    def send(self, header, arrays=None):
        wire.write_message(self.sink, header, arrays)

    def generate(self, job, **header):
        self.send(
            {"type": "generate", "job": job, "rate": 16000, "settings": {"fps": 30}} | header,
            {"audio": SPEECH} | TETRAHEDRON,
        )

    def receive(self, *skipped):
        while True:
            header, arrays = self.reader.read()
            if header["type"] not in skipped:
                return header | {"payload": arrays}

    def greet(self):
        self.send({"type": "hello", "protocol": wire.PROTOCOL})
        assert self.receive()["type"] == "hello" and self.receive()["type"] == "ready"
        return self


@pytest.fixture
def peer():
    peer = Peer(ControlledEngine()).greet()
    yield peer
    peer.engine.go.set()
    peer.sink.close()
    peer.thread.join(10)
    assert not peer.thread.is_alive()


def test_a_job_reports_and_gives_its_result(peer):
    peer.generate("a", settings={"fps": 24, "t0": 0.5, "temperature": 1, "seed": 7})
    first = peer.receive()
    assert (first["type"], first["job"], first["text"]) == ("progress", "a", "Working")
    peer.engine.go.set()
    result = peer.receive("progress")
    assert (result["type"], result["job"], result["fps"], result["t0"]) == ("result", "a", 24, 0.5)
    assert result["payload"]["motion"].shape == (5, 1) and "vertices" not in result["payload"]
    assert peer.engine.runs[0].seed == 7


def test_a_result_names_its_model_and_what_it_does_not_do(peer):
    peer.engine.go.set()
    peer.generate("a")
    result = peer.receive("progress")
    assert result["model"] == {"name": "run 3", "digest": "12ab"} and not result["whole"]
    assert not result.keys() & {"motion_error", "ignored"}
    peer.engine.motion_error, peer.engine.ignores_emotion = {"lips_mean": 0.5}, True
    peer.generate("b", settings={"whole": True, "keys": "named"})
    result = peer.receive("progress")
    assert (result["motion_error"], result["ignored"], result["whole"]) == ({"lips_mean": 0.5}, ["emotion"], True)
    first, second = peer.engine.runs
    assert (first.whole, first.keys, second.whole, second.keys) == (None, "named", True, "named")


@pytest.mark.parametrize(
    "settings", [{"whole": 1}, {"whole": "yes"}, {"keys": "arkit"}, {"keys": 3}, {"keys": ["flame"]}]
)
def test_whole_and_keys_are_checked(peer, settings):
    peer.generate("a", settings=settings)
    reply = peer.receive("progress")
    assert (reply["type"], reply["job"]) == ("error", "a") and reply["code"] in ("bad_request", "bad_settings")


def test_a_face_may_be_optional(peer):
    peer.engine.go.set()
    arrays = {"audio": SPEECH} | TETRAHEDRON
    peer.send({"type": "generate", "job": "a", "rate": 16000}, arrays)
    header = peer.receive("progress")
    found = header["payload"]
    assert "basis" in found and "no_face" not in header and not peer.engine.face_optional
    peer.engine.no_face = LSFError("no_face", "No face was found.")
    rig = {"rig_shapes": np.zeros((1, 4, 3), np.float32)}
    request = {"type": "generate", "job": "b", "rate": 16000, "face_optional": True, "rig_like": [{"jawOpen": 0.5}]}
    peer.send(request, arrays | rig)
    header = peer.receive("progress")
    found = header["payload"]
    assert header["no_face"] == {"code": "no_face", "message": "No face was found."} and header["report"] == {}
    assert {"motion", "emotion", "rig_motion"} <= found.keys()
    assert not found.keys() & {"basis", "landmarks68", "landmark_vertices", "parts"}
    assert peer.engine.face_optional and peer.engine.rig.like == ({"jawOpen": 0.5},)
    for wrong in ({"face_optional": 1}, {"rig_like": [0.5]}, {"rig_like": [{"jawOpen": "wide"}]}):
        peer.send(request | wrong, arrays | rig)
        assert peer.receive("progress")["type"] == "error"


def test_a_direction_travels_as_settings_or_over_time(peer):
    peer.engine.go.set()
    peer.generate("a", settings={"emotion": "happy", "emotion_strength": 0.5})
    result = peer.receive("progress")
    assert peer.engine.runs[0].emotion == "happy" and peer.engine.runs[0].emotion_strength == 0.5
    assert result["emotions"][0] == "angry" and result["payload"]["emotion"].shape == (5, 8)
    assert result["payload"]["expression"].shape == (5, 1) and peer.engine.direction is None
    control = np.full((5, 10), 0.25, np.float32)
    arrays = {"audio": SPEECH, "emotion_control": control} | TETRAHEDRON
    peer.send({"type": "generate", "job": "a", "rate": 16000}, arrays)
    assert peer.receive("progress")["type"] == "result"
    assert peer.engine.direction.mix.tolist() == [0.25] * 5 and peer.engine.direction.chosen.shape == (5, 8)
    assert peer.engine.direction.way is None
    peer.send({"type": "generate", "job": "a", "rate": 16000}, arrays | {"emotion_way": control[:, 0]})
    assert peer.receive("progress")["type"] == "result" and peer.engine.direction.way.tolist() == [0.25] * 5
    for settings, code in (
        ({"emotion": "hungry"}, "bad_settings"),
        ({"emotion": 3}, "bad_request"),
        ({"emotion_mix": 2}, "bad_settings"),
    ):
        peer.generate("a", settings=settings)
        assert peer.receive("progress")["code"] == code
    peer.send({"type": "generate", "job": "a", "rate": 16000}, {"audio": SPEECH, "emotion_control": 2 * control[:, :9]})
    assert peer.receive("progress")["code"] == "bad_settings"


def test_a_direction_may_follow_the_sentence(peer):
    peer.engine.go.set()
    following = {"follow_sentence": True, "follow_words": 0.5, "emotion_changes": [[0.5, 1], [2, 3.5]]}
    peer.generate("a", settings=following)
    assert peer.receive("progress")["type"] == "result"
    found = peer.engine.runs[0].following
    assert (found.sentence, found.words, found.changes) == (True, 0.5, ((0.5, 1), (2, 3.5)))
    for settings, code in (
        ({"follow_sentence": 1}, "bad_request"),
        ({"follow_words": 2}, "bad_settings"),
        ({"emotion_changes": [0.5, 1]}, "bad_request"),
        ({"emotion_changes": [[0.5, "1"]]}, "bad_request"),
        ({"emotion_changes": [[0.5, 1, 2]]}, "bad_request"),
        ({"emotion_changes": [[2, 3], [1, 2]]}, "bad_settings"),
    ):
        peer.generate("a", settings=settings)
        assert peer.receive("progress")["code"] == code


def test_fields_with_a_default_may_be_null(peer):
    peer.engine.go.set()
    peer.generate("a", settings=None)
    assert peer.receive("progress")["type"] == "result"
    assert peer.engine.runs[0].fps is None
    peer.generate("a", settings={"fps": 24, "seed": None, "layers": None, "emotion": None})
    assert peer.receive("progress")["type"] == "result" and peer.engine.runs[1].layers == ()
    assert peer.engine.runs[1].eye_variants == 1
    peer.generate("b", settings={"eye_variants": wire.EYE_VARIANTS})
    assert peer.receive("progress")["type"] == "result" and peer.engine.runs[2].eye_variants == 8


def test_a_rig_travels_with_its_limits(peer):
    rig = {"rig_shapes": np.ones((2, 4, 3), np.float32)}
    peer.engine.go.set()
    peer.send(
        {"type": "generate", "job": "a", "rate": 16000, "rig_limits": [[0, 1], [-1, 0.5]]},
        {"audio": SPEECH} | TETRAHEDRON | rig,
    )
    assert peer.receive("progress")["payload"]["rig_motion"].shape == (5, 2)
    assert peer.engine.rig.limits.tolist() == [[0, 1], [-1, 0.5]]
    for limits in (
        [[0, 1]],
        [[1, 0], [0, 1]],
        [[0, 1], [0, "1"], 3],
        "none",
        [[0, 1], [0, 1000]],
        [[0, 1], [0, 10**400]],
    ):
        peer.send(
            {"type": "generate", "job": "a", "rate": 16000, "rig_limits": limits}, {"audio": SPEECH} | TETRAHEDRON | rig
        )
        assert peer.receive("progress")["code"] == "bad_rig", limits
    peer.send({"type": "generate", "job": "a", "rate": 16000}, {"audio": SPEECH} | rig)
    assert peer.receive("progress")["code"] == "bad_request"


def test_other_lines_travel_as_files_or_arrays(peer, tmp_path):
    samples = np.sin(np.arange(40 * 8000) / 5).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", samples, 8000)
    peer.engine.go.set()
    file = {"audio_file": str(tmp_path / "long.wav")}
    others = [{**file, "start": 1.5, "duration": 0.5}, {**file, "start": None, "duration": None}, file | {"start": 39}]
    others += [{"array": "other", "rate": 8000}, {"audio_file": "/no/such/file.wav"}]
    arrays = {"audio": SPEECH, "other": np.ones((500, 2), np.float32)} | TETRAHEDRON
    peer.send({"type": "generate", "job": "a", "rate": 16000, "other_lines": others}, arrays)
    assert peer.receive("progress")["heard_lines"] == 6
    part, whole, end, array, missing = peer.engine.other_lines
    np.testing.assert_allclose(part()[0], samples[12000:16000], atol=1e-4)
    assert len(whole()[0]) == wire.LINE_SECONDS * 8000 and len(end()[0]) == 8000
    assert array()[1] == 8000 and (array()[0] == 1).all()
    with pytest.raises(LSFError) as error:  # the engine goes on without it
        missing()
    assert error.value.code == "no_file"
    for nothing in ([], None):
        peer.generate("a", other_lines=nothing)
        assert peer.receive("progress")["heard_lines"] == 1


@pytest.mark.parametrize(
    "others",
    [
        "a.wav",
        {"audio_file": "a.wav"},
        ["a.wav"],
        [{}],
        [{"audio_file": "a.wav", "array": "audio", "rate": 16000}],
        [{"audio_file": 3}],
        [{"audio_file": None}],
        [{"audio_file": "a.wav", "start": -1}],
        [{"audio_file": "a.wav", "start": "0"}],
        [{"audio_file": "a.wav", "duration": 0}],
        [{"audio_file": "a.wav", "duration": True}],
        [{"array": "audio"}],
        [{"array": "nothing", "rate": 16000}],
        [{"array": ["audio"], "rate": 16000}],
        [{"array": "triangles", "rate": 16000}],
        [{"audio_file": "a.wav"}] * (wire.MAX_OTHER_LINES + 1),
    ],
)
def test_other_lines_that_are_malformed_are_refused(peer, others):
    peer.engine.go.set()
    peer.generate("a", other_lines=others)
    reply = peer.receive("progress")
    assert (reply["type"], reply["code"]) == ("error", "bad_request") and len(reply["message"]) < 300


def test_a_request_has_room_for_an_array_of_every_other_line(peer):
    peer.engine.go.set()
    names = [f"other_line_{i}" for i in range(wire.MAX_OTHER_LINES)]
    rest = {
        "audio": SPEECH,
        "parts": np.zeros(4, np.int32),
        "landmarks68": np.zeros((68, 3), np.float32),
        "rig_shapes": np.ones((2, 4, 3), np.float32),
        "emotion_control": np.full((5, 10), 0.25, np.float32),
    }
    others = [{"array": name, "rate": 16000} for name in names]
    arrays = dict.fromkeys(names, SPEECH) | rest | TETRAHEDRON
    peer.send({"type": "generate", "job": "a", "rate": 16000, "other_lines": others}, arrays)
    assert peer.receive("progress")["heard_lines"] == 1 + wire.MAX_OTHER_LINES


def test_ping_is_answered_while_a_job_runs(peer):
    peer.generate("a")
    peer.engine.started.wait()
    peer.send({"type": "ping"})
    assert peer.receive("progress")["type"] == "pong"


def test_cancel_ends_the_running_job_and_the_next_one_runs(peer):
    peer.generate("a")
    peer.engine.started.wait()
    peer.send({"type": "cancel", "job": "a"})
    assert peer.receive("progress")["type"] == "cancelled"
    peer.engine.go.set()
    peer.generate("b")
    assert peer.receive("progress")["type"] == "result"


def test_cancel_of_a_waiting_job_is_answered_at_once_and_it_never_runs(peer):
    peer.generate("a")
    peer.engine.started.wait()
    peer.generate("b")
    peer.send({"type": "cancel", "job": "b"})
    assert peer.receive("progress")["job"] == "b"
    peer.engine.go.set()
    assert peer.receive("progress")["job"] == "a"
    peer.generate("b")  # its id is free again
    assert peer.receive("progress")["type"] == "result"
    assert len(peer.engine.runs) == 2


def test_progress_is_throttled_and_never_goes_back(monkeypatch):
    sink, now = io.BytesIO(), iter(np.arange(1001) * 0.01)
    monkeypatch.setattr(message_loop.time, "monotonic", lambda: next(now) + 100)
    report = message_loop.Server(io.BytesIO(), sink, lambda report: ControlledEngine(), [], "cpu", print)._reporter(
        message_loop.Job("a", print, 0)
    )
    for fraction in (*np.linspace(0, 0.9, 500), *np.linspace(0.5, 2, 500)):
        report(fraction, "")
    reader, sent = wire.Reader(io.BytesIO(sink.getvalue())), []

    def read_all():
        while True:
            sent.append(reader.read()[0]["fraction"])

    with pytest.raises(EOFError):
        read_all()
    assert 80 <= len(sent) <= 101 and sent == sorted(sent) and sent[0] == 0 and sent[-1] == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LSFError("no_face", "There is no face."), "no_face"),
        (ValueError("surprise\n" * 999), "internal"),
        (MemoryError(), "out_of_memory"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "missing_package"),
    ],
)
def test_whatever_a_job_raises_is_an_error_message_and_the_server_lives(peer, error, code):
    peer.engine.error = error
    peer.engine.go.set()
    peer.generate("a")
    reply = peer.receive("progress")
    assert (reply["type"], reply["job"], reply["code"]) == ("error", "a", code)
    assert reply["message"].endswith(".") and len(reply["message"]) < 200 and "\n" not in reply["message"]
    peer.engine.error = None
    peer.generate("b")
    assert peer.receive("progress")["type"] == "result"


def test_the_worker_ends_if_the_client_no_longer_reads():
    class ClosedPipe(io.BytesIO):
        def writelines(self, parts):
            raise BrokenPipeError

    server = message_loop.Server(io.BytesIO(), ClosedPipe(), lambda report: ControlledEngine(), [], "cpu", print)
    server._greeted.set()  # it loads the model and sends `ready`
    server._work()


def test_the_progress_of_loading_is_sent_before_ready():
    def make_engine(report):
        report(0.0, "Loading PyTorch")
        report(0.7, "Loading the speech model")
        return ControlledEngine()

    peer = Peer(None, make_engine)
    peer.send({"type": "hello", "protocol": wire.PROTOCOL})
    replies = [peer.receive() for _ in range(4)]
    assert [reply["type"] for reply in replies] == ["hello", "loading", "loading", "ready"]
    assert [(reply["fraction"], reply["text"]) for reply in replies[1:3]] == [
        (0.0, "Loading PyTorch"),
        (0.7, "Loading the speech model"),
    ]
    peer.sink.close()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LSFError("no_model", "There is no model."), "no_model", "There is no model."),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/']"), "disk_full", "temporary files"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", "The disk is full"),
        (ModuleNotFoundError("No module named 'scipy'", name="scipy"), "missing_package", '"scipy"'),
        (ImportError("DLL load failed while importing _C", name="torch._C"), "missing_package", "Visual C++"),
        (ImportError("libtorch.so: failed to map segment from shared object", name="_C"), "out_of_memory", "memory"),
        (ImportError("cannot import name 'x' from 'torch'", name="torch"), "missing_package", '"torch" is damaged'),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
            "ran out of memory",
        ),
    ],
)
def test_a_process_that_cannot_load_its_model_says_why_and_ends(error, code, words):
    """A job that waits for it fails for the same reason. Another attempt in the same process would fail for others."""
    release = threading.Event()

    def make_engine(report):
        release.wait(10)
        raise error

    peer = Peer(ControlledEngine(), make_engine)
    peer.send({"type": "hello", "protocol": wire.PROTOCOL})
    assert peer.receive()["type"] == "hello"
    peer.generate("a")
    peer.send({"type": "ping"})
    assert peer.receive()["state"] == "loading", "the job was read, too"
    release.set()
    about_all, about_job = peer.receive(), peer.receive()
    assert "job" not in about_all and about_job["job"] == "a"
    for reply in (about_all, about_job):
        assert reply["code"] == code and words in reply["message"]
    assert peer.exit_codes.get(timeout=10) == wire.LOAD_FAILED
    peer.sink.close()


@pytest.mark.parametrize("note", ["", "The GPU does not work: the CPU is used."])
def test_ready_and_a_later_hello_name_the_device_that_is_used(note):
    engine = ControlledEngine()
    engine.device, engine.device_note = ("cpu" if note else "cuda"), note
    peer = Peer(engine, device="auto")
    hello = {"type": "hello", "protocol": wire.PROTOCOL}
    peer.send(hello)
    first, ready = peer.receive(), peer.receive()
    assert first["device"] == "auto" and "device_note" not in first
    peer.send(hello)
    for message in (ready, peer.receive()):
        assert message["device"] == engine.device and message.get("device_note", "") == note
    peer.sink.close()


def test_a_gpu_without_memory_is_a_sentence(peer):
    peer.engine.error = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")  # as torch names it
    peer.engine.go.set()
    peer.generate("a")
    reply = peer.receive("progress")
    assert reply["code"] == "out_of_memory" and "GPU" in reply["message"]


@pytest.mark.parametrize(
    ("header", "arrays", "code"),
    [
        ({"type": "dance"}, {}, "unknown_message"),
        ({}, {}, "unknown_message"),
        ({"type": ["x"] * 1000}, {}, "unknown_message"),
        ({"type": "cancel", "job": "nobody"}, {}, "unknown_job"),
        ({"type": "generate"}, {}, "bad_request"),
        ({"type": "generate", "job": 5}, {}, "bad_request"),
        ({"type": "generate", "job": "x" * 65}, {}, "bad_request"),
        ({"type": "generate", "job": "j"}, {}, "bad_request"),
        ({"type": "generate", "job": "j", "audio_file": "a.wav", "rate": 16000}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j"}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "rate": "16000"}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "rate": 16000}, {"audio": np.ones(9, np.int32)}, "bad_audio"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": []}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"fps": 0}}, {"audio": SPEECH}, "bad_settings"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"fps": True}}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"seed": 1.5}}, {"audio": SPEECH}, "bad_settings"),
        (
            {"type": "generate", "job": "j", "rate": 16000, "settings": {"layers": ["hair"]}},
            {"audio": SPEECH},
            "bad_settings",
        ),
        (
            {"type": "generate", "job": "j", "rate": 16000, "settings": {"layers": "head"}},
            {"audio": SPEECH},
            "bad_request",
        ),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"seed": -1}}, {"audio": SPEECH}, "bad_settings"),
        (
            {"type": "generate", "job": "j", "rate": 16000, "settings": {"temperature": 9}},
            {"audio": SPEECH},
            "bad_settings",
        ),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"t0": 1e30}}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"t0": 1e6}}, {"audio": SPEECH}, "bad_settings"),
        ({"type": "generate", "job": "j", "rate": 16000, "settings": {"layers": 0}}, {"audio": SPEECH}, "bad_request"),
        *(
            ({"type": "generate", "job": "j", "rate": 16000, "settings": {"eye_variants": n}}, {"audio": SPEECH}, code)
            for n, code in ((0, "bad_settings"), (17, "bad_settings"), (1.5, "bad_settings"), ("8", "bad_request"))
        ),
        ({"type": "generate", "job": "j", "rate": 10**400}, {"audio": SPEECH}, "bad_request"),
        ({"type": "generate", "job": "j", "audio_file": "/no/such/file.wav"}, {}, "no_file"),
        ({"type": "generate", "job": "j", "audio_file": os.devnull}, {}, "no_file"),
        ({"type": "generate", "job": "j", "audio_file": 3}, {}, "bad_request"),
        (
            {"type": "generate", "job": "j", "rate": 16000},
            {"audio": SPEECH, "vertices": TETRAHEDRON["vertices"]},
            "bad_mesh",
        ),
        (
            {"type": "generate", "job": "j", "rate": 16000},
            {"audio": SPEECH, "vertices": np.full((4, 3), np.nan, np.float32), "triangles": TETRAHEDRON["triangles"]},
            "bad_mesh",
        ),
        ({"type": "prepare_face", "job": "j"}, {}, "bad_request"),
        (
            {"type": "prepare_face", "job": "j"},
            {"vertices": np.zeros((0, 3), np.float32), "triangles": np.zeros((0, 3), np.int32)},
            "empty_mesh",
        ),
        (
            {"type": "prepare_face", "job": "j"},
            {"vertices": np.zeros((4, 2), np.float32), "triangles": TETRAHEDRON["triangles"]},
            "bad_mesh",
        ),
        (
            {"type": "prepare_face", "job": "j"},
            {"vertices": TETRAHEDRON["vertices"], "triangles": np.array([[0, 1, 4]], np.int32)},
            "bad_mesh",
        ),
    ],
)
def test_bad_requests_get_a_code_and_a_sentence_and_the_server_lives(peer, header, arrays, code):
    peer.engine.go.set()
    peer.send(header, arrays)
    reply = peer.receive("progress")
    assert (reply["type"], reply["code"]) == ("error", code)
    assert reply["message"].endswith(".") and len(reply["message"]) < 300
    peer.send({"type": "ping"})
    assert peer.receive()["type"] == "pong"


@pytest.mark.parametrize("kind", ["cancel", "generate"])
def test_a_job_name_that_is_not_unicode_does_not_end_the_server(peer, kind):
    peer.engine.go.set()
    peer.send({"type": kind, "job": "\ud800"})
    assert peer.receive("progress")["type"] == "error"
    peer.generate("a")
    assert peer.receive("progress")["type"] == "result"


@pytest.mark.parametrize("attribute", ["_run", "_reporter", "_send"])
def test_a_worker_that_fails_ends_its_process(attribute, monkeypatch):
    """The main thread would answer pings for ever, and no job would end."""
    peer = Peer(ControlledEngine()).greet()
    peer.send({"type": "ping"})
    assert peer.receive()["state"] == "ready"

    def fail(*_arguments):
        raise SystemExit

    monkeypatch.setattr(message_loop.Server, attribute, fail)
    peer.generate("a")
    assert peer.exit_codes.get(timeout=10) == wire.WORKER_FAILED
    peer.sink.close()


def test_an_error_of_the_system_in_an_answer_does_not_end_the_server(peer, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(message_loop.liveness, "memory", lambda: open("/no/such/file"))  # noqa: SIM115, PTH123
        peer.send({"type": "ping"})
        assert peer.receive()["code"] == "no_file"
        broken.setattr(message_loop.liveness, "memory", lambda: 1 / 0)
        peer.send({"type": "ping"})
        assert peer.receive()["code"] == "internal"
    monkeypatch.setattr(liveness, "Path", lambda path: Path("/no/such/file"))  # no /proc
    peer.send({"type": "ping"})
    assert peer.receive()["memory"] == 0


def test_pong_tells_what_the_server_does_and_hello_its_packages(peer):
    peer.send({"type": "ping"})
    pong = peer.receive()
    assert pong["state"] == "ready" and pong["jobs"] == 0 and pong["uptime"] < 60
    assert pong["peak_memory"] >= pong["memory"] > 1 << 20
    peer.generate("a")
    peer.engine.started.wait()
    peer.send({"type": "ping"})
    assert peer.receive("progress")["state"] == "working"
    peer.engine.go.set()
    peer.receive("progress")
    peer.send({"type": "ping"})
    assert peer.receive()["jobs"] == 1
    peer.send({"type": "hello", "protocol": wire.PROTOCOL})
    assert peer.receive()["packages"].keys() >= {"torch", "numpy", "scipy"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("job", "rate", "settings", "start", "duration", "audio_file", "rig_limits", "rig_without", "rig_like")
FIELDS += ("other_lines", "face_optional", "text", "protocol", "type", "arrays")
SETTINGS = ("fps", "t0", "temperature", "seed", "layers", "eye_variants", "emotion", "emotion_strength", "emotion_mix")
NAMES = ("audio", "vertices", "triangles", "landmarks68", "parts", "rig_shapes", "emotion_control", "other")
NAMES += ("emotion_way",)
ARRAYS = st.dictionaries(
    st.sampled_from(NAMES),
    hypothesis.extra.numpy.arrays(
        st.sampled_from([np.float32, np.int32]), st.lists(st.integers(0, 4), max_size=4).map(tuple)
    ),
    max_size=4,
)


@hypothesis.settings(max_examples=100)
@hypothesis.given(
    st.sampled_from([*requests.JOBS, "cancel", "ping", "hello", "dance", None]),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
    st.dictionaries(st.sampled_from(SETTINGS), JSON, max_size=5),
    ARRAYS,
)
def test_whatever_a_message_says_it_gets_one_answer_that_can_be_written(kind, fields, settings, arrays):
    sink = io.BytesIO()
    server = message_loop.Server(io.BytesIO(), sink, lambda report: ControlledEngine(), [], "cpu", print)
    server._greeted.set()
    header = {"type": kind, "job": "a", "rate": 16000, "settings": settings, **fields} | {"arrays": []}
    source = io.BytesIO()
    wire.write_message(source, header, arrays)
    server._reader = wire.Reader(io.BytesIO(source.getvalue()))
    hypothesis.assume(header["type"] != "shutdown")
    assert server._serve_one()
    replies = wire.Reader(io.BytesIO(sink.getvalue()))
    if server._active:
        assert not sink.getvalue() and server._queue.get_nowait().id == header["job"]
        return
    reply, _ = replies.read()
    assert reply["type"] in ("error", "pong", "hello") and reply.get("code") != "internal", reply
    with pytest.raises(EOFError):
        replies.read()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named None"), "A Python package is damaged"),
        (FileNotFoundError(2, "No such file or directory", "/tmp/there/x.npz"), '"/tmp/there/x.npz"'),
        (FileNotFoundError(2, "No such file or directory"), "cannot be read or written"),
        (PermissionError(13, "Permission denied", b"/tmp/x"), "permissions"),
        (OSError(), "unknown reason"),
        (ValueError("first\nsecond\nthird"), "first"),
        (ValueError("x" * 1_000_000), "xxx"),
        (ValueError(), "(ValueError)"),
        (LSFError("no_face", "a\n" * 1_000_000), "a a"),
        (type("Odd", (Exception,), {"__str__": lambda self: 1 / 0})(), "(Odd)"),
        (ValueError("\ud800\x00"), "(ValueError"),
    ],
)
def test_a_sentence_is_one_short_line_whatever_was_raised(error, words):
    _, sentence = explain(error)
    assert words in sentence and len(sentence) <= MAX_SENTENCE and sentence.isprintable()
    assert "Errno" not in sentence and "None" not in sentence


def test_a_second_job_of_the_same_name_is_refused(peer):
    peer.generate("a")
    peer.engine.started.wait()
    peer.generate("a")
    assert peer.receive("progress")["code"] == "duplicate_job"


def test_the_queue_has_an_end(peer, monkeypatch):
    monkeypatch.setattr(message_loop, "MAX_JOBS", 2)
    for job in "abc":
        peer.generate(job)
    reply = peer.receive("progress")
    assert (reply["job"], reply["code"]) == ("c", "busy")


def test_the_protocol_document_lists_every_error_code():
    document = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    sources = [p for p in (ROOT / "server").rglob("*.py") if "training" not in p.parts]
    codes = {code for p in sources for code in re.findall(r'(?:LSFError|WireError)\(\s*"(\w+)"', p.read_text("utf-8"))}
    assert len(codes) > 20 and [code for code in sorted(codes) if f"`{code}`" not in document] == []


def test_four_points_make_the_fit_possible_where_the_detection_fails():
    """The head is rotated, with a ball in front of its chin: the detection fails and says what the artist can do."""
    from server.engine import prepare_face
    from server.face.build.synthetic import ellipsoid, join, rotation
    from server.face.head import load_head

    head = load_head()
    own = head.with_identity(np.random.default_rng(11).normal(size=50))
    ball = ellipsoid(np.array([0, -0.16, -0.07]), np.array([0.03, 0.02, 0.03]))
    vertices, triangles = join(own, head.faces, *ball)
    turn = 100 * rotation(45, 0, 45).T
    marks = (own[head.landmark_vertices] @ turn).astype(np.float32)
    mesh = {"vertices": (vertices @ turn).astype(np.float32), "triangles": triangles.astype(np.int32)}
    four = np.full((68, 3), np.nan, np.float32)
    four[[48, 54, 30, 8]] = marks[[48, 54, 30, 8]]  # mouth corners, nose tip, chin
    faces = FaceCache(None)
    engine = SimpleNamespace(
        device="cpu", device_note="", digest="", prepare_face=lambda mesh, *rest: prepare_face(mesh, faces, *rest)
    )
    peer = Peer(engine).greet()
    peer.send({"type": "prepare_face", "job": "alone"}, mesh)
    refused = peer.receive("progress")
    assert (refused["type"], refused["code"]) == ("error", "no_face") and "four landmarks" in refused["message"]
    peer.send({"type": "prepare_face", "job": "helped"}, mesh | {"landmarks68": four})
    saved = peer.receive("progress")
    assert saved["type"] == "result"
    found = saved["payload"]["landmarks68"]
    np.testing.assert_allclose(found[[48, 54, 30, 8]], four[[48, 54, 30, 8]], atol=1e-3)
    eyes = np.linalg.norm(marks[36] - marks[45])
    assert np.linalg.norm(found - marks, axis=1).mean() < 0.03 * eyes
    jaw = np.linalg.norm(saved["payload"]["basis"][saved["channels"].index("jawOpen")], axis=1)
    lips = head.landmark_vertices[[66, 57]], head.landmark_vertices[[62, 51]]
    assert jaw[lips[0]].min() > 4 * jaw[lips[1]].max()
    peer.sink.close()
    peer.thread.join(10)
