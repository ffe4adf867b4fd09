"""Where sounds are drawn, and which labels have room."""

import numpy as np
import pytest

from lsf_blender_addon.prediction import sound_poses
from lsf_blender_addon.ui.sound_timeline import layout
from lsf_blender_addon.ui.sound_timeline.layout import Place

TIMES = np.array([[-0.2, -0.1], [-0.1, 0.1], [0.1, 0.3], [0.3, 0.3], [0.9, 1.2], [1.2, 1.4]])
LABELS = ("a", "b", "c", "d", "e", "f")


def test_only_what_the_line_plays_is_drawn():
    row = layout.clipped(TIMES, LABELS, 1.0)
    assert row.labels == ("b", "c", "e") and row.indices.tolist() == [1, 2, 4]
    np.testing.assert_allclose(row.times, [[0, 0.1], [0.1, 0.3], [0.9, 1.0]])


def test_labels_without_room_are_left_out():
    row = layout.clipped(TIMES, LABELS, 1.0)
    widths = np.full(3, 8.0)
    shown = layout.shown_labels(row, widths, Place(0, 100, 0, 17, 0), 2000)
    assert shown == [(1, pytest.approx(16.0))]  # 20 pixels wide; the others have 10
    assert [i for i, _x in layout.shown_labels(row, widths, Place(0, 200, 0, 17, 0), 2000)] == [0, 1, 2]
    assert layout.shown_labels(row, widths, Place(0, 1, 0, 17, 0), 2000) == []
    assert layout.shown_labels(row, widths, Place(-500, 200, 0, 17, 0), 100) == []  # outside of the region
    wide = layout.shown_labels(row, widths, Place(-1000, 8000, 0, 17, 0), 100)
    assert wide == [(1, pytest.approx(46.0))]  # its ends are far outside: it is in the middle of what can be seen


def test_click_finds_the_sound_of_the_line():
    row, place = layout.clipped(TIMES, LABELS, 1.0), Place(50, 100, 0, 17, 0)
    assert layout.index_at(row, place, 50 + 20) == 2
    assert layout.index_at(row, place, 50 + 95) == 4
    assert layout.index_at(row, place, 50 + 50) is None  # a pause
    assert layout.index_at(row, place, 10) is None


def test_boxes_have_two_triangles_each():
    corners = layout.rectangles(np.array([[1.0, 3.0]]), inset=0.25)
    assert sorted(map(tuple, corners.tolist())) == sorted(
        [(1, 0.25), (3, 0.25), (1, 0.75), (3, 0.25), (3, 0.75), (1, 0.75)]
    )


def test_every_viseme_has_a_light_colour_of_its_own():
    visemes = {sound.viseme for symbol, sound in sound_poses.table().sounds.items() if symbol} - {"sil"}
    assert visemes == layout.COLOURS.keys()
    assert len(set(layout.COLOURS.values())) == len(visemes)
    for red, green, blue in layout.COLOURS.values():  # contrast of black letters by WCAG 2: 4.5 is enough
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ np.array([red, green, blue]) ** 2.2
        assert (luminance + 0.05) / 0.05 > 4.5
    assert layout.colour("PP", 0.0, True)[3] < layout.colour("PP", 1.0, True)[3]
    assert layout.colour("PP", 1.0, False)[3] == layout.TAKEN_OUT
