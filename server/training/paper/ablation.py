"""What each difference between the configurations costs, on the miniature.

    python -m server.training.paper.ablation --data MINIATURE --flame TOY --lips FILE --out DIR
        [--seeds 3] [--rows NAME …] [--prior-epochs N] [--epochs N]

Every row trains small models of both stages, one for each seed, and measures them on the subjects held out for testing.
DIR keeps figures and checkpoints, and the same command continues where the last one ended. The table has the mean over
seeds with their standard deviation. A seed draws the weights, encoders included, so rows are compared seed by seed.

What the miniature can tell is whether something breaks or matters to such data, not what it does on 3DMEAD.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import LSFError
from ...flame import Flame, load_flame
from ...model import LSF, LSFConfig
from ..train_paper import train, validate
from . import mead3d
from .distributed import derived_seed
from .evaluation.predictions import Predictor
from .evaluation.regions import Regions, read_region
from .evaluation.summary import score_clip, summarise
from .fusion_tokens import JAW_OPENING
from .mead3d import Mead3DClip
from .recipe import Recipe
from .small import small
from .trainer import Options

SAMPLES, TEMPERATURE = 3, 0.2
RESULTS, FEATURES = "results.json", "features"
METRICS = ("MVE", "LVE", "CE", "Diversity", "jaw", "prior", "predictor")
"""Deterministic MVE and LVE, CE and diversity of random takes, r of the jaw, and validation losses of both stages."""


@dataclass(frozen=True)
class Row:
    """A configuration to train.

    Attributes:
        base: "paper" or "released".
        config: Fields of LSFConfig that differ.
        recipe: "paper" or "released".
        trained: Whether it is trained; otherwise it is the row of its base with other settings.
    """

    base: str = "paper"
    config: dict[str, Any] = field(default_factory=dict)
    recipe: str = "paper"
    trained: bool = True

    def settings(self) -> LSFConfig:
        """Return the small configuration."""
        config = dict(self.config)
        base = LSFConfig.paper() if self.base == "paper" else LSFConfig.released()
        encoder = config.pop("motion_backbone", {})
        return small(replace(base, motion_backbone=replace(base.motion_backbone, **encoder), **config))


ROWS = {
    "paper": Row(),
    "scale: mean and deviation": Row(config={"motion_scaling": "deviation"}),
    "codes: channel by channel": Row(config={"code_layout": "channel"}),
    "codebook: by gradient": Row(config={"codebook_learning": "gradient"}),
    "sampling: spacing of the codes": Row(config={"sampling_unit": "spacing"}, trained=False),
    "identity: before the norm": Row(config={"identity_first": True}),
    "tokens: discarded": Row(config={"fusion_update": "discarded"}),
    "pairs: scale of the width": Row(config={"pair_scale": "width"}),
    "pairs: no biases": Row(config={"pair_bias": False}),
    "dropout: after positions alone": Row(config={"dropout": 0.0, "position_dropout": 0.1}),
    "prior: rotary positions": Row(config={"prior_positions": "rotary"}),
    "prior: no bias at the end": Row(config={"decoder_bias": False}),
    "streams: one linear": Row(config={"shared_linear": True}),
    "streams: random positions": Row(config={"random_positions": True}),
    "encoder: SpecAugment, LayerDrop": Row(config={"motion_backbone": {"spec_augment": True, "layer_drop": 0.1}}),
    "recipe: released": Row(recipe="released"),
    "norms: of each frame": Row(config={"stream_norm": "layer", "prior_norm": "layer"}),
    "no fusion tokens": Row(config={"fusion_tokens": 0}),
    "released": Row(base="released", recipe="released"),
}
"""What differs from the first row, `paper`; the last is all of the released code at once."""


@dataclass(frozen=True)
class Length:
    """How long both stages are trained, and how fast: a small network on little data needs other rates."""

    prior_epochs: int = 60
    epochs: int = 12
    prior_rate: float = 3e-3
    rate: float = 1e-3
    batch: int = 4


def row_recipe(row: Row, length: Length, seed: int) -> Recipe:
    """Return the recipe of a row and a seed."""
    recipe = Recipe.paper() if row.recipe == "paper" else Recipe.released()
    return replace(
        recipe,
        prior=replace(recipe.prior, epochs=length.prior_epochs, learning_rate=length.prior_rate),
        predictor=replace(recipe.predictor, epochs=length.epochs, learning_rate=length.rate),
        batch=length.batch,
        seed=seed,
    )


def new_model(config: LSFConfig, seed: int) -> LSF:
    """Return a model with the weights that the training command draws from the seed."""
    torch.manual_seed(derived_seed(seed, "weights") % (1 << 32))
    return LSF(config)


def measure(
    model: LSF, clips: Sequence[Mead3DClip], recipe: Recipe, features: Path, flame: Flame, regions: Regions
) -> dict[str, float]:
    """Return the METRICS of a trained model. MVE in mm, LVE and CE in mm², diversity in mm."""
    model.eval()
    predictor, rng = Predictor(model, SAMPLES, TEMPERATURE, 0), np.random.default_rng(0)
    scores, follows = [], []
    for clip in mead3d.split(clips, needed=("test",))["test"]:
        predictions = predictor.predict(clip)
        scores.append(score_clip(clip, predictions, flame, regions, rng))
        jaw = predictions.deterministic[:, JAW_OPENING].numpy()
        truth = clip.curves()[: len(jaw), JAW_OPENING]
        follows.append(float(np.corrcoef(jaw, truth)[0, 1]) if jaw.std() and truth.std() else 0.0)
    means = summarise(scores).per_clip
    losses = validate(model, clips, recipe, features=features)
    return {
        "MVE": 1e3 * means["deterministic"]["MVE"].value,
        "LVE": 1e6 * means["deterministic"]["LVE"].value,
        "CE": 1e6 * means["released"]["CE"].value,
        "Diversity": 1e3 * means["released"]["Diversity"].value,
        "jaw": float(np.mean(follows)),
        "prior": losses["prior"]["motion"],
        "predictor": losses["predictor"]["motion"],
    }


def run_row(
    name: str,
    seed: int,
    clips: Sequence[Mead3DClip],
    out: Path,
    flame: Flame,
    regions: Regions,
    length: Length,
) -> dict[str, float]:
    """Train and measure a row with a seed.

    Args:
        name: Of ROWS.
        seed: The seed.
        clips: All clips.
        out: Folder of all rows.
        flame: The FLAME model.
        regions: Its lips.
        length: Of the training.
    """
    row = ROWS[name]
    recipe, config = row_recipe(row, length, seed), row.settings()
    if row.trained:
        model = new_model(config, seed)
        options = Options(report=lambda line: None)
        train(model, clips, recipe, folder_of(out, name, seed), features=out / FEATURES, options=options)
    else:
        stored = LSF.from_pretrained(folder_of(out, row.base, seed))
        model = LSF(config)
        model.load_state_dict(stored.state_dict())
    return measure(model, clips, recipe, out / FEATURES, flame, regions)


def folder_of(out: Path, name: str, seed: int) -> Path:
    """Return the folder of the checkpoint of a row and a seed."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name)
    return out / plain / str(seed)


