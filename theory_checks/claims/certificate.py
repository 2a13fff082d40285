"""The certificate's own claims: that its gap is one, and what the evidence is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
    Verdict,
    in_roundings,
)
from theory_checks.oracle import solve_in_eigenbasis
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


def _minimum(hessian: np.ndarray, instance: Instance) -> Real:
    """The minimum over ||s||_D <= r for this very float64 matrix, at fifty digits.

    With s = r D^{-1/2} u the problem is one on the unit ball; its matrix is
    diagonalised at fifty digits.
    """
    context = precise()
    n = len(hessian)
    radius = context.mpf(instance["radius"])
    roots = [context.sqrt(context.mpf(d)) for d in instance["norm"]]
    scaled = context.matrix(n, n)
    for i in range(n):
        for j in range(n):
            # Mirrored from one triangle, so that the matrix stays symmetric as rounded.
            low, high = min(i, j), max(i, j)
            entry = context.mpf(float(hessian[low, high])) / (roots[low] * roots[high])
            scaled[i, j] = radius**2 * entry
    slope = [radius * g / d for g, d in zip(reals(instance["gradient"]), roots, strict=True)]
    if all(scaled[i, j] == 0 for i in range(n) for j in range(i)):
        spectrum, turned = [scaled[i, i] for i in range(n)], slope
    else:
        values, basis = context.eigsy(scaled)
        spectrum = [values[i] for i in range(n)]
        turned = [dot([basis[i, j] for i in range(n)], slope) for j in range(n)]
    return solve_in_eigenbasis(
        [as_fraction(h) for h in spectrum], [as_fraction(g) for g in turned]
    ).value


def _value(hessian: np.ndarray, gradient: Sequence[float], step: Sequence[float]) -> Real:
    s = reals(step)
    rows = [reals(row) for row in hessian.tolist()]
    return dot(reals(gradient), s) + dot([dot(row, s) for row in rows], s) / 2


def _scale(hessian: np.ndarray, instance: Instance) -> float:
    """||H||_M r^2 + ||g||_{M^-1} r, from simple upper bounds."""
    weights = 1.0 / np.sqrt(np.array(instance["norm"]))
    size = float(np.linalg.norm(weights[:, None] * hessian * weights))
    slope = float(np.linalg.norm(weights * np.array(instance["gradient"])))
    return float(size * instance["radius"] ** 2 + slope * instance["radius"])


def _solved(instance: Instance) -> tuple[np.ndarray, tralgos.SubproblemResult, Real]:
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
    judged = hessian - instance["tampered"] * np.eye(len(hessian))
    excess = _value(judged, instance["gradient"], result.step.tolist()) - _minimum(judged, instance)
    return hessian, result, excess


def _gap_margins(instance: Instance) -> Margins:
    hessian, result, excess = _solved(instance)
    scale = _scale(hessian, instance)
    certificate = result.certificate
    promised = math.inf
    if result.status is tralgos.Status.GLOBAL:
        promised = 1e-8 * result.model_decrease
    weights = reals(instance["norm"])
    lengths = [w * s * s for w, s in zip(weights, reals(result.step.tolist()), strict=True)]
    reach = precise().sqrt(sum(lengths)) / instance["radius"]
    margins = {"gap >= true gap": in_roundings(certificate.gap - excess, scale, _ROUNDINGS)}
    # The printed descent may return what lies outside, and says so in its message.
    if instance["method"] != "the printed descent":
        margins["feasible"] = in_roundings(1 - reach, 1.0)
    if math.isfinite(promised):
        margins["GLOBAL means within rtol"] = in_roundings(promised - excess, scale, _ROUNDINGS)
    return margins


def _gap_ratio(instance: Instance) -> float | None:
    hessian, result, excess = _solved(instance)
    gap = result.certificate.gap
    if not excess > 1e-10 * _scale(hessian, instance) or not math.isfinite(gap):
        return None
    return float(excess) / gap


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
        ratio=_gap_ratio,
        effort=60,
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
        "float64 matrix itself at fifty digits.",
        proof="The Lagrangian is below q on the ball and has curvature at least mu.",
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


def _radau_terms(instance: Instance) -> tuple[Real, Real, Real]:
    """(true gap, Gauss-Radau bound, plain bound) of the k-th Lanczos step for A s = -g.

    With nu = mu the bound is attained when one eigenvalue is left unseen, and clusters
    lose many digits: at fifty the rounding can be larger than the slack.
    """
    with precise().workdps(_RADAU_DIGITS):
        return _radau_terms_at_precision(instance)


def _radau_terms_at_precision(instance: Instance) -> tuple[Real, Real, Real]:
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
    square = (betas[-1] * last) ** 2
    residual = basis[-1]
    true = square * sum(r * r / h for r, h in zip(residual, spectrum, strict=True)) / 2
    node = lower + betas[-1] ** 2 / _pivots(alphas, betas, lower)[-1]
    effective = node - betas[-1] ** 2 / pivots[-1]
    return true, square / (2 * effective), square / (2 * lower)


def _radau_margins(instance: Instance) -> Margins:
    true, bound, plain = _radau_terms(instance)
    return {
        "Gauss-Radau bound >= gap": in_roundings(bound - true, max(bound, true), 1e-6),
        "no worse than the plain bound": in_roundings(plain - bound, plain, 1e-6),
    }


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
        "H + lambda I > 0", r"H + \lambda I \succ 0", lambda i: min(i["eigenvalues"]) > 0
    )
    proper = Condition(
        "proper", r"g \ne 0,\ 1 \le k", lambda i: any(i["gradient"]) and i["steps"] >= 1
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
        ratio=lambda i: _quotient(_radau_terms(i)),
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
        proof="The Gauss-Radau rule with a node at nu overestimates the integral of 1/x, whose "
        "derivatives of odd order are negative, over a measure on [nu, infinity).",
    )


def _quotient(terms: tuple[Real, Real, Real]) -> float | None:
    true, bound, _ = terms
    return float(true / bound) if bound > 0 else None


def claims() -> tuple[Claim, ...]:
    """Return the certificate's claims."""
    return (_gap_claim(), _gauss_radau())
