"""`python -m server batch`, as a farm calls it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server import cli
from server.face.head import load_head

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sounds(tmp_path):
    tone = 0.3 * np.sin(np.arange(12000) / 20) * np.abs(np.sin(np.arange(12000) / 900))
    for name in ("one", "two"):
        soundfile.write(tmp_path / f"{name}.wav", tone, 16000)
    return tmp_path


def test_a_face_that_fit_has_written_is_a_character(sounds, small_checkpoint):
    head = load_head()
    np.savez(sounds / "head.npz", vertices=2 * head.vertices, faces=head.faces)
    options = "--checkpoint", str(small_checkpoint), "--cache", "off"
    assert cli.main([*options, "fit", str(sounds / "head.npz"), "--out", str(sounds / "ann.npz")]) == 0
    (sounds / "m.csv").write_text("sound,character\none.wav,head.npz\ntwo.wav,ann.npz\n", "utf-8")
    assert cli.main([*options, "batch", str(sounds / "m.csv"), "--out", str(sounds / "out")]) == 0
    (face,) = (sounds / "out/faces").iterdir()
    with np.load(face) as written, np.load(sounds / "ann.npz") as fitted:
        np.testing.assert_array_equal(written["basis"], fitted["basis"])


def test_the_exit_code_tells_the_outcome(sounds, small_checkpoint, tmp_path, capsys):
    def code(rows: str, *more: str) -> int:
        (sounds / "m.csv").write_text(rows, "utf-8")
        options = "--checkpoint", str(small_checkpoint), "--cache", "off", "batch", str(sounds / "m.csv")
        return cli.main([*options, "--out", str(tmp_path / "out"), *more])

    assert code("sound\none.wav\n") == 0
    assert code("sound\none.wav\nnone.wav\n") == 1
    assert code("sound\n../one.wav\n") == 2
    assert code("sound\none.wav\n", "--checkpoint", str(tmp_path)) == 2
    assert "There is no model" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        code("sound\none.wav\n", "--shard", "3/2")


def test_a_process_of_its_own_does_a_shard(sounds, small_checkpoint):
    (sounds / "m.jsonl").write_text("".join(json.dumps({"sound": f"{n}.wav"}) + "\n" for n in ("one", "two")), "utf-8")
    command = [sys.executable, "-m", "server", "batch", sounds / "m.jsonl", "--out", sounds / "out", "--shard", "1/1"]
    done = subprocess.run(
        [*command, "--checkpoint", small_checkpoint, "--cache", "off"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 lines: 2 made, 0 were there, 0 failed.\n", "")
    assert (sounds / "out/report.jsonl").read_text("utf-8").count("\n") == 2