Results = dict[str, dict[str, dict[str, float]]]
"""METRICS by row and seed."""


def run_all(
    names: Sequence[str],
    seeds: Sequence[int],
    clips: Sequence[Mead3DClip],
    out: Path,
    flame: Flame,
    regions: Regions,
    length: Length,
    report: Callable[[str], None] = print,
) -> Results:
    """Train and measure all rows that OUT does not have; arguments as of `run_row`."""
    path = out / RESULTS
    results: Results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for name in names:
            if str(seed) in results.get(name, {}):
                continue
            results.setdefault(name, {})[str(seed)] = run_row(name, seed, clips, out, flame, regions, length)
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            report(f"{name}, seed {seed}: LVE {results[name][str(seed)]['LVE']:.2f} mm²")
    return results


def table(results: Results) -> str:
    """Return the table in Markdown: mean and standard deviation over seeds, and the change of LVE against "paper"."""
    heads = ("MVE, mm", "LVE, mm²", "change of LVE", "CE, mm²", "diversity, mm", "r of the jaw", "prior", "predictor")
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    base = results.get("paper", {})
    for name, seeds in results.items():
        cells = [spread([values[metric] for values in seeds.values()]) for metric in METRICS]
        shared = [seed for seed in seeds if seed in base]
        changes = [100 * (seeds[seed]["LVE"] / base[seed]["LVE"] - 1) for seed in shared]
        change = "–" if name == "paper" or not changes else f"{spread(changes, '+.0f')} %"
        lines.append(f"| {name} | " + " | ".join([*cells[:2], change, *cells[2:]]) + " |")
    return "\n".join(lines)


def spread(values: Sequence[float], form: str = "") -> str:
    """Return "mean ± standard deviation" with three digits, or in the given form."""
    mean = float(np.mean(values))
    digits = max(0, 2 - int(np.floor(np.log10(abs(mean))))) if mean else 2
    form = form or f".{digits}f"
    deviation = f" ± {np.std(values, ddof=1):{form.lstrip('+')}}" if len(values) > 1 else ""
    return f"{mean:{form}}{deviation}"


def main() -> int:
    """Train, measure and print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a miniature of 3DMEAD")
    parser.add_argument("--flame", type=Path, required=True, help="a FLAME model, or the toy")
    parser.add_argument("--lips", type=Path, required=True, help="file of the vertices of its lips")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="NAME")
    parser.add_argument("--prior-epochs", type=int, default=Length.prior_epochs)
    parser.add_argument("--epochs", type=int, default=Length.epochs)
    args = parser.parse_args()
    length = Length(args.prior_epochs, args.epochs)
    torch.set_num_threads(1)
    try:
        clips, flame = mead3d.read(args.data), load_flame(args.flame)
        regions = Regions(lips=read_region(args.lips, len(flame.template)))
        seeds = range(1, 1 + args.seeds)
        print(table(run_all(args.rows, seeds, clips, args.out, flame, regions, length)))
    except LSFError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
