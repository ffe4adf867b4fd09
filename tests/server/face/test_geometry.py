"""Geometry of triangle meshes."""

import numpy as np
import pytest

from server.face.build.synthetic import rotation
from server.face.geometry import Similarity, closest_on_triangles, fit_similarity, position_labels, unique_edges


def test_edges_come_once_and_sorted():
    quad = np.array([[0, 1, 2], [2, 3, 0]])
    np.testing.assert_array_equal(unique_edges(quad), [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]])
    assert unique_edges(quad[:0]).shape == (0, 2)


def test_vertices_at_one_place_share_a_label():
    points = np.array([[0, 0, 1.0], [2, 0, 0], [0, 0, 1], [0, 0, 1 + 1e-12], [-0.0, 0, 1]])
    label = position_labels(points)
    assert label[0] == label[2] == label[4] and len(set(label.tolist())) == 3 and label.max() == 2


def test_similarities_can_be_inverted_and_composed():
    first = Similarity(2.0, rotation(10, 20, 30), np.array([1, 2, 3.0]))
    second = Similarity(0.5, rotation(-50, 5, 80), np.array([0, -1, 4.0]))
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(first.apply_inverse(first.apply(points)), points, atol=1e-12)
    np.testing.assert_allclose(second.after(first).apply(points), second.apply(first.apply(points)), atol=1e-12)


def test_a_similarity_is_recovered_from_points():
    wanted = Similarity(2.5, rotation(10, 20, 30), np.array([1, 2, 3.0]))
    points = np.random.default_rng(1).normal(size=(20, 3))
    found = fit_similarity(points, wanted.apply(points))
    np.testing.assert_allclose(found.apply(points), wanted.apply(points), atol=1e-12)
    np.testing.assert_allclose(found.scale, 2.5)


@pytest.mark.parametrize(
    ("point", "weights"),
    [
        ((0.25, 0.25, 7), (0.5, 0.25, 0.25)),  # above the triangle
        ((-1, -1, 0), (1, 0, 0)),  # beyond a corner
        ((0.5, -2, 3), (0.5, 0.5, 0)),  # beyond an edge
        ((2, 2, 0), (0, 0.5, 0.5)),
    ],
)
def test_the_closest_point_of_a_triangle(point, weights):
    triangle = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]])
    np.testing.assert_allclose(closest_on_triangles(np.array([point], float), triangle), [weights], atol=1e-12)
