"""Evidence on the curvature: lower bounds on the leftmost eigenvalue of (H, M).

Three kinds behind one interface. `prove(lam, slack)` works until it has shown
lam + lambda_1 >= mu with a mu that serves, or has found a direction along which
H + lam M curves down, or gives up. The space of g is never evidence, since g may
be orthogonal to the leftmost eigenvector.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from tralgos.arrays import Array, standard_normal
from tralgos.operators.inertia import SparseFactor, sparse_factor
from tralgos.subproblems.certificate import Correction
from tralgos.subproblems.direct import DenseReduction
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model
from tralgos.subproblems.polynomial_bound import (
    RECURRENCE_MULTIPLE,
    lanczos_lower_bound,
    random_component,
)

__all__ = [
    "Curvature",
    "DenseCurvature",
    "RandomCurvature",
    "SparseCurvature",
]

#: A solve with L D L' has the backward error of the factorisation and of two triangular solves.
_SOLVE_MULTIPLE = 3.0


class Curvature(Protocol):
    """What a solver asks of its evidence; all figures in scaled units.

    Attributes
    ----------
    kind : {"exact", "probabilistic"}
        What stands behind `lower`.
    lower : float
        A lower bound on lambda_1; -inf where there is none yet.
    ritz : float
        The least Rayleigh quotient seen; inf where there is none yet.
    size : float
        An estimate of ||H||_M, not far below it; 0 where there is none yet.
    products : int
        Products with H that the evidence has cost so far.
    """

    kind: Literal["exact", "probabilistic"]
    lower: float
    ritz: float
    size: float
    products: int

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Improve `lower` and `ritz` until they decide the sign of lam + lambda_1, if possible.

        Decided means: a quarter of the margin lam + lambda_1 is proved; or it is within
        `slack` of zero, and so is what is proved; or a direction of negative curvature
        is known. `margin` is the caller's estimate of the margin, from above.
        """

    def refine(self) -> bool:
        """Sharpen the leftmost pair and its bound; False if that is as sharp as it gets."""

    def settle(self, rtol: float) -> None:
        """Bring `lower` within `rtol` |ritz| of `ritz`, or as near as it gets."""

    def vector(self) -> Array:
        """A vector of M-norm 1 with Rayleigh quotient `ritz`."""

    @property
    def proved_at(self) -> float | None:
        """The lam of the factorisation at hand, if there is one."""

    def correction(self, residual: Array) -> Correction:
        """-(H + lam M)^-1 residual for the lam of `proved_at`."""


