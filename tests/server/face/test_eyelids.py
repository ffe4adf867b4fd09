"""Eyelid detection on the mesh."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.eyelids import EYE_LANDMARKS, MIN_OPENING, detect_eyelids, lid_openings, shut_eyes
from server.face.geometry import vertex_normals
from server.face.head import HeadPart, load_head
from server.face.space import fit
from server.face.target_mesh import TargetMesh
from tests.eye_shapes import painted, shut_by


def target(vertices, triangles):
    return TargetMesh(
        vertices,
        triangles,
        vertex_normals(vertices, triangles),
        np.zeros(len(vertices), int),
        np.ones(len(triangles), dtype=bool),
    )


@pytest.fixture(scope="module")
def skin():
    head = load_head()
    return (
        head.vertices.astype(float),
        head.faces[(head.part[head.faces] == HeadPart.SKIN).all(1)],
        head.landmarks68.copy(),
    )


def test_corners_and_lids_are_detected_where_the_landmarks_were_off(skin):
    vertices, triangles, landmarks = skin
    off = landmarks + np.random.default_rng(0).normal(0, 0.002, landmarks.shape)
    found, seen = detect_eyelids(target(vertices, triangles), off)
    assert seen[36:48].all() and not seen[:36].any() and not seen[48:].any()
    outer, lids = [36, 45], [37, 38, 40, 41, 43, 44, 46, 47]
    assert np.linalg.norm((found - landmarks)[outer][:, [0, 2]], axis=1).max() < 0.0015
    assert np.abs((found - landmarks)[lids, 2]).max() < 0.002
    np.testing.assert_array_equal(found[~seen], off[~seen])


def test_inner_corners_that_lie_far_inside_the_nose_are_corrected(skin):
    """As the networks place them beside a big nose, where the lids of the fit would stay too far apart."""
    vertices, triangles, landmarks = skin
    off = landmarks.astype(float)
    for corner, outer in ((39, 36), (42, 45)):
        off[corner] += 0.3 * (landmarks[corner] - landmarks[outer])
    found, seen = detect_eyelids(target(vertices, triangles), off)
    assert seen[36:48].all()
    assert np.linalg.norm((found - landmarks)[[39, 42]][:, [0, 2]], axis=1).max() < 0.003
    assert shut_eyes(target(vertices, triangles), found) == []


@pytest.mark.filterwarnings("error")
def test_an_eye_whose_landmarks_coincide_is_left_as_it_is(skin):
    vertices, triangles, landmarks = skin
    placed = landmarks.astype(float)
    placed[EYE_LANDMARKS[0]] = placed[36]
    found, seen = detect_eyelids(target(vertices, triangles), placed)
    assert not seen[EYE_LANDMARKS[0]].any() and seen[EYE_LANDMARKS[1]].all()
    np.testing.assert_array_equal(found[~seen], placed[~seen])


def test_closed_and_filled_eyes_show_no_opening(skin):
    vertices, triangles, landmarks = skin
    head = load_head()
    blink = head.basis[[CHANNELS.index("eyeBlinkLeft"), CHANNELS.index("eyeBlinkRight")]].sum(0)
    assert not detect_eyelids(target(vertices + blink, triangles), landmarks)[1].any()
    balls = head.faces[np.isin(head.part[head.faces], (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT)).all(1)]
    found, seen = detect_eyelids(target(vertices, np.concatenate([triangles, balls])), landmarks)
    for eye in EYE_LANDMARKS:  # lids may still stand out before an eyeball, but nothing goes astray
        assert not seen[eye].any() or np.linalg.norm(found[eye] - landmarks[eye], axis=1).max() < 0.004


def test_how_far_lids_are_open(skin):
    vertices, triangles, landmarks = skin
    blink = shut_by(vertices, "eyeBlinkLeft", "eyeBlinkRight") - vertices
    openings = [
        [lid_openings(target(vertices + value * blink, triangles), landmarks[eye])[0] for eye in EYE_LANDMARKS]
        for value in (0, 0.5, 1)
    ]
    fitted = [lid_openings(target(vertices, triangles), landmarks[eye])[1] for eye in EYE_LANDMARKS]
    np.testing.assert_allclose(openings[0], fitted, rtol=0.15)
    np.testing.assert_allclose(openings[1], 0.5 * np.array(fitted), rtol=0.25)
    assert np.max(openings[2]) < MIN_OPENING
    assert lid_openings(target(vertices, triangles), np.zeros((6, 3))) == (0, 0)


def test_the_narrow_opening_of_sleepy_eyes_is_found(skin):
    vertices, triangles, landmarks = skin
    blink = shut_by(vertices, "eyeBlinkLeft", "eyeBlinkRight") - vertices
    sleepy = target(vertices + 0.7 * blink, triangles)
    found, seen = detect_eyelids(sleepy, landmarks)
    assert seen[36:48].all()
    for eye in EYE_LANDMARKS:
        opening, between_landmarks = lid_openings(sleepy, found[eye])
        assert 0.5 * between_landmarks < opening < 0.4 * np.ptp(landmarks[eye][:, 2])
    assert shut_eyes(sleepy, found) == []


@pytest.mark.parametrize("bulge", [0, 0.002, 0.005])
def test_painted_eyes_do_not_open(skin, bulge):
    vertices, triangles = painted(*skin[:2], bulge)
    assert shut_eyes(target(vertices, triangles), skin[2]) == ["right", "left"]


@pytest.mark.parametrize(("recess", "before", "opens"), [(0.008, 0, True), (0.008, -0.02, False), (0, 0.017, False)])
def test_an_eyeball_in_a_smooth_hollow_shows_that_the_eye_opens(skin, recess, before, opens):
    """The lids go over into a bowl without a border. An eyeball behind the skin, or laid on it, opens nothing."""
    vertices, triangles = painted(*skin[:2], -recess)
    head = load_head()
    balls = np.flatnonzero(np.isin(head.part, (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT)))
    local = np.full(len(vertices), -1)
    local[balls] = len(vertices) + np.arange(len(balls))
    faces = local[head.faces[np.isin(head.faces, balls).all(1)]]
    pieces = head.vertices[balls].astype(float)
    if before < 0:
        pieces = pieces - (0, before, 0)
    elif before > 0:  # a thin card on the skin
        for eye in EYE_LANDMARKS:
            own = np.abs(pieces[:, 0] - skin[2][eye, 0].mean()) < 0.02
            pieces[own, 1] = vertices[-2:, 1].mean() - 0.0005
    mesh = target(np.concatenate([vertices, pieces]), np.concatenate([triangles, faces]))
    eyeballs = np.arange(len(mesh.triangles)) >= len(triangles)
    mesh.skin = ~eyeballs
    assert shut_eyes(mesh, skin[2]) == ["right", "left"], "the skin alone does not tell"
    assert shut_eyes(mesh, skin[2], eyeballs) == ([] if opens else ["right", "left"])


def test_eyes_that_a_blink_has_shut_do_not_open(skin):
    vertices, triangles, landmarks = skin
    assert shut_eyes(target(vertices, triangles), landmarks) == []
    assert shut_eyes(target(shut_by(vertices, "eyeBlinkLeft"), triangles), landmarks) == ["left"]
    both = target(shut_by(vertices, "eyeBlinkLeft", "eyeBlinkRight"), triangles)
    assert shut_eyes(both, landmarks) == ["right", "left"]


def test_no_blink_where_no_eye_opens(skin):
    """Through the whole fit: neither the skin nor lashes of an eye that is shut or painted move with its lids."""
    vertices, triangles, landmarks = skin
    shapes = {}
    for name, (points, corners), shut in (
        ("one shut", (shut_by(vertices, "eyeBlinkLeft"), triangles), ["left"]),
        ("painted", painted(vertices, triangles, 0.003), ["right", "left"]),
    ):
        space = fit(points, corners, landmarks)
        assert space.report["shut_eyes"] == shut
        shapes[name] = np.abs(space.basis).max((1, 2))
    lids = ("eyeBlink", "eyeWide", "eyeSquint", "eyeLookDown", "eyeLookUp")
    for channel in lids:
        left, right = CHANNELS.index(channel + "Left"), CHANNELS.index(channel + "Right")
        assert shapes["one shut"][left] == 0 and shapes["one shut"][right] > 0.002, channel
        assert shapes["painted"][left] == 0 and shapes["painted"][right] == 0, channel
    for name in shapes:
        assert shapes[name][CHANNELS.index("browInnerUp")] > 0.005 and shapes[name][CHANNELS.index("jawOpen")] > 0.01
