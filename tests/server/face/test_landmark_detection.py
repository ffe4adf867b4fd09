"""Automatic landmarks: found on heads and bodies in any orientation, refused where there is no face."""

import numpy as np
import pytest

from server.errors import LSFError
from server.face.build.synthetic import ellipsoid, join, rotation, torso
from server.face.head import NOSE_TIP, HeadPart, load_head
from server.face.landmark_detection import CLEAR_GLANCE, ORIENTATIONS, LandmarkDetector
from server.face.space import fit


@pytest.fixture(scope="module")
def person():
    """Another identity with eyes and teeth, in metres: vertices, triangles, true landmarks."""
    head = load_head()
    vertices = head.with_identity(np.random.default_rng(15).normal(size=50)).astype(float)
    return vertices, head.faces, vertices[head.landmark_vertices]


def error(space, landmarks):
    """Mean distance in shares of the distance between the outer eye corners."""
    return np.linalg.norm(space.landmarks68 - landmarks, axis=1).mean() / np.linalg.norm(landmarks[36] - landmarks[45])


def test_found_on_a_head(person):
    vertices, triangles, landmarks = person
    space = fit(vertices, triangles)
    assert error(space, landmarks) < 0.03
    confidence = space.report["landmark_confidence"]
    assert len(confidence) == 68 and min(confidence) > 0.2
    assert space.report["check_landmarks"] == [k for k in range(68) if confidence[k] < 0.5]
    jaw = np.linalg.norm(space.basis[space.channels.index("jawOpen")], axis=1)
    head = load_head()
    assert jaw[head.landmark_vertices[[66, 57]]].min() > 4 * jaw[head.landmark_vertices[[62, 51]]].max()


def test_found_on_a_body_in_centimetres_that_faces_elsewhere(person):
    vertices, triangles, landmarks = person
    body, body_triangles = join(vertices, triangles, *torso(np.random.default_rng(0)))

    def move(p):
        return 100 * p @ rotation(0, 0, 90).T + (50, 0, 120)

    space = fit(move(body), body_triangles)
    assert error(space, move(landmarks)) < 0.035
    assert np.abs(space.basis[:, len(vertices) :]).max() < 0.01  # the body stays still


def test_landmarks_are_lifted_where_the_nose_is_a_hole(person):
    vertices, triangles, landmarks = person
    aside = vertices[triangles].mean(1) - landmarks[NOSE_TIP]
    lifted = LandmarkDetector(vertices, triangles[np.hypot(aside[:, 0], aside[:, 2]) > 0.03]).lift(landmarks[:, [0, 2]])
    assert np.abs(lifted - landmarks)[:, 1].mean() < 0.01
    assert np.abs(lifted - landmarks)[NOSE_TIP].max() < 0.05


@pytest.mark.parametrize("turn", [rotation(0, 0, 45), rotation(40, 0, 0)])
def test_a_turned_head_is_looked_at_again_from_its_front(person, turn):
    vertices, triangles, landmarks = person
    space = fit(vertices @ turn.T, triangles)
    assert error(space, landmarks @ turn.T) < 0.03 and space.report["check_landmarks"] == []


def test_the_orientations_are_all_24():
    for rotation_matrix in ORIENTATIONS:
        np.testing.assert_array_equal(np.abs(rotation_matrix).sum(0), 1)
        np.testing.assert_allclose(rotation_matrix @ rotation_matrix.T, np.eye(3))
        assert np.linalg.det(rotation_matrix) > 0
    assert len({matrix.tobytes() for matrix in map(np.ascontiguousarray, ORIENTATIONS)}) == 24


@pytest.mark.parametrize("with_body", [False, True])
def test_of_24_orientations_a_glance_shows_a_face_in_the_right_one_alone(person, with_body):
    """The orientations are a group, so this holds whichever way the mesh lies."""
    vertices, triangles, _ = person
    if with_body:
        vertices, triangles = join(vertices, triangles, *torso(np.random.default_rng(0)))
    doubts = [LandmarkDetector(vertices @ turn.T, triangles).glance()[0] for turn in ORIENTATIONS]
    assert doubts[0] < CLEAR_GLANCE < min(doubts[1:])


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(rotation(90, 0, 0), id="on its face"),
        pytest.param(rotation(-90, 0, 0), id="on its back"),
        pytest.param(rotation(0, 90, 0), id="on its side"),
        pytest.param(rotation(0, 180, 0), id="upside down"),
        # A view of this one from its side looks a little like a face, and comes first.
        pytest.param(np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1.0]]), id="upside down and turned"),
        pytest.param(rotation(100, 20, 130), id="oblique"),
    ],
)
def test_a_lying_head_is_found_as_well_as_an_upright_one(person, turn):
    vertices, triangles, landmarks = person
    space = fit(vertices @ turn.T, triangles)
    assert error(space, landmarks @ turn.T) < 0.03 and space.report["check_landmarks"] == []


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_stretched_twofold_is_fitted_in_ordinary_proportions(person, axis):
    vertices, triangles, landmarks = person
    factors = np.ones(3)
    factors[axis] = 2
    space = fit(vertices * factors, triangles)
    assert error(space, landmarks * factors) < 0.05
    assert max(space.report["flipped"].values()) < 0.005
    jaw = space.basis[space.channels.index("jawOpen")] / factors
    straight = fit(vertices, triangles).basis[space.channels.index("jawOpen")]
    assert (jaw * straight).sum() > 0.97 * np.linalg.norm(jaw) * np.linalg.norm(straight)


