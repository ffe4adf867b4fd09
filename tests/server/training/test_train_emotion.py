"""The fit of the emotion reader, on statistics made here: corpora, people and emotions are directions."""

import numpy as np
import pytest
import soundfile
import torch

from server.model import LSF, BackboneConfig, LSFConfig
from server.model.emotion import EMBEDDING, EmotionReader
from server.protocol.emotions import EMOTION_CLASSES, EMOTIONS
from server.training import emotion_statistics, train_emotion
from server.training.corpora import Clip
from server.training.emotion_statistics import Rows
from server.training.speech import augment

SIZE = 80  # channels
DIRECTIONS = dict(zip(EMOTION_CLASSES, np.random.default_rng(9).standard_normal((9, 2 * SIZE)), strict=True))
SPEECH = ("angry", "fearful", "happy", "sad", "neutral", "bored")
BURSTS = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt")


def rows(corpus: str, copy: int, people: int, emotions: tuple[str, ...], each: int = 3) -> Rows:
    """Lines of several people, two rows each; every person and every copy has an offset larger than an emotion."""
    voices = np.random.default_rng(len(corpus))
    rng = np.random.default_rng([copy, len(corpus)])
    offset = 3 * voices.standard_normal(2 * SIZE)
    statistics, names, speakers, labels = [], [], [], []
    for person in range(people):
        voice = offset + 1.5 * voices.standard_normal(2 * SIZE)
        for emotion in emotions:
            for take in range(each):
                mean = voice + (emotion != "neutral") * 1.5 * DIRECTIONS[emotion]
                recording = copy * rng.standard_normal(2 * SIZE)
                statistics += [mean + recording + 0.5 * rng.standard_normal(2 * SIZE) for _ in range(2)]
                names.append(f"{person}{emotion}{take}")
                speakers.append(f"{corpus}{person}")
                labels.append(emotion)
    count = len(names)
    return Rows(
        corpus,
        copy,
        np.array(statistics, np.float32),
        np.ones(2 * count, np.float32),
        np.repeat(np.arange(count), 2),
        names,
        speakers,
        labels,
        np.full(count, 3.0),
    )


def training() -> list[Rows]:
    return [
        *(rows("emodb", copy, 6, SPEECH) for copy in (0, 1)),
        *(rows("emogator", copy, 6, BURSTS, 1) for copy in (0, 1)),
        rows("grid", 0, 1, ("neutral",), 12),
        rows("kokoro", 0, 8, ("neutral",), 3),
    ]


@pytest.fixture(scope="module")
def fitted():
    several = training()
    space = train_emotion.fit_space(several)
    values = [space.embed(r) for r in several]
    state = train_emotion.fit(several, space, values, torch.zeros(SIZE + 1), {})
    reader = EmotionReader(SIZE, len(EMOTION_CLASSES))
    reader.load_state_dict(state)
    return reader


def guesses(reader: EmotionReader, statistics: np.ndarray) -> list[str]:
    logits = reader.head((torch.from_numpy(statistics) - reader.mean) @ reader.projection)
    return [EMOTION_CLASSES[k] for k in logits.argmax(1)]


def test_emotions_of_unknown_people_are_read_and_unknown_neutral_voices_are_neutral(fitted):
    unknown = rows("unheard", 0, 10, SPEECH)
    unknown.statistics -= unknown.statistics.mean(0) - rows("emodb", 0, 6, SPEECH).statistics.mean(0)
    found = guesses(fitted, unknown.statistics)
    assert np.mean([g == unknown.emotions[i] for g, i in zip(found, unknown.line, strict=True)]) > 0.7


def test_the_bank_has_distinct_places_at_the_same_distance_from_neutral(fitted):
    coloured = fitted.bank[[k for k, e in enumerate(EMOTIONS) if e != "neutral"]]
    assert not fitted.bank[EMOTIONS.index("neutral")].any()
    torch.testing.assert_close(coloured @ coloured.T, EMBEDDING * torch.eye(7), atol=0.05, rtol=0)
    # A place lies in the direction of its own emotion, not of another.
    mean = {e: (torch.from_numpy(d).float() @ fitted.projection) for e, d in DIRECTIONS.items()}
    for k, e in enumerate(EMOTIONS):
        if e != "neutral":
            assert max(mean, key=lambda other, k=k: float(fitted.bank[k] @ mean[other])) == e


def test_listeners_weigh_a_line_and_emotions_of_a_corpus_count_alike():
    several = rows("emodb", 0, 2, ("angry", "sad"), 2).of_lines(np.array([True] * 7 + [False]))
    embeddings = np.zeros((14, EMBEDDING), np.float32)
    plain = train_emotion.examples(several, embeddings, {})
    by_class = [plain.weights[plain.classes == EMOTION_CLASSES.index(e)].sum() for e in ("angry", "sad")]
    assert by_class[0] == pytest.approx(by_class[1])
    doubted = train_emotion.examples(several, embeddings, {several.names[0]: 0.5})
    np.testing.assert_allclose(doubted.weights[:2], plain.weights[:2] / 2)
    several.emotions[0] = None
    assert len(train_emotion.examples(several, embeddings, {}).weights) == 12


def test_people_are_left_out_and_all_figures_are_printed(capsys):
    several = training()
    space = train_emotion.fit_space(several)
    train_emotion.people_out(several, [space.embed(r) for r in several], {}, (0,))
    printed = capsys.readouterr().out
    for name in ("emodb copy 0:", "emodb copy 1:", "emogator copy 0 own mean:", "kokoro copy 0:"):
        assert name in printed
    assert "sad smiles" in printed and "nan" not in printed


