import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from server.errors import LSFError
from server.model import BackboneConfig
from server.model.wav2vec2 import SPAN, Wav2Vec2ClassBackbone, span_mask
from server.model.waveform import PublishedFile
from server.training.paper.published import check_backbone, load_backbone
from tests.server.model.published_files import TINY, emotion2vec_state, hubert, old_names, write_bin

CONFIG = BackboneConfig(kind="hubert", **TINY)
PAPER = BackboneConfig(kind="hubert", trainable=True, **TINY)
RELEASED = BackboneConfig(kind="hubert", trainable=True, spec_augment=True, layer_drop=0.1, **TINY)


def make(config=CONFIG, layers=(3,), seed=0) -> Wav2Vec2ClassBackbone:
    torch.manual_seed(seed)
    backbone = Wav2Vec2ClassBackbone(config, layers)
    with torch.no_grad():
        for value in backbone.parameters():
            if value.dim() == 1:
                value.add_(0.2 * torch.randn_like(value))
    return backbone.eval()


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
def test_wav2vec2_class_gives_exactly_the_frames_asked_for(kind, speech_like):
    backbone = make(BackboneConfig(kind=kind, **TINY))
    audio = torch.from_numpy(speech_like(1.0))
    level = backbone.clip_statistics(audio)
    for first, count in ((0, 50), (0, 1), (20, 9), (48, 30)):
        states = backbone(audio, level, first, count)
        assert len(states) == 3 and all(s.shape == (count, 32) and s.isfinite().all() for s in states)
    loud = 8 * audio + 0.2
    torch.testing.assert_close(
        backbone(loud, backbone.clip_statistics(loud), 0, 50)[-1], backbone(audio, level, 0, 50)[-1], atol=1e-3, rtol=0
    )


# What is frozen, and how it is divided for training


def trained_parts(backbone) -> set[str]:
    """Names of the parts with weights that are trained."""
    return {".".join(n.split(".")[1:4]) for n, weight in backbone.named_parameters() if weight.requires_grad}


def test_the_paper_freezes_convolutions_projection_and_two_layers():
    """And the positions, which are below them."""
    backbone = make(PAPER, (4,))
    assert {name.removesuffix(".weight") for name in trained_parts(backbone)} == {
        "encoder.layers.2",
        "encoder.layers.3",
    }
    assert backbone.feature_size == TINY["hidden"]


def test_the_released_code_trains_the_positions_too():
    backbone = make(RELEASED, (4,))
    assert {name.split(".")[-1] if "layers" in name else name.split(".")[0] for name in trained_parts(backbone)} == {
        "2", "3", "encoder", "masked_spec_embed",
    }  # fmt: skip
    assert any("pos_conv_embed" in name for name in trained_parts(backbone))
    assert not any("feature_" in name for name in trained_parts(backbone))
    assert backbone.feature_size == TINY["conv"]


