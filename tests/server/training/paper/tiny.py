"""The paper's configurations at widths of 16 and 32, so that a test takes a second."""

import dataclasses

from server.model import LSFConfig

BACKBONE = {"hidden": 16, "heads": 2, "mlp": 16, "conv": 8}


def tiny(config: LSFConfig) -> LSFConfig:
    """Return the same configuration with small sizes: what it does differs in nothing else."""
    emotion = config.emotion_backbone
    return dataclasses.replace(
        config,
        motion_backbone=dataclasses.replace(config.motion_backbone, **BACKBONE),
        emotion_backbone=None if emotion is None else dataclasses.replace(emotion, **BACKBONE),
        motion_layers=(3,),
        emotion_layers=(1,),
        width=32,
        mlp=32,
        heads=4,
        code_size=16,
        codes=8,
        prior_width=32,
        prior_mlp=32,
        prior_heads=4,
        prior_layers=1,
        fusion_blocks=2,
    )
