"""Performances with known styles: a mouth that speaks, and a recording of it in the style of a card."""

import numpy as np

from server.arkit import CHANNELS, channel_indices
from server.performance import prosody, style
from server.performance.sides import DIFFERENCES, PAIRS
from server.performance.style import Cues, mixed
from server.protocol.style_cards import NUMBERS, StyleCard

FPS = 25.0
MOUTH = [i for i, c in enumerate(CHANNELS) if c.startswith(("jaw", "mouth"))]


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Curves (F, 52) of a mouth that opens about four times a second, with pauses in which it rests, and of brows."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * FPS)
    times = np.arange(frames) / FPS
    curves = np.zeros((frames, 52), np.float32)
    phase = np.cumsum(rng.uniform(2.5, 5.5, frames // 5 + 1).repeat(5)[:frames]) / FPS
    opening = np.clip(np.sin(2 * np.pi * phase), 0, 1) * rng.uniform(0.3, 1, frames // 6 + 1).repeat(6)[:frames]
    opening *= talking(times + 0.2)  # a mouth opens before its sound
    rounding = np.clip(np.sin(2 * np.pi * 0.7 * times + rng.uniform(0, 6)), 0, 1)
    curves[:, channel_indices("jawOpen")] = (0.4 * opening)[:, None]
    curves[:, channel_indices("mouthFunnel")] = (0.35 * opening * rounding)[:, None]
    curves[:, channel_indices("mouthLowerDown")] = (0.3 * opening * (1 - rounding))[:, None]
    curves[:, channel_indices("mouthSmile")] = (0.15 * opening * (1 - rounding))[:, None]
    curves[:, channel_indices("mouthUpperUp")] = (0.2 * opening)[:, None]
    brows = np.clip(np.sin(2 * np.pi * 0.4 * times + seed), 0, 1) * 0.3
    curves[:, channel_indices("browInnerUp")] = brows[:, None]
    return curves


def talking(times: np.ndarray) -> np.ndarray:
    """1 in phrases of 3 s, 0 in the second after each."""
    return (times % 4 < 3).astype(float)


def voice(seconds: float) -> prosody.Voice:
    """The voice of `speech`."""
    moments = prosody.centres(int(seconds * 50))
    level = np.where(talking(moments) > 0, -20.0, -90.0)
    return prosody.Voice(level, np.zeros(len(level)), seconds, 1)


def recorded(
    curves: np.ndarray, card: StyleCard, sound: prosody.Voice, seed: int = 0, noise: float = 0.01
) -> np.ndarray:
    """Curves (F, 52) in the style of a card, as a noisy recording; the left side leads as the card says."""
    numbers = mixed(((card, 1.0),))
    result = style.shaped(curves, numbers, Cues.of(sound, len(curves), FPS), FPS)
    lean = np.zeros(len(DIFFERENCES)) if numbers.lean is None else numbers.lean
    gains = lean + [difference.lead for difference in DIFFERENCES.values()]
    for (left, right), gain in zip(PAIRS, gains, strict=True):
        difference = gain * (result[:, left] + result[:, right]) / 2
        result[:, left] += difference
        result[:, right] -= difference
    moved = result.std(0) > 0.02
    rng = np.random.default_rng(seed)
    result[:, moved] += noise * rng.standard_normal((len(result), moved.sum())).astype(np.float32)
    return result.clip(0, 1)


def card(**numbers: float) -> StyleCard:
    """A card with these numbers, named family__name."""
    values = {tuple(key.split("__")): value for key, value in numbers.items()}
    assert set(values) <= set(NUMBERS)
    return StyleCard("actor", tuple(values.get(number, 0.0) for number in NUMBERS))
