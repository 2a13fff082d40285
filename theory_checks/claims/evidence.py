"""How often the probabilistic bound on the curvature fails, measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.stats
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
from theory_checks.claims import gauss_radau_rounding

__all__ = ["claims"]

_SOURCE = "beyond the papers"

#: Trials at the quick level; the others multiply them.
_TRIALS = 200

#: The probabilities that are tried, and the spectrum and budget for each. Spectra with a
#: tail make the leftmost eigenvalue hard to see, and a small budget leaves it unseen.
_SETTINGS = (
    (0.3, "normal", 400, 60),
    (0.3, "uniform", 400, 60),
    (0.1, "normal", 400, 60),
    (0.02, "outlier", 400, 60),
)


def _spectrum(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "uniform":
        return np.asarray(np.sort(rng.uniform(-1.0, 1.0, n)))
    if kind == "normal":
        return np.asarray(np.sort(rng.standard_normal(n)))
    return np.sort(np.concatenate([[-1.25], rng.uniform(-1.0, 1.0, n - 1)]))


#: From the diagonal of H, a generator, the probability of failure and the products that may
#: be spent to a lower bound on the least of the diagonal.
Bound = Callable[[np.ndarray, int, float, int | None], float]


def _random_start(spectrum: np.ndarray, rng: int, probability: float, budget: int | None) -> float:
    bound = tralgos.curvature_bound(
        tralgos.operators.DiagonalOperator(spectrum),
        certify="probabilistic",
        failure_probability=probability,
        max_matvec=budget,
        rng=rng,
    )
    return bound.lower


def _excess(
    kind: str,
    n: int,
    seed: int,
    probability: float,
    budget: int | None,
    bound: Bound = _random_start,
) -> float:
    """By how much the claimed curvature of H exceeds the true one, over ||H||."""
    rng = np.random.default_rng([seed, 7])
    spectrum = _spectrum(kind, n, rng)
    lower = bound(spectrum, seed, probability, budget)
    if math.isinf(lower):
        return lower
    above = Fraction(lower) - Fraction(float(spectrum[0]))
    return float(above / Fraction(float(np.abs(spectrum).max())))


def _failure_figure(
    probability: float, kind: str, n: int, budget: int, trials: int, seed: int
) -> Figure:
    failures = sum(
        _excess(kind, n, seed + 7919 * trial, probability, budget) > 1e-12
        for trial in range(trials)
    )
    low = scipy.stats.beta.ppf(0.025, failures, trials - failures + 1) if failures else 0.0
    high = scipy.stats.beta.ppf(0.975, failures + 1, trials - failures)
    # Three standard deviations above what is promised.
    limit = probability + 3.0 * math.sqrt(probability * (1.0 - probability) / trials)
    name = f"failure rate, promised {probability:g}, {kind} spectrum, n = {n}, {trials} trials"
    return Figure(
        name, failures / trials, float(low), float(high), (0.0, limit), claimed=(0.0, probability)
    )


def _failure_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    trials = _TRIALS * level.value
    return tuple(
        _failure_figure(probability, kind, n, budget, trials, seed)
        for probability, kind, n, budget in _SETTINGS
    )


def _curvature_margins(instance: Instance, bound: Bound = _random_start) -> Margins:
    kind, n, sample = instance["spectrum"], int(instance["n"]), int(instance["sample"])
    excess = _excess(kind, n, sample, 1e-9, None, bound)
    return {"the bound is below the curvature": in_roundings(-excess, 1.0)}


def _curvature_sabotage() -> tuple[Sabotage, ...]:
    def of_a_gradient(spectrum: np.ndarray, rng: int, probability: float, budget: Any) -> float:
        # The Krylov space of a g without a part along the leftmost eigenvector is that of
        # the rest of the spectrum.
        return _random_start(spectrum[1:], rng, probability, budget)

    def ritz_value(spectrum: np.ndarray, rng: int, probability: float, budget: Any) -> float:
        # What twelve steps see, without the distance to what they may not have seen.
        start = np.random.default_rng(rng).standard_normal(len(spectrum))
        space = np.linalg.qr((spectrum[:, None] ** np.arange(min(12, len(spectrum)))).T * start)
        basis = np.linalg.qr(space[1].T)[0]
        return float(np.linalg.eigvalsh(basis.T @ (spectrum[:, None] * basis))[0])

    def beyond(spectrum: np.ndarray, rng: int, probability: float, budget: Any) -> float:
        lower = _random_start(spectrum, rng, probability, budget)
        return lower + 1e-2 * float(np.abs(spectrum).max())

    broken: dict[str, Bound] = {
        "a Krylov space of g for a random start": of_a_gradient,
        "the Ritz value for the bound": ritz_value,
        "a bound a hundredth above": beyond,
    }

    def judged(bound: Bound) -> Callable[[Instance], Margins]:
        return lambda instance: _curvature_margins(instance, bound)

    return tuple(Sabotage(name, judged(bound)) for name, bound in broken.items())


def _curvature_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "n": st.integers(2, 200),
            "sample": st.integers(0, 10_000),
            "spectrum": st.sampled_from(["uniform", "normal", "outlier"]),
        }
    )


def _curvature_edges() -> Iterable[Instance]:
    yield {"n": 2, "sample": 0, "spectrum": "outlier"}
    yield {"n": 200, "sample": 0, "spectrum": "uniform"}


def _curvature_probability() -> Claim:
    printed = Form(
        "the probabilistic bound on the curvature exceeds the true one with at most the stated "
        "probability (checked at 1e-9, where no failure is to be seen, and measured at larger)",
        r"P(\mu > \lambda_{\min}(H)) \le p",
        (
            Condition(
                "n >= 2",
                r"n \ge 2",
                lambda i: i["n"] >= 2,
                kept="for n = 1 the first product gives the eigenvalue",
            ),
        ),
        _curvature_strategy,
        _curvature_margins,
        edges=_curvature_edges,
        sabotage=_curvature_sabotage(),
        effort=30,
    )
    return Claim(
        "certificate/curvature-probability",
        "how often the probabilistic curvature bound fails",
        _SOURCE,
        "the certificate, evidence",
        Verdict.MEASURED,
        printed,
        measure=_failure_figures,
        notes="Clopper-Pearson intervals. The bound fails when the random start's component along "
        "the leftmost eigenvector is below the level that it assumes; it fails less often than "
        "that where the run ends early.",
        ours="The measured rate at which the bound fails, beside the stated probability.",
        proof="docs/certificate.md, Probabilistic: (11) and Theorem 5.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the measured claims about evidence."""
    return (_curvature_probability(), *gauss_radau_rounding.claims())
