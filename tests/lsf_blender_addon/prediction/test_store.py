"""Predictions of lines that are stored on an Action: loading, copying, saving, and damaged ones."""

import dataclasses
import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import bpy
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.prediction import emotion_segments, store, takes
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.rigs.drive import Drive

ROOT = Path(__file__).resolve().parents[3]
LINE = "a4e1"  # id of the line


def predicted(frames=240, emotions=("angry", "glad"), seed=0) -> Prediction:
    rng = np.random.default_rng(seed)
    motion = np.clip(np.cumsum(rng.normal(0, 0.03, (frames, 4)), 0), -0.5, 1.5).astype(np.float32)
    return Prediction(
        30 / 1.001,
        ("jawOpen", "mouthClose", "browInnerUp", "wink"),
        motion,
        motion * 0.3,
        emotions,
        rng.random((frames, len(emotions))).astype(np.float32),
        0.5,
        2**32 - 1,
        rng.normal(0, 10, (4, 20, 3)).astype(np.float32),
        rng.random((3, frames)).astype(np.float32),
        rng.normal(0, 8, (3, frames, 2)).astype(np.float32),
    )


def same(one: Prediction, two: Prediction, error=0.0) -> bool:
    """Equal but for rounding of arrays by `error` of their largest value."""
    return all(
        np.array_equal(a, b) or (error and a.shape == b.shape and np.abs(a - b).max() <= error * np.abs(b).max())
        if isinstance(a, np.ndarray)
        else a == b
        for a, b in ((getattr(one, field.name), getattr(two, field.name)) for field in fields(Prediction))
    )


@pytest.fixture
def action(blank):
    action = bpy.data.actions.new("LSF · line")
    action.use_fake_user = True
    return action


@pytest.mark.parametrize("given", [predicted(), predicted(1, ()), predicted(3000)])
def test_a_stored_prediction_is_loaded(action, given):
    store.store(action, LINE, given)
    first = store.load(action, LINE)
    assert same(first, given, 1 / 32000) and first.motion.dtype == np.float32
    store.store(action, LINE, first)
    assert same(store.load(action, LINE), first), "rounded once, not a little more each time"


def test_how_many_lines_were_heard_is_kept(action):
    store.store(action, LINE, replace(predicted(), heard_lines=5))
    assert store.load(action, LINE).heard_lines == 5 and store.detected_emotion(action, LINE).heard_lines == 5


def with_drive() -> Prediction:
    rng = np.random.default_rng(1)
    drive = Drive(
        ("A", "Mund"),
        rng.normal(0, 1, (4, 2)).astype(np.float32),
        rng.normal(0, 1, (240, 2)).astype(np.float32),
        np.float32([0, -np.inf]),
        np.float32([1, np.inf]),
    )
    return replace(predicted(), drive=drive)


def test_the_rig_drive_is_loaded_with_its_prediction(action):
    given = with_drive()
    store.store(action, LINE, given)
    drive, before = store.load(action, LINE).drive, given.drive
    assert drive.keys == ("A", "Mund") and np.array_equal(drive.low, before.low)
    assert np.array_equal(drive.high, before.high)
    np.testing.assert_allclose(drive.matrix, before.matrix, atol=1e-3)
    np.testing.assert_allclose(drive.residual, before.residual, atol=1e-3)
    np.testing.assert_array_equal(store.rounded(given).drive.residual, drive.residual)
    store.store(action, LINE, predicted())
    assert store.load(action, LINE).drive is None


@pytest.mark.parametrize(("name", "value"), [("matrix", 3), ("residual", {}), ("keys", "A"), ("low", "few")])
def test_a_damaged_drive_damages_its_prediction(action, name, value):
    store.store(action, LINE, with_drive())
    action[store.PROPERTY][LINE]["drive"][name] = value
    assert store.load(action, LINE) is None


@pytest.mark.parametrize(("weight", "shown"), [(0, False), (3e-8, False), (-0.01, True)])
def test_the_rounding_of_a_difference_is_no_expression(action, weight, shown):
    given = predicted()
    store.store(action, LINE, Prediction(**vars(given) | {"expression": np.full_like(given.motion, weight)}))
    assert store.has_expression(action, LINE) == shown


