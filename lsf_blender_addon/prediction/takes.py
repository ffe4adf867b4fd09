"""Takes: several predictions of one line, kept on its Action, each with its rig drive. One of them plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import store

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_takes"  # custom property on the Action: {"000": as prediction.store writes it, …}


def add(action: bpy.types.Action) -> None:
    """Keep the Action's prediction as a take, if it is none yet."""
    if store.is_stored(action) and playing(action) is None:
        kept = [take.to_dict() for take in _takes(action)]
        action[PROPERTY] = {f"{i:03}": take for i, take in enumerate([*kept, action[store.PROPERTY].to_dict()])}


def count(action: bpy.types.Action) -> int:
    """How many takes are kept."""
    return len(_takes(action))


def playing(action: bpy.types.Action) -> int | None:
    """Index of the take that the Action's prediction is; None if it is none of them."""
    own = _fingerprint(action.get(store.PROPERTY))
    return next((i for i, take in enumerate(_takes(action)) if _fingerprint(take) == own), None) if own else None


def seed(action: bpy.types.Action, index: int) -> str:
    """The seed that a take was generated with."""
    return str(_takes(action)[index].get("seed", ""))


def play(action: bpy.types.Action, index: int) -> None:
    """Make a take the Action's prediction, at the frame where the line is now. The curves follow with a refresh."""
    now = action.get(store.PROPERTY)
    take = _takes(action)[index].to_dict()
    if hasattr(now, "to_dict") and "first_frame" in now:
        take["first_frame"] = now["first_frame"]
    action[store.PROPERTY] = take


def forget(action: bpy.types.Action) -> None:
    """Delete all takes but the one that plays, which is the Action's prediction."""
    if action.get(PROPERTY) is not None:
        del action[PROPERTY]


def _takes(action: bpy.types.Action) -> list[Any]:
    kept = action.get(PROPERTY)
    return [kept[name] for name in sorted(kept.keys())] if hasattr(kept, "to_dict") else []


def _fingerprint(kept: Any) -> tuple[bytes, ...]:
    """What tells a take from others: its motion, and how the rig follows it. Empty if it is damaged."""
    if not hasattr(kept, "to_dict"):
        return ()
    arrays, drive = [kept.get("motion")], kept.get("drive")
    if hasattr(drive, "to_dict"):
        arrays += [drive.get("matrix"), drive.get("residual")]
    whole = all(hasattr(array, "to_dict") and "bytes" in array for array in arrays)
    return tuple(bytes(array["bytes"]) for array in arrays) if whole else ()
