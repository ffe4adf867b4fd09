"""A `read_emotion` job: the server reads a direction in words. Touches no Blender data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..client.jobs import Client, State
from ..client.wire import EMOTIONS, Expression
from ..errors import UserError
from .server_job import ServerWork


@dataclass(frozen=True)
class Understood:
    """What a part of a direction means.

    Attributes:
        text: The part.
        names: Channels, emotions and expressions that it is about; none: it adds nothing.
        negated: They are not to be shown, or less.
    """

    text: str
    names: tuple[str, ...]
    negated: bool


class DirectionReading(ServerWork):
    """What a text means, such as "angry, but holding back, one eyebrow up", see docs/protocol.md."""

    def __init__(self, client: Client, direction: str, bank: Sequence[Expression] = ()) -> None:
        request = {"text": direction, "bank": [expression.to_fields() for expression in bank]}
        super().__init__(client, "read_emotion", request, {})
        self.direction = direction

    def poll(self) -> State:
        """Update the state; a text that is not understood fails with a sentence of this add-on."""
        state = super().poll()
        if state is State.FAILED and self.job.code == "not_understood":
            self.error = str(UserError("The text is not clear about a face: use other words"))
        return state

    @property
    def emotions(self) -> dict[str, float]:
        """Amounts of the emotions, 0 to 1, the largest first; none for a neutral face."""
        return dict(sorted(self._amounts("emotions").items(), key=lambda pair: -pair[1]))

    @property
    def weights(self) -> dict[str, float]:
        """What is added to ARKit's channels, those of the named expressions included, -1 to 1."""
        return self._amounts("weights")

    @property
    def named(self) -> tuple[str, float] | None:
        """The expression that the text names, and its amount, if it says nothing else."""
        entries, features = self.job.header["entries"], self.job.header["channels"]
        neutral = self.job.arrays["weights"][EMOTIONS.index("neutral")] == 1
        return next(iter(entries.items())) if len(entries) == 1 and not features and neutral else None

    @property
    def understood(self) -> list[Understood]:
        """What the parts of the text mean, in their order."""
        return [Understood(p["text"], tuple(p["names"]), p["negated"]) for p in self.job.header["understood"]]

    @property
    def missed(self) -> list[str]:
        """The parts that were not understood."""
        missed: list[str] = self.job.header["missed"]
        return missed

    def _amounts(self, kind: str) -> dict[str, float]:
        """Channels or emotions of the reading."""
        amounts: dict[str, float] = self.job.header["expression"][kind]
        return amounts

    def is_valid(self) -> bool:
        """Whether the result is what docs/protocol.md promises."""
        header, weights = self.job.header, self.job.arrays.get("weights")
        if weights is None or weights.shape != (len(EMOTIONS),) or not np.isfinite(weights).all():
            return False
        if not (_are_amounts(header.get("entries")) and _are_amounts(header.get("channels"))):
            return False
        match header:
            case {
                "expression": {"weights": shown, "emotions": felt},
                "understood": list(parts),
                "missed": list(missed),
            }:
                return (
                    _are_amounts(shown)
                    and _are_amounts(felt)
                    and all(isinstance(text, str) for text in missed)
                    and all(_is_part(part) for part in parts)
                )
        return False


def _are_amounts(value: object) -> bool:
    """Whether this is a mapping of names to numbers from -1 to 1."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(x, (int, float)) and abs(x) <= 1  # which NaN is not
        for name, x in value.items()
    )


def _is_part(value: object) -> bool:
    """Whether this says what a part of a text means."""
    match value:
        case {"text": str(), "names": list(names), "negated": bool()}:
            return all(isinstance(name, str) for name in names)
    return False