def test_unknown_expression_and_lips(action):
    given = predicted()
    given = Prediction(**vars(given) | {"expression": np.zeros_like(given.motion), "lips": np.zeros((4, 0, 3))})
    store.store(action, LINE, given)
    loaded = store.load(action, LINE)
    assert not loaded.expression.any() and loaded.expression.shape == (240, 4) and loaded.lips.shape == (4, 0, 3)


def test_a_stored_prediction_is_small(action):
    """A minute of 52 noisy channels, compared with their float32 values."""
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(0, 0.02, (1500, 52)), 0).astype(np.float32)
    store.store(
        action,
        LINE,
        Prediction(
            **vars(predicted(1500))
            | {
                "channels": tuple(map(str, range(52))),
                "motion": motion,
                "expression": 0 * motion,
                "lips": np.zeros((52, 0, 3)),
            }
        ),
    )
    assert sum(len(action[store.PROPERTY][LINE][name]["bytes"]) for name in store.ARRAYS) < motion.nbytes / 2


def test_copied_saved_and_reloaded(action, tmp_path):
    store.store(action, LINE, predicted())
    before = store.load(action, LINE)
    action.copy().name = "copy"
    bpy.data.actions["copy"].use_fake_user = True
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert len(bpy.data.actions) == 2 and all(same(store.load(action, LINE), before) for action in bpy.data.actions)


def head_file(path: str) -> Prediction:
    """Save a head whose shape keys play an Action with a prediction."""
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="jawOpen").keyframe_insert("value", frame=1)
    head.name = "Head"
    action = head.data.shape_keys.animation_data.action
    store.store(action, LINE, predicted())
    before = store.load(action, LINE)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return before


@pytest.mark.parametrize("how", ["append", "link", "override"])
def test_in_another_file(blank, tmp_path, how):
    path = str(tmp_path / "head.blend")
    before = head_file(path)
    with bpy.data.libraries.load(path, link=how != "append") as (_source, target):
        target.objects = ["Head"]
    (head,) = target.objects
    bpy.context.collection.objects.link(head)
    if how == "override":
        head = head.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
        assert head.override_library
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    head = next(obj for obj in bpy.data.objects if bool(obj.override_library) == (how == "override"))
    assert same(store.load(head.data.shape_keys.animation_data.action, LINE), before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 99),
        ("version", None),
        ("seed", "many"),
        ("fps", 0.0),
        ("blinks", None),
        ("blinks", {"shape": [0, 0]}),
        ("gaze", 1.5),
        ("channels", "jawOpen"),
        ("channels", 3),
        ("emotions", ""),
        ("motion", 5),
        ("motion", {}),
        ("emotion", {"shape": [0, 0]}),
    ],
)
def test_a_damaged_prediction_is_not_loaded(action, name, value):
    store.store(action, LINE, predicted())
    if value is None:
        del action[store.PROPERTY][LINE][name]
    else:
        action[store.PROPERTY][LINE][name] = value
    assert store.load(action, LINE) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bytes", b"no zlib"),
        ("bytes", 7),
        ("shape", [241, 4]),
        ("shape", [-1, 4]),
        ("shape", [2**31 - 1] * 3),
        ("shape", [2**31 - 1] * 2),
        ("scale", 0.0),
        ("scale", float("nan")),
        ("shape", "wide"),
    ],
)
def test_a_prediction_with_a_damaged_array_is_not_loaded(action, name, value):
    store.store(action, LINE, predicted())
    action[store.PROPERTY][LINE]["motion"][name] = value
    assert store.load(action, LINE) is None


@pytest.mark.parametrize(("name", "shape"), [("blinks", (3, 239)), ("gaze", (3, 240, 3)), ("gaze", (3, 239, 2))])
def test_eyes_of_another_length_are_not_loaded(action, name, shape):
    store.store(action, LINE, predicted())
    action[store.PROPERTY][LINE][name] = store.packed(np.ones(shape))
    assert store.load(action, LINE) is None


