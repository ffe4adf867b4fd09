"""What the benchmark computes of its figures, and the process that times the speech encoder alone."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("bpy")  # bench.py runs inside Blender

from demo import bench

ROOT = Path(bench.__file__).parents[1]


@pytest.fixture
def wav_file(tmp_path):
    """Writes a tone of some seconds and returns its path."""

    def write(name: str, seconds: float) -> Path:
        times = np.arange(round(seconds * 16000)) / 16000
        soundfile.write(tmp_path / name, 0.3 * np.sin(2 * np.pi * 140 * times), 16000)
        return tmp_path / name

    return write


def test_the_line_that_waits_for_the_model_does_not_count(tmp_path):
    rows = [{"line": f"{number}.npz", "seconds": seconds} for number, seconds in enumerate((9.0, 0.5, 0.25))]
    (tmp_path / "report.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert bench.lines_a_second(tmp_path / "report.jsonl") == pytest.approx(2 / 0.75)


def test_ratios_are_those_of_pairs():
    assert bench.ratio([2.0, 9.0, 3.0], [1.0, 3.0, 2.0]) == "2.00"


def test_the_encoder_answers_each_sound_and_one_with_several_windows_twice(server_python, wav_file):
    sounds = wav_file("short.wav", 0.5), wav_file("long.wav", 11)
    done = subprocess.run(
        [server_python, ROOT / "demo" / "encoder_alone.py"],
        input="".join(f"{sound}\n" for sound in sounds),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    short, long = ([float(seconds) for seconds in line.split()] for line in done.stdout.splitlines())
    assert short[0] == short[1] > 0 and long[0] != long[1] and min(long) > 0
