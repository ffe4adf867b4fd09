"""Client and ServerProcess with the real server, and with small scripts that misbehave on purpose."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lsf_blender_addon.client import causes, jobs, last_fault, wire
from lsf_blender_addon.client import process as process_module
from lsf_blender_addon.client.jobs import Client, State
from lsf_blender_addon.client.process import ServerError, ServerProcess, clean_environment

SPEECH = np.sin(np.arange(16000) / 20).astype(np.float32)
CUBE = {
    "vertices": np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32),
    "triangles": np.array([[0, 1, 3], [4, 5, 7]], np.int32),
}
PATIENCE = 60  # seconds until a test gives up waiting

FAKE = """
import os, sys, time
sys.path.insert(0, {root!r})
from server.protocol import wire
class Reader(wire.Reader):
    def read(self):
        while True:
            header, arrays = super().read()
            if header["type"] != "ping":
                return header, arrays
            send({{"type": "pong", "memory": 5}})
reader, sink = Reader(sys.stdin.buffer), sys.stdout.buffer
def send(header, **arrays):
    wire.write_message(sink, header, arrays)
reader.read()
send({{"type": "hello", "protocol": wire.PROTOCOL, "models": []}})
send({{"type": "ready"}})
"""


@pytest.fixture
def fake_python(tmp_path):
    """Returns a function: make an executable that is started in Python's place and runs this body."""

    def make(body: str, greeting: str = FAKE) -> Path:
        script, launcher = tmp_path / "fake.py", tmp_path / "python"
        script.write_text(greeting.format(root=str(wire.SERVER_PARENT)) + body)
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
        launcher.chmod(0o755)
        return launcher

    return make


@pytest.fixture
def connect(tmp_path):
    clients = []

    def make(python, *arguments):
        client = Client(python, tmp_path / "logs" / "server.log", list(map(str, arguments)))
        client.seen = []
        clients.append(client)
        return client

    yield make
    for client in clients:
        stop(client)


@pytest.fixture(scope="module")
def real(tmp_path_factory, small_checkpoint, server_python):
    log = tmp_path_factory.mktemp("real") / "server.log"
    client = Client(server_python, log, ["--checkpoint", str(small_checkpoint), "--cache", "off"])
    client.seen = []
    yield client
    stop(client)


def stop(client):
    client.stop()
    assert not client._pump.is_alive() and client.server == "stopped"


def wait(client, condition):
    """Drain like Blender's timer until the condition holds; all events go to `client.seen`."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"still waiting after {[(e.kind, e.text) for e in client.seen]}"
        time.sleep(0.005)
        client.seen += client.drain()


def run(client, job):
    """Wait for the end of a job and return its events."""
    wait(client, lambda: any(e.job is job and e.kind in ("done", "failed", "cancelled") for e in client.seen))
    return [e for e in client.seen if e.job is job]


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def test_start_loads_the_model_before_any_job(real):
    real.start()
    loaded: list[float] = []
    wait(real, lambda: loaded.append(real.loaded) or real.server == "ready")
    assert loaded == sorted(loaded) and len(set(loaded)) > 4, "it moves while torch is imported"
    assert real.hello["protocol"] == wire.PROTOCOL and real.notice == ""


def test_a_first_job_shows_what_it_waits_for(connect, fake_python):
    """Start of the server, its loading and the job itself share one progress, which grows from step to step."""
    client = connect(
        fake_python(
            """
def step(kind, fraction, text, **fields):
    send({"type": kind, "fraction": fraction, "text": text, **fields})
    time.sleep(0.2)
