"""The grammar of directions: parts, actions, sides, degrees, negations; it needs no package."""

import pytest

from server.arkit import CHANNELS
from server.performance.emotion import features, features_examples, text
from server.performance.emotion import features_lexicon as words
from server.performance.emotion.bank import SPEECH_CHANNELS, SPEECH_SHARE
from server.protocol.emotions import EMOTIONS

from . import directions_page, scoring


def shown(direction, names=()):
    """What a direction shows, without what it negates."""
    amounts = {}
    for part in features.read(direction, names)[0]:
        if not part.negated:
            amounts |= {**part.channels, **part.emotions, **part.entries}
    return amounts


def both(**stems):
    return {stem + side: amount for stem, amount in stems.items() for side in ("Left", "Right")}


@pytest.mark.parametrize(
    ("direction", "amounts"),
    [
        ("one eyebrow up", {"browOuterUpLeft": 0.8}),
        ("R brow cocked", {"browOuterUpRight": 0.8}),
        ("left brow up, the right one down", {"browOuterUpLeft": 0.8, "browDownRight": 0.7}),
        ("left brow up, the other one still", {"browOuterUpLeft": 0.8}),
        ("eyes wide lips tight", {**both(eyeWide=0.8, mouthPress=0.7), "mouthRollLower": 0.15, "mouthRollUpper": 0.15}),
        ("pursed lips, wide eyes", {"mouthPucker": 0.3, **both(eyeWide=0.8)}),
        ("brows and cheeks raised", {**both(browOuterUp=0.8, cheekSquint=0.7), "browInnerUp": 0.4}),
        ("looks up and to the left", {**both(eyeLookUp=0.7), "eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7}),
        ("eyes to the right", {"eyeLookOutRight": 0.7, "eyeLookInLeft": 0.7}),
        ("barely smiling", both(mouthSmile=0.15, cheekSquint=0.045)),
        ("very wide eyes", both(eyeWide=1.0)),
        ("a smile, but only slightly", both(mouthSmile=0.24, cheekSquint=0.072)),
        ("a smirk on the right", {"mouthSmileRight": 0.5, "mouthDimpleRight": 0.3}),
        ("smiling with the eyes", both(cheekSquint=0.5, eyeSquint=0.3)),
        ("angry eyes", both(browDown=0.7, eyeSquint=0.3)),
        ("very angry", {"angry": 1.0}),
        ("a hint of fear", {"fearful": 0.25}),
        ("not very happy", {"happy": 0.4}),
        ("more afraid than angry", {"fearful": 1.0, "angry": 0.3}),
        ("furious, but trying not to show it", {"angry": 0.5}),
        ("pretends not to be afraid", {"fearful": 0.5}),
        ("mouthSmileLeft, jawOpen", {"mouthSmileLeft": 0.6, "jawOpen": 0.3}),
        ("jaw on the floor", {"jawOpen": 0.3}),
        ("sad,jaw open - left brow up", {"sad": 1.0, "jawOpen": 0.3, "browOuterUpLeft": 0.8}),
    ],
)
def test_what_a_direction_shows(direction, amounts):
    assert shown(direction) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("direction", "negated"),
    [
        ("not angry", ["angry"]),
        ("neither happy nor sad", ["happy", "sad"]),
        ("no smile, brows raised", ["mouthSmileLeft"]),
        ("brows not raised, jaw set", ["browOuterUpLeft"]),
        ("he doesn't squint", ["eyeSquintLeft"]),
        ("anything but happy", ["happy"]),
        ("smiling with the eyes, not the mouth", ["mouthSmileLeft"]),
        ("not only sad", []),
    ],
)
def test_what_a_direction_negates(direction, negated):
    parts = [part for part in features.read(direction)[0] if part.negated]
    assert [next(iter({**part.channels, **part.emotions})) for part in parts] == negated


def test_a_negation_ends_with_its_phrase():
    assert shown("not angry, sad") == {"sad": 1.0} and shown("no smile but wide eyes") == both(eyeWide=0.8)


def test_entries_of_the_bank_come_before_words_and_may_be_written_otherwise():
    names = ("Poker Face", "Smug", "Böse Hexe")
    assert shown("half pokerface, smug", names) == {"Poker Face": 0.5, "Smug": 1.0}
    assert shown("a touch of böse-hexe", names) == {"Böse Hexe": 0.4}
    assert shown("smuggler", names) == {}
    (part,) = features.read("not Smug", names)[0]
    assert part.negated and part.entries == {"Smug": 1.0}


def test_what_is_not_understood_keeps_its_degree_and_negation():
    found, rests = features.read("jaw set, not slightly bamboozled, elbows akimbo")
    assert len(found) == 1
    assert [(rest.text, rest.degree, rest.negated) for rest in rests] == [
        ("bamboozled", 0.4, True),
        ("elbows akimbo", 1.0, False),
    ]
    (rest,) = features.read("his nose falls off")[1]
    assert rest.names_part, "what a part does is for the grammar alone"


def test_spans_are_those_of_the_text():
    text = "İ smile, LEFT eyebrow up — hm"
    assert [text[part.start : part.end] for part in features.read(text)[0]] == ["smile", "LEFT eyebrow up"]


@pytest.mark.parametrize("text", ["!?", "not", "left", "very", "and or but", "'", "up down", "x" * 300, "not " * 70])
def test_texts_that_say_nothing(text):
    assert features.read(text)[0] == []


def test_every_pose_has_channels_within_what_an_expression_may_move():
    poses = [*words.POSES.values(), *words.EMOTION_PARTS.values(), words.WORRIED_BROWS]
    poses += [pose for _, pose in (*words.FEATURES.values(), *words.ONE_SIDED.values())]
    for pose in poses:
        for name, amount in pose.items():
            assert name in CHANNELS or name + "Left" in CHANNELS, name
            assert 0 < amount <= (SPEECH_SHARE if name in SPEECH_CHANNELS else 1), name
    parts, actions = set(words.PARTS.values()), {*words.ACTIONS.values(), "smiling", "narrow"}
    assert all(part in parts and action in actions for part, action in words.POSES)
    meant = [meaning for meaning in words.EMOTION_WORDS.values() if isinstance(meaning, str)]
    assert set(meant) == set(EMOTIONS)


def test_every_idiom_means_what_the_grammar_reads():
    for meaning, idioms in features_examples.IDIOMS.items():
        for idiom in idioms:
            assert shown(idiom) == shown(meaning) != {}, idiom


def test_texts_that_are_not_about_a_face_give_nothing():
    texts = scoring.NOT_ABOUT_A_FACE
    assert [text for text in texts if features.read(text)[0]] == []


@pytest.mark.parametrize(("name", "least"), [("directions.json", 58), ("directions_second.json", 37)])
def test_the_directions_are_read_as_expected_without_the_encoder(name, least, monkeypatch):
    monkeypatch.setattr(text, "is_installed", lambda: False)
    monkeypatch.setattr(text, "PACKAGE", "no_such_package")
    wrong = [prompt["text"] for prompt in scoring.load(name)["prompts"] if directions_page.faults_now(prompt)]
    count = len(scoring.load(name)["prompts"])
    assert count - len(wrong) >= least, wrong


def test_the_rule_finds_what_is_wrong():
    prompts = scoring.load("directions.json")["prompts"]
    nothing = dict.fromkeys(EMOTIONS, 0.0)
    one_brow = next(prompt for prompt in prompts if prompt["text"] == "one eyebrow up")
    assert scoring.faults(one_brow, nothing, {"browOuterUpLeft": 0.5}, {}) == []
    assert scoring.faults(one_brow, nothing, {"browOuterUpLeft": 0.5, "browOuterUpRight": 0.4}, {})
    assert scoring.faults(one_brow, nothing, {"browOuterUpLeft": 0.5, "jawOpen": 0.3}, {}) == ["stray jawOpen 0.30"]
    assert scoring.faults(one_brow, nothing | {"sad": 0.5}, {"browOuterUpLeft": 0.5}, {}) == ["stray sad 0.50"]
    assert sum(not directions_page.faults_before(prompt) for prompt in prompts) == 8
