"""What names of objects and materials add to a request."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.scene import parts
from server.face import parts as server_parts


def bits(*codes: int) -> int:
    return server_parts.NAMED + sum(1 << code for code in codes)


@pytest.fixture
def two(cube):
    """A cube of two materials, of which the first has the top face alone."""
    for name in ("Material", "Material.001"):
        cube.data.materials.append(bpy.data.materials.new(name))
    for polygon in cube.data.polygons:
        polygon.material_index = int(polygon.normal.z < 0.9)
    return cube


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EyeLeft", bits(server_parts.LEFT_EYE, server_parts.RIGHT_EYE)),
        ("CC_Base_Teeth", bits(server_parts.UPPER_TEETH, server_parts.LOWER_TEETH)),
        ("untere Zähne", bits(server_parts.LOWER_TEETH)),
        ("舌", bits(server_parts.TONGUE)),
        ("Eyelashes", bits(server_parts.FOLLOWING)),
        ("Cube", parts.AUTOMATIC),
    ],
)
def test_an_objects_name(two, name, code):
    two.name = name
    assert (parts.read(two) == code).all()
    assert (parts.read(two, is_head=True) == parts.AUTOMATIC).all(), "a head may be called Eye"
    assert (parts.read(two, "STILL") == server_parts.STILL).all(), "the artist's choice counts alone"
    two.name, two.data.name = "Object", name
    assert (parts.read(two) == code).all()
    assert server_parts.check_parts(parts.read(two), 8)[1].any() == (code != parts.AUTOMATIC)


def test_a_materials_name_tells_more_than_the_objects(two):
    two.name = "Teeth"
    two.data.materials[0].name = "Std_Upper_Teeth"
    top = np.array([vertex.co.z > 0 for vertex in two.data.vertices])
    codes = parts.read(two)
    assert (codes[top] == bits(server_parts.UPPER_TEETH)).all()
    assert (codes[~top] == bits(server_parts.UPPER_TEETH, server_parts.LOWER_TEETH)).all()
    head = parts.read(two, is_head=True)
    assert (head[top] == codes[top]).all() and (head[~top] == parts.AUTOMATIC).all()
    two.data.materials[0] = None
    assert (parts.read(two) == codes[~top][0]).all(), "an empty slot"
    two.data.polygons[0].material_index = 7  # beyond the slots, as Blender allows
    parts.read(two)
