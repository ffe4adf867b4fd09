"""All panels are drawn on a layout that knows which properties, operators and icons exist."""

import functools
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.animation.chosen_line import chosen_line
from lsf_blender_addon.client import environments, model_folder, requirements
from lsf_blender_addon.client.environments import InstallationError
from lsf_blender_addon.client.jobs import State
from lsf_blender_addon.client.pip_install import Progress
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.jobs import environment, self_test, session
from lsf_blender_addon.jobs.batch import Batch, Item
from lsf_blender_addon.prediction import store
from lsf_blender_addon.scene import empty_keys, extension
from lsf_blender_addon.ui import preferences as preferences_module
from lsf_blender_addon.ui.panels import main, setup
from tests.lsf_blender_addon.fake_client import Client, use

README = Path(__file__).parents[4] / "README.md"
PREFERENCES = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))  # 0 in background mode
ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


class Layout:
    """Stands in for a UILayout; writes down what is drawn."""

    def __init__(self, drawn: list[str], context):
        self._drawn, self._context = drawn, context

    def _sub(self, **_options) -> "Layout":
        return Layout(self._drawn, self._context)

    row = column = split = box = _sub

    def separator(self, factor=1.0) -> None:
        pass

    def label(self, text="", icon="NONE", icon_value=0, translate=True) -> None:
        assert icon in ICONS, icon
        self._drawn.append(text)

    def progress(self, factor=0.0, text="") -> None:
        assert 0 <= factor <= 1
        self._drawn.append(text)

    def prop(self, data, name, text="", icon="NONE", **_options) -> None:
        assert name in data.bl_rna.properties and icon in ICONS, (data, name, icon)
        self._drawn.append(data.bl_rna.properties[name].name)

    def prop_search(self, data, name, search_data, search_name, icon="NONE") -> None:
        self.prop(data, name, icon=icon)
        assert search_name in search_data.bl_rna.properties

    def prop_menu_enum(self, data, name, text="") -> None:
        self.prop(data, name)

    def template_icon(self, icon_value, scale=1.0) -> None:
        assert scale >= 1

    def template_list(self, kind, _id, data, name, active_data, active_name, rows=5) -> None:
        assert active_name in active_data.bl_rna.properties
        list_class = getattr(bpy.types, kind)
        for index, item in enumerate(getattr(data, name)):
            list_class.draw_item(
                list_class, self._context, self._sub(), data, item, 0, active_data, active_name, index, 0
            )

    def operator(self, name, text=None, icon="NONE", **_options) -> SimpleNamespace:
        module, function = name.split(".")
        operator = getattr(getattr(bpy.ops, module), function).get_rna_type()
        assert icon in ICONS, icon
        self._drawn.append(operator.name if text is None else text)
        return SimpleNamespace()

    def operator_menu_enum(self, name, _property, text="", text_ctxt="", icon="NONE") -> None:
        self.operator(name, text, icon)


def draw(panels, width: int = 300) -> list[str]:
    """The texts of all panels in a sidebar of some pixels.

    In background mode Blender has no region, so the context is a copy with one.
    """
    context = SimpleNamespace(
        scene=bpy.context.scene,
        active_object=bpy.context.active_object,
        selected_objects=bpy.context.selected_objects,
        preferences=PREFERENCES,
        mode=bpy.context.mode,
        view_layer=bpy.context.view_layer,
        screen=SimpleNamespace(is_animation_playing=False),
        region=SimpleNamespace(width=width),
        area=SimpleNamespace(type="VIEW_3D"),
    )
    drawn: list[str] = []
    for panel in panels:
        if not hasattr(panel, "poll") or panel.poll(context):
            fake = SimpleNamespace(layout=Layout(drawn, context), bl_space_type=panel.bl_space_type)
            if issubclass(panel, main._MainPanel):
                fake._draw_status = functools.partial(panel._draw_status, fake)
            fake._draw_list = lambda layout, face, fake=fake, panel=panel: panel._draw_list(fake, layout, face)
            panel.draw(fake, context)
    return drawn


@pytest.fixture
def panels(addon, monkeypatch):
    monkeypatch.setattr(main, "_status_rows", {})
    return [cls for cls in addon.CLASSES if issubclass(cls, bpy.types.Panel)]


