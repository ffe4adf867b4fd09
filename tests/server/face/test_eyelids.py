"""Eyelid detection on the mesh."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.eyelids import EYE_LANDMARKS, detect_eyelids
from server.face.geometry import vertex_normals
from server.face.head import HeadPart, load_head
from server.face.target_mesh import TargetMesh


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
