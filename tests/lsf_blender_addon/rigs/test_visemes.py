"""What the names of spoken sounds tell."""

import numpy as np
import pytest

from lsf_blender_addon.rigs import families, visemes
from lsf_blender_addon.rigs.mapping import SOLVED, Mapping, Row
from server.arkit import CHANNELS

FAMILIES = {family.name: family for family in families.built_in()}
VOWELS = {
    "MMD": "あいうえお",
    "VRM": ("aa", "ih", "ou", "ee", "oh"),
    "VRChat": ("vrc.v_aa", "vrc.v_ih", "vrc.v_ou", "vrc.v_e", "vrc.v_oh"),
    "Oculus visemes": ("viseme_aa", "viseme_I", "viseme_U", "viseme_E", "viseme_O"),
    "Ready Player Me": ("viseme_aa", "viseme_I", "viseme_U", "viseme_E", "viseme_O"),
    "Genesis visemes": ("facs_ctrl_vAA", "facs_ctrl_vIY", "facs_ctrl_vUW", "facs_ctrl_vEH", "facs_ctrl_vOW"),
    "Character Creator visemes": ("Ah", "EE", "W_OO", "AE", "Oh"),
}


TELL_NOTHING = {  # parts of names of keys that move what no channel moves
    *("Tongue", "Jaw_Adjust", "Mouth_Down", "Horiz", "LowerOut_max", "Inflated_min"),
}


def test_all_solved_keys_tell_what_they_show():
    for family in families.built_in():
        for key in family.keys:
            look = dict(key.like)
            assert look.keys() <= set(CHANNELS) and all(-1 <= value <= 1 for value in look.values()), key
            silent = any(part in key.names[0] for part in TELL_NOTHING)
            assert bool(look) == (not key.channels and not silent), key


@pytest.mark.parametrize("prefix", ["", "Body."])
@pytest.mark.parametrize("family", VOWELS)
def test_vowels_of_all_families_open_and_round_the_mouth_alike(family, prefix):
    names = [prefix + key.names[0] for key in FAMILIES[family].keys]
    mapping = families.recognise(names, families.built_in())
    assert mapping.name == family or family == "Ready Player Me"
    looks = dict(zip(mapping.solved, visemes.looks(mapping, names), strict=True))
    a, i, u, e, o = (looks[prefix + vowel] for vowel in VOWELS[family])
    jaws = [look.get("jawOpen", 0) for look in (a, o, i)]
    assert jaws == sorted(jaws, reverse=True) and jaws[0] > jaws[-1] and e["jawOpen"] > i["jawOpen"]
    assert u["mouthPucker"] > o["mouthPucker"] > 0 and not {"mouthPucker", "mouthFunnel"} & (a.keys() | i.keys())


def test_mmd_names_in_english_are_the_same_sounds():
    names = ["Ah", "Ch", "U", "E", "Oh", "N", "Blink"]
    mapping = families.recognise(names, families.built_in())
    assert mapping.name == "MMD"
    japanese = list("あいうえおん")
    assert visemes.looks(mapping, names) == visemes.looks(FAMILIES["MMD"].match(japanese), japanese)


def test_a_name_that_tells_nothing_shows_nothing():
    mapping = Mapping("Own", (Row("Grimasse", SOLVED), Row("aa", SOLVED), Row("Lid", "eyeBlinkLeft")))
    nothing, open_mouth = visemes.looks(mapping, ["Grimasse", "aa", "Lid"])
    assert nothing == {} and np.isclose(open_mouth["jawOpen"], 0.7)
