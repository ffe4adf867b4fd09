"""The FLAME layer against answers worked by hand, other implementations and numerical gradients."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from server.errors import LSFError
from server.flame import Flame
from server.flame.layer import rotation_matrices
from server.flame.reader import check_arrays

QUARTER = torch.pi / 2


def made(arrays):
    return Flame(check_arrays(arrays)).double()


def posed(flame, **given):
    values = {"shape": torch.zeros(1, 300), "expression": torch.zeros(1, 50), "jaw": torch.zeros(1, 3)} | given
    values = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in values.items()}
    return flame.vertices(**values)[0].numpy()


def test_rest_is_the_template(arrays):
    assert np.allclose(posed(made(arrays)), arrays["v_template"], atol=1e-7)


def test_an_opened_jaw_brings_the_chin_down(arrays):
    # A quarter turn about +X takes what is in front of the joint to below it: (0, 0, .1) becomes (0, -.1, 0).
    vertices = posed(made(arrays), jaw=[[QUARTER, 0, 0]])
    assert np.allclose(vertices[5], [0, 0.1 - 0.1, 0.02], atol=1e-7)
    assert np.allclose(vertices[:5], arrays["v_template"][:5], atol=1e-7)  # joints stay where they are


def test_a_jaw_turns_to_the_left_about_the_upright_axis(arrays):
    vertices = posed(made(arrays), jaw=[[0, QUARTER, 0]])
    assert np.allclose(vertices[5], [0.1, 0.1, 0.02], atol=1e-7)


def test_the_neck_carries_jaw_and_eyes(arrays):
    # The jaw opens: chin at joint + (0, -.1, 0). The neck turns left: x from z, so the jaw's joint (0, .1, .02) goes to
    # (.02, .1, 0), and the chin stays below it. The left eye (.03, .15, .05) goes to (.05, .15, -.03).
    vertices = posed(made(arrays), jaw=[[QUARTER, 0, 0]], neck=[[0, QUARTER, 0]])
    assert np.allclose(vertices[2], [0.02, 0.1, 0], atol=1e-7)
    assert np.allclose(vertices[5], [0.02, 0.0, 0], atol=1e-7)
    assert np.allclose(vertices[3], [0.05, 0.15, -0.03], atol=1e-7)


def test_a_turn_of_all_comes_last(arrays):
    # Half a turn about the upright axis through the origin after the jaw has opened.
    vertices = posed(made(arrays), jaw=[[QUARTER, 0, 0]], turn=[[0, 2 * QUARTER, 0]])
    assert np.allclose(vertices[5], [0, 0, -0.02], atol=1e-7)


def test_eyes_turn_apart(arrays):
    arrays["weights"][5] = [0, 0, 0, 0, 1]
    arrays["v_template"][5] = arrays["v_template"][4] + [0, 0, 0.1]
    left = posed(made(arrays), eyes=[[0, QUARTER, 0, 0, 0, 0]])
    right = posed(made(arrays), eyes=[[[0, 0, 0], [0, QUARTER, 0]]])
    assert np.allclose(left[5], arrays["v_template"][5], atol=1e-7)
    assert np.allclose(right[5], arrays["v_template"][4] + [0.1, 0, 0], atol=1e-7)


def test_a_vertex_between_two_joints_is_the_mean_of_both(arrays):
    arrays["weights"][5] = [0, 0.5, 0.5, 0, 0]
    vertices = posed(made(arrays), jaw=[[QUARTER, 0, 0]])
    assert np.allclose(vertices[5], [0, (0.1 + 0.0) / 2, (0.12 + 0.02) / 2], atol=1e-7)


def test_shapes_move_the_joints_and_expressions_do_not(arrays):
    arrays["shapedirs"][2, :, 7] = [0, 0.01, 0]  # shape 7 lifts the jaw's joint by 1 cm
    arrays["shapedirs"][2, :, 300] = [0, 0.01, 0]  # so does the first expression with the vertex there
    flame = made(arrays)
    shape = np.eye(1, 300, 7) * 2
    lifted = posed(flame, shape=shape, jaw=[[QUARTER, 0, 0]])
    # The joint is at (0, .12, .02); the chin, 2 cm below and 10 cm in front, goes 10 cm down and 2 cm back.
    assert np.allclose(lifted[5], [0, 0.12 - 0.1, 0.02 - 0.02], atol=1e-7)
    smiling = posed(flame, expression=[[2.0]], jaw=[[QUARTER, 0, 0]])
    assert np.allclose(smiling[5], [0, 0, 0.02], atol=1e-7)


def test_expressions_come_after_300_shapes(arrays):
    arrays["shapedirs"][0, :, 299] = [0.001, 0, 0]
    arrays["shapedirs"][0, :, 300] = [0, 0.001, 0]
    arrays["shapedirs"][0, :, 399] = [0, 0, 0.001]
    flame = made(arrays)
    assert np.allclose(posed(flame, shape=np.eye(1, 300, 299))[0], [0.001, 0, 0], atol=1e-8)
    assert np.allclose(posed(flame, expression=np.eye(1, 50, 0))[0], [0, 0.001, 0], atol=1e-8)
    assert np.allclose(posed(flame, expression=np.eye(1, 100, 99))[0], [0, 0, 0.001], atol=1e-8)


def test_pose_correctives_follow_the_rotation_matrix(arrays):
    # R − I of a quarter turn about +X is [[0, 0, 0], [0, −1, −1], [0, 1, −1]]; entry (1, 2) of the jaw is 9 + 5.
    arrays["posedirs"][0, :, 14] = [0.001, 0, 0]
    arrays["posedirs"][0, :, 9 + 7] = [0, 0.001, 0]
    arrays["posedirs"][0, :, 5] = [0, 0, 1]  # of the neck, which is at rest
    vertices = posed(made(arrays), jaw=[[QUARTER, 0, 0]])
    assert np.allclose(vertices[0], [-0.001, 0.001, 0], atol=1e-8)


def test_pose_correctives_of_the_neck_and_the_eyes(arrays):
    for column, axis in ((5, 0), (18 + 5, 1), (27 + 5, 2)):
        arrays["posedirs"][0, axis, column] = 0.001
    flame = made(arrays)
    assert np.allclose(posed(flame, neck=[[QUARTER, 0, 0]])[0], [-0.001, 0, 0], atol=1e-8)
    assert np.allclose(posed(flame, eyes=[[QUARTER, 0, 0, 0, 0, 0]])[0], [0, -0.001, 0], atol=1e-8)
    assert np.allclose(posed(flame, eyes=[[0, 0, 0, QUARTER, 0, 0]])[0], [0, 0, -0.001], atol=1e-8)


def test_rotations_agree_with_scipy_at_all_angles():
    random = np.random.default_rng(1)
    for angle in (0, 1e-12, 1e-8, 1e-4, 0.05, 0.0999999, 0.1, 0.1000001, 1, 3, np.pi, 6):
        axis = random.normal(size=(20, 3))
        vectors = angle * axis / np.linalg.norm(axis, axis=1, keepdims=True)
        mine = rotation_matrices(torch.from_numpy(vectors)).numpy()
        assert np.abs(mine - Rotation.from_rotvec(vectors).as_matrix()).max() < 2e-14


def test_rotations_about_one_axis_add_up():
    axis = torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64)
    both = rotation_matrices(0.7 * axis) @ rotation_matrices(0.05 * axis)
    assert torch.allclose(both, rotation_matrices(0.75 * axis), atol=1e-14)
    assert torch.allclose(both @ both.mT, torch.eye(3, dtype=torch.float64), atol=1e-14)


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-3, 0.0999, 0.1001, 2.0])
def test_gradient_of_a_rotation(length):
    vector = length * torch.tensor([[0.48, -0.6, 0.64]], dtype=torch.float64)
    assert torch.autograd.gradcheck(rotation_matrices, vector.requires_grad_(), eps=1e-6, atol=1e-8)
    assert torch.autograd.gradgradcheck(rotation_matrices, vector, eps=1e-5, atol=1e-5)


def test_gradient_at_rest_in_single_precision():
    vector = torch.zeros(2, 3, requires_grad=True)
    rotation_matrices(vector)[:, 2, 1].sum().backward()
    assert torch.equal(vector.grad, torch.tensor([[1.0, 0, 0], [1, 0, 0]]))


@pytest.mark.parametrize("strength", [0.0, 0.4])
def test_gradient_of_the_vertices(arrays, strength):
    random = np.random.default_rng(2)
    arrays["shapedirs"] = random.normal(0, 0.01, arrays["shapedirs"].shape)
    arrays["posedirs"] = random.normal(0, 0.01, arrays["posedirs"].shape)
    arrays["weights"] = random.dirichlet(np.ones(5), 6)
    flame = made(arrays)
    given = [strength * torch.from_numpy(random.normal(size=(2, n))) for n in (3, 2, 3, 3, 6, 3)]
    for value in given:
        value.requires_grad_()
    assert torch.autograd.gradcheck(flame.vertices, given, eps=1e-6, atol=1e-7)


def test_a_batch_is_each_pose_alone(arrays):
    random = np.random.default_rng(3)
    arrays["shapedirs"] = random.normal(0, 0.01, arrays["shapedirs"].shape)
    arrays["weights"] = random.dirichlet(np.ones(5), 6)
    flame = made(arrays)
    shape, expression, jaw = (torch.from_numpy(random.normal(size=(7, n))) for n in (300, 50, 3))
    whole = flame.vertices(shape, expression, jaw)
    alone = [flame.vertices(shape[i : i + 1], expression[i : i + 1], jaw[i : i + 1]) for i in range(7)]
    assert torch.allclose(whole, torch.cat(alone), atol=1e-14, rtol=0)
    one_person = flame.vertices(shape[:1], expression, jaw)
    assert torch.allclose(one_person, flame.vertices(shape[:1].expand(7, -1), expression, jaw), atol=1e-14, rtol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": torch.zeros(2, 301)},
        {"shape": torch.zeros(3, 300)},
        {"expression": torch.zeros(2, 101)},
        {"jaw": torch.zeros(2, 4)},
        {"neck": torch.zeros(1, 3)},
        {"eyes": torch.zeros(2, 3)},
    ],
)
def test_what_does_not_fit_is_refused(arrays, change):
    given = {"shape": torch.zeros(2, 300), "expression": torch.zeros(2, 50), "jaw": torch.zeros(2, 3)} | change
    with pytest.raises(LSFError, match="FLAME takes"):
        Flame(check_arrays(arrays)).vertices(**given)
