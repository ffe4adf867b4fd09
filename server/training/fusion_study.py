"""Study of the fusion blocks (HIFB): tables for docs/fusion_study.md.

    python -m server.training.fusion_study equal         the pair attention against the literal Cartesian product
    python -m server.training.fusion_study cost          time and memory of both at 2, 10, 60 s and 10 min

These two need no data and no trained model. `cost` takes a minute or two and 1 GB; sizes beyond that are extrapolated,
and marked with ~.
"""

import argparse

import torch

from .paper import pair_study


def print_equal() -> None:
    """Print how equal the two attentions are, and what each condition of it is worth."""
    print(
        "| frames of each stream | pairs | precision | output, greatest difference | relative | gradients, relative |"
    )
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


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("equal")
    cost = commands.add_parser("cost")
    cost.add_argument("--most-megabytes", type=float, default=1000, help="of the literal attention")
    cost.add_argument("--most-seconds", type=float, default=60, help="of one pass forward and back")
    args = parser.parse_args()
    if args.command == "equal":
        print_equal()
    elif args.command == "cost":
        print_cost(args.most_megabytes, args.most_seconds)


if __name__ == "__main__":
    main()
