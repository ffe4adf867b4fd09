"""The lists of names of all makers: each is recognised as itself, whole, half, and in all spellings of its sides."""

import re
import sys
from collections.abc import Callable

import pytest

from lsf_blender_addon.rigs import families
from lsf_blender_addon.rigs.families import Family
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row
from server.arkit import CHANNELS

FAMILIES = {family.name: family for family in families.built_in()}
SIDE = re.compile(r"(?P<stem>.*[a-z])[_.]?(?P<side>L|R|Left|Right)$")
# Names that end with a direction, not with a side: that of an eye is before it.
DIRECTION = re.compile(r"Eye_(L|R|Left|Right)_(Look_)?(L|R|Left|Right)$")


def recognised(names: list[str], empty: list[str] | None = None) -> Mapping | None:
    return families.recognise(names, families.built_in(), frozenset(empty or ()))


def rows_of(mapping: Mapping, key: str) -> dict[str, float]:
    return {row.channel: row.gain for row in mapping.rows if row.key == key}


def own_names(family: Family) -> list[str]:
    """The family's names, without those of keys that show the same as others together."""
    return [key.names[0] for key in family.keys if not key.stands_for]


def with_side(spell: Callable[[str, str], str]) -> Callable[[str], str]:
    def respell(name: str) -> str:
        found = SIDE.match(name)
        return spell(found["stem"], found["side"][0]) if found and not DIRECTION.match(name) else name

    return respell


