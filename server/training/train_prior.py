"""First stage: the VQ motion prior, on motion alone. `python -m server.training.train_prior --work WORK`.

It sees tracked, captured and articulated speech with every mixture of expressions, amplitudes and blinks, so that the
codes can say all of it. Resumes from WORK/prior.pt.safetensors at any time.
"""

import argparse
import dataclasses
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .. import arkit
from ..model import LSF, LSFConfig
from ..performance.easing import attack_release
from ..performance.emotion import expression
from . import FPS, dataset
from .labels import lips

CONFIG = LSFConfig(motion_components=384, residual_stages=1, prior_layers=2)
STEPS, BATCH, FRAMES, RATE, SEED = 1400, 12, 80, 4e-4, 1
SHARES = {"grid": 0.35, "kokoro": 0.35, "facegood": 0.2, "ljspeech": 0.1}
SMALLEST_SCALE = 0.05  # standard deviation below which a channel counts as still
APERTURE, WIDTH = 0.15, 0.1  # loss per millimetre of error on the mesh


def channel_weights() -> torch.Tensor:
    """(52,) mean 1: the mouth counts most, channels that never move hardly."""
    weights = torch.tensor([3.0 if c.startswith(("jawOpen", "mouth")) else 1.0 for c in arkit.CHANNELS])
    still = ("eyeLook", "jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "tongueOut", "cheekPuff")
    weights[[c.startswith(still) for c in arkit.CHANNELS]] = 0.2
    return weights / weights.sum()


def read_motion(work: Path) -> dict[str, list[np.ndarray]]:
    """Lip curves of all clips of every corpus, and the tracked blinks of GRID."""
    return {corpus: list(dict(np.load(work / "targets" / f"{corpus}.npz")).values()) for corpus in SHARES}


def varied(curves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F, 52) speech with another amplitude and, mostly, an expression that comes and goes."""
    curves = curves * rng.uniform(0.75, 1.25)
    frames = len(curves)
    gate = attack_release((rng.random() < np.cumsum(rng.uniform(0, 0.04, frames))).astype(float), 0.25, 0.6, FPS)
    pose = expression.pose(rng.choice(expression.EMOTIONS))
    curves += gate[:, None].astype(np.float32) * pose * rng.uniform(0.2, 1.3, len(pose)).astype(np.float32)
    wave = attack_release(np.clip(rng.standard_normal(frames).cumsum() / 5, 0, 1), 0.1, 0.3, FPS)
    for name in ("browInnerUp", "browOuterUp", "browDown", "eyeWide"):
        if rng.random() < 0.4:
            curves[:, arkit.channel_indices(name)] += (rng.uniform(0, 0.8) * wave)[:, None].astype(np.float32)
    if rng.random() < 0.15:  # quiet
        curves[:, [i for i in range(len(arkit.CHANNELS)) if i not in dataset.UPPER]] *= rng.uniform(0, 0.1)
    return curves.clip(0, 1).astype(np.float32)


def draw(motion: dict, rng: np.random.Generator, batch: int = BATCH) -> torch.Tensor:
    """(B, FRAMES, 52)"""
    rows = []
    while len(rows) < batch:
        clips = motion[rng.choice(list(SHARES), p=list(SHARES.values()))]
        clip = clips[rng.integers(len(clips))]
        if len(clip) >= FRAMES - 6:
            first = rng.integers(0, max(1, len(clip) - FRAMES + 1))
            part = varied(clip[first : first + FRAMES], rng)
            rows.append(np.pad(part, ((0, FRAMES - len(part)), (0, 0)), "edge"))
    return torch.from_numpy(np.stack(rows))


def warmed_cosine(step: int, steps: int) -> float:
    """Share of the learning rate: up within 100 steps, then half a cosine down to 2 %."""
    return min(1.0, (step + 1) / 100) * (0.02 + 0.98 * math.cos(math.pi / 2 * step / steps) ** 2)


def lip_loss(head: lips.Lips, curves: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Error of aperture and width on the mesh, (…) per frame. The aperture counts more where lips nearly meet: those
    of the target, so that no closure is missed, or the predicted ones, so that none is made up.
    """
    got, wanted = head(curves), head(target)
    error = 1e3 * (got - wanted).abs()
    closeness = 1 + 3 * torch.exp(-1e3 * torch.minimum(got, wanted)[..., 0].detach())
    return APERTURE * closeness * error[..., 0] + WIDTH * error[..., 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    head = lips.of_head()
    motion = read_motion(args.work)
    rng = np.random.default_rng(SEED)
    model = LSF(CONFIG)
    many = draw(motion, rng, 400).flatten(0, 1)
    model.motion_mean.copy_(many.mean(0))
    model.motion_scale.copy_(many.std(0).clamp_min(SMALLEST_SCALE))
    held = draw(motion, np.random.default_rng(99), 64)
    optimizer = torch.optim.AdamW(model.prior.parameters(), RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    state, step = args.work / "prior", 0
    state.mkdir(exist_ok=True)
    if (state / "progress.json").exists():
        step = json.loads((state / "progress.json").read_text())["step"]
        load_prior(model, state)
        optimizer.load_state_dict(torch.load(state / "optimizer.pt", weights_only=True))
        rng = np.random.default_rng([SEED, step])
    weights, began = channel_weights(), time.time()
    while step < args.steps:
        for group in optimizer.param_groups:
            group["lr"] = RATE * warmed_cosine(step, args.steps)
        model.prior.train()
        batch = draw(motion, rng)
        target = model.standardise(batch)
        decoded, quantised = model.prior(target)
        loss = (weights * (decoded - target).abs()).sum(-1).mean() + 1.5 * quantised.loss
        loss = loss + lip_loss(head, (decoded * model.motion_scale + model.motion_mean), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.prior.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 200 == 0 or step == args.steps:
            model.prior.eval()
            with torch.no_grad():
                there = model.prior(model.standardise(held))[0]
                curves = model.curves(there)
                got, wanted = head(curves), head(held)
                r = torch.corrcoef(torch.stack([got[..., 0].flatten(), wanted[..., 0].flatten()]))[0, 1]
                used = int((model.prior.quantiser.counts > 0.05).sum())
            print(
                f"step {step}: loss {loss.item():.4f}, commitment {quantised.loss.item():.4f}, held-out aperture r "
                f"{r:.4f}, error {1e3 * (got - wanted).abs().mean():.2f} mm, curves "
                f"{(curves - held).abs().mean():.4f}, codes in use {used}, {time.time() - began:.0f} s",
                flush=True,
            )
            names = ("prior.", "motion_mean", "motion_scale")
            save_file(
                {k: v.contiguous() for k, v in model.state_dict().items() if k.startswith(names)},
                state / "model.safetensors",
            )
            torch.save(optimizer.state_dict(), state / "optimizer.pt")
            (state / "progress.json").write_text(json.dumps({"step": step, "config": dataclasses.asdict(CONFIG)}))


def load_prior(model: LSF, folder: Path) -> None:
    """Take the prior and the channels' standardisation from a finished or unfinished first stage."""
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not unexpected, unexpected


if __name__ == "__main__":
    main()
