"""How the Gauss-Radau bound fares in float64, where the recurrence loses orthogonality."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from hypothesis import strategies as st

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

_SOURCE = "beyond the papers"

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
                max(ratios),
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
    """Return the claim of this module."""
    return (_gauss_radau_rounding(),)
