import numpy as np
import pytest
import torch

from server.errors import LSFError
from server.model import BackboneConfig, emotion2vec
from server.model.backbones import make_backbone
from server.model.emotion2vec import Emotion2VecBackbone, alibi_slopes
from server.training.paper import published
from server.training.paper.published import check_backbone, load_backbone
from tests.server.model.published_files import AUDIO, emotion2vec_state, hubert, sound, write_bin

CONFIG = BackboneConfig(kind="emotion2vec", hidden=32, heads=4, mlp=128, conv=16)
LAYERS = (6,)  # 4 of the prenet, 2 above

# Every 8th frame and channel of the last layer's output for `sound()` with the weights of `emotion2vec_state()`, from
# the independent implementation in the package funasr 1.4.16, with the sound padded by the 40 samples of our windows.
EXPECTED = [
    [-0.379862, 0.259375, -0.605967, 1.683377],
    [-0.519363, 0.338481, -0.229377, 1.878323],
    [-0.672597, 0.398994, -0.680453, 2.124459],
    [-0.474638, 0.570145, -0.791738, 2.162688],
    [-0.531002, 0.763018, -0.397806, 1.832808],
]


def write(folder, state, name="emotion2vec_base.pt"):
    """Write a file in fairseq's manner."""
    folder.mkdir(exist_ok=True)
    torch.save({"args": None, "cfg": {"task": {"normalize": True}}, "model": state, "epoch": 1}, folder / name)
    return folder / name


@pytest.fixture
def backbone(tmp_path) -> Emotion2VecBackbone:
    loaded = Emotion2VecBackbone(CONFIG, LAYERS)
    load_backbone(loaded, write(tmp_path, emotion2vec_state()))
    return loaded.eval()


