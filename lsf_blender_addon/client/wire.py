"""Imports the protocol from `server`, which lies in the add-on's folder in the zip and beside it in the source tree."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.protocol import affect, emotions, expressions, phrases, style_cards, wire
    from server.protocol.expressions import Expression, ExpressionError
    from server.protocol.style_cards import StyleCard, StyleError
    from server.protocol.wire import Arrays, Header
else:
    try:
        from ..server.protocol import affect, emotions, expressions, phrases, style_cards, wire
    except ImportError:
        from server.protocol import affect, emotions, expressions, phrases, style_cards, wire
    Arrays, Header = wire.Arrays, wire.Header
    Expression, ExpressionError = expressions.Expression, expressions.ExpressionError
    StyleCard, StyleError = style_cards.StyleCard, style_cards.StyleError

# The folder to put on the server's PYTHONPATH, so that `python -m server` finds it.
SERVER_PARENT = Path(wire.__file__).resolve().parents[2]

EMOTIONS = emotions.EMOTIONS
MAX_ENTRIES, MAX_NAME = expressions.MAX_ENTRIES, expressions.MAX_NAME
name_fault, read_expressions, expressions_text = expressions.name_fault, expressions.read_file, expressions.file_text
PROTOCOL, Reader, WireError, write_message = wire.PROTOCOL, wire.Reader, wire.WireError, wire.write_message
MAX_OTHER_LINES, LINE_SECONDS, VOICE_SECONDS = wire.MAX_OTHER_LINES, wire.LINE_SECONDS, wire.VOICE_SECONDS
EYE_VARIANTS = wire.EYE_VARIANTS
STYLE_FAMILIES, MAX_STYLES = style_cards.FAMILIES, style_cards.MAX_STYLES
STYLE_AMOUNT, MAX_STYLE_AMOUNT = style_cards.DEFAULT_AMOUNT, style_cards.MAX_AMOUNT
HUNG = wire.HUNG

__all__ = [
    "EMOTIONS",
    "EYE_VARIANTS",
    "HUNG",
    "LINE_SECONDS",
    "MAX_ENTRIES",
    "MAX_NAME",
    "MAX_OTHER_LINES",
    "MAX_STYLES",
    "MAX_STYLE_AMOUNT",
    "PROTOCOL",
    "SERVER_PARENT",
    "STYLE_AMOUNT",
    "STYLE_FAMILIES",
    "VOICE_SECONDS",
    "Arrays",
    "Expression",
    "ExpressionError",
    "Header",
    "Reader",
    "StyleCard",
    "StyleError",
    "WireError",
    "affect",
    "expressions_text",
    "name_fault",
    "phrases",
    "read_expressions",
    "write_message",
]
