"""FLAME's motion on the project's head, measured on the toy, whose truth is known."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import lsq_linear

from server.arkit import CHANNELS
from server.errors import LSFError
from server.face.head import HeadPart, HeadRegion, load_head
from server.face.rig_solver import LIP_WEIGHT, NEARLY_CLOSED, vertex_weights
from server.flame import named_weights, prepare
from server.flame.carry import TO_HEAD_AXES, carry, register
from server.flame.face import FILE_NAME, NOTICE, load_flame_head
from server.flame.named_weights import (
    FACE,
    LIP_VERTEX_WEIGHT,
    LOOSE_LIP_WEIGHT,
    RIDGE,
    SPARSITY,
    ErrorMeter,
    NamedShapes,
)

ROOT = Path(__file__).parents[3]


def smooth_motion(frames, strength=0.7, seed=0):
    """Motion (F, 53) as of speech: expressions of this many deviations, and a jaw that opens and closes."""
    random = np.random.default_rng(seed)
    curves = gaussian_filter1d(random.normal(size=(frames, 53)), 2, axis=0)
    curves *= strength / curves.std(0)
    opening = 0.08 + 0.08 * curves[:, 50] / strength
    curves[:, 50:] *= 0.03
    curves[:, 50] = opening.clip(-0.02, 0.4)
    return curves.astype(np.float32)


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def carrier(toy, head):
    return carry(toy.template.numpy().astype(float), toy.faces.numpy(), head)


@pytest.fixture(scope="module")
def face(head):
    return np.flatnonzero((head.part == HeadPart.SKIN) & np.isin(head.region, FACE))


def jaw_motion(*rotation):
    motion = np.zeros((1, 53), np.float32)
    motion[0, 50:] = rotation
    return motion


def test_modes_that_are_the_heads_own_come_back(carrier, toy, head, face):
    modes = carrier.vectors(toy.shape_directions[:5].numpy().astype(float))
    error = np.linalg.norm(modes - head.identity_modes[:5], axis=-1)[:, face]
    size = np.linalg.norm(head.identity_modes[:5], axis=-1)[:, face]
    assert error.mean() < 0.1 * size.mean()  # the registration slides a little along the surface


def test_axes_and_scale(carrier):
    assert np.abs(carrier.axes - TO_HEAD_AXES).max() < 0.01 and abs(carrier.scale - 1) < 0.01
    assert carrier.unmatched < 0.01 and carrier.distance < 3e-4


def test_constants_stay_constant_on_the_skin(carrier, toy, head):
    ones = carrier.weights(np.ones(len(toy.template)))
    assert np.allclose(ones[head.part == HeadPart.SKIN], 1) and not ones[head.part != HeadPart.SKIN].any()


def test_motion_equals_the_layers_where_both_are(carried, carrier, toy, head):
    motion = smooth_motion(20)
    with torch.no_grad():
        given = torch.from_numpy(motion)
        posed = toy.vertices(torch.zeros(1, 300), given[:, :50], given[:, 50:]) - toy.template
    wanted = carrier.vectors(posed.numpy().astype(float))[:, head.part == HeadPart.SKIN]
    error = np.linalg.norm(carried.offsets(motion)[:, head.part == HeadPart.SKIN] - wanted, axis=-1)
    assert error.mean() < 2e-5 and error.max() < 1e-3  # carrying arrays or what they give: a hundredth of a millimetre


def test_lips_follow_their_own_side(carried, head):
    offsets = carried.offsets(jaw_motion(0.3, 0, 0))[0]
    down = -offsets[:, 2]
    middle = np.abs(head.vertices[:, 0]) < 0.012
    assert down[(head.region == HeadRegion.LIP_LOWER) & middle].min() > 0.015
    assert (
        down[(head.region == HeadRegion.LIP_UPPER) & middle].max() < 0.004
    )  # the head's own upper lip follows a little


def test_lower_teeth_and_tongue_turn_with_the_jaw_and_eyes_stay(carried, head):
    offsets = carried.offsets(jaw_motion(0.3, 0.05, 0) + np.eye(1, 53, 3, dtype=np.float32))[0]
    for part in (HeadPart.TEETH_LOWER, HeadPart.GUMS_LOWER, HeadPart.TONGUE):
        moved = carried.rest[head.part == part] + offsets[head.part == part]
        rest = carried.rest[head.part == part]
        assert np.allclose(
            np.linalg.norm(moved - moved[:1], axis=1), np.linalg.norm(rest - rest[:1], axis=1), atol=1e-6
        )
        assert offsets[head.part == part, 2].mean() < -0.01
    for part in (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT, HeadPart.TEETH_UPPER, HeadPart.GUMS_UPPER):
        assert not offsets[head.part == part].any()


def test_the_mouth_bag_goes_smoothly_from_lip_to_lip(carried, head):
    offsets = carried.offsets(jaw_motion(0.3, 0, 0))[0]
    bag = offsets[head.region == HeadRegion.MOUTH_BAG]
    lips = offsets[np.isin(head.region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))]
    assert bag[:, 2].min() >= lips[:, 2].min() - 0.005 and bag[:, 2].max() <= 0.001
    edges = head.faces[(head.region[head.faces] == HeadRegion.MOUTH_BAG).all(1)][:, :2]
    assert np.linalg.norm(offsets[edges[:, 0]] - offsets[edges[:, 1]], axis=1).max() < 0.01


def test_named_weights_show_the_motion(carried, head, face):
    motion = smooth_motion(200)
    weights, error = carried.named_weights(motion)
    assert weights.shape == (200, 52) and weights.dtype == np.float32
    assert weights.min() >= 0 and weights.max() <= 1
    still = [k for k, name in enumerate(CHANNELS) if name.startswith(("eyeLook", "tongueOut"))]
    assert not weights[:, still].any()
    # The error that is told is that of these weights, computed here in another way.
    missed = 1000 * np.linalg.norm(
        np.tensordot(weights, head.basis[:, face], 1) - carried.offsets(motion)[:, face], axis=-1
    )
    lips = np.isin(head.region[face], (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    assert error.face_mean == pytest.approx(missed.mean(), rel=1e-3)
    assert error.face_greatest == pytest.approx(missed.max(), rel=1e-3)
    assert error.face_95 == pytest.approx(np.percentile(missed, 95), abs=0.02)
    assert error.lips_mean == pytest.approx(missed[:, lips].mean(), rel=1e-3)
    assert error.lips_greatest == pytest.approx(missed[:, lips].max(), rel=1e-3)
    assert error.frames == pytest.approx(missed[:, lips].mean(1), rel=1e-3)
    assert error.lips_mean < 1.0 and error.lips_95 < 2.3
    assert error.figures().keys() == vars(error).keys() - {"frames"}
    size = 1000 * np.linalg.norm(carried.offsets(motion)[:, face][:, lips], axis=-1).mean()
    assert error.lips_mean < 0.2 * size


def test_no_motion_needs_no_weights(carried):
    weights, error = carried.named_weights(np.zeros((5, 53), np.float32))
    assert not weights.any() and error.face_greatest == 0
    weights, error = carried.named_weights(np.zeros((0, 53), np.float32))
    assert weights.shape == (0, 52) and error.frames.shape == (0,)


def test_an_open_jaw_is_jaw_open(carried):
    weights, _ = carried.named_weights(jaw_motion(0.3, 0, 0))
    assert weights[0].argmax() == CHANNELS.index("jawOpen") and weights[0].max() > 0.6
    for rotation, wanted, other in ((0.06, "jawLeft", "jawRight"), (-0.06, "jawRight", "jawLeft")):
        weights, _ = carried.named_weights(jaw_motion(0, rotation, 0))
        assert weights[0, CHANNELS.index(wanted)] > 0.3 and weights[0, CHANNELS.index(other)] < 0.02


def test_weights_are_those_of_another_solver(carried, head):
    """One frame against scipy's bounded least squares, with a row for each coordinate, lip distance and penalty."""
    named, motion = NamedShapes(head), smooth_motion(20, seed=3)[7:8]
    weights, _ = carried.named_weights(motion)
    used = [k for k, name in enumerate(CHANNELS) if not name.startswith(("eyeLook", "tongueOut"))]
    vertices, unit = named.vertices, named.eye_distance
    weight = vertex_weights(head.vertices[vertices], head.landmarks68, unit)
    weight = weight * np.where(named.on_lips, LIP_VERTEX_WEIGHT, 1)
    offsets, basis = carried.offsets(motion)[:, vertices].astype(float), head.basis[used][:, vertices].astype(float)
    root = np.sqrt(weight)[:, None] / unit
    rows, wanted = [(basis * root).reshape(len(used), -1).T], [(offsets * root).ravel()]
    size = np.sqrt((rows[0] ** 2).sum(0))
    lips, lip_target = named.lip_distances(basis).T, named.lip_distances(offsets)[0]
    gap = np.maximum(named.lip_distances(head.vertices[None, vertices])[0] + lip_target, 0).mean()
    strength = LOOSE_LIP_WEIGHT + np.exp(-((gap / NEARLY_CLOSED) ** 2))
    strength *= LIP_WEIGHT * len(used) / ((lips / size) ** 2).sum()
    rows += [np.sqrt(strength) * lips, np.sqrt(1e-4) * np.diag(size), np.sqrt(RIDGE) * np.eye(len(used))]
    wanted += [np.sqrt(strength) * lip_target, np.zeros(len(used)), np.full(len(used), -SPARSITY / np.sqrt(RIDGE))]
    solved = lsq_linear(np.concatenate(rows), np.concatenate(wanted), (0, 1), tol=1e-12)
    assert np.abs(solved.x - weights[0, used]).max() < 0.01


