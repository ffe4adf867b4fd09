"""Second stage: the predictor, from speech to the latent of the frozen prior.

    python -m server.training.train_predictor --data DATA --work WORK --whisper WHISPER --out CHECKPOINT

The predictor regresses the latent; the gradient passes the quantisation straight through. The loss is the weighted sum
of the errors of the latent, of the decoded curves and of the lips of the mesh. The target is the speech and the
expression of a random mixture of emotions (expression_targets.py), whose place in the emotion space the model gets.
Identity is learned by its effect on the mouth: on a face with a small mouth and eyes wide apart, the same speech needs
larger weights to look the same (`Lips.identity_gain`). An exponential moving average of the weights is validated on
held-out clips and voices; the best one is written to --out. A corpus that is left out (--without) is validated as well,
but does not count in the choice. Training resumes from the folder WORK/predictor_SEED.
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
from ..numerics import FloatArray
from ..protocol.emotions import EMOTIONS
from . import dataset, features, train_prior
from .labels import expression_targets, lips

CONFIG = replace(train_prior.CONFIG, feature_noise=0.75, dropout=0.2, direct_width=192)
STEPS, BATCH, SEED = 1500, 16, 1  # BATCH crops of 3 s
# The last steps see more of the tracked face and less noise: it is followed better, and so are people left out, whose
# recordings and habits are like this one's.
FINISHING_STEPS, FINISHING_SHARE, FINISHING_NOISE = 450, 0.45, 0.5  # the share is that of "grid"
LEARNING_RATE, FINISHING_RATE, WEIGHT_DECAY = 1e-3, 5e-4, 0.02
EMA_DECAY = 0.995  # of the moving average of the weights
IDENTITY_SHARE = 0.7  # of the samples with a random identity; the others have the average face
SHARES = {  # of the crops, by corpus
    "grid": 0.32,
    "kokoro": 0.26,
    "kokoro_more": 0.12,
    "ljspeech": 0.04,
    "emodb": 0.10,
    "emogator": 0.04,
    "non_speech": 0.04,
}
LATENT_WEIGHT, CURVE_WEIGHT, LIP_WEIGHT = 0.3, 1.0, 1.0  # of the losses
VALIDATION_INTERVAL = 150  # steps
EXPRESSION_STEP = 8  # of the sequences of every corpus, one in so many is used to validate the expression
MIN_SIZE = 0.1  # of an expression, of its target's size: a smaller one was not learned, and is not magnified
OPEN_APERTURE = 0.002  # metres: speech has begun when the mouth is open further
# Weights of the corpora in the choice of the best step.
VALIDATION_WEIGHTS = {"grid": 1.0, "kokoro": 0.5, "kokoro_more": 0.5, "emodb": 0.5}

NEUTRAL_SHARE = 0.5  # of the samples without an emotion
MIXED_SHARE = 0.15  # of the samples with two emotions; the others have one
MIN_STRENGTH = 0.3  # of an emotion; the greatest is 1
NEUTRAL = EMOTIONS.index("neutral")

MOUTH = torch.tensor([c.startswith(("jaw", "mouth")) for c in arkit.CHANNELS])


def with_precomputed_features(model: LSF, sequences: list[dataset.LabelledSequence]) -> LSF:
    """Replace the model's feature norm by one that takes projected features, half-whitens them and adds noise.

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
    norm = FeatureNorm(model.motion_norm.size, 0, CONFIG.feature_noise)
    norm.scale.copy_(rows.reshape(len(rows) * CONFIG.frame_stack, -1).std(0).sqrt() * 0.5)
    model.motion_norm = norm
    return model


def forward(
    model: LSF,
    stacked: Tensor,
    emotions: Tensor,
    mask: Tensor | None = None,
    identity: Tensor | None = None,
) -> Output:
    """Run the model on cached features.

    Args:
        model: A model of `with_precomputed_features`.
        stacked: (B, F, frame_stack · components) features at 25 fps.
        emotions: (B, 8) weights in the order of EMOTIONS.
        mask: (B, F) valid frames; None: all.
        identity: (B, identity_size) coefficients; None: the average face.

    Returns:
        The output of LSF.forward.
    """
    motion = stacked.reshape(len(stacked), CONFIG.frame_stack * stacked.shape[1], -1)
    output: Output = model(motion, model.emotion_places(emotions), identity, mask)
    return output


def draw_emotions(count: int, rng: np.random.Generator) -> Tensor:
    """Draw weights (count, 8) of emotions: none, one, or a mixture of two, of different strengths."""
    emotions = torch.zeros(count, len(EMOTIONS))
    others = [k for k in range(len(EMOTIONS)) if k != NEUTRAL]
    for row in emotions:
        kind, strength = rng.random(), float(rng.uniform(MIN_STRENGTH, 1))
        first, second = rng.choice(others, 2, replace=False)
        share = float(rng.random()) if kind < NEUTRAL_SHARE + MIXED_SHARE else 1.0
        if kind >= NEUTRAL_SHARE:
            row[first], row[second] = share * strength, (1 - share) * strength
    return emotions


