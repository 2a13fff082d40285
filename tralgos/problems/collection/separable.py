r"""Partially separable functions: sums of small elements, with inner sums.

.. math::

    f(x) = \sum_e \phi_e(y) + \sum_e r_e(y)^2, \qquad y = (x, z), \qquad
    z_q = \sum_{e \in I_q} \psi_e(x)

Each element reads a few components, named by index arrays, and its derivatives are found
by jets. The inner sums z are those that all the elements may share: with none of them f
is partially separable, with some of them group partially separable in the sense of Conn,
Gould and Toint (LANCELOT, 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack
from scipy.sparse import eye_array as identity

from tralgos.operators import Congruence, SparseOperator, SumOperator
from tralgos.problems.collection.jets import Jet, seed

__all__ = ["Elements", "Separable", "elements"]

#: Up to this order a Hessian is a dense matrix; it is then no larger than its bookkeeping.
DENSE_ORDER = 100

#: An inner sum of more terms than this is taken to fill the Hessian.
NARROW = 50


@dataclass(frozen=True)
class Elements:
    """One formula applied at many places.

    Attributes
    ----------
    function : callable
        k jets or arrays -> jet or array; see :mod:`~tralgos.problems.collection.jets`.
    indices : array of int, shape (k, E)
        Which component each input of each element is.
    into : array of int, shape (E,)
        For the elements of inner sums, the sum that each belongs to.
    """

    function: Callable[..., Any]
    indices: np.ndarray
    into: np.ndarray

    @property
    def count(self) -> int:
        """E."""
        return int(self.indices.shape[1])

    def value(self, y: np.ndarray) -> np.ndarray:
        """The values at y, shape (E,)."""
        values: np.ndarray = self.function(*y[self.indices])
        return values

    def jet(self, y: np.ndarray, second: bool) -> Jet:
        """The values with their derivatives at y."""
        result: Jet = self.function(*seed(y[self.indices], second))
        return result


def elements(function: Callable[..., Any], *indices: Any, into: Any = 0) -> Elements:
    """Elements whose inputs are the components `indices`, numbers or arrays, broadcast."""
    *inputs, rows = np.broadcast_arrays(*(np.atleast_1d(i) for i in (*indices, into)))
    return Elements(function, np.stack(inputs).astype(np.intp), rows.astype(np.intp))


class Separable:
    """A sum of elements, evaluated with its derivatives.

    Parameters
    ----------
    n : int
        Number of variables.
    terms : sequence of Elements
        Added to f as they are; they read y = (x, z).
    residuals : sequence of Elements
        Their squares are added to f; they read y = (x, z).
    inner : sequence of Elements
        Added into the sums z that `into` names; they read x.
    sums : int
        The number of inner sums; component n + q of y is z_q.
    fixed : array
        Values that never change, as on a boundary: component n + sums + q of y.

    Notes
    -----
    A value, a gradient and the building of a Hessian cost O(k^2) an element and one pass
    over the sparsity pattern, which is found once. Arrays may also be complex128, for
    derivatives by a complex step.
    """

    def __init__(
        self,
        n: int,
        *,
        terms: Sequence[Elements] = (),
        residuals: Sequence[Elements] = (),
        inner: Sequence[Elements] = (),
        sums: int = 0,
        fixed: Sequence[float] | np.ndarray = (),
    ) -> None:
        self.n, self.sums = n, sums
        self.fixed = np.array(fixed, dtype=np.float64)
        self.terms, self.residuals, self.inner = tuple(terms), tuple(residuals), tuple(inner)
        self._outer_pattern = Pattern(n + sums, (*self.terms, *self.residuals))
        self._inner_pattern = Pattern(n, self.inner)

    @property
    def count(self) -> int:
        """The number of elements: what an evaluation costs, up to k^2."""
        return sum(e.count for e in (*self.terms, *self.residuals, *self.inner))

    def value(self, x: np.ndarray) -> Any:
        """f(x), a NumPy scalar."""
        y = self._components(x)
        values = [e.value(y) for e in self.terms] + [e.value(y) ** 2 for e in self.residuals]
        return sum((np.sum(v) for v in values), start=x.dtype.type(0.0))

    def residual_values(self, x: np.ndarray) -> np.ndarray:
        """The residuals r(x), one after the other, shape (m,)."""
        y = self._components(x)
        return np.concatenate([e.value(y) for e in self.residuals])

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient, shape (n,)."""
        return self.value_and_gradient(x)[1]

    def value_and_gradient(self, x: np.ndarray) -> tuple[Any, np.ndarray]:
        """Both at once: the value is a part of the jets."""
        jets = self._outer(self._components(x), False)
        value = sum((np.sum(jet.value) for jet in jets), start=x.dtype.type(0.0))
        outer = self._outer_pattern.gradient([jet.gradient for jet in jets])
        if not self.sums:
            return value, outer
        weights = outer[self.n :]
        inside = [e.jet(x, False) for e in self.inner]
        pulled = [jet.gradient * weights[e.into] for jet, e in zip(inside, self.inner, strict=True)]
        return value, outer[: self.n] + self._inner_pattern.gradient(pulled)

    def hessian(self, x: np.ndarray) -> Any:
        """The Hessian: a dense or sparse matrix, or an operator (see :meth:`_assemble`)."""
        jets = self._outer(self._components(x), True)
        outer = self._outer_pattern.matrix([_second(jet) for jet in jets])
        if not self.sums:
            return self._assemble(outer, None, None)
        weights = self._outer_pattern.gradient([jet.gradient for jet in jets])[self.n :]
        inside = [e.jet(x, True) for e in self.inner]
        curved = [_second(jet) * weights[e.into] for jet, e in zip(inside, self.inner, strict=True)]
        return self._assemble(outer, self._inner_pattern.matrix(curved), self._jacobian(x, inside))

    def gauss_newton(self, x: np.ndarray) -> Any:
        """2 J'J, J the Jacobian of the residuals, if f has no other terms; as :meth:`hessian`."""
        y = self._components(x)
        blocks = []
        for e in self.residuals:
            g = e.jet(y, False).gradient
            blocks.append(2.0 * (g[:, None] * g[None, :]))
        outer = self._outer_pattern.matrix(blocks)
        if not self.sums:
            return self._assemble(outer, None, None)
        return self._assemble(outer, None, self._jacobian(x, [e.jet(x, False) for e in self.inner]))

    def _components(self, x: np.ndarray) -> np.ndarray:
        """All that the elements read: the variables, the inner sums, the fixed values."""
        if not self.sums and not self.fixed.shape[0]:
            return x
        z = np.zeros(self.sums, dtype=x.dtype)
        for e in self.inner:
            np.add.at(z, e.into, e.value(x))
        return np.concatenate([x, z, self.fixed])

    def _outer(self, y: np.ndarray, second: bool) -> list[Jet]:
        """The jets of the terms and of the squared residuals."""
        squares = (e.jet(y, second) for e in self.residuals)
        return [e.jet(y, second) for e in self.terms] + [r * r for r in squares]

    def _jacobian(self, x: np.ndarray, inside: list[Jet]) -> csr_array:
        """dy/dx, shape (n + sums, n): the identity above the gradients of the inner sums."""
        rows = [np.broadcast_to(e.into, e.indices.shape).ravel() for e in self.inner]
        columns = [e.indices.ravel() for e in self.inner]
        data = [jet.gradient.ravel() for jet in inside]
        places = (np.concatenate(rows), np.concatenate(columns))
        Z = csr_array((np.concatenate(data), places), shape=(self.sums, self.n))
        return vstack([identity(self.n, dtype=x.dtype, format="csr"), Z], format="csr")

    @cached_property
    def _narrow(self) -> bool:
        """Whether every inner sum has few terms, so that the Hessian is sparse."""
        sizes = sum(np.bincount(e.into, minlength=self.sums) for e in self.inner)
        return bool(np.max(sizes, initial=0) <= NARROW)

    def _assemble(self, outer: csr_array, curved: csr_array | None, J: csr_array | None) -> Any:
        """J' outer J + curved: dense for small n, sparse where it is, else an operator."""
        if J is not None and self.n > DENSE_ORDER and not self._narrow:
            product = Congruence(_symmetric(outer), SparseOperator(J, name="dy/dx"))
            return product if curved is None else SumOperator(product, _symmetric(curved))
        H = outer if J is None else _symmetrised(J.T @ outer @ J)
        if curved is not None:
            H = H + curved
        return H.toarray() if self.n <= DENSE_ORDER else H