def test_weights_are_steady(carried):
    """The weights change as the motion does: no jumps between solutions that show nearly the same."""
    motion = smooth_motion(120)
    weights, _ = carried.named_weights(motion)
    shaken = motion + np.random.default_rng(1).normal(0, 0.02, motion.shape).astype(np.float32) * motion.std(0)
    assert np.abs(carried.named_weights(shaken)[0] - weights).max() < 0.1
    held = np.repeat(motion[:1], 30, 0)
    assert np.ptp(carried.named_weights(held)[0], axis=0).max() < 1e-3


def test_long_lines_have_no_seams(carried, monkeypatch):
    """Lines are solved in blocks; blocks of 40 frames give what one block does, to the accuracy of the solver."""
    motion = smooth_motion(120)
    whole, _ = carried.named_weights(motion)
    monkeypatch.setattr(named_weights, "BLOCK", 40)
    assert np.abs(carried.named_weights(motion)[0] - whole).max() < 0.01


def test_opposite_channels_stay_apart(carried):
    weights, _ = carried.named_weights(smooth_motion(120))
    for pair in (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"), ("eyeBlinkLeft", "eyeWideLeft")):
        both = weights[:, [CHANNELS.index(name) for name in pair]]
        assert both.min(1).mean() < 0.05, pair


def test_lips_that_meet_stay_together(carried, head):
    """Where FLAME's lips are as near as at rest, so are the head's under the weights: to .5 mm on average."""
    motion = smooth_motion(300, seed=5)
    weights, _ = carried.named_weights(motion)
    named = NamedShapes(head)
    wanted = named.lip_distances(carried.offsets(motion)[:, named.vertices]) * named.eye_distance * 1000
    shown = named.lip_distances(np.tensordot(weights, head.basis[:, named.vertices], 1)) * named.eye_distance * 1000
    closed = wanted.mean(1) < 1
    assert closed.sum() > 20
    assert np.abs(shown - wanted)[closed].mean() < 0.5


def test_own_keys_are_within_their_bound(carried, head, face):
    random = np.random.default_rng(2)
    rotation = random.uniform([-0.1, -0.1, -0.05], [0.5, 0.1, 0.05], (100, 3)).astype(np.float32)
    motion = np.concatenate([np.zeros((100, 50), np.float32), rotation], 1)
    error = carried.key_error(motion)
    assert 0 < error.face_greatest < carried.key_bound_mm < 0.5
    shown = np.tensordot(carried.key_curves(motion), carried.key_basis, 1)
    missed = np.linalg.norm(shown - carried.offsets(motion), axis=-1)
    assert 1000 * missed.max() < carried.key_bound_mm  # of every part of the head
    assert error.face_greatest == pytest.approx(1000 * missed[:, face].max(), rel=1e-3)
    assert len(carried.key_names) == len(carried.key_basis) == len(set(carried.key_names))
    assert carried.report["jaw_keys"] == len(carried.key_names) - 50


def test_own_keys_tell_what_expressions_in_an_open_jaw_cost(carried):
    motion = smooth_motion(100)
    error = carried.key_error(motion)
    assert error.lips_greatest > carried.key_bound_mm > error.lips_mean  # the jaw carries expressions along


def test_shapes_of_a_person_are_found(carried, toy, head):
    """A person of the toy, registered as a mesh: most of what the first 20 of 300 coefficients say comes back."""
    random = np.random.default_rng(4)
    errors = []
    for _ in range(2):
        truth = random.normal(size=300)
        person = toy.template.numpy() + np.tensordot(truth, toy.shape_directions.numpy(), 1)
        found = carried.shape_of(register(person.astype(float), toy.faces.numpy(), head).fitted)
        errors.append(found[:20] - truth[:20])
    assert np.sqrt(np.mean(np.square(errors))) < 0.65  # 1 would be no knowledge


def test_the_average_face_has_the_average_shape(carried, carrier, head):
    assert np.abs(carried.shape_of(carrier.fitted)).max() < 0.5
    assert np.abs(carried.shape_mean).max() < 1.0  # the toy is made from the project's average head
    assert np.allclose(carried.shape_of(head.vertices), carried.shape_mean, atol=1e-4)
    second = carried.shape_of(head.with_identity(np.eye(50)[1])) - carried.shape_mean
    assert second.argmax() == 1 and second[1] > 0.6


@pytest.mark.parametrize("motion", [np.zeros(53), np.zeros((2, 56)), np.full((1, 53), np.nan)])
def test_motion_that_is_none_is_refused(carried, motion):
    for use in (carried.offsets, carried.named_weights, carried.key_curves, carried.key_error):
        with pytest.raises(LSFError, match="must be"):
            use(motion)


def test_saved_and_read(carried, tmp_path):
    path = tmp_path / FILE_NAME
    carried.save(path)
    assert not list(tmp_path.glob("*.part"))
    read = load_flame_head(path)
    motion = smooth_motion(3)
    assert np.array_equal(read.offsets(motion), carried.offsets(motion))
    assert np.array_equal(read.key_basis, carried.key_basis) and read.report == carried.report
    assert NOTICE.encode() in path.read_bytes()[:5000] and "do not pass" in NOTICE


def damaged(path, **changes):
    """Write a file again with other arrays or texts."""
    data = path.read_bytes()
    texts = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    arrays = load_file(path)
    for name, value in changes.items():
        target = arrays if name in arrays else texts
        if value is None:
            del target[name]
        else:
            target[name] = value
    save_file(arrays, path, texts)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "lsf-flame-head-0"},
        {"format": None},
        {"keys": "[[0.0, 9.0], [0.0]]"},
        {"keys": "[[0.1], [0.0]]"},
        {"keys": "[[0.0, 0.0], [0.0]]"},
        {"keys": "{}"},
        {"keys": json.dumps([[i / 1000 for i in range(400)], [0.0]])},
        {"report": "[]"},
        {"report": "{}"},
        {"report": "[" * 5000},
        {"joint": np.zeros(4, np.float32)},
        {"joint": np.full(3, np.nan, np.float32)},
        {"joint": np.zeros(3)},
        {"axes": np.ones((3, 3), np.float32)},
        {"share": None},
    ],
)
def test_damaged_files_are_refused_in_one_sentence(carried, tmp_path, changes):
    path = tmp_path / FILE_NAME
    carried.save(path)
    damaged(path, **changes)
    with pytest.raises(LSFError, match="damaged or of another version: run") as error:
        load_flame_head(path)
    assert error.value.code == "bad_checkpoint"


