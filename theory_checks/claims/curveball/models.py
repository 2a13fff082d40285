"""The quadratic model z'J + z'Hz/2 in fractions, and eq. (18) on the span of z and Delta_z."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Condition, Dropped, Instance
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    applied,
    factored,
    inner_product,
    inverse_applied,
    is_positive_definite,
)
from theory_checks.claims.curveball.common import quarters
from theory_checks.precise import exact

__all__ = [
    "Forms",
    "Vector",
    "combined",
    "definite",
    "delta_of",
    "fewer_coordinates",
    "forms",
    "hessian",
    "model_instance",
    "models",
    "newton_step",
    "next_of",
    "shifted",
    "solution",
    "span_minimiser",
    "value",
    "vector",
]

Vector = list[Fraction]


def hessian(instance: Instance) -> Matrix:
    """L D L' of the instance: definite with all signs 1, singular with a 0."""
    return factored(instance["factor"], instance["signs"])


def shifted(H: Matrix, lam: Fraction) -> Matrix:
    """H + lam I."""
    return [[x + (lam if i == j else 0) for j, x in enumerate(row)] for i, row in enumerate(H)]


def combined(a: Fraction | int, x: Sequence[Fraction], b: Fraction | int, y: Sequence[Fraction]) -> Vector:  # fmt: skip # noqa: E501
    """a x + b y."""
    return [a * p + b * q for p, q in zip(x, y, strict=True)]


def delta_of(H: Matrix, J: Vector, z: Vector, lam: Fraction | int = 0) -> Vector:
    """Delta_z = (H + lam)z + J."""
    return combined(1, combined(1, applied(H, z), lam, z), 1, J)


def next_of(found: tuple[Fraction, Fraction], z: Vector, delta: Vector) -> Vector:
    """rho z - beta Delta_z, for (beta, rho)."""
    beta, rho = found
    return combined(rho, z, -beta, delta)


def value(H: Matrix, J: Vector, z: Vector) -> Fraction:
    """z'J + z'Hz/2."""
    return inner_product(z, J) + inner_product(z, applied(H, z)) / 2


@dataclass(frozen=True)
class Forms:
    """What stands in eq. (18); the names spell the products."""

    zHz: Fraction
    zHd: Fraction
    dHd: Fraction
    Jz: Fraction
    Jd: Fraction

    @property
    def determinant(self) -> Fraction:
        """Of the matrix of (18)."""
        return self.zHz * self.dHd - self.zHd * self.zHd


def forms(H: Matrix, J: Vector, z: Vector, delta: Vector) -> Forms:
    """The entries of eq. (18) for this matrix."""
    Hz, Hd = applied(H, z), applied(H, delta)
    return Forms(
        inner_product(z, Hz),
        inner_product(z, Hd),
        inner_product(delta, Hd),
        inner_product(J, z),
        inner_product(J, delta),
    )


def solution(f: Forms) -> tuple[Fraction, Fraction] | None:
    """(beta, rho) of (18): by Cramer's rule, of one column where the other depends on it.

    None where there is none.
    """
    if f.determinant != 0:
        beta = (f.Jd * f.zHz - f.Jz * f.zHd) / f.determinant
        rho = -(f.dHd * f.Jz - f.zHd * f.Jd) / f.determinant
        return beta, rho
    if f.dHd != 0:
        found = (f.Jd / f.dHd, Fraction(0))
    elif f.zHz != 0:
        found = (Fraction(0), -f.Jz / f.zHz)
    else:
        found = (Fraction(0), Fraction(0))
    beta, rho = found
    solves = f.dHd * beta - f.zHd * rho == f.Jd and f.zHd * beta - f.zHz * rho == f.Jz
    return found if solves else None


def span_minimiser(H: Matrix, J: Vector, directions: Iterable[Vector]) -> Vector | None:
    """The shortest minimiser of the model on a span, by conjugate directions; None for none.

    It knows nothing of (18): each direction is made conjugate to those before it.
    """
    kept: list[tuple[Vector, Vector, Fraction]] = []
    kernel: list[Vector] = []
    n = len(J)
    for direction in directions:
        d = list(direction)
        for e, He, eHe in kept:
            d = combined(1, d, -inner_product(d, He) / eHe, e)
        Hd = applied(H, d)
        dHd = inner_product(d, Hd)
        if dHd > 0:
            kept.append((d, Hd, dHd))
        elif dHd < 0 or any(Hd) or inner_product(J, d) != 0:
            return None
        else:
            for e in kernel:
                d = combined(1, d, -inner_product(d, e) / inner_product(e, e), e)
            if any(d):
                kernel.append(d)
    z = [Fraction(0)] * n
    for d, _, dHd in kept:
        z = combined(1, z, -inner_product(J, d) / dHd, d)
    for e in kernel:
        z = combined(1, z, -inner_product(z, e) / inner_product(e, e), e)
    return z


def model_instance(
    factor: list[float], J: list[float], z: list[float], lam: float = 0.0, **more: Any
) -> Instance:
    """The record of a model; H is L L' unless signs are among `more`."""
    return {"factor": factor, "signs": [1.0] * len(J), "J": J, "z": z, "lam": lam, **more}


def models(
    largest: int = 3,
    signs: SearchStrategy[float] | None = None,
    **more: SearchStrategy[Any],
) -> SearchStrategy[Instance]:
    """Draw records of models in quarters, with what is asked for besides."""
    sign = st.just(1.0) if signs is None else signs

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        def many(count: int, size: float = 2.0) -> SearchStrategy[list[float]]:
            return st.lists(quarters(-size, size), min_size=count, max_size=count)

        return st.fixed_dictionaries(
            {
                "factor": many(n * (n + 1) // 2),
                "signs": st.lists(sign, min_size=n, max_size=n),
                "J": many(n),
                "z": st.one_of(many(n), st.just([0.0] * n)),
                "lam": st.one_of(st.just(0.0), quarters(0.25, 8.0)),
                **more,
            }
        )

    return st.integers(1, largest).flatmap(of_dimension)


def fewer_coordinates(instance: Instance) -> Iterable[Instance]:
    """Leave out the last coordinate."""
    n = len(instance["J"])
    if n > 1:
        smaller = {
            key: entry[:-1]
            for key, entry in instance.items()
            if isinstance(entry, list) and len(entry) == n and key != "factor"
        }
        yield {**instance, **smaller, "factor": instance["factor"][: n * (n - 1) // 2]}


def definite(*instances: Instance, note: str = "", kept: str = "") -> Condition:
    """The hypothesis that H is positive definite, with what happens without it."""
    return Condition(
        "positive definite",
        r"\hat H \succ 0",
        lambda i: is_positive_definite(hessian(i)),
        Dropped(instances, note=note) if instances else None,
        kept,
    )


def newton_step(H: Matrix, J: Vector) -> Vector | None:
    """-H^-1 J; None for a singular H."""
    found = inverse_applied(H, J)
    return None if found is None else [-x for x in found]


def vector(instance: Instance, key: str) -> Vector:
    """An entry as fractions."""
    return exact(instance[key])