class Pattern:
    """Where the derivatives of lists of elements go in a vector and in a symmetric matrix.

    Parameters
    ----------
    size : int
        The length of the vector; components beyond it are constants, which have no place.
    lists : sequence of Elements
        In the order in which their derivatives will be given.
    """

    def __init__(self, size: int, lists: Sequence[Elements]) -> None:
        self.size, self._lists = size, lists

    def gradient(self, gradients: Sequence[np.ndarray]) -> np.ndarray:
        """The sum of element gradients, given as (k, E) each; shape (size,)."""
        flat = np.concatenate([g.ravel() for g in gradients])
        total: np.ndarray = self._gather @ flat
        return total

    def matrix(self, hessians: Sequence[np.ndarray]) -> csr_array:
        """The sum of element Hessians, given as (k, k, E) each; exactly symmetric."""
        flat = np.concatenate([h[np.triu_indices(h.shape[0])].ravel() for h in hessians])
        spread, mirror, columns, starts = self._places
        sums = spread @ flat
        # Copies, since in-place methods of a matrix (eliminate_zeros) change its index arrays.
        parts = (sums[mirror], columns.copy(), starts.copy())
        return csr_array(parts, shape=(self.size, self.size))

    @cached_property
    def _gather(self) -> csr_array:
        """The incidence matrix that adds element gradients up, shape (size, sum of k E)."""
        places = np.concatenate([e.indices.ravel() for e in self._lists])
        return _incidence(places, np.ones(places.shape[0]), places < self.size, self.size)

    @cached_property
    def _places(self) -> tuple[csr_array, np.ndarray, np.ndarray, np.ndarray]:
        """How the upper triangles of element Hessians make up the CSR arrays of the matrix.

        Every unordered pair of components is added up once and then written to its two
        places, so that rounding cannot make the matrix asymmetric.
        """
        low, high, weight = _pairs(self._lists)
        kept = high < self.size
        keys, inverse = np.unique((low * self.size + high)[kept], return_inverse=True)
        rows = np.zeros(low.shape[0], dtype=np.intp)
        rows[kept] = inverse
        spread = _incidence(rows, weight, kept, keys.shape[0])
        i, j = keys // self.size, keys % self.size
        off = np.flatnonzero(i != j)
        rows, columns = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
        source = np.concatenate([np.arange(keys.shape[0]), off])
        order = np.lexsort((columns, rows))
        counts = np.bincount(rows, minlength=self.size)
        starts = np.concatenate([[0], np.cumsum(counts)])
        # SuperLU takes no longer indices, and SciPy would shorten them at every point.
        return spread, source[order], columns[order].astype(np.int32), starts.astype(np.int32)


