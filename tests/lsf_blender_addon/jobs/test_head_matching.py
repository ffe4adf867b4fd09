"""Who speaks a line, by the names that files and objects have."""

import pytest

from lsf_blender_addon.jobs.head_matching import match_head_by_name, words


def test_words():
    assert words("AnnaHead_02.wav") == ["anna", "head", "02", "wav"]
    assert words("NPC_GUARD-12 müller") == ["npc", "guard", "12", "müller"]


@pytest.mark.parametrize(
    ("line", "heads", "expected"),
    [
        ("Anna_line01.wav", ["Anna", "Ben"], "Anna"),
        ("sc010_ben_003", ["Anna", "Ben_Head"], "Ben_Head"),
        ("Annabel_01", ["Anna", "Annabel"], "Annabel"),
        ("Annabel_01", ["Anna", "Ben"], None),
        ("OldGuard_01", ["Guard", "Old_Guard"], "Old_Guard"),
        ("anna_01", ["Anna_Body", "Anna_Head", "Anna_Teeth"], "Anna_Head"),
        ("anna_01", ["Anna", "Anna_Body"], "Anna"),
        ("anna_01", ["Anna_L", "Anna_R"], None),
        ("anna_01", ["Anna.001", "Ben.001"], "Anna.001"),
        ("line_01", ["Head"], None),
        ("head_01", ["Head", "Plane"], "Head"),
        ("anna_ben_01", ["Anna", "Ben"], None),
        ("anna", [], None),
        ("", ["Anna", ""], None),
    ],
)
def test_speaker(line, heads, expected):
    assert match_head_by_name(line, heads) == expected
