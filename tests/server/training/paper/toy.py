"""A small task for the trainer, and its clips."""

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from server.model import LSF
from server.training.paper.batches import Example
from server.training.paper.distributed import ALONE
from server.training.paper.recipe import StageRecipe
from server.training.paper.stages import PredictorTask, PriorTask
from server.training.paper.trainer import Interrupt, Options, StageTrainer, Task

if __package__:
    from .tiny import tiny
else:  # of a process of its own, see rank.py
    from tiny import tiny

CHANNELS = 3


class ToyTask(Task):
    """An autoencoder with dropout, a part that is never used, and a part that only long clips use."""

    name = "toy"

    def __init__(self):
        super().__init__()
        self.into, self.out = nn.Linear(CHANNELS, 16), nn.Linear(16, CHANNELS)
        self.unused, self.long = nn.Linear(2, 2), nn.Linear(CHANNELS, CHANNELS)
        self.frozen = nn.Linear(50, 50).requires_grad_(False)
        self.double()

    def losses(self, batch):
        y = self.out(F.dropout(self.into(batch.motion).relu(), 0.3, self.training))
        lengths = [batch.motion.shape[1]] * len(y) if batch.mask is None else batch.mask.sum(1).tolist()
        long = torch.tensor([length > 20 for length in lengths])
        if long.any():
            y = y + long[:, None, None] * self.long(batch.motion)
        valid = slice(None) if batch.mask is None else batch.mask
        error = (y - batch.motion)[valid].reshape(-1, CHANNELS)
        return {"loss": error.abs().mean(), "square": error.square().mean().detach()}


class ToyClips:
    """Random clips of 3 to 29 frames."""

    def __init__(self, count: int, seed: int = 0):
        rng = np.random.default_rng([seed, count])
        self.lengths = [int(n) for n in rng.integers(3, 30, count)]
        self.motion = [torch.from_numpy(rng.standard_normal((n, CHANNELS))) for n in self.lengths]
        self.on_read = lambda: None

    def example(self, clip):
        self.on_read()
        return Example(self.motion[clip], torch.zeros(2))


class SpeechClips:
    """Random motion and frozen features for a model; clips of 6 to 24 frames."""

    def __init__(self, count: int, model: LSF, seed: int = 0):
        rng = np.random.default_rng([seed, count])
        config, self.clips = model.config, []
        self.lengths = [int(n) for n in rng.integers(6, 25, count)]
        for frames in self.lengths:
            heard = config.frame_stack * frames
            if config.feature_length == "stretch":
                heard += int(rng.integers(-5, 6))
            shapes = (
                (frames, len(config.channels)),
                (config.identity_size,),
                (heard, model.motion_backbone.feature_size),
                (heard, model.emotion_backbone.feature_size),
            )
            self.clips.append(Example(*(torch.from_numpy(rng.standard_normal(shape)) for shape in shapes)))

    def example(self, clip):
        return self.clips[clip]


def train_both_stages(folder, config, group=ALONE, **settings):
    """Train 20 steps of each stage in double precision, with unused codes replaced; return all weights.

    Ten clips in steps of three: the last step of an epoch has one clip, so that the second of two processes has none.
    """
    torch.manual_seed(0)
    model = LSF(tiny(config)).double()
    model.prior.quantiser.MIN_COUNT = 0.0599  # just below that of a new code
    settings = {"epochs": 5, "batch": 3, "learning_rate": 1e-3, "group": group} | settings
    for kind in (PriorTask, PredictorTask):
        clips = SpeechClips(10, model), SpeechClips(3, model, 1)
        trainer = toy_trainer(folder, train=clips[0], valid=clips[1], task=kind(model), **settings)
        trainer.run()
        assert trainer.progress.steps == 20
    return {name: x.clone() for name, x in model.state_dict().items()}


def toy_trainer(folder, *, train=None, valid=None, task=None, batch=4, group=ALONE, interrupt=None, **settings):
    """Return a trainer of a toy task; settings are those of the recipe and the options."""
    torch.manual_seed(0)
    of_recipe = {field.name for field in dataclasses.fields(StageRecipe)}
    recipe = {"learning_rate": 1e-2, "epochs": 2} | {name: x for name, x in settings.items() if name in of_recipe}
    options = {"report": lambda line: None} | {name: x for name, x in settings.items() if name not in of_recipe}
    return StageTrainer(
        task or ToyTask(),
        train or ToyClips(11),
        valid or ToyClips(3, 1),
        StageRecipe(**recipe),
        batch=batch,
        seed=1,
        folder=folder,
        identity={"configuration": "toy"},
        device=torch.device("cpu"),
        group=group,
        options=Options(**options),
        interrupt=interrupt or Interrupt(),
    )


def weights(task):
    """Return all that a task has trained as one vector."""
    return torch.cat([x.flatten().double() for x in task.changing().values()])
