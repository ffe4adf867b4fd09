"""Takes: several predictions of one line, stored on its Action. One of them plays. No bpy at run time.

Takes that this version cannot read are kept in the file, but not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UserError
from . import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import bpy

PROPERTY = "lsf_takes"  # custom property on the Action: {uid of the line: {"000": as prediction.store writes it, …}}
EYES = ("blinks", "gaze")  # arrays of a prediction that all takes of a line share


def add(action: bpy.types.Action, uid: str) -> None:
    """Add the line's prediction to its takes, unless it is one of them. It replaces one of the same seed and model."""
    now = store.record_of(action, store.PROPERTY, uid)
    if not hasattr(now, "to_dict") or playing(action, uid) is not None:
        return
    kept = [take.to_dict() for take in _kept(action, uid)]
    same = [i for i, take in enumerate(kept) if _setting(take) == _setting(now)]
    if same:
        kept[same[0]] = now.to_dict()
    else:
        kept.append(now.to_dict())
    store.set_record(action, PROPERTY, uid, {f"{i:03}": take for i, take in enumerate(kept)})


def count(action: bpy.types.Action, uid: str) -> int:
    """Return the number of takes of a line."""
    return len(_takes(action, uid))


def playing(action: bpy.types.Action, uid: str) -> int | None:
    """Return the index of the take that equals the line's prediction; None if there is none."""
    own = _fingerprint(store.record_of(action, store.PROPERTY, uid))
    return next((i for i, take in enumerate(_takes(action, uid)) if _fingerprint(take) == own), None) if own else None


def seed(action: bpy.types.Action, uid: str, index: int) -> str:
    """Return the seed with which a take was generated."""
    return str(_takes(action, uid)[index].get("seed", ""))


def setting(action: bpy.types.Action, uid: str) -> tuple[int, float] | None:
    """Return seed and temperature with which a line's prediction was generated; None without a prediction."""
    kept = store.record_of(action, store.PROPERTY, uid)
    try:
        return int(kept["seed"]), float(kept["temperature"])
    except store.UNREADABLE:
        return None


def model(action: bpy.types.Action, uid: str) -> str:
    """Return which model made a line's prediction; "" if that is not known."""
    return store.model_of(store.record_of(action, store.PROPERTY, uid))


def play(action: bpy.types.Action, uid: str, index: int) -> None:
    """Make a take the line's prediction; the line keeps its blinks and gaze if it keeps its length.

    The caller writes the curves again.

    Raises:
        UserError: The take is damaged. The line is as it was before.
    """
    kept = _takes(action, uid)[index]
    if store.read(kept) is None:
        raise UserError("This take is damaged: generate the line again")
    take = kept.to_dict()
    now = store.record_of(action, store.PROPERTY, uid)
    if store.is_readable(now) and now["motion"]["shape"][0] == take["motion"]["shape"][0]:
        take |= {name: now[name].to_dict() for name in EYES if name in now.keys()}  # noqa: SIM118  # an ID property
    store.set_record(action, store.PROPERTY, uid, take)


def set_limits(action: bpy.types.Action, uid: str, limits: Mapping[str, tuple[float, float]]) -> None:
    """Set new limits of keys in all takes of a line; see store.set_limits."""
    for take in _takes(action, uid):
        store.set_limits(take, limits)


def forget(action: bpy.types.Action, uid: str) -> None:
    """Delete all takes of a line. Its prediction is kept."""
    store.set_record(action, PROPERTY, uid, None)


def _takes(action: bpy.types.Action, uid: str) -> list[Any]:
    """Return the records of the takes that can be read, ID properties as prediction.store writes them, in order."""
    return [take for take in _kept(action, uid) if store.is_readable(take)]


def _kept(action: bpy.types.Action, uid: str) -> list[Any]:
    """Return all records of takes, ID properties, in order."""
    kept = store.record_of(action, PROPERTY, uid)
    if not hasattr(kept, "to_dict"):
        return []
    return [take for name in sorted(kept.keys()) if hasattr(take := kept[name], "to_dict")]


def _setting(kept: Any) -> tuple[str, str, str]:
    """Return which take a record is, by the settings of its request and its model."""
    return str(kept.get("seed", "")), str(kept.get("temperature", 0.0)), store.model_of(kept)


def _fingerprint(kept: Any) -> tuple[bytes, ...]:
    """Return what distinguishes a take: its compressed motion and rig drive. Empty if the record cannot be read."""
    if not store.is_readable(kept):
        return ()
    arrays, drive = [kept["motion"]], kept.get("drive")
    if drive is not None:
        arrays += [drive["matrix"], drive["residual"]]
    return tuple(array["bytes"] for array in arrays)
