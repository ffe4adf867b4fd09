"""All metrics of a checkpoint.

    python -m server.training.evaluate CHECKPOINT --data DATA [--only PART ...] [--work WORK] [--json FILE]
    python -m server.training.evaluate CHECKPOINT --data DATA (--ablate | --channels) [--json FILE]

Everything runs through the complete path, as in the server: audio, backbone, SIE-Encoder, HIFB, codes, decoder,
emotion, lip contact, curves, basis of the project's head. Lips are measured on the moving mesh. Scores are those of
clips that no training step heard; where others train a probe or a reader, its docstring says so. In brackets follows
the spread: over people the least and the greatest value, over clips the quartiles.

--ablate prints what carries the curves: the checkpoint with one of its parts switched off, part by part. --channels
prints, channel by channel, what makes it, how far it moves and how its two sides differ. --work adds the vertex
metrics, which need GRID's curves on the mesh. --all-of CORPUS scores every clip of grid or facegood, for a checkpoint
that was trained --without it. A checkpoint of FLAME motion has another evaluation, `evaluate_paper`.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from ..errors import LSFError
from .config_file import read_config_file
from .evaluation import channel_scores
from .evaluation.ablation import ablation_table, as_text
from .evaluation.baselines import comparison_scores
from .evaluation.effort_scores import effort_scores
from .evaluation.emotion_scores import chosen_emotion_scores, detected_emotion_scores, emotion_scores
from .evaluation.people import people_scores
from .evaluation.readability import readability_scores
from .evaluation.runner import Runner
from .evaluation.speech_scores import (
    degraded_scores,
    grid_scores,
    jaw_scores,
    non_speech_scores,
    vertex_scores,
    voice_scores,
)
from .evaluation.spread import Report, formatted
from .evaluation.temporal_misalignment import misalignment_scores
from .evaluation.variation_scores import identity_scores, take_scores

SCORES: dict[str, Callable[[Runner, Path], Report]] = {
    "grid": grid_scores,
    "people": people_scores,
    "misalignment": misalignment_scores,
    "readability": readability_scores,
    "comparison": comparison_scores,
    "effort": effort_scores,
    "degraded": degraded_scores,
    "voices": voice_scores,
    "non_speech": non_speech_scores,
    "jaw": jaw_scores,
    "emotion": emotion_scores,
    "detected_emotion": detected_emotion_scores,
    "chosen_emotion": chosen_emotion_scores,
    "takes": take_scores,
    "identity": identity_scores,
}


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the corpora")
    parser.add_argument("--work", type=Path, help="folder of the targets, for the vertex metrics")
    everything = [*SCORES, "vertices"]
    parser.add_argument("--only", nargs="*", default=everything, choices=everything)
    parser.add_argument("--ablate", action="store_true", help="print the table of parts switched off, and no scores")
    parser.add_argument("--channels", action="store_true", help="print what makes each channel, and no scores")
    parser.add_argument("--all-of", nargs="*", default=[], choices=["grid", "facegood"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def refuse_flame(checkpoint: Path) -> None:
    """End the program with one sentence if a checkpoint has no configuration or FLAME motion, of other metrics."""
    try:
        config = read_config_file(checkpoint / "config.json", "give the folder of a checkpoint")
    except LSFError as error:
        sys.exit(str(error))
    if config.motion_space == "flame":
        sys.exit("This checkpoint has FLAME's motion: evaluate it with python -m server.training.evaluate_paper.")


def cost_scores(runner: Runner, checkpoint: Path) -> dict[str, Report]:
    """Return the speed of all runs so far, and the size of the checkpoint."""
    real_time_factor = runner.run_seconds / max(runner.audio_seconds, 1e-9)
    size = sum(p.stat().st_size for p in checkpoint.iterdir() if p.is_file())
    parameters = sum(p.numel() for p in runner.model.parameters())
    return {
        "speed": {"real_time_factor": real_time_factor, "threads": torch.get_num_threads()},
        "size": {"megabytes": size / 1e6, "parameters_m": parameters / 1e6},
    }


def print_part(part: str, report: Report) -> None:
    """Print one part, a figure a line."""
    print(part)
    for name, figure in report.items():
        print(f"  {name:38} {formatted(figure)}", flush=True)


def write_json(report: dict[str, Report], path: Path) -> None:
    """Write all figures; one with a spread becomes an object."""
    path.write_text(json.dumps(report, indent=1, default=asdict) + "\n", encoding="utf-8")


def main() -> None:
    """Print the metrics of a checkpoint; write them if asked to."""
    args = parse_arguments()
    refuse_flame(args.checkpoint)
    runner = Runner(args.checkpoint, args.all_of)
    report: dict[str, Report] = {}
    if args.ablate:
        report = ablation_table(runner, args.data)
        print(as_text(report))
    elif args.channels:
        report = channel_scores.channel_table(runner, args.data)
        print(channel_scores.as_text(report))
    else:
        for part in args.only:
            if part == "vertices" and not args.work:
                continue
            score = SCORES.get(part)
            report[part] = score(runner, args.data) if score else vertex_scores(runner, args.data, args.work)
            print_part(part, report[part])
        for part, figures in cost_scores(runner, args.checkpoint).items():
            report[part] = figures
            print_part(part, figures)
    if args.json:
        write_json(report, args.json)


if __name__ == "__main__":
    main()
