"""Geometry of triangle meshes."""

import numpy as np
import pytest

from server.face.build.synthetic import rotation
from server.face.geometry import (
    FEW_NEIGHBOURS,
    NORMAL_PENALTY,
    Similarity,
    StretchedSimilarity,
    closest_on_triangles,
    fit_similarity,
    measure_stretch,
    nearest_with_like_normal,
    position_labels,
    unique_edges,
)


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


def test_a_stretch_along_the_axes_of_a_turned_head_is_measured():
    rng = np.random.default_rng(3)
    points, turn = rng.normal(size=(68, 3)), rotation(30, 20, 110)
    stretched = 5 * (points * (1, 1, 2)) @ turn.T + (1, 2, 3)
    stretch, ratio = measure_stretch(points, stretched, np.ones(68), turn)
    assert abs(ratio - 2) < 1e-9 and abs(np.linalg.det(stretch) - 1) < 1e-9
    straight = fit_similarity(points, stretched @ np.linalg.inv(stretch))
    np.testing.assert_allclose(straight.rotation, turn, atol=1e-9)
    transform = StretchedSimilarity(straight, stretch)
    np.testing.assert_allclose(transform.apply(points), stretched, atol=1e-9)
    np.testing.assert_allclose(transform.apply_inverse(stretched), points, atol=1e-9)
    offsets = transform.apply_to_vectors(points[1:] - points[:-1])
    np.testing.assert_allclose(offsets, np.diff(stretched, axis=0), atol=1e-9)
    assert transform.scale == straight.scale


def test_a_similarity_stretches_nothing():
    points = np.random.default_rng(4).normal(size=(20, 3))
    stretch, ratio = measure_stretch(points, 7 * points @ rotation(10, 50, 0).T, np.ones(20), rotation(10, 50, 0))
    np.testing.assert_allclose(stretch, np.eye(3), atol=1e-9)
    assert abs(ratio - 1) < 1e-9


def test_the_nearest_point_with_a_like_normal_is_that_of_all():
    """The few points that are looked at first do not decide where a farther one may be better."""
    rng = np.random.default_rng(5)
    points, queries = 0.02 * rng.normal(size=(400, 3)), 0.02 * rng.normal(size=(200, 3))
    normals, query_normals = (
        at / np.linalg.norm(at, axis=1, keepdims=True) for at in (rng.normal(size=(n, 3)) for n in (400, 200))
    )
    distance = np.linalg.norm(queries[:, None] - points, axis=2)
    best = (distance + NORMAL_PENALTY * (1 - query_normals @ normals.T) / 2).argmin(1)
    assert (np.argsort(distance, axis=1)[:, :FEW_NEIGHBOURS] != best[:, None]).all(1).any()
    np.testing.assert_array_equal(nearest_with_like_normal(points, normals, queries, query_normals, 400), best)