def add_expression(speech: Tensor, intensity: Tensor, emotions: Tensor, poses: Tensor) -> Tensor:
    """Add the expression of emotions to speech.

    Args:
        speech: (B, F, 52) curves.
        intensity: (B, F) factor of a pose.
        emotions: (B, 8) weights in the order of EMOTIONS.
        poses: (8, 52) of `expression_targets.poses`.

    Returns:
        (B, F, 52) curves, 0 to 1.
    """
    return (speech + intensity[..., None] * (emotions @ poses)[:, None]).clamp(0, 1)


def batch_losses(
    model: LSF, head: lips.Lips, batch: dataset.Batch, weights: Tensor, poses: Tensor, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Return the losses of a batch, with random identities and emotions.

    Args:
        model: A model of `with_precomputed_features`.
        head: Lips of the project's head.
        batch: Result of `dataset.Sampler.draw`.
        weights: (52,) weights of the channels.
        poses: (8, 52) of `expression_targets.poses`.
        rng: Source of the emotions.

    Returns:
        `loss`, the weighted sum to minimise, and its terms `codes`, `curves` and `lips`.
    """
    count, mask = len(batch.features), batch.mask
    identity = torch.randn(count, CONFIG.identity_size) * (torch.rand(count, 1) < IDENTITY_SHARE)
    speech = batch.curves * torch.where(MOUTH, head.identity_gain(identity)[:, None, None], 1.0)
    emotions = draw_emotions(count, rng)
    curves = add_expression(speech, batch.intensity, emotions, poses)
    output = forward(model, batch.features, emotions, mask, identity)
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
def expression_changes(
    model: LSF, poses: Tensor, sequences: list[dataset.LabelledSequence]
) -> tuple[FloatArray, FloatArray]:
    """Return what each emotion at full strength changes in the curves of held-out sequences, and what it should change.

    Args:
        model: A model of `with_precomputed_features`.
        poses: (8, 52) of `expression_targets.poses`.
        sequences: The sequences.

    Returns:
        Predicted and wanted changes (8, N) of all channels and frames.
    """
    model.eval()
    emotions = torch.eye(len(EMOTIONS))
    predicted, wanted = [], []
    for s in sequences:
        features = torch.from_numpy(np.asarray(s.features, np.float32))[None].expand(len(emotions), -1, -1)
        motion = forward(model, features, emotions).motion
        predicted.append((motion - motion[NEUTRAL]).flatten(1))
        speech = torch.from_numpy(s.curves)[None].expand(len(emotions), -1, -1)
        changed = add_expression(speech, torch.from_numpy(s.intensity)[None], emotions, poses)
        wanted.append((changed - speech).flatten(1))
    return torch.cat(predicted, 1).numpy(), torch.cat(wanted, 1).numpy()


def expression_sizes(predicted: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the slope of predicted on wanted changes (8, N) for each emotion (8,): 1 is full size; neutral has 1."""
    square = np.square(wanted).sum(1)
    sizes: FloatArray = np.where(square > 0, (predicted * wanted).sum(1) / np.maximum(square, 1e-9), 1.0)
    return sizes


def expression_gain(sizes: FloatArray) -> Tensor:
    """Return the factors (8,) that give expressions of these sizes (8,) full size; 1 for those below MIN_SIZE."""
    return torch.from_numpy(1 / np.where(sizes < MIN_SIZE, 1.0, sizes))


@torch.no_grad()
def validate(model: LSF, head: lips.Lips, sets: dict[str, list[dataset.LabelledSequence]]) -> dict[str, float]:
    """Return the median Pearson r of the aperture on the mesh over held-out sequences, by corpus, without emotion."""
    model.eval()
    neutral = torch.zeros(1, len(EMOTIONS))
    report = {}
    for corpus, several in sets.items():
        scores = []
        for s in several:
            output = forward(model, torch.from_numpy(np.asarray(s.features, np.float32))[None], neutral)
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


def scaled(shares: dict[str, float]) -> dict[str, float]:
    """Return shares that sum to 1."""
    return {corpus: share / sum(shares.values()) for corpus, share in shares.items()}


def finishing_shares(shares: dict[str, float]) -> dict[str, float]:
    """Return the shares of the finishing steps: "grid" has FINISHING_SHARE, if it is there, the others the rest."""
    others = scaled({corpus: share for corpus, share in shares.items() if corpus != "grid"})
    if "grid" not in shares:
        return others
    return {"grid": FINISHING_SHARE} | {corpus: (1 - FINISHING_SHARE) * share for corpus, share in others.items()}


def main() -> None:
    """Train the predictor and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished checkpoint")
    parser.add_argument("--without", nargs="*", default=[], help="corpora to leave out (leave-one-set-out tests)")
    parser.add_argument("--steps", type=int, default=STEPS, help="before the finishing steps")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    head = lips.load_lips()
    shares = {c: s for c, s in SHARES.items() if c not in args.without and dataset.available_copies(args.work, c)}
    train = [
        s
        for c in shares
        for s in dataset.load(args.work, args.data, c, dataset.available_copies(args.work, c), "train")
    ]
    validation = {c: dataset.load(args.work, args.data, c, [0], "valid") for c in VALIDATION_WEIGHTS}
    expression_set = [s for several in validation.values() for s in several[::EXPRESSION_STEP]]
    sampler = dataset.Sampler(train, scaled(shares), BATCH, args.seed)
    model = with_precomputed_features(LSF(CONFIG), train)
    train_prior.load_prior(model, args.work / "prior")
    load_emotion_reader(model, args.work)
    model.prior.requires_grad_(False)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    average = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    weights, poses = train_prior.channel_weights(), torch.from_numpy(expression_targets.poses())
    emotion_rng = np.random.default_rng([args.seed, 1])
    state = args.work / ("predictor" + "".join(f"_without_{c}" for c in args.without) + f"_{args.seed}")
    step, best = 0, -1.0
    if (state / "progress.json").exists():
        progress = json.loads((state / "progress.json").read_text())
        step, best = progress["step"], progress["best"]
        model.load_state_dict(load_file(state / "model.safetensors"), strict=False)
        average = load_file(state / "average.safetensors")
        optimizer.load_state_dict(torch.load(state / "optimizer.pt", weights_only=True))
        sampler.rng, emotion_rng = np.random.default_rng([args.seed, step]), np.random.default_rng([args.seed, step, 1])
    state.mkdir(exist_ok=True)
    start = time.time()
    running: dict[str, float] = {}
    end = args.steps + FINISHING_STEPS
    while step < end:
        rate = LEARNING_RATE * train_prior.learning_rate_factor(step, args.steps)
        if step >= args.steps:
            rate = FINISHING_RATE * train_prior.learning_rate_factor(step - args.steps, FINISHING_STEPS)
            sampler.shares = scaled(finishing_shares(shares))
            model.motion_norm.noise = FINISHING_NOISE
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.train()
        model.prior.eval()
        losses = batch_losses(model, head, sampler.draw(), weights, poses, emotion_rng)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        step += 1
        decay = min(EMA_DECAY, step / (step + 10))
        for name, parameter in trained.items():
            average[name].lerp_(parameter.detach(), 1 - decay)
        running = {k: 0.98 * running.get(k, v.item()) + 0.02 * v.item() for k, v in losses.items()}
        if step % VALIDATION_INTERVAL and step != end:
            continue
        live = {n: p.detach().clone() for n, p in trained.items()}
        model.load_state_dict(average, strict=False)
        scores = validate(model, head, validation)
        score = sum(VALIDATION_WEIGHTS[corpus] * r for corpus, r in scores.items() if corpus not in args.without)
        changes, wanted_changes = expression_changes(model, poses, expression_set)
        expression_r = np.corrcoef(changes.ravel(), wanted_changes.ravel())[0, 1]
        sizes = expression_sizes(changes, wanted_changes)
        print(
            f"step {step}: "
            + ", ".join(f"{k} {v:.3f}" for k, v in running.items())
            + " | held out: "
            + ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
            + f" | expression r {expression_r:.3f}, size {sizes.min():.2f}-{sizes.max():.2f}"
            + f" | {time.time() - start:.0f} s",
            flush=True,
        )
        scales = {"motion_norm.scale": model.motion_norm.scale}
        if score > best:
            best = score
            save_file({k: v.contiguous() for k, v in (average | scales).items()}, state / "best.safetensors")
        model.load_state_dict(live, strict=False)
        save_file({k: v.contiguous() for k, v in (live | scales).items()}, state / "model.safetensors")
        save_file({k: v.contiguous() for k, v in average.items()}, state / "average.safetensors")
        torch.save(optimizer.state_dict(), state / "optimizer.pt")
        (state / "progress.json").write_text(json.dumps({"step": step, "best": best}))
    model.load_state_dict(load_file(state / "best.safetensors"), strict=False)
    sizes = expression_sizes(*expression_changes(model, poses, expression_set))
    complete = assemble(args.work, args.whisper, state / "best.safetensors")
    # Strengths vary in training, and the network takes a full one for a weaker one. What it lacks is given here.
    complete.expression_gain.copy_(expression_gain(sizes))
    complete.save_pretrained(args.out)


def load_emotion_reader(model: LSF, work: Path) -> None:
    """Load the emotion reader and its bank, which train_emotion wrote, into a model."""
    model.load_state_dict(load_file(work / "emotion.safetensors"), strict=False)


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
    load_emotion_reader(model, work)
    state = load_file(trained)
    assert model.motion_norm.projection is not None
    model.motion_norm.projection.div_(state.pop("motion_norm.scale"))
    model.load_state_dict(state, strict=False)
    return model


if __name__ == "__main__":
    main()
