import sys

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from server.errors import LSFError
from server.training.paper import backbone_source

NAME = "facebook/hubert-base-ls960"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """hub(local, remote): a Hub that has the repository on this computer, or can be reached."""
    asked = []

    def make(local: bool, remote: bool):
        def download(name, allow_patterns, local_files_only=False):
            asked.append((name, local_files_only))
            assert not any(pattern.endswith((".h5", ".py", ".pkl", "*")) for pattern in allow_patterns)
            if local if local_files_only else remote:
                return str(tmp_path / "snapshot")
            raise LocalEntryNotFoundError("no") if local_files_only else OSError("no network")

        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
        return asked

    return make


def test_a_folder_or_file_is_taken_as_it_is(tmp_path, hub):
    asked = hub(local=True, remote=True)
    (tmp_path / "weights.pt").write_text("")
    assert backbone_source(tmp_path) == tmp_path
    assert backbone_source(str(tmp_path / "weights.pt")) == tmp_path / "weights.pt"
    assert asked == []


def test_a_repository_that_was_fetched_in_part_is_completed(tmp_path, hub):
    asked = hub(local=True, remote=True)
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "config.json").write_text("{}")
    assert backbone_source(NAME) == tmp_path / "snapshot" and asked == [(NAME, True), (NAME, False)]


def test_a_repository_that_is_here_needs_no_network(tmp_path, hub):
    asked = hub(local=True, remote=False)
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").write_text("")
    assert backbone_source(NAME) == tmp_path / "snapshot" and asked == [(NAME, True)]


def test_a_snapshot_in_the_layout_of_the_hub_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--facebook--hubert-base-ls960"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "pytorch_model.bin").write_text("")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    assert backbone_source(NAME) == snapshot


def test_one_that_is_not_here_is_fetched(tmp_path, hub):
    asked = hub(local=False, remote=True)
    assert backbone_source(NAME) == tmp_path / "snapshot" and asked == [(NAME, True), (NAME, False)]


def test_without_network_or_package_a_sentence_says_what_to_do(hub, monkeypatch):
    hub(local=False, remote=False)
    with pytest.raises(LSFError) as raised:
        backbone_source(NAME)
    assert raised.value.code == "bad_backbone" and f"hf download {NAME}" in str(raised.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(LSFError, match="not installed"):
        backbone_source(NAME)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "hubert", "../nowhere", "~/hubert", "a/b/c", "./a"])
def test_a_path_that_is_not_there_is_no_repository(name, hub):
    asked = hub(local=True, remote=True)
    with pytest.raises(LSFError, match="no folder or file"):
        backbone_source(name)
    assert asked == []


def test_a_name_that_no_repository_can_have(hub):
    with pytest.raises(LSFError, match="neither a folder nor"):
        backbone_source("bad name/with spaces")
