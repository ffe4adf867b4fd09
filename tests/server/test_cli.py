"""The command line: the files it writes are contracts, errors are sentences, exit codes are correct."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from server import cli
from server.arkit import CHANNELS
from server.face import space
from server.face.head import HeadRegion, load_head
from server.flame.face import load_flame_head
from server.model import LSF

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sounds(tmp_path):
    """Two voiced tones that come and go, and a file of silence."""
    times = np.arange(24000) / 24000
    for name, hertz in (("one", 140), ("two", 220)):
        tone = 0.3 * np.sin(2 * np.pi * hertz * times) * np.abs(np.sin(2 * np.pi * 3 * times))
        soundfile.write(tmp_path / f"{name}.wav", tone, 24000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(24000), 24000)
    return tmp_path


@pytest.fixture
def mesh(tmp_path):
    """Our own head as an .npz whose polygons are padded, so that its faces and the triangles differ."""
    head = load_head()
    faces = np.pad(head.faces, ((0, 0), (0, 1)), constant_values=-1)
    np.savez(tmp_path / "head.npz", vertices=head.vertices, faces=faces)
    return tmp_path / "head.npz"


@pytest.fixture
def given_landmarks(monkeypatch):
    """Our own head's landmarks in place of the search for them: the rest of the fit is real."""
    real = space.fit
    monkeypatch.setattr(space, "fit", lambda v, t, landmarks, parts, step, further: real(v, t, load_head().landmarks68))


def run(checkpoint, *arguments):
    return cli.main([*map(str, arguments), "--checkpoint", str(checkpoint), "--cache", "off"])


def test_generate_writes_one_file_for_each_sound(sounds, small_checkpoint, capsys):
    out = sounds / "new" / "folder"
    assert run(small_checkpoint, "generate", sounds / "one.wav", sounds / "two.wav", "--out", out, "--fps", 30) == 0
    assert sorted(p.name for p in out.iterdir()) == ["one.npz", "two.npz"]
    head = load_head()
    with np.load(out / "one.npz", allow_pickle=False) as z:
        assert float(z["fps"]) == 30 and float(z["t0"]) == 0 and tuple(z["channels"]) == CHANNELS
        assert z["motion"].shape == (31, 52) and z["basis"].shape == (52, len(head.vertices), 3)
        np.testing.assert_array_equal(z["vertices"], head.vertices)
        np.testing.assert_array_equal(z["faces"], head.faces)
        np.testing.assert_array_equal(z["landmarks68"], head.landmark_vertices)
        assert {"audio", "face", "model", "timing"} == set(json.loads(str(z["seconds"])))
    assert "31 frames at 30 fps" in capsys.readouterr().out


def test_layers_are_arrays_of_one_row_a_frame(sounds, small_checkpoint):
    arguments = "generate", sounds / "one.wav", "--out", sounds, "--layers", "blinks", "gaze", "head"
    assert run(small_checkpoint, *arguments) == 0
    with np.load(sounds / "one.npz", allow_pickle=False) as z:
        frames = len(z["motion"])
        assert [z[name].shape for name in ("blinks", "gaze", "head")] == [(frames,), (frames, 2), (frames, 3)]


def test_generate_keeps_the_faces_of_the_mesh(sounds, mesh, small_checkpoint, given_landmarks):
    assert run(small_checkpoint, "generate", sounds / "one.wav", "--mesh", mesh, "--out", sounds) == 0
    with np.load(sounds / "one.npz") as z, np.load(mesh) as m:
        np.testing.assert_array_equal(z["faces"], m["faces"])
        np.testing.assert_array_equal(z["vertices"], m["vertices"])


