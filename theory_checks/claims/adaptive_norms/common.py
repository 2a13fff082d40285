"""What the claims of the adaptive-norms paper share: streams of gradients and exact matrices.

A symmetric positive definite matrix is given by a lower triangular factor, M = L L'; the
sums of equations (2) and (3) are fractions. Eigenvalues and roots are taken at fifty digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import Instance
from theory_checks.precise import Real, exact, precise, real
from theory_checks.strategies import vectors
from tralgos.errors import NotPositiveDefiniteError

__all__ = [
    "EXACT",
    "PAPER",
    "Matrix",
    "applied",
    "assorted",
    "eigenpairs",
    "factored",
    "fewer_gradients",
    "floats",
    "inner_product",
    "inverse_applied",
    "is_positive_definite",
    "matrix_norm",
    "plane_spectrum",
    "quarters",
    "rule_of",
    "streamed",
    "streams",
    "trace",
    "weighted_sum",
]

PAPER = "Adaptive norms for deep learning with regularized Newton methods"

#: Roundings granted to what was computed at fifty digits.
EXACT = 1e-6

#: An inverse condition number below which a positive definite matrix may be refused.
_SINGULAR = 2.0**-44

Matrix = list[list[Fraction]]


def quarters(largest: float = 4.0) -> SearchStrategy[float]:
    """Draw multiples of 1/4: sums of a few products of them are exact in float64."""
    return st.integers(-int(4 * largest), int(4 * largest)).map(lambda k: k / 4)


def assorted(rng: np.random.Generator, shape: tuple[int, ...], size: float = 4.0) -> np.ndarray:
    """Draw numbers for a screen: quarters, zeros, small ones, and any in [-size, size]."""
    quarters_ = rng.integers(-int(4 * size), int(4 * size) + 1, shape) / 4.0
    anywhere = rng.uniform(-size, size, shape)
    small = quarters_ * 2.0 ** -rng.integers(1, 24, shape)
    kind = rng.integers(0, 8, shape)
    return np.where(
        kind == 0, 0.0, np.where(kind < 5, quarters_, np.where(kind < 7, anywhere, small))
    )


def plane_spectrum(xp: Any, first: Any, mixed: Any, second: Any) -> tuple[Any, Any]:
    """Return the eigenvalues, the smaller first, of many symmetric matrices of order two."""
    middle, radius = (first + second) / 2, xp.hypot((first - second) / 2, mixed)
    return middle - radius, middle + radius


def inner_product(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Return the inner product, exactly."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def applied(matrix: Matrix, vector: Sequence[Fraction]) -> list[Fraction]:
    """Return the product with a vector, exactly."""
    return [inner_product(row, vector) for row in matrix]


def trace(matrix: Matrix) -> Fraction:
    """Return the sum of the diagonal."""
    return sum((matrix[i][i] for i in range(len(matrix))), Fraction(0))


def factored(entries: Sequence[float], signs: Sequence[float] | None = None) -> Matrix:
    """Return L D L' for the rows of a lower triangular L and D = diag(signs), the identity."""
    n = next(k for k in range(1, 9) if k * (k + 1) // 2 == len(entries))
    values = exact(entries)
    lower = [[values[i * (i + 1) // 2 + j] if j <= i else Fraction(0) for j in range(n)]
             for i in range(n)]  # fmt: skip
    middle = exact([1.0] * n if signs is None else signs)
    return [[sum((a * d * b for a, d, b in zip(left, middle, right, strict=True)), Fraction(0))
             for right in lower] for left in lower]  # fmt: skip


def _eliminated(matrix: Matrix, side: list[Fraction]) -> list[Fraction] | None:
    """Solve by elimination with pivoting; None for a singular matrix."""
    n = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, side, strict=True)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(n):
            if i != k and rows[i][k] != 0:
                ratio = rows[i][k] / rows[k][k]
                rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [rows[k][n] / rows[k][k] for k in range(n)]


def inverse_applied(matrix: Matrix, vector: Sequence[Fraction]) -> list[Fraction] | None:
    """Return the inverse times a vector, exactly; None for a singular matrix."""
    return _eliminated(matrix, list(vector))


def is_positive_definite(matrix: Matrix) -> bool:
    """Whether all pivots of the elimination are positive: Sylvester's criterion."""
    rows = [list(row) for row in matrix]
    for k in range(len(rows)):
        if rows[k][k] <= 0:
            return False
        for i in range(k + 1, len(rows)):
            ratio = rows[i][k] / rows[k][k]
            rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[k], strict=True)]
    return True


