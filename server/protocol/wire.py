"""Framing of messages between the add-on and the server: a fixed prefix, a JSON header, raw arrays.

    offset  size  field
    0       4     magic, the bytes "LSF1"
    4       4     length of the header in bytes, uint32 little-endian
    8       8     length of the payload in bytes, uint64 little-endian
    16      …     header: a JSON object in UTF-8
    …       …     payload: the arrays of header["arrays"], raw, little-endian, one after the other

`header["arrays"]` is a list of {"name": str, "dtype": "float32" | "int32", "shape": [int, …]}. See
docs/protocol.md. The add-on shares this module with the server, so it needs the standard library and numpy only.
"""

import json
import math
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PROTOCOL = 2  # increased whenever a client of the previous version would misunderstand the new one
MAGIC = b"LSF1"
PREFIX = struct.Struct("<4sIQ")  # magic, bytes of the header, bytes of the payload
MAX_HEADER = 1 << 20  # bytes
MAX_PAYLOAD = 1 << 30  # bytes
MAX_ARRAYS = 32
MAX_DIMENSIONS = 4
MAX_OTHER_LINES = 24  # that a `generate` request names; with one array for each, it has fewer than MAX_ARRAYS
EYE_VARIANTS = 8  # blinks and gazes that the add-on asks for, so that the artist can choose without the server
LINE_SECONDS, VOICE_SECONDS = 30.0, 120.0  # that are heard of each other line, and of all lines of a voice together
MAX_QUOTED = 40  # characters of a foreign value in a message
MAX_EMPTY = 1 << 18  # product of the other lengths of an array one of whose lengths is 0: it must not cost memory
# Exit codes of the server, apart from 0: the work hangs, the model cannot be loaded, the worker has failed.
HUNG, LOAD_FAILED, WORKER_FAILED = 75, 76, 77
DTYPES = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
_CHUNK = 1 << 20  # bytes read at a time

Header = dict[str, Any]  # a JSON object
Arrays = dict[str, NDArray[Any]]  # float32 or int32
_Spec = tuple[str, np.dtype[Any], tuple[int, ...], int]  # name, dtype, shape and bytes of an array


class WireError(Exception):
    """A frame that cannot be read or written.

    The stream stays usable unless the code is "truncated_frame", after which there is nothing more to read.

    Attributes:
        code: A word of docs/protocol.md.
        header: The header, empty if it was not read.
    """

    def __init__(self, code: str, message: str, header: Header | None = None):
        super().__init__(message)
        self.code = code
        self.header = header or {}


