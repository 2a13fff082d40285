"""Lemma 1: a preconditioned gradient step minimises the linear model in an ellipsoid.

Everything is rational. Of the points t p, t real, in the ellipsoid s'As <= r^2 the best has
the value -r |g'p| / sqrt(p'Ap), so that all directions p are compared by their squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
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
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    Matrix,
    applied,
    assorted,
    factored,
    inner_product,
    inverse_applied,
    matrix_norm,
    quarters,
    trace,
)
from theory_checks.precise import exact, precise, real

__all__ = ["claims"]


def _matrix(instance: Instance) -> Matrix:
    return factored(instance["factor"], instance["signs"])


def _pseudo_solution(matrix: Matrix, gradient: list[Fraction]) -> list[Fraction]:
    """A^-1 g; for a diagonal singular A the pseudo-inverse times g, read kindly."""
    found = inverse_applied(matrix, gradient)
    if found is not None:
        return found
    return [g / matrix[i][i] if matrix[i][i] != 0 else Fraction(0) for i, g in enumerate(gradient)]


#: From A, g and eta to the step that is claimed to be the minimiser.
Step = Callable[[Matrix, list[Fraction], Fraction], list[Fraction]]


def _preconditioned(matrix: Matrix, gradient: list[Fraction], eta: Fraction) -> list[Fraction]:
    return [-eta * x for x in _pseudo_solution(matrix, gradient)]


def _compared(instance: Instance, step: list[Fraction]) -> tuple[Fraction, Fraction | None]:
    """(g's)^2 with the sign of -g's, and the square of the best value along p.

    The square of the best value is None where it is unbounded.
    """
    matrix, gradient = _matrix(instance), exact(instance["gradient"])
    direction, square = exact(instance["direction"]), _squared_radius(instance)
    value = -inner_product(gradient, step)
    along = inner_product(gradient, direction)
    curved = inner_product(direction, applied(matrix, direction))
    if square < 0:
        # No point is feasible, and s is no minimiser.
        return value * abs(value), Fraction(-1)
    if curved <= 0:
        return value * abs(value), None if along != 0 else Fraction(0)
    return value * abs(value), along * along * square / curved


def _squared_radius(instance: Instance) -> Fraction:
    """eta^2 g'A^-1 g; negative for a negative eta, whose region has no point."""
    gradient, eta = exact(instance["gradient"]), Fraction(instance["eta"])
    length = inner_product(gradient, _pseudo_solution(_matrix(instance), gradient))
    return eta * eta * length if eta >= 0 else Fraction(-1)


def _is_multiple(left: list[Fraction], right: list[Fraction]) -> bool:
    return all(left[i] * right[j] == left[j] * right[i] for i in range(len(left)) for j in range(i))


def _margins(instance: Instance, method: Step = _preconditioned) -> Margins:
    matrix, gradient = _matrix(instance), exact(instance["gradient"])
    step = method(matrix, gradient, Fraction(instance["eta"]))
    ours, best = _compared(instance, step)
    if best is not None and best < 0:
        return {"the region has points": fact(False)}
    if best is None:
        return {"no direction is better": fact(False)}
    square, length = _squared_radius(instance), inner_product(step, applied(matrix, step))
    margins = {
        "in the region": in_roundings(square - length, square + abs(length), EXACT),
        "no direction is better": in_roundings(ours - best, max(abs(ours), best), EXACT),
    }
    direction = exact(instance["direction"])
    if any(direction) and any(gradient) and not _is_multiple(direction, step):
        margins["unique"] = fact(ours > best)
    if any(gradient) and instance["eta"] > 0 and method is _preconditioned:
        margins |= _solver_margins(instance, _pseudo_solution(matrix, gradient))
    return margins


def _solver_margins(instance: Instance, inverse: list[Fraction]) -> Margins:
    """The norm's own solve, and the solver of the subproblem with H = 0, against A^-1 g."""
    matrix, eta = _matrix(instance), instance["eta"]
    slope = np.array(instance["gradient"])
    if inverse_applied(matrix, exact(instance["gradient"])) is None:
        return {}
    norm = matrix_norm(matrix)
    if norm is None:
        return {}
    n = len(matrix)
    columns = [inverse_applied(matrix, [Fraction(int(i == k)) for i in range(n)]) for k in range(n)]
    condition = float(trace(matrix) * sum((abs(c[k]) for k, c in enumerate(columns) if c), 0))
    step = exact((-eta * norm.solve(slope)).tolist())
    off = max(abs(s + Fraction(eta) * x) for s, x in zip(step, inverse, strict=True))
    size = max(abs(Fraction(eta) * x) for x in inverse)
    result = tralgos.solve_trs(
        np.zeros((n, n)), slope, eta * norm.dual_norm(slope), norm=norm, method="direct"
    )
    decrease = -inner_product(exact(slope.tolist()), exact(result.step.tolist()))
    wanted = Fraction(eta) * inner_product(exact(slope.tolist()), inverse)
    return {
        "the norm's step": in_roundings(-off, float(size) * condition),
        "the solver's step": in_roundings(-abs(decrease - wanted), float(wanted) * condition),
    }


def _bound(instance: Instance) -> tuple[float, float] | None:
    """What the direction of the instance reaches, and the minimum, both as decreases."""
    matrix, gradient = _matrix(instance), exact(instance["gradient"])
    ours, best = _compared(instance, _preconditioned(matrix, gradient, Fraction(instance["eta"])))
    if best is None or not best > 0 or not ours > 0:
        return None
    return tuple(float(precise().sqrt(real(x))) for x in (best, ours))  # type: ignore[return-value]


def _strategy() -> SearchStrategy[Instance]:
    # Zeros are not admitted; they are there for the hunts without these hypotheses.
    steps = st.integers(1, 32).map(lambda k: k / 16)

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2
        vector = st.lists(quarters(8.0), min_size=n, max_size=n)
        return st.fixed_dictionaries(
            {
                "factor": st.lists(quarters(), min_size=entries, max_size=entries),
                "signs": st.just([1.0] * n),
                "gradient": st.one_of(vector, vector, vector, st.just([0.0] * n)),
                "eta": st.one_of(steps, steps, steps, st.just(0.0)),
                "direction": vector,
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


# --- the screen ---------------------------------------------------------------------


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    factor = assorted(rng, (size, 3))
    factor[:, [0, 2]] = np.where(factor[:, [0, 2]] == 0, 1.0, factor[:, [0, 2]])
    return {
        "factor": factor,
        "gradient": assorted(rng, (size, 2), 8.0),
        "direction": assorted(rng, (size, 2), 8.0),
        "eta": rng.integers(1, 33, size) / 16.0,
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - (g'p)^2 / (p'Ap g'A^-1 g), in the variables L^-1 g and L'p."""
    factor, g, p = (arrays[name] for name in ("factor", "gradient", "direction"))
    first = g[:, 0] / factor[:, 0]
    slope = xp.stack([first, (g[:, 1] - factor[:, 1] * first) / factor[:, 2]])
    turned = xp.stack([factor[:, 0] * p[:, 0] + factor[:, 1] * p[:, 1], factor[:, 2] * p[:, 1]])
    sizes = xp.sum(slope**2, axis=0) * xp.sum(turned**2, axis=0)
    along = xp.sum(slope * turned, axis=0) ** 2
    return xp.where(sizes > 0, 1 - along / xp.where(sizes > 0, sizes, 1.0) + 1e-14, 1.0)


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    vectors = {name: arrays[name][row].tolist() for name in ("factor", "gradient", "direction")}
    return {**vectors, "signs": [1.0, 1.0], "eta": float(arrays["eta"][row])}


# --- the claim ----------------------------------------------------------------------


def _uphill(matrix: Matrix, gradient: list[Fraction], eta: Fraction) -> list[Fraction]:
    return [-x for x in _preconditioned(matrix, gradient, eta)]


def _not_inverted(matrix: Matrix, gradient: list[Fraction], eta: Fraction) -> list[Fraction]:
    return [-eta * x for x in applied(matrix, gradient)]


def _plain(matrix: Matrix, gradient: list[Fraction], eta: Fraction) -> list[Fraction]:
    return [-eta * x for x in gradient]


def _short(matrix: Matrix, gradient: list[Fraction], eta: Fraction) -> list[Fraction]:
    return [x / 2 for x in _preconditioned(matrix, gradient, eta)]


def _sabotage() -> tuple[Sabotage, ...]:
    broken: dict[str, Step] = {
        "the step goes uphill": _uphill,
        "A in the place of its inverse": _not_inverted,
        "no preconditioner": _plain,
        "half the step": _short,
    }

    def judged(method: Step) -> Callable[[Instance], Margins]:
        return lambda instance: _margins(instance, method)

    return tuple(Sabotage(name, judged(method)) for name, method in broken.items())


def _instance(
    signs: list[float], gradient: list[float], direction: list[float], eta: float = 1.0
) -> Instance:
    factor = [1.0] if len(signs) == 1 else [1.0, 0.0, 1.0]
    return {
        "factor": factor,
        "signs": signs,
        "gradient": gradient,
        "eta": eta,
        "direction": direction,
    }


def _diagonal_of_factor(instance: Instance) -> list[float]:
    n = len(instance["signs"])
    return [instance["factor"][i * (i + 1) // 2 + i] for i in range(n)]


def _conditions() -> tuple[Condition, ...]:
    singular = Dropped(
        (
            _instance([1.0, 0.0], [1.0, 0.0], [1.0, 1.0]),
            _instance([1.0, 0.0], [0.0, 1.0], [0.0, 1.0]),
        ),
        note="With the pseudo-inverse for A^-1: for g in the range of A the minimiser is not "
        "unique, for other g there is none.",
    )
    indefinite = Dropped(
        (
            _instance([1.0, -1.0], [1.0, 0.0], [1.0, 1.0]),
            _instance([1.0, -1.0], [0.0, 1.0], [0.0, 1.0]),
        ),
        note="The region is unbounded, or its radius imaginary.",
    )
    negative = Dropped(
        (_instance([1.0], [1.0], [1.0], eta=-1.0),),
        note="No point has a negative norm, and s goes uphill.",
    )
    zero = Dropped(
        (_instance([1.0], [1.0], [1.0], eta=0.0),),
        fails=False,
        note="Not needed: s = 0 is the only point of the region.",
    )
    no_gradient = Dropped(
        (_instance([1.0], [0.0], [1.0]), _instance([1.0, 1.0], [0.0, 0.0], [1.0, 2.0])),
        fails=False,
        note="Not needed: the radius is zero, and s = 0 the only point of the region.",
    )
    return (
        Condition(
            "A is not singular", r"\det A \ne 0",
            lambda i: all(i["signs"]) and all(_diagonal_of_factor(i)), singular,
        ),
        Condition(
            "A is not indefinite", r"x^\top A x \ge 0", lambda i: min(i["signs"]) >= 0, indefinite
        ),
        Condition("eta >= 0", r"\eta \ge 0", lambda i: i["eta"] >= 0, negative),
        Condition("eta is not 0", r"\eta \ne 0", lambda i: i["eta"] != 0, zero),
        Condition("g is not 0", r"g \ne 0", lambda i: any(i["gradient"]), no_gradient),
    )  # fmt: skip


def _lemma_1() -> Claim:
    printed = Form(
        "s = -eta A^-1 g minimises L + s'g over ||s||_A <= eta ||g||_{A^-1}, for eta > 0, A "
        "symmetric positive definite and g != 0; no other point does",
        r"-\eta A^{-1} g = \arg\min_s \{ L + s^\top g : \|s\|_A \le \eta \|g\|_{A^{-1}} \}",
        _conditions(),
        _strategy,
        _margins,
        edges=lambda: (
            _instance([1.0], [1.0], [1.0]),
            _instance([1.0, 1.0], [1.0, 2.0], [1.0, 2.0]),
            _instance([1.0, 1.0], [1.0, 2.0], [2.0, -1.0]),
        ),
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/lemma-1",
        "preconditioned gradient steps are trust-region steps",
        PAPER,
        "Lemma 1",
        Verdict.HOLDS,
        printed,
        notes="Of its hypotheses only that A is positive definite and that eta is not negative "
        "are needed: for g = 0 or eta = 0 the region is the point s = 0. The minimiser is unique. "
        "The norm's own solve and the subproblem solver with H = 0 find it.",
        proof="Cauchy and Schwarz in the inner product of A: g's = (A^-1 g)'A s >= "
        "-||g||_{A^-1} ||s||_A, with equality for negative multiples of A^-1 g alone.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lemma_1(),)
