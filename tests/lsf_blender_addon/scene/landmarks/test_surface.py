"""Ray casts and closest points against plain geometry."""

import numpy as np
import pytest

from lsf_blender_addon.scene.landmarks import surface
from lsf_blender_addon.scene.landmarks.surface import Surface, SurfacePoint


def grid(count: int = 5) -> Surface:
    """The square from (0, 0) to (1, 1) at y = 0 in x and z, with bumps in y."""
    x, z = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    vertices = np.column_stack([x.ravel(), 0.1 * np.sin(9 * x.ravel() + 5 * z.ravel()), z.ravel()])
    first = (np.arange(count - 1) + count * np.arange(count - 1)[:, None]).ravel()
    quads = np.column_stack([first, first + 1, first + count + 1, first + count])
    return Surface(vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]))


def test_a_ray_hits_the_nearer_side():
    bumps = grid()
    vertices = np.concatenate([bumps.vertices, bumps.vertices + np.array((0, 2, 0))])
    both = Surface(vertices, np.concatenate([bumps.triangles + 25, bumps.triangles]))
    for origin, direction, expected in [((0.3, -5, 0.6), (0, 3, 0), "near"), ((0.3, 5, 0.6), (0, -1, 0), "far")]:
        place = both.raycast(np.array(origin), np.array(direction))
        where = place.position(both.vertices)
        assert where[[0, 2]] == pytest.approx([0.3, 0.6]) and (where[1] > 1) == (expected == "far")
    assert both.raycast(np.array([0.3, 1.0, 0.6]), np.array([0, 1, 0])).position(both.vertices)[1] > 1, (
        "not behind the origin"
    )


def test_a_ray_beside_the_surface():
    assert grid().raycast(np.array([2.0, -5, 0.5]), np.array([0, 1.0, 0])) is None
    assert grid().raycast(np.array([0.5, -5, 0.5]), np.array([0, -1.0, 0])) is None


def test_a_surface_point_moves_with_its_vertices():
    bumps = grid()
    place = bumps.raycast(np.array([0.3, -5, 0.6]), np.array([0.1, 1, 0.05]))
    matrix = np.random.default_rng(0).normal(size=(3, 3))
    np.testing.assert_allclose(place.position(bumps.vertices @ matrix), place.position(bumps.vertices) @ matrix)


def test_the_closest_point_is_the_closest_of_many_samples(monkeypatch):
    bumps, rng = grid(30), np.random.default_rng(1)
    weights = rng.dirichlet((1, 1, 1), (400, len(bumps.triangles)))
    samples = np.einsum("stk,tkd->std", weights, bumps.vertices[bumps.triangles]).reshape(-1, 3)
    for point in rng.uniform(-0.3, 1.3, (20, 3)) * (1, 0.2, 1):
        best = np.linalg.norm(samples - point, axis=1).min()
        for limit in (10**9, 0):  # search all triangles, or those around the nearest vertices
            monkeypatch.setattr(surface, "FULL_SEARCH", limit)
            gap = np.linalg.norm(bumps.closest_point(point).position(bumps.vertices) - point)
            assert gap <= best + 1e-9 and gap > best - 0.01


@pytest.mark.parametrize(
    ("point", "weights"),
    [
        ((0.25, 0.25, 3), (0.5, 0.25, 0.25)),
        ((-1, -1, 0), (1, 0, 0)),
        ((0.5, -2, 1), (0.5, 0.5, 0)),
        ((2, 2, 0), (0, 0.5, 0.5)),
    ],
)
def test_face_corner_and_edge_of_a_triangle(point, weights):
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)
    np.testing.assert_allclose(surface.closest_barycentric(np.array(point, float), corners), [weights], atol=1e-12)


def test_a_degenerate_triangle_is_an_edge():
    corners = np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0]]], float)
    weights = surface.closest_barycentric(np.array([1.5, 1, 0]), corners)
    np.testing.assert_allclose((weights[..., None] * corners).sum(1), [[1.5, 0, 0]], atol=1e-9)


def test_vertices_without_faces_are_no_surface(monkeypatch):
    monkeypatch.setattr(surface, "FULL_SEARCH", 0)
    bumps = grid()
    with_loose = Surface(np.concatenate([bumps.vertices, np.full((40, 3), 9.0)]), bumps.triangles)
    assert isinstance(with_loose.closest_point(np.array([9.0, 9, 9])), SurfacePoint)


def test_closest_points_are_the_closest_point_of_each(monkeypatch):
    bumps, points = grid(12), np.random.default_rng(2).uniform(-0.5, 1.5, (40, 3))
    monkeypatch.setattr(surface, "FULL_SEARCH", 10**9)
    for point, place in zip(points, bumps.closest_points(points), strict=True):
        gap = np.linalg.norm(place.position(bumps.vertices) - point)
        assert gap == pytest.approx(np.linalg.norm(bumps.closest_point(point).position(bumps.vertices) - point))
