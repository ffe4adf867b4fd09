"""Prints what a configuration is made of: its parameters part by part, and the settings in which configurations differ.

    python -m server.training.describe paper|released|default|FOLDER

FOLDER is a checkpoint. The model is built without memory for its weights, so that this takes little more than
the import of torch.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..errors import LSFError
from ..model import LSF, LSFConfig
from ..model.hifb import FusionBlock
from ..model.meta import shapes_only
from .columns import aligned
from .config_file import read_config_file

PRESETS: dict[str, Callable[[], LSFConfig]] = {
    "default": LSFConfig,
    "paper": LSFConfig.paper,
    "released": LSFConfig.released,
}


@dataclass(frozen=True)
class Part:
    """A part of the model.

    Attributes:
        group: "encoders" (of speech), "predictor" or "prior".
        name: What it is.
        parameters: Their number.
        trained: Number of those that training changes; those of the prior in stage one, the others in stage two.
        buffers: Number of values that are stored with it and are no parameters.
    """

    group: str
    name: str
    parameters: int
    trained: int
    buffers: int


def _part(group: str, name: str, *modules: nn.Module | nn.Parameter | None) -> Part:
    """Count what `modules` hold."""
    parameters: list[nn.Parameter] = []
    buffers = 0
    for module in modules:
        if isinstance(module, nn.Parameter):
            parameters.append(module)
        elif module is not None:
            parameters += module.parameters()
            buffers += sum(value.numel() for value in module.buffers())
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return Part(group, name, sum(parameter.numel() for parameter in parameters), trained, buffers)


def parts(config: LSFConfig) -> list[Part]:
    """Return the parts of a configuration's model, in the order of the computation; empty ones are left out.

    Raises:
        LSFError: "missing_package" if an encoder needs a package that is not installed.
    """
    with shapes_only():
        model = LSF(config)
    sie, hifb, prior = model.sie_encoder, model.hifb, model.prior
    blocks = [block for block in hifb.blocks if isinstance(block, FusionBlock)]
    convolutions = [layer for stream in (sie.motion, sie.emotion) for layer in (stream.embed.conv, stream.embed.norm)]
    gate = (model.direct, model.residual_gate) if config.direct_path else ()
    emotion = config.emotion_backbone
    found = [
        _part("encoders", f"speech encoder of motion ({config.motion_backbone.kind})", model.motion_backbone),
        _part("encoders", f"speech encoder of emotion ({emotion.kind if emotion else 'none'})", model.emotion_backbone),
        _part("predictor", "scale of the features", model.motion_norm, getattr(model, "emotion_norm", None)),
        _part("predictor", "motion features to the stream's width", sie.motion.linear),
        _part("predictor", "emotion features to the stream's width", sie.emotion.linear),
        _part("predictor", "convolution and norm of the streams", *convolutions),
        _part("predictor", "linear after the norm", sie.motion.embed.linear, sie.emotion.embed.linear, sie.shared),
        _part("predictor", "identity", sie.identity),
        _part("predictor", "fusion tokens", hifb.tokens),
        _part("predictor", "layers of the emotion stream", *(block.emotion_layer for block in blocks)),
        _part("predictor", "layers of the motion stream", *(block.motion_layer for block in blocks), hifb.last),
        _part("predictor", "pair attention", *(block.pairs for block in blocks)),
        _part("predictor", "layers of the fusion tokens", *(block.mlp for block in blocks)),
        _part("predictor", "to the latent", model.to_latent),
        _part("predictor", "direct path", *gate),
        _part("predictor", "emotion reader and bank", model.emotion_reader),
        _part("prior", "encoder", prior.into, prior.encoder, prior.to_latent),
        _part("prior", "codebook", prior.quantiser),
        _part("prior", "decoder", prior.from_latent, prior.decoder, prior.out),
    ]
    return [part for part in found if part.parameters or part.buffers]


def total(found: Iterable[Part], group: str) -> int:
    """Return the number of parameters of a group."""
    return sum(part.parameters for part in found if part.group == group)


def differences(configs: dict[str, LSFConfig]) -> list[tuple[str, ...]]:
    """Return name and values of each setting in which one of the configurations differs from another."""
    settings = [_settings(config) for config in configs.values()]
    names = list(dict.fromkeys(name for values in settings for name in values))
    rows = [(name, *(values.get(name, "–") for values in settings)) for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def _settings(config: LSFConfig) -> dict[str, str]:
    """Return the settings as short texts; those of a speech encoder with its name before them."""
    texts: dict[str, str] = {}
    for name, value in ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config)):
        if dataclasses.is_dataclass(value):
            texts |= {f"{name}.{key}": str(inner) for key, inner in vars(value).items()}
        elif name == "channels":
            texts[name] = str(len(value))
        elif value is not None:
            texts[name] = ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
    return texts


def describe(name: str) -> str:
    """Return the description of a preset or of a checkpoint.

    Raises:
        LSFError: "no_file" or "bad_checkpoint" if `name` is neither.
    """
    configs = {preset: make() for preset, make in PRESETS.items()}
    if name not in configs:
        presets = ", ".join(PRESETS)
        configs[name] = read_config_file(Path(name) / "config.json", f"give {presets} or the folder of a checkpoint")
    found = parts(configs[name])
    rows: list[tuple[str, ...]] = [("part", "parameters", "trained", "other values")]
    for group in ("encoders", "predictor", "prior"):
        chosen = [part for part in found if part.group == group]
        rows += [(f"  {p.name}", f"{p.parameters:,}", f"{p.trained:,}", f"{p.buffers:,}") for p in chosen]
        sums = (sum(part.parameters for part in chosen), sum(part.trained for part in chosen))
        rows.append((group, *(f"{number:,}" for number in sums), f"{sum(part.buffers for part in chosen):,}"))
    settings = differences(configs)
    return "\n".join([name, "", *aligned(rows), "", *aligned([("setting", *configs), *settings])])


def main(arguments: list[str] | None = None) -> None:
    """Print a description."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", metavar="paper|released|default|FOLDER")
    try:
        print(describe(parser.parse_args(arguments).configuration))
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
