"""State of the landmark editor: the landmarks, which of them the pointer hovers over or drags, and undo. No bpy.

The fit of the face uses the positions of the artist's own landmarks exactly. The other landmarks are shown where they
were found automatically, and the next fit finds them again.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...scene.landmarks import points
from ...scene.landmarks.surface import Surface, SurfacePoint

Floats = NDArray[np.floating]

PICK_RADIUS = 14.0  # pixels around the pointer within which a landmark is picked


class Editor:
    """The landmarks of one head while they are edited.

    Args:
        surface: The mesh on which the landmarks lie.
        found: Landmarks that were found automatically, by their iBUG-68 numbers, 0 to 67.
        own: Landmarks that the artist has set, by their numbers. The editor changes a copy, the attribute `own`.
    """

    def __init__(self, surface: Surface, found: dict[int, SurfacePoint], own: dict[int, SurfacePoint]) -> None:
        self.surface, self.found, self.own = surface, dict(found), dict(own)
        # If no face was found, the server needs only the four anchors to find it.
        self.anchors_only = len({*found, *own}) < points.COUNT
        self.hovered: int | None = None
        self.dragged: int | None = None
        self._history: list[dict[int, SurfacePoint]] = []

    @property
    def shown(self) -> list[int]:
        """Numbers of the landmarks that are drawn; anchors in the order in which they are placed."""
        known = points.ANCHORS if self.anchors_only else range(points.COUNT)
        return [point for point in known if point in self.own or point in self.found]

    @property
    def missing(self) -> int | None:
        """Number of the anchor that the next click on the surface places; None if all are placed."""
        return next(
            (p for p in points.ANCHORS if self.anchors_only and p not in self.own and p not in self.found), None
        )

    @property
    def changed(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._history)

    def position(self, point: int) -> Floats:
        """Return the position (3,) of a landmark that is shown, in world space."""
        return (self.own.get(point) or self.found[point]).position(self.surface.vertices)

    def positions(self) -> Floats:
        """Return the positions (68, 3) of all landmarks in world space; NaN for those that are not set."""
        where = np.full((points.COUNT, 3), np.nan)
        for point in {*self.found, *self.own}:
            where[point] = self.position(point)
        return where

    # The pointer

    def hover(self, pixels: Floats, pointer: tuple[float, float]) -> None:
        """Pick the shown landmark nearest to the pointer, if it is within PICK_RADIUS.

        Args:
            pixels: Positions (68, 2) of the landmarks in pixels; NaN for landmarks that are not visible.
            pointer: Position of the pointer in pixels.
        """
        shown = np.array(self.shown, int)
        gaps = np.linalg.norm(pixels[shown] - np.asarray(pointer, float), axis=1)
        gaps[np.isnan(gaps)] = np.inf
        self.hovered = int(shown[gaps.argmin()]) if len(shown) and gaps.min() <= PICK_RADIUS else None

    def press(self, origin: Floats, direction: Floats) -> None:
        """Start to drag the hovered landmark, or place the missing anchor where the ray hits the surface.

        Args:
            origin: Origin (3,) of the ray under the pointer, in world space.
            direction: Direction (3,) of the ray.
        """
        if self.hovered is not None:
            self._remember()
            self.dragged = self.hovered
        elif self.missing is not None and (place := self.surface.raycast(origin, direction)) is not None:
            self._remember()
            self.dragged = self.hovered = self.missing
            self.own[self.dragged] = place

    def drag(self, origin: Floats, direction: Floats) -> None:
        """Move the dragged landmark to where the ray hits the surface; it does not move if the ray misses.

        Args:
            origin: Origin (3,) of the ray under the pointer, in world space.
            direction: Direction (3,) of the ray.
        """
        if self.dragged is not None and (place := self.surface.raycast(origin, direction)) is not None:
            self.own[self.dragged] = place

    def release(self) -> None:
        """End a drag or another change. If nothing changed, there is nothing to undo."""
        self.dragged = None
        if self._history and self._history[-1] == self.own:  # a click without a move
            self._history.pop()

    # Keys

    def mirror(self) -> None:
        """Copy the artist's landmarks of one side of the face to the other side.

        They are copied from the side of the hovered landmark; if there is none, from the side with more of them.
        """
        rights = [p for p in self.own if p in points.RIGHT]
        lefts = [p for p in self.own if p in points.MIRROR and p not in points.RIGHT]
        from_right = self.hovered in points.RIGHT if self.hovered in points.MIRROR else len(rights) >= len(lefts)
        plane = mirror_plane(self.positions())
        source = rights if from_right else lefts
        if plane is None or not source:
            return
        normal, offset = plane
        self._remember()
        for point in source:
            where = self.position(point)
            mirrored = where - 2 * (where @ normal - offset) * normal
            self.own[points.MIRROR[point]] = self.surface.closest_point(mirrored)
        self.release()

    def reset(self, everything: bool = False) -> None:
        """Move the hovered landmark back to where it was found; with `everything`, all landmarks."""
        self._remember()
        for point in [p for p in self.own if everything or p == self.hovered]:
            self.own.pop(point)
        if self.hovered not in self.shown:
            self.hovered = None
        self.release()

    def toggle_anchors_only(self) -> None:
        """Switch between the four anchors and all landmarks."""
        self.anchors_only = not self.anchors_only
        if self.hovered not in self.shown:
            self.hovered = None

    def undo(self) -> None:
        """Undo the last change."""
        if self._history:
            self.own = self._history.pop()
            self.dragged = None

    def _remember(self) -> None:
        """Save the artist's landmarks for undo."""
        self._history.append(dict(self.own))


def mirror_plane(positions: Floats) -> tuple[Floats, float] | None:
    """Return the plane between the two halves of a face.

    Args:
        positions: Positions (68, 3) of the landmarks; NaN for those that are not set.

    Returns:
        Unit normal (3,) to the face's left, and distance from the origin along it; None if no landmark is set on both
        sides.
    """
    right = np.array(points.RIGHT)
    left = np.array([points.MIRROR[point] for point in points.RIGHT])
    known = np.isfinite(positions[right] + positions[left]).all(1)
    if not known.any():
        return None
    across = (positions[left] - positions[right])[known]
    normal = np.median(across / np.linalg.norm(across, axis=1).clip(1e-12)[:, None], axis=0)
    normal /= np.linalg.norm(normal).clip(1e-12)
    middle = (positions[left] + positions[right])[known] / 2
    return normal, float(np.median(middle @ normal))


def to_pixels(positions: Floats, matrix: ArrayLike, width: float, height: float) -> Floats:
    """Project positions into a view.

    Args:
        positions: Positions (N, 3) in world space.
        matrix: Perspective matrix (4, 4) of the view.
        width: Width of the region in pixels.
        height: Height of the region in pixels.

    Returns:
        Positions (N, 2) in pixels; NaN for those behind the viewer.
    """
    clip = np.column_stack([positions, np.ones(len(positions))]) @ np.asarray(matrix, float).T
    w = np.where(clip[:, 3] > 1e-9, clip[:, 3], np.nan)[:, None]
    return np.asarray((clip[:, :2] / w + 1) / 2 * (width, height))
