"""Second stage: speech to the frozen prior's latent.

    python -m server.training.train_predictor --data DATA --work WORK --whisper WHISPER --out CHECKPOINT

The latent is regressed and passes straight through the codes; the loss is taken on it, on the decoded curves and, above
all, on the lips of the mesh. Identity is learned as what it does to a mouth: on a face whose eyes are wide apart and
whose mouth is small, the same speech needs larger weights to look the same (`Lips.reach`). A running mean of the
weights is what is measured and kept; the best one on clips and voices kept out is written to --out. What is left out
(--without) is measured all the same, but does not choose. Resumes from WORK/predictor at any time.
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
from ..model.sie_encoder import FeatureNorm
from . import dataset, features, train_prior
from .labels import lips

CONFIG = replace(train_prior.CONFIG, feature_noise=0.3, dropout=0.2, direct_width=192)
STEPS, BATCH, SEED = 1800, 16, 1  # BATCH clips of 3 s
RATE, DECAY, MEAN = 1e-3, 0.02, 0.995  # learning rate, weight decay, memory of the running mean of the weights
SHARES = {
    "grid": 0.32,
    "kokoro": 0.20,
    "kokoro_more": 0.18,
    "facegood": 0.12,
    "ljspeech": 0.04,
    "emodb": 0.10,
    "quiet": 0.04,
}
CODES, CURVES, LIPS = 0.3, 1.0, 1.0  # weights of the losses
EVERY = 150  # steps between two looks at the clips kept out
# what each of these counts in choosing the best step
HELD = {"grid": 1.0, "facegood": 0.5, "kokoro": 0.5, "kokoro_more": 0.5, "emodb": 0.5}

MOUTH = torch.tensor([c.startswith(("jaw", "mouth")) for c in arkit.CHANNELS])
NORMS = ("motion_norm", "emotion_norm")


def with_features_given(model: LSF, stretches: list[dataset.Stretch]) -> LSF:
    """Take already projected features: the frontend's norms give way to ones that half-whiten them and add noise.

    Principal components as they are differ by a factor of 40 in size, so that weight decay and noise would silence the
    small ones; whitened ones make all of them equally loud, which fits the one tracked speaker's voice.
    """
    rows = torch.from_numpy(np.concatenate([s.features[::7] for s in stretches[::5]]).astype(np.float32))
    motion, emotion = rows.tensor_split((CONFIG.fold * CONFIG.motion_components,), -1)
    for name, part in zip(NORMS, (motion, emotion), strict=True):
        norm = FeatureNorm(getattr(model, name).size, 0, CONFIG.feature_noise)
        norm.scale.copy_(part.unflatten(-1, (CONFIG.fold, -1)).flatten(0, 1).std(0).sqrt() * 0.5)
        setattr(model, name, norm)
    return model


def forward(model: LSF, folded: Tensor, mask: Tensor | None = None, identity: Tensor | None = None):
    """Folded features (B, F, fold · (motion + emotion components)) -> Output"""
    motion, emotion = folded.tensor_split((CONFIG.fold * CONFIG.motion_components,), -1)
    motion, emotion = (x.unflatten(2, (CONFIG.fold, -1)).flatten(1, 2) for x in (motion, emotion))
    return model(motion, emotion, identity, mask)


def loss_of(model: LSF, head: lips.Lips, batch, weights: Tensor) -> dict[str, Tensor]:
    folded, curves, mask = batch
    identity = torch.randn(len(folded), CONFIG.identity_size) * (torch.rand(len(folded), 1) < 0.7)
    curves = curves * torch.where(MOUTH, head.reach(identity)[:, None, None], 1.0)
    output = forward(model, folded, mask, identity)
    target = model.standardise(curves)
    with torch.no_grad():
        truth = model.prior.quantiser(model.prior.encode(target, mask), mask).latent
    raw = output.standardised * model.motion_scale + model.motion_mean
    losses = {
        "codes": (output.z - truth).abs()[mask].mean(),
        "curves": (weights * (output.standardised - target).abs()).sum(-1)[mask].mean(),
        "lips": train_prior.lip_loss(head, raw[mask], curves[mask]).mean(),
    }
    return {"loss": CODES * losses["codes"] + CURVES * losses["curves"] + LIPS * losses["lips"]} | losses


@torch.no_grad()
def validate(model: LSF, head: lips.Lips, sets: dict[str, list[dataset.Stretch]]) -> dict[str, float]:
    """Median r of the aperture on the mesh for clips and voices kept out."""
    model.eval()
    report = {}
    for corpus, several in sets.items():
        scores = []
        for s in several:
            output = forward(model, torch.from_numpy(np.asarray(s.features, np.float32))[None])
            got = head(output.motion[0])[:, 0].numpy()
            wanted = head(torch.from_numpy(s.curves))[:, 0].numpy()
            if corpus == "grid":  # between the first and last opening: silence is easy
                moving = np.flatnonzero(wanted > 0.002)
                got, wanted = got[moving[0] : moving[-1] + 1], wanted[moving[0] : moving[-1] + 1]
            if wanted.std() > 1e-4:
                scores.append(np.corrcoef(got, wanted)[0, 1])
        report[corpus] = float(np.median(scores))
    return report


def main() -> None:
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
    head = lips.of_head()
    shares = {c: s for c, s in SHARES.items() if c not in args.without and dataset.copies(args.work, c)}
    shares = {c: s / sum(shares.values()) for c, s in shares.items()}
    train = [s for c in shares for s in dataset.load(args.work, args.data, c, dataset.copies(args.work, c), "train")]
    held = {c: dataset.load(args.work, args.data, c, [0], "valid") for c in HELD}
    sampler = dataset.Sampler(train, shares, BATCH, args.seed)
    model = with_features_given(LSF(CONFIG), train)
    train_prior.load_prior(model, args.work / "prior")
    model.prior.requires_grad_(False)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    mean = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    weights = train_prior.channel_weights()
    state = args.work / ("predictor" + "".join(f"_without_{c}" for c in args.without) + f"_{args.seed}")
    step, best = 0, -1.0
    if (state / "progress.json").exists():
        progress = json.loads((state / "progress.json").read_text())
        step, best = progress["step"], progress["best"]
        model.load_state_dict(load_file(state / "model.safetensors"), strict=False)
        mean = load_file(state / "mean.safetensors")
        optimizer.load_state_dict(torch.load(state / "optimizer.pt", weights_only=True))
        sampler.rng = np.random.default_rng([args.seed, step])
    state.mkdir(exist_ok=True)
    began, running = time.time(), {}
    while step < args.steps:
        for group in optimizer.param_groups:
            group["lr"] = RATE * train_prior.warmed_cosine(step, args.steps)
        model.train()
        model.prior.eval()
        losses = loss_of(model, head, sampler.draw(), weights)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        step += 1
        memory = min(MEAN, step / (step + 10))
        for name, parameter in trained.items():
            mean[name].lerp_(parameter.detach(), 1 - memory)
        running = {k: 0.98 * running.get(k, v.item()) + 0.02 * v.item() for k, v in losses.items()}
        if step % EVERY and step != args.steps:
            continue
        live = {n: p.detach().clone() for n, p in trained.items()}
        model.load_state_dict(mean, strict=False)
        scores = validate(model, head, held)
        score = sum(HELD[corpus] * r for corpus, r in scores.items() if corpus not in args.without)
        print(
            f"step {step}: "
            + ", ".join(f"{k} {v:.3f}" for k, v in running.items())
            + " | kept out: "
            + ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
            + f" | {time.time() - began:.0f} s",
            flush=True,
        )
        scales = {f"{name}.scale": model.get_buffer(f"{name}.scale") for name in NORMS}
        if score > best:
            best = score
            save_file({k: v.contiguous() for k, v in (mean | scales).items()}, state / "best.safetensors")
        model.load_state_dict(live, strict=False)
        save_file({k: v.contiguous() for k, v in (live | scales).items()}, state / "model.safetensors")
        save_file({k: v.contiguous() for k, v in mean.items()}, state / "mean.safetensors")
        torch.save(optimizer.state_dict(), state / "optimizer.pt")
        (state / "progress.json").write_text(json.dumps({"step": step, "best": best}))
    assemble(args.work, args.whisper, state / "best.safetensors").save_pretrained(args.out)


def assemble(work: Path, whisper: Path, trained: Path) -> LSF:
    """The whole model: backbone, frontend, prior and the trained predictor."""
    model = LSF(CONFIG).eval()
    model.motion_backbone.load_encoder(load_file(whisper / "model.safetensors"))
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