@pytest.fixture
def scene(addon, add_strip, clicks, monkeypatch):
    add_strip(clicks)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    use(addon, monkeypatch, Client())
    return bpy.context.scene


def test_an_empty_file(panels):
    drawn = draw(panels)
    assert {"Select a head first", "Generate"} <= set(drawn)


def test_a_generated_line_with_takes(panels, scene):
    scene.lsf.only_range = True
    assert "Frames 1 to 250" in draw(panels)
    scene.lsf.only_range = False
    scene.lsf.takes.count = 3
    bpy.ops.lsf.generate_takes()
    drawn = draw(panels)
    assert "Take 0: 1 of 3" in drawn and {"Take", "Variation", "Key Density", "Smoothing", "Blinks"} <= set(drawn)


@pytest.mark.parametrize(
    ("count", "text"),
    [(5, "Heard against 5 lines of this head"), (1, "Heard on its own: generate more lines"), (0, "")],
)
def test_how_many_lines_the_voice_was_heard_against(panels, scene, tmp_path, count, text):
    bpy.ops.lsf.generate()
    action, record = chosen_line(bpy.context)
    kept = store.load(action, record.uid)
    emotion = np.full((len(kept.motion), 2), 0.5, np.float32)
    store.store(action, record.uid, replace(kept, heard_lines=count, emotions=("angry", "happy"), emotion=emotion))
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    drawn = " ".join(draw(panels))
    assert "Detected Emotion" in drawn and text in drawn and ("Heard" in drawn) == bool(count)
    assert "25–120  Angry 50%" in drawn, "frames of the scene"


def test_own_keys_and_parts(panels, scene):
    head = bpy.context.object
    for name in ("Basis", "jawOpen", "mouthSmileLeft"):
        head.shape_key_add(name=name)
    bpy.ops.mesh.primitive_cube_add()
    part = bpy.context.object
    scene.lsf.head = head
    head.lsf.add_part(part)
    assert {"Edit as List", "Part", "Add Missing Keys"} <= set(draw(panels))
    bpy.ops.lsf.fill_mapping()
    assert "Shape Key" in draw(panels)
    head.lsf.own_keys = "IGNORE"
    draw(panels)


def test_own_keys_that_will_not_move_are_listed(panels, scene):
    head = bpy.context.object
    scene.lsf.head = head
    head.shape_key_add(name="Basis")
    for name in ("A", "I", "U", "E", "O", "Blink_L", "Blink_R", *(f"frown {number}" for number in range(8))):
        key = head.shape_key_add(name=name, from_mix=False)
        if name != "Blink_R":
            key.points[0].co.z += 0.1
    bpy.context.view_layer.update()
    drawn = " ".join(draw(panels))
    assert "Without a shape: Blink_R" in drawn
    assert "Not used: frown 0, frown 1, frown 2, frown 3, frown 4, frown 5 and 2 more" in drawn
    for key in head.data.shape_keys.key_blocks[1:]:
        key.points[0].co = head.data.shape_keys.reference_key.points[0].co
    empty_keys.forget(head.data)
    drawn = " ".join(draw(panels))
    assert "None of the 15 shape keys is recognised" in drawn and "Not used" not in drawn


def test_a_batch_at_work(panels, scene, addon):
    bpy.ops.lsf.list_lines()
    work = SimpleNamespace(fraction=0.5, text="Predicting", state=State.RUNNING)
    addon.session.batch = Batch([Item("line", lambda: work, state=State.RUNNING, work=work)])
    try:
        assert draw(panels).count("Predicting") >= 2
    finally:
        addon.session.batch = None


def test_the_gpu_did_not_work(panels, scene, addon, monkeypatch):
    monkeypatch.setattr(addon.session, "device_in_use", lambda: ("cpu", "The GPU does not work."))
    assert "The GPU does not work." in draw(panels)


