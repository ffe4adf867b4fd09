"""The real `python -m server`: messages, exit codes, and damaged input."""

import io
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


class Process:
    """`python -m server` with its pipes; every read has a time limit after which the process is killed."""

    def __init__(self, *arguments):
        command = [sys.executable, "-m", "server", "--cache", "off", *map(str, arguments)]
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


def running(checkpoint):
    """A server process for one test, which is killed after the test."""
    process = Process("--checkpoint", checkpoint)
    yield process
    process.popen.kill()
    process.end()


@pytest.fixture
def process(small_checkpoint):
    yield from running(small_checkpoint)


@pytest.fixture
def bare(tmp_path):
    """A server without a model: it starts faster and suffices for everything but the engine."""
    yield from running(tmp_path)


def test_hello_ready_ping_shutdown(process, small_checkpoint):
    hello = process.greet()
    assert hello["protocol"] == wire.PROTOCOL and hello["device"] == "cpu"
    assert hello["models"] == [{"name": small_checkpoint.name, "motion_space": "arkit", "fps": 25}]
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
    assert bare.receive()["code"] == "no_model"
    frame = io.BytesIO()
    wire.write_message(frame, {"type": "generate", "job": "j", "rate": 16000}, {"audio": SPEECH})
    bare.write(frame.getvalue()[:-100])
    bare.popen.stdin.close()
    assert bare.receive()["code"] == "truncated_frame"


def test_damaged_frames_are_answered_and_the_server_lives(bare):
    bare.greet()
    assert bare.receive()["code"] == "no_model"
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
def test_random_damage_is_survived_or_ends_in_a_clean_exit(tmp_path, seed):
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
    process = Process("--checkpoint", tmp_path)
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
