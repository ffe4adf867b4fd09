"""The rasteriser: depth, normals, pixel coordinates, and what may be left out."""

import numpy as np

from server.face.geometry import vertex_normals
from server.face.head import load_head
from server.face.raster import depth_image, may_cover_pixel, render, triangle_bounds


def test_the_nearest_surface_is_rendered():
    """Two squares, one before the other, and the way pixels map to x and z."""
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1.0]])
    vertices = np.concatenate([square + np.array((0, 5, 0)), 0.5 * square + (0.5, 1, 0.5)])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    view = render(vertices, triangles, vertex_normals(vertices, triangles), np.zeros(2), 4.0, 40)
    assert view.depth[14, 26] == 1 and view.triangle[14, 26] in (2, 3)  # upper left of the character: the near one
    assert view.depth[26, 14] == 5 and np.isnan(view.depth[2, 2])
    assert (view.triangle >= 0).sum() == 20 * 20
    np.testing.assert_allclose(view.normal[view.triangle >= 0], [[0, -1, 0]] * 400)
    np.testing.assert_allclose(view.to_pixels(np.array([1.0, 1.0])), [30, 10])


def test_triangles_between_pixels_may_be_left_out():
    """A dense mesh gives the same picture without the triangles that no pixel's centre can lie in."""
    head = load_head()
    vertices = head.with_identity(np.random.default_rng(15).normal(size=50)).astype(float)
    triangles = head.faces
    normals, centre, size = vertex_normals(vertices, triangles), vertices[:, [0, 2]].mean(0), 0.2
    shown = may_cover_pixel(*triangle_bounds(vertices, triangles), centre, size, 60)
    assert 0 < shown.sum() < 0.7 * len(triangles)
    whole = render(vertices, triangles, normals, centre, size, 60)
    part = render(vertices, triangles[shown], normals, centre, size, 60)
    np.testing.assert_array_equal(whole.depth, part.depth)
    np.testing.assert_array_equal(whole.normal, part.normal)
    np.testing.assert_array_equal(whole.depth, depth_image(vertices, triangles, centre, size, 60).depth)
    slab = vertices[triangles[whole.triangle[whole.triangle >= 0]]][:, :, 1]
    seen = whole.depth[whole.triangle >= 0]
    assert (seen > slab.min(1) - 1e-9).all() and (seen < slab.max(1) + 1e-9).all()