def test_the_tab_installs_the_speech_engine(panels, scene, monkeypatch):
    assert not {"Install", "Speech Engine"} & set(draw(panels)), "it is there already"
    monkeypatch.delenv("LSF_SERVER_PYTHON")
    (panel,) = [panel for panel in panels if panel.__name__ == "LSF_PT_view3d"]
    drawn = draw([panel])
    assert {"Speech Engine", "Install", "More in the Preferences"} <= set(drawn)
    assert any(text.startswith("Downloads about") for text in drawn) and "Install the speech engine first." not in drawn
    if bpy.app.online_access:
        assert "Allow Online Access" not in drawn
    else:
        assert drawn.index("Allow Online Access") < drawn.index("Install")
    progress = Progress(0.5, "Unpacking", "", 700, 1300)
    installation = SimpleNamespace(progress=progress, failure=None, running=True, cancelled=False)
    monkeypatch.setattr(environment, "installation", installation)
    drawn = draw([panel])
    assert "Unpacking: 700 of about 1300 MB" in drawn and "Install" not in drawn
    monkeypatch.setattr(environment, "installation", None)


def test_the_tab_says_that_an_update_is_ready(panels, scene, addon, monkeypatch):
    monkeypatch.delenv("LSF_SERVER_PYTHON")
    monkeypatch.setattr(environment, "state_of", lambda folder: environments.State.OUTDATED)
    (panel,) = [panel for panel in panels if panel.__name__ == "LSF_PT_view3d"]
    drawn = draw([panel])
    assert "Update" in drawn and any(text.startswith("The add-on was updated") for text in drawn)
    monkeypatch.setenv("LSF_SERVER_PYTHON", "/another/python")
    assert "Update" not in draw([panel]), "the engine that is used is another one"


@pytest.mark.parametrize(
    ("row", "system", "build"),
    [
        ("| Linux, **CPU**", "linux", "CPU"),
        ("| Linux, **GPU (CUDA)**", "linux", "CUDA"),
        ("| Windows", "win32", "CPU"),
        ("| macOS", "darwin", "CPU"),
    ],
)
def test_the_sizes_in_the_readme_are_those_of_the_tab(row, system, build):
    size = requirements.LOCKED_SIZE + requirements.torch_builds(system)[build].size
    (line,) = [line for line in README.read_text("utf-8").splitlines() if line.strip().startswith(row)]
    assert line.endswith(f"| {setup.size_text(size.download)} | {setup.size_text(size.stored)} |")


def test_a_fresh_file_offers_speech_and_the_demo(panels, addon, add_strip, clicks):
    assert {"Add Speech…", "Demo Line"} <= set(draw(panels))
    add_strip(clicks)
    drawn = draw(panels)
    assert not {"Add Speech…", "Demo Line"} & set(drawn) and drawn.count("") >= 2, "the button beside the field"


def test_a_line_that_ends_after_the_scene(panels, scene):
    last = 25 + 4 * 24 - 1
    assert "Extend Scene to Line" not in draw(panels)
    scene.frame_end = 100
    drawn = " ".join(draw(panels))
    assert f"The line ends at frame {last}, the scene at 100" in drawn and "Extend Scene to Line" in drawn
    assert bpy.ops.lsf.extend_scene() == {"FINISHED"} and scene.frame_end == last
    assert not bpy.ops.lsf.extend_scene.poll() and "Extend Scene to Line" not in draw(panels)


def test_a_tick_only_for_results(panels, scene, addon, monkeypatch):
    drawn: list[tuple[str, str]] = []

    def wrapped(_layout, _context, text, icon) -> int:
        drawn.append((text, icon))
        return 1

    monkeypatch.setattr(main, "wrapped", wrapped)
    (panel,) = [panel for panel in panels if panel.__name__ == "LSF_PT_view3d"]
    addon.session.say("line: frames 1 to 20")
    draw([panel])
    addon.session.say("Cancelled: nothing was changed", is_note=True)
    draw([panel])
    addon.session.say("It failed.", is_error=True)
    draw([panel])
    assert drawn == [
        ("line: frames 1 to 20", "CHECKMARK"),
        ("Cancelled: nothing was changed", "INFO"),
        ("It failed.", "ERROR"),
    ]
    addon.session.say("")


def test_the_panel_does_not_jump_when_a_message_goes(panels, scene, addon):
    (panel,) = [panel for panel in panels if panel.__name__ == "LSF_PT_view3d"]
    blank = draw([panel])
    addon.session.say("line: frames 1 to 20; 800 keys, 5x fewer than frames; largest error 0.2 mm on the lips")
    shown = draw([panel])
    assert len(shown) == len(blank) + 2, "three lines of text"
    addon.session.say("")
    assert len(draw([panel])) == len(shown) and set(draw([panel])) == set(blank)
    addon.session.say("line: frames 1 to 20")
    assert len(draw([panel])) == len(blank)
    addon.session.say("")


