"""The engine with the real face space and a tiny LSF: what comes out, its timing, and the face cache."""

import dataclasses
import hashlib
import math
import os
import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from server import engine as engine_module
from server.arkit import CHANNELS
from server.engine import Engine, Settings, default_head, frame_count, resample_motion
from server.errors import Cancelled, LSFError
from server.face import cache as face_cache
from server.face.build.synthetic import ellipsoid
from server.face.head import load_head
from server.face.rig_solver import Rig, solve
from server.files.meshes import Mesh
from server.performance import prosody
from server.performance.perform import Performance

SPEECH = (0.3 * np.sin(np.arange(32000) / 16000 * 2 * np.pi * 200)).astype(np.float32)
SPEECH *= np.abs(np.sin(np.arange(32000) / 16000 * 2 * np.pi * 3)).astype(np.float32)


@pytest.fixture(scope="module")
def engine(small_checkpoint):
    return Engine(small_checkpoint)


@pytest.fixture(scope="module")
def head():
    """Our own head in decimetres with its vertices in another order, and its landmarks."""
    own = load_head()
    order = np.random.default_rng(0).permutation(len(own.vertices))
    place = np.argsort(order)
    return Mesh(own.vertices[order] * 10, place[own.triangles].astype(np.int32)), own.landmarks68 * 10


def test_loading_reports_its_steps(small_checkpoint):
    steps = []
    Engine(small_checkpoint, report=lambda fraction, text: steps.append((fraction, text)))
    assert list(dict.fromkeys(text for _, text in steps)) == ["Loading PyTorch", "Loading the speech model"]
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps) and steps[-1][0] < 1


def test_the_default_head_speaks(engine):
    result = engine.generate(SPEECH, 16000)
    own = load_head()
    assert result.motion.shape == (51, 52) and result.motion.dtype == np.float32 and result.fps == 25
    assert result.face.channels == CHANNELS and result.face.basis.shape == (52, len(own.vertices), 3)
    np.testing.assert_array_equal(result.mesh.vertices, own.vertices)
    assert set(result.seconds) == {"audio", "face", "model", "timing"} and min(result.seconds.values()) >= 0


def test_temperature_zero_repeats_itself_and_seeds_are_takes(engine):
    def take(temperature, seed):
        return engine.generate(SPEECH, 16000, None, Settings(temperature=temperature, seed=seed)).motion

    np.testing.assert_array_equal(take(0, 0), take(0, 1))
    np.testing.assert_array_equal(take(1, 3), take(1, 3))
    assert np.abs(take(1, 3) - take(1, 4)).max() > 1e-4


def spoken(pitch: float) -> tuple[np.ndarray, float]:
    """A line of three seconds: its sound and rate."""
    times = np.arange(48000) / 16000
    tone = np.sin(2 * np.pi * pitch * times) + 0.3 * np.sin(2 * np.pi * 3.3 * pitch * times)
    return (0.2 * tone * np.abs(np.sin(2 * np.pi * 3 * times))).astype(np.float32), 16000


@pytest.fixture
def hearing(small_checkpoint):
    """An engine whose emotion reader hears speech in all frames."""
    engine = Engine(small_checkpoint)
    engine.model.emotion_reader.speech[-1] = 20
    return engine


@pytest.fixture
def own_means(monkeypatch):
    """The averages against which lines were heard."""
    real, means = engine_module.perform, []

    def perform(*arguments, own_mean, **options):
        means.append(own_mean)
        return real(*arguments, own_mean=own_mean, **options)

    monkeypatch.setattr(engine_module, "perform", perform)
    return means


def missing():
    raise LSFError("no_file", "There is no sound file.")


