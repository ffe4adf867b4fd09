import dataclasses
import json

import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.model import LSFConfig


def test_json_round_trip():
    for config in (
        LSFConfig(),
        LSFConfig.paper(),
        LSFConfig(direct_path=("linear", "conv", "conv"), fps=50, frame_stack=1),
    ):
        assert LSFConfig.from_json(config.to_json()) == config


def test_presets_are_what_the_paper_and_the_contracts_say():
    default, paper = LSFConfig(), LSFConfig.paper()
    assert default.channels == CHANNELS and default.fps == paper.fps == 25 and default.identity_size == 50
    assert len(paper.channels) == 53 and paper.channels[50:] == ("jawX", "jawY", "jawZ")
    assert (paper.identity_size, paper.fusion_blocks, paper.fusion_tokens) == (300, 12, 4)
    assert (paper.width, paper.mlp, paper.heads, paper.frame_stack) == (256, 384, 8, 2)
    assert (paper.codes, paper.code_size, paper.latent, paper.prior_layers) == (256, 128, 256, 6)
    assert paper.motion_backbone.kind == "hubert" and paper.emotion_backbone.hidden == 768
    assert paper.stream_norm == paper.prior_norm == "instance" and paper.direct_path == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"colour": 3}, "colour"),
        ({"width": "256"}, "width"),
        ({"width": True}, "width"),
        ({"width": 250}, "width"),
        ({"codes": 10**12}, "codes"),
        ({"motion_layers": [0]}, "motion_layers"),
        ({"motion_layers": [10**9]}, "motion_layers"),
        ({"motion_layers": 3}, "motion_layers"),
        ({"channels": ["jawOpen", "jawOpen"]}, "channels"),
        ({"channels": [1]}, "channels"),
        ({"motion_space": "face"}, "face"),
        ({"direct_path": ["magic"]}, "direct_path"),
        ({"direct_path": [], "width": 320}, "direct path"),
        ({"fps": 30}, "fps"),
        ({"fusion_blocks": 1}, "fusion_blocks"),
        ({"kernel": 4}, "kernels"),
        ({"dropout": float("nan")}, "dropout"),
        ({"motion_backbone": None}, "BackboneConfig"),
        ({"motion_backbone": {"kind": "whisper"}}, "hidden"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(change, word):
    values = json.loads(LSFConfig().to_json())
    with pytest.raises(LSFError, match=word) as raised:
        LSFConfig.from_json(json.dumps({**values, **change}))
    assert raised.value.code == "bad_checkpoint" and str(raised.value).endswith(".")


def test_not_json_and_missing_settings():
    for text in ("", "[]", "{", json.dumps({"width": 256})):
        with pytest.raises(LSFError) as raised:
            LSFConfig.from_json(text)
        assert raised.value.code == "bad_checkpoint"


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LSFConfig().width = 3
