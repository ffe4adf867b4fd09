"""Client and ServerProcess with the real server, and with small scripts that misbehave on purpose."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lsf_blender_addon.client import jobs, wire
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
reader, sink = wire.Reader(sys.stdin.buffer), sys.stdout.buffer
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
    assert "exit code 3" in crashing.error and "server.log" in crashing.error
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


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("ModuleNotFoundError: No module named 'torch'", "press Install"),
        ("ModuleNotFoundError: No module named 'server'", "reinstall"),
        ("MemoryError", "memory"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("", "without an error message"),
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
        wait(client, lambda: all(job.state is State.FAILED and "report" in job.error for job in lost))
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
