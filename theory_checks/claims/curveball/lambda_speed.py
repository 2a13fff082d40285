"""How fast the rules for lambda lower it: a factor at every p-th step, and CurveBall's own runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
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
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.bulk import smallest
from theory_checks.claims.curveball.common import PAPER
from theory_checks.precise import Real, precise, real

__all__ = ["claims", "steps_of_a_run"]

#: The paper's factor, and its steps from one check to the next.
_FACTOR, _PERIOD = 0.999, 5

#: Who multiplies with the factor, and who with its power for all steps since the last check.
_RULES = ("printed", "authors")

#: Steps of CurveBall in one instance; checks that are looked at.
_LONGEST, _MOST_CHECKS = 60, 1400

#: h over lambda in the runs: above 2, so that the rule as printed lowers lambda at each check.
_OVER = 8.0


def _power(instance: Instance) -> int:
    return int(instance["period"]) if instance["rule"] == "authors" else 1


# --- by the rule ----------------------------------------------------------------------

#: lambda after a step from lambda before it, the number of the step and the instance.
Lowered = Callable[[Real, int, Instance], Real]


def _lowered(lam: Real, step: int, instance: Instance) -> Real:
    """Checked at every p-th step, and lowered at each check."""
    if step % int(instance["period"]):
        return lam
    return lam * real(instance["factor"]) ** _power(instance)


def _late(lam: Real, step: int, instance: Instance) -> Real:
    return _lowered(lam, step - 1, instance) if step > 1 else lam


def _often(lam: Real, step: int, instance: Instance) -> Real:
    return _lowered(lam, step, {**instance, "period": max(1, int(instance["period"]) - 1)})


def _raised(lam: Real, step: int, instance: Instance) -> Real:
    return lam * lam / _lowered(lam, step, instance)


def _twice(lam: Real, step: int, instance: Instance) -> Real:
    return _lowered(_lowered(lam, step, instance), step, instance)


def _walked(instance: Instance, lowered: Lowered) -> int | None:
    """The first step after which lambda is at most half of the first."""
    first, period = real(instance["lam"]), int(instance["period"])
    lam, most = first, period * _MOST_CHECKS
    for step in range(most):
        if lam <= first / 2:
            return step
        lam = lowered(lam, step + 1, instance)
    return None


def _checks(instance: Instance) -> int | None:
    """ceil(log 2/log(1/q)) of the factor q at a check; None where that is no number."""
    context = precise()
    factor = real(instance["factor"])
    if not 0 < factor < 1:
        return None
    return int(context.ceil(context.log(2) / -(context.log(factor) * _power(instance))))


# --- by a run -------------------------------------------------------------------------

#: lambda after 0, 1, ... steps of a method with this rule from this lambda.
Run = Callable[[str, float, int], list[float]]


def steps_of_a_run(rule: str, lam: float, steps: int) -> list[float]:
    """Lambda after 0, 1, ... steps of CurveBall on f(w) = -w with 8 lambda for a Hessian.

    f falls by more than the model says: gamma > 3/2 at each check of either rule.
    """
    problem = tralgos.problems.FunctionProblem(
        lambda x: -x[0],
        lambda x: np.array([-1.0]),
        hess=lambda x: np.array([[_OVER * lam]]),
        n=1,
    )
    method = tralgos.CurveBall(lam=lam, lam_rule=rule)  # type: ignore[arg-type]
    run = tralgos.minimize(problem, np.zeros(1), method, gtol=0.0, maxiter=steps + 1)
    # A row says which lambda its step was made with.
    return [row.detail["lam"] for row in run.trace if row.iteration > 0 and row.accepted]


def _run_margin(instance: Instance, run: Run) -> float:
    """Each lambda of the run against its closed form."""
    first, steps = instance["lam"], int(instance["steps"])
    seen, factor = run(instance["rule"], first, steps), real(_FACTOR)
    if len(seen) != steps + 1:
        return fact(False)
    power = _PERIOD if instance["rule"] == "authors" else 1
    wanted = [real(first) * factor ** (power * (k // _PERIOD)) for k in range(steps + 1)]
    # 0.999 is off by a rounding, a power of it by as many, and so is each product.
    return min(
        in_roundings(-abs(real(a) - b), b * (1 + _PERIOD * k))
        for k, (a, b) in enumerate(zip(seen, wanted, strict=True))
    )


def _is_the_papers(instance: Instance) -> bool:
    return bool(instance["factor"] == _FACTOR and instance["period"] == _PERIOD)


def _margins(instance: Instance, lowered: Lowered = _lowered, run: Run = steps_of_a_run) -> Margins:
    checks = _checks(instance)
    wanted = None if checks is None else int(instance["period"]) * checks
    found = _walked(instance, lowered)
    margins = {"p ceil(log 2/log(1/q)) steps": fact(wanted is not None and found == wanted)}
    if _is_the_papers(instance):
        paper = 695 if instance["rule"] == "authors" else 3465
        margins["the paper's: 695 or 3465"] = fact(found == paper)
        if instance["lam"] > 0:
            margins["tralgos: lambda after each step"] = _run_margin(instance, run)
    return margins


def _bound(instance: Instance) -> tuple[float, float] | None:
    """log 2/log(1/q) checks of p steps each, and the steps that it takes."""
    found = _walked(instance, _lowered)
    if found is None or not 0 < instance["factor"] < 1:
        return None
    each = -math.log(instance["factor"]) * _power(instance)
    return instance["period"] * math.log(2.0) / each, float(found)


# --- the claim ------------------------------------------------------------------------


def _sabotage() -> tuple[Sabotage, ...]:
    def walked(name: str, lowered: Lowered) -> Sabotage:
        return Sabotage(name, lambda i: _margins(i, lowered))

    def ran(name: str, run: Run) -> Sabotage:
        return Sabotage(name, lambda i: _margins(i, run=run))

    other = {"authors": "printed", "printed": "authors"}
    return (
        walked("a check a step late", _late),
        walked("a period of one less", _often),
        walked("raised, not lowered", _raised),
        walked("lowered twice", _twice),
        ran("the other factor in the run", lambda r, lam, k: steps_of_a_run(other[r], lam, k)),
        ran("a check at every step of the run", lambda r, lam, k: steps_of_a_run("gain", lam, k)),
        ran("a run with a fixed lambda", lambda r, lam, k: steps_of_a_run("fixed", lam, k)),
    )


def _instance(
    rule: str = "authors",
    lam: float = 1.0,
    *,
    factor: float = _FACTOR,
    period: int = _PERIOD,
    steps: int = 12,
) -> Instance:
    return {"lam": lam, "rule": rule, "factor": factor, "period": period, "steps": steps}


def _edges() -> Iterable[Instance]:
    # The paper's two initial lambdas, then one check that halves, and one that just does not.
    for rule in _RULES:
        for lam in (1.0, 10.0, 2.0**-30, 2.0**30):
            yield _instance(rule, lam)
        yield _instance(rule, factor=0.5, period=1)
        yield _instance(rule, factor=0.51, period=3)


def _strategy() -> SearchStrategy[Instance]:
    schedule = st.one_of(
        st.just((_FACTOR, _PERIOD)),
        st.tuples(st.integers(100, 999).map(lambda k: k / 1000), st.integers(1, 10)),
    )
    sizes = st.one_of(st.integers(1, 40).map(float), st.floats(-12.0, 12.0).map(lambda x: 10.0**x))
    drawn = st.tuples(sizes, st.sampled_from(_RULES), schedule, st.integers(1, 25))
    return drawn.map(lambda d: _instance(d[1], d[0], factor=d[2][0], period=d[2][1], steps=d[3]))


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    papers = rng.random(size) < 0.1
    return {
        "lam": 10.0 ** rng.uniform(-12.0, 12.0, size),
        "rule": rng.integers(0, len(_RULES), size),
        "factor": np.where(papers, _FACTOR, rng.integers(100, 1000, size) / 1000.0),
        "period": np.where(papers, _PERIOD, rng.integers(1, 11, size)),
        "steps": rng.integers(1, 26, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """lambda at most half of the first after so many checks, above it after one less."""
    power = xp.where(arrays["rule"] == _RULES.index("authors"), arrays["period"], 1)
    factor = arrays["factor"] ** power
    checks = xp.ceil(math.log(2.0) / -xp.log(factor) - 1e-12)
    lam, first = arrays["lam"] * factor**checks, arrays["lam"]
    return smallest(xp, 0.5 - lam / first, lam / factor / first - 0.5) + 1e-12


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    counts = {name: int(arrays[name][row]) for name in ("period", "steps")}
    numbers = {name: float(arrays[name][row]) for name in ("lam", "factor")}
    return {**numbers, **counts, "rule": _RULES[int(arrays["rule"][row])]}


def _whole(x: float, low: int, high: int) -> bool:
    return low <= x <= high and int(x) == x


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition(
            "lambda > 0",
            r"\lambda > 0",
            lambda i: 2.0**-200 <= i["lam"] <= 2.0**200,
            Dropped((_instance(lam=0.0),), note="0 is half of 0 at once."),
        ),
        Condition(
            "a factor below 1",
            r"0 < q < 1",
            lambda i: 0.01 <= i["factor"] <= 0.9995,
            Dropped(
                (_instance(factor=1.0, period=1), _instance("printed", factor=1.25, period=1)),
                note="lambda is then never halved. Below 0.01 and above 0.9995 none is tried.",
            ),
        ),
        Condition(
            "whole numbers",
            r"p \in \mathbb N",
            lambda i: _whole(i["period"], 1, 10) and _whole(i["steps"], 1, _LONGEST),
            kept="steps are counted; their sizes are a limit of what is tried",
        ),
    )


def _steps_to_half(rule: str, lam: float, most: int) -> tuple[float, float]:
    """Steps until lambda has halved, inf where it has not, and the last lambda over the first."""
    h = np.geomspace(1e-4, 1.0, 10)
    problem = tralgos.problems.quadratic_with_spectrum(h, rotation="none")
    method = tralgos.CurveBall(lam=lam, lam_rule=rule)  # type: ignore[arg-type]
    run = tralgos.minimize(problem, np.ones(10), method, gtol=0.0, maxiter=most)
    seen = [row.detail["lam"] for row in run.trace if row.iteration > 0 and row.accepted]
    return _first_half(seen), seen[-1] / lam


def _first_half(seen: list[float]) -> float:
    return float(next((k for k, lam in enumerate(seen) if lam <= seen[0] / 2), math.inf))


def _figure(name: str, value: float, expected: tuple[float, float], paper: str = "") -> Figure:
    return Figure(name, value, value, value, expected, paper, expected)


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    half, _ = _steps_to_half("authors", 100.0, 800)
    _, printed = _steps_to_half("printed", 100.0, 800)
    slow = _first_half(steps_of_a_run("printed", 1.0, 3500))
    return (
        Figure(
            "steps to half of lambda, authors",
            half,
            half,
            half,
            (695.0, 696.0),
            "0.999 at every fifth step",
            (695.0, math.inf),
        ),
        _figure("lambda after 800 steps over the first, printed", printed, (1.0, 1.0)),
        _figure("steps to half of lambda, printed, f(w) = -w", slow, (3465.0, 3465.0)),
    )


def _speed() -> Claim:
    printed = Form(
        "where every check lowers lambda, by a factor q at every p-th step, it is halved after "
        "p ceil(log 2/log(1/q)) steps: 695 with 0.999^5 at every fifth step, as the authors' code "
        "has it, 3465 with 0.999, as the text has it; and CurveBall lowers it so",
        r"\lambda_k = q^{\lfloor k/p \rfloor} \lambda_0,\quad "
        r"0.999^{695} < \tfrac12 < 0.999^{690}",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        screen=Screen(_drawn, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=30,
    )
    return Claim(
        "curveball/lambda-rule-speed",
        "how fast lambda falls",
        PAPER,
        "Section 3, automatic lambda",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="From lambda = 100 on a quadratic with a spectrum in [1e-4, 1] the authors' rule "
        "lowers it at every check and the one as printed at none. On f(w) = -w with a Hessian of "
        "8 lambda, where f falls by 1.8 times what the model says, both do at every check.",
        proof="docs/theory-curveball.md, the rule for lambda: log 2 / log(1/0.999) = 692.8, and "
        "checks come in fives.",
        ours="That no more than 0.999^5 at every fifth step takes 695 steps to halve lambda.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    return (_speed(),)
