"""Evaluates a checkpoint of FLAME motion on 3DMEAD, by the paper's definitions and by others.

    python -m server.training.evaluate_paper CHECKPOINT --data DIR --flame FILE [--lips FILE] [--upper FILE]
        [--table] [--json FILE]

DIR is the folder of 3DMEAD, and --flame names a FLAME model. --lips and --upper name files with the vertices of both
regions (.npy, .txt or .json); without them, what needs them is not measured. docs/paper.md explains the figures.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from ..errors import LSFError
from ..flame import Flame, load_flame
from ..model.device import load_on_device
from . import FPS
from .config_file import read_config_file
from .paper import mead3d
from .paper.distributed import derived_seed
from .paper.evaluation.predictions import Predictor
from .paper.evaluation.regions import Regions, read_region
from .paper.evaluation.summary import ClipScores, as_json, score_clip, summarise
from .paper.evaluation.table import PAPER_PART, PAPER_SAMPLES, PAPER_TEMPERATURE, Settings, paper_text, run_text
from .paper.mead3d import Mead3DClip
from .paper.named import check_writable, writing_named


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of 3DMEAD")
    parser.add_argument("--flame", type=Path, required=True, help="FLAME model, .npz or .pkl")
    parser.add_argument("--lips", type=Path, help="vertices of the lips: LVE, MEE and CE need them")
    parser.add_argument("--upper", type=Path, help="vertices of the upper face: FDD needs them")
    parser.add_argument("--part", choices=mead3d.PARTS, default=PAPER_PART, help="of the split by subject")
    parser.add_argument(
        "--length-tolerance",
        type=float,
        default=mead3d.LENGTH_TOLERANCE,
        help="seconds by which sound and motion of a clip may differ; both end with the shorter",
    )
    parser.add_argument("--clips", type=int, help="only so many clips, spread over all: for a quick look")
    parser.add_argument("--samples", type=int, default=PAPER_SAMPLES, help="random takes of a clip")
    parser.add_argument("--temperature", type=float, default=PAPER_TEMPERATURE)
    parser.add_argument("--seed", type=int, default=0, help="of takes, pairs and intervals")
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or a device of torch")
    parser.add_argument("--table", action="store_true", help="print the run beside the paper's table")
    parser.add_argument("--json", type=Path, help="write all figures here, those of every clip, too")
    return parser.parse_args(arguments)


def check_checkpoint(folder: Path) -> None:
    """Refuse a checkpoint that has no FLAME motion, from its config.json alone.

    Raises:
        LSFError: "no_file" or "bad_checkpoint".
    """
    config = read_config_file(folder / "config.json", "give the folder of a checkpoint")
    if config.motion_space != "flame":
        raise LSFError(
            "bad_checkpoint",
            "This checkpoint has ARKit's motion, not FLAME's: evaluate it with python -m server.training.evaluate.",
        )
    if config.fps != FPS or config.identity_size > mead3d.SHAPE.stop:
        raise LSFError(
            "bad_checkpoint",
            f"This checkpoint has motion at {config.fps} fps and {config.identity_size} shape coefficients; 3DMEAD has "
            f"{FPS} fps and {mead3d.SHAPE.stop} coefficients: evaluate a checkpoint that was trained on it.",
        )


def chosen_clips(data: Path, part: str, count: int | None, tolerance: float) -> tuple[list[Mead3DClip], int]:
    """Return the clips to evaluate, their values checked, and the number of all clips of the part.

    What the part lacks is said on stderr.

    Args:
        data: Folder of 3DMEAD.
        part: Of the split by subject.
        count: Number of clips, spread evenly over all; None takes all.
        tolerance: Seconds by which sound and motion of a clip may differ.

    Raises:
        LSFError: If the data is missing or wrong.
    """
    own = mead3d.split(mead3d.read(data, tolerance=tolerance, check_values=False), needed=(part,))[part]
    if lacking := mead3d.lacking({part: own}):
        print(lacking, file=sys.stderr)
    clips = own
    if count is not None and count < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, count).round().astype(int)]
    for clip in clips:
        clip.values()
    return clips, len(own)


def read_regions(lips: Path | None, upper: Path | None, flame: Flame) -> Regions:
    """Read the regions that are named; say on stderr what is not measured without the others.

    Raises:
        LSFError: If a file cannot be used.
    """
    count = len(flame.template)
    for path, option, metrics in ((lips, "--lips", "LVE, MEE and CE are"), (upper, "--upper", "FDD is")):
        if path is None:
            print(f"{metrics} not measured: {option} names no file of vertices.", file=sys.stderr)
    return Regions(*(None if path is None else read_region(path, count) for path in (lips, upper)))


def score(clips: list[Mead3DClip], predictor: Predictor, flame: Flame, regions: Regions) -> list[ClipScores]:
    """Predict and measure all clips; print the progress on stderr."""
    scores = []
    for number, clip in enumerate(clips, 1):
        # By the name, so that a clip has the same pairs whatever other clips are measured.
        rng = np.random.default_rng(derived_seed(predictor.seed, "pairs", clip.name))
        scores.append(score_clip(clip, predictor.predict(clip), flame, regions, rng))
        if number % max(1, len(clips) // 100) == 0 or number == len(clips):
            print(f"{number} of {len(clips)}: {clip.name}", file=sys.stderr, flush=True)
    return scores


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate and print. Raises LSFError if a file is missing or wrong, before the network is built."""
    if args.samples < 0 or not args.temperature > 0 or (args.clips is not None and args.clips < 1):
        raise LSFError("bad_request", "--samples must be 0 or more, --clips 1 or more, and --temperature above 0.")
    if args.json is not None:
        check_writable(args.json)
    check_checkpoint(args.checkpoint)
    clips, all_clips = chosen_clips(args.data, args.part, args.clips, args.length_tolerance)
    flame = load_flame(args.flame)
    regions = read_regions(args.lips, args.upper, flame)
    model, device, note = load_on_device(args.checkpoint, args.device)
    if note:
        print(note, file=sys.stderr)
    predictor = Predictor(model, args.samples, args.temperature, args.seed)
    scores = score(clips, predictor, flame.to(device), regions)
    summary = summarise(scores, args.seed)
    print(run_text(summary))
    settings = Settings(
        part=args.part,
        samples=args.samples,
        temperature=args.temperature,
        clips=len(clips),
        all_clips=all_clips,
        subjects=len(summary.per_subject),
        vertices=len(flame.template),
    )
    if args.table:
        print("\n" + paper_text(summary, regions, settings))
    if args.json:
        stored = {
            "checkpoint": args.checkpoint.name,
            **vars(settings),
            "seed": args.seed,
            "device": device,
            "lip_vertices": None if regions.lips is None else len(regions.lips),
            "upper_vertices": None if regions.upper is None else len(regions.upper),
        }
        figures = json.dumps(as_json(summary, scores, stored), indent=1, allow_nan=False)
        with writing_named(args.json):
            args.json.write_text(figures + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Print the figures of a checkpoint; end with one sentence if something is missing or wrong."""
    try:
        evaluate(parse_arguments(arguments))
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