def write_message(stream: BinaryIO, header: Header, arrays: Arrays | None = None) -> None:
    """Write one message and flush. Not thread-safe.

    Args:
        stream: Where to write.
        header: The JSON object; "arrays" is added to it.
        arrays: Floating arrays are sent as float32, integer arrays as int32.

    Raises:
        WireError: The message breaks a limit ("frame_too_large", "bad_header", "bad_dtype"). Nothing is written then.
    """
    packed = {name: _packed(name, array) for name, array in (arrays or {}).items()}
    specs = [
        {"name": n, "dtype": "float32" if a.dtype.kind == "f" else "int32", "shape": a.shape} for n, a in packed.items()
    ]
    try:
        # Escaped to ASCII: a file name that is not valid Unicode has lone surrogates, which UTF-8 cannot encode.
        text = json.dumps({**header, "arrays": specs}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise WireError("bad_header", f"The header cannot be written as JSON: {error}.") from error
    payload = sum(a.nbytes for a in packed.values())
    if len(text) > MAX_HEADER or payload > MAX_PAYLOAD:
        raise WireError("frame_too_large", f"A message of {payload >> 20} MiB is over the limit of 1 GiB.")
    parts: list[bytes | memoryview] = [
        PREFIX.pack(MAGIC, len(text), payload) + text,
        *(a.reshape(-1).data.cast("B") for a in packed.values()),
    ]
    stream.writelines(parts)  # nothing above has written, so an error up to here leaves the stream as it was
    stream.flush()


def quoted(value: object) -> str:
    """Return the representation of a foreign value for a message, cut to MAX_QUOTED characters."""
    try:
        text = repr(value)
    except (RecursionError, MemoryError):
        text = type(value).__name__
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"


class Reader:
    """Reads messages from a binary stream, and resynchronises after a bad prefix.

    A prefix that cannot be right (wrong magic, lengths over the limits) is reported once. The next `read` searches for
    the next plausible prefix, byte by byte. After any other error the position of the next frame is known.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._held = b""  # bytes of a rejected prefix that have not been searched for a magic
        self._lost = False

    def read(self) -> tuple[Header, Arrays]:
        """Read the next message.

        Returns:
            The header and the arrays by name; they are writable.

        Raises:
            EOFError: The stream ended between two messages.
            WireError: The frame is damaged.
        """
        header_length, payload_length = self._prefix()
        try:
            header, specs = _parse_header(self._exactly(header_length))
        except WireError as error:
            if error.code != "truncated_frame":
                self._skip(payload_length)
            raise
        if sum(size for *_, size in specs) != payload_length:
            self._skip(payload_length)
            raise WireError("bad_shape", "The shapes of the arrays do not add up to the payload.", header)
        payload = self._exactly(payload_length, header)
        arrays: Arrays = {}
        offset = 0
        for name, dtype, shape, size in specs:
            array: NDArray[Any] = np.frombuffer(payload, dtype, size // dtype.itemsize, offset)
            arrays[name], offset = array.reshape(shape), offset + size
        return header, arrays

    def _prefix(self) -> tuple[int, int]:
        """Return the lengths of header and payload of the next plausible prefix."""
        first = self._held + self._stream.read(PREFIX.size - len(self._held))
        self._held = b""
        if not first or (self._lost and len(first) < PREFIX.size):
            raise EOFError
        while True:
            magic, header_length, payload_length = _unpack(first)
            if magic == MAGIC and header_length <= MAX_HEADER and payload_length <= MAX_PAYLOAD:
                self._lost = False
                return header_length, payload_length
            if not self._lost:
                self._lost, self._held = True, first[1:]
                if magic == MAGIC:
                    raise WireError("frame_too_large", "A message was over the limits: 1 MiB header, 1 GiB arrays.")
                raise WireError("bad_magic", 'A message did not start with "LSF1"; skipping to the next one that does.')
            byte = self._stream.read(1)
            if not byte:
                raise EOFError
            first = first[1:] + byte

    def _exactly(self, length: int, header: Header | None = None) -> bytearray:
        """Read `length` bytes. The buffer grows with what arrives: a wrong length must not allocate a gigabyte.

        If memory runs out, the rest of the bytes is dropped, so that the next message can be read; `header` is for the
        error.
        """
        data, received = bytearray(), 0
        try:
            while received < length:
                chunk = self._stream.read(min(_CHUNK, length - received))
                if not chunk:
                    raise WireError("truncated_frame", "The stream ended in the middle of a message.")
                received += len(chunk)
                data += chunk
        except MemoryError:
            data.clear()
            self._skip(length - received)
            message = "The computer ran out of memory: close other programs, or use shorter audio."
            raise WireError("out_of_memory", message, header) from None
        return data

    def _skip(self, length: int) -> None:
        """Read and drop `length` bytes."""
        while length:
            chunk = self._stream.read(min(_CHUNK, length))
            if not chunk:
                raise WireError("truncated_frame", "The stream ended in the middle of a message.")
            length -= len(chunk)


def _unpack(prefix: bytes) -> tuple[bytes, int, int]:
    """Return magic and lengths of a prefix."""
    if len(prefix) < PREFIX.size:
        raise WireError("truncated_frame", "The stream ended in the middle of a message.")
    magic, header_length, payload_length = PREFIX.unpack(prefix)
    return magic, header_length, payload_length


def _packed(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Convert an array to little-endian float32 or int32 in C order, without loss if it is of integers."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        return array.astype("<f4", order="C", copy=False)
    if array.dtype.kind in "iub":
        packed = array.astype("<i4", order="C")
        if np.array_equal(packed, array):
            return packed
    raise WireError("bad_dtype", f'The array "{name}" fits neither float32 nor int32.')


def _parse_header(text: bytearray) -> tuple[Header, list[_Spec]]:
    """Return the header and the name, dtype, shape and bytes of each array."""
    try:
        header = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError("bad_header", "The header of a message is not valid JSON.") from error
    if not isinstance(header, dict):
        raise WireError("bad_header", "The header of a message is not a JSON object.")
    entries = header.get("arrays", [])
    if not isinstance(entries, list) or len(entries) > MAX_ARRAYS:
        raise WireError("bad_header", f'"arrays" of a header must be a list of at most {MAX_ARRAYS} entries.', header)
    specs: list[_Spec] = []
    for entry in entries:
        spec = _parse_spec(entry, header)
        if spec[0] in {name for name, *_ in specs}:
            raise WireError("bad_header", "Every array of a header needs a name of its own.", header)
        specs.append(spec)
    return header, specs


def _parse_spec(entry: object, header: Header) -> _Spec:
    """Check one entry of "arrays"; `header` is for the error."""
    entry = entry if isinstance(entry, dict) else {}
    name, dtype, shape = entry.get("name"), entry.get("dtype"), entry.get("shape")
    if not isinstance(name, str):
        raise WireError("bad_header", "Every array of a header needs a name of its own.", header)
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError("bad_dtype", f"The dtype of an array must be float32 or int32, not {quoted(dtype)}.", header)
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMENSIONS
        or any(type(n) is not int or not 0 <= n <= MAX_PAYLOAD for n in shape)
    ):
        raise WireError("bad_shape", f"The shape of an array must be up to {MAX_DIMENSIONS} whole numbers.", header)
    item_bytes = DTYPES[dtype].itemsize
    if math.prod(shape) * item_bytes > MAX_PAYLOAD:
        raise WireError("bad_shape", "The shape of an array is over the limit of 1 GiB.", header)
    if 0 in shape and math.prod(n for n in shape if n) > MAX_EMPTY:  # such a length costs the sender nothing
        raise WireError("bad_shape", f"The lengths of an array without values are over the limit: {shape}.", header)
    return name, DTYPES[dtype], tuple(shape), math.prod(shape) * item_bytes


def _no_constant(name: str) -> float:
    """Refuse NaN and Infinity, which Python's JSON parser accepts."""
    raise ValueError(f"{name} is not a JSON number")
