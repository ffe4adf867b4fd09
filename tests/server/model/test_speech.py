import numpy as np
import pytest
import torch
import transformers

from server.errors import LSFError
from server.model import BackboneConfig
from server.model.speech import LogMel, Wav2Vec2ClassBackbone, WhisperBackbone, make_backbone, padded_slice

SMALL = {"hidden": 32, "heads": 4, "mlp": 48, "mels": 80}


def test_a_slice_is_zero_outside_the_clip():
    clip = torch.arange(1.0, 6)
    assert padded_slice(clip, -2, 3).tolist() == [0, 0, 1, 2, 3]
    assert padded_slice(clip, 3, 8).tolist() == [4, 5, 0, 0, 0]
    assert padded_slice(clip, 7, 9).tolist() == [0, 0] and padded_slice(clip, -4, -2).tolist() == [0, 0]


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
    torch.testing.assert_close(mel, wanted[:, :frames], atol=1e-4, rtol=0)


def test_clip_statistics_in_pieces_equal_those_of_the_whole_clip():
    torch.manual_seed(0)
    audio = 0.01 * torch.randn(150 * 16000)
    audio[140 * 16000 : 141 * 16000] *= 50
    backbone = WhisperBackbone(BackboneConfig(**SMALL), 1)
    assert torch.equal(backbone.clip_statistics(audio), backbone.mel(audio, 0, len(audio) // 160).max())
    level = Wav2Vec2ClassBackbone(
        BackboneConfig(kind="hubert", hidden=32, heads=4, mlp=48, conv=16), 1
    ).clip_statistics(audio)
    torch.testing.assert_close(level, torch.stack((audio.mean(), audio.std())), atol=1e-4, rtol=1e-4)


def whisper_encoder(positions: int, layers: int):
    torch.manual_seed(0)
    encoder = transformers.models.whisper.modeling_whisper.WhisperEncoder(
        transformers.WhisperConfig(
            d_model=32,
            encoder_attention_heads=4,
            encoder_ffn_dim=48,
            encoder_layers=layers,
            num_mel_bins=80,
            max_source_positions=positions,
        )
    ).eval()
    for weight in encoder.parameters():
        weight.data = weight.data + 0.1 * torch.randn_like(weight)
    return encoder


def test_whisper_layers_equal_transformers_own_encoder(speech_like):
    encoder = whisper_encoder(positions=100, layers=4)
    wanted = []
    for layer in encoder.layers:
        layer.register_forward_hook(lambda _, __, out: wanted.append(out[0] if isinstance(out, tuple) else out))
    audio = torch.from_numpy(speech_like(2.0))
    with torch.no_grad():
        backbone = WhisperBackbone(BackboneConfig(**SMALL, positions=80), 3)  # fewer layers, a shorter table
        backbone.load_encoder(encoder.state_dict())
        peak = backbone.clip_statistics(audio)
        encoder((torch.maximum(backbone.mel(audio, 0, 200), peak - 8) + 4)[None] / 4)
        backbone = WhisperBackbone(BackboneConfig(**SMALL, positions=100), 3)
        backbone.load_encoder(encoder.state_dict())
        states = backbone(audio, peak, 0, 100)
        assert len(states) == 3
        for state, reference in zip(states, wanted, strict=False):
            torch.testing.assert_close(state, reference[0], atol=1e-4, rtol=0)
        for first, count in ((0, 2), (30, 7), (90, 100)):  # any window, past the end too
            assert all(s.shape == (count, 32) and s.isfinite().all() for s in backbone(audio, peak, first, count))
    assert not any(weight.requires_grad for weight in backbone.parameters())
    assert not backbone.train().training


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
def test_wav2vec2_class_gives_exactly_the_frames_asked_for(kind, speech_like):
    torch.manual_seed(0)
    backbone = Wav2Vec2ClassBackbone(BackboneConfig(kind=kind, hidden=32, heads=4, mlp=48, conv=16), 3).eval()
    audio = torch.from_numpy(speech_like(1.0))
    level = backbone.clip_statistics(audio)
    for first, count in ((0, 50), (0, 1), (20, 9), (48, 30)):
        states = backbone(audio, level, first, count)
        assert len(states) == 3 and all(s.shape == (count, 32) and s.isfinite().all() for s in states)
    loud = 8 * audio + 0.2
    torch.testing.assert_close(
        backbone(loud, backbone.clip_statistics(loud), 0, 50)[-1], backbone(audio, level, 0, 50)[-1], atol=1e-3, rtol=0
    )


def test_the_paper_freezes_convolutions_projection_and_two_layers():
    config = BackboneConfig(kind="hubert", hidden=32, heads=4, mlp=48, conv=16, trainable=True)
    backbone = Wav2Vec2ClassBackbone(config, 4)
    free = {
        name.split(".")[1] + "." + name.split(".")[2] + "." + name.split(".")[3]
        for name, weight in backbone.named_parameters()
        if weight.requires_grad and ".layers." in name
    }
    assert free == {"encoder.layers.2", "encoder.layers.3"}
    still = [name for name, weight in backbone.named_parameters() if not weight.requires_grad]
    assert any("feature_extractor" in name for name in still) and any("feature_projection" in name for name in still)


def test_backbone_from_a_folder(tmp_path):
    config = BackboneConfig(kind="hubert", hidden=32, heads=4, mlp=48, conv=16)
    torch.manual_seed(0)
    whole = transformers.HubertModel(
        transformers.HubertConfig(
            hidden_size=32,
            num_attention_heads=4,
            intermediate_size=48,
            num_hidden_layers=5,
            conv_dim=(16,) * 7,
        )
    ).eval()
    whole.save_pretrained(tmp_path / "hubert", safe_serialization=True)
    backbone = Wav2Vec2ClassBackbone(config, 3).eval()
    backbone.load_folder(tmp_path / "hubert")
    audio = torch.randn(16000)
    with torch.no_grad():
        states = whole(audio[:16000][None], output_hidden_states=True).hidden_states
        heard = backbone.model(audio[None], output_hidden_states=True).hidden_states
    np.testing.assert_allclose(heard[3], states[3], atol=1e-5)

    wider = Wav2Vec2ClassBackbone(BackboneConfig(kind="hubert", hidden=64, heads=4, mlp=48, conv=16), 3)
    for folder, model in ((tmp_path / "hubert", wider), (tmp_path / "nothing", backbone)):
        with pytest.raises(LSFError) as raised:
            model.load_folder(folder)
        assert raised.value.code == "bad_backbone"


@pytest.mark.parametrize("kind", ["whisper", "hubert"])
def test_a_sound_is_heard_in_the_frame_of_its_time(kind):
    torch.manual_seed(0)
    backbone = make_backbone(BackboneConfig(kind=kind, hidden=32, heads=4, mlp=48, conv=16), 2).eval()
    audio = 0.1 * torch.randn(32000)
    other = audio.clone()
    other[16000 - 200 : 16000 + 200] = 0.1 * torch.randn(400)
    level = backbone.clip_statistics(audio)
    for first in (0, 31):
        change = (backbone(other, level, first, 60)[0] - backbone(audio, level, first, 60)[0]).abs().sum(-1)
        assert abs(first + int(change.argmax()) - 50) <= 1


def test_mel_frame_is_centred_on_its_time():
    mel = LogMel(80)
    click = torch.zeros(16000)
    click[8000] = 1.0
    assert int(mel(click, 0, 100).exp().sum(0).argmax()) == 50
