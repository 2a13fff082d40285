"""Models whose Hessians figure 2 looks at: one function each, from a size to the model.

A deeper network is one more entry of `MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from theory_checks.experiments.figure_2_data import CLASSES, QUADRATIC, check_features, inputs
from tralgos.problems import FiniteSum, SoftmaxRegression, TwoLayerNetwork

__all__ = [
    "GOAL",
    "HALF",
    "HIDDEN_INPUTS",
    "MODELS",
    "NINETY",
    "RATE",
    "START",
    "Case",
    "Kind",
    "Trained",
    "UnknownModelError",
    "check_model",
    "model",
    "trained",
]

#: Points of a training run, in their order.
START, HALF, NINETY = "initialisation", "half-way", "90% accuracy"

#: Training accuracy at which a run ends.
GOAL = 0.9

#: Of RMSProp, the method of the paper's figure; its own rate is not given.
RATE = 0.01

#: Inputs of the network, whatever its width.
HIDDEN_INPUTS = 64


class UnknownModelError(ValueError):
    """A kind of model that there is not, or a size that it cannot have."""


@dataclass(frozen=True)
class Case:
    """A model of one size with its data.

    Attributes
    ----------
    X : ndarray, shape (N, p)
        One example a row.
    labels : ndarray of int, shape (N,)
    make : callable
        From examples and labels, on any device, to the problem of them.
    parameters : callable
        From a number of inputs to the number of parameters.
    start : ndarray
        The weights to begin with.
    named : callable
        From weights to the classes that the model names for the rows of X.
    """

    X: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    make: Callable[[Any, np.ndarray], FiniteSum]
    parameters: Callable[[int], int]
    start: np.ndarray = field(repr=False)
    named: Callable[[np.ndarray], np.ndarray]

    def accuracy(self, x: np.ndarray) -> float:
        """The share of the examples that are named rightly."""
        return float(np.mean(self.named(x) == self.labels))

    def on(self, rows: np.ndarray, xp: Any) -> FiniteSum:
        """The mean loss of some examples, on the device of `xp`."""
        return self.make(xp.asarray(self.X[rows]), self.labels[rows])

    def live(self, rows: np.ndarray) -> int:
        """Parameters whose input is not zero in every one of these examples.

        The rows of the Hessian that belong to all the others vanish.
        """
        return self.parameters(int(np.count_nonzero(np.any(self.X[rows] != 0.0, axis=0))))


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Weights of variance 2 / (inputs + outputs)."""
    return np.asarray(rng.standard_normal(shape) * (2.0 / sum(shape)) ** 0.5)


def _softmax_inputs(data: str, d: int) -> int:
    width, rest = divmod(d, CLASSES)
    if rest or width < 2:
        raise UnknownModelError(f"softmax: d = {d} is not 10 (p + 1) with p >= 1 inputs")
    return width - 1


def _softmax(data: str, d: int, examples: int, rng: np.random.Generator) -> Case:
    """Softmax regression on d / 10 inputs, of which one is the constant 1."""
    width = _softmax_inputs(data, d) + 1
    X, labels = inputs(data, width - 1, examples, rng)
    X = np.column_stack([X, np.ones(len(X))])
    return Case(
        X,
        labels,
        lambda some, names: SoftmaxRegression(some, names, CLASSES),
        lambda columns: CLASSES * columns,
        _normal(rng, (width, CLASSES)).ravel(),
        lambda x: np.asarray(np.argmax(X @ x.reshape(width, CLASSES), axis=1)),
    )


#: Parameters of a hidden unit.
_EACH = HIDDEN_INPUTS + 1 + CLASSES


def _two_layer_inputs(data: str, d: int) -> int:
    if data == QUADRATIC:
        raise UnknownModelError("two-layer: its inputs are 64 numbers or 64 pixels")
    hidden, rest = divmod(d - CLASSES, _EACH)
    if rest or hidden < 1:
        raise UnknownModelError(f"two-layer: d = {d} is not 75 h + 10 with h >= 1 hidden units")
    return HIDDEN_INPUTS


