"""Keys of a head's own, which follow the channels of a line."""

import numpy as np

from lsf_blender_addon.prediction import rig_drive
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.rigs.drive import Drive

CHANNELS = ("jawOpen", "browInnerUp")


def test_lips_that_the_artist_closes_are_not_opened_by_what_holds_all_through_the_line():
    """A brow that is up in all frames explains a part of what the keys of the mouth do in all of them."""
    matrix = np.array([[1.0, 0.0], [0.5, 1.0]], np.float32)
    limits = np.zeros(2, np.float32), np.ones(2, np.float32)
    drive = Drive(("aa", "brows"), matrix, np.full((3, 2), 0.1, np.float32), *limits)
    motion = np.array([[0.2, 0.8], [0.0, 0.8], [0.1, 0.8]], np.float32)
    nothing = np.zeros((3, 0), np.float32), 0.0, 0, np.zeros((2, 0, 3), np.float32)
    predicted = Prediction(24.0, CHANNELS, motion, np.zeros_like(motion), (), *nothing, drive=drive)
    made = rig_drive.on_keys(predicted, motion, np.array([0.0, 1.0, 0.5], np.float32))
    np.testing.assert_allclose(made.motion[:, 0], [0.7, 0.0, 0.1 + 0.25], atol=1e-6)
    np.testing.assert_allclose(made.motion[:, 1], 0.9, atol=1e-6)
