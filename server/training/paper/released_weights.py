r"""Maps the weights of another program to ours by a table of rules: names, and how their shapes differ.

A table is JSON: {"rules": [...], "keep": [...], "ignore": [...]}. A rule is an object:

    ours      regular expression of whole names of ours
    theirs    one or more names of theirs, joined along the first dimension; \1 is the first group of `ours`
    rows      [start, end] of theirs along the first dimension; left out: all
    columns   [start, end] along the second
    transpose true: the first two dimensions change places
    optional  true: where theirs is missing, ours keeps the value that it has
    guess     true: written by `propose`, to be confirmed by deleting the line

`keep` lists regular expressions of names of ours that need no counterpart, and of theirs that need no place; `ignore`
those of theirs alone.
The first rule that matches holds. Dimensions of length 1 are added and removed where needed. Nothing else is bent: what
does not fit is refused, with the names and shapes of both sides.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import LSFError
from .published import open_weights

MAX_BYTES = 1 << 22  # of a table; one with a rule for each of a thousand weights has a tenth of it
# Values that are not learned in our code: they are set by the configuration, or pass features on unchanged.
KEEP = [r"motion_mean", r"motion_scale", r"(motion|emotion)_norm\..+"]
CANDIDATES = 8  # names of theirs that a proposal lists for a weight

# Names of HuBERT in transformers: one weight that tells where it is, and the position convolution, whose normalised
# weight had other names in older versions of torch.
HUBERT_NAME = "feature_projection.projection.weight"
POSITIONS = "encoder.pos_conv_embed.conv."
WEIGHT_NORM = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}

# What the parts of our model are, in words, for people who write a table. A longer beginning of a name goes first.
PARTS = {
    "sie_encoder.identity.mlp.": "identity: linear 300 → 256 (0), 256 → 128 (2), 128 → n (4), softmax",
    "sie_encoder.identity.project.": "identity: n → width, no bias",
    "sie_encoder.motion.linear.": "motion stream: two stacked feature frames → width",
    "sie_encoder.emotion.linear.": "emotion stream: two stacked feature frames → width",
    "sie_encoder.motion.embed.conv.": "motion stream: convolution of 5 frames",
    "sie_encoder.emotion.embed.conv.": "emotion stream: convolution of 5 frames",
    "sie_encoder.shared.": "both streams: linear after InstanceNorm",
    "hifb.tokens": "fusion tokens",
    "hifb.last.": "last block: transformer layer of the motion stream; its other parts are not used",
    ".emotion_layer.": "transformer layer of the emotion stream; qkv has query, key, value in this order",
    ".motion_layer.": "transformer layer of the motion stream; qkv has query, key, value in this order",
    ".pairs.emotion_key.": "pair attention: the columns of the key matrix over [e ; m] that belong to e",
    ".pairs.motion_key.": "pair attention: the columns of the key matrix over [e ; m] that belong to m",
    ".pairs.emotion_value.": "pair attention: the columns of the value matrix over [e ; m] that belong to e",
    ".pairs.motion_value.": "pair attention: the columns of the value matrix over [e ; m] that belong to m",
    ".pairs.": "pair attention: norms, query and output",
    "hifb.blocks.": "MLP of the tokens: norm (0), linear (1), linear (4)",
    "prior.into.": "prior: motion → width",
    "prior.encoder.": "prior's encoder: convolution, linear, then transformer layers",
    "prior.quantiser.": "prior: codebook",
    "prior.decoder.": "prior's decoder: convolution, linear, then transformer layers",
    "prior.out.": "prior: width → motion",
    "motion_backbone.": "HuBERT, in the names of transformers",
    "emotion_backbone.": "emotion2vec",
}


@dataclass(frozen=True)
class Rule:
    """One rule; see the module."""

    ours: re.Pattern[str]
    theirs: tuple[str, ...]
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    transpose: bool = False
    optional: bool = False
    guess: bool = False


@dataclass(frozen=True)
class Table:
    """All rules. The default maps equal names only."""

    rules: tuple[Rule, ...] = (Rule(re.compile("(.+)"), ("\\1",)),)
    keep: tuple[re.Pattern[str], ...] = tuple(map(re.compile, KEEP))
    ignore: tuple[re.Pattern[str], ...] = ()


@dataclass
class Mapped:
    """Result of `apply`.

    Attributes:
        weights: Ours by name; those that keep their values are not in it.
        kept: Names of ours that keep their values, since the table says so or an optional rule found nothing.
        unmatched: Names of ours without a counterpart, and why.
        unused: Names of theirs without a place.
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    unmatched: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint of PyTorch or of safetensors: all tensors by name. No program in it is run.

    The weights may be in an entry (`published.CONTAINERS`). A "module." before all names is taken away.

    Raises:
        LSFError: "no_file", or "bad_weights" if it cannot be read so, or has no weights.
    """
    if not path.is_file():
        raise LSFError("no_file", f'There is no file "{path}".')
    try:
        opened = open_weights(path, {})
        tensors = {name: opened.read(name) for name in opened.shapes}
    except LSFError as error:
        raise LSFError("bad_weights", str(error)) from error
    if not tensors:
        raise _fault(path, "it has no weights by name")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    for name, value in tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise _fault(path, f"{name} holds numbers that are not finite")
    return tensors


def merge(files: Mapping[Path, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Join the weights of several files. Raises LSFError if two have different weights of one name."""
    merged: dict[str, Tensor] = {}
    for path, weights in files.items():
        for name, value in weights.items():
            if name in merged and not torch.equal(merged[name], value):
                raise _fault(path, f"{name} is another one than in the file before; give the files one by one")
            merged[name] = value
    return merged


