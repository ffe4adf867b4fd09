"""Takes: several predictions of one line, stored on its Action. One of them plays. No bpy at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import store

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_takes"  # custom property on the Action: {"000": as prediction.store writes it, …}


def add(action: bpy.types.Action) -> None:
    """Add the Action's prediction to the takes, unless it is one of them."""
    if store.is_stored(action) and playing(action) is None:
        kept = [take.to_dict() for take in _takes(action)]
        action[PROPERTY] = {f"{i:03}": take for i, take in enumerate([*kept, action[store.PROPERTY].to_dict()])}


def count(action: bpy.types.Action) -> int:
    """Return the number of takes."""
    return len(_takes(action))


def playing(action: bpy.types.Action) -> int | None:
    """Return the index of the take that equals the Action's prediction; None if there is none."""
    own = _fingerprint(action.get(store.PROPERTY))
    return next((i for i, take in enumerate(_takes(action)) if _fingerprint(take) == own), None) if own else None


def seed(action: bpy.types.Action, index: int) -> str:
    """Return the seed with which a take was generated."""
    return str(_takes(action)[index].get("seed", ""))


def play(action: bpy.types.Action, index: int) -> None:
    """Make a take the Action's prediction, at the present frame of the line. The caller refreshes the curves."""
    now = action.get(store.PROPERTY)
    take = _takes(action)[index].to_dict()
    if hasattr(now, "to_dict") and "first_frame" in now:
        take["first_frame"] = now["first_frame"]
    action[store.PROPERTY] = take


def forget(action: bpy.types.Action) -> None:
    """Delete all takes. The Action's prediction is kept."""
    if action.get(PROPERTY) is not None:
        del action[PROPERTY]


def _takes(action: bpy.types.Action) -> list[Any]:
    """Return the records of the takes, ID properties as prediction.store writes them, in order."""
    kept = action.get(PROPERTY)
    return [kept[name] for name in sorted(kept.keys())] if hasattr(kept, "to_dict") else []


def _fingerprint(kept: Any) -> tuple[bytes, ...]:
    """Return what distinguishes a take: its compressed motion and rig drive. Empty if the record is damaged."""
    if not hasattr(kept, "to_dict"):
        return ()
    arrays, drive = [kept.get("motion")], kept.get("drive")
    if hasattr(drive, "to_dict"):
        arrays += [drive.get("matrix"), drive.get("residual")]
    whole = all(hasattr(array, "to_dict") and "bytes" in array for array in arrays)
    return tuple(bytes(array["bytes"]) for array in arrays) if whole else ()
