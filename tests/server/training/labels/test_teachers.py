"""Teachers in a made-up world: the mouth follows the encoder's states linearly, with the scale of the person."""

import numpy as np
import pytest
import torch

from server import arkit
from server.training.evaluation import metrics
from server.training.labels import lips, teachers

HIDDEN = 24
APERTURE = teachers.OUTPUTS - 2
MIX = np.random.default_rng(0).standard_normal((HIDDEN, teachers.OUTPUTS))


def person(name: str, seed: int, opening: float = 1.0, clips: int = 12, delay: int = 0) -> teachers.Person:
    """Clips of 3 s whose mouth is a mixture of the states `delay` frames before, times `opening`, about 5."""
    rng = np.random.default_rng(seed)
    states, mouths = [], []
    for _ in range(clips):
        x = rng.standard_normal((80, HIDDEN))
        x[:, 0] *= 100  # encoders have such channels
        mouth = np.roll(x / x.std(0), delay, 0) @ MIX
        states.append(x[5:].astype(np.float16))
        mouths.append((5 + opening * mouth[5:]).astype(np.float32))
    return teachers.Person(name, states, mouths)


def score(ensemble: teachers.Ensemble, someone: teachers.Person, column: int = APERTURE) -> float:
    """Median r of a column of the mouth over a person's clips."""
    pairs = zip(someone.states, someone.mouths, strict=True)
    return float(np.median([metrics.pearson(ensemble.predict(x)[:, column].numpy(), y[:, column]) for x, y in pairs]))


