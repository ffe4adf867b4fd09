"""Train the landmark networks on synthetic heads, from this package's own head alone.

    python -m server.face.build.train_landmarks --work DIR          renders the views, then trains both networks

Everything is resumable: views already rendered are kept, each network goes on from its last checkpoint in DIR. About
50 minutes on one core. Result: assets/landmarks.safetensors with the tensors of both networks.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..head import load_head
from ..landmark_network import LandmarkNet, centre_depth
from ..raster import render, vertex_normals
from .synthetic import HeadMaker

WEIGHTS = Path(__file__).parents[1] / "assets" / "landmarks.safetensors"
MOUTH = np.arange(48, 68)
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
# name: landmarks, pixels of a stored view, its side in units of the landmarks' extent, pixels of a network's input
TASKS = {"face": (np.arange(68), 224, 2.6, 128), "mouth": (MOUTH, 144, 3.2, 96)}


def render_views(task, folder: Path, count: int):
    """int8 images (count, 5, P, P) and float32 landmarks (count, L, 2) in -1..1, as memory-mapped .npy files."""
    chosen, pixels, side, _ = TASKS[task]
    done_file = folder / f"{task}_done.txt"
    shapes = (count, 5, pixels, pixels), (count, len(chosen), 2)
    names = folder / f"{task}_images.npy", folder / f"{task}_points.npy"
    done = int(done_file.read_text()) if done_file.exists() else 0
    mode = "r+" if done else "w+"
    images, points = (
        np.lib.format.open_memmap(n, mode=mode, dtype=d, shape=s)
        for n, d, s in zip(names, (np.int8, np.float32), shapes, strict=True)
    )
    maker = HeadMaker(load_head()) if done < count else None
    for i in range(done, count):
        rng = np.random.default_rng((i, len(chosen)))
        vertices, triangles, landmarks = maker.sample(rng)
        flat = landmarks[chosen][:, [0, 2]]
        extent = max(np.ptp(flat, axis=0))
        centre = (flat.min(0) + flat.max(0)) / 2
        if rng.random() < 0.2:  # faceted, as an unsmoothed low-poly mesh
            vertices, triangles = vertices[triangles.ravel()], np.arange(triangles.size).reshape(-1, 3)
        view = render(vertices, triangles, vertex_normals(vertices, triangles), centre, extent * side, pixels)
        middle = -1.0 * landmarks[chosen][:, 1].mean()
        depth = np.nan_to_num(view.depth + middle) / view.size
        image = np.concatenate([view.normal, depth[..., None].clip(-1, 1), (view.triangle >= 0)[..., None]], axis=-1)
        images[i] = np.round(image * 127).transpose(2, 0, 1)
        points[i] = view.to_pixels(flat) * 2 / pixels - 1
        if i % 100 == 99 or i == count - 1:
            done_file.write_text(str(i + 1))
            print(f"{task}: {i + 1} of {count} views", flush=True)
    return images, points


def crop(images, points, task, generator):
    """Random crops of a batch: shifted, scaled, turned in the image, mirrored; points stay in -1..1 of the crop."""
    chosen, _, side, pixels = TASKS[task]
    count = len(images)
    uniform = lambda low, high: torch.rand(count, generator=generator) * (high - low) + low  # noqa: E731
    # The landmarks take 0.33 to 0.95 of the crop (log-uniform), off centre by at most a fifth of it.
    zoom = torch.exp(uniform(np.log(1.05), np.log(3.0))) / side
    zoom = zoom.clamp_max(1.15)
    angle = uniform(-0.2, 0.2)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = torch.stack([uniform(-0.2, 0.2), uniform(-0.2, 0.2)], 1) * zoom[:, None]
    matrix = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = torch.nn.functional.affine_grid(matrix, (count, 5, pixels, pixels), align_corners=False)
    image = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    points = torch.linalg.solve(matrix[:, None, :, :2], (points - shift[:, None]).unsqueeze(-1)).squeeze(-1)
    # The picture turns by -angle, and so do the normals' x and z (rows go down, z goes up); depth scales with the crop.
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    x, z = image[:, 0].clone(), image[:, 2].clone()
    image[:, 0], image[:, 2] = cos * x - sin * z, sin * x + cos * z
    image[:, 3] /= zoom[:, None, None]
    flip = torch.rand(count, generator=generator) < 0.5
    mirror = torch.from_numpy(MIRROR[chosen] - chosen[0])
    image[flip] = image[flip].flip(-1)
    image[flip, 0] *= -1
    points[flip] = points[flip][:, mirror] * torch.tensor([-1.0, 1.0])
    for i in range(count):
        centre_depth(image[i])
    return image, points


def train(task, folder: Path, count: int, steps: int, batch: int):
    """Soft-argmax regression with a Wing-like loss; a cosine schedule; checkpoint every 100 steps."""
    images, points = render_views(task, folder, count)
    held_out = min(200, count // 10)
    net = LandmarkNet(len(TASKS[task][0])).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    state_file = folder / f"{task}_state.pt"
    start = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
    elif task != "face":  # looks at the same kind of picture: start from the face network's trunk
        known = {k.removeprefix("face."): v.float() for k, v in load_file(WEIGHTS).items() if k.startswith("face.")}
        own = net.state_dict()
        net.load_state_dict({k: known[k] if known[k].shape == v.shape else v for k, v in own.items()})
    began = time.monotonic()
    for step in range(start, steps):
        generator = torch.Generator().manual_seed(step)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-6
        pick = torch.randint(held_out, count, (batch,), generator=generator).sort().values.numpy()
        image, target = crop(*to_torch(images, points, pick), task, generator)
        net.train()
        found, spread = net(image.contiguous(memory_format=torch.channels_last))
        loss = wing(found - target) + 0.01 * (spread - 0.06).clamp_min(0).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99 or step == steps - 1:
            print(
                f"{task}: step {step + 1} of {steps}, loss {loss:.4f}, held out "
                f"{evaluate(net, images, points, task, held_out):.4f} of the crop's side, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}, state_file)
            store(task, net)
    return net


def to_torch(images, points, pick):
    return torch.from_numpy(images[pick]).float() / 127, torch.from_numpy(points[pick])


def wing(error, width=0.1, curve=0.02):
    """Logarithmic near zero so that small errors count, linear beyond (Feng et al. 2018)."""
    size = error.abs()
    near = width * torch.log1p(size / curve)
    return torch.where(size < width, near, size - width + width * np.log1p(width / curve)).mean()


@torch.no_grad()
def evaluate(net, images, points, task, held_out):
    net.eval()
    generator = torch.Generator().manual_seed(0)
    image, target = crop(*to_torch(images, points, np.arange(held_out)), task, generator)
    return float((net(image)[0] - target).norm(dim=-1).mean() / 2)


def store(task, net):
    """Put a network's tensors (half precision) into the shared weights file."""
    tensors = load_file(WEIGHTS) if WEIGHTS.exists() else {}
    tensors.update({f"{task}.{k}": v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()})
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
    for name in arguments.tasks:
        train(name, arguments.work, arguments.views, arguments.steps, arguments.batch)
