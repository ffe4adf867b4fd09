"""Metrics: lips against tracked lips, the paper's distances in vertex space.

Lip metrics: Pearson r of the inner-lip aperture and of the mouth width, over whole clips and between the first and last
phone (silence is easy), at one lag for all clips; closures and openings by phone. Vertex metrics: MVE, LVE, FDD, MEE,
CE and diversity of LSF-Animation (arXiv 2510.21864).
"""

import numpy as np

from ...numerics import BoolArray, FloatArray, IntArray
from .. import FPS
from ..speech.phonetics import Phone
from .spread import Report, Spread

LABIALS = {"p", "b", "m"}
LABIAL_LIKE = {"f", "v", "w"}  # may close the lips as well: neither tested for closure nor for its absence
OPEN_VOWELS, NARROW = {"ɑ", "æ", "ɔ", "aɪ", "aʊ"}, {"s", "z", "t", "d", "n", "i", "ɪ"}
ROUNDED = {"u", "oʊ", "w", "ʃ"}
# Lips that are closer than this share of the clip's 95th percentile of aperture count as meeting. Relative, so that it
# applies to tracked lips and to heads of any size.
CONTACT_SHARE = 0.08
LAGS = np.arange(-120, 121, 10)  # ms
TIME_STEP = 0.01  # seconds between the places where an aperture is looked up