time.sleep(0.3)
reader.read()
send({"type": "hello", "protocol": wire.PROTOCOL, "models": []})
step("loading", 0.0, "Loading PyTorch")
step("loading", 0.7, "Loading the speech model")
send({"type": "ready", "device": "cpu"})
header, _ = reader.read()
step("progress", 0.0, "Analysing the speech", job=header["job"])
step("progress", 0.5, "Finding the face", job=header["job"])
send({"type": "result", "job": header["job"]})
reader.read()
""",
            FAKE[: FAKE.index("reader.read()")],
        )
    )
    job, shown = client.submit("generate", {}, {}), [("Waiting", 0.0)]
    end = time.monotonic() + PATIENCE
    while not job.state.ended and time.monotonic() < end:
        if (job.text, job.fraction) != shown[-1]:
            shown.append((job.text, job.fraction))
        time.sleep(0.002)
    texts = list(dict.fromkeys(text for text, _ in shown))
    assert texts[-5:] == [
        "Starting the speech engine", "Loading PyTorch", "Loading the speech model", "Analysing the speech",
        "Finding the face",
    ]  # fmt: skip
    fractions = [fraction for _, fraction in shown]
    assert fractions == sorted(fractions) and len(set(fractions)) > 4
    assert dict(shown)["Finding the face"] == pytest.approx(0.75) and dict(shown)["Loading PyTorch"] < 0.1


def test_a_job_for_a_server_that_is_ready_has_the_whole_progress(connect, fake_python):
    client = connect(
        fake_python("""
header, _ = reader.read()
send({"type": "progress", "job": header["job"], "fraction": 0.25, "text": "Finding the face"})
time.sleep(1000)
""")
    )
    client.start()
    wait(client, lambda: client.server == "ready")
    job = client.submit("generate", {}, {})
    wait(client, lambda: job.text == "Finding the face")
    assert job.fraction == 0.25


def test_a_bad_request_fails_with_the_servers_sentence_and_the_next_job_runs_on_the_same_server(real):
    first = real.submit("generate", {"rate": 16000}, {"audio": SPEECH[:100]})
    second = real.submit("prepare_face", {}, {"vertices": np.zeros((0, 3), np.float32), "triangles": CUBE["triangles"]})
    run(real, first)
    server = real._process
    run(real, second)
    assert (first.state, first.code) == (State.FAILED, "short_audio") and first.error.endswith(".")
    assert (second.state, second.code) == (State.FAILED, "empty_mesh")
    assert real._process is server


def test_a_job_gives_its_result(real):
    job = real.submit("generate", {"rate": 16000, "settings": {"fps": 24}}, {"audio": SPEECH})
    events = run(real, job)
    assert events[-1].kind == "done" and job.state is State.DONE, job.error
    assert job.header["fps"] == 24 and job.arrays["motion"].shape == (25, len(job.header["channels"]))
    assert job.request_arrays == {}


def test_cancel_of_a_running_and_of_a_waiting_job(real):
    running = real.submit("generate", {"rate": 16000}, {"audio": np.tile(SPEECH, 900)})
    waiting = real.submit("generate", {"rate": 16000}, {"audio": SPEECH})
    wait(real, lambda: running.state is State.RUNNING)
    real.cancel(waiting)
    assert [e.kind for e in run(real, waiting)] == ["cancelled"]
    real.cancel(running)
    assert run(real, running)[-1].kind == "cancelled"
    assert (running.state, waiting.state, running.arrays) == (State.CANCELLED, State.CANCELLED, {})


def test_a_server_that_ignores_cancel_is_killed_and_the_next_job_runs(connect, fake_python):
    client = connect(
        fake_python("""
while True:
    header, _ = reader.read()
    if header["type"] == "prepare_face":
        send({"type": "result", "job": header["job"]})
    time.sleep(0 if header["type"] == "prepare_face" else 1000)
""")
    )
    job = client.submit("generate", {}, {"audio": np.zeros(10_000_000, np.float32)})
    wait(client, lambda: job.state is State.RUNNING)
    client.cancel(job)
    assert run(client, job)[-1].kind == "cancelled"
    job = client.submit("prepare_face", {}, {})
    run(client, job)
    assert job.state is State.DONE


def test_a_crash_fails_the_running_job_only_and_the_server_is_started_again(connect, fake_python):
    client = connect(
        fake_python("""
header, _ = reader.read()
if header.get("crash"):
    print("RuntimeError: something broke", file=sys.stderr)
    os._exit(3)
