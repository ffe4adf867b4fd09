"""Train the landmark networks on synthetic heads, from the canonical head alone.

    python -m server.face.build.train_landmarks --work DIR          renders the views, then trains both networks

Everything is resumable: rendered views are kept, and each network continues from its last checkpoint in DIR. It takes
about 45 minutes on one core. The result is assets/landmarks.safetensors with the tensors of both networks.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...numerics import FloatArray, IntArray
from ..geometry import bounding_box_centre, vertex_normals
from ..head import LANDMARK_COUNT, MOUTH_LANDMARKS, load_head
from ..landmark_detection import INPUT_PIXELS, WEIGHTS
from ..landmark_network import DEPTH_CHANNEL, INPUT_CHANNELS, LandmarkNet, centre_depth
from ..raster import render
from .synthetic import HeadMaker

# The landmark on the other side of the face, for each of the 68.
MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        45,
        44,
        43,
        42,
        47,
        46,
        39,
        38,
        37,
        36,
        41,
        40,
        *range(54, 47, -1),
        *range(59, 54, -1),
        *range(64, 59, -1),
        *range(67, 64, -1),
    ]
)
INT8_SCALE = 127  # stored value of 1 in an image
FACETED = 0.2  # share of the heads that are rendered with flat shading, like low-poly meshes
SAVE_INTERVAL = 100  # views, or steps of the training
MAX_HELD_OUT = 200  # views that are not trained on
LEARNING_RATE, MIN_LEARNING_RATE, WARM_UP_STEPS, WEIGHT_DECAY = 2e-3, 1e-6, 50, 1e-4
MAX_HEAT_SPREAD = 0.06  # standard deviation of a heat map, in the unit of the points; wider ones are penalised
SPREAD_WEIGHT = 0.01  # of this penalty in the loss
# Augmentation: the landmarks take 0.33 to 0.95 of the crop (log-uniform), off centre by at most a fifth of it.
MIN_ZOOM, MAX_ZOOM, MAX_RELATIVE_ZOOM = 1.05, 3.0, 1.15
MAX_ANGLE, MAX_SHIFT, MIRRORED = 0.2, 0.2, 0.5  # radians, shares of the crop's half side, probability


@dataclass(frozen=True)
class Task:
    """The task of one network: its landmarks, and the sizes of its images.

    Attributes:
        landmarks: Numbers of its landmarks (L,).
        view_pixels: Side of a stored view, pixels.
        view_size: Side of a stored view over the landmarks' extent.
        input_pixels: Side of the network's input, pixels.
    """

    landmarks: IntArray
    view_pixels: int
    view_size: float
    input_pixels: int


ALL_LANDMARKS = np.arange(LANDMARK_COUNT)
TASKS = {
    "face": Task(ALL_LANDMARKS, 224, 2.6, INPUT_PIXELS["face"]),
    "mouth": Task(ALL_LANDMARKS[MOUTH_LANDMARKS], 144, 3.2, INPUT_PIXELS["mouth"]),
}


def render_views(name: str, folder: Path, count: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Render the views of a task that are not rendered yet.

    Args:
        name: The task.
        folder: Where the views are kept, as memory-mapped .npy files.
        count: Number of views N.

    Returns:
        Images (N, 5, P, P) and landmarks (N, L, 2) as column and row, -1 to 1 over the image.
    """
    task = TASKS[name]
    done_file = folder / f"{name}_done.txt"
    done = int(done_file.read_text()) if done_file.exists() else 0
    mode: Literal["r+", "w+"] = "r+" if done else "w+"
    open_array = np.lib.format.open_memmap
    pixels = task.view_pixels
    images = open_array(folder / f"{name}_images.npy", mode, np.int8, (count, INPUT_CHANNELS, pixels, pixels))
    points = open_array(folder / f"{name}_points.npy", mode, np.float32, (count, len(task.landmarks), 2))
    if done >= count:
        return images, points
    maker = HeadMaker(load_head())
    for i in range(done, count):
        images[i], points[i] = _render_view(maker, task, np.random.default_rng((i, len(task.landmarks))))
        if i % SAVE_INTERVAL == SAVE_INTERVAL - 1 or i == count - 1:
            done_file.write_text(str(i + 1))
            print(f"{name}: {i + 1} of {count} views", flush=True)
    return images, points


