"""Matrices X X' of data, and the two random families of the papers that are made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tralgos.arguments import positive_integer, positive_scalar
from tralgos.arrays import Array, device_of, namespace
from tralgos.errors import ArgumentError, ShapeError
from tralgos.memory import allocating
from tralgos.operators import TiledOperator
from tralgos.operators.base import finite_number
from tralgos.operators.tiled import StoredMatrix
from tralgos.problems.ensembles.laws import Law, as_law, require_variance
from tralgos.problems.ensembles.random_matrix import RandomMatrix

__all__ = ["GramMatrix", "indefinite_hessian", "ols_hessian"]


class GramMatrix(TiledOperator):
    r"""The symmetric matrix :math:`X X^\top / c - \lambda I`, which is not formed.

    Parameters
    ----------
    X : array or TiledOperator, shape (d, n)
        One row for each parameter, one column for each example. An array is referred to, not
        copied. Of a :class:`RandomMatrix` the rows are made anew where they are wanted: two
        passes for each product, and memory for two panels of `tile_size` rows only.
    divisor : float
        c, positive; the number of examples for the Hessian of least squares.
    shift : float
        lambda, of any sign.
    tile_size : int, optional
        See :class:`~tralgos.operators.TiledOperator`.

    Attributes
    ----------
    X : TiledOperator
    divisor, shift : float

    Raises
    ------
    ArrayTypeError
        If X is neither a real matrix nor a `TiledOperator`.
    ShapeError
        If X has no rows or no columns.
    ArgumentError
        If `divisor` is not positive, or a number is not finite.

    Notes
    -----
    A product costs one with X' and one with X: 4 d n operations and no tile.

    Examples
    --------
    The Hessian of least squares on the digits of scikit-learn:

    >>> from tralgos.problems import GramMatrix, load_digits
    >>> pixels, _ = load_digits()
    >>> H = GramMatrix(pixels.T, divisor=len(pixels))
    >>> H.shape
    (64, 64)
    """

    def __init__(
        self,
        X: Any,
        *,
        divisor: float = 1.0,
        shift: float = 0.0,
        tile_size: int | None = None,
    ) -> None:
        self.X = X if isinstance(X, TiledOperator) else StoredMatrix(X, name="X")
        d, n = self.X.shape
        if d == 0 or n == 0:
            raise ShapeError(f"X must have rows and columns, its shape is {self.X.shape}")
        self.divisor = positive_scalar(divisor, "divisor")
        self.shift = finite_number(shift, "shift")
        super().__init__(
            (d, d), home=self.X.home, tile_size=tile_size, name="Gram matrix", symmetric=True
        )

    def _strip(self, rows: range) -> Callable[[range], Array]:
        # The rows of X on the left are the same in all tiles of a strip.
        return partial(self._product, rows, self._panel(rows))

    def _tile(self, rows: range, columns: range) -> Array:
        return self._strip(rows)(columns)

    def _product(self, rows: range, left: Array, columns: range) -> Array:
        xp = namespace(self.home)
        right = left if rows == columns else self._panel(columns)
        entries = left @ xp.matrix_transpose(right)
        if self.shift == 0.0 or columns.stop <= rows.start or rows.stop <= columns.start:
            return entries
        i = xp.arange(rows.start, rows.stop, device=device_of(entries))[:, None]
        j = xp.arange(columns.start, columns.stop, device=device_of(entries))[None, :]
        return xp.where(i == j, entries - self.shift, entries)

    def _panel(self, rows: range) -> Array:
        """Rows of X over the root of the divisor.

        A panel is less to divide than a tile, and both sides alike keep the symmetry.
        """
        examples = self.X.shape[1]

        def advice(room: int | None) -> str:
            fits = self.tile_size // 2 if room is None else room // 2
            return f"The option tile_size={max(1, min(fits, self.tile_size // 2))} needs less."

        # Not by `tile`, whose advice is on the tiles of X.
        with allocating(f"rows of the data of {self.name}", len(rows), examples, self.home, advice):
            panel = self.X._tile(rows, range(examples))
        return panel if self.divisor == 1.0 else panel / math.sqrt(self.divisor)

    def _matmat(self, V: Array) -> Array:
        # Divided as the tiles are, so that both overflow and vanish alike.
        root = math.sqrt(self.divisor)
        inner = self.X._rmatmat(V)
        product = self.X._matmat(inner if root == 1.0 else inner / root)
        product = product if root == 1.0 else product / root
        return product if self.shift == 0.0 else product - self.shift * V


def ols_hessian(
    d: int,
    n: int,
    *,
    law: Law | str = "gaussian",
    stored: bool = True,
    rng: np.random.Generator | int | None = None,
    like: Array | None = None,
    tile_size: int | None = None,
) -> GramMatrix:
    """The Hessian X X' / n of least squares on random data (*Adaptive norms*, Proposition 2).

    Parameters
    ----------
    d, n : int
        Parameters and examples, at least 1.
    law : Law or {"gaussian", "rademacher", "uniform"}
        Of the entries of X, with a finite variance.
    stored : bool
        Whether X is made once and kept, d n numbers; else its rows are made where they are
        wanted, the same ones.
    rng, like, tile_size
        As for :class:`RandomMatrix`.

    Raises
    ------
    DeviceMemoryError
        If X is to be stored and does not fit.
    ArgumentError
        If an argument is out of its range, the law is unknown, or its variance infinite.
    ArrayTypeError
        If `like` is no real vector.

    Examples
    --------
    >>> from tralgos.problems import ols_hessian
    >>> from tralgos.shares import diagonal_share, gaussian_ols_share
    >>> share = diagonal_share(ols_hessian(1000, 32, rng=0)).share
    >>> round(share, 4), round(gaussian_ols_share(1000, 32), 4)
    (0.0071, 0.0071)
    """
    positive_integer(d, "d")
    examples = positive_integer(n, "n")
    entries = as_law(law)
    require_variance(entries, "Proposition 2")
    X = RandomMatrix(d, n, law=entries, rng=rng, like=like)
    return GramMatrix(_stored(X) if stored else X, divisor=float(examples), tile_size=tile_size)


def indefinite_hessian(
    n: int,
    shift: float,
    *,
    stored: bool = True,
    rng: np.random.Generator | int | None = None,
    like: Array | None = None,
    tile_size: int | None = None,
) -> GramMatrix:
    """The indefinite family B B' - lambda I with a standard normal B of n rows, n - 1 columns.

    B B' is singular, so that the smallest eigenvalue is -lambda (*Better generalization by
    efficient trust region method*, Section 4.1).

    Parameters
    ----------
    n : int
        The order, at least 2.
    shift : float
        lambda; 10 to 110 in the paper.
    stored, rng, like, tile_size
        As for :func:`ols_hessian`.

    Raises
    ------
    ArgumentError
        If `n` is less than 2 or `shift` is not finite.
    ArrayTypeError
        If `like` is no real vector.
    """
    order = positive_integer(n, "n")
    if order < 2:
        raise ArgumentError(f"n must be at least 2, got {n}")
    finite_number(shift, "shift")
    B = RandomMatrix(order, order - 1, rng=rng, like=like)
    return GramMatrix(_stored(B) if stored else B, shift=shift, tile_size=tile_size)


def _stored(X: RandomMatrix) -> Array:
    """All entries of the data; what to do where they do not fit."""

    def advice(room: int | None) -> str:
        return "With stored=False its rows are made where they are wanted."

    with allocating("the data X", *X.shape, X.home, advice):
        return X._tile(range(X.shape[0]), range(X.shape[1]))
