"""The cells of figure D.2: shares of many small least-squares Hessians of one size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_checks.experiments.figure_2_cells import LAWS, UnknownKindError
from theory_checks.experiments.figure_2_data import QUADRATIC, STANDARD, check_features, features
from theory_checks.experiments.figure_2_fits import ratio_of_means
from tralgos.problems import RandomMatrix

__all__ = ["DATA", "Cell", "check", "cost", "key_of", "label", "masses", "measure"]

#: What the columns of X are.
DATA = (*LAWS, STANDARD, QUADRATIC)

_DIGITS = 1797

#: Entries of Hessians that are held at once.
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Cell:
    """So many runs at one size.

    Attributes
    ----------
    data : str
        A law of the entries, or features of the digits.
    d, n : int
        Parameters and examples.
    runs : int
    seed : int
        Of the experiment.
    """

    data: str
    d: int
    n: int
    runs: int
    seed: int


def check(cells: Iterable[Cell]) -> None:
    """Refuse what :func:`measure` cannot do, before any work.

    Raises
    ------
    UnknownKindError
        For unknown data, naming the known ones.
    ValueError
        For a size that there cannot be, naming the cell.
    """
    for cell in cells:
        if cell.data not in DATA:
            raise UnknownKindError(f"data {cell.data!r}: not one of {', '.join(DATA)}")
        for name, value, least in (("d", cell.d, 1), ("n", cell.n, 1), ("runs", cell.runs, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{cell.data}: {name} = {value!r} is not an integer >= {least}")
        if cell.data not in LAWS:
            try:
                check_features(cell.data, cell.d, cell.n)
            except ValueError as error:
                raise ValueError(f"{cell.data}, d = {cell.d}, n = {cell.n}: {error}") from None


def cost(cell: Cell) -> float:
    """About what a cell takes, in seconds on one core."""
    entries = cell.runs * cell.d * (3e-9 * cell.d + 4e-8 * cell.n)
    if cell.data in LAWS:
        return 1e-3 + entries
    each = 1e-4 if cell.data == STANDARD else 4e-4 + 1.5e-4 * cell.d
    return 1e-3 + entries + each * cell.runs


def label(cell: Cell) -> str:
    """What a watcher is told."""
    return f"{cell.data}, d = {cell.d}, n = {cell.n}"


def key_of(cell: Cell) -> int:
    """The seed of all that is drawn in a cell, whatever its number of runs.

    The first 64-bit word of ``SeedSequence([seed, crc32("d2/data"), d, n])``. With a law, run r is
    rows r d to (r + 1) d of a :class:`~tralgos.problems.RandomMatrix` of that seed, so that more
    runs are the same ones and others; with digits it has ``SeedSequence([that word, r])``.
    """
    name = zlib.crc32(f"d2/{cell.data}".encode())
    sequence = np.random.SeedSequence([cell.seed, name, cell.d, cell.n])
    return int(sequence.generate_state(1, np.uint64)[0])


def measure(cell: Cell) -> dict[str, float]:
    """Means over the runs of a cell, as plain data.

    Returns
    -------
    dict
        ``share`` and ``error``: the mean share and its standard error. ``ratio`` and
        ``ratio_error``: the mean mass of the diagonals over the mean mass of all, which is the
        share of the mean absolute matrix, and its standard error.

    Raises
    ------
    UnknownKindError
        For unknown data.
    """
    check([cell])
    parts, wholes = masses(cell, key_of(cell))
    shares = parts / wholes
    ratio = ratio_of_means(parts, wholes)
    return {
        "share": float(np.mean(shares)),
        "error": float(np.std(shares, ddof=1)) / cell.runs**0.5,
        "ratio": ratio.value,
        "ratio_error": ratio.error,
    }


def masses(cell: Cell, key: int) -> tuple[np.ndarray, np.ndarray]:
    """The masses of the diagonal and of the whole of H = X X' / n, for each run."""
    parts, wholes = np.empty(cell.runs), np.empty(cell.runs)
    first = 0
    for X in _batches(cell, key):
        some = slice(first, first + len(X))
        H = np.matmul(X, np.swapaxes(X, 1, 2)) / cell.n
        parts[some] = np.sum(X * X, axis=(1, 2)) / cell.n
        wholes[some] = np.sum(np.abs(H), axis=(1, 2))
        first += len(X)
    return parts, wholes


def _batches(cell: Cell, key: int) -> Iterator[np.ndarray]:
    """The data of some runs at a time, shape (runs, d, n)."""
    d, n = cell.d, cell.n
    at_once = max(1, _AT_ONCE // d**2)
    everything: Any = None
    if cell.data in LAWS:
        everything = RandomMatrix(cell.runs * d, n, law=LAWS[cell.data], rng=key)
    for first in range(0, cell.runs, at_once):
        last = min(first + at_once, cell.runs)
        if everything is not None:
            entries = everything.tile(range(first * d, last * d), range(n))
            yield entries.reshape(last - first, d, n)
        else:
            yield np.stack([_digits(cell, key, run) for run in range(first, last)])


def _digits(cell: Cell, key: int, run: int) -> np.ndarray:
    """One run's features of n digits."""
    rng = np.random.default_rng(np.random.SeedSequence([key, run]))
    rows = rng.choice(_DIGITS, cell.n, replace=False)
    return features(cell.data, cell.d, rng, rows).T
