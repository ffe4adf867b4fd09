"""Meshes that are no whole head at rest are fitted, and the report says what they are."""

import numpy as np
import pytest

from server.arkit import channel_indices
from server.face import cached_face, neutral
from server.face.head import load_head
from server.face.space import fit

HEAD = load_head()
AT_REST = HEAD.vertices * np.float64([1.06, 1, 1])  # not the canonical head itself, which is not fitted


def posed(**values):
    vertices = AT_REST.copy()
    for name, value in values.items():
        vertices += value * HEAD.basis[channel_indices(name)].sum(0)
    return vertices


def signs(vertices, keep=None):
    triangles = HEAD.triangles if keep is None else HEAD.triangles[keep[HEAD.triangles].all(1)]
    return fit(vertices, triangles, vertices[HEAD.landmark_vertices]).report["not_neutral"]


def test_a_head_at_rest_shows_no_sign():
    assert signs(AT_REST) == []


@pytest.mark.parametrize("seed", range(3))
def test_people_at_rest_show_no_sign(seed):
    coefficients = np.random.default_rng(seed).normal(size=50)
    assert signs(HEAD.with_identity(coefficients).astype(float)) == []


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"jawOpen": 0.5}, ["open_mouth"]),
        ({"jawOpen": 1, "mouthLowerDown": 0.5, "eyeWide": 1}, ["open_mouth"]),
        ({"mouthSmile": 1}, ["smile"]),
        ({"mouthSmile": 1, "jawOpen": 0.4, "eyeSquint": 1}, ["open_mouth", "smile"]),
    ],
    ids=["half open", "screaming", "smiling", "laughing"],
)
def test_an_expression_is_told(values, wanted):
    assert set(wanted[:1]) <= set(signs(posed(**values))) <= set(wanted)


def test_lips_that_are_just_apart_are_not_told():
    assert signs(posed(jawOpen=0.08)) == []


def test_half_a_head_is_told():
    assert "half_head" in signs(AT_REST, AT_REST[:, 0] > -0.005)


def test_the_front_of_a_head_is_told_and_a_head_without_scalp_is_not():
    face = AT_REST[HEAD.landmark_vertices].mean(0)
    assert signs(AT_REST, AT_REST[:, 1] < face[1] + 0.05) == ["front_only"]
    assert signs(AT_REST, AT_REST[:, 2] < AT_REST[HEAD.landmark_vertices, 2].max() + 0.03) == []


def test_the_cache_knows_all_signs():
    assert cached_face.NOT_NEUTRAL == neutral.SIGNS
