"""Reads single features of a face from a direction in words, such as "one eyebrow up, lips pressed, not angry".

A small grammar, which needs no package: a text is cut into phrases at commas and conjunctions; in each, an action goes
to the nearest part of the face that can do it, and sides, degrees and negations go to what they stand beside. A phrase
that lacks its part or its action takes that of the phrase before ("left brow up, the right one down"). Left and right
are the character's. The vocabulary is in features_lexicon.py.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from ...arkit import CHANNELS
from . import features_lexicon as words
from .features_examples import IDIOMS
from .text_examples import EXAMPLES as EMOTION_EXAMPLES

DEFAULT_SIDE = "Left"  # of "one eyebrow", where nothing says which
OTHER = {"Left": "Right", "Right": "Left"}
MAX_EXAMPLE_WORDS = 2  # of an example of the encoder that is read as a word, without the encoder
THAN = 0.3  # of what stands behind "than": "more afraid than angry"
AS_ACTION = {"smile": "smiling", "squint": "narrow"}
GROUPS = {
    "lid": "eye",
    "corner": "mouth",
    "lip": "mouth",
    "upper lip": "mouth",
    "lower lip": "mouth",
    "nostril": "nose",
    "inner brow": "brow",
    "outer brow": "brow",
    "forehead": "brow",
    "teeth": "mouth",
    "jaw": "mouth",
}
LOOK = "look"
MODIFIERS = ("degree", "not", "less", "more", "hiding")
MAX_PART_WORDS = 6  # of a phrase about a part of the face; a longer one tells a story, which the encoder may know
WORD_ENDS = r"(?!\w|-\w)"  # "bitter" is not in "bitter-sweet"
MARKS = ",;:.!?()/—–…。、，"
WORD_OR_MARK = re.compile(rf"[\w']+|[{MARKS}]")
BROWS_OF_WORRY = ("fearful", "sad")


@dataclass(frozen=True)
class Found:
    """What was understood of a part of the text.

    Attributes:
        start, end: Where it stands in the text.
        channels: Amounts of ARKit's channels, 0 to 1.
        emotions: Amounts of EMOTIONS, 0 to 1.
        entries: Amounts of entries of the bank, 0 to 1.
        negated: It is not to be shown.
        less: It is to be shown less than it is: a negation that takes away, even if nothing else asks for it.
    """

    start: int
    end: int
    channels: dict[str, float] = field(default_factory=dict)
    emotions: dict[str, float] = field(default_factory=dict)
    entries: dict[str, float] = field(default_factory=dict)
    negated: bool = False
    less: bool = False


@dataclass(frozen=True)
class Rest:
    """A part of the text that the grammar does not understand; its degree and negation are what stands beside it.

    `names_part` is whether it is about a part of the face: what that does is for the grammar alone.
    """

    start: int
    end: int
    text: str
    degree: float = 1.0
    negated: bool = False
    names_part: bool = False


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    start: int
    end: int


@dataclass
class _Item:
    """A feature, an emotion or an entry in a phrase, before side, degree and negation."""

    tokens: list[_Token]
    pose: dict[str, float] = field(default_factory=dict)  # by names without a side, or by channels
    emotions: dict[str, float] = field(default_factory=dict)
    entry: str = ""
    name: str = ""  # of a feature
    part: str = ""
    side: str = ""  # "left", "right", "one", "other", "both"; "": none given
    degree: float = 1.0
    negated: bool = False
    less: bool = False
    gaze: bool = False
    nothing: bool = False  # understood, and it adds nothing: "the other one stays down"


@dataclass
class _Phrase:
    tokens: list[_Token]
    before: str = ""  # the separator before it

    def of(self, *kinds: str) -> list[_Token]:
        """Tokens of these kinds."""
        return [token for token in self.tokens if token.kind in kinds]


def read(text: str, names: Sequence[str] = ()) -> tuple[list[Found], list[Rest]]:
    """Read the features, plain words of emotion and names of entries in a text.

    Args:
        text: English.
        names: Names of the bank's entries.

    Returns:
        What was understood and what was not, each in the order of the text.
    """
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("’", "'").replace(" - ", " – ")
    phrases = _phrases(_tokens(lower, names))
    _share_actions(phrases)
    items: list[_Item] = []
    rests: list[Rest] = []
    last_negated = False
    for phrase in phrases:
        fresh = _items(phrase, items)
        last_negated = _modify(phrase, fresh, items, carried=last_negated and phrase.before in words.CARRY)
        rests += _rests(phrase, text, fresh, items, last_negated)
        items += fresh
    _hide(phrases, items)
    _name_sides(items)
    return [_found(item) for item in items], rests


@cache
def _patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    """The vocabulary: kind, value, pattern. Of matches of equal length the first counts."""
    table: list[tuple[str, str, str]] = [
        ("ignored", "", words.NOT_NEGATIONS),
        ("hiding", "", words.HIDING),
        ("degree", str(words.HIDDEN), words.HIDING_WHAT),
        *(("one-sided", name, pattern) for pattern, (name, _) in words.ONE_SIDED.items()),
        *(("feature", pattern, pattern) for pattern in words.FEATURES),
        *(("emotion", pattern, pattern) for pattern in _emotion_words()),
        *(("idiom", key, _literal(text)) for key, texts in IDIOMS.items() for text in texts),
        ("action", "half closed", words.HALF_CLOSED),
        *(("part", part, pattern) for pattern, part in words.PARTS.items()),
        *(("action", action, pattern) for pattern, action in words.ACTIONS.items()),
        *(("side", side, pattern) for pattern, side in words.SIDES.items()),
        *(("degree", str(factor), pattern) for pattern, factor in words.DEGREES.items()),
        ("not", "", words.NEGATIONS),
        ("less", "", words.LESS),
        ("more", "", words.MORE),
        (LOOK, "", words.LOOKS),
        ("separator", "", words.SEPARATORS),
        ("stop", "", words.STOPS),
    ]
    return [(kind, value, each) for kind, value, pattern in table for each in _alternatives(pattern)]


@cache
def _emotion_words() -> dict[str, str | dict[str, float]]:
    """Patterns of words for emotions: those of the vocabulary, and the short ones of the encoder's examples."""
    table = dict(words.EMOTION_WORDS)
    for emotion, texts in EMOTION_EXAMPLES.items():
        short = [text for text in texts if len(text.split()) <= MAX_EXAMPLE_WORDS and re.fullmatch(r"[\w -]+", text)]
        table |= {_literal(text): emotion for text in short}
    return table


