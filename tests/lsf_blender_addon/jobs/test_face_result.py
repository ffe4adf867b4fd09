"""What is said of parts and of eyes, from the values of a result."""

import pytest

from lsf_blender_addon.jobs.face_plan import PartDoubt
from lsf_blender_addon.jobs.face_result import no_blink, part_in_doubt

CHECK = "check it under Face > Parts"


@pytest.mark.parametrize(
    ("doubt", "sentence"),
    [
        (
            PartDoubt("EyeLeft", False, 4, (4, 5), True),
            f'"EyeLeft" is taken for Left Eye by its name, but has another shape: {CHECK}',
        ),
        (
            PartDoubt("Eye", False, 6, (4, 5), False),
            f'"Eye" is named like Eye, but is taken for Lashes by its shape: {CHECK}',
        ),
        (
            PartDoubt("Head", True, 5, (1, 2), False),
            f'a piece of "Head" is named like Teeth, but is taken for Right Eye by its shape: {CHECK}',
        ),
    ],
)
def test_a_doubt_is_a_sentence(addon, doubt, sentence):
    assert part_in_doubt(doubt) == sentence


def test_which_eyes_do_not_blink(addon):
    assert no_blink(()) == ""
    assert no_blink(["left"]).startswith("no blinks on the left:")
    assert no_blink(["right"]).startswith("no blinks on the right:")
    assert no_blink(["right", "left"]).startswith("no blinks: the eyes do not open")
