"""3DMEAD's official layout: what is read, how it is split, and one sentence for everything that is missing or wrong."""

import io
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.errors import MAX_SENTENCE, LSFError
from server.training.paper import mead3d

STEM = "M003_012_5_2"


def write_clip(folder: Path, stem: str = STEM, frames: int = 25, sounds: Path | None = None, rate: int = 16000):
    """Write a clip in the official form whose value in column c of frame f is (c + f / 100) / 400."""
    sounds = sounds or folder
    for place in (folder, sounds):
        place.mkdir(parents=True, exist_ok=True)
    values = (np.arange(403) + np.arange(frames)[:, None] / 100) / 400
    np.save(folder / f"{stem}.npy", values[None].astype(np.float32))
    soundfile.write(sounds / f"{stem}.wav", np.zeros(frames * rate // 25), rate)


def refusal(folder: Path, **options) -> str:
    """The sentence that the reader refuses the folder with."""
    with pytest.raises(LSFError) as caught:
        mead3d.read(folder, **options)
    sentence = str(caught.value)
    assert caught.value.code in ("bad_data", "no_data")
    assert len(sentence) < MAX_SENTENCE + len(str(folder)) and "\n" not in sentence
    return sentence


def write_all_subjects(folder: Path, clips: int = 1):
    for subject in mead3d.SPLIT_OF:
        for number in range(clips):
            write_clip(folder, f"{subject}_{number:03}_5_2", frames=4)


def test_the_official_names_and_columns(tmp_path):
    write_clip(tmp_path)
    (clip,) = mead3d.read(tmp_path)
    assert (clip.name, clip.subject, clip.sentence, clip.emotion, clip.intensity) == (STEM, "M003", "012", "5", "2")
    assert clip.frames == 25
    curves, shape = clip.curves(), clip.shape()
    assert curves.shape == (25, 53) and shape.shape == (300,)
    assert curves.dtype == shape.dtype == np.float32
    columns = [*range(300, 350), 400, 401, 402]
    np.testing.assert_allclose(curves[0], np.array(columns) / 400, rtol=1e-6)
    np.testing.assert_allclose(curves[24], (np.array(columns) + 0.24) / 400, rtol=1e-6)
    np.testing.assert_allclose(shape, (np.arange(300) + 0.12) / 400, rtol=1e-5, err_msg="the mean over the frames")


def test_sounds_and_motions_may_be_in_one_folder_in_two_or_nested(tmp_path):
    write_clip(tmp_path / "one")
    write_clip(tmp_path / "two" / "param", sounds=tmp_path / "two" / "wav")
    write_clip(tmp_path / "nested" / "param" / "M003" / "5", sounds=tmp_path / "nested" / "M003" / "wav")
    write_clip(tmp_path / "linked_to")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "3DMEAD").symlink_to(tmp_path / "linked_to", target_is_directory=True)
    (tmp_path / "linked_to" / "circle").symlink_to(tmp_path / "linked_to", target_is_directory=True)
    for name in ("one", "two", "nested", "link"):
        (clip,) = mead3d.read(tmp_path / name)
        assert clip.name == STEM and clip.audio.name == f"{STEM}.wav" and len(clip.curves()) == 25


def test_more_parts_emotions_in_words_and_capital_suffixes_are_read(tmp_path):
    write_clip(tmp_path, "W009_001_angry_3_front")
    (tmp_path / "W009_001_angry_3_front.wav").rename(tmp_path / "W009_001_angry_3_front.WAV")
    (tmp_path / "._W009_001_angry_3_front.npy").write_bytes(b"of macOS")
    (tmp_path / "README.txt").write_text("no clip")
    (clip,) = mead3d.read(tmp_path)
    assert (clip.name, clip.emotion, clip.intensity) == ("W009_001_angry_3_front", "angry", "3")


def test_the_split_is_the_fixed_one_of_22_5_and_5_subjects(tmp_path):
    assert [len(mead3d.SUBJECTS[part]) for part in mead3d.PARTS] == [22, 5, 5]
    assert len(mead3d.SPLIT_OF) == 32
    write_all_subjects(tmp_path)
    parts = mead3d.split(mead3d.read(tmp_path))
    found = {part: {clip.subject for clip in clips} for part, clips in parts.items()}
    assert found["valid"] == {"M028", "M029", "M030", "M031", "W009"}
    assert found["test"] == {"W011", "W014", "W015", "W016", "W018"}
    assert len(found["train"]) == 22 and {"W019", "M003", "M027"} <= found["train"]


def test_the_prior_of_the_released_protocol_sees_all_subjects_but_no_clip_twice(tmp_path):
    write_all_subjects(tmp_path, clips=20)
    clips = mead3d.read(tmp_path, check_values=False)
    parts = mead3d.split(clips, "released")
    for part, count in (("train", 14), ("valid", 3), ("test", 3)):
        per_subject = [sum(clip.subject == subject for clip in parts[part]) for subject in mead3d.SPLIT_OF]
        assert per_subject == [count] * 32
    assert sorted(clip.name for part in parts.values() for clip in part) == [clip.name for clip in clips]
    assert parts == mead3d.split(list(reversed(clips)), "released"), "it depends on the names alone"
    faces_of_the_test = {clip.subject for clip in mead3d.split(clips)["test"]}
    assert faces_of_the_test < {clip.subject for clip in parts["train"]}


def test_a_part_without_clips_is_named_with_subjects_that_it_needs(tmp_path):
    write_clip(tmp_path)
    clips = mead3d.read(tmp_path)
    with pytest.raises(LSFError, match=r'"valid".*no clips.*M028'):
        mead3d.split(clips)
    assert mead3d.split(clips, needed=("train",))["train"] == clips
    with pytest.raises(LSFError, match=r'"train".*"released".*no clips'):
        mead3d.split([], "released")
    with pytest.raises(ValueError, match="subjects or released"):
        mead3d.split(clips, "paper")


def test_a_part_with_some_of_its_subjects_is_told(tmp_path):
    write_all_subjects(tmp_path)
    clips = mead3d.read(tmp_path)
    assert mead3d.lacking(mead3d.split(clips)) == ""
    fewer = [clip for clip in clips if clip.subject not in ("M003", "W011")]
    sentence = 'Subjects of the protocol "subjects" that have clips: 21 of 22 in "train", 4 of 5 in "test".'
    assert mead3d.lacking(mead3d.split(fewer)) == sentence
    parts = mead3d.split(clips, "released", ("train",))
    assert mead3d.lacking({"train": parts["train"]}, "released") == ""
    assert '30 of 32 in "train"' in mead3d.lacking({"train": fewer}, "released")


def test_no_folder_and_no_clips(tmp_path):
    assert "no folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "no folder" in refusal(tmp_path / "file")
    assert "SUBJECT_SENTENCE_EMOTION_INTENSITY" in refusal(tmp_path)
    soundfile.write(tmp_path / f"{STEM}.wav", np.zeros(16000), 16000)
    assert "no motions" in refusal(tmp_path)


def test_motions_without_sounds_and_sounds_without_motions(tmp_path):
    for stem in (STEM, "M003_013_5_2", "M003_014_5_2"):
        write_clip(tmp_path, stem)
    (tmp_path / "M003_013_5_2.wav").unlink()
    (tmp_path / "M003_014_5_2.wav").unlink()
    assert 'The motion "M003_013_5_2" has no .wav of the same name, one of 2 such' in refusal(tmp_path)
    (tmp_path / "M003_013_5_2.npy").unlink()
    (tmp_path / "M003_014_5_2.npy").unlink()
    (tmp_path / "M003_015_5_2.wav").write_bytes((tmp_path / f"{STEM}.wav").read_bytes())
    assert 'The sound "M003_015_5_2" has no .npy of the same name, one of 1 such' in refusal(tmp_path)


@pytest.mark.parametrize(
    "stem", ["M003_angry_3_012", "M003_5_2_012", "M003_5_012_2", "012_M003_5_2", "M003_012_2_angry"]
)
def test_names_in_another_order_are_told_the_order(tmp_path, stem):
    write_clip(tmp_path, stem)
    sentence = refusal(tmp_path)
    assert "another order" in sentence and "SUBJECT_SENTENCE_EMOTION_INTENSITY" in sentence and stem in sentence


@pytest.mark.parametrize(
    ("stem", "value"),
    [
        ("M003_012_8_1", "the emotion 8: it must be a number from 0 to 7 or a word"),
        ("M003_012_5_4", "the intensity 4: it must be a number from 0 to 3"),
        ("M003_012_5_level1", "the intensity level1: it must be a number from 0 to 3"),
    ],
)
def test_a_value_out_of_its_range_is_told(tmp_path, stem, value):
    write_clip(tmp_path, stem)
    sentence = refusal(tmp_path)
    assert stem in sentence and value in sentence and "order" not in sentence


@pytest.mark.parametrize("stem", ["lips", "M003_012", "m003_012_5_2", "M3_012_5_2", "___"])
def test_files_of_other_names_are_not_passed_over_in_silence(tmp_path, stem):
    write_clip(tmp_path)
    write_clip(tmp_path, stem)
    assert "is not named SUBJECT" in refusal(tmp_path)


def test_an_unknown_subject(tmp_path):
    write_clip(tmp_path, "W010_012_5_2")
    assert "W010" in refusal(tmp_path) and "32" in refusal(tmp_path)


def test_the_same_stem_twice(tmp_path):
    write_clip(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert '"a" and "b"' in refusal(tmp_path)


@pytest.mark.parametrize(
    "shape", [(25, 403), (1, 25, 53), (1, 25, 413), (2, 25, 403), (1, 25, 403, 1), (1, 403, 25), (403,), ()]
)
def test_a_wrong_shape(tmp_path, shape):
    write_clip(tmp_path)
    np.save(tmp_path / f"{STEM}.npy", np.zeros(shape, np.float32))
    assert str(shape) in refusal(tmp_path) and "(1, frames, 403)" in refusal(tmp_path)


@pytest.mark.parametrize(("column", "value"), [(0, np.nan), (349, np.inf), (402, -np.inf)])
def test_a_value_that_is_no_number(tmp_path, column, value):
    write_clip(tmp_path)
    values = np.load(tmp_path / f"{STEM}.npy")
    values[0, 7, column] = value
    np.save(tmp_path / f"{STEM}.npy", values)
    assert "frame 7" in refusal(tmp_path)
    (clip,) = mead3d.read(tmp_path, check_values=False)
    with pytest.raises(LSFError, match="frame 7"):
        clip.curves()


def test_columns_that_nobody_uses_may_hold_anything(tmp_path):
    write_clip(tmp_path)
    values = np.load(tmp_path / f"{STEM}.npy")
    values[0, :, 350:400] = np.nan
    np.save(tmp_path / f"{STEM}.npy", values)
    assert np.isfinite(mead3d.read(tmp_path)[0].curves()).all()


def test_a_jaw_in_degrees_and_coefficients_of_another_scale(tmp_path):
    write_clip(tmp_path)
    values = np.load(tmp_path / f"{STEM}.npy")
    values[0, :, 400:403] = [15, 0, 0]
    np.save(tmp_path / f"{STEM}.npy", values)
    assert "15 rad" in refusal(tmp_path)
    values[0, 3, 310] = 1e4
    np.save(tmp_path / f"{STEM}.npy", values)
    assert "1e+04" in refusal(tmp_path)


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4"])
def test_floats_of_any_size_are_read(tmp_path, kind):
    write_clip(tmp_path)
    np.save(tmp_path / f"{STEM}.npy", np.asfortranarray(np.load(tmp_path / f"{STEM}.npy").astype(kind)))
    np.testing.assert_allclose(mead3d.read(tmp_path)[0].curves()[0, 0], 0.75, rtol=1e-3)


@pytest.mark.parametrize("kind", [np.int32, np.complex64, "U3", bool])
def test_values_of_other_types_are_refused(tmp_path, kind):
    write_clip(tmp_path)
    np.save(tmp_path / f"{STEM}.npy", np.zeros((1, 25, 403), kind))
    assert "must be floats" in refusal(tmp_path)


class Trap:
    """An object whose pickle would write a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_are_not_read(tmp_path):
    write_clip(tmp_path / "data")
    path, sprung = tmp_path / "data" / f"{STEM}.npy", tmp_path / "sprung"
    np.save(path, np.array([Trap(sprung)], object), allow_pickle=True)
    assert "is not a NumPy array of numbers" in refusal(tmp_path / "data")
    path.write_bytes(pickle.dumps(Trap(sprung)))
    assert "is not a NumPy array of numbers" in refusal(tmp_path / "data")
    assert not sprung.exists()


def with_header(header: bytes, version: bytes = b"\x02\x00") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(4, "little") + header


DAMAGED = {
    "huge_header": with_header(
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 25, 403)}" + b" " * 100_000 + b"\n"
    ),
    "header_longer_than_file": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr': '<f4'}",
    "huge_shape": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999999, 403)}\n"),
    "negative_shape": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, -25, 403)}\n"),
    "two_negatives": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1, 403)}\n") + bytes(1612),
    "no_frames": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 0, 403)}\n"),
    "strange_type": with_header(b"{'descr': 'what', 'fortran_order': False, 'shape': (1, 25, 403)}\n"),
    "deep_header": with_header(b"(" * 5000 + b"\n"),
    "no_dictionary": with_header(b"[]\n"),
    "unknown_version": with_header(b"{}\n", b"\x63\x00"),
    "truncated": None,
    "empty": b"",
    "text": b"1, 2, 3",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file(tmp_path, kind):
    write_clip(tmp_path)
    path = tmp_path / f"{STEM}.npy"
    path.write_bytes(path.read_bytes()[:-100] if DAMAGED[kind] is None else DAMAGED[kind])
    assert f"{STEM}.npy" in refusal(tmp_path)


def test_an_archive_named_npy(tmp_path):
    write_clip(tmp_path)
    archive = io.BytesIO()
    np.savez(archive, exp=np.zeros((25, 50)))
    (tmp_path / f"{STEM}.npy").write_bytes(archive.getvalue())
    assert "archive" in refusal(tmp_path)


def test_random_damage_gives_one_sentence_or_a_clip(tmp_path):
    write_clip(tmp_path, frames=3)
    path = tmp_path / f"{STEM}.npy"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, 128, 2):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            (clip,) = mead3d.read(tmp_path)
            assert clip.curves().shape == (3, 53)
        except LSFError:
            refused += 1
    assert refused > 100


def test_the_sound_has_16_khz_and_lasts_as_long_as_the_motion(tmp_path):
    write_clip(tmp_path, rate=44100)
    assert "44100 Hz" in refusal(tmp_path)
    write_clip(tmp_path)
    soundfile.write(tmp_path / f"{STEM}.wav", np.zeros(16000 + 9600), 16000)
    sentence = refusal(tmp_path)
    assert "1.60 s" in sentence and "1.00 s (25 frames at 25 fps)" in sentence
    assert len(mead3d.read(tmp_path, tolerance=0.7)) == 1
    soundfile.write(tmp_path / f"{STEM}.wav", np.zeros(16000 + 7000), 16000)
    assert len(mead3d.read(tmp_path)) == 1
    soundfile.write(tmp_path / f"{STEM}.wav", np.zeros(1000), 16000)
    assert "0.06 s" in refusal(tmp_path)
    (tmp_path / f"{STEM}.wav").write_bytes(b"RIFF")
    assert "cannot be read as sound" in refusal(tmp_path)


def test_a_motion_that_changes_while_it_is_used(tmp_path):
    write_clip(tmp_path)
    (clip,) = mead3d.read(tmp_path)
    write_clip(tmp_path, frames=24)
    with pytest.raises(LSFError, match="has changed"):
        clip.curves()


def test_progress_is_reported(tmp_path):
    write_all_subjects(tmp_path)
    calls = []
    mead3d.read(tmp_path, report=lambda done, count: calls.append((done, count)))
    assert calls[0] == (0, 32) and calls[-1] == (32, 32)
