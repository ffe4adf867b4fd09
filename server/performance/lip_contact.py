"""Lip contact: closes the last gap between lips that nearly meet, and keeps closures under an expression.

Lips are soft: they touch before the midpoints of their edges meet. A model with least mean error stops most closures
half a millimetre short, which is visible on every p, b and m. `mouthClose` closes apertures of that size. Wide ones do
not change, and the order of apertures is preserved. The distances below are the only thresholds of lip contact on the
server; they are measured between the inner lips of the project's head.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..arkit import CHANNELS
from ..numerics import FloatArray

CONTACT_APERTURE = 0.0007  # metres: apertures well below it are closed, apertures well above it are kept
GUARDED_APERTURE = 0.0015  # metres: an expression hardly opens apertures below it
UPPER_LIP, LOWER_LIP = 62, 66  # iBUG-68 landmarks in the middle of the inner lips
MOUTH_CLOSE, MOUTH_ROLL_LOWER = CHANNELS.index("mouthClose"), CHANNELS.index("mouthRollLower")
JAW_OPEN = CHANNELS.index("jawOpen")
ROUNDING = [i for i, c in enumerate(CHANNELS) if c in ("mouthPucker", "mouthFunnel")]
SPREADING = [i for i, c in enumerate(CHANNELS) if c.startswith(("mouthSmile", "mouthStretch", "mouthDimple"))]
FULL_ROUNDING = 0.6  # sum of pucker and funnel in "oo" and "oh"
SPREADING_SHARE = 0.7  # share of an expression's spreading that fully rounded lips remove
# iBUG-68 points of the upper and the lower inner lip, on the left, in the middle and on the right.
LIP_POINTS = ((63, 65), (UPPER_LIP, LOWER_LIP), (61, 67))
TOUCHING = 0.00005  # metres by which lips that meet may part, under a pose or beside the middle
PRESSED = 0.0005  # metres by which soft lips are pressed together so that they meet beside the middle, too
SPEECH_REACH, SPEECH_FADE = 0.35, 0.2  # seconds around sound in which closures belong to speech: "p" is silent itself
PARTING = 0.001  # metres by which a channel at 1 parts the lips, from which on it gives way to a closure
MIN_HELD = 0.001  # of a closure; what is weaker moves no lip
SPOKEN = [CHANNELS.index("jawOpen"), CHANNELS.index("mouthFunnel")]  # open the mouth in speech
HALVINGS = 7  # steps of a bisection: shares to within 1 %


def close_near_contacts(speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Close the lips where they nearly meet on the project's head.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.

    Returns:
        Curves (F, 52), 0 to 1, that differ in `mouthClose` only.
    """
    aperture, result = speech @ _lip_offsets()[:, 1], speech.copy()
    closed = np.maximum(aperture, 0) * np.exp(-np.square(aperture / CONTACT_APERTURE))  # metres to take away
    result[:, MOUTH_CLOSE] = np.clip(speech[:, MOUTH_CLOSE] - closed / _lip_offsets()[MOUTH_CLOSE, 1], 0, 1)
    return result


