"""The mesh that is fitted: its sample points in another frame."""

import numpy as np

from server.face.build.synthetic import rotation
from server.face.geometry import Similarity, vertex_normals
from server.face.head import load_head
from server.face.target_mesh import TargetMesh


def test_queries_follow_the_frame():
    head = load_head()
    normals = vertex_normals(head.vertices, head.faces)
    skin = np.ones(len(head.faces), dtype=bool)
    target = TargetMesh(head.vertices.astype(float), head.faces, normals, np.zeros(len(normals), int), skin)
    points = head.landmarks68 + 0.002
    target.sample(points.mean(0), 0.1)
    distance, index = target.nearest_samples(points)
    match = target.find_correspondences(points, normals[head.landmark_vertices], 0.01)
    to_present = Similarity(1.5, rotation(20, 30, 40), np.array([0.1, 0.2, 0.3]))
    target.change_frame(to_present)
    moved = to_present.apply_inverse(points)
    then, same = target.nearest_samples(moved)
    np.testing.assert_array_equal(same, index)
    np.testing.assert_allclose(then, distance / 1.5)
    np.testing.assert_allclose(np.linalg.norm(target.points[same] - moved, axis=1), then)
    moved_normals = normals[head.landmark_vertices] @ to_present.rotation
    found = target.find_correspondences(moved, moved_normals, 0.01 / 1.5)
    assert (match >= 0).any()
    np.testing.assert_array_equal(found >= 0, match >= 0)
    assert (found == match).mean() > 0.9  # what another normal adds to a distance does not shrink
