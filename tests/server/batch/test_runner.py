"""Batches with a tiny model: what is made, skipped and reported, in one process, in shards, and after accidents."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from server import batch, engine
from server.batch import maker, results, runner
from server.face.head import load_head

ROOT = Path(__file__).resolve().parents[3]
# Runs a batch in a process of its own: manifest, folder of the results, shard, checkpoint, and code that sabotages it.
PROCESS = """
import os, signal, sys
from pathlib import Path
from server.batch import runner, results
path, out, shard, checkpoint, code = sys.argv[1:]
exec(code)
part, parts = map(int, shard.split("/"))
sys.exit(runner.run(Path(path), Path(out), (part, parts), checkpoint, "cpu", None))
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory) -> Path:
    """A folder with six short sounds in two folders, of which two have the same name."""
    folder = tmp_path_factory.mktemp("show")
    times = np.arange(12000) / 16000
    for number, name in enumerate(["act1/one", "act1/two", "act1/three", "act2/one", "act2/four", "act2/five"]):
        tone = 0.3 * np.sin(2 * np.pi * (120 + 30 * number) * times) * np.abs(np.sin(2 * np.pi * 3 * times))
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / f"{name}.wav", tone, 16000)
    (folder / "act2/bad.wav").write_bytes(b"no sound")
    return folder


@pytest.fixture
def all_lines(show) -> Path:
    """A manifest of all the good sounds, with several settings."""
    return write(
        show,
        "all.csv",
        "sound,start,end,emotion,format,voice\nact1/one.wav,,,,,\nact1/two.wav,,,happy,,\nact1/three.wav,0,.4,,json,v\n"
        "act1/three.wav,.3,,,,v\nact2/one.wav,,,,live_link,v\nact2/four.wav,,,,,v\nact2/five.wav,,,,,\n",
    )


@pytest.fixture
def run(small_checkpoint):
    def call(manifest: Path, out: Path, shard: tuple[int, int] = (1, 1), checkpoint: Path = small_checkpoint) -> int:
        return runner.run(manifest, out, shard, str(checkpoint), "cpu", None)

    return call


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, "utf-8")
    return folder / name