def test_a_line_is_heard_against_the_others_of_its_voice(hearing, own_means):
    anna, ben = ([partial(spoken, base * step) for step in (1, 1.2, 1.4, 1.7)] for base in (200, 110))
    results = [
        hearing.generate(*anna[0]()),
        hearing.generate(*anna[0](), other_lines=[anna[1], missing, anna[0]]),
        hearing.generate(*anna[0](), other_lines=[*anna[1:], missing]),
        hearing.generate(*ben[0](), other_lines=ben[1:]),
        hearing.generate(*anna[2](), other_lines=[anna[3], anna[1], anna[0]]),
    ]
    assert [result.heard_lines for result in results] == [1, 1, 4, 4, 4]
    alone, two, several, theirs, another = own_means
    assert alone is two is None, "two lines are no average"
    np.testing.assert_array_equal(results[1].motion, results[0].motion)
    np.testing.assert_array_equal(results[1].emotion, results[0].emotion)
    np.testing.assert_allclose(another, several, rtol=1e-5)
    assert several.shape == (2 * hearing.model.config.motion_backbone.hidden,) and not np.allclose(several, theirs)


def test_a_job_is_cancelled_while_other_lines_are_heard(hearing):
    read = []

    def other():
        read.append(1)
        return spoken(200 + 20 * len(read))

    with pytest.raises(Cancelled):
        hearing.generate(*spoken(200), other_lines=[other] * 5, cancelled=lambda: len(read) == 2)
    assert len(read) == 2


def test_layers_are_arrays_of_their_own_and_leave_the_motion_alone(engine):
    plain = engine.generate(SPEECH, 16000, None, Settings(fps=24, t0=-0.1))
    layered = engine.generate(SPEECH, 16000, None, Settings(fps=24, t0=-0.1, layers=("blinks", "head", "gaze")))
    np.testing.assert_array_equal(plain.motion, layered.motion)
    frames = len(plain.motion)
    assert plain.layers == {}
    assert {name: curve.shape for name, curve in layered.layers.items()} == {
        "blinks": (1, frames),
        "gaze": (1, frames, 2),
        "head": (frames, 3),
    }


def test_several_variants_of_the_eyes(engine):
    settings = Settings(fps=24, layers=("blinks", "head", "gaze"), eye_variants=8, seed=5)
    several = engine.generate(SPEECH, 16000, None, settings).layers
    frames = len(several["head"])
    assert several["blinks"].shape == (8, frames) and several["gaze"].shape == (8, frames, 2)
    assert several["head"].shape == (frames, 3)
    one = engine.generate(SPEECH, 16000, None, dataclasses.replace(settings, eye_variants=1)).layers
    for name in several:
        np.testing.assert_array_equal(one[name][0], several[name][0], "the first is the one without others")
    other = engine.generate(SPEECH, 16000, None, dataclasses.replace(settings, seed=6)).layers["gaze"][0]
    assert min(np.abs(other - gaze).max() for gaze in several["gaze"]) > 0.1, "another take has others"


def test_any_rate_and_channel_count_of_the_sound_give_the_same_motion(engine):
    stereo48k = np.repeat(np.interp(np.arange(96000) / 3, np.arange(32000), SPEECH).astype(np.float32)[:, None], 2, 1)
    a, b = engine.generate(SPEECH, 16000).motion, engine.generate(stereo48k, 48000).motion
    assert a.shape == b.shape and np.abs(a - b).max() < 0.05


def test_frames_lie_where_the_settings_say(engine):
    model = engine.generate(SPEECH, 16000).motion[:50]  # frame 50 of the reply lies after the model's last
    shifted = engine.generate(SPEECH, 16000, None, Settings(fps=25, t0=0.4)).motion
    np.testing.assert_allclose(shifted[:40], model[10:50], atol=1e-6)
    assert len(shifted) == 41
    early = engine.generate(SPEECH, 16000, None, Settings(fps=50, t0=-0.2)).motion
    np.testing.assert_allclose(early[10:110:2], model, atol=1e-6)
    np.testing.assert_array_equal(early[:10], np.repeat(early[10:11], 10, 0))


