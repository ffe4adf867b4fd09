"""Parameter counts against sums that are worked out here from the paper's sizes."""

import pytest

from server.errors import LSFError
from server.model import LSF, LSFConfig
from server.model.meta import shapes_only
from server.training import describe
from server.training.describe import parts, total

C, MLP, MOTION, FEATURES = 256, 384, 53, 2 * 768


def linear(a: int, b: int, bias: bool = True) -> int:
    return a * b + (b if bias else 0)


NORM = 2 * C
FEED_FORWARD = NORM + linear(C, MLP) + linear(MLP, C)
LAYER = NORM + linear(C, 3 * C) + linear(C, C) + FEED_FORWARD
CONVOLUTION = 5 * C * C + C  # instance norm has no parameters
PAIRS = 3 * NORM + linear(C, 64) + 3 * linear(C, 64, False) + linear(C, 64) + linear(64, C)
IDENTITY = linear(300, 256) + linear(256, 128) + linear(128, 32) + linear(32, C, False)
STACK = 6 * LAYER + CONVOLUTION + linear(C, C)  # of the prior's encoder or decoder


def by_name(config: LSFConfig) -> dict[str, int]:
    return {part.name: part.parameters for part in parts(config)}


PAPER = {
    "scale of the features": 0,
    "motion features to the stream's width": linear(FEATURES, C),
    "emotion features to the stream's width": linear(FEATURES, C),
    "convolution and norm of the streams": 2 * CONVOLUTION,
    "linear after the norm": 2 * linear(C, C),
    "identity": IDENTITY,
    "fusion tokens": 4 * C,
    "layers of the emotion stream": 11 * LAYER,  # nothing would use what the last block's other layers make
    "layers of the motion stream": 12 * LAYER,
    "pair attention": 11 * PAIRS,
    "layers of the fusion tokens": 11 * FEED_FORWARD,
    "encoder": linear(MOTION, C) + STACK,
    "codebook": 0,  # moving averages are no parameters
    "decoder": STACK + linear(C, MOTION),
}
RELEASED = PAPER | {
    "linear after the norm": linear(C, C),
    "pair attention": 11 * (PAIRS - 2 * 64),
    "codebook": 256 * 128,
    "decoder": STACK + linear(C, MOTION, bias=False),
}


@pytest.mark.parametrize(("config", "expected"), [(LSFConfig.paper(), PAPER), (LSFConfig.released(), RELEASED)])
def test_parts_have_the_parameters_that_the_sizes_give(config, expected):
    found = {part.name: part.parameters for part in parts(config) if part.group != "encoders"}
    assert found == expected


def test_totals_are_those_of_the_paper_and_the_differences_are_known():
    paper, released = parts(LSFConfig.paper()), parts(LSFConfig.released())
    assert (total(paper, "predictor"), total(paper, "prior")) == (15_588_640, 6_352_181)
    assert (total(released, "predictor"), total(released, "prior")) == (15_521_440, 6_384_896)
    assert round(total(released, "prior") / 1e6, 1) == 6.4
    # The authors' last block is as the others are, although only its motion layer has an effect: about 16 million.
    unused = LAYER + PAIRS - 2 * 64 + FEED_FORWARD
    assert unused == 759_296 and round((total(released, "predictor") + unused) / 1e6) == 16


@pytest.mark.parametrize("make", [LSFConfig, LSFConfig.paper, LSFConfig.released])
def test_parts_are_the_whole_model_once(make):
    with shapes_only():
        model = LSF(make())
    found = parts(make())
    assert sum(part.parameters for part in found) == sum(weight.numel() for weight in model.parameters())
    scale = sum(
        getattr(model, name, model.motion_mean.new_zeros(0)).numel()
        for name in ("motion_mean", "motion_scale", "expression_gain")
    )
    assert sum(part.buffers for part in found) + scale == sum(value.numel() for value in model.buffers())


def test_training_changes_all_but_what_is_frozen():
    encoders = {part.name.split("(")[1][:-1]: part for part in parts(LSFConfig.paper()) if part.group == "encoders"}
    layer = 4 * linear(768, 768) + linear(768, 3072) + linear(3072, 768) + 4 * 768
    assert (
        encoders["hubert"].trained >= 10 * layer
        and encoders["hubert"].parameters - encoders["hubert"].trained > 2 * layer
    )
    assert encoders["emotion2vec"].trained == 0
    assert all(part.trained == part.parameters for part in parts(LSFConfig.paper()) if part.group != "encoders")


def test_the_description_has_every_part_and_only_settings_that_differ(capsys):
    describe.main(["released"])
    text = capsys.readouterr().out
    assert all(part.name in text for part in parts(LSFConfig.released()))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["predictor"][0] == "15,521,440" and rows["prior"][0] == "6,384,896"
    assert rows["code_layout"] == ["frame", "frame", "channel"] and rows["pair_bias"] == ["True", "True", "False"]
    assert "codes_per_frame" not in rows and "fps" not in rows


def test_a_checkpoint_is_described_beside_the_others_and_anything_else_is_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "config.json").write_text(LSFConfig.paper(fusion_blocks=3).to_json())
    describe.main([str(tmp_path)])
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["fusion_blocks"] == ["2", "12", "12", "3"]
    with pytest.raises(SystemExit, match=r"no file.*give default, paper, released or"):
        describe.main([str(tmp_path / "none")])
    (tmp_path / "config.json").write_bytes(b"\xff{}")
    with pytest.raises(SystemExit, match="cannot be read"):
        describe.main([str(tmp_path)])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="cannot be used"):
        describe.main([str(tmp_path)])
    with pytest.raises(LSFError):
        describe.describe(str(tmp_path))
