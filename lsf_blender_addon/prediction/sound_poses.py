"""The sounds of speech that the recogniser knows: how they are written, and the mean pose of the face in each. No bpy.

The table is assets/sounds.json, which `python -m server.training.sound_poses` makes; docs/sounds.md says how.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ASSET = Path(__file__).parent.parent / "assets" / "sounds.json"
CLOSED = "PP"  # viseme of the sounds in which the lips meet

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound of the table.

    Attributes:
        arpabet: How ARPAbet writes it.
        viseme: Which of the fifteen visemes of MPEG-4 it looks like.
        pose: Values of the table's channels.
    """

    arpabet: str
    viseme: str
    pose: Floats

    @property
    def is_closed(self) -> bool:
        """Whether the lips meet in it."""
        return self.viseme == CLOSED


@dataclass(frozen=True, eq=False)
class SoundTable:
    """The sounds, by their IPA symbols.

    Attributes:
        channels: C names of channels.
        sounds: A pose (C,) and the names of each sound.
    """

    channels: tuple[str, ...]
    sounds: dict[str, Sound]

    def pose(self, symbol: str, channels: Sequence[str]) -> Floats | None:
        """The mean pose (K,) of a sound in K channels; 0 in those that the table lacks; None for an unknown sound."""
        sound = self.sounds.get(symbol)
        if sound is None:
            return None
        values = dict(zip(self.channels, sound.pose.tolist(), strict=True))
        return np.array([values.get(channel, 0.0) for channel in channels], np.float32)

    def viseme(self, symbol: str) -> str:
        """The viseme of a sound; "" for an unknown one."""
        return self.sounds[symbol].viseme if symbol in self.sounds else ""

    def arpabet(self, symbol: str) -> str:
        """How ARPAbet writes a sound; an unknown one as it is."""
        return self.sounds[symbol].arpabet if symbol in self.sounds else symbol


@cache
def table() -> SoundTable:
    """The table that comes with the add-on."""
    return from_fields(json.loads(ASSET.read_text("utf-8")))


def from_fields(fields: dict[str, Any]) -> SoundTable:
    """Read the fields of assets/sounds.json.

    Raises:
        ValueError: A pose has not one value for each channel.
    """
    channels = tuple(fields["channels"])
    sounds = {}
    for symbol, entry in fields["sounds"].items():
        pose = np.array(entry["pose"], np.float32)
        if pose.shape != (len(channels),):
            raise ValueError(f"pose of {symbol}")
        sounds[symbol] = Sound(entry["arpabet"], entry["viseme"], pose)
    return SoundTable(channels, sounds)