send({"type": "result", "job": header["job"]}, motion=[[1.0]])
reader.read()
""")
    )
    crashing, next_one = client.submit("generate", {"crash": True}, {}), client.submit("generate", {}, {})
    run(client, next_one)
    assert (crashing.state, crashing.code) == (State.FAILED, "server_gone")
    assert crashing.error == causes.STOPPED
    assert "exit code 3" in last_fault.last().details and "something broke" in last_fault.last().details
    assert next_one.state is State.DONE and next_one.arrays["motion"] == 1
    assert "The speech engine stopped and is started again" in [e.text for e in client.seen if e.kind == "server"]


def test_a_server_that_the_system_kills_ran_out_of_memory(connect, fake_python):
    client = connect(fake_python("reader.read(); os.kill(os.getpid(), 9)"))
    job = client.submit("generate", {}, {})
    run(client, job)
    assert "memory" in job.error


def test_a_server_that_the_client_kills_did_not_run_out_of_memory(connect, fake_python):
    """It has sent something that is not a message."""
    client = connect(fake_python("reader.read(); sink.write(b'x' * 100); sink.flush(); time.sleep(1000)"))
    job = client.submit("generate", {}, {})
    run(client, job)
    assert "memory" not in job.error and "is damaged" in job.error


def test_a_launcher_that_prints_is_told_as_such(connect, tmp_path, server_python):
    launcher = tmp_path / "python"
    launcher.write_text(f"#!/bin/sh\necho 'Welcome to the studio'\nexec '{server_python}' \"$@\"\n")
    launcher.chmod(0o755)
    client = connect(launcher)
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.error == causes.PRINTS


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("ModuleNotFoundError: No module named 'torch'", "press Install"),
        ("ModuleNotFoundError: No module named 'server'", "reinstall"),
        ("MemoryError", "memory"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("", "Copy Report"),
    ],
)
def test_a_server_that_dies_at_its_start_gives_advice_and_is_not_started_for_ever(
    connect, fake_python, tmp_path, words, advice
):
    starts = tmp_path / "starts"
    client = connect(fake_python(f"import sys; open({str(starts)!r}, 'a').write('x'); sys.exit({words!r} or 1)", ""))
    lost = [client.submit("generate", {}, {}) for _ in range(3)]
    wait(client, lambda: all(job.state.ended for job in lost))
    assert all(job.state is State.FAILED and advice in job.error for job in lost), lost[0].error
    assert client.server == "failed" and len(starts.read_text()) <= len(lost)


def test_a_python_that_does_not_exist(connect, tmp_path):
    client = connect(tmp_path / "nowhere" / "python")
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.code == "no_server" and "choose" in job.error


def test_a_bug_in_the_client_fails_the_jobs_and_leaves_it_usable(connect, fake_python, monkeypatch):
    client = connect(fake_python('header, _ = reader.read(); send({"type": "result", "job": header["job"]})'))
    with monkeypatch.context() as broken:
        broken.setattr(jobs, "ServerProcess", lambda *_: 1 / 0)
        lost = [client.submit("generate", {}, {}) for _ in range(2)]
        wait(client, lambda: all(job.state is State.FAILED and job.error == causes.UNEXPECTED for job in lost))
    assert "ZeroDivisionError" in last_fault.last().details
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.state is State.DONE


def test_a_server_of_another_version_is_refused_with_its_sentence(connect, fake_python):
    client = connect(
        fake_python(
            """
reader.read()
send({"type": "error", "code": "version_mismatch", "message": "Install the same release."})
""",
            greeting=FAKE.split("reader.read()")[0],
        )
    )
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.error == "Install the same release."


def test_a_server_that_says_nothing_is_given_up(tmp_path, fake_python):
    silent = ServerProcess(fake_python("import time; time.sleep(1000)", greeting=""), tmp_path / "log")
    with pytest.raises(ServerError, match="did not answer"):
        silent.greet(seconds=0.2)


def test_a_message_over_the_limit_fails_its_job_only(real, monkeypatch):
    from server.protocol import wire as server_wire

    monkeypatch.setattr(server_wire, "MAX_PAYLOAD", 1000)
    job = real.submit("generate", {"rate": 16000}, {"audio": SPEECH})
    run(real, job)
    assert (job.state, job.code) == (State.FAILED, "frame_too_large")


def test_drain_is_bounded_merges_progress_and_prefers_a_cancellation(connect, fake_python):
    client = connect(
        fake_python("""
