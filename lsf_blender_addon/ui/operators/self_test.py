"""Test the speech engine: from its start to the curves of a moving face."""

import time

import bpy
from bpy.app.translations import pgettext_iface as iface

from ...client.jobs import State
from ...errors import UserError
from ...jobs import self_test, session
from ..blender_types import OperatorResult
from ..translations import translated
from .poll import disabled_reason_engine, enabled_unless

TICK = 0.25  # seconds between two looks at its progress


class LSF_OT_self_test(bpy.types.Operator):
    """Animate one second of speech on the add-on's own head, and say whether the speech engine works.

    Nothing in the file is changed. You can work meanwhile.
    """

    bl_idname = "lsf.self_test"
    bl_label = "Self-Test"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return enabled_unless(cls, disabled_reason_engine())

    def execute(self, _context: bpy.types.Context) -> OperatorResult:
        try:
            test = self_test.start(session.client())
        except UserError as error:
            self.report({"ERROR"}, f"{error}.")
            return {"CANCELLED"}
        if not bpy.app.background:
            bpy.app.timers.register(watch, first_interval=TICK, persistent=True)
            return {"FINISHED"}
        while not test.poll().ended:
            time.sleep(TICK)
        works = test.state is State.DONE
        self.report({"INFO"} if works else {"ERROR"}, result_text(test))
        return {"FINISHED"} if works else {"CANCELLED"}


def result_text(test: self_test.SelfTest) -> str:
    """Return what a self-test has found, or its progress, in the user's language."""
    if test.state is State.DONE:
        text = (
            iface("Ready: the start of the speech engine and one second of speech took {seconds} s")
            if test.starts_server
            else iface("Ready: one second of speech took {seconds} s")
        )
        return text.format(seconds=f"{test.seconds:.1f}")
    if test.state is State.FAILED:
        return translated(test.error)
    if test.state is State.CANCELLED:
        return iface("The self-test was cancelled")
    return iface("Self-Test: {step}").format(step=iface(test.text))


def watch() -> float | None:
    """Look at the self-test and redraw the preferences until it has ended; a function for bpy.app.timers."""
    if self_test.test is not None:
        self_test.test.poll()
    session.redraw()
    return TICK if self_test.running() else None
