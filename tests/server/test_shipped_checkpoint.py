"""The checkpoint that ships: every part of the model counts, and what it shows is what was asked for."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from server import arkit
from server.engine import DEFAULT_CHECKPOINT
from server.files.audio import load_16k
from server.model import LSF
from server.performance.emotion.direction import Direction
from server.performance.lip_contact import opening
from server.performance.perform import perform
from server.protocol.emotions import EMOTIONS
from server.training.evaluation import ablation
from server.training.labels.expression_targets import pose

DEMO_LINE = Path(__file__).parents[2] / "lsf_blender_addon" / "assets" / "demo_line.flac"
LEAST_CHANGE = 0.03  # of a weight; a part that changes no curve by more carries nothing that can be seen
SHOWN = [name for name in EMOTIONS if name != "neutral"]


@pytest.fixture(scope="module")
def model() -> LSF:
    return LSF.from_pretrained(DEFAULT_CHECKPOINT)


@pytest.fixture(scope="module")
def line() -> np.ndarray:
    return load_16k(DEMO_LINE)


@pytest.fixture(scope="module")
def lines(model, line):
    """The demo line with each emotion at full strength, encoded once."""
    with ablation.encoded_once(model):
        yield {name: perform(model, line, direction=Direction.constant(name)) for name in EMOTIONS}


@pytest.mark.parametrize(
    "switch",
    [
        ablation.without_hifb,
        partial(ablation.changed_bank, change=ablation.one_place),
        partial(ablation.changed_bank, change=ablation.noise_places),
        partial(ablation.changed_stream, index=1, change=ablation.over_time),
        ablation.random_identity,
        ablation.without_quantiser,
        partial(ablation.only_branch, kind="linear"),
        partial(ablation.only_branch, kind="conv"),
    ],
    ids=["hifb", "one emotion", "noise for emotions", "motion stream", "identity", "codes", "conv", "linear"],
)
def test_no_part_of_the_model_is_dead(model, line, lines, switch):
    with switch(model):
        changed = perform(model, line, direction=Direction.constant("angry")).motion
    assert np.abs(changed - lines["angry"].motion).max() > LEAST_CHANGE


@pytest.mark.parametrize("name", SHOWN)
def test_a_chosen_emotion_shows_its_own_pose(lines, name):
    """The mean change over the line is more like this emotion's pose than like any other's, and not a faint one."""
    change = lines[name].expression.mean(0)

    def likeness(other: str) -> float:
        weights = pose(other)
        return float(change @ weights / np.linalg.norm(change) / np.linalg.norm(weights))

    assert max(SHOWN, key=likeness) == name and likeness(name) > 0.8
    assert change @ pose(name) > 0.3 * pose(name) @ pose(name)


def test_half_the_strength_shows_half_of_it(model, line, lines):
    half = perform(model, line, direction=Direction.constant("sad", 0.5)).expression
    brow = arkit.CHANNELS.index("browInnerUp")
    assert half[:, brow].mean() == pytest.approx(lines["sad"].expression[:, brow].mean() / 2, rel=0.15)


def test_an_emotion_does_not_open_lips_that_meet(lines):
    met = opening(lines["neutral"].motion) < 1e-4
    assert met.sum() > 5
    for name in SHOWN:
        assert opening(lines[name].motion)[met].max() < 1e-3
