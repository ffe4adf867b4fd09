"""A FLAME model with six vertices, whose answers can be worked out by hand."""

import numpy as np
import pytest

from server.flame import load_flame
from server.flame.face import flame_head
from server.training.paper.toy_flame import write_toy_flame

JOINTS = np.array([[0, 0, 0], [0, 0.1, 0], [0, 0.1, 0.02], [0.03, 0.15, 0.05], [-0.03, 0.15, 0.05]])
CHIN = JOINTS[2] + [0, 0, 0.1]  # 10 cm in front of the jaw's joint


def hand_made_arrays():
    """Vertices 0 to 4 are the joints, on no other joint than themselves; vertex 5 is the chin, on the jaw alone."""
    arrays = {
        "v_template": np.concatenate([JOINTS, CHIN[None]]),
        "f": np.array([[0, 1, 2], [3, 4, 5]], np.uint32),
        "shapedirs": np.zeros((6, 3, 400)),
        "posedirs": np.zeros((6, 3, 36)),
        "J_regressor": np.eye(5, 6),
        "weights": np.eye(6, 5),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.int64),
    }
    arrays["weights"][5] = [0, 0, 1, 0, 0]
    return arrays


@pytest.fixture
def arrays():
    return hand_made_arrays()


@pytest.fixture(scope="session")
def toy_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("flame") / "toy.npz"
    write_toy_flame(path)
    return path


@pytest.fixture(scope="session")
def toy(toy_path):
    return load_flame(toy_path)


@pytest.fixture(scope="session")
def carried(toy):
    return flame_head(toy)
