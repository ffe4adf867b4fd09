"""Imports the protocol from `server`, which lies in the add-on's folder in the zip and beside it in the source tree."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.protocol import affect, emotions, phrases, wire
    from server.protocol.wire import Arrays, Header
else:
    try:
        from ..server.protocol import affect, emotions, phrases, wire
    except ImportError:
        from server.protocol import affect, emotions, phrases, wire
    Arrays, Header = wire.Arrays, wire.Header

# The folder to put on the server's PYTHONPATH, so that `python -m server` finds it.
SERVER_PARENT = Path(wire.__file__).resolve().parents[2]

EMOTIONS = emotions.EMOTIONS
PROTOCOL, Reader, WireError, write_message = wire.PROTOCOL, wire.Reader, wire.WireError, wire.write_message
MAX_OTHER_LINES, LINE_SECONDS, VOICE_SECONDS = wire.MAX_OTHER_LINES, wire.LINE_SECONDS, wire.VOICE_SECONDS
EYE_VARIANTS = wire.EYE_VARIANTS
HUNG = wire.HUNG

__all__ = [
    "EMOTIONS",
    "EYE_VARIANTS",
    "HUNG",
    "LINE_SECONDS",
    "MAX_OTHER_LINES",
    "PROTOCOL",
    "SERVER_PARENT",
    "VOICE_SECONDS",
    "Arrays",
    "Header",
    "Reader",
    "WireError",
    "affect",
    "phrases",
    "write_message",
]
