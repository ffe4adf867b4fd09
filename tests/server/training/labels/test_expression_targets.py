"""Expression targets: the poses, and how strongly a line shows one over time."""

import numpy as np

from server.arkit import CHANNELS, channel_indices
from server.protocol.emotions import EMOTIONS
from server.training.labels import expression_targets

RATE, FRAMES = 16000, 150


def voice(loudness: float = 0.1) -> np.ndarray:
    """A buzz from 1.5 to 4 s, silence around it, 6 s in all."""
    t = np.arange(6 * RATE) / RATE
    buzz = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 12))
    return (loudness * buzz * ((t >= 1.5) & (t < 4))).astype(np.float32)


def talking(jaw: float) -> np.ndarray:
    """Curves with a jaw that is always open by `jaw`."""
    curves = np.zeros((FRAMES, len(CHANNELS)), np.float32)
    curves[:, CHANNELS.index("jawOpen")] = jaw
    return curves


def test_every_pose_moves_channels_that_exist_and_contempt_one_side():
    for name in EMOTIONS:
        assert (expression_targets.pose(name).max() > 0.3) == (name != "neutral")
        assert all(channel_indices(channel) for channel in expression_targets.POSES[name])
    contempt = expression_targets.poses()[EMOTIONS.index("contempt")]
    left, right = (contempt[CHANNELS.index(f"mouthDimple{side}")] for side in ("Left", "Right"))
    assert left > 0 and right == 0


def test_the_expression_comes_with_the_speech_and_goes_after_it():
    shown = expression_targets.intensity(voice(), talking(0.4))
    assert shown.shape == (FRAMES,) and shown.dtype == np.float32
    assert shown[:25].max() < 0.01 and shown[60:95].min() > 0.6 and shown[-5:].max() < 0.1 * shown.max()
    assert np.abs(np.diff(shown)).max() < 0.15  # no jump


def test_sound_during_which_the_lips_do_not_move_shows_nothing():
    assert not expression_targets.intensity(voice(), talking(0.0)).any()


def test_the_intensity_does_not_depend_on_the_level_of_the_recording():
    quiet, loud = (expression_targets.intensity(voice(level), talking(0.4)) for level in (0.02, 0.2))
    np.testing.assert_allclose(quiet, loud, atol=0.02)
