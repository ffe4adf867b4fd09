"""Training of both stages as in the paper, on 3DMEAD: FLAME motion, HuBERT, emotion2vec.

    python -m server.training.train_paper --data DIR --out DIR --config paper|released|FILE \
        --hubert ID_OR_PATH --emotion ID_OR_PATH [--device cuda] [--bf16] [--batch 8] …
    torchrun --nproc-per-node 4 -m server.training.train_paper … --batch 8

`--data` is the folder of 3DMEAD. An encoder that is left out starts from random weights, which is only useful to test
the code. OUT gets the checkpoint with the lowest validation loss; OUT/training has the states, from which the same
command continues, whenever and however the last one ended. docs/paper.md explains the rest.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import LSFError, explain
from ..files.atomic import replacing
from ..model import LSF, LSFConfig
from ..model.config import BackboneConfig
from ..model.waveform import WaveformBackbone
from .config_file import read_config_file
from .paper import checkpoints, mead3d
from .paper.distributed import Group, current_group, derived_seed, joined, own_device
from .paper.features import FeatureCache
from .paper.hub import backbone_source
from .paper.mead3d import Mead3DClip
from .paper.published import check_backbone, load_backbone
from .paper.recipe import STAGES, Recipe
from .paper.stages import PaperClips, PredictorTask, PriorTask
from .paper.trainer import Interrupt, Options, StageTrainer, Stopped, Task, check_identity, validation_losses

CONFIGS = ("paper", "released")
DEFAULT_OPTIONS = Options()
WEIGHTS = "pair_of_encoders", "trained_prior"  # in the identity of a predictor's state: digests of what it builds on
SAMPLED_BYTES = 4096  # of each file of the data: all of 3DMEAD has gigabytes
TRAINING, FEATURES = "training", "features"  # subfolders of the checkpoint


def read_config(name: str) -> LSFConfig:
    """Return the configuration "paper" or "released", or that of a file.

    Raises:
        LSFError: "no_file" or "bad_checkpoint".
    """
    if name in CONFIGS:
        return LSFConfig.paper() if name == "paper" else LSFConfig.released()
    return read_config_file(Path(name), "--config is paper, released or a config.json")


def read_recipe(name: str | None, config: str) -> Recipe:
    """Return the recipe of a file; None is the one that belongs to the configuration, the paper's to one of a file.

    Raises:
        LSFError: "no_file" or "bad_recipe".
    """
    if name is None:
        return Recipe.released() if config == "released" else Recipe.paper()
    try:
        return Recipe.from_json(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LSFError("no_file", f'"{name}" cannot be read: --recipe is a recipe.json.') from error


def sampled_digest(path: Path) -> str:
    """Return a digest of a file's size and SAMPLED_BYTES from its middle, which tells other data of the same names."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, (size - SAMPLED_BYTES) // 2))
        return hashlib.sha256(f"{size} ".encode() + file.read(SAMPLED_BYTES)).hexdigest()


def identities(config: LSFConfig, recipe: Recipe, clips: Sequence[Mead3DClip]) -> dict[str, dict[str, Any]]:
    """Return what a state of "prior" and of "predictor" must agree with to be continued: JSON values.

    More epochs and another patience may be asked of a training; everything else changes what its steps mean. The prior
    depends neither on the encoders nor on the predictor's recipe, so another predictor can be trained on it. The
    predictor depends on WEIGHTS besides, which `train` adds.

    Args:
        config: Configuration of the model.
        recipe: The recipe.
        clips: All clips.
    """
    names = "\n".join(f"{clip.name} {sampled_digest(clip.motion)} {sampled_digest(clip.audio)}" for clip in clips)
    values = dataclasses.asdict(recipe)
    for stage in STAGES:
        values[stage] = {name: x for name, x in values[stage].items() if name not in ("epochs", "patience")}
        values[stage]["betas"] = list(values[stage]["betas"])
    whole = {
        "configuration": hashlib.sha256(config.to_json().encode()).hexdigest(),
        "recipe": values,
        "set_of_clips": hashlib.sha256(names.encode()).hexdigest(),
    }
    prior = {name: x for name, x in values.items() if name != "predictor"}
    return {"prior": whole | {"recipe": prior}, "predictor": whole}


def split(clips: Sequence[Mead3DClip], recipe: Recipe) -> dict[str, dict[str, list[Mead3DClip]]]:
    """Return the clips of each stage, "prior" and "predictor", by part.

    Raises:
        LSFError: "bad_data" if a part that is needed has none.
    """
    stages = {"prior": recipe.prior, "predictor": recipe.predictor}
    return {
        name: mead3d.split(clips, stage.protocol, ("train", "valid") if stage.patience else ("train",))
        for name, stage in stages.items()
    }


