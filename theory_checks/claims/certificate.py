"""The certificate's own claims: that its gap is one, and what the evidence is worth."""

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
from theory_checks.oracle import gradient_at, model, solve_in_eigenbasis
from theory_checks.precise import Real, as_fraction, dot, norm, precise, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

_SOURCE = "tralgos documentation"

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
        proof="docs/certificate.md, The gap bound: the Lagrangian is below q on the ball and has curvature at least mu.",
    )


#: Decimal digits for the Lanczos recurrence.
_RADAU_DIGITS = 200

# --- Gauss-Radau --------------------------------------------------------------------


def _lanczos(
    spectrum: Sequence[Real], start: Sequence[Real], steps: int
) -> tuple[list[Real], list[Real], list[list[Real]]]:
    """alpha_1..k, beta_1..k and the basis, in the eigenbasis, with reorthogonalisation."""
    size = norm(start)
    vectors_ = [[x / size for x in start]]
    alphas: list[Real] = []
    betas: list[Real] = []
    for k in range(steps):
        image = [h * x for h, x in zip(spectrum, vectors_[k], strict=True)]
        if k:
            image = [y - betas[-1] * x for y, x in zip(image, vectors_[k - 1], strict=True)]
        alphas.append(dot(image, vectors_[k]))
        image = [y - alphas[-1] * x for y, x in zip(image, vectors_[k], strict=True)]
        for earlier in vectors_:
            part = dot(image, earlier)
            image = [y - part * x for y, x in zip(image, earlier, strict=True)]
        betas.append(norm(image))
        # g seen by k eigenvalues alone: the space is invariant, and what is left of the
        # residual is rounding, of which nothing is claimed.
        if betas[-1] < max(spectrum) * precise().mpf(10) ** (-_RADAU_DIGITS // 2):
            betas[-1] = precise().mpf(0)
            break
        vectors_.append([y / betas[-1] for y in image])
    return alphas, betas, vectors_


def _pivots(alphas: Sequence[Real], betas: Sequence[Real], shift: Real) -> list[Real]:
    """The pivots of T_k - shift; the inverse of the last is the last entry of its inverse."""
    pivots = [alphas[0] - shift]
    for alpha, beta in zip(alphas[1:], betas, strict=False):
        pivots.append(alpha - shift - beta * beta / pivots[-1])
    return pivots


#: From nu, the square of the coupling and theta(nu) to the node that is appended.
Node = Callable[[Real, Real, Real], Real]


def _radau_node(lower: Real, coupling: Real, theta: Real) -> Real:
    return lower + coupling * theta


def _radau_terms(instance: Instance, node: Node = _radau_node) -> tuple[Real, Real, Real]:
    """(true gap, Gauss-Radau bound, plain bound) of the k-th Lanczos step for A s = -g.

    With nu = mu the bound is attained when one eigenvalue is left unseen, and clusters
    lose many digits: at fifty the rounding can be larger than the slack.
    """
    with precise().workdps(_RADAU_DIGITS):
        return _radau_terms_at_precision(instance, node)


def _radau_terms_at_precision(instance: Instance, node: Node) -> tuple[Real, Real, Real]:
    context = precise()
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    alphas, betas, basis = _lanczos(spectrum, slope, int(instance["steps"]))
    if betas[-1] == 0:
        zero = context.mpf(0)
        return zero, zero, zero
    lower = context.mpf(instance["share"]) * min(spectrum)
    pivots = _pivots(alphas, betas, context.mpf(0))
    # The last entry of T^-1 gamma e_1: gamma times the off-diagonals over the pivots.
    last = norm(slope) / pivots[0]
    for beta, pivot in zip(betas[:-1], pivots[1:], strict=True):
        last = -last * beta / pivot
    coupling = betas[-1] ** 2
    square = coupling * last**2
    true = square * sum(r * r / h for r, h in zip(basis[-1], spectrum, strict=True)) / 2
    appended = node(lower, coupling, 1 / _pivots(alphas, betas, lower)[-1])
    effective = appended - coupling / pivots[-1]
    return true, square / (2 * effective), square / (2 * lower)


def _radau_margins(instance: Instance, node: Node = _radau_node) -> Margins:
    true, bound, plain = _radau_terms(instance, node)
    return {
        "Gauss-Radau bound >= gap": in_roundings(bound - true, max(bound, true), 1e-6),
        "no worse than the plain bound": in_roundings(plain - bound, plain, 1e-6),
    }


def _radau_bound(instance: Instance) -> tuple[float, float] | None:
    """The true gap, and the Gauss-Radau bound on it."""
    true, bound, _ = _radau_terms(instance)
    return (float(true), float(bound)) if bound > 0 else None


def _radau_sabotage() -> tuple[Sabotage, ...]:
    broken: dict[str, Node] = {
        "the node on the wrong side": lambda nu, coupling, theta: -nu + coupling * theta,
        "the coupling subtracted": lambda nu, coupling, theta: nu - coupling * theta,
        "the root of the coupling": lambda nu, c, theta: nu + precise().sqrt(c) * theta,
        "twice the coupling": lambda nu, coupling, theta: nu + 2 * coupling * theta,
    }

    def judged(node: Node) -> Callable[[Instance], Margins]:
        return lambda instance: _radau_margins(instance, node)

    return tuple(Sabotage(name, judged(node)) for name, node in broken.items())


def _radau_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {
        "eigenvalues": np.sort(10.0 ** rng.uniform(-2.0, 2.0, (size, 3)), axis=1),
        "gradient": rng.integers(-8, 9, (size, 3)) / 4.0 + 1e-3,
        "share": np.where(rng.random(size) < 0.5, 1.0, rng.uniform(0.01, 1.0, size)),
    }


def _radau_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """After one step: between the true gap, the Gauss-Radau bound and the plain one."""
    h, g = arrays["eigenvalues"], arrays["gradient"]
    weights = g**2 / xp.sum(g**2, axis=1)[:, None]
    alpha = xp.sum(weights * h, axis=1)
    parts = weights * (h - alpha[:, None]) ** 2
    coupling, lower = xp.sum(parts, axis=1), arrays["share"] * h[:, 0]
    effective = lower + coupling / (alpha - lower) - coupling / alpha
    # All three over the square of the residual.
    true, bound, plain = xp.sum(parts / h, axis=1) / coupling, 1 / effective, 1 / lower
    return xp.minimum(bound - true, plain - bound) / plain + 1e-10


def _radau_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    vectors = {name: arrays[name][row].tolist() for name in ("eigenvalues", "gradient")}
    return {**vectors, "steps": 1, "share": float(arrays["share"][row])}


def _radau_strategy() -> SearchStrategy[Instance]:
    positive = st.one_of(
        st.integers(1, 32).map(lambda k: k / 4), st.floats(-4, 2).map(lambda x: 10.0**x)
    )

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": st.lists(positive, min_size=n, max_size=n).map(sorted),
                "gradient": vectors(n).filter(any),
                "steps": st.integers(1, n),
                "share": st.one_of(st.just(1.0), st.floats(0.01, 1.0)),
            }
        )

    return st.integers(2, 6).flatmap(of_dimension)