def _pairs(lists: Sequence[Elements]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The component pairs (low, high) of all upper triangles, and how often each counts."""
    lows, highs, weights = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)], [np.zeros(0)]
    for e in lists:
        a, b = np.triu_indices(e.indices.shape[0])
        first, second = e.indices[a].ravel(), e.indices[b].ravel()
        lows.append(np.minimum(first, second))
        highs.append(np.maximum(first, second))
        # An element that reads one component twice has h_ab and h_ba on the diagonal.
        twice = np.repeat(a != b, e.count) & (first == second)
        weights.append(np.where(twice, 2.0, 1.0))
    return np.concatenate(lows), np.concatenate(highs), np.concatenate(weights)


def _incidence(rows: np.ndarray, weights: np.ndarray, kept: np.ndarray, height: int) -> csr_array:
    """The matrix whose column c has weights[c] in row rows[c], or nothing if c is not kept."""
    columns = np.flatnonzero(kept)
    shape = (height, rows.shape[0])
    return csr_array((weights[columns], (rows[columns], columns)), shape=shape)


def _second(jet: Jet) -> np.ndarray:
    """The second derivatives of a jet that carries them."""
    assert jet.hessian is not None
    return jet.hessian


def _symmetrised(A: csr_array) -> csr_array:
    """(A + A') / 2, which takes the rounding of a triple product out."""
    return (0.5 * (A + A.T)).tocsr()


def _symmetric(A: csr_array) -> SparseOperator:
    """An operator that says that it is symmetric: as it is, by construction."""
    operator = SparseOperator(A, name="element Hessian")
    operator.symmetric = True
    return operator