def lacking_subjects(clips: Sequence[Mead3DClip], recipe: Recipe) -> list[str]:
    """Return a sentence for each protocol of which not all subjects of training and validation have clips."""
    parts = split(clips, recipe)
    sentences = [
        mead3d.lacking({part: parts[name][part] for part in ("train", "valid")}, getattr(recipe, name).protocol)
        for name in STAGES
    ]
    return list(filter(None, dict.fromkeys(sentences)))


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return a digest of weights by name."""
    digest = hashlib.sha256()
    for name, x in sorted(weights.items()):
        digest.update(f"{name} {tuple(x.shape)} {x.dtype}".encode())
        digest.update(x.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def frozen_weights(model: LSF) -> dict[str, Tensor]:
    """Return the encoders' frozen weights by name: those of trained layers are in the states."""
    return {n: p for n, p in model.named_parameters() if "_backbone." in n and not p.requires_grad}


def train(
    model: LSF,
    clips: Sequence[Mead3DClip],
    recipe: Recipe,
    out: Path,
    *,
    features: Path | None = None,
    options: Options = DEFAULT_OPTIONS,
    device: torch.device | str = "cpu",
    group: Group | None = None,
    interrupt: Interrupt | None = None,
) -> None:
    """Train both stages, or what is left of them, and export the best.

    Args:
        model: The model, with the encoders' weights. Afterwards it is what was exported.
        clips: All clips of 3DMEAD; the recipe's protocols divide them.
        recipe: How to train.
        out: Folder of the checkpoint; its subfolder `training` holds the states to continue from.
        features: Folder of the frozen features' cache; None is a subfolder of `training`.
        options: What changes the result only by rounding.
        device: Where to train.
        group: The processes; None are those of torch.distributed.
        interrupt: Tells when to stop; None is never.

    Raises:
        LSFError: Data, states or disk.
        Stopped: The interrupt asked for it; a state was written.
    """
    group, device, folder = group or current_group(), torch.device(device), out / TRAINING
    interrupt = interrupt or Interrupt()
    parts = split(clips, recipe)
    own, encoders = identities(model.config, recipe, clips), weights_digest(frozen_weights(model))
    model.to(device).eval()  # no dropout in the cached features
    common: dict[str, Any] = {
        "batch": recipe.batch, "seed": recipe.seed, "folder": folder, "device": device,
        "group": group, "options": options, "interrupt": interrupt,
    }  # fmt: skip
    cache = FeatureCache(features or folder / FEATURES, model)
    fill(cache, [*parts["predictor"]["train"], *parts["predictor"]["valid"]], group, options, interrupt)
    learned, checked = (PaperClips(parts["prior"][part], model) for part in ("train", "valid"))
    model.fit_scaling(torch.cat(learned.curves).to(device))
    task: Task = PriorTask(model)
    StageTrainer(task, learned, checked, recipe.prior, identity=own["prior"], **common).run()
    learned, checked = (PaperClips(parts["predictor"][part], model, cache) for part in ("train", "valid"))
    task = PredictorTask(model)
    weights = dict(zip(WEIGHTS, (encoders, weights_digest(model.prior.state_dict())), strict=True))
    StageTrainer(task, learned, checked, recipe.predictor, identity=own["predictor"] | weights, **common).run()
    model.eval()
    if group.first:
        export(model, out, max(learned.lengths))
    group.wait()


def fill(
    cache: FeatureCache, clips: Sequence[Mead3DClip], group: Group, options: Options, interrupt: Interrupt
) -> None:
    """Compute the frozen features of all clips, each process some of them.

    Raises:
        Stopped: The interrupt asked for it; the features that were computed are kept.
        LSFError: "disk_full" and others of `FeatureCache.fill`.
    """

    def report(line: str) -> None:
        if interrupt.asked:
            raise Stopped(f"Stopped while features were computed; to continue: {options.command}")
        if group.first:
            options.report(line)

    cache.fill(clips[group.rank :: group.size], report)
    group.wait()


def export(model: LSF, out: Path, trained_frames: int) -> None:
    """Write the whole checkpoint: beside its place, then renamed, so that an older one stays until the new is whole.

    All weights are stored as they were trained. `LSF.save_pretrained` would round frozen encoders to half precision,
    which can move a latent to another code.

    Args:
        model: The model.
        out: Folder of the checkpoint.
        trained_frames: Frames of the longest training clip; generation hears longer lines in windows of this length.

    Raises:
        LSFError: "disk_full" or "file_error".
    """
    state = {name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}
    told = dataclasses.replace(model.config, trained_frames=trained_frames)
    with checkpoints.writing(out):
        checkpoints.clear_unfinished(out / TRAINING)
        with (
            replacing(out / "config.json", out / TRAINING) as config,
            replacing(out / "model.safetensors", out / TRAINING) as weights,
        ):
            config.write_text(told.to_json(), encoding="utf-8")
            checkpoints.save_tensors(weights, state, {"format": "pt"})