def test_a_result_that_is_undone_has_no_tick(panels, scene, addon):
    for handlers in (bpy.app.handlers.undo_post, bpy.app.handlers.redo_post):
        addon.session.say("line: frames 1 to 20")
        assert addon._on_undo in handlers
        addon._on_undo(scene)  # Blender has no undo in background mode
        assert addon.session.message == "" and "line: frames 1 to 20" not in draw(panels)


def test_the_start_of_the_engine_is_shown(panels, scene, addon, monkeypatch):
    monkeypatch.setattr(addon.session, "loading", lambda: (0.4, "Loading the speech model"))
    assert "Loading the speech model" in draw(panels)


def test_the_preferences(addon, monkeypatch, tmp_path):
    assert extension.preferences() is None
    monkeypatch.setattr(addon.session, "device_in_use", lambda: ("mps", ""))

    def drawn() -> list[str]:
        texts: list[str] = []
        context = SimpleNamespace(preferences=PREFERENCES, region=SimpleNamespace(width=600))
        layout = Layout(texts, context)
        layout.prop = lambda _self, name, **_options: texts.append(name)
        preferences_module.LSF_preferences.draw(SimpleNamespace(layout=layout), context)
        return texts

    assert {"device", "wheels", "python", "The speech engine runs on: GPU (mps)"} <= set(drawn())
    progress = Progress(0.5, "Downloading", "torch", 120, 290)
    installation = SimpleNamespace(progress=progress, failure=None, running=True, cancelled=False)
    monkeypatch.setattr(environment, "installation", installation)
    assert {"Downloading: 120 of about 290 MB", "torch", "Installation Log"} <= set(drawn())
    installation.running, installation.failure = False, InstallationError("The disk is full.")
    assert {"The disk is full.", "Install", "Engine Log", "index", "Self-Test"} <= set(drawn())
    monkeypatch.setattr(environment, "installation", None)
    for state, button, said in (
        (environments.State.READY, "Install Again", "Install Text Encoder"),
        (environments.State.OUTDATED, "Update", "The add-on was updated: press Update"),
        (environments.State.UNFIT, "Update", "The add-on was updated, and its speech"),
    ):
        monkeypatch.setattr(environment, "state", lambda state=state: state)
        texts = drawn()
        assert button in texts and any(said in text for text in texts), (state, texts)


def draw_preferences() -> list[str]:
    """Draw the preferences that `extension.preferences` returns; return the texts and the names of the properties."""
    texts: list[str] = []
    context = SimpleNamespace(preferences=PREFERENCES, region=SimpleNamespace(width=10_000))
    layout = Layout(texts, context)
    layout.prop = lambda _self, name, **_options: texts.append(name)
    preferences_module.LSF_preferences.draw(SimpleNamespace(layout=layout), context)
    return texts


def wait_for(check) -> None:
    """Wait until a folder was looked at."""
    end = time.monotonic() + 60
    while check.running:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_drive_that_does_not_answer_blocks_no_drawing(addon, monkeypatch, tmp_path):
    """The preferences are drawn at each move of the mouse; the folder is looked at in a thread, now and then."""
    chosen = SimpleNamespace(python="", wheels="/wheels", device="cpu", build="CPU", model_folder=str(tmp_path))
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    answers, looks = threading.Event(), []

    def read(folder):
        looks.append(folder)
        assert threading.current_thread() is not threading.main_thread()
        assert answers.wait(60)
        return model_folder.Model(folder.name, True, False)

    monkeypatch.setattr(model_folder, "read", read)
    try:
        for _ in range(20):
            assert "Reading the model folder" in draw_preferences()
        check = environment.model_check()
        assert check.running
    finally:
        answers.set()
    wait_for(check)
    for _ in range(20):
        assert f"The model {tmp_path.name} is used" in draw_preferences()
    monkeypatch.setattr(model_folder, "LOOK_AGAIN_SECONDS", 600.0)
    draw_preferences()
    wait_for(check)
    count = len(looks)
    for _ in range(20):
        draw_preferences()
    assert len(looks) == count, "it was looked at a moment ago"
    chosen.model_folder = str(tmp_path / "another")
    assert "Reading the model folder" in draw_preferences(), "of another folder nothing is known"
    wait_for(environment.model_check())
    assert "The model another is used" in draw_preferences()


