"""Section 3.2, inside the ball: Lemma 4, Theorem 5, Lemma 6 and equation 10.

Plain gradient descent from z_0 = -alpha g/||g|| with eta < 1/beta, at fifty
digits. Each component has a closed form, but the iterates are run, so that the
oracle does not lean on the paper's algebra.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from typing import Literal

import numpy as np
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Claim, Condition, Dropped, Form, Instance, Margins, Verdict
from theory_checks.claim import in_roundings as in_units
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    assumption_1,
    assumption_2,
    descent_at_start,
    fewer_dimensions,
    first_component,
    negative_curvature,
    operator_norm,
    start,
    step_size,
)
from theory_checks.claims.efficient_tr.iterations import gradient_descent
from theory_checks.experiments.ensemble import fit_figures
from theory_checks.oracle import gradient_at
from theory_checks.precise import Real, dot, precise, reals
from theory_checks.strategies import fractions_of_one, problems

__all__ = ["claims"]

#: Iterations that Lemma 4 and Theorem 5 are followed for.
_FOLLOWED = 24

#: Iterations of phase I that are run at most.
_LONGEST = 400


def _instance(
    eigenvalues: list[float], gradient: list[float], alpha: float, fraction: float = 0.5
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "gradient": gradient,
        "alpha": alpha,
        "fraction": fraction,
    }


def _strategy() -> SearchStrategy[Instance]:
    return problems(4, alpha=fractions_of_one(), fraction=fractions_of_one())


def _iterates(instance: Instance, count: int) -> list[list[Real]]:
    run = gradient_descent(
        reals(instance["eigenvalues"]),
        reals(instance["gradient"]),
        start(instance),
        step_size(instance),
    )
    return list(islice(run, count))


def _edges() -> Iterable[Instance]:
    yield _instance([-1.0], [1.0], 0.5)
    yield _instance([0.5], [1.0], 0.5)
    yield _instance([-1.0, -1.0], [1.0, 1.0], 0.5, 0.99)
    yield _instance([-1.0, 0.0, 1.0], [1.0, 1.0, 1.0], 0.25, 0.99)
    yield _instance([-1.0, 8.0], [1e-4, 8.0], 0.9, 0.99)


# --- Lemma 4 ------------------------------------------------------------------------


def _lemma_4_terms(instance: Instance) -> list[tuple[Real, Real]]:
    """(z'H grad f, beta z' grad f) along the iterates."""
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    beta = precise().mpf(operator_norm(instance))
    terms = []
    for z in _iterates(instance, _FOLLOWED):
        gradient = gradient_at(spectrum, slope, z)
        bent = [h * x for h, x in zip(spectrum, z, strict=True)]
        terms.append((dot(bent, gradient), beta * dot(z, gradient)))
    return terms


def _lemma_4_margins(instance: Instance) -> Margins:
    margins = [
        in_units(left - right, abs(left) + abs(right), EXACT)
        for left, right in _lemma_4_terms(instance)
    ]
    return {"z'H grad f >= beta z' grad f": min(margins)}


def _lemma_4_ratio(instance: Instance) -> float | None:
    # Both sides are negative near the bound, so the ratio of left to right is at most 1.
    if len(instance["eigenvalues"]) == 1:
        return None
    return max((float(left / right) for left, right in _lemma_4_terms(instance) if right < 0))


def _flat_batch(rng: np.random.Generator, size: int) -> list[Instance]:
    """Screen starts: those where z_0' grad f(z_0) is largest come first."""
    dimension = int(rng.integers(1, 4))
    spectra = np.sort(rng.uniform(-4, 4, (size, dimension)), axis=1)
    slopes = rng.normal(size=(size, dimension)) * rng.exponential(1.0, (size, 1))
    alphas = rng.uniform(0.05, 0.95, size)
    curved = np.sum(spectra * slopes**2, axis=1)
    rise = alphas * curved - np.sum(slopes**2, axis=1) ** 1.5
    return [
        _instance(spectra[i].tolist(), slopes[i].tolist(), float(alphas[i]))
        for i in np.argsort(-rise)[:8]
    ]


