"""How both stages of the paper's system are trained: everything that changes the result, in one frozen dataclass.

What only changes speed and memory (device, bf16, passes of a step, number of processes) is in `trainer.Options`.
"""

import dataclasses
import json
import typing
from dataclasses import dataclass
from typing import Any

from ...errors import LSFError

OPTIMISERS = ("adam", "adamw")
PROTOCOLS = ("subjects", "released")  # of mead3d.split
MAX_COUNT = 1 << 20  # of epochs, clips of a step: a damaged file must not ask for more


@dataclass(frozen=True)
class StageRecipe:
    """How one stage is trained.

    Attributes:
        optimiser: "adam" or "adamw".
        learning_rate: Constant over the training; neither the paper nor its code has a schedule.
        betas: Of the optimiser.
        epsilon: Of the optimiser.
        weight_decay: Of the optimiser.
        epochs: Most passes over the data.
        patience: Epochs without a lower validation loss after which training ends; 0 never ends early.
        protocol: Split of the data, "subjects" or "released" (`mead3d.split`).

    Raises:
        LSFError: "bad_recipe" if a value is out of range.
    """

    optimiser: str = "adam"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    epochs: int = 201
    patience: int = 0
    protocol: str = "subjects"

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise _invalid(f'"{self.optimiser}" is not a known optimiser; use {" or ".join(OPTIMISERS)}.')
        if self.protocol not in PROTOCOLS:
            raise _invalid(f'"{self.protocol}" is not a known protocol; use {" or ".join(PROTOCOLS)}.')
        if not (0 < self.learning_rate < 1 and 0 < self.epsilon < 1 and 0 <= self.weight_decay < 1):
            raise _invalid("learning_rate, epsilon and weight_decay must be between 0 and 1.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise _invalid("betas must be two numbers from 0 to below 1.")
        if not (0 <= self.epochs <= MAX_COUNT and 0 <= self.patience <= MAX_COUNT):
            raise _invalid(f"epochs and patience must be between 0 and {MAX_COUNT}.")


@dataclass(frozen=True)
class Recipe:
    """How both stages are trained.

    Attributes:
        prior: Stage one, the motion prior.
        predictor: Stage two, from speech to the prior's codes.
        batch: Clips of one optimiser step, of all processes together: the result does not depend on their number.
        seed: Of the first weights, the order of the clips and all random draws.

    Raises:
        LSFError: "bad_recipe" if a value is out of range.
    """

    prior: StageRecipe = StageRecipe()
    predictor: StageRecipe = StageRecipe()
    batch: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.batch <= MAX_COUNT and 0 <= self.seed < 1 << 31):
            raise _invalid(f"batch must be between 1 and {MAX_COUNT}, and seed between 0 and {(1 << 31) - 1}.")

    @classmethod
    def paper(cls) -> "Recipe":
        """Return the recipe of the paper: AdamW for the prior, Adam at 1e-5 for the predictor, one clip a step.

        The paper does not say when training stops before its 201 epochs; the predictor's patience is the released
        code's.
        """
        return cls(
            prior=StageRecipe("adamw", 1e-4, (0.9, 0.98), weight_decay=0.01),
            predictor=StageRecipe("adam", 1e-5, patience=10),
        )

    @classmethod
    def released(cls) -> "Recipe":
        """Return the recipe of the released code: its betas and epsilon; the prior sees all subjects."""
        return cls(
            prior=StageRecipe("adamw", 1e-4, (0.9, 0.98), weight_decay=0.01, protocol="released"),
            predictor=StageRecipe("adam", 1e-5, (0.9, 0.98), 1e-9, patience=10),
        )

    def to_json(self) -> str:
        """Return the text of recipe.json."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read the text of a recipe.json; a setting that it lacks has its default.

        Raises:
            LSFError: "bad_recipe" for anything that is unknown, of the wrong type, or out of range.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise _invalid("it is not JSON.") from error
        values = _checked(cls, values)
        stages = {name: StageRecipe(**_checked(StageRecipe, values[name])) for name in STAGES if name in values}
        return cls(**{**values, **stages})


STAGES = ("prior", "predictor")


def _checked(kind: type[Any], values: object) -> dict[str, Any]:
    """Return the fields of a dataclass in parsed JSON. Raises LSFError if one is unknown or has another type."""
    if not isinstance(values, dict):
        raise _invalid(f"{kind.__name__} must be a JSON object.")
    types = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(types))
    if unknown:
        raise _invalid(f"it has the unknown setting {', '.join(unknown)}.")
    checked = {}
    for name, value in values.items():
        wanted = types[name]
        if wanted is float and type(value) is int:
            value = float(value)
        if typing.get_origin(wanted) is tuple and isinstance(value, list):
            value = tuple(float(x) if type(x) in (int, float) else x for x in value)
            fits = all(type(x) is float for x in value)
        else:
            fits = wanted is StageRecipe or type(value) is wanted
        if not fits:
            raise _invalid(f"{name} is of the wrong type.")
        checked[name] = value
    return checked


def _invalid(sentence: str) -> LSFError:
    """Return an error about a recipe."""
    return LSFError("bad_recipe", f"This recipe cannot be used: {sentence}")
