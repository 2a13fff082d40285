"""Lemma 1: a preconditioned gradient step minimises the linear model in an ellipsoid.

Everything is rational. Of the points t p, t real, in the ellipsoid s'As <= r^2 the best has
the value -r |g'p| / sqrt(p'Ap), so that all directions p are compared by their squares.
"""

from __future__ import annotations

from fractions import Fraction

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
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    Matrix,
    applied,
    factored,
    floats,
    inner_product,
    inverse_applied,
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


def _compared(instance: Instance) -> tuple[Fraction, Fraction | None]:
    """(g's)^2 with the sign of -g's, and the square of the best value along p.

    The square of the best value is None where it is unbounded.
    """
    matrix, gradient = _matrix(instance), exact(instance["gradient"])
    eta, direction = Fraction(instance["eta"]), exact(instance["direction"])
    inverse = _pseudo_solution(matrix, gradient)
    length = inner_product(gradient, inverse)
    value = eta * length
    radius = eta * eta * length if eta >= 0 else Fraction(-1)
    along, curved = (
        inner_product(gradient, direction),
        inner_product(direction, applied(matrix, direction)),
    )
    if radius < 0:
        # A negative radius: no point is feasible, and s is no minimiser.
        return value * abs(value), Fraction(-1)
    if curved <= 0:
        return value * abs(value), None if along != 0 else Fraction(0)
    return value * abs(value), along * along * radius / curved


def _is_multiple(left: list[Fraction], right: list[Fraction]) -> bool:
    return all(left[i] * right[j] == left[j] * right[i] for i in range(len(left)) for j in range(i))


def _margins(instance: Instance) -> Margins:
    ours, best = _compared(instance)
    if best is not None and best < 0:
        return {"the region has points": fact(False)}
    if best is None:
        return {"no direction is better": fact(False)}
    margins = {"no direction is better": in_roundings(ours - best, max(abs(ours), best), EXACT)}
    matrix, gradient = _matrix(instance), exact(instance["gradient"])
    inverse = _pseudo_solution(matrix, gradient)
    direction = exact(instance["direction"])
    if any(direction) and any(gradient) and not _is_multiple(direction, inverse):
        margins["unique"] = fact(ours > best)
    if any(gradient) and instance["eta"] > 0:
        margins |= _solver_margins(instance, inverse)
    return margins


def _solver_margins(instance: Instance, inverse: list[Fraction]) -> Margins:
    """The norm's own solve, and the solver of the subproblem with H = 0, against A^-1 g."""
    matrix, eta = _matrix(instance), instance["eta"]
    dense, slope = floats(matrix), np.array(instance["gradient"])
    if inverse_applied(matrix, exact(instance["gradient"])) is None:
        return {}
    norm = tralgos.norms.MatrixNorm(dense)
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


def _ratio(instance: Instance) -> float | None:
    ours, best = _compared(instance)
    if best is None or not best > 0 or not any(instance["gradient"]):
        return None
    return float(precise().sqrt(real(best / ours)))


def _strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2
        vector = st.lists(quarters(8.0), min_size=n, max_size=n)
        return st.fixed_dictionaries(
            {
                "factor": st.lists(quarters(), min_size=entries, max_size=entries),
                "signs": st.just([1.0] * n),
                "gradient": vector,
                "eta": st.integers(1, 32).map(lambda k: k / 16),
                "direction": vector,
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


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
        ratio=_ratio,
        effort=100,
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
