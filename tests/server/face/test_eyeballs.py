"""Eyes as balls, half spheres and caps; names that help, and names that contradict the shape."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face import parts
from server.face.eyeballs import fit_sphere
from server.face.head import HeadPart, load_head
from server.face.seam_closure import seam_vertices
from server.face.space import fit
from tests.eye_shapes import cap

EYES = (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT)
EYE = parts.NAMED + (1 << parts.LEFT_EYE) + (1 << parts.RIGHT_EYE)
LASHES = parts.NAMED + (1 << parts.FOLLOWING)
TEETH = parts.NAMED + (1 << parts.UPPER_TEETH) + (1 << parts.LOWER_TEETH)
TONGUE = parts.NAMED + (1 << parts.TONGUE)


def strip(edge, reach):
    """A strip from a row of points (N, 3) to the points that lie `reach` (3,) farther."""
    first, second = np.arange(len(edge) - 1), np.arange(1, len(edge))
    triangles = np.concatenate(
        [np.stack([first, second, first + len(edge)], 1), np.stack([second, second + len(edge), first + len(edge)], 1)]
    )
    return np.concatenate([edge, edge + reach]), triangles


@pytest.fixture(scope="module")
def person():
    """Another identity of the project's head without loose parts: vertices, triangles, landmarks, and its eyeballs."""
    head = load_head()
    vertices = head.with_identity(np.random.default_rng(7).normal(size=50)).astype(float)
    triangles = head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)]
    balls = [vertices[head.part == part] for part in EYES]
    eyes = [((ball.min(0) + ball.max(0)) / 2, np.ptp(ball, axis=0).mean() / 2) for ball in balls]
    return vertices, triangles, vertices[head.landmark_vertices], eyes


def lashes_of(person):
    """Upper lashes of both eyes, 9 mm long, that stand out from the lids."""
    seams = seam_vertices(load_head())
    pieces = []
    for side in ("left", "right"):
        edge = person[0][seams[f"upper_lid_{side}"]]
        pieces.append(strip(edge[np.argsort(edge[:, 0])] - (0, 0.0005, 0), np.array((0, -0.007, 0.0055))))
    return pieces


def fit_with(person, pieces, names=None):
    """Fit the head with further pieces, of which some are named; return the space and the vertices of each piece."""
    vertices, triangles, landmarks, _eyes = person
    members = []
    for points, corners in pieces:
        members.append(np.arange(len(vertices), len(vertices) + len(points)))
        triangles = np.concatenate([triangles, corners + len(vertices)])
        vertices = np.concatenate([vertices, points])
    given = np.full(len(vertices), parts.AUTOMATIC)
    for name, rows in zip(names or (), members, strict=False):
        given[rows] = name
    space = fit(vertices, triangles, landmarks, given)
    return space, vertices, members


def part_of(space, rows):
    (part,) = np.unique(space.parts[rows])
    return int(part)