def read_table(path: Path) -> Table:
    """Read a table of rules.

    Raises:
        LSFError: "no_file", or "bad_rules" if it is no such table, or has guesses that nobody confirmed.
    """
    if not path.is_file():
        raise LSFError("no_file", f'There is no file "{path}".')
    if path.stat().st_size > MAX_BYTES:
        raise _bad_rules(path, "it is too large")
    try:
        stored = json.loads(path.read_text("utf-8"))
        unknown = set(stored) - {"rules", "keep", "ignore"}
        if unknown:
            raise _bad_rules(path, f"it has the unknown entry {min(unknown)}")
        table = Table(
            rules=tuple(_rule(path, rule) for rule in stored["rules"]),
            keep=tuple(map(re.compile, stored.get("keep", KEEP))),
            ignore=tuple(map(re.compile, stored.get("ignore", []))),
        )
    except LSFError:
        raise
    except Exception as error:  # damaged JSON, wrong types, expressions that cannot be compiled
        raise _bad_rules(path, "it is not JSON of the form that its documentation shows") from error
    guesses = sum(rule.guess for rule in table.rules)
    if guesses:
        raise _bad_rules(path, f'it has {guesses} guesses; check each, then delete its line "guess"')
    return table


def _rule(path: Path, stored: Mapping[str, Any]) -> Rule:
    """Read one rule."""
    known = {"ours", "theirs", "rows", "columns", "transpose", "optional", "guess", "about", "shape", "candidates"}
    if set(stored) - known:
        raise _bad_rules(path, f"a rule has the unknown entry {min(set(stored) - known)}")
    spans = {}
    for name in ("rows", "columns"):
        if name in stored:
            start, end = stored[name]
            if not (type(start) is type(end) is int and 0 <= start < end):
                raise _bad_rules(path, f"{name} must be [start, end] with 0 ≤ start < end")
            spans[name] = (start, end)
    theirs = stored["theirs"]
    return Rule(
        ours=re.compile(stored["ours"]),
        theirs=(theirs,) if isinstance(theirs, str) else tuple(map(str, theirs)),
        transpose=stored.get("transpose", False) is True,
        optional=stored.get("optional", False) is True,
        guess=stored.get("guess", False) is True,
        **spans,
    )


