import numpy as np
import pytest
import torch
import transformers

from server.errors import LSFError
from server.model import BackboneConfig
from server.model.wav2vec2 import Wav2Vec2ClassBackbone

CONFIG = BackboneConfig(kind="hubert", hidden=32, heads=4, mlp=48, conv=16)


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
def test_wav2vec2_class_gives_exactly_the_frames_asked_for(kind, speech_like):
    torch.manual_seed(0)
    backbone = Wav2Vec2ClassBackbone(BackboneConfig(kind=kind, hidden=32, heads=4, mlp=48, conv=16), (3,)).eval()
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
    backbone = Wav2Vec2ClassBackbone(config, (4,))
    free = {
        name.split(".")[1] + "." + name.split(".")[2] + "." + name.split(".")[3]
        for name, weight in backbone.named_parameters()
        if weight.requires_grad and ".layers." in name
    }
    assert free == {"encoder.layers.2", "encoder.layers.3"}
    still = [name for name, weight in backbone.named_parameters() if not weight.requires_grad]
    assert any("feature_extractor" in name for name in still) and any("feature_projection" in name for name in still)


def test_backbone_from_a_folder(tmp_path):
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
    backbone = Wav2Vec2ClassBackbone(CONFIG, (3,)).eval()
    backbone.load(tmp_path / "hubert")
    audio = torch.randn(16000)
    with torch.no_grad():
        states = whole(audio[:16000][None], output_hidden_states=True).hidden_states
        heard = backbone.model(audio[None], output_hidden_states=True).hidden_states
    np.testing.assert_allclose(heard[3], states[3], atol=1e-5)

    wider = Wav2Vec2ClassBackbone(BackboneConfig(kind="hubert", hidden=64, heads=4, mlp=48, conv=16), (3,))
    for folder, model in ((tmp_path / "hubert", wider), (tmp_path / "nothing", backbone)):
        with pytest.raises(LSFError) as raised:
            model.load(folder)
        assert raised.value.code == "bad_backbone"


def test_clip_statistics_in_pieces_equal_those_of_the_whole_clip():
    torch.manual_seed(0)
    audio = 0.01 * torch.randn(150 * 16000)
    audio[140 * 16000 : 141 * 16000] *= 50
    level = Wav2Vec2ClassBackbone(CONFIG, (1,)).clip_statistics(audio)
    torch.testing.assert_close(level, torch.stack((audio.mean(), audio.std())), atol=1e-4, rtol=1e-4)
