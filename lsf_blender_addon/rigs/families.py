"""Reads and writes the files of rig families and saved mappings, and recognises the family of a head's keys."""

import functools
import graphlib
import json
import math
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .mapping import SOLVED, Mapping, Row
from .names import both_sides, canonical, names_by_canonical_form

HERE = Path(__file__).parent
MAX_BYTES = 1 << 20  # of a mapping of thousands of keys

SOLVED_CHANNELS = ("jaw", "mouth")  # starts of the names of those that visemes show
SPOKEN = frozenset(  # channels without which speech is not seen, and which visemes show; none closes an open jaw
    ("jawOpen", "mouthFunnel", "mouthPucker", *both_sides("mouthLowerDown"), *both_sides("mouthUpperUp"))
)


@dataclass(frozen=True)
class Key:
    """A key of a family.

    Attributes:
        names: Spellings of its name.
        channels: Channels that it follows, with their gains; empty if it is solved.
        stands_for: First names of the keys that show the same when they are used together, as those of the left and
            the right lid do for a key that shuts both. If a head has all of them, they are used, else this key.
        like: Channels with the values at which they look like the key, if it is solved and its name tells.
    """

    names: tuple[str, ...]
    channels: tuple[tuple[str, float], ...]
    stands_for: tuple[str, ...] = ()
    like: tuple[tuple[str, float], ...] = ()


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

    def match(self, names: Collection[str], empty: Collection[str] = frozenset()) -> Mapping:
        """Return the mapping for those of a head's keys that belong to the family.

        Args:
            names: Names of the head's keys.
            empty: Those of them that have no shape. They are left out.
        """
        found = self._found(names, empty)
        used = self._used(found)
        return Mapping(
            self.name,
            tuple(
                Row(found[key.names[0]], channel, gain)
                for key in self.keys
                if key.names[0] in used
                for channel, gain in key.channels or ((SOLVED, 1.0),)
            ),
        )

    def spelled_as_here(self, names: Collection[str]) -> int:
        """Count the names that are spelled exactly as the family's keys are."""
        return len(self._spellings.intersection(names))

    def looks(self, names: Collection[str]) -> dict[str, dict[str, float]]:
        """Return what those of a head's keys show that are solved, as values of channels, where their names tell.

        Args:
            names: Names of the head's keys.
        """
        found = self._found(names, frozenset())
        return {name: dict(self._by_name[first].like) for first, name in found.items() if self._by_name[first].like}

    def _found(self, names: Collection[str], empty: Collection[str]) -> dict[str, str]:
        """Return the head's name for the first name of each key of the family that the head has."""
        forms = names_by_canonical_form(tuple(names), frozenset(empty))
        taken = self._by_name.keys() & (
            set(names) - set(empty)
        )  # a head may have keys whose names differ in case alone
        found = {first: first for first in taken}
        for form in sorted(self._forms.keys() & forms.keys(), key=self._forms.__getitem__):
            first = self.keys[self._forms[form][0]].names[0]
            if first not in found and forms[form] not in taken:
                found[first] = forms[form]
                taken.add(forms[form])
        return found

    def _used(self, found: Collection[str]) -> set[str]:
        """Return the first names of the keys that are used, of those that were found."""
        used = set(found)
        for key in self._general_first:
            first = key.names[0]
            if first in used and all(self._complete(part, found) for part in key.stands_for):
                used.discard(first)
            elif first in used:
                used -= self._parts(first)
        return used

    def _complete(self, first: str, found: Collection[str]) -> bool:
        """Tell whether a key was found, or all keys for which it stands."""
        parts = self._by_name[first].stands_for
        return first in found or (bool(parts) and all(self._complete(part, found) for part in parts))

    def _parts(self, first: str) -> set[str]:
        """Return the keys for which a key stands, and those for which these stand."""
        parts = self._by_name[first].stands_for
        return set(parts).union(*map(self._parts, parts))

    @functools.cached_property
    def _by_name(self) -> dict[str, Key]:
        """The keys by their first names."""
        return {key.names[0]: key for key in self.keys}

    @functools.cached_property
    def _general_first(self) -> tuple[Key, ...]:
        """The keys that stand for others, a key before those for which it stands."""
        general = [key for key in self.keys if key.stands_for]
        return tuple(sorted(general, key=lambda key: -len(self._parts(key.names[0]))))

    @functools.cached_property
    def _spellings(self) -> frozenset[str]:
        """All spellings of all keys."""
        return frozenset(name for key in self.keys for name in key.names)

    @functools.cached_property
    def _forms(self) -> dict[str, tuple[int, int]]:
        """For each canonical form of a name, the places of its key in the family and of the name in the key."""
        forms: dict[str, tuple[int, int]] = {}
        places = [(name, (index, place)) for index, key in enumerate(self.keys) for place, name in enumerate(key.names)]
        for name, place in places:
            forms.setdefault(canonical(name), place)
        for name, place in places:  # some programs write all names in lower case: eyeblinkl has no words
            forms.setdefault(canonical(name.lower()), place)
        return forms


