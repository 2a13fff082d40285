"""The certificate's own claim: that its gap is an upper bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims import gauss_radau
from theory_checks.oracle import gradient_at, model, solve_in_eigenbasis
from theory_checks.precise import Real, as_fraction, dot, norm, precise, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

_SOURCE = "beyond the papers"

#: The methods whose steps are certified: exact ones, and ones that stop far from the optimum.
_METHODS: dict[str, Any] = {
    "direct": "direct",
    "krylov": "krylov",
    "steihaug": "steihaug",
    "three steps of descent": tralgos.SphereDescent(maxiter=3),
    "the printed descent": tralgos.SphereDescent(variant="printed", N1=2, N2=5),
}

#: Roundings of q's terms that the certificate may be off by.
_ROUNDINGS = 100.0


def _matrix(instance: Instance) -> np.ndarray:
    """The float64 matrix that the solver sees: a reflection of the spectrum, symmetrised."""
    mirror = np.array(instance["mirror"])
    if not mirror.any():
        return np.diag(instance["eigenvalues"])
    reflection = np.eye(len(mirror)) - 2.0 * np.outer(mirror, mirror) / (mirror @ mirror)
    full = reflection @ np.diag(instance["eigenvalues"]) @ reflection
    return np.asarray((full + full.T) / 2)


class _Ball:
    """The problem of an instance on the unit ball, in the eigenbasis, at fifty digits.

    With s = r D^{-1/2} u the region is the ball ||u|| <= 1; the matrix, made of this very
    float64 one, is diagonalised.
    """

    def __init__(self, hessian: np.ndarray, instance: Instance) -> None:
        context = precise()
        n = len(hessian)
        radius = context.mpf(instance["radius"])
        self._roots = [context.sqrt(context.mpf(d)) / radius for d in instance["norm"]]
        scaled = context.matrix(n, n)
        for i in range(n):
            for j in range(n):
                # Mirrored from one triangle, so that the matrix stays symmetric as rounded.
                low, high = min(i, j), max(i, j)
                entry = context.mpf(float(hessian[low, high]))
                scaled[i, j] = entry / (self._roots[low] * self._roots[high])
        slope = [g / d for g, d in zip(reals(instance["gradient"]), self._roots, strict=True)]
        self._basis = None
        self.spectrum = [scaled[i, i] for i in range(n)]
        if any(scaled[i, j] != 0 for i in range(n) for j in range(i)):
            values, self._basis = context.eigsy(scaled)
            self.spectrum = [values[i] for i in range(n)]
        self.slope = self._turned(slope)
        self.optimum = solve_in_eigenbasis(
            [as_fraction(h) for h in self.spectrum], [as_fraction(g) for g in self.slope]
        )

    def _turned(self, vector: list[Real]) -> list[Real]:
        if self._basis is None:
            return vector
        n = len(vector)
        return [dot([self._basis[i, j] for i in range(n)], vector) for j in range(n)]

    def step(self, step: Sequence[float]) -> list[Real]:
        """Return u of a step."""
        return self._turned([d * s for d, s in zip(self._roots, reals(step), strict=True)])

    def excess(self, step: Sequence[float]) -> Real:
        """Return the true gap q(s) - min q."""
        return model(self.spectrum, self.slope, self.step(step)) - self.optimum.value


def _scale(hessian: np.ndarray, instance: Instance) -> float:
    """||H||_M r^2 + ||g||_{M^-1} r, from simple upper bounds."""
    weights = 1.0 / np.sqrt(np.array(instance["norm"]))
    size = float(np.linalg.norm(weights[:, None] * hessian * weights))
    slope = float(np.linalg.norm(weights * np.array(instance["gradient"])))
    return float(size * instance["radius"] ** 2 + slope * instance["radius"])


#: From shift, residual, curvature and length, in the unit ball, to a bound on the gap.
GapBound = Callable[[Real, Real, Real, Real], Real]


def _theorem_1(shift: Real, residual: Real, curvature: Real, length: Real) -> Real:
    """The right side of (1), its maximum by (2)."""
    loss, reach = shift / 2 * (1 - length * length), 1 + length
    if curvature > 0 and residual <= curvature * reach:
        return loss + residual * residual / (2 * curvature)
    return loss + residual * reach - curvature / 2 * reach * reach


def _at_shift(ball: _Ball, step: list[Real], shift: Real, bound: GapBound) -> Real:
    """The bound on the gap of a step with this shift, and with the exact curvature."""
    shifted = [h + shift for h in ball.spectrum]
    residual = norm(gradient_at(shifted, ball.slope, step))
    return bound(shift, residual, min(shifted), norm(step))


def _solved(instance: Instance) -> tuple[np.ndarray, tralgos.SubproblemResult, _Ball]:
    hessian = _matrix(instance)
    result = tralgos.solve_trs(
        hessian,
        np.array(instance["gradient"]),
        instance["radius"],
        norm=tralgos.norms.DiagonalNorm(np.array(instance["norm"])),
        method=_METHODS[instance["method"]],
        certify=instance["evidence"],
        rng=0,
    )
    return hessian, result, _Ball(hessian - instance["tampered"] * np.eye(len(hessian)), instance)


def _gap_margins(instance: Instance, bound: GapBound = _theorem_1) -> Margins:
    hessian, result, ball = _solved(instance)
    scale, s = _scale(hessian, instance), result.step.tolist()
    excess, step = ball.excess(s), ball.step(s)
    margins = {"gap >= true gap": in_roundings(result.certificate.gap - excess, scale, _ROUNDINGS)}
    # The printed descent may return what lies outside, and says so in its message.
    if instance["method"] != "the printed descent":
        margins["feasible"] = in_roundings(1 - norm(step), 1.0)
        shifts = {"no shift": precise().mpf(0), "the multiplier": ball.optimum.multiplier}
        for name, shift in shifts.items():
            slack = _at_shift(ball, step, shift, bound) - excess
            margins[f"(1) with {name}"] = in_roundings(slack, scale, _ROUNDINGS)
    if result.status is tralgos.Status.GLOBAL:
        promised = 1e-8 * result.model_decrease
        margins["GLOBAL means within rtol"] = in_roundings(promised - excess, scale, _ROUNDINGS)
    return margins


def _gap_bound(instance: Instance) -> tuple[float, float] | None:
    """The true gap, and the certified one, where it is more than rounding."""
    hessian, result, ball = _solved(instance)
    excess, gap = ball.excess(result.step.tolist()), result.certificate.gap
    if not excess > 1e-10 * _scale(hessian, instance) or not math.isfinite(gap):
        return None
    return float(excess), float(gap)


def _gap_sabotage() -> tuple[Sabotage, ...]:
    broken: dict[str, GapBound] = {
        "no complementarity term": lambda s, r, c, length: _theorem_1(0 * s, r, c, length),
        "the wrong sign of mu": lambda s, r, c, length: _theorem_1(s, r, -c, length),
        "no residual": lambda s, r, c, length: _theorem_1(s, 0 * r, c, length),
    }

    def judged(bound: GapBound) -> Callable[[Instance], Margins]:
        return lambda instance: _gap_margins(instance, bound)

    return tuple(Sabotage(name, judged(bound)) for name, bound in broken.items())


#: Points on the circle that the screen holds a step against.
_POINTS = 32


def _gap_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {
        "eigenvalues": np.sort(rng.integers(-32, 33, (size, 2)) / 4.0, axis=1),
        "gradient": rng.integers(-32, 33, (size, 2)) / 4.0,
    }


def _gap_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(1) without a shift, for the Cauchy point and the best of some points of the circle."""
    h, g = arrays["eigenvalues"], arrays["gradient"]
    size = xp.sqrt(xp.sum(g**2, axis=1))
    moving = xp.where(size > 0, size, 1.0)
    curvature = xp.sum(h * g**2, axis=1) / moving**2
    inside = curvature > size
    length = xp.where(inside, size / xp.where(inside, curvature, 1.0), 1.0) * (size > 0)
    step = -g * (length / moving)[:, None]
    turns = 2 * xp.pi * xp.arange(_POINTS) / _POINTS
    circle = xp.stack([xp.cos(turns), xp.sin(turns)], axis=1)
    lowest = xp.min(g @ circle.T + h @ (circle.T**2) / 2, axis=1)
    excess = xp.sum(g * step + h * step**2 / 2, axis=1) - xp.minimum(lowest, 0.0)
    residual, mu, reach = xp.sqrt(xp.sum((h * step + g) ** 2, axis=1)), h[:, 0], 1 + length
    convex = (mu > 0) & (residual <= mu * reach)
    parabola = residual**2 / (2 * xp.where(convex, mu, 1.0))
    bound = xp.where(convex, parabola, residual * reach - mu / 2 * reach**2)
    scale = xp.max(xp.abs(h), axis=1) + size + 1e-300
    return (bound - excess) / scale + 1e-13


