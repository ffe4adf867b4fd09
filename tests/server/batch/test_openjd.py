"""The template of Open Job Description makes the parts of a manifest."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.batch import runner

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "docs/farm/openjd.yaml"


@pytest.mark.skipif(importlib.util.find_spec("openjd") is None, reason="openjd-cli is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="its sessions on Windows want a password")
def test_the_tasks_of_the_template_make_all_lines(tmp_path, small_checkpoint):
    tone = 0.3 * np.sin(np.arange(8000) / 20) * np.abs(np.sin(np.arange(8000) / 900))
    (tmp_path / "a show").mkdir()
    soundfile.write(tmp_path / "a show/a.wav", tone, 16000)
    manifest = tmp_path / "a show/m.csv"
    manifest.write_text("sound,id\n" + "".join(f"a.wav,line{i}\n" for i in range(8)), "utf-8")
    values = {"Manifest": manifest, "Out": tmp_path / "out", "Project": ROOT, "Python": sys.executable, "Parts": 2,
              "Checkpoint": small_checkpoint}  # fmt: skip
    options = [option for name, value in values.items() for option in ("-p", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "openjd", "run", TEMPLATE, "--step", "Lines", *options],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "out").glob("line*.npz"))) == 8
    assert sorted(path.name for path in (tmp_path / "out").glob("report*")) == [
        "report-1of2.jsonl",
        "report-2of2.jsonl",
    ]
    assert runner.run(manifest, tmp_path / "out", (1, 1), str(small_checkpoint), "cpu", None) == runner.DONE
    assert not (tmp_path / "out/report.jsonl").read_text(), "nothing was left to be made"
