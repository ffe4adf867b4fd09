"""Target curves of vocal bursts: laughs, sobs, gasps, shouts.

No face was recorded and there are no phones, so only what can be heard is labelled: the mouth opens with the voice and
rests in silence. A laugh pulses, a sob opens and falls, a gasp opens at once. The expression (a smile, a frown) is no
part of these curves.

The opening follows the level between 500 and 4000 Hz. A mouth that opens raises the first formant (Lindblom and
Sundberg 1971), while a hum or a moan through the nose has its energy below. On tracked people, this level follows the
aperture a little better than that of all frequencies does (r .51 against .49, mean of seven people, range 30 dB).
"""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from ...arkit import CHANNELS, channel_indices
from ...files.audio import SAMPLE_RATE
from ...numerics import FloatArray
from ...performance import prosody
from ...protocol.phrases import LOUD_PERCENTILE
from .. import FPS
from .lips import Lips

OPEN_VOICE_BAND = 500, 4000  # Hz
DELAY = 0.03  # seconds by which the opening follows the level at the centre of its window (docs/training.md)
SMOOTHING = 0.04  # seconds: standard deviation of the Gaussian average over time; a laugh still pulses
BAND_ORDER = 4  # of the Butterworth filter, which is applied forwards and backwards
RANGE = 30.0  # decibels below the loud parts at which the mouth is closed
REST_SHARE = 0.15  # of the range above its lower end: quieter sound is breath or room, and the mouth rests
SILENCE_LEVEL = -60.0  # dBFS: a clip whose loud parts are quieter is silent
WIDEST = 0.013  # metres: 95th percentile of the aperture of GRID's tracked speaker
# Channels of an open mouth, relative to the jaw: their means over the widest twentieth of that speaker's frames.
OPEN_MOUTH = {"jawOpen": 1.0, "mouthStretch": 0.17, "mouthLowerDown": 0.08}


def burst_opening(audio: FloatArray, frames: int) -> FloatArray:
    """Return how wide the mouth opens with the voice.

    Args:
        audio: (N,) sound at 16 kHz.
        frames: Number of frames at 25 fps.

    Returns:
        (frames,) 0 (at rest) to 1.
    """
    if len(audio) < prosody.HOP_LENGTH:
        return np.zeros(frames)
    band = butter(BAND_ORDER, OPEN_VOICE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos")
    open_voice = prosody.loudness(sosfiltfilt(band, audio).astype(np.float32))
    loud = max(float(np.percentile(prosody.loudness(audio), LOUD_PERCENTILE)), SILENCE_LEVEL)
    share = np.clip((open_voice - loud) / RANGE + 1, 0, 1)
    opening = np.clip((share - REST_SHARE) / (1 - REST_SHARE), 0, 1)
    smooth: FloatArray = gaussian_filter1d(prosody.at_frames(opening, frames, FPS, DELAY), SMOOTHING * FPS)
    return smooth


def burst_curves(audio: FloatArray, head: Lips) -> FloatArray:
    """Return the target curves of a vocal burst.

    Args:
        audio: (N,) sound at 16 kHz.
        head: Lips of the project's head.

    Returns:
        (F, 52) ARKit weights at 25 fps, F the number of whole frames in the sound.
    """
    opening = burst_opening(audio, int(len(audio) / SAMPLE_RATE * FPS))
    pose = np.zeros(len(CHANNELS), np.float32)
    for name, weight in OPEN_MOUTH.items():
        pose[channel_indices(name)] = weight
    # The aperture is almost linear in the weight, so one weight gives the scale.
    reached = head(torch.from_numpy(np.stack([0 * pose, pose]))).numpy()[:, 0]
    curves: FloatArray = ((opening * WIDEST / (reached[1] - reached[0]))[:, None] * pose).astype(np.float32)
    return curves
