"""The recogniser beside a tiny model: in the engine, in requests, on the command line; files that are damaged."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from server import cli
from server.engine import Engine, Settings
from server.errors import Cancelled, LSFError
from server.protocol import requests
from server.sounds.inventory import SYMBOLS
from server.sounds.listener import FILE_NAME
from server.sounds.network import SoundNet

RATE = 22050
SPEECH = (0.3 * np.random.default_rng(0).normal(size=3 * RATE) * np.sin(np.arange(3 * RATE) / 900)).astype(np.float32)


@pytest.fixture(scope="module")
def engine(checkpoint):
    return Engine(checkpoint)


def test_generate_tells_the_sounds_only_if_asked(engine):
    without, asked = engine.generate(SPEECH, RATE), engine.generate(SPEECH, RATE, settings=Settings(sounds=True))
    assert without.sounds is None and without.no_sounds is None and asked.no_sounds is None
    assert np.array_equal(without.motion, asked.motion)
    sounds = asked.sounds
    assert len(sounds.symbols) == len(sounds.times) == len(sounds.confidence) > 0
    assert (sounds.times[:, 1] > sounds.times[:, 0]).all() and (sounds.times[1:, 0] >= sounds.times[:-1, 1]).all()
    assert sounds.times.min() >= 0 and sounds.times.max() <= 3


def test_hear_gives_what_generate_gives(engine):
    heard, made = engine.hear(SPEECH, RATE), engine.generate(SPEECH, RATE, settings=Settings(sounds=True)).sounds
    assert heard.symbols == made.symbols and np.array_equal(heard.times, made.times)
    assert engine.hear(SPEECH[: RATE // 10], RATE).times.max() <= 0.1  # three frames


def test_a_long_sound_is_heard_in_windows_and_can_be_cancelled(engine):
    reports = []
    sounds = engine.hear(np.tile(SPEECH, 12), RATE, report=lambda fraction, text: reports.append(fraction))
    assert sounds.times.max() > 30 and len(reports) > 4 and reports == sorted(reports)
    calls = iter(range(100))
    with pytest.raises(Cancelled):
        engine.hear(np.tile(SPEECH, 12), RATE, cancelled=lambda: next(calls) > 3)


def test_requests(engine):
    arrays = {"audio": SPEECH}
    run = requests.hear({"rate": RATE, "settings": {"language": "en"}}, arrays)
    fields, found = run(engine, lambda fraction, text: None, lambda: False)
    assert set(fields) == {"sounds", "words", "transcript_note", "seconds"}
    assert found["sound_times"].shape == (len(fields["sounds"]), 2) and found["word_times"].shape == (0, 2)
    run = requests.generate({"rate": RATE, "settings": {"sounds": True}}, arrays)
    made, result = run(engine, lambda fraction, text: None, lambda: False)
    assert made["sounds"] == list(engine.hear(SPEECH, RATE).symbols)
    assert len(result["sound_confidence"]) == len(made["sounds"])
    for header in ({"settings": 3}, {"settings": {"transcript": 3}}, {"settings": {"language": "?"}}):
        with pytest.raises(LSFError):
            requests.hear({"rate": RATE, **header}, arrays)


def test_a_model_without_a_recogniser_says_so(small_checkpoint):
    other = Engine(small_checkpoint)
    with pytest.raises(LSFError, match="no recogniser") as error:
        other.hear(SPEECH, RATE)
    assert error.value.code == "no_sounds"
    result = other.generate(SPEECH, RATE, settings=Settings(sounds=True))
    assert result.sounds is None and result.no_sounds.code == "no_sounds" and len(result.motion)


def test_the_command_line(checkpoint, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", SPEECH, RATE)
    common = ["--checkpoint", str(checkpoint), "--cache", "off"]
    assert cli.main(["sounds", str(tmp_path / "a.wav"), "--out", str(tmp_path / "a.json"), *common]) == 0
    heard = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert heard["sounds"] and "sounds in 3.0 s" in capsys.readouterr().out
    made = ["generate", str(tmp_path / "a.wav"), "--out", str(tmp_path), "--sounds", str(tmp_path / "b.json"), *common]
    assert cli.main(made) == 0 and json.loads((tmp_path / "b.json").read_text("utf-8")) == heard
    assert cli.main(["sounds", str(tmp_path / "a.wav"), "--out", str(tmp_path / "a.xml"), *common]) == 2
    assert "TextGrid" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["missing", "cut", "nan", "other symbols", "other shape", "blocks", "languages"])
def test_a_damaged_recogniser_is_one_sentence(checkpoint, tmp_path, damage):
    file = tmp_path / FILE_NAME
    shutil.copy(checkpoint / FILE_NAME, file)
    state, about = load_file(file), {"languages": ",en", "features": "x", "symbols": "a,b", "blocks": "1"}
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "nan":
        whole = SoundNet.load(file)
        whole.scale[3] = torch.nan
        whole.save(file)
    elif damage == "other symbols":
        save_file(state, file, about)
    elif damage in ("blocks", "languages"):
        wrong = {"blocks": "1000000000", "languages": "en,de"}
        save_file(state, file, about | {"symbols": ",".join(SYMBOLS), damage: wrong[damage]})
    else:
        state["bigrams"] = state["bigrams"][:1].contiguous()
        save_file(state, file, about | {"symbols": ",".join(SYMBOLS)})
    with pytest.raises(LSFError, match="reinstall") as error:
        SoundNet.load(file)
    assert error.value.code == "bad_sounds"


def test_languages(checkpoint):
    network = SoundNet.load(checkpoint / FILE_NAME)
    assert [network.language_row(code) for code in ("", "en", "en_GB", "EN-us", "sw")] == [0, 1, 1, 1, 0]
