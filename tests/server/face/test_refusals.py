"""A mesh without a face is refused in at most twice the time of a good fit, after the same work everywhere."""

import time

import numpy as np
import pytest

from server.errors import LSFError
from server.face import raster, target_mesh
from server.face.geometry import vertex_normals
from server.face.head import load_head
from server.face.landmark_detection import detect_landmarks
from server.face.search_budget import SEARCH_UNITS, SearchBudget
from server.face.space import fit

MAX_RATIO = 2.0


def grid(side):
    """The triangles of a grid of side × side vertices."""
    at = np.arange(side * side).reshape(side, side)
    corners = at[:-1, :-1], at[1:, :-1], at[:-1, 1:], at[1:, 1:]
    return np.concatenate([np.stack(corners[k : k + 3], -1).reshape(-1, 3) for k in (0, 1)])


def noise():
    """A grid whose vertices lie anywhere."""
    return np.random.default_rng(0).normal(size=(10_000, 3)), grid(100)


def stray():
    """A head, with 2 000 triangles between any of its vertices."""
    head, rng = load_head(), np.random.default_rng(1)
    more = rng.integers(0, len(head.vertices), (2000, 3))
    return head.vertices * [1.1, 1, 1], np.concatenate([head.triangles, more])


def random_triangles():
    rng = np.random.default_rng(2)
    return rng.normal(size=(20_000, 3)), rng.integers(0, 20_000, (40_000, 3))


def seconds(vertices, triangles):
    """Processor time until a mesh is fitted or refused, and the code of the refusal."""
    began = time.process_time()
    try:
        fit(vertices, triangles)
        code = ""
    except LSFError as error:
        code = error.code
    return time.process_time() - began, code


@pytest.fixture(scope="module")
def good():
    """Processor time of a good fit; the first one also loads the networks."""
    head = load_head()
    wide = head.vertices * np.float32([1.1, 1, 1]), head.triangles
    return max(seconds(*wide)[0] for _ in range(2) if seconds(*wide)[1] == "")


@pytest.mark.parametrize("make", [noise, stray, random_triangles], ids=lambda make: make.__name__)
def test_a_refusal_takes_at_most_twice_as_long_as_a_fit(good, make):
    taken, code = seconds(*make())
    assert code == "no_face"
    assert taken < MAX_RATIO * good, f"{taken / good:.1f} times"


def test_the_work_is_bounded_whatever_the_mesh_is():
    """The same on every machine: units are counted, not seconds. What has begun is finished."""
    budget = SearchBudget()
    list(detect_landmarks(*noise(), budget=budget))
    assert -80 < budget.units <= 0
    small = SearchBudget(10)
    assert len(list(detect_landmarks(load_head().vertices.astype(float), load_head().triangles, budget=small))) == 1
    assert small.units > 10 - SEARCH_UNITS, "what is upright is always looked at, and nothing else after it"


def test_of_many_layers_the_foremost_are_drawn():
    layers = 10 * raster.MAX_LAYERS
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], float)
    vertices = np.concatenate([square + np.array([0, depth, 0]) for depth in range(layers, 0, -1)])
    triangles = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(layers)])
    view = raster.render(vertices, triangles, vertex_normals(vertices, triangles), np.zeros(2), 2.0, 32)
    assert (view.depth == 1).all()
    assert view.work == raster.MAX_LAYERS * 32 * 32 + raster.TRIANGLE_WORK * len(triangles)


def test_more_surface_than_a_head_can_have_is_not_sampled():
    vertices, triangles = noise()
    skin, sides = np.ones(len(triangles), bool), np.zeros(len(vertices), int)
    target = target_mesh.TargetMesh(vertices * 0.1, triangles, vertex_normals(vertices, triangles), sides, skin)
    with pytest.raises(LSFError, match="No face"):
        target.sample(np.zeros(3), 0.2)
