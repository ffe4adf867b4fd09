"""Fits the numbers of a style card to recordings, and keeps those alone that hold on parts kept out of the fit.

Every number, or pair of numbers, has an estimate in closed form. It is made smaller by what a number of one actor may
differ by from take to take (`safe`), and multiplied by one of SHARES, which is chosen by blocked cross-validation: the
recording is cut into blocks, or, if there are several takes, each is a block; for each of them the estimate is made
from the others. The share with the least error on the blocks that were kept out counts. A number is kept only if it
beats the default there by more than two standard errors over the blocks; otherwise it is 0. Frames next to each other
are alike, so blocks and not frames are kept out.

Blocks of one take share the calibration of the tracker and the mood of the day, so cross-validation alone would keep
what holds for this take and no other.

Numbers are fitted one after the other, each with those before it applied. Fitting them again after that would divide
one habit between numbers that do much the same, and each part would be too small to tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS, channel_indices
from ..numerics import BoolArray, FloatArray, smoothstep
from ..performance import lip_contact, prosody, style
from ..performance.layers import blinks
from ..performance.sides import DIFFERENCES, PAIRS
from ..performance.style import Cues, Numbers
from ..protocol.style_cards import FAMILIES, NUMBERS, limits

SHARES = (0.25, 0.5, 0.75, 1.0)
MIN_BLOCK, MAX_BLOCKS, MIN_BLOCKS = 3.0, 8, 3  # seconds of a block, and their number
MIN_TAKES = 2  # of which each can be a block
# By how much a number of one actor may differ between two takes without a change of his manner. The neutral faces of
# two calibrations differ by .1, what is relative to them by .05, and extremes by a third (a logarithm of .3); a lag is
# known to half a frame; the rate of blinks changes by a half with the mood. How far the lips are pushed out differs
# most, so no take tells it: the gain of rounding has no larger limit than this, a pucker at rest is the same by another
# name, and the corners of the mouth are measured by the smile alone.
DIFFERENCE = {
    "rest": 0.1,
    "pucker": 0.3,
    "amplitude": 0.3,
    "visemes": 0.05,
    "onset": 0.02,
    "smoothing": 0.01,
    "poses": 0.05,
    "sides": 0.1,
    "blinks": 0.4,
}
MIN_GAIN = 0.002  # of the squared error: a number that gains less is not worth having
STANDARD_ERRORS = 2.0  # over the blocks, that a gain must exceed
MIN_FRAMES = 12  # that an estimate needs
SHOWN = 0.25  # of a cue; less is not counted among these frames
RESTING = 0.3  # share of the frames, those with the least movement, in which a face rests
SMALL, LARGE = (0.3, 0.7), (0.85, 1.0)  # quantiles of a movement, between which it is small or large
# Least correlation of a region's movement with the predicted one. Below it, a gain would say how wrong the prediction
# is, and not how large the actor moves.
MIN_FOLLOWED = 0.25
SLOPE_PRIOR = 0.04  # of two sizes of movement, squared: nearer ones say little of how the gain depends on the size
MOVING = 0.05  # of a large movement; less does not move
ONSETS = np.arange(-0.14, 0.141, 0.02)  # seconds
SMOOTHINGS = np.arange(0.0, 0.101, 0.01)  # seconds
NOISE_FRAMES = 1.0  # standard deviation of a Gaussian, before speeds are compared
MIN_BLINK_SECONDS = 20.0
BLINK_HEIGHT, BLINK_PROMINENCE, BLINK_DISTANCE = 0.4, 0.25, 0.15  # of the lids' curve, and seconds
MAX_KNOWN = 32  # predictions that are kept: of ONSETS, SMOOTHINGS and a few more
RIDGE = 1e-3  # of the mean square of a cue, added to it: a cue that hardly occurs says nothing
# Blinks per second by default: the mean of the intervals' distribution.
DEFAULT_BLINKS = 1 / (blinks.MEDIAN_INTERVAL * float(np.exp(blinks.LOG_SPREAD**2 / 2)))


@dataclass(frozen=True)
class Reference:
    """A reference performance, at the model's frames.

    Attributes:
        speech: (F, 52) what the model predicts for the sound, without emotion, both sides alike.
        expression: (F, 52) what emotion adds to it.
        recorded: (F, 52) the recorded curves, without the lag.
        valid: (F,) frames in which there is a recording.
        moved: (52,) channels that the recording moves.
        cues: When a style shows.
        fps: Frames per second.
        take: (F,) number of the take to which a frame belongs.
    """

    speech: NDArray[np.float32]
    expression: NDArray[np.float32]
    recorded: NDArray[np.float32]
    valid: BoolArray
    moved: BoolArray
    cues: Cues
    fps: float
    take: NDArray[np.intp]
    _known: dict[bytes, NDArray[np.float32]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        speech: FloatArray,
        expression: FloatArray,
        voice: prosody.Voice,
        recorded: FloatArray,
        valid: BoolArray,
        moved: BoolArray,
        fps: float,
    ) -> "Reference":
        """Make a reference of a prediction with its sides, and of a recording; arguments as the attributes."""
        even = np.array(speech, np.float32)
        even[:, PAIRS] = even[:, PAIRS].mean(2, keepdims=True)
        return cls(
            even,
            np.array(expression, np.float32),
            np.array(recorded, np.float32),
            valid,
            moved,
            Cues.of(voice, len(even), fps),
            fps,
            np.zeros(len(even), np.intp),
        )

    @classmethod
    def joined(cls, takes: Sequence["Reference"]) -> "Reference":
        """Join takes of one actor, one after the other. A channel moves if it does in half of them."""

        def all_of(get: Callable[[Reference], FloatArray]) -> NDArray[np.float32]:
            return np.concatenate([get(take) for take in takes]).astype(np.float32)

        names = [field.name for field in fields(Cues)]
        return cls(
            all_of(lambda take: take.speech),
            all_of(lambda take: take.expression),
            all_of(lambda take: take.recorded),
            np.concatenate([take.valid for take in takes]),
            np.mean([take.moved for take in takes], 0) >= 0.5,
            Cues(*(np.concatenate([getattr(take.cues, name) for take in takes]) for name in names)),
            takes[0].fps,
            np.repeat(np.arange(len(takes)), [len(take.valid) for take in takes]),
        )

    @property
    def takes(self) -> int:
        """Number of takes in which there is a recording."""
        return len(np.unique(self.take[self.valid]))

    @cached_property
    def even(self) -> NDArray[np.float32]:
        """The recorded curves with both sides alike."""
        curves = self.recorded.copy()
        curves[:, PAIRS] = curves[:, PAIRS].mean(2, keepdims=True)
        return curves

    def current(self, values: FloatArray) -> NDArray[np.float32]:
        """Return the prediction (F, 52) with these numbers of a card. The last ones are kept: each block asks again."""
        key = np.asarray(values, float).tobytes()
        if key not in self._known:
            styled = style.shaped(self.speech, Numbers(values), self.cues, self.fps)
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[key] = (styled + self.expression).clip(0, 1)
        return self._known[key]


@dataclass(frozen=True)
class Unit:
    """Numbers that are fitted and kept together.

    Attributes:
        family: Their family.
        names: Their names.
        channels: Indices of the channels in which their error is measured.
        estimate: From the reference, the other numbers, and the frames to use (F,), the numbers; None: too few frames.
    """

    family: str
    names: tuple[str, ...]
    channels: list[int]
    estimate: Callable[[Reference, FloatArray, BoolArray], FloatArray | None]

    @property
    def places(self) -> list[int]:
        """Indices in NUMBERS."""
        return [NUMBERS.index((self.family, name)) for name in self.names]


@dataclass
class Fit:
    """What a fit has found.

    Attributes:
        numbers: (len(NUMBERS),) of the card.
        left_out: Why families are at the default, one of style_cards.REASONS each.
        gains: By family, the share of the squared error on blocks kept out that it takes away, in its own channels.
    """

    numbers: NDArray[np.float64]
    left_out: dict[str, str] = field(default_factory=dict)
    gains: dict[str, float] = field(default_factory=dict)


def fit(reference: Reference, step: Callable[[float], None] = lambda fraction: None) -> Fit:
    """Fit a card to a reference performance.

    Args:
        reference: The performance.
        step: Called with the fraction done; it may raise an exception to stop.

    Returns:
        The numbers, the same for the same reference.
    """
    found = Fit(np.zeros(len(NUMBERS)))
    blocks = _blocks(reference)
    reasons: dict[str, list[str]] = {}
    gains: dict[str, list[tuple[float, float]]] = {}
    every = units()
    for number, unit in enumerate(every):
        step(number / len(every))
        unit = replace(unit, channels=[c for c in unit.channels if reference.moved[c]])
        if not unit.channels:
            reasons.setdefault(unit.family, []).append("not_moved")
            continue
        scorer = _Scorer(reference, blocks, unit, found.numbers)
        share, before, after = scorer.best_share()
        estimate = unit.estimate(reference, found.numbers, reference.valid) if share else None
        if estimate is None:
            reasons.setdefault(unit.family, []).append("no_gain" if scorer.enough else "too_short")
            continue
        found.numbers[unit.places] = share * safe(unit, estimate)
        gains.setdefault(unit.family, []).append((before, after))
    for family in FAMILIES:
        if family in gains and any(found.numbers[[of == family for of, _ in NUMBERS]]):
            before, after = np.sum(gains[family], 0)
            found.gains[family] = float(1 - after / before)
        else:
            given = [*reasons.get(family, []), *["no_gain" for _ in gains.get(family, [])]]
            found.left_out[family] = next((r for r in ("no_gain", "too_short") if r in given), "not_moved")
    return found


class _Scorer:
    """Scores a unit on blocks that its estimate has not seen."""

    def __init__(self, reference: Reference, blocks: list[BoolArray], unit: Unit, others: FloatArray):
        self._reference, self._blocks, self._unit = reference, blocks, unit
        self._others = others.copy()
        self._others[unit.places] = 0
        self.enough = len(blocks) >= (MIN_TAKES if reference.takes > 1 else MIN_BLOCKS)

    def best_share(self) -> tuple[float, float, float]:
        """Return the share with the least error, 0 if none beats the default; and the errors without and with it."""
        nothing = 0.0, 1.0, 1.0
        if not self.enough:
            return nothing
        before = np.array(self._errors(self._others, self._blocks))
        after = np.zeros((len(SHARES), len(self._blocks)))
        for number, block in enumerate(self._blocks):
            estimate = self._unit.estimate(self._reference, self._others, self._reference.valid & ~block)
            if estimate is None:
                self.enough = False
                return nothing
            found = safe(self._unit, estimate)
            for row, share in enumerate(SHARES):
                values = self._others.copy()
                values[self._unit.places] = share * found
                after[row, number] = self._errors(values, [block])[0]
        best = int(after.sum(1).argmin())
        gain = before - after[best]
        if (
            gain.mean() <= STANDARD_ERRORS * gain.std(ddof=1) / np.sqrt(len(gain))
            or gain.sum() <= MIN_GAIN * before.sum()
        ):
            return nothing
        return SHARES[best], float(before.sum()), float(after[best].sum())

    def _errors(self, values: FloatArray, blocks: list[BoolArray]) -> list[float]:
        """Sums of the squared errors of some blocks."""
        reference, unit = self._reference, self._unit
        if unit.family == "blinks":
            return [_blink_deviance(reference, float(values[unit.places[0]]), block) for block in blocks]
        if unit.family == "sides":
            return [_side_error(reference, unit.names[0], float(values[unit.places[0]]), block) for block in blocks]
        errors = reference.current(values)[:, unit.channels] - reference.even[:, unit.channels]
        return [float(np.square(errors[block & reference.valid], dtype=np.float64).sum()) for block in blocks]


def _blocks(reference: Reference) -> list[BoolArray]:
    """Cut the frames with a recording into blocks, (F,) each: takes, if there are several."""
    if reference.takes > 1:
        return [reference.valid & (reference.take == take) for take in np.unique(reference.take[reference.valid])]
    frames = np.flatnonzero(reference.valid)
    count = min(MAX_BLOCKS, int(len(frames) / reference.fps / MIN_BLOCK))
    blocks = []
    for part in np.array_split(frames, count) if count else []:
        block = np.zeros(len(reference.valid), bool)
        block[part] = True
        blocks.append(block)
    return blocks


def safe(unit: Unit, values: FloatArray) -> NDArray[np.float64]:
    """Make numbers small enough to do no harm in another take.

    If the number of this take is x, that of another one is at least x - d, with d of DIFFERENCE. Applying n there takes
    away from the squared error as long as n is less than twice the other take's number: so with x - d² / x, which is
    at most 2 (x - d), it never grows. This is the non-negative garrote (Breiman, "Better subset regression using the
    nonnegative garrote", Technometrics 37, 1995), with d in the place of the noise.
    Several takes do not make d smaller: they may be of one session, with one calibration.

    Args:
        unit: Whose numbers they are.
        values: The numbers as estimated.

    Returns:
        The numbers, within their limits; 0 where the estimate is no larger than the difference.
    """
    low, high = np.array([limits(unit.family, name) for name in unit.names]).T
    differences = np.array([DIFFERENCE.get(name, DIFFERENCE.get(unit.family, 0.0)) for name in unit.names])
    limited: NDArray[np.float64] = np.clip(np.asarray(values, float), low, high)
    certain: NDArray[np.float64] = limited * (1 - np.square(differences / np.maximum(np.abs(limited), differences)))
    return certain


def _channels(*names: str) -> list[int]:
    """Indices of channels, of both of their sides, or of their upper and lower half."""
    halves = [i for n in names for i, c in enumerate(CHANNELS) if c in (f"{n}Lower", f"{n}Upper")]
    return [i for name in names for i in channel_indices(name)] + halves


BROWS_UP, BROWS_DOWN = _channels("browInnerUp", "browOuterUp"), _channels("browDown")
SQUINT, SMILE = _channels("eyeSquint"), _channels("mouthSmile")
LIDS = _channels("eyeBlink")
MOUTH = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]
FIRST, SECOND = {"corners": SMILE, "squint": SQUINT, "brows": BROWS_UP}, {"brows": BROWS_DOWN}


def units() -> list[Unit]:
    """Return all numbers, in the order in which they are fitted."""
    found = [
        Unit("timing", ("smoothing",), MOUTH, _smoothing),
        Unit("timing", ("onset",), MOUTH, _onset),
        *(Unit("rest", (name,), _channels(*c), partial(_rest, name=name)) for name, c in style.REST.items()),
    ]
    for region in style.REGIONS:
        names: tuple[str, ...] = (f"{region}_small", f"{region}_large")
        found.append(Unit("amplitude", names, style.region_channels(region), partial(_amplitude, region=region)))
    for part, channels in (("jaw", [style.JAW_OPEN]), ("corners", SMILE)):
        names = tuple(f"{mouth}_{part}" for mouth in style.MOUTHS)
        found.append(Unit("visemes", names, channels, partial(_visemes, part=part)))
    for part in style.POSE_PARTS:
        names = tuple(f"{pose}_{part}" for pose in style.POSES)
        found.append(Unit("poses", names, FIRST[part] + SECOND.get(part, []), partial(_poses, part=part)))
    found += [Unit("sides", (name,), _side_channels(name), partial(_side, name=name)) for name in style.SIDES]
    return [*found, Unit("blinks", ("rate",), LIDS, _blink_rate)]


def _residual(reference: Reference, values: FloatArray) -> NDArray[np.float32]:
    """What the recording has more than the prediction with these numbers (F, 52)."""
    residual: NDArray[np.float32] = reference.even - reference.current(values)
    return residual


def _mean(curves: FloatArray, channels: list[int], reference: Reference) -> FloatArray | None:
    """Mean (F,) of those of some channels that the recording moves; None if it moves none."""
    moved = [c for c in channels if reference.moved[c]]
    return curves[:, moved].mean(1).astype(float) if moved else None


def _rest(reference: Reference, others: FloatArray, frames: BoolArray, name: str) -> FloatArray | None:
    """The weight that is added at rest: the mean residual where the prediction moves these channels least."""
    channels = _channels(*style.REST[name])
    residual, movement = (_mean(c, channels, reference) for c in (_residual(reference, others), reference.speech))
    if residual is None or movement is None:
        return None
    if name in style.CLOSED_MOUTH:
        frames = frames & (smoothstep(lip_contact.opening(reference.speech), 0, style.WIDE_MOUTH[1]) < RESTING)
    if frames.sum() < MIN_FRAMES:
        return None
    resting = frames & (movement <= np.quantile(movement[frames], RESTING))
    return np.array([residual[resting].mean()])


def _amplitude(reference: Reference, others: FloatArray, frames: BoolArray, region: str) -> FloatArray | None:
    """Logarithms of the gains of small and of large movements, each by the regression through 0 of its frames."""
    channels = [c for c in style.region_channels(region) if reference.moved[c]]
    values = others.copy()
    values[[i for i, (family, name) in enumerate(NUMBERS) if family == "amplitude" and name.startswith(region)]] = 0
    timed = np.zeros(len(NUMBERS))
    places = [NUMBERS.index(("timing", name)) for name in FAMILIES["timing"]]
    timed[places] = values[places]
    own = style.shaped(reference.speech, Numbers(timed), reference.cues, reference.fps)
    moving = own[:, channels].sum(1).astype(float)
    target = moving + _residual(reference, values)[:, channels].sum(1)
    size = style.size(own, region)
    used = frames & (size > MOVING)
    if used.sum() < MIN_FRAMES:
        return None
    if np.corrcoef(moving[frames], target[frames])[0, 1] < MIN_FOLLOWED:
        return np.zeros(2)
    rows, logs = [], []
    for low, high in (SMALL, LARGE):
        least, most = np.quantile(moving[used], [low, high])
        band = used & (moving >= least) & (moving <= most)
        weight = moving[band] ** 2
        ratio = float(moving[band] @ target[band] / weight.sum())
        rows.append(float(weight @ size[band] / weight.sum()))
        logs.append(float(np.log(np.clip(ratio, 0.3, 3.0))))
    if rows[1] - rows[0] < 0.1:  # all movements are of one size
        return np.full(2, np.mean(logs))
    # Between both sizes, a line; its slope is drawn to 0, as it is continued to sizes that hardly occur.
    apart, middle, mean = rows[1] - rows[0], np.mean(rows), np.mean(logs)
    slope = (logs[1] - logs[0]) * apart / (apart**2 + SLOPE_PRIOR)
    return np.array([mean - slope * middle, mean + slope * (1 - middle)])


def _regression(cues: Sequence[FloatArray], target: FloatArray, frames: BoolArray) -> FloatArray | None:
    """Least-squares weights of cues (F,) for a target (F,)."""
    design = np.stack(cues, 1)[frames]
    if min((design > SHOWN).sum(0)) < MIN_FRAMES:
        return None
    square = design.T @ design
    weights: FloatArray = np.linalg.solve(square + RIDGE * len(design) * np.eye(len(cues)), design.T @ target[frames])
    return weights


def _opposed(reference: Reference, residual: FloatArray, part: str) -> tuple[FloatArray | None, float, float]:
    """Residual (F,) of a part that moves two ways, such as brows up and down, and the signs that are possible."""
    first = _mean(residual, FIRST[part], reference)
    second = _mean(residual, SECOND.get(part, []), reference)
    if first is None:
        return (None, 0.0, 0.0) if second is None else (-second, -np.inf, 0.0)
    if part == "squint":
        return first, -np.inf, np.inf
    return (first, 0.0, np.inf) if second is None else (first - second, -np.inf, np.inf)


def _visemes(reference: Reference, others: FloatArray, frames: BoolArray, part: str) -> FloatArray | None:
    """The weights that are added where the mouth is wide, round or narrow."""
    residual = _residual(reference, others)
    cues = list(style.mouths(reference.speech).values())
    if part == "jaw":
        return _regression(cues, residual[:, style.JAW_OPEN].astype(float), frames)
    target, low, high = _opposed(reference, residual, part)
    weights = None if target is None else _regression(cues, target, frames)
    return None if weights is None else weights.clip(low, high)


def _poses(reference: Reference, others: FloatArray, frames: BoolArray, part: str) -> FloatArray | None:
    """The weights that are added on accents and in pauses."""
    target, low, high = _opposed(reference, _residual(reference, others), part)
    cues = [reference.cues.accent, reference.cues.pause]
    weights = None if target is None else _regression(cues, target, frames)
    return None if weights is None else weights.clip(low, high)


def _onset(reference: Reference, others: FloatArray, frames: BoolArray) -> FloatArray | None:
    """The time by which the mouth opens earlier before phrases: that with the least error there."""
    used = frames & (reference.cues.onset > 0)
    if used.sum() < MIN_FRAMES:
        return None
    channels = [c for c in MOUTH if reference.moved[c]]
    place = NUMBERS.index(("timing", "onset"))
    errors = []
    for onset in ONSETS:
        values = others.copy()
        values[place] = onset
        error = reference.current(values)[used][:, channels] - reference.even[used][:, channels]
        errors.append(float(np.square(error, dtype=np.float64).sum()))
    return np.array([_lowest(ONSETS, np.array(errors))])


def _smoothing(reference: Reference, others: FloatArray, frames: BoolArray) -> FloatArray | None:
    """The smoothing with which the prediction moves as fast, relative to how far it moves, as the recording.

    The least error would be no measure: it always asks for a smoother mouth, as it is not sure of the movements.
    """
    channels = [c for c in MOUTH if reference.moved[c]]
    place = NUMBERS.index(("timing", "smoothing"))

    def pace(curves: FloatArray) -> float:
        """How fast a mouth moves, relative to how far."""
        from scipy.ndimage import gaussian_filter1d

        smooth = gaussian_filter1d(curves[:, channels].astype(float), NOISE_FRAMES, 0)
        steps = np.diff(smooth, axis=0)[frames[1:]]
        return float(np.sqrt(np.square(steps).sum() / np.square(smooth[frames] - smooth[frames].mean(0)).sum()))

    if frames.sum() < MIN_FRAMES:
        return None
    wanted, paces = pace(reference.even), []
    for smoothing in SMOOTHINGS:
        values = others.copy()
        values[place] = smoothing
        paces.append(pace(reference.current(values)))
    # The pace falls with the smoothing; np.interp needs it to rise.
    return np.array([float(np.interp(-wanted, -np.maximum.accumulate(paces[::-1])[::-1], SMOOTHINGS))])


def _lowest(places: FloatArray, values: FloatArray) -> float:
    """Where a curve is lowest, by a parabola through its lowest point and the neighbours of this."""
    i = int(values.argmin())
    if not 0 < i < len(values) - 1:
        return float(places[i])
    before, here, after = values[i - 1 : i + 2]
    bend = before - 2 * here + after
    return float(places[i] + (0.5 * (before - after) / bend * (places[1] - places[0]) if bend > 0 else 0.0))


def _side_channels(name: str) -> list[int]:
    """Channels of the pairs of a number of the family "sides"."""
    return [int(c) for pair in style.SIDES[name] for c in PAIRS[list(DIFFERENCES).index(pair)]]


def _sides(reference: Reference, name: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(left − right) / 2 and (left + right) / 2 of the recorded pairs (F, P) that move, and default gains (P,)."""
    pairs = [p for p in style.SIDES[name] if reference.moved[PAIRS[list(DIFFERENCES).index(p)]].all()]
    rows = PAIRS[[list(DIFFERENCES).index(p) for p in pairs]].reshape(-1, 2)
    left, right = reference.recorded[:, rows[:, 0]].astype(float), reference.recorded[:, rows[:, 1]].astype(float)
    return (left - right) / 2, (left + right) / 2, np.array([DIFFERENCES[p].lead for p in pairs])


def _side(reference: Reference, others: FloatArray, frames: BoolArray, name: str) -> FloatArray | None:
    """The gain of the left side, in addition to the default."""
    difference, mean, lead = _sides(reference, name)
    weight = np.square(mean[frames]).sum()
    if not len(lead) or weight == 0:
        return None
    return np.array([((difference - lead * mean)[frames] * mean[frames]).sum() / weight])


def _side_error(reference: Reference, name: str, lean: float, block: BoolArray) -> float:
    """Sum of the squared errors of a block's sides."""
    difference, mean, lead = _sides(reference, name)
    frames = block & reference.valid
    return float(np.square(difference[frames] - (lead + lean) * mean[frames]).sum())


def _blink_frames(reference: Reference) -> NDArray[np.intp]:
    """Frames in which the recorded lids meet."""
    from scipy.signal import find_peaks

    lids = _mean(reference.recorded, LIDS, reference)
    if lids is None:
        return np.zeros(0, np.intp)
    distance = max(1, round(BLINK_DISTANCE * reference.fps))
    found: NDArray[np.intp] = find_peaks(lids, BLINK_HEIGHT, prominence=BLINK_PROMINENCE, distance=distance)[0]
    return found


def _blink_rate(reference: Reference, others: FloatArray, frames: BoolArray) -> FloatArray | None:
    """Logarithm of the rate of blinks, relative to the default; half a blink is added, so that none is no extreme."""
    seconds = frames.sum() / reference.fps
    if seconds < MIN_BLINK_SECONDS:
        return None
    count = frames[_blink_frames(reference)].sum() + 0.5
    return np.array([np.log(count / seconds / DEFAULT_BLINKS)])


def _blink_deviance(reference: Reference, rate: float, block: BoolArray) -> float:
    """Deviance of the number of blinks in a block from a rate: −2 log likelihood of Poisson's distribution, and more.

    It is relative to the best rate for the block, so that it is 0 or more.
    """
    frames = block & reference.valid
    count = float(frames[_blink_frames(reference)].sum())
    expected = np.exp(rate) * DEFAULT_BLINKS * frames.sum() / reference.fps
    return float(2 * (expected - count + (count * np.log(count / expected) if count else 0.0)))
