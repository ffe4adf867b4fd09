"""What the keys of spoken sounds (visemes) show, told by their names. No bpy.

The server finds the values of such keys from their shapes. Where it finds no face on the mesh, it does not know what a
shape shows, and the name has to tell. The sounds are those of the families' files. The values are usual places of jaw
and lips in these sounds, in round numbers.
"""

from collections.abc import Collection

from . import families
from .mapping import Mapping
from .names import both_sides

Look = dict[str, float]
"""Values of channels."""


def _look(**values: float) -> Look:
    """Return the values of channels, of which those of the mouth that have two sides are given once."""
    both = {"mouthStretch", "mouthSmile", "mouthLowerDown", "mouthUpperUp", "mouthPress"}
    look: Look = {}
    for channel, value in values.items():
        look |= dict.fromkeys(both_sides(channel) if channel in both else (channel,), value)
    return look


# First names, in the families' files, of the keys that show a sound, and what they show.
SOUNDS: tuple[tuple[frozenset[str], Look], ...] = (
    (
        frozenset(
            ("あ", "aa", "viseme_aa", "vrc.v_aa", "AI", "Ah", "AE", "V_Open", "Open", "eCTRLvAA", "facs_ctrl_vAA")
        ),
        _look(jawOpen=0.7, mouthLowerDown=0.2, mouthUpperUp=0.1),
    ),
    (
        frozenset(("え", "ee", "viseme_E", "vrc.v_e", "E", "eCTRLvEH", "facs_ctrl_vEH")),
        _look(jawOpen=0.4, mouthStretch=0.2, mouthLowerDown=0.3, mouthUpperUp=0.2),
    ),
    (
        frozenset(
            (
                *("い", "ih", "viseme_I", "vrc.v_ih", "IH", "EE", "V_Wide", "Wide"),
                *("eCTRLvIH", "eCTRLvIY", "eCTRLvEE", "facs_ctrl_vIH", "facs_ctrl_vIY", "facs_ctrl_vEE"),
            )
        ),
        _look(jawOpen=0.15, mouthStretch=0.3, mouthSmile=0.2, mouthLowerDown=0.3, mouthUpperUp=0.2),
    ),
    (
        frozenset(("お", "oh", "viseme_O", "vrc.v_oh", "O", "Oh", "V_Tight_O", "Tight_O", "eCTRLvOW", "facs_ctrl_vOW")),
        _look(jawOpen=0.5, mouthFunnel=0.5, mouthPucker=0.2),
    ),
    (
        frozenset(
            (
                *("う", "ou", "viseme_U", "vrc.v_ou", "U", "W_OO", "WQ", "V_Tight", "Tight"),
                *("eCTRLvUW", "eCTRLvW", "facs_ctrl_vUW", "facs_ctrl_vW"),
            )
        ),
        _look(jawOpen=0.15, mouthPucker=0.7, mouthFunnel=0.3),
    ),
    (
        frozenset(
            ("ん", "viseme_PP", "vrc.v_pp", "B_M_P", "MBP", "V_Explosive", "Explosive", "eCTRLvM", "facs_ctrl_vM")
        ),
        _look(mouthPress=0.3, mouthRollLower=0.2, mouthRollUpper=0.2),
    ),
    (
        frozenset(("viseme_FF", "vrc.v_ff", "F_V", "FV", "V_Dental_Lip", "Dental_Lip", "eCTRLvF", "facs_ctrl_vF")),
        _look(jawOpen=0.1, mouthRollLower=0.6, mouthUpperUp=0.3),
    ),
    (
        frozenset(("viseme_CH", "vrc.v_ch", "Ch_J", "V_Affricate", "Affricate", "eCTRLvSH", "facs_ctrl_vSH")),
        _look(jawOpen=0.1, mouthFunnel=0.6, mouthLowerDown=0.2, mouthUpperUp=0.2),
    ),
    (
        frozenset(("viseme_RR", "vrc.v_rr", "R", "Er", "eCTRLvER", "facs_ctrl_vER")),
        _look(jawOpen=0.2, mouthPucker=0.4, mouthFunnel=0.3),
    ),
    (
        frozenset(("viseme_SS", "vrc.v_ss", "S_Z", "eCTRLvS", "facs_ctrl_vS")),
        _look(jawOpen=0.05, mouthStretch=0.2, mouthLowerDown=0.3, mouthUpperUp=0.2),
    ),
    (
        frozenset(
            (
                *(
                    "viseme_TH",
                    "vrc.v_th",
                    "TH",
                    "viseme_DD",
                    "vrc.v_dd",
                    "T_L_D_N",
                    "viseme_nn",
                    "vrc.v_nn",
                    "L",
                    "etc",
                ),
                *("viseme_kk", "vrc.v_kk", "K_G_H_NG", "V_Lip_Open", "Lip_Open", "eCTRLvT", "eCTRLvTH", "eCTRLvL"),
                *("L", "etc", "eCTRLvK", "facs_ctrl_vT", "facs_ctrl_vTH", "facs_ctrl_vL", "facs_ctrl_vK"),
            )
        ),
        _look(jawOpen=0.2, mouthLowerDown=0.25, mouthUpperUp=0.15),
    ),
)
BY_FIRST_NAME = {name: look for names, look in SOUNDS for name in names}


def looks(mapping: Mapping, names: Collection[str]) -> list[Look]:
    """Return what the solved keys of a mapping show by their names.

    Args:
        mapping: The mapping, of a family or of the artist's own.
        names: Names of all of the head's keys.

    Returns:
        For each solved key the values of channels; empty where its name tells nothing.
    """
    known: dict[str, str] = {}  # the first name, in the families' files, of a key of the head
    for family in sorted(families.built_in(), key=lambda family: family.name == mapping.name):
        known |= {name: first for name, first in family.known_as(names).items() if first in BY_FIRST_NAME}
    return [BY_FIRST_NAME.get(known.get(key, ""), {}) for key in mapping.solved]
