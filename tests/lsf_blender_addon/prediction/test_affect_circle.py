"""The picture of the circle of affect."""

import numpy as np

from lsf_blender_addon.client.wire import affect
from lsf_blender_addon.prediction import affect_circle
from lsf_blender_addon.prediction.emotion_segments import COLOURS

SIZE = 64


def at(place: tuple[float, float]) -> tuple[int, int]:
    """Row and column of a place."""
    column, row = (round((axis / affect_circle.MARGIN + 1) / 2 * SIZE - 0.5) for axis in place)
    return row, column


def test_emotions_have_their_colours_where_they_lie():
    picture = affect_circle.picture(SIZE, 0.0, -0.9)
    assert picture.shape == (SIZE, SIZE, 4) and picture.dtype == np.float32
    for name in ("happy", "sad", "angry"):
        inside = tuple(0.9 * axis for axis in affect.PLACES[name])
        np.testing.assert_allclose(picture[at(inside)][:3], COLOURS[name], atol=0.1)
    np.testing.assert_allclose(picture[at((0, 0))][:3], COLOURS["neutral"], atol=0.05)
    assert not picture[0, 0].any() and picture[at((0, 0))][3] == 1


def test_the_point_is_drawn_where_it_is():
    first, second = affect_circle.picture(SIZE, 0.5, 0.5), affect_circle.picture(SIZE, -0.5, 0.5)
    assert first[at((0.5, 0.5))].tolist() == [0, 0, 0, 1] == second[at((-0.5, 0.5))].tolist()
    assert second[at((0.5, 0.5))].tolist() != [0, 0, 0, 1], "the picture of before is not drawn over"