header, _ = reader.read()
for step in range(100):
    send({"type": "progress", "job": header["job"], "fraction": step / 100, "text": str(step)})
send({"type": "result", "job": header["job"]}, motion=[[1.0]])
reader.read()
""")
    )
    job = client.submit("generate", {}, {})
    end = time.monotonic() + PATIENCE
    while not job.state.ended and time.monotonic() < end:
        time.sleep(0.01)
    assert job.state is State.DONE
    assert len(client.drain(1)) == 1
    client.cancel(job)  # too late for the server, in time for Blender
    kinds = [e.kind for e in client.drain() if e.job is job]
    assert kinds == ["progress", "cancelled"] and job.state is State.CANCELLED and job.arrays == {}


def test_stop_ends_the_process_and_its_jobs(connect, fake_python):
    client = connect(fake_python("time.sleep(1000)"))
    running, waiting = (client.submit("generate", {}, {}) for _ in range(2))
    wait(client, lambda: running.state is State.RUNNING)
    pid = client._process._process.pid
    client.stop()
    assert not alive(pid) and running.state is waiting.state is State.CANCELLED


def test_the_server_does_not_outlive_a_client_that_is_killed(tmp_path, server_python):
    arguments = f"{server_python!r}, {str(tmp_path / 'log')!r}"
    code = (
        "import time; from lsf_blender_addon.client.process import ServerProcess; "
        f"s = ServerProcess({arguments}); s.greet(); print(s._process.pid, flush=True); time.sleep(1000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=wire.SERVER_PARENT, stdout=subprocess.PIPE, text=True)
    pid = next(int(line) for line in parent.stdout if line.strip().isdigit())  # Blender prints lines of its own
    assert alive(pid)
    time.sleep(0.5)  # until the last of its threads is stopped: before, the system does not count it as stopped
    parent.kill()
    parent.communicate()
    end = time.monotonic() + PATIENCE
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(pid)


def test_the_environment_of_the_server_is_clean(monkeypatch):
    for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/blender/python")
    monkeypatch.setenv("LSF_CACHE_DIR", "kept")
    environment = clean_environment()
    assert "/blender/python" not in environment.values() and environment["LSF_CACHE_DIR"] == "kept"
    assert environment["PYTHONPATH"] == str(wire.SERVER_PARENT)


def test_the_log_is_kept_until_it_is_too_long(tmp_path, fake_python, monkeypatch):
    python, log = fake_python("print('line', file=sys.stderr)"), tmp_path / "log"

    def start():
        server = ServerProcess(python, log)
        server.greet()
        with pytest.raises(ServerError):
            list(iter(server.receive, None))

    start()
    start()
    assert log.read_text() == "line\n" * 2
    monkeypatch.setattr(process_module, "MAX_LOG_BYTES", 5)
    start()
    assert log.read_text() == "line\n"
    assert process_module.previous_log(log).read_text() == "line\n" * 2
    start()
    assert [path.name for path in sorted(tmp_path.glob("log*"))] == ["log", "log.previous"], "only one is kept"


@pytest.mark.parametrize("kind", ["a folder", "in a file", "full"])
def test_a_log_that_cannot_be_written_does_not_stop_the_server_and_is_no_bad_python(
    tmp_path, fake_python, monkeypatch, kind
):
    log = tmp_path / "server.log"
    if kind == "a folder":
        log.mkdir()
    elif kind == "in a file":
        (tmp_path / "file").touch()
        log = tmp_path / "file" / "server.log"
    else:
        monkeypatch.setattr(Path, "mkdir", lambda *_arguments, **_keywords: (_ for _ in ()).throw(OSError(28, "full")))
    client = Client(
        fake_python("""
