"""FLAME's motion on the project's head: exact, as weights of the 52 ARKit shapes, and as shape keys of its own.

A checkpoint of the paper's system predicts FLAME's motion: 50 expression coefficients and the jaw's rotation. Its
folder holds `face.safetensors`, which `python -m server.flame.prepare` makes of a FLAME file. It contains parts of
FLAME and is under FLAME's licence: it must not be passed on. Nothing else is needed to use the checkpoint.
"""

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LSFError
from ..face.head import HeadPart, load_head
from ..files.atomic import replacing
from ..numerics import FloatArray
from .identity import face_vertices, shape_estimator
from .jaw import OPEN_RANGE, Jaw, JawKeys, choose_keys, linear_error
from .named_weights import ErrorMeter, FitError, NamedShapes

if TYPE_CHECKING:  # imports torch
    from .layer import Flame

FILE_NAME = "face.safetensors"
FORMAT = "lsf-flame-head-1"
NOTICE = "Holds parts of the FLAME model, which is licensed for research only: do not pass this file on."
EXPRESSION, JAW = 50, 3  # of the motion's 53 values
SHAPE = 300  # FLAME's shape coefficients
JAW_JOINT = 2
FOLLOW_JAW = (HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER, HeadPart.TONGUE)
CHUNK = 250  # frames whose vertices are in memory at once
MAX_FILE_BYTES = 64 << 20  # it has 12 MB
MAX_REPORT_BYTES = 100_000
MAX_VALUE = 1e5  # of any number in the file: metres, coefficients, or coefficients per metre
MAX_NODES = 16  # angles at which there are keys; ten at most are tried
TESTED_ANGLES = (5, 10, 15, 20, 25)  # degrees of opening at which the report tells what a linear jaw would cost
MIN_SHARE = 0.02  # of the jaw in the vertices over which this is averaged


