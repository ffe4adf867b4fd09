"""Second stage: the predictor, from speech to the latent of the frozen prior.

    python -m server.training.train_predictor --data DATA --work WORK --whisper WHISPER --out CHECKPOINT

The predictor regresses the latent; the gradient passes the quantisation straight through. The loss is the weighted sum
of the errors of the latent, of the decoded curves and of the lips of the mesh. Identity is learned by its effect on the
mouth: on a face with a small mouth and eyes wide apart, the same speech needs larger weights to look the same
(`Lips.identity_gain`). An exponential moving average of the weights is validated on held-out clips and voices; the best
one is written to --out. A corpus that is left out (--without) is validated as well, but does not count in the choice.
Training resumes from the folder WORK/predictor_SEED.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .. import arkit
from ..model import LSF
from ..model.lsf import Output
from ..model.sie_encoder import FeatureNorm
from . import dataset, features, train_prior
from .labels import lips

CONFIG = replace(train_prior.CONFIG, feature_noise=0.3, dropout=0.2, direct_width=192)
STEPS, BATCH, SEED = 1800, 16, 1  # BATCH crops of 3 s
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.02
EMA_DECAY = 0.995  # of the moving average of the weights
IDENTITY_SHARE = 0.7  # of the samples with a random identity; the others have the average face
SHARES = {  # of the crops, by corpus
    "grid": 0.32,
    "kokoro": 0.20,
    "kokoro_more": 0.18,
    "facegood": 0.12,
    "ljspeech": 0.04,
    "emodb": 0.10,
    "non_speech": 0.04,
}
LATENT_WEIGHT, CURVE_WEIGHT, LIP_WEIGHT = 0.3, 1.0, 1.0  # of the losses
VALIDATION_INTERVAL = 150  # steps
OPEN_APERTURE = 0.002  # metres: speech has begun when the mouth is open further
# Weights of the corpora in the choice of the best step.
VALIDATION_WEIGHTS = {"grid": 1.0, "facegood": 0.5, "kokoro": 0.5, "kokoro_more": 0.5, "emodb": 0.5}

MOUTH = torch.tensor([c.startswith(("jaw", "mouth")) for c in arkit.CHANNELS])
NORMS = ("motion_norm", "emotion_norm")


def with_precomputed_features(model: LSF, sequences: list[dataset.LabelledSequence]) -> LSF:
    """Replace the model's feature norms by ones that take projected features, half-whiten them and add noise.

    The standard deviations of the principal components differ by a factor of 40, so that weight decay and noise would
    suppress the small ones. Full whitening would give all of them the same weight, which overfits to the voice of the
    only tracked speaker.

    Args:
        model: The model. Changed in place.
        sequences: Training data, from which the scales are taken.

    Returns:
        The same model.
    """
    rows = torch.from_numpy(np.concatenate([s.features[::7] for s in sequences[::5]]).astype(np.float32))
    motion, emotion = rows.tensor_split((CONFIG.frame_stack * CONFIG.motion_components,), -1)
    for name, part in zip(NORMS, (motion, emotion), strict=True):
        norm = FeatureNorm(getattr(model, name).size, 0, CONFIG.feature_noise)
        norm.scale.copy_(part.reshape(len(part) * CONFIG.frame_stack, -1).std(0).sqrt() * 0.5)
        setattr(model, name, norm)
    return model


def forward(model: LSF, stacked: Tensor, mask: Tensor | None = None, identity: Tensor | None = None) -> Output:
    """Run the model on cached features.

    Args:
        model: A model of `with_precomputed_features`.
        stacked: (B, F, frame_stack · (motion + emotion components)) features at 25 fps.
        mask: (B, F) valid frames; None: all.
        identity: (B, identity_size) coefficients; None: the average face.

    Returns:
        The output of LSF.forward.
    """
    motion, emotion = stacked.tensor_split((CONFIG.frame_stack * CONFIG.motion_components,), -1)
    motion, emotion = (x.reshape(len(x), CONFIG.frame_stack * x.shape[1], -1) for x in (motion, emotion))
    output: Output = model(motion, emotion, identity, mask)
    return output


def batch_losses(
    model: LSF, head: lips.Lips, batch: tuple[Tensor, Tensor, Tensor], weights: Tensor
) -> dict[str, Tensor]:
    """Return the losses of a batch, with random identities.

    Args:
        model: A model of `with_precomputed_features`.
        head: Lips of the project's head.
        batch: Features, curves and mask of `dataset.Sampler.draw`.
        weights: (52,) weights of the channels.

    Returns:
        `loss`, the weighted sum to minimise, and its terms `codes`, `curves` and `lips`.
    """
    stacked, curves, mask = batch
    identity = torch.randn(len(stacked), CONFIG.identity_size) * (torch.rand(len(stacked), 1) < IDENTITY_SHARE)
    curves = curves * torch.where(MOUTH, head.identity_gain(identity)[:, None, None], 1.0)
    output = forward(model, stacked, mask, identity)
    target = model.standardise(curves)
    with torch.no_grad():
        truth = model.prior.quantiser(model.prior.encode(target, mask), mask).latent
    raw = output.standardised * model.motion_scale + model.motion_mean
    losses = {
        "codes": (output.z - truth).abs()[mask].mean(),
        "curves": (weights * (output.standardised - target).abs()).sum(-1)[mask].mean(),
        "lips": train_prior.lip_loss(head, raw[mask], curves[mask]).mean(),
    }
    loss = LATENT_WEIGHT * losses["codes"] + CURVE_WEIGHT * losses["curves"] + LIP_WEIGHT * losses["lips"]
    return {"loss": loss} | losses


@torch.no_grad()
def validate(model: LSF, head: lips.Lips, sets: dict[str, list[dataset.LabelledSequence]]) -> dict[str, float]:
    """Return the median Pearson r of the aperture on the mesh over held-out sequences, by corpus."""
    model.eval()
    report = {}
    for corpus, several in sets.items():
        scores = []
        for s in several:
            output = forward(model, torch.from_numpy(np.asarray(s.features, np.float32))[None])
            predicted = head(output.motion[0])[:, 0].numpy()
            wanted = head(torch.from_numpy(s.curves))[:, 0].numpy()
            if corpus == "grid":  # from the first to the last opening: silence around them would raise the score
                open_frames = np.flatnonzero(wanted > OPEN_APERTURE)
                span = slice(open_frames[0], open_frames[-1] + 1)
                predicted, wanted = predicted[span], wanted[span]
            if wanted.std() > 1e-4:
                scores.append(np.corrcoef(predicted, wanted)[0, 1])
        report[corpus] = float(np.median(scores))
    return report


def main() -> None:
    """Train the predictor and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished checkpoint")
    parser.add_argument("--without", nargs="*", default=[], help="corpora to leave out (leave-one-set-out tests)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    head = lips.load_lips()
    shares = {c: s for c, s in SHARES.items() if c not in args.without and dataset.available_copies(args.work, c)}
    shares = {c: s / sum(shares.values()) for c, s in shares.items()}
    train = [
        s
        for c in shares
        for s in dataset.load(args.work, args.data, c, dataset.available_copies(args.work, c), "train")
    ]
    validation = {c: dataset.load(args.work, args.data, c, [0], "valid") for c in VALIDATION_WEIGHTS}
    sampler = dataset.Sampler(train, shares, BATCH, args.seed)
    model = with_precomputed_features(LSF(CONFIG), train)
    train_prior.load_prior(model, args.work / "prior")
    model.prior.requires_grad_(False)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    average = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    weights = train_prior.channel_weights()
    state = args.work / ("predictor" + "".join(f"_without_{c}" for c in args.without) + f"_{args.seed}")
    step, best = 0, -1.0
    if (state / "progress.json").exists():
        progress = json.loads((state / "progress.json").read_text())
        step, best = progress["step"], progress["best"]
        model.load_state_dict(load_file(state / "model.safetensors"), strict=False)
        average = load_file(state / "average.safetensors")
        optimizer.load_state_dict(torch.load(state / "optimizer.pt", weights_only=True))
        sampler.rng = np.random.default_rng([args.seed, step])
    state.mkdir(exist_ok=True)
    start = time.time()
    running: dict[str, float] = {}
    while step < args.steps:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * train_prior.learning_rate_factor(step, args.steps)
        model.train()
        model.prior.eval()
        losses = batch_losses(model, head, sampler.draw(), weights)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        step += 1
        decay = min(EMA_DECAY, step / (step + 10))
        for name, parameter in trained.items():
            average[name].lerp_(parameter.detach(), 1 - decay)
        running = {k: 0.98 * running.get(k, v.item()) + 0.02 * v.item() for k, v in losses.items()}
        if step % VALIDATION_INTERVAL and step != args.steps:
            continue
        live = {n: p.detach().clone() for n, p in trained.items()}
        model.load_state_dict(average, strict=False)
        scores = validate(model, head, validation)
        score = sum(VALIDATION_WEIGHTS[corpus] * r for corpus, r in scores.items() if corpus not in args.without)
        print(
            f"step {step}: "
            + ", ".join(f"{k} {v:.3f}" for k, v in running.items())
            + " | held out: "
            + ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
            + f" | {time.time() - start:.0f} s",
            flush=True,
        )
        scales = {f"{name}.scale": model.get_buffer(f"{name}.scale") for name in NORMS}
        if score > best:
            best = score
            save_file({k: v.contiguous() for k, v in (average | scales).items()}, state / "best.safetensors")
        model.load_state_dict(live, strict=False)
        save_file({k: v.contiguous() for k, v in (live | scales).items()}, state / "model.safetensors")
        save_file({k: v.contiguous() for k, v in average.items()}, state / "average.safetensors")
        torch.save(optimizer.state_dict(), state / "optimizer.pt")
        (state / "progress.json").write_text(json.dumps({"step": step, "best": best}))
    assemble(args.work, args.whisper, state / "best.safetensors").save_pretrained(args.out)


def assemble(work: Path, whisper: Path, trained: Path) -> LSF:
    """Return the complete model: backbone, frontend, prior, emotion reader and the trained predictor.

    Args:
        work: Folder of the earlier steps' results.
        whisper: Folder that convert_whisper wrote.
        trained: File of the predictor's weights and feature scales.
    """
    model = LSF(CONFIG).eval()
    features.load_backbone(model, whisper)
    features.load_frontend(model, work / "frontend.safetensors")
    train_prior.load_prior(model, work / "prior")
    model.load_state_dict(load_file(work / "emotion.safetensors"), strict=False)
    state = load_file(trained)
    for name in NORMS:
        model.get_buffer(f"{name}.projection").div_(state.pop(f"{name}.scale"))
    model.load_state_dict(state, strict=False)
    return model


if __name__ == "__main__":
    main()
