"""Judges readings of the directions in directions.json and directions_second.json by the rule that stands there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.arkit import CHANNELS, base_name
from server.protocol.emotions import EMOTIONS

FOLDER = Path(__file__).parent
SHOWN, HINTED = 0.15, 0.05  # least amount of what is expected; of what is expected to be weak
WEAK, STRONG = (0.05, 0.45), (0.75, 1.0)
BANK_AMOUNTS = {"strong": STRONG, "half": (0.25, 0.75), "weak": WEAK, "weak|half": (WEAK[0], 0.75)}
STRAY_CHANNEL, STRAY_EMOTION, STRAY_ENTRY = 0.2, 0.3, 0.1
ABSENT_CHANNEL, ABSENT_OTHER = 0.05, 0.1
OTHER_SIDE = 0.5  # most of the larger side that the other one may have

NOT_ABOUT_A_FACE = (  # what must not be read as anything; the thresholds of text.py are chosen on these, too
    "walks to the door", "picks up the phone", "sits down at the table", "the camera moves in", "cut to the next scene",
    "enters from stage left", "same energy as the previous take", "pause before the line", "a bit faster",
    "louder please", "hand on the shoulder", "turns round", "night, exterior", "in the kitchen", "shot on a long lens",
    "second take",
    "the dog barks outside", "rain on the window", "he opens the fridge", "puts on her coat", "line 42",
    "see reference", "blue hour", "wearing a hat", "holding a cup of tea", "to be continued", "as rehearsed",
    "use the storyboard",
    "more bass", "keep the head still", "lean back in the chair", "pours the wine", "drives the car", "closes the book",
    "three steps forward", "ties his shoe", "waits for the bus", "two fingers up", "the lights go out",
    "check the script",
)  # fmt: skip

Prompt = Mapping[str, Any]


def load(name: str) -> dict[str, Any]:
    """Return a file of directions."""
    content: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return content


def faults(
    prompt: Prompt, emotions: Mapping[str, float], channels: Mapping[str, float], entries: Mapping[str, float]
) -> list[str]:
    """List what is wrong with a reading; nothing, if it is right.

    Args:
        prompt: One of `prompts` of a file of directions.
        emotions: Strength times weight of each emotion.
        channels: Weight of each channel.
        entries: Weight of each entry of the bank.
    """
    amounts = {**emotions, **channels, **entries}
    felt = {name: amount for name, amount in emotions.items() if name != "neutral"}
    if prompt.get("nothing"):
        least = {**dict.fromkeys(channels, ABSENT_CHANNEL), **dict.fromkeys(felt, ABSENT_OTHER)}
        shown = {**channels, **felt, **entries}
        return [f"{name} {x:.2f}" for name, x in shown.items() if abs(x) > least.get(name, 0)]
    found: list[str] = []
    expected: dict[str, float] = {}
    degree = prompt.get("degree", "")
    least_shown = HINTED if degree == "weak" else SHOWN

    def best(names: str) -> float:
        options = {name: amounts.get(name, 0.0) for name in names.split("|")}
        expected.update(options)
        return max(options.values())

    found += [f"no {names}" for names in prompt.get("up", ()) if best(names) < least_shown]
    for stems, side in prompt.get("side", {}).items():
        sides = [_sides(stem, channels, side) for stem in stems.split("|")]
        expected.update({f"{stem}{s}": 0.0 for stem in stems.split("|") for s in ("Left", "Right")})
        if not any(more >= least_shown and less <= OTHER_SIDE * more for more, less in sides):
            found.append(f"no {stems} on one side ({side})")
    if "emotion" in prompt:
        wanted = prompt["emotion"].split("|")
        leader = max(felt, key=lambda name: felt[name], default="neutral")
        calm = sum(felt.values()) <= SHOWN
        expected.update({name: amounts.get(name, 0.0) for name in wanted})
        right = ("neutral" in wanted and calm) or (leader in wanted and felt.get(leader, 0) >= least_shown)
        if not right:
            found.append(f"emotion {leader if not calm else 'neutral'} {felt.get(leader, 0):.2f}")
    for name in prompt.get("without", ()):
        if amounts.get(name, 0.0) > (ABSENT_CHANNEL if name in CHANNELS else ABSENT_OTHER):
            found.append(f"{name} {amounts[name]:.2f}")
    found += [
        f"{name} {amounts[name]:.2f}" for name, most in prompt.get("most", {}).items() if amounts.get(name, 0) > most
    ]
    for name, size in prompt.get("bank", {}).items():
        low, high = BANK_AMOUNTS[size]
        if not low - 1e-6 <= entries.get(name, 0.0) <= high + 1e-6:
            found.append(f"{name} {entries.get(name, 0.0):.2f}")
    if degree:
        low, high = WEAK if degree == "weak" else STRONG
        largest = max((expected[n] for n in expected if n != "neutral"), default=0.0)
        if not low - 1e-6 <= largest <= high + 1e-6:
            found.append(f"not {degree}: {largest:.2f}")
    known = {*expected, *prompt.get("may", ()), *prompt.get("bank", ()), *prompt.get("most", ())}
    strays = {
        **{n: x for n, x in channels.items() if abs(x) > STRAY_CHANNEL and base_name(n) not in known},
        **{n: x for n, x in felt.items() if x > STRAY_EMOTION},
        **{n: x for n, x in entries.items() if x > STRAY_ENTRY},
    }
    return found + [f"stray {name} {amount:.2f}" for name, amount in strays.items() if name not in known]


def _sides(stem: str, channels: Mapping[str, float], side: str) -> tuple[float, float]:
    """Return the amounts of the wanted side and of the other one."""
    left, right = (channels.get(stem + s, 0.0) for s in ("Left", "Right"))
    pair = (left, right) if side == "left" else (right, left)
    return (max(pair), min(pair)) if side == "either" else pair


def amounts(reading: Any) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return the emotions (strength times weight), channels and entries of a `Reading`."""
    felt = {name: float(reading.strength * w) for name, w in zip(EMOTIONS, reading.weights, strict=True)}
    return felt, dict(reading.channels), dict(reading.entries)
