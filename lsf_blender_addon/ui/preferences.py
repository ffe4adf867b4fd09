"""The add-on's preferences: installation, Python, device and model of the speech engine."""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..client.jobs import State
from ..client.model_folder import ModelError
from ..client.requirements import TEXT_ENCODER_SIZE, TRANSCRIPTS_SIZE, TRANSFORMERS_SIZE
from ..jobs import environment, face_cache, health, self_test, session
from ..scene.extension import PACKAGE
from .blender_types import IconItems
from .operators import clear_cache
from .operators import self_test as self_test_operator
from .panels.setup import draw_setup, size_text
from .text import wrapped


def _absolute(preferences: "LSF_preferences", _context: bpy.types.Context) -> None:
    """Keep the folder as an absolute path."""
    folder = environment.absolute_folder(preferences.model_folder)
    if folder != preferences.model_folder:
        preferences.model_folder = folder


class LSF_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: bpy.props.StringProperty(
        name="Custom Python",
        subtype="FILE_PATH",
        description="Python interpreter that runs the speech engine. Leave empty to use the installed one",
    )
    wheels: bpy.props.StringProperty(
        name="Wheel Folder",
        subtype="DIR_PATH",
        description="Folder of Python wheels to install from, for a computer without network",
    )
    index: bpy.props.StringProperty(
        name="Package Index",
        description="Address of your studio's package index, which is used instead of PyPI. Several are separated by "
        "spaces. Leave empty to use pip's own configuration",
    )
    build: bpy.props.EnumProperty(
        name="Install for",
        description="Build of PyTorch to install. A change takes effect with the next installation",
        items=(  # the identifiers are those of client.requirements.TORCH_BUILDS
            ("CPU", "CPU", "PyTorch for the CPU. It is much smaller, and quick enough for speech"),
            ("CUDA", "GPU (CUDA)", "PyTorch for NVIDIA graphics cards. It runs on the CPU, too"),
        ),
        default="CPU",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="Processor that the speech engine uses. A change takes effect with the next generation",
        items=(  # the identifiers are those of the server's argument --device
            ("auto", "Automatic", "Use the GPU if the speech engine can, else the CPU"),
            ("cpu", "CPU", "Use the CPU"),
            ("gpu", "GPU", "Use the GPU: CUDA, or Metal on a Mac"),
        ),
        default="auto",
    )

    model_folder: bpy.props.StringProperty(
        name="Model Folder",
        subtype="DIR_PATH",
        description="Folder of another model, with config.json and model.safetensors, as training writes it. A change "
        "takes effect with the next generation. Leave empty to use the model that comes with the add-on",
        update=_absolute,
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        text, icon = _state(environment.server_python())
        if not environment.installing():
            wrapped(layout, context, text, icon)
        draw_setup(layout, context)
        if not environment.installing():
            row = layout.row()
            row.operator("lsf.self_test", icon="CHECKMARK")
            row.operator("lsf.open_log", text="Engine Log", icon="TEXT").log = "SERVER"
            row.operator("lsf.copy_report", icon="COPYDOWN")
            _draw_self_test(layout, context)
            layout.operator("lsf.clear_cache", icon="TRASH")
            if (clearing := face_cache.clearing) is not None:
                wrapped(layout, context, clear_cache.result_text(clearing), "ERROR" if clearing.failed else "INFO")
            if environment.state().usable and not environment.text_encoder_is_installed():
                text = iface("Install Text Encoder ({size})").format(size=size_text(TEXT_ENCODER_SIZE.download))
                layout.operator("lsf.install_text_encoder", text=text, icon="IMPORT", translate=False)
            if environment.state().usable and not environment.transcripts_are_installed():
                text = iface("Install Transcripts ({size})").format(size=size_text(TRANSCRIPTS_SIZE.download))
                layout.operator("lsf.install_transcripts", text=text, icon="IMPORT", translate=False)
        layout.prop(self, "device")
        layout.prop(self, "model_folder")
        _draw_model(layout, context)
        for text in [health.engine_state(), *_device_in_use()]:
            if text:
                wrapped(layout, context, text, "INFO")
        layout.prop(self, "index")
        layout.prop(self, "wheels")
        layout.prop(self, "python")


def _state(python: Path | None) -> tuple[str, IconItems]:
    """Return a text on the state of the speech engine, and an icon.

    Only the preferences call it, not the sidebar at each redraw: it takes seconds if a network drive is not available.
    """
    if python is None:
        return iface("The speech engine is not installed yet."), "INFO"
    if not python.is_file():
        return iface("Python not found, choose another one: {python}").format(python=python), "ERROR"
    return iface("Ready: {python}").format(python=python), "CHECKMARK"


def _draw_self_test(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the progress or the result of the last self-test, if there was one."""
    if (test := self_test.test) is None:
        return
    if not test.state.ended:
        layout.progress(factor=test.fraction, text=self_test_operator.result_text(test))
    else:
        icon: IconItems = "CHECKMARK" if test.state is State.DONE else "ERROR"
        wrapped(layout, context, self_test_operator.result_text(test), icon)


def _draw_model(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw whether the chosen model can be used, and the button that adds what it needs."""
    if (check := environment.model_check()) is None:
        return
    found = check.found()
    if check.running:
        session.show_model_soon()
    if found is None:
        wrapped(layout, context, iface("Reading the model folder"), "INFO")
        return
    if isinstance(found, ModelError):
        wrapped(layout, context, iface(found.sentence).format(**found.values), "ERROR")
        return
    if (lacking := environment.lacking(found)) is None:
        wrapped(layout, context, iface("The model {name} is used").format(name=found.name), "CHECKMARK")
        return
    wrapped(layout, context, iface(lacking.sentence).format(**lacking.values), "ERROR")
    if environment.state().usable and not environment.installing():
        text = iface("Install Transformers ({size})").format(size=size_text(TRANSFORMERS_SIZE.download))
        layout.operator("lsf.install_transformers", text=text, icon="IMPORT", translate=False)


def _device_in_use() -> list[str]:
    """Return texts on the device of the running server, and on why it is not the preferred one; [] without a server."""
    device, note = session.device_in_use()
    if not device:
        return []
    name = "CPU" if device == "cpu" else f"GPU ({device})"
    text = iface("The speech engine runs on: {device}").format(device=name)
    return [text, note] if note else [text]
