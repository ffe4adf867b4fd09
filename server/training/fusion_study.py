"""Study of the fusion blocks (HIFB): tables and a picture for docs/fusion_study.md.

    python -m server.training.fusion_study equal         the pair attention against the literal Cartesian product
    python -m server.training.fusion_study cost          time and memory of both at 2, 10, 60 s and 10 min
    python -m server.training.fusion_study attention CHECKPOINT … --data DIR [--figure FILE.png]
    python -m server.training.fusion_study tokens CHECKPOINT … --data DIR
    python -m server.training.fusion_study windows CHECKPOINT … --data DIR [--seconds 10]

The first two need no data and no trained model. `cost` takes some minutes and 1 GB; sizes beyond that are extrapolated,
and marked with ~. The others take trained checkpoints that differ in their seed, and the clips of the subjects held out
for testing; figures are means over checkpoints with their standard deviation. `windows` wants clips longer than a
window. The picture needs matplotlib besides the server's packages (pip install matplotlib).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import LSFError
from ..model import LSF
from .paper import fusion_tokens, mead3d, pair_study, windowed
from .paper.ablation import spread
from .paper.mead3d import Mead3DClip


def print_equal() -> None:
    """Print how equal the two attentions are, and what each condition of it is worth."""
    print("| frames | pairs | precision | output, greatest difference | relative | gradients, relative |")
    print("|---|---|---|---|---|---|")
    for seconds, clips in ((2, 1), (2, 3), (10, 1)):
        for dtype in (torch.float64, torch.float32):
            frames = round(seconds * 25)
            found = pair_study.compare(frames, dtype, clips=clips)
            name = f"{frames}, {clips} clips under a mask" if clips > 1 else str(frames)
            print(
                f"| {name} | {frames * frames:,} | {str(dtype)[6:]} | {found.output:.1e} | {found.output_relative:.1e} "
                f"| {found.gradient_relative:.1e} |"
            )
    print("\nfloat32 against the literal attention in float64 (250 frames; output, gradients; relative)\n")
    for name, found in zip(("factorised", "literal"), pair_study.rounding_errors(250), strict=True):
        print(f"    {name:12} {found.output_relative:.1e}  {found.gradient_relative:.1e}")
    print("\n| where a condition does not hold | difference |\n|---|---|")
    for name, value in pair_study.broken_conditions().items():
        print(f"| {name} | {value:+.0%} |" if "deviation" in name else f"| {name} | {value:.2f} |")


def print_cost(most_megabytes: float, most_seconds: float) -> None:
    """Print time and peak memory at each length; arguments as of `pair_study.costs`."""
    print("| | " + " | ".join(f"{seconds:g} s" for seconds in pair_study.SECONDS) + " |")
    print("|---" * (1 + len(pair_study.SECONDS)) + "|")
    for kind in ("factorised", "literal", "parts"):
        cells = [
            f"{'' if cost.measured else '~'}{cost.seconds:.3g} s, {cost.megabytes:,.0f} MB"
            for cost in pair_study.costs(kind, most_megabytes=most_megabytes, most_seconds=most_seconds)
        ]
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def load(folder: Path) -> LSF:
    """Return a checkpoint whose study this is.

    Raises:
        LSFError: It cannot be read, or has no FLAME motion.
    """
    model = LSF.from_pretrained(folder).requires_grad_(False)
    if model.config.motion_space != "flame":
        raise LSFError("bad_checkpoint", f"\"{folder}\" has ARKit's motion, and this study is about FLAME's.")
    return model


def held_out(data: Path) -> list[Mead3DClip]:
    """Return the clips of the subjects for testing. Raises LSFError if there are none."""
    return mead3d.split(mead3d.read(data), needed=("test",))["test"]


def print_attention(models: Sequence[LSF], clips: Sequence[Mead3DClip], figure: Path | None) -> None:
    """Print what the tokens attend to, and draw the maps of the first model and clip."""
    found = [fusion_tokens.mean_measures(model, fusion_tokens.read_examples(model, clips)) for model in models]
    blocks = range(len(found[0]))
    print("| | " + " | ".join(f"block {block + 1}" for block in blocks) + " |\n|---" + "|---" * len(blocks) + "|")
    for number, measure in enumerate(fusion_tokens.MEASURES):
        cells = [spread([measures[block][number] for measures in found], ".3f") for block in blocks]
        print(f"| {measure} | " + " | ".join(cells) + " |")
    if figure is not None:
        draw_attention(models[0], clips[0], figure)


def draw_attention(model: LSF, clip: Mead3DClip, path: Path) -> None:
    """Write a picture of the maps of each block: tokens and heads by frames, below the jaw's opening."""
    import matplotlib.pyplot as plt

    example = fusion_tokens.read_examples(model, [clip])[0]
    maps, jaw = fusion_tokens.attention_maps(model, example), example.curves[0, :, fusion_tokens.JAW_OPENING]
    heads, tokens, _ = maps[0].motion.shape
    figure, axes = plt.subplots(
        1 + len(maps), 2, figsize=(8, 1.2 + 1.4 * len(maps)), sharex=True, layout="constrained",
        height_ratios=[0.7, *[1] * len(maps)],
    )  # fmt: skip
    for column, name in enumerate(("emotion", "motion")):
        axes[0, column].plot(jaw, color="black", linewidth=1)
        axes[0, column].set_title(f"attention to the {name} stream", fontsize=9)
        for row, block in enumerate(maps, 1):
            weights = getattr(block, name).flatten(0, 1)  # head by head, its tokens one below the other
            axes[row, column].imshow(weights, aspect="auto", cmap="magma", vmin=0, interpolation="nearest")
            axes[row, column].set_yticks([tokens * head - 0.5 for head in range(1, heads)], [])
    axes[0, 0].set_ylabel("jaw", fontsize=8)
    for row in range(1, 1 + len(maps)):
        axes[row, 0].set_ylabel(f"block {row}", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("frame", fontsize=8)
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def print_tokens(models: Sequence[LSF], clips: Sequence[Mead3DClip]) -> None:
    """Print what changes without the tokens, or with those of other clips."""
    found = [fusion_tokens.measure_changes(model, fusion_tokens.read_examples(model, clips)) for model in models]
    print("| | loss | clips that get worse | change of z, over its deviation |\n|---|---|---|---|")
    for change in fusion_tokens.CHANGES:
        effects = [effects[change] for effects in found]
        print(
            f"| {change} | {spread([100 * effect.loss_change for effect in effects], '+.1f')} % "
            f"| {spread([100 * effect.clips_worse for effect in effects], '.0f')} % "
            f"| {spread([effect.latent_change for effect in effects], '.2f')} |"
        )


LENGTHS = (30.0, 10.0, 5.0, 2.5)  # seconds of windows whose errors are compared


def print_windows(models: Sequence[LSF], clips: Sequence[Mead3DClip], seconds: float) -> None:
    """Print what windows of a length change, layer by layer, and the errors with windows of several lengths."""
    found, errors = [], []
    for model in models:
        examples, fps = fusion_tokens.read_examples(model, clips), model.config.fps
        found.append(windowed.window_changes(model, examples, round(seconds * fps)))
        errors.append(windowed.errors_by_length(model, examples, [round(length * fps) for length in LENGTHS]))
    print("| in windows | change of z | other codes | change of curves | error of curves |\n|---|---|---|---|---|")
    for kind in (*windowed.KINDS, windowed.ALL):
        changes = [changes[kind] for changes in found]
        print(
            f"| {kind} | {spread([change.latent for change in changes], '.3f')} "
            f"| {spread([100 * change.codes for change in changes], '.1f')} % "
            f"| {spread([change.curves for change in changes], '.3f')} "
            f"| {spread([100 * change.error for change in changes], '+.1f')} % |"
        )
    print("\n| window | error of curves | r of the jaw |\n|---|---|---|")
    for number, length in enumerate(LENGTHS):
        both = [results[number] for results in errors]
        print(f"| {length:g} s | {spread([e for e, _ in both])} | {spread([r for _, r in both], '.3f')} |")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    commands.add_parser("equal")
    cost = commands.add_parser("cost")
    cost.add_argument("--most-megabytes", type=float, default=1000, help="of the literal attention")
    cost.add_argument("--most-seconds", type=float, default=60, help="of one pass forward and back")
    for name in ("attention", "tokens", "windows"):
        command = commands.add_parser(name)
        command.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
        command.add_argument("--data", type=Path, required=True, help="folder of 3DMEAD, or of a miniature")
        if name == "attention":
            command.add_argument("--figure", type=Path, metavar="FILE.png", help="maps of the first clip")
        if name == "windows":
            command.add_argument("--seconds", type=float, default=10, help="of a window")
    return p


def main() -> int:
    """Print the tables that are asked for; return the exit code."""
    args = parser().parse_args()
    if args.command == "equal":
        print_equal()
        return 0
    if args.command == "cost":
        print_cost(args.most_megabytes, args.most_seconds)
        return 0
    try:
        clips, models = held_out(args.data), [load(folder) for folder in args.checkpoints]
        if args.command == "attention":
            print_attention(models, clips, args.figure)
        elif args.command == "tokens":
            print_tokens(models, clips)
        else:
            print_windows(models, clips, args.seconds)
    except LSFError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