def clips(backbone, lengths=(16000, 9000, 24000, 3000, 400)):
    """Frozen features of sounds of unlike length, their hidden states, and a batch padded with large numbers."""
    rng = np.random.default_rng(0)
    sounds = [torch.from_numpy((0.1 * rng.standard_normal(n)).astype(np.float32)) for n in lengths]
    windows = [(audio, backbone.clip_statistics(audio), 0, max(1, len(audio) // 320)) for audio in sounds]
    with torch.no_grad():
        features = [backbone.frozen_features(*window) for window in windows]
        states = [backbone(*window) for window in windows]
    frames = max(map(len, features))
    batch = torch.full((len(features), frames, backbone.feature_size), 9.0)
    mask = torch.zeros(len(features), frames, dtype=torch.bool)
    for row, valid, clip in zip(batch, mask, features, strict=True):
        row[: len(clip)], valid[: len(clip)] = clip, True
    return states, features, batch, mask


DIVISIONS = {
    "frozen": {},
    "paper": {"trainable": True},
    "released": {"trainable": True, "spec_augment": True, "layer_drop": 0.1},
    "all layers trained": {"trainable": True, "frozen_layers": 0},
    "all layers frozen": {"trainable": True, "frozen_layers": 9},
}


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
@pytest.mark.parametrize("changes", list(DIVISIONS.values()), ids=list(DIVISIONS))
def test_both_parts_together_are_the_encoder_and_a_batch_is_its_clips(kind, changes):
    backbone = make(BackboneConfig(kind=kind, **TINY, **changes), (1, 2, 4))
    states, features, batch, mask = clips(backbone)
    with torch.no_grad():
        for clip, whole in zip(features, states, strict=True):
            assert clip.shape == (len(whole[0]), backbone.feature_size)
            for state, layer in zip(backbone.trained_layers(clip[None]), (1, 2, 4), strict=True):
                torch.testing.assert_close(state[0], whole[layer - 1], atol=1e-6, rtol=0)
        together = backbone.trained_layers(batch, mask)
    for number, whole in enumerate(states):
        for state, layer in zip(together, (1, 2, 4), strict=True):
            torch.testing.assert_close(state[number, : len(whole[0])], whole[layer - 1], atol=1e-5, rtol=0)
    both = backbone.side_by_side(together, (4, 1))
    assert torch.equal(both[..., :32], together[2]) and torch.equal(both[..., 32:], together[0])


@pytest.mark.parametrize("config", [PAPER, RELEASED], ids=["paper", "released"])
def test_gradients_of_a_batch_are_those_of_its_clips(config):
    backbone = make(config, (4,)).double()
    _, features, batch, mask = clips(backbone.float(), (9000, 5000))
    backbone.double()
    weights = [p for p in backbone.parameters() if p.requires_grad]
    loss = (backbone.trained_layers(batch.double(), mask)[0].square() * mask[..., None]).sum()
    together = torch.autograd.grad(loss, weights, allow_unused=True)
    loss = sum(backbone.trained_layers(clip[None].double())[0].square().sum() for clip in features)
    alone = torch.autograd.grad(loss, weights, allow_unused=True)
    for one, other in zip(together, alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-7)


def test_masks_hold_in_bfloat16():
    """Where a mask's lowest number becomes minus infinity."""
    backbone = make(RELEASED, (4,))
    _, features, batch, mask = clips(backbone)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        together = backbone.trained_layers(batch, mask)[0].float()
        alone = [backbone.trained_layers(clip[None])[0][0].float() for clip in features]
    for row, clip in zip(together, alone, strict=True):
        assert (row[: len(clip)] - clip).norm() < 0.05 * clip.norm()


def test_training_mode_leaves_what_is_frozen_alone():
    """No dropout, masks or skipped layers in the frozen part; those of the rest come with each training step."""
    backbone = make(PAPER, (4,))
    _, _, batch, mask = clips(backbone)
    audio = torch.randn(8000)
    level = backbone.clip_statistics(audio)
    still = backbone.frozen_features(audio, level, 0, 25)
    backbone.train()
    assert torch.equal(backbone.frozen_features(audio, level, 0, 25), still)
    assert not torch.equal(backbone.trained_layers(batch, mask)[0], backbone.trained_layers(batch, mask)[0])
    active = {
        n.rsplit(".", 1)[0] for n, m in backbone.named_modules() if isinstance(m, torch.nn.Dropout) and m.training
    }
    assert active and all("layers.2" in name or "layers.3" in name for name in active)
    backbone.eval()
    assert torch.equal(backbone.trained_layers(batch, mask)[0], backbone.trained_layers(batch, mask)[0])
    for frozen in (make(CONFIG, (4,)).train(), Wav2Vec2ClassBackbone(CONFIG, (4,))):
        assert not any(module.training for module in frozen.modules())
    new = Wav2Vec2ClassBackbone(PAPER, (4,))  # in training mode, as torch makes modules
    assert new.training and torch.equal(
        new.frozen_features(audio, level, 0, 25), new.frozen_features(audio, level, 0, 25)
    )


def without_dropout(backbone):
    for module in backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    return backbone


def test_skipped_layers_are_drawn_for_each_clip_and_only_in_training():
    drop = BackboneConfig(kind="hubert", trainable=True, layer_drop=0.5, frozen_layers=0, **TINY)
    backbone = without_dropout(make(drop, (1, 2, 3, 4)))
    given = torch.randn(64, 20, 32)
    ran = backbone.trained_layers(given)
    backbone.train()
    torch.manual_seed(1)
    x, skipped = given, []
    for layer, state in zip(backbone.model.encoder.layers, backbone.trained_layers(given), strict=True):
        same = (state == x).flatten(1).all(1)
        y = layer(x)
        y = y[0] if isinstance(y, tuple) else y  # transformers below 5
        torch.testing.assert_close(state[~same], y[~same])
        skipped.append(same)
        x = state
    share = torch.stack(skipped).double().mean()
    assert 0.4 < share < 0.6 and len({tuple(row) for row in torch.stack(skipped, 1).tolist()}) > 8
    assert not torch.equal(ran[3], x)


def test_spans_are_masked_as_often_as_in_the_published_settings():
    """Two spans of ten frames at least; as transformers draws them, on average."""
    from transformers.models.hubert.modeling_hubert import _compute_mask_indices

    torch.manual_seed(0)
    np.random.seed(0)
    for frames in (9, 15, 100, 640, 1000):
        mask = torch.ones(1000, frames, dtype=torch.bool)
        spans = span_mask(frames, mask)
        assert spans.shape == mask.shape
        if frames < SPAN:
            assert not spans.any()
            continue
        theirs = _compute_mask_indices((200, frames), 0.05, SPAN, min_masks=2)
        assert abs(spans.double().mean() - theirs.mean()) < 0.015 + 0.01 * (frames < 20)
        edges = (spans[:, 1:] & ~spans[:, :-1]).sum(1) + spans[:, 0]
        assert edges.max() <= 0.005 * frames + 2


def test_masked_spans_lie_in_the_clip_and_do_not_depend_on_its_batch():
    lengths = torch.tensor([30, 80, 9, 200])
    mask = torch.arange(200) < lengths[:, None]
    torch.manual_seed(3)
    long = span_mask(200, mask)
    torch.manual_seed(3)
    short = span_mask(120, mask[:, :120].clone())
    assert not (long & ~mask).any()
    assert torch.equal(long[:3, :120], short[:3]) and long[0].sum() >= SPAN and not long[2].any()


def test_masked_frames_are_the_learned_vector_in_training_only():
    backbone = without_dropout(make(RELEASED, (4,)))
    _, _, batch, mask = clips(backbone)
    still = backbone.trained_layers(batch, mask)[0]
    backbone.train()
    torch.manual_seed(0)
    changed = backbone.trained_layers(batch, mask)[0]
    assert not torch.allclose(changed, still, atol=1e-2)
    changed[mask].square().sum().backward()
    assert backbone.model.masked_spec_embed.grad.abs().sum() > 0
    assert torch.equal(backbone.eval().trained_layers(batch, mask)[0], still)


# Published files


def heads(kind: str) -> dict[str, torch.Tensor]:
    """Weights of a pretraining or of a task, which are not needed."""
    names = {
        "hubert": ("final_proj.weight", "label_embs_concat", "lm_head.weight", "lm_head.bias"),
        "wav2vec2": ("quantizer.codevectors", "project_hid.weight", "project_q.bias"),
    }
    return {name: torch.ones(3) for name in names[kind]}


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("form", ["bin", "safetensors"])
def test_published_layouts_load(tmp_path, kind, prefix, old, form):
    whole = hubert(kind)
    before = f"{kind}." if prefix else ""
    state = old_names(whole.state_dict(), before) if old else {before + n: v for n, v in whole.state_dict().items()}
    folder = write_bin(tmp_path, whole.config.to_dict(), state | heads(kind))
    if form == "safetensors":
        (tmp_path / "pytorch_model.bin").unlink()
        save_file(state | heads(kind), tmp_path / "model.safetensors")
    config = BackboneConfig(kind=kind, **TINY)
    check_backbone(config, (3,), folder)
    backbone = Wav2Vec2ClassBackbone(config, (3,)).eval()
    load_backbone(backbone, folder)
    audio = torch.randn(16000)
    with torch.no_grad():
        states = whole(audio[None], output_hidden_states=True).hidden_states
        heard = backbone.states(backbone.convolve(audio))
    for layer in range(4):
        torch.testing.assert_close(heard[layer], states[layer], atol=1e-5, rtol=0)


def test_folder_of_transformers_and_file_with_its_prefix(tmp_path):
    whole = hubert()
    whole.save_pretrained(tmp_path / "folder")
    for path in (tmp_path / "folder", tmp_path / "folder" / "model.safetensors"):
        load_backbone(make(), path)
    torch.save(old_names(whole.state_dict(), "hubert."), tmp_path / "alone.bin")
    load_backbone(make(), tmp_path / "alone.bin")


def test_half_precision_files_and_a_learned_mask(tmp_path):
    whole = hubert()
    state = old_names(whole.half().state_dict())
    backbone = make(RELEASED)
    load_backbone(backbone, write_bin(tmp_path, whole.config.to_dict(), state))
    torch.testing.assert_close(backbone.model.masked_spec_embed.data, whole.masked_spec_embed.float())
    del state["masked_spec_embed"]  # some files lack what only training uses
    load_backbone(backbone, write_bin(tmp_path, whole.config.to_dict(), state))


def test_other_models_are_refused_by_their_settings_and_shapes(tmp_path):
    whole = hubert()
    state, settings = whole.state_dict(), whole.config.to_dict()
    wav2vec2 = hubert("wav2vec2")
    shallow = hubert(layers=2)
    large = hubert(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
    cases = {
        "kind wav2vec2, but hubert": write_bin(tmp_path / "kind", wav2vec2.config.to_dict(), wav2vec2.state_dict()),
        "kind wav2vec2": write_bin(tmp_path / "prefix", settings, old_names(wav2vec2.state_dict(), "wav2vec2.")),
        "kind whisper": write_bin(tmp_path / "whisper", {"model_type": "whisper"}, {"conv1.weight": torch.ones(1)}),
        "kind wavlm": write_bin(tmp_path / "wavlm", {**settings, "model_type": "wavlm"}, state),
        "kind ['hubert']": write_bin(tmp_path / "list", {**settings, "model_type": ["hubert"]}, state),
        "hidden_size is many": write_bin(tmp_path / "text", {**settings, "hidden_size": "many"}, state),
        "conv_bias is True": write_bin(tmp_path / "large", large.config.to_dict(), large.state_dict()),
        "num_attention_heads is 8": write_bin(tmp_path / "heads", {**settings, "num_attention_heads": 8}, state),
        "with 2 layers, but 3": write_bin(tmp_path / "shallow", shallow.config.to_dict(), shallow.state_dict()),
        "another size": write_bin(tmp_path / "wide", settings, {**state, "encoder.layer_norm.weight": torch.ones(48)}),
        "lacks the weight": write_bin(
            tmp_path / "less", settings, {n: v for n, v in state.items() if n != "encoder.layers.2.layer_norm.bias"}
        ),
    }  # fmt: skip
    (tmp_path / "emotion").mkdir()
    torch.save({"model": emotion2vec_state()}, tmp_path / "emotion" / "emotion2vec_base.pt")
    cases["kind emotion2vec"] = tmp_path / "emotion"
    (tmp_path / "bare").mkdir()
    torch.save(old_names(state), tmp_path / "bare" / "hubert.bin")
    cases["does not say which kind"] = tmp_path / "bare" / "hubert.bin"
    for sentence, path in cases.items():
        with pytest.raises(LSFError) as raised:
            check_backbone(CONFIG, (3,), path)
        assert raised.value.code == "bad_backbone" and sentence in str(raised.value), str(raised.value)
        with pytest.raises(LSFError):
            load_backbone(make(), path)


def test_a_refused_file_changes_nothing(tmp_path):
    whole = hubert()
    state = whole.state_dict()
    state["encoder.layers.2.final_layer_norm.bias"][5] = torch.inf
    backbone = make()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(LSFError, match="not finite"):
        load_backbone(backbone, write_bin(tmp_path, whole.config.to_dict(), state))
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_settings_of_the_published_base_model_fit():
    """Those that HuBERT base's config.json has, with lists for tuples."""
    base = BackboneConfig(kind="hubert", hidden=768, heads=12, mlp=3072, conv=512, trainable=True)
    with torch.device("meta"):
        backbone = Wav2Vec2ClassBackbone(base, (12,))
        settings = json.loads(hubert().config.__class__().to_json_string(use_diff=False))
    settings["feat_proj_dropout"] = settings["layerdrop"] = 0.1
    shapes = {n.removeprefix("model."): tuple(v.shape) for n, v in backbone.state_dict().items()}
    names = backbone.published_names(PublishedFile(None, settings, shapes, None))
    assert len(names) == len(shapes) and sum(p.numel() for p in backbone.parameters()) == 94370944


def test_clip_statistics_in_pieces_equal_those_of_the_whole_clip():
    torch.manual_seed(0)
    audio = 0.01 * torch.randn(150 * 16000)
    audio[140 * 16000 : 141 * 16000] *= 50
    level = make(layers=(1,)).clip_statistics(audio)
    torch.testing.assert_close(level, torch.stack((audio.mean(), audio.std())), atol=1e-4, rtol=1e-4)
