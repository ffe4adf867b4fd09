"""Welded lips: found by the way along the surface, kept together, and where they would part."""

import numpy as np
import pytest

from server.face.head import load_head
from server.face.mouth_seam import find_seam, stretch
from server.face.space import fit
from server.face.target_mesh import TargetMesh
from tests import welded_heads

UPPER_LIP, LOWER_LIP = [61, 62, 63], [67, 66, 65]
WELDED = {
    "lip line merged": lambda: welded_heads.merged(),
    "lip line merged, inside kept": lambda: welded_heads.merged(with_bag=True),
    "bridged": welded_heads.bridged,
    "scanned": welded_heads.scanned,
    "scanned coarsely": lambda: welded_heads.scanned(0.005),
    "painted": welded_heads.painted,
}


@pytest.fixture(scope="module", params=list(WELDED))
def welded(request):
    vertices, faces = WELDED[request.param]()
    triangles = welded_heads.triangulated(faces)
    return vertices, triangles, fit(vertices, triangles)


@pytest.mark.parametrize("with_bag", [True, False])
def test_cut_lips_are_no_surface(with_bag):
    vertices, triangles = welded_heads.used(*welded_heads.skin(with_bag))
    face = fit(vertices, triangles)
    assert face.report["welded_lips"] is None
    assert lips_part(face) > 0.015


def test_an_open_mouth_is_cut():
    head = load_head()
    vertices = head.vertices + 0.25 * head.basis[head.channels.index("jawOpen")]
    assert fit(vertices, head.faces).report["welded_lips"] is None


def test_welded_lips_are_found(welded):
    vertices, triangles, face = welded
    seam = np.array(face.report["welded_lips"]["seam"])
    ends, share = seam[:, :2].astype(int), seam[:, 2:]
    points = vertices[ends[:, 0]] * (1 - share) + vertices[ends[:, 1]] * share
    right, left = face.landmarks68[[60, 64]]
    assert np.linalg.norm(points[0] - right) < 0.004 and np.linalg.norm(points[-1] - left) < 0.004
    line = np.array([[-22.1, -101.3, -34.9], [-11, -110.2, -33.5], [0, -112.7, -33.6], [11, -110.2, -33.5]]) / 1000
    gaps = np.linalg.norm(line[:, None] - points, axis=2).min(1)
    assert gaps.max() < 0.009  # of the places where the head's own lips meet
    corners = [set(triangle) for triangle in triangles[np.isin(triangles, ends).any(1)].tolist()]
    for one, two in zip(ends.tolist(), ends[1:].tolist(), strict=False):
        assert any({*one, *two} <= corner for corner in corners)  # each step stays on a triangle


def test_welded_lips_stay_together_and_are_not_stretched(welded):
    vertices, triangles, face = welded
    assert lips_part(face) < 0.004
    assert 0.2 < face.report["welded_lips"]["jaw"] < 1
    near = np.linalg.norm(vertices - face.landmarks68[[62, 66]].mean(0), axis=1) < 0.02
    around = triangles[near[triangles].all(1)]
    opened = vertices + face.basis[face.channels.index("jawOpen")]
    assert stretch(vertices, opened, around) < 3  # 20 to 50 if the lips part
    chin = face.landmark_vertices[8]
    assert np.linalg.norm(face.basis[face.channels.index("jawOpen"), chin]) > 0.005


def test_a_mouth_without_a_width_has_no_seam():
    head = load_head()
    fitted = np.zeros_like(head.vertices)
    target = TargetMesh(head.vertices, head.faces, head.vertices, np.zeros(0, int), np.ones(len(head.faces), bool))
    assert find_seam(target, head, fitted) is None


def test_lips_far_from_the_skin_have_no_seam():
    vertices, triangles = welded_heads.used(*welded_heads.skin(False))
    head = load_head()
    target = TargetMesh(vertices, triangles, vertices, np.zeros(len(vertices), int), np.ones(len(triangles), bool))
    assert find_seam(target, head, head.vertices + 1) is None


def lips_part(face):
    """Metres by which the inner lips part under jawOpen, at their middle."""
    opened = face.basis[face.channels.index("jawOpen"), face.landmark_vertices]
    return np.linalg.norm(opened[UPPER_LIP] - opened[LOWER_LIP], axis=1).max()