def _gap_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return _gap_instance(
        arrays["eigenvalues"][row].tolist(), arrays["gradient"][row].tolist(), "steihaug"
    )


def _gap_strategy() -> SearchStrategy[Instance]:
    weights = st.one_of(st.just(1.0), st.integers(1, 16).map(lambda k: k / 4))

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n).map(sorted),
                "gradient": vectors(n),
                "mirror": st.one_of(st.just([0.0] * n), vectors(n, 2.0)),
                "norm": st.lists(weights, min_size=n, max_size=n),
                "radius": st.sampled_from([1.0, 0.25, 4.0, 1e-3]),
                "method": st.sampled_from(list(_METHODS)),
                "evidence": st.sampled_from(["exact", "probabilistic"]),
                "tampered": st.just(0.0),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _gap_instance(
    eigenvalues: list[float],
    gradient: list[float],
    method: str = "direct",
    evidence: str = "exact",
    tampered: float = 0.0,
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "gradient": gradient,
        "mirror": [0.0] * len(eigenvalues),
        "norm": [1.0] * len(eigenvalues),
        "radius": 1.0,
        "method": method,
        "evidence": evidence,
        "tampered": tampered,
    }


def _gap_edges() -> Iterable[Instance]:
    for method in _METHODS:
        for eigenvalues, gradient in (
            ([-1.0], [0.0]),
            ([-1.0, 1.0], [0.0, 1.0]),
            ([-1.0, -1.0, 2.0], [0.0, 0.0, 1.0]),
            ([-1.0, 1.0], [1e-12, 1.0]),
            ([0.0, 1.0], [0.0, 0.5]),
            ([0.0, 0.0], [0.0, 0.0]),
            ([1e-8, 1.0], [1e-8, 1.0]),
        ):
            yield _gap_instance(eigenvalues, gradient, method)