@pytest.mark.parametrize("foreign", [3, "text", [1, 2], {"version": 1}, {}])
def test_a_property_of_another_type_is_not_loaded(action, foreign):
    assert store.load(action, LINE) is None and not store.is_stored(action, LINE)
    action[store.PROPERTY] = foreign
    assert store.load(action, LINE) is None and not store.has_eyes(action, LINE)
    assert not store.has_expression(action, LINE) and store.detected_emotion(action, LINE) is None
    store.remove(action, LINE)
    store.store(action, LINE, predicted())
    assert store.load(action, LINE) is not None, "what cannot be read is no obstacle"
    action[store.PROPERTY][LINE] = foreign
    assert store.load(action, LINE) is None and not store.has_eyes(action, LINE)
    assert not store.has_expression(action, LINE) and store.detected_emotion(action, LINE) is None


def test_each_line_has_its_own(action):
    one, two = predicted(seed=1), predicted(100, (), seed=2)
    store.store(action, "one", one)
    store.store(action, "two", two)
    before = store.load(action, "two")
    store.store(action, "one", predicted(seed=3))
    assert same(store.load(action, "two"), before) and same(before, two, 1 / 32000)
    assert same(store.load(action, "one"), predicted(seed=3), 1 / 32000)
    action[store.PROPERTY]["one"]["motion"]["bytes"] = b"no zlib"
    assert store.load(action, "one") is None and same(store.load(action, "two"), before)
    store.remove(action, "one")
    assert not store.is_stored(action, "one") and same(store.load(action, "two"), before)
    store.remove(action, "one")
    store.remove(action, "never there")


@pytest.mark.parametrize(
    ("change", "shown"),
    [({}, True), ({"blinks": store.NO_BLINKS}, True), ({"blinks": store.NO_BLINKS, "gaze": store.NO_GAZE}, False)],
)
def test_whether_there_are_blinks_or_a_gaze(action, change, shown):
    store.store(action, LINE, replace(predicted(), **change))
    assert store.has_eyes(action, LINE) == shown and store.load(action, LINE) is not None


class Group(dict):
    """What an ID property is to these modules: a dictionary with `to_dict`, in which a dictionary becomes one, too."""

    def __setitem__(self, name, value):
        super().__setitem__(name, group(value))

    def to_dict(self):
        return {name: value.to_dict() if isinstance(value, Group) else value for name, value in self.items()}


def group(value):
    return Group({name: group(item) for name, item in value.items()}) if isinstance(value, dict) else value


def record(prediction) -> Group:
    action = {}
    store.store(action, LINE, prediction)
    return group(action[store.PROPERTY][LINE])