def validate(
    model: LSF,
    clips: Sequence[Mead3DClip],
    recipe: Recipe,
    *,
    features: Path,
    part: str = "valid",
    device: torch.device | str = "cpu",
) -> dict[str, dict[str, float]]:
    """Return the losses of a finished model on the clips of one part, as training computes them.

    Args:
        model: The model.
        clips: All clips.
        recipe: Its protocols divide the clips.
        features: Folder of the frozen features' cache.
        part: "train", "valid" or "test".
        device: Where to compute.

    Returns:
        For "prior" and "predictor" the means of "loss" and its terms over all valid frames.
    """
    device = torch.device(device)
    model.to(device).eval()
    cache, tasks = FeatureCache(features, model), (PriorTask(model), PredictorTask(model))
    result = {}
    for task, stage in zip(tasks, (recipe.prior, recipe.predictor), strict=True):
        own = mead3d.split(clips, stage.protocol, (part,))[part]
        data = PaperClips(own, model, cache if task.name == "predictor" else None)
        result[task.name] = validation_losses(task, data, device)
    return result


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(
        "python -m server.training.train_paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of 3DMEAD")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint")
    p.add_argument("--config", default="paper", metavar="NAME", help="paper (default), released, or a config.json")
    p.add_argument("--recipe", metavar="FILE", help="a recipe.json (default: the one of the configuration)")
    p.add_argument("--hubert", metavar="ID_OR_PATH", help="motion backbone: hub id, folder or file of weights")
    p.add_argument("--emotion", metavar="ID_OR_PATH", help="emotion backbone, likewise")
    p.add_argument("--features", type=Path, metavar="DIR", help="cache of frozen features (default: in OUT/training)")
    p.add_argument("--device", default="auto", help="auto (default: CUDA if there is a GPU), cpu, cuda, cuda:1")
    p.add_argument("--bf16", action="store_true", help="multiply matrices in bfloat16")
    p.add_argument(
        "--compile",
        action="store_true",
        help="compile the step (torch.compile); draws then depend on the number of processes",
    )
    p.add_argument("--accumulate", type=int, default=1, metavar="N", help="passes of a step: less memory (default: 1)")
    p.add_argument("--save-minutes", type=float, default=5, metavar="M", help="between two states (default: 5)")
    p.add_argument("--batch", type=int, metavar="N", help="clips of a step, of all processes together (default: 1)")
    p.add_argument("--epochs", type=int, metavar="N", help="most epochs of the predictor")
    p.add_argument("--prior-epochs", type=int, metavar="N", help="most epochs of the prior")
    p.add_argument("--learning-rate", type=float, metavar="X", help="of the predictor")
    p.add_argument("--prior-learning-rate", type=float, metavar="X", help="of the prior")
    p.add_argument("--patience", type=int, metavar="N", help="of the predictor, in epochs; 0: never end early")
    p.add_argument("--seed", type=int, metavar="N")
    return p


def chosen_recipe(args: argparse.Namespace) -> Recipe:
    """Return the recipe of the command line. Raises LSFError if it cannot be."""

    def given(**values: object) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    recipe = read_recipe(args.recipe, args.config)
    prior = given(epochs=args.prior_epochs, learning_rate=args.prior_learning_rate)
    predictor = given(epochs=args.epochs, learning_rate=args.learning_rate, patience=args.patience)
    return dataclasses.replace(
        recipe,
        prior=dataclasses.replace(recipe.prior, **prior),
        predictor=dataclasses.replace(recipe.predictor, **predictor),
        **given(batch=args.batch, seed=args.seed),
    )


def chosen_options(args: argparse.Namespace) -> Options:
    """Return the options of the command line. Raises LSFError if they cannot be."""
    if args.accumulate < 1 or args.save_minutes <= 0:
        raise LSFError("bad_recipe", "--accumulate must be at least 1, and --save-minutes above 0.")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    start = "python" if processes == 1 else f"torchrun --nproc-per-node {os.environ.get('LOCAL_WORLD_SIZE', processes)}"
    command = f"{start} -m server.training.train_paper {shlex.join(sys.argv[1:])}"
    return Options(
        accumulate=args.accumulate,
        bf16=args.bf16,
        compile=args.compile,
        save_seconds=60 * args.save_minutes,
        report=lambda line: print(line, flush=True),
        command=command,
    )


