"""The real `python -m server`: messages, exit codes, and damaged input."""

import io
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from server.protocol import wire

ROOT = Path(__file__).resolve().parents[3]
TETRAHEDRON = {
    "vertices": np.eye(4, 3, dtype=np.float32),
    "triangles": np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32),
}
SPEECH = np.sin(np.arange(16000) / 20).astype(np.float32)


# A server whose engine refuses everything, which starts faster and suffices for the message loop.
BARE = """
import server.protocol.server as message_loop
class Engine:
    device, device_note, digest = "cpu", "", ""
    def __init__(self, *arguments):
        pass
message_loop.Engine, message_loop.warm_up = Engine, lambda: None
message_loop.main(None, "cpu", None, None)
"""


class Process:
    """`python -m server` with its pipes; every read has a time limit after which the process is killed."""

    def __init__(self, *arguments, code=None):
        command = [sys.executable, "-m", "server", "--cache", "off", *map(str, arguments)]
        if code is not None:
            command = [sys.executable, "-c", code]
        self.popen = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.watchdog = threading.Timer(120, self.popen.kill)
        self.watchdog.start()
        self.reader = wire.Reader(self.popen.stdout)

    def send(self, header, arrays=None):
        wire.write_message(self.popen.stdin, header, arrays)

    def write(self, data):
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def receive(self, *skipped):
        while True:
            header, arrays = self.reader.read()
            if header["type"] not in skipped:
                return header | {"payload": arrays}

    def greet(self):
        self.send({"type": "hello", "protocol": wire.PROTOCOL})
        return self.receive()

    def end(self):
        """Close stdin; return the remaining output, the exit code and the log."""
        if self.popen.stdin.closed:
            self.popen.stdin = None
        out, log = self.popen.communicate()
        self.watchdog.cancel()
        return out, self.popen.returncode, log.decode()


def read_all(reader):
    while True:
        reader.read()


def running(*arguments, **keywords):
    """A server process for one test, which is killed after the test."""
    process = Process(*arguments, **keywords)
    yield process
    process.popen.kill()
    process.end()


@pytest.fixture
def process(small_checkpoint):
    yield from running("--checkpoint", small_checkpoint)


@pytest.fixture
def bare():
    yield from running(code=BARE)


def test_hello_ready_ping_shutdown(process, small_checkpoint):
    hello = process.greet()
    assert hello["protocol"] == wire.PROTOCOL and hello["device"] == "cpu"
    assert hello["models"] == [
        {"name": small_checkpoint.name, "motion_space": "arkit", "fps": 25, "shipped": False, "emotions": True}
    ]
    process.send({"type": "ping"})
    assert process.receive("loading", "ready")["type"] == "pong"
    process.send({"type": "shutdown"})
    _, code, log = process.end()
    assert code == 0 and "Traceback" not in log


def test_version_mismatch_and_no_hello_are_errors_and_a_new_hello_helps(bare):
    bare.send({"type": "ping"})
    assert bare.receive()["code"] == "no_hello"
    bare.send({"type": "hello", "protocol": 999})
    reply = bare.receive()
    assert reply["code"] == "version_mismatch" and "install" in reply["message"]
    assert bare.greet()["type"] == "hello"


def test_the_process_ends_with_its_stdin_even_while_a_job_runs(process):
    process.greet()
    process.send({"type": "generate", "job": "long", "rate": 16000}, {"audio": np.tile(SPEECH, 600)})
    _, code, _ = process.end()
    assert code == 0


def test_cancel_while_the_model_loads_or_works(process):
    process.greet()
    process.send({"type": "generate", "job": "long", "rate": 16000}, {"audio": np.tile(SPEECH, 600)})
    process.send({"type": "cancel", "job": "long"})
    assert process.receive("loading", "ready", "progress")["type"] == "cancelled"
    process.send({"type": "ping"})
    assert process.receive("loading", "ready")["type"] == "pong"


def test_a_truncated_frame_is_reported_before_the_end(bare):
    bare.greet()
    assert bare.receive()["type"] == "ready"
    frame = io.BytesIO()
    wire.write_message(frame, {"type": "generate", "job": "j", "rate": 16000}, {"audio": SPEECH})
    bare.write(frame.getvalue()[:-100])
    bare.popen.stdin.close()
    assert bare.receive()["code"] == "truncated_frame"


def test_damaged_frames_are_answered_and_the_server_lives(bare):
    bare.greet()
    assert bare.receive()["type"] == "ready"
    for junk, code in (
        (b"GET / HTTP/1.1\r\n\r\n", "bad_magic"),
        (wire.PREFIX.pack(wire.MAGIC, 2**31, 5), "frame_too_large"),
        (wire.PREFIX.pack(wire.MAGIC, 3, 4) + b"{,}abcd", "bad_header"),
    ):
        bare.write(junk)
        bare.send({"type": "ping"})
        assert bare.receive()["code"] == code
        assert bare.receive()["type"] == "pong"


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_is_survived_or_ends_in_a_clean_exit(seed):
    pick, stream = random.Random(seed), io.BytesIO()
    for header, arrays in (
        ({"type": "hello", "protocol": wire.PROTOCOL}, {}),
        ({"type": "ping"}, {}),
        ({"type": "generate", "job": "a", "rate": 16000}, {"audio": SPEECH} | TETRAHEDRON),
        ({"type": "prepare_face", "job": "b"}, TETRAHEDRON),
        ({"type": "cancel", "job": "b"}, {}),
    ):
        wire.write_message(stream, header, arrays)
    data = bytearray(stream.getvalue() * 3)
    for _ in range(pick.choice((1, 5, 500))):
        data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
    process = Process(code=BARE)
    process.write(data[pick.choice((0, 7)) : pick.choice((len(data), pick.randrange(len(data))))])
    out, code, log = process.end()
    assert code == 0 and "Traceback" not in log.split("Unexpected error")[0]
    reader = wire.Reader(io.BytesIO(out))
    with pytest.raises(EOFError):  # all output is well-formed
        read_all(reader)