def _literal(text: str) -> str:
    """A pattern of a text itself."""
    return text.lower().replace("-", " ")


def _alternatives(pattern: str) -> list[re.Pattern[str]]:
    """Compile the alternatives of a pattern of whole words, each alone; its spaces are spaces or hyphens."""
    parts, depth = [""], 0
    for letter in pattern:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [re.compile(part.replace(" ", "[ -]") + WORD_ENDS) for part in parts]


def _tokens(text: str, names: Sequence[str]) -> list[_Token]:
    """Cut a text in lower case into tokens: at each place the longest pattern."""
    entries = [("entry", name, _entry_pattern(name)) for name in names if re.search(r"\w", name)]
    vocabulary = [*entries, *_patterns()]
    tokens = []
    at = 0
    while (start := WORD_OR_MARK.search(text, at)) is not None:
        place = start.start()
        best = _Token("word" if start[0] not in MARKS else "separator", start[0], place, start.end())
        longest = -1
        for kind, value, pattern in vocabulary:
            match = pattern.match(text, place)
            if match and match.end() > max(longest, place):
                longest = match.end()
                best = _Token(kind, value or match[0], place, longest)
        tokens.append(best)
        at = best.end
    return tokens


def _entry_pattern(name: str) -> re.Pattern[str]:
    """The name of an entry in lower case, with or without spaces and hyphens between its words."""
    parts = re.findall(r"[\w']+", name.lower())
    return re.compile(r"[\W_]*".join(map(re.escape, parts)) + WORD_ENDS)


def _phrases(tokens: Iterable[_Token]) -> list[_Phrase]:
    """Cut tokens at separators."""
    phrases = [_Phrase([])]
    for token in tokens:
        if token.kind == "separator":
            if phrases[-1].tokens:
                phrases.append(_Phrase([]))
            phrases[-1].before = token.value
        else:
            phrases[-1].tokens.append(token)
    return [phrase for phrase in phrases if phrase.tokens]


