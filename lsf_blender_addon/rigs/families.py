"""Reads and writes the files of rig families and saved mappings, and recognises the family of a head's keys."""

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .mapping import SOLVED, Mapping, Row
from .names import canonical, names_by_canonical_form

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Key:
    """A key of a family.

    Attributes:
        names: Spellings of its name.
        channels: Channels that it follows, with their gains; empty if it is solved.
    """

    names: tuple[str, ...]
    channels: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Family:
    """A rig family, or a mapping that an artist has saved.

    Attributes:
        name: Its name.
        at_least: How many of its keys a head must have to be recognised.
        keys: Its keys.
    """

    name: str
    at_least: int
    keys: tuple[Key, ...]

    def match(self, names: list[str]) -> Mapping:
        """Return the mapping for those of a head's keys that belong to the family.

        Args:
            names: Names of the head's keys.
        """
        forms = names_by_canonical_form(tuple(names))
        rows: list[Row] = []
        taken: set[str] = set()
        for key in self.keys:
            name = next((forms[form] for form in map(canonical, key.names) if form in forms), None)
            if name is not None and name not in taken:
                taken.add(name)
                rows += [Row(name, channel, gain) for channel, gain in key.channels or ((SOLVED, 1.0),)]
        return Mapping(self.name, tuple(rows))


def read(path: Path) -> Family:
    """Read the file of a family or of a saved mapping.

    Raises:
        UserError: The file cannot be read, or is not a mapping.
    """
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(200)  # panels ask at every redraw
def _read(path: Path, _changed: int) -> Family:
    """Read a file. The time of its last change is part of the cache's key."""
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
    """Save a mapping. A head that has all of its keys will be recognised.

    Args:
        path: Path of the .json file; missing folders are made.
        mapping: The mapping to save.

    Raises:
        OSError: The file cannot be written.
    """
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
    """Return the families that come with the add-on."""
    return tuple(read(path) for path in sorted(HERE.glob("*.json")))


@functools.cache
def channels() -> tuple[str, ...]:
    """Return the names of the 52 ARKit channels."""
    arkit = next(family for family in built_in() if family.name == "ARKit")
    return tuple(key.names[0] for key in arkit.keys)


def saved(folder: Path) -> tuple[list[Family], list[str]]:
    """Read the mappings that the artist has saved.

    Args:
        folder: Folder with .json files; it may not exist.

    Returns:
        The mappings, and a sentence for each file that cannot be read.
    """
    families, errors = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            families.append(read(path))
        except UserError as error:
            errors.append(str(error))
    return families, errors


def recognise(names: list[str], families: list[Family]) -> Mapping | None:
    """Recognise the family of a head's keys.

    Args:
        names: Names of the head's keys.
        families: Families in order of preference.

    Returns:
        The mapping of the family to which most of the names belong; of equal ones, the first. None if the head has too
        few keys of each family.
    """
    best = None
    for family in families:
        mapping = family.match(names)
        count = len({row.key for row in mapping.rows})
        if count >= max(1, family.at_least) and (best is None or count > len({row.key for row in best.rows})):
            best = mapping
    return best
