"""A card is made of a sound and a recording, by the command line and by a request, and is applied again."""

import json

import numpy as np
import pytest
import soundfile

from server import cli
from server.arkit import CHANNELS
from server.errors import LSFError
from server.performance.perform import Performance
from server.protocol import requests
from server.protocol.style_cards import StyleCard
from server.style import make
from server.style.recording import Recording
from tests.server.style.performances import FPS, card, recorded, speech, voice

SECONDS = 20.0
SOUND = np.sin(np.arange(int(SECONDS * 16000)) * 0.1).astype(np.float32)  # the model does not hear it
KNOWN = card(amplitude__jaw_small=0.6, amplitude__jaw_large=0.6, rest__smile=0.2)


class _Model:
    """A model of which the channels and the rate are asked for alone."""

    class config:
        channels, fps = CHANNELS, FPS


class _Engine:
    """An engine whose prediction is `speech`."""

    model, device_note = _Model, ""


@pytest.fixture(autouse=True)
def prediction(monkeypatch):
    """The model says what `speech` does, whatever it hears."""

    def perform(model: object, audio: np.ndarray, **options: object) -> Performance:
        curves = speech(SECONDS)
        return Performance(voice(SECONDS), curves, np.zeros_like(curves), np.zeros((len(curves), 0), np.float32))

    monkeypatch.setattr(make, "perform", perform)
    monkeypatch.setattr("server.style.command.Engine", lambda *a: _Engine())


def face(lag: float = 0.0) -> Recording:
    """A recording in the style of KNOWN, later by a time."""
    curves = recorded(speech(SECONDS), KNOWN, voice(SECONDS))
    times = np.arange(len(curves)) / FPS
    late = np.stack([np.interp(times - lag, times, c) for c in curves.T], 1)
    return Recording.of(list(CHANNELS), late, FPS)


def test_a_card_is_found_in_a_late_recording():
    made = make.make_card(_Engine(), [make.Take(SOUND, 16000, face(0.12))], "Anna")
    assert made.lags == pytest.approx((0.12,), abs=0.015) and made.error < made.default_error
    numbers = made.card.to_fields()["numbers"]
    assert numbers["amplitude"]["jaw_large"] == pytest.approx(0.6 - 0.3**2 / 0.6, abs=0.1)
    assert numbers["rest"]["smile"] == pytest.approx(0.2 - 0.1**2 / 0.2, abs=0.02)
    assert dict(made.card.left_out)["blinks"] == "not_moved"
    assert any(line.startswith("amplitude: kept") for line in make.summary(made))
    assert any("blinks: default, the recording does not move it" in line for line in make.summary(made))


def test_too_short_and_wrong_recordings_are_refused():
    with pytest.raises(LSFError, match="at least"):
        make.make_card(_Engine(), [make.Take(SOUND[: 5 * 16000], 16000, face())])
    other = Recording.of(list(CHANNELS), speech(SECONDS, 4).astype(float), FPS)
    with pytest.raises(LSFError) as refusal:
        make.make_card(_Engine(), [make.Take(SOUND, 16000, other)])
    assert refusal.value.code == "wrong_recording"
    with pytest.raises(LSFError, match=r"^Take 2: The recording does not"):
        make.make_card(_Engine(), [make.Take(SOUND, 16000, face()), make.Take(SOUND, 16000, other)])
    with pytest.raises(LSFError, match="1 to 16 takes, not 17"):
        make.make_card(_Engine(), [make.Take(SOUND, 16000, face())] * 17)


def test_the_command_line_writes_a_card(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", SOUND, 16000)
    recording = face()
    fields = {"format": "lsf-curves", "fps": FPS, "names": list(CHANNELS), "values": recording.curves.tolist()}
    (tmp_path / "a.json").write_text(json.dumps(fields))
    pair = [str(tmp_path / "a.wav"), str(tmp_path / "a.json")]
    arguments = [*pair, *pair, "--out", str(tmp_path / "cards" / "anna.json")]
    assert cli.main(["style", *arguments]) == 0
    assert StyleCard.load(tmp_path / "cards" / "anna.json").name == "anna"
    told = capsys.readouterr().out
    assert "amplitude: kept" in told and told.count("recording later") == 2
    assert cli.main(["style", arguments[0], str(tmp_path / "none.csv"), *arguments[2:]]) == 2
    assert "none.csv" in capsys.readouterr().err
    assert cli.main(["style", *arguments[1:]]) == 2
    assert "SOUND RECORDING" in capsys.readouterr().err


def test_a_request_gives_a_card():
    header = {"type": "make_style", "rate": 16000, "fps": FPS, "channels": list(CHANNELS), "name": "Anna"}
    arrays = {"audio": SOUND, "recording": face().curves}
    second = {name: header[name] for name in ("rate", "fps", "channels")}
    two = arrays | {"audio_2": SOUND, "recording_2": face(0.08).curves}
    request = requests.JOBS["make_style"](header | {"more_takes": [second]}, two)
    fields, replies = request(_Engine(), lambda f, t: None, lambda: False)
    assert fields["lags"] == pytest.approx([0.0, 0.08], abs=0.015) and fields["lag"] == fields["lags"][0]
    assert not replies and StyleCard.from_fields(fields["card"]).name == "Anna"
    json.dumps(fields, allow_nan=False)
    for wrong in (
        {"channels": "x"},
        {"channels": ["jawOpen"]},
        {"fps": 0.1},
        {"name": "x" * 70},
        {"more_takes": [second]},
        {"more_takes": 1},
    ):
        with pytest.raises(LSFError):
            requests.JOBS["make_style"](header | wrong, arrays)
    with pytest.raises(LSFError):
        requests.JOBS["make_style"](header, {"audio": arrays["audio"]})