def test_files_of_one_voice_are_heard_together(sounds, small_checkpoint, monkeypatch, capsys):
    """Each with the others, the nearest first; one that cannot be read is left to the engine."""
    real, heard = cli.Engine.generate, []

    def generate(self, *arguments, other_lines, direction):
        heard.append([read.args[0].name for read in other_lines])
        return real(self, *arguments, other_lines=other_lines)

    monkeypatch.setattr(cli.Engine, "generate", generate)
    files = [sounds / name for name in ("one.wav", "silent.wav", "two.wav")]
    assert run(small_checkpoint, "generate", *files, "--out", sounds / "out", "--one-voice") == 2
    assert heard == [["silent.wav", "two.wav"], ["one.wav", "two.wav"], ["silent.wav", "one.wav"]]
    assert capsys.readouterr().out.count("heard on its own") == 2, "two lines are too few"
    heard.clear()
    assert run(small_checkpoint, "generate", files[0], files[2], "--out", sounds / "out") == 0 and heard == [[], []]
    assert "heard" not in capsys.readouterr().out


def test_a_bad_file_does_not_affect_the_others(sounds, small_checkpoint, capsys):
    files = [sounds / n for n in ("silent.wav", "one.wav", "nowhere.wav", "two.wav")]
    assert run(small_checkpoint, "generate", *files, "--out", sounds / "out") == 2
    assert sorted(p.name for p in (sounds / "out").iterdir()) == ["one.npz", "two.npz"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[0].startswith("silent.wav: ") and "nowhere.wav" in lines[1]


def test_takes_differ_by_seed_only_above_temperature_zero(sounds, small_checkpoint):
    def motion(*options):
        assert run(small_checkpoint, "generate", sounds / "one.wav", "--out", sounds, *options) == 0
        with np.load(sounds / "one.npz") as z:
            return z["motion"]

    np.testing.assert_array_equal(motion(), motion("--seed", 5))
    assert np.abs(motion("--temperature", 1, "--seed", 1) - motion("--temperature", 1, "--seed", 2)).max() > 1e-4


@pytest.fixture
def expressive_checkpoint(small_checkpoint, tmp_path):
    """The tiny model with an open gate and places for the emotions, so that an emotion changes its curves."""
    model, random = LSF.from_pretrained(small_checkpoint), torch.Generator().manual_seed(0)
    model.residual_gate.data.fill_(1)
    model.emotion_reader.bank.normal_(std=10, generator=random)
    model.save_pretrained(tmp_path / "expressive")
    return tmp_path / "expressive"


def test_an_emotion_is_shown_and_told_apart_from_the_speech(sounds, expressive_checkpoint):
    motions = {}
    for strength in (0, 1):
        assert (
            run(
                expressive_checkpoint,
                "generate",
                sounds / "one.wav",
                "--out",
                sounds / "out",
                "--emotion",
                "happy",
                "--emotion-strength",
                strength,
            )
            == 0
        )
        with np.load(sounds / "out" / "one.npz", allow_pickle=False) as z:
            motions[strength] = z["motion"]
            assert z["expression"].shape == z["motion"].shape and z["emotion"].shape == (len(z["motion"]), 8)
            assert z["emotions"][0] == "angry" and (np.abs(z["expression"]).max() > 0.01) == bool(strength)
            speech = z["motion"] - z["expression"]
    np.testing.assert_allclose(speech, motions[0], atol=1e-6)


def test_an_expression_of_a_bank_is_shown_on_its_side_and_in_keys(sounds, small_checkpoint, capsys):
    bank, keys = sounds / "bank.json", sounds / "keys.json"
    smirk = {"name": "Smirk", "weights": {"browDownLeft": 0.5, "jawOpen": 1.0}}
    bank.write_text(json.dumps({"format": "lsf-expressions", "version": 1, "expressions": [smirk]}), "utf-8")
    keys.write_text(json.dumps([[0, "neutral", 1], [0.8, "Smirk", 1]]), "utf-8")
    common = (small_checkpoint, "generate", sounds / "one.wav", "--bank", bank, "--out", sounds / "out")
    shown = {}
    for emotion in ("neutral", "smirk", keys):
        assert run(*common, "--emotion", emotion) == 0
        with np.load(sounds / "out" / "one.npz", allow_pickle=False) as z:
            shown[emotion] = z["motion"]
    left, right, jaw = (CHANNELS.index(name) for name in ("browDownLeft", "browDownRight", "jawOpen"))
    added = shown["smirk"] - shown["neutral"]
    np.testing.assert_allclose(shown["smirk"][:, left], np.minimum(shown["neutral"][:, left] + 0.5, 1), atol=1e-5)
    assert not added[:, right].any() and added[:, jaw].max() < 0.3 + 1e-5
    np.testing.assert_allclose(shown[keys][0, left], shown["neutral"][0, left], atol=1e-5)
    np.testing.assert_allclose(shown[keys][20:25], shown["smirk"][20:25], atol=1e-5)
    capsys.readouterr()
    assert run(*common, "--emotion", "Xyzzy") == 2 and '"Xyzzy" is none of' in capsys.readouterr().err
    bank.write_text("{", "utf-8")
    assert run(*common) == 2 and "not JSON" in capsys.readouterr().err


def test_a_direction_in_words_moves_what_it_names_and_says_what_it_does_not_know(sounds, expressive_checkpoint, capsys):
    direction = "left brow up, half the jaw agape, elbows akimbo"
    arguments = ("generate", sounds / "one.wav", "--out", sounds / "out", "--direction", direction)
    assert run(expressive_checkpoint, *arguments) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == 'Understood: "left brow up" is browOuterUpLeft; "half the jaw agape" is jawOpen.'
    assert told[1] == 'Not understood: "elbows akimbo".'
    with np.load(sounds / "out" / "one.npz", allow_pickle=False) as z:
        added = dict(zip(CHANNELS, z["expression"].mean(0), strict=True))
    assert added["browOuterUpLeft"] > 0.6 and abs(added["browOuterUpRight"]) < 0.05


def test_a_direction_in_words_is_read_once_for_all_files(sounds, small_checkpoint, monkeypatch, capsys):
    readings, real = [], cli.text._reading
    monkeypatch.setattr(cli.text, "_reading", lambda words, *rest: readings.append(words) or real(words, *rest))
    cli.text._read.cache_clear()
    files = sounds / "one.wav", sounds / "two.wav"
    assert run(small_checkpoint, "generate", *files, "--out", sounds / "out", "--direction", "left brow up") == 0
    assert readings == ["left brow up"] and "Understood" in capsys.readouterr().out


def test_fit_writes_the_face_space(mesh, tmp_path, given_landmarks):
    assert cli.main(["--cache", "off", "fit", str(mesh), "--out", str(tmp_path / "deep" / "fit.npz")]) == 0
    with np.load(tmp_path / "deep" / "fit.npz", allow_pickle=False) as z:
        assert set(z) == {"channels", "basis", "vertices", "faces", "landmarks68", "report"}
        assert tuple(z["channels"]) == CHANNELS and z["basis"].shape == (52, len(load_head().vertices), 3)
        assert z["landmarks68"].shape == (68, 3) and isinstance(json.loads(str(z["report"])), dict)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "a/x.wav", "b/x.flac", "--out", "o"], "same name"),
        (["generate", "x.wav", "--out", "o", "--mesh", "nowhere.obj"], "no mesh file"),
        (["generate", "x.wav", "--out", "o", "--mesh", "x.blend"], "use .obj"),
        (["generate", "x.wav", "--out", "o", "--fps", "0"], "frame rate"),
        (["generate", "x.wav", "--out", "o", "--temperature", "nan"], "temperature"),
        (["generate", "x.wav", "--out", "o", "--seed", "-3"], "seed"),
        (["generate", "x.wav", "--out", "o", "--transcript", "Hello"], "need a --sounds FILE"),
        (["generate", "x.wav", "--out", "o", "--language", "en"], "need a --sounds FILE"),
        (["generate", "x.wav", "--out", "o", "--checkpoint", "nowhere"], "no model"),
        (["generate", "x.wav", "--out", "o", "--device", "toaster"], "no device"),
        (["fit", "nowhere.ply", "--out", "o.npz"], "no mesh file"),
    ],
)
def test_errors_are_one_sentence_on_stderr_and_code_2(arguments, words, capsys):
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert words in captured.err and captured.err.endswith(".\n")