def _share_actions(phrases: Sequence[_Phrase]) -> None:
    """Give a phrase that has only a part the action behind "and": "brows and cheeks raised"."""
    for first, second in pairwise(phrases):
        alone = first.of("part") and not first.of("action", "feature", "one-sided", "emotion", LOOK, "not")
        if alone and second.before == "and" and second.of("part"):
            part = first.of("part")[-1]
            first.tokens += [t for t in second.of("action") if (part.value, t.value) in words.POSES][:1]


def _items(phrase: _Phrase, before: Sequence[_Item]) -> list[_Item]:
    """Find features, emotions and entries in a phrase."""
    parts, actions = phrase.of("part"), phrase.of("action")
    items = [_Item([token], entry=token.value) for token in phrase.of("entry")]
    used: set[_Token] = set()
    gaze = _gaze(phrase)
    if gaze is not None:
        items.append(gaze)
        used.update(gaze.tokens)
    for action in actions:
        if action in used:
            continue
        able = [part for part in parts if part not in used and _pose(part.value, action.value) is not None]
        able.sort(key=lambda part: (_distance(part, action), part.start > action.start))
        if able:
            pose = _pose(able[0].value, action.value)
            assert pose is not None
            items.append(_Item([able[0], action], dict(pose), part=able[0].value, nothing=not pose))
            used.update((able[0], action))
    for token in phrase.of("feature", "one-sided"):
        name, pose = _feature(token)
        local = [p for p in parts if p not in used and (p.value, AS_ACTION.get(name, "")) in words.POSES]
        if local:
            local.sort(key=lambda part: _distance(part, token))
            pose = words.POSES[local[0].value, AS_ACTION[name]]
            used.add(local[0])
        tokens = [token, *local[:1]]
        side = "one" if token.kind == "one-sided" else ""
        part = local[0].value if local else ""
        items.append(_Item(tokens, dict(pose), name=name, part=part, side=side))
    for token in phrase.of("idiom"):
        parts_of_it = read(token.value)[0]
        pose = {channel: amount for part in parts_of_it for channel, amount in part.channels.items()}
        felt = {emotion: amount for part in parts_of_it for emotion, amount in part.emotions.items()}
        items.append(_Item([token], pose, felt))
    for token in phrase.of("emotion"):
        items.append(_emotion(token, parts, used))
        used.update(items[-1].tokens)
    if not items:
        items = _elliptical(phrase, before, parts, actions)
    shown = {name for item in items for name in item.emotions}
    for item in items:
        if item.part == "brow" and item.pose == words.POSES["brow", "knit"] and shown & {*BROWS_OF_WORRY}:
            item.pose = dict(words.WORRIED_BROWS)
    return sorted(items, key=lambda item: item.tokens[0].start)


def _pose(part: str, action: str) -> words.Amounts | None:
    """What an action does to a part; {} for one that only rests, None if the part cannot do it."""
    if action == "half closed":
        return {"eyeBlink": 0.5} if part in ("eye", "lid") else words.POSES.get((part, "closed"))
    return {} if action == "still" else words.POSES.get((part, action))


def _feature(token: _Token) -> tuple[str, words.Amounts]:
    """Name and pose of a feature."""
    if token.kind == "one-sided":
        return next((name, pose) for name, pose in words.ONE_SIDED.values() if name == token.value)
    return words.FEATURES[token.value]


def _emotion(token: _Token, parts: Sequence[_Token], used: set[_Token]) -> _Item:
    """The emotion of a word; in one part of the face alone if it stands before its name ("angry eyes")."""
    meant = _emotion_words()[token.value]
    if isinstance(meant, dict):
        return _Item([token], emotions=dict(meant))
    for part in parts:
        pose = words.EMOTION_PARTS.get((meant, GROUPS.get(part.value, part.value)))
        if pose is not None and part not in used and 0 <= part.start - token.end <= 1:
            return _Item([token, part], dict(pose), part=part.value)
    return _Item([token], emotions={meant: 1.0})


