"""Exact evidence on the curvature from the inertia of sparse factorisations."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from tralgos.arrays import Array
from tralgos.operators.inertia import SparseFactor, sparse_factor
from tralgos.subproblems.certificate import Correction
from tralgos.subproblems.evidence import decided
from tralgos.subproblems.model import Model

__all__ = ["SparseCurvature"]

#: A solve with L D L' has the backward error of the factorisation and of two triangular solves.
_SOLVE_MULTIPLE = 3.0
#: Inverse iterations after which a Rayleigh quotient is within a hundredth of the distance.
_POWERS = 30


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
    share = 0.36

    def __init__(
        self,
        model: Model,
        matrix: Any,
        weight: Any,
        rng: np.random.Generator,
    ) -> None:
        # The entries of a float32 matrix are exact in float64, and the factors are ours.
        self._dtype = model.g.dtype
        self._cast = model.eps if self._dtype != np.float64 else 0.0
        weight = weight.astype(np.float64)
        self._root = 1.0 / np.sqrt(weight.diagonal())
        root = scipy.sparse.diags_array(self._root)
        scaled = matrix.astype(np.float64) * (1.0 / model.hessian_scale)
        self._H = (root @ scaled @ root).tocsc()
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
        self.granted = 0.0

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
        if decided(self, lam, slack, margin):
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
        value, vector, sharp = self._inverse_iteration()
        closer = 0.1 * step
        while not sharp and closer > 1e-14 * size and self._definite(closer - value):
            value, vector, sharp = self._inverse_iteration()
            closer *= 0.1
        self.ritz, self._vector = value, vector
        for k in range(1, 6):
            assert self._factor is not None
            if self._definite(-value + 16.0**k * 2.0**-52 * size):
                return

    def _inverse_iteration(self) -> tuple[float, np.ndarray, bool]:
        """The leftmost pair seen from the last factorisation, and whether to rounding."""
        factor = self._factor
        assert factor is not None
        inverse = scipy.sparse.linalg.LinearOperator(
            self._H.shape, matvec=factor.solve, dtype=self._H.dtype
        )
        start = self._rng.standard_normal(self._H.shape[0]).astype(self._H.dtype)
        try:
            _, vectors = scipy.sparse.linalg.eigsh(
                self._H,
                k=1,
                M=self._M,
                sigma=-self._lam,
                OPinv=inverse,
                v0=start,
                tol=0.0,
                maxiter=100,
            )
            x, sharp = vectors[:, 0], True
        except scipy.sparse.linalg.ArpackNoConvergence:
            # A cluster seen from afar. A vector of it will do: from closer by it comes apart.
            x, sharp = start, False
            for _ in range(_POWERS):
                x = factor.solve(self._M @ x)
                x = x / np.linalg.norm(x)
        mass = float(x @ (self._M @ x))
        return float(x @ (self._H @ x)) / mass, self._root * x / math.sqrt(mass), sharp

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
            return first.astype(self._dtype)
        return self._vector.astype(self._dtype)

    @property
    def proved_at(self) -> float | None:
        """The lam of the last definite factorisation."""
        return None if self._factor is None else self._lam

    def correction(self, residual: Array) -> Correction:
        """The solve with the last definite factorisation."""
        assert self._factor is not None
        vector = -self._root * self._factor.solve(self._root * residual)
        error = _SOLVE_MULTIPLE * self._factor.error_bound / self._least
        rounded = self._cast * (self.size + abs(self._lam))
        return Correction(vector.astype(self._dtype), error + rounded)


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
