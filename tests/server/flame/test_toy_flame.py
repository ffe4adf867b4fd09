"""The toy in FLAME's layout."""

import numpy as np
import pytest
import torch

from server.face.head import HeadPart, load_head
from server.flame import load_flame
from server.training.paper.toy_flame import main, toy_regions, write_toy_flame


@pytest.fixture(scope="module")
def stored(toy_path):
    with np.load(toy_path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_layout_of_flame_2020(stored):
    count = len(stored["v_template"])
    shapes = {
        "v_template": (count, 3), "shapedirs": (count, 3, 400), "posedirs": (count, 3, 36), "J_regressor": (5, count),
        "weights": (count, 5), "kintree_table": (2, 5), "f": (len(stored["f"]), 3),
    }  # fmt: skip
    assert {name: array.shape for name, array in stored.items()} == shapes
    assert 4000 < count < 5023
    assert stored["kintree_table"].tolist() == [[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]
    assert all(array.dtype == np.float64 for name, array in stored.items() if name not in ("f", "kintree_table"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["{}/none/toy.npz"], 'toy.npz" cannot be written'),
        (["{}/toy"], 'toy" must end with .npz'),
        (["{}/toy.npz", "--lips", "{}/lips.npy"], 'lips.npy" must end with .txt'),
    ],
)
def test_a_file_is_written_as_it_is_named_or_refused_in_a_sentence(tmp_path, monkeypatch, options, sentence):
    monkeypatch.setattr("sys.argv", ["toy_flame", *(option.format(tmp_path) for option in options)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert sentence in str(caught.value) and list(tmp_path.iterdir()) == []


def test_axes_are_flames(stored, toy):
    eyes = (toy.joint_regressor @ toy.template)[3:]
    assert eyes[0, 0] > 0.02 and eyes[1, 0] < -0.02  # the character's left eye is on +X
    lips = toy.template[toy_regions()["lips"]].mean(0)
    assert eyes[0, 1] - lips[1] > 0.05 and lips[2] > 0.08  # Y up, facing +Z
    assert 0.3 < np.ptp(stored["v_template"], axis=0).max() < 0.4


def test_another_surface_than_the_head(stored):
    head = load_head()
    distance = np.linalg.norm(
        stored["v_template"][:, None] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
        - head.vertices[head.part == HeadPart.SKIN][None, ::8],
        axis=-1,
    ).min(1)
    assert np.median(distance) > 5e-4


def test_the_jaw_opens_the_mouth_downwards(toy):
    with torch.no_grad():
        opened = toy.vertices(torch.zeros(1, 300), torch.zeros(1, 50), torch.tensor([[0.3, 0, 0]]))[0] - toy.template
    lowest = opened[:, 1].min()
    assert -0.04 < lowest < -0.02
    still = toy.template[:, 1] > 0.03  # eyes and above
    assert opened[still].abs().max() < 1e-3


def test_expressions_have_parts_that_the_head_lacks(toy):
    size = toy.expression_directions.norm(dim=-1).mean(1)
    assert (size > 0).all() and size[0] > 3 * size[20]


def test_the_same_toy_every_time(tmp_path, stored):
    write_toy_flame(tmp_path / "again.npz")
    with np.load(tmp_path / "again.npz") as again:
        assert all(np.array_equal(again[name], stored[name]) for name in stored)


def test_command(tmp_path, monkeypatch):
    paths = [str(tmp_path / name) for name in ("toy.npz", "lips.txt", "upper.txt")]
    monkeypatch.setattr("sys.argv", ["toy_flame", paths[0], "--lips", paths[1], "--upper", paths[2]])
    main()
    lips, upper = (np.loadtxt(path, int) for path in paths[1:])
    assert len(load_flame(tmp_path / "toy.npz").template) > upper.max()
    assert np.array_equal(lips, toy_regions()["lips"]) and not np.intersect1d(lips, upper).size
