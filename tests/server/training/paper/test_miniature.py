"""The miniature of 3DMEAD: its layout, and that the motion can be predicted from sound, face and emotion."""

import numpy as np
import pytest

from server.files.audio import load_16k
from server.training.paper import mead3d, miniature, small

TRAINED, UNSEEN = ("W019", "M003"), "W011"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniature")
    miniature.write_miniature(folder, (*TRAINED, "M028", UNSEEN), clips=9)
    return mead3d.read(folder)


def loudness_and_bands(clip):
    """Band energies of the sound around each frame, (F, 3 · 12)."""
    sound = load_16k(clip.audio)
    sound = np.pad(sound, (640, 2000))
    frames = np.stack([sound[i * 640 : i * 640 + 1280] for i in range(clip.frames)]) * np.hanning(1280)
    power = np.abs(np.fft.rfft(frames)[:, 8:248]) ** 2
    bands = np.log(power.reshape(len(power), 12, 20).sum(2) + 1e-4)
    padded = np.pad(bands, ((1, 1), (0, 0)), "edge")
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:]], 1)


def test_it_is_read_and_split_without_a_word_in_every_layout(tmp_path, clips):
    assert {part: len(own) for part, own in mead3d.split(clips).items()} == {"train": 18, "valid": 9, "test": 9}
    contents = []
    for layout in miniature.LAYOUTS:
        miniature.write_miniature(tmp_path / layout, clips=1, layout=layout)
        contents.append([(c.name, c.values().tobytes()) for c in mead3d.read(tmp_path / layout)])
    assert contents[0] == contents[1] == contents[2], "it is the same for the same seed"
    miniature.write_miniature(tmp_path / "long", ("M003",), clips=1, seconds=(5, 6))
    assert 125 <= mead3d.read(tmp_path / "long")[0].frames <= 150
    with pytest.raises(ValueError, match="layout"):
        miniature.write_miniature(tmp_path, layout="flat")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--subjects", "X001"], "X001 is none of the 32 subjects"),
        (["--seconds", "0", "0"], "Clips of 0 to 0 s cannot be made"),
        (["--seconds", "2", "1"], "Clips of 2 to 1 s cannot be made"),
        (["--seconds", "1", "nan"], "Clips of 1 to nan s cannot be made"),
        (["--clips", "0"], "at least 1 clip"),
        (["--seed", "-1"], "0 or more"),
    ],
)
def test_what_the_reader_would_refuse_is_not_written(tmp_path, monkeypatch, options, sentence):
    monkeypatch.setattr("sys.argv", ["miniature", str(tmp_path / "new"), *options])
    with pytest.raises(SystemExit, match=sentence):
        miniature.main()
    assert not (tmp_path / "new").exists()


def test_the_shortest_clip_can_be_read(tmp_path):
    miniature.write_miniature(tmp_path, clips=2, seconds=(miniature.SHORTEST, miniature.SHORTEST))
    assert len(mead3d.read(tmp_path)) == 8


def test_places_that_cannot_be_written_are_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("sys.argv", ["miniature", str(tmp_path / "file"), "--clips", "1"])
    with pytest.raises(SystemExit, match='file" cannot be written'):
        miniature.main()
    monkeypatch.setattr("sys.argv", ["small", "paper", str(tmp_path / "none" / "paper.json")])
    with pytest.raises(SystemExit, match=r'paper\.json" cannot be written'):
        small.main()


def test_it_has_several_emotions_intensities_and_lengths(clips):
    assert {c.emotion for c in clips} == set("01234567")
    assert len({c.intensity for c in clips}) == 3
    assert len({c.frames for c in clips if c.subject == UNSEEN}) > 5


def test_the_mouth_follows_the_sound_also_of_an_unseen_subject(clips):
    trained = [c for c in clips if c.subject in TRAINED]
    inputs = np.concatenate([loudness_and_bands(c) for c in trained])
    mean, scale = inputs.mean(0), inputs.std(0)
    inputs = np.c_[(inputs - mean) / scale, np.ones(len(inputs))]
    jaws = np.concatenate([c.curves()[:, 50] for c in trained])
    weights = np.linalg.solve(inputs.T @ inputs + 10 * np.eye(inputs.shape[1]), inputs.T @ jaws)
    unseen = [c for c in clips if c.subject == UNSEEN]
    predicted = np.concatenate([np.c_[(loudness_and_bands(c) - mean) / scale, np.ones(c.frames)] for c in unseen])
    truth = np.concatenate([c.curves()[:, 50] for c in unseen])
    assert np.corrcoef(predicted @ weights, truth)[0, 1] > 0.85


def test_the_identity_changes_the_motion_by_its_shape(clips):
    same = [c for c in clips if c.sentence == "001"]
    opened = {c.subject: c.curves()[:, 50].max() for c in same}
    gains = {c.subject: miniature.person(c.subject).opening for c in same}
    ratios = np.array([opened[subject] / gains[subject] for subject in opened])
    assert np.ptp(ratios) < 0.1 * ratios.mean() and np.ptp(list(gains.values())) > 0.1
    for clip in same:
        assert gains[clip.subject] == pytest.approx(1 + 0.3 * np.tanh(clip.shape()[0]), abs=1e-5)


def test_the_emotion_changes_the_brows_more_the_stronger_and_by_subject():
    def brows(subject, emotion, intensity):
        _, motion = miniature.clip(subject, 1, emotion, intensity, seed=0)
        return motion[0, :, 310:320].mean(0)

    calm, weak, strong = brows("M003", 0, 0), brows("M003", 5, 0), brows("M003", 5, 2)
    assert np.abs(calm).max() < 0.02
    np.testing.assert_allclose(strong, 3 * weak, atol=0.05)
    assert np.linalg.norm(strong - brows("M003", 2, 2)) > 1
    other = brows("W014", 5, 2)
    ratio = miniature.person("W014").liveliness / miniature.person("M003").liveliness
    np.testing.assert_allclose(other, ratio * strong, atol=0.05)
    assert abs(ratio - 1) > 0.05


def test_the_emotion_is_heard():
    loud = {e: np.abs(miniature.clip("M003", 1, e, 2, seed=0)[0]).max() for e in range(8)}
    assert len({round(float(v), 3) for v in loud.values()}) == 8 and max(loud.values()) < 1
