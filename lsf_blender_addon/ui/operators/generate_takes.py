"""Generate several takes of one line."""

from functools import partial
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...animation import actions
from ...animation import lines as head_lines
from ...animation.chosen_line import ChosenLine
from ...errors import UserError
from ...jobs import line_plan, lines, session
from ...jobs.batch import Batch, Item
from ...jobs.generate import Generation
from ...prediction import takes
from ...scene import character, strip_identity, strips
from ...scene.access import active_scene, find_item, mesh_of
from ...scene.own_properties import number, settings_of
from ...scene.selection import enabled_layers
from ..blender_types import OperatorResult
from .batch_modal import BatchModal
from .generate import choose, disabled_reason
from .poll import enabled_unless


class LSF_OT_generate_takes(BatchModal, bpy.types.Operator):
    """Generate several takes of the line, numbered from Take on, to step through.

    Earlier takes stay in the list.
    """

    bl_idname = "lsf.generate_takes"
    bl_label = "Generate Takes"
    bl_options = {"UNDO"}

    _first: Generation | None  # the first take that was written
    _first_index: int  # its index among the takes of the line

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason(context))

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head, scene, strip = choose(context)
        others = {obj.name: kind for obj, kind in character.find_parts(context, head).items()}
        names = active_scene(context).name, head.name, others, scene.name, strip.name, strip_identity.strip_id(strip)
        settings, self._first, self._first_index = settings_of(active_scene(context)), None, 0
        settings.line = ""  # the panels show the line that is generated
        layers = enabled_layers(settings, head)
        # All takes of a line share the layers of the first one that is written; which one that is, is not known yet.
        requests = [
            {**settings.take_request(settings.take + i), "layers": layers}
            for i in range(int(number(settings.takes, "count")))
        ]
        return [Item(f"Take {request['seed']}", partial(_start, *names, request)) for request in requests]

    def write(self, item: Item) -> str:
        assert isinstance(item.work, Generation)
        text = lines.apply_result(item.work, as_take=True, with_layers=self._first is None)
        if self._first is None:
            self._first, line = item.work, _line(item.work)
            self._first_index = (takes.playing(line.action, line.uid) if line else None) or 0
        return text

    def finish(self, batch: Batch, texts: list[str]) -> OperatorResult:
        line = _line(self._first) if self._first else None
        if self._first is None or line is None:
            if batch.failed:
                self.report_error(batch.failed[0].error)
            else:
                session.say("Cancelled: nothing was changed", is_note=True)
                self.report({"INFO"}, session.message)
            return {"CANCELLED"}
        takes.play(line.action, line.uid, self._first_index)
        head_lines.refresh(*line)
        text = iface("{count} takes of {strip}, {seconds} s").format(
            count=len(texts), strip=line.record.name, seconds=round(batch.seconds, 1)
        )
        if (total := takes.count(line.action, line.uid)) > len(texts):
            text += iface("; {count} with the earlier ones").format(count=total)
        text += line_plan.of_model(batch.headers, iface)
        if batch.failed:
            text += iface("; {count} failed").format(count=len(batch.failed)) + f": {batch.failed[0].error}"
        session.say(text, is_error=bool(batch.failed))
        self.report({"WARNING"} if batch.failed else {"INFO"}, text)
        return {"FINISHED"}


def _start(
    settings: str, head: str, others: dict[str, str], scene: str, strip: str, known: str, overrides: dict[str, Any]
) -> Generation:
    """Start a take. It gets names, because undo may replace all data-blocks before its turn comes."""
    owner, sequencer = find_item(bpy.data.scenes, settings), find_item(bpy.data.scenes, scene)
    obj, objects = find_item(bpy.data.objects, head), [find_item(bpy.data.objects, name) for name in others]
    parts = {part: kind for part, kind in zip(objects, others.values(), strict=True) if part is not None}
    if owner is None or sequencer is None or obj is None or len(parts) < len(others):
        raise UserError("The head or its scene was deleted or renamed: press Generate Takes again")
    return lines.start_generation(
        settings_of(owner), obj, parts, sequencer, strips.find_strip(sequencer, strip, known), **overrides
    )


def _line(generation: Generation) -> ChosenLine | None:
    """Return the line that was generated; None if it, or its head, no longer exists."""
    head = find_item(bpy.data.objects, generation.character.head.object)
    action = actions.existing(mesh_of(head)) if head else None
    record = head_lines.find(action, generation.line.id)
    return ChosenLine(action, record) if action and record else None
