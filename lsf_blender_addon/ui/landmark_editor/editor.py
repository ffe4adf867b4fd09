"""Correcting landmarks with a pointer: what is hovered, dragged, mirrored, reset. Knows nothing of windows or Blender.

The points that the artist touches are their own and bind the fit; all others are only shown where they were found.
"""

import numpy as np

from ...scene.landmarks import points
from ...scene.landmarks.surface import Surface, SurfacePoint

REACH = 14.0  # pixels from the pointer within which a point is picked


class Editor:
    """`found` and `own` hold places of points on the surface, by their numbers; `own` is what the artist changes."""

    def __init__(self, surface: Surface, found: dict[int, SurfacePoint], own: dict[int, SurfacePoint]):
        self.surface, self.found, self.own = surface, dict(found), dict(own)
        self.four = len({*found, *own}) < points.COUNT  # without a face found, four points tell where it is
        self.hovered: int | None = None
        self.dragged: int | None = None
        self._history: list[dict[int, SurfacePoint]] = []

    @property
    def shown(self) -> list[int]:
        """The points on the screen, in their order."""
        known = points.ANCHORS if self.four else range(points.COUNT)
        return [point for point in known if point in self.own or point in self.found]

    @property
    def missing(self) -> int | None:
        """Which of the four points the next click on the surface places."""
        return next((p for p in points.ANCHORS if self.four and p not in self.own and p not in self.found), None)

    @property
    def changed(self) -> bool:
        return bool(self._history)

    def position(self, point: int) -> np.ndarray:
        """(3,) where a point is that is shown."""
        return (self.own.get(point) or self.found[point]).position(self.surface.vertices)

    def positions(self) -> np.ndarray:
        """(68, 3) all points; NaN where there is none."""
        where = np.full((points.COUNT, 3), np.nan)
        for point in {*self.found, *self.own}:
            where[point] = self.position(point)
        return where

    # The pointer

    def hover(self, pixels: np.ndarray, pointer: tuple[float, float]) -> None:
        """The pointer moved over the screen, on which the points are at pixels (68, 2), NaN where they are not seen."""
        shown = np.array(self.shown, int)
        gaps = np.linalg.norm(pixels[shown] - np.asarray(pointer, float), axis=1)
        gaps[np.isnan(gaps)] = np.inf
        self.hovered = int(shown[gaps.argmin()]) if len(shown) and gaps.min() <= REACH else None

    def press(self, origin: np.ndarray, direction: np.ndarray) -> None:
        """Take the hovered point, or place the one that is missing, where the ray hits the surface."""
        if self.hovered is not None:
            self._remember()
            self.dragged = self.hovered
        elif self.missing is not None and (place := self.surface.raycast(origin, direction)) is not None:
            self._remember()
            self.dragged = self.hovered = self.missing
            self.own[self.dragged] = place

    def drag(self, origin: np.ndarray, direction: np.ndarray) -> None:
        """Move the point that was taken along the surface; beside the surface it waits where it was last."""
        if self.dragged is not None and (place := self.surface.raycast(origin, direction)) is not None:
            self.own[self.dragged] = place

    def release(self) -> None:
        self.dragged = None
        if self._history and self._history[-1] == self.own:  # a click without a move
            self._history.pop()

    # Keys

    def mirror(self) -> None:
        """Copy the artist's points of one side to the other: from the side of the hovered point, else from that with
        more of them.
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
            self.own[points.MIRROR[point]] = self.surface.closest_point(where - 2 * (where @ normal - offset) * normal)
        self.release()

    def reset(self, everything: bool = False) -> None:
        """Put the hovered point, or all, back to where it was found."""
        self._remember()
        for point in list(self.own) if everything else [self.hovered]:
            self.own.pop(point, None)
        if self.hovered not in self.shown:
            self.hovered = None
        self.release()

    def toggle_four(self) -> None:
        """Show the four points alone, or all."""
        self.four = not self.four
        if self.hovered not in self.shown:
            self.hovered = None

    def undo(self) -> None:
        if self._history:
            self.own = self._history.pop()
            self.dragged = None

    def _remember(self) -> None:
        self._history.append(dict(self.own))


def mirror_plane(positions: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Unit normal (3,) and offset of the plane between the halves of a face with points (68, 3), or None."""
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


def to_pixels(positions: np.ndarray, matrix: np.ndarray, width: float, height: float) -> np.ndarray:
    """(N, 2) pixels of world positions (N, 3) under a view's perspective matrix (4, 4); NaN behind the viewer."""
    clip = np.column_stack([positions, np.ones(len(positions))]) @ np.asarray(matrix, float).T
    w = np.where(clip[:, 3] > 1e-9, clip[:, 3], np.nan)[:, None]
    return (clip[:, :2] / w + 1) / 2 * (width, height)