def _followed_batch(
    kind: Literal["lemma 4", "theorem 5"],
) -> Callable[[np.random.Generator, int], list[Instance]]:
    """Screen runs from admitted starts in float64: the smallest slack comes first."""

    def screen(rng: np.random.Generator, size: int) -> list[Instance]:
        dimension = int(rng.integers(2, 6))
        spectra = np.sort(rng.uniform(-4, 4, (size, dimension)), axis=1)
        slopes = rng.normal(size=(size, dimension)) * 10.0 ** rng.uniform(-2, 1, (size, dimension))
        lengths = np.linalg.norm(slopes, axis=1)
        curved = np.sum(spectra * slopes**2, axis=1)
        # The longest admitted start is where the hypothesis is tight.
        limit = np.where(curved > 0, lengths**3 / np.maximum(curved, 1e-300), 1.0)
        alphas = np.minimum(0.999, limit) * rng.choice([1 - 1e-12, 0.9, 0.3], size)
        fractions = rng.uniform(0.05, 0.999, size)
        beta = np.max(np.abs(spectra), axis=1)
        eta = (fractions / beta)[:, None]
        z = -(alphas / lengths)[:, None] * slopes
        worst = np.full(size, np.inf)
        for _ in range(_FOLLOWED):
            gradient = spectra * z + slopes
            inward = np.sum(z * gradient, axis=1)
            left = np.sum(spectra * z * gradient, axis=1)
            if kind == "lemma 4":
                slack = (left - beta * inward) / (np.abs(left) + beta * np.abs(inward) + 1e-300)
            else:
                size_of_both = np.linalg.norm(z, axis=1) * np.linalg.norm(gradient, axis=1)
                slack = -inward / (size_of_both + 1e-300)
            worst = np.minimum(worst, slack)
            z = z - eta * gradient
        return [
            _instance(
                spectra[i].tolist(), slopes[i].tolist(), float(alphas[i]), float(fractions[i])
            )
            for i in np.argsort(worst)[:8]
        ]

    return screen


def _steep() -> tuple[Instance, ...]:
    return (_instance([1.0, 2.0], [0.25, 0.0], 0.5), _instance([-2.0, 1.0], [0.0, 0.25], 0.5))


def _lemma_4() -> Claim:
    text = "z_t' H grad f(z_t) >= beta z_t' grad f(z_t) along the iterates of gradient descent"
    tex = r"z_t^\top H \nabla f(z_t) \ge \beta z_t^\top \nabla f(z_t)"
    printed = Form(
        text,
        tex,
        (assumption_1(), assumption_2()),
        _strategy,
        _lemma_4_margins,
        edges=_edges,
        batch=_flat_batch,
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        f"{text}, if z_0' grad f(z_0) <= 0",
        rf"\alpha g^\top H g \le \|g\|^3 \implies {tex}",
        (
            assumption_1(Dropped((_instance([1.0, 2.0], [1.0, 1.0], 0.25, 2.5),))),
            assumption_2(),
            descent_at_start(Dropped(_steep())),
        ),
        _strategy,
        _lemma_4_margins,
        edges=_edges,
        batch=_followed_batch("lemma 4"),
        reduce=fewer_dimensions,
        ratio=_lemma_4_ratio,
        effort=80,
    )
    return Claim(
        "efficient-tr/lemma-4",
        "z'H grad f(z) >= beta z' grad f(z)",
        PAPER,
        "Lemma 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The proof's last step replaces lambda_{i*} by beta, which needs z' grad f <= 0; "
        "that is what Theorem 5 proves by induction, from Lemma 4, and the base case "
        "z_0' grad f(z_0) <= 0 is nowhere assumed. It reads alpha g'Hg <= ||g||^3 and fails "
        "for a steep H or a long start. For n = 1 both sides are equal whenever lambda1 >= 0.",
        proof="z_i (grad f)_i is a positive weight times (alpha lambda_i - ||g||) at the start: "
        "increasing in i, while beta - lambda_i decreases; Chebyshev's sum inequality gives "
        "the case t = 0, and the paper's induction the rest.",
    )


# --- Theorem 5 ----------------------------------------------------------------------


def _theorem_5_margins(instance: Instance) -> Margins:
    squares = [dot(z, z) for z in _iterates(instance, _FOLLOWED)]
    return {
        "the norm does not fall": min(
            in_units(after - before, before, EXACT) for before, after in pairwise(squares)
        )
    }