def add_expression(speech: NDArray[np.float32], expression: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add an expression to speech without opening its closures or spreading its rounded lips.

    A smile or a sneer moves the lips apart, forward and up. Where they must meet, `mouthClose` and `mouthRollLower`
    compensate for that, as people roll their lips in to say "b" while they smile. Lips cannot be rounded and spread at
    once: on "oh" the corners of a smiling mouth come in, while the cheeks stay up.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.
        expression: What emotion adds to them (F, 52).

    Returns:
        Curves (F, 52), 0 to 1, of both together.
    """
    rounding = np.clip(speech[:, ROUNDING].sum(1, keepdims=True) / FULL_ROUNDING, 0, 1)
    expression = expression.copy()
    expression[:, SPREADING] *= 1 - SPREADING_SHARE * rounding
    expression = (speech + expression).clip(0, 1) - speech  # what the limits take away moves no lip
    return _kept_closed(speech, expression)


def keep_contacts(speech: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add a change of the speech itself, after which the lips meet on the same frames as before, and on no other ones.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.
        change: What is added to them (F, 52); the sum is 0 to 1.

    Returns:
        Curves (F, 52), 0 to 1, of both together. Where the change would bring parted lips together, the jaw opens them.
    """
    motion = _kept_closed(speech, change)
    missing = np.minimum(opening(speech), GUARDED_APERTURE) - motion @ _lip_offsets()[:, 1]
    motion[:, JAW_OPEN] += (np.maximum(missing, 0) / _lip_offsets()[JAW_OPEN, 1]).astype(motion.dtype)
    return motion.clip(0, 1)


def _kept_closed(speech: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Curves (F, 52) of speech with a change (F, 52) that parts no lips that meet."""
    offsets = _lip_offsets()
    closure = np.exp(-((opening(speech) / GUARDED_APERTURE) ** 4))  # 1 where the lips must meet
    correction = np.linalg.solve(offsets[[MOUTH_CLOSE, MOUTH_ROLL_LOWER]].T, -(change @ offsets).T).T
    motion = speech + change
    motion[:, [MOUTH_CLOSE, MOUTH_ROLL_LOWER]] += (closure[:, None] * correction).astype(motion.dtype)
    return motion.clip(0, 1)


def held_closures(speech: NDArray[np.float32], activity: FloatArray, fps: float) -> NDArray[np.float64]:
    """Find the closures of speech, which a pose must not open.

    In a pause the lips rest together, too. There they belong to the pose: a face that bares its teeth shows them.

    Args:
        speech: ARKit curves (F, 52), 0 to 1.
        activity: (F,) speech activity, 0 to 1.
        fps: Frames per second.

    Returns:
        (F,) 1 where the lips must stay as close as they are, 0 where they are free.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    talking = maximum_filter1d(np.asarray(activity, float), 2 * round(SPEECH_REACH * fps) + 1, mode="nearest")
    talking = uniform_filter1d(talking, 2 * round(SPEECH_FADE / 2 * fps) + 1, mode="nearest")
    closures = np.exp(-((opening(speech) / GUARDED_APERTURE) ** 4))
    held: NDArray[np.float64] = talking * maximum_filter1d(closures, 3, mode="nearest")  # at other frame rates, too
    return held


def add_pose(
    speech: NDArray[np.float32], motion: NDArray[np.float32], pose: FloatArray, held: FloatArray
) -> NDArray[np.float32]:
    """Add a pose, of any strength and on any side, without opening the closures of speech.

    Where the lips must meet, jaw and funnel belong to the speech alone, and `mouthClose` and `mouthRollLower`
    compensate for the rest, as in `add_expression`. What is then left, on one side or because these channels are at
    their limits, the pose gives up in that closure: the muscles that raise a lip relax on "p".

    Args:
        speech: ARKit curves (F, 52), 0 to 1, of the speech alone.
        motion: ARKit curves (F, 52), 0 to 1, of speech and emotion.
        pose: What is added to them (F, 52).
        held: (F,) of `held_closures`.

    Returns:
        Curves (F, 52), 0 to 1. Without closures they are `motion + pose` within these limits, with less spreading on
        rounded lips.
    """
    rounding = np.clip(speech[:, ROUNDING].sum(1, keepdims=True) / FULL_ROUNDING, 0, 1)
    pose = np.array(pose, np.float32)
    pose[:, SPREADING] *= 1 - SPREADING_SHARE * rounding
    result = (motion + pose).clip(0, 1)
    frames = np.flatnonzero((held > MIN_HELD) & pose.any(1))
    if len(frames):
        closed = _closed_pose(motion[frames], pose[frames])
        result[frames] += held[frames, None].astype(np.float32) * (closed - result[frames])
    return result


def _closed_pose(motion: NDArray[np.float32], pose: NDArray[np.float32]) -> NDArray[np.float32]:
    """Curves (n, 52) of a pose (n, 52) on motion (n, 52), with the lips no farther apart than in the motion."""
    gaps = lip_gaps()
    parting = (np.abs(gaps).max(1) > PARTING) & ~np.isin(np.arange(len(CHANNELS)), (MOUTH_CLOSE, MOUTH_ROLL_LOWER))
    pose = pose.copy()
    pose[:, SPOKEN] = np.minimum(pose[:, SPOKEN], 0)
    allowed = np.maximum(motion @ gaps, 0) + TOUCHING
    offsets = _lip_offsets()
    compensation = np.linalg.inv(offsets[[MOUTH_CLOSE, MOUTH_ROLL_LOWER]])

    def shown(rows: NDArray[np.intp], share: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Curves of some rows with a share of what parts the lips, and whether the lips are close enough."""
        part = pose[rows]
        part[:, parting] *= share[:, None]
        curves = (motion[rows] + part).clip(0, 1)
        curves[:, [MOUTH_CLOSE, MOUTH_ROLL_LOWER]] -= (curves - motion[rows]) @ offsets @ compensation
        curves = curves.clip(0, 1)
        excess = (curves @ gaps - allowed[rows]).max(1)
        curves[:, MOUTH_CLOSE] -= np.clip(excess, 0, PRESSED) / gaps[MOUTH_CLOSE, 1]
        curves = curves.clip(0, 1)
        return curves, ((curves @ gaps - allowed[rows]).max(1) <= TOUCHING)

    every = np.arange(len(motion))
    result, close = shown(every, np.ones(len(motion), np.float32))
    rows = every[~close]
    low, high = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    for _ in range(HALVINGS if len(rows) else 0):
        middle = (low + high) / 2
        close = shown(rows, middle)[1]
        low, high = np.where(close, middle, low), np.where(close, high, middle)
    result[rows] = shown(rows, low)[0]
    return result


def opening(speech: FloatArray) -> FloatArray:
    """Return the aperture (F,) in metres, 0 or more, of the project's head under ARKit curves (F, 52)."""
    return np.maximum(speech @ _lip_offsets()[:, 1], 0)


@cache
def _lip_offsets() -> NDArray[np.float32]:
    """Metres (52, 2) by which each channel at 1 moves the upper lip of the head back and up relative to the lower."""
    from ..face.head import load_head  # loads scipy, which must not delay the server's first answer

    head = load_head()
    upper, lower = head.landmark_vertices[[UPPER_LIP, LOWER_LIP]]
    offsets: NDArray[np.float32] = head.basis[:, upper, 1:] - head.basis[:, lower, 1:]
    return offsets


@cache
def lip_gaps() -> NDArray[np.float32]:
    """Return metres (52, 3) by which each channel at 1 opens the head's lips at LIP_POINTS."""
    from ..face.head import load_head  # as above

    head = load_head()
    heights = head.basis[:, head.landmark_vertices, 2]
    return np.stack([heights[:, upper] - heights[:, lower] for upper, lower in LIP_POINTS], 1)
