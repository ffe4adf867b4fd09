"""Makes a checkpoint of this project from the weights that the authors of LSF-Animation released.

    python -m server.training.paper.import_released FILE [FILE ...] --write-rules RULES     # a table to edit
    python -m server.training.paper.import_released FILE [FILE ...] --rules RULES --out CHECKPOINT
        [--hubert ID_OR_PATH] [--emotion ID_OR_PATH] [--config FILE]

FILEs are PyTorch checkpoints or .safetensors; predictor and prior may be in two. Their names are not known here: the
files are under a licence of their own and were not at hand. So a table of rules tells which weight is which
(`released_weights` explains its form). The first command writes one with all names of ours, what they are, and names of
theirs that fit by shape; what it guesses must be confirmed. The second refuses whatever does not match, with a list of
both sides. Whether the meaning is right, too, only the figures of `evaluate_paper --table` can tell.
"""

import argparse
import sys
from pathlib import Path

import torch

from ...errors import LSFError
from ...model import LSF, LSFConfig
from ...model.meta import shapes_only
from ...model.waveform import WaveformBackbone
from ..config_file import read_config_file
from . import backbone_source
from .named import writing_named
from .published import check_backbone, load_backbone
from .released_weights import Mapped, Table, apply, listing, merge, propose, read_table, read_weights

BACKBONES = {"motion_backbone.": "--hubert", "emotion_backbone.": "--emotion"}


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--rules", type=Path, help="table of rules; without it, only equal names are mapped")
    parser.add_argument(
        "--config", type=Path, help="config.json of the model; the default is that of the released code"
    )
    parser.add_argument("--hubert", help="hub id or folder; for weights of HuBERT that are not in the files")
    parser.add_argument("--emotion", help="hub id, folder or file of emotion2vec, likewise")
    todo = parser.add_mutually_exclusive_group(required=True)
    todo.add_argument("--out", type=Path, help="folder of the checkpoint to write")
    todo.add_argument("--write-rules", type=Path, help="write a table to edit, and nothing else")
    return parser.parse_args(arguments)


def check(mapped: Mapped, given: dict[str, bool]) -> None:
    """Refuse a mapping that is not complete.

    Args:
        mapped: Result of `apply`.
        given: Whether the weights of a backbone are given apart, by the beginning of its names.

    Raises:
        LSFError: "bad_weights".
    """
    if mapped.unmatched or mapped.unused:
        raise LSFError(
            "bad_weights",
            f"{len(mapped.unmatched)} weights of ours have no counterpart and {len(mapped.unused)} of theirs no place, "
            "see the list above: edit the table of --rules (--write-rules makes one).",
        )
    for prefix, option in BACKBONES.items():
        if not given[prefix] and any(name.startswith(prefix) for name in mapped.kept):
            raise LSFError("bad_weights", f"The files have not all weights of {prefix[:-1]}: give them with {option}.")


def import_weights(config: LSFConfig, theirs: dict[str, torch.Tensor], table: Table, sources: dict[str, str]) -> LSF:
    """Make a model of the weights.

    Args:
        config: Its configuration.
        theirs: Weights of the released files.
        table: The rules.
        sources: Hub id or path of the backbones that are given apart, by the beginning of their names.

    Raises:
        LSFError: If anything does not match, before the model is built.
    """
    with shapes_only():
        ours = LSF(config).state_dict()
    mapped = apply(table, theirs, ours)
    if mapped.unmatched or mapped.unused:
        print(listing(mapped, theirs, ours), file=sys.stderr)
    check(mapped, {prefix: prefix in sources for prefix in BACKBONES})
    paths = {prefix: backbone_source(source) for prefix, source in sources.items()}
    wanted = {
        "motion_backbone.": (config.motion_backbone, config.motion_layers),
        "emotion_backbone.": (config.emotion_backbone, config.emotion_layers),
    }
    for prefix, path in paths.items():
        backbone_config, layers = wanted[prefix]
        if backbone_config is not None:
            check_backbone(backbone_config, layers, path)
    model = LSF(config)
    for prefix, path in paths.items():
        backbone = model.get_submodule(prefix[:-1]) if wanted[prefix][0] is not None else None
        if isinstance(backbone, WaveformBackbone):
            load_backbone(backbone, path)
    model.load_state_dict(model.state_dict() | mapped.weights)
    return model.eval()


def run(args: argparse.Namespace) -> None:
    """Write the table or the checkpoint. Raises LSFError if something is missing or does not match."""
    config = LSFConfig.released()
    if args.config is not None:
        config = read_config_file(args.config, "--config is a config.json")
    if args.write_rules is not None:
        if args.write_rules.exists():
            raise LSFError("file_error", f'"{args.write_rules}" exists: edited tables are not written over.')
        if not args.write_rules.parent.is_dir():
            raise LSFError("no_file", f'There is no folder "{args.write_rules.parent}" for --write-rules: make it.')
    theirs = merge({path: read_weights(path) for path in args.files})
    if args.write_rules is not None:
        with shapes_only():
            ours = LSF(config).state_dict()
        with writing_named(args.write_rules):
            args.write_rules.write_text(propose(theirs, ours), encoding="utf-8")
        print(f"{args.write_rules}: look at every rule, then use it with --rules.")
        return
    table = Table() if args.rules is None else read_table(args.rules)
    given = {"motion_backbone.": args.hubert, "emotion_backbone.": args.emotion}
    sources = {prefix: source for prefix, source in given.items() if source is not None}
    model = import_weights(config, theirs, table, sources)
    with writing_named(args.out):
        model.save_pretrained(args.out, half=False)
    print(f"{args.out}: evaluate it with python -m server.training.evaluate_paper {args.out} --table …")


def main(arguments: list[str] | None = None) -> None:
    """Import released weights; end with one sentence if something is missing or does not match."""
    try:
        run(parse_arguments(arguments))
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
