"""Phone by phone tests of the lips."""

import numpy as np

from server.training import FPS
from server.training.evaluation import metrics


def test_rounding_is_looked_up_at_the_middle_of_the_phone():
    rounding = np.zeros(2 * FPS)
    rounding[FPS - 2 : FPS + 3] = 1  # about 1 s
    assert metrics.rounding_tests(rounding, [("", 0, 0.4), ("u", 0.9, 1.1), ("w", 1.5, 1.7)]) == [True, False]


def test_a_phone_after_the_last_frame_is_not_scored():
    rounding = np.zeros(2 * FPS)
    rounding[0] = 1  # a phone at 2 s would find it if its frame wrapped around
    assert metrics.rounding_tests(rounding, [("u", 1.95, 2.05), ("ʃ", 2.1, 2.3)]) == []


def test_lips_meet_on_labials_and_part_on_other_sounds():
    phones = [("ɑ", 0.2, 0.6), ("b", 0.6, 0.8), ("ɑ", 0.8, 1.2), ("n", 1.2, 1.5), ("ɑ", 1.5, 1.9)]
    aperture = np.interp(np.arange(2 * FPS) / FPS, [0, 0.4, 0.7, 1, 2], [0, 1, 0, 1, 0.5])
    tests = metrics.phone_tests(aperture, phones)
    assert tests["contact"] == tests["pbm"] == [True]
    assert tests["no_false_contact"] == [True]  # n alone is far enough from both ends and from b
    never = metrics.phone_tests(aperture + 1, phones)
    assert never["contact"] == [False] and never["pbm"] == [True]
