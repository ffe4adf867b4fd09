"""Training of both stages as in the paper, on 3DMEAD: FLAME motion, HuBERT, an emotion2vec-sized backbone, batch 1.

    python -m server.training.train_paper --data DATA --out CHECKPOINT [--hubert FOLDER] [--emotion FOLDER]

DATA/3DMEAD is read by `corpora.read_mead3d`. FOLDERs hold backbones in `transformers`' format (config.json and
model.safetensors); a backbone that is left out starts from random weights, which is only useful to test the code. A
`.npz` clip may hold `shape`, FLAME's identity coefficients; without them the face is the average one. Training resumes
from CHECKPOINT/training after the last complete epoch.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files.audio import load_16k
from ..model import LSF, LSFConfig
from ..model.losses import predictor_loss, prior_loss
from ..model.lsf import Output
from ..model.wav2vec2 import Wav2Vec2ClassBackbone
from . import corpora
from .corpora import required

PRIOR_EPOCHS, PRIOR_LEARNING_RATE, PRIOR_BETAS, PRIOR_WEIGHT_DECAY = 201, 1e-4, (0.9, 0.98), 0.01
EPOCHS, LEARNING_RATE, BETAS = 201, 1e-5, (0.9, 0.999)
SEED = 1
MIN_SCALE = 1e-4  # lower limit of a channel's standard deviation, against division by 0


def clip_motion(clip: corpora.Clip) -> Tensor:
    """Return the FLAME curves (1, F, 53) of a clip."""
    return torch.from_numpy(required(clip.curves))[None]


def clip_identity(clip: corpora.Clip, size: int) -> Tensor:
    """Return the FLAME shape coefficients (1, size) that are stored with the clip, or zeros."""
    shape = np.zeros(size, np.float32)
    path = clip.audio.with_suffix(".npz")
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            if "shape" in stored:
                given = stored["shape"].ravel()[:size]
                shape[: len(given)] = given
    return torch.from_numpy(shape)[None]


def predict(model: LSF, clip: corpora.Clip) -> tuple[Output, Tensor]:
    """Return the model's output for a clip and its true motion (1, F, 53), cut to the same frames."""
    audio = torch.from_numpy(load_16k(clip.audio))
    motion = clip_motion(clip)
    frames = min(motion.shape[1], model.frame_count(len(audio)), model.max_frames)
    features = [f[None] for f in model.encode_audio(audio, 0, frames)]
    output: Output = model(*features, clip_identity(clip, model.config.identity_size))
    return output, motion[:, :frames]


def fit_scale(model: LSF, clips: list[corpora.Clip]) -> None:
    """Set the mean and standard deviation by which the model standardises the curves."""
    everything = torch.cat([clip_motion(c)[0] for c in clips])
    model.motion_mean.copy_(everything.mean(0))
    model.motion_scale.copy_(everything.std(0).clamp_min(MIN_SCALE))


def run_epochs(
    model: LSF,
    stage: str,
    clips: list[corpora.Clip],
    clip_loss: Callable[[corpora.Clip], dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    folder: Path,
) -> None:
    """Train one stage, one clip per step, in a new order every epoch; resume from and save to `folder`.

    Args:
        model: The model.
        stage: "prior" or "predictor"; the name of the files in `folder`.
        clips: Training clips.
        clip_loss: Returns the losses of a clip; `loss` is minimised.
        optimizer: Optimiser of the parameters to train.
        epochs: Number of the last epoch.
        folder: Folder of the training state.
    """
    progress, weights = folder / f"{stage}.json", folder / f"{stage}.pt"
    first = 0
    if progress.exists():
        first = json.loads(progress.read_text())["epoch"]
        stored = torch.load(weights, weights_only=True)
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
    for epoch in range(first, epochs):
        model.train()
        if stage == "predictor":
            model.prior.eval()
        total = 0.0
        for i in np.random.default_rng([SEED, epoch]).permutation(len(clips)):
            loss = clip_loss(clips[i])["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"{stage} epoch {epoch + 1}: {total / len(clips):.4f}", flush=True)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, weights)
        progress.write_text(json.dumps({"epoch": epoch + 1}))


def train(model: LSF, clips: list[corpora.Clip], out: Path, prior_epochs: int, epochs: int) -> None:
    """Train both stages and save the checkpoint.

    Args:
        model: The untrained model.
        clips: Training clips of 3DMEAD.
        out: Folder of the checkpoint; its subfolder `training` holds the state to resume from.
        prior_epochs: Epochs of stage one, the prior, on motion alone.
        epochs: Epochs of stage two, the predictor, with the prior frozen.
    """
    folder = out / "training"
    folder.mkdir(parents=True, exist_ok=True)
    fit_scale(model, clips)
    optimizer = torch.optim.AdamW(
        model.prior.parameters(), PRIOR_LEARNING_RATE, betas=PRIOR_BETAS, weight_decay=PRIOR_WEIGHT_DECAY
    )
    run_epochs(model, "prior", clips, lambda c: prior_loss(model, clip_motion(c)), optimizer, prior_epochs, folder)
    model.prior.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, LEARNING_RATE, betas=BETAS, weight_decay=0.0)
    run_epochs(
        model, "predictor", clips, lambda c: predictor_loss(model, *predict(model, c)), optimizer, epochs, folder
    )
    model.eval().save_pretrained(out)


def main() -> None:
    """Train on 3DMEAD and write the checkpoint."""
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
        if folder is not None and isinstance(backbone, Wav2Vec2ClassBackbone):
            backbone.load_folder(folder)
    clips = [c for c in corpora.read("mead3d", args.data) if c.split == "train"]
    train(model, clips, args.out, args.prior_epochs, args.epochs)


if __name__ == "__main__":
    main()