def test_prints_of_libraries_cannot_reach_the_protocol():
    code = (
        "import os, sys; from server.protocol.server import claim_stdio; source, sink = claim_stdio(); print('noise'); "
        "os.system('echo more noise'); sink.write(b'clean'); sink.flush()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, input=b"")
    assert done.stdout == b"clean" and b"noise" in done.stderr and b"more noise" in done.stderr


def test_nothing_heavy_is_imported_before_the_first_answer():
    check = "import sys, server.cli; print([n for n in ('torch', 'scipy', 'transformers') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_a_process_without_its_model_says_so_and_ends(tmp_path):
    process = Process("--checkpoint", tmp_path)
    process.greet()
    reply = process.receive("loading")
    assert reply["code"] == "no_model" and "job" not in reply
    assert process.popen.wait(30) == wire.LOAD_FAILED, "by itself, while its stdin is open"
    process.end()


# The headers cost their sender some bytes; what they promise must cost the server nothing.
HOSTILE = (
    """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
"""
    + BARE
)


limited = pytest.mark.skipif(sys.platform == "win32", reason="Python cannot limit the memory of a process on Windows")


@limited
def test_hostile_messages_are_refused_at_once_and_cost_no_memory():
    generate = {"type": "generate", "job": "h", "rate": 16000}
    empty = np.zeros(0, np.float32)
    process = Process(code=HOSTILE)
    try:
        process.greet()
        assert process.receive()["type"] == "ready"
        process.send({"type": "ping"})
        before = process.receive()["memory"]
        for shape in ([0, 2**30, 2**30, 2**30], [2**26, 0, 3], [2**30, 2**30], [2**30, 0]):
            for name in ("rig_shapes", "audio", "vertices", "parts", "landmarks68", "emotion_control", "emotion_way"):
                entry = {"name": name, "dtype": "float32", "shape": shape}
                header = json.dumps({**generate, "arrays": [entry]}).encode()
                process.write(wire.PREFIX.pack(wire.MAGIC, len(header), 0) + header)
                assert process.receive()["code"] == "bad_shape"
        for header, arrays in (
            ({"type": "generate", "job": "\ud800"}, {}),
            ({"type": "\ud800", "job": "\ud800"}, {}),
            ({"type": "cancel", "job": "\ud800" * 64}, {}),
            ({**generate, "settings": {"layers": ["blinks"] * 20_000}}, {"audio": SPEECH}),
            ({**generate, "settings": {"layers": ["x" * 1_000_000]}}, {"audio": SPEECH}),
            ({**generate, "settings": {"emotion": "\ud800" * 100_000}}, {"audio": SPEECH}),
            ({**generate, "rig_limits": [[0, 1]] * 90_000}, {"audio": SPEECH, "rig_shapes": np.zeros((0, 4, 3))}),
            ({**generate, "rig_limits": [[0, 1]] * 90_000, "audio_file": "x"}, TETRAHEDRON | {"rig_shapes": empty}),
            ({"type": ["x" * 1_000_000]}, {}),
            ({"type": "prepare_face", "job": "p", "x" * 1_000_000: 1}, {}),
            ({**generate, "audio_file": "\0"}, {}),
            ({**generate, "audio_file": "x" * 100_000}, {}),
            ({"type": "read_emotion", "job": "r", "text": "happy" * 100_000}, {}),
        ):
            process.send(header, arrays)
            reply = process.receive()
            assert reply["type"] == "error" and 0 < len(reply["message"]) <= 300, header
        header = json.dumps({**generate, "arrays": [{"name": "a", "dtype": "x" * 1_000_000, "shape": []}]}).encode()
        process.write(wire.PREFIX.pack(wire.MAGIC, len(header), 0) + header)
        assert process.receive()["code"] == "bad_dtype"
        process.send({"type": "ping"})
        pong = process.receive()
        assert pong["state"] == "ready" and pong["memory"] - before < 50 << 20
    finally:
        process.popen.kill()
        log = process.end()[2]
    assert "Traceback" not in log


@limited
def test_a_message_that_does_not_fit_into_memory_is_refused_and_the_next_one_is_read():
    limit = "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))"
    process = Process(code=HOSTILE.replace("resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))", limit))
    try:
        process.greet()
        assert process.receive()["type"] == "ready"
        process.send({"type": "generate", "job": "big", "rate": 16000}, {"audio": np.zeros(100 << 20, np.float32)})
        reply = process.receive()
        assert (reply["code"], reply["job"]) == ("out_of_memory", "big")
        process.send({"type": "ping"})
        assert process.receive()["type"] == "pong"
    finally:
        process.popen.kill()
        process.end()