def _render_view(maker: HeadMaker, task: Task, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return the image (5, P, P), rounded to whole numbers, and the landmarks (L, 2) of a random head."""
    vertices, triangles, landmarks = maker.sample(rng)
    chosen = landmarks[task.landmarks]
    flat = chosen[:, [0, 2]]
    extent = np.ptp(flat, axis=0).max()
    if rng.random() < FACETED:
        vertices, triangles = vertices[triangles.ravel()], np.arange(triangles.size).reshape(-1, 3)
    normals = vertex_normals(vertices, triangles)
    size, pixels = extent * task.view_size, task.view_pixels
    view = render(vertices, triangles, normals, bounding_box_centre(flat), size, pixels)
    depth = np.nan_to_num(view.depth - chosen[:, 1].mean()) / view.size
    image = np.concatenate([view.normal, depth[..., None].clip(-1, 1), view.filled[..., None]], axis=-1)
    return np.round(image * INT8_SCALE).transpose(2, 0, 1), view.to_pixels(flat) * 2 / pixels - 1


def random_crops(images: Tensor, points: Tensor, name: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augment a batch by random crops: shifted, scaled, rotated in the image plane, mirrored.

    Args:
        images: Stored views (B, 5, P, P).
        points: Landmarks (B, L, 2), -1 to 1 over the view.
        name: The task.
        generator: Source of the random numbers.

    Returns:
        Network inputs (B, 5, S, S) and landmarks (B, L, 2), -1 to 1 over the crop.
    """
    task = TASKS[name]
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    zoom = torch.exp(uniform(np.log(MIN_ZOOM), np.log(MAX_ZOOM))) / task.view_size
    zoom = zoom.clamp_max(MAX_RELATIVE_ZOOM)
    angle = uniform(-MAX_ANGLE, MAX_ANGLE)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = torch.stack([uniform(-MAX_SHIFT, MAX_SHIFT), uniform(-MAX_SHIFT, MAX_SHIFT)], 1) * zoom[:, None]
    matrix = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    shape = [count, INPUT_CHANNELS, task.input_pixels, task.input_pixels]
    grid = torch.nn.functional.affine_grid(matrix, shape, align_corners=False)
    image = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    points = torch.linalg.solve(matrix[:, None, :, :2], (points - shift[:, None]).unsqueeze(-1)).squeeze(-1)
    # The image turns by -angle, and so do the normals' x and z (rows go down, z goes up). Depth scales with the crop.
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    x, z = image[:, 0].clone(), image[:, 2].clone()
    image[:, 0], image[:, 2] = cos * x - sin * z, sin * x + cos * z
    image[:, DEPTH_CHANNEL] /= zoom[:, None, None]
    flip = torch.rand(count, generator=generator) < MIRRORED
    mirror = torch.from_numpy(MIRROR[task.landmarks] - task.landmarks[0])
    image[flip] = image[flip].flip(-1)
    image[flip, 0] *= -1
    points[flip] = points[flip][:, mirror] * torch.tensor([-1.0, 1.0])
    for i in range(count):
        centre_depth(image[i])
    return image, points


def train(name: str, folder: Path, count: int, steps: int, batch: int) -> LandmarkNet:
    """Train a network by soft-argmax regression with wing loss and cosine schedule, and store its weights.

    Args:
        name: The task.
        folder: Where views and checkpoints are kept.
        count: Number of views.
        steps: Number of optimiser steps; the training continues at the last checkpoint.
        batch: Number of views in a step.

    Returns:
        The trained network.
    """
    images, points = render_views(name, folder, count)
    held_out = min(MAX_HELD_OUT, count // 10)
    network = LandmarkNet(len(TASKS[name].landmarks))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    state_file = folder / f"{name}_state.pt"
    start = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
    elif name != "face":
        _start_from_face_network(network)
    began = time.monotonic()
    for step in range(start, steps):
        generator = torch.Generator().manual_seed(step)
        warm_up, decay = min(1, (step + 1) / WARM_UP_STEPS), 0.5 + 0.5 * math.cos(math.pi * step / steps)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * warm_up * decay + MIN_LEARNING_RATE
        pick = torch.randint(held_out, count, (batch,), generator=generator).sort().values.numpy()
        image, target = random_crops(*to_torch(images, points, pick), name, generator)
        network.train()
        found, spread = network(image.contiguous(memory_format=torch.channels_last))
        loss = wing_loss(found - target) + SPREAD_WEIGHT * (spread - MAX_HEAT_SPREAD).clamp_min(0).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % SAVE_INTERVAL == SAVE_INTERVAL - 1 or step == steps - 1:
            print(
                f"{name}: step {step + 1} of {steps}, loss {loss:.4f}, held out "
                f"{evaluate(network, images, points, name, held_out):.4f} of the crop's side, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
            state = {"net": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(state, state_file)
            store(name, network)
    return network


def _start_from_face_network(network: LandmarkNet) -> None:
    """Copy the face network's weights where the shapes agree: both look at the same kind of image."""
    known = {k.removeprefix("face."): v.float() for k, v in load_file(WEIGHTS).items() if k.startswith("face.")}
    own = network.state_dict()
    network.load_state_dict({k: known[k] if known[k].shape == v.shape else v for k, v in own.items()})


def to_torch(
    images: NDArray[np.int8], points: NDArray[np.float32], pick: IntArray | Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return some stored views as float images (B, 5, P, P) and landmarks (B, L, 2)."""
    return torch.from_numpy(images[pick]).float() / INT8_SCALE, torch.from_numpy(points[pick])


def wing_loss(error: Tensor, width: float = 0.1, curve: float = 0.02) -> Tensor:
    """Return the wing loss: logarithmic near zero so that small errors count, linear beyond `width`.

    Feng et al., "Wing Loss for Robust Facial Landmark Localisation with Convolutional Neural Networks", 2018.

    Args:
        error: Differences of any shape.
        width: Magnitude from which the loss is linear.
        curve: Magnitude below which the logarithm is nearly linear.

    Returns:
        The mean, a scalar.
    """
    size = error.abs()
    near = width * torch.log1p(size / curve)
    return torch.where(size < width, near, size - width + width * np.log1p(width / curve)).mean()


@torch.no_grad()
def evaluate(
    network: LandmarkNet, images: NDArray[np.int8], points: NDArray[np.float32], name: str, held_out: int
) -> float:
    """Return the mean landmark error on the held-out views, as a share of the crop's side.

    Args:
        network: The network.
        images: Stored views (N, 5, P, P).
        points: Their landmarks (N, L, 2), -1 to 1 over the view.
        name: The task.
        held_out: Number of held-out views; they are the first ones.
    """
    network.eval()
    generator = torch.Generator().manual_seed(0)
    image, target = random_crops(*to_torch(images, points, np.arange(held_out)), name, generator)
    return float((network(image)[0] - target).norm(dim=-1).mean() / 2)


def store(name: str, network: LandmarkNet) -> None:
    """Write a network's tensors, in half precision, to WEIGHTS, which keeps those of the other network."""
    tensors = load_file(WEIGHTS) if WEIGHTS.exists() else {}
    own = network.state_dict()
    tensors.update({f"{name}.{k}": v.half() if v.is_floating_point() else v for k, v in own.items()})
    save_file({k: v.contiguous() for k, v in tensors.items()}, WEIGHTS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for views and checkpoints")
    parser.add_argument("--views", type=int, default=6000)
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    for task_name in arguments.tasks:
        train(task_name, arguments.work, arguments.views, arguments.steps, arguments.batch)