def _theorem_5() -> Claim:
    printed = Form(
        "as long as the iterates are those of plain gradient descent, ||z_t|| is increasing",
        r"\|z_{t+1}\| \ge \|z_t\|",
        (assumption_1(), assumption_2()),
        _strategy,
        _theorem_5_margins,
        edges=_edges,
        batch=_flat_batch,
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        "the same, if z_0' grad f(z_0) <= 0, that is alpha g'Hg <= ||g||^3",
        r"\alpha g^\top H g \le \|g\|^3 \implies \|z_{t+1}\| \ge \|z_t\|",
        (
            assumption_1(Dropped((_instance([-1.0, 2.0], [0.125, 4.0], 0.5, 2.5),))),
            assumption_2(),
            descent_at_start(
                Dropped(
                    (_instance([2.0], [0.25], 0.5), _instance([-0.125, 1.0], [0.0625, 0.5], 0.75)),
                    note="The second has lambda1 < 0 and g1 != 0: the case the paper is about.",
                )
            ),
        ),
        _strategy,
        _theorem_5_margins,
        edges=_edges,
        batch=_followed_batch("theorem 5"),
        reduce=fewer_dimensions,
        effort=80,
    )
    return Claim(
        "efficient-tr/theorem-5",
        "the norm increases in phase I",
        PAPER,
        "Theorem 5",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The induction has no base case: z_0' grad f(z_0) <= 0 is used and not assumed. "
        "Without it the norm can fall at once. A start with alpha <= ||g||/beta always has it. "
        "The unboundedness drawn from it needs lambda1 < 0 and g1 != 0 besides: for a positive "
        "definite H the iterates converge.",
        proof="||z+||^2 = ||z||^2 - 2 eta z' grad f + eta^2 ||grad f||^2, and z' grad f <= 0 is "
        "kept by the paper's (17) once it holds for z_0.",
    )


# --- Lemma 6 and equation 10 --------------------------------------------------------


def _phase_one_length(instance: Instance) -> int | None:
    """The t* with ||z_t*|| < 1 <= ||z_{t*+1}||; None when it does not come."""
    for t, z in enumerate(_iterates_until(instance)):
        if dot(z, z) >= 1:
            return t - 1
    return None


def _iterates_until(instance: Instance) -> Iterable[list[Real]]:
    run = gradient_descent(
        reals(instance["eigenvalues"]),
        reals(instance["gradient"]),
        start(instance),
        step_size(instance),
    )
    return islice(run, _LONGEST + 2)


def _bound_5(instance: Instance) -> float:
    """The right side of (5); NaN where a logarithm has no real value."""
    context = precise()
    eta, lowest = step_size(instance), context.mpf(instance["eigenvalues"][0])
    first = context.mpf(instance["gradient"][0])
    if first == 0 or lowest == 0:
        return math.nan
    w0 = -start(instance)[0] / (eta * first)
    top = 1 / (eta * abs(first)) - 1 / (eta * lowest)
    bottom = w0 - 1 / (eta * lowest)
    if top <= 0 or bottom <= 0 or 1 - eta * lowest <= 0:
        return math.nan
    return float((context.log(top) - context.log(bottom)) / context.log(1 - eta * lowest))


def _bound_10(instance: Instance) -> float:
    context = precise()
    depth = -context.mpf(instance["eigenvalues"][0])
    first = abs(context.mpf(instance["gradient"][0]))
    if first == 0 or depth <= 0:
        return math.nan
    return float(context.log1p(depth / first) / context.log1p(step_size(instance) * depth))


def _length_margin(instance: Instance, bound: float) -> Margins:
    reached = _phase_one_length(instance)
    if reached is None or math.isnan(bound):
        return {"phase I ends in time": -math.inf}
    return {"phase I ends in time": in_units(bound - reached, max(1.0, bound), EXACT)}


def _length_ratio(instance: Instance, bound: float) -> float | None:
    reached = _phase_one_length(instance)
    return None if reached is None or not bound > 0 else reached / bound


_RUNNABLE = Condition(
    "short enough to run",
    rf"bound at most {_LONGEST}",
    # A bound that is not defined is for the margins to judge.
    lambda i: not _bound_5(i) > _LONGEST,
)


def _lemma_6_edges() -> Iterable[Instance]:
    yield _instance([-1.0], [1.0], 0.5)
    yield _instance([-1.0], [2.0**-20], 2.0**-20, 0.125)
    yield _instance([-1.0, -1.0], [0.5, 0.5], 0.1)
    yield _instance([-1.0, 4.0], [2.0**-20, 1.0], 0.1)


