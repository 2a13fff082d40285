"""Lanczos in the inner product of a norm, with the orthogonality watched.

For the pencil (H, M) the process builds q_1, q_2, ... with q_i'M q_j = delta_ij and
H Q = M (Q T + beta_k q_{k+1} e_k'), from a dual vector w with q_1 = M^-1 w / ||.||.
An iteration is one product with H, one solve with M and one transfer to the host.

Orthogonality is lost where Ritz values converge, and nowhere else (Paige 1980).
While all vectors are stored its loss is followed by a recurrence of length k on
the host (Simon 1984) and mended by a projection when it passes eps^(2/3): T is then the
projection of the pencil to rounding, and the recurrence, which a projection breaks by
the loss that it mends, holds nearly to rounding too. (The usual level, the square root
of rounding, is enough for T but not for solving with it.) Short vectors are always
projected. Beyond the memory bound the local recurrence goes on alone.
"""

from __future__ import annotations

import math

import numpy as np

from tralgos.arrays import Array
from tralgos.kernels import three_term
from tralgos.subproblems.basis import Basis
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["Lanczos"]

#: Up to this length every vector is projected: it costs less than finding out whether to.
_ALWAYS = 2048


class Lanczos:
    """A Lanczos process that can be extended, and combined into vectors.

    Vectors are kept as the recurrence gives them, with their norms apart: the
    division would be a pass over memory of its own.

    Parameters
    ----------
    model : Model
        Gives H, the norm and the count of products.
    start : array, shape (n,)
        The dual start vector w; nonzero.
    memory : int
        Bytes that the stored basis may take; at least two vectors.
    watched : bool
        Whether orthogonality is followed and mended while all vectors are stored.
    first_product : array, shape (n,), optional
        H M^-1 w, where it is known already.

    Attributes
    ----------
    start_norm : float
        ||w|| in the dual norm.
    alphas, betas : list of float
        The diagonal of T, and its off-diagonal followed by beta_k.
    invariant : bool
        Whether the space is invariant to rounding; it can not be extended then.
    """

    def __init__(
        self,
        model: Model,
        start: Array,
        *,
        memory: int,
        watched: bool = True,
        first_product: Array | None = None,
    ) -> None:
        self._model = model
        self._xp = model.xp
        self._basis = Basis(start, model.xp, memory)
        self._loss = _OrthogonalityLoss(model.eps, model.n)
        self._watched = watched
        self._always = watched and model.n <= _ALWAYS
        self._spare: list[Array] = []
        self._first_product = first_product
        self.alphas: list[float] = []
        self.betas: list[float] = []
        self.invariant = False
        self._size = 0.0
        primal = model.norm.solve(start)
        (square,) = model.fetch(model.dot(primal, start))
        self.start_norm = math.sqrt(max(square, 0.0))
        self._euclidean = primal is start
        self._previous: tuple[Array, float] | None = None
        #: The last two dual vectors that are stored: M M^-1 w is w but for rounding, and the
        #: recurrence enlarges the slightest difference.
        self._resume: tuple[Array, Array] | None = None
        self._dual, self._primal, self._norm = start, primal, self.start_norm
        self._keep(primal, self.start_norm)

    @property
    def order(self) -> int:
        """k, the dimension of the space."""
        return len(self.alphas)

    @property
    def T(self) -> Tridiagonal:
        """The projected pencil, of order k."""
        return Tridiagonal(np.asarray(self.alphas), np.asarray(self.betas[:-1]))

    @property
    def beta(self) -> float:
        """beta_k, the coupling to the next vector."""
        return self.betas[-1]

    @property
    def size(self) -> float:
        """A running lower estimate of the norm of the pencil: the largest row sum of T."""
        return self._size

    def extend(self) -> None:
        """One iteration: one product with H, one solve with M, one transfer to the host."""
        model, norm = self._model, self._norm
        product = self._take_product()
        alpha = model.dot(self._primal, product) / (norm * norm)
        target = self._room()
        previous, coupling = None, 0.0
        if self._previous is not None:
            previous, coupling = self._previous[0], norm / self._previous[1]
        always = self._always and self.order < len(self._basis)
        inside = three_term(
            product,
            self._dual,
            previous,
            (1.0 / norm, alpha / norm, coupling),
            target,
            self._xp,
            square=self._euclidean and not always,
        )
        removed = [self._project(target)] if always else []
        primal = model.norm.solve(target)
        if inside is None:
            inside = model.dot(primal, target)
        a, square, *taken = model.fetch(alpha, inside, *removed)
        beta = math.sqrt(max(square, 0.0))
        # Once is enough unless most of the vector went (Kahan, Parlett).
        if (taken and taken[0] > square) or (not always and self._loses(a, beta)):
            primal, beta = self._mended(target, beta)
        last = self.betas[-1] if self.betas else 0.0
        self.alphas.append(a)
        self.betas.append(beta)
        self._loss.commit()
        self._size = max(self._size, abs(a) + beta + last)
        whole = self.order >= model.n and self._watched and self.order <= len(self._basis)
        self.invariant = whole or beta <= 32.0 * model.eps * self._size
        self._advance(target, primal, beta)

    def _take_product(self) -> Array:
        if self._first_product is not None:
            product, self._first_product = self._first_product, None
            return product
        return self._model.hess(self._primal)

    def _room(self) -> Array:
        """Where the next dual vector is written: a row of the basis, or a buffer that is free."""
        if self._euclidean and not self._basis.full:
            return self._basis.room()
        return self._spare.pop() if self._spare else self._xp.empty_like(self._dual)

    def _project(self, target: Array) -> Array:
        """Take the stored vectors out of `target`; the square of what went, as a 0-d array."""
        part = self._basis.project(target)
        dual = self._model.norm.apply(part)
        target -= dual
        return self._model.dot(part, dual)

    def _loses(self, alpha: float, beta: float) -> bool:
        """Whether the newest vector is about to lose its orthogonality to the stored ones."""
        if not self._watched or self.order >= len(self._basis):
            return False
        return self._loss.needs_mending(self.alphas, self.betas, alpha, beta)

    def _mended(self, target: Array, beta: float) -> tuple[Array, float]:
        """Project until little more goes: twice is enough, unless only rounding is left."""
        for _ in range(3):
            self._project(target)
            primal = self._model.norm.solve(target)
            (square,) = self._model.fetch(self._model.dot(primal, target))
            before, beta = beta, math.sqrt(max(square, 0.0))
            if beta > 0.7 * before or beta == 0.0:
                break
        self._loss.mended()
        return primal, beta

    def _advance(self, target: Array, primal: Array, beta: float) -> None:
        # The vector that drops out may be written to, unless it is the caller's or stored.
        index = self.order - 2
        stored = self._euclidean and index < len(self._basis)
        if self._previous is not None and index >= 1 and not stored:
            self._spare.append(self._previous[0])
        self._previous = (self._dual, self._norm)
        self._dual, self._primal, self._norm = target, primal, beta
        if not self.invariant:
            self._keep(primal, beta)
            if self._resume is None and not self._euclidean and self._basis.full:
                self._resume = (1.0 * self._previous[0], 1.0 * self._dual)

    def _keep(self, primal: Array, norm: float) -> None:
        if self._basis.full:
            return
        row = self._basis.room()
        if not self._euclidean or self.order == 0:
            row[...] = primal
        self._basis.keep(norm)

    @property
    def next_vector(self) -> tuple[Array, float]:
        """The dual vector M q_{k+1}, times its norm, and that norm (beta_k)."""
        return self._dual, self._norm

    @property
    def not_stored(self) -> int:
        """Vectors that :meth:`combine` has to make again, at one product with H each."""
        return max(self.order - len(self._basis), 0)

    @property
    def not_stored_next(self) -> int:
        """The same after one more iteration."""
        return max(self.order + 1 - len(self._basis), 0)

    def combine(self, coefficients: np.ndarray) -> Array:
        """Q h: one pass over the stored vectors, and a product with H for each that is not stored.

        Parameters
        ----------
        coefficients : ndarray, shape (j,), j <= k
            h, in the normalised basis.
        """
        stored = min(len(self._basis), coefficients.shape[0])
        total = self._basis.combine(coefficients[:stored])
        if stored == coefficients.shape[0]:
            return total
        return self._combine_rest(coefficients, stored, total)

    def _combine_rest(self, coefficients: np.ndarray, stored: int, total: Array) -> Array:
        """Add the vectors that are not stored, made again by the same recurrence."""
        model = self._model
        (before, norm_before), (primal, norm) = (self._basis.row(stored - i) for i in (2, 1))
        previous, dual = (before, primal) if self._resume is None else self._resume
        for j in range(stored, coefficients.shape[0]):
            product = model.hess(primal)
            target = self._xp.empty_like(dual)
            three_term(
                product,
                dual,
                previous,
                (1.0 / norm, self.alphas[j - 1] / norm, norm / norm_before),
                target,
                self._xp,
                square=False,
            )
            previous, dual, norm_before, norm = dual, target, norm, self.betas[j - 1]
            primal = model.norm.solve(dual)
            total = total + primal * (float(coefficients[j]) / norm)
        return total


