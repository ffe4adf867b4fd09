"""Sounds of a reply, and which of two lists are the same."""

import numpy as np
import pytest

from lsf_blender_addon.prediction import sounds
from tests.lsf_blender_addon.fake_client import HEARD, heard


def test_sounds_of_a_reply_in_order():
    header, arrays = heard("one two")
    order = [4, 0, 3, 1, 2]
    header["sounds"] = [header["sounds"][i] for i in order]
    arrays["sound_times"] = arrays["sound_times"][order]
    assert sounds.is_valid(header, arrays)
    found = sounds.from_reply(header, arrays)
    assert found.symbols == tuple(symbol for symbol, *_times in HEARD)
    assert found.words == ("one", "two")
    assert sounds.from_reply({}, {}) is None and sounds.is_valid({}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sounds", "mɑpis"),
        ("sounds", ["m", "", "p", "i", "s"]),
        ("sounds", ["m", "\n", "p", "i", "s"]),
        ("sounds", ["m" * 9, "ɑ", "p", "i", "s"]),
        ("sounds", ["m"]),
        ("words", ["word"]),
        ("words", None),
        ("sound_times", np.zeros((5, 3))),
        ("sound_times", np.full((5, 2), np.nan)),
        ("sound_confidence", np.zeros(4)),
        ("word_times", np.zeros(0)),
    ],
)
def test_malformed_reply_is_refused(name, value):
    header, arrays = heard()
    assert not sounds.is_valid(header | {name: value}, arrays | {name: value})


def test_sound_is_found_again_by_its_time():
    earlier = np.array([[0.5, 0.6], [0.6, 0.8], [3.0, 3.1]])
    now = np.array([[0.48, 0.61], [0.62, 0.70], [0.70, 0.79]])
    assert sounds.matched(earlier, now) == [0, 2, None]
    assert sounds.matched(np.array([[0.5, 0.6], [0.52, 0.6]]), now[:1]) == [0, None]  # one only once
    assert sounds.matched(np.zeros((0, 2)), now) == []
    assert sounds.matched(earlier, np.zeros((0, 2))) == [None] * 3