def _finite_phase_conditions() -> tuple[Condition, ...]:
    opposite = _instance([-4.0], [1.0], -0.75)
    return (
        negative_curvature(
            Dropped((_instance([2.0], [1.0], 0.75),), note="The iterates converge inside.")
        ),
        first_component(
            Dropped((_instance([-1.0, 2.0], [0.0, 1.0], 0.5),), note="Phase I never ends.")
        ),
        assumption_1(
            Dropped(
                (_instance([-1.0, 2.0], [0.5, 0.5], 0.5, 1.5), _instance([-1.0], [0.1], 0.5, 9.0)),
                fails=False,
                note="Only the first component is used, so any eta > 0 does.",
            )
        ),
        assumption_2(
            Dropped((opposite,), note="A start beyond the saddle on the wrong side: w_0 < 0.")
        ),
        _RUNNABLE,
    )


def _lemma_6() -> Claim:
    printed = Form(
        "with lambda1 < 0 (and g1 != 0, the easy case of the whole section) the index t* with "
        "||z_t*|| < 1 <= ||z_{t*+1}|| exists and is at most [log(1/(eta|g1|) - 1/(eta lambda1)) - "
        "log(w_0 - 1/(eta lambda1))] / log(1 - eta lambda1), w_0 = -z_0^(1)/(eta g1)",
        r"t^* \le \frac{\log(\frac1{\eta|g^{(1)}|}-\frac1{\eta\lambda_1})"
        r"-\log(w_0-\frac1{\eta\lambda_1})}{\log(1-\eta\lambda_1)}",
        _finite_phase_conditions(),
        _strategy,
        lambda i: _length_margin(i, _bound_5(i)),
        edges=_lemma_6_edges,
        reduce=fewer_dimensions,
        ratio=lambda i: _length_ratio(i, _bound_5(i)),
        effort=60,
    )
    return Claim(
        "efficient-tr/lemma-6",
        "phase I is finite",
        PAPER,
        "Lemma 6, eq. 5",
        Verdict.HOLDS,
        printed,
        notes="Strictly less, in fact. Attained in the limit for n = 1. The sentence after it, "
        "'after at most t* iterations the algorithm will reach phase II', is one short: it takes "
        "t* + 1. With a repeated lambda1 the bound holds for each of its eigenvectors; the one "
        "along g's part in the eigenspace gives the smallest.",
        proof="w_t - 1/(eta lambda1) = (1 - eta lambda1)^t (w_0 - 1/(eta lambda1)) and "
        "eta |g1| w_t* = |z_t*^(1)| <= ||z_t*|| < 1.",
    )


def _eq_10() -> Claim:
    printed = Form(
        "with the start's part left out, t* <= log(1 + lambda/|g1|) / log(1 + eta lambda), "
        "lambda = -lambda1; its shape fits the measured lengths and the bound is 'quite accurate'",
        r"t^* \le \frac{\log(1+\lambda/|g^{(1)}|)}{\log(1+\eta\lambda)} = "
        r"\frac{\log(1+c_1\lambda)}{\log(1+c_2\lambda)}",
        (
            negative_curvature(),
            first_component(),
            assumption_1(),
            assumption_2(Dropped((_instance([-4.0], [1.0], -0.25),))),
            _RUNNABLE,
        ),
        _strategy,
        lambda i: _length_margin(i, _bound_10(i)),
        edges=_lemma_6_edges,
        reduce=fewer_dimensions,
        ratio=lambda i: _length_ratio(i, _bound_10(i)),
        effort=40,
    )
    return Claim(
        "efficient-tr/eq-10",
        "the length of phase I against lambda",
        PAPER,
        "eq. 10",
        Verdict.MEASURED,
        printed,
        measure=fit_figures,
        notes="The inequality is true: w_0 >= 0 was replaced by 0. As a prediction it is loose: "
        "the other components of g push the iterate out long before the first one does. The "
        "two-parameter shape fits well, but with a c2 of two to four times eta.",
        proof="(5) decreases in w_0, which is not negative under Assumption 2.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims about phase I."""
    return (_lemma_4(), _theorem_5(), _lemma_6(), _eq_10())
