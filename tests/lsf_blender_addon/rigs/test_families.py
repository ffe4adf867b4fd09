"""Rigs of every family are recognised by the names of their keys, in any usual spelling."""

import json
import os

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.rigs import families
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row
from lsf_blender_addon.rigs.names import canonical, names_by_canonical_form
from server.arkit import CHANNELS

VISEMES = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"]


def recognised(*names) -> Mapping | None:
    return families.recognise(list(names), list(families.built_in()))


def built_in(name: str) -> families.Family:
    return next(family for family in families.built_in() if family.name == name)


def channels_of(mapping, key) -> dict[str, float]:
    return {row.channel: row.gain for row in mapping.rows if row.key == key}


def snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


def short_side(separator: str):
    def spell(name: str) -> str:
        for side in ("Left", "Right"):
            if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
                return name.removesuffix(side) + separator + side[0]
        return name

    return spell


@pytest.mark.parametrize(
    "spell",
    [
        str,
        snake,
        short_side("_"),
        short_side("."),
        short_side(""),
        str.upper,
        lambda name: name[0].upper() + name[1:],
        lambda name: "blendShape1." + name,
        lambda name: "Face_" + name,
        lambda name: "head_lod0__" + name,
        lambda name: snake(short_side("_")(name)),
        lambda name: snake(name).upper(),
        lambda name: ("left_" + name.removesuffix("Left")) if name.endswith("Left") else name,
    ],
)
def test_arkit_in_any_usual_spelling(spell):
    mapping = recognised(*map(spell, CHANNELS), "smirk", "corrective.001")
    assert mapping.name == "ARKit" and mapping.solved == ()
    assert {row.key: row.channel for row in mapping.rows} == {spell(channel): channel for channel in CHANNELS}
    assert {row.gain for row in mapping.rows} == {1.0}


def test_the_channels_are_the_servers():
    assert families.channels() == CHANNELS
    for family in families.built_in():
        used = {channel for key in family.keys for channel, _gain in key.channels}
        assert used <= set(CHANNELS), family.name
        names = [canonical(name) for key in family.keys for name in key.names]
        assert len(names) == len(set(names)), f"{family.name}: the same spelling twice"
        firsts = [key.names[0] for key in family.keys]
        assert {part for key in family.keys for part in key.stands_for} <= set(firsts), family.name


@pytest.mark.parametrize(
    ("family", "names", "solved"),
    [
        ("Oculus visemes", [f"viseme_{v}" for v in VISEMES], 14),
        ("VRChat", [f"vrc.v_{v.lower()}" for v in [*VISEMES[:11], "e", "ih", "oh", "ou"]], 14),
        ("Ready Player Me", [f"viseme_{v}" for v in VISEMES] + ["mouthSmile", "eyesClosed", "eyesLookUp"], 14),
        ("VRM", ["A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R", "Joy"], 5),
        ("VRM", ["aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight", "happy"], 5),
        (
            "VRM",
            [
                f"Face.M_F00_000_00_Fcl_{v}"
                for v in ["MTH_A", "MTH_I", "MTH_U", "MTH_E", "MTH_O", "EYE_Close_L", "EYE_Close_R", "ALL_Joy"]
            ],
            5,
        ),
        ("VRM", [f"blendShape1.MTH_{vowel}" for vowel in "AIUEO"] + ["blendShape1.MTH_SMILE1"], 5),
        ("MMD", ["Ah", "Ch", "U", "E", "Oh", "Blink", "Blink Happy", "Wink 2", "Wink 2 Right"], 5),
        ("MMD", ["あ", "い", "う", "え", "お", "ん", "まばたき", "笑い", "ウィンク"], 6),
    ],
)
def test_visemes_are_solved(family, names, solved):
    mapping = recognised("Basis", *names)
    assert mapping.name == family and len(mapping.solved) == solved
    assert not set(mapping.solved) & set(mapping.direct)


def test_blinks_are_not_solved():
    assert channels_of(recognised("A", "I", "U", "E", "O", "Blink_L"), "Blink_L") == {"eyeBlinkLeft": 1.0}
    assert channels_of(recognised(*"あいうえお", "まばたき"), "まばたき") == {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}


def test_ready_player_me_with_arkit_keys_is_arkit():
    mapping = recognised(*CHANNELS, *(f"viseme_{v}" for v in VISEMES), "mouthOpen", "mouthSmile", "eyesClosed")
    assert mapping.name == "ARKit" and len(mapping.rows) == 52


def test_metahuman():
    names = [key.names[0] for key in built_in("MetaHuman").keys if not key.stands_for]
    mapping = recognised(*names, "CTRL_expressions_neckStretchL")
    assert mapping.name == "MetaHuman" and len(mapping.direct) == len(names)
    assert channels_of(mapping, "CTRL_expressions_mouthCornerPullL") == {"mouthSmileLeft": 1.0}
    assert channels_of(mapping, "CTRL_expressions_eyeLookRightL") == {"eyeLookInLeft": 1.0}
    funnel = [row.key for row in mapping.rows if row.channel == "mouthFunnel"]
    assert len(funnel) == 4, "one channel, four keys"


@pytest.mark.parametrize(
    "names", [[], ["jawOpen"], ["smile", "frown", "wart"], ["A", "B", "C", "D", "E"], list(CHANNELS[:11])]
)
def test_unknown_keys_are_not_recognised(names):
    assert recognised(*names) is None


