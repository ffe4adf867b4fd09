"""Listen: asks the server for the sounds of a line, which keeps its curves."""

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..animation import actions, line_sounds, lines, rollback
from ..animation.chosen_line import ChosenLine
from ..client.jobs import Client, Job
from ..client.wire import Arrays, Header
from ..errors import UserError
from ..prediction import sounds
from ..scene import strips
from ..scene.access import find_item, mesh_of
from ..scene.snapshots import Line
from . import line_list, session
from .sound_work import SoundWork

if TYPE_CHECKING:
    from ..ui.properties.lines import LSF_PG_line


class Hearing(SoundWork):
    """A `hear` job, see docs/protocol.md.

    Attributes:
        head: Name of the head.
        transcript: The words that are spoken, as far as they are known.

    Args:
        client: The connection to the server.
        head: Name of the head.
        line: The sound.
        transcript: The words that are spoken, as far as they are known.
    """

    def __init__(self, client: Client, head: str, line: Line, transcript: str) -> None:
        self.head, self.transcript = head, transcript
        super().__init__(client, line)

    def send(self, header: Header, arrays: Arrays, folder: str) -> Job:
        """Send the request; see `SoundWork.send`."""
        return self._client.submit("hear", {**header, "settings": {"transcript": self.transcript}}, arrays)

    def is_valid(self, job: Job) -> bool:
        """Whether there are sounds, and what they say is complete."""
        return "sounds" in job.header and sounds.is_valid(job.header, job.arrays)


def wanted(record: "LSF_PG_line | None", in_any_case: bool) -> Header:
    """The settings with which Generate asks for the sounds of a line: only if the artist works with them.

    Args:
        record: The line, if it was generated before.
        in_any_case: Whether the artist wants the sounds of lines that have none, too.
    """
    transcript = record.transcript.strip() if record else ""
    if in_any_case or transcript or (record is not None and len(record.sounds)):
        return {"sounds": True, "transcript": transcript}
    return {}


def start(head: bpy.types.Object, line: ChosenLine) -> Hearing:
    """Read what is needed from the file, and ask the server for the sounds of a line.

    Raises:
        UserError: The line has no sound.
    """
    status = line_list.status_of(head, line)
    if status is None:
        raise UserError("This line is a recording, in which nothing is heard: choose a line of speech")
    if status.strip is None or status.scene is None:
        raise UserError("The strip of this line is gone: add the sound again and press Generate")
    read = strips.read_line(status.scene, status.strip)
    return Hearing(session.client(), head.name, read, line.record.transcript.strip())


def apply(hearing: Hearing, uid: str) -> str:
    """Keep the sounds that were heard with their line.

    Args:
        hearing: Its state is DONE.
        uid: Id of the line.

    Returns:
        The result line for the artist.

    Raises:
        UserError: The head or the line is gone. Nothing was changed.
    """
    assert hearing.job is not None
    head = find_item(bpy.data.objects, hearing.head)
    action = actions.existing(mesh_of(head)) if head is not None else None
    record = lines.find(action, uid)
    heard = sounds.from_reply(hearing.job.header, hearing.job.arrays)
    if head is None or action is None or record is None or heard is None:
        raise UserError(f'The line "{hearing.line.strip}" was removed meanwhile: generate it again')
    with rollback.of_head(head):
        own = actions.ensure(mesh_of(head), head.name)
        record = lines.find(own, uid)
        assert record is not None  # a copy has the same lines
        line_sounds.put(record, heard, hearing.line.start, hearing.transcript)
        if lines.sliders(record).sounds:
            lines.refresh(own, record)
    text = iface("{name}: {count} sounds heard").format(name=hearing.line.strip, count=len(heard.symbols))
    return f"{text}; {iface(heard.note).rstrip('.')}" if heard.note else text
