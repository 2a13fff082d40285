"""A network of two layers with its gradient, Hessian and Gauss-Newton products by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arguments import check_choice, check_rng, positive_integer, positive_scalar
from tralgos.arrays import (
    Array,
    all_finite,
    from_host,
    is_array,
    namespace,
    real_matrix,
    real_vector,
    same_home,
)
from tralgos.errors import ArgumentError, ShapeError
from tralgos.problems.classification import softmax_loss
from tralgos.problems.finite_sum import SampleMatrix
from tralgos.problems.least_squares import SquaredLoss
from tralgos.problems.linearization import Curvature
from tralgos.problems.two_layers import TwoLayers

__all__ = ["ACTIVATIONS", "Activation", "TwoLayerNetwork", "srelu"]

#: x -> the function and its first and second derivative, entry by entry.
Activation = Callable[[Array], tuple[Array, Array, Array]]


def _tanh(x: Array) -> tuple[Array, Array, Array]:
    xp = namespace(x)
    value, small = xp.tanh(x), xp.exp(-2.0 * xp.abs(x))
    slope = 4.0 * small / ((1.0 + small) * (1.0 + small))
    return value, slope, -2.0 * value * slope


def _sigmoid(x: Array) -> tuple[Array, Array, Array]:
    xp = namespace(x)
    small = xp.exp(-xp.abs(x))
    value = xp.where(x < 0.0, small, xp.ones_like(small)) / (1.0 + small)
    slope = small / ((1.0 + small) * (1.0 + small))
    return value, slope, -slope * xp.tanh(0.5 * x)


def srelu(alpha: float = 0.01) -> Activation:
    """(sqrt(x^2 + alpha) + x) / 2, a ReLU with all derivatives.

    Parameters
    ----------
    alpha : float
        Positive; the ReLU is the limit for 0.

    Raises
    ------
    ArgumentError
        If `alpha` is not positive and finite.

    Notes
    -----
    "Better generalization by efficient trust region method", section 4.2, which names no
    value for alpha.
    """
    alpha = positive_scalar(alpha, "alpha")

    def activation(x: Array) -> tuple[Array, Array, Array]:
        xp = namespace(x)
        root = xp.hypot(x, xp.full_like(x, alpha**0.5))
        # The two roots (root + x) / 2 and (root - x) / 2 multiply to alpha / 4.
        large = 0.5 * (root + xp.abs(x))
        value = xp.where(x < 0.0, 0.25 * alpha / large, large)
        return value, value / root, 0.5 * alpha / root / root / root

    return activation


#: The activations that have a name.
ACTIVATIONS: dict[str, Activation] = {"tanh": _tanh, "sigmoid": _sigmoid, "srelu": srelu()}


class TwoLayerNetwork(TwoLayers):
    """The mean loss of the outputs phi(x_i W_1 + b_1) W_2 + b_2, plus (l2/2) ||w||^2.

    Parameters
    ----------
    X : array, sparse matrix or operator with a transpose, shape (N, p)
        The samples, one a row; referred to, not copied.
    targets : array or sequence, shape (N,) or (N, k)
        For the softmax loss labels from 0 to k - 1, shape (N,); for the squared loss what
        the outputs should be, with the library, device and dtype of `X` (k = 1 for a vector).
    hidden : int
        h, the number of hidden units.
    activation : {"tanh", "sigmoid", "srelu"} or callable
        phi; a callable returns the function and its first and second derivative, see
        :func:`srelu`.
    loss : {"softmax", "squared"}
        The cross-entropy, or half the squared distance.
    classes : int, optional
        k of the softmax loss: one more than the largest label unless given.
    l2 : float
        Weight of the regulariser, not negative; it covers the biases too.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError
        If `X` or the targets are of the wrong kind, do not fit together, or hold NaN or infinity.
    ArgumentError
        If `hidden` is not a positive integer, a name is not known, a label is out of
        range, `classes` is given for the squared loss, or `l2` is negative or not finite.

    Notes
    -----
    The (p + 1) h + (h + 1) k variables are W_1 (p, h) row by row, b_1, W_2 (h, k) row by
    row, b_2. The regulariser is part of the Hessian and of the Gauss-Newton matrix.

    A value costs one pass over X, which is h products; a gradient, alone or with the
    value, two. The Hessian H and the Gauss-Newton matrix J_phi H_L J_phi' ("Small steps and
    giant leaps", equation 10) cost one pass to make and two for each product: one forward and one
    reverse sweep. The Gauss-Newton matrix is positive semidefinite, the Hessian need not be.
    A linearization costs one pass, and one for each product with its Jacobian or the transpose.

    Making the problem costs one host transfer for `X` and at most one for the targets.
    """

    def __init__(
        self,
        X: Any,
        targets: Any,
        hidden: int,
        activation: str | Activation = "tanh",
        loss: str = "softmax",
        *,
        classes: int | None = None,
        l2: float = 0.0,
    ) -> None:
        self.hidden = positive_integer(hidden, "hidden")
        if not callable(activation):
            activation = ACTIVATIONS[check_choice(activation, "activation", ACTIVATIONS)]
        check_choice(loss, "loss", ("softmax", "squared"))
        if classes is not None and loss == "squared":
            raise ArgumentError("classes belong to the softmax loss, not to the squared one")
        self._activation = activation
        self._samples = SampleMatrix(X, "X")
        if loss == "squared":
            self._loss = _squared_loss(targets, self._samples)
        else:
            self._loss = softmax_loss(targets, classes, self._samples)
        p, k = self._samples.features, self._loss.outputs
        self._layers = ((p, self.hidden), (self.hidden,), (self.hidden, k), (k,))
        n = (p + 1) * self.hidden + (self.hidden + 1) * k
        home = self._samples.home
        super().__init__(self._samples.size, n, home=home, l2=l2, name="two-layer network")

    def initial(self, rng: np.random.Generator | int | None = None) -> Array:
        """A random point: normal weights of variance 2 / (inputs + outputs), biases zero.

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

        Notes
        -----
        Glorot and Bengio (2010), equation 12, with normal instead of uniform numbers.
        """
        rng = check_rng(rng)
        parts = []
        for shape in self._layers:
            part = np.zeros(shape)
            if len(shape) == 2:
                part = rng.standard_normal(shape) * (2.0 / sum(shape)) ** 0.5
            parts.append(part.ravel())
        return from_host(np.concatenate(parts), self._home)

    # ---------------------------------------------------------------- sweeps

    def _split(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """W_1, b_1, W_2 and b_2."""
        xp = namespace(x)
        parts, at = [], 0
        for shape in self._layers:
            length = shape[0] * (shape[1] if len(shape) == 2 else 1)
            parts.append(xp.reshape(x[at : at + length], shape))
            at += length
        return parts[0], parts[1], parts[2], parts[3]

    def _forward(self, x: Array) -> _Sweep:
        """One pass over X."""
        W1, b1, W2, b2 = self._split(x)
        unit, slope, bend = self._activation(self._samples.forward(W1) + b1)
        Z = namespace(x).matmul(unit, W2) + b2
        return _Sweep(W2, unit, slope, bend, Z)

    def _tangent(self, sweep: _Sweep, v: Array) -> tuple[Array, Array]:
        """What direction v does to the input of the units and to the outputs: one pass."""
        xp = namespace(v)
        V1, c1, V2, c2 = self._split(v)
        R = self._samples.forward(V1) + c1
        return R, xp.matmul(sweep.slope * R, sweep.W2) + xp.matmul(sweep.unit, V2) + c2

    def _collect(self, D: Array, second: Array, G: Array) -> Array:
        """The gradient from D, in the inputs of the units, and G, in the outputs: one pass."""
        xp = namespace(D)
        parts = (self._samples.transposed(D), xp.sum(D, axis=0), second, xp.sum(G, axis=0))
        return xp.concat([xp.reshape(part, (-1,)) for part in parts])

    def _pull(self, sweep: _Sweep, G: Array) -> Array:
        """The gradient of which G is the gradient in the outputs: one pass."""
        xp = namespace(G)
        second = xp.matmul(xp.matrix_transpose(sweep.unit), G)
        return self._collect(sweep.back(G) * sweep.slope, second, G)

    # ---------------------------------------------------------------- derivatives

    def _mean_hessian(self, x: Array) -> Any:
        xp = namespace(x)
        sweep = self._forward(x)
        curvature = self._loss.curvature(sweep.Z)
        G = self._loss.gradients(sweep.Z) / float(self.size)
        bend = sweep.back(G) * sweep.bend

        def product(v: Array) -> Array:
            # The derivative along v of each line of the reverse sweep (Pearlmutter, 1994).
            R, RZ = self._tangent(sweep, v)
            RG = curvature(RZ) / float(self.size)
            V2 = self._split(v)[2]
            D = (sweep.back(RG) + xp.matmul(G, xp.matrix_transpose(V2))) * sweep.slope + bend * R
            transposed = xp.matrix_transpose(sweep.unit)
            second = xp.matmul(xp.matrix_transpose(sweep.slope * R), G) + xp.matmul(transposed, RG)
            return self._collect(D, second, RG)

        return Curvature(product, x, f"Hessian of {self.name}")

    def _term_gradients(self, x: Array, rows: np.ndarray | None) -> Array:
        part = self if rows is None else self._subset(rows)
        xp = namespace(x)
        sweep = part._forward(x)
        G = part._loss.gradients(sweep.Z)
        D = sweep.back(G) * sweep.slope
        first = part._samples.dense()[:, :, None] * D[:, None, :]
        second = sweep.unit[:, :, None] * G[:, None, :]
        return xp.concat([xp.reshape(a, (part.size, -1)) for a in (first, D, second, G)], axis=1)


@dataclass(frozen=True)
class _Sweep:
    """What the forward sweep leaves behind; a sample a row.

    Attributes
    ----------
    W2 : array, shape (h, k)
        Weights of the second layer.
    unit, slope, bend : array, shape (N, h)
        The activation and its derivatives.
    Z : array, shape (N, k)
        The outputs.
    """

    W2: Array
    unit: Array
    slope: Array
    bend: Array
    Z: Array

    def back(self, G: Array) -> Array:
        """Gradients in the outputs taken back to the units."""
        xp = namespace(G)
        return xp.matmul(G, xp.matrix_transpose(self.W2))


def _squared_loss(targets: Any, samples: SampleMatrix) -> SquaredLoss:
    """The loss of checked targets, a vector standing for one column."""
    check = real_vector if is_array(targets) and targets.ndim == 1 else real_matrix
    Y = check(targets, "targets")
    if Y is not targets:
        Y = namespace(targets).astype(targets, samples.home.dtype)
    same_home(Y, samples.home, "targets", "X")
    if Y.shape[0] != samples.size or 0 in Y.shape:
        raise ShapeError(
            f"targets must have a row for each of the {samples.size} samples, "
            f"got shape {tuple(Y.shape)}"
        )
    all_finite(Y, "targets")
    return SquaredLoss(Y[:, None] if Y.ndim == 1 else Y)
