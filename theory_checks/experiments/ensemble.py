"""The random subproblems of Section 4.1: H = BB' - lambda I with n x (n-1) normal B.

BB' has a zero eigenvalue, so lambda_1 = -lambda, and lambda only shifts the
spectrum: one decomposition of BB' serves all lambda. Everything is kept in the
eigenbasis too, where the phase-I iteration costs O(n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from theory_checks.claim import Figure, Level

__all__ = [
    "LAMBDAS",
    "Ensemble",
    "Fit",
    "fit_figures",
    "fitted",
    "interval",
    "phase_one_lengths",
    "sample",
    "shape",
]

#: The values of lambda in the paper.
LAMBDAS = (10.0, 30.0, 50.0, 70.0, 90.0, 110.0)

#: The start's length: near the centre, since (10) is about a start at 0.
ALPHA = 0.1

#: The share of 1/beta that the step length takes.
SHARE = 0.9

#: Dimension and samples by level; the paper does not say which n it takes.
SIZES = {Level.QUICK: (50, 24), Level.STANDARD: (200, 40), Level.FULL: (500, 100)}

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Ensemble:
    """One sample of B and g.

    Attributes
    ----------
    gram : array, shape (n, n)
        BB'.
    gradient : array, shape (n,)
        g.
    spectrum : array, shape (n,)
        The eigenvalues of BB', ascending; the first is 0 up to rounding.
    slope : array, shape (n,)
        g in the eigenbasis.
    """

    gram: np.ndarray
    gradient: np.ndarray
    spectrum: np.ndarray
    slope: np.ndarray

    def hessian(self, shift: float) -> np.ndarray:
        """Return BB' - shift I."""
        return np.asarray(self.gram - shift * np.eye(len(self.gradient)))

    def eta(self) -> float:
        """Return one step length for all lambda: 0.9 over the largest ||H||."""
        largest = float(self.spectrum[-1])
        return SHARE / max(max(abs(largest - x), abs(x)) for x in (LAMBDAS[0], LAMBDAS[-1]))


def sample(dimension: int, rng: np.random.Generator) -> Ensemble:
    """Draw B and g with standard normal entries."""
    factor = rng.standard_normal((dimension, dimension - 1))
    gradient = rng.standard_normal(dimension)
    gram = factor @ factor.T
    spectrum, basis = np.linalg.eigh(gram)
    # Exactly singular by construction; what eigh gives there is rounding.
    spectrum[0] = 0.0
    return Ensemble(gram, gradient, spectrum, basis.T @ gradient)


def phase_one_lengths(problem: Ensemble, lambdas: Sequence[float]) -> np.ndarray:
    """Return t* for each lambda: ||z_t*|| < 1 <= ||z_{t*+1}||."""
    eta = problem.eta()
    spectra = problem.spectrum - np.asarray(lambdas)[:, None]
    z = np.tile(-ALPHA * problem.slope / np.linalg.norm(problem.slope), (len(lambdas), 1))
    lengths = np.zeros(len(lambdas))
    inside = np.ones(len(lambdas), dtype=bool)
    for t in range(100_000):
        z = z - eta * (spectra * z + problem.slope)
        inside &= np.linalg.norm(z, axis=1) < 1.0
        if not inside.any():
            break
        lengths[inside] = t + 1
    return lengths


def shape(lambdas: np.ndarray, first: float, second: float) -> np.ndarray:
    """Return log(1 + c1 lambda) / log(1 + c2 lambda)."""
    return np.asarray(np.log1p(first * lambdas) / np.log1p(second * lambdas))


@dataclass(frozen=True)
class Fit:
    """Constants of (10) fitted to lengths, and the share of the variance they explain."""

    first: float
    second: float
    explained: float


def fitted(lambdas: Sequence[float], lengths: np.ndarray, guess: tuple[float, float]) -> Fit:
    """Fit log(1 + c1 lambda)/log(1 + c2 lambda) by least squares in log c1, log c2."""
    x = np.asarray(lambdas, dtype=float)

    def residual(logs: np.ndarray) -> np.ndarray:
        return np.asarray(shape(x, math.exp(logs[0]), math.exp(logs[1])) - lengths)

    start = np.log(np.asarray(guess))
    bounds = (start - 25.0, start + 25.0)
    found = scipy.optimize.least_squares(residual, start, bounds=bounds)
    total = float(np.sum((lengths - np.mean(lengths)) ** 2))
    explained = 1.0 - 2.0 * float(found.cost) / total if total > 0.0 else 1.0
    return Fit(math.exp(found.x[0]), math.exp(found.x[1]), explained)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95% interval (normal, from the sample's deviation)."""
    data = np.asarray(values, dtype=float)
    mean = float(np.mean(data))
    half = _NORMAL_95 * float(np.std(data, ddof=1)) / math.sqrt(len(data)) if len(data) > 1 else 0.0
    return mean, mean - half, mean + half


def fit_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    """Measure how accurate equation 10 is on the paper's ensemble."""
    dimension, samples = SIZES[level]
    rng = np.random.default_rng([seed, 41])
    lambdas = np.asarray(LAMBDAS)
    ratios: list[float] = []
    all_lengths, first_ratios, second_ratios = [], [], []
    for _ in range(samples):
        problem = sample(dimension, rng)
        eta, component = problem.eta(), abs(float(problem.slope[0]))
        lengths = phase_one_lengths(problem, LAMBDAS)
        all_lengths.append(lengths)
        ratios.append(float(np.mean(lengths / shape(lambdas, 1 / component, eta))))
        fit = fitted(LAMBDAS, lengths, (1 / component, eta))
        first_ratios.append(math.log10(fit.first * component))
        second_ratios.append(math.log10(fit.second / eta))
    mean = np.mean(all_lengths, axis=0)
    overall = fitted(LAMBDAS, mean, (1.0, 0.9 / (4 * dimension)))
    n = f"n = {dimension}"
    return (
        Figure(f"t* over the bound (10), {n}", *interval(ratios), (0.0, 1.0), "quite accurate"),
        Figure(
            f"log10 of fitted c1 over 1/|g1|, {n}", *interval(first_ratios), None, "c1 = 1/|g1|"
        ),
        Figure(f"log10 of fitted c2 over eta, {n}", *interval(second_ratios), None, "c2 = eta"),
        Figure(
            f"R^2 of the fit to the mean lengths, {n}",
            overall.explained,
            overall.explained,
            overall.explained,
            (0.9, 1.0),
            "the fit is drawn",
        ),
    )
