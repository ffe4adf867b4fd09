"""Takes: several predictions of one line, kept on its Action. One of them is its prediction, from which it plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import store

if TYPE_CHECKING:
    import bpy

PROPERTY = "lsf_takes"  # custom property on the Action: {"000": as prediction.store writes it, …}


def add(action: bpy.types.Action) -> None:
    """Keep the Action's prediction as a take, if it is none yet."""
    if store.PROPERTY in action and playing(action) is None:
        kept = [take.to_dict() for take in _takes(action)]
        action[PROPERTY] = {f"{i:03}": take for i, take in enumerate([*kept, action[store.PROPERTY].to_dict()])}


def count(action: bpy.types.Action) -> int:
    return len(_takes(action))


def playing(action: bpy.types.Action) -> int | None:
    """Which take the Action's prediction is; None if it is none of them."""
    curves = _curves(action.get(store.PROPERTY))
    return next((i for i, take in enumerate(_takes(action)) if _curves(take) == curves), None) if curves else None


def seed(action: bpy.types.Action, index: int) -> str:
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
    if PROPERTY in action:
        del action[PROPERTY]


def _takes(action: bpy.types.Action) -> list:
    kept = action.get(PROPERTY)
    return [kept[name] for name in sorted(kept.keys())] if hasattr(kept, "to_dict") else []


def _curves(kept) -> bytes:
    """What makes a take another one than others."""
    motion = kept.get("motion") if hasattr(kept, "to_dict") else None
    return bytes(motion["bytes"]) if hasattr(motion, "to_dict") and "bytes" in motion else b""
