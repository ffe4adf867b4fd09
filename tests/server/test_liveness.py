"""The watch for work that hangs, in processes of their own: it looks at the processor time of the whole process."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = """
import os, sys, threading, time
from server import cli, liveness
liveness.HANG_TICK, liveness.HANG_TICKS = 0.05, 8
watch = liveness.HangWatch(lambda: os._exit(75))
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", START + code], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_work_that_stands_still_is_noticed_and_its_stack_is_logged():
    done = run("""
def deadlock():
    threading.Event().wait()
with watch.work():
    deadlock()
""")
    assert done.returncode == 75 and "in deadlock" in done.stderr


def test_work_that_computes_or_waits_for_the_client_and_no_work_do_not_stand_still():
    done = run("""
time.sleep(0.8)
with watch.work():
    with watch.pause():
        time.sleep(0.8)
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        sum(range(1000))
time.sleep(0.8)
print("lives")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "lives\n", "")


def test_a_command_that_hangs_ends_with_an_exit_code_and_a_sentence(tmp_path):
    done = run(f"""
cli._fit = lambda *_arguments: threading.Event().wait()
cli.main(["fit", "head.obj", "--out", {str(tmp_path / "x.npz")!r}])
""")
    assert done.returncode == 75 and "Nothing has happened for" in done.stderr.splitlines()[-1]
