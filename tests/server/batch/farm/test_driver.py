"""Batches on worker processes: what is killed, interrupted and poisoned, and who may reach the workers."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("distributed", reason="the extra of farms is not installed")

import distributed
import psutil

from server import batch, cli
from server.batch import runner
from server.batch.farm import driver, worker
from server.errors import LSFError

ROOT = Path(__file__).resolve().parents[4]
DISTINCT = 20  # lines with the same number modulo this one are of the same sound, and have the same bytes
# A batch on workers in a process of its own: manifest, results, checkpoint, a file for notes, number of workers, and
# what happens at which row of the report.
PROCESS = r"""
import contextlib, json, os, signal, socket, ssl, sys
from pathlib import Path
import psutil
from server.batch import runner
from server.batch.farm import driver
path, out, checkpoint, notes, count, *happens = sys.argv[1:]
happens = {int(row): what for row, what in (pair.split("=") for pair in happens)}

def workers():
    return [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]

def drive(*arguments):
    for number, row in enumerate(driver.on_this_machine(int(count))(*arguments)):
        what = happens.get(number)
        if what == "look":
            processes = [psutil.Process(), *workers()]
            listening = {c.laddr for p in processes for c in p.net_connections() if c.status == "LISTEN"}
            stranger = ssl.create_default_context()
            stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
            refused = 0
            for address in listening:
                with contextlib.suppress(ConnectionError), socket.create_connection(address, 60) as plain:
                    plain.sendall(b"GET /health HTTP/1.0\r\n\r\n")  # a page that Dask has
                    if plain.recv(100).startswith(b"HTTP/1.1 404 "):
                        refused += 1
                        continue
                with socket.create_connection(address, 60) as plain, stranger.wrap_socket(plain) as connection:
                    try:
                        connection.recv(1)
                    except ssl.SSLError as error:  # it has no certificate
                        refused += "CERTIFICATE_REQUIRED" in str(error)
            threads = [p.environ()["OMP_NUM_THREADS"] for p in workers()]
            pids = [p.pid for p in workers()]
            Path(notes).write_text(json.dumps([sorted(h for h, _ in listening), refused, threads, pids]))
        elif what == "kill a worker":
            os.kill(workers()[0].pid, signal.SIGKILL)
        elif what == "kill the driver":
            Path(notes).write_text(json.dumps([p.pid for p in workers()]))
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "interrupt":
            Path(notes).write_text(json.dumps([p.pid for p in workers()]))
            os.killpg(os.getpgid(0), signal.SIGINT)  # as a terminal does: to the workers, too
        yield row

sys.exit(runner.run(Path(path), Path(out), (1, 1), checkpoint, "cpu", None, drive=drive))
"""
POISON = """
import os
from server.files import audio
if not hasattr(audio, "real"):  # Dask runs this file twice
    audio.real = audio.load
    audio.load = lambda path, *more: os._exit(1) if path.name == "poison.wav" else audio.real(path, *more)