def check_backbones(args: argparse.Namespace, config: LSFConfig) -> list[Path | None]:
    """Return the paths of the encoders' weights, checked before a model is built. Raises LSFError about the first."""
    paths: list[Path | None] = []
    for given, backbone, layers in (
        (args.hubert, config.motion_backbone, config.motion_layers),
        (args.emotion, config.emotion_backbone, config.emotion_layers),
    ):
        path = None
        if given is not None and isinstance(backbone, BackboneConfig):
            path = backbone_source(given)
            check_backbone(backbone, layers, path)
        paths.append(path)
    return paths


def prepare(args: argparse.Namespace, config: LSFConfig, recipe: Recipe, group: Group) -> tuple[list[Mead3DClip], LSF]:
    """Check everything that the command names, then build the model.

    Raises:
        LSFError: About the first thing that is missing or wrong, before anything large is built.
    """
    if recipe.batch < group.size:
        raise LSFError(
            "bad_recipe",
            f"{group.size} processes need at least as many clips a step: add --batch {group.size}, or start fewer.",
        )
    clips = mead3d.read(args.data, check_values=group.first)
    split(clips, recipe)
    paths = check_backbones(args, config)
    for stage in STAGES:
        path = args.out / TRAINING / stage / "last.safetensors"
        stored = checkpoints.read_progress(path)
        if stored is not None:  # the weights of encoders and prior are compared when they are there
            known = stored.get("identity")
            weights = {name: x for name, x in known.items() if name in WEIGHTS} if isinstance(known, dict) else {}
            check_identity(known, identities(config, recipe, clips)[stage] | weights, path)
    torch.manual_seed(derived_seed(recipe.seed, "weights") % (1 << 32))
    model = LSF(config)
    for backbone, path in zip((model.motion_backbone, model.emotion_backbone), paths, strict=True):
        if path is not None and isinstance(backbone, WaveformBackbone):
            load_backbone(backbone, path)
    return clips, model


def main() -> int:
    """Train on 3DMEAD and write the checkpoint; return the exit code."""
    args = parser().parse_args()
    leader = int(os.environ.get("RANK", "0")) == 0
    try:
        config, recipe, options, device = (
            read_config(args.config), chosen_recipe(args), chosen_options(args), own_device(args.device),
        )  # fmt: skip
        with joined(device) as group, Interrupt().listening() as interrupt:
            run(args, config, recipe, options, device, group, interrupt)
    except Stopped as stopped:
        if leader:
            print(stopped, flush=True)
        return 130
    except KeyboardInterrupt:
        print("Stopped within a step; the last state that was written is kept.", file=sys.stderr, flush=True)
        return 130
    except Exception as error:
        if leader or not isinstance(error, LSFError):
            print(explain(error)[1], file=sys.stderr, flush=True)
        return 1
    return 0


def run(
    args: argparse.Namespace,
    config: LSFConfig,
    recipe: Recipe,
    options: Options,
    device: torch.device,
    group: Group,
    interrupt: Interrupt,
) -> None:
    """Run the command: the first process holds the lock of OUT/training."""
    folder = args.out / TRAINING
    with checkpoints.locked(folder) if group.first else contextlib.nullcontext():
        clips, model = prepare(args, config, recipe, group)
        if group.first:
            with checkpoints.writing(folder):
                (folder / "recipe.json").write_text(recipe.to_json(), encoding="utf-8")
                (folder / "config.json").write_text(config.to_json(), encoding="utf-8")
            for name, given in (("--hubert", args.hubert), ("--emotion", args.emotion)):
                if given is None:
                    options.report(
                        f"{name} is missing: this encoder has random weights, which is of use for tests alone."
                    )
            for sentence in lacking_subjects(clips, recipe):
                options.report(sentence)
            sizes = sum(p.numel() for p in model.parameters()) / 1e6
            options.report(f"{len(clips)} clips, {sizes:.1f} million parameters, {device}, {group.size} processes")
        try:
            train(
                model, clips, recipe, args.out, features=args.features, options=options, device=device, group=group,
                interrupt=interrupt,
            )  # fmt: skip
        except LSFError as error:
            if not group.first:  # only this process may know it, such as a sound of its share that cannot be read
                print(explain(error)[1], file=sys.stderr, flush=True)
            raise
        if group.first:
            options.report(f'The best epoch is in "{args.out}", the last one in "{folder}".')


if __name__ == "__main__":
    sys.exit(main())