def pearson(a: FloatArray, b: FloatArray) -> float:
    """Return Pearson's r of two curves (F,), 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0


def speech_span(phones: list[Phone]) -> tuple[float, float]:
    """Return the start of the first and the end of the last phone that is not silence, in seconds."""
    audible = [p for p in phones if p[0]]
    return audible[0][1], audible[-1][2]


def lagged(truth: FloatArray, predicted: FloatArray, phones: list[Phone]) -> tuple[FloatArray, FloatArray]:
    """Correlate two curves at every lag of LAGS.

    Args:
        truth: (F,) curve at 25 fps.
        predicted: (F',) curve at 25 fps.
        phones: Phones of the clip.

    Returns:
        r at every lag over the whole clip, and over speech alone. At a positive lag the prediction is late.
    """
    times = np.arange(len(truth)) / FPS
    start, end = speech_span(phones)
    inside = (times >= start - 1 / FPS) & (times <= end + 1 / FPS)
    shifted = [np.interp(times + lag / 1000, np.arange(len(predicted)) / FPS, predicted) for lag in LAGS]
    return (
        np.array([pearson(truth, s) for s in shifted]),
        np.array([pearson(truth[inside], s[inside]) for s in shifted]),
    )


def phone_tests(aperture: FloatArray, phones: list[Phone]) -> dict[str, list[bool]]:
    """Test closures and openings phone by phone.

    Args:
        aperture: (F,) inner-lip aperture at 25 fps.
        phones: Phones of the clip.

    Returns:
        Outcomes by the name of the test. `pbm`: the aperture falls below the clip's 20th percentile over speech on
        p/b/m; `pbm_false`: it does so on other sounds away from them. `open`: it rises above the 60th percentile on
        open vowels; `open_false`: it does so on narrow sounds away from them. `contact`: the lips meet on p/b/m
        (CONTACT_SHARE); `no_false_contact`: they do not on other sounds.
    """

    def at(times: FloatArray) -> FloatArray:
        return np.interp(times, np.arange(len(aperture)) / FPS, aperture)

    def away(start: float, end: float, others: list[Phone], gap: float) -> bool:
        return all(start > o[2] + gap or end < o[1] - gap for o in others)

    start, end = speech_span(phones)
    speech = at(np.arange(start, end, TIME_STEP))
    low, high = np.percentile(speech, 20), np.percentile(speech, 60)
    contact = CONTACT_SHARE * np.percentile(aperture, 95)
    labials = [p for p in phones if p[0] in LABIALS]
    vowels = [p for p in phones if p[0] in OPEN_VOWELS]
    tests: dict[str, list[bool]] = {
        name: [] for name in ("pbm", "pbm_false", "open", "open_false", "contact", "no_false_contact")
    }
    for symbol, a, b in phones:
        smallest = at(np.arange(a - 0.04, b + 0.0401, TIME_STEP)).min()
        opened = bool(at(np.arange(a, b + 0.001, TIME_STEP)).max() > high)
        if symbol in LABIALS:
            tests["pbm"].append(bool(smallest < low))
            tests["contact"].append(bool(smallest <= contact))
        elif symbol and symbol not in LABIAL_LIKE and away(a, b, labials, 0.06):
            tests["pbm_false"].append(bool(smallest < low))
            if a >= start + 0.1 and b <= end - 0.1:
                tests["no_false_contact"].append(bool(smallest > contact))
        if symbol in OPEN_VOWELS:
            tests["open"].append(opened)
        elif symbol in NARROW and away(a, b, vowels, 0.02):
            tests["open_false"].append(opened)
    return tests


def rounding_tests(rounding: FloatArray, phones: list[Phone]) -> list[bool]:
    """Test whether the lips round on rounded sounds.

    Args:
        rounding: (F,) sum of the rounding channels at 25 fps.
        phones: Phones of the clip.

    Returns:
        For each of ROUNDED whose middle lies within the curve, whether it is rounder there than the clip's median.
    """
    frames = [round((start + end) / 2 * FPS) for symbol, start, end in phones if symbol in ROUNDED]
    return [bool(rounding[frame] > np.median(rounding)) for frame in frames if frame < len(rounding)]


def lip_scores(clips: list[tuple[FloatArray, FloatArray, list[Phone]]]) -> Report:
    """Summarise the lip metrics over clips.

    Args:
        clips: Truth (F, 2) and prediction (F', 2), aperture and width at 25 fps, and the phones, of each clip.

    Returns:
        Correlations with their spread over clips, the lag (ms) that is best over all clips and the best of each clip,
        and the shares of phones that pass the tests of `phone_tests`.
    """
    report: Report = {"clips": len(clips)}
    for column, name in enumerate(("aperture", "width")):
        curves = [lagged(t[:, column].astype(float), p[:, column].astype(float), phones) for t, p, phones in clips]
        whole, speech = (np.stack([curve[i] for curve in curves]) for i in (0, 1))  # (clips, lags)
        report |= {
            f"{name}_r": Spread.over_clips(whole[:, LAGS == 0][:, 0]),
            f"{name}_r_speech": Spread.over_clips(speech[:, LAGS == 0][:, 0]),
            f"{name}_lag_ms": int(LAGS[np.median(whole, 0).argmax()]),
            f"{name}_lag_of_clips_ms": Spread.over_clips(LAGS[whole.argmax(1)].astype(float)),
        }
    tests: dict[str, dict[str, list[bool]]] = {}
    for number, (_, predicted, phones) in enumerate(clips):
        for name, outcomes in phone_tests(predicted[:, 0], phones).items():
            tests.setdefault(name, {})[str(number)] = outcomes
    return report | {k: Spread.of_outcomes(v) for k, v in tests.items() if any(v.values())}


def vertex_scores(
    truth: FloatArray, takes: FloatArray, basis: FloatArray, lip: IntArray | BoolArray, upper: IntArray | BoolArray
) -> dict[str, float]:
    """Return the paper's metrics of one clip (arXiv 2510.21864).

    Args:
        truth: (F, K) curves.
        takes: (n, F, K) predicted takes, the first of them deterministic.
        basis: (K, V, 3) offsets of the vertices in metres.
        lip: Indices of the lips' vertices.
        upper: Indices of the upper face's vertices.

    Returns:
        MVE and Diversity in metres; LVE, MEE, CE, FDD and FDD_signed (positive: the truth moves more) in square metres.
        MEE, CE and Diversity need more than one take.
    """
    true_offsets = np.tensordot(truth, basis, 1)
    offsets = [np.tensordot(take, basis, 1) for take in takes]
    lve = [np.square(m[:, lip] - true_offsets[:, lip]).sum(-1).max(1).mean() for m in offsets]
    dynamics = [np.square(m[:, upper]).sum(-1).std(0).mean() for m in (true_offsets, offsets[0])]
    scores = {
        "MVE": np.linalg.norm(offsets[0] - true_offsets, axis=-1).mean(),
        "LVE": lve[0],
        "FDD": abs(dynamics[0] - dynamics[1]),
        "FDD_signed": dynamics[0] - dynamics[1],
    }
    if len(takes) > 1:
        mean = np.mean(offsets[1:], 0)
        scores["MEE"] = np.square(mean[:, lip] - true_offsets[:, lip]).sum(-1).max(1).mean()
        scores["CE"] = min(lve[1:])
        pairs = np.random.default_rng(0).permutation(len(offsets) - 1)[:10].reshape(-1, 2) + 1
        scores["Diversity"] = np.mean([np.linalg.norm(offsets[a] - offsets[b], axis=-1).mean() for a, b in pairs])
    return {k: float(v) for k, v in scores.items()}
