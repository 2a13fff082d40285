"""The cells of figure 2: the diagonal share of one matrix, or of one model along its training."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from theory_checks.experiments.figure_2_data import RANDOM, REAL, check_features, features
from theory_checks.experiments.figure_2_models import MODELS, check_model, model, trained
from tralgos.operators import TiledOperator
from tralgos.problems import (
    Gaussian,
    GramMatrix,
    Law,
    Rademacher,
    StudentT,
    Uniform,
    WignerMatrix,
    ols_hessian,
)
from tralgos.shares import diagonal_share

__all__ = [
    "DIGITS",
    "EXACT",
    "GAUSS_NEWTON",
    "LAWS",
    "MATRIX",
    "OLS",
    "RANDOM_INPUTS",
    "SAMPLE",
    "WIGNER",
    "Cell",
    "UnknownKindError",
    "check",
    "cost",
    "key_of",
    "label",
    "measure",
]

WIGNER, OLS, DIGITS = "wigner", "ols", "digits"

#: Names of the states of a matrix, and of a model that is not trained: its Hessian, and what is
#: left of it without the second derivatives of the outputs.
MATRIX, RANDOM_INPUTS, GAUSS_NEWTON = "matrix", RANDOM, "Gauss-Newton"

#: Hessians up to this order are summed up from all their columns, larger ones from `SAMPLE`.
EXACT = 20_000

#: Columns of an estimate.
SAMPLE = 256

#: Laws of the entries, by their names.
LAWS: dict[str, Law] = {
    law.name: law for law in (Gaussian(), Rademacher(), Uniform(), StudentT(5.0))
}


class UnknownKindError(ValueError):
    """A cell of a kind that there is not; the message names the known ones."""


@dataclass(frozen=True)
class Cell:
    """One run at one size.

    Attributes
    ----------
    kind : str
        "wigner", "ols" (least squares on random data), "digits" (least squares on digits), or a
        model.
    data : str
        The law of the entries, or the inputs.
    d : int
        Parameters.
    n : int
        Examples; 0 where there are none.
    run : int
        From 0 on.
    seed : int
        Of the experiment.
    steps : int
        Of training, at most; 0 where nothing is trained.
    """

    kind: str
    data: str
    d: int
    n: int
    run: int
    seed: int
    steps: int = 0


def check(cells: Iterable[Cell]) -> None:
    """Refuse what :func:`measure` cannot do, before any work.

    Raises
    ------
    UnknownKindError
        Naming the kind, and the known ones.
    UnknownModelError, ValueError
        For a size that a model or the digits cannot have, naming the cell.
    """
    for cell in dict.fromkeys(replace(cell, run=0) for cell in cells):
        known = (*_MATRICES, *MODELS)
        if cell.kind not in known:
            raise UnknownKindError(f"kind {cell.kind!r}: not one of {', '.join(known)}")
        data = tuple(LAWS) if cell.kind in (WIGNER, OLS) else REAL
        if cell.kind in MODELS:
            data = (RANDOM, *REAL)
        if cell.data not in data:
            raise UnknownKindError(f"{cell.kind}: {cell.data!r} is not one of {', '.join(data)}")
        _check_size(cell)


def _check_size(cell: Cell) -> None:
    least = 0 if cell.kind == WIGNER else 1
    for name, value, bound in (("d", cell.d, 1), ("n", cell.n, least)):
        if isinstance(value, bool) or not isinstance(value, int) or value < bound:
            raise ValueError(
                f"{cell.kind}, {cell.data}: {name} = {value!r} is not an integer >= {bound}"
            )
    if cell.kind in MODELS:
        check_model(cell.kind, cell.data, cell.d, cell.n)
    elif cell.kind == DIGITS:
        try:
            check_features(cell.data, cell.d, cell.n)
        except ValueError as error:
            raise ValueError(f"{cell.kind}, {cell.data}, d = {cell.d}: {error}") from None


def cost(cell: Cell) -> float:
    """About what a cell takes, in seconds on one core."""
    if cell.kind == WIGNER:
        return 1e-3 + 2e-8 * cell.d**2
    if cell.kind in (OLS, DIGITS):
        return 1e-3 + 2e-9 * cell.d**2 + (1e-4 * cell.d if cell.kind == DIGITS else 0.0)
    states = 1.0 if cell.data == RANDOM else 3.0
    columns = cell.d if cell.d <= EXACT else SAMPLE
    return 0.1 + states * columns * (5e-5 + 2e-8 * cell.d)


def label(cell: Cell) -> str:
    """What a watcher is told."""
    return f"{cell.kind}, {cell.data}, d = {cell.d}"


def key_of(cell: Cell) -> int:
    """The random numbers of a cell: the seed of all that is drawn in it.

    The first 64-bit word of ``SeedSequence([seed, crc32("kind/data"), d, n, run])``.
    """
    name = zlib.crc32(f"{cell.kind}/{cell.data}".encode())
    sequence = np.random.SeedSequence([cell.seed, name, cell.d, cell.n, cell.run])
    return int(sequence.generate_state(1, np.uint64)[0])


def measure(cell: Cell, *, backend: str = "numpy") -> dict[str, Any]:
    """The diagonal shares of a cell, as plain data.

    Parameters
    ----------
    cell : Cell
    backend : {"numpy", "cupy"}
        Where the matrices live. Training and all random numbers but those of the ensembles are
        on the host.

    Returns
    -------
    dict
        ``shares`` by state; for a matrix its diagonal ``mass``; for a model what its training and
        the ``sampled`` estimates were like.

    Raises
    ------
    UnknownKindError, UnknownModelError
        For a cell that there cannot be.
    """
    check([cell])
    xp: Any = importlib.import_module(backend)
    key = key_of(cell)
    if cell.kind in MODELS:
        return _of_model(cell, key, xp)
    matrix = _MATRICES[cell.kind](cell, key, xp)
    share = diagonal_share(matrix).share
    return {"shares": {MATRIX: share}, "mass": _diagonal_mass(matrix)}


def _wigner(cell: Cell, key: int, xp: Any) -> TiledOperator:
    return WignerMatrix(cell.d, law=LAWS[cell.data], rng=key, like=xp.empty(0, dtype=xp.float64))


def _ols(cell: Cell, key: int, xp: Any) -> TiledOperator:
    return ols_hessian(
        cell.d, cell.n, law=LAWS[cell.data], rng=key, like=xp.empty(0, dtype=xp.float64)
    )


def _digits(cell: Cell, key: int, xp: Any) -> TiledOperator:
    """Least squares on a batch of digits."""
    rng = np.random.default_rng(key)
    rows = rng.choice(1797, cell.n, replace=False)
    X = features(cell.data, cell.d, rng, rows)
    return GramMatrix(xp.asarray(X.T.copy()), divisor=float(cell.n))


_MATRICES: dict[str, Callable[[Cell, int, Any], TiledOperator]] = {
    WIGNER: _wigner,
    OLS: _ols,
    DIGITS: _digits,
}

#: Rows of the tiles on the diagonal.
_TILE = 64


def _diagonal_mass(matrix: TiledOperator) -> float:
    """The sum of |a_ii|."""
    total = 0.0
    for first in range(0, matrix.shape[0], _TILE):
        some = range(first, min(first + _TILE, matrix.shape[0]))
        total += float(abs(matrix.tile(some, some).diagonal()).sum())
    return total


def _of_model(cell: Cell, key: int, xp: Any) -> dict[str, Any]:
    rng = np.random.default_rng(key)
    case = model(cell.kind, cell.data, cell.d, cell.n, rng)
    rows = np.sort(rng.choice(len(case.X), cell.n, replace=False))
    points, accuracies, taken = {RANDOM_INPUTS: case.start}, {}, 0
    if cell.data != RANDOM:
        run = trained(case, cell.n, cell.steps, rng)
        points, accuracies, taken = dict(run.weights), dict(run.accuracies), run.steps
    problem = case.on(rows, xp)
    matrices = {state: problem.hessian(xp.asarray(x)) for state, x in points.items()}
    if cell.data == RANDOM:
        matrices[GAUSS_NEWTON] = problem.gauss_newton(xp.asarray(case.start))
    shares, sampled = {}, {}
    for state, matrix in matrices.items():
        if cell.d <= EXACT:
            shares[state] = diagonal_share(matrix).share
        if cell.d > 2 * SAMPLE:
            found = diagonal_share(matrix, columns=SAMPLE, rng=rng)
            sampled[state] = [found.share, found.low, found.high]
            shares.setdefault(state, found.share)
    return {
        "shares": shares,
        "sampled": sampled,
        "live": case.live(rows),
        "accuracies": accuracies,
        "steps": taken,
    }