SPELLINGS = {
    "as in the list": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "after a dot": lambda name: f"blendShape1.{name}",
    "after the mesh": lambda name: f"Genesis8Female__{name}",
    "after the object": lambda name: f"Face_{name}",
    "_L": with_side(lambda stem, side: f"{stem}_{side}"),
    ".L": with_side(lambda stem, side: f"{stem}.{side}"),
    "Left": with_side(lambda stem, side: stem + {"L": "Left", "R": "Right"}[side]),
    "_left": with_side(lambda stem, side: stem + {"L": "_left", "R": "_right"}[side]),
    "L_": with_side(lambda stem, side: f"{side}_{stem}"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_list_is_recognised_as_itself_with_all_of_its_keys(family, spelling):
    names = {name: SPELLINGS[spelling](name) for name in own_names(FAMILIES[family])}
    assert len(set(names.values())) == len(names)
    mapping = recognised(["Basis", *names.values(), "wart", "corrective.001"])
    assert mapping is not None and mapping.name == family
    expected = FAMILIES[family].match(list(names))
    assert {(row.key, row.channel, row.gain) for row in mapping.rows} == {
        (names[row.key], row.channel, row.gain) for row in expected.rows
    }
    assert {row.key for row in expected.rows} == set(names)


@pytest.mark.parametrize("part", ["first half", "second half", "every second", "the others"])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_of_a_list_is_enough(family, part):
    names = [key.names[0] for key in FAMILIES[family].keys]
    middle = (len(names) + 1) // 2
    names = {
        "first half": names[:middle],
        "second half": names[-middle:],
        "every second": names[::2],
        "the others": names[1::2],
    }[part]
    mapping = recognised(names)
    # Another family may have the same keys, as Oculus and Ready Player Me do: then it must move them in the same way.
    assert mapping is not None and set(mapping.rows) == set(FAMILIES[family].match(names).rows)


@pytest.mark.parametrize(
    ("family", "key", "channels"),
    [
        ("Character Creator 4", "Eye_Blink_L", {"eyeBlinkLeft": 1.0}),
        ("Character Creator 4", "Eye_L_Look_L", {"eyeLookOutLeft": 1.0}),
        ("Character Creator 4", "Eye_R_Look_L", {"eyeLookInRight": 1.0}),
        ("Character Creator 4", "Mouth_Funnel_Up_R", {"mouthFunnel": 1.0}),
        ("Character Creator 4", "Mouth_Up_Upper_L", {"mouthUpperUpLeft": 1.0}),
        ("Character Creator 3", "Nose_Flank_Raise_L", {"noseSneerLeft": 1.0}),
        ("Character Creator 3", "Mouth_Open", {SOLVED: 1.0}),
        ("Character Creator 3 ExPlus", "A25_Jaw_Open", {"jawOpen": 1.0}),
        ("Character Creator visemes", "V_Tight_O", {SOLVED: 1.0}),
        ("Genesis 8", "eCTRLEyesClosedR", {"eyeBlinkRight": 1.0}),
        ("Genesis 8", "eCTRLvAA", {SOLVED: 1.0}),
        ("Genesis 8.1 and 9", "facs_jnt_JawOpen", {"jawOpen": 1.0}),
        ("Genesis 8.1 and 9", "facs_bs_MouthSmileLeft_div2", {"mouthSmileLeft": 1.0}),
        ("Genesis visemes", "facs_ctrl_vOW", {SOLVED: 1.0}),
        ("SRanipal", "Mouth_Smile_Left", {"mouthSmileLeft": 1.0}),
        ("SRanipal", "Mouth_Ape_Shape", {"mouthClose": 1.0}),
        ("SRanipal", "Jaw_Open", {"jawOpen": 1.0, "mouthClose": -1.0}),
        ("SRanipal", "Eye_Left_Left", {"eyeLookOutLeft": 1.0}),
        ("Unified Expressions", "JawOpen", {"jawOpen": 1.0}),
        ("Unified Expressions", "EyeClosedRight", {"eyeBlinkRight": 1.0}),
        ("Unified Expressions", "MouthUpperUpRight", {"mouthUpperUpRight": 1.0}),
        ("Unified Expressions", "LipFunnelUpperRight", {"mouthFunnel": 1.0}),
        ("MB-Lab", "Expressions_eyeClosedL_max", {"eyeBlinkLeft": 1.0}),
        ("MB-Lab", "Expressions_eyeClosedL_min", {"eyeWideLeft": 1.0}),
        ("MB-Lab", "Expressions_mouthOpen_max", {SOLVED: 1.0}),
        ("Preston Blair", "AI", {SOLVED: 1.0}),
        ("VRChat", "vrc.blink_left", {"eyeBlinkLeft": 1.0}),
        ("Faceware", "mouth_stretch_c", {"jawOpen": 1.0}),
    ],
)
def test_what_keys_mean(family, key, channels):
    mapping = recognised(own_names(FAMILIES[family]))
    assert mapping is not None and mapping.name == family and rows_of(mapping, key) == channels


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["head_lod0_mesh__jaw_open", "head_lod0_mesh__eye_blink_L", "head_lod0_mesh__mouth_cornerPull_left"], "DNA"),
        (["Jaw_Open", "Eye_Blink_L", "Mouth_Corner_Pull_L"], "Character Creator 5"),
        (["ctrl_expressions_jawopen", "ctrl_expressions_eyeblinkl", "ctrl_expressions_mouthcornerpulll"], "lower case"),
    ],
)
def test_metahumans_of_other_programs(names, family):
    parts = [f"{lip}{side}" for lip in "UD" for side in "LR"]
    if family == "DNA":
        more = [f"head_lod0_mesh__mouth_{kind}_{part}" for kind in ("funnel", "lipsPurse") for part in parts]
    elif family == "lower case":
        more = [f"ctrl_expressions_mouth{kind}{part.lower()}" for kind in ("funnel", "lipspurse") for part in parts]
    else:
        more = [f"Mouth_{kind}_{part}" for kind in ("Funnel", "Lips_Purse") for part in parts]
    more += [name.replace(name, f"{prefix}{word}") for name, prefix, word in _sided(family)]
    mapping = recognised([*names, *more])
    assert mapping is not None and mapping.name == "MetaHuman"
    assert {row.channel for name in names for row in mapping.rows if row.key == name} == {
        "jawOpen",
        "eyeBlinkLeft",
        "mouthSmileLeft",
    }
    assert not families.unused([*names, *more], mapping)


def _sided(family: str) -> list[tuple[str, str, str]]:
    """Some more names of a MetaHuman as another program spells them."""
    words = {
        "DNA": ("head_lod0_mesh__", ["brow_down_L", "brow_down_R", "eye_widen_L", "eye_lookUp_L", "nose_wrinkle_left"]),
        "lower case": ("ctrl_expressions_", ["browdownl", "browdownr", "eyewidenl", "eyelookupl", "nosewrinklel"]),
        "Character Creator 5": ("", ["Brow_Down_L", "Brow_Down_R", "Eye_Widen_L", "Eye_Look_Up_L", "Nose_Wrinkle_L"]),
    }
    prefix, names = words[family]
    return [(name, prefix, name) for name in names]


