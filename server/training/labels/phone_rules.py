"""What is certain of the mouth while a phone lasts, and rest in silence.

Lips meet on p, b and m, the lower lip touches the teeth on f and v, round sounds are round, and lips do not touch on
other sounds. How far a mouth opens for a vowel or a sibilant is not certain: people and their speech differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ... import arkit
from ..speech.phonetics import Phone, phone_activation, speech_activity
from . import lips

MIN_PHONE_SECONDS = 0.06  # shorter phones are lengthened for the rules: every closure must include a frame
CLOSING = set("p b m f v w ɸ β ʋ ʍ ɥ".split())  # phones on which lips may touch
PARTED_APERTURE = 0.0015  # metres: least aperture on other phones; lips nearer than about 1 mm look closed
PARTED_RAMP = 0.02  # seconds before and after the phone in which this bound comes and goes
REST_SHARE = 0.25  # share of the curves that remains while the mouth rests


@dataclass
class Rule:
    """Bounds on the mouth while certain phones last.

    Attributes:
        phones: IPA symbols, separated by spaces.
        ramp: Seconds before and after the phone in which the bounds come and go.
        aperture: Upper bound of the inner-lip aperture in metres.
        minimum: Lower bounds of channels, by their names without a side.
    """

    phones: str
    ramp: float
    aperture: float = math.inf
    minimum: dict[str, float] = field(default_factory=dict)


RULES = (
    Rule("ɹ ɝ ɻ", 0.06, minimum={"mouthPucker": 0.15, "mouthFunnel": 0.1}),
    Rule("ɔ ɔɪ oʊ o əʊ ɒ ø œ", 0.06, minimum={"mouthPucker": 0.4, "mouthFunnel": 0.2}),
    Rule("ʃ ʒ tʃ dʒ", 0.06, minimum={"mouthFunnel": 0.3, "mouthPucker": 0.3}),
    Rule("u ʊ w y ɥ", 0.06, minimum={"mouthPucker": 0.55, "mouthFunnel": 0.1}),
    Rule("f v ʋ", 0.05, aperture=0.0016, minimum={"mouthRollLower": 0.3, "mouthUpperUp": 0.08}),
    Rule("p b m", 0.05, aperture=0.0, minimum={"mouthPress": 0.1}),
)


def constrain(
    rules: Sequence[Rule],
    head: lips.Lips,
    phones: list[Phone],
    goals: tuple[Tensor, Tensor, Tensor],
    rest_before: float = 0.0,
    rest_after: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Let the mouth rest in silence, keep lips apart on phones without contact, and apply rules where their phones are.

    Args:
        rules: The rules, in the order in which they apply.
        head: Lips of the project's head.
        phones: Phones with their times.
        goals: Curves (F, 52), aperture (F,) and width (F,) in metres.
        rest_before: Seconds before the first sound of a run of speech from which the mouth need not rest any more.
        rest_after: Seconds after its last sound for which the mouth need not rest yet.

    Returns:
        Curves, aperture and width of the same shapes. The width changes by as much as the curves that the rules change
        alter it on the mesh.
    """
    curves, aperture, width = goals
    frames = len(curves)
    width_change = width - head(curves)[:, 1]
    closed = float(lips.CLOSED_APERTURE_SHARE * head.neutral[0])
    spoken = [(symbol, start - rest_before, end + rest_after) for symbol, start, end in phones if symbol]
    speech = torch.from_numpy(speech_activity(spoken, frames))
    aperture = closed + speech * (aperture - closed).clamp(min=0)
    curves = curves * (REST_SHARE + (1 - REST_SHARE) * speech[:, None])
    parted = {symbol for symbol, _, _ in phones if symbol and symbol not in CLOSING}
    least = PARTED_APERTURE * torch.from_numpy(phone_activation(phones, frames, parted, PARTED_RAMP))
    aperture = torch.maximum(aperture, least)
    lengthened = lengthen(phones, MIN_PHONE_SECONDS)
    for rule in rules:
        weight = torch.from_numpy(phone_activation(lengthened, frames, set(rule.phones.split()), rule.ramp))
        aperture = aperture + weight * (aperture.clamp(max=max(rule.aperture, closed)) - aperture)
        for name, minimum in rule.minimum.items():
            columns = arkit.channel_indices(name)
            curves[:, columns] = torch.maximum(curves[:, columns], minimum * weight[:, None])
    return curves, aperture, head(curves)[:, 1] + width_change


def lengthen(phones: list[Phone], seconds: float) -> list[Phone]:
    """Return phones that last at least `seconds`; shorter ones grow about their middle and may overlap others."""
    longer = []
    for symbol, start, end in phones:
        extra = max(0.0, seconds - (end - start)) / 2
        longer.append((symbol, start - extra, end + extra))
    return longer