def files(out: Path) -> dict[str, bytes]:
    """All files of the results but the reports."""
    paths = [p for p in out.rglob("*") if p.is_file() and not p.name.startswith("report")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def rows(out: Path) -> list[dict[str, object]]:
    """The rows of all reports."""
    return [json.loads(row) for path in sorted(out.glob("report*")) for row in path.read_text("utf-8").splitlines()]


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The results that are made, as they are made."""
    names, real = [], maker.Maker.make

    def make(self, line, inputs):
        names.append(line.output)
        return real(self, line, inputs)

    monkeypatch.setattr(maker.Maker, "make", make)
    return names


def test_results_are_in_the_folders_of_the_sounds_and_name_their_face(run, all_lines, tmp_path, capsys):
    assert run(all_lines, tmp_path) == 0
    assert "7 lines: 7 made, 0 were there, 0 failed." in capsys.readouterr().out
    there = files(tmp_path)
    (face,) = [name for name in there if name.startswith("faces/")]
    assert sorted(set(there) - {face}) == [
        "act1/one.npz", "act1/three_0.000-0.400.json", "act1/three_0.300-end.npz", "act1/two.npz", "act2/five.npz",
        "act2/four.npz", "act2/one.csv",
    ]  # fmt: skip
    with np.load(tmp_path / "act1/one.npz") as line, np.load(tmp_path / face) as z:
        assert f"faces/{line['face']}.npz" == face and line["motion"].shape == (19, 52)
        assert z["basis"].shape == (52, len(z["vertices"]), 3)
        inputs = str(line["inputs"])
    row = next(row for row in rows(tmp_path) if row["line"] == "act1/one.npz")
    assert (row["inputs"], row["number"], row["frames"], row["fps"]) == (inputs, 2, 19, 25)
    assert {row["face"] for row in rows(tmp_path)} == {face[6:-4]} and len(
        {row["model"] for row in rows(tmp_path)}
    ) == 1


def test_the_curves_are_those_of_generate(run, show, small_checkpoint, tmp_path):
    run(write(show, "one.csv", "sound,start,end,fps\nact1/two.wav,.1,.6,30\n"), tmp_path)
    samples, rate = soundfile.read(show / "act1/two.wav", dtype="float32")
    wanted = engine.Engine(small_checkpoint).generate(samples[1600:9600], rate, None, engine.Settings(fps=30))
    with np.load(tmp_path / "act1/two_0.100-0.600.npz") as z:
        np.testing.assert_array_equal(z["motion"], wanted.motion.astype(np.float16))


def test_serial_and_sharded_and_twice_are_the_same_bytes(run, all_lines, tmp_path, made):
    assert run(all_lines, tmp_path / "serial") == 0 and run(all_lines, tmp_path / "twice") == 0
    made.clear()
    for part in (3, 1, 2):
        assert run(all_lines, tmp_path / "shards", (part, 3)) == 0
    assert len(made) == len(set(made)) == 7
    assert files(tmp_path / "serial") == files(tmp_path / "twice") == files(tmp_path / "shards")
    assert len(rows(tmp_path / "shards")) == 7


def test_a_new_line_moves_no_other_one_to_another_shard():
    before = [f"a/{i}.npz" for i in range(4000)]
    parts = [runner.shard_of(line(name), 8) for name in before]
    assert [runner.shard_of(line(name), 8) for name in ["a/new.npz", *before]][1:] == parts
    counts = np.bincount(parts, minlength=9)[1:]
    assert counts.min() > 400 and counts.max() < 600


def line(output: str):
    """A line of this result."""
    return SimpleNamespace(output=output)


def test_a_second_run_makes_nothing_and_does_not_load_the_model(run, all_lines, tmp_path, made, monkeypatch):
    assert run(all_lines, tmp_path) == 0
    before, report = files(tmp_path), rows(tmp_path)
    made.clear()
    monkeypatch.setattr(runner, "Engine", None)
    assert (
        run(all_lines, tmp_path) == 0
        and run(all_lines, tmp_path, (1, 2)) == 0
        and run(all_lines, tmp_path, (2, 2)) == 0
    )
    assert made == [] and files(tmp_path) == before and rows(tmp_path) == report


@pytest.mark.parametrize("damage", ["cut", "other", "gone", "face"])
def test_what_is_damaged_is_made_again(run, show, tmp_path, made, damage):
    manifest = write(show, "two.csv", "sound\nact1/one.wav\nact1/two.wav\n")
    run(manifest, tmp_path)
    before = files(tmp_path)
    name = next(n for n in before if n.startswith("faces/")) if damage == "face" else "act1/two.npz"
    path = tmp_path / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(before[name][:-100] if damage == "cut" else before["act1/one.npz"])
    made.clear()
    assert run(manifest, tmp_path) == 0 and files(tmp_path) == before
    assert made == ["act1/one.npz" if damage == "face" else "act1/two.npz"], "the first line brings the face back"


def test_what_has_changed_is_made_again_and_nothing_else(run, show, tmp_path, made, small_checkpoint):
    soundfile.write(show / "new.wav", np.sin(np.arange(8000) / 9), 16000)
    body = "sound,take,format,voice\nact1/one.wav,,,v\nact1/two.wav,,,v\nnew.wav,,,\n"
    run(write(show, "some.csv", body), tmp_path)
    made.clear()

    def made_now(content: str, **changes) -> list[str]:
        made.clear()
        run(write(show, "some.csv", content), tmp_path, **changes)
        return made.copy()

    soundfile.write(show / "new.wav", np.sin(np.arange(8000) / 8), 16000)
    assert made_now(body) == ["new.npz"]
    os.utime(show / "new.wav")
    assert made_now(body) == [], "its bytes are the same"
    assert made_now(body.replace("new.wav,,", "new.wav,3,")) == ["new.npz"]
    assert made_now(body.replace("two.wav,,,v", "two.wav,,,")) == ["act1/one.npz", "act1/two.npz", "new.npz"], (
        "the voice"
    )
    other = tmp_path / "other model"
    other.mkdir()
    for path in small_checkpoint.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert made_now(body, checkpoint=other) == ["act1/one.npz", "act1/two.npz"], "the voice again"
    assert made_now(body, checkpoint=small_checkpoint) == [], "its weights are the same"
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    assert len(made_now(body, checkpoint=other)) == 3


def test_a_bad_file_is_reported_once_and_the_others_are_made(run, show, tmp_path, capsys, monkeypatch):
    manifest = write(
        show,
        "bad.csv",
        "sound,character\nact2/bad.wav,\nact1/one.wav,\nnone.wav,\nact1/two.wav,none.obj\nact2/four.wav,\n",
    )
    real, told = runner.Engine, []
    monkeypatch.setattr(runner, "Engine", lambda *args: told.append(capsys.readouterr().err) or real(*args))
    assert run(manifest, tmp_path) == 1
    assert "Line 4, none.npz: There is no file" in told[0] and "Line 5" in told[0], "before the model is loaded"
    assert "act2/bad.npz" in capsys.readouterr().err
    assert sorted(n for n in files(tmp_path) if "faces" not in n) == ["act1/one.npz", "act2/four.npz"]
    failed = {row["line"]: row for row in rows(tmp_path) if "code" in row}
    assert len(rows(tmp_path)) == 5 and {name: row["code"] for name, row in failed.items()} == {
        "none.npz": "no_file", "act1/two.npz": "no_file", "act2/bad.npz": "bad_audio",
    }  # fmt: skip
    assert "cannot be read" in failed["act2/bad.npz"]["sentence"] and failed["act2/bad.npz"]["number"] == 2


def test_a_bad_mesh_fails_its_lines_alone_and_is_read_once(run, show, tmp_path, monkeypatch):
    write(show, "bad.obj", "f 1 2 3\n")
    manifest = write(
        show,
        "mesh.csv",
        "sound,character\nact1/one.wav,bad.obj\nact1/two.wav,bad.obj\nact2/four.wav,\nact2/five.wav,\n",
    )
    read, real = [], maker.meshes.load
    monkeypatch.setattr(maker.meshes, "load", lambda path: read.append(path) or real(path))
    assert run(manifest, tmp_path) == 1 and len(read) == 1
    assert [row.get("code") for row in rows(tmp_path)].count("bad_mesh") == 2 and "act2/four.npz" in files(tmp_path)


def test_characters_have_faces_of_their_own(run, show, tmp_path):
    head = load_head()
    np.savez(show / "head.npz", vertices=head.vertices, faces=head.faces)
    np.savez(show / "large.npz", vertices=100 * head.vertices, faces=head.faces)
    manifest = write(
        show,
        "cast.csv",
        "sound,character\nact1/one.wav,large.npz\nact1/two.wav,\nact1/three.wav,head.npz\nact2/four.wav,large.npz\n",
    )
    assert run(manifest, tmp_path) == 0
    faces = {row["line"]: row["face"] for row in rows(tmp_path)}
    assert faces["act1/one.npz"] == faces["act2/four.npz"] != faces["act1/two.npz"] and len(set(faces.values())) <= 3
    with np.load(tmp_path / f"faces/{faces['act1/one.npz']}.npz") as z:
        np.testing.assert_array_equal(z["vertices"], (100 * head.vertices).astype(np.float32))
        assert np.abs(z["basis"]).max() > 1, "in the units of the mesh"


def test_lines_of_a_voice_are_heard_with_the_nearest_others(run, show, tmp_path, monkeypatch):
    real, heard = engine.Engine.generate, {}

    def generate(self, samples, *args, other_lines, **kwargs):
        heard[len(heard)] = [(read.args[0].name, *read.args[1:]) for read in other_lines]
        return real(self, samples, *args, other_lines=other_lines, **kwargs)

    monkeypatch.setattr(engine.Engine, "generate", generate)
    run(
        write(
            show,
            "voice.csv",
            "sound,start,end,voice\nact1/one.wav,,,a\nact1/two.wav,.2,.6,a\nact1/three.wav,,,b\nact2/four.wav,,,a\n"
            "act2/five.wav,,,\n",
        ),
        tmp_path,
    )
    assert heard == {
        0: [("two.wav", 0.2, pytest.approx(0.4)), ("four.wav", 0.0, 30.0)],
        1: [("one.wav", 0.0, 30.0), ("four.wav", 0.0, 30.0)],
        2: [],
        3: [("two.wav", 0.2, pytest.approx(0.4)), ("one.wav", 0.0, 30.0)],
        4: [],
    }
    assert [row.get("heard_lines") for row in rows(tmp_path)] == [1, 1, 1, 1, None]


def test_faults_of_the_manifest_are_told_and_nothing_is_touched(run, show, tmp_path, capsys):
    manifest = write(show, "faulty.csv", "sound,start\n" + "a.wav,-1\n" * 60)
    assert run(manifest, tmp_path / "out") == 2 and not (tmp_path / "out").exists()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Line 2 starts at -1 s") and len(lines) == 51 and "10 further faults" in lines[-1]


def test_results_do_not_go_among_the_files_of_the_manifest(run, all_lines, show, capsys):
    before = files(show)
    assert run(all_lines, show / "act1" / "..") == 2 and files(show) == before
    assert "another folder" in capsys.readouterr().err


def test_without_a_model_the_batch_ends_with_its_error(run, all_lines, tmp_path):
    with pytest.raises(engine.LSFError) as error:
        run(all_lines, tmp_path / "out", checkpoint=tmp_path)
    assert error.value.code == "no_model" and rows(tmp_path / "out") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_after_the_current_line(run, all_lines, tmp_path, monkeypatch, capsys, number):
    before, real, made = signal.getsignal(number), maker.Maker.make, []

    def make(self, line, inputs):
        made.append(line.output)
        os.kill(os.getpid(), number)
        return real(self, line, inputs)

    monkeypatch.setattr(maker.Maker, "make", make)
    assert run(all_lines, tmp_path) == 130 and len(made) == 1 and signal.getsignal(number) is before
    assert [row["line"] for row in rows(tmp_path)] == made and made[0] in files(tmp_path)
    assert "Interrupted: 6 lines are left." in capsys.readouterr().err


def test_a_second_interrupt_ends_at_once(run, all_lines, tmp_path, monkeypatch):
    def make(self, line, inputs):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(maker.Maker, "make", make)
    with pytest.raises(KeyboardInterrupt):
        run(all_lines, tmp_path)


def test_progress_tells_lines_a_second_and_the_time_that_is_left(run, all_lines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0)
    run(all_lines, tmp_path)
    assert any("6 of 7 lines" in line and "a second" in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "2.0 a second, 1 s left"), (30, "30.0 s a line, 60 s left")])
def test_the_pace_of_quick_and_of_slow_lines(monkeypatch, capsys, seconds, words):
    clock = iter((0.0, seconds * 20))
    monkeypatch.setattr(runner.time, "perf_counter", lambda: next(clock))
    progress = runner._Progress(23)
    progress.show(1)
    progress.show(21)
    assert capsys.readouterr().out.strip() == f"21 of 23 lines, {words}"


def test_the_name_of_a_card_makes_no_line_again_but_its_numbers_do(run, show, tmp_path, made):
    manifest = write(show, "styled.csv", "sound,style\nact1/one.wav,anna.json\n")
    for name, smile, wanted in (("Anna", 0.1, 1), ("Bea", 0.1, 1), ("Bea", 0.2, 2)):
        content = {"format": "lsf-style", "version": 1, "name": name, "numbers": {"rest": {"smile": smile}}}
        (show / "anna.json").write_text(json.dumps(content), "utf-8")
        assert run(manifest, tmp_path) == 0 and len(made) == wanted


def test_words_are_made_again_with_the_encoder_and_tell_what_was_missed(run, show, tmp_path, made, monkeypatch):
    monkeypatch.setattr(maker.text, "is_installed", lambda: False)
    manifest = write(show, "words.csv", 'sound,emotion\nact1/one.wav,"left brow up, xyzzy"\nact1/two.wav,happy\n')
    assert run(manifest, tmp_path) == 0 and run(manifest, tmp_path) == 0 and len(made) == 2
    assert [row.get("missed") for row in rows(tmp_path)] == [["xyzzy"], None]
    monkeypatch.setattr(maker.text, "is_installed", lambda: True)
    monkeypatch.setattr(maker.text, "_encoder", lambda folder: None)
    monkeypatch.setattr(maker.text, "_model_folder", lambda: None)
    monkeypatch.setattr(maker.text, "meaning", lambda *args: None)
    assert run(manifest, tmp_path) == 0 and made[2:] == ["act1/one.npz"]


def test_words_that_lines_share_are_read_once(run, show, tmp_path, monkeypatch):
    readings, real = [], maker.text._reading
    monkeypatch.setattr(maker.text, "_reading", lambda words, *rest: readings.append(words) or real(words, *rest))
    words = "one eyebrow up, a bit sad"
    lines = [f'act{line},"{words}"\n' for line in ("1/one.wav", "1/two.wav", "2/four.wav")]
    manifest = write(show, "shared.csv", "sound,emotion\n" + "".join(lines) + "act2/five.wav,jaw open\n")
    maker.text._read.cache_clear()
    assert run(manifest, tmp_path / "once") == 0 and sorted(readings) == ["jaw open", words]
    monkeypatch.setattr(maker.text, "_read", maker.text._read.__wrapped__)
    assert run(manifest, tmp_path / "each time") == 0 and len(readings) == 2 + 2 * len(read_rows(tmp_path / "once"))
    assert files(tmp_path / "once") == files(tmp_path / "each time")
    assert read_rows(tmp_path / "once") == read_rows(tmp_path / "each time")


def read_rows(out: Path) -> list[dict[str, object]]:
    """The rows of the reports without their times."""
    return [{name: value for name, value in row.items() if name not in ("time", "seconds")} for row in rows(out)]


def process(manifest, out, shard, checkpoint, code="") -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-c", PROCESS, str(manifest), str(out), shard, str(checkpoint), code]
    return subprocess.Popen(arguments, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_killed_process_leaves_whole_files_and_the_next_run_makes_the_rest(
    run, all_lines, tmp_path, small_checkpoint, made
):
    kill = "import os; os.fsync = lambda f, n=[]: n.append(1) or (len(n) > 6 and os.kill(os.getpid(), signal.SIGKILL))"
    assert process(all_lines, tmp_path / "out", "1/1", small_checkpoint, kill).wait(300) == -signal.SIGKILL
    there = rows(tmp_path / "out")
    assert 0 < len(there) < 7 and len(list((tmp_path / "out" / results.PARTIAL).iterdir())) == 1
    assert run(all_lines, tmp_path / "out") == 0
    assert len(made) == 7 - len(there)
    assert run(all_lines, tmp_path / "serial") == 0
    partial = {name for name in files(tmp_path / "out") if name.startswith(results.PARTIAL)}
    assert {n: d for n, d in files(tmp_path / "out").items() if n not in partial} == files(tmp_path / "serial")
    names = [row["line"] for row in rows(tmp_path / "out")]
    assert len(names) == len(set(names)) == 7, "every line once"


def test_two_shards_at_the_same_time(run, all_lines, tmp_path, small_checkpoint):
    """Both begin without the face, and both write it."""
    wait = "results.Results.has_face = lambda self, name: False"
    both = [process(all_lines, tmp_path / "out", f"{part}/2", small_checkpoint, wait) for part in (1, 2)]
    assert [one.wait(300) for one in both] == [0, 0]
    assert run(all_lines, tmp_path / "serial") == 0 and files(tmp_path / "out") == files(tmp_path / "serial")
    assert len(rows(tmp_path / "out")) == 7


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/1000000", "-1/2", "1/2/3"])
def test_shards_that_are_none(text):
    with pytest.raises(Exception, match="no part"):
        batch.shard(text)
    assert batch.shard("2/8") == (2, 8)


def test_the_shipped_model_end_to_end(tmp_path):
    """Three lines of the demo: below the size that is promised, the same in any folder, with an emotion that shows."""
    samples, rate = soundfile.read(ROOT / "lsf_blender_addon/assets/demo_line.flac", dtype="float32")
    soundfile.write(tmp_path / "demo.wav", samples, rate)
    manifest = write(
        tmp_path,
        "demo.jsonl",
        '{"sound": "demo.wav", "start": 0, "end": 4}\n'
        '{"sound": "demo.wav", "id": "happy", "end": 4, "emotion": "happy"}\n'
        '{"sound": "demo.wav", "id": "turns", "end": 4, "emotion": [[0, "neutral", 0], [4, "happy", 1]]}\n',
    )
    assert runner.run(manifest, tmp_path / "a", (1, 1), None, "cpu", None) == 0
    assert runner.run(manifest, tmp_path / "b", (1, 1), None, "cpu", None) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
    sizes = {name: len(data) for name, data in files(tmp_path / "a").items() if not name.startswith("faces/")}
    assert len(sizes) == 3 and max(sizes.values()) < 30_000, sizes
    with contextlib.ExitStack() as stack:
        happy, turns = (
            stack.enter_context(np.load(tmp_path / f"a/{name}.npz"))["expression"] for name in ("happy", "turns")
        )
    assert np.abs(happy[:20]).max() > 0.1 > np.abs(turns[:20]).max()
    assert np.abs(turns[-20:]).max() > 0.5 * np.abs(happy[-20:]).max()


def test_no_result_takes_the_place_of_a_file_that_the_manifest_names(run, show, tmp_path, capsys):
    folder = tmp_path / "show"
    (folder / "cast").mkdir(parents=True)
    head = load_head()
    np.savez(folder / "cast" / "bob.npz", vertices=head.vertices, faces=head.faces)
    (folder / "cast" / "mood.json").write_text('[[0, "happy", 1]]')
    for name in ("bob.wav", "mood.wav"):
        (folder / name).write_bytes((show / "act1/one.wav").read_bytes())
    (folder / "link").symlink_to(folder / "cast", target_is_directory=True)
    before = files(folder)
    for row, sound in (("bob.wav,cast/bob.npz,,npz", "bob.npz"), ("mood.wav,,cast/mood.json,json", "mood.json")):
        manifest = write(folder, "m.csv", f"sound,character,emotion,format\n{row}\n")
        for out in ("cast", "link"):
            assert run(manifest, folder / out) == runner.UNUSABLE
            assert f'would write "{sound}" over a file' in capsys.readouterr().err
        assert run(manifest, tmp_path / "out") == runner.DONE
    lines = write(folder / "cast", "bob.csv", "sound,format\ncast/bob.wav,live_link\n")
    (folder / "cast" / "cast").mkdir()
    (folder / "cast" / "cast" / "bob.wav").write_bytes((show / "act1/one.wav").read_bytes())
    assert run(lines, folder) == runner.UNUSABLE, "the manifest itself"
    assert all(content == before[name] for name, content in files(folder).items() if name in before)


def test_words_and_missing_sounds_are_told_in_the_report(run, show, tmp_path):
    """The tiny model has no recogniser of sounds: its lines are there without them, and the report says why."""
    body = "sound,emotion,sounds\nact1/one.wav,one eyebrow up,\nact1/two.wav,,yes\n"
    assert run(write(show, "told.csv", body), tmp_path) == 0
    words, sounds = rows(tmp_path)
    assert words["understood"].startswith("Understood: ") and "eyebrow" in words["understood"]
    assert "understood" not in sounds and "no_sounds" not in words
    assert sounds["no_sounds"]["code"] and sounds["no_sounds"]["sentence"].endswith(".")
    before = {row["line"]: row["inputs"] for row in rows(tmp_path)}
    assert run(write(show, "told.csv", body.replace(",yes", ",")), tmp_path) == 0
    assert [row["line"] for row in rows(tmp_path)[2:]] == [sounds["line"]], "sounds are a part of the inputs"
    assert rows(tmp_path)[2]["inputs"] != before[sounds["line"]]
