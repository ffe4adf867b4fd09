"""Labels by hearing: what teachers hear counts, but where rules are certain they decide."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from server import arkit
from server.training import FPS, corpora
from server.training.labels import heard_targets, lips, teachers

FRAMES = 60
PHONES = [
    ("", 0, 0.4),
    ("i", 0.4, 0.8),
    ("b", 0.8, 0.9),
    ("ɑ", 0.9, 1.2),
    ("ʃ", 1.2, 1.4),
    ("i", 1.4, 1.8),
    ("", 1.8, 2.4),
]
STATES = np.zeros((FRAMES, 4), np.float32)
FUNNEL = arkit.CHANNELS.index("mouthFunnel")


class WideOpen(teachers.Ensemble):
    """Hears a mouth that is always 12 mm open."""

    def __init__(self):
        super().__init__([])

    def predict(self, states):
        mouth = torch.full((len(states), teachers.OUTPUTS), 0.1)
        mouth[:, -2], mouth[:, -1] = 12.0, 50.0
        return mouth


@pytest.fixture(scope="module")
def labeller():
    return heard_targets.Labeller(WideOpen(), lips.load_lips())


def aperture(labeller, phones=PHONES):
    return 1e3 * labeller.goals(STATES, phones)[1].numpy()


def at(seconds: float) -> int:
    return round(seconds * FPS)


def test_lips_meet_on_b_and_rest_in_silence_and_are_else_as_heard(labeller):
    (curves,) = replace(labeller, rest_before=0.12).label([(STATES, PHONES)])
    got = 1e3 * labeller.head(torch.from_numpy(curves))[:, 0].numpy()
    assert got[at(0.85)] < 0.5 and got[at(0.16)] < 0.5 and got[at(2.2)] < 0.5
    for seconds in (0.6, 1.04, 1.6):
        assert abs(got[at(seconds)] - 12) < 1.5
    assert curves.min() >= 0 and curves.max() <= 1


def test_clips_are_labelled_each_with_its_own_phones(labeller):
    first, second = labeller.label([(STATES[:40], None), (STATES, PHONES)])
    assert len(first) == 40 and len(second) == FRAMES
    opened = [1e3 * labeller.head(torch.from_numpy(curves))[:, 0].numpy() for curves in (first, second)]
    assert opened[0].min() > 10 and opened[1][at(0.85)] < 0.5


def test_about_speech_the_mouth_does_as_heard_and_beyond_it_rests(labeller):
    phones = [("", 0, 1), ("ɑ", 1, 1.4), ("", 1.4, 2.4)]
    for before, after in ((0.0, 0.4), (0.4, 0.0)):
        found = aperture(replace(labeller, rest_before=before, rest_after=after), phones)
        assert (found[at(0.8)] > 11) == (before > 0) and (found[at(1.6)] > 11) == (after > 0)
        assert found[at(0.4)] < 0.5 and found[at(2.1)] < 0.5
        assert before > 0 or found[at(0.8)] < 0.5
        assert after > 0 or found[at(1.6)] < 0.5


def test_only_certain_rules_apply(labeller):
    """How wide i and ʃ open is heard; that ʃ rounds is certain."""
    curves, opening, _ = labeller.goals(STATES, PHONES)
    assert opening[at(0.6)] > 0.0115 and opening[at(1.3)] > 0.0115 and curves[at(1.3), FUNNEL] >= 0.3 - 1e-6


def test_without_phones_the_teachers_decide_alone(labeller):
    np.testing.assert_allclose(aperture(labeller, None), 12.0, rtol=1e-5)


def test_clips_with_phones_are_labelled_beside_the_other_targets(tmp_path, monkeypatch, capsys):
    clips = [
        corpora.Clip("emodb", name, name[:2], Path(f"{name}.flac"), "train", phones)
        for name, phones in (("08a01Ab", None), ("03a01Fa", PHONES))
    ]
    monkeypatch.setattr(heard_targets.corpora, "read", lambda corpus, data: clips)
    monkeypatch.setattr(heard_targets.features, "load_extractor", lambda folder: None)
    monkeypatch.setattr(heard_targets.teachers, "load_ensemble", lambda folder: WideOpen())
    monkeypatch.setattr(
        heard_targets.encoder_states, "load", lambda work, corpus, several, model: {c.name: STATES for c in several}
    )
    folders = [text for name in ("data", "work", "whisper", "teachers") for text in (f"--{name}", str(tmp_path))]
    monkeypatch.setattr("sys.argv", ["heard_targets", "emodb", *folders])
    heard_targets.main()
    written = dict(np.load(tmp_path / "targets" / "emodb.npz"))
    assert list(written) == ["03a01Fa"] and written["03a01Fa"].shape == (FRAMES, len(arkit.CHANNELS))
    assert "emodb: 1 clips" in capsys.readouterr().out
