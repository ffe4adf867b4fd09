"""State that lives as long as the add-on is enabled: the client with its server, the running batch, the last message.

Kept outside Blender's data, so that undo and file loading do not touch it.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface

from ..client import model_folder
from ..client.causes import one_line
from ..client.jobs import Client
from ..client.model_folder import MAX_NAME, Stamp, model_label
from ..client.wire import Header
from ..errors import UserError
from . import environment
from .batch import Batch
from .kept_results import KeptResults, engine_stamp

PRELOAD_SECONDS = 0.5  # from the first drawing of a panel to the start of the server
TICK = 0.25  # seconds between two redraws while it loads

_client: Client | None = None
_refused: list[str] = []  # arguments of a server that was not started as its model cannot be used
_files: dict[str, Stamp] = {}  # of the model in the preferences, at the start of the server
batch: Batch | None = None
message = ""  # of the last run, for the panel
failed = False  # whether that message is an error
noted = False  # whether it is neither an error nor a result that is in the file
motion_error: Header = {}  # of the last line of a FLAME model, see docs/protocol.md
_status: str | None = None  # what the status bar shows
failures: list[tuple[str, str]] = []  # lines of the last Generate All: (strip, sentence)


def client() -> Client:
    """Return the client for the Python, the device and the model in the preferences.

    If these have changed, the server is stopped, and the new client starts another one with its first job. So it is if
    the files of the model were written again after the start of the server, as by training, and no job runs. Without
    its files a model goes on: the server has loaded it.

    Raises:
        UserError: The speech engine is not installed, or the model in the preferences cannot be used.
    """
    global _client, _refused, _files
    python, arguments = environment.server_python(), environment.server_arguments()
    if python is None:
        raise UserError(environment.NOT_INSTALLED)
    if _client is not None and (Path(_client.python) != python or _client.arguments != arguments):
        _client.stop()
        _client = None
    starts = _client is None or _client.server in {"stopped", "failed"}
    folder = environment.chosen_folder()
    files = model_folder.stamps(folder) if folder is not None else {}  # before the server reads them
    changed = files != _files and files.keys() >= _files.keys()
    if starts or (changed and _client is not None and not _client.is_busy):
        _refused = arguments
        environment.check_model()
        _refused, _files = [], files
        if _client is not None and not starts:
            _client.stop()
            _client = None
    if _client is None:
        _client = Client(python, environment.server_log(), arguments)
    return _client


def kept_results() -> KeptResults:
    """Where results of Generate All are kept, for the model and the speech engine that run now."""
    folder = environment.chosen_folder()
    files = model_folder.stamps(folder) if folder is not None else {}
    return KeptResults(environment.results_folder(), f"{folder} {sorted(map(str, files.items()))} {engine_stamp()}")


def running_client() -> Client | None:
    """Return the client if there is one, without starting it."""
    return _client


def device_in_use() -> tuple[str, str]:
    """Return the device on which the running server computes, and why it is not the preferred one.

    Both are empty if no server runs.
    """
    if _client is None or _client.server != "ready":
        return "", ""
    return _client.device, _client.device_note


@dataclass(frozen=True)
class ModelInUse:
    """The model of the running server, as the server describes it.

    Attributes:
        name: Name of its folder.
        is_shipped: Whether it is the one that comes with the add-on.
        moves_flame: Whether it moves the FLAME face, so that its motion is carried to the head's own channels.
        has_emotions: Whether it can show an emotion that the artist chooses.
        digest: Digest of its weights; "" until the server has read them.
    """

    name: str
    is_shipped: bool
    moves_flame: bool
    has_emotions: bool
    digest: str

    @property
    def label(self) -> str:
        """Its name and digest as they are kept with what it makes."""
        return model_label(self.name, self.digest)


def model_in_use() -> ModelInUse | None:
    """Return the model of the running server; None if none runs. Fast enough for a panel."""
    hello = _client.hello if _client is not None and _client.server in {"loading", "ready"} else {}
    models = hello.get("models")
    model = models[0] if isinstance(models, list) and models else None
    if not isinstance(model, dict):
        return None
    return ModelInUse(
        one_line(str(model.get("name")))[:MAX_NAME],
        model.get("shipped") is not False,
        model.get("motion_space") == "flame",
        model.get("emotions") is not False,
        one_line(str(_client.pong.get("model") or "")) if _client is not None else "",
    )


def loading() -> tuple[float, str]:
    """Return how far a server that is being started is, 0 to 1, and what it does; an empty text if none is."""
    if _client is None or _client.server not in {"starting", "loading"}:
        return 0.0, ""
    return _client.loaded, _client.notice


def preload_soon() -> None:
    """Start the server in a moment, unless one was started before. Panels call it when they are drawn.

    Loading the model takes seconds, in which the artist can look for the button. Nothing is started while a panel is
    drawn: Blender forbids much there. A server that has failed is started again by the next job, not from here.
    """
    if bpy.app.background or _client is not None or bpy.app.timers.is_registered(_preload):
        return
    if not _refused or _refused != environment.server_arguments():
        bpy.app.timers.register(_preload, first_interval=PRELOAD_SECONDS)


def _preload() -> None:
    """Start the server if it is installed; a function for bpy.app.timers."""
    if _client is not None or environment.installing():
        return
    with contextlib.suppress(UserError):  # the speech engine is not installed any more, or has no model
        client().start()
        bpy.app.timers.register(_show_loading, first_interval=TICK, persistent=True)


def show_model_soon() -> None:
    """Redraw the preferences when the folder of the model was looked at. They call it while they are drawn."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_show_model):
        bpy.app.timers.register(_show_model, first_interval=TICK)


def _show_model() -> float | None:
    """Redraw the preferences once the folder was looked at; a function for bpy.app.timers."""
    check = environment.model_check()
    if check is not None and check.running:
        return TICK
    redraw()
    return None


def _show_loading() -> float | None:
    """Redraw the panels until the server is loaded; a function for bpy.app.timers."""
    redraw()
    return TICK if _client is not None and _client.server in {"stopped", "starting", "loading"} else None


def say(text: str, is_error: bool = False, is_note: bool = False) -> None:
    """Set the result line of the panel.

    Args:
        text: A sentence for the artist; "" clears the line.
        is_error: Whether it is an error.
        is_note: Whether it tells neither an error nor a result that is in the file, such as "Cancelled".
    """
    global message, failed, noted
    message, failed, noted = text, is_error, is_note
    redraw()


def redraw() -> None:
    """Redraw the sidebars with the panels, and the preferences, and show the progress in the status bar."""
    _show_status()
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR", "PREFERENCES"}:
                for region in area.regions:
                    if region.type in {"UI", "WINDOW"} and (region.type == "UI") != (area.type == "PREFERENCES"):
                        region.tag_redraw()


def _show_status() -> None:
    """Show the progress in the status bar, or take it off."""
    global _status
    status = f"LSF  {batch.fraction:.0%}  {iface(batch.text)}  ({iface('Esc cancels')})" if batch else None
    if status != _status:
        for workspace in bpy.data.workspaces:
            workspace.status_text_set(status)
        _status = status


def drop(reason: str) -> None:
    """Cancel the running batch, if there is one, and say why.

    Args:
        reason: A sentence without its full stop.
    """
    global batch
    if batch is not None:
        batch.cancel()
        batch = None
        say(reason, is_error=True)


def stop() -> None:
    """End the server and forget everything."""
    global _client, _refused, _files
    _refused, _files = [], {}
    for timer in (_preload, _show_loading, _show_model):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    drop("The generation was dropped, as the server was stopped")
    if _client is not None:
        _client.stop()
    _client = None