def test_missing_and_cut_files(carried, tmp_path):
    with pytest.raises(LSFError, match=r"server\.flame\.prepare") as error:
        load_flame_head(tmp_path / FILE_NAME)
    assert error.value.code == "no_file"
    carried.save(tmp_path / FILE_NAME)
    os.truncate(tmp_path / FILE_NAME, 100_000)
    with pytest.raises(LSFError, match="damaged"):
        load_flame_head(tmp_path / FILE_NAME)


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_the_command_that_makes_the_file_has_the_folder_as_one_word(tmp_path, content):
    folder = tmp_path / "my run 3"
    folder.mkdir()
    if content is not None:
        (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(LSFError) as error:
        load_flame_head(folder / FILE_NAME)
    command = str(error.value).split(": run ")[1]
    assert shlex.split(command) == ["python", "-m", "server.flame.prepare", str(folder), "--flame", "FILE."]


def test_command(tmp_path, toy_path, capsys, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["prepare", *map(str, arguments)])
        return prepare.main(), capsys.readouterr()

    status, printed = run(tmp_path, "--flame", toy_path)
    assert status == 1 and "is no checkpoint" in printed.err
    (tmp_path / "config.json").write_text("{}")
    status, printed = run(tmp_path, "--flame", tmp_path / "none.npz")
    assert status == 1 and printed.err.startswith("error: There is no FLAME file") and printed.err.count("\n") == 1
    assert not (tmp_path / FILE_NAME).exists()
    status, printed = run(tmp_path, "--flame", toy_path)
    assert status == 0 and "do not pass this file on" in printed.out
    assert load_flame_head(tmp_path / FILE_NAME).report["unmatched"] < 0.01


def test_a_mesh_without_a_face_is_refused(toy):
    random = np.random.default_rng(0)
    with pytest.raises(LSFError) as error:
        carry(random.normal(size=(500, 3)), random.integers(0, 500, (900, 3)), load_head())
    assert error.value.code in ("no_face", "several_faces", "too_coarse")


def test_the_model_that_ships_starts_without_flame():
    code = (
        "import sys, server.cli, server.engine, server.protocol.server; from server.model import LSF; "
        "print([name for name in sys.modules if name.startswith(('server.flame', 'server.training'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stderr


def test_figures_of_distances_by_hand():
    meter = ErrorMeter(np.array([True, False]))
    meter.add(np.array([[[0.003, 0.004, 0], [0, 0, 0.001]]]))
    meter.add(np.array([[[0, 0, 0], [0, 0, 0.002]]]))
    error = meter.result()
    assert (error.lips_mean, error.lips_greatest) == pytest.approx((2.5, 5))
    assert (error.face_mean, error.face_greatest) == pytest.approx((2, 5))
    assert error.frames.tolist() == [5, 0]
