"""What names of objects and materials add to a request."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.scene import parts

UPPER_TEETH, LOWER_TEETH, TONGUE, LEFT_EYE, RIGHT_EYE, FOLLOWING, STILL = range(1, 8)  # docs/protocol.md


def bits(*codes: int) -> int:
    return 256 + sum(1 << code for code in codes)


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
        ("EyeLeft", bits(LEFT_EYE, RIGHT_EYE)),
        ("CC_Base_Teeth", bits(UPPER_TEETH, LOWER_TEETH)),
        ("untere Zähne", bits(LOWER_TEETH)),
        ("舌", bits(TONGUE)),
        ("Eyelashes", bits(FOLLOWING)),
        ("Cube", parts.AUTOMATIC),
    ],
)
def test_an_objects_name(two, name, code):
    two.name = name
    assert (parts.read(two) == code).all()
    assert (parts.read(two, is_head=True) == parts.AUTOMATIC).all(), "a head may be called Eye"
    assert (parts.read(two, "STILL") == STILL).all(), "the artist's choice counts alone"
    two.name, two.data.name = "Object", name
    assert (parts.read(two) == code).all()


def test_a_materials_name_tells_more_than_the_objects(two):
    two.name = "Teeth"
    two.data.materials[0].name = "Std_Upper_Teeth"
    top = np.array([vertex.co.z > 0 for vertex in two.data.vertices])
    codes = parts.read(two)
    assert (codes[top] == bits(UPPER_TEETH)).all()
    assert (codes[~top] == bits(UPPER_TEETH, LOWER_TEETH)).all()
    head = parts.read(two, is_head=True)
    assert (head[top] == codes[top]).all() and (head[~top] == parts.AUTOMATIC).all()
    two.data.materials[0] = None
    assert (parts.read(two) == codes[~top][0]).all(), "an empty slot"
    two.data.polygons[0].material_index = 7  # beyond the slots, as Blender allows
    parts.read(two)