def _gap_claim() -> Claim:
    printed = Form(
        "the certified gap is never below the true gap q(s) - min q, beyond the rounding of q's "
        "terms; a step with status GLOBAL is within rtol; the step is feasible (the printed "
        "descent's need not be)",
        r"q(s) - q^* \le \mathrm{gap} + c\,\varepsilon(\|H\|_M r^2 + \|g\|_{M^{-1}} r)",
        (
            Condition(
                "the problem that was solved",
                "the certificate is held against the H it was made for",
                lambda i: i["tampered"] == 0,
                Dropped(
                    (_gap_instance([1.0], [0.0], tampered=2.0),),
                    note="Held against H - 2I it is found wanting, so this check can fail.",
                ),
            ),
        ),
        _gap_strategy,
        _gap_margins,
        edges=_gap_edges,
        screen=Screen(_gap_draw, _gap_slack, _gap_row),
        bound=_gap_bound,
        sabotage=_gap_sabotage(),
        effort=50,
    )
    return Claim(
        "certificate/gap",
        "the certified gap is an upper bound",
        _SOURCE,
        "the certificate",
        Verdict.HOLDS,
        printed,
        notes="Steps of exact methods, of Steihaug's, and of descents stopped far from the "
        "optimum; dense and diagonal, Euclidean and ellipsoidal. The oracle diagonalises the "
        "float64 matrix itself at fifty digits. Besides the certificate of tralgos the bound (1) "
        "itself is checked at fifty digits, without a shift and with the true multiplier.",
        ours="An upper bound on the gap of any step, from its residual and the curvature.",
        proof="docs/certificate.md, Theorem 1: the Lagrangian is below q on the ball and has "
        "curvature at least mu.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the certificate's claims."""
    return (_gap_claim(), *gauss_radau.claims())
