"""Reads the files of rig families and of saved mappings, and recognises which one the keys of a head belong to."""

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .mapping import SOLVED, Mapping, Row
from .names import canonical, spellings

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Key:
    names: tuple[str, ...]  # its spellings
    channels: tuple[tuple[str, float], ...]  # and gains; none if it is solved


@dataclass(frozen=True)
class Family:
    name: str
    at_least: int  # keys of it that a head has to have to be recognised
    keys: tuple[Key, ...]

    def match(self, names: list[str]) -> Mapping:
        """The rows for those keys of the family that a head with keys of these names has."""
        forms, rows, taken = spellings(tuple(names)), [], set()
        for key in self.keys:
            name = next((forms[form] for form in map(canonical, key.names) if form in forms), None)
            if name is not None and name not in taken:
                taken.add(name)
                rows += [Row(name, channel, gain) for channel, gain in key.channels or ((SOLVED, 1.0),)]
        return Mapping(self.name, tuple(rows))


def read(path: Path) -> Family:
    """Raises UserError if the file is no mapping."""
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(200)  # panels ask with every drawing
def _read(path: Path, _changed: int) -> Family:
    try:
        data = json.loads(path.read_text("utf-8"))
        keys = tuple(
            Key(
                tuple(map(str, key["names"])),
                tuple((str(channel), float(gain)) for channel, gain in key.get("channels", {}).items()),
            )
            for key in data["keys"]
        )
        family = Family(str(data["name"]), int(data["at_least"]), keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'"{path}" is no mapping of shape keys ({error}): save it again, or remove the file') from error
    if not all(key.names for key in keys) or not all(math.isfinite(gain) for key in keys for _, gain in key.channels):
        raise UserError(f'"{path}" is no mapping of shape keys: it has keys without names, or gains without a value')
    return family


def write(path: Path, mapping: Mapping) -> None:
    """Save a mapping; a head that has all of its keys will be recognised by it. Raises OSError."""
    keys: dict[str, dict[str, float]] = {key: {} for key in dict.fromkeys(row.key for row in mapping.rows)}
    for row in mapping.rows:
        if row.channel != SOLVED and row.key not in mapping.solved:
            keys[row.key][row.channel] = keys[row.key].get(row.channel, 0.0) + row.gain
    data = {
        "name": mapping.name,
        "at_least": len(keys),
        "keys": [{"names": [key]} | ({"channels": channels} if channels else {}) for key, channels in keys.items()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")


@functools.cache
def built_in() -> tuple[Family, ...]:
    return tuple(read(path) for path in sorted(HERE.glob("*.json")))


@functools.cache
def channels() -> tuple[str, ...]:
    """The 52 ARKit channels."""
    arkit = next(family for family in built_in() if family.name == "ARKit")
    return tuple(key.names[0] for key in arkit.keys)


def saved(folder: Path) -> tuple[list[Family], list[str]]:
    """The artist's own, and sentences about files that could not be read."""
    families, complaints = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            families.append(read(path))
        except UserError as error:
            complaints.append(str(error))
    return families, complaints


def recognise(names: list[str], families: list[Family]) -> Mapping | None:
    """The mapping of the family to which most of the names belong, the first of several; None if to no one enough."""
    best = None
    for family in families:
        mapping = family.match(names)
        count = len({row.key for row in mapping.rows})
        if count >= max(1, family.at_least) and (best is None or count > len({row.key for row in best.rows})):
            best = mapping
    return best
