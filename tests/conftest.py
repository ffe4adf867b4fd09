"""Fixtures that several packages' tests share."""

import pytest


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory):
    """A folder with a tiny, randomly initialised LSF: the real classes, loaded and run in no time."""
    import torch

    from server.model import LSF, BackboneConfig, LSFConfig
    torch.manual_seed(0)
    config = LSFConfig(motion_backbone=BackboneConfig(hidden=32, heads=2, mlp=64), motion_layers=(1,),
                       emotion_layers=(1,), motion_components=0, emotion_components=0, width=32, mlp=32, heads=2,
                       direct_width=16, codes=16, code_size=16, prior_width=32, prior_mlp=32, prior_heads=2)
    folder = tmp_path_factory.mktemp("checkpoint")
    LSF(config).save_pretrained(folder)
    return folder
