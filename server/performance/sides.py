"""Differences between the two sides of the face, as large as those of tracked people.

The network learns from curves whose sides are alike: a corpus of one person would teach every face the sides of that
person. Nobody's sides are alike: one corner of the mouth tightens more than the other, and the jaw drifts to a side as
it opens. Here every pair of channels gets a gain: the left channel becomes 1 + gain and the right one 1 − gain of what
both share. The mean of a pair does not change, and on a symmetric head neither do aperture and width.

How large the gains are was measured on seven tracked speakers of GRID: the ratio of (left − right) / 2 to
(left + right) / 2, both as root mean square over a line; the median of those who move the pair by .005 or more.

- A face keeps one part of a gain in all of its lines, a line keeps another, and the rest changes within a third of a
  second.
- The side that tightens (smile, dimple, press, upper lip) lowers and stretches less: r between these gains is .2 to .9
  in size over the people, .7 in the median; over the lines of one of them .4 in the median, and 1 of 15 has the other
  sign. One common factor stands for that.
- The upper lip rises more on the right in all seven. The right side of the mouth opens wider in most speakers (Graves,
  Goodglass and Landis 1982; Nicholls and Searle 2006); the lower lip shows it in four of the seven. Seven people and
  one tracker cannot tell a habit of people from one of the tracker.
- Spontaneous smiles are stronger on the left (Wylie and Goodale 1988). The three of the seven who smile show no side,
  so none is preferred here.
- The jaw goes to the side as it opens, by .3 to 8 % of jawOpen. mouthLeft and mouthRight go with it (rank correlation
  over the people .89), but by 1 % in the median, .05 mm on the head: they stay at rest, because they would narrow the
  mouth.
- jawForward is .001 at most in everybody and stays at rest: this tracker cannot tell whether the jaw comes forward.
- Lids and gaze stay alike. Both upper lids are raised from one unpaired nucleus, and the difference that the tracker
  sees between them depends on the direction of the gaze (r .55 over one person's lines).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..numerics import FloatArray
from .lip_contact import TOUCHING, lip_gaps


class Difference(NamedTuple):
    """How the gain of a pair varies.

    Attributes:
        deviation: Root mean square of the gain about `lead`.
        habit: Share of its square that a face keeps over all of its lines.
        tension: Sign of its share in the common factor; 0: independent of the other pairs.
        lead: Mean gain over people; above 0 the left side is the stronger one.
        source: Pair whose random numbers it shares, because the same muscles move both; "" has its own.
    """

    deviation: float
    habit: float
    tension: int = 0
    lead: float = 0.0
    source: str = ""


# With these the median line of random faces has the median ratio of the people.
DIFFERENCES = {
    "mouthSmile": Difference(0.08, 0.2, 1),
    "mouthDimple": Difference(0.55, 0.6, 1),
    "mouthPress": Difference(0.3, 0.45, 1),
    "mouthUpperUp": Difference(0.15, 0.6, 1, lead=-0.26),
    "mouthLowerDown": Difference(0.12, 0.2, -1),
    "mouthStretch": Difference(0.4, 0.3, -1),  # two people move it enough to be measured
    "mouthFrown": Difference(0.12, 0.2, -1, source="mouthLowerDown"),  # not tracked: as the other depressor
    "noseSneer": Difference(0.15, 0.6, 1, source="mouthUpperUp"),  # not tracked: the same levator, without a side
    "cheekSquint": Difference(0.08, 0.2, 1, source="mouthSmile"),  # not tracked: it rises with the smile
    "browDown": Difference(0.22, 0.25),
    "browOuterUp": Difference(0.22, 0.25),  # the seven move it by less than .02: the figure of browDown
    "eyeSquint": Difference(0.22, 0.05),
}
JAW = Difference(0.024, 0.7)  # movement to the left as a share of jawOpen
SOURCES = [*(name for name, difference in DIFFERENCES.items() if not difference.source), "jaw"]
LINE_SHARE = 0.1  # of a gain's square: over one person's lines, r between the gains of a line's two halves is .2 to .3
HABIT_LOADING, LINE_LOADING = 0.8, 0.5  # of the common factor: r between pairs is then .64 over people, .25 in a line
MOVING_TIME = 0.1  # seconds, standard deviation of a Gaussian: a gain's r with itself is .5 after .16 s, .1 after .3 s
MAX_GAIN = 0.9  # neither side ever stops
# The habit is a smooth function of the identity: an edit of the mesh changes it little, and another face has another.
# Identity coefficients are standard normal, so two faces differ by 10 in all 50 together and by 2.5 radians here.
IDENTITY_SCALE = 0.25
LINE_SCALE = 30.0  # the means of two lines differ by .07 in all channels together, by 2.2 radians
HABIT_SEED = 20  # with it the average face is about as asymmetric as the median person
PAIRS = np.array([[CHANNELS.index(f"{name}{side}") for side in ("Left", "Right")] for name in DIFFERENCES])
JAW_OPEN, JAW_LEFT, JAW_RIGHT = (CHANNELS.index(name) for name in ("jawOpen", "jawLeft", "jawRight"))
# Lips look torn if they meet in the middle and part beside it: see TOUCHING.
OPEN_SHARE = 0.5  # of the least distance of open lips by which their sides may part or come closer
LIP_PAIRS = [  # those that move a lip on the left otherwise than on the right, by 1 mm or more at weight 1
    i
    for i, name in enumerate(DIFFERENCES)
    if name in ("mouthUpperUp", "mouthLowerDown", "mouthPress", "mouthDimple", "noseSneer")
]


def with_sides(
    speech: NDArray[np.float32],
    motion: NDArray[np.float32],
    fps: float,
    identity: FloatArray | None = None,
    seed: int = 0,
    lean: FloatArray | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the two sides of a line their differences.

    What is left of sides in the network's speech is chance and is removed first. What only one side does in an
    expression, such as contempt, stays on that side. Lips that meet still meet on both sides.

    Args:
        speech: ARKit curves (F, 52), 0 to 1, of the speech alone. Their mean distinguishes the line from others.
        motion: ARKit curves (F, 52), 0 to 1, of speech and expression.
        fps: Frames per second.
        identity: (I,) identity coefficients of the face, which decide its habit; None is the average face.
        seed: Another seed makes another performance of the line; the habit stays.
        lean: (len(DIFFERENCES),) what the gains get in addition, see style.py; None: nothing.

    Returns:
        Speech and motion with their sides (F, 52), 0 to 1, the same for the same arguments. The mean of both sides is
        that of the arguments, for every pair of DIFFERENCES.
    """
    even = speech.copy()
    even[:, PAIRS] = speech[:, PAIRS].mean(2, keepdims=True)
    even[:, [JAW_LEFT, JAW_RIGHT]] = 0
    gains = side_gains(even, fps, identity, seed)
    if lean is not None:
        gains[:, :-1] = (gains[:, :-1] + lean).clip(-MAX_GAIN, MAX_GAIN)
    return _apply(gains, even), _apply(gains, (motion + even - speech).clip(0, 1))


