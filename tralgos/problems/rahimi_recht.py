r"""Two linear layers fitted to a linear map: the toy problem of Rahimi and Recht (2017).

Ali Rahimi and Ben Recht, "Reflections on random kitchen sinks", and the notebook "Gradient
descent doesn't find a local minimum in a two layer linear net" that goes with it. *CurveBall*
(section 4.1 and table 1) takes the problem from there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arguments import check_choice, check_rng, number, positive_integer
from tralgos.arrays import Array, all_finite, from_host, namespace, real_matrix, same_home, to_host
from tralgos.errors import ArgumentError, ShapeError
from tralgos.problems.finite_sum import SampleMatrix
from tralgos.problems.least_squares import SquaredLoss
from tralgos.problems.linearization import Curvature
from tralgos.problems.two_layers import TwoLayers

__all__ = ["TwoLayerLinear", "rahimi_recht"]


class TwoLayerLinear(TwoLayers):
    r"""The squared distance of W_2 W_1 x_i from A x_i, over N samples, plus (l2/2) ||w||^2.

    .. math:: f(W_1, W_2) = s \sum_{i=1}^N \|W_2 W_1 x_i - A x_i\|^2

    with s = 1 for the sum and s = 1/N for the mean: there is no factor of one half.

    Parameters
    ----------
    X : array, sparse matrix or operator with a transpose, shape (N, p)
        The samples, one a row; referred to, not copied.
    A : array, shape (k, p)
        The map to be fitted, with the library, device and dtype of `X`.
    hidden : int
        h, the width between the layers: the rank that W_2 W_1 may have.
    reduction : {"sum", "mean"}
        What s is. Rahimi and Recht take the sum. Gradient and curvatures are N times those of
        the mean, and so is every damping lambda that does the same.
    l2 : float
        Weight of the regulariser, not negative.

    Attributes
    ----------
    A, hidden, reduction
        As above.
    minimisers, optimal_value
        Known for l2 = 0, whatever the rank: see below. Otherwise () and None.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError
        If `X` or `A` is of the wrong kind, they do not fit together, or hold NaN or infinity.
    ArgumentError
        If `hidden` is not a positive integer, `reduction` is not known, or `l2` is negative or
        not finite.

    Notes
    -----
    The h p + k h variables are W_1 (h, p) row by row and W_2 (k, h) row by row; see
    :meth:`weights`.

    A value costs one pass over X, which is h products; a gradient, alone or with the value, two;
    a Hessian, a Gauss-Newton matrix or a linearization one; a product with one of the former
    two, with the Jacobian one, and with its transpose one. Besides, O(N h k) operations each.

    A subset of b terms is N/b times their sum for ``"sum"``, so that its mean is the whole.

    The best map of rank h has the value s times the sum of the squares of the singular values of
    X A' beyond the h-th (Eckart and Young): 0 if A has no more than h rows or columns. The
    minimiser that is given has layers of equal singular values; (T W_1, W_2 T^-1) has the same
    value for every regular T, so that the Hessian at a minimiser is singular.

    Making the problem costs at most three host transfers, and one of X more where h is less than
    both p and k.
    """

    def __init__(
        self, X: Any, A: Array, hidden: int, *, reduction: str = "sum", l2: float = 0.0
    ) -> None:
        self.hidden = positive_integer(hidden, "hidden")
        self.reduction = check_choice(reduction, "reduction", ("sum", "mean"))
        self._samples = SampleMatrix(X, "X")
        self.A = _checked_map(A, self._samples)
        k, p = (int(length) for length in self.A.shape)
        size = self._samples.size
        # Terms are averaged, and SquaredLoss has a half.
        self._weight = 2.0 * size if reduction == "sum" else 2.0
        targets = self._samples.forward(namespace(self.A).matrix_transpose(self.A))
        self._loss = SquaredLoss(targets, self._weight)
        self._shapes = ((self.hidden, p), (k, self.hidden))
        n = self.hidden * (p + k)
        super().__init__(size, n, home=self._samples.home, l2=l2, name="two linear layers")
        if self.l2 == 0.0:
            self._find_minimum()

    def initial(self, rng: np.random.Generator | int | None = None) -> Array:
        """A random point: all weights standard normal, as in the notebook.

        Parameters
        ----------
        rng : numpy.random.Generator or int, optional
            Draws the weights on the host; a fixed seed by default.

        Returns
        -------
        array, shape (n,)
            Beside the data, with their dtype.

        Raises
        ------
        ArgumentError
            If `rng` is not a generator, a seed or None.
        """
        return from_host(check_rng(rng).standard_normal(self.n), self._home)

    def weights(self, x: Array) -> tuple[Array, Array]:
        """W_1, shape (h, p), and W_2, shape (k, h), of a point; errors as for :meth:`value`."""
        return self._split(self._point(x))

    def condensed(self) -> TwoLayerLinear:
        """The same function of the weights, from at most p samples.

        f depends on X through X'X alone, and so the triangular factor of X stands for it. Nothing
        is lost but rounding, which is that of float64 whatever the dtype. Outputs, terms and
        samples are others: a linearization has no more than k p outputs.

        Returns
        -------
        TwoLayerLinear
            With min(N, p) terms. One host transfer.
        """
        X = to_host(self._samples.dense()).astype(np.float64)
        part: TwoLayerLinear = copy.copy(self)
        part._samples = SampleMatrix(
            from_host(np.asarray(np.linalg.qr(X, mode="r")), self._home), "X"
        )
        part.size = part._samples.size
        targets = part._samples.forward(namespace(self.A).matrix_transpose(self.A))
        part._weight = self._weight * (part.size / self.size)
        part._loss = SquaredLoss(targets, part._weight)
        return part

    # ---------------------------------------------------------------- sweeps

    def _split(self, x: Array) -> tuple[Array, Array]:
        xp = namespace(x)
        first, second = self._shapes
        at = first[0] * first[1]
        return xp.reshape(x[:at], first), xp.reshape(x[at:], second)

    def _forward(self, x: Array) -> _Sweep:
        """One pass over X."""
        xp = namespace(x)
        W1, W2 = self._split(x)
        unit = self._samples.forward(xp.matrix_transpose(W1))
        return _Sweep(W2, unit, xp.matmul(unit, xp.matrix_transpose(W2)))

    def _tangent(self, sweep: _Sweep, v: Array) -> tuple[Array, Array]:
        """What direction v does to the hidden layer and to the outputs: one pass."""
        xp = namespace(v)
        V1, V2 = self._split(v)
        R = self._samples.forward(xp.matrix_transpose(V1))
        side = xp.matmul(sweep.unit, xp.matrix_transpose(V2))
        return R, xp.matmul(R, xp.matrix_transpose(sweep.W2)) + side

    def _collect(self, D: Array, second: Array) -> Array:
        """The gradient from D, in the hidden layer, and that in W_2: one pass."""
        xp = namespace(D)
        first = xp.matrix_transpose(self._samples.transposed(D))
        return xp.concat([xp.reshape(first, (-1,)), xp.reshape(second, (-1,))])

    def _pull(self, sweep: _Sweep, G: Array) -> Array:
        """The gradient of which G is the gradient in the outputs: one pass."""
        xp = namespace(G)
        second = xp.matmul(xp.matrix_transpose(G), sweep.unit)
        return self._collect(xp.matmul(G, sweep.W2), second)

    # ---------------------------------------------------------------- derivatives

    def _mean_hessian(self, x: Array) -> Any:
        xp = namespace(x)
        sweep = self._forward(x)
        curvature = self._loss.curvature(sweep.Z)
        G = self._loss.gradients(sweep.Z) / float(self.size)

        def product(v: Array) -> Array:
            # The derivative along v of each line of the reverse sweep (Pearlmutter, 1994).
            R, RZ = self._tangent(sweep, v)
            RG = curvature(RZ) / float(self.size)
            D = xp.matmul(RG, sweep.W2) + xp.matmul(G, self._split(v)[1])
            side = xp.matmul(xp.matrix_transpose(G), R)
            return self._collect(D, xp.matmul(xp.matrix_transpose(RG), sweep.unit) + side)

        return Curvature(product, x, f"Hessian of {self.name}")

    def _term_gradients(self, x: Array, rows: np.ndarray | None) -> Array:
        part = self if rows is None else self._subset(rows)
        xp = namespace(x)
        sweep = part._forward(x)
        G = part._loss.gradients(sweep.Z)
        first = xp.matmul(G, sweep.W2)[:, :, None] * part._samples.dense()[:, None, :]
        second = G[:, :, None] * sweep.unit[:, None, :]
        return xp.concat([xp.reshape(a, (part.size, -1)) for a in (first, second)], axis=1)

    # ---------------------------------------------------------------- the minimum

    def _find_minimum(self) -> None:
        """The best map of rank h, and layers that make it."""
        best = to_host(self.A).astype(np.float64)
        self.optimal_value = 0.0
        if self.hidden < min(best.shape):
            X = to_host(self._samples.dense()).astype(np.float64)
            triangle = np.asarray(np.linalg.qr(X, mode="r"))
            U, values, _ = np.linalg.svd(best @ triangle.T, full_matrices=False)
            beyond, U = values[self.hidden :], U[:, : self.hidden]
            best = U @ (U.T @ best)
            scale = 0.5 * self._weight / self.size
            self.optimal_value = float(scale * (beyond @ beyond))
        U, values, V = np.linalg.svd(best, full_matrices=False)
        rank = min(self.hidden, len(values))
        roots = np.sqrt(values[:rank])
        (h, p), (k, _) = self._shapes
        W1, W2 = np.zeros((h, p)), np.zeros((k, h))
        W1[:rank], W2[:, :rank] = roots[:, None] * V[:rank], U[:, :rank] * roots
        x = np.concatenate([W1.ravel(), W2.ravel()])
        self.minimisers = (from_host(x, self._home),)


@dataclass(frozen=True)
class _Sweep:
    """W_2, and what the forward sweep leaves behind: hidden layer (N, h) and outputs (N, k)."""

    W2: Array
    unit: Array
    Z: Array


def rahimi_recht(
    matrix: str = "notebook",
    *,
    condition: float = 1e5,
    inputs: int = 6,
    hidden: int = 6,
    outputs: int = 10,
    samples: int = 1000,
    reduction: str = "sum",
    l2: float = 0.0,
    rng: np.random.Generator | int | None = None,
    like: Array | None = None,
) -> TwoLayerLinear:
    r"""The problem of Rahimi and Recht, with their matrix A or with one of known condition.

    Parameters
    ----------
    matrix : {"notebook", "conditioned"}
        How A is drawn, see below.
    condition : float
        At least 1. ``"conditioned"``: the condition number of A. ``"notebook"``: the ratio of
        the scales of its first and its last row, which is another thing.
    inputs, hidden, outputs, samples : int
        p, h, k and N. The defaults are those of the notebook's first version.
    reduction, l2
        As for :class:`TwoLayerLinear`.
    rng : numpy.random.Generator or int, optional
        Draws A and then the samples, on the host; a fixed seed by default.
    like : array, optional
        Shows the library, device and dtype; NumPy's float64 by default.

    Returns
    -------
    TwoLayerLinear
        With standard normal samples.

    Raises
    ------
    ArgumentError
        If a size is not a positive integer, a name is not known, `condition` is less than 1 or
        not finite, or other than 1 for a ``"conditioned"`` matrix of one row or column; and as
        for :class:`TwoLayerLinear`.

    Notes
    -----
    ``"notebook"``: uniform numbers from [0, 1), each row scaled by one of k factors evenly
    spaced from 1 down to 1 / `condition`. This does not give A that condition number. With the
    default sizes it has numbers from 5.8 to 333 over 20 000 seeds, and half of them are below 21:
    nine rows of moderate size are more than enough for six columns. The notebook's text and
    *CurveBall* say 1e5.

    The notebook's later version has 10 inputs, and leaves the width at 6. There the smallest
    singular value is at most that of the last row, and the condition number is from 2e5 to 3e9.
    But then A has rank 10: the summed loss cannot fall below 6 to 110 (its `optimal_value`),
    although the text calls the problem realisable.

    ``"conditioned"``: singular values in geometric progression from 1 down to 1 / `condition`
    between uniformly distributed orthogonal factors. Rounding changes each by some eps, and so
    the condition number by some eps times itself, relatively.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.problems.rahimi_recht import rahimi_recht
    >>> f = rahimi_recht()
    >>> f.n, f.size, f.optimal_value
    (96, 1000, 0.0)
    >>> g = rahimi_recht("conditioned", condition=1e5)
    >>> print(f"{np.linalg.cond(g.A):.6g}")
    100000
    """
    check_choice(matrix, "matrix", ("notebook", "conditioned"))
    p, k = positive_integer(inputs, "inputs"), positive_integer(outputs, "outputs")
    size, condition = positive_integer(samples, "samples"), number(condition, "condition")
    if not 1.0 <= condition < np.inf:
        raise ArgumentError(f"condition must be at least 1 and finite, got {condition}")
    rng = check_rng(rng)
    draw = _notebook_matrix if matrix == "notebook" else _conditioned_matrix
    A, X = draw(k, p, condition, rng), rng.standard_normal((size, p))
    X, A = (data if like is None else from_host(data, like) for data in (X, A))
    problem = TwoLayerLinear(X, A, hidden, reduction=reduction, l2=l2)
    problem.name = f"Rahimi-Recht ({matrix})"
    return problem


def _notebook_matrix(k: int, p: int, condition: float, rng: np.random.Generator) -> np.ndarray:
    scales = np.linspace(1.0, 1.0 / condition, k)
    return scales[:, None] * rng.uniform(size=(k, p))


def _conditioned_matrix(k: int, p: int, condition: float, rng: np.random.Generator) -> np.ndarray:
    rank = min(k, p)
    if rank == 1 and condition > 1.0:
        raise ArgumentError(
            f"a matrix of one row or column has condition number 1, not {condition:g}"
        )
    values = np.geomspace(1.0, 1.0 / condition, rank)
    A: np.ndarray = _orthonormal(k, rank, rng) * values @ _orthonormal(p, rank, rng).T
    return A


def _orthonormal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Uniformly distributed orthonormal columns."""
    Q, R = np.linalg.qr(rng.standard_normal((rows, columns)))
    # The signs of R's diagonal make the distribution uniform.
    signed: np.ndarray = Q * np.copysign(1.0, np.diag(R))
    return signed


def _checked_map(A: Array, samples: SampleMatrix) -> Array:
    """`A`, finite and beside the samples, with as many columns as they have."""
    checked = real_matrix(A, "A")
    if checked is not A:
        checked = namespace(A).astype(A, samples.home.dtype)
    same_home(checked, samples.home, "A", "X")
    if checked.shape[1] != samples.features or 0 in checked.shape:
        raise ShapeError(
            f"A must have a column for each of the {samples.features} features, "
            f"got shape {tuple(checked.shape)}"
        )
    all_finite(checked, "A")
    return checked
