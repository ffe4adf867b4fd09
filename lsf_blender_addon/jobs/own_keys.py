"""Judges the head's own shape keys by the channels of its fitted face, and says which are not used. No bpy."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..animation.key_plan import KeyPlan
from ..client.wire import Arrays
from ..prediction.lips import LEFT_EYE, RIGHT_EYE
from ..rigs import families
from ..rigs.drive import new_key_name
from ..rigs.mapping import SOLVED
from ..rigs.shape_check import NO_LIPS, WIDE, Fault, find_faults
from ..scene.snapshots import SKIN, Character, Rig
from .name_list import listed
from .result_check import GAPS, LIPS

SAME_PLACE = 1e-3  # of the distance of the eye corners: vertices at both sides of a cut are nearer to each other
LIPS_RADIUS = 0.4  # of the distance of the eye corners: the lips lie within it around their middle


def with_usable_keys(character: Character, channels: Sequence[str], arrays: Arrays) -> Character:
    """The character without those of its own keys whose shapes are none of their channels'.

    Args:
        character: The character as it was sent to the server.
        channels: Names of the K channels.
        arrays: Arrays of the answer to `generate` or `prepare_face`. Without a basis, no face was found, and the keys
            cannot be judged.
    """
    rig = character.rig
    if rig is None or not rig.mapping.direct or "basis" not in arrays:
        return character
    basis = arrays["basis"][:, :: rig.step]
    gains = rig.mapping.gains(channels)
    wanted = np.tensordot(np.linalg.pinv(gains).astype(np.float32), basis, 1)
    skin = np.arange(len(character.vertices)) < rig.head
    if "parts" in arrays:
        skin &= arrays["parts"] <= SKIN
    pairs, eye_distance = _lips_and_eyes(character, arrays) if rig.step == 1 else (NO_LIPS, 0.0)
    faults = find_faults(rig.direct_shapes, wanted, skin[:: rig.step], pairs, eye_distance)
    found = dict(zip(rig.mapping.direct, faults, strict=True))
    kept = (Fault.DOUBTFUL, Fault.WRONG) if rig.by_list else (Fault.DOUBTFUL,)
    doubtful = tuple(key for key, fault in found.items() if fault in kept)
    bad = {key: fault for key, fault in found.items() if fault not in (None, *kept)}
    left_out = tuple((row, fault) for row in rig.mapping.rows if (fault := bad.get(row.key)) is not None)
    rig = replace(
        rig,
        mapping=rig.mapping.restricted_to({row.key for row in rig.mapping.rows} - bad.keys()),
        direct_shapes=rig.direct_shapes[[key not in bad for key in rig.mapping.direct]],
        left_out=(*rig.left_out, *left_out),
        doubtful=doubtful,
    )
    return replace(character, rig=rig)


def lost_channels(rig: Rig) -> frozenset[str]:
    """Channels whose own keys are left out. Without solved keys (visemes) those are all of the mouth."""
    lost = {row.channel for row, _fault in rig.left_out}
    if SOLVED in lost:
        lost.update(channel for channel in families.channels() if channel.startswith(families.SOLVED_CHANNELS))
    return frozenset(lost)


def describe(rig: Rig, head: KeyPlan, iface: Callable[[str], str]) -> str:
    """Which of the head's own keys are not used, and what moves in their place; as the continuation of a sentence."""
    texts = {
        Fault.EMPTY: iface("; left out, as they have no shape: {names}"),
        Fault.WRONG: iface("; left out, as they move something else: {names}"),
        Fault.DRIVEN: iface("; left out, as drivers move them: {names}"),
    }
    text = ""
    for fault, sentence in texts.items():
        names = list(dict.fromkeys(row.key for row, found in rig.left_out if found is fault))
        if names:
            text += sentence.format(names=listed(names))
    lost = lost_channels(rig)
    new = (new_key_name(channel, rig.limits) for channel in families.channels() if channel in lost)
    instead = [*rig.stand_ins, *(name for name in new if name in head.shapes)]
    if rig.doubtful:
        text += iface("; these move something else than their channels: {names}").format(names=listed([*rig.doubtful]))
    if text and instead:
        text += iface("; in their place: {names}").format(names=listed(instead))
    return text


def _lips_and_eyes(character: Character, arrays: Arrays) -> tuple[NDArray[np.intp], float]:
    """Pairs of vertices (P, 2) of both lips, empty if they are not known, and the distance of the eye corners.

    Lips that were cut apart have pairs of vertices at one place. Keys that are older than the cut do not part them.
    """
    if not {"landmarks68", "landmark_vertices"} <= arrays.keys():
        return NO_LIPS, 0.0
    right, left = arrays["landmarks68"][[RIGHT_EYE, LEFT_EYE]]
    eye_distance = float(np.linalg.norm(left - right))
    ends = arrays["landmark_vertices"][[*GAPS[LIPS]]].astype(np.intp)
    vertices, basis = character.head.vertices, arrays["basis"]
    near = np.flatnonzero(np.linalg.norm(vertices - vertices[ends].mean(0), axis=1) < LIPS_RADIUS * eye_distance)
    cells = np.round(vertices[near] / (SAME_PLACE * eye_distance))
    _, place, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    order = near[np.argsort(place.ravel(), kind="stable")]
    firsts = np.cumsum(count)[count == 2] - 2
    pairs = np.stack([order[firsts], order[firsts + 1]], 1)
    apart = np.linalg.norm(basis[:, pairs[:, 0]] - basis[:, pairs[:, 1]], axis=2).max(0, initial=0.0)
    cut = pairs[apart > WIDE * eye_distance]
    return np.concatenate([ends[None], cut]), eye_distance