def test_the_module_runs_as_a_program(tmp_path):
    def run_program(*arguments):
        return subprocess.run([sys.executable, "-m", "server", *arguments], cwd=ROOT, capture_output=True, text=True)

    assert "generate" in run_program("--help").stdout
    done = run_program("fit", str(tmp_path / "nowhere.obj"), "--out", str(tmp_path / "fit.npz"))
    assert (done.returncode, done.stdout) == (2, "") and "no mesh file" in done.stderr


def test_a_flame_model_writes_named_or_its_own_keys_with_their_error(sounds, flame_checkpoint, capsys):
    one, head = sounds / "one.wav", load_head()
    assert run(flame_checkpoint, "generate", one, "--out", sounds, "--emotion", "happy") == 0
    told = capsys.readouterr()
    assert "no emotions to choose from" in told.err and "one.wav" in told.err
    with np.load(sounds / "one.npz", allow_pickle=False) as z:
        assert tuple(z["channels"]) == CHANNELS and z["emotions"].shape == (0,) and z["emotion"].shape == (26, 0)
        named, error, model = z["motion"], json.loads(str(z["motion_error"])), json.loads(str(z["model"]))
        assert not z["expression"].any() and named.min() >= 0 and named.max() <= 1
    assert model["name"] == "paper run" and model["whole"]
    assert model["digest"] == hashlib.sha256((flame_checkpoint / "model.safetensors").read_bytes()).hexdigest()
    assert f"{error['lips_mean']:.2f} mm from FLAME's motion on the lips" in told.out

    assert run(flame_checkpoint, "generate", one, "--out", sounds, "--keys", "flame", "--fps", 50) == 0
    assert "no emotions" not in capsys.readouterr().err
    with np.load(sounds / "one.npz", allow_pickle=False) as z:
        keys = load_flame_head(flame_checkpoint / "face.safetensors")
        assert tuple(z["channels"]) == keys.key_names and z["motion"].shape == (51, len(keys.key_names))
        expressions, jaw = keys.key_names[:50], keys.key_names[50:]
        assert all("expression" in name for name in expressions) and not any("expression" in name for name in jaw)
        np.testing.assert_array_equal(z["basis"], keys.key_basis)
        on_lips = np.isin(head.region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
        own = np.einsum("fk,kvc->fvc", z["motion"][::2], z["basis"][:, on_lips])
        own_error = json.loads(str(z["motion_error"]))
    both = own - np.einsum("fk,kvc->fvc", named, head.basis[:, on_lips])
    apart = 1000 * np.linalg.norm(both, axis=2).mean()
    assert apart < own_error["lips_mean"] + error["lips_mean"] + 0.01, "both show the same motion"


def test_the_help_says_which_channels_flame_gives(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        cli.main(["generate", "--help"])
    (told,) = (line for line in capsys.readouterr().out.splitlines() if "channels of a FLAME model" in line)
    assert "50 expressions, and keys of the jaw at several angles" in told and "53" not in told


def test_what_a_model_cannot_do_is_a_sentence(sounds, small_checkpoint, flame_checkpoint, capsys, tmp_path):
    one = sounds / "one.wav"
    assert run(small_checkpoint, "generate", one, "--out", sounds, "--keys", "flame") == 2
    assert "does not move the FLAME face" in capsys.readouterr().err
    assert run(small_checkpoint, "generate", one, "--out", sounds, "--whole", "--window", 3) == 2
    assert "leave out one" in capsys.readouterr().err
    assert run(small_checkpoint, "generate", one, "--out", sounds, "--window", 0.5) == 2
    assert "A window must be 1 to 600 s" in capsys.readouterr().err
    folder = shutil.copytree(flame_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("toy*"))
    (folder / "face.safetensors").write_bytes(b"\0" * 100)
    assert run(folder, "generate", one, "--out", sounds) == 2
    assert '"face.safetensors" is damaged' in capsys.readouterr().err
    (folder / "face.safetensors").unlink()
    assert run(folder, "generate", one, "--out", sounds) == 2
    assert 'no "face.safetensors"' in capsys.readouterr().err
