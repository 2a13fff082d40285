"""Footnote 1: a constraint in the norm of M becomes a ball. All numbers are rational."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.efficient_tr.common import (
    PAPER,
)
from theory_checks.precise import exact
from theory_checks.strategies import vectors

__all__ = ["claims"]

_Matrix = list[list[Fraction]]


def _product(left: _Matrix, right: _Matrix) -> _Matrix:
    columns = list(zip(*right, strict=True))
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns]
        for row in left
    ]


def _apply(matrix: _Matrix, vector: Sequence[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def _inner(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _root(instance: Instance) -> _Matrix:
    """M^{1/2} = L L' for the lower triangular L of the instance: rational, of order 1 or 2."""
    entries = exact(instance["factor"])
    if len(entries) == 1:
        factor = [[entries[0]]]
    else:
        factor = [[entries[0], Fraction(0)], [entries[1], entries[2]]]
    return _product(factor, [list(column) for column in zip(*factor, strict=True)])


def _determinant(matrix: _Matrix) -> Fraction:
    if len(matrix) == 1:
        return matrix[0][0]
    return matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0]


def _pseudo_inverse(root: _Matrix) -> _Matrix:
    """The pseudo-inverse of a symmetric matrix of order 1 or 2: the inverse where there is one."""
    determinant = _determinant(root)
    trace = sum((root[i][i] for i in range(len(root))), Fraction(0))
    if determinant != 0 and len(root) == 2:
        (a, b), (c, d) = root
        return [[d / determinant, -b / determinant], [-c / determinant, a / determinant]]
    scale = trace * trace or Fraction(1)
    return [[entry / scale for entry in row] for row in root]


def _hessian(instance: Instance) -> _Matrix:
    entries = exact(instance["hessian"])
    if len(entries) == 1:
        return [[entries[0]]]
    return [[entries[0], entries[1]], [entries[1], entries[2]]]


def _change_margins(instance: Instance) -> Margins:
    """f(z) = f'(z') and ||z||_M = ||z'||, exactly."""
    root, hessian = _root(instance), _hessian(instance)
    inverse = _pseudo_inverse(root)
    gradient, point = exact(instance["gradient"]), exact(instance["point"])
    bent = _product(_product(inverse, hessian), inverse)
    turned = _apply(inverse, gradient) if instance["gradient transformed"] else gradient
    image = _apply(root, point)
    before = _inner(gradient, point) + _inner(point, _apply(hessian, point)) / 2
    after = _inner(turned, image) + _inner(image, _apply(bent, image)) / 2
    length = _inner(point, _apply(_product(root, root), point))
    return {
        "same value": fact(before == after),
        "same norm": fact(length == _inner(image, image)),
    }


def _change_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2
        return st.fixed_dictionaries(
            {
                "factor": vectors(entries, 4.0),
                "hessian": vectors(entries),
                "gradient": vectors(n),
                "point": vectors(n),
                "gradient transformed": st.just(True),
            }
        )

    return st.one_of([of_dimension(n) for n in range(1, 3)])


def _change_instance(root: float, transformed: bool) -> Instance:
    return {
        "factor": [root],
        "hessian": [1.0],
        "gradient": [1.0],
        "point": [1.0],
        "gradient transformed": transformed,
    }


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    n = int(rng.integers(1, 3))
    entries = n * (n + 1) // 2
    return {
        "factor": rng.standard_normal((size, entries)) * 10.0 ** rng.uniform(-2, 1, (size, 1)),
        "hessian": rng.standard_normal((size, entries)),
        "gradient": rng.standard_normal((size, n)),
        "point": rng.standard_normal((size, n)),
    }


def _full(xp: Any, entries: Any) -> Any:
    """Symmetric matrices of order 1 or 2 from the entries of their lower triangles."""
    if entries.shape[1] == 1:
        return entries[:, :, None]
    a, b, c = entries[:, 0], entries[:, 1], entries[:, 2]
    return xp.stack([xp.stack([a, b], axis=1), xp.stack([b, c], axis=1)], axis=1)


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """How far values and norms agree beyond the rounding that a condition number excuses."""
    entries = arrays["factor"]
    if entries.shape[1] == 1:
        root, inverse = entries[:, :, None] ** 2, entries[:, :, None] ** -2.0
    else:
        a, b, c = entries[:, 0], entries[:, 1], entries[:, 2]
        root = _full(xp, xp.stack([a * a, a * b, b * b + c * c], axis=1))
        turned = xp.stack([b * b + c * c, -a * b, a * a], axis=1)
        inverse = _full(xp, turned) / ((a * c) ** 2)[:, None, None]
    hessian, point = _full(xp, arrays["hessian"]), arrays["point"][:, :, None]
    slope = arrays["gradient"][:, :, None]
    image, turned_slope = root @ point, inverse @ slope
    bent = inverse @ hessian @ inverse

    def value(slopes: Any, matrices: Any, points: Any) -> Any:
        return xp.sum(slopes * points, axis=(1, 2)) + 0.5 * xp.sum(
            points * (matrices @ points), axis=(1, 2)
        )

    before, after = value(slope, hessian, point), value(turned_slope, bent, image)
    condition = xp.sqrt(xp.sum(root * root, axis=(1, 2)) * xp.sum(inverse * inverse, axis=(1, 2)))
    return 1e-12 - xp.abs(before - after) / (condition * condition * (1.0 + xp.abs(before)))


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {
        **{name: array[row].tolist() for name, array in arrays.items()},
        "gradient transformed": True,
    }


def _change_of_variable() -> Claim:
    definite = Condition(
        "positive definite",
        r"M \succ 0",
        lambda instance: _determinant(_root(instance)) != 0,
        Dropped((_change_instance(0.0, True),), note="M = 0 constrains nothing; q' is constant."),
    )
    turned = Condition(
        "g is transformed",
        r"g' = M^{-1/2} g",
        lambda instance: bool(instance["gradient transformed"]),
        Dropped((_change_instance(2.0, False),), note="The footnote does not mention g'."),
    )
    printed = Form(
        "for any PSD M the change of variable z' = M^{1/2} z, H' = M^{-1/2} H M^{-1/2} turns "
        "the constraint ||z||_M <= r into a ball (read kindly: g' = M^{-1/2} g, and the "
        "pseudo-inverse where M is singular)",
        r"\min_{\|z\|_M \le r} f(z) = \min_{\|z'\| \le r} f'(z'),\; M \succeq 0",
        (turned,),
        _change_strategy,
        _change_margins,
        edges=lambda: (_change_instance(1.0, True), _change_instance(0.0, True)),
    )
    amended = Form(
        "the same for positive definite M, with g' = M^{-1/2} g",
        r"f'(z') = g^\top M^{-1/2} z' + \tfrac12 z'^\top M^{-1/2} H M^{-1/2} z',\; M \succ 0",
        (turned, definite),
        _change_strategy,
        _change_margins,
        edges=lambda: (_change_instance(1.0, True),),
        screen=Screen(_drawn, _slack, _row),
    )
    return Claim(
        "efficient-tr/change-of-variable",
        "a constraint in the norm of M becomes a ball",
        PAPER,
        "footnote 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="A singular M has no M^{-1/2}, and with the pseudo-inverse the part of z in its "
        "kernel is lost, though q depends on it: the problem need not even be bounded.",
        proof="docs/theory-efficient-tr.md, 'A constraint in another norm': z' = M^{1/2} z is a "
        "bijection with ||z'|| = ||z||_M, and g'z = (M^{-1/2} g)'z', z'Hz likewise.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_change_of_variable(),)
