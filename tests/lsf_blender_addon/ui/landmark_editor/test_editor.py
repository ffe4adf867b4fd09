"""What the pointer and the keys do to landmarks, without a window."""

import numpy as np
import pytest

from lsf_blender_addon.scene.landmarks import points
from lsf_blender_addon.scene.landmarks.surface import Surface
from lsf_blender_addon.ui.landmark_editor.editor import Editor, mirror_plane, to_pixels

FORWARD = np.array([0.0, 1, 0])
NOWHERE = (-900, -900)


def wall() -> Surface:
    """A flat face: the square from −1 to 1 in x and z at y = 0, in fine triangles."""
    x, z = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
    first = (np.arange(20) + 21 * np.arange(20)[:, None]).ravel()
    quads = np.column_stack([first, first + 1, first + 22, first + 21])
    return Surface(
        np.column_stack([x.ravel(), 0 * x.ravel(), z.ravel()]), np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    )


def spots() -> np.ndarray:
    """(68, 3) made-up places, symmetrical in x, none two the same; right is at −x."""
    where = np.zeros((68, 3))
    for point in range(68):
        right = point in points.RIGHT
        row = points.RIGHT.index(point if right else points.MIRROR[point]) if point in points.MIRROR else point / 2
        side = (-1 if right else 1) if point in points.MIRROR else 0
        where[point] = side * (0.2 + 0.02 * row), 0, row / 40 - 0.4
    return where


@pytest.fixture
def editor() -> Editor:
    surface = wall()
    return Editor(surface, {i: surface.closest_point(spot) for i, spot in enumerate(spots())}, {})


def screen(editor) -> np.ndarray:
    """(68, 2) pixels, as if seen from the front: 1000 a unit."""
    return editor.positions()[:, [0, 2]] * 1000


def ray(x, z):
    return np.array([x, -5.0, z]), FORWARD


def drag(editor, point, to):
    editor.hover(screen(editor), screen(editor)[point] + (3, -2))
    assert editor.hovered == point
    editor.press(*ray(*to))
    editor.drag(*ray(*to))
    editor.release()


def test_a_dragged_point_is_the_artists(editor):
    drag(editor, 48, (-0.31, 0.2))
    assert set(editor.own) == {48} and editor.changed
    np.testing.assert_allclose(editor.position(48), (-0.31, 0, 0.2), atol=1e-9)
    np.testing.assert_allclose(editor.position(54), spots()[54], atol=1e-9)


def test_the_pointer_picks_the_nearest_within_reach(editor):
    pixels = screen(editor)
    editor.hover(pixels, pixels[30] + (5, 0))
    assert editor.hovered == 30
    editor.hover(pixels, NOWHERE)
    assert editor.hovered is None
    pixels[30] = np.nan  # behind the viewer
    editor.hover(pixels, (0, screen(editor)[30, 1]))
    assert editor.hovered != 30


def test_a_click_alone_changes_nothing(editor):
    editor.hover(screen(editor), screen(editor)[8])
    editor.press(*ray(0, 0))
    editor.release()
    assert not editor.own and not editor.changed


def test_a_landmark_does_not_move_beside_the_surface(editor):
    editor.hover(screen(editor), screen(editor)[8])
    editor.press(*ray(0, 0))
    editor.drag(*ray(0.1, 0.1))
    editor.drag(*ray(5, 0.1))
    editor.release()
    np.testing.assert_allclose(editor.position(8), (0.1, 0, 0.1), atol=1e-9)


def test_mirror_copies_the_side_under_the_pointer(editor):
    drag(editor, 48, (-0.37, 0.25))
    drag(editor, 45, (0.5, 0.5))
    drag(editor, 30, (0.02, 0))
    editor.hover(screen(editor), screen(editor)[48])
    editor.mirror()
    np.testing.assert_allclose(editor.position(54), (0.37, 0, 0.25), atol=1e-6)
    np.testing.assert_allclose(editor.position(45), (0.5, 0, 0.5), atol=1e-9)
    assert set(editor.own) == {48, 54, 45, 30}, "45 was not on the side that was mirrored, 30 is on the middle"
    editor.undo()
    assert set(editor.own) == {48, 45, 30}