header, _ = reader.read()
send({"type": "result", "job": header["job"]})
header, _ = reader.read()
send({"type": "progress", "job": header["job"], "fraction": 0, "text": "Working"})
print("No space left on device", file=sys.stderr, flush=True)
os._exit(1)
"""),
        log,
    )
    client.seen = []
    first, second = (client.submit("generate", {}, {}) for _ in range(2))
    run(client, second)
    assert first.state is State.DONE and second.error == causes.DISK_FULL, (first.error, second.error)
    stop(client)


def test_the_layout_of_the_zip_is_found_and_needs_no_bpy(tmp_path):
    """In the zip the server lies inside the add-on's folder."""
    addon = tmp_path / "bl_ext" / "lsf"
    addon.mkdir(parents=True)
    (addon / "__init__.py").touch()
    for name, source in (("client", Path(process_module.__file__).parent), ("server", wire.SERVER_PARENT / "server")):
        (addon / name).symlink_to(source)
    code = (
        "import sys; from bl_ext.lsf.client import installation, jobs, wire; "
        "print(wire.wire.__name__, 'bpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["bl_ext.lsf.server.protocol.wire", "False"], done.stderr


def test_a_job_is_cancelled_although_the_server_reads_nothing(connect, fake_python):
    client = connect(fake_python("time.sleep(1000)"))
    job = client.submit("generate", {}, {"audio": np.zeros(20_000_000, np.float32)})
    wait(client, lambda: job.state is State.RUNNING)
    client.cancel(job)
    assert run(client, job)[-1].kind == "cancelled"


@pytest.fixture
def impatient(monkeypatch):
    """A client that waits for 1 s instead of half a minute. Processes on a busy machine may take that long to start."""
    monkeypatch.setattr(process_module, "PING_SECONDS", 0.05)
    monkeypatch.setattr(process_module, "STALL_PINGS", 20)
    monkeypatch.setattr(process_module, "LOADING_STALL_PINGS", 60)


HANGS = {
    "it is stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "it does not read": "time.sleep(1000)",
    "half a frame": """
sink.write(wire.PREFIX.pack(wire.MAGIC, 500_000, 0) + b"{")
sink.flush()
time.sleep(1000)
""",
    "half a result": """
sink.write(wire.PREFIX.pack(wire.MAGIC, 2, 1 << 30) + b"{}" + bytes(3 << 20))
sink.flush()
time.sleep(1000)
""",
}


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_server_that_hangs_is_ended_and_the_jobs_that_wait_run(connect, fake_python, impatient, body):
    client = connect(
        fake_python(f"""
import signal
header, _ = reader.read()
if header.get("hang"):
    {body.strip().replace(chr(10), chr(10) + "    ")}
send({{"type": "result", "job": header["job"]}})
reader.read()
""")
    )
    hanging = client.submit("generate", {"hang": True}, {})
    waiting = client.submit("generate", {}, {"audio": np.zeros(1_000_000, np.float32)})
    run(client, waiting)
    assert (hanging.state, hanging.error) == (State.FAILED, causes.HUNG)
    assert waiting.state is State.DONE, waiting.error


def test_a_server_that_hangs_while_a_job_is_sent_is_ended(connect, fake_python, impatient):
    """Its pipe is full: the client can send no ping."""
    client = connect(fake_python("time.sleep(1000)"))
    job = client.submit("generate", {}, {"audio": np.zeros(10_000_000, np.float32)})
    run(client, job)
    assert job.error == causes.HUNG


def test_a_server_that_hangs_without_a_job_is_ended_and_not_started_again_before_the_next_one(
    connect, fake_python, impatient, tmp_path
):
    starts = tmp_path / "starts"
    client = connect(
        fake_python(f"""
open({str(starts)!r}, "a").write("x")
if len(open({str(starts)!r}).read()) == 1:
    time.sleep(1000)
header, _ = reader.read()
send({{"type": "result", "job": header["job"]}})
reader.read()
""")
    )
    client.start()
    wait(client, lambda: client.server == "failed")
    assert client.notice == causes.HUNG and client.pid is None
    time.sleep(0.3)
    assert starts.read_text() == "x"
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.state is State.DONE and starts.read_text() == "xx"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_a_server_that_ended_or_hung_between_two_jobs_fails_none(connect, fake_python, impatient, name):
    client = connect(
        fake_python("""
while True:
    header, _ = reader.read()
    send({"type": "result", "job": header["job"]})
""")
    )
    client.start()
    wait(client, lambda: client.server == "ready")
    for _ in range(2):
        os.kill(client.pid, getattr(signal, name))
        job = client.submit("generate", {}, {})
        run(client, job)
        assert job.state is State.DONE, job.error
    assert job.sent <= 2


def test_a_server_that_works_for_long_and_answers_is_left_alone(connect, fake_python, impatient):
    client = connect(
        fake_python("""
import threading
header, _ = reader.read()
def work():
    time.sleep(3)
    send({"type": "result", "job": header["job"]})
threading.Thread(target=work).start()
reader.read()
""")
    )
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.state is State.DONE and client.pong["memory"] == 5


def test_a_server_that_takes_long_to_read_a_job_is_left_alone(connect, fake_python, impatient):
    client = connect(
        fake_python("""
for _ in range(40):
    sys.stdin.buffer.read(1_000_000)
    time.sleep(0.1)
send({"type": "result", "job": "1"})
sys.stdin.buffer.read()
""")
    )
    job = client.submit("generate", {}, {"audio": np.zeros(10_000_000, np.float32)})
    run(client, job)
    assert job.state is State.DONE, job.error


def test_a_computer_that_sleeps_does_not_make_a_server_hang(connect, fake_python, impatient, monkeypatch):
    """A sleep of a night is one ping late, whichever clock goes on."""
    waits = process_module.threading.Event.wait
    naps = []

    def wait_for_a_night(event, timeout=None):
        if timeout == process_module.PING_SECONDS and not naps:
            naps.append(time.sleep(1.5))
        return waits(event, timeout)

    monkeypatch.setattr(process_module.threading.Event, "wait", wait_for_a_night)
    client = connect(fake_python("reader.read()"))
    client.start()
    wait(client, lambda: client.server == "ready" and client.pong)
    assert naps


def test_a_model_that_cannot_be_loaded_is_loaded_by_a_fresh_process_with_the_next_job(connect, fake_python, tmp_path):
    starts = tmp_path / "starts"
    client = connect(
        fake_python(
            f"""
reader.read()
send({{"type": "hello", "protocol": wire.PROTOCOL, "models": []}})
open({str(starts)!r}, "a").write("x")
if len(open({str(starts)!r}).read()) < 3:
    send({{"type": "error", "code": "disk_full", "message": "There is no room for temporary files."}})
    time.sleep(1000)
send({{"type": "ready", "device": "cpu"}})
header, _ = reader.read()
send({{"type": "result", "job": header["job"]}})
reader.read()
""",
            FAKE[: FAKE.index("reader.read()")],
        )
    )
    client.start()
    wait(client, lambda: client.server == "failed")
    assert client.notice == "There is no room for temporary files."
    time.sleep(0.3)
    assert starts.read_text() == "x", "it is not started again without a job"
    lost = [client.submit("generate", {}, {}) for _ in range(2)]
    wait(client, lambda: all(job.state.ended for job in lost))
    assert [(job.state, job.code) for job in lost] == [(State.FAILED, "disk_full")] * 2
    assert "no room" in lost[0].error and len(starts.read_text()) <= 1 + len(lost)
    if len(starts.read_text()) < 3:
        starts.write_text("xx")
    job = client.submit("generate", {}, {})
    run(client, job)
    assert job.state is State.DONE, "the cause is gone"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"code": "no_face", "message": "There is no face."}, "There is no face."),
        ({"code": "no_face", "message": "a\nb\x00" + "x" * 1_000_000}, None),
        ({"code": "no_face"}, causes.UNEXPECTED),
        ({"code": "no_face", "message": None}, causes.UNEXPECTED),
        ({"message": "What?"}, causes.UNEXPECTED),
        ({"code": ["x"], "message": {"a": 1}}, causes.UNEXPECTED),
        ({"code": "internal", "message": "ValueError: allow_pickle=False"}, causes.UNEXPECTED),
    ],
)
def test_errors_of_the_server_are_one_line_and_unknown_ones_are_unexpected(fields, sentence):
    code, told = causes.of_reply({"type": "error", **fields})
    assert isinstance(code, str) and len(told) <= causes.MAX_SENTENCE and told.isprintable()
    assert sentence is None or told == sentence
    assert told != causes.UNEXPECTED or "The server's error" in last_fault.last().details


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/secret/x"), "No such file or directory"),
        (OSError(), "OSError"),
        (ValueError("one\ntwo"), "one two"),
        (ValueError("x" * 1_000_000), "x" * causes.MAX_REASON),
    ],
)
def test_the_reason_of_an_error_is_short(error, reason):
    assert causes.reason(error) == reason