def _radau_instance(share: float) -> Instance:
    return {"eigenvalues": [1.0, 2.0, 4.0], "gradient": [1.0, 1.0, 1.0], "steps": 1, "share": share}


def _gauss_radau() -> Claim:
    definite = Condition(
        "H + lambda I > 0",
        r"H + \lambda I \succ 0",
        lambda i: min(i["eigenvalues"]) > 0,
        kept="without it no nu > 0 is a lower bound, and the energy is no norm",
    )
    proper = Condition(
        "proper",
        r"g \ne 0,\ 1 \le k",
        lambda i: any(i["gradient"]) and i["steps"] >= 1,
        kept="without it there is no Lanczos step",
    )
    lower = Condition(
        "lower bound",
        r"0 < \nu \le \mu",
        lambda i: 0 < i["share"] <= 1,
        Dropped((_radau_instance(1.25),), note="A node above mu underestimates the gap."),
    )
    printed = Form(
        "with mu_eff = a - b^2 e'(T+lambda)^-1 e, a = nu + b^2 e'(T+lambda-nu)^-1 e, the k-th "
        "Lanczos step's gap is at most ||rho||^2/(2 mu_eff), and mu_eff >= nu",
        r"\tfrac12\rho^\top(H+\lambda)^{-1}\rho \le \frac{\|\rho\|^2}{2\mu_{\mathrm{eff}}} \le "
        r"\frac{\|\rho\|^2}{2\nu}",
        (proper, definite, lower),
        _radau_strategy,
        _radau_margins,
        edges=lambda: (_radau_instance(1.0), _radau_instance(0.5)),
        screen=Screen(_radau_draw, _radau_slack, _radau_row),
        bound=_radau_bound,
        sabotage=_radau_sabotage(),
        effort=50,
    )
    return Claim(
        "certificate/gauss-radau",
        "the Gauss-Radau bound on the gap of a Lanczos step",
        _SOURCE,
        "the certificate, without further products",
        Verdict.HOLDS,
        printed,
        notes="In exact arithmetic, here at two hundred digits. What it is worth in float64 is "
        "measured in gauss-radau-rounding.",
        ours="The order of the three bounds, with a proof by Schur complements.",
        proof="docs/certificate.md, Theorem 4. The Gauss-Radau rule with a node at nu overestimates the integral of 1/x, whose "
        "derivatives of odd order are negative, over a measure on [nu, infinity).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the certificate's claims."""
    return (_gap_claim(), _gauss_radau())
