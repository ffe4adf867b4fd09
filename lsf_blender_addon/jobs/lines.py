"""One line on one head: from Blender's data to a Generation, and from its result to the file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface

from ..animation import (
    actions,
    bone_actions,
    head_motion,
    lines,
    lines_of_0_1,
    part_drivers,
    renames,
    rollback,
    shape_keys,
)
from ..client.wire import EYE_VARIANTS
from ..prediction import store
from ..scene import (
    character,
    drivers,
    emotion_control,
    expression_bank,
    expression_keys,
    meshes,
    strip_identity,
    strips,
    style_cards,
    voice,
)
from ..scene.access import find_item, key_animation, mesh_of
from ..scene.own_properties import face_of
from ..scene.selection import enabled_layers
from ..scene.snapshots import Character, Line
from . import hear_sounds, line_plan, session
from .apply_line import apply
from .generate import Generation
from .import_results import ImportedLine
from .kept_results import KeptResults
from .line_plan import LineState, Result
from .name_list import listed
from .server_job import ServerWork
from .sound_work import SoundWork

if TYPE_CHECKING:
    from ..ui.properties.settings import LSF_PG_settings


def start_generation(
    settings: "LSF_PG_settings",
    head: bpy.types.Object,
    parts: dict[bpy.types.Object, str],
    scene: bpy.types.Scene,
    strip: "bpy.types.SoundStrip",
    cast: Mapping[str, str] = MappingProxyType({}),
    whole: bool = False,
    kept: KeptResults | None = None,
    **overrides: Any,
) -> Generation:
    """Read what a request needs from the file, and send it.

    Args:
        settings: What the artist has chosen in the panel.
        head: The mesh object to animate.
        parts: The objects that go with it, and their kinds (see scene/parts.py).
        scene: The scene of the strip.
        strip: A sound strip.
        cast: Ids of the strips that are generated together, and the names of the heads that speak them.
        whole: Whether all of the line is generated, though Only Current Range is on.
        kept: Where the result is kept, and looked for first; None: nowhere.
        overrides: Settings of docs/protocol.md that replace those in the panel.

    Returns:
        The running job.

    Raises:
        UserError: Something is missing, or the head cannot take the line.
    """
    packed: dict[int, bytes] = {}
    strip_identity.ensure_id(scene, strip, lines.all_sources())
    line = strips.read_line(scene, strip, packed)
    renames.adopt(head)
    face = character.read(head, parts)
    _check(head)
    span = strips.current_range(scene) if settings.only_range and not whole else None
    if span:
        line_plan.check_span(_read_state(line, [head]), span)
    owner, heard = _scene_of(settings), (line.first_frame, line.frames, line.fps)
    bank = expression_keys.entries(owner, head)
    emotion, control = emotion_control.read(owner, *heard, line.t0, bank)
    expressions = expression_keys.digests(owner, bank, emotion_control.numbers_asked(owner, *heard))
    action = actions.existing(mesh_of(head))
    request = {
        **settings.take_request(settings.take),
        "layers": enabled_layers(settings, head),
        "eye_variants": EYE_VARIANTS,
        **hear_sounds.wanted(lines.find(action, line.id), settings.sounds.with_generate),
        **emotion,
        **style_cards.request(head),
        **overrides,
    }
    sources = lines.sources_of(action, head) if action else []
    others = voice.other_lines(line, voice.spoken_strips(head.name, sources, cast), packed)
    return Generation(session.client(), face, line, request, control, span, others, expressions, kept)


def read_line_of(
    head: bpy.types.Object, scene: bpy.types.Scene, strip: "bpy.types.SoundStrip"
) -> tuple[Line, Character]:
    """Read a line, and the head that speaks it with its listed parts.

    Args:
        head: The head.
        scene: The scene of the strip.
        strip: A sound strip.

    Raises:
        UserError: Something is missing, or the head cannot take the line.
    """
    strip_identity.ensure_id(scene, strip, lines.all_sources())
    line = strips.read_line(scene, strip, {})
    renames.adopt(head)
    face = character.read(head, character.listed_parts(head))
    _check(head)
    return line, face


def apply_result(generation: Generation | ImportedLine, as_take: bool = False, with_layers: bool = True) -> str:
    """Plan what the result changes, and write it.

    Args:
        generation: Its state is DONE.
        as_take: Whether the result, and the earlier one of the line, are kept as takes.
        with_layers: Whether the result's blinks, gaze and head motion are written too.

    Returns:
        The result line for the artist.

    Raises:
        UserError: The file has changed meanwhile, so that the result does not fit. Nothing was written.
    """
    objects, face = character.find_objects(generation.character)
    line = strips.relocated(generation.line)
    renames.adopt(objects[0])
    _check(objects[0])
    if lines_of_0_1.are_there(mesh_of(objects[0])):
        with rollback.of_head(objects[0]):
            lines_of_0_1.take_over(objects[0])
    state, result = _read_state(line, objects), generation.result(line.first_frame - generation.line.first_frame)
    with_layers = with_layers and not _keeps_layers(objects[0], state, result)
    error = result.header.get("motion_error")
    session.motion_error = error if isinstance(error, dict) else {}
    text = apply(line_plan.plan(face, result, state, with_layers, iface), as_take)
    return text + _missing_expressions(objects[0], generation.expressions)


def _missing_expressions(head: bpy.types.Object, expressions: str) -> str:
    """Which expressions the line asks for that its head does not have, as the continuation of a sentence."""
    missing = expression_bank.missing(expressions)
    if not missing:
        return ""
    text = iface("; {head} has no expression {names}: it shows the emotion of the audio there")
    return text.format(head=head.name, names=listed(missing))


def disabled_reason_apply(work: SoundWork | ServerWork | ImportedLine) -> str:
    """What the result waits for, because the artist is editing the head or a part of it; empty for nothing."""
    for member in work.character.members if work.character else ():
        obj = find_item(bpy.data.objects, member.object)
        if obj is None:
            continue
        if obj.mode != "OBJECT":
            return "Waiting for Object Mode"
        data = key_animation(obj.data) if isinstance(obj.data, bpy.types.Mesh) else None
        if data is not None and data.use_tweak_mode:
            return "Waiting until you leave the NLA's tweak mode"
    return ""


def _scene_of(settings: "LSF_PG_settings") -> bpy.types.Scene:
    """The scene that the settings belong to."""
    assert isinstance(settings.id_data, bpy.types.Scene)
    return settings.id_data


def _read_state(line: Line, objects: list[bpy.types.Object]) -> LineState:
    """Read what a plan for this line depends on; the head is the first of the objects."""
    head, *parts = objects
    mesh = mesh_of(head)
    action = actions.existing(mesh)
    record = lines.find(action, line.id)
    return LineState(
        line,
        shape_keys.read(head, drivers.driven_keys(mesh)),
        tuple(part_drivers.read(part) for part in parts),
        store.load(action, line.id) if action else None,
        lines.sliders(record, line.source.start),
        face_of(head).nod.object is not None,
        np.array(meshes.rest_matrix(head))[:3, :3],
    )


def _keeps_layers(head: bpy.types.Object, state: LineState, result: Result) -> bool:
    """Whether a result is the take that the line has already, of the same sound, and with the same layers.

    A take that was kept of several has the blinks, gaze and head motion of the first of them. They stay.
    """
    earlier, nod, action = state.earlier, face_of(head).nod, actions.existing(mesh_of(head))
    record = lines.find(action, state.line.id)
    if earlier is None or record is None or not lines.source_of(record).plays_same(state.line.source):
        return False
    is_in_place = record.first_frame == state.line.first_frame and head_motion.has_line(
        nod.object, nod.bone, record.uid
    )
    return (
        (earlier.seed, round(earlier.temperature, 4)) == (result.seed, round(result.temperature, 4))
        and bool(len(earlier.blinks)) == ("blinks" in result.arrays)
        and bool(len(earlier.gaze)) == ("gaze" in result.arrays)
        and ("head" not in result.arrays or is_in_place)
    )


def _check(head: bpy.types.Object) -> None:
    """Raise UserError if the head cannot take a line now."""
    actions.check(mesh_of(head))
    bone_actions.check(head)
    head_motion.check(face_of(head).nod.object, face_of(head).nod.bone)
