"""Readers, on small data made here in the layout of each corpus."""

import json

import numpy as np
import pytest
import soundfile

from server import arkit
from server.training import corpora
from server.training.speech import phonetics

RNG = np.random.default_rng(0)


def sound(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * RNG.standard_normal(int(16000 * seconds)), 16000)


def test_grid_skips_the_trackers_neutral_column_and_keeps_names(tmp_path):
    folder = tmp_path / "grid_s1"
    channels = ["_neutral", "jawOpen", "browDownLeft"]
    index, tracks = {}, {"channels": np.array(channels), "fps": 25}
    for i in range(120):
        name = f"clip{i:03}"
        sound(folder / f"{name}.flac")
        index[name] = {"words": [], "phones": [["SIL", 0, 0.2], ["AA1", 0.2, 0.6], ["B", 0.6, 1]]}
        tracks[f"{name}/blendshapes"] = np.tile([9, 0.5, 0.25], (25, 1)).astype(np.float16)
        tracks[f"{name}/aperture"] = tracks[f"{name}/width"] = np.full(25, 0.1, np.float16)
    (folder / "index.json").write_text(json.dumps(index))
    np.savez(folder / "tracks.npz", **tracks)
    clips = corpora.read("grid", tmp_path)
    assert clips[0].curves.shape == (25, 52) and clips[0].lips.shape == (25, 2)
    assert clips[0].curves[0, arkit.CHANNELS.index("jawOpen")] == 0.5
    assert clips[0].curves[0, arkit.CHANNELS.index("browDownLeft")] == 0.25
    assert clips[0].curves.sum(1).max() == 0.75, "the neutral column must not land in any channel"
    assert clips[0].phones == [("", 0, 0.2), ("ɑ", 0.2, 0.6), ("b", 0.6, 1)]
    assert [sum(c.split == s for c in clips) for s in ("test", "valid", "train")] == [60, 40, 20]


def test_people_are_all_for_testing_and_keep_their_words_and_untracked_frames(tmp_path):
    folder = tmp_path / "grid_others"
    tracks = {"channels": np.array(["_neutral", "jawOpen"]), "fps": 25}
    for name in ("b1", "a1"):
        sound(folder / f"{name}.flac")
        tracks[f"{name}/blendshapes"] = np.tile([9, 0.5], (25, 1))
        tracks[f"{name}/aperture"], tracks[f"{name}/width"] = np.full(25, 0.1), np.full(25, 0.3)
        tracks[f"{name}/valid"] = np.arange(25) < 20
    (folder / "index.json").write_text(json.dumps({"b1": {"words": ["bin", "blue"]}, "a1": {"words": ["set"]}}))
    np.savez(folder / "tracks.npz", **tracks)
    clips = corpora.read("people", tmp_path)
    assert [(c.name, c.text, c.split) for c in clips] == [("a1", "set", "test"), ("b1", "bin blue", "test")]
    assert clips[0].speaker != clips[1].speaker
    assert clips[0].curves.sum(1).max() == 0.5 and clips[0].lips[0].tolist() == pytest.approx([0.1, 0.3])
    assert clips[0].valid.sum() == 20


def test_facegood_opens_the_jaw_with_mouth_stretch_and_comes_out_at_25_fps(tmp_path):
    folder = tmp_path / "facegood"
    names = [n for gains in corpora.FACEGOOD_GAINS.values() for n in gains]
    sound(folder / "a.flac", 2)
    weights = np.zeros((60, len(names)), np.float32)
    weights[:, names.index("mouth_stretch_c")] = np.linspace(0, 0.6, 60)
    np.savez(folder / "a.npz", weights=weights)
    (folder / "channels.json").write_text(json.dumps(names))
    (clip,) = corpora.read("facegood", tmp_path)
    jaw = clip.curves[:, corpora.CHANNEL_INDEX["jawOpen"]]
    assert len(jaw) == 50
    np.testing.assert_allclose(jaw, np.interp(np.arange(50) / 25, np.arange(60) / 30, weights.sum(1)), atol=1e-6)


def test_kokoro_gives_the_pause_swallowed_by_the_last_phone_back(tmp_path):
    folder = tmp_path / "kokoro_en"
    folder.mkdir()
    entry = {
        "file": "0.ogg",
        "voice": "v",
        "phones": [["sil", 0, 0.2, 0], ["A", 0.2, 0.5, 1], ["k", 0.5, 1.2, 0], ["sil", 1.2, 1.4, 0]],
    }
    (folder / "index.jsonl").write_text(json.dumps(entry) + "\n")
    (clip,) = corpora.read("kokoro", tmp_path)
    assert clip.phones == [("", 0, 0.2), ("eɪ", 0.2, 0.5), ("k", 0.5, 0.7), ("", 0.7, 1.4)]


