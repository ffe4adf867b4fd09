"""Predictions that are stored on Actions: loading, copying, saving, and damaged ones."""

from dataclasses import fields, replace

import bpy
import numpy as np
import pytest

from lsf_blender_addon.prediction import store
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.rigs.drive import Drive


def predicted(frames=240, emotions=("angry", "glad"), seed=0) -> Prediction:
    rng = np.random.default_rng(seed)
    motion = np.clip(np.cumsum(rng.normal(0, 0.03, (frames, 4)), 0), -0.5, 1.5).astype(np.float32)
    return Prediction(
        "Zeile 1 é",
        "Scene",
        30 / 1.001,
        -17,
        ("jawOpen", "mouthClose", "browInnerUp", "wink"),
        motion,
        motion * 0.3,
        emotions,
        rng.random((frames, len(emotions))).astype(np.float32),
        0.5,
        2**32 - 1,
        rng.normal(0, 10, (4, 20, 3)).astype(np.float32),
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
    store.store(action, given)
    first = store.load(action)
    assert same(first, given, 1 / 32000) and first.motion.dtype == np.float32
    store.store(action, first)
    assert same(store.load(action), first), "rounded once, not a little more each time"


def test_how_many_lines_were_heard_is_kept(action):
    store.store(action, replace(predicted(), heard_lines=5))
    assert store.load(action).heard_lines == 5 and store.detected_emotion(action).heard_lines == 5
    del action[store.PROPERTY]["heard_lines"]  # the line is of an earlier release
    assert store.load(action).heard_lines == 0 and store.detected_emotion(action).heard_lines == 0


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
    store.store(action, given)
    drive, before = store.load(action).drive, given.drive
    assert drive.keys == ("A", "Mund") and np.array_equal(drive.low, before.low)
    assert np.array_equal(drive.high, before.high)
    np.testing.assert_allclose(drive.matrix, before.matrix, atol=1e-3)
    np.testing.assert_allclose(drive.residual, before.residual, atol=1e-3)
    np.testing.assert_array_equal(store.rounded(given).drive.residual, drive.residual)
    store.store(action, predicted())
    assert store.load(action).drive is None


@pytest.mark.parametrize(("name", "value"), [("matrix", 3), ("residual", {}), ("keys", "A"), ("low", "few")])
def test_a_damaged_drive_damages_its_prediction(action, name, value):
    store.store(action, with_drive())
    action[store.PROPERTY]["drive"][name] = value
    assert store.load(action) is None


@pytest.mark.parametrize(("weight", "shown"), [(0, False), (3e-8, False), (-0.01, True)])
def test_the_rounding_of_a_difference_is_no_expression(action, weight, shown):
    given = predicted()
    store.store(action, Prediction(**vars(given) | {"expression": np.full_like(given.motion, weight)}))
    assert store.has_expression(action) == shown


def test_unknown_expression_and_lips(action):
    given = predicted()
    given = Prediction(**vars(given) | {"expression": np.zeros_like(given.motion), "lips": np.zeros((4, 0, 3))})
    store.store(action, given)
    loaded = store.load(action)
    assert not loaded.expression.any() and loaded.expression.shape == (240, 4) and loaded.lips.shape == (4, 0, 3)


def test_a_stored_prediction_is_small(action):
    """A minute of 52 noisy channels, compared with their float32 values."""
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(0, 0.02, (1500, 52)), 0).astype(np.float32)
    store.store(
        action,
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
    assert sum(len(action[store.PROPERTY][name]["bytes"]) for name in store.ARRAYS) < motion.nbytes / 2


def test_copied_saved_and_reloaded(action, tmp_path):
    store.store(action, predicted())
    before = store.load(action)
    action.copy().name = "copy"
    bpy.data.actions["copy"].use_fake_user = True
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert len(bpy.data.actions) == 2 and all(same(store.load(action), before) for action in bpy.data.actions)


def head_file(path: str) -> Prediction:
    """Save a head whose shape keys play an Action with a prediction."""
    bpy.ops.mesh.primitive_cube_add()
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    head.shape_key_add(name="jawOpen").keyframe_insert("value", frame=1)
    head.name = "Head"
    action = head.data.shape_keys.animation_data.action
    store.store(action, predicted())
    before = store.load(action)
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
    assert same(store.load(head.data.shape_keys.animation_data.action), before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 99),
        ("version", None),
        ("seed", "many"),
        ("fps", 0.0),
        ("first_frame", "now"),
        ("channels", "jawOpen"),
        ("channels", 3),
        ("emotions", ""),
        ("motion", 5),
        ("motion", {}),
        ("emotion", {"shape": [0, 0]}),
    ],
)
def test_a_damaged_prediction_is_not_loaded(action, name, value):
    store.store(action, predicted())
    if value is None:
        del action[store.PROPERTY][name]
    else:
        action[store.PROPERTY][name] = value
    assert store.load(action) is None


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
    store.store(action, predicted())
    action[store.PROPERTY]["motion"][name] = value
    assert store.load(action) is None


@pytest.mark.parametrize("has_drive", [False, True])
def test_a_prediction_of_0_1_0_is_read(action, has_drive):
    """It kept the drive as a property of its own."""
    given = with_drive() if has_drive else predicted()
    store.store(action, given)
    record = action[store.PROPERTY].to_dict()
    drive = record.pop("drive", None)
    action[store.PROPERTY] = {**record, "version": 1}
    if drive is not None:
        action["lsf_drive"] = drive
    loaded = store.load(action)
    assert same(replace(loaded, drive=None), replace(store.rounded(given), drive=None))
    assert (loaded.drive is not None) == has_drive
    if has_drive:
        np.testing.assert_array_equal(loaded.drive.residual, store.rounded(given).drive.residual)


@pytest.mark.parametrize("foreign", [3, "text", [1, 2], {"version": 1}, {}])
def test_a_property_of_another_type_is_not_loaded(action, foreign):
    assert store.load(action) is None and store.load(None) is None
    action[store.PROPERTY] = foreign
    assert store.load(action) is None
