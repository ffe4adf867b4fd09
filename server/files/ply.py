"""Reads vertices and polygons of .ply files, text or binary."""

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..numerics import FloatArray
from .polygons import MAX_TRIANGLES, MAX_VERTICES, Polygons

MAX_HEADER = 1 << 20  # bytes; comments take the most of it
MAX_ROWS = {"vertex": MAX_VERTICES, "face": MAX_TRIANGLES}
BLOCK = 1 << 20  # bytes of a text that are converted at a time
MAX_NUMBERS = 150_000_000  # of a text: a mesh of the largest size with normals, colours and texture coordinates
TYPES = {  # numpy's and struct's, without the byte order
    "char": ("i1", "b"),
    "uchar": ("u1", "B"),
    "short": ("i2", "h"),
    "ushort": ("u2", "H"),
    "int": ("i4", "i"),
    "uint": ("u4", "I"),
    "float": ("f4", "f"),
    "double": ("f8", "d"),
    "int8": ("i1", "b"),
    "uint8": ("u1", "B"),
    "int16": ("i2", "h"),
    "uint16": ("u2", "H"),
    "int32": ("i4", "i"),
    "uint32": ("u4", "I"),
    "float32": ("f4", "f"),
    "float64": ("f8", "d"),
}
BYTE_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
CORNERS = ("vertex_indices", "vertex_index")  # both names are in use


class _Property(NamedTuple):
    """A property of an element: one number, or a list that begins with its length."""

    name: str
    type: str  # numpy's, with the byte order
    length: struct.Struct | None  # of a list; None: one number


class _Element(NamedTuple):
    """An element of a .ply file, for example "vertex"."""

    name: str
    rows: int
    properties: list[_Property]

    @property
    def least_bytes(self) -> int:
        """Bytes of all rows if all lists are empty."""
        return self.rows * sum(p.length.size if p.length else np.dtype(p.type).itemsize for p in self.properties)


def read(path: Path) -> tuple[FloatArray, Polygons]:
    """Read the vertices, in the order of the file, and the polygons.

    Args:
        path: The file.

    Returns:
        Vertices (V, 3) and polygons.

    Raises:
        LSFError: "bad_mesh".
        ValueError: The file is damaged; or IndexError, KeyError, OverflowError or struct.error.
    """
    with path.open("rb") as file:
        is_text, elements = _header(file)
        data = _numbers(file) if is_text else memoryview(file.read())
    vertices, polygons = None, None
    start = 0
    for element in elements:
        if start + element.least_bytes > len(data):
            raise LSFError("bad_mesh", f"The file ends before the last {element.name}.")
        if any(p.length for p in element.properties):
            lists, start = _read_lists(data, start, element)
            if element.name == "face":
                polygons = next(lists[name] for name in CORNERS if name in lists)
        else:
            columns = np.dtype([(p.name, p.type) for p in element.properties])
            if element.name == "vertex":
                table: NDArray[np.void] = np.frombuffer(data, columns, element.rows, start)
                vertices = np.stack([table[axis] for axis in "xyz"], 1)
            start += columns.itemsize * element.rows
        if vertices is not None and polygons is not None:
            return vertices, polygons
    raise LSFError("bad_mesh", "The file has no vertices, or no faces.")


def _header(file: BinaryIO) -> tuple[bool, list[_Element]]:
    """Read the header. Return whether the body is text, and the elements; all numbers of a text become float64."""
    if file.readline(MAX_HEADER).strip() != b"ply":
        raise LSFError("bad_mesh", 'The file does not start with "ply".')
    order, elements = "", list[_Element]()
    for line in _header_lines(file):
        match line.split():
            case ["format", layout, *_]:
                order = BYTE_ORDERS[layout]
            case ["element", name, rows]:
                elements.append(_Element(name, _row_count(name, int(rows)), []))
            case ["property", "list", length_type, value_type, name]:
                value, length = _types(order, value_type), _types(order, length_type)
                if np.dtype(length[0]).kind == "f" and order != "=":
                    raise LSFError("bad_mesh", f'The lengths of the lists "{name}" are no whole numbers.')
                elements[-1].properties.append(_Property(name, value[0], struct.Struct(length[1])))
                _row_count("face", elements[-1].rows)  # rows with lists are read one after the other
            case ["property", value_type, name]:
                elements[-1].properties.append(_Property(name, _types(order, value_type)[0], None))
    return order == "=", elements


def _header_lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of the header up to its end."""
    while (line := file.readline(MAX_HEADER)).strip() != b"end_header":
        if not line or file.tell() > MAX_HEADER:
            raise LSFError("bad_mesh", "The header of the file has no end.")
        yield line.decode("ascii", "replace")


def _types(order: str, name: str) -> tuple[str, str]:
    """Return the type of a number for numpy and for struct."""
    of_numpy, of_struct = TYPES[name]
    return ("=f8", "=d") if order == "=" else (order + of_numpy, order + of_struct)


def _row_count(name: str, rows: int) -> int:
    """Return the number of rows of an element. Raises LSFError if there are too many."""
    limit = MAX_ROWS.get(name, rows)
    if not 0 <= rows <= limit:
        raise LSFError("bad_mesh", f"The file has {rows} rows of an element: the limit is {limit}.")
    return rows


def _numbers(file: BinaryIO) -> memoryview:
    """Read the rest of a text as the bytes of float64 numbers."""
    numbers, rest = array("d"), b""
    while block := file.read(BLOCK):
        text = rest + block
        end = max(map(text.rfind, (b" ", b"\n", b"\t", b"\r"))) + 1
        text, rest = text[:end], text[end:]
        numbers.extend(map(float, text.split()))
        if len(numbers) > MAX_NUMBERS or len(rest) > BLOCK:
            raise LSFError("bad_mesh", f"The file has more than {MAX_NUMBERS} numbers.")
    numbers.extend(map(float, rest.split()))
    return memoryview(numbers).cast("B")


def _read_lists(data: memoryview, start: int, element: _Element) -> tuple[dict[str, Polygons], int]:
    """Read the rows of an element with lists, from the byte `start` on.

    Returns:
        The lists of each property, as polygons, and the byte at which the rows end.
    """
    values = {p.name: bytearray() for p in element.properties if p.length}
    sizes = {name: array("q") for name in values}
    plan = [(p.length, np.dtype(p.type).itemsize, values.get(p.name), sizes.get(p.name)) for p in element.properties]
    for _ in range(element.rows):
        for length, item_bytes, into, counts in plan:
            if length is None or into is None or counts is None:
                start += item_bytes
                continue
            (count,) = length.unpack_from(data, start)
            start += length.size
            end = start + int(count) * item_bytes
            if count != int(count) or not start <= end <= len(data):
                raise LSFError("bad_mesh", "The file has a list that does not end.")
            into += data[start:end]
            counts.append(int(count))
            start = end
    if start > len(data):
        raise LSFError("bad_mesh", f"The file ends before the last {element.name}.")
    types = {p.name: p.type for p in element.properties}
    return {
        name: Polygons(np.frombuffer(values[name], types[name]), np.frombuffer(sizes[name], np.int64))
        for name in values
    }, start