class _OrthogonalityLoss:
    """Simon's recurrence for the inner products of the newest vector with all others."""

    def __init__(self, eps: float, n: int) -> None:
        self._rounding = eps
        self._local = eps * math.sqrt(n)
        # Neighbours are orthogonal to eps sqrt(n) at best, which no projection improves on.
        self._level = max(eps ** (2.0 / 3.0), 16.0 * self._local)
        self._last = np.ones(1)
        self._before = np.zeros(0)
        self._next = self._last
        self._again = self._again_next = False

    def needs_mending(
        self, alphas: list[float], betas: list[float], alpha: float, beta: float
    ) -> bool:
        """Whether the newest vector has to be mended, by the estimates taken one vector further."""
        k = len(alphas)
        self._next, self._again_next = np.ones(k + 2), False
        if beta == 0.0:
            return False
        if k == 0:
            estimate = np.zeros(0)
        else:
            a, b = np.asarray(alphas), np.asarray(betas)
            w, v = self._last, self._before
            estimate = b * w[1:] + (a - alpha) * w[:-1]
            estimate[1:] += b[:-1] * w[:-2]
            estimate[:-1] -= b[-1] * v[:-1]
            estimate[-1] -= b[-1]
            estimate += np.copysign(self._rounding * (b + beta), estimate)
            estimate /= beta
        # The newest two: what cancels in the recurrence is as large as this against beta.
        cancelled = abs(alpha) + beta + (betas[-1] if betas else 0.0)
        local = self._rounding * cancelled / beta
        self._next = np.concatenate([estimate, [max(self._local, local), 1.0]])
        if self._again:
            return True
        return bool(max(local, float(np.abs(estimate).max(initial=0.0))) > self._level)

    def mended(self) -> None:
        """Record that the newest vector was projected; the one after it is to be as well."""
        self._next[:-1] = self._rounding
        self._again_next = not self._again

    def commit(self) -> None:
        """Keep the estimates, once the vector they are of is kept."""
        self._before, self._last = self._last, self._next
        self._again = self._again_next
