"""What the predictor is trained on: speech with the expression of random emotions."""

import numpy as np
import torch

from server import arkit
from server.protocol.emotions import EMOTIONS
from server.training import train_predictor
from server.training.labels import expression_targets

NEUTRAL = EMOTIONS.index("neutral")
SMILE = arkit.CHANNELS.index("mouthSmileLeft")


def test_emotions_are_drawn_alone_mixed_and_not_at_all():
    drawn = train_predictor.draw_emotions(4000, np.random.default_rng(0))
    assert drawn.min() >= 0 and drawn.sum(1).max() <= 1 + 1e-6 and not drawn[:, NEUTRAL].any()
    several = (drawn > 0).sum(1)
    assert abs((several == 0).float().mean() - train_predictor.NEUTRAL_SHARE) < 0.03
    assert abs((several == 2).float().mean() - train_predictor.MIXED_SHARE) < 0.03
    assert (drawn > 0).any(0).sum() == len(EMOTIONS) - 1


def test_an_expression_is_added_by_its_weight_and_by_the_intensity_of_the_voice():
    speech = torch.full((2, 3, 52), 0.1)
    intensity = torch.tensor([[0.0, 0.5, 1.0]]).expand(2, -1)
    emotions = torch.zeros(2, len(EMOTIONS))
    emotions[0, EMOTIONS.index("happy")] = 0.5
    curves = train_predictor.add_expression(speech, intensity, emotions, torch.from_numpy(expression_targets.poses()))
    smile = expression_targets.POSES["happy"]["mouthSmile"]
    torch.testing.assert_close(curves[0, :, SMILE], 0.1 + 0.5 * smile * intensity[0])
    torch.testing.assert_close(curves[1], speech[1])
    wide = train_predictor.add_expression(10 * speech, intensity, emotions, torch.ones(8, 52))
    assert wide.max() == 1


def test_the_size_of_an_expression_is_its_slope_on_the_target():
    wanted = np.random.default_rng(0).random((3, 50))
    wanted[2] = 0  # neutral: nothing is to change
    predicted = np.array([[0.5], [1.2], [0.0]]) * wanted
    np.testing.assert_allclose(train_predictor.expression_sizes(predicted, wanted), [0.5, 1.2, 1.0])


def test_an_expression_that_was_not_learned_is_not_magnified():
    """An emotion without a line in the corpora has the place of neutral, and changes nothing."""
    gains = train_predictor.expression_gain(np.array([0.8, 1.0, 0.0, -0.05]))
    torch.testing.assert_close(gains, torch.tensor([1.25, 1.0, 1.0, 1.0], dtype=gains.dtype))


def test_the_finishing_steps_see_more_of_the_tracked_face():
    shares = {"grid": 0.3, "kokoro": 0.2, "emodb": 0.1}
    finishing = train_predictor.finishing_shares(shares)
    assert finishing["grid"] == train_predictor.FINISHING_SHARE and abs(sum(finishing.values()) - 1) < 1e-9
    assert abs(finishing["kokoro"] / finishing["emodb"] - 2) < 1e-9
    assert train_predictor.finishing_shares({"kokoro": 0.2}) == {"kokoro": 1.0}
