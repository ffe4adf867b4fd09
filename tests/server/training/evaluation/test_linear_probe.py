"""The linear probe and the accuracy by class."""

import numpy as np
import pytest

from server.training.evaluation.linear_probe import LinearProbe, balanced_accuracy


def test_probe_separates_what_is_separable():
    rng = np.random.default_rng(0)
    labels = ["a", "b", "c"] * 30
    rows = np.eye(3)[["abc".index(x) for x in labels]] + 0.2 * rng.standard_normal((90, 3))

    def accuracy(train):
        guesses = LinearProbe(train, labels[:60]).predict(rows[60:])
        return np.mean([guess == label for guess, label in zip(guesses, labels[60:], strict=True)])

    assert accuracy(rows[:60]) > 0.9
    assert accuracy(rng.standard_normal((60, 3))) < 0.8


def test_a_balanced_probe_does_not_forget_the_rare_class():
    rng = np.random.default_rng(0)
    labels = ["common"] * 190 + ["rare"] * 10
    rows = rng.standard_normal((200, 1)) + np.array([[0.0]] * 190 + [[1.5]] * 10)
    recall = [LinearProbe(rows, labels, balanced=balanced).predict(rows)[190:].count("rare") for balanced in (0, 1)]
    assert recall[1] >= 7 > recall[0]


def test_balanced_accuracy_counts_every_class_alike():
    assert balanced_accuracy(["a"] * 8 + ["b"] * 2, ["a"] * 10) == 0.5
    assert balanced_accuracy(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(0.75)
