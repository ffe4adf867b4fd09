"""First stage: the VQ motion prior, on motion alone. `python -m server.training.train_prior --work WORK`.

It is trained on the curves of tracked, captured and labelled speech, held-out clips included, with random amplitudes,
expressions and brow movement, so that the codes can represent all of these. Training resumes from the folder
WORK/prior.
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
from torch import Tensor

from .. import arkit
from ..model import LSF, LSFConfig
from ..model.motion_prior import AveragedQuantiser
from ..numerics import FloatArray
from ..performance.easing import attack_release
from ..protocol.emotions import EMOTIONS
from . import FPS, dataset
from .labels import expression_targets, lips

CONFIG = LSFConfig(motion_components=384, residual_stages=1, prior_layers=2)
STEPS, BATCH, FRAMES, LEARNING_RATE, SEED = 1400, 12, 80, 4e-4, 1
VALIDATION_SEED, VALIDATION_BATCH = 99, 64
SAVE_INTERVAL = 200  # steps
MAX_PADDING = 6  # frames by which a clip may be too short; its last frame is repeated
SHARES = {"grid": 0.35, "kokoro": 0.35, "facegood": 0.2, "ljspeech": 0.1}
MIN_SCALE = 0.05  # lower limit of a channel's standard deviation: noise of still channels must not be amplified
COMMITMENT_WEIGHT = 1.5  # of the quantiser's loss
APERTURE_WEIGHT, WIDTH_WEIGHT = 0.15, 0.1  # loss per millimetre of error on the mesh
CLOSENESS_WEIGHT = 3  # additional weight of lips that touch; 1 mm apart it is 1/e of that


def channel_weights() -> Tensor:
    """Return the weights (52,) of the channels in the loss: large for the mouth, small for still channels; sum 1."""
    weights = torch.tensor([3.0 if c.startswith(("jawOpen", "mouth")) else 1.0 for c in arkit.CHANNELS])
    still = ("eyeLook", "jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "tongueOut", "cheekPuff")
    weights[[c.startswith(still) for c in arkit.CHANNELS]] = 0.2
    return weights / weights.sum()


def read_motion(work: Path) -> dict[str, list[FloatArray]]:
    """Return the target curves (F, 52) of all clips, by corpus."""
    return {corpus: list(dict(np.load(work / "targets" / f"{corpus}.npz")).values()) for corpus in SHARES}


def augment_motion(curves: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return speech (F, 52) with a random amplitude and, mostly, with a temporary expression and brow movement."""
    curves = curves * rng.uniform(0.75, 1.25)
    frames = len(curves)
    gate = attack_release((rng.random() < np.cumsum(rng.uniform(0, 0.04, frames))).astype(float), 0.25, 0.6, FPS)
    pose = expression_targets.pose(rng.choice(EMOTIONS))
    curves += gate[:, None].astype(np.float32) * pose * rng.uniform(0.2, 1.3, len(pose)).astype(np.float32)
    wave = attack_release(np.clip(rng.standard_normal(frames).cumsum() / 5, 0, 1), 0.1, 0.3, FPS)
    for name in ("browInnerUp", "browOuterUp", "browDown", "eyeWide"):
        if rng.random() < 0.4:
            curves[:, arkit.channel_indices(name)] += (rng.uniform(0, 0.8) * wave)[:, None].astype(np.float32)
    if rng.random() < 0.15:  # a mouth almost at rest
        curves[:, [i for i in range(len(arkit.CHANNELS)) if i not in dataset.UPPER_FACE]] *= rng.uniform(0, 0.1)
    return curves.clip(0, 1).astype(np.float32)


def draw(motion: dict[str, list[FloatArray]], rng: np.random.Generator, batch: int = BATCH) -> Tensor:
    """Draw a batch of augmented motion.

    Args:
        motion: Curves of the clips by corpus; SHARES has the probability of each corpus.
        rng: Source of the random draws.
        batch: Number of samples.

    Returns:
        (batch, FRAMES, 52).
    """
    rows: list[FloatArray] = []
    while len(rows) < batch:
        clips = motion[rng.choice(list(SHARES), p=list(SHARES.values()))]
        clip = clips[rng.integers(len(clips))]
        if len(clip) >= FRAMES - MAX_PADDING:
            first = rng.integers(0, max(1, len(clip) - FRAMES + 1))
            part = augment_motion(clip[first : first + FRAMES], rng)
            rows.append(np.pad(part, ((0, FRAMES - len(part)), (0, 0)), "edge"))
    return torch.from_numpy(np.stack(rows))


