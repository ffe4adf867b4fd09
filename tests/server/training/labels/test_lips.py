"""Lips on the moving mesh, their inverse, and their metrics."""

from pathlib import Path

import numpy as np
import torch

from server import arkit
from server.face.head import load_head
from server.training import corpora
from server.training.evaluation import metrics
from server.training.labels import lips, targets

JAW = arkit.CHANNELS.index("jawOpen")


def test_aperture_is_that_of_the_landmarks_on_the_moving_head():
    head = load_head()
    curves = np.zeros((3, 52), np.float32)
    curves[:, JAW] = [0, 0.2, 0.5]
    moved = head.landmarks68 + np.tensordot(curves, head.basis[:, head.landmark_vertices], 1)
    wanted = [np.linalg.norm(moved[:, a] - moved[:, b], axis=-1) for a, b in ((62, 66), (48, 54))]
    np.testing.assert_allclose(lips.load_lips()(torch.from_numpy(curves)), np.stack(wanted, 1), atol=2e-5)


def test_retarget_reaches_the_wanted_lips_with_weights_in_range():
    head, generator = lips.load_lips(), torch.Generator().manual_seed(0)
    curves = 0.08 * torch.rand(40, 52, generator=generator)
    aperture = 0.0005 + 0.012 * torch.rand(40, generator=generator)
    width = head.neutral[1] * (0.95 + 0.08 * torch.rand(40, generator=generator))
    solved = lips.retarget(head, curves, aperture, width)
    got = head(solved)
    assert (got[:, 0] - aperture).abs().max() < 0.0005 and (got[:, 1] - width).abs().max() < 0.001
    assert solved.min() >= 0 and solved.max() <= 1
    brows = [i for i, c in enumerate(arkit.CHANNELS) if c.startswith("brow")]
    assert torch.equal(solved[:, brows], curves[:, brows])


def test_cleaned_tracks_are_symmetric_and_rest_at_zero():
    tracked = np.random.default_rng(0).random((51, 52)).astype(np.float32)
    clean = targets.clean_tracked_curves(tracked)
    np.testing.assert_allclose(clean, clean[:, targets.MIRRORED], atol=1e-6)
    gaze = [i for i, c in enumerate(arkit.CHANNELS) if c.startswith("eyeLook")]
    assert (clean[:, gaze] == 0).all() and np.median(clean[:, arkit.CHANNELS.index("browInnerUp")]) == 0


def test_the_rest_width_is_that_of_closed_lips_or_of_the_closest_ones():
    def clip(aperture: list[float], width: list[float]) -> corpora.Clip:
        return corpora.Clip("people", "one", "one", Path("one.flac"), "test", lips=np.array([aperture, width]).T)

    closed = clip([0.001] * 30 + [0.1] * 20, [0.5] * 30 + [0.7] * 20)
    assert targets.rest_width([closed]) == 0.5
    never = clip([0.03] * 10 + [0.1] * 40, [0.55] * 10 + [0.7] * 40)  # a short clip of somebody who talks throughout
    assert targets.rest_width([never]) == 0.55


def test_lip_scores_know_a_perfect_a_late_and_a_deaf_prediction():
    rng = np.random.default_rng(1)
    phones = [("", 0, 0.4), ("ɑ", 0.4, 1.0), ("b", 1.0, 1.2), ("n", 1.2, 1.6), ("", 1.6, 2)]
    clips = []
    for _ in range(9):
        aperture = np.interp(np.arange(50) / 25, [0, 0.4, 0.7, 1.1, 1.4, 2], [0, 0, 1, 0, 0.5, 0])
        aperture += 0.02 * rng.random(50)
        clips.append(np.stack([aperture, aperture], 1))
    perfect = metrics.lip_scores([(c, c, phones) for c in clips])
    assert perfect["aperture_r"].value == 1 and perfect["aperture_lag_ms"] == 0 and perfect["pbm"].value == 1
    late = metrics.lip_scores([(c, np.roll(c, 2, 0), phones) for c in clips])
    assert late["aperture_lag_ms"] == 80 and late["aperture_r"].value < 0.9
    random = metrics.lip_scores([(c, rng.random((50, 2)), phones) for c in clips])
    assert abs(random["aperture_r_speech"].value) < 0.5
