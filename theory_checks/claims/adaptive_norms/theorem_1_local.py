"""One point of a run of Algorithm 1: the function near it, its approximations, what is tried.

L(w) = sum_i g_i w_i + h_i w_i^2/2 + c_i |w_i|^3/6 near w = 0, whose Hessian is Lipschitz with
max |c_i|. Farther away it may be bent to be bounded below: no step leads there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Instance
from theory_checks.claims.adaptive_norms.algorithm_1 import (
    Algorithm,
    Model,
    Run,
    exact_step,
    fixed,
    many_digits,
    rmsprop,
    run,
)
from theory_checks.claims.adaptive_norms.theorem_1_constants import Constants
from theory_checks.precise import Real, exact, real, reals, sum_of_squares

__all__ = [
    "algorithm_of",
    "constants_of",
    "drawn",
    "fewer_dimensions",
    "is_proper",
    "local",
    "local_run",
    "spread",
    "tolerances",
    "used_gradient",
]

#: Lists with one entry a coordinate.
_LISTS = ("gradient", "hessian", "third", "gradient error", "hessian error", "norm")


@dataclass(frozen=True)
class _Point:
    """The function."""

    slope: list[Real]
    bend: list[Real]
    third: list[Real]

    def value(self, w: Sequence[Real]) -> Real:
        """Return L(w)."""
        return sum(
            x * (g + x * h / 2) + c * abs(x) ** 3 / 6
            for x, g, h, c in zip(w, self.slope, self.bend, self.third, strict=True)
        )

    def gradient(self, w: Sequence[Real]) -> list[Real]:
        """Return the gradient."""
        return [
            g + h * x + c * x * abs(x) / 2
            for x, g, h, c in zip(w, self.slope, self.bend, self.third, strict=True)
        ]

    def hessian(self, w: Sequence[Real]) -> list[list[Real]]:
        """Return the Hessian."""
        bends = [h + c * abs(x) for x, h, c in zip(w, self.bend, self.third, strict=True)]
        n = len(bends)
        return [[bends[i] if i == j else 0 * bends[i] for j in range(n)] for i in range(n)]


def local(
    gradient: list[float],
    hessian: list[float],
    *,
    third: list[float] | None = None,
    errors: tuple[list[float], list[float]] | None = None,
    norm: list[float] | None = None,
    **changed: float | str,
) -> Instance:
    """Return an instance: exact, in the Euclidean norm, eta = nu = 1/2, unless said otherwise."""
    zeros = [0.0] * len(gradient)
    first, second = errors or (zeros, zeros)
    cubic = third or zeros
    return {
        "gradient": gradient,
        "hessian": hessian,
        "third": cubic,
        "gradient error": first,
        "hessian error": second,
        "rule": "fixed",
        "norm": norm or [1.0] * len(gradient),
        "beta": 0.5,
        "epsilon": 1.0,
        "lipschitz": max(abs(c) for c in cubic),
        "eps_g": 1.0,
        "eps_H": 1.0,
        "eta": 0.5,
        "nu": 0.5,
        "gamma": 2.0,
        "radius": 1.0,
        "side": "lower",
        "axis": 0,
        **changed,
    }


def is_proper(i: Instance) -> bool:
    """Whether the parameters are in their ranges."""
    lengths = {len(i[name]) for name in _LISTS}
    return (
        len(lengths) == 1
        and 0 not in lengths
        and all(a > 0 for a in i["norm"])
        and all(i[name] > 0 for name in ("eps_g", "eps_H", "radius", "epsilon"))
        and all(0 < i[name] < 1 for name in ("eta", "nu", "beta"))
        and i["gamma"] > 1
        and i["lipschitz"] >= 0
    )


def used_gradient(i: Instance) -> list[Fraction]:
    """g_t before line 4."""
    return [a + b for a, b in zip(exact(i["gradient"]), exact(i["gradient error"]), strict=True)]


def _is_curved(i: Instance) -> bool:
    return sum_of_squares(used_gradient(i)) <= Fraction(i["eps_g"]) ** 2


def _eigenvalues(i: Instance) -> tuple[Fraction, Fraction]:
    """Bounds on those of all A_t."""
    if i["rule"] == "fixed":
        diagonal = exact(i["norm"])
        return min(diagonal), max(diagonal)
    epsilon = Fraction(i["epsilon"])
    largest = 0 if _is_curved(i) else max(g * g for g in used_gradient(i))
    return epsilon, epsilon + largest


def spread(i: Instance) -> Fraction:
    """Kappa, the quotient of these."""
    low, high = _eigenvalues(i)
    return high / low


def tolerances(i: Instance) -> tuple[Fraction, Fraction]:
    """delta_g and delta_H of Assumption 1."""
    gap = 1 - Fraction(i["eta"])
    second = gap * Fraction(i["nu"]) * Fraction(i["eps_H"]) / 2
    return gap * Fraction(i["eps_g"]) / 4, min(second, Fraction(1))


def constants_of(i: Instance) -> Constants:
    """The constants at this point."""
    low, high = _eigenvalues(i)
    bends = [
        abs(h + e) for h, e in zip(exact(i["hessian"]), exact(i["hessian error"]), strict=True)
    ]
    return Constants(
        low,
        high,
        max(*bends, Fraction(i["eps_H"])),
        i["lipschitz"],
        i["eta"],
        i["nu"],
        i["eps_g"],
        i["eps_H"],
        i["gamma"],
        exact_gradient=not any(i["gradient error"]),
    )  # fmt: skip


def _approximate_eigenpoint(model: Model, axis: int, nu: Real) -> list[Real] | None:
    """Along an axis whose curvature is at most nu lambda_min; None where it is not."""
    n = len(model.gradient)
    values = [model.hessian[k][k] / model.diagonal[k] for k in range(n)]
    lowest = min(values)
    if not (lowest < 0 and values[axis] <= nu * lowest):
        return None
    length = model.radius / model.arithmetic.sqrt(model.diagonal[axis])
    return [length if k == axis else 0 * length for k in range(n)]


def local_run(i: Instance, algorithm: Algorithm, limit: int) -> Run:
    """Run an algorithm from the point, with the approximations of the instance."""
    context = many_digits()
    errors = reals(i["gradient error"]), reals(i["hessian error"])

    def approximations(
        t: int, gradient: list[Real], hessian: list[list[Real]]
    ) -> tuple[list[Real], list[list[Real]]]:
        first = [g + e for g, e in zip(gradient, errors[0], strict=True)]
        second = [
            [h + (errors[1][j] if j == k else 0) for k, h in enumerate(row)]
            for j, row in enumerate(hessian)
        ]
        return first, second

    rule = fixed(i["norm"])
    if i["rule"] == "rmsprop":
        rule = rmsprop(i["beta"], i["epsilon"])
    point = _Point(reals(i["gradient"]), reals(i["hessian"]), reals(i["third"]))
    start = [0.0] * len(i["gradient"])
    return run(algorithm, point, start, rule, context, limit=limit, approximations=approximations)


def algorithm_of(i: Instance, broken: dict[str, object]) -> Algorithm:
    """The algorithm of an instance, with the parts of a saboteur."""
    axis, nu = int(i["axis"]) % len(i["gradient"]), real(i["nu"])

    def step(model: Model) -> list[Real]:
        if not any(model.gradient):
            poorer = _approximate_eigenpoint(model, axis, nu)
            if poorer is not None:
                return poorer
        return exact_step(model)

    algorithm = Algorithm(
        i["eps_g"], i["eps_H"], i["eta"], i["gamma"], i["radius"], i["side"], step=step
    )
    return replace(algorithm, **broken)  # type: ignore[arg-type]


def fewer_dimensions(i: Instance) -> Iterable[Instance]:
    """Leave out one coordinate."""
    n = len(i["gradient"])
    for k in range(n if n > 1 else 0):
        yield {**i, **{name: [x for j, x in enumerate(i[name]) if j != k] for name in _LISTS}}


def drawn(*, amended: bool) -> SearchStrategy[Instance]:
    """Draw points whose errors are as large as is allowed, or parts of that."""
    steps = st.integers(-8, 8)

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        def of(values: SearchStrategy[float]) -> SearchStrategy[list[float]]:
            return st.lists(values, min_size=n, max_size=n)

        return st.fixed_dictionaries(
            {
                "gradient": of(st.one_of(st.just(0.0), steps.map(lambda k: k / 4))),
                "hessian": of(steps.map(lambda k: k / 2)),
                "third": of(st.one_of(st.just(0.0), steps.map(float))),
                "gradient error": of(st.one_of(st.just(0.0), steps.map(lambda k: k / 8 / n))),
                "hessian error": of(st.one_of(st.just(0.0), steps.map(lambda k: k / 8))),
                "rule": st.sampled_from(["fixed", "fixed", "rmsprop"]),
                "norm": of(st.sampled_from([1.0, 1.0, 4.0, 0.25, 1 / 64])),
                "beta": st.sampled_from([0.5, 0.75]),
                "epsilon": st.sampled_from([1.0, 0.25, 1 / 64]),
                "lipschitz": st.just(0.0),
                "eps_g": st.sampled_from([1.0, 0.5, 0.125]),
                "eps_H": st.sampled_from([1.0, 0.5, 0.125]),
                "eta": st.sampled_from([0.5, 0.25, 0.125, 0.75]),
                "nu": st.sampled_from([0.5, 0.75, 0.9375]),
                "gamma": st.sampled_from([2.0, 4.0, 1.5]),
                "radius": st.sampled_from([1.0, 4.0, 0.125, 64.0]),
                "side": st.just("lower") if amended else st.sampled_from(["plus", "minus"]),
                "axis": st.integers(0, n - 1),
            }
        )

    def with_errors(i: Instance) -> Instance:
        first, second = (float(x) for x in tolerances(i))
        shrunk = {**i, "lipschitz": max(abs(c) for c in i["third"])}
        if amended:
            # The spread of RMSProp's norm depends on the error: an upper end of it does.
            size = max(abs(g) for g in i["gradient"]) + first
            ratio = float(max(spread(i), 1 + Fraction(size) ** 2 / Fraction(i["epsilon"])))
            first, second = 0.999 * first / ratio**0.5, 0.999 * second / ratio
        shrunk["gradient error"] = [first * x for x in i["gradient error"]]
        shrunk["hessian error"] = [second * x for x in i["hessian error"]]
        return shrunk

    return st.integers(1, 3).flatmap(of_dimension).map(with_errors)
