"""Errors that reach the artist: a stable code for programs, and one sentence for people."""

import errno
import logging
import os

log = logging.getLogger(__name__)

MAX_SENTENCE = 300  # characters of a message: several paths, numbers and advice fit
MAX_REASON = 120  # characters of an unexpected error in a message
MAX_PATH_SHOWN = 120  # characters of a path in a message
NO_MEMORY = "The computer ran out of memory: close other programs, or use shorter audio."
NO_MEMORY_WORDS = (  # of allocators, and of the loader of libraries, whose errors are ImportErrors
    "DefaultCPUAllocator", "not enough memory", "Unable to allocate", "Cannot allocate memory", "failed to map segment",
)  # fmt: skip


class LSFError(Exception):
    """An error that the user can resolve.

    Attributes:
        code: A stable word in snake_case; docs/protocol.md lists them all.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """Raised inside a job after its `cancelled()` callback returned true."""


def explain(error: BaseException) -> tuple[str, str]:
    """Describe an error to the artist, and log an unexpected one for developers. It never raises.

    Args:
        error: What a job or a command raised.

    Returns:
        The code and the sentence of an `error` message; the sentence is one line of at most MAX_SENTENCE characters.
    """
    if isinstance(error, LSFError):
        return error.code, shortened(_message(error), MAX_SENTENCE)
    log.error("Unexpected error", exc_info=error)
    code, sentence = _known_cause(error) or ("internal", _unexpected(error))
    return code, shortened(sentence, MAX_SENTENCE)


def shortened(text: str, length: int) -> str:
    """Return a text on one line, without control characters, cut to this number of characters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 2 * length]).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _known_cause(error: BaseException) -> tuple[str, str] | None:
    """Code and sentence of an error whose cause is known."""
    message = _message(error)
    if type(error).__name__ == "OutOfMemoryError":  # of torch, which is not imported here
        return "out_of_memory", "The GPU ran out of memory: close other programs, or set the device to CPU."
    if isinstance(error, MemoryError) or any(words in message for words in NO_MEMORY_WORDS):
        return "out_of_memory", NO_MEMORY
    if isinstance(error, ImportError):
        return _missing_package(error, message)
    if isinstance(error, OSError):
        return _system_error(error, message)
    return None


def _missing_package(error: ImportError, message: str) -> tuple[str, str]:
    """Code and sentence of a package that is missing or cannot be loaded."""
    if isinstance(error.name, str) and error.name.split(".")[0] == "server":
        return "missing_package", "The add-on's files are incomplete: reinstall the add-on."
    if "DLL load failed" in message:
        return "missing_package", (
            "A Windows library is missing: install Microsoft's Visual C++ Redistributable, then press Install in the "
            "add-on's preferences."
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return "missing_package", (
            f'The Python package "{shortened(error.name, MAX_REASON)}" is missing: press Install in the add-on\'s '
            "preferences, or choose a Python that has the packages."
        )
    package = f' "{shortened(error.name, MAX_REASON)}"' if isinstance(error.name, str) else ""
    return "missing_package", f"A Python package{package} is damaged: press Install in the add-on's preferences."


def _system_error(error: OSError, message: str) -> tuple[str, str]:
    """Code and sentence of an error of the operating system."""
    if "No usable temporary directory" in message:  # of the module tempfile; its errno says "no such file"
        return "disk_full", "There is no room for temporary files: make room on the disk, then try again."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full", "The disk is full: make room, then try again."
    if error.errno == errno.ENOMEM:
        return "out_of_memory", NO_MEMORY
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "file_error", "Too many files are open on this computer: close other programs, then try again."
    path = _path(error.filename)
    if not path:
        return "file_error", f"A file cannot be read or written ({_reason(error)})."
    name = shortened(path, MAX_PATH_SHOWN)
    if isinstance(error, FileNotFoundError):
        return "no_file", f'There is no file or folder "{name}".'
    if isinstance(error, PermissionError):
        return "file_error", f'"{name}" may not be read or written: change its permissions, or choose another place.'
    return "file_error", f'"{name}" cannot be read or written ({_reason(error)}).'


def _reason(error: OSError) -> str:
    """What the operating system says, without its number."""
    return shortened(str(error.strerror), MAX_REASON) if error.strerror else "unknown reason"


def _path(name: object) -> str:
    """The path in an error of the operating system; empty if it has none."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return str(name) if isinstance(name, str | os.PathLike) else ""


def _unexpected(error: BaseException) -> str:
    """A sentence about an error whose cause is not known."""
    lines = _message(error).strip().splitlines()
    reason = f"{type(error).__name__}: {shortened(lines[0], MAX_REASON)}" if lines else type(error).__name__
    return f"Something unexpected went wrong ({reason}): report it with the log."


def _message(error: BaseException) -> str:
    """The text of an error; empty if it has none, or if making it fails."""
    try:
        return str(error)
    except Exception:
        return ""