"""


def write_show(folder: Path, lines: int) -> Path:
    """A manifest of short lines of five sounds, one that is no sound, and one that can be made to end its worker.

    Beside it is "few.csv", with one of those lines each that have the same bytes.
    """
    times = np.arange(8000) / 16000
    folder.mkdir()
    for number in range(5):
        tone = 0.3 * np.sin(2 * np.pi * (120 + 30 * number) * times) * np.abs(np.sin(2 * np.pi * 3 * times))
        soundfile.write(folder / f"{number}.wav", tone, 16000)
    (folder / "bad.wav").write_bytes(b"no sound")
    (folder / "poison.wav").write_bytes((folder / "1.wav").read_bytes())
    starts = [i % DISTINCT / 1000 for i in range(lines)]
    rows = [f"{i % 5}.wav,line{i},{start:.3f},{0.2 + start:.3f}" for i, start in enumerate(starts)]
    others = ["bad.wav,bad,,", "poison.wav,poison,0,0.2"]
    for name, chosen in (("few.csv", rows[:DISTINCT]), ("m.csv", rows)):
        third = len(chosen) // 3
        text = ["sound,id,start,end", *chosen[:third], others[0], *chosen[third:-third], others[1], *chosen[-third:]]
        (folder / name).write_text("\n".join(text), "utf-8")
    return folder / "m.csv"


def files(out: Path) -> dict[str, bytes]:
    """All files of the results but the reports."""
    paths = [p for p in out.rglob("*") if p.is_file() and p.suffix != ".jsonl" and ".partial" not in p.parts]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(row) for row in (out / "report.jsonl").read_text("utf-8").splitlines()]


def process(manifest: Path, out: Path, checkpoint: Path, notes: Path, workers: int, *happens: str, **variables: str):
    arguments = [sys.executable, "-c", PROCESS, *map(str, (manifest, out, checkpoint, notes, workers)), *happens]
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=500,
    )
    return done.returncode, done.stdout, done.stderr


def wait_for_the_end_of(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(120)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_500_lines_survive_a_killed_worker_a_killed_driver_an_interrupt_and_a_poisoned_file(tmp_path, small_checkpoint):
    manifest, out, notes = write_show(tmp_path / "show", 500), tmp_path / "out", tmp_path / "notes.json"
    few = manifest.with_name("few.csv")
    assert runner.run(few, tmp_path / "serial", (1, 1), str(small_checkpoint), "cpu", None) == runner.SOME_FAILED
    wanted = files(tmp_path / "serial")
    assert len({wanted[f"line{i}.npz"] for i in range(DISTINCT)}) == DISTINCT
    wanted |= {f"line{i}.npz": wanted[f"line{i % DISTINCT}.npz"] for i in range(500)}
    assert len(wanted) == 502, "500 lines, the poison, which poisons nobody here, and the face"

    code, _, errors = process(
        manifest, out, small_checkpoint, notes, 2, "20=look", "40=kill a worker", "120=kill the driver"
    )
    assert code == -9, errors
    assert len(rows(out)) == 120
    wait_for_the_end_of(json.loads(notes.read_text()))

    code, _, errors = process(manifest, out, small_checkpoint, notes, 1, "170=interrupt")
    assert (code, "Interrupted: " in errors, "Traceback" in errors) == (runner.INTERRUPTED, True, False), errors
    assert not any(map(psutil.pid_exists, json.loads(notes.read_text())))
    assert len(rows(out)) < 400, "lines are left for the third run"

    (tmp_path / "poison.py").write_text(POISON)
    once = {"DASK_DISTRIBUTED__WORKER__PRELOAD": str(tmp_path / "poison.py"),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}  # fmt: skip
    code, told, errors = process(manifest, out, small_checkpoint, notes, 2, "10=look", **once)
    assert code == runner.SOME_FAILED, errors
    assert "2 failed" in told and "poison.npz: Its worker ended several times" in errors
    hosts, refused, threads, pids = json.loads(notes.read_text())
    assert set(hosts) == {"127.0.0.1"} and refused == len(hosts) == 8, "of scheduler, nannies and workers"
    assert threads == ["1", "1"] and not any(map(psutil.pid_exists, pids))

    made = [row["line"] for row in rows(out) if "code" not in row]
    assert sorted(made) == [f"line{i}.npz" for i in sorted(range(500), key=str)], "every line once"
    failed = {(row["line"], row["code"]) for row in rows(out) if "code" in row}
    assert failed == {("bad.npz", "bad_audio"), ("poison.npz", "worker_lost")}
    del wanted["poison.npz"]
    assert files(out) == wanted, "byte by byte those of one process"


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with a worker in this process: quick, and it can be deceived."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def show(tmp_path):
    worker._open.cache_clear()
    return write_show(tmp_path / "show", 20)


@pytest.fixture
def run(show, cluster, tmp_path, small_checkpoint):
    def call(name: str = "out") -> int:
        drive = driver.on_scheduler(cluster.scheduler_address)
        return runner.run(show, tmp_path / name, (1, 1), str(small_checkpoint), "cpu", None, drive=drive)

    return call


def test_a_scheduler_that_is_there_is_used(run, show, tmp_path, small_checkpoint, capsys):
    assert run() == runner.SOME_FAILED and "22 lines: 21 made, 0 were there, 1 failed." in capsys.readouterr().out
    runner.run(show, tmp_path / "serial", (1, 1), str(small_checkpoint), "cpu", None)
    assert files(tmp_path / "out") == files(tmp_path / "serial")
    worker._open.cache_clear()
    assert run() == runner.SOME_FAILED and "0 made, 21 were there, 1 failed." in capsys.readouterr().out


def test_a_worker_with_another_version_model_or_manifest_is_refused(run, show, monkeypatch, small_checkpoint):
    def refusal() -> str:
        worker._open.cache_clear()
        with pytest.raises(LSFError) as error:
            run()
        assert error.value.code == "version_mismatch"
        return str(error.value)

    with monkeypatch.context() as patch:
        patch.setattr(driver, "__version__", "99.0")
        assert "was begun with 99.0" in refusal()
    with monkeypatch.context() as patch:
        patch.setattr(driver, "model_digests", lambda folder: {"config.json": "0"})
        assert "its model in" in refusal()
    with monkeypatch.context() as patch:
        patch.setattr(driver, "file_digest", lambda path: "0")
        assert '"' in refusal()


def test_the_model_is_loaded_once(run, monkeypatch, tmp_path):
    loaded, real = [], runner.Engine
    monkeypatch.setattr(runner, "Engine", lambda *args: loaded.append(1) or real(*args))
    monkeypatch.setattr(driver, "LINES_A_TASK", 2)
    run()
    assert loaded == [1]


def test_a_task_gives_back_what_it_has_no_time_for(run, monkeypatch, capsys):
    monkeypatch.setattr(worker, "TASK_SECONDS", 0.0)
    assert run() == runner.SOME_FAILED and "21 made" in capsys.readouterr().out


def test_without_a_model_the_batch_ends_with_its_sentence(show, cluster, tmp_path):
    drive = driver.on_scheduler(cluster.scheduler_address)
    with pytest.raises(LSFError, match=r"A worker cannot go on: .*model"):
        runner.run(show, tmp_path / "out", (1, 1), str(tmp_path), "cpu", None, drive=drive)


def test_nobody_at_the_address_is_one_sentence(show, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(driver, "CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "tls://127.0.0.1:9"):
        started = time.monotonic()
        assert cli.main(["batch", str(show), "--out", str(tmp_path / "out"), "--scheduler", address]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert told[-1].startswith(f'No scheduler answers at "{address}"') and time.monotonic() - started < 60
        assert "Traceback" not in "".join(told)


def test_the_packages_are_asked_for_in_one_sentence(show, tmp_path, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "server.batch.farm.driver")
    monkeypatch.delattr(batch.farm, "driver", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["batch", str(show), "--out", str(tmp_path / "out"), "--workers", "2"]) == 2
    assert "pip install distributed cryptography" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "99999"])
def test_numbers_of_workers_that_are_none(text):
    with pytest.raises(Exception, match="no number of workers"):
        batch.count(text)


def test_who_imports_nothing_of_dask_who_does_not_ask_for_it():
    code = "import sys, server.cli, server.batch.runner; print({'dask', 'distributed'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "set()", done.stderr
