"""Small geometric tools."""

import numpy as np

from server.face.build.synthetic import rotation
from server.face.geometry import edges_of, same_places
from server.face.registration import Frame


def test_edges_come_once_and_sorted():
    quad = np.array([[0, 1, 2], [2, 3, 0]])
    np.testing.assert_array_equal(edges_of(quad), [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]])
    assert edges_of(quad[:0]).shape == (0, 2)


def test_vertices_at_one_place_share_a_label():
    points = np.array([[0, 0, 1.0], [2, 0, 0], [0, 0, 1], [0, 0, 1 + 1e-12], [-0.0, 0, 1]])
    label = same_places(points)
    assert label[0] == label[2] == label[4] and len(set(label.tolist())) == 3 and label.max() == 2


def test_frames_lead_there_and_back_and_follow_each_other():
    first = Frame(2.0, rotation(10, 20, 30), np.array([1, 2, 3.0]))
    second = Frame(0.5, rotation(-50, 5, 80), np.array([0, -1, 4.0]))
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(first.back(first.there(points)), points, atol=1e-12)
    np.testing.assert_allclose(second.after(first).there(points), second.there(first.there(points)), atol=1e-12)
