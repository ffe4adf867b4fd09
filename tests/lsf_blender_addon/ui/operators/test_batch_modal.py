"""When the results of a batch are written, and when they wait. tests/gui tests this in a real window."""

from types import SimpleNamespace

import bpy
import pytest

from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.jobs.batch import Batch, Item
from lsf_blender_addon.ui.operators.batch_modal import BatchModal

TIMER = SimpleNamespace(type="TIMER", value="NOTHING")
ESC = SimpleNamespace(type="ESC", value="PRESS")


class Work:
    """A line on the object of this name that is done, or never will be."""

    def __init__(self, name: str, state=State.DONE):
        self.name, self.state, self.fraction, self.text, self.error = name, state, 0.5, "Predicting", ""
        self.character = SimpleNamespace(members=[SimpleNamespace(object=name)])
        self.job = SimpleNamespace(arrays={})

    def poll(self) -> State:
        return self.state

    def cancel(self) -> None:
        self.state = State.CANCELLED


class Operator(BatchModal):
    """As Blender runs it: `written` are the names of what it wrote, `told` what became of the others."""

    def __init__(self, works: list[Work]):
        self._works, self._timer, self.written, self.told = works, None, [], None
        self.context = SimpleNamespace(
            window_manager=SimpleNamespace(
                windows=[SimpleNamespace(modal_operators=[]), SimpleNamespace(modal_operators=[])],
                event_timer_remove=lambda timer: None,
            )
        )
        self._start(self.context)

    def batch_items(self, _context) -> list[Item]:
        return [Item(work.name, lambda work=work: work) for work in self._works]

    def write(self, item: Item) -> str:
        self.written.append(item.name)
        return item.name

    def finish(self, batch: Batch, texts: list[str]) -> set[str]:
        self.told = [str(item.state) for item in batch.items]
        return {"FINISHED"} if texts else {"CANCELLED"}

    def runs(self, *operators: str) -> None:
        """Let these operators be at work in the second window."""
        self.context.window_manager.windows[1].modal_operators = [SimpleNamespace(bl_idname=name) for name in operators]

    def feel(self, *events) -> set[str]:
        for event in events:
            answer = self.modal(self.context, event)
        return answer


@pytest.fixture
def heads(addon):
    """Two objects, Anna and Ben."""
    for name in ("Anna", "Ben"):
        bpy.ops.mesh.primitive_cube_add()
        bpy.context.object.name = name
    return "Anna", "Ben"


def edit(name: str | None) -> None:
    if bpy.context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    if name:
        bpy.context.view_layer.objects.active = bpy.data.objects[name]
        bpy.ops.object.mode_set(mode="EDIT")


def test_results_are_written_at_the_end_one_per_timer_event(heads, addon):
    operator = Operator([Work(name) for name in heads])
    assert operator.feel(*[TIMER] * 2) == {"PASS_THROUGH"} and not operator.written
    assert operator.feel(TIMER) == {"RUNNING_MODAL"} and operator.written == ["Anna"]
    assert addon.session.batch.text == "Writing"
    assert operator.feel(ESC) == {"RUNNING_MODAL"}, "nothing comes between"
    assert operator.feel(TIMER) == {"FINISHED"} and operator.written == ["Anna", "Ben"]
    assert operator.told == ["done", "done"] and addon.session.batch is None


def test_esc_keeps_what_is_done_however_often_it_is_pressed(heads):
    operator = Operator([Work("Anna"), Work("Ben", State.RUNNING)])
    operator.feel(*[TIMER] * 3)
    assert operator.feel(ESC, ESC, ESC, TIMER) == {"FINISHED"}
    assert operator.written == ["Anna"] and operator.told == ["done", "cancelled"]


@pytest.mark.parametrize("busy", ["TRANSFORM_OT_translate", "RENDER_OT_render"])
def test_nothing_is_written_while_an_operator_of_blender_runs(heads, addon, busy):
    """A drag in the Graph Editor keeps the addresses of keys: were these replaced, it would write into other data."""
    operator = Operator([Work("Anna"), Work("Ben")])
    operator.runs(busy)
    assert operator.feel(*[TIMER] * 5) == {"PASS_THROUGH"} and not operator.written
    assert addon.session.batch.text == "Waiting for the end of the running operation or render"
    operator.feel(ESC)
    operator.runs()
    assert operator.feel(TIMER, TIMER) == {"FINISHED"} and operator.written == ["Anna", "Ben"]


def test_operators_of_other_add_ons_do_not_delay_writing(heads):
    operator = Operator([Work("Anna")])
    operator.runs("LSF_OT_edit_landmarks")
    assert operator.feel(TIMER) == {"FINISHED"} and operator.written == ["Anna"]


def test_a_head_in_edit_mode_delays_all_and_esc_cancels_only_its_own(heads, addon):
    operator = Operator([Work("Anna"), Work("Ben")])
    edit("Ben")
    assert operator.feel(*[TIMER] * 5) == {"PASS_THROUGH"} and not operator.written
    assert addon.session.batch.text == "Waiting for Object Mode"
    assert operator.feel(ESC, TIMER) == {"FINISHED"}
    assert operator.written == ["Anna"] and operator.told == ["done", "cancelled"]


def test_a_head_in_tweak_mode_delays_writing(heads, addon):
    anna = bpy.data.objects["Anna"]
    anna.shape_key_add(name="Basis")
    data = anna.data.shape_keys.animation_data_create()
    track = data.nla_tracks.new()
    track.strips.new("mine", 1, bpy.data.actions.new("mine"))
    track.select, data.nla_tracks.active, data.use_tweak_mode = True, track, True
    operator = Operator([Work("Anna"), Work("Ben")])
    assert operator.feel(*[TIMER] * 5) == {"PASS_THROUGH"} and not operator.written
    assert addon.session.batch.text == "Waiting until you leave the NLA's tweak mode"
    data.use_tweak_mode = False
    assert operator.feel(TIMER, TIMER) == {"FINISHED"} and operator.written == ["Anna", "Ben"]


def test_leaving_edit_mode_lets_all_be_written(heads):
    operator = Operator([Work("Anna"), Work("Ben")])
    edit("Ben")
    operator.feel(*[TIMER] * 5)
    edit(None)
    assert operator.feel(TIMER, TIMER) == {"FINISHED"} and operator.written == ["Anna", "Ben"]