def test_own_means_need_several_lines():
    several = rows("emodb", 0, 3, ("neutral",), 1)
    assert np.isnan(train_emotion.against_own_mean(several, np.zeros((6, EMBEDDING), np.float32))).all()


def test_statistics_are_saved_as_they_are(tmp_path):
    several = rows("emogator", 1, 2, BURSTS, 1)
    clips = [
        Clip("emogator", n, s, tmp_path, "train", emotion=e)
        for n, s, e in zip(several.names, several.speakers, several.emotions, strict=True)
    ]
    emotion_statistics.save(several, tmp_path / "emogator_1.npz")
    found = emotion_statistics.load(tmp_path / "emogator_1.npz", clips)
    assert (found.corpus, found.copy, found.emotions, found.speakers) == (
        "emogator",
        1,
        several.emotions,
        several.speakers,
    )
    np.testing.assert_allclose(found.statistics, several.statistics, atol=0.02)
    assert (found.line == several.line).all()


def test_statistics_that_were_not_written_to_the_end_are_not_there(tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    path = tmp_path / "emodb_0.npz"
    with pytest.raises(KeyboardInterrupt):
        emotion_statistics.save(rows("emodb", 0, 2, SPEECH), path)
    assert not list(tmp_path.iterdir())


def test_long_clips_are_read_in_pieces_and_few_of_each_voice(tmp_path):
    soundfile.write(tmp_path / "long.flac", np.zeros(16000 * 40), 16000)
    clips = [Clip("kokoro", str(i), "voice", tmp_path / "long.flac", "train") for i in range(9)]
    pieces = list(emotion_statistics.lines(clips, few=True))
    assert len(pieces) == 3 * emotion_statistics.LINES_OF_A_VOICE
    assert {len(audio) for _, audio in pieces} <= {213333, 213334}
    assert len(list(emotion_statistics.lines(clips, few=False))) == 27


def test_spoken_frames_are_the_loud_ones():
    audio = np.concatenate([0.001 * np.ones(16000), 0.3 * np.ones(16000)]).astype(np.float32)
    spoken = emotion_statistics.spoken_frames(audio, 105)
    assert not spoken[:50].any() and spoken[50:100].all() and not spoken[100:].any()


@pytest.fixture(scope="module")
def model():
    """A tiny encoder with random weights."""
    torch.manual_seed(0)
    backbone = BackboneConfig(hidden=32, heads=4, mlp=64, mels=20, positions=1500)
    sizes = {"motion_components": 24, "width": 32, "heads": 4, "mlp": 48, "direct_width": 16}
    return LSF(LSFConfig(motion_backbone=backbone, **sizes)).eval()


@pytest.fixture
def clips(tmp_path):
    """Six clips of EmoDB: a second of noise, then a second of near silence."""
    made = []
    for i in range(6):
        rng = np.random.default_rng(i)
        audio = np.concatenate([0.2 * rng.standard_normal(16000), 1e-4 * rng.standard_normal(16000)])
        soundfile.write(tmp_path / f"{i}.flac", audio, 16000)
        emotion = ("angry", "neutral")[i % 2]
        made.append(Clip("emodb", str(i), f"speaker{i // 2}", tmp_path / f"{i}.flac", "train", emotion=emotion))
    return made


def test_the_detector_of_speech_finds_it_in_other_clips(model, clips):
    speech = emotion_statistics.fit_speech(model, {"emodb": clips[:4]}, np.random.default_rng(0))
    reader = EmotionReader(len(speech) - 1, 1)
    reader.speech.copy_(speech)
    _, audio = next(emotion_statistics.lines(clips[5:], few=False))
    spoken = reader.spoken(emotion_statistics.encode(model, audio))
    assert spoken[5:45].mean() > 0.9 > 0.1 > spoken[55:].mean()


def test_rows_are_those_that_the_reader_sees(model, clips):
    speech = emotion_statistics.fit_speech(model, {"emodb": clips[:4]}, np.random.default_rng(0))
    found = emotion_statistics.compute(model, speech, clips, 0, seed=1)
    assert found.names == [c.name for c in clips] and found.line.tolist() == np.repeat(range(6), 4).tolist()
    np.testing.assert_allclose(found.seconds, 1, atol=0.1)
    reader = EmotionReader(len(speech) - 1, 1)
    reader.speech.copy_(speech)
    reader.projection[:128] = torch.eye(128)
    _, audio = next(emotion_statistics.lines(clips[:1], few=False))
    embedding, _ = reader(emotion_statistics.encode(model, audio), emotion_statistics.STEP)
    np.testing.assert_allclose(found.statistics[:4, :128], embedding.numpy(), rtol=2e-3, atol=2e-3)


def test_copies_are_spoiled_in_their_own_way(clips, monkeypatch):
    monkeypatch.setattr(augment, "convert_voice", lambda audio, rng: -audio)
    audio = np.sin(np.arange(16000) / 9).astype(np.float32) / 3
    spoiled = [emotion_statistics.spoil(audio, copy, np.random.default_rng(3)) for copy in emotion_statistics.COPIES]
    assert (spoiled[0] == audio).all()
    assert all(np.abs(x).max() <= 1 and x.dtype == np.float32 for x in spoiled)
    assert len(spoiled[1]) != len(audio) and not np.allclose(spoiled[1], spoiled[2])
