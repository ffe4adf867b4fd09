import pytest
import torch

from server.model import LSFConfig
from server.training import cache_features
from server.training.paper.miniature import write_miniature
from tests.server.model.published_files import emotion2vec_state, hubert, old_names, write_bin
from tests.server.training.paper.tiny import BACKBONE, tiny

SIZES = {
    "hidden_size": BACKBONE["hidden"],
    "num_attention_heads": BACKBONE["heads"],
    "intermediate_size": BACKBONE["mlp"],
    "conv_dim": (BACKBONE["conv"],) * 7,
}


@pytest.fixture
def arguments(tmp_path) -> list[str]:
    """Arguments of the command, with encoders as they are published, all of them tiny."""
    write_miniature(tmp_path / "data", ("M003", "W011"), clips=1, seconds=(0.5, 0.8))
    (tmp_path / "config.json").write_text(tiny(LSFConfig.released()).to_json())
    whole = hubert(**SIZES)
    write_bin(tmp_path / "hubert", whole.config.to_dict(), old_names(whole.state_dict(), "hubert."))
    (tmp_path / "emotion").mkdir()
    state = emotion2vec_state(**BACKBONE)
    torch.save({"args": None, "model": state}, tmp_path / "emotion" / "emotion2vec_base.pt")
    given = {"data": "data", "features": "cache", "config": "config.json", "hubert": "hubert", "emotion": "emotion"}
    return [text for name, path in given.items() for text in (f"--{name}", str(tmp_path / path))] + ["--device", "cpu"]


def test_all_clips_are_cached_once_and_progress_is_told(arguments, tmp_path, capsys):
    assert cache_features.main(arguments) == 0
    assert "features of 2 clips" in capsys.readouterr().out
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.safetensors")}
    assert len(written) == 4
    assert cache_features.main(arguments) == 0
    assert capsys.readouterr().out == f"The features of 2 clips are in {tmp_path / 'cache'}.\n"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.safetensors")} == written


def test_an_encoder_in_the_place_of_the_other_is_refused_before_a_model_is_built(
    arguments, tmp_path, capsys, monkeypatch
):
    """A HuBERT folder given as emotion encoder was once loaded without a word."""
    monkeypatch.setattr(cache_features, "LSF", lambda config: pytest.fail("a model was built"))
    swapped = [str(tmp_path / "hubert") if text == str(tmp_path / "emotion") else text for text in arguments]
    assert cache_features.main(swapped) == 1
    error = capsys.readouterr().err
    assert "kind hubert, but emotion2vec is needed" in error and error.count("\n") == 1
    assert not (tmp_path / "cache").exists()
