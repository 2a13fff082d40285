"""Wigner's symmetric random matrices (*Adaptive norms*, Proposition 1)."""

from __future__ import annotations

import numpy as np

from tralgos.arguments import positive_scalar
from tralgos.arrays import Array, device_of, namespace, real_vector
from tralgos.operators import TiledOperator
from tralgos.problems.ensembles.laws import Law
from tralgos.problems.ensembles.philox import key_of
from tralgos.problems.ensembles.random_matrix import (
    checked_law,
    checked_order,
    independent_entries,
)

__all__ = ["WignerMatrix"]


class WignerMatrix(TiledOperator):
    r"""A symmetric matrix with independent entries on and above the diagonal, never stored.

    :math:`W_{ii} = \sigma_1 Z_{ii}` and :math:`W_{ij} = \sigma_2 Z_{ij}` for i < j, with Z of one
    law (*Adaptive norms*, Proposition 1 with its footnote).

    Parameters
    ----------
    d : int
        The order, at least 1.
    law, rng, like, tile_size
        As for :class:`RandomMatrix`, whose properties this has: an entry depends on its place
        alone. Any law will do, also one without moments.
    sigma_1, sigma_2 : float
        Scales on and off the diagonal, positive.

    Attributes
    ----------
    law : Law
    key : tuple of int
        The generator's key; that of a :class:`RandomMatrix` of the same seed is another.
    sigma_1, sigma_2 : float

    Raises
    ------
    ArgumentError
        If an argument is out of its range, or the law is unknown.
    ArrayTypeError
        If `like` is no real vector.

    Notes
    -----
    A product makes every entry on or above the diagonal once; so does
    :func:`~tralgos.shares.diagonal_share`.

    Examples
    --------
    >>> from tralgos.problems import WignerMatrix
    >>> W = WignerMatrix(100_000, rng=0)
    >>> W.tile(range(2), range(99_998, 100_000)).shape
    (2, 2)
    """

    def __init__(
        self,
        d: int,
        *,
        law: Law | str = "gaussian",
        sigma_1: float = 1.0,
        sigma_2: float = 1.0,
        rng: np.random.Generator | int | None = None,
        like: Array | None = None,
        tile_size: int | None = None,
    ) -> None:
        order = checked_order(d, "d")
        self.sigma_1 = positive_scalar(sigma_1, "sigma_1")
        self.sigma_2 = positive_scalar(sigma_2, "sigma_2")
        self.key = key_of(rng, stream=1)
        home = np.empty(0) if like is None else real_vector(like, "like")
        self.law = checked_law(law, home)
        super().__init__(
            (order, order), home=home, tile_size=tile_size, name="Wigner matrix", symmetric=True
        )

    def _above(self, rows: range, columns: range, scale: float) -> Array:
        """Entries, right for those above the diagonal, or on it."""
        return independent_entries(self.law, self.key, rows, columns, self.home, scale=scale)

    def _tile(self, rows: range, columns: range) -> Array:
        if len(rows) == 0 or rows.stop - 1 < columns.start:
            return self._above(rows, columns, self.sigma_2)
        xp = namespace(self.home)
        below = xp.matrix_transpose(self._above(columns, rows, self.sigma_2))
        if columns.stop <= rows.start:
            return below
        i = xp.arange(rows.start, rows.stop, device=device_of(self.home))[:, None]
        j = xp.arange(columns.start, columns.stop, device=device_of(self.home))[None, :]
        off = xp.where(i < j, self._above(rows, columns, self.sigma_2), below)
        if self.sigma_1 == self.sigma_2:
            return off
        return xp.where(i == j, self._above(rows, columns, self.sigma_1), off)
