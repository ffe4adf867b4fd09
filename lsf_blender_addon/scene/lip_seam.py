"""The seam of welded lips, where they would part, as the server has found it. No bpy."""

from dataclasses import dataclass

from ..client.wire import Header

Point = tuple[int, int, float]


@dataclass(frozen=True)
class Seam:
    """Where welded lips would part, from the right to the left corner of the mouth.

    Attributes:
        points: On the edge from the first to the second vertex, and how far along it; at a vertex, both are the same.
        vertex_count: Number of vertices of the mesh.
        jaw: Share of the jaw's motion that welded lips leave, 0 to 1.
    """

    points: tuple[Point, ...]
    vertex_count: int
    jaw: float


def from_header(header: Header, vertex_count: int) -> Seam | None:
    """The seam in the header of a result of `generate` or `prepare_face`, see docs/protocol.md.

    Args:
        header: The header.
        vertex_count: Number of vertices of the head, which come first in the request.

    Returns:
        None if the lips are cut, or are those of another object.
    """
    found = (header.get("report") or {}).get("welded_lips")
    if not found:
        return None
    points = tuple((int(first), int(second), float(share)) for first, second, share in found["seam"])
    if len(points) < 3 or any(end not in range(vertex_count) for point in points for end in point[:2]):
        return None
    return Seam(points, vertex_count, float(found["jaw"]))
