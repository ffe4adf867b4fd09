"""Predictions of lines that are stored on an Action: loading, copying, saving, and damaged ones."""

from dataclasses import fields, replace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.prediction import store
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.rigs.drive import Drive

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