def side_gains(speech: FloatArray, fps: float, identity: FloatArray | None, seed: int) -> NDArray[np.float32]:
    """Return the gains (F, len(DIFFERENCES) + 1) of every pair, and last that of the jaw; see `with_sides`."""
    from scipy.ndimage import gaussian_filter1d

    size, rng = len(SOURCES) + 1, np.random.default_rng((seed, 11))  # 11: a stream of its own, see variation.py
    habit = _phases(np.random.default_rng(HABIT_SEED), size, identity, IDENTITY_SCALE)
    line = _phases(rng, size, speech.mean(0), LINE_SCALE)
    sigma = MOVING_TIME * fps
    margin = round(4 * sigma)  # the filter's reach
    noise = gaussian_filter1d(rng.standard_normal((len(speech) + 2 * margin, 2, size)), sigma, 0)
    noise = noise[margin:][: len(speech)] * np.sqrt(2 * sigma * np.sqrt(np.pi))  # variance 1
    moving = np.cos(line) * noise[:, 0] + np.sin(line) * noise[:, 1]
    parts = np.sqrt(2) * np.cos(habit), np.sqrt(2) * np.cos(line), moving
    columns = [_gain(d, name, *parts) for name, d in (DIFFERENCES | {"jaw": JAW}).items()]
    return np.stack(columns, 1).astype(np.float32)