def test_half_of_arkit_is_arkit():
    mapping = recognised(*CHANNELS[15:40], "wart")
    assert mapping.name == "ARKit" and {row.channel for row in mapping.rows} == set(CHANNELS[15:40])


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("JawOpen", "jaw_open", "jaw open", "JAW-OPEN", "jaw.open"), "jawopen"),
        (("Blink_L", "L_Blink", "blinkLeft", "left_blink", "Blink.L", "BLINK_LEFT", "blinkL"), "blinkleft"),
        (("ｱ", "ア"), "ア"),
    ],
)
def test_canonical(names, form):
    assert {canonical(name) for name in names} == {form}


def test_whole_names_go_first():
    forms = names_by_canonical_form(("old.jawOpen", *(f"old.{letter}" for letter in "abcd"), "jawOpen", "new.e"))
    assert forms["jawopen"] == "jawOpen" and forms["oldjawopen"] == "old.jawOpen" and forms["a"] == "old.a"
    assert "e" not in forms, "a prefix that nothing else has is part of the name"


def test_saved_mappings_come_back_and_are_recognised(tmp_path):
    mapping = Mapping(
        "Studio 7",
        (
            Row("mund auf", "jawOpen", 0.7),
            Row("mund auf", "mouthFunnel", -0.1),
            Row("zu", SOLVED),
            Row("grins", "mouthSmileLeft"),
        ),
    )
    families.write(tmp_path / "deep" / "studio.json", mapping)
    (tmp_path / "deep" / "broken.json").write_text("{")
    saved, complaints = families.saved(tmp_path / "deep")
    assert len(complaints) == 1 and "broken.json" in complaints[0]
    again = families.recognise(["grins", "Mund_Auf", "zu", "nase"], [*saved, *families.built_in()])
    assert again == Mapping(
        "Studio 7",
        (
            Row("Mund_Auf", "jawOpen", 0.7),
            Row("Mund_Auf", "mouthFunnel", -0.1),
            Row("zu", SOLVED),
            Row("grins", "mouthSmileLeft"),
        ),
    )
    assert families.recognise(["grins", "zu"], saved) is None, "not all of its keys"


CIRCLE = {"names": ["a"], "stands_for": ["b"]}, {"names": ["b"], "stands_for": ["a"]}


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        '{"name": "x"}',
        '{"name": "x", "at_least": 1, "keys": [{"names": []}]}',
        '{"name": "x", "at_least": 1, "keys": [{"names": ["a"], "channels": {"b": NaN}}]}',
        '{"name": "x", "at_least": 1, "keys": [{"names": ["a"], "channels": 3}]}',
        '{"name": "x", "at_least": 1e400, "keys": [{"names": ["a"]}]}',
        '{"name": "x", "at_least": 1, "keys": [{"names": ["a"], "channels": {"b": 1' + "0" * 400 + "}}]}",
        '{"name": "x", "at_least": 1, "keys": ' + "[" * 100_000,
        '{"name": ' + '{"a": ' * 50_000,
        '{"name": "x", "at_least": 1, "keys": [{"names": ["a"], "stands_for": ["a"]}]}',
        '{"name": "x", "at_least": 1, "keys": [{"names": ["a"], "stands_for": ["b"]}]}',
        json.dumps({"name": "x", "at_least": 1, "keys": CIRCLE}),
        '{"name": "x", "at_least": 1, "keys": [{"names": ["' + "a" * 2_000_000 + '"]}]}',
        "\ud800",
    ],
    ids=lambda data: data[:60] + data[-10:],
)
def test_damaged_files_are_refused(tmp_path, data):
    path = tmp_path / "x.json"
    path.write_text(data, "utf-8", "surrogatepass")
    for _ in range(2):  # panels ask again at every redraw
        with pytest.raises(UserError, match="is no mapping") as refused:
            families.read(path)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert families.saved(tmp_path) == ([], [str(refused.value)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to("nowhere")
    found, complaints = families.saved(tmp_path)
    assert not found and len(complaints) == 3


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=6,
)
KEY = st.fixed_dictionaries(
    {"names": st.one_of(st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=3), JSON)},
    optional={
        "channels": st.one_of(st.dictionaries(st.sampled_from(["jawOpen", ""]), st.floats(-2, 2)), JSON),
        "stands_for": st.one_of(st.lists(st.sampled_from(["a", "b", "c"]), max_size=2), JSON),
        "like": JSON,
    },
)
MAPPING = st.fixed_dictionaries(
    {"name": JSON, "at_least": st.one_of(st.integers(0, 3), JSON), "keys": st.one_of(st.lists(KEY, max_size=4), JSON)}
)


@hypothesis.given(st.one_of(MAPPING, JSON).map(json.dumps))
@hypothesis.settings(max_examples=60)
def test_a_mapping_of_any_kind_is_refused_or_can_be_used(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(text)
    families._read.cache_clear()  # the files may have the same size and time
    try:
        family = families.read(path)
    except UserError:
        return
    mapping = family.match(["a", "B", "c"])
    assert {row.key for row in mapping.rows} <= {"a", "B", "c"} and np.isfinite(mapping.gains(["jawOpen"])).all()
    families.recognise(["a", "b"], [family])
    families.fillers(["a", "b"], [family], mapping)
    family.looks(["a"])


def test_the_guide_names_all_families():
    guide = (families.HERE.parents[1] / "docs" / "artists.md").read_text("utf-8")
    table = guide[guide.index("#### Known kinds of shape keys") :]
    named = {line.split("|")[1].strip() for line in table.split("\n\n")[1].splitlines()[2:]}
    known = {family.name for family in families.built_in()}
    assert {name.split(" (")[0].removesuffix(", VRoid") for name in named} == known


def test_the_files_are_tidy():
    for path in families.HERE.glob("*.json"):
        assert set(json.loads(path.read_text("utf-8"))) == {"name", "at_least", "keys"}
