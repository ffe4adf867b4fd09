"""Framing of messages between the add-on and the server: a fixed prefix, a JSON header, raw arrays.

    offset  size  field
    0       4     magic, the bytes "LSF1"
    4       4     length of the header in bytes, uint32 little-endian
    8       8     length of the payload in bytes, uint64 little-endian
    16      …     header: a JSON object in UTF-8
    …       …     payload: the arrays of header["arrays"], raw, little-endian, one after the other

`header["arrays"]` is a list of {"name": str, "dtype": "float32" | "int32", "shape": [int, …]}. docs/protocol.md has the
whole story. The only module that the add-on shares with the server: it needs the standard library and numpy.
"""

import json
import math
import struct
from typing import BinaryIO

import numpy as np

PROTOCOL = 1  # raised whenever a client of the old version would misunderstand the new one
MAGIC = b"LSF1"
PREFIX = struct.Struct("<4sIQ")
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 1 << 30
MAX_ARRAYS = 32
MAX_DIMENSIONS = 4
DTYPES = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
_CHUNK = 1 << 20

Arrays = dict[str, np.ndarray]


class WireError(Exception):
    """A frame that cannot be read or written. `code` is a word of docs/protocol.md, `header` the header if it was read.

    The stream stays usable unless the code is "truncated_frame", after which there is nothing more to read.
    """

    def __init__(self, code: str, message: str, header: dict | None = None):
        super().__init__(message)
        self.code = code
        self.header = header or {}


def write_message(stream: BinaryIO, header: dict, arrays: Arrays | None = None) -> None:
    """Write one message and flush. Floating arrays travel as float32, integer arrays as int32.

    Nothing is written if the message breaks a limit: WireError. Not thread-safe.
    """
    packed = {name: _packed(name, array) for name, array in (arrays or {}).items()}
    specs = [
        {"name": n, "dtype": "float32" if a.dtype.kind == "f" else "int32", "shape": a.shape} for n, a in packed.items()
    ]
    try:
        text = json.dumps({**header, "arrays": specs}, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise WireError("bad_header", f"The header cannot be written as JSON: {error}.") from error
    payload = sum(a.nbytes for a in packed.values())
    if len(text) > MAX_HEADER or payload > MAX_PAYLOAD:
        raise WireError("frame_too_large", f"A message of {payload >> 20} MiB is over the limit of 1 GiB.")
    stream.write(PREFIX.pack(MAGIC, len(text), payload))
    stream.write(text)
    stream.writelines(memoryview(array.reshape(-1)).cast("B") for array in packed.values())
    stream.flush()


class Reader:
    """Reads messages from a binary stream, and finds its way back after a bad prefix.

    A prefix that cannot be right (wrong magic, lengths over the limits) is reported once; the next `read` looks for
    the next believable prefix, byte by byte. Everything else that is wrong with a frame leaves the position known.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._held = b""  # bytes of a rejected prefix that are still to be searched for a magic
        self._lost = False

    def read(self) -> tuple[dict, Arrays]:
        """Return (header, arrays) of the next message; arrays are writable. EOFError at a clean end; WireError."""
        header_length, payload_length = self._prefix()
        try:
            header, specs = _parse_header(self._exactly(header_length))
        except WireError:
            self._skip(payload_length)
            raise
        if sum(size for *_, size in specs) != payload_length:
            self._skip(payload_length)
            raise WireError("bad_shape", "The shapes of the arrays do not add up to the payload.", header)
        payload = self._exactly(payload_length)
        arrays, offset = {}, 0
        for name, dtype, shape, size in specs:
            array = np.frombuffer(payload, dtype, size // dtype.itemsize, offset)
            arrays[name], offset = array.reshape(shape), offset + size
        return header, arrays

    def _prefix(self) -> tuple[int, int]:
        """Return the two lengths of the next believable prefix."""
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

    def _exactly(self, length: int) -> bytearray:
        # Grows with what really arrives: a wrong length must not allocate a gigabyte.
        data = bytearray()
        while len(data) < length:
            chunk = self._stream.read(min(_CHUNK, length - len(data)))
            if not chunk:
                raise WireError("truncated_frame", "The stream ended in the middle of a message.")
            data += chunk
        return data

    def _skip(self, length: int) -> None:
        while length:
            chunk = self._stream.read(min(_CHUNK, length))
            if not chunk:
                raise WireError("truncated_frame", "The stream ended in the middle of a message.")
            length -= len(chunk)


def _unpack(prefix: bytes) -> tuple[bytes, int, int]:
    if len(prefix) < PREFIX.size:
        raise WireError("truncated_frame", "The stream ended in the middle of a message.")
    return PREFIX.unpack(prefix)


def _packed(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind == "f":
        return array.astype("<f4", order="C", copy=False)
    if array.dtype.kind in "iub":
        packed = array.astype("<i4", order="C")
        if np.array_equal(packed, array):
            return packed
    raise WireError("bad_dtype", f'The array "{name}" fits neither float32 nor int32.')


def _parse_header(text: bytearray) -> tuple[dict, list[tuple[str, np.dtype, tuple[int, ...], int]]]:
    """Return the header and (name, dtype, shape, bytes) of each array."""
    try:
        header = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError("bad_header", "The header of a message is not valid JSON.") from error
    if not isinstance(header, dict):
        raise WireError("bad_header", "The header of a message is not a JSON object.")
    entries = header.get("arrays", [])
    if not isinstance(entries, list) or len(entries) > MAX_ARRAYS:
        raise WireError("bad_header", f'"arrays" of a header must be a list of at most {MAX_ARRAYS} entries.', header)
    specs, names = [], set()
    for entry in entries:
        entry = entry if isinstance(entry, dict) else {}
        name, dtype, shape = entry.get("name"), entry.get("dtype"), entry.get("shape")
        if not isinstance(name, str) or name in names:
            raise WireError("bad_header", "Every array of a header needs a name of its own.", header)
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise WireError("bad_dtype", f'The dtype of an array must be float32 or int32, not "{dtype}".', header)
        if (
            not isinstance(shape, list)
            or len(shape) > MAX_DIMENSIONS
            or any(type(n) is not int or not 0 <= n <= MAX_PAYLOAD for n in shape)
        ):
            raise WireError("bad_shape", f"The shape of an array must be up to {MAX_DIMENSIONS} whole numbers.", header)
        names.add(name)
        specs.append((name, DTYPES[dtype], tuple(shape), math.prod(shape) * DTYPES[dtype].itemsize))
    return header, specs


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
