"""What is said of parts and of eyes, from the values of a result."""

import pytest

from lsf_blender_addon.jobs import face_plan
from lsf_blender_addon.jobs.face_plan import PartDoubt
from lsf_blender_addon.jobs.face_result import no_blink, not_neutral, part_in_doubt

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


def test_what_is_said_of_a_mesh_that_is_no_whole_head_at_rest(addon):
    assert not_neutral(()) == [] and not_neutral(("of another server",)) == []
    half, front, mouth, smile, unlike = not_neutral(("half_head", "front_only", "open_mouth", "smile", "unlike"))
    assert half.startswith("this is half a head") and front.startswith("this is the front of a head")
    assert mouth.startswith("the mouth is open at rest") and smile.startswith("the face smiles at rest")
    assert all("a neutral face" in sentence for sentence in (mouth, smile, unlike))


def test_a_report_without_signs_says_nothing():
    for report in ({}, {"not_neutral": None}, {"not_neutral": []}):
        assert face_plan.not_neutral({"report": report}) == ()
    assert face_plan.not_neutral({"report": {"not_neutral": ["smile", 3]}}) == ("smile",)