def _apply(gains: NDArray[np.float32], curves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Curves (F, 52) with the gains (F, len(DIFFERENCES) + 1) of their sides."""
    left, right = curves[:, PAIRS[:, 0]], curves[:, PAIRS[:, 1]]
    change = np.clip(gains[:, :-1] * np.minimum(left, right), right - 1, 1 - left)
    change[:, LIP_PAIRS] *= _lip_limit(curves, change)
    result = curves.copy()
    result[:, PAIRS[:, 0]] += change
    result[:, PAIRS[:, 1]] -= change
    shift = gains[:, -1] * curves[:, JAW_OPEN]
    result[:, JAW_LEFT] += np.maximum(shift, 0)
    result[:, JAW_RIGHT] += np.maximum(-shift, 0)
    return result.clip(0, 1)


def _lip_limit(curves: FloatArray, change: FloatArray) -> FloatArray:
    """Factor (F, 1), 0 to 1, on changes (F, len(DIFFERENCES)) with which no side of the lips tears open or crosses."""
    offsets = lip_gaps()
    parted = np.abs(change @ (offsets[PAIRS[:, 0]] - offsets[PAIRS[:, 1]])).max(1)
    allowed = TOUCHING + OPEN_SHARE * np.maximum((curves @ offsets).min(1), 0)
    factor: FloatArray = np.minimum(1, allowed / np.maximum(parted, 1e-9))[:, None]
    return factor


def _phases(rng: np.random.Generator, size: int, vector: FloatArray | None, scale: float) -> NDArray[np.float64]:
    """Phases (size,) that turn with a vector (n,); no vector is the vector 0.

    Their cosines are random Fourier features (Rahimi and Recht 2007): smooth functions of the vector, hardly related
    for distant vectors, with mean 0 and variance 1/2 over all of them.
    """
    phases = rng.uniform(0, 2 * np.pi, size)
    return phases if vector is None else phases + scale * rng.standard_normal((size, len(vector))) @ vector


def _gain(
    difference: Difference, name: str, habit: FloatArray, line: FloatArray, moving: FloatArray
) -> NDArray[np.float64]:
    """Gain (F,) of one pair, from random numbers of variance 1: for the common factor, then for each of SOURCES.

    Args:
        difference: How the gain varies.
        name: Name of the pair.
        habit: (len(SOURCES) + 1,) those of the face.
        line: (len(SOURCES) + 1,) those of the line.
        moving: (F, len(SOURCES) + 1) those of every frame.
    """
    own = 1 + SOURCES.index(difference.source or name)

    def mixed(numbers: FloatArray, loading: float) -> FloatArray:
        loading *= difference.tension
        combined: FloatArray = loading * numbers[..., 0] + np.sqrt(1 - loading**2) * numbers[..., own]
        return combined

    gain = difference.lead + difference.deviation * (
        np.sqrt(difference.habit) * mixed(habit, HABIT_LOADING)
        + np.sqrt(LINE_SHARE) * mixed(line, LINE_LOADING)
        + np.sqrt(1 - difference.habit - LINE_SHARE) * mixed(moving, LINE_LOADING)
    )
    limited: NDArray[np.float64] = MAX_GAIN * np.tanh(gain / MAX_GAIN)
    return limited
