"""Cases of the random matrices of tralgos.problems: one seed is one matrix everywhere."""

from __future__ import annotations

from typing import Any

from tests.accelerators.case import Case, Table, data
from tests.accelerators.operators import products
from tests.namespaces import Xp
from tralgos.operators import TiledOperator
from tralgos.problems import (
    Gaussian,
    GramMatrix,
    Law,
    Rademacher,
    RandomMatrix,
    StudentT,
    Uniform,
    WignerMatrix,
    indefinite_hessian,
    ols_hessian,
)

__all__ = ["ENSEMBLES"]

#: What `products` multiplies with has this length.
N = 6


def shown(operator: TiledOperator, where: Xp) -> list[Any]:
    """Products, a tile, and the whole."""
    part = operator.tile(range(1, 4), range(2, 6))
    return [products(operator, where), part, operator.dense()]


def law(some: Law) -> Case:
    def run(where: Xp) -> Any:
        like = where.array(data(0, 1))
        return shown(RandomMatrix(N, N, law=some, rng=0, like=like), where)

    return Case(run)


def gram(where: Xp) -> Any:
    like = where.array(data(0, 1))
    stored = GramMatrix(where.array(data(1, N, 9)), divisor=3.0, shift=0.5, tile_size=4)
    made = GramMatrix(RandomMatrix(N, 9, rng=0, like=like), tile_size=4)
    return shown(stored, where), shown(made, where)


def wigner(where: Xp) -> Any:
    like = where.array(data(0, 1))
    W = WignerMatrix(N, sigma_1=2.0, rng=0, like=like, tile_size=4)
    return shown(W, where)


def hessians(where: Xp) -> Any:
    like = where.array(data(0, 1))
    made = []
    for stored in (True, False):
        made.append(shown(ols_hessian(N, 9, stored=stored, rng=0, like=like), where))
        made.append(shown(indefinite_hessian(N, 2.0, stored=stored, rng=0, like=like), where))
    return made


ENSEMBLES: Table = {
    "Gaussian": law(Gaussian()),
    "GramMatrix": Case(gram),
    "Law": law(Uniform()),
    "Rademacher": law(Rademacher()),
    "RandomMatrix": law(Gaussian()),
    "StudentT": law(StudentT(3.0)),
    "Uniform": law(Uniform()),
    "WignerMatrix": Case(wigner),
    "indefinite_hessian": Case(hessians),
    "ols_hessian": Case(hessians),
}
