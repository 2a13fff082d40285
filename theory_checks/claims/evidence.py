"""What the evidence of a certificate is worth, measured.

How often the probabilistic bound on the curvature fails, and how the Gauss-Radau
bound fares when the Lanczos recurrence runs in float64 and loses orthogonality.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import scipy.linalg
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
    Verdict,
    in_roundings,
)

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


def _excess(kind: str, n: int, seed: int, probability: float, budget: int | None) -> float:
    """By how much the claimed curvature of H exceeds the true one, over ||H||."""
    rng = np.random.default_rng([seed, 7])
    spectrum = _spectrum(kind, n, rng)
    bound = tralgos.curvature_bound(
        tralgos.operators.DiagonalOperator(spectrum),
        certify="probabilistic",
        failure_probability=probability,
        max_matvec=budget,
        rng=seed,
    )
    return (bound.lower - float(spectrum[0])) / float(np.abs(spectrum).max())


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
    return Figure(name, failures / trials, float(low), float(high), (0.0, limit))


def _failure_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    trials = _TRIALS * level.value
    return tuple(
        _failure_figure(probability, kind, n, budget, trials, seed)
        for probability, kind, n, budget in _SETTINGS
    )


def _curvature_margins(instance: Instance) -> Margins:
    excess = _excess(instance["spectrum"], int(instance["n"]), int(instance["sample"]), 1e-9, None)
    return {"the bound is below the curvature": in_roundings(-excess, 1.0)}


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
        (Condition("n >= 2", r"n \ge 2", lambda i: i["n"] >= 2),),
        _curvature_strategy,
        _curvature_margins,
        edges=_curvature_edges,
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
    )


# --- Gauss-Radau in float64 ---------------------------------------------------------


def _worst_radau_ratio(spectrum: np.ndarray, start: np.ndarray, steps: int, share: float) -> float:
    """max over k of true gap / bound, for Lanczos without reorthogonalisation in float64.

    Followed as long as the gap is above 1e-12 of the first, where the gap itself can
    be computed to a few digits; ||e||, the part of the residual that the recurrence
    does not know of, is added as the certificate does.
    """
    lower, exact = share * float(spectrum[0]), -start / spectrum
    size = float(np.linalg.norm(start))
    basis = [start / size]
    alphas: list[float] = []
    betas: list[float] = []
    worst, first_gap = 0.0, 0.5 * float(exact @ (spectrum * exact))
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
        gap = 0.5 * float((step - exact) @ (spectrum * (step - exact)))
        if gap < 1e-12 * first_gap:
            break
        residual = spectrum * step + start
        predicted = betas[-1] * weights[-1] * basis[-1]
        unknown = float(np.linalg.norm(residual - predicted))
        bound = _radau_bound(alphas, betas, float(weights[-1]), lower)
        bound = (math.sqrt(bound) + unknown / math.sqrt(2.0 * lower)) ** 2
        worst = max(worst, gap / bound)
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


def _rounding_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    figures = []
    for condition in (1e2, 1e4, 1e6):
        ratios = []
        for trial in range(3 * level.value if level is not Level.FULL else 60):
            rng = np.random.default_rng([seed, trial, int(condition)])
            spectrum = np.geomspace(1.0 / condition, 1.0, 80)
            ratios.append(_worst_radau_ratio(spectrum, rng.standard_normal(80), 320, 1.0 - 1e-3))
        name = f"largest gap over Gauss-Radau bound in float64, condition {condition:.0e}"
        figures.append(
            Figure(name, max(ratios), min(ratios), max(ratios), (0.0, 1.0 + 1e-6), "at most 1")
        )
    return tuple(figures)


def _rounding_margins(instance: Instance) -> Margins:
    rng = np.random.default_rng(int(instance["sample"]))
    n = int(instance["n"])
    spectrum = np.geomspace(10.0 ** -float(instance["decades"]), 1.0, n)
    start = rng.standard_normal(n)
    ratio = _worst_radau_ratio(spectrum, start, 4 * n, float(instance["share"]))
    return {"the bound is not below the gap": in_roundings(1.0 + 1e-6 - ratio, 1.0)}


def _gauss_radau_rounding() -> Claim:
    printed = Form(
        "without reorthogonalisation, in float64, the Gauss-Radau bound with the unknown part of "
        "the residual added, (sqrt(gap_GR) + ||e||/sqrt(2 nu))^2, still bounds the gap",
        r"q(s) - q^* \le \bigl(\sqrt{\mathrm{gap}_{GR}} + \|e\|/\sqrt{2\nu}\bigr)^2",
        (
            Condition("lower bound", r"0 < \nu < \mu", lambda i: 0 < i["share"] < 1),
            Condition("n >= 2", r"n \ge 2", lambda i: i["n"] >= 2 and 0 < i["decades"] <= 8),
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
    )


def claims() -> tuple[Claim, ...]:
    """Return the measured claims about evidence."""
    return (_curvature_probability(), _gauss_radau_rounding())