def encode(backbone, audio, first=0, count=None):
    audio = torch.as_tensor(audio)
    return backbone(audio, backbone.clip_statistics(audio), first, len(audio) // 320 if count is None else count)


def test_the_output_is_that_of_an_independent_implementation(backbone):
    last = encode(backbone, sound())[-1]
    assert last.shape == (40, 32)
    np.testing.assert_allclose(last[::8, ::8], EXPECTED, atol=1e-5)


def test_loudness_and_offset_do_not_matter(backbone):
    quiet = encode(backbone, sound())[-1]
    torch.testing.assert_close(encode(backbone, 7 * sound() + 0.3)[-1], quiet, atol=2e-3, rtol=0)


def test_slopes_of_heads():
    """Of Press et al. 2021, by hand: 1/2, 1/4, … for 8 heads; 12 heads add every second one of 16."""
    assert alibi_slopes(8) == [2.0**-i for i in range(1, 9)]
    np.testing.assert_allclose(alibi_slopes(12), [*alibi_slopes(8), 2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5])
    assert alibi_slopes(2) == [2**-4, 2**-8]


def test_attention_in_pieces_is_attention(backbone, monkeypatch):
    whole = encode(backbone, sound(1.5))
    monkeypatch.setattr(emotion2vec, "ATTENTION_ROWS", 16)
    for pieces, state in zip(encode(backbone, sound(1.5)), whole, strict=True):
        torch.testing.assert_close(pieces, state, atol=1e-5, rtol=0)


def test_frames_are_those_of_the_window(backbone):
    for first, count in ((0, 40), (0, 1), (12, 9), (38, 30)):
        states = encode(backbone, sound(), first, count)
        assert len(states) == 6 and all(s.shape == (count, 32) and s.isfinite().all() for s in states)


def test_it_is_frozen_and_its_features_are_the_wanted_layers(tmp_path):
    assert not any(module.training for module in Emotion2VecBackbone(CONFIG, (2, 6)).modules())
    several = Emotion2VecBackbone(CONFIG, (2, 6)).train()
    load_backbone(several, write(tmp_path, emotion2vec_state()))
    assert not several.training and not any(p.requires_grad for p in several.parameters())
    audio = torch.from_numpy(sound())
    level = several.clip_statistics(audio)
    features = several.frozen_features(audio, level, 0, 40)
    assert features.shape == (40, 64) == (40, several.feature_size)
    states = several(audio, level, 0, 40)
    passed = several.trained_layers(features[None])
    assert torch.equal(passed[0][0], states[1]) and torch.equal(passed[1][0], states[5])
    assert torch.equal(several.side_by_side(passed, (6,))[0], states[5])


def test_files_with_other_containers_and_what_the_pretraining_needs(tmp_path, backbone):
    state = emotion2vec_state()
    extra = {
        f"{AUDIO}decoder.blocks.0.0.weight": torch.ones(2),
        "proj.weight": torch.ones(9, 32),
        "_ema": {"blocks.0.norm1.weight": torch.ones(32)},
    }
    early = {**state, f"{AUDIO}alibi_scale": state[f"{AUDIO}alibi_scale"][0]}
    deeper = emotion2vec_state(main=4)
    deeper |= state
    wanted = encode(backbone, sound())[-1]
    for number, other in enumerate((state | extra, early, deeper)):
        again = Emotion2VecBackbone(CONFIG, LAYERS)
        load_backbone(again, write(tmp_path / str(number), other))
        assert torch.equal(encode(again, sound())[-1], wanted)
    plain = tmp_path / "plain.pt"
    torch.save(state, plain)
    load_backbone(again, plain)


def test_wrong_files_are_refused_before_anything_is_built(tmp_path, monkeypatch):
    state = emotion2vec_state()
    wider = emotion2vec_state(hidden=48, heads=4)
    files = {
        "wide": (write(tmp_path / "wide", wider), "another size"),
        "heads": (write(tmp_path / "heads", emotion2vec_state(heads=8)), "alibi_scale"),
        "deep": (write(tmp_path / "deep", emotion2vec_state(prenet=5)), "context_encoder.blocks.4"),
        "shallow": (write(tmp_path / "shallow", emotion2vec_state(main=1)), "layers.5"),
        "pre": (write(tmp_path / "pre", state | {"norm.weight": torch.ones(32)}), "norm.weight"),
        "other": (write(tmp_path / "other", {"layers.0.weight": torch.ones(3)}), "does not say"),
    }
    folder = tmp_path / "hubert"
    hubert().save_pretrained(folder)
    files["hubert"] = (folder, "kind hubert, but emotion2vec is needed")
    folder = write_bin(tmp_path / "whisper", {"model_type": "whisper"}, {"model.encoder.conv1.weight": torch.ones(2)})
    files["whisper"] = (folder, "kind whisper")
    made = []
    monkeypatch.setattr(published, "make_backbone", lambda *given: made.append(make_backbone(*given)) or made[-1])
    for path, sentence in files.values():
        with pytest.raises(LSFError) as raised:
            check_backbone(CONFIG, LAYERS, path)
        assert raised.value.code == "bad_backbone" and sentence in str(raised.value)
    assert len(made) == len(files) and {p.device.type for model in made for p in model.parameters()} == {"meta"}
    check_backbone(CONFIG, LAYERS, write(tmp_path / "good", state))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    state = emotion2vec_state()
    state["blocks.1.mlp.fc1.bias"][3] = torch.nan
    with pytest.raises(LSFError, match="not finite"):
        load_backbone(Emotion2VecBackbone(CONFIG, LAYERS), write(tmp_path, state))


def test_the_base_model_has_the_published_sizes():
    """93.2 million weights without the decoder and the teacher, counted by hand from the layout."""
    with torch.device("meta"):
        base = make_backbone(BackboneConfig(kind="emotion2vec", hidden=768, heads=12, mlp=3072), (12,))
    block = 4 * 768 + 4 * 768 * 768 + 4 * 768 + 2 * 768 * 3072 + 3072 + 768
    convolutions = 512 * 10 + 4 * 512 * 512 * 3 + 2 * 512 * 512 * 2 + 7 * 2 * 512
    rest = 2 * 512 + 512 * 768 + 768 + 5 * (768 * 48 * 19 + 768) + 10 * 768 + 12 + 2 * 768
    assert sum(p.numel() for p in base.parameters()) == 12 * block + convolutions + rest == 93171212