@dataclass(frozen=True)
class FlameHead:
    """FLAME's motion on the H vertices of the project's head, in the head's frame: metres, Z up, facing −Y.

    Attributes:
        rest: Places of the vertices on FLAME's mean face (H, 3); of teeth and tongue, on the head fitted to it.
        expression: Offsets (50, H, 3) of the expressions.
        correctives: Offsets (9, H, 3) of the entries of the jaw's R − I, row by row, in FLAME's axes.
        share: Share of the jaw in each vertex (H,).
        joint: The jaw's joint (3,).
        axes: Rotation (3, 3) from FLAME's axes to the head's.
        shape_mean: FLAME's shape coefficients (300,) of the project's average head.
        shape_matrix: What the coefficients are for distances of a registered head from FLAME's mean face (300, 3 N).
        keys: Where the jaw's own keys are.
        report: How well FLAME was carried over; `flame_head` describes it. JSON values only.
    """

    rest: NDArray[np.float32]
    expression: NDArray[np.float32]
    correctives: NDArray[np.float32]
    share: NDArray[np.float32]
    joint: NDArray[np.float32]
    axes: NDArray[np.float32]
    shape_mean: NDArray[np.float32]
    shape_matrix: NDArray[np.float32]
    keys: JawKeys
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def jaw(self) -> Jaw:
        """The jaw of all vertices."""
        return Jaw(self.rest, self.share, self.joint, self.correctives, self.axes)

    @cached_property
    def _named(self) -> NamedShapes:
        """The ARKit shapes of the project's head, prepared."""
        return NamedShapes(load_head())

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of FLAME's own keys: 50 expressions, then the jaw's keys at several angles."""
        return (*(f"expression{k + 1:02d}" for k in range(EXPRESSION)), *self.keys.names)

    @cached_property
    def key_basis(self) -> NDArray[np.float32]:
        """Offsets (K, H, 3) of these keys at value 1."""
        return np.concatenate([self.expression, self.keys.offsets(self.jaw)]).astype(np.float32)

    @property
    def key_bound_mm(self) -> float:
        """Bound of the error of the jaw's keys in their range of angles, millimetres, while the face is at rest."""
        return float(self.report["jaw_keys_bound_mm"])

    def shape_of(self, fitted: FloatArray) -> NDArray[np.float32]:
        """Return FLAME's shape coefficients (300,) of a mesh to which the head was registered.

        Args:
            fitted: The registered head (H, 3), in its own frame: `face.space.FaceSpace.fitted`.
        """
        vertices = face_vertices(load_head())
        coefficients: NDArray[np.float32] = self.shape_matrix @ (fitted - self.rest)[vertices].ravel().astype(
            np.float32
        )
        return coefficients

    def offsets(self, motion: FloatArray) -> NDArray[np.float32]:
        """Return how far FLAME's motion (F, 53) moves the vertices (F, H, 3), with the jaw as a rotation.

        Raises:
            LSFError: "bad_flame".
        """
        return self._offsets(check_motion(motion), slice(None))

    def key_curves(self, motion: FloatArray) -> NDArray[np.float32]:
        """Return the values (F, K) of FLAME's own keys for a motion (F, 53). Those of the jaw are 0 to 1.

        Raises:
            LSFError: "bad_flame".
        """
        motion = check_motion(motion)
        jaw = self.keys.curves(motion[:, EXPRESSION:])
        return np.concatenate([motion[:, :EXPRESSION], jaw], 1).astype(np.float32)

    def key_error(self, motion: FloatArray) -> FitError:
        """Return the error of FLAME's own keys for a motion (F, 53): its jaw carries expressions along, keys do not.

        Raises:
            LSFError: "bad_flame".
        """
        motion, vertices = check_motion(motion), self._named.vertices
        curves, basis = self.key_curves(motion), self.key_basis[:, vertices].reshape(len(self.key_names), -1)
        meter = ErrorMeter(self._named.on_lips)
        for chunk in _chunks(len(motion)):
            wanted = self._offsets(motion[chunk], vertices)
            meter.add((curves[chunk] @ basis).reshape(wanted.shape) - wanted)
        return meter.result()

    def named_weights(self, motion: FloatArray) -> tuple[NDArray[np.float32], FitError]:
        """Return weights of the ARKit channels that show a motion on any head, and what they miss.

        Args:
            motion: Expression coefficients and the jaw's rotation (F, 53).

        Returns:
            Weights (F, 52) in [0, 1], and the error on the project's head.

        Raises:
            LSFError: "bad_flame".
        """
        motion, named = check_motion(motion), self._named
        projected = [named.project(self._offsets(motion[chunk], named.vertices)) for chunk in _chunks(len(motion))]
        if not projected:
            return np.zeros((0, len(load_head().channels)), np.float32), ErrorMeter(named.on_lips).result()
        products, lips = (np.concatenate(parts).astype(float) for parts in zip(*projected, strict=True))
        weights = named.solve(products, lips)
        meter = ErrorMeter(named.on_lips)
        for chunk in _chunks(len(motion)):
            wanted = self._offsets(motion[chunk], named.vertices)
            meter.add((weights[chunk] @ named.basis).reshape(wanted.shape) - wanted)
        return weights, meter.result()

    def _offsets(self, motion: FloatArray, vertices: Any) -> NDArray[np.float32]:
        """Return the offsets (F, N, 3) of some vertices. The motion was checked."""
        directions = self.expression[:, vertices]
        moved = (motion[:, :EXPRESSION].astype(np.float32) @ directions.reshape(EXPRESSION, -1)).reshape(
            len(motion), *directions.shape[1:]
        )
        offsets: NDArray[np.float32] = self.jaw.of(vertices).offsets(motion[:, EXPRESSION:], moved)
        return offsets

    def save(self, path: Path) -> None:
        """Write the file of a checkpoint folder. It replaces an older one as a whole."""
        from safetensors.numpy import save_file

        texts = {
            "format": FORMAT,
            "notice": NOTICE,
            "keys": json.dumps([self.keys.openings, self.keys.sides]),
            "report": json.dumps(self.report),
        }
        with replacing(path) as unfinished:
            save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _shapes()}, unfinished, texts)


def check_motion(motion: FloatArray) -> FloatArray:
    """Return a motion (F, 53) as it is.

    Raises:
        LSFError: "bad_flame" if it has another shape or is not finite.
    """
    if motion.ndim != 2 or motion.shape[1] != EXPRESSION + JAW or not np.isfinite(motion).all():
        raise LSFError(
            "bad_flame", f"FLAME's motion must be (F, {EXPRESSION + JAW}) finite numbers, not {motion.shape}."
        )
    return motion


def _chunks(count: int) -> list[slice]:
    """Return slices that cover so many frames."""
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]


