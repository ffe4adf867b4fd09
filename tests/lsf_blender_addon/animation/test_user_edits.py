"""Edits by hand: found by comparison, kept as ranges; generated motion leads smoothly to them."""

import numpy as np
import pytest

from lsf_blender_addon.animation import user_edits
from lsf_blender_addon.animation.key_reduction import Keys

GENERATED = Keys(
    np.array([10.0, 14, 20, 30, 33]), np.array([0.0, 0.5, 0.2, 0.9, 0.1]), np.array([0.0, 0.02, 0, 0, -0.1])
)


WINDOW = (10, 33)
EVERY_FRAME = Keys(GENERATED.frames, GENERATED.values, np.full(5, np.nan))  # Blender places the handles


def current(generated=GENERATED) -> user_edits.CurrentKeys:
    """The keys as Blender would give them back: float32."""
    left, right = (np.nan_to_num(pair).astype(np.float32) for pair in generated.handles())
    return user_edits.CurrentKeys(
        generated.frames.astype(np.float32),
        generated.values.astype(np.float32),
        left,
        right,
        generated.automatic,
        np.ones(len(generated.frames), bool),
    )


def edited(now, generated=GENERATED, window=WINDOW):
    found = user_edits.find_edits(now, generated.frames, generated.values, *generated.handles(), window)
    return user_edits.merge_ranges(found, 0)


def without(now, at) -> user_edits.CurrentKeys:
    return user_edits.CurrentKeys(*(np.delete(part, at, 0) for part in vars(now).values()))


def with_keys(frames, values) -> user_edits.CurrentKeys:
    """The keys as they are after the artist has inserted some; Blender has shortened the handles beside them."""
    order = np.argsort(np.r_[GENERATED.frames, frames], kind="stable")
    more = Keys(
        *(
            np.r_[own, new][order]
            for own, new in zip(vars(GENERATED).values(), (frames, values, np.zeros(len(frames))), strict=True)
        )
    )
    return current(more)


def test_untouched():
    assert edited(current()) == [] and edited(current(EVERY_FRAME), EVERY_FRAME) == []


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
    assert edited(now) == [(14, 24)], "from where it was"


def test_keys_that_were_added():
    assert edited(with_keys([17.0], [0.7])) == [(17, 17)]
    assert edited(with_keys([12.0, 17.0], [0.7, 0.1])) == [(12, 12), (17, 17)], "a generated key is between them"


def test_the_curve_between_two_of_the_artists_keys_is_theirs():
    assert edited(with_keys([22.0, 27.0], [0.7, 0.1])) == [(22, 27)]
    now = current()
    now.values[[1, 2, 3]] *= 0.5  # scaled in the Graph Editor
    assert edited(now) == [(14, 30)]


@pytest.mark.parametrize(("at", "span"), [(2, (14, 30)), (0, (10, 14)), (4, (30, 33)), ([2, 3], (14, 33))])
def test_keys_that_were_deleted(at, span):
    assert edited(without(current(), at)) == [span]


def test_a_window_without_keys_is_not_an_edit():
    assert edited(without(current(), range(5))) == []


def test_all_keys_are_new():
    """The artist has keyed a curve where nothing was generated."""
    assert user_edits.find_edits(current(), *np.zeros((2, 0)), *np.zeros((2, 0, 2)), WINDOW) == [
        *((frame, frame) for frame in GENERATED.frames),
        *zip(GENERATED.frames[:-1], GENERATED.frames[1:], strict=True),
    ]


def test_interpolation_up_to_the_next_key():
    now = current()
    now.bezier[1] = False
    assert edited(now) == [(14, 20)]


def test_handles_that_blender_places_are_not_compared():
    now = current(EVERY_FRAME)
    now.left[2] += (0, 0.4)
    assert edited(now, EVERY_FRAME) == []
    now.automatic[2] = False
    assert edited(now, EVERY_FRAME) == [(20, 20)]


def test_handles_that_point_out_of_the_window_have_any_length():
    """There, keys may have come, gone or moved."""
    now = current()
    for pair, at in ((now.left, 0), (now.right, 4)):
        co = np.array([GENERATED.frames[at], GENERATED.values[at]])
        pair[at] = co + 7 * (pair[at] - co)
    assert edited(now) == []
    assert edited(with_keys([11.0, 32.0], [0.7, 0.1])) == [(11, 11), (32, 32)]
    now.left[0] += (0, 0.4)
    now.right[1] += (0, 0.4)
    assert edited(now) == [(10, 14)], "but they keep their direction"


def test_handles_late_in_time():
    """Single precision rounds frames to 1/16 at 500 000; what the artist does is larger."""
    late = Keys(GENERATED.frames + 500_000, GENERATED.values, GENERATED.slopes)
    window = 500_010, 500_033
    now = current(late)
    assert edited(now, late, window) == []
    now.left[2] += (0, 0.05)
    assert edited(now, late, window) == [(500_020, 500_020)]


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