class DenseCurvature:
    """The leftmost eigenvalue of a direct reduction, less its error: exact."""

    kind: Literal["exact", "probabilistic"] = "exact"

    def __init__(self, model: Model, reduction: DenseReduction, products: int = 0) -> None:
        self._model = model
        self._reduction = reduction
        self.ritz = reduction.T.leftmost_value()
        self.lower = self.ritz - reduction.error
        self.size = reduction.T.size()
        self.products = products

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Nothing to do."""

    def refine(self) -> bool:
        """Nothing to do."""
        return False

    def settle(self, rtol: float) -> None:
        """Nothing to do."""

    def vector(self) -> Array:
        """The leftmost eigenvector."""
        return self._reduction.step(self._reduction.T.leftmost()[1])

    @property
    def proved_at(self) -> float | None:
        """None: the residual of a direct step is rounding."""
        return None

    def correction(self, residual: Array) -> Correction:
        """Not to be had; see `proved_at`."""
        raise ValueError("there is no factorisation to solve with")


class SparseCurvature:
    """The inertia of sparse factorisations of H + lam M: exact, on the host.

    Both matrices are scaled to a unit diagonal of M first, so that a diagonal norm
    leaves nothing but the identity.

    Parameters
    ----------
    model : Model
        Gives the norm and the scale of H.
    matrix : SciPy sparse array, shape (n, n)
        H, unscaled.
    weight : SciPy sparse array, shape (n, n)
        M.
    rng : numpy.random.Generator
        Starts the eigenvalue iteration where one is needed.
    """

    kind: Literal["exact", "probabilistic"] = "exact"

    def __init__(
        self,
        model: Model,
        matrix: Any,
        weight: Any,
        rng: np.random.Generator,
    ) -> None:
        diagonal = weight.diagonal()
        self._root = 1.0 / np.sqrt(diagonal)
        root = scipy.sparse.diags_array(self._root)
        self._H = (root @ (matrix * (1.0 / model.hessian_scale)) @ root).tocsc()
        self._M = (root @ weight @ root).tocsc()
        self._least = _least_eigenvalue(self._M)
        self._rng = rng
        self._factor: SparseFactor | None = None
        self._lam = math.nan
        self._vector: np.ndarray | None = None
        self.lower, self.ritz = -math.inf, math.inf
        self.size = float((abs(self._H) @ np.ones(self._H.shape[0])).max())
        if self.size == 0.0:
            self.lower = self.ritz = 0.0
        self.products = 0

    def _definite(self, lam: float) -> bool:
        """Factorise H + lam M and take what it proves."""
        factor = sparse_factor(self._H + lam * self._M)
        if not factor.definite:
            return False
        error = factor.error_bound / self._least
        self._factor, self._lam = factor, lam
        self.lower = max(self.lower, -lam - error)
        return True

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """One factorisation where half of the margin is there, a few more where it is not.

        Half a margin below lam, since what is proved there serves other radii too.
        """
        if _decided(self, lam, slack, margin):
            return
        if slack < margin < math.inf and self._definite(lam - 0.5 * margin):
            return
        if lam + self.lower < -slack and not self._definite(lam):
            self._find_leftmost(lam)

    def _find_leftmost(self, lam: float) -> None:
        """The leftmost pair by shift and invert from below the spectrum."""
        size = self.size + abs(lam)
        step = 1e-3 * size
        while not self._definite(lam + step):
            step *= 8.0
            # Beyond Gershgorin's bound only rounding can stand in the way: inconclusive.
            if step > 1e3 * size / self._least:
                return
        value, vector = self._inverse_iteration()
        self.ritz, self._vector = value, vector
        for k in range(1, 6):
            assert self._factor is not None
            if self._definite(-value + 16.0**k * 2.0**-52 * size):
                return

    def _inverse_iteration(self) -> tuple[float, np.ndarray]:
        factor = self._factor
        assert factor is not None
        inverse = scipy.sparse.linalg.LinearOperator(
            self._H.shape, matvec=factor.solve, dtype=self._H.dtype
        )
        start = self._rng.standard_normal(self._H.shape[0]).astype(self._H.dtype)
        _, vectors = scipy.sparse.linalg.eigsh(
            self._H, k=1, M=self._M, sigma=-self._lam, OPinv=inverse, v0=start, tol=0.0
        )
        x = vectors[:, 0]
        mass = float(x @ (self._M @ x))
        return float(x @ (self._H @ x)) / mass, self._root * x / math.sqrt(mass)

    def refine(self) -> bool:
        """The pair is as sharp as rounding allows."""
        return False

    def settle(self, rtol: float) -> None:
        """Find the leftmost pair, at a few factorisations."""
        if self._vector is None and self.size > 0.0:
            self._find_leftmost(0.0)

    def vector(self) -> Array:
        """The leftmost eigenvector found; any unit vector where H = 0."""
        if self._vector is None:
            first = np.zeros_like(self._root)
            first[0] = self._root[0]
            return first
        return self._vector

    @property
    def proved_at(self) -> float | None:
        """The lam of the last definite factorisation."""
        return None if self._factor is None else self._lam

    def correction(self, residual: Array) -> Correction:
        """The solve with the last definite factorisation."""
        assert self._factor is not None
        vector = -self._root * self._factor.solve(self._root * residual)
        return Correction(vector, _SOLVE_MULTIPLE * self._factor.error_bound / self._least)


class RandomCurvature:
    """A Lanczos run from a random start, with the polynomial bound: probabilistic.

    See :mod:`tralgos.subproblems.polynomial_bound`. The start alone decides whether the
    bound fails, so one event covers every iteration.

    Parameters
    ----------
    model : Model
        Gives H, the norm and the count of products.
    failure_probability : float
        The probability that `lower` is wrong, at most.
    upper_eigenvalue : float
        An upper bound on the largest eigenvalue of M, so that ||v||_2 >= its root's inverse.
    limit : int
        Iterations after which to give up.
    memory : int
        Bytes for the basis; the leftmost vector costs products where it does not fit.
    rng : numpy.random.Generator
        Source of z.
    """

    kind: Literal["exact", "probabilistic"] = "probabilistic"

    def __init__(
        self,
        model: Model,
        *,
        failure_probability: float,
        upper_eigenvalue: float,
        limit: int,
        memory: int,
        rng: np.random.Generator,
    ) -> None:
        self._model = model
        self._limit = limit
        self._memory = memory
        self._rng = rng
        self._failure_probability = failure_probability
        self._upper_eigenvalue = upper_eigenvalue
        self._lanczos: Lanczos | None = None
        self.lower, self.ritz = -math.inf, math.inf
        self.size = 0.0
        self.products = 0

    def _run(self, count: int) -> None:
        """Up to `count` more iterations, then the bound."""
        if self._lanczos is None:
            start = standard_normal(self._model.n, self._model.g, self._rng)
            self._lanczos = Lanczos(self._model, start, memory=self._memory, watched=False)
        lanczos = self._lanczos
        before = self._model.matvecs
        try:
            for _ in range(count):
                if lanczos.invariant or lanczos.order >= self._limit:
                    break
                lanczos.extend()
        finally:
            self.products += self._model.matvecs - before
            if lanczos.order > 0:
                self._update(lanczos)

    def _update(self, lanczos: Lanczos) -> None:
        T = lanczos.T
        self.ritz, self.size = T.leftmost_value(), lanczos.size
        component = random_component(
            self._failure_probability, self._upper_eigenvalue, lanczos.start_norm
        )
        noise = RECURRENCE_MULTIPLE * self._model.eps * lanczos.size
        self.lower = max(
            self.lower, lanczos_lower_bound(T, lanczos.beta, self.ritz, component, noise)
        )

    @property
    def exhausted(self) -> bool:
        """Whether no further iteration is possible or allowed."""
        run = self._lanczos
        return run is not None and (run.invariant or run.order >= self._limit)

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Iterate until the matter is decided or the limit is reached."""
        while not _decided(self, lam, slack, margin) and not self.exhausted:
            order = self._lanczos.order if self._lanczos is not None else 0
            self._run(max(8, order // 32))

    def refine(self) -> bool:
        """A fifth more iterations."""
        if self.exhausted:
            return False
        order = self._lanczos.order if self._lanczos is not None else 0
        self._run(max(10, order // 5))
        return True

    def settle(self, rtol: float) -> None:
        """Iterate until the bound is there, the limit is reached, or rounding stops it."""
        while not self.exhausted and (
            math.isinf(self.ritz) or not self.ritz - self.lower <= rtol * abs(self.ritz)
        ):
            before = self.ritz - self.lower
            self.refine()
            stalled = self.ritz - self.lower >= 0.99 * before
            if stalled and math.isfinite(before) and before <= 1e-6 * self.size:
                return

    def vector(self) -> Array:
        """The leftmost Ritz vector: one pass over the stored basis."""
        assert self._lanczos is not None
        model = self._model
        _, h = self._lanczos.T.leftmost()
        before = model.matvecs
        vector = self._lanczos.combine(h)
        self.products += model.matvecs - before
        # Ghosts of the unwatched recurrence change the length, not the direction.
        return vector * (1.0 / model.norm.norm(vector))

    @property
    def proved_at(self) -> float | None:
        """None: there is no factorisation."""
        return None

    def correction(self, residual: Array) -> Correction:
        """Not to be had; see `proved_at`."""
        raise ValueError("there is no factorisation to solve with")


def _least_eigenvalue(M: Any) -> float:
    """A positive lower bound on the smallest eigenvalue of a sparse M with a unit diagonal.

    One factorisation unless M is badly conditioned; 1e-300, which proves nothing in
    effect, where M is not safely definite.
    """
    off = M.nnz - M.shape[0]
    if off == 0:
        return 1.0
    identity = scipy.sparse.eye_array(M.shape[0], dtype=M.dtype, format="csc")
    for shift in (0.125, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12):
        factor = sparse_factor(M - shift * identity)
        if factor.definite and factor.error_bound < 0.5 * shift:
            return shift - factor.error_bound
    return 1e-300


def _decided(known: Curvature, lam: float, slack: float, margin: float) -> bool:
    """Whether what is `known` decides the sign of lam + lambda_1; see :meth:`Curvature.prove`."""
    margin = min(margin, lam + known.ritz)
    proved = lam + known.lower
    if margin < -slack:
        return True
    return proved >= 0.25 * margin if margin > slack else proved >= -slack
