"""What makes every channel, how far it moves, and how far its two sides differ, generated against tracked.

Lines of GRID's known speaker and of six others are generated, each with a random identity, and compared with the same
lines as tracked. Tracked weights are those of MediaPipe. It reports little of some channels (eyeWide, cheeks, nose,
the lower lip), so its movement is no target; the ratio of the two sides hardly depends on that.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arkit import CHANNELS, channel_indices
from ...numerics import FloatArray
from ...protocol.emotions import EMOTIONS
from ..corpora import Clip, required
from .runner import Runner
from .spread import Figure, Report, Spread

MAKERS = {
    "lips": "learned from tracked lips, and from voices as teachers hear them (labels/heard_targets.py); at rest in "
    "pauses by rule (performance/rest.py)",
    "poses": "learned from speech with poses of emotions (labels/expression_targets.py)",
    "prominence": "rule, from loudness and pitch (performance/brows.py)",
    "contact": "rule, lips that nearly meet close (performance/lip_contact.py)",
    "sides": "rule, left and right differ, and the jaw drifts (performance/sides.py)",
    "layer": "rule, blinks and gaze are a layer of their own and not in these curves (performance/layers)",
    "rest": "never moves",
}
"""What moves channels, and how."""
MADE_BY = {
    "eyeBlink": ("poses", "layer"),
    "eyeLookDown": ("layer",),
    "eyeLookIn": ("layer",),
    "eyeLookOut": ("layer",),
    "eyeLookUp": ("layer",),
    "eyeSquint": ("poses", "sides"),
    "eyeWide": ("prominence", "poses"),
    "jawForward": ("rest",),
    "jawLeft": ("sides",),
    "jawRight": ("sides",),
    "jawOpen": ("lips",),
    "mouthClose": ("lips", "contact"),
    "mouthFunnel": ("lips",),
    "mouthPucker": ("lips",),
    "mouthLeft": ("rest",),
    "mouthRight": ("rest",),
    "mouthSmile": ("lips", "poses", "sides"),
    "mouthFrown": ("lips", "poses", "sides"),
    "mouthDimple": ("lips", "poses", "sides"),
    "mouthStretch": ("lips", "poses", "sides"),
    "mouthRollLower": ("lips", "contact"),
    "mouthRollUpper": ("lips",),
    "mouthShrugLower": ("lips",),
    "mouthShrugUpper": ("lips",),
    "mouthPress": ("lips", "poses", "sides"),
    "mouthLowerDown": ("lips", "sides"),
    "mouthUpperUp": ("lips", "poses", "sides"),
    "browDown": ("poses", "sides"),
    "browInnerUp": ("prominence", "poses"),
    "browOuterUp": ("prominence", "poses", "sides"),
    "cheekPuff": ("rest",),
    "cheekSquint": ("poses", "sides"),
    "noseSneer": ("poses", "sides"),
    "tongueOut": ("rest",),
}
"""Keys of MAKERS for a channel or for both sides of a pair. Jaw and mouth to the left and right are no pairs."""
MOVING = 0.005  # root mean square of a weight below which the ratio of the sides is not taken
EMOTIONAL_LINES = 3  # that are generated with every emotion at full strength as well
JAW_OPEN, JAW_LEFT, JAW_RIGHT = (CHANNELS.index(name) for name in ("jawOpen", "jawLeft", "jawRight"))


def row_channels(name: str) -> list[int]:
    """Return the indices of the channels of a row of MADE_BY: one, or both sides."""
    return [CHANNELS.index(name)] if name in CHANNELS else channel_indices(name)


def side_difference(curves: FloatArray, name: str, tracked: bool = False) -> float:
    """Return how far two sides differ: the root mean square of (left − right) / 2 over that of (left + right) / 2.

    Args:
        curves: ARKit curves (F, 52).
        name: A pair's name without its side; or "jaw" for movement to the side over the opening of the jaw.
        tracked: Whether resting values of the upper face are those of the tracker. They are taken off then.

    Returns:
        The ratio, at least 0; NaN if the pair moves by less than MOVING.
    """
    curves = curves.astype(np.float64)
    if name == "jaw":
        common, difference = curves[:, JAW_OPEN], curves[:, JAW_LEFT] - curves[:, JAW_RIGHT]
    else:
        left, right = (curves[:, CHANNELS.index(f"{name}{side}")] for side in ("Left", "Right"))
        common, difference = (left + right) / 2, (left - right) / 2
        if tracked and not name.startswith("mouth"):
            common, difference = common - np.median(common), difference - np.median(difference)
    size = np.sqrt(np.square(common).mean())
    return float(np.sqrt(np.square(difference).mean()) / size) if size >= MOVING else float("nan")


def tracked_curves(clips: Sequence[Clip]) -> dict[str, list[FloatArray]]:
    """Return the tracked frames (F, 52) of every clip, by the name of the speaker."""
    people: dict[str, list[FloatArray]] = {}
    for clip in clips:
        curves = required(clip.curves)
        people.setdefault(clip.speaker, []).append(curves if clip.valid is None else curves[clip.valid])
    return people


def channel_rows(
    generated: Sequence[FloatArray], emotional: Sequence[FloatArray], people: dict[str, list[FloatArray]]
) -> dict[str, Report]:
    """Return the figures of every row of MADE_BY.

    Args:
        generated: Curves (F, 52) of lines with the emotion that the voice implies.
        emotional: Curves of lines with an emotion at full strength.
        people: Tracked curves of every clip, by person.

    Returns:
        "moves" and "tracked" are standard deviations over time, "largest" is the largest weight of all lines,
        "sides" and "sides tracked" are ratios (`side_difference`) of lines and people in which the pair moves; all
        NaN where there is none.
    """
    rows: dict[str, Report] = {}
    for name in MADE_BY:
        columns = row_channels(name)
        row: Report = {
            "moves": Spread.over_clips(float(c[:, columns].std(0).mean()) for c in generated),
            "tracked": Spread.over_people(
                float(np.median([c[:, columns].std(0).mean() for c in own])) for own in people.values()
            ),
            "largest": float(max(c[:, columns].max() for c in [*generated, *emotional])),
        }
        pair = "jaw" if name == "jawLeft" else name if len(columns) == 2 else ""
        if pair:
            lines = [side_difference(c, pair) for c in [*generated, *emotional]]
            found = [[side_difference(c, pair, tracked=True) for c in own] for own in people.values()]
            row["sides"] = _spread(lines, people=False)
            row["sides tracked"] = _spread([_median(values) for values in found], people=True)
        rows[name] = row
    return rows


def _median(values: Sequence[float]) -> float:
    """The median of the values of a person; NaN unless most of them are finite."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if 2 * len(finite) > len(values) else float("nan")


