"""What the name of an object or a material tells about the part of the face that it is. No bpy."""

import itertools
import re
import unicodedata

EYE, TEETH = "EYE", "TEETH"  # names that leave open which; the others are identifiers of scene.parts.KINDS

SIDE = r"(?:l|r|lf|rt|lft|rgt|left|right)?"
# Whole words, or two neighbours as one, without accents, in English, German, French, Spanish, Italian and Portuguese.
# The first rule that fits a word of the name decides.
WORDS = (
    # No part of its own: lids and sockets are skin, glasses and patches are worn.
    ("", r"(?:eye)?(?:lids?|sockets?|glass|glasses)|eye(?:holes?|patch|bags?|wear|masks?)|\w*glasses|goggles?|monocle"),
    ("", r"\w*brillen?|\w*lider|augenlid|paupieres?|parpados?"),
    # On the skin, or a layer over the eye that goes with the lids: wet lines, occlusion, shadow.
    (
        "LASHES",
        SIDE + r"(?:eye)?(?:lash|lashes|brows?)" + SIDE + r"|cilia|tears?|tear(?:lines?|ducts?)|beard|mou?stache",
    ),
    ("LASHES", r"eye(?:liners?|lines?|shadows?|occlusion|wet|ao|shell|edge)|wimpern?|\w*brauen?|bart|schnurrbart"),
    ("LASHES", r"cils?|sourcils?|barbe|pestanas?|cejas?|barba|bigote|ciglia|sopracciglia?|cilios|sobrancelhas?"),
    ("TONGUE", r"tongue|zunge|langue|lengua|lingua"),
    (TEETH, r"\w*(?:teeth|tooth)|teeth\w*|dentures?|gums?|\w*zae?hne?|gebiss|dents|gencives?|dientes?|denti|dentes?"),
    (EYE, SIDE + r"eye(?:balls?|whites?)?s?" + SIDE + r"|cornea|sclera|hornhaut"),
    (EYE, r"auge|augen|augapfel|oeil|yeux|ojos?|occhi|occhio|olhos?"),
)
UPPER = re.compile(r"upper\w*|top|ober\w*|oben|haut|superior\w*|sup|\w+upper")
LOWER = re.compile(r"lower\w*|bottom|unter\w*|unten|bas|inferior\w*|inf|\w+lower")
ALONE = re.compile(
    r"iris|irises|pupil|pupils|pupille|sclera|lens"
)  # may be a person's name, or anything's: no other word
NOISE = re.compile(r"[a-z]?|left|right|mesh|geo|geometry|mat|material|std|low|high|lod|obj|object|shape")

# Parts of words, for scripts that put no spaces between them.
SCRIPTS = (
    ("", "まぶた|瞼|眼鏡|眼镜|メガネ|めがね|眼帯|안경|очки|век[оа]"),
    ("LASHES", "まつげ|まつ毛|睫|眉|속눈썹|눈썹|ресниц|бров|髭|胡子"),
    ("TONGUE", "舌|ベロ|혀|язык"),
    (TEETH, "歯|牙|이빨|치아|зуб"),
    (EYE, "目|眼|瞳|눈|глаз"),
)
SCRIPT_UPPER, SCRIPT_LOWER = re.compile("上|верх|윗"), re.compile("下|ниж|아랫")
_WORDS = tuple((kind, re.compile(pattern)) for kind, pattern in WORDS)
_SCRIPTS = tuple((kind, re.compile(pattern)) for kind, pattern in SCRIPTS)


def kind_of(name: str) -> str:
    """Return what a name tells, whoever chose it: EyeLeft, eye_L, CC_Base_Teeth, Wolf3D_Eyes, linkes Auge, 目.

    Args:
        name: Of an object, a mesh or a material.

    Returns:
        EYE, TEETH, "UPPER_TEETH", "LOWER_TEETH", "TONGUE" or "LASHES"; empty if it tells nothing.
    """
    name = unicodedata.normalize("NFC", name)
    for kind, pattern in _SCRIPTS:
        if pattern.search(name.casefold()):
            upper, lower = SCRIPT_UPPER.search(name.casefold()), SCRIPT_LOWER.search(name.casefold())
            return _with_jaw(kind, upper is not None, lower is not None)
    words = _words(name)
    for kind, pattern in _WORDS:
        if any(pattern.fullmatch(word) for word in words):
            return _with_jaw(kind, any(map(UPPER.fullmatch, words)), any(map(LOWER.fullmatch, words)))
    telling = [word for word in words[: (len(words) + 1) // 2] if not NOISE.fullmatch(word)]
    return EYE if telling and all(map(ALONE.fullmatch, telling)) else ""


def _with_jaw(kind: str, upper: bool, lower: bool) -> str:
    """Return which teeth a name tells of, if it tells of teeth; else the kind."""
    if kind != TEETH or upper == lower:
        return kind
    return "UPPER_TEETH" if upper else "LOWER_TEETH"


def _words(name: str) -> list[str]:
    """Return the words of a name in small letters, without accents; words end at capitals, digits and signs."""
    plain = name.replace("œ", "oe").replace("Œ", "Oe").replace("ß", "ss")
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(sign))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    words = re.findall(r"[a-z]+", parted.lower())
    return words + [first + second for first, second in itertools.pairwise(words)]