def test_a_mesh_is_fitted_in_its_own_units_and_order(engine, head):
    mesh, landmarks = head
    result = engine.generate(SPEECH, 16000, mesh, landmarks=landmarks)
    own, order = load_head(), np.random.default_rng(0).permutation(len(mesh.vertices))
    jaw, expected = result.face.basis[17], 10 * own.basis[17][order]
    moving = np.linalg.norm(expected, axis=1) > 0.02
    lengths = np.linalg.norm(jaw, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = (jaw * expected).sum(1) / lengths.clip(1e-9)
    assert np.median(cosine[moving]) > 0.95
    assert np.abs(result.mesh.vertices[result.face.landmark_vertices] - landmarks).max() < 0.3


@pytest.mark.parametrize(
    ("samples", "mesh", "code"),
    [
        (np.zeros(16000, np.float32), None, "silent_audio"),
        (SPEECH[:800], None, "short_audio"),
    ],
)
def test_errors_of_the_sound(engine, samples, mesh, code):
    with pytest.raises(LSFError) as error:
        engine.generate(samples, 16000, mesh)
    assert error.value.code == code


def test_landmarks_of_wrong_shape_or_not_finite(engine, head):
    for landmarks in (np.zeros((67, 3)), np.zeros((68, 3)), np.full((68, 3), np.inf)):
        with pytest.raises(LSFError) as error:
            engine.prepare_face(head[0], landmarks)
        assert error.value.code == "bad_landmarks"


def test_too_many_frames_are_refused_before_any_work(engine, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_CURVE_BYTES", 52 * 4 * 100)
    with pytest.raises(LSFError) as error:
        engine.generate(SPEECH, 16000, None, Settings(fps=60))
    assert error.value.code == "long_audio"


def test_cancel_and_progress(engine):
    with pytest.raises(Cancelled):
        engine.generate(SPEECH, 16000, cancelled=lambda: True)
    steps = []
    engine.generate(SPEECH, 16000, report=lambda fraction, text: steps.append((fraction, text)))
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1
    assert all(text for _, text in steps)


def test_a_checkpoint_that_is_not_there_or_damaged(tmp_path, small_checkpoint):
    with pytest.raises(LSFError) as error:
        Engine(tmp_path)
    assert error.value.code == "no_model"
    (tmp_path / "config.json").write_bytes((small_checkpoint / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes((small_checkpoint / "model.safetensors").read_bytes()[:500])
    with pytest.raises(LSFError):
        Engine(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LSFError):
        Engine(tmp_path)
    (described,) = engine_module.available(tmp_path)
    assert described == {
        "name": tmp_path.name,
        "motion_space": None,
        "fps": None,
        "shipped": False,
        "emotions": False,
    }
    assert engine_module.available(tmp_path / "nowhere") == []


@pytest.mark.parametrize("replaced", [False, True])
def test_weights_that_have_changed_since_they_were_loaded_have_no_digest(tmp_path, small_checkpoint, replaced):
    folder = Path(shutil.copytree(small_checkpoint, tmp_path / "run"))
    weights = folder / "model.safetensors"
    loaded = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert Engine(folder).digest == loaded
    first = Engine(folder)
    trained = weights.read_bytes()[:-1] + b"\x01"
    written = tmp_path / "trained.safetensors" if replaced else weights
    written.write_bytes(trained)
    os.utime(written, ns=(0, weights.stat().st_mtime_ns + 1))
    written.replace(weights)
    assert first.digest == "" and first.generate(SPEECH, 16000).model_digest == ""
    assert Engine(folder).digest == hashlib.sha256(trained).hexdigest() != loaded


# Timing of frames


@pytest.mark.parametrize(
    ("duration", "fps", "t0", "count"),
    [
        (2, 25, 0, 51),
        (2, 24, 0, 49),
        (2, 29.97, 0, 60),
        (2, 60, 0, 121),
        (2, 25, 0.04, 50),
        (2, 25, -1, 76),
        (0.1, 1, 0, 1),
        (1, 25, 5, 1),
        (1 / 3, 3, 0, 2),
    ],
)
def test_frame_count(duration, fps, t0, count):
    assert frame_count(duration, fps, t0) == count
    assert count == 1 or t0 + (count - 1) / fps <= duration + 1e-6 < t0 + count / fps + 1e-6


def test_motion_less_expression_is_the_same_speech_whatever_emotion_adds(engine, monkeypatch):
    """At other frame rates than the model's, too: it is what the Emotion slider at 0 leaves."""
    rng = np.random.default_rng(0)
    speech = rng.uniform(0, 0.5, (50, 52)).astype(np.float32)

    def left(expression):
        voice = prosody.measure(SPEECH)
        made = Performance(voice, speech + expression, expression, np.zeros((50, 8), np.float32))
        monkeypatch.setattr(engine_module, "perform", lambda *arguments, **options: made)
        result = engine.generate(SPEECH, 16000, None, Settings(fps=24))
        assert not expression.any() or np.abs(result.expression).max() > 0.1
        return result.motion - result.expression

    shown = left(rng.uniform(0, 0.5, (50, 52)).astype(np.float32))
    np.testing.assert_allclose(shown, left(np.zeros_like(speech)), atol=1e-6)


def test_resampling_is_exact_on_the_models_frames_and_never_overshoots():
    curves = np.random.default_rng(0).random((100, 3)).astype(np.float32)
    np.testing.assert_allclose(resample_motion(curves, 25, 25, 0, 100), curves, atol=1e-6)
    fine = resample_motion(curves, 25, 500, 0, 1981)
    np.testing.assert_allclose(fine[::20], curves, atol=1e-6)
    low, high = np.minimum(curves[:-1], curves[1:]), np.maximum(curves[:-1], curves[1:])
    between = fine[:-1].reshape(99, 20, 3)
    assert (between >= low[:, None] - 1e-6).all() and (between <= high[:, None] + 1e-6).all()


@pytest.mark.parametrize("fps", [25, 60])
def test_resampled_weights_stay_between_0_and_1(fps):
    curves = np.random.default_rng(0).uniform(-1, 1, (200, 52)).clip(0, 1).astype(np.float32)
    resampled = resample_motion(curves, 25, fps, 0, 8 * fps)
    assert resampled.min() == 0 and resampled.max() <= 1


@pytest.mark.parametrize(("fps", "t0", "frames"), [(30, -0.3, 100), (24, 0.04, 100), (60, 0, 7), (240, 0, 2)])
def test_blocks_do_not_change_the_resampling(monkeypatch, fps, t0, frames):
    curves = np.random.default_rng(0).random((frames, 3)).astype(np.float32)
    count = frame_count(frames / 25, fps, t0)
    whole = resample_motion(curves, 25, fps, t0, count)
    monkeypatch.setattr(engine_module, "RESAMPLING_BLOCK", 5)
    np.testing.assert_allclose(resample_motion(curves, 25, fps, t0, count), whole, atol=1e-7)


def test_resampling_holds_the_ends_and_a_single_frame():
    curves = np.array([[0.25], [0.75]], np.float32)
    held = resample_motion(curves, 25, 25, -0.08, 6)[:, 0]
    np.testing.assert_allclose(held, [0.25, 0.25, 0.25, 0.75, 0.75, 0.75])
    assert (resample_motion(curves[:1], 25, 60, 0, 7) == 0.25).all()


def test_resampling_of_a_slow_wave_follows_it():
    times = np.arange(250) / 25
    wave = np.sin(2 * np.pi * times)[:, None].astype(np.float32)
    out = resample_motion(wave, 25, 29.97, 0.013, 290)[:, 0]
    np.testing.assert_allclose(out, np.sin(2 * np.pi * (0.013 + np.arange(290) / 29.97)), atol=0.02)


def test_a_rig_of_the_mesh_gets_weights_too(engine, head):
    """A rig whose shape keys are our own channels in another order: their weights are the motion."""
    mesh, landmarks = head
    face = engine.prepare_face(mesh, landmarks)
    channels = [CHANNELS.index(c) for c in ("mouthPucker", "jawOpen", "mouthSmileLeft")]
    shapes = face.basis[channels]
    result = engine.generate(
        SPEECH, 16000, mesh, landmarks=landmarks, own_rig=Rig(shapes, np.array([[0.0, 1.0]] * len(shapes)))
    )
    assert result.rig_motion.shape == (51, 3) and result.rig_motion.min() >= 0 and result.rig_motion.max() <= 1
    assert result.seconds["rig"] >= 0
    assert engine.generate(SPEECH, 16000, mesh, landmarks=landmarks).rig_motion is None


SPHERE = Mesh(*ellipsoid(np.zeros(3), np.ones(3), 20, 30))


def test_a_mesh_without_a_face_is_refused_unless_the_face_is_optional(engine):
    with pytest.raises(LSFError) as caught:
        engine.generate(SPEECH, 16000, SPHERE)
    assert caught.value.code == "no_face" and "four landmarks" in str(caught.value)
    result = engine.generate(SPEECH, 16000, SPHERE, face_optional=True)
    average = engine.generate(SPEECH, 16000)
    assert result.face is None and result.no_face.code == "no_face" and result.rig_motion is None
    np.testing.assert_allclose(result.motion, average.motion, atol=1e-6)


def test_a_mesh_without_a_face_is_searched_once(engine, monkeypatch):
    for _ in range(2):
        with pytest.raises(LSFError, match="four landmarks"):
            engine.prepare_face(SPHERE)
        monkeypatch.setattr(engine_module, "prepare_face", lambda *_: pytest.fail("it was searched again"))


def test_other_errors_are_raised_even_if_the_face_is_optional(engine):
    with pytest.raises(LSFError) as caught:
        engine.generate(SPEECH, 16000, Mesh(SPHERE.vertices, SPHERE.triangles[:0]), face_optional=True)
    assert caught.value.code == "empty_mesh"


def test_without_a_face_the_keys_are_solved_by_their_names(engine):
    """The keys' own shapes do not count, as nobody knows where on the mesh the mouth is."""
    shapes = np.random.default_rng(0).normal(size=(3, len(SPHERE.vertices), 3)).astype(np.float32)
    rig = Rig(shapes, np.array([[0.0, 1.0]] * 3), like=({"jawOpen": 1.0}, {}, {"mouthPucker": 1.0}))
    result = engine.generate(SPEECH, 16000, SPHERE, own_rig=rig, face_optional=True)
    mesh, face = default_head()
    own = Rig(face.basis[[CHANNELS.index("jawOpen"), CHANNELS.index("mouthPucker")]], rig.limits[:2])
    np.testing.assert_allclose(result.rig_motion[:, [0, 2]], solve(own, mesh.vertices, face, result.motion), atol=1e-3)
    assert not result.rig_motion[:, 1].any()


@pytest.mark.parametrize("like", [({"jawOpen": 1.0},), ({"smile": 1.0}, {})])
def test_names_that_do_not_fit_the_rig(like):
    with pytest.raises(LSFError) as caught:
        Rig(np.ones((2, 4, 3), np.float32), np.array([[0.0, 1.0]] * 2), like=like)
    assert caught.value.code == "bad_rig"


# The face cache


@pytest.fixture
def fits(monkeypatch):
    """Counts the fits and makes them instant; everything else of the cache is real."""
    from server.face import space

    own, calls = load_head(), []

    def fit(vertices, triangles, landmarks=None, parts=None, step=None, further=None):
        calls.append(len(vertices))
        basis = np.zeros((52, len(vertices), 3), np.float32)
        basis[17] = len(calls) * 1e-3
        return space.FaceSpace(
            CHANNELS,
            basis,
            own.landmarks68,
            own.landmark_vertices,
            np.ones(50, np.float32),
            np.zeros(len(vertices), np.int32),
            own.vertices,
            {"n": len(calls)},
        )

    monkeypatch.setattr(space, "fit", fit)
    return calls


def same(a, b):
    assert a.channels == b.channels and a.report == b.report
    for name in ("basis", "landmarks68", "landmark_vertices", "identity", "parts"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_face_is_fitted_once_and_survives_the_process(tmp_path, head, fits):
    mesh, _ = head
    first = engine_module.prepare_face(mesh, face_cache.FaceCache(tmp_path / "faces"))
    again = engine_module.prepare_face(mesh, face_cache.FaceCache(tmp_path / "faces"))
    assert len(fits) == 1
    same(first, again)
    assert [p.suffix for p in (tmp_path / "faces").iterdir()] == [".safetensors"]
    memory = face_cache.FaceCache(None)
    engine_module.prepare_face(mesh, memory)
    engine_module.prepare_face(mesh, memory)
    assert len(fits) == 2


def test_what_goes_into_the_fit_goes_into_the_key(head, monkeypatch):
    mesh, landmarks = head
    moved, flipped = mesh.vertices.copy(), mesh.triangles.copy()
    moved[100] += 1e-4
    flipped[5] = flipped[5][::-1]
    skin = np.zeros(len(mesh.vertices), np.int32)
    keys = [
        face_cache.key(*a)
        for a in (
            (mesh, None),
            (mesh, landmarks),
            (mesh, landmarks + 0.001),
            (mesh, None, skin),
            (Mesh(moved, mesh.triangles), None),
            (Mesh(mesh.vertices, flipped), None),
        )
    ]
    assert face_cache.key(Mesh(mesh.vertices.copy(), mesh.triangles.copy()), None) == keys[0]
    monkeypatch.setattr(face_cache, "_fit_digest", lambda: b"another version of server/face")
    assert len({*keys, face_cache.key(mesh, None)}) == 7


def test_a_damaged_file_is_fitted_anew(tmp_path, head, fits):
    mesh, _ = head

    def prepare():
        return engine_module.prepare_face(mesh, face_cache.FaceCache(tmp_path))

    good = prepare()
    path = next(tmp_path.iterdir())
    data = path.read_bytes()
    small = face_cache.FaceCache(tmp_path)
    for damage in (b"", data[:1000], b"\xff" * len(data), data[:8] + b" " + data[9:]):
        path.write_bytes(damage)
        count = len(fits)
        prepare()
        assert len(fits) == count + 1
    other = Mesh(mesh.vertices[:500], np.array([[0, 1, 2]], np.int32))
    small._save(face_cache.key(mesh, None), engine_module.prepare_face(other, face_cache.FaceCache(None)))
    assert prepare().basis.shape == good.basis.shape  # of another mesh: not used
    bad = engine_module.prepare_face(mesh, face_cache.FaceCache(None))
    bad.basis[0, 0, 0] = np.nan
    small._save(face_cache.key(mesh, None), bad)
    assert np.isfinite(prepare().basis).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity", np.ones(49, np.float32)),
        ("landmark_vertices", np.zeros(68, np.float32)),
        ("parts", np.full(len(load_head().vertices), 9, np.int32)),
        ("report", {"n": float("nan")}),
        ("channels", ("jawOpen", 3)),
    ],
)
def test_a_file_of_another_program_is_fitted_anew(tmp_path, head, fits, name, value):
    mesh, _ = head
    good = engine_module.prepare_face(mesh, face_cache.FaceCache(tmp_path))
    face = dataclasses.replace(good, **{name: value})
    if name == "channels":
        face = dataclasses.replace(face, basis=good.basis[:2])
    face_cache.FaceCache(tmp_path)._save(face_cache.key(mesh), face)
    engine_module.prepare_face(mesh, face_cache.FaceCache(tmp_path))
    assert len(fits) == 2


def test_the_folder_stays_under_its_limit_and_keeps_the_newest(tmp_path, fits):
    one = 52 * 500 * 12 + 20_000
    cache = face_cache.FaceCache(tmp_path, max_bytes=3 * one)
    for name, age in (("old.part", 7200), ("new.part", 0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    for seed in range(6):
        vertices = np.random.default_rng(seed).random((500, 3)).astype(np.float32)
        last = Mesh(vertices, np.array([[0, 1, 2]], np.int32))
        engine_module.prepare_face(last, cache)
    assert 1 <= len(list(tmp_path.glob("*.safetensors"))) <= 3
    assert [p.name for p in tmp_path.glob("*.part")] == ["new.part"]
    assert (tmp_path / f"{face_cache.key(last, None)}.safetensors").exists()


def test_a_folder_that_cannot_be_written_disables_the_disk_cache_only(tmp_path, head, fits):
    (tmp_path / "file").touch()
    cache = face_cache.FaceCache(tmp_path / "file" / "faces")
    assert engine_module.prepare_face(head[0], cache).report == {"n": 1}


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path))
    assert face_cache.default_folder() == tmp_path
    monkeypatch.delenv("LSF_CACHE_DIR")
    assert face_cache.default_folder().name == "faces"


@pytest.fixture(scope="module")
def flame_engine(flame_checkpoint):
    return Engine(flame_checkpoint)


def test_flames_own_shapes_on_a_mesh_in_another_order_and_unit(flame_engine, head):
    mesh, landmarks = head
    result = flame_engine.generate(SPEECH, 16000, mesh, Settings(keys="flame"), landmarks=landmarks)
    own, keys = load_head(), flame_engine._flame
    place = np.random.default_rng(0).permutation(len(own.vertices))  # that of the fixture
    skin = own.part[place] == 0
    meant = np.einsum("fk,kvc->fvc", result.motion, keys.key_basis[:, place][:, skin])
    seen = np.einsum("fk,kvc->fvc", result.motion, result.face.basis[:, skin]) / 10
    error = 1000 * np.linalg.norm(seen - meant, axis=2)
    assert result.channels == result.face.channels == keys.key_names and result.face.identity.shape == (50,)
    assert np.abs(meant).max() > 0.005 and error.mean() < 0.1 and result.motion_error["lips_mean"] < 2


def test_windows_are_as_long_as_the_clips_in_training(flame_engine, engine, monkeypatch):
    asked = []
    real = engine_module.perform

    def perform(model, speech, *arguments, window, overlap, **settings):
        asked.append((window, overlap))
        return real(model, speech, *arguments, window=window, overlap=overlap, **settings)

    monkeypatch.setattr(engine_module, "perform", perform)

    def window(engine, trained=0, **settings):
        monkeypatch.setattr(engine.model, "config", dataclasses.replace(engine.model.config, trained_frames=trained))
        result = engine.generate(SPEECH, 16000, None, Settings(**settings))  # 50 frames
        return asked[-1][0], result.whole

    assert window(flame_engine) == (math.inf, True), "not known: up to ten seconds"
    assert window(flame_engine, 50) == (math.inf, True) and window(flame_engine, 49) == (49 / 25, False)
    assert asked[-1][1] == pytest.approx(49 / 125)
    assert window(flame_engine, 3) == (1.0, False), "no window is shorter"
    assert window(flame_engine, 30, whole=True) == (math.inf, True)
    assert window(flame_engine, whole=False) == (10.0, True), "the clip fits into one window"
    assert window(flame_engine, 30, window=1.5) == (1.5, False)
    assert window(engine) == window(engine, 30) == (10.0, True) and window(engine, whole=True) == (math.inf, True)


def test_what_a_flame_model_hears_is_the_face_and_the_take_and_nothing_else(flame_engine):
    """Temperature 0 is the same every time, no emotion of ours is added, and another person speaks differently."""

    def motion(**settings):
        return flame_engine.generate(SPEECH, 16000, None, Settings(**settings))

    plain, happy = motion(), motion(emotion="happy", emotion_strength=0.3, seed=5)
    np.testing.assert_array_equal(plain.motion, happy.motion)
    assert happy.ignores_emotion and not plain.ignores_emotion and not motion(emotion_mix=0.0).ignores_emotion
    assert not plain.expression.any() and plain.emotion.shape == (51, 0)
    assert np.abs(motion(temperature=0.5, seed=1).motion - plain.motion).max() > 0.01
    layers = motion(layers=("blinks", "head")).layers
    assert layers["blinks"].shape == (1, 51) and layers["head"].shape == (51, 3)


def test_a_flame_model_moves_a_head_without_a_face_by_the_names_of_its_keys(flame_engine, monkeypatch):
    def refuse(*_arguments):
        raise LSFError("no_face", "No face was found.")

    monkeypatch.setattr(flame_engine, "prepare_face", refuse)
    mesh = Mesh(*ellipsoid(np.zeros(3), np.ones(3)))
    rig = Rig(np.zeros((1, len(mesh.vertices), 3)), np.array([[0.0, 1.0]]), (), ({"jawOpen": 1.0},))
    result = flame_engine.generate(SPEECH, 16000, mesh, own_rig=rig, face_optional=True)
    assert result.face is None and result.no_face.code == "no_face" and result.channels == CHANNELS
    assert result.motion.shape == (51, 52) and result.rig_motion.shape == (51, 1) and result.rig_motion.max() > 0.1
    with pytest.raises(LSFError, match="for the named keys only"):
        flame_engine.generate(SPEECH, 16000, mesh, Settings(keys="flame"), own_rig=rig)