def test_kokoro_more_keeps_whole_voices_and_their_blends_out_while_it_grows(tmp_path):
    folder = tmp_path / "kokoro_more"
    folder.mkdir()
    entries = [
        {"file": f"{i}.flac", "voice": voice, "language": "cmn", "phones": [["pʰ", 0, 0.2, 0], ["y", 0.2, 1, 0]]}
        for i, voice in enumerate(["zf_xiaoni", "em_santa", "af_heart+em_santa", "em_alex+af_heart"])
    ]
    (folder / "index.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    clips = corpora.read("kokoro_more", tmp_path)
    assert [c.split for c in clips] == ["train", "valid", "valid", "train"]
    assert clips[0].phones == [("p", 0, 0.2), ("y", 0.2, 1)]


def test_ljspeech_reads_the_phone_tier(tmp_path):
    folder = tmp_path / "ljspeech_mfa"
    folder.mkdir()
    tier = (
        'name = "{}"\n xmin = 0\n xmax = 1\n intervals: size = 2\n xmin = 0\n xmax = 0.5\n text = "{}"\n'
        ' xmin = 0.5\n xmax = 1\n text = ""\n'
    )
    (folder / "x.TextGrid").write_text(tier.format("words", "ah") + tier.format("phones", "AH0"))
    (clip,) = corpora.read("ljspeech", tmp_path)
    assert clip.phones == [("ʌ", 0, 0.5), ("", 0.5, 1)]


def test_emodb_reads_speaker_and_emotion_from_the_name_and_phones_from_the_labels(tmp_path):
    for name in ("03a01Fa", "15a02Wb"):
        sound(tmp_path / "emodb" / f"{name}.flac")
    labels = {"03a01Fa": [[0.1, "_b"], [0.2, "!b"], [0.25, "a +lar 2"], [0.4, "-lar"], [0.7, "."]], "15a02Wb": []}
    (tmp_path / "emodb" / "labels.json").write_text(json.dumps(labels))
    happy, angry = corpora.read("emodb", tmp_path)
    assert (happy.emotion, happy.speaker, happy.split) == ("happy", "03", "train")
    assert happy.phones == [("", 0, 0.1), ("b", 0.1, 0.25), ("a", 0.25, 0.7), ("", 0.7, 1)]
    assert (angry.emotion, angry.split, angry.phones) == ("angry", "test", None)


def test_emogator_is_split_by_person_and_leaves_distress_unlabelled(tmp_path):
    for person in range(60):
        for category in ("02", "11", "27"):
            sound(tmp_path / "emogator" / f"{person:06}-{category}-2.ogg", 0.1)
    clips = corpora.read("emogator", tmp_path)
    assert [clip.emotion for clip in clips[:3]] == ["happy", None, "surprised"]
    assert all(clip.phones is None for clip in clips)
    splits = {clip.speaker: {c.split for c in clips if c.speaker == clip.speaker} for clip in clips}
    assert all(len(s) == 1 for s in splits.values())
    assert [sum(s == {name} for s in splits.values()) for name in ("test", "valid", "train")] == [24, 12, 24]


def test_both_alphabets_meet_in_the_same_features():
    arpabet = phonetics.to_ipa([("SH", 0, 1), ("OW1", 1, 2), ("SIL", 2, 3)], phonetics.ARPABET)
    kokoro = phonetics.to_ipa([("ʃ", 0, 1, 0), ("O", 1, 2, 1), ("sil", 2, 3, 0)], phonetics.KOKORO)
    assert arpabet == kokoro == [("ʃ", 0, 1), ("oʊ", 1, 2), ("", 2, 3)]
    assert not (phonetics.phone_features("ʃ") == phonetics.phone_features("")).all()


def test_every_phone_of_both_alphabets_has_features():
    for alphabet in (phonetics.ARPABET, phonetics.KOKORO):
        for ipa in alphabet.values():
            assert phonetics.phone_features(ipa)[0, phonetics.COLUMN["silence"]] == 0, ipa


def test_a_diphthong_moves_and_a_monophthong_does_not():
    height = phonetics.COLUMN["height"]
    first, last = phonetics.phone_features("aɪ")
    assert first[height] < last[height]
    np.testing.assert_array_equal(*phonetics.phone_features("i"))
