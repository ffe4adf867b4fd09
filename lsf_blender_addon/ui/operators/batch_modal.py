"""What operators that let the server work share: follow a batch without blocking Blender, then write its results."""

import time
import traceback

import bpy

from ...client.jobs import State
from ...errors import UserError
from ...jobs import session
from ...jobs.batch import UNEXPECTED, Batch, Item
from ...jobs.lines import disabled_reason_write, write

TICK = 0.1  # seconds between two looks at the job


class BatchModal:
    """Mixin for an operator, which gives `items`; one with several gives `finish` too."""

    def items(self, context: bpy.types.Context) -> list[Item]:
        """The lines to generate. Raises UserError."""
        raise NotImplementedError

    def finish(self, batch: Batch, texts: list[str]) -> set[str]:
        """Tell what became of it; `texts` are the result lines of what was written."""
        (item,) = batch.items
        if item.state is State.FAILED:
            self.refuse(item.error)
            return {"CANCELLED"}
        text = "Cancelled: nothing was changed" if item.state is State.CANCELLED else texts[0]
        session.say(text)
        self.report({"INFO"}, text)
        return {"FINISHED"} if texts else {"CANCELLED"}

    def write(self, item: Item) -> str:
        """Write one result; its result line. Raises UserError before the first change."""
        return write(item.work)

    def invoke(self, context: bpy.types.Context, _event) -> set[str]:
        """From the panel: start, and watch from a timer."""
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            return self._tick(context, event)
        except Exception:  # Blender ends the operator then; the panel must not wait for ever
            self._stop_timer(context)
            session.drop(UNEXPECTED)
            raise

    def _tick(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        batch = session.batch
        if batch is None:  # another file was loaded, or the add-on is going
            self._stop_timer(context)
            return {"CANCELLED"}
        if self._unwritten is not None:  # in the middle of writing, a line a tick; nothing may come between
            if event.type != "TIMER":
                return {"RUNNING_MODAL"}
        elif event.type == "ESC" and event.value == "PRESS":
            batch.cancel()
            session.redraw()
            return {"RUNNING_MODAL"}
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        batch.poll()
        session.redraw()
        if not batch.ended:
            return {"PASS_THROUGH"}
        batch.waits = self.disabled_reason(context, batch)
        if batch.waits:
            return {"PASS_THROUGH"}
        batch.waits = "Writing"
        if not self._write_next(batch):
            return {"RUNNING_MODAL"}
        self._stop_timer(context)
        return self._end()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, or another file is opened."""
        self._stop_timer(context)
        session.drop("The generation was dropped with its window")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or in background mode: wait for the results."""
        if not self._start(context):
            return {"CANCELLED"}
        batch, told = session.batch, None
        while not batch.ended:
            if bpy.app.background and batch.active is not told and len(batch.items) > 1:
                told = batch.active
                print(f"LSF: {batch.text}", flush=True)
            batch.poll()
            time.sleep(0.01)
        while not self._write_next(batch):
            pass
        return self._end()

    def _start(self, context: bpy.types.Context) -> bool:
        self._texts: list[str] = []
        self._unwritten: list[Item] | None = None
        try:
            session.batch = Batch(self.items(context))
        except UserError as error:
            self.refuse(str(error))
            return False
        session.batch.poll()
        session.say("")
        session.failures = []
        return True

    def _write_next(self, batch: Batch) -> bool:
        """Write one result; whether it was the last."""
        if self._unwritten is None:
            self._unwritten = batch.results
        if self._unwritten:
            item = self._unwritten.pop(0)
            try:
                self._texts.append(self.write(item))
            except UserError as error:
                item.fail(str(error))
            except Exception:  # a bug on one line must not cost the others
                traceback.print_exc()
                item.fail(UNEXPECTED)
        return not self._unwritten

    def disabled_reason(self, context: bpy.types.Context, batch: Batch) -> str:
        """What the results, or the next of them, wait for; empty if they can be written."""
        for item in batch.results if self._unwritten is None else ():
            item.blocked = disabled_reason_write(item.work)
        if blocked := [item.blocked for item in batch.results if item.blocked]:
            return blocked[0]
        return "Waiting until you let go, or the render ends" if _is_blender_at_work(context) else ""

    def _end(self) -> set[str]:
        batch, session.batch = session.batch, None
        return self.finish(batch, self._texts)

    def refuse(self, sentence: str) -> None:
        sentence = sentence.rstrip(".") + "."
        session.say(sentence, is_error=True)
        self.report({"ERROR"}, sentence)  # in a script, this raises RuntimeError

    def _stop_timer(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)


def _is_blender_at_work(context: bpy.types.Context) -> bool:
    """Whether Blender itself holds on to data: keys that are dragged, a render. It would write into what is not there
    any more, were curves written meanwhile. Add-ons' operators do not count: some run as long as Blender does.
    """
    return any(
        bpy.types.Operator.bl_rna_get_subclass_py(operator.bl_idname) is None
        for window in context.window_manager.windows
        for operator in window.modal_operators
    )