def test_an_older_line_of_the_log_is_not_the_cause():
    log = "MemoryError\n" + "INFO server: a job\n" * 20
    assert causes.of_end(1, log) == causes.STOPPED
    assert causes.of_end(1, log + "Traceback\nMemoryError\n") == causes.NO_MEMORY
    assert causes.of_end(wire.HUNG, log) == causes.HUNG


def test_a_message_without_a_job_fails_the_job_it_was_sent_with(connect, fake_python):
    client = connect(
        fake_python("""
header, _ = reader.read()
send({"type": "error", "code": "bad_header", "message": "The header of a message is not valid JSON."})
header, _ = reader.read()
send({"type": "result", "job": header["job"]})
reader.read()
""")
    )
    client.start()
    wait(client, lambda: client.server == "ready")
    first, second = (client.submit("generate", {}, {}) for _ in range(2))
    run(client, second)
    assert (first.code, second.state) == ("bad_header", State.DONE)


REPLIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["progress", "result", "error", "cancelled", "loading", "ready", "pong", "hello", 5, None]
        )
    },
    optional={
        name: st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.just({"a": [1]})
        for name in ("job", "fraction", "text", "code", "message", "device", "device_note", "memory")
    },
)


@hypothesis.settings(max_examples=100)
@hypothesis.given(st.lists(REPLIES, max_size=6))
def test_whatever_a_server_says_the_client_goes_on_and_tells_sentences(replies):
    class Process:
        is_loading = True
        kill = send = lambda *_arguments: None

    client = Client("/nowhere/python", "/nowhere/log")
    try:
        client._process, client.server = Process(), "loading"
        client._active = job = jobs.Job("1", "generate", {}, {})
        for reply in replies:
            client._on_message(client._process, reply, {})
            client._process = client._process or Process()
        for text in (client.notice, job.error, job.text, client.device, client.device_note):
            assert isinstance(text, str) and len(text) <= causes.MAX_SENTENCE and text.isprintable()
        assert job.state is not State.FAILED or job.error
    finally:
        client._process = None
        client.stop()


PARENT = """
import os, signal, subprocess, time
from lsf_blender_addon.client.process import ServerProcess
server = ServerProcess({python!r}, {log!r})
server.greet()
children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout.split()
pid = int(children[0]) if children else server.pid
os.kill(pid, signal.SIGSTOP)
while "T" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout:
    time.sleep(0.05)
print(pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
@pytest.mark.parametrize("launched", [False, True])
def test_a_stopped_server_ends_with_its_killed_parent(tmp_path, server_python, launched):
    """Linux kills it with the process that started it. With a launcher in between, its process group ends it."""
    python = server_python
    if launched:
        launcher = tmp_path / "python"
        launcher.write_text(f'#!/bin/sh\n"{server_python}" "$@" <&0\nexit $?\n')
        launcher.chmod(0o755)
        python = str(launcher)
    code = PARENT.format(python=python, log=str(tmp_path / "log"))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=wire.SERVER_PARENT, stdout=subprocess.PIPE, text=True)
    pid = next(int(line) for line in parent.stdout if line.strip().isdigit())
    assert alive(pid)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + PATIENCE
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(pid)
