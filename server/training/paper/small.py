"""The paper's configurations at sizes that a CPU trains in a minute, for the miniature.

    python -m server.training.paper.small paper|released FILE     writes a config.json for train_paper --config

What the network does is the same; only its sizes differ.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from ...errors import LSFError
from ...model import LSFConfig
from ...model.config import BackboneConfig
from .named import writing_named

FUSION_BLOCKS = 4  # instead of 12: three pair attentions


def small_backbone(config: BackboneConfig) -> BackboneConfig:
    """Return an encoder with the same layers at small widths."""
    return dataclasses.replace(config, hidden=32, heads=4, mlp=48, conv=16)


def small(config: LSFConfig) -> LSFConfig:
    """Return a configuration that computes the same at small sizes."""
    emotion = config.emotion_backbone
    return dataclasses.replace(
        config,
        motion_backbone=small_backbone(config.motion_backbone),
        motion_layers=(3,),  # the first two are frozen
        emotion_backbone=None if emotion is None else small_backbone(emotion),
        emotion_layers=(1,),
        width=32,
        heads=4,
        mlp=48,
        identity_styles=8,
        fusion_blocks=FUSION_BLOCKS,
        codes=32,
        code_size=16,
        prior_width=32,
        prior_heads=4,
        prior_mlp=48,
        prior_layers=1,
    )


def main() -> None:
    """Write a small configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", choices=("paper", "released"))
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    config = LSFConfig.paper() if args.config == "paper" else LSFConfig.released()
    try:
        with writing_named(args.file):
            args.file.write_text(small(config).to_json(), encoding="utf-8")
    except LSFError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
