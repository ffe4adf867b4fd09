"""The shipped model says the same as ever: in any number of threads, in every server, at every frame rate."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from server.engine import Engine, Result, Settings
from server.files import audio
from tests.golden import TOLERANCE, difference, golden

ROOT = Path(__file__).parents[2]
DEMO_LINE = ROOT / "lsf_blender_addon" / "assets" / "demo_line.flac"
LAYERS = ("gaze", "head")
ANOTHER_SERVER = """
import sys, numpy as np
from server.engine import Engine, Settings
from server.files import audio
np.save(sys.argv[2], Engine(None, "cpu", None).generate(*audio.load(sys.argv[1]), None, Settings()).motion)
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(None, "cpu", None)


def generate(engine: Engine, fps: float | None = None, repeat: int = 1) -> Result:
    samples, rate = audio.load(DEMO_LINE)
    return engine.generate(np.concatenate([samples] * repeat), rate, None, Settings(fps=fps, layers=LAYERS))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_line_in_any_number_of_threads(engine, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        result = generate(engine)
    finally:
        torch.set_num_threads(before)
    assert difference("line_25_fps", result.motion) < TOLERANCE
    assert difference("line_emotion", result.emotion) < TOLERANCE
    for layer in LAYERS:
        assert difference(f"line_{layer}", result.layers[layer]) < TOLERANCE


def test_the_line_in_another_server(tmp_path):
    made = tmp_path / "motion.npy"
    subprocess.run([sys.executable, "-c", ANOTHER_SERVER, str(DEMO_LINE), str(made)], cwd=ROOT, check=True)
    assert difference("line_25_fps", np.load(made, allow_pickle=False)) < TOLERANCE


def test_the_line_over_several_windows_of_the_model(engine):
    """Three times the line, so that windows of ten seconds meet in the middle of words."""
    assert difference("three_times", generate(engine, repeat=3).motion) < TOLERANCE


@pytest.mark.parametrize("fps", [24, 30, 50, 60, 24000 / 1001])
def test_every_frame_rate_shows_the_same_at_the_same_time(engine, fps):
    result = generate(engine, fps)
    if fps == 24:
        assert difference("line_24_fps", result.motion) < TOLERANCE
    wanted, times = golden("line_25_fps"), np.arange(len(result.motion)) / fps
    rows = np.round(times * 25)
    same = (np.abs(rows / 25 - times) < 1e-6) & (rows < len(wanted))
    assert same.sum() >= 1
    assert np.abs(result.motion[same] - wanted[rows[same].astype(int)]).max() < TOLERANCE