def _shapes() -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays in the file."""
    head = load_head()
    count = len(head.vertices)
    return {
        "rest": (count, 3),
        "expression": (EXPRESSION, count, 3),
        "correctives": (9, count, 3),
        "share": (count,),
        "joint": (3,),
        "axes": (3, 3),
        "shape_mean": (SHAPE,),
        "shape_matrix": (SHAPE, 3 * len(face_vertices(head))),
    }


def load_flame_head(path: Path) -> FlameHead:
    """Read the file of a checkpoint folder.

    Args:
        path: `face.safetensors`.

    Raises:
        LSFError: "no_file", or "bad_checkpoint" if it is damaged or of another version.
    """
    from safetensors.numpy import load

    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a path that is too long or forbidden)
        raise LSFError(
            "no_file",
            f'The checkpoint has no "{path.name}", which carries FLAME to faces: run '
            f'python -m server.flame.prepare "{path.parent}" --flame FILE.',
        )
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        data = path.read_bytes()
        arrays = load(data)  # checks that the header fits to the content
        texts = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        return _checked(arrays, texts)
    except Exception as error:  # of the packages that read the content
        raise LSFError(
            "bad_checkpoint",
            f'The checkpoint\'s "{path.name}" is damaged or of another version: run '
            f'python -m server.flame.prepare "{path.parent}" --flame FILE.',
        ) from error


def _checked(arrays: dict[str, NDArray[Any]], texts: dict[str, str]) -> FlameHead:
    """Return the head of a file's arrays and texts.

    Raises:
        ValueError: They are not what `save` writes.
    """
    if texts.get("format") != FORMAT or len(texts["report"]) > MAX_REPORT_BYTES:
        raise ValueError("it has another format")
    if {name: array.shape for name, array in arrays.items()} != _shapes():
        raise ValueError("its arrays have other shapes")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not (np.abs(array) <= MAX_VALUE).all():  # NaN fails, too
            raise ValueError(f"{name} has values that cannot be used")
    if np.abs(arrays["axes"] @ arrays["axes"].T - np.eye(3)).max() > 1e-3:
        raise ValueError("its axes are no rotation")
    openings, sides = json.loads(texts["keys"])
    for nodes in (openings, sides):
        ascending = all(isinstance(node, int | float) for node in nodes) and (np.diff(nodes) > 0).all()
        if (
            not ascending
            or 0 not in nodes
            or len(nodes) > MAX_NODES
            or not OPEN_RANGE[0] <= nodes[0] <= nodes[-1] <= OPEN_RANGE[1]
        ):
            raise ValueError("its keys are at impossible angles")
    report = json.loads(texts["report"])
    if not isinstance(report, dict) or not isinstance(report.get("jaw_keys_bound_mm"), int | float):
        raise ValueError("it has no report")
    return FlameHead(**arrays, keys=JawKeys(tuple(openings), tuple(sides)), report=report)


def flame_head(flame: "Flame") -> FlameHead:
    """Carry FLAME's shapes to the project's head.

    The report holds, in millimetres on a head of ordinary size: `residual_mm` of the fit of the head to FLAME's mean
    face, `distance_mm` of its vertices from their places; `unmatched`, the share of the skin without one;
    `jaw_keys_bound_mm` and `jaw_keys`, the error bound and the number of the jaw's own keys; `linear_jaw_mm`, for some
    angles of opening in degrees, the mean and the greatest error that three offsets per radian would have.

    Args:
        flame: The model.

    Raises:
        LSFError: "no_face", "several_faces" or "bad_mesh" if its mean face cannot be fitted.
    """
    from .carry import carry

    def numbers(values: Any) -> FloatArray:
        return np.asarray(values.cpu(), float)

    head = load_head()
    template = numbers(flame.template)
    carrier = carry(template, np.asarray(flame.faces.cpu()), head)
    is_skin = head.part == HeadPart.SKIN
    rest = np.where(is_skin[:, None], carrier.points(carrier.matrix @ template), carrier.fitted)
    share = np.where(is_skin, carrier.weights(numbers(flame.skinning)[:, JAW_JOINT]), np.isin(head.part, FOLLOW_JAW))
    first = 9 * (JAW_JOINT - 1)  # the pose correctives begin with the neck's
    estimator = shape_estimator(carrier, template, numbers(flame.shape_directions), head)
    arrays = {
        "rest": rest,
        "expression": carrier.vectors(numbers(flame.expression_directions[:EXPRESSION])),
        "correctives": carrier.vectors(numbers(flame.pose_directions[first : first + 9])),
        "share": share,
        "joint": carrier.points(numbers(flame.joint_regressor)[JAW_JOINT] @ template),
        "axes": carrier.axes,
        "shape_mean": estimator.shape(head.vertices),
        "shape_matrix": estimator.matrix,
    }
    stored = {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
    jaw = Jaw(*(stored[name].astype(float) for name in ("rest", "share", "joint", "correctives", "axes")))
    keys, bound = choose_keys(jaw)
    of_jaw = jaw.of(jaw.share > MIN_SHARE)
    linear = linear_error(of_jaw, np.radians([[angle, 0, 0] for angle in TESTED_ANGLES])) * 1000
    report = {
        "residual_mm": round(carrier.residual * 1000, 3),
        "distance_mm": round(carrier.distance * 1000, 3),
        "unmatched": round(carrier.unmatched, 4),
        "jaw_keys": len(keys.names),
        "jaw_keys_bound_mm": round(bound * 1000, 3),
        "linear_jaw_mm": {
            str(angle): [round(float(row.mean()), 2), round(float(row.max()), 2)]
            for angle, row in zip(TESTED_ANGLES, linear, strict=True)
        },
    }
    return FlameHead(**stored, keys=keys, report=report)