@pytest.fixture(scope="module")
def people():
    return [person("narrow", 1, 0.5), person("wide", 2, 4.0)]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Networks that train in a second."""
    monkeypatch.setattr(teachers, "WIDTH", 32)
    monkeypatch.setattr(teachers, "BATCH", 4)
    monkeypatch.setattr(teachers, "FEATURE_NOISE", 0.1)


def test_both_kinds_follow_a_person_whom_they_never_saw(people):
    stranger = person("stranger", 3, 2.0, clips=4)
    assert score(teachers.Ensemble([teachers.train_ridge(people, ridge=10.0)]), stranger) > 0.97
    assert score(teachers.Ensemble([teachers.train_convolution(people, 1, steps=200)]), stranger) > 0.8
    backwards = teachers.Person("", stranger.states, [mouth[::-1] for mouth in stranger.mouths])
    assert score(teachers.Ensemble([teachers.train_ridge(people, ridge=10.0)]), backwards) < 0.5


def test_the_regression_sees_two_frames_to_either_side_and_no_more():
    def of(delay: int) -> float:
        delayed = [person("one", 4, delay=delay)]
        return score(teachers.Ensemble([teachers.train_ridge(delayed, ridge=10.0)]), person("", 5, delay=delay))

    assert of(2) > 0.9 and of(-2) > 0.9 and of(3) < 0.5


def test_the_regression_is_the_solution_of_the_normal_equations():
    one, ridge = person("one", 6, clips=3), 40.0
    teacher = teachers.train_ridge([one], ridge)
    mean, scale = one.scale
    rows = []
    for states in one.states:
        x = teacher.components(torch.from_numpy(states)[None].float())[0].numpy().astype(float)
        padded = np.pad(x, ((2, 2), (0, 0)), mode="edge")
        rows.append(np.concatenate([padded[i : i + len(x)] for i in range(teachers.CONTEXT)], 1))
    a, y = np.concatenate(rows), (np.concatenate(one.mouths) - mean) / scale
    wanted = a @ np.linalg.solve(a.T @ a + ridge * np.eye(a.shape[1]), a.T @ y)
    got = torch.cat([teacher(torch.from_numpy(states)[None].float())[0] for states in one.states])
    np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-3)


def test_components_are_uncorrelated_and_whitened_as_far_as_asked(people):
    for whitening in (0.0, 0.5, 1.0):
        teacher = teachers.ridge_teacher(HIDDEN)
        teacher.fit_inputs(people[:1], whitening)
        rows = torch.from_numpy(np.concatenate(people[0].states)).float()
        x = teacher.components(rows[None])[0]
        covariance = torch.cov(x.T, correction=0)
        deviation = covariance.diagonal().sqrt()
        assert (covariance - covariance.diagonal().diag()).abs().max() < 1e-2
        assert abs(float(deviation.square().pow(1 / (1 - whitening) if whitening < 1 else 1).sum()) - HIDDEN) < 0.1


def test_one_person_is_not_everything_and_three_seconds_are_little():
    long, short = person("long", 7, clips=64), person("short", 8, clips=1)
    shares = teachers.people_weights([long, short])
    assert shares.sum() == pytest.approx(1) and shares[0] / shares[1] == pytest.approx(8)


def test_labels_have_the_mean_scale_of_the_people_and_predictions_do_not_shrink(people):
    teacher = teachers.train_ridge(people, ridge=2e3)  # so much that the plain prediction is too small
    scales = np.stack([p.scale[1] for p in people])
    np.testing.assert_allclose(teacher.scale, scales.mean(0), rtol=1e-5)
    plain = np.concatenate([teacher(torch.from_numpy(x)[None].float())[0].detach() for x in people[0].states])
    assert plain[:, APERTURE].std() < 0.95
    stretched = (plain * teacher.gain.numpy())[:, APERTURE].std()
    assert plain[:, APERTURE].std() < stretched < 1.1 and teacher.gain.max() <= teachers.GAIN_LIMIT


def test_training_goes_on_where_it_stopped_and_depends_on_the_seed_alone(people, tmp_path):
    first = teachers.train_ensemble(people, tmp_path / "a", seeds=[1, 2], steps=5)
    (tmp_path / "a" / "convolution_2.safetensors").unlink()
    untouched = (tmp_path / "a" / "convolution_1.safetensors").stat().st_mtime_ns
    again = teachers.train_ensemble(people, tmp_path / "a", seeds=[1, 2], steps=5)
    assert (tmp_path / "a" / "convolution_1.safetensors").stat().st_mtime_ns == untouched
    states = people[0].states[0]
    torch.testing.assert_close(again.predict(states), first.predict(states), rtol=0, atol=0)
    torch.testing.assert_close(teachers.load_ensemble(tmp_path / "a").predict(states), first.predict(states))
    one, two = first.teachers[1:]
    assert not torch.allclose(teachers.Ensemble([one]).predict(states), teachers.Ensemble([two]).predict(states))
    with pytest.raises(FileNotFoundError):
        teachers.load_ensemble(tmp_path / "b")


def test_the_ensemble_is_the_mean(people, tmp_path):
    ensemble = teachers.train_ensemble(people, tmp_path, seeds=[1], steps=5)
    states = people[1].states[0]
    each = torch.stack([teachers.Ensemble([teacher]).predict(states) for teacher in ensemble.teachers])
    torch.testing.assert_close(ensemble.predict(states), each.mean(0))


def test_a_tracked_person_has_the_lips_of_the_mesh_and_is_cut_to_what_is_heard():
    head, curves = lips.load_lips(), np.zeros((30, len(arkit.CHANNELS)), np.float32)
    curves[10:, arkit.CHANNELS.index("jawOpen")] = 0.4
    made = teachers.make_person("one", [(np.zeros((28, HIDDEN), np.float16), curves)], head)
    assert [len(made.states[0]), len(made.mouths[0]), made.frames] == [28, 28, 28]
    wanted = 1e3 * head(torch.from_numpy(curves[:28]))
    np.testing.assert_allclose(made.mouths[0][:, -2:], wanted, rtol=1e-5)
    assert made.mouths[0][20, 0] == np.float32(0.4)
    curves[3, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        teachers.make_person("one", [(np.zeros((28, HIDDEN), np.float16), curves)], head)
