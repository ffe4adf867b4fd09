from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from transformers.audio_utils import mel_filter_bank
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from server.engine import DEFAULT_CHECKPOINT
from server.files.audio import load_16k
from server.model import LSF, BackboneConfig
from server.model.whisper import LogMel, WhisperBackbone, mel_filters

DEMO_LINE = Path(__file__).parents[3] / "lsf_blender_addon" / "assets" / "demo_line.flac"
SMALL = {"hidden": 32, "heads": 4, "mlp": 48, "mels": 80}
SAME = 1e-6  # of the largest feature: nothing but rounding


def assert_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= SAME * float(theirs.abs().max())


@pytest.mark.parametrize("mels", [20, 80, 128])
def test_filter_bank_equals_that_of_transformers(mels):
    theirs = mel_filter_bank(201, mels, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney").T
    assert_same(mel_filters(mels, 201, 8000.0), torch.from_numpy(theirs.astype(np.float32)))


def test_filters_below_1_kilohertz_alone():
    theirs = mel_filter_bank(51, 10, 0.0, 800.0, 1600, norm="slaney", mel_scale="slaney").T
    assert_same(mel_filters(10, 51, 800.0), torch.from_numpy(theirs.astype(np.float32)))


@pytest.mark.parametrize("seconds", [0.05, 3.0, 12.3])
def test_log_mel_equals_the_feature_extractor_piece_by_piece(speech_like, seconds):
    clip = speech_like(seconds)
    frames = int(seconds * 100)
    wanted = transformers.WhisperFeatureExtractor()(clip, sampling_rate=16000, return_tensors="pt").input_features[0]
    backbone = WhisperBackbone(BackboneConfig(**SMALL), 1)
    audio = torch.from_numpy(clip)
    peak = backbone.clip_statistics(audio)
    pieces = [backbone.mel(audio, at, min(170, frames - at)) for at in range(0, frames, 170)]
    mel = (torch.maximum(torch.cat(pieces, 1), peak - 8) + 4) / 4
    assert_same(mel, wanted[:, :frames])


def test_clip_statistics_in_pieces_equal_those_of_the_whole_clip():
    torch.manual_seed(0)
    audio = 0.01 * torch.randn(150 * 16000)
    audio[140 * 16000 : 141 * 16000] *= 50
    backbone = WhisperBackbone(BackboneConfig(**SMALL), 1)
    assert torch.equal(backbone.clip_statistics(audio), backbone.mel(audio, 0, len(audio) // 160).max())


def whisper_encoder(positions: int, layers: int, like: BackboneConfig) -> WhisperEncoder:
    """The encoder of transformers, with random weights."""
    torch.manual_seed(0)
    encoder = WhisperEncoder(
        transformers.WhisperConfig(
            d_model=like.hidden,
            encoder_attention_heads=like.heads,
            encoder_ffn_dim=like.mlp,
            encoder_layers=layers,
            num_mel_bins=like.mels,
            max_source_positions=positions,
        )
    ).eval()
    for weight in encoder.parameters():
        weight.data = weight.data + 0.1 * torch.randn_like(weight)
    return encoder


def layers_of_transformers(encoder: WhisperEncoder, backbone: WhisperBackbone, audio: torch.Tensor, frames: int):
    """Hidden states (frames, C) of all layers of transformers' encoder, for the mel spectrogram of `backbone`."""
    states = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: states.append(out[0] if isinstance(out, tuple) else out))
        for layer in encoder.layers
    ]
    with torch.no_grad():
        mel = backbone.mel(audio, 0, 2 * frames)
        encoder((torch.maximum(mel, backbone.clip_statistics(audio) - 8) + 4)[None] / 4)
    for hook in hooks:
        hook.remove()
    return [state.reshape(frames, -1) for state in states]


def test_whisper_layers_equal_transformers_own_encoder(speech_like):
    encoder = whisper_encoder(100, 4, BackboneConfig(**SMALL)).double()
    backbone = WhisperBackbone(BackboneConfig(**SMALL, positions=100), 3)  # fewer layers
    backbone.load_encoder(encoder.state_dict())
    backbone.double()
    audio = torch.from_numpy(speech_like(2.0)).double()
    peak = backbone.clip_statistics(audio)
    states = backbone(audio, peak, 0, 100)
    assert len(states) == 3
    for ours, theirs in zip(states, layers_of_transformers(encoder, backbone, audio, 100), strict=False):
        assert_same(ours, theirs)
    for first, count in ((0, 2), (30, 7), (90, 100)):  # any window, past the end too
        assert all(s.shape == (count, 32) and s.isfinite().all() for s in backbone(audio, peak, first, count))
    assert not any(weight.requires_grad for weight in backbone.parameters())
    assert not backbone.train().training


def test_a_shorter_table_of_positions_takes_the_first_ones():
    encoder = whisper_encoder(100, 3, BackboneConfig(**SMALL))
    backbone = WhisperBackbone(BackboneConfig(**SMALL, positions=80), 2)
    backbone.load_encoder(encoder.state_dict())
    assert torch.equal(backbone.embed_positions.weight, encoder.embed_positions.weight[:80])


def test_the_features_of_the_checkpoint_that_ships_equal_those_of_transformers():
    """In float32, as they are computed for artists; the largest feature is above 500."""
    model = LSF.from_pretrained(DEFAULT_CHECKPOINT)
    backbone, config = model.motion_backbone, model.config.motion_backbone
    encoder = whisper_encoder(config.positions, len(backbone.layers), config)
    state = {name: value for name, value in backbone.state_dict().items() if name != "mel.filters"}
    encoder.load_state_dict(state, strict=False)  # the norm above the last layer is not used
    frames, audio = config.positions, torch.from_numpy(load_16k(DEMO_LINE))
    theirs = layers_of_transformers(encoder, backbone, audio, frames)
    with torch.inference_mode():
        ours = backbone(audio, backbone.clip_statistics(audio), 0, frames)
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one, other)
    bank = mel_filter_bank(201, config.mels, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney").T
    assert torch.equal(backbone.mel.filters, torch.from_numpy(bank.astype(np.float32)))


def test_mel_frame_is_centred_on_its_time():
    mel = LogMel(80)
    click = torch.zeros(16000)
    click[8000] = 1.0
    assert int(mel(click, 0, 100).exp().sum(0).argmax()) == 50
