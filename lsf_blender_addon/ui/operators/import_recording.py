"""Put a Live Link Face recording on the head, without blocking Blender. Import opens the dialog for it."""

import bpy

from ... import compat
from ...jobs import import_recording
from ...jobs.batch import Item
from ...jobs.import_recording import Options, RecordingImport
from ...scene import character, heard_part
from ..head import require_head
from .batch_modal import BatchModal


class RecordingOptions:
    """Mixin with the properties of an import."""

    first_frame: bpy.props.IntProperty(name="Start Frame", description="Scene frame of the first row", default=1)
    rate: bpy.props.FloatProperty(
        name="Timecode Rate",
        description="Frames per second of the file's timecode, such as 59.94. 0 reads the rate from the timecode",
        default=0.0,
        min=0.0,
        soft_max=120.0,
    )
    every_frame: bpy.props.BoolProperty(
        name="Key on Every Frame",
        description="Insert a key on every frame. Otherwise keys without a visible effect are left out",
        default=False,
    )
    add_missing: bpy.props.BoolProperty(
        name="Add Missing Keys",
        description="Make shape keys for columns that no shape key of the head shows. Its own keys stay as they are",
        default=True,
    )
    head_rotation: bpy.props.BoolProperty(
        name="Head Rotation",
        description="Also turn the object or bone that is chosen as Head Motion under Eyes and Head. "
        "The median of the recorded rotation is its rest pose",
        default=False,
    )


class LSF_OT_import_recording(RecordingOptions, BatchModal, bpy.types.Operator):
    """Animate the head with a Live Link Face recording, as a line of its own."""

    bl_idname = "lsf.import_recording"
    bl_label = "Import Recording"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN"})

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        head = require_head(context)
        others, path, rate = character.find_parts(context, head), self.filepath, self.rate
        add_missing = self.add_missing
        scene = compat.sequencer_scene(context)
        self._head = head.name
        self._options = Options(
            path, scene.name, heard_part.scene_fps(scene), self.first_frame, self.every_frame, self.head_rotation
        )
        return [Item(head.name, lambda: import_recording.start(head, others, path, rate, add_missing))]

    def write(self, item: Item) -> str:
        assert isinstance(item.work, RecordingImport)
        return import_recording.write(item.work, self._head, self._options)
