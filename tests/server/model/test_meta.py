import torch
from torch import nn

from server.model import LSF, LSFConfig
from server.model.meta import shapes_only


def test_the_largest_model_takes_no_memory_and_has_the_shapes_of_the_real_one():
    with shapes_only():
        model = LSF(LSFConfig.released())
        layer = nn.Linear(3, 5)
    real = sum(value.numel() for value in model.state_dict().values() if not value.is_meta)
    assert real <= 768  # transformers makes the vector of SpecAugment's masks on the CPU in any case
    assert sum(weight.numel() for weight in model.parameters()) > 2e8
    assert layer.weight.shape == (5, 3)


def test_weights_are_random_again_afterwards():
    with shapes_only():
        nn.Linear(2, 2)
    weight = nn.init.normal_(torch.zeros(4, 4))
    assert weight.device.type == "cpu" and weight.std() > 0.1
