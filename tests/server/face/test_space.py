"""Fitting with landmarks given: shapes come through, lips stay apart, units and order are kept, nonsense is refused."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.face import parts
from server.face.build.synthetic import ellipsoid, rotation
from server.face.head import HeadPart, HeadRegion, load_head
from server.face.space import fit


def row(channel):
    return CHANNELS.index(channel)


@pytest.fixture(scope="module")
def person():
    """Another identity of the project's head, without the loose parts: vertices, triangles, landmarks."""
    head = load_head()
    vertices = head.with_identity(np.random.default_rng(7).normal(size=50)).astype(float)
    triangles = head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)]
    return vertices, triangles, vertices[head.landmark_vertices]


@pytest.fixture(scope="module")
def fitted(person):
    return fit(*person)


def cosine(a, b):
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def test_the_canonical_head_gets_its_own_shapes_exactly():
    head = load_head()
    turn = rotation(20, 5, 40)
    space = fit(100 * head.vertices @ turn.T + (7, 8, 9), head.faces)
    np.testing.assert_allclose(space.basis, 100 * head.basis @ turn.T, atol=1e-4)
    np.testing.assert_allclose(space.landmarks68, 100 * head.landmarks68 @ turn.T + (7, 8, 9), atol=1e-3)
    assert (space.landmark_vertices == head.landmark_vertices).all() and not space.identity.any()


def test_the_canonical_head_with_a_dent_gets_nearly_its_own_shapes():
    """Loose eyes, teeth, gums and tongue included; one vertex moved so that it is no longer the head itself."""
    head = load_head()
    vertices = head.vertices.copy()
    vertices[head.landmark_vertices[8]] += 0.0005
    space = fit(vertices, head.faces, head.landmarks68)
    for channel in CHANNELS:
        assert cosine(space.basis[row(channel)], head.basis[row(channel)]) > 0.985, channel
    assert np.abs(space.identity).max() < 0.2
    np.testing.assert_allclose(space.landmarks68, head.landmarks68, atol=1e-3)
    jaw = np.linalg.norm(space.basis[row("jawOpen")], axis=1)
    assert jaw[head.part == HeadPart.TEETH_UPPER].max() < 0.001 and jaw[head.part == HeadPart.TEETH_LOWER].min() > 0.01


def test_shapes_of_another_person(person, fitted):
    head = load_head()
    skin = head.part == HeadPart.SKIN
    for channel in ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthClose", "eyeBlinkRight", "browInnerUp"):
        have, want = fitted.basis[row(channel)][skin], head.basis[row(channel)][skin]
        assert cosine(have, want) > 0.97, channel
        assert 0.8 < np.linalg.norm(have) / np.linalg.norm(want) < 1.25, channel
    assert fitted.basis.dtype == np.float32 and fitted.channels == CHANNELS
    assert (fitted.landmark_vertices == head.landmark_vertices).mean() > 0.9


def test_lips_follow_their_own_jaw_and_meet(person, fitted):
    head, vertices = load_head(), person[0]
    upper, lower = head.landmark_vertices[[61, 62, 63]], head.landmark_vertices[[67, 66, 65]]
    jaw = fitted.basis[row("jawOpen")]
    assert np.linalg.norm(jaw[upper], axis=1).max() < 0.25 * np.linalg.norm(jaw[lower], axis=1).min()
    closed = vertices + jaw + fitted.basis[row("mouthClose")]
    assert np.abs(closed[upper, 2] - closed[lower, 2]).max() < 0.002
    outer_upper = (head.region == HeadRegion.LIP_UPPER) & (head.mouth_side > 0)
    outer_lower = (head.region == HeadRegion.LIP_LOWER) & (head.mouth_side < 0)
    reach = np.percentile(np.linalg.norm(jaw, axis=1), 99.5)
    assert (np.linalg.norm(jaw[outer_upper], axis=1) < 0.5 * reach).all()
    assert (np.linalg.norm(jaw[outer_lower], axis=1) > 0.3 * reach).all()


def test_neck_and_skull_stay_still(person, fitted):
    head = load_head()
    still = (head.part == HeadPart.SKIN) & (np.linalg.norm(head.basis, axis=2).max(0) < 1e-5)
    assert still.sum() > 200
    assert np.abs(fitted.basis[:, still]).max() < 0.002


def test_vertex_order_is_kept(person, fitted):
    vertices, triangles, landmarks = person
    order = np.random.default_rng(1).permutation(len(vertices))
    back = np.argsort(order)
    space = fit(vertices[order], back[triangles], landmarks)
    np.testing.assert_allclose(space.basis, fitted.basis[:, order], atol=2e-4)


def test_units_rotation_and_place(person, fitted):
    """Centimetres, elsewhere, turned: the basis turns and scales with the mesh."""
    vertices, triangles, landmarks = person
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])

    def move(p):
        return 100 * p @ turn.T + (300, -20, 50)

    space = fit(move(vertices), triangles, move(landmarks))
    np.testing.assert_allclose(space.basis, 100 * fitted.basis @ turn.T, atol=0.03)
    np.testing.assert_allclose(space.landmarks68, move(fitted.landmarks68.astype(float)), atol=0.03)


