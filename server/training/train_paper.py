"""Both stages as published, on 3DMEAD: FLAME motion, HuBERT, an emotion2vec-sized second backbone, batch 1.

    python -m server.training.train_paper --data DATA --out CHECKPOINT [--hubert FOLDER] [--emotion FOLDER]

DATA/3DMEAD is read by `corpora.mead3d`; FOLDERs hold backbones in `transformers`' form (config.json and
model.safetensors). Left out, a backbone starts from random weights, which is of use for trying the code alone. An
`.npz` clip may hold `shape`, FLAME's identity coefficients; without them every face is the average. Resumes from
OUT/training at any epoch.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from ..model import LSF, LSFConfig
from ..model.losses import predictor_loss, prior_loss
from . import corpora

PRIOR_EPOCHS, PRIOR_RATE = 201, 1e-4
EPOCHS, RATE = 201, 1e-5
SEED = 1


def motion_of(clip: corpora.Clip) -> Tensor:
    """(1, F, 53)"""
    return torch.from_numpy(clip.curves)[None]


def identity_of(clip: corpora.Clip, size: int) -> Tensor:
    """(1, size) FLAME shape coefficients beside the clip, or zeros."""
    shape = np.zeros(size, np.float32)
    path = clip.audio.with_suffix(".npz")
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            if "shape" in stored:
                given = stored["shape"].ravel()[:size]
                shape[: len(given)] = given
    return torch.from_numpy(shape)[None]


def spoken(model: LSF, clip: corpora.Clip):
    """The model's output for a clip and its true motion, cut to the same frames."""
    audio = torch.from_numpy(soundfile.read(str(clip.audio), dtype="float32")[0])
    motion = motion_of(clip)
    frames = min(motion.shape[1], model.frame_count(len(audio)), model.longest)
    features = [f[None] for f in model.encode_audio(audio, 0, frames)]
    return model(*features, identity_of(clip, model.config.identity_size)), motion[:, :frames]


def fit_scale(model: LSF, clips: list[corpora.Clip]) -> None:
    everything = torch.cat([motion_of(c)[0] for c in clips])
    model.motion_mean.copy_(everything.mean(0))
    model.motion_scale.copy_(everything.std(0).clamp_min(1e-4))


def run_epochs(
    model: LSF,
    stage: str,
    clips: list[corpora.Clip],
    loss_of,
    parameters,
    rate: float,
    betas,
    epochs: int,
    folder: Path,
) -> None:
    """Batches of one clip in a new order every epoch; weights and place are kept after each."""
    optimizer = torch.optim.AdamW(parameters, rate, betas=betas, weight_decay=0.01 if stage == "prior" else 0.0)
    place, weights = folder / f"{stage}.json", folder / f"{stage}.pt"
    first = 0
    if place.exists():
        first = json.loads(place.read_text())["epoch"]
        stored = torch.load(weights, weights_only=True)
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
    for epoch in range(first, epochs):
        model.train()
        if stage == "predictor":
            model.prior.eval()
        total = 0.0
        for i in np.random.default_rng([SEED, epoch]).permutation(len(clips)):
            loss = loss_of(clips[i])["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"{stage} epoch {epoch + 1}: {total / len(clips):.4f}", flush=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, weights)
        place.write_text(json.dumps({"epoch": epoch + 1}))


def train(model: LSF, clips: list[corpora.Clip], out: Path, prior_epochs: int, epochs: int) -> None:
    """Stage one on motion alone, stage two with the prior frozen."""
    folder = out / "training"
    folder.mkdir(parents=True, exist_ok=True)
    fit_scale(model, clips)
    run_epochs(
        model,
        "prior",
        clips,
        lambda c: prior_loss(model, motion_of(c)),
        model.prior.parameters(),
        PRIOR_RATE,
        (0.9, 0.98),
        prior_epochs,
        folder,
    )
    model.prior.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    run_epochs(
        model,
        "predictor",
        clips,
        lambda c: predictor_loss(model, *spoken(model, c)),
        trained,
        RATE,
        (0.9, 0.999),
        epochs,
        folder,
    )
    model.eval().save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hubert", type=Path)
    parser.add_argument("--emotion", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--prior-epochs", type=int, default=PRIOR_EPOCHS)
    args = parser.parse_args()
    torch.manual_seed(SEED)
    model = LSF(LSFConfig.paper())
    for backbone, folder in ((model.motion_backbone, args.hubert), (model.emotion_backbone, args.emotion)):
        if folder is not None:
            backbone.load_folder(folder)
    clips = [c for c in corpora.read("mead3d", args.data) if c.split == "train"]
    train(model, clips, args.out, args.prior_epochs, args.epochs)


if __name__ == "__main__":
    main()