def learning_rate_factor(step: int, steps: int) -> float:
    """Return the factor on the learning rate: linear warm-up in 100 steps, then a cosine decay to 2 %."""
    return min(1.0, (step + 1) / 100) * (0.02 + 0.98 * math.cos(math.pi / 2 * step / steps) ** 2)


def lip_loss(head: lips.Lips, curves: Tensor, target: Tensor) -> Tensor:
    """Return the loss of aperture and width on the mesh.

    The aperture has more weight where the lips of the target nearly meet, against missed closures, or the predicted
    lips do, against false closures.

    Args:
        head: Lips of the project's head.
        curves: (..., 52) predicted weights.
        target: (..., 52) target weights.

    Returns:
        (...) losses per frame.
    """
    predicted, wanted = head(curves), head(target)
    error = 1e3 * (predicted - wanted).abs()
    millimetres = 1e3 * torch.minimum(predicted, wanted)[..., 0].detach()
    closeness = 1 + CLOSENESS_WEIGHT * torch.exp(-millimetres)
    loss: Tensor = APERTURE_WEIGHT * closeness * error[..., 0] + WIDTH_WEIGHT * error[..., 1]
    return loss


def main() -> None:
    """Train the prior and write it to WORK/prior."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    head = lips.load_lips()
    motion = read_motion(args.work)
    rng = np.random.default_rng(SEED)
    model = LSF(CONFIG)
    quantiser = model.prior.quantiser
    assert isinstance(quantiser, AveragedQuantiser)
    frames = draw(motion, rng, 400).flatten(0, 1)
    model.motion_mean.copy_(frames.mean(0))
    model.motion_scale.copy_(frames.std(0).clamp_min(MIN_SCALE))
    validation = draw(motion, np.random.default_rng(VALIDATION_SEED), VALIDATION_BATCH)
    optimizer = torch.optim.AdamW(model.prior.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=1e-4)
    state, step = args.work / "prior", 0
    state.mkdir(exist_ok=True)
    if (state / "progress.json").exists():
        step = json.loads((state / "progress.json").read_text())["step"]
        load_prior(model, state)
        optimizer.load_state_dict(torch.load(state / "optimizer.pt", weights_only=True))
        rng = np.random.default_rng([SEED, step])
    weights, start = channel_weights(), time.time()
    while step < args.steps:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * learning_rate_factor(step, args.steps)
        model.prior.train()
        batch = draw(motion, rng)
        target = model.standardise(batch)
        decoded, quantised = model.prior(target)
        loss = (weights * (decoded - target).abs()).sum(-1).mean() + COMMITMENT_WEIGHT * quantised.loss
        loss = loss + lip_loss(head, (decoded * model.motion_scale + model.motion_mean), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.prior.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % SAVE_INTERVAL == 0 or step == args.steps:
            model.prior.eval()
            with torch.no_grad():
                curves = model.destandardise(model.prior(model.standardise(validation))[0])
                predicted, wanted = head(curves), head(validation)
                r = torch.corrcoef(torch.stack([predicted[..., 0].flatten(), wanted[..., 0].flatten()]))[0, 1]
                used = int((quantiser.counts > 0.05).sum())
            print(
                f"step {step}: loss {loss.item():.4f}, commitment {quantised.loss.item():.4f}, held-out aperture r "
                f"{r:.4f}, error {1e3 * (predicted - wanted).abs().mean():.2f} mm, curves "
                f"{(curves - validation).abs().mean():.4f}, codes in use {used}, {time.time() - start:.0f} s",
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
    """Load the prior and the standardisation of the channels.

    Args:
        model: The model to load them into.
        folder: WORK/prior, of a finished or unfinished first stage.
    """
    _missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not unexpected, unexpected


if __name__ == "__main__":
    main()
