"""Edits by hand: found by comparison, kept as ranges; generated motion leads smoothly to them."""

import numpy as np
import pytest

from lsf_blender_addon.animation import user_edits
from lsf_blender_addon.animation.key_reduction import Keys

GENERATED = Keys(
    np.array([10.0, 14, 20, 30, 33]), np.array([0.0, 0.5, 0.2, 0.9, 0.1]), np.array([0.0, 0.02, 0, 0, -0.1])
)


def current(generated=GENERATED, automatic=False) -> user_edits.CurrentKeys:
    """The keys as Blender would give them back: float32."""
    left, right = (pair.astype(np.float32) for pair in generated.handles())
    return user_edits.CurrentKeys(
        generated.frames.astype(np.float32),
        generated.values.astype(np.float32),
        left,
        right,
        np.full(5, automatic),
        np.ones(5, bool),
    )


def edited(now, automatic=False):
    return sorted(user_edits.find_edits(now, GENERATED.frames, GENERATED.values, *GENERATED.handles(), automatic))


def without(now, at) -> user_edits.CurrentKeys:
    return user_edits.CurrentKeys(*(np.delete(part, at, 0) for part in vars(now).values()))


def test_untouched():
    assert edited(current()) == [] and edited(current(automatic=True), automatic=True) == []


@pytest.mark.parametrize(
    ("part", "change"), [("values", 0.01), ("left", (0, 0.05)), ("right", (0.5, 0)), ("right", (0, -0.05))]
)
def test_a_key_that_was_shaped(part, change):
    now = current()
    getattr(now, part)[2] += change
    assert edited(now) == [(20, 20)]


def test_a_key_that_was_moved():
    now = current()
    now.frames[2] = 24
    assert edited(now) == [(14, 24), (24, 24)], "where it was, and where it is"
    assert user_edits.merge_ranges(edited(now), 0) == [(14, 24)]


def test_a_key_that_was_added():
    more = Keys(
        *(np.insert(part, 2, value) for part, value in zip(vars(GENERATED).values(), (17, 0.7, 0), strict=True))
    )
    left, right = more.handles()
    left[[1, 3]], right[[1, 3]] = GENERATED.handles()[0][[1, 2]], GENERATED.handles()[1][[1, 2]]
    now = user_edits.CurrentKeys(more.frames, more.values, left, right, np.zeros(6, bool), np.ones(6, bool))
    assert edited(now) == [(17, 17)]


@pytest.mark.parametrize(("at", "span"), [(2, (14, 30)), (0, (14, 14)), (4, (30, 30)), ([2, 3], (14, 33))])
def test_keys_that_were_deleted(at, span):
    assert user_edits.merge_ranges(edited(without(current(), at)), 0) == [span]


def test_a_curve_without_keys_is_not_an_edit():
    assert edited(without(current(), range(5))) == []


def test_all_keys_are_new():
    assert user_edits.find_edits(current(), *np.zeros((2, 0)), *np.zeros((2, 0, 2)), False) == [
        (frame, frame) for frame in GENERATED.frames
    ]


def test_interpolation_up_to_the_next_key():
    now = current()
    now.bezier[1] = False
    assert edited(now) == [(14, 20)]


def test_handles_that_blender_places_are_not_compared():
    now = current(automatic=True)
    now.left[2] += (0, 0.4)
    assert edited(now, automatic=True) == []
    now.automatic[2] = False
    assert edited(now, automatic=True) == [(20, 20)]


def test_merged_where_they_are_near():
    assert user_edits.merge_ranges([(30, 31), (10, 12), (15, 15), (11, 14)], 2) == [(10, 15), (30, 31)]
    assert user_edits.merge_ranges([], 2) == []


def test_generated_keys_stay_away_from_a_range():
    borders = user_edits.borders([(120, 125), (140.5, 140.5)], 3.84)
    assert borders == [(116, 129), (136, 145)]
    frames = np.arange(100.0, 160)
    assert frames[user_edits.is_between_borders(frames, borders)].tolist() == [*range(117, 129), *range(137, 145)]
    assert not user_edits.is_between_borders(frames, []).any()


def test_inside():
    assert user_edits.is_inside(np.array([9.9, 10, 12, 12.1, 20]), [(10, 12), (20, 20)]).tolist() == [
        False,
        True,
        True,
        False,
        True,
    ]
