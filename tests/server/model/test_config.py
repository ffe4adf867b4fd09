import dataclasses
import json
from pathlib import Path

import pytest

import server
from server.arkit import CHANNELS
from server.errors import LSFError
from server.model import BackboneConfig, LSFConfig


def test_json_round_trip():
    for config in (
        LSFConfig(),
        LSFConfig.paper(),
        LSFConfig.released(),
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


def test_paper_and_released_differ_in_the_rows_of_the_released_code_alone():
    """Every row of the comparison of docs/paper.md that is a setting of the model: default, paper, released."""
    rows = {
        "motion_scaling": ("deviation", "range", "range"),
        "code_layout": ("frame", "frame", "channel"),
        "codebook_learning": ("averages", "averages", "gradient"),
        "sampling_unit": ("spacing", "raw", "raw"),
        "identity_first": (False, False, True),
        "fusion_update": ("mean", "mean", "discarded"),
        "pair_scale": ("head", "head", "width"),
        "pair_bias": (True, True, False),
        "dropout": (0.1, 0.1, 0.0),
        "position_dropout": (0.0, 0.0, 0.1),
        "prior_positions": ("rotary", "absolute", "absolute"),
        "decoder_bias": (True, True, False),
        "shared_linear": (False, False, True),
        "feature_length": ("crop", "crop", "stretch"),
        "random_positions": (True, False, False),
    }
    configs = LSFConfig(), LSFConfig.paper(), LSFConfig.released()
    for name, values in rows.items():
        assert tuple(getattr(config, name) for config in configs) == values, name
    _, paper, released = configs
    changed = {field.name for field in dataclasses.fields(LSFConfig) if _differ(field.name, paper, released)}
    assert changed == {name for name, (_, a, b) in rows.items() if a != b} | {"motion_backbone"}
    settings = released.motion_backbone, dataclasses.replace(paper.motion_backbone, spec_augment=True, layer_drop=0.1)
    assert settings[0] == settings[1] and settings[0].kind == "hubert"
    assert released.emotion_backbone.kind == "emotion2vec" and not released.emotion_backbone.trainable
    assert released.motion_backbone.positions == 15000 and released.whole_clip and paper.whole_clip


def _differ(name, a, b):
    return getattr(a, name) != getattr(b, name)


def test_a_checkpoint_of_an_older_release_lacks_newer_settings_and_has_what_it_did():
    path = Path(server.__file__).parent / "checkpoints" / "default" / "config.json"
    values = json.loads(path.read_text("utf-8"))
    newer = {f.name for f in dataclasses.fields(LSFConfig) if f.metadata.get("optional")}
    assert {"code_layout", "pair_scale"} <= newer
    whole = LSFConfig.from_json(path.read_text("utf-8"))
    assert not newer & set(values) or set(values) >= newer
    older = {name: value for name, value in values.items() if name not in newer}
    older["motion_backbone"] = {
        k: v for k, v in older["motion_backbone"].items() if k not in ("spec_augment", "layer_drop")
    }
    assert LSFConfig.from_json(json.dumps(older)) == whole
    assert all(getattr(whole, name) == getattr(LSFConfig(), name) for name in newer)


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
        ({"code_layout": "row"}, "code_layout must be frame or channel"),
        ({"codebook_learning": "magic"}, "averages or gradient"),
        ({"position_dropout": 1.0}, "position_dropout"),
        ({"identity_first": 1}, "identity_first must be of type bool"),
        ({"fusion_tokens": -1}, "fusion_tokens"),
        ({"trained_frames": -1}, "trained_frames"),
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


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"kind": "parrot"}, "parrot"),
        ({"kind": "emotion2vec", "trainable": True}, "always frozen"),
        ({"kind": "hubert", "trainable": True, "layer_drop": 1.0}, "layer_drop"),
        ({"kind": "hubert", "layer_drop": 0.1}, "trainable"),
        ({"spec_augment": True}, "trainable"),
        ({"kind": "hubert", "hidden": 24, "heads": 2}, "multiple of 16"),
    ],
)
def test_bad_settings_of_a_speech_encoder_are_refused_in_a_sentence(settings, word):
    with pytest.raises(LSFError, match=word) as raised:
        BackboneConfig(**settings)
    assert raised.value.code == "bad_checkpoint" and str(raised.value).endswith(".")


def test_not_json_and_missing_settings():
    for text in ("", "[]", "{", json.dumps({"width": 256})):
        with pytest.raises(LSFError) as raised:
            LSFConfig.from_json(text)
        assert raised.value.code == "bad_checkpoint"


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LSFConfig().width = 3
