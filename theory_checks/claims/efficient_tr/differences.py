"""Section 4.2: Hessian-vector products by differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    EPS,
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
from theory_checks.claims.efficient_tr.common import PAPER
from theory_checks.precise import Real, dot, norm, precise, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

#: max |SReLU'''| alpha, taken at x = sqrt(alpha)/2.
_THIRD = 3 / 4 / 1.25**2.5


# --- the function: f(x) = sum_k SReLU(w_k' x) -----------------------------------------


def _gradient(instance: Instance, x: np.ndarray) -> np.ndarray:
    """The gradient in float64, as a program computes it."""
    weights = np.array(instance["weights"])
    inputs = weights @ x
    slopes = 0.5 * (inputs / np.sqrt(inputs**2 + instance["alpha"]) + 1.0)
    return np.asarray(slopes @ weights)


def _exact_product(instance: Instance) -> list[Real]:
    """Hv at fifty digits."""
    context = precise()
    alpha = context.mpf(instance["alpha"])
    point, direction = reals(instance["point"]), reals(instance["direction"])
    total = [context.mpf(0)] * len(point)
    for row in instance["weights"]:
        weights = reals(row)
        curvature = alpha / (2 * (dot(weights, point) ** 2 + alpha) ** (context.mpf(3) / 2))
        factor = curvature * dot(weights, direction)
        total = [s + factor * w for s, w in zip(total, weights, strict=True)]
    return total


def _gradient_error(instance: Instance) -> float:
    """A bound on the rounding of the gradient near x, that of x + eps v included.

    The input w'x carries a relative error of n + 1 roundings of |w|'|x|, which the
    curvature at most 1/(2 sqrt(alpha)) passes on; then a few roundings of a slope in
    (0, 1), and n of the sum.
    """
    weights = np.abs(np.array(instance["weights"]))
    reach = np.abs(np.array(instance["point"])) + np.abs(np.array(instance["direction"]))
    count, dimension = weights.shape
    inputs = (dimension + 2) * EPS * (weights @ reach)
    slopes = inputs / (2 * math.sqrt(instance["alpha"])) + 4 * EPS
    total = (slopes + count * EPS) @ weights
    return float(np.linalg.norm(total))


def _third_derivative(instance: Instance) -> float:
    """A bound on ||f'''|| anywhere."""
    sizes = np.linalg.norm(np.array(instance["weights"]), axis=1)
    return float(_THIRD / instance["alpha"] * np.sum(sizes**3))


def _best_step(instance: Instance) -> float:
    """eps that minimises eps L ||v||^2 / 2 + 2 delta / eps, rounded to a power of two."""
    size = float(np.linalg.norm(instance["direction"]))
    best = 2 * math.sqrt(_gradient_error(instance) / _third_derivative(instance)) / size
    return float(2.0 ** round(math.log2(best)))


def _error_bound(instance: Instance) -> float:
    """The bound at the best step; a factor of sqrt(2) off the optimum costs 1.07."""
    size = float(np.linalg.norm(instance["direction"]))
    optimum = 2 * math.sqrt(_gradient_error(instance) * _third_derivative(instance)) * size
    return 1.0607 * optimum


def _step(instance: Instance) -> float:
    return float(instance["epsilon"]) if instance["epsilon"] > 0 else _best_step(instance)


#: The product Hv, in float64, of an instance and a step: forward differences, or broken ones.
Quotient = Callable[[Instance, float], np.ndarray]


def _forward(instance: Instance, step: float) -> np.ndarray:
    x, v = np.array(instance["point"]), np.array(instance["direction"])
    return np.asarray((_gradient(instance, x + step * v) - _gradient(instance, x)) / step)


def _relative_error(instance: Instance, made: Quotient = _forward) -> tuple[float, float]:
    """(error of the difference quotient, norm of Hv)."""
    quotient = made(instance, _step(instance))
    product = _exact_product(instance)
    error = norm([q - p for q, p in zip(reals(quotient.tolist()), product, strict=True)])
    return float(error), float(norm(product))


def _difference_margins(instance: Instance) -> Margins:
    error, size = _relative_error(instance)
    return {"within one per cent": in_roundings(0.01 * size - error, size, 0.0)}


def _best_margins(instance: Instance, made: Quotient = _forward) -> Margins:
    error, size = _relative_error(instance, made)
    bound = _error_bound(instance)
    return {
        "within one per cent": in_roundings(0.01 * size - error, size, 0.0),
        "within the bound": in_roundings(bound - error, bound, 0.0),
    }


def _resolvable(instance: Instance) -> bool:
    bound = _error_bound(instance)
    return bound <= 0.01 * float(norm(_exact_product(instance)))


def _difference_strategy(smallest: float) -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        steps = st.floats(math.log(1e-20), math.log(1e-6)).map(math.exp)
        return st.fixed_dictionaries(
            {
                "weights": st.lists(vectors(n, 2.0).filter(any), min_size=1, max_size=3),
                "point": vectors(n, 4.0),
                "direction": vectors(n, 2.0).filter(any),
                "alpha": st.sampled_from([1.0, 0.25, 1e-2, 1e-4]),
                "epsilon": steps if smallest else st.just(0.0),
            }
        )

    return st.one_of([of_dimension(n) for n in range(1, 4)])


def _difference_instance(point: float, epsilon: float) -> Instance:
    return {
        "weights": [[1.0]],
        "point": [point],
        "direction": [1.0],
        "alpha": 1.0,
        "epsilon": epsilon,
    }


def _is_defined(instance: Instance) -> bool:
    rows = [*instance["weights"], instance["direction"]]
    return instance["alpha"] > 0 and all(any(row) for row in rows)


_DEFINED = Condition(
    "smooth",
    r"\alpha > 0,\ w_k \ne 0,\ v \ne 0",
    _is_defined,
    kept="Without it there is no Hessian, or nothing to multiply with.",
)

_WITHIN = Condition(
    "short step",
    r"\varepsilon \le 1,\ 10^{-30} < \alpha, |x|, |v|, |w_k| < 10^{30}",
    lambda i: _is_moderate(i) and _step(i) <= 1.0,
    kept="delta bounds the error of gradients no farther from x than v; squares have to fit.",
)


def _is_moderate(instance: Instance) -> bool:
    numbers = [instance["alpha"], *instance["point"], *instance["direction"]]
    numbers += [w for row in instance["weights"] for w in row]
    return all(1e-30 < abs(x) < 1e30 for x in numbers if x != 0)


# --- broken differences -------------------------------------------------------------


def _backwards(instance: Instance, step: float) -> np.ndarray:
    return -_forward(instance, step)


def _undivided(instance: Instance, step: float) -> np.ndarray:
    return _forward(instance, step) * step


def _far(instance: Instance, step: float) -> np.ndarray:
    return _forward(instance, 1024.0 * step)


def _in_single(instance: Instance, step: float) -> np.ndarray:
    x, v = np.array(instance["point"]), np.array(instance["direction"])
    after = _gradient(instance, x + step * v).astype(np.float32)
    return np.asarray((after - _gradient(instance, x).astype(np.float32)) / step, dtype=float)


def _sabotage() -> tuple[Sabotage, ...]:
    def broken(name: str, made: Quotient) -> Sabotage:
        return Sabotage(name, lambda instance: _best_margins(instance, made))

    return (
        broken("the wrong sign", _backwards),
        broken("not divided by epsilon", _undivided),
        broken("a step 1024 times the best", _far),
        broken("gradients in single precision", _in_single),
    )


# --- in bulk ------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    n = int(rng.integers(1, 4))
    return {
        "weights": rng.standard_normal((size, 2, n)),
        "point": rng.standard_normal((size, n)) * rng.choice([0.1, 1.0, 4.0], (size, 1)),
        "direction": rng.standard_normal((size, n)),
        "alpha": 10.0 ** rng.uniform(-3.0, 0.0, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - error/bound at the best step; 1 where the product is too small for one per cent."""
    weights, v, alpha = arrays["weights"], arrays["direction"][:, :, None], arrays["alpha"]
    n = weights.shape[2]

    def slopes(points: Any) -> Any:
        inputs = (weights @ points)[:, :, 0]
        return 0.5 * (inputs / xp.sqrt(inputs**2 + alpha[:, None]) + 1.0)

    def combined(rows: Any) -> Any:
        return xp.sum(rows[:, :, None] * weights, axis=1)

    x = arrays["point"][:, :, None]
    reach = (xp.abs(weights) @ (xp.abs(x) + xp.abs(v)))[:, :, 0]
    rounding = (n + 2) * EPS * reach / (2 * xp.sqrt(alpha))[:, None] + 4 * EPS
    total = xp.sum((rounding + 2 * EPS)[:, :, None] * xp.abs(weights), axis=1)
    delta = xp.sqrt(xp.sum(total**2, axis=1))
    third = _THIRD / alpha * xp.sum(xp.sum(weights**2, axis=2) ** 1.5, axis=1)
    size = xp.sqrt(xp.sum(v**2, axis=(1, 2)))
    step = 2.0 ** xp.round(xp.log2(2 * xp.sqrt(delta / third) / size))
    quotient = (combined(slopes(x + step[:, None, None] * v)) - combined(slopes(x))) / step[:, None]
    inputs, along = (weights @ x)[:, :, 0], (weights @ v)[:, :, 0]
    product = combined(alpha[:, None] / (2 * (inputs**2 + alpha[:, None]) ** 1.5) * along)
    error = xp.sqrt(xp.sum((quotient - product) ** 2, axis=1))
    bound = 1.0607 * 2 * xp.sqrt(delta * third) * size
    resolvable = bound <= 0.01 * xp.sqrt(xp.sum(product**2, axis=1))
    return xp.where(resolvable, 1.0 - error / bound, 1.0)


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {**{name: array[row].tolist() for name, array in arrays.items()}, "epsilon": 0.0}


def _hessian_vector_difference() -> Claim:
    resolvable = Condition(
        "resolvable",
        r"2.13\sqrt{\delta L}\,\|v\| \le 0.01\,\|Hv\|",
        _resolvable,
        Dropped(
            (_difference_instance(4096.0, 0.0),),
            note="Where SReLU is straight, Hv is below what float64 gradients can tell apart.",
        ),
    )
    small = Condition(
        "small epsilon", r"0 < \varepsilon \le 10^{-6}", lambda i: 0 < i["epsilon"] <= 1e-6
    )
    best = Condition(
        "best step",
        r"\varepsilon = 2\sqrt{\delta/L}/\|v\|",
        lambda i: i["epsilon"] == 0,
        Dropped(
            (_difference_instance(1.0, 1e-17), _difference_instance(1.0, 1.0)),
            note="Too short a step is lost in rounding, too long a one in the third derivative.",
        ),
    )
    printed = Form(
        "Hv = (grad f(x + eps v) - grad f(x))/eps, eps -> 0, with a relative error of at most 1% "
        "for every small eps, computed in float64 (f a sum of SReLUs)",
        r"\|\widehat{Hv} - Hv\| \le 0.01\,\|Hv\|,\quad \varepsilon \to 0",
        (_DEFINED, _WITHIN, small, Condition(resolvable.name, resolvable.text, resolvable.holds)),
        lambda: _difference_strategy(1e-20),
        _difference_margins,
        edges=lambda: (_difference_instance(0.5, 1e-8), _difference_instance(0.5, 1e-17)),
        effort=60,
    )
    amended = Form(
        "at the best step eps = 2 sqrt(delta/L)/||v|| (delta the error of a gradient, L a bound "
        "on the third derivative) the error is at most 2 sqrt(delta L) ||v||, 6% more for a step "
        "rounded to a power of two; within 1% wherever that is below 1% of ||Hv||",
        r"\|\widehat{Hv} - Hv\| \le \tfrac{\varepsilon}{2}L\|v\|^2 + \tfrac{2\delta}{\varepsilon}"
        r" = 2\sqrt{\delta L}\,\|v\|",
        (_DEFINED, _WITHIN, resolvable, best),
        lambda: _difference_strategy(0.0),
        _best_margins,
        edges=lambda: (_difference_instance(0.5, 0.0),),
        screen=Screen(_drawn, _slack, _row),
        bound=lambda i: (_relative_error(i)[0], _error_bound(i)),
        sabotage=_sabotage(),
        effort=80,
    )
    return Claim(
        "efficient-tr/hessian-vector-difference",
        "Hessian-vector products by differences, within one per cent",
        PAPER,
        "Section 4.2",
        Verdict.NEEDS,
        printed,
        amended,
        notes="In floating point eps -> 0 ends in 0/eps: the error is 100%. The best step is of "
        "the order of the square root of the precision.",
        proof="docs/theory-efficient-tr.md, 'Products by differences': Taylor's theorem, and each "
        "gradient off by delta; the minimum over eps of eps L ||v||^2/2 + 2 delta/eps.",
        ours="The error bound with constants that can be computed, and the step that minimises it.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_hessian_vector_difference(),)