def _two_layers(data: str, d: int, examples: int, rng: np.random.Generator) -> Case:
    """A network 64-h-10 with tanh; d = 75 h + 10."""
    hidden = (d - CLASSES) // _EACH
    X, labels = inputs(data, HIDDEN_INPUTS, examples, rng)
    first = _normal(rng, (HIDDEN_INPUTS, hidden))
    second = _normal(rng, (hidden, CLASSES))
    cut = (HIDDEN_INPUTS + 1) * hidden

    def named(x: np.ndarray) -> np.ndarray:
        A, B = x[:cut].reshape(-1, hidden), x[cut:].reshape(-1, CLASSES)
        return np.asarray(np.argmax(np.tanh(X @ A[:-1] + A[-1]) @ B[:-1] + B[-1], axis=1))

    parts = (first.ravel(), np.zeros(hidden), second.ravel(), np.zeros(CLASSES))
    return Case(
        X,
        labels,
        lambda some, names: TwoLayerNetwork(some, names, hidden, classes=CLASSES),
        lambda columns: (columns + 1) * hidden + (hidden + 1) * CLASSES,
        np.concatenate(parts),
        named,
    )


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes
    ----------
    inputs : callable
        From the data's name and the number of parameters to the number of inputs; it refuses what
        the model cannot have with an :class:`UnknownModelError`, and makes nothing.
    make : callable
        From data, number of parameters, number of random examples and a generator to the model.
    """

    inputs: Callable[[str, int], int]
    make: Callable[[str, int, int, np.random.Generator], Case]


#: The kinds by their names.
MODELS: dict[str, Kind] = {
    "softmax": Kind(_softmax_inputs, _softmax),
    "two-layer": Kind(_two_layer_inputs, _two_layers),
}


def check_model(kind: str, data: str, d: int, examples: int) -> None:
    """Refuse what :func:`model` refuses, without making anything.

    Raises
    ------
    UnknownModelError
        For an unknown kind, a size that it cannot have, or data that there are not.
    """
    if kind not in MODELS:
        raise UnknownModelError(f"model {kind!r}: not one of {', '.join(MODELS)}")
    wanted = MODELS[kind].inputs(data, d)
    try:
        check_features(data, wanted, examples)
    except ValueError as error:
        raise UnknownModelError(f"{kind}: d = {d}: {error}") from None


def model(kind: str, data: str, d: int, examples: int, rng: np.random.Generator) -> Case:
    """The model of a kind with `d` parameters.

    Raises
    ------
    UnknownModelError
        For an unknown kind, a size that it cannot have, or data that there are not.
    """
    check_model(kind, data, d, examples)
    return MODELS[kind].make(data, d, examples, rng)


@dataclass(frozen=True)
class Trained:
    """Weights at points of a training run.

    Attributes
    ----------
    weights : dict of ndarray
        By the name of the point; the start alone where the goal was not reached.
    accuracies : dict of float
        Over all examples, likewise.
    steps : int
        Until the goal, or all that were allowed.
    """

    weights: Mapping[str, np.ndarray]
    accuracies: Mapping[str, float]
    steps: int


def trained(case: Case, batch: int, steps: int, rng: np.random.Generator) -> Trained:
    """RMSProp on batches until the training accuracy is 90%, or for so many steps.

    Half-way is after half of the steps that it took.
    """
    path = [case.start]

    def look(seen: OptimizeResult) -> None:
        path.append(np.array(seen.x))
        if case.accuracy(seen.x) >= GOAL:
            raise StopIteration

    method = tralgos.RMSProp(rate=RATE, batch=batch)
    problem = case.make(case.X, case.labels)
    tralgos.minimize(problem, case.start, method, gtol=0.0, maxiter=steps, callback=look, rng=rng)
    last = len(path) - 1
    points = {START: path[0]}
    if case.accuracy(path[-1]) >= GOAL:
        points |= {HALF: path[last // 2], NINETY: path[-1]}
    return Trained(points, {name: case.accuracy(x) for name, x in points.items()}, last)
