"""Places the landmarks on the project's head: `python -m server.picture.build.place_landmarks OBSERVED.npz`.

The network's landmarks do not follow the surface exactly: their places answer to persons and expressions in their own
way, and err together. Both are learned from pictures of the head whose truth is known (`scenes`). Each landmark is the
vertex of the head that projects nearest to what was observed, plus a correction of its place and of its answer to each
channel and identity mode, found by ridge regression. What is left gives the covariance of the errors.

`--observe N` makes the observations first, which takes half a second each.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ...arkit import CHANNELS
from ...face.head import Head, HeadPart, load_head
from ...numerics import FloatArray, IntArray
from .. import landmarks
from ..camera import Camera
from ..places import ASSET, Places, level
from . import scenes

SEED = 1
EYES = (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT)
TRIAL = 60  # observations that choose the vertices
# Ridge of the corrections of the answers to channels and to identity modes, in units of one observation at weight 1.
RIDGE, IDENTITY_RIDGE = 2.0, 30.0
FOLDS = 4  # for the errors, in observations that the places do not come from
MODES = 60  # directions of common errors that are kept
MIN_NOISE = 2e-4  # metres


def observe(count: int, seed: int = SEED, path: Path | None = None, neutrals: int = 1) -> dict[str, FloatArray]:
    """Make observations of persons: a picture of each, and neutral ones of the same person.

    Args:
        count: How many persons, N.
        seed: Of the random numbers.
        path: A file to which they are written now and then.
        neutrals: How many neutral pictures of each.

    Returns:
        Arrays (N, 1 + neutrals, …), the neutral pictures last: weights, identity, rotation, place, scale, nearness,
        landmarks.
    """
    head, rng = load_head(), np.random.default_rng(seed)
    pairs: list[dict[str, Any]] = []
    arrays: dict[str, FloatArray] = {}
    while len(pairs) < count:
        scene = scenes.random_scene(rng, head)
        group = [scene, *(scenes.neutral_of(rng, scene, head) for _ in range(neutrals))]
        found = [scenes.observe(head, one) for one in group]
        if any(points is None for points in found):
            continue
        rows = [
            {"weights": one.weights, "identity": one.identity, "landmarks": points} | vars(one.camera)
            for one, points in zip(group, found, strict=True)
        ]
        pairs.append({name: np.array([row[name] for row in rows]) for name in rows[0]})
        if len(pairs) % 50 == 0 or len(pairs) == count:
            arrays = {name: np.array([pair[name] for pair in pairs]) for name in pairs[0]}
            if path is not None:
                np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # the stubs take the names for options
                print(len(pairs), flush=True)
    return arrays


def place(head: Head, pairs: dict[str, FloatArray]) -> Places:
    """Compute the places from observations.

    Args:
        head: The head.
        pairs: The result of `observe`.
    """
    seen = {name: array.reshape(-1, *array.shape[2:]) for name, array in pairs.items()}  # a neutral one after each
    cameras = [
        Camera(*values) for values in zip(seen["rotation"], seen["place"], seen["scale"], seen["nearness"], strict=True)
    ]
    pixels = seen["landmarks"][..., :2]
    vertex = _nearest_vertices(head, seen, cameras, pixels)
    on_head = np.concatenate([head.vertices[None], head.basis, head.identity_modes])[:, vertex].astype(float)
    features = np.column_stack([np.ones(len(cameras)), seen["weights"], seen["identity"]])  # (N, 103)
    # A correction is a point, as the vertices are, and its projection is nearly linear: the turned x and -z in metres.
    rows, targets = [], []
    for camera, feature, at in zip(cameras, features, pixels, strict=True):
        posed = np.tensordot(feature, on_head, 1)
        depth = 1 + camera.nearness * camera.turned(posed)[:, 1]
        missing = (at - camera.project(posed)) * depth[:, None] / camera.scale  # metres, (478, 2)
        plane = camera.turned(np.eye(3)).T[[0, 2]] * np.array([[1], [-1]])  # (2, 3), from the head to the picture
        rows.append(np.einsum("f,ax->afx", feature, plane).reshape(2, -1))
        targets.append(missing.T)

    def answers(numbers: IntArray) -> FloatArray:
        """Places and answers (103, 478, 3) by some of the observations."""
        design = np.concatenate([rows[number] for number in numbers])  # (2N, 309)
        target = np.concatenate([targets[number] for number in numbers])  # (2N, 478)
        normal = design.T @ design + np.diag(np.repeat(_ridge(len(features[0])), 3))
        correction = np.linalg.solve(normal, design.T @ target)
        return on_head + correction.reshape(len(on_head), 3, -1).transpose(0, 2, 1)

    # The errors are those of observations that the places were not computed from.
    everyone = np.arange(len(cameras))
    left = np.empty((len(cameras), 2 * landmarks.COUNT))
    for fold in range(FOLDS):
        is_held = everyone // 2 % FOLDS == fold
        others = answers(everyone[~is_held])
        for number in everyone[is_held]:
            posed = np.tensordot(features[number], others, 1)
            left[number] = _error(cameras[number], posed, pixels[number])
    spread = [_covariance(errors) for errors in (left, left[0::2] - left[1::2])]
    errors, noise = (np.stack(parts).astype(np.float16) for parts in zip(*spread, strict=True))
    final = answers(everyone).astype(np.float16)
    split = 1 + len(head.channels)
    return Places(final[0], final[1:split], final[split:], errors, noise)


def _covariance(left: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the common directions (MODES, 956) of errors (N, 956), and the standard deviation (956,) of the rest."""
    _, deviations, directions = np.linalg.svd(left, full_matrices=False)
    errors = directions[:MODES] * deviations[:MODES, None] / np.sqrt(len(left))
    noise = np.sqrt(np.maximum((left**2).mean(0) - (errors**2).sum(0), MIN_NOISE**2))
    return errors, noise


