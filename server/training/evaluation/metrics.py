"""What is measured: lips against tracked lips, the paper's distances in vertex space, a linear probe for emotion.

Lip figures: Pearson r of the inner-lip aperture and of the mouth width at one lag for all, over whole clips and between
the first and last phone (silence is easy), closures and openings by phone. Vertex figures: MVE, LVE, FDD, MEE, CE and
diversity of LSF-Animation (arXiv 2510.21864).
"""

import numpy as np
import torch

from .. import FPS
from ..speech.phonetics import Phone

LABIALS = {"p", "b", "m"}
OPEN_VOWELS, NARROW = {"ɑ", "æ", "ɔ", "aɪ", "aʊ"}, {"s", "z", "t", "d", "n", "i", "ɪ"}
LAGS = np.arange(-120, 121, 10)  # ms


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0


def speech_span(phones: list[Phone]) -> tuple[float, float]:
    voiced = [p for p in phones if p[0]]
    return voiced[0][1], voiced[-1][2]


def lagged(truth: np.ndarray, predicted: np.ndarray, phones: list[Phone]) -> tuple[np.ndarray, np.ndarray]:
    """R at every lag of LAGS, whole clip and speech only. Both curves (F,) at 25 fps; positive lags: it is late."""
    times = np.arange(len(truth)) / FPS
    start, end = speech_span(phones)
    inside = (times >= start - 0.04) & (times <= end + 0.04)
    shifted = [np.interp(times + lag / 1000, np.arange(len(predicted)) / FPS, predicted) for lag in LAGS]
    return (
        np.array([pearson(truth, s) for s in shifted]),
        np.array([pearson(truth[inside], s[inside]) for s in shifted]),
    )


def phone_tests(aperture: np.ndarray, phones: list[Phone]) -> dict[str, list[bool]]:
    """Closures on p/b/m (below the clip's 20th percentile over speech) and openings on open vowels (above its 60th),
    each with its false rate on other sounds away from them. `met`: the lips meet on p/b/m, by at most 8 % of the clip's
    95th percentile; `parted`: they do not on other sounds.
    """

    def at(times):
        return np.interp(times, np.arange(len(aperture)) / FPS, aperture)

    def away(start, end, others, gap):
        return all(start > o[2] + gap or end < o[1] - gap for o in others)

    start, end = speech_span(phones)
    speech = at(np.arange(start, end, 0.01))
    low, high = np.percentile(speech, 20), np.percentile(speech, 60)
    meet = 0.08 * np.percentile(aperture, 95)
    labials = [p for p in phones if p[0] in LABIALS]
    vowels = [p for p in phones if p[0] in OPEN_VOWELS]
    tests = {name: [] for name in ("pbm", "pbm_false", "open", "open_false", "met", "parted")}
    for symbol, a, b in phones:
        smallest = at(np.arange(a - 0.04, b + 0.0401, 0.01)).min()
        opened = bool(at(np.arange(a, b + 0.001, 0.01)).max() > high)
        if symbol in LABIALS:
            tests["pbm"].append(bool(smallest < low))
            tests["met"].append(bool(smallest <= meet))
        elif symbol not in {"", "f", "v", "w"} and away(a, b, labials, 0.06):
            tests["pbm_false"].append(bool(smallest < low))
            if a >= start + 0.1 and b <= end - 0.1:
                tests["parted"].append(bool(smallest > meet))
        if symbol in OPEN_VOWELS:
            tests["open"].append(opened)
        elif symbol in NARROW and away(a, b, vowels, 0.02):
            tests["open_false"].append(opened)
    return tests


def lip_scores(clips: list[tuple[np.ndarray, np.ndarray, list[Phone]]]) -> dict[str, float]:
    """Clips of (truth (F, 2), predicted (F', 2) aperture and width, phones) -> medians over clips, phone shares."""
    report, tests = {"clips": len(clips)}, {}
    for column, name in enumerate(("aperture", "width")):
        curves = [lagged(t[:, column].astype(float), p[:, column].astype(float), phones) for t, p, phones in clips]
        whole, speech = (np.median([c[i] for c in curves], 0) for i in (0, 1))
        report |= {
            f"{name}_r": whole[LAGS == 0][0],
            f"{name}_r_speech": speech[LAGS == 0][0],
            f"{name}_lag_ms": int(LAGS[whole.argmax()]),
        }
    for _, predicted, phones in clips:
        for name, outcomes in phone_tests(predicted[:, 0], phones).items():
            tests.setdefault(name, []).extend(outcomes)
    return {k: float(v) for k, v in (report | {k: np.mean(v) for k, v in tests.items() if v}).items()}


def vertex_scores(
    truth: np.ndarray, takes: np.ndarray, basis: np.ndarray, lip: np.ndarray, upper: np.ndarray
) -> dict[str, float]:
    """Of one clip. truth (F, K); takes (n, F, K), the first of them deterministic; basis (K, V, 3) in metres; lip and
    upper: vertex indices. In metres and square metres, as in the paper.
    """
    moved = np.tensordot(truth, basis, 1)
    motion = [np.tensordot(take, basis, 1) for take in takes]
    lve = [np.square(m[:, lip] - moved[:, lip]).sum(-1).max(1).mean() for m in motion]
    dynamics = [np.square(m[:, upper]).sum(-1).std(0).mean() for m in (moved, motion[0])]
    scores = {
        "MVE": np.linalg.norm(motion[0] - moved, axis=-1).mean(),
        "LVE": lve[0],
        "FDD": abs(dynamics[0] - dynamics[1]),
        "FDD_signed": dynamics[0] - dynamics[1],
    }
    if len(takes) > 1:
        mean = np.mean(motion[1:], 0)
        scores["MEE"] = np.square(mean[:, lip] - moved[:, lip]).sum(-1).max(1).mean()
        scores["CE"] = min(lve[1:])
        pairs = np.random.default_rng(0).permutation(len(motion) - 1)[:10].reshape(-1, 2) + 1
        scores["Diversity"] = np.mean([np.linalg.norm(motion[a] - motion[b], axis=-1).mean() for a, b in pairs])
    return {k: float(v) for k, v in scores.items()}


def probe(train: np.ndarray, labels: list[str], test: np.ndarray, wanted: list[str]) -> float:
    """Accuracy of multinomial logistic regression on standardised inputs (N, C)."""
    classes = sorted(set(labels))
    mean, scale = train.mean(0), train.std(0) + 1e-6
    x = torch.from_numpy((train - mean) / scale).float()
    y = torch.tensor([classes.index(c) for c in labels])
    torch.manual_seed(0)
    linear = torch.nn.Linear(x.shape[1], len(classes))
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(linear(x), y) + 3e-2 * linear.weight.square().sum() / 2
        loss.backward()
        return loss

    optimizer.step(step)
    with torch.no_grad():
        guess = linear(torch.from_numpy((test - mean) / scale).float()).argmax(1)
    return float(np.mean([classes[int(g)] == w for g, w in zip(guess, wanted, strict=True)]))