def _spread(values: Sequence[float], people: bool) -> Figure:
    """The spread of the finite values over people, or over lines; NaN if there are none."""
    return Spread.of(values, people) if np.isfinite(values).any() else float("nan")


def channel_table(runner: Runner, data: Path, limit: int = 40) -> dict[str, Report]:
    """Generate the lines and return the figures of every row of MADE_BY, see `channel_rows`.

    Args:
        runner: The checkpoint.
        data: Folder that holds the corpora.
        limit: Lines of GRID's known speaker.
    """
    clips = [*runner.clips(data, "grid")[:limit], *runner.clips(data, "people")]
    rng = np.random.default_rng(0)

    def face() -> NDArray[np.float32]:
        return rng.standard_normal(runner.model.config.identity_size, np.float32)

    generated = [runner.run(clip, identity=face()) for clip in clips]
    emotional = [runner.run(clip, emotion, identity=face()) for emotion in EMOTIONS for clip in clips[:EMOTIONAL_LINES]]
    return channel_rows(generated, emotional, tracked_curves(clips))


def as_text(table: dict[str, Report]) -> str:
    """Return the table in Markdown, a row for a channel or for both sides of a pair, and what the makers mean."""
    columns = ["moves", "tracked", "largest", "sides", "sides tracked"]
    lines = ["| " + " | ".join(["", "made by", *columns]) + " |", "|---" * (len(columns) + 2) + "|"]
    for name, row in table.items():
        label = name if len(row_channels(name)) == 1 else f"{name}Left, …Right"
        lines.append("| " + " | ".join([label, ", ".join(MADE_BY[name]), *(_cell(row.get(c)) for c in columns)]) + " |")
    lines += ["", *(f"- {name}: {meaning}" for name, meaning in MAKERS.items())]
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    """A figure in a cell, with its spread; empty if there is none."""
    if isinstance(figure, Spread):
        return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f}, n {figure.count})"
    return "" if figure is None or np.isnan(figure) else f"{figure:.2f}"
