"""The Gauss-Radau bound on the gap of a Lanczos step, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
from theory_checks.precise import Real, dot, norm, precise, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

_SOURCE = "beyond the papers"

#: Decimal digits for the Lanczos recurrence.
_RADAU_DIGITS = 200


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
        effort=80,
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
        proof="docs/certificate.md, Theorem 4. The Gauss-Radau rule with a node at nu "
        "overestimates the integral of 1/x, whose derivatives of odd order are negative, over a "
        "measure on [nu, infinity).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    return (_gauss_radau(),)