@pytest.mark.parametrize(
    ("family", "both", "left", "right"),
    [
        ("ARKit", "eyeBlink", "eyeBlinkLeft", "eyeBlinkRight"),
        ("VRM", "Fcl_EYE_Close", "Fcl_EYE_Close_L", "Fcl_EYE_Close_R"),
        ("MMD", "まばたき", "ウィンク２", "ウィンク２右"),
        ("VRChat", "vrc.blink", "vrc.blink_left", "vrc.blink_right"),
        ("Ready Player Me", "eyesClosed", "eyeBlinkLeft", "eyeBlinkRight"),
        ("Character Creator 3", "Eye_Blink", "Eye_Blink_L", "Eye_Blink_R"),
        ("Genesis 8", "eCTRLEyesClosed", "eCTRLEyesClosedL", "eCTRLEyesClosedR"),
        ("Genesis 8.1 and 9", "facs_ctrl_EyesBlink", "facs_jnt_EyeBlinkLeft", "facs_jnt_EyeBlinkRight"),
        ("Unified Expressions", "EyeClosed", "EyeClosedLeft", "EyeClosedRight"),
    ],
)
def test_one_key_for_both_lids_or_one_for_each(family, both, left, right):
    lids = {both, left, right}
    other = [key.names[0] for key in FAMILIES[family].keys if not lids & set(key.names)]

    def used(*names: str, empty: tuple[str, ...] = ()) -> set[str]:
        mapping = recognised([*other, *names], list(empty))
        assert mapping is not None and mapping.name == family
        closed = {side: sum(r.gain for r in mapping.rows if r.channel == side) for side in CHANNELS if "Blink" in side}
        assert all(total <= 1.0 for total in closed.values()), "no lid shuts twice"
        return {row.key for row in mapping.rows} & lids

    assert used(both, left, right) == {left, right}
    assert used(both) == {both}
    assert used(left) == {left}, "a head with one eye, or one key"
    assert used(both, left) == {both}
    assert used(both, left, right, empty=(right,)) == {both}
    assert used(both, left, right, empty=(both,)) == {left, right}
    assert used(both, left, right, empty=(both, left)) == {right}


def test_one_key_in_place_of_four():
    rest = [name for name in own_names(FAMILIES["Unified Expressions"]) if not name.startswith("LipFunnel")]
    corners = [f"LipFunnel{lip}{side}" for lip in ("Upper", "Lower") for side in ("Left", "Right")]

    def funnel(*names: str) -> set[str]:
        mapping = recognised([*rest, *names])
        assert mapping is not None
        return {row.key for row in mapping.rows if row.channel == "mouthFunnel"}

    assert funnel(*corners) == set(corners)
    assert funnel(*corners, "LipFunnel", "LipFunnelUpper", "LipFunnelLower") == set(corners)
    assert funnel(*corners[:2], "LipFunnel", "LipFunnelLower") == {*corners[:2], "LipFunnelLower"}
    assert funnel(*corners[:3], "LipFunnel") == {"LipFunnel"}
    assert funnel("LipFunnelUpper", "LipFunnelLower", corners[0]) == {"LipFunnelUpper", "LipFunnelLower"}


@pytest.mark.parametrize(
    "names", [["A", "E", "I", "O", "U"], ["a", "i", "u", "e", "o"], ["Face_A", "Face_I", "Face_U", "Face_E", "Face_O"]]
)
def test_vowels_are_of_vrm(names):
    mapping = recognised([*names, "Joy"])
    assert mapping is not None and mapping.name == "VRM" and set(mapping.solved) == set(names)


VROID = [
    *(f"Fcl_MTH_{vowel}" for vowel in "AIUEO"),
    "Fcl_EYE_Close",
    "Fcl_EYE_Close_L",
    "Fcl_EYE_Close_R",
    "Fcl_ALL_Joy",
]


def test_a_family_without_shapes_is_not_chosen():
    names = [*CHANNELS, *VROID]
    assert recognised(names).name == "ARKit"
    mapping = recognised(names, list(CHANNELS))
    assert mapping.name == "VRM" and not {row.key for row in mapping.rows} & set(CHANNELS)
    assert families.unused(names, mapping, CHANNELS) == ("Fcl_EYE_Close", "Fcl_ALL_Joy")
    assert recognised(list(CHANNELS), list(CHANNELS)) is None
    assert families.unused(names, None) == tuple(names)