def test_noise_changes_little(person, fitted):
    vertices, triangles, landmarks = person
    noisy = vertices + np.random.default_rng(2).normal(0, 0.0002, vertices.shape)
    space = fit(noisy, triangles, landmarks)
    assert cosine(space.basis[row("jawOpen")], fitted.basis[row("jawOpen")]) > 0.985


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v, t, m: (v[:0], t[:0], m), "empty_mesh"),
        (lambda v, t, m: (v, t[:0], m), "empty_mesh"),
        (lambda v, t, m: (np.where(np.arange(v.size).reshape(v.shape) == 7, np.nan, v), t, m), "not_finite"),
        (lambda v, t, m: (v, t + len(v), m), "bad_mesh"),
        (lambda v, t, m: (v[:, :2], t, m), "bad_mesh"),
        (lambda v, t, m: (v * 0, t, m), "no_face"),
        (lambda v, t, m: (v, t, m[:5]), "bad_landmarks"),
        (lambda v, t, m: (v, t, m * np.inf), "bad_landmarks"),
        (lambda v, t, m: (v, t, np.where(np.arange(204).reshape(68, 3) == 5, np.nan, m)), "bad_landmarks"),
        (lambda v, t, m: (v, t, m, np.zeros(5, int)), "bad_parts"),
        (lambda v, t, m: (v, t, m, np.full(len(v), 8)), "bad_parts"),
    ],
)
def test_invalid_input_is_refused_with_a_sentence(person, change, code):
    with pytest.raises(LSFError) as caught:
        fit(*change(*person))
    assert caught.value.code == code
    assert len(str(caught.value).split()) > 5 and str(caught.value).endswith(".")


def test_sphere_with_landmarks_is_refused(person):
    points, triangles = ellipsoid(np.zeros(3), np.full(3, 0.1), 40, 60)
    landmarks = person[2] - person[2].mean(0)
    landmarks = 0.1 * landmarks / np.linalg.norm(landmarks, axis=1, keepdims=True)
    with pytest.raises(LSFError) as caught:
        fit(points, triangles, landmarks)
    assert caught.value.code in ("no_face", "too_coarse")


def test_a_face_of_too_few_vertices_is_refused(person):
    vertices, triangles, landmarks = person
    cell = np.floor(vertices / 0.032).astype(int)
    _, first, member = np.unique(cell, axis=0, return_index=True, return_inverse=True)
    coarse = member.reshape(-1)[triangles]
    coarse = coarse[(coarse[:, 0] != coarse[:, 1]) & (coarse[:, 1] != coarse[:, 2]) & (coarse[:, 2] != coarse[:, 0])]
    with pytest.raises(LSFError) as caught:
        fit(vertices[first], coarse, landmarks)
    assert caught.value.code == "too_coarse" and "subdivide" in str(caught.value)


def test_placed_landmarks_bind_and_pull_their_neighbours(person):
    vertices, triangles, landmarks = person
    moved = landmarks.copy()
    moved[48] += (-0.004, 0, 0.002)
    space = fit(vertices, triangles, moved)
    np.testing.assert_allclose(space.landmarks68, moved, atol=1e-5)
    assert space.report["landmark_confidence"] == [1] * 68 and space.report["check_landmarks"] == []
    other = fit(vertices, triangles, landmarks)
    smile = row("mouthSmileRight")
    gap = np.linalg.norm(vertices - moved[48], axis=1)
    near = gap < 0.02
    change = np.linalg.norm(space.basis[smile, near] - other.basis[smile, near])
    assert change > 0.03 * np.linalg.norm(other.basis[smile])
    np.testing.assert_allclose(space.basis[smile, gap > 0.08], other.basis[smile, gap > 0.08], atol=1e-3)


def test_four_points_determine_where_the_face_is(person):
    """Whatever the direction and the unit; the other landmarks are found or guessed, and asked about."""
    vertices, triangles, landmarks = person
    turn = rotation(100, 20, 130)

    def move(p):
        return 100 * p @ turn.T + (300, -20, 50)

    few = np.full((68, 3), np.nan)
    few[[48, 54, 30, 8]] = move(landmarks)[[48, 54, 30, 8]]
    space = fit(move(vertices), triangles, few)
    np.testing.assert_allclose(space.landmarks68[[48, 54, 30, 8]], few[[48, 54, 30, 8]], atol=1e-3)
    eyes = np.linalg.norm(move(landmarks)[36] - move(landmarks)[45])
    assert np.linalg.norm(space.landmarks68 - move(landmarks), axis=1).mean() < 0.03 * eyes


def test_parts_are_recognised_and_given_parts_have_priority(person):
    head = load_head()
    vertices = person[0]
    jaw = row("jawOpen")
    space = fit(vertices, head.faces, person[2])
    skin = head.part == HeadPart.SKIN
    assert (space.parts[skin] == parts.SKIN).all()
    for kind, model in parts.HEAD_PARTS.items():
        assert (space.parts[head.part == model[0]] == kind).mean() > 0.9, kind
    given = np.full(len(vertices), parts.AUTOMATIC)
    given[head.part == HeadPart.TEETH_LOWER] = parts.STILL
    given[head.part == HeadPart.EYE_LEFT] = parts.LOWER_TEETH
    space = fit(vertices, head.faces, person[2], given)
    assert (space.parts[given != parts.AUTOMATIC] == given[given != parts.AUTOMATIC]).all()
    assert np.abs(space.basis[:, head.part == HeadPart.TEETH_LOWER]).max() == 0
    assert np.linalg.norm(space.basis[jaw, head.part == HeadPart.EYE_LEFT], axis=1).min() > 0.005


def test_a_fit_reports_its_stages_and_can_be_stopped(person):
    told = []

    def stop_at_the_end(fraction, text):
        told.append((fraction, text))
        if fraction > 0.5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(*person, progress=stop_at_the_end)
    assert [fraction for fraction, _ in told] == sorted({fraction for fraction, _ in told}) and len(told) == 2
