"""What the Krylov claims share: instances made from their solutions, and the gap.

An instance has the eigenvalues a of A = H + lambda I >= 0, the solution s, and lambda:
then H = A - lambda I and g = -A s have s as a global minimiser over the ball of radius
||s||, with multiplier lambda, and of the cubic model with sigma = lambda/||s||. Each
problem whose solution is on the boundary is of that kind, the hard case included, and
the solution is known without error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import DECIDED, Condition, Dropped, Instance, in_roundings
from theory_checks.claims.krylov.space import Problem
from theory_checks.precise import Real, dot, norm, precise, real, reals

__all__ = [
    "PAPER",
    "PLACE",
    "Known",
    "at_most",
    "edges",
    "fewer_dimensions",
    "gap_of",
    "instance_of",
    "known",
    "meaningful",
    "nonzero_gradient",
    "positive_multiplier",
    "small_instances",
]

PAPER = "beyond the papers"

PLACE = "docs/krylov-rates.md"

#: What is below this share of ||g|| ||s|| + s'As is rounding, and no gap.
_FLOOR = 1e-30

#: Orders that are tried.
_LARGEST_ORDER = 400


def instance_of(
    curvatures: Iterable[float], step: Iterable[float], multiplier: float, t: int
) -> Instance:
    """Return the record of an instance."""
    return {
        "curvatures": list(curvatures),
        "step": list(step),
        "multiplier": multiplier,
        "t": t,
    }


@dataclass(frozen=True)
class Known:
    """A problem with its solution.

    Attributes
    ----------
    problem : Problem
    curvatures : list of Real
        a, the eigenvalues of H + lambda I.
    step : list of Real
        s*.
    multiplier : Real
        lambda.
    energy : Real
        s*'A s*/2 = q(0) - q(s*) - lambda ||s*||^2/2.
    """

    problem: Problem
    curvatures: list[Real]
    step: list[Real]
    multiplier: Real
    energy: Real

    @property
    def least(self) -> Real:
        """The smallest curvature, lambda_min + lambda."""
        return min(self.curvatures)

    @property
    def largest(self) -> Real:
        """The largest curvature, lambda_max + lambda."""
        return max(self.curvatures)

    @property
    def spread(self) -> Real:
        """lambda_max - lambda_min."""
        return self.largest - self.least

    @property
    def decrease(self) -> Real:
        """q(0) - q(s*) of the trust-region problem."""
        return self.energy + self.multiplier * self.problem.radius**2 / 2

    @property
    def cubic_decrease(self) -> Real:
        """f(0) - f(s*) of the cubic problem."""
        return self.energy + self.multiplier * self.problem.radius**2 / 6


def known(instance: Instance) -> Known:
    """Return the problem of an instance, at the precision in force."""
    a, s, lam = reals(instance["curvatures"]), reals(instance["step"]), real(instance["multiplier"])
    radius = norm(s)
    gradient = [-x * y for x, y in zip(a, s, strict=True)]
    problem = Problem([x - lam for x in a], gradient, radius, lam / radius)
    return Known(problem, a, s, lam, dot(a, [x * x for x in s]) / 2)


def gap_of(data: Known, step: list[Real], *, cubic: bool = False) -> Real:
    """Return q(step) - q(s*), or f(step) - f(s*) of the cubic problem, without cancellation.

    (s - s*)'A(s - s*)/2 + lambda (R^2 - ||s||^2)/2; the cubic one has, besides,
    sigma (||s|| - R)^2 (2 ||s|| + R)/6 in the place of the second term.
    """
    context = precise()
    error = [x - y for x, y in zip(step, data.step, strict=True)]
    bent = dot(data.curvatures, [e * e for e in error]) / 2
    # R^2 - ||s||^2 is as small as the error is, and is made from it.
    short = -dot(error, [x + y for x, y in zip(step, data.step, strict=True)])
    if not cubic:
        return bent + data.multiplier * short / 2
    radius, length = data.problem.radius, norm(step)
    off = context.mpf(-short) / (length + radius)
    return bent + data.problem.sigma * off**2 * (2 * length + radius) / 6


def at_most(data: Known, smaller: Real, larger: Real) -> float:
    """Return the margin of smaller <= larger, relative to the larger side."""
    context = precise()
    if context.isinf(larger):
        return DECIDED
    size = data.energy + data.multiplier * data.problem.radius**2
    return in_roundings(larger - smaller, abs(larger) + size * context.mpf(_FLOOR))


def _positive(record: Instance) -> bool:
    numbers = [*record["curvatures"], *record["step"], record["multiplier"]]
    sizes = [abs(x) for x in numbers if x != 0]
    spread = max(sizes, default=1.0) <= 1e9 and min(sizes, default=1.0) >= 1e-9
    return bool(
        spread
        and 1 <= len(record["curvatures"]) == len(record["step"])
        and min(record["curvatures"]) >= 0
        and record["multiplier"] >= 0
        and any(record["step"])
    )


def meaningful() -> Condition:
    """An instance is a problem with a global minimiser on the boundary."""
    return Condition(
        "a solved problem",
        r"A = H + \lambda I \succeq 0,\ \lambda \ge 0,\ A s^* = -g,\ s^* \ne 0,\ t \ge 1",
        lambda i: _positive(i) and 1 <= i["t"] <= _LARGEST_ORDER,
        kept="it says what s* and lambda are; sizes within 1e-9 and 1e9, so that fifty digits do",
    )


def nonzero_gradient(dropped: Dropped | None = None) -> Condition:
    """g != 0."""
    return Condition(
        "g != 0",
        r"g \ne 0",
        lambda i: any(a * s != 0 for a, s in zip(i["curvatures"], i["step"], strict=True)),
        dropped,
        kept="" if dropped else "with g = 0 there is no Krylov space",
    )


def positive_multiplier() -> Condition:
    """sigma = lambda/||s*|| > 0."""
    return Condition(
        "sigma > 0",
        r"\sigma = \lambda/\|s^*\| > 0",
        lambda i: bool(i["multiplier"] > 0),
        kept="without a cube it is another problem",
    )


def small_instances(largest: int = 5, *, interior: bool = False) -> SearchStrategy[Instance]:
    """Draw instances of up to `largest` dimensions, quarters first, sizes over six decades."""
    quarters = st.integers(0, 16).map(lambda k: k / 4)
    curvature = st.one_of(quarters, st.floats(-4.0, 2.0).map(lambda x: 10.0**x))
    entry = st.one_of(
        st.integers(-8, 8).map(lambda k: k / 4), st.floats(-4.0, 1.0).map(lambda x: 10.0**x)
    )

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "curvatures": st.lists(curvature, min_size=n, max_size=n).map(sorted),
                "step": st.lists(entry, min_size=n, max_size=n).filter(any),
                "multiplier": st.just(0.0) if interior else curvature,
                "t": st.one_of(st.integers(1, n), st.integers(1, 12)),
            }
        )

    return st.integers(1, largest).flatmap(of_dimension)


def edges() -> Iterable[Instance]:
    """Yield cases by construction: small, repeated, hard, without a multiplier, ill-conditioned."""
    for t in (1, 2, 12):
        yield instance_of([1.0], [1.0], 1.0, t)
        yield instance_of([1.0, 1.0], [1.0, 1.0], 2.0, t)
        yield instance_of([1.0, 4.0], [1.0, 0.5], 0.0, t)
        yield instance_of([1.0, 4.0], [1.0, 0.5], 2.0, t)
        yield instance_of([0.0, 1.0], [1.0, 1.0], 1.0, t)
        yield instance_of([1.0, 1.0, 2.0, 2.0], [1.0, 0.5, 1.0, 1.0], 1.5, t)
        yield instance_of([1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 1.0, 1.0], 2.0, t)
        yield instance_of([1.0, 10.0, 30.0, 100.0], [4.0, 1.0, 1.0, 1.0], 2.0, t)
        yield instance_of([0.01, 0.5, 1.0], [100.0, 2.0, 1.0], 0.5, t)
        yield instance_of([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], 0.0, t)
    # Many iterations for the broken algorithms, which need them to be found out.
    yield instance_of([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], 0.0, 40)
    yield instance_of([0.01, 0.5, 1.0], [100.0, 2.0, 1.0], 0.0, 40)
    yield instance_of([0.0025, 1.0], [1.0, 0.1], 0.0, 200)


def fewer_dimensions(instance: Instance) -> Iterable[Instance]:
    """Yield the instance without one of its dimensions, then with a smaller order."""
    for k in range(len(instance["step"])):
        if len(instance["step"]) > 1:
            kept = {
                key: [x for i, x in enumerate(instance[key]) if i != k]
                for key in ("curvatures", "step")
            }
            yield {**instance, **kept}
    if instance["t"] > 1:
        yield {**instance, "t": instance["t"] - 1}