def test_the_preferences_say_what_is_wrong_with_a_model_and_offer_what_it_lacks(addon, monkeypatch, tmp_path):
    chosen = SimpleNamespace(python="", wheels="/wheels", device="cpu", build="CPU", model_folder=str(tmp_path))
    monkeypatch.setattr(extension, "preferences", lambda: chosen)
    monkeypatch.delenv("LSF_SERVER_PYTHON")

    monkeypatch.setattr(model_folder, "LOOK_AGAIN_SECONDS", -1.0)

    def drawn() -> list[str]:
        """What is drawn after a look that has begun after this call."""
        if (check := environment.model_check()) is not None:
            wait_for(check)
            check.found()
            wait_for(check)
        return draw_preferences()

    assert "model_folder" in drawn() and any("holds no model, as it has no config.json" in text for text in drawn())
    (tmp_path / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    config = '{"motion_space": "arkit", "emotion_bank": false, "motion_backbone": {"kind": "%s"}}'
    (tmp_path / "config.json").write_text(config % "whisper")
    assert f"The model {tmp_path.name} is used" in drawn()
    (tmp_path / "config.json").write_text(config % "hubert")
    python = environments.python_of(environment.environment_folder())
    monkeypatch.setattr(environment, "server_python", lambda: python)
    monkeypatch.setattr(environment, "state", lambda: environments.State.READY)
    texts = drawn()
    assert any("press Install Transformers in the preferences" in text for text in texts)
    assert "Install Transformers (25 MB)" in texts
    with pytest.raises(UserError, match="needs more packages: press Install Transformers"):
        environment.check_model()
    monkeypatch.setattr(environment, "server_python", lambda: tmp_path / "python")
    assert f"The model {tmp_path.name} is used" in drawn(), "what another Python has, only its server can tell"
    chosen.model_folder = ""
    assert not any("The model" in text for text in drawn())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.RUNNING, "Self-Test: Hearing the speech"),
        (State.DONE, "Ready: one second of speech took 1.3 s"),
        (State.FAILED, "The disk is full."),
    ],
)
def test_the_preferences_say_what_the_self_test_has_found(addon, monkeypatch, state, said):
    monkeypatch.setattr(
        self_test,
        "test",
        SimpleNamespace(
            state=state, fraction=0.5, text="Hearing the speech", error=said, seconds=1.3, starts_server=False
        ),
    )
    texts: list[str] = []
    context = SimpleNamespace(preferences=PREFERENCES, region=SimpleNamespace(width=600))
    preferences_module._draw_self_test(Layout(texts, context), context)
    assert texts == [said]


def test_the_buttons_that_mend_a_result_are_below_it(panels, scene):
    bpy.ops.lsf.generate()
    assert not {"Unpin", "Unmute", "Widen the Sliders"} & set(draw(panels))
    head = bpy.context.scene.lsf.head or bpy.context.object
    head.show_only_shape_key = head.data.shape_keys.key_blocks["jawOpen"].mute = True
    bpy.ops.lsf.generate()
    drawn = draw(panels)
    assert drawn.count("Unpin") == drawn.count("Unmute") == 2  # in both editors
    bpy.ops.lsf.check_character()
    drawn = draw(panels)
    assert drawn.count("Unpin") == 2 and "Hide the Check" not in drawn  # it is an X
    bpy.ops.lsf.unpin_key()
    drawn = draw(panels)
    assert "Unpin" not in drawn and drawn.count("Unmute") == 2


def test_the_button_that_enables_generate_is_below_its_reason(panels, scene):
    bpy.ops.lsf.generate()
    head = bpy.context.scene.lsf.head or bpy.context.object
    head.data.shape_keys.use_relative = False
    session.say("")
    drawn = draw(panels)
    assert drawn.count("Turn On Relative") == 2
    bpy.ops.lsf.use_relative_keys()
    assert "Turn On Relative" not in draw(panels)