def test_four_points_on_a_stretched_head_are_met(person):
    vertices, triangles, landmarks = person
    few = np.full((68, 3), np.nan)
    few[[48, 54, 30, 8]] = (landmarks * (1, 1, 2))[[48, 54, 30, 8]]
    space = fit(vertices * (1, 1, 2), triangles, few)
    np.testing.assert_allclose(space.landmarks68[[48, 54, 30, 8]], few[[48, 54, 30, 8]], atol=1e-4)
    assert error(space, landmarks * (1, 1, 2)) < 0.05


@pytest.mark.parametrize("radius", [0.022, 0.035])
def test_a_ball_before_the_mouth_is_looked_past(person, radius):
    vertices, triangles, landmarks = person
    mouth = landmarks[[48, 54]].mean(0)
    ball = ellipsoid(mouth - (0, radius + 0.016, 0), np.full(3, radius))
    space = fit(*join(vertices, triangles, *ball))
    assert error(space, landmarks) < 0.05
    assert np.abs(space.basis[space.channels.index("mouthPucker"), len(vertices) :]).max() < 0.01


def test_strands_of_hair_over_the_face_are_looked_past(person):
    """Cards from the forehead over the brows and the eyes."""
    vertices, triangles, landmarks = person
    hairy, hairy_triangles = vertices, triangles
    middle = landmarks[[36, 45]].mean(0)
    for k in range(-3, 4):
        left, bottom = middle + np.array((0.025 * k - 0.009, 0, 0)), 0.01 if k % 2 else -0.027
        strand = left + [(x, y, z) for y, z in ((-0.011, 0.08), (-0.025, 0.03), (-0.027, bottom)) for x in (0, 0.018)]
        cards = np.array([[0, 2, 1], [1, 2, 3], [2, 4, 3], [3, 4, 5]])
        hairy, hairy_triangles = join(hairy, hairy_triangles, strand, cards)
    space = fit(hairy, hairy_triangles)
    assert error(space, landmarks) < 0.03


def test_two_heads_are_refused_and_four_points_choose_one(person):
    vertices, triangles, landmarks = person
    both = join(vertices, triangles, vertices + np.array((0.35, 0, 0.02)), triangles)
    with pytest.raises(LSFError) as caught:
        fit(*both)
    assert caught.value.code == "several_faces" and "2 faces" in str(caught.value)
    few = np.full((68, 3), np.nan)
    few[[48, 54, 30, 8]] = landmarks[[48, 54, 30, 8]] + (0.35, 0, 0.02)
    space = fit(*both, few)
    moved = np.linalg.norm(space.basis[space.channels.index("jawOpen")], axis=1)
    assert moved[: len(vertices)].max() == 0 < moved[len(vertices) :].max()


@pytest.mark.parametrize("name", ["cube", "sphere", "plane"])
def test_no_face_is_refused(name):
    if name == "sphere":
        points, triangles = ellipsoid(np.zeros(3), np.full(3, 1.0), 30, 40)
    else:
        grid = np.linspace(-1, 1, 20)
        x, z = (a.ravel() for a in np.meshgrid(grid, grid))
        corner = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
        quads = np.stack([corner, corner + 1, corner + 21, corner + 20], 1)
        flat = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
        points, triangles = np.column_stack([x, np.full_like(x, -1), z]), flat
        if name == "cube":
            for turn in (
                rotation(0, 0, 90),
                rotation(0, 0, 180),
                rotation(0, 0, 270),
                rotation(90, 0, 0),
                rotation(-90, 0, 0),
            ):
                points, triangles = join(points, triangles, np.column_stack([x, np.full_like(x, -1), z]) @ turn.T, flat)
    with pytest.raises(LSFError) as caught:
        fit(points, triangles)
    assert caught.value.code == "no_face" and str(caught.value).endswith(".")


def test_landmarks_are_mirror_symmetric():
    """The symmetric numbering of the 68 points that the networks' mirroring relies on."""
    from server.face.build.train_landmarks import MIRROR

    marks = load_head().landmarks68
    np.testing.assert_allclose(marks[MIRROR] * (-1, 1, 1), marks, atol=2e-3)
    assert (np.sort(MIRROR) == np.arange(68)).all()
    assert HeadPart(0).name == "SKIN"
