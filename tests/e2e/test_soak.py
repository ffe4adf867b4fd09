"""The soak: a short one finds nothing, and what it finds is counted and makes it fail."""

import subprocess
import sys

import pytest

from tests.soak import run

SEED, STEPS = 5, 20


@pytest.mark.skipif(sys.platform != "linux", reason="the soak looks at processes as Linux tells about them")
def test_a_short_soak_survives():
    options = ["--seed", str(SEED), "--steps", str(STEPS), "--minutes", "8", "--quick"]
    done = subprocess.run([sys.executable, run.__file__, *options], capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = done.stdout.split("all ")[1].split()[:3]
    assert counts == [str(STEPS + 2), str(STEPS + 2), "0"], "start, steps, end"


@pytest.fixture
def soak(tmp_path, monkeypatch, capsys):
    """Function that runs a soak of one episode, whose report is written by this code; returns (code, output)."""

    def soak_of(code: str) -> tuple[int, str]:
        script = tmp_path / "episode.py"
        script.write_text(
            "import json, os, sys, time\n"
            "report = open(sys.argv[4] + '/report.jsonl', 'a')\n"
            "def tell(**line): report.write(json.dumps(line) + '\\n'); report.flush()\n" + code
        )
        monkeypatch.setattr(run, "EPISODE", script)
        return run.main(["--seed", "7", "--steps", "3"]), capsys.readouterr().out

    return soak_of


STEP = "tell(step=1, kind='Undo'); tell(step=1, kind='Undo', what='x', wrong={}, seconds=1.0)\n"


def test_a_soak_without_faults(soak):
    code, output = soak(STEP.format([]) + "tell(ended=True)")
    assert code == 0 and "FAILED" not in output and "seed 7 step 1: Undo: x" in output


def test_what_is_wrong_is_told_with_seed_and_step(soak):
    code, output = soak(STEP.format(["the mesh is gone"]) + STEP.format([]) + "tell(ended=True)")
    assert code == 1 and "FAILED  seed 7 step 1, Undo: the mesh is gone" in output
    assert output.split("Undo ")[-1].split()[:3] == ["2", "1", "1"]


def test_a_crash_is_counted_for_its_step(soak):
    code, output = soak(STEP.format([]) + "tell(step=2, kind='Take'); print('last words', flush=True); os._exit(3)")
    assert code == 1 and "FAILED  seed 7 step 2, Take: Blender ended with 3" in output and "last words" in output


def test_an_episode_that_says_nothing_is_ended(soak, monkeypatch):
    monkeypatch.setattr(run, "HUNG_SECONDS", 1.0)
    code, output = soak("tell(step=2, kind='Take'); time.sleep(60)")
    assert code == 1 and "FAILED  seed 7 step 2, Take: Blender hung" in output