def apply(table: Table, theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> Mapped:
    """Map weights.

    Args:
        table: The rules.
        theirs: Weights of the other program.
        ours: All that our model has; only shapes and types are used.

    Returns:
        The mapped weights, and what has no counterpart on either side.
    """
    result, used = Mapped(), set()
    for name, wanted in ours.items():
        if any(pattern.fullmatch(name) for pattern in table.keep):
            result.kept.append(name)
            continue
        found = next(((rule, match) for rule in table.rules if (match := rule.ours.fullmatch(name))), None)
        if found is None:
            result.unmatched[name] = "no rule"
            continue
        rule, match = found
        sources = [match.expand(source) for source in rule.theirs]
        missing = [source for source in sources if source not in theirs]
        if (missing or not sources) and rule.optional:
            result.kept.append(name)
        elif missing or not sources:
            result.unmatched[name] = f"theirs has no {missing[0]}" if missing else "the rule names none of theirs"
        else:
            used.update(sources)
            value = _bent(rule, [theirs[source] for source in sources], wanted)
            if value is None:
                shapes = ", ".join(str(tuple(theirs[source].shape)) for source in sources)
                result.unmatched[name] = f"{' + '.join(sources)} of shape {shapes} does not fit"
            else:
                result.weights[name] = value
    passed = (*table.ignore, *table.keep)
    result.unused = [
        name for name in theirs if name not in used and not any(pattern.fullmatch(name) for pattern in passed)
    ]
    return result


def _bent(rule: Rule, sources: list[Tensor], wanted: Tensor) -> Tensor | None:
    """Return a weight of theirs in our shape and type, or None if it does not fit."""
    try:
        value = torch.cat(sources) if len(sources) > 1 else sources[0]
        for dimension, span in enumerate((rule.rows, rule.columns)):
            if span is not None:
                if span[1] > value.shape[dimension]:
                    return None
                value = value.narrow(dimension, span[0], span[1] - span[0])
        if rule.transpose:
            value = value.transpose(0, 1)
    except (RuntimeError, IndexError):
        return None
    if _without_ones(value) != _without_ones(wanted):
        return None
    return value.reshape(wanted.shape).to(wanted.dtype).contiguous().clone()


def _without_ones(value: Tensor) -> tuple[int, ...]:
    """Return the lengths of the dimensions that are longer than 1."""
    return tuple(length for length in value.shape if length != 1)


def listing(mapping: Mapped, theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> str:
    """Return what does not match, both sides with shapes, a name a line."""
    lines = [f"Ours without a counterpart ({len(mapping.unmatched)}):"]
    lines += [f"  {name} {tuple(ours[name].shape)}: {reason}" for name, reason in mapping.unmatched.items()]
    lines += [f"Theirs without a place ({len(mapping.unused)}):"]
    lines += [f"  {name} {tuple(theirs[name].shape)}" for name in mapping.unused]
    return "\n".join(lines)


def propose(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> str:
    """Return the text of a table to edit: for each weight of ours what it is, and names of theirs of its shape.

    Where both sides have equally many weights of a shape, they are paired in their order, which is a guess, marked so.
    """
    table = Table()
    equal = {name for name in ours if name in theirs and _without_ones(ours[name]) == _without_ones(theirs[name])}
    open_ours: dict[tuple[int, ...], list[str]] = defaultdict(list)
    open_theirs: dict[tuple[int, ...], list[str]] = defaultdict(list)
    # Names of ours that keep their values; theirs of these names have no other place.
    kept = {name for name in ours if any(pattern.fullmatch(name) for pattern in table.keep)}
    rules, whole = _backbone_rules(theirs, ours)
    heads = tuple(name.removesuffix(HUBERT_NAME) for name in theirs if name.endswith(HUBERT_NAME))
    covered = {name for name in ours if name.startswith(whole)} | {n for n in theirs if heads and n.startswith(heads)}
    closed = equal | kept | covered
    for side, weights in ((open_ours, ours), (open_theirs, theirs)):
        for name, value in weights.items():
            if name not in closed:
                side[_without_ones(value)].append(name)
    for name, value in ours.items():
        if name in kept or name.startswith(whole):
            continue
        rule: dict[str, object] = {"ours": re.escape(name), "about": _about(name), "shape": list(value.shape)}
        own, other = open_ours[_without_ones(value)], open_theirs[_without_ones(value)]
        if name in equal:
            rule["theirs"] = [name]
        elif other and len(own) == len(other):
            rule |= {"theirs": [other[own.index(name)]], "guess": True}
        else:
            rule |= {"theirs": [], "candidates": _likely(name, other)}
        rules.append(rule)
    return json.dumps({"rules": rules, "keep": KEEP, "ignore": []}, indent=1, ensure_ascii=False) + "\n"


def _backbone_rules(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """Return rules for whole encoders, and the beginnings of the names of ours that they cover.

    HuBERT keeps its names in most programs. It is covered if the files have it under those of `transformers`, at any
    place; an encoder of which they have nothing is expected from its own file.
    """
    rules: list[dict[str, object]] = []
    covered: list[str] = []
    for prefix in ("motion_backbone.", "emotion_backbone."):
        if not any(name.startswith(prefix) for name in ours) or any(name.startswith(prefix) for name in theirs):
            continue
        about = _about(prefix)
        found = [name.removesuffix(HUBERT_NAME) for name in theirs if name.endswith(HUBERT_NAME)]
        if prefix == "motion_backbone." and len(found) == 1:
            head, own = found[0], r"motion_backbone\.model\."
            for new, old in WEIGHT_NORM.items():
                if f"{head}{POSITIONS}{old}" in theirs:
                    rules.append({"ours": own + re.escape(POSITIONS + new), "theirs": [head + POSITIONS + old]})
            rules.append({"ours": own + "masked_spec_embed", "theirs": [head + "masked_spec_embed"], "optional": True})
            rules.append({"ours": own + "(.+)", "theirs": [head + r"\1"], "about": about})
        else:
            rules.append({"ours": re.escape(prefix) + ".+", "theirs": [], "optional": True, "about": f"{about}: apart"})
        covered.append(prefix)
    return rules, tuple(covered)


def _about(name: str) -> str:
    """Return in words what a weight of ours belongs to."""
    fitting = [part for part in PARTS if part in name]
    return PARTS[max(fitting, key=len)] if fitting else ""


def _likely(name: str, others: list[str]) -> list[str]:
    """Return the names that share most parts with `name`, best first."""
    parts = Counter(re.split(r"[._]", name))
    return sorted(others, key=lambda other: -(parts & Counter(re.split(r"[._]", other))).total())[:CANDIDATES]


def _fault(path: Path, reason: str) -> LSFError:
    return LSFError("bad_weights", f'"{path.name}" cannot be used: {reason}.')


def _bad_rules(path: Path, reason: str) -> LSFError:
    return LSFError("bad_rules", f'The table "{path.name}" cannot be used: {reason}.')
