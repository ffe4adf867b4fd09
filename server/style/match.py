"""Does a recording belong to a sound, and how much later is it?

The mouth that the model predicts for the sound is compared with the recorded one: opening, lips, rounding, corners and
pressing, without what is slower than syllables. If they belong together, their correlation is greatest at a small
shift, and clearly less at every other one: an even rhythm alone gives as good a match at many of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..numerics import BoolArray, FloatArray
from ..performance import lip_contact, style

MAX_LAG = 0.3  # seconds
FAR_LAG = 0.5  # seconds, from which on a shift is another one
# Least correlation at the best shift within MAX_LAG, and by how much it must exceed that of every shift beyond FAR_LAG.
# docs/style.md has the rates of both errors; `server.training.evaluation.style_scores --match` measures them.
MIN_CORRELATION, MIN_LEAD = 0.3, 0.05
MOVED_CORRELATION, MOVED_LEAD = 0.5, 0.15  # of a shift beyond FAR_LAG that is named as the time to move by
SLOW, FAST = 0.3, 0.04  # seconds, standard deviations of Gaussians: between them is what is compared
SIGNALS = ("lips", "rounding", "corners", "press")  # regions of style.py
OPENING_WEIGHT = 2.0  # of the opening of the mouth, relative to the other signals
STILL = 0.003  # standard deviation below which a signal does not move


@dataclass(frozen=True)
class Match:
    """How a recording fits a sound.

    Attributes:
        lag: Seconds by which the recording is later than the sound, within MAX_LAG.
        correlation: That at this lag, −1 to 1.
        elsewhere: The greatest at any other shift, beyond FAR_LAG.
        best: Seconds of the shift with the greatest correlation of all.
    """

    lag: float
    correlation: float
    elsewhere: float
    best: float

    @property
    def belongs(self) -> bool:
        """Whether the recording belongs to the sound."""
        return self.correlation >= MIN_CORRELATION and self.correlation - self.elsewhere >= MIN_LEAD

    def check(self) -> None:
        """Raise LSFError("wrong_recording") unless the recording belongs to the sound."""
        if self.belongs:
            return
        if self.elsewhere - self.correlation >= MOVED_LEAD and self.elsewhere >= MOVED_CORRELATION:
            way = "later" if self.best > 0 else "earlier"
            raise LSFError(
                "wrong_recording",
                f"The recording seems to be {abs(self.best):.1f} s {way} than the sound: move it by this time.",
            )
        raise LSFError(
            "wrong_recording",
            "The recording does not seem to belong to this sound: its mouth moves at other times. Choose the sound "
            "that was recorded with it, or a longer part of both.",
        )


def match(predicted: FloatArray, recorded: FloatArray, valid: BoolArray, fps: float) -> Match:
    """Compare a recording with what the model predicts for a sound.

    Args:
        predicted: ARKit curves (F, 52) for the sound.
        recorded: Recorded curves (F, 52).
        valid: (F,) frames in which there is a recording.
        fps: Frames per second of both.

    Returns:
        How they fit. Shifts wrap around, so that all have the same number of frames.
    """
    last = int(np.flatnonzero(valid)[-1]) + 1 if valid.any() else 0
    if last < 2:
        return Match(0.0, 0.0, 0.0, 0.0)
    total, weight = np.zeros(last), 0.0
    for number, (sound, face) in enumerate(zip(_signals(predicted[:last]), _signals(recorded[:last]), strict=True)):
        sound, face = _syllables(sound, fps), _syllables(face, fps)
        if min(sound.std(), face.std()) < STILL:
            continue
        share = OPENING_WEIGHT if number == 0 else 1.0
        spectrum = np.conj(np.fft.rfft(sound / sound.std())) * np.fft.rfft(face / face.std())
        total += share * np.fft.irfft(spectrum, last) / last
        weight += share
    correlation = total / max(weight, 1.0)
    shifts = np.fft.fftfreq(last, 1 / last) / fps  # seconds
    near, far = np.abs(shifts) <= MAX_LAG, np.abs(shifts) > FAR_LAG
    peak = int(np.flatnonzero(near)[correlation[near].argmax()])
    # A parabola through the peak and its neighbours: the lag between two frames.
    before, here, after = correlation[[peak - 1, peak, (peak + 1) % last]]
    bend = before - 2 * here + after
    part = 0.5 * (before - after) / bend if bend < 0 else 0.0
    lag = float(np.clip(shifts[peak] + np.clip(part, -0.5, 0.5) / fps, -MAX_LAG, MAX_LAG))
    elsewhere = float(correlation[far].max()) if far.any() else 0.0
    return Match(lag, float(here), elsewhere, float(shifts[correlation.argmax()]))


def _signals(curves: FloatArray) -> list[FloatArray]:
    """What of a mouth is compared, (F,) each: the opening of the lips (as a weight), and the sums of some regions."""
    opening = lip_contact.opening(curves) / style.WIDE_MOUTH[1]
    return [opening, *(curves[:, style.region_channels(region)].sum(1) for region in SIGNALS)]


def _syllables(signal: FloatArray, fps: float) -> NDArray[np.float64]:
    """A signal (F,) with mean 0, without what is slower than syllables and without flicker."""
    from scipy.ndimage import gaussian_filter1d

    fast = signal - gaussian_filter1d(signal.astype(float), SLOW * fps)
    smooth: NDArray[np.float64] = gaussian_filter1d(fast, FAST * fps)
    return np.asarray(smooth - smooth.mean(), float)