def _gaze(phrase: _Phrase) -> _Item | None:
    """Where the eyes look: "looks down", "eyes to the left"."""
    looks, eyes = phrase.of(LOOK), [part for part in phrase.of("part") if part.value == "eye"]
    vertical = [action for action in phrase.of("action") if action.value in ("up", "down")]
    sides = [side for side in phrase.of("side") if side.value in ("left", "right")]
    others = [part for part in phrase.of("part") if part.value != "eye"]
    if looks and not others:
        directions = [*vertical, *sides]
    elif eyes and not others and not phrase.of("action", "feature", "one-sided", "emotion"):
        directions = sides if sides and sides[0].start > eyes[0].start else []
    elif eyes and not others and vertical and len(phrase.of("action")) == len(vertical):
        directions = [*vertical, *(side for side in sides if side.start > eyes[0].start)]
    else:
        directions = []
    if not directions:
        return None
    pose: dict[str, float] = {}
    for direction in directions:
        pose |= _gaze_pose(direction.value)
    return _Item([*(looks or eyes), *directions], pose, gaze=True, side="both")


def _gaze_pose(direction: str) -> dict[str, float]:
    """The channels of a look up, down, or to the character's left or right."""
    if direction in ("up", "down"):
        return dict(words.POSES["eye", direction])
    side = direction.capitalize()
    return {f"eyeLookOut{side}": 0.7, f"eyeLookIn{OTHER[side]}": 0.7}


def _elliptical(
    phrase: _Phrase, before: Sequence[_Item], parts: Sequence[_Token], actions: Sequence[_Token]
) -> list[_Item]:
    """What a phrase means that lacks a part or an action: it takes that of the phrase before."""
    last = next((item for item in reversed(before) if item.pose or item.nothing), None)
    if last is None:
        return []
    sides, negated = phrase.of("side"), bool(phrase.of("not"))
    if parts and not actions:
        pose = words.POSES.get((parts[0].value, AS_ACTION.get(last.name, "")))
        if pose is None and phrase.before != "with" and last.part and last.tokens[-1].kind == "action":
            pose = words.POSES.get((parts[0].value, last.tokens[-1].value))
        if pose is None:
            return []
        if not negated and phrase.before == "with":  # "smiling with the eyes": there alone
            last.pose, last.part = dict(pose), parts[0].value
            last.tokens.append(parts[0])
            return []
        return [_Item([parts[0]], dict(pose), name=last.name, part=parts[0].value)]
    if parts or not (sides or (negated and actions)):
        return []
    if last.gaze:
        directions = [*(action for action in actions if action.value in ("up", "down")), *sides]
        for direction in directions:
            if direction.value in ("up", "down", "left", "right"):
                last.pose |= _gaze_pose(direction.value)
                last.tokens.append(direction)
        return []
    side = sides[0].value if sides else ""
    if side == "other" and (not actions or actions[0].value in ("still", "down")):
        return [_Item([*sides, *actions], part=last.part, nothing=True)]
    if actions and last.part:
        base = last.part
        pose = next((p for a in actions if (p := _pose(base, a.value)) is not None), None)
        if pose is not None:
            return [_Item([*sides, *actions], dict(pose), part=base, side=side, nothing=not pose)]
    if side in ("left", "right", "one", "both") and not negated:  # "a crooked grin, right side higher"
        last.side = side
        last.tokens.append(sides[0])
    return []


def _modify(phrase: _Phrase, items: Sequence[_Item], before: Sequence[_Item], carried: bool) -> bool:
    """Give the items of a phrase their sides, degrees and negations.

    Args:
        phrase: The phrase.
        items: Its items, which are changed.
        before: The items of the phrases before it: a phrase that is only a degree is about the last one.
        carried: The negation of the phrase before goes on.

    Returns:
        Whether the phrase is negated.
    """
    taken = {token for item in items for token in item.tokens}
    for side in phrase.of("side"):
        if items and side not in taken:
            nearest = min((i for i in items if not i.gaze), key=lambda item: _from_item(item, side), default=None)
            if nearest is not None and (not nearest.side or side.value in ("left", "right")):
                nearest.side = side.value
                nearest.tokens.append(side)
    rest = phrase.of("word")
    for degree in phrase.of("degree"):
        following = [item for item in items if max(t.end for t in item.tokens) > degree.start]
        if following:
            target = min(following, key=lambda item: _from_item(item, degree))
        elif items:
            target = items[-1]
        elif before and not rest:
            target = before[-1]
        else:
            continue
        target.degree *= float(degree.value)
        target.tokens.append(degree)
    if phrase.before == "than":
        for item in items:
            item.degree *= THAN
    negations = phrase.of("not", "less")
    for item in items:
        scope = [t for t in negations if t.start < max(token.end for token in item.tokens) or len(items) == 1]
        item.negated = bool(scope) or carried
        item.less = any(t.kind == "less" for t in scope)
        item.tokens += scope
    return bool(negations) or carried