def _ridge(count: int) -> FloatArray:
    """Return the ridge of each feature (103,): almost none of the place itself."""
    channels = len(CHANNELS)
    return np.concatenate([[1e-3], np.full(channels, RIDGE), np.full(count - 1 - channels, IDENTITY_RIDGE)])


def _error(camera: Camera, posed: FloatArray, pixels: FloatArray) -> FloatArray:
    """Return how far observed landmarks (478, 2) are from posed ones (478, 3), in the level frame (956,)."""
    size = float(np.sqrt(((posed - posed.mean(0))[:, [0, 2]] ** 2).sum(1).mean()))
    frame = level(pixels, size)
    error: FloatArray = (frame.inside(pixels) - frame.inside(camera.project(posed))).ravel()
    return error


def _nearest_vertices(head: Head, seen: dict[str, FloatArray], cameras: list[Camera], pixels: FloatArray) -> IntArray:
    """Return for each landmark (478,) the vertex that projects nearest to it: of the eyes for those of the irises."""
    squares = np.zeros((len(head.vertices), landmarks.COUNT), np.float32)
    for number, camera in enumerate(cameras[:TRIAL]):
        posed = head.with_identity(seen["identity"][number]) + np.tensordot(seen["weights"][number], head.basis, 1)
        places, at = ((points / camera.scale).astype(np.float32) for points in (camera.project(posed), pixels[number]))
        squares += (places**2).sum(1)[:, None] - 2 * places @ at.T + (at**2).sum(1)
    is_eye = np.isin(head.part, EYES)
    squares[head.part != HeadPart.SKIN, : landmarks.IRISES.start] = np.inf
    squares[~is_eye, landmarks.IRISES] = np.inf
    squares[head.vertices[:, 1] > 0] = np.inf  # the back of the head
    nearest: IntArray = squares.argmin(0)
    return nearest


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("observed", type=Path)
    parser.add_argument("--observe", type=int, metavar="N", help="make N observations and write them there")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    if args.observe:
        observe(args.observe, args.seed, args.observed)
    with np.load(args.observed, allow_pickle=False) as stored:
        places = place(load_head(), {name: stored[name] for name in stored.files})
    np.savez_compressed(ASSET, **vars(places))


if __name__ == "__main__":
    main()