@pytest.mark.parametrize(
    ("depth", "cornea", "disc", "around", "rings"),
    [
        (2, 0, False, 20, 10),
        (1, 0, False, 20, 10),
        (1, 0.1, False, 20, 10),
        (1, 0, True, 20, 10),
        (0.5, 0.1, True, 8, 4),
    ],
)
def test_the_centre_of_a_sphere_from_a_part_of_it(depth, cornea, disc, around, rings):
    points, triangles = cap(0.012, depth, cornea, disc, around, rings)
    corners = points[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weight = np.bincount(triangles.ravel(), np.repeat(area, 3), len(points))
    place = np.array((3, 2, 1))
    sphere = fit_sphere(points + place, weight)
    assert np.linalg.norm(sphere.centre - place) < 0.0008 and sphere.radius == pytest.approx(0.012, rel=0.06)


@pytest.mark.parametrize(
    ("size", "depth", "cornea", "disc"),
    [(1, 1, 0, False), (0.8, 1, 0.08, False), (1.5, 1, 0.08, False), (1, 1, 0, True), (1.2, 0.35, 0, False)],
)
def test_half_spheres_and_caps_are_eyes_that_turn_about_their_own_centre(person, size, depth, cornea, disc):
    """Without names. They neither blink nor bend, and lashes and a pupil before and in them stay what they are."""
    pieces, centres = [], []
    for middle, radius in person[3]:
        points, triangles = cap(size * radius, depth, cornea, disc)
        centres.append(middle + np.array((0, (size - 1) * radius, 0)))  # a larger eye has its front at the same place
        pieces.append((points + centres[-1], triangles))
    pupil, corners = cap(0.003, 0.2)
    pieces += [*lashes_of(person), (pupil + centres[0] - (0, size * person[3][0][1] - 0.004, 0), corners)]
    space, vertices, (left, right, *lashes, pupil) = fit_with(person, pieces)
    assert part_of(space, left) == parts.LEFT_EYE and part_of(space, right) == parts.RIGHT_EYE
    assert all(part_of(space, rows) == parts.FOLLOWING for rows in lashes)
    assert part_of(space, pupil) == parts.LEFT_EYE
    assert space.report["doubtful_parts"] == []
    for rows, side, centre in ((left, "Left", centres[0]), (right, "Right", centres[1])):
        assert np.abs(space.basis[CHANNELS.index("eyeBlink" + side), rows]).max() == 0
        turned = vertices[rows] + space.basis[CHANNELS.index("eyeLookUp" + side), rows] - centre
        reach = np.linalg.norm(vertices[rows] - centre, axis=1)
        np.testing.assert_allclose(np.linalg.norm(turned, axis=1), reach, atol=0.0006)
        front = vertices[rows].argmin(0)[1]
        assert turned[front, 2] > 0.3 * size * person[3][0][1], "it looks up"
    assert np.linalg.norm(space.basis[CHANNELS.index("eyeBlinkLeft"), lashes[0]], axis=1).max() > 0.004


def test_names_and_shapes_that_agree_raise_no_doubt(person):
    """An eye, lashes, upper teeth and tongue of the head itself, with their names."""
    head = load_head()
    whole = head.with_identity(np.random.default_rng(7).normal(size=50)).astype(float)
    given = np.full(len(whole), parts.AUTOMATIC)
    for part, name in ((HeadPart.EYE_LEFT, EYE), (HeadPart.EYE_RIGHT, EYE), (HeadPart.TONGUE, TONGUE)):
        given[head.part == part] = name
    given[np.isin(head.part, (HeadPart.TEETH_UPPER, HeadPart.TEETH_LOWER))] = TEETH
    space = fit(whole, head.faces, person[2], given)
    assert space.report["doubtful_parts"] == []
    plain = fit(whole, head.faces, person[2])
    np.testing.assert_array_equal(space.parts, plain.parts)
    assert set(np.unique(space.parts)) == set(range(parts.STILL - 1))


def test_a_name_decides_where_the_shape_tells_little_and_the_doubt_is_told(person):
    """A flat card before the eyeball is named as an eye, a bar before the lips as teeth."""
    middle, radius = person[3][0]
    card = strip(middle + [(x, -radius - 0.004, -0.008) for x in (-0.011, 0, 0.011)], np.array((0, 0, 0.004)))
    lips = person[2][48:68]
    bar = strip(lips.mean(0) + [(x, -0.012, 0) for x in (-0.01, 0, 0.01)], np.array((0, 0, 0.006)))
    plain, _, (first, second) = fit_with(person, [card, bar])
    assert part_of(plain, first) == part_of(plain, second) == parts.FOLLOWING
    space, _, (first, second) = fit_with(person, [card, bar], [EYE, parts.NAMED + (1 << parts.UPPER_TEETH)])
    assert part_of(space, first) == parts.LEFT_EYE and part_of(space, second) == parts.UPPER_TEETH
    eye, teeth = space.report["doubtful_parts"]
    assert eye["vertex"] in first and eye["named"] == (parts.LEFT_EYE, parts.RIGHT_EYE) and eye["by_name"]
    assert teeth["vertex"] in second and teeth["part"] == parts.UPPER_TEETH and teeth["by_name"]


def test_the_shape_decides_against_a_name_that_cannot_be_true(person):
    """A ball in the socket that is named as a tongue or as lashes; an eye on the forehead."""
    (left, radius), (right, _) = person[3]
    points, triangles = cap(radius, 2)
    forehead, corners = cap(0.004, 1)
    brow = person[2][27] + np.array((0, -0.002, 0.05))
    space, _, (first, second, third) = fit_with(
        person,
        [
            (points + left, triangles),
            (points + right, triangles),
            (forehead + brow, corners),
        ],
        [TONGUE, LASHES, EYE],
    )
    assert part_of(space, first) == parts.LEFT_EYE and part_of(space, second) == parts.RIGHT_EYE
    assert part_of(space, third) == parts.FOLLOWING
    told = [(doubt["part"], doubt["named"], doubt["by_name"]) for doubt in space.report["doubtful_parts"]]
    assert sorted(told) == [
        (parts.LEFT_EYE, (parts.TONGUE,), False),
        (parts.RIGHT_EYE, (parts.FOLLOWING,), False),
        (parts.FOLLOWING, (parts.LEFT_EYE, parts.RIGHT_EYE), False),
    ]


def test_a_cap_over_the_eye_that_is_named_so_follows_the_lids(person):
    """A wet layer or an occlusion shell has the shape of a cap, and its name tells that it goes with the skin."""
    middle, radius = person[3][0]
    points, triangles = cap(1.02 * radius, 0.4)
    space, _, (shell,) = fit_with(person, [(points + middle, triangles)], [LASHES])
    assert part_of(space, shell) == parts.FOLLOWING and space.report["doubtful_parts"] == []


def test_a_half_sphere_without_an_eyeball_that_is_named_as_lashes_is_told(person):
    """The name decides, so that it would bend with the lids; over an eyeball it is a layer, and all is well."""
    middle, radius = person[3][0]
    points, triangles = cap(1.02 * radius, 1)
    space, _, (half,) = fit_with(person, [(points + middle, triangles)], [LASHES])
    assert part_of(space, half) == parts.FOLLOWING
    (doubt,) = space.report["doubtful_parts"]
    assert doubt["vertex"] in half and doubt["named"] == (parts.FOLLOWING,) and doubt["by_name"]
    ball, corners = cap(radius, 2)
    space, _, (half, eyeball) = fit_with(
        person, [(points + middle, triangles), (ball + middle, corners)], [LASHES, EYE]
    )
    assert part_of(space, half) == parts.FOLLOWING and part_of(space, eyeball) == parts.LEFT_EYE
    assert space.report["doubtful_parts"] == []


def test_upper_and_lower_teeth_by_name(person):
    """A mouth whose teeth lie low: the name tells which jaw they belong to."""
    head = load_head()
    whole = head.with_identity(np.random.default_rng(7).normal(size=50)).astype(float)
    lower = head.part == HeadPart.TEETH_UPPER
    given = np.where(lower, parts.NAMED + (1 << parts.LOWER_TEETH), parts.AUTOMATIC)
    given = np.append(given, given.max())
    space = fit(np.concatenate([whole, [whole[lower].mean(0)]]), head.faces, person[2], given)
    assert space.parts[-1] == parts.LOWER_TEETH, "a vertex without a triangle, of the same name"
    assert part_of(space, np.flatnonzero(lower)) == parts.LOWER_TEETH and space.report["doubtful_parts"] == []


def test_a_squashed_ball_that_shows_between_the_lids_is_an_eye(person):
    """The eyes of a stylised character, half as high as they are wide: no sphere fits."""
    pieces = []
    for middle, radius in person[3]:
        points, triangles = cap(radius, 2)
        pieces.append((points * (1, 1, 0.45) + middle, triangles))
    space, vertices, (left, right) = fit_with(person, pieces)
    assert part_of(space, left) == parts.LEFT_EYE and part_of(space, right) == parts.RIGHT_EYE
    turned = vertices[left] + space.basis[CHANNELS.index("eyeLookOutLeft"), left]
    edge = np.linalg.norm(np.diff(turned[[0, 100]], axis=0))
    assert edge == pytest.approx(np.linalg.norm(np.diff(vertices[left][[0, 100]], axis=0)), rel=1e-3)
