"""Definition 1 as a predicate with its smallest constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    ALLOWANCE,
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
    eigenpairs,
    factored,
    inner_product,
    is_positive_definite,
    matrix_norm,
    plane_spectrum,
    quarters,
)
from theory_checks.precise import Real, as_fraction, exact, precise, real

__all__ = ["claims"]

#: How far beside the smallest constant the predicate is asked: far above fifty digits' error.
_BESIDE = Fraction(1, 10**30)


def _matrices(instance: Instance) -> list[Matrix]:
    return [factored(entries) for entries in instance["factors"]]


#: From the extreme eigenvalues of all matrices, (lowest, highest) each, to mu.
Constant = Callable[[list[tuple[Real, Real]]], Real]


def _both_ends(extremes: list[tuple[Real, Real]]) -> Real:
    """max over t of max(lambda_max^{1/2}, lambda_min^{-1/2})."""
    sqrt = precise().sqrt
    return max(max(sqrt(high), 1 / sqrt(low)) for low, high in extremes)


def _smallest(matrices: list[Matrix], constant: Constant = _both_ends) -> Real | None:
    """The smallest mu; None where there is none."""
    if not all(is_positive_definite(matrix) for matrix in matrices):
        return None
    spectra = [eigenpairs(matrix)[0] for matrix in matrices]
    return constant([(s[0], s[-1]) for s in spectra])


def _shifted(matrix: Matrix, factor: Fraction, shift: Fraction) -> Matrix:
    """factor M + shift I."""
    return [
        [factor * x + (shift if i == j else 0) for j, x in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def _holds(matrices: list[Matrix], square: Fraction) -> bool:
    """Whether (8) holds strictly with this mu^2: both differences are positive definite."""
    return all(
        is_positive_definite(_shifted(matrix, Fraction(-1), square))
        and is_positive_definite(_shifted(matrix, square, Fraction(-1)))
        for matrix in matrices
    )


def _margins(instance: Instance, constant: Constant = _both_ends) -> Margins:
    matrices = _matrices(instance)
    mu = _smallest(matrices, constant)
    if mu is None:
        return {"some mu serves": fact(False)}
    square = as_fraction(mu) ** 2
    w = exact(instance["vector"])
    length = inner_product(w, w)
    energies = [inner_product(w, applied(matrix, w)) for matrix in matrices]
    slacks = [square * length - e for e in energies] + [square * e - length for e in energies]
    mutual = min(square * square * b - a for a in energies for b in energies)
    margins = {
        "mu >= 1": in_roundings(square - 1, 1, EXACT),
        "a larger mu serves": fact(_holds(matrices, square * (1 + _BESIDE))),
        "a smaller mu does not": fact(not _holds(matrices, square * (1 - _BESIDE))),
        "(8) for w": in_roundings(min(slacks), square * length, EXACT),
        "each other, with mu^2": in_roundings(mutual, square * square * max(energies), EXACT),
        "the norm's constants": min(_constants_margin(matrix) for matrix in matrices),
    }
    return margins


def _constants_margin(matrix: Matrix) -> float:
    """Norm.equivalence against the eigenvalues at fifty digits."""
    spectrum, norm = eigenpairs(matrix)[0], matrix_norm(matrix)
    if norm is None:
        return ALLOWANCE
    lower, upper = norm.equivalence()
    # A small eigenvalue carries the rounding of the largest.
    off = max(abs(lower * lower - spectrum[0]), abs(upper * upper - spectrum[-1]))
    return in_roundings(-off, spectrum[-1])


def _bound(instance: Instance) -> tuple[float, float] | None:
    """What the vector of the instance asks of the constant, and the constant."""
    matrices, w = _matrices(instance), exact(instance["vector"])
    mu, length = _smallest(matrices), inner_product(w, w)
    if mu is None or length == 0:
        return None
    shares = [inner_product(w, applied(matrix, w)) / length for matrix in matrices]
    return float(precise().sqrt(real(max(max(x, 1 / x) for x in shares)))), float(mu)


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    factor = assorted(rng, (size, 2, 3), 2.0)
    ends = factor[..., [0, 2]]
    factor[..., [0, 2]] = np.where(ends == 0, 0.5, ends)
    return {"factors": factor, "vector": assorted(rng, (size, 2))}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """How far w stays within the constant: of both matrices, from both sides."""
    factor, w = arrays["factors"], arrays["vector"][:, None, :]
    a, b = factor[..., 0] ** 2, factor[..., 0] * factor[..., 1]
    c = factor[..., 1] ** 2 + factor[..., 2] ** 2
    high = plane_spectrum(xp, a, b, c)[1]
    low = (factor[..., 0] * factor[..., 2]) ** 2 / high
    square = xp.maximum(xp.max(high, axis=1), 1 / xp.min(low, axis=1))[:, None]
    length = w[..., 0] ** 2 + w[..., 1] ** 2
    energy = a * w[..., 0] ** 2 + 2 * b * w[..., 0] * w[..., 1] + c * w[..., 1] ** 2
    above = (square * length - energy) / xp.where(length > 0, square * length, 1.0)
    below = (square * energy - length) / xp.where(length > 0, square * energy + length, 1.0)
    return xp.min(xp.minimum(above, below), axis=1) + 1e-12


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {name: arrays[name][row].tolist() for name in ("factors", "vector")}


def _sabotage() -> tuple[Sabotage, ...]:
    broken: dict[str, Constant] = {
        "the largest eigenvalues alone": lambda e: precise().sqrt(max(h for _, h in e)),
        "the least over t": lambda e: min(_both_ends([pair]) for pair in e),
        "no root": lambda e: _both_ends(e) ** 2,
    }

    def judged(constant: Constant) -> Callable[[Instance], Margins]:
        return lambda instance: _margins(instance, constant)

    return tuple(Sabotage(name, judged(constant)) for name, constant in broken.items())


def _strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2
        factor = st.lists(quarters(2.0), min_size=entries, max_size=entries)
        return st.fixed_dictionaries(
            {
                "factors": st.lists(factor, min_size=1, max_size=3),
                "vector": st.lists(quarters(), min_size=n, max_size=n),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _definition_1() -> Claim:
    definite = Condition(
        "positive definite",
        r"A_t \succ 0",
        lambda i: all(is_positive_definite(matrix) for matrix in _matrices(i)),
        Dropped(
            (
                {"factors": [[0.0]], "vector": [1.0]},
                {"factors": [[1.0, 1.0, 0.0]], "vector": [1.0, -1.0]},
            ),
            note="A kernel has the length zero: ||w|| <= mu 0 for no mu.",
        ),
    )  # fmt: skip
    printed = Form(
        "(8) holds with mu exactly if all eigenvalues of all A_t are between mu^-2 and mu^2; the "
        "smallest such mu is at least 1, and with it the norms are equivalent to each other with "
        "mu^2",
        r"\mu^* = \sup_t \max(\lambda_{\max}(A_t)^{1/2}, \lambda_{\min}(A_t)^{-1/2}) \ge 1,\quad "
        r"\|w\|_{A_s} \le \mu^{*2} \|w\|_{A_t}",
        (definite,),
        _strategy,
        _margins,
        edges=lambda: (
            {"factors": [[1.0]], "vector": [1.0]},
            {"factors": [[2.0, 0.0, 0.5]], "vector": [0.0, 1.0]},
            {"factors": [[2.0], [0.25]], "vector": [1.0]},
        ),
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/definition-1",
        "uniformly equivalent norms, and the smallest mu",
        PAPER,
        "Definition 1",
        Verdict.HOLDS,
        printed,
        notes="Whether (8) holds is decided by the signs of exact pivots, a little beside the "
        "constant. The definition compares each norm with the Euclidean one. That is the same as "
        "comparing them with each other, up to mu: if that goes with nu, (8) goes with nu times "
        "the constant of any one of them. It is not invariant under scaling: over all multiples "
        "c A the smallest mu is the fourth root of the condition number.",
        proof="(8) says that mu^2 I - A and A - I/mu^2 are positive semidefinite.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_definition_1(),)
