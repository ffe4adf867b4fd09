"""Weights in the layout of another program, made here: mapped by rules, or refused with a list of both sides."""

import argparse
import json
import re
from pathlib import Path

import pytest
import torch

from server.errors import LSFError
from server.model import LSF, LSFConfig
from server.training.paper import import_released
from server.training.paper.released_weights import Table, apply, merge, propose, read_table, read_weights

from .tiny import tiny


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LSF(tiny(LSFConfig.released())).eval()


@pytest.fixture(scope="module")
def config(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(model.config.to_json())
    return path


def another_layout(model: LSF) -> dict[str, torch.Tensor]:
    """The model's weights as a program with torch's own layers might have them; not the authors' names."""
    theirs = {}
    own = model.state_dict()
    for name, value in own.items():
        if re.match(r"motion_mean|motion_scale|(motion|emotion)_norm\.|emotion_backbone\.", name):
            continue
        if name.startswith("motion_backbone.model."):
            name = name.replace("motion_backbone.model.", "speech.audio_encoder.")
            name = name.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            )
            theirs[name] = value
        elif name == "prior.quantiser.codebook":
            theirs["vqvae.quantize.embedding.weight"] = value[0]
        elif name == "hifb.tokens":
            theirs["fusion.tokens"] = value[0]
        elif ".pairs.motion_" in name and name.endswith("weight") and "norm" not in name:
            continue  # the second half of the matrix over pairs
        elif ".pairs.emotion_" in name and "norm" not in name:
            kind = name.split("emotion_")[-1]
            block = name.split(".")[2]
            halves = [value, own[name.replace("emotion_", "motion_")]]
            theirs[f"fusion.layers.{block}.cross.{kind}"] = torch.cat(halves, 1)
        elif "qkv" in name and name.startswith("hifb"):
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                theirs[f"fusion.{name[5:].replace('qkv', part)}"] = piece
        elif "qkv" in name:
            theirs[f"vqvae.{name[6:].replace('qkv.', 'self_attn.in_proj_')}"] = value
        elif name == "prior.into.0.weight":
            theirs["vqvae.into.weight_transposed"] = value.T.contiguous()
        else:
            theirs[f"net.{name}"] = value
    theirs["net.last.emotion_layer.weight"] = torch.zeros(3)  # of a part that nothing uses
    return theirs


PAIRS = r"hifb\.blocks\.(\d+)\.pairs\."
CROSS = r"fusion.layers.\1.cross.\2.weight"
HUBERT = r"motion_backbone\.model\.(.+)"
RULES = {
    "rules": [
        {"ours": HUBERT + r"parametrizations\.weight\.original0", "theirs": r"speech.audio_encoder.\1weight_g"},
        {"ours": HUBERT + r"parametrizations\.weight\.original1", "theirs": r"speech.audio_encoder.\1weight_v"},
        {"ours": HUBERT, "theirs": r"speech.audio_encoder.\1"},
        {"ours": r"emotion_backbone\..+", "theirs": [], "optional": True},
        {"ours": r"prior\.quantiser\.codebook", "theirs": "vqvae.quantize.embedding.weight"},
        {"ours": r"hifb\.tokens", "theirs": "fusion.tokens"},
        {"ours": PAIRS + r"emotion_(key|value)\.weight", "theirs": CROSS, "columns": [0, 32]},
        {"ours": PAIRS + r"motion_(key|value)\.weight", "theirs": CROSS, "columns": [32, 64]},
        {"ours": r"hifb\.(.+)\.qkv\.(.+)", "theirs": [r"fusion.\1.q.\2", r"fusion.\1.k.\2", r"fusion.\1.v.\2"]},
        {"ours": r"prior\.(.+)\.qkv\.(.+)", "theirs": r"vqvae.\1.self_attn.in_proj_\2"},
        {"ours": r"prior\.into\.0\.weight", "theirs": "vqvae.into.weight_transposed", "transpose": True},
        {"ours": "(.+)", "theirs": r"net.\1"},
    ],
    "ignore": [r"net\.last\.emotion_layer\..+"],
}