def eigenpairs(matrix: Sequence[Sequence[Any]]) -> tuple[list[Real], list[list[Real]]]:
    """Return eigenvalues, ascending, and unit eigenvectors of a symmetric matrix."""
    context = precise()
    n = len(matrix)
    if all(matrix[i][j] == 0 for i in range(n) for j in range(i)):
        # The algorithm need not be asked, and the diagonal keeps all its digits.
        order = sorted(range(n), key=lambda i: matrix[i][i])
        basis = [[context.mpf(int(i == k)) for i in range(n)] for k in order]
        return [real(matrix[k][k]) for k in order], basis
    values, columns = context.eigsy(
        context.matrix([[real(entry) for entry in row] for row in matrix])
    )
    return list(values), [[columns[i, k] for i in range(n)] for k in range(n)]


def weighted_sum(
    gradients: Sequence[Sequence[float]],
    weights: Sequence[Fraction],
    epsilon: Fraction,
    *,
    diagonal: bool,
    absolute: bool = False,
) -> Matrix:
    """Return sum_i w_i g_i g_i' + epsilon I or its diagonal; of absolute values if so wanted."""
    columns = [exact(g) for g in gradients]
    if absolute:
        columns = [[abs(x) for x in g] for g in columns]
    n = len(columns[0])
    total = [[epsilon if i == j else Fraction(0) for j in range(n)] for i in range(n)]
    for w, g in zip(weights, columns, strict=True):
        for i in range(n):
            for j in range(n):
                if i == j or not diagonal:
                    total[i][j] += w * g[i] * g[j]
    return total


def floats(matrix: Matrix) -> np.ndarray:
    """Return the matrix in float64."""
    return np.array([[float(x) for x in row] for row in matrix])


def matrix_norm(matrix: Matrix) -> Any:
    """Return the norm in float64; None where it is refused, being singular but for rounding.

    Raises
    ------
    NotPositiveDefiniteError
        Where the refusal has no such reason.
    """
    try:
        norm = tralgos.norms.MatrixNorm(floats(matrix))
        norm.equivalence()
    except NotPositiveDefiniteError:
        spectrum = eigenpairs(matrix)[0]
        if spectrum[0] > _SINGULAR * spectrum[-1]:
            raise
        return None
    return norm


def rule_of(instance: Instance) -> Any:
    """Return the tralgos rule that an instance describes."""
    options: dict[str, Any] = {"epsilon": instance["epsilon"], "kind": instance["kind"]}
    if instance["kind"] == "window":
        options["window"] = int(instance["window"])
    options["epsilon_rule"] = instance.get("epsilon rule", "added")
    if instance.get("rule", "rmsprop") == "adagrad":
        return tralgos.norms.AdagradNorm(**options)
    return tralgos.norms.RMSPropNorm(beta=instance["beta"], **options)


def streamed(rule: Any, gradients: Sequence[Sequence[float]]) -> Any:
    """Return the state of a rule after all of these gradients."""
    state = rule.init(len(gradients[0]))
    for g in gradients:
        state = rule.update(state, np.array(g, dtype=float))
    return state


def streams(
    extra: Mapping[str, SearchStrategy[Any]], *, size: float = 8.0
) -> SearchStrategy[Instance]:
    """Draw records with ``gradients``, one to five vectors, and what is asked for besides."""

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        gradients = st.lists(vectors(n, size), min_size=1, max_size=5)
        return st.fixed_dictionaries({"gradients": gradients, **extra})

    return st.integers(1, 3).flatmap(of_dimension)


def fewer_gradients(instance: Instance) -> Iterable[Instance]:
    """Leave out one gradient, or one coordinate of all of them."""
    gradients = instance["gradients"]
    if len(gradients) > 1:
        for k in range(len(gradients)):
            yield {**instance, "gradients": [g for i, g in enumerate(gradients) if i != k]}
    n = len(gradients[0])
    for j in range(n if n > 1 else 0):
        smaller = {**instance, "gradients": [[*g[:j], *g[j + 1 :]] for g in gradients]}
        if "direction" in instance:
            direction = instance["direction"]
            smaller["direction"] = [*direction[:j], *direction[j + 1 :]]
        yield smaller
