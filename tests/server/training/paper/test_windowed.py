"""Layers that work in windows while the others see the whole clip."""

import dataclasses

import numpy as np
import pytest
import soundfile
import torch

from server.model import LSF, LSFConfig
from server.training.paper import windowed
from server.training.paper.fusion_tokens import run
from tests.server.training.paper.examples import random_example
from tests.server.training.paper.tiny import tiny

WITHOUT_ENCODERS = [kind for kind in windowed.KINDS if kind != windowed.ENCODERS]


@pytest.fixture(scope="module", params=["paper", "released"])
def model(request):
    torch.manual_seed(0)
    return LSF(tiny(getattr(LSFConfig, request.param)())).eval().requires_grad_(False)


def cut(example, start, end):
    """A window of a clip as a clip of its own."""
    return dataclasses.replace(
        example,
        motion=example.motion[:, 2 * start : 2 * end],
        emotion=example.emotion[:, 2 * start : 2 * end],
        curves=example.curves[:, start:end],
    )


def test_all_kinds_together_are_separate_windows(model):
    example = random_example(1, frames=25)
    together = windowed.windowed_run(model, example, WITHOUT_ENCODERS, 10)
    apart = [run(model, cut(example, start, min(start + 10, 25))) for start in (0, 10, 20)]
    for name in ("z", "motion"):
        expected = torch.cat([getattr(part, name) for part in apart], 1)
        torch.testing.assert_close(getattr(together, name), expected, rtol=1e-4, atol=1e-5)


def test_one_window_changes_nothing(model):
    example = random_example(1, frames=25)
    for kind in WITHOUT_ENCODERS:
        changed = windowed.windowed_run(model, example, [kind], 25)
        torch.testing.assert_close(changed.motion, run(model, example).motion, rtol=1e-4, atol=1e-5)


def test_each_kind_changes_what_it_can_reach(model):
    example = random_example(1, frames=25)
    plain = run(model, example)
    for kind in WITHOUT_ENCODERS:
        changed = windowed.windowed_run(model, example, [kind], 10)
        assert torch.equal(changed.z, plain.z) == kind.startswith(("codes", "decoder")), kind
        nothing = kind == "codes" and model.config.code_layout == "frame"
        assert torch.equal(changed.motion, plain.motion) == nothing, kind
    assert torch.equal(run(model, example).motion, plain.motion), "nothing stays behind"


def test_encoders_hear_windows_of_the_file(model, tmp_path):
    sound = 0.1 * np.random.default_rng(0).standard_normal(16000)
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    example = random_example(1, frames=25)
    example = dataclasses.replace(example, clip=dataclasses.replace(example.clip, audio=tmp_path / "a.wav"))
    whole, windows = (windowed.encoded_in_windows(model, example, frames) for frames in (25, 10))
    assert windows.motion.shape == whole.motion.shape == (1, 50, 16)
    audio = torch.from_numpy(soundfile.read(tmp_path / "a.wav", dtype="float32")[0])
    torch.testing.assert_close(whole.emotion[0], model.encode_audio(audio)[1])
    assert not torch.allclose(windows.motion, whole.motion)
    changes = windowed.window_changes(model, [whole], 10)
    assert list(changes) == [*windowed.KINDS, windowed.ALL] and changes[windowed.ENCODERS].latent > 0
    (whole_error, whole_jaw), (error, jaw) = windowed.errors_by_length(model, [whole], [25, 10])
    assert changes[windowed.ALL].error == pytest.approx(error / whole_error - 1, rel=1e-3, abs=1e-6)
    assert changes[windowed.ALL].jaw == pytest.approx(jaw, abs=1e-5) and whole_jaw != jaw