def test_a_prefix_of_many_empty_keys_is_still_one():
    names = [f"Body_{name}" for name in (*CHANNELS, *VROID[:5])]
    mapping = recognised(names, names[:52])
    assert mapping.name == "VRM" and len(mapping.rows) == 5


def test_a_filled_spelling_stands_in_for_an_empty_one():
    mapping = recognised([*CHANNELS, "mouthOpen"], ["jawOpen"])
    assert rows_of(mapping, "mouthOpen") == {"jawOpen": 1.0} and families.gaps(mapping) == ()
    assert rows_of(recognised([*CHANNELS, "mouthOpen"]), "mouthOpen") == {}


def test_what_an_empty_key_leaves_is_filled_by_other_families():
    visemes = ["viseme_aa", "viseme_O", "viseme_PP", *(f"viseme_{v}" for v in ("U", "I", "E", "FF", "SS"))]
    names = [*CHANNELS, *visemes, "Fcl_EYE_Close_L", *VROID[:5]]
    empty = ["jawOpen", "eyeBlinkLeft"]
    mapping = recognised(names, empty)
    assert mapping.name == "ARKit" and families.gaps(mapping) == ("eyeBlinkLeft", "jawOpen")
    rows = families.without_shape(names, families.built_in(), mapping, empty)
    assert rows == (Row("eyeBlinkLeft", "eyeBlinkLeft"), Row("jawOpen", "jawOpen"))
    fillers = families.fillers(names, families.built_in(), mapping, empty)
    assert Row("Fcl_EYE_Close_L", "eyeBlinkLeft") in fillers
    assert {row.key for row in fillers if row.channel == SOLVED} == set(visemes), "those of one family only"
    whole = recognised(names)
    assert families.gaps(whole) == () and families.fillers(names, families.built_in(), whole) == ()


def test_a_key_that_also_moves_what_moves_already_fills_nothing():
    names = [*CHANNELS, "Fcl_EYE_Close", *VROID[:5]]
    mapping = recognised(names, ["eyeBlinkLeft"])
    assert families.fillers(names, families.built_in(), mapping, ["eyeBlinkLeft"]) == ()
    mapping = recognised(names, ["tongueOut", "mouthRollUpper"])
    assert families.fillers(names, families.built_in(), mapping, ["tongueOut", "mouthRollUpper"]) == (), "not in vowels"


def test_visemes_show_jaw_and_mouth():
    mapping = recognised(["A", "I", "U", "E", "O"])
    assert families.gaps(mapping) == tuple(c for c in CHANNELS if not c.startswith(("jaw", "mouth")))


def test_a_saved_list_with_empty_keys_keeps_its_others(tmp_path):
    families.write(tmp_path / "mine.json", Mapping("Mine", (Row("auf", "jawOpen"), Row("zu", SOLVED))))
    saved, _errors = families.saved(tmp_path)
    mapping = families.recognise(["auf", "zu"], [*saved, *families.built_in()], frozenset(["zu"]))
    assert mapping == Mapping("Mine", (Row("auf", "jawOpen"),))


def test_names_that_differ_in_case_alone_are_two_keys(tmp_path):
    mine = Mapping("Mine", (Row("Smile", "mouthSmileLeft"), Row("smile", "mouthSmileRight"), Row("auf", "jawOpen")))
    families.write(tmp_path / "mine.json", mine)
    saved, _errors = families.saved(tmp_path)
    assert set(families.recognise(["smile", "auf", "Smile"], saved).rows) == set(mine.rows)


def test_panels_do_not_wait():
    """A panel recognises the keys at each redraw: with what is remembered, that takes few calls for each name."""
    names = [key.names[0] for name in ("Unified Expressions", "ARKit", "VRM") for key in FAMILIES[name].keys]
    empty, calls = frozenset(CHANNELS[:20]), 0

    def count(_frame, event, _function):
        nonlocal calls
        calls += event in ("call", "c_call")

    families.recognise(names, families.built_in(), empty)
    sys.setprofile(count)
    try:
        families.recognise(names, families.built_in(), empty)
    finally:
        sys.setprofile(None)
    assert 0 < calls < 20 * len(names)
