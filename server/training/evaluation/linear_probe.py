"""Multinomial logistic regression, with which the evaluation asks what curves or embeddings tell."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...numerics import FloatArray


class LinearProbe:
    """A multinomial logistic regression on standardised inputs."""

    def __init__(
        self, rows: FloatArray, labels: Sequence[str], weight_decay: float = 3e-2, balanced: bool = False
    ) -> None:
        """Fit the probe.

        Args:
            rows: (N, C) inputs.
            labels: Class of each row.
            weight_decay: Weight of half the squared norm of the coefficients.
            balanced: Whether all classes count alike, however many rows they have.
        """
        self.classes = sorted(set(labels))
        self.mean, self.scale = rows.mean(0), rows.std(0) + 1e-6
        x, y = self._inputs(rows), torch.tensor([self.classes.index(label) for label in labels])
        weights = len(y) / len(self.classes) / y.bincount() if balanced else None
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(x.shape[1], len(self.classes))
        optimizer = torch.optim.LBFGS(self.linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.linear(x), y, weights)
            loss = loss + weight_decay * self.linear.weight.square().sum() / 2
            loss.backward()
            return loss

        optimizer.step(closure)

    def _inputs(self, rows: FloatArray) -> Tensor:
        """Standardised rows (N, C)."""
        return torch.from_numpy((rows - self.mean) / self.scale).float()

    @torch.no_grad()
    def predict(self, rows: FloatArray) -> list[str]:
        """Return the most likely class of each row (N, C)."""
        return [self.classes[int(i)] for i in self.linear(self._inputs(rows)).argmax(1)]


def balanced_accuracy(labels: Sequence[str], guesses: Sequence[str]) -> float:
    """Return the mean over the classes in `labels` of the share of rows that were recognised (macro recall)."""
    right = np.array([label == guess for label, guess in zip(labels, guesses, strict=True)])
    names = np.array(labels)
    return float(np.mean([right[names == name].mean() for name in np.unique(names)]))