@pytest.fixture
def files(model, tmp_path):
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in another_layout(model).items()}, "epoch": 3}, tmp_path / "a.ckpt"
    )
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    return tmp_path


def run(files, config, *options):
    import_released.main([str(files / "a.ckpt"), "--config", str(config), *map(str, options)])


def refusal(files, config, *options):
    with pytest.raises(SystemExit) as caught:
        run(files, config, *options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rules_give_back_every_weight(model, files, config, monkeypatch):
    loaded = []
    monkeypatch.setattr(import_released, "backbone_source", lambda source: source)
    monkeypatch.setattr(import_released, "check_backbone", lambda config, layers, path: loaded.append(config.kind))
    monkeypatch.setattr(import_released, "load_backbone", lambda backbone, path: loaded.append(path))
    run(files, config, "--rules", files / "rules.json", "--out", files / "out", "--emotion", "emotion2vec.pt")
    assert loaded == ["emotion2vec", "emotion2vec.pt"], "checked before the model is built, then loaded"
    again = LSF.from_pretrained(files / "out").state_dict()
    for name, value in model.state_dict().items():
        if name.startswith("motion_backbone."):  # what is frozen is stored in half precision
            torch.testing.assert_close(again[name], value, rtol=1e-3, atol=1e-6)
        elif not name.startswith("emotion_backbone."):
            assert torch.equal(again[name], value), name


def test_an_encoder_that_the_files_lack_must_be_given(files, config):
    assert "--emotion" in refusal(files, config, "--rules", files / "rules.json", "--out", files / "out")
    assert not (files / "out").exists()


def test_what_does_not_match_is_listed_with_both_sides_and_nothing_is_written(model, files, config, capsys):
    rules = json.loads((files / "rules.json").read_text())
    rules["rules"] = [rule for rule in rules["rules"] if "tokens" not in rule["ours"]]
    rules["ignore"] = []
    (files / "rules.json").write_text(json.dumps(rules))
    sentence = refusal(files, config, "--rules", files / "rules.json", "--out", files / "out", "--emotion", "x")
    assert sentence.startswith("1 weights of ours have no counterpart and 2 of theirs no place")
    listed = capsys.readouterr().err
    assert "hifb.tokens (1, 4, 32): theirs has no net.hifb.tokens" in listed
    assert "fusion.tokens (4, 32)" in listed and "net.last.emotion_layer.weight (3,)" in listed
    assert not (files / "out").exists()
    assert "no counterpart" in refusal(files, config, "--out", files / "out"), "without rules, equal names only"


@pytest.mark.parametrize("change", [{"columns": [0, 40]}, {"columns": [0, 31]}, {"rows": [0, 4]}, {"transpose": True}])
def test_shapes_that_do_not_fit_are_refused(model, change):
    rules = [dict(rule) for rule in RULES["rules"]]
    rules[6] = {k: v for k, v in rules[6].items() if k != "columns"} | change
    table = Table(tuple(_read_rules(rules)), ignore=(re.compile(".+"),))
    mapped = apply(table, another_layout(model), model.state_dict())
    assert len(mapped.unmatched) == 2 and all("does not fit" in reason for reason in mapped.unmatched.values())


def _read_rules(rules):
    from server.training.paper.released_weights import _rule

    return [_rule(Path("rules.json"), rule) for rule in rules]


def test_a_written_table_has_both_sides_and_guesses_must_be_confirmed(model, files, config, capsys):
    run(files, config, "--write-rules", files / "new.json")
    assert "exists" in refusal(files, config, "--write-rules", files / "new.json")
    assert "no folder" in refusal(files, config, "--write-rules", files / "none" / "new.json")
    config.with_name("binary.json").write_bytes(b"\xff{}")
    assert "cannot be read" in refusal(files, config.with_name("binary.json"), "--write-rules", files / "more.json")
    table = json.loads((files / "new.json").read_text("utf-8"))
    by_ours = {rule["ours"]: rule for rule in table["rules"]}
    assert by_ours[r"motion_backbone\.model\.(.+)"]["theirs"] == [r"speech.audio_encoder.\1"]
    assert by_ours[r"emotion_backbone\..+"]["optional"]
    codebook = by_ours[r"prior\.quantiser\.codebook"]
    assert codebook["theirs"] == ["vqvae.quantize.embedding.weight"] and codebook["guess"], "the only one of its shape"
    assert codebook["about"] == "prior: codebook" and codebook["shape"] == [1, 8, 16]
    linear = by_ours[r"hifb\.last\.out\.weight"]
    assert linear["theirs"] == [] and linear["candidates"][0] == "net.hifb.last.out.weight", "of many, the likely first"
    sentence = refusal(files, config, "--rules", files / "new.json", "--out", files / "out")
    assert "guesses" in sentence and not (files / "out").exists()


def test_weights_of_our_own_names_need_no_rules(model):
    own = model.state_dict()
    mapped = apply(Table(), own, own)
    assert not mapped.unmatched and sorted([*mapped.weights, *mapped.kept]) == sorted(own)
    assert "guess" not in propose(own, own)


def test_names_that_are_kept_need_no_place(model):
    own = model.state_dict()
    own["motion_norm.running_mean"] = torch.zeros(3)  # which only theirs has
    mapped = apply(Table(), own, model.state_dict())
    assert "motion_mean" in mapped.kept and not mapped.unmatched and not mapped.unused


def test_two_files_are_joined_unless_they_contradict(tmp_path):
    a, b = {"x": torch.ones(2)}, {"x": torch.ones(2), "y": torch.zeros(1)}
    assert set(merge({tmp_path / "a": a, tmp_path / "b": b})) == {"x", "y"}
    with pytest.raises(LSFError, match="x is another one"):
        merge({tmp_path / "a": a, tmp_path / "b": {"x": torch.zeros(2)}})


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_settings_of_the_training_program_are_passed_over(tmp_path):
    settings = argparse.Namespace(width=3)
    torch.save({"state_dict": {"x": torch.ones(1)}, "hyper_parameters": settings}, tmp_path / "a.ckpt")
    assert read_weights(tmp_path / "a.ckpt") == {"x": torch.ones(1)}


def test_files_run_no_program_and_damage_is_one_sentence(tmp_path):
    torch.save({"state_dict": {"x": torch.ones(1)}, "settings": Trap(tmp_path / "sprung")}, tmp_path / "a.ckpt")
    with pytest.raises(LSFError, match="objects that torch does not read"):
        read_weights(tmp_path / "a.ckpt")
    assert not (tmp_path / "sprung").exists()
    for content in (b"", b"PK\x03\x04", b"\x80\x04junk"):
        (tmp_path / "a.ckpt").write_bytes(content)
        (tmp_path / "a.safetensors").write_bytes(content)
        for name in ("a.ckpt", "a.safetensors"):
            with pytest.raises(LSFError, match=f"{name} .*damaged") as caught:
                read_weights(tmp_path / name)
            assert caught.value.code == "bad_weights"
    for stored in ([torch.ones(1)], {"epoch": 3}, {"state_dict": {1: torch.ones(1)}}):
        torch.save(stored, tmp_path / "a.ckpt")
        with pytest.raises(LSFError, match="no weights by name"):
            read_weights(tmp_path / "a.ckpt")
    torch.save({"x": torch.tensor([1.0, float("nan")])}, tmp_path / "a.ckpt")
    with pytest.raises(LSFError, match="not finite"):
        read_weights(tmp_path / "a.ckpt")
    with pytest.raises(LSFError, match="no file"):
        read_weights(tmp_path / "nowhere.pt")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not JSON"),
        ("{}", "not JSON"),
        ('{"rules": [], "more": 1}', "unknown entry more"),
        ('{"rules": [{"ours": "a"}]}', "not JSON"),
        ('{"rules": [{"ours": "(", "theirs": "b"}]}', "not JSON"),
        ('{"rules": [{"ours": "a", "theirs": "b", "rowz": [0, 1]}]}', "unknown entry rowz"),
        ('{"rules": [{"ours": "a", "theirs": "b", "rows": [1, 0]}]}', "start < end"),
        ('{"rules": [{"ours": "a", "theirs": "b", "guess": true}]}', "1 guesses"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, text, reason):
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(LSFError, match=reason):
        read_table(tmp_path / "rules.json")