UNPACK_IN_LITTLE_MEMORY = """
import resource, time, zlib
from tests.lsf_blender_addon.prediction.test_store import LINE, Group, predicted, record, store, takes, with_drive
packer = zlib.compressobj(1)
bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
print("size", len(bomb))
size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
names = [*store.ARRAYS]
records = []
for name in names:
    for shape in ([2**24, 8], [2**27, 1], [2**25, 4], [2**27 // 60, 20, 3], [2, 2**25, 2]):
        records.append(record(predicted()))
        records[-1][name].update(shape=shape, bytes=bomb)
many = record(predicted())
for name in ("motion", "expression"):
    many[name].update(shape=[2**25, 4], bytes=bomb)
many["emotion"]["shape"], many["blinks"]["shape"], many["gaze"]["shape"] = [2**25, 2], [0, 0], [0, 0, 2]
drive = record(with_drive())
drive["drive"]["residual"].update(shape=[2**26, 2], bytes=bomb)
shut = Group(version=store.VERSION, shape=[2**27])
began = time.process_time()
for kept in (*records, many, drive, shut):
    action = {store.PROPERTY: Group({LINE: kept}), takes.PROPERTY: Group({LINE: Group({"000": kept})})}
    assert store.load(action, LINE) is None and store.detected_emotion(action, LINE) is None
    assert takes.count(action, LINE) == 0 and takes.playing(action, LINE) is None
    store.has_eyes(action, LINE), store.has_expression(action, LINE), takes.setting(action, LINE)
print("cost", time.process_time() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in other units on other systems")
def test_what_unpacks_to_a_thousand_times_its_size_is_not_unpacked():
    """At a redraw, for the line and for its takes, whichever array it is and however well the shapes fit together."""
    done = subprocess.run(
        [sys.executable, "-c", UNPACK_IN_LITTLE_MEMORY], cwd=ROOT, text=True, capture_output=True, timeout=100
    )
    assert not done.returncode, done.stderr[-500:]
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("size", "cost")))
    seconds, megabytes = map(float, said["cost"].split())
    assert int(said["size"]) < 2 << 20 and seconds < 0.5 and megabytes < 50, done.stdout


def test_a_line_that_is_too_long_for_the_file_is_refused_before_anything_is_written(monkeypatch):
    given = with_drive()
    numbers = (
        sum(getattr(given, name).size for name in store.ARRAYS) + given.drive.matrix.size + given.drive.residual.size
    )
    monkeypatch.setattr(store, "MAX_NUMBERS", numbers)
    kept = record(store.rounded(given))
    assert store.read(kept) is not None
    monkeypatch.setattr(store, "MAX_NUMBERS", numbers - 1)
    for refused in (store.rounded, record):
        with pytest.raises(UserError, match="too long"):
            refused(given)
    assert store.read(kept) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keys", "A\nA"),
        ("low", [0.0]),
        ("high", [1.0, math.nan]),
        ("low", ["a", "b"]),
        ("keys", "A"),
        ("keys", "\n" * 10_000),
    ],
)
def test_a_drive_that_does_not_fit_damages_its_prediction(name, value):
    kept = record(with_drive())
    before = kept["drive"].to_dict()
    kept["drive"][name] = value
    assert store.read(kept) is None
    store.set_limits(kept, {"A": (-1.0, 2.0)})
    assert kept["drive"].to_dict() == before | {name: value} or math.nan in value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fps", math.inf),
        ("fps", math.nan),
        ("fps", 5e-324),
        ("temperature", math.nan),
        ("seed", "-1"),
        ("seed", "9" * 5000),
        ("heard_lines", -1),
        ("channels", "jawOpen\njawOpen\nbrowInnerUp\nwink"),
        ("channels", "a\n" * 1_000_000),
    ],
)
def test_a_prediction_with_a_wrong_value_is_not_loaded(name, value):
    kept = record(predicted())
    kept[name] = value
    assert store.read(kept) is None


def test_the_same_detected_emotion_is_read_once(action):
    store.store(action, LINE, predicted())
    first = store.detected_emotion(action, LINE)
    assert store.detected_emotion(action, LINE) is first
    assert emotion_segments.of_line(first) is emotion_segments.of_line(first)
    store.store(action, LINE, predicted(seed=1))
    other = store.detected_emotion(action, LINE)
    assert other is not first and not np.array_equal(other.emotion, first.emotion)


ID_VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
    st.text(max_size=6),
    st.binary(max_size=20),
    st.lists(st.one_of(st.integers(-3, 300), st.just(2**31 - 1)), max_size=4),
    st.lists(st.floats(), max_size=3),
    st.builds(Group),
    st.builds(store.packed, st.sampled_from([np.zeros((240, 4)), np.ones((3, 2)), np.zeros((0, 0))])).map(group),
)
FIELDS = [(name,) for name in record(with_drive())]
FIELDS += [(name, part) for name in store.ARRAYS for part in ("shape", "scale", "bytes")]
FIELDS += [("drive", name) for name in record(with_drive())["drive"]]
FIELDS += [("drive", name, part) for name in store.DRIVE_ARRAYS for part in ("shape", "scale", "bytes")]


@hypothesis.given(st.lists(st.tuples(st.sampled_from(FIELDS), ID_VALUES), min_size=1, max_size=3), st.booleans())
@hypothesis.settings(max_examples=150)
def test_a_record_of_any_kind_is_a_whole_prediction_or_none(changes, with_keys):
    kept = record(with_drive() if with_keys else predicted())
    for path, value in changes:
        place = kept
        for name in path[:-1]:
            place = place.get(name) if isinstance(place, Group) else None
        if isinstance(place, Group):
            place[path[-1]] = value
    action = {store.PROPERTY: Group({LINE: kept}), takes.PROPERTY: Group({LINE: Group({"000": kept, "001": 3})})}
    found = store.load(action, LINE)
    if found is not None:
        assert np.isfinite(found.motion).all() and found.motion.shape[1] == len(found.channels)
        assert found.drive is None or np.isfinite(found.drive.values(found.motion)).any()
    for ask in (store.has_eyes, store.has_expression, store.detected_emotion, store.is_stored, takes.setting):
        ask(action, LINE)
    store.set_limits(kept, {"A": (-1.0, 2.0)})
    takes.set_limits(action, LINE, {"A": (-1.0, 2.0)})
    playing, count = takes.playing(action, LINE), takes.count(action, LINE)
    assert count in (0, 1) and playing in (None, 0)
    for index in range(count):
        takes.seed(action, LINE, index)
        try:
            takes.play(action, LINE, index)
        except UserError:
            assert store.read(kept) is None


def test_a_panel_sees_a_long_line_at_fewer_frames(action):
    line = store.MAX_SHOWN_FRAMES * 2 + 1
    given = dataclasses.replace(predicted(line), lips=np.zeros((4, 0, 3), np.float32))
    store.store(action, LINE, given)
    shown = store.detected_emotion(action, LINE)
    assert len(shown.emotion) / shown.fps == pytest.approx(line / given.fps, abs=3 / given.fps)
    np.testing.assert_allclose(shown.emotion, given.emotion[::3], atol=1e-4)


def test_more_emotions_than_there_are_is_not_loaded():
    kept = record(predicted())
    names = [str(number) for number in range(store.MAX_EMOTIONS + 1)]
    kept["emotion"] = group(store.packed(np.zeros((240, len(names)), np.float32)))
    kept["emotions"] = "\n".join(names)
    assert not store.is_readable(kept)


def test_a_line_of_days_with_hardly_any_arrays_is_not_loaded():
    """Its emotion would be unpacked, smoothed and divided into segments at a redraw."""
    days = dataclasses.replace(
        predicted(),
        channels=(),
        motion=np.zeros((store.MAX_FRAMES + 1, 0), np.float32),
        expression=np.zeros((store.MAX_FRAMES + 1, 0), np.float32),
        emotion=np.zeros((store.MAX_FRAMES + 1, 2), np.float32),
        lips=np.zeros((0, 0, 3), np.float32),
        blinks=store.NO_BLINKS,
        gaze=store.NO_GAZE,
    )
    with pytest.raises(UserError, match="too long"):
        store.rounded(days)
    kept = record(predicted())
    for name in store.ARRAYS:
        kept[name] = group(store.packed(getattr(days, name)))
    kept["channels"] = ""
    assert not store.is_readable(kept)


@pytest.fixture
def kept():
    """An Action with the prediction of a model."""
    action = bpy.data.actions.new("LSF")
    store.store(action, LINE, replace(predicted(), model="run 3 0a1b2c3d4e5f"))
    return action


def test_the_model_that_made_a_line_is_kept_with_it(kept):
    assert store.load(kept, LINE).model == takes.model(kept, LINE) == "run 3 0a1b2c3d4e5f"
    assert takes.model(kept, "other") == ""


@pytest.mark.parametrize("value", [3, 2.5, b"\xff", [1, 2], {"a": 1}, "x" * 10_000, "two\nlines\x00\u202e"])
def test_what_a_file_says_of_a_model_is_not_trusted(kept, value):
    kept[store.PROPERTY][LINE]["model"] = value
    read = store.load(kept, LINE)
    assert read is not None and len(read.model) <= store.MAX_MODEL
    assert read.model.isprintable() and read.model == takes.model(kept, LINE)


def test_lines_of_earlier_add_ons_have_no_model(kept):
    del kept[store.PROPERTY][LINE]["model"]
    assert store.load(kept, LINE).model == "" and store.is_readable(kept[store.PROPERTY][LINE])


def test_takes_of_the_same_seed_by_two_models_are_two(kept):
    takes.add(kept, LINE)
    store.store(kept, LINE, replace(predicted(seed=1), model="run 4 99"))
    takes.add(kept, LINE)
    assert takes.count(kept, LINE) == 2
    store.store(kept, LINE, replace(predicted(seed=2), model="run 4 99"))
    takes.add(kept, LINE)
    assert takes.count(kept, LINE) == 2, "it replaces the take of its own model"