def test_mirror_without_a_pointer_takes_the_side_with_more(editor):
    drag(editor, 45, (0.5, 0.5))
    drag(editor, 54, (0.4, -0.3))
    drag(editor, 36, (-0.1, 0.1))
    editor.hover(screen(editor), NOWHERE)
    editor.mirror()
    np.testing.assert_allclose(editor.position(36), (-0.5, 0, 0.5), atol=1e-6)
    assert set(editor.own) == {45, 54, 36, 48}


def test_mirror_of_a_turned_face():
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    normal, offset = mirror_plane(spots() @ turn.T + (3, 4, 5))
    np.testing.assert_allclose(normal, turn[:, 0], atol=1e-9)
    assert offset == pytest.approx(turn[:, 0] @ (3, 4, 5))
    assert mirror_plane(np.full((68, 3), np.nan)) is None


def test_reset_one_and_all(editor):
    drag(editor, 48, (-0.3, 0.2))
    drag(editor, 8, (0, -0.9))
    editor.hover(screen(editor), screen(editor)[8])
    editor.reset()
    assert set(editor.own) == {48}
    np.testing.assert_allclose(editor.position(8), spots()[8], atol=1e-9)
    editor.hover(screen(editor), NOWHERE)
    editor.reset()
    assert set(editor.own) == {48}, "no point under the pointer"
    editor.reset(everything=True)
    assert not editor.own
    editor.undo()
    assert set(editor.own) == {48}


def test_undo_goes_back_to_the_beginning(editor):
    drag(editor, 48, (-0.3, 0.2))
    drag(editor, 48, (-0.4, 0.2))
    editor.undo()
    np.testing.assert_allclose(editor.position(48), (-0.3, 0, 0.2), atol=1e-9)
    editor.undo()
    editor.undo()
    assert not editor.own and not editor.changed


def test_four_points(editor):
    assert not editor.anchors_only and len(editor.shown) == 68
    editor.hover(screen(editor), screen(editor)[20])
    editor.toggle_anchors_only()
    assert editor.shown == [48, 54, 30, 8] and editor.hovered is None and editor.missing is None
    editor.hover(screen(editor), screen(editor)[20])
    assert editor.hovered is None, "a point that is not shown is not picked"


def test_four_clicks_place_the_anchors_of_a_face_that_was_not_found():
    editor = Editor(wall(), {}, {})
    assert editor.anchors_only and not editor.shown and np.isnan(editor.positions()).all()
    editor.hover(screen(editor), (0, 0))
    editor.press(*ray(5, 5))  # beside the surface
    editor.release()
    assert editor.missing == 48 and not editor.changed
    for point, spot in zip(points.ANCHORS, [(-0.3, -0.4), (0.3, -0.4), (0, 0), (0, -0.8)], strict=True):
        assert editor.missing == point
        editor.hover(screen(editor), np.array(spot) * 1000)
        editor.press(*ray(*spot))
        editor.drag(*ray(*spot))
        editor.release()
    assert editor.missing is None and set(editor.own) == set(points.ANCHORS)
    editor.hover(screen(editor), NOWHERE)
    editor.press(*ray(0.5, 0.5))
    editor.release()
    assert len(editor.own) == 4, "a click beside all points places no fifth"


def test_points_are_seen_where_the_view_shows_them():
    matrix = np.array([[2, 0, 0, 0], [0, 0, 2, 0], [0, 1, 0, 0], [0, 1, 0, 0]], float)  # from the origin along +y
    seen = to_pixels(np.array([[0, 2, 0], [1, 2, 0], [0, 2, -1], [0, -2, 0.0]]), matrix, 200, 100)
    np.testing.assert_allclose(seen[:3], [[100, 50], [200, 50], [100, 0]])
    assert np.isnan(seen[3]).all()


def test_numbering():
    assert len(points.RIGHT) == 29 and all(points.MIRROR[points.MIRROR[p]] == p for p in points.MIRROR)
    assert {p for _name, line, _closed in points.LINES for p in line} == set(range(68))
    assert points.name(48) == "Right Mouth Corner" and points.name(0) == "Jaw" and points.line_name(62) == "Inner Lips"
    assert (41, 36) in points.segments() and (16, 0) not in points.segments()