def _from_item(item: _Item, token: _Token) -> int:
    """Letters between an item and a token."""
    return min(_distance(own, token) for own in item.tokens)


def _distance(a: _Token, b: _Token) -> int:
    """Letters between two tokens."""
    return max(a.start - b.end, b.start - a.end, 0)


def _hide(phrases: Sequence[_Phrase], items: Sequence[_Item]) -> None:
    """Weaken the emotions that somebody tries to hide: those before, or else those behind the word for it."""
    for token in (token for phrase in phrases for token in phrase.of("hiding")):
        felt = [item for item in items if item.emotions]
        earlier = [item for item in felt if item.tokens[0].start < token.start]
        for item in earlier or felt:
            item.degree *= words.HIDDEN
            item.tokens.append(token)


def _rests(phrase: _Phrase, text: str, items: Sequence[_Item], before: Sequence[_Item], negated: bool) -> list[Rest]:
    """What is not understood in a phrase: all of it, or runs of words that are not in the vocabulary."""
    claimed = {token for item in (*items, *before) for token in item.tokens}
    open_ = ("word", "part", "action", LOOK, "side")
    unknown = [token for token in phrase.tokens if token.kind in open_ and token not in claimed]
    known = bool(items) or any(token in claimed for token in phrase.tokens)
    worth = {"word"} if known else {"word", "part", "action", "side"}
    if not any(token.kind in worth for token in unknown):
        return []
    if known:  # only runs of words
        runs: list[list[_Token]] = []
        for token in phrase.tokens:
            if token.kind == "word":
                adjacent = runs and phrase.tokens[phrase.tokens.index(token) - 1] is runs[-1][-1]
                (runs[-1].append(token) if adjacent else runs.append([token]))
        return [Rest(run[0].start, run[-1].end, text[run[0].start : run[-1].end]) for run in runs]
    degree = 1.0
    kept = [token for token in phrase.tokens if token.kind not in MODIFIERS and token.value not in words.FACE]
    for token in phrase.of("degree"):
        degree *= float(token.value)
    content = ""
    for before_it, token in zip([None, *phrase.tokens], phrase.tokens, strict=False):
        if token in kept:
            joint = text[before_it.end : token.start] if before_it in kept and before_it else " "
            content += joint + text[token.start : token.end]
    content = content.strip()
    about_part = bool(phrase.of("part")) and len(content.split()) <= MAX_PART_WORDS
    return [Rest(phrase.tokens[0].start, phrase.tokens[-1].end, content, degree, negated, about_part)] if kept else []


def _name_sides(items: Sequence[_Item]) -> None:
    """Turn "one" and "other" into left and right."""
    last = DEFAULT_SIDE
    for item in items:
        if item.side == "other":
            item.side = OTHER[last].lower()
        elif item.side == "one":
            item.side = DEFAULT_SIDE.lower()
        if item.side in ("left", "right"):
            last = item.side.capitalize()


def _found(item: _Item) -> Found:
    """Return what an item gives."""
    start, end = min(t.start for t in item.tokens), max(t.end for t in item.tokens)
    emotions = {name: min(1.0, amount * item.degree) for name, amount in item.emotions.items()}
    entries = {item.entry: min(1.0, item.degree)} if item.entry else {}
    return Found(start, end, _sided(item), emotions, entries, item.negated, item.less)


def _sided(item: _Item) -> dict[str, float]:
    """Amounts of channels: of both sides, or of one."""
    sides = [item.side.capitalize()] if item.side in ("left", "right") else list(OTHER)
    has_sides = any(stem + "Left" in CHANNELS for stem in item.pose)
    channels: dict[str, float] = {}
    for stem, amount in item.pose.items():
        if stem not in CHANNELS:
            names = [stem + side for side in sides]
        else:  # a channel without sides would move the other side, too
            names = [stem] if len(sides) == 2 or not has_sides else []
        channels |= dict.fromkeys(names, round(min(1.0, amount * item.degree), 4))
    return channels
