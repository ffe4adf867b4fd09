"""Writes docs/directions.md; it needs the text encoder.

python -m tests.server.performance.emotion.directions_page
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from server.errors import LSFError
from server.performance.emotion import text
from server.performance.emotion.bank import Bank
from server.protocol.emotions import EMOTIONS

from . import scoring

PAGE = Path(__file__).parents[4] / "docs" / "directions.md"
TEMPLATE = Path(__file__).with_suffix(".md")
FILES = {"directions.json": "Sixty directions", "directions_second.json": "Forty more"}
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "ja": "Japanese"}
NOTHING = dict.fromkeys(EMOTIONS, 0.0)


@cache
def bank() -> Bank:
    """The expressions that the directions name."""
    return Bank.from_fields(scoring.load("directions.json")["bank"])


def read(words: str) -> tuple[text.Reading | None, str]:
    """Read a direction. Returns the reading, or None and why there is none."""
    try:
        return text.read(words, bank()), ""
    except LSFError as error:
        return None, error.code


def faults_now(prompt: scoring.Prompt) -> list[str]:
    """What is wrong with the reading of a direction."""
    reading, _ = read(prompt["text"])
    return scoring.faults(prompt, *(scoring.amounts(reading) if reading else (NOTHING, {}, {})))


def faults_before(prompt: scoring.Prompt) -> list[str]:
    """What was wrong with the reading before there was a grammar."""
    leader, weight, strength = _before()[prompt["text"]]
    return scoring.faults(prompt, {**NOTHING, **({leader: strength} if weight >= text.MIN_WEIGHT else {})}, {}, {})


@cache
def _before() -> Mapping[str, Any]:
    readings: Mapping[str, Any] = scoring.load("directions_before.json")["readings"]
    return readings


def score(name: str) -> int:
    """How many directions of a file are read right."""
    return sum(not faults_now(prompt) for prompt in scoring.load(name)["prompts"])


def page() -> str:
    """Return docs/directions.md."""
    tables = "\n".join(line for name in FILES for line in _table(name)).strip()
    return (
        TEMPLATE.read_text("utf-8")
        .replace("{scores}", "\n".join(_scores()))
        .replace("{tables}", tables)
        .replace("{thresholds}", "\n".join(_thresholds()))
    )


def _scores() -> Iterator[str]:
    """Lines of the table of scores."""
    yield "| right | before | without the text encoder | with it |"
    yield "|---|---|---|---|"
    for name, title in FILES.items():
        prompts = scoring.load(name)["prompts"]
        for what, some in (
            ("all", prompts),
            ("in English", [p for p in prompts if "language" not in p]),
            ("in other languages", [p for p in prompts if "language" in p]),
        ):
            before = sum(not faults_before(prompt) for prompt in some)
            with mock.patch.object(text, "PACKAGE", "no_such_package"):
                grammar = sum(not faults_now(prompt) for prompt in some)
            now = sum(not faults_now(prompt) for prompt in some)
            yield f"| {title}, {what} | {before} of {len(some)} | {grammar} | **{now}** |"


def _thresholds() -> Iterator[str]:
    """Lines of the table of thresholds: each example is read by the others."""
    encoder = text._encoder(text._model_folder())
    read_: list[tuple[bool, float]] = []
    for k, emotion in enumerate(EMOTIONS):
        for i, vector in enumerate(encoder.examples[k]):
            others = encoder.examples.copy()
            others[k, i] = 0
            found, likeness = text.emotions_of(others, vector)
            read_.append((_leader(found) == emotion, likeness))
    other = [text.emotions_of(encoder.examples, encoder.encode(words)[0]) for words in scoring.NOT_ABOUT_A_FACE]
    for least in (0.25, text.MIN_SIMILARITY, 0.35, 0.4, text.MIN_REST_SIMILARITY, 0.5):
        right = np.mean([is_right and likeness >= least for is_right, likeness in read_])
        wrong = np.mean([not is_right and likeness >= least for is_right, likeness in read_])
        shown = np.mean([_leader(found) not in ("", "neutral") and likeness >= least for found, likeness in other])
        use = {text.MIN_SIMILARITY: "a whole text", text.MIN_REST_SIMILARITY: "what the grammar left over"}.get(
            least, ""
        )
        yield f"| {least:.2f} | {use} | {right:.0%} | {wrong:.0%} | {shown:.0%} |"


def _leader(amounts: Mapping[str, float]) -> str:
    """The strongest emotion; "" for none."""
    return max(amounts, key=lambda name: amounts[name], default="")


def _table(name: str) -> Iterator[str]:
    """Lines of the table of a file."""
    yield f"## {FILES[name]}"
    yield ""
    yield "| direction | right before | right | what is shown | what is wrong |"
    yield "|---|---|---|---|---|"
    for prompt in scoring.load(name)["prompts"]:
        wrong = faults_now(prompt)
        language = f" ({LANGUAGES[prompt['language']]})" if "language" in prompt else ""
        before = "no" if faults_before(prompt) else "yes"
        marks = f"{before} | {'**no**' if wrong else 'yes'}"
        yield f"| {prompt['text']}{language} | {marks} | {_shown(prompt['text'])} | {'; '.join(wrong)} |"
    yield ""


def _shown(words: str) -> str:
    """What a direction shows, in short."""
    reading, _ = read(words)
    if reading is None:
        return "*not understood*"
    felt, channels, entries = scoring.amounts(reading)
    amounts = {**{n: x for n, x in felt.items() if n != "neutral" and x > 0}, **entries, **_sides_joined(channels)}
    text_ = ", ".join(f"{name} {amount:.2f}" for name, amount in amounts.items()) or "neutral"
    return text_ + (f"; *not understood: {', '.join(reading.missed)}*" if reading.missed else "")


def _sides_joined(channels: Mapping[str, float]) -> dict[str, float]:
    """Channels, both sides as one where they are equal."""
    joined: dict[str, float] = {}
    for name, amount in channels.items():
        stem = scoring.base_name(name)
        equal = stem != name and channels.get(stem + "Left") == channels.get(stem + "Right")
        joined[stem if equal else name] = amount
    return joined


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
