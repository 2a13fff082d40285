"""What the evidence of a certificate is worth, measured.

How often the probabilistic bound on the curvature fails, and how the Gauss-Radau
bound fares when the Lanczos recurrence runs in float64 and loses orthogonality.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.linalg
import scipy.stats
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
from theory_checks.precise import dot, norm, reals

__all__ = ["claims"]

_SOURCE = "tralgos documentation"

#: Trials at the quick level; the others multiply them.
_TRIALS = 300

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


# --- Gauss-Radau in float64 ---------------------------------------------------------


#: From the recurrence, the last weight and nu to the bound of a step, without what it misses.
StepBound = Callable[[list[float], list[float], float, float], float]

#: How what the recurrence does not know of is added to the bound of a step.
Joined = Callable[[float, float, float], float]


def _added(bound: float, unknown: float, lower: float) -> float:
    return (math.sqrt(bound) + unknown / math.sqrt(2.0 * lower)) ** 2


def _float_gap(step: np.ndarray, spectrum: np.ndarray, start: np.ndarray) -> float:
    off = step + start / spectrum
    return 0.5 * float(off @ (spectrum * off))


def _precise_gap(step: np.ndarray, spectrum: np.ndarray, start: np.ndarray) -> float:
    """The same with many digits, of a step in float64."""
    values = reals(spectrum.tolist())
    sides = zip(reals(step.tolist()), reals(start.tolist()), values, strict=True)
    off = [s + g / h for s, g, h in sides]
    return float(dot(off, [h * x for h, x in zip(values, off, strict=True)]) / 2)


def _float_unknown(
    step: np.ndarray, spectrum: np.ndarray, start: np.ndarray, predicted: np.ndarray
) -> float:
    return float(np.linalg.norm(spectrum * step + start - predicted))


def _precise_unknown(
    step: np.ndarray, spectrum: np.ndarray, start: np.ndarray, predicted: np.ndarray
) -> float:
    columns = (reals(x.tolist()) for x in (step, spectrum, start, predicted))
    return float(norm([h * s + g - p for s, h, g, p in zip(*columns, strict=True)]))


@dataclass(frozen=True)
class _Judge:
    """How a run is judged: what the bound is, and in which arithmetic the truth is."""

    bound: StepBound
    joined: Joined = _added
    gap: Callable[..., float] = _float_gap
    unknown: Callable[..., float] = _float_unknown


def _worst_radau_ratio(
    spectrum: np.ndarray, start: np.ndarray, steps: int, share: float, judge: _Judge
) -> float:
    """max over k of true gap / bound, for Lanczos without reorthogonalisation in float64.

    Followed as long as the gap is above 1e-12 of the first; ||e||, the part of the residual
    that the recurrence does not know of, is added as the certificate does.
    """
    lower, size = share * float(spectrum[0]), float(np.linalg.norm(start))
    basis = [start / size]
    alphas: list[float] = []
    betas: list[float] = []
    worst, first_gap = 0.0, 0.5 * float(start @ (start / spectrum))
    for k in range(steps):
        image = spectrum * basis[k] - (betas[-1] * basis[k - 1] if k else 0.0)
        alphas.append(float(image @ basis[k]))
        image = image - alphas[-1] * basis[k]
        betas.append(float(np.linalg.norm(image)))
        if betas[-1] == 0.0:
            break
        basis.append(image / betas[-1])
        right = np.zeros(k + 1)
        right[0] = -size
        weights = scipy.linalg.solve_banded((1, 1), _banded(alphas, betas[:-1]), right)
        step = np.array(basis[:-1]).T @ weights
        gap = judge.gap(step, spectrum, start)
        if gap < 1e-12 * first_gap:
            break
        predicted = betas[-1] * weights[-1] * basis[-1]
        unknown = judge.unknown(step, spectrum, start, predicted)
        bound = judge.bound(alphas, betas, float(weights[-1]), lower)
        if bound <= 0.0:
            # Of a node above the spectrum: no bound at all.
            return math.inf
        worst = max(worst, gap / judge.joined(bound, unknown, lower))
    return worst


def _banded(alphas: list[float], betas: list[float]) -> np.ndarray:
    return np.array([[0.0, *betas], alphas, [*betas, 0.0]])


def _radau_bound(alphas: list[float], betas: list[float], last: float, lower: float) -> float:
    plain, shifted = alphas[0], alphas[0] - lower
    for alpha, beta in zip(alphas[1:], betas, strict=False):
        plain = alpha - beta * beta / plain
        shifted = alpha - lower - beta * beta / shifted
    square = betas[-1] ** 2
    effective = lower + square / shifted - square / plain
    return 0.5 * square * last * last / effective


_JUDGE = _Judge(_radau_bound)


def _rounding_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    figures = []
    for condition in (1e2, 1e4, 1e6):
        ratios = []
        for trial in range(3 * level.value if level is not Level.FULL else 60):
            rng = np.random.default_rng([seed, trial, int(condition)])
            spectrum = np.geomspace(1.0 / condition, 1.0, 80)
            ratios.append(
                _worst_radau_ratio(spectrum, rng.standard_normal(80), 320, 1.0 - 1e-3, _JUDGE)
            )
        name = f"largest gap over Gauss-Radau bound in float64, condition {condition:.0e}"
        figures.append(
            Figure(
                name,
                max(ratios),
                min(ratios),
                max(ratios),
                (0.0, 1.0 + 1e-6),
                "at most 1",
                claimed=(0.0, 1.0 + 1e-6),
            )
        )
    return tuple(figures)


def _rounding_margins(instance: Instance, judge: _Judge = _JUDGE) -> Margins:
    rng = np.random.default_rng(int(instance["sample"]))
    n = int(instance["n"])
    spectrum = np.geomspace(10.0 ** -float(instance["decades"]), 1.0, n)
    start = rng.standard_normal(n)
    ratio = _worst_radau_ratio(spectrum, start, 4 * n, float(instance["share"]), judge)
    return {"the bound is not below the gap": in_roundings(1.0 + 1e-6 - ratio, 1.0)}


def _rounding_confirmed(instance: Instance) -> Margins:
    """The same run in float64, its gaps and residuals with many digits."""
    judge = _Judge(_radau_bound, gap=_precise_gap, unknown=_precise_unknown)
    return _rounding_margins(instance, judge)


def _rounding_sabotage() -> tuple[Sabotage, ...]:
    def by_the_root(alphas: list[float], betas: list[float], last: float, lower: float) -> float:
        # The least eigenvalue that the recurrence has seen, for the curvature.
        seen = scipy.linalg.eigh_tridiagonal(alphas, betas[:-1], eigvals_only=True)[0]
        return 0.5 * (betas[-1] * last) ** 2 / float(seen)

    def half(alphas: list[float], betas: list[float], last: float, lower: float) -> float:
        return 0.5 * _radau_bound(alphas, betas, last, lower)

    broken = {
        "the least Ritz value for the curvature": _Judge(by_the_root),
        "half the bound": _Judge(half),
        "the node above": _Judge(
            lambda alphas, betas, last, lower: _radau_bound(alphas, betas, last, 1.5 * lower)
        ),
    }

    def judged(judge: _Judge) -> Callable[[Instance], Margins]:
        return lambda instance: _rounding_margins(instance, judge)

    return tuple(Sabotage(name, judged(judge)) for name, judge in broken.items())


def _gauss_radau_rounding() -> Claim:
    printed = Form(
        "without reorthogonalisation, in float64, the Gauss-Radau bound with the unknown part of "
        "the residual added, (sqrt(gap_GR) + ||e||/sqrt(2 nu))^2, still bounds the gap",
        r"q(s) - q^* \le \bigl(\sqrt{\mathrm{gap}_{GR}} + \|e\|/\sqrt{2\nu}\bigr)^2",
        (
            Condition(
                "lower bound",
                r"0 < \nu < \mu",
                lambda i: 0 < i["share"] < 1,
                Dropped(
                    ({"n": 8, "sample": 1, "decades": 2.0, "share": 1.5},),
                    note="A node above mu underestimates the gap, rounding or not.",
                ),
            ),
            Condition(
                "in reach",
                "n >= 2, a condition number of up to 1e8",
                lambda i: i["n"] >= 2 and 0 < i["decades"] <= 8,
                kept="a limit of what is tried: there the gap itself drowns in rounding",
            ),
        ),
        lambda: st.fixed_dictionaries(
            {
                "n": st.integers(2, 40),
                "sample": st.integers(0, 10_000),
                "decades": st.sampled_from([0.5, 1.0, 2.0, 4.0, 6.0]),
                "share": st.sampled_from([0.999, 0.9, 0.5, 0.1]),
            }
        ),
        _rounding_margins,
        confirm=_rounding_confirmed,
        sabotage=_rounding_sabotage(),
        effort=15,
    )
    return Claim(
        "certificate/gauss-radau-rounding",
        "the Gauss-Radau bound in floating point",
        _SOURCE,
        "the certificate, without further products",
        Verdict.MEASURED,
        printed,
        measure=_rounding_figures,
        notes="Geometric spectra, four times as many steps as dimensions, so that orthogonality "
        "is long lost. The ratio is to the bound that the certificate uses.",
        ours="That the bound survives the loss of orthogonality, as far as it was tried.",
        proof="No proof; docs/certificate.md, In finite precision, says what is known, and (10) "
        "how the unknown part of the residual is added.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the measured claims about evidence."""
    return (_curvature_probability(), _gauss_radau_rounding())
