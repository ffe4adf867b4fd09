"""What went wrong with the speech engine, as sentences for the artist: the one place that maps causes to sentences.

The sentences are literal, so that they can be translated; exit codes, paths and other details go to *Copy Report*.
Errors that the server explains itself arrive with a sentence, see `of_reply`.
"""

from dataclasses import dataclass

from . import last_fault, wire
from .wire import Header

MAX_SENTENCE = 300  # characters of a sentence of the server; the longest of its own is shorter
MAX_REASON = 120  # characters of an error in brackets
LOG_LINES = 12  # last lines of the log that tell why a process has ended; older ones are about jobs
KILLED = -9  # exit code of a process that got SIGKILL
MAX_DETAILS = 4000  # characters of an error for Copy Report
INTERNAL = "internal"  # code of an error whose cause the server does not know

UNEXPECTED = (
    "Something unexpected went wrong: try again. If it happens again, press Copy Report and send us the report."
)
STOPPED = (
    "The speech engine stopped unexpectedly: try again. If it happens again, press Copy Report and send us the report."
)
DAMAGED = "The speech engine's answer is damaged: try again, or reinstall the add-on."
PRINTS = (
    "The Python of the speech engine prints text where the engine answers: press Install in the preferences, or choose "
    "another one there."
)
HUNG = "The speech engine hung and was ended: try again, with other programs closed."
SILENT = "The speech engine did not answer: try again, or press Install again in the add-on's preferences."
OTHER_VERSION = "The speech engine is of another version than the add-on: reinstall the add-on."
NO_PYTHON = "The Python of the speech engine is missing: press Install in the preferences, or choose another one there."
NO_START = (
    "The Python of the speech engine cannot be started: press Install in the preferences, or choose another one there."
)
NO_MEMORY = "The computer ran out of memory: close other programs, or use shorter audio."
ENDED_BY_SYSTEM = (
    "The system ended the speech engine, usually because memory ran out: close other programs, then try again."
)
DISK_FULL = "The disk is full: make room, then try again."
NO_TEMPORARY = "There is no room for temporary files: make room on the disk, then try again."
INCOMPLETE = "The add-on's files are incomplete: reinstall the add-on."
MISSING_PACKAGE = "This Python lacks packages of the speech engine: press Install in the add-on's preferences."
UNFIT_PACKAGES = "The packages do not fit each other: press Install again in the add-on's preferences."
NO_LIBRARY = "A Windows library is missing: install Microsoft's Visual C++ Redistributable first."


@dataclass(frozen=True)
class Cause:
    """A cause that the log tells.

    Attributes:
        words: Text in the last lines of the log.
        sentence: What the artist is told.
    """

    words: str
    sentence: str


# The first that is found counts.
CAUSES = (
    Cause("No module named 'server", INCOMPLETE),
    Cause("No module named server", INCOMPLETE),
    Cause("No module named ", MISSING_PACKAGE),
    Cause("ImportError: numpy.core.multiarray failed", UNFIT_PACKAGES),
    Cause("DLL load failed", NO_LIBRARY),
    Cause("No usable temporary directory", NO_TEMPORARY),
    Cause("MemoryError", NO_MEMORY),
    Cause("DefaultCPUAllocator", NO_MEMORY),
    Cause("Cannot allocate memory", NO_MEMORY),
    Cause("failed to map segment", NO_MEMORY),
    Cause("No space left on device", DISK_FULL),
)
EXIT_CODES = {wire.HUNG: HUNG}


def of_reply(header: Header) -> tuple[str, str]:
    """Return code and sentence of an `error` message of the server."""
    code, message = header.get("code"), header.get("message")
    if not isinstance(code, str) or not isinstance(message, str) or not message.strip() or code == INTERNAL:
        return INTERNAL, unexpected(f"The server's error {code!r}: {message!r}"[:MAX_DETAILS])
    return one_line(code), one_line(message)


def of_end(exit_code: int | None, log: str) -> str:
    """Return why a process has ended that this client has not ended.

    Args:
        exit_code: Its exit code; None if it is not known.
        log: The end of what it has logged.
    """
    if exit_code in EXIT_CODES:
        return EXIT_CODES[exit_code]
    last = "\n".join(log.splitlines()[-LOG_LINES:])
    for cause in CAUSES:
        if cause.words in last:
            return cause.sentence
    if exit_code == KILLED:
        return ENDED_BY_SYSTEM
    last_fault.note(STOPPED, f"exit code {exit_code}\n{log}")
    return STOPPED


def of_start(error: OSError) -> str:
    """Return why a process cannot be started."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NO_PYTHON
    last_fault.note(NO_START, str(error))
    return NO_START


def reason(error: Exception) -> str:
    """Return what an error of a file or a decoder says, for brackets in a sentence: short, without its number."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(text)[:MAX_REASON] or type(error).__name__


def unexpected(details: str) -> str:
    """Keep the details of an error whose cause is not known, and return what the artist is told."""
    last_fault.note(UNEXPECTED, details)
    return UNEXPECTED


def one_line(text: str) -> str:
    """Return a text on one line, without control characters, cut to MAX_SENTENCE characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 2 * MAX_SENTENCE])
    line = " ".join(printable.split())
    return line if len(line) <= MAX_SENTENCE else f"{line[: MAX_SENTENCE - 1]}…"
