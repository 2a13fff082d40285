"""Section 4.1 as a claim: sphere descent on random indefinite problems."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
from theory_checks.claims.efficient_tr.common import PAPER
from theory_checks.experiments.ensemble import ALPHA, LAMBDAS, Ensemble, interval, sample
from theory_checks.experiments.section_4_1 import (
    GLOBAL,
    LONGEST,
    PRINTED_LONGEST,
    Results,
    Run,
    descend,
    method_for,
    run_all,
)
from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.rates import factor

__all__ = ["claims"]


def _drawn(instance: Instance) -> Ensemble:
    return sample(int(instance["n"]), np.random.default_rng(int(instance["sample"])))


def _margins(instance: Instance, solve: Callable[[Ensemble, float], Run] = descend) -> Margins:
    problem = _drawn(instance)
    run = solve(problem, instance["lambda"])
    rises = np.diff(run.values)
    size = float(np.abs(problem.spectrum).max() + instance["lambda"])
    size += float(np.linalg.norm(problem.gradient))
    return {
        "q falls in every iteration": in_roundings(-float(rises.max(initial=0.0)), size),
        "ends at the global minimum": in_roundings(GLOBAL - run.gap, 1.0),
        "feasible": in_roundings(1.0 - run.norm, 1.0),
        "the certificate is no less than the gap": in_roundings(
            (run.certified - run.gap) * run.values[-1] * -1.0, size
        ),
    }


def _strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "n": st.integers(2, 24),
            "sample": st.integers(0, 10_000),
            "lambda": st.sampled_from(LAMBDAS),
        }
    )


def _of_wrong_sign(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, hessian=lambda p, x: -p.hessian(x))


def _too_soon(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, replace(method_for(problem), maxiter=3))


def _one_step_a_phase(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, replace(method_for(problem), variant="printed", N1=0, N2=1))


def _sabotage() -> tuple[Sabotage, ...]:
    def broken(name: str, solve: Callable[[Ensemble, float], Run]) -> Sabotage:
        return Sabotage(name, lambda instance: _margins(instance, solve))

    return (
        broken("H of the wrong sign", _of_wrong_sign),
        broken("stopped after three iterations", _too_soon),
        broken("one step a phase, as printed for training", _one_step_a_phase),
    )


def _edges() -> tuple[Instance, ...]:
    return tuple({"n": n, "sample": 1, "lambda": 10.0} for n in (2, 4, 12))


def _isolated(instance: Instance) -> bool:
    """Whether linear convergence, at the rate (lambda + lambda_1)/beta, comes to an end in time."""
    problem = _drawn(instance)
    shift = instance["lambda"]
    optimum = solve_in_eigenbasis((problem.spectrum - shift).tolist(), problem.slope.tolist())
    rate = problem.eta() * (float(optimum.multiplier) - shift)
    return bool(rate > 40.0 / LONGEST)


def _tail(run: Run, best: float) -> list[float]:
    """The relative gaps from a thousandth down to the solver's tolerance."""
    gaps = (run.values - best) / abs(best)
    below = int(np.argmax(gaps < 1e-3))
    return [float(gap) for gap in gaps[below:] if gap > 1e-11]


def _rate_figure(results: Results, seed: int) -> Figure:
    """The factor of the gap near the end, a geometric mean over lambda, and what is promised."""
    pairs = zip(results.runs, results.optima, strict=True)
    tails = [tail for tail in (_tail(run, best) for run, best in pairs) if len(tail) >= 3]
    tails = [tail for tail in tails if tail[0] >= 100 * tail[-1]]
    measured = factor(tails, np.random.default_rng([seed, 42]))
    promised = math.exp(float(np.mean(np.log(results.promised))))
    return Figure(
        "factor of the gap an iteration, near the end",
        measured.value,
        measured.low,
        measured.high,
        (0.0, promised),
        "asymptotically linear",
        (0.0, promised),
    )


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    results = run_all(level, seed)
    safe = [abs(run.gap) <= GLOBAL for run in results.runs]
    falls = [bool(np.all(np.diff(run.values) <= 1e-12)) for run in results.runs]
    printed = [run.gap for run in results.printed]
    certified = max(run.certified for run in results.runs)
    means = results.lengths.mean(axis=0)
    first, last = (interval(results.lengths[:, i].tolist()) for i in (0, -1))
    share, fall = float(np.mean(safe)), float(np.mean(falls))
    gap = max(run.gap for run in results.runs)
    explained = results.fit.explained
    falling = float(np.mean(np.diff(means) <= 0))
    n, one = f"n = {results.dimension}", (1.0, 1.0)
    return (
        Figure(
            "share of lambdas solved to 1e-8 of the decrease", share, share, share, one, "", one
        ),
        Figure("share of lambdas with q falling throughout", fall, fall, fall, one, "", one),
        Figure("worst relative gap, true", gap, gap, gap, (-1e-12, GLOBAL)),
        Figure("worst relative gap, certified", certified, certified, certified),
        Figure(
            f"worst relative gap of the printed form, {PRINTED_LONGEST} iterations",
            max(printed),
            min(printed),
            max(printed),
        ),
        _rate_figure(results, seed),
        Figure(f"t* at lambda = 10, {n}", *first),
        Figure(f"t* at lambda = 110, {n}", *last),
        Figure(
            "t* falls with lambda, share of steps in lambda",
            falling,
            falling,
            falling,
            one,
            "falling",
            one,
        ),
        Figure(
            "R^2 of the fit of (10)",
            explained,
            explained,
            explained,
            (0.9, 1.0),
            "the fit is drawn",
            (0.9, 1.0),
        ),
    )


def _section_4_1() -> Claim:
    printed = Form(
        "on H = BB' - lambda I the iterates stay inside for a few iterations, then on the "
        "sphere; q falls throughout and the end is the global minimum",
        r"H = BB^\top - \lambda I_n,\ B \in \mathbb{R}^{n\times(n-1)},\ B_{ij}, g_i \sim N(0,1)",
        (
            Condition(
                "ends in time",
                r"\eta(\lambda+\lambda_1) > 4\cdot 10^{-4}",
                _isolated,
                kept="It limits what is tried: each run is followed to its end.",
            ),
        ),
        _strategy,
        _margins,
        edges=_edges,
        sabotage=_sabotage(),
        effort=4,
    )
    return Claim(
        "efficient-tr/section-4-1",
        "sphere descent on random indefinite problems",
        PAPER,
        "Section 4.1, figure 1",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Run with tralgos.solve_trs(method=SphereDescent(...)), judged by an oracle that "
        "knows the spectrum. The paper gives no n, eta or alpha; here eta = 0.9/beta for the "
        f"largest beta, alpha = {ALPHA}. Over one decade of lambda no exponent is measured.",
        proof="docs/sphere-descent.md, 'The mend', for the method that is run.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_section_4_1(),)