def read(path: Path) -> Family:
    """Read the file of a family or of a saved mapping.

    Raises:
        UserError: The file cannot be read, or is not a mapping.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError
    except OSError as error:
        raise UserError(f'"{path}" is no mapping of shape keys: save it again, or remove the file') from error
    family = _read(path, found.st_mtime_ns, found.st_size)
    if isinstance(family, str):
        raise UserError(f'"{path}" is no mapping of shape keys: {family}')
    return family


@functools.lru_cache(200)  # panels ask at every redraw
def _read(path: Path, _changed: int, size: int) -> Family | str:
    """Read a file, or return what is wrong with it. Time of its last change and size are part of the cache's key."""
    if size > MAX_BYTES:
        return "it is too large"
    try:
        data = json.loads(path.read_text("utf-8"))
        keys = tuple(
            Key(
                tuple(map(str, key["names"])),
                tuple((str(channel), float(gain)) for channel, gain in key.get("channels", {}).items()),
                tuple(map(str, key.get("stands_for", ()))),
                tuple((str(channel), float(value)) for channel, value in key.get("like", {}).items()),
            )
            for key in data["keys"]
        )
        family = Family(str(data["name"]), int(data["at_least"]), keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError):
        return "save it again, or remove the file"
    if not all(key.names for key in keys) or not all(
        math.isfinite(gain) for key in keys for _, gain in key.channels + key.like
    ):
        return "it has keys without names, or gains without a value"
    if not _is_acyclic({key.names[0]: key.stands_for for key in keys}):
        return "it has keys that stand for themselves, or for keys that it does not have"
    return family


def _is_acyclic(stands_for: dict[str, tuple[str, ...]]) -> bool:
    """Return whether every key stands for keys that there are, and none, by way of others, for itself."""
    try:
        list(graphlib.TopologicalSorter(stands_for).static_order())
    except graphlib.CycleError:
        return False
    return all(part in stands_for for parts in stands_for.values() for part in parts)


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
    return tuple(dict.fromkeys(key.names[0] for key in arkit.keys if key.names[0] in dict(key.channels)))


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


def recognise(
    names: Collection[str], families: Sequence[Family], empty: Collection[str] = frozenset()
) -> Mapping | None:
    """Recognise the family of a head's keys.

    Args:
        names: Names of the head's keys.
        families: Families in order of preference.
        empty: Those of the names whose keys have no shape. They show what the head's maker had in mind, but move
            nothing.

    Returns:
        The mapping of the family of which most keys with a shape are used; of equal ones, that by which most names
        are spelled, then the first. It has no rows of empty keys. None if the head has too few keys of each family.
    """
    best, best_rank = None, (0, 0)
    for family in families:
        if len(_keys(family.match(names))) < max(1, family.at_least):
            continue
        mapping = family.match(names, empty)
        used = _keys(mapping)
        rank = len(used), family.spelled_as_here(used)
        if rank > best_rank:
            best, best_rank = mapping, rank
    return best


def without_shape(
    names: Collection[str], families: Sequence[Family], mapping: Mapping, empty: Collection[str]
) -> tuple[Row, ...]:
    """Return the rows that a recognised mapping would have if keys without a shape had one.

    Args:
        names: Names of the head's keys.
        families: Families as for `recognise`.
        mapping: The mapping that was recognised.
        empty: Those of the names whose keys have no shape.
    """
    family = next((family for family in families if family.name == mapping.name), None)
    if family is None:
        return ()
    return tuple(row for row in family.match(names).rows if row.key in empty and row not in mapping.rows)


def unused(names: Collection[str], mapping: Mapping | None, empty: Collection[str] = frozenset()) -> tuple[str, ...]:
    """Return the keys of a head that have a shape, and that no channel moves.

    Args:
        names: Names of the head's keys.
        mapping: The mapping in use, if any.
        empty: Those of the names whose keys have no shape.
    """
    used = _keys(mapping) if mapping else set()
    return tuple(name for name in names if name not in used and name not in empty)


def gaps(mapping: Mapping) -> tuple[str, ...]:
    """Return the channels that no key of a mapping shows. Solved keys are taken to show the jaw and the mouth."""
    shown = {row.channel for row in mapping.rows}
    return tuple(
        channel
        for channel in channels()
        if channel not in shown and not (SOLVED in shown and channel.startswith(SOLVED_CHANNELS))
    )


def fillers(
    names: Collection[str], families: Sequence[Family], mapping: Mapping, empty: Collection[str] = frozenset()
) -> tuple[Row, ...]:
    """Return rows of other families that show channels which a mapping does not show.

    A key of another family is taken if all of its channels are gaps, so that nothing moves twice. Solved keys (visemes)
    are taken if one of SPOKEN is a gap that no other key fills. They are to be solved for the gaps alone.

    Args:
        names: Names of the head's keys.
        families: Families as for `recognise`.
        mapping: The mapping whose gaps are to be filled.
        empty: Those of the names whose keys have no shape.
    """
    left_out = set(names) - set(unused(names, mapping, empty))
    others = [
        other
        for family in families
        if family.name != mapping.name and len(_keys(other := family.match(names, left_out))) >= family.at_least
    ]
    others.sort(key=lambda other: -len(_keys(other)))
    filled: dict[str, list[Row]] = {}
    missing = set(gaps(mapping))
    for other in others:
        for key in other.direct:
            rows = [row for row in other.rows if row.key == key]
            if key not in filled and {row.channel for row in rows} <= missing:
                filled[key] = rows
        missing -= {row.channel for rows in filled.values() for row in rows}
    if missing & SPOKEN:
        solved = max((other.solved for other in others), key=len, default=())
        filled |= {key: [Row(key, SOLVED)] for key in solved if key not in filled}
    return tuple(row for rows in filled.values() for row in rows)


def _keys(mapping: Mapping) -> set[str]:
    """Return the keys of a mapping."""
    return {row.key for row in mapping.rows}
