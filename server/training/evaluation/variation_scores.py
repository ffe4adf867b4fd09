"""Scores of variation: takes of one line, and one line on random faces."""

from pathlib import Path

import numpy as np
import torch

from ... import arkit
from ..corpora import required
from . import metrics
from .runner import Runner
from .spread import Report, Spread

TAKES, TEMPERATURE = 10, 0.2


def take_scores(runner: Runner, data: Path, limit: int = 5) -> Report:
    """Return the standard deviation over ten takes of one line, mean over frames.

    In weights for brows and lids, in per cent of its 95th percentile for the opening.
    """
    spread: dict[str, list[float]] = {"brows": [], "lids": [], "opening_percent": []}
    for clip in runner.clips(data, "kokoro")[:limit]:
        takes = np.stack([runner.run(clip, temperature=TEMPERATURE, seed=seed) for seed in range(TAKES)])
        for name, channels in (("brows", ("browInnerUp",)), ("lids", ("eyeSquint", "eyeWide"))):
            columns = [i for i, c in enumerate(arkit.CHANNELS) if c.startswith(channels)]
            spread[name].append(takes[:, :, columns].std(0).mean())
        opening = np.stack([runner.lips(take)[:, 0] for take in takes])
        spread["opening_percent"].append(100 * opening.std(0).mean() / np.percentile(opening, 95))
    return {name: Spread.mean_over_clips(values) for name, values in spread.items()}


def identity_scores(runner: Runner, data: Path, heads: int = 20, limit: int = 5) -> Report:
    """Score the same lines on random faces: spread of the opening, its r with `Lips.identity_gain`, lip contact."""
    identities = np.random.default_rng(5).standard_normal((heads, runner.model.config.identity_size), np.float32)
    clips = runner.clips(data, "kokoro")[:limit]
    gain = runner.head.identity_gain(torch.from_numpy(identities)).numpy()
    opening = np.zeros(heads)
    contact: dict[str, list[bool]] = {}
    for i, identity in enumerate(identities):
        for clip in clips:
            aperture = runner.lips(runner.run(clip, identity=identity))[:, 0]
            opening[i] += np.percentile(aperture, 90) / len(clips)
            tests = metrics.phone_tests(aperture, required(clip.phones))
            contact.setdefault(f"head {i}", []).extend(tests["contact"])
    return {
        "opening_spread": float(opening.std() / opening.mean()),
        "gain_spread": float(gain.std()),
        "follows_gain_r": metrics.pearson(opening, gain),
        "contact": Spread.of_outcomes(contact),
    }
