"""Stylised heads, made from the project's own by strong smooth deformation: big eyes, small noses, narrow jaws."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.geometry import edge_lengths, unique_edges
from server.face.head import HeadPart, load_head
from server.face.space import fit

# Factors of the size of the eyes, the depth of the nose, the width of the mouth, of the jaw and of the skull.
STYLES = {
    "cartoon": (1.5, 0.6, 0.9, 0.85, 1.1),
    "anime": (1.8, 0.35, 0.7, 0.75, 1.15),
    "toon": (2.1, 0.5, 1.25, 0.9, 1.2),
}
EYE_WIDTH, NOSE_WIDTH, MOUTH_WIDTH = 0.028, 0.018, 0.03  # metres: standard deviations of the deformations
UPPER_LIP, LOWER_LIP = (61, 62, 63), (67, 66, 65)
UPPER_LID, LOWER_LID = (37, 38, 43, 44), (41, 40, 47, 46)


def swell(vertices, centre, width, factors):
    away = vertices - centre
    weight = np.exp(-(away**2).sum(1, keepdims=True) / (2 * width**2))
    return vertices + weight * away * (np.array(factors) - 1)


def stylised(style, vertices):
    """Deform the head's vertices (H, 3), metres."""
    eye, nose, mouth, jaw, skull = STYLES[style]
    marks = load_head().landmarks68.astype(float)
    for points in (slice(36, 42), slice(42, 48)):
        vertices = swell(
            vertices, marks[points].mean(0) + np.array((0, 0.01, 0)), EYE_WIDTH, (eye, 1 + 0.3 * (eye - 1), eye)
        )
    weight = np.exp(-((vertices - marks[30]) ** 2).sum(1, keepdims=True) / (2 * NOSE_WIDTH**2))
    vertices = vertices + weight * (0, 0.02 * (1 - nose), 0.004)
    middle = marks[48:68].mean(0)
    vertices = swell(vertices, middle, MOUTH_WIDTH, (mouth, 1, mouth))
    below = np.clip((middle[2] + 0.02 - vertices[:, 2]) / 0.06, 0, 1)
    vertices[:, 0] *= 1 - (1 - jaw) * below
    above = np.clip((vertices[:, 2:] - marks[36:48, 2].mean() - 0.02) / 0.06, 0, 1)
    return vertices + above * (vertices - load_head().vertices.mean(0)) * (skull - 1)


@pytest.mark.parametrize("style", STYLES)
def test_a_stylised_head_is_fitted_without_tearing(style):
    head = load_head()
    own = head.with_identity(0.7 * np.random.default_rng(4).normal(size=50))
    vertices = stylised(style, own.astype(float))
    landmarks = vertices[head.landmark_vertices]
    space = fit(vertices, head.faces)
    errors = np.linalg.norm(space.landmarks68 - landmarks, axis=1)
    assert errors.mean() < 0.05 * np.linalg.norm(landmarks[36] - landmarks[45])
    assert max(space.report["flipped"].values()) < 0.005

    def posed(*channels):
        return vertices + sum(space.basis[CHANNELS.index(channel)] for channel in channels)

    skin = np.flatnonzero(head.part == HeadPart.SKIN)
    edges = unique_edges(head.faces[np.isin(head.faces, skin).all(1)])
    for channels in (("jawOpen",), ("mouthPucker",), ("mouthSmileLeft", "mouthSmileRight")):
        growth = edge_lengths(posed(*channels), edges) - edge_lengths(vertices, edges)
        own_pose = own + sum(head.basis[CHANNELS.index(channel)] for channel in channels)
        own_growth = edge_lengths(own_pose, edges) - edge_lengths(own, edges)
        assert growth.max() < 2 * own_growth.max() * space.report["scale"], channels
    jaw = np.linalg.norm(space.basis[CHANNELS.index("jawOpen")], axis=1)
    upper, lower = (head.landmark_vertices[list(points)] for points in (UPPER_LIP, LOWER_LIP))
    assert jaw[upper].max() < 0.25 * jaw[lower].min(), "each lip follows its own jaw"
    blink = posed("eyeBlinkLeft", "eyeBlinkRight")
    upper, lower = (head.landmark_vertices[list(points)] for points in (UPPER_LID, LOWER_LID))
    opened = np.linalg.norm(vertices[upper] - vertices[lower], axis=1)
    assert (np.linalg.norm(blink[upper] - blink[lower], axis=1) < 0.25 * opened).all()
