"""Base of the operators that use the server: it runs a batch without blocking Blender, then writes the results."""

import time
import traceback
from typing import Any

import bpy

from ...client import causes
from ...client.jobs import State
from ...errors import UserError
from ...jobs import session
from ...jobs.batch import Batch, Item
from ...jobs.generate import Generation
from ...jobs.lines import apply_result, disabled_reason_apply
from ..blender_types import OperatorMixin, OperatorResult

TICK = 0.1  # seconds between two polls of the batch


class BatchModal(OperatorMixin):
    """Mixin for an operator that runs a batch.

    The operator defines `batch_items`. An operator with several items also defines `finish`, and an operator whose
    results are not written by `jobs.lines` defines `write`.
    """

    _timer: bpy.types.Timer
    _texts: list[str]  # result lines of the items that were written
    _unwritten: list[Item] | None  # items still to be written; None before writing starts

    def batch_items(self, context: bpy.types.Context) -> list[Item]:
        """Return the items of the batch.

        Raises:
            UserError: There is nothing to run.
        """
        raise NotImplementedError

    def finish(self, batch: Batch, texts: list[str]) -> OperatorResult:
        """Report the results of the batch.

        Args:
            batch: The batch, which has ended.
            texts: The result lines of the items that were written.

        Returns:
            What the operator returns to Blender.
        """
        (item,) = batch.items
        if item.state is State.FAILED:
            self.report_error(item.error)
            return {"CANCELLED"}
        text = "Cancelled: nothing was changed" if item.state is State.CANCELLED else texts[0]
        session.say(text, is_note=not texts)
        self.report({"INFO"}, text)
        return {"FINISHED"} if texts else {"CANCELLED"}

    def write(self, item: Item) -> str:
        """Write the result of one item and return its result line.

        Raises:
            UserError: The result cannot be written. Nothing was changed.
        """
        assert isinstance(item.work, Generation)
        return apply_result(item.work)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Start the batch and follow it with a timer, so that Blender stays responsive."""
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        try:
            return self._tick(context, event)
        except Exception:  # Blender ends the operator; without this, the panel would show its progress for ever
            self._stop_timer(context)
            session.drop(causes.unexpected(traceback.format_exc()))
            raise

    def _tick(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Handle an event: poll the batch, and write one result per timer event as soon as the batch has ended."""
        batch = session.batch
        if batch is None:  # it was dropped: another file was loaded, or the server was stopped
            self._stop_timer(context)
            return {"CANCELLED"}
        if self._unwritten is not None:  # one item is written per tick; no other event may come between
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
        batch.waits = self._waiting_reason(context, batch)
        if batch.waits:
            return {"PASS_THROUGH"}
        batch.waits = "Writing"
        if not self._write_next(batch):
            return {"RUNNING_MODAL"}
        self._stop_timer(context)
        return self._end()

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator: its window is closed, or another file is opened."""
        self._stop_timer(context)
        session.drop("The generation was cancelled because its window was closed")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Run the batch and wait for its end, for scripts and background mode."""
        if not self._start(context) or session.batch is None:
            return {"CANCELLED"}
        batch, printed = session.batch, None
        while not batch.ended:
            if bpy.app.background and batch.active is not printed and len(batch.items) > 1:
                printed = batch.active
                print(f"LSF: {batch.text}", flush=True)
            batch.poll()
            time.sleep(0.01)
        while not self._write_next(batch):
            pass
        return self._end()

    def _start(self, context: bpy.types.Context) -> bool:
        """Start the batch, and return whether there is one; if not, report why."""
        self._texts, self._unwritten = [], None
        try:
            batch = session.batch = Batch(self.batch_items(context))
        except UserError as error:
            self.report_error(str(error))
            return False
        batch.poll()
        session.say("")
        session.failures = []
        return True

    def _write_next(self, batch: Batch) -> bool:
        """Write one result; return whether it was the last one."""
        if self._unwritten is None:
            self._unwritten = batch.results
        if self._unwritten:
            item = self._unwritten.pop(0)
            try:
                self._texts.append(self.write(item))
            except UserError as error:
                item.fail(str(error))
            except Exception:  # a bug in one item must not lose the results of the others
                traceback.print_exc()
                item.fail(causes.unexpected(traceback.format_exc()))
        return not self._unwritten

    def _waiting_reason(self, context: bpy.types.Context, batch: Batch) -> str:
        """Mark the items whose heads the artist is editing, and return what writing waits for; "" for nothing."""
        for item in batch.results if self._unwritten is None else ():
            item.blocked = disabled_reason_apply(item.work) if item.work else ""
        if blocked := [item.blocked for item in batch.results if item.blocked]:
            return blocked[0]
        return "Waiting for the end of the running operation or render" if _is_data_in_use(context) else ""

    def _end(self) -> OperatorResult:
        """End the batch and report its results."""
        batch, session.batch = session.batch, None
        return self.finish(batch, self._texts) if batch else {"CANCELLED"}

    def report_error(self, sentence: str) -> None:
        """Show an error in the panel and in Blender's status bar."""
        sentence = sentence.rstrip(".") + "."
        session.say(sentence, is_error=True)
        self.report({"ERROR"}, sentence)  # in a script, this raises RuntimeError

    def _stop_timer(self, context: bpy.types.Context) -> None:
        """Remove the timer that `invoke` has added."""
        context.window_manager.event_timer_remove(self._timer)


def run_after_dialog(dialog: bpy.types.Operator, name: str, /, **properties: Any) -> OperatorResult:
    """Call an operator that runs a batch, when its dialog was confirmed: with progress; a script waits for its end.

    Args:
        dialog: The operator whose dialog it was. It shows the error, if there is one.
        name: Name of the operator in bpy.ops.lsf.
        **properties: Its properties.

    Returns:
        What the dialog's operator returns to Blender.
    """
    call = getattr(bpy.ops.lsf, name)  # type: ignore[attr-defined]  # registered at run time
    try:
        result = call("INVOKE_DEFAULT" if dialog.options.is_invoke else "EXEC_DEFAULT", **properties)
    except RuntimeError:  # its text has the place in the add-on's file, too
        dialog.report({"ERROR"}, session.message)
        return {"CANCELLED"}
    return {"CANCELLED"} if "CANCELLED" in result else {"FINISHED"}


def _is_data_in_use(context: bpy.types.Context) -> bool:
    """Return whether an operator of Blender itself runs, such as a drag of keys or a render.

    Such an operator holds pointers to data, which become invalid if F-curves are written meanwhile. Operators of
    add-ons do not count, as some of them run as long as Blender does.
    """
    return any(
        bpy.types.Operator.bl_rna_get_subclass_py(operator.bl_idname) is None
        for window in context.window_manager.windows
        for operator in window.modal_operators
    )
