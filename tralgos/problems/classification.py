"""Logistic and softmax regression, and their losses, safe for logits of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tralgos.arguments import integer
from tralgos.arrays import Array, device_of, from_host, is_array, namespace, to_host
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.problems.finite_sum import SampleMatrix
from tralgos.problems.least_squares import LinearModel, Loss

__all__ = ["LogisticLoss", "LogisticRegression", "SoftmaxLoss", "SoftmaxRegression"]


class LogisticLoss(Loss):
    """log(1 + exp(-s z)) for one logit z and a sign s.

    Parameters
    ----------
    targets : array, shape (N, 1)
        The signs, -1 or +1.
    """

    def values(self, Z: Array) -> Array:
        """log(1 + exp(-s_i z_i)), to relative accuracy on both sides."""
        xp = namespace(Z)
        margin = (self.targets * Z)[:, 0]
        lost = xp.where(margin < 0.0, -margin, xp.zeros_like(margin))
        return lost + xp.log1p(xp.exp(-xp.abs(margin)))

    def gradients(self, Z: Array) -> Array:
        """-s_i / (1 + exp(s_i z_i))."""
        xp = namespace(Z)
        margin = self.targets * Z
        small = xp.exp(-xp.abs(margin))
        return -self.targets * xp.where(margin < 0.0, xp.ones_like(small), small) / (1.0 + small)

    def curvature(self, Z: Array) -> Callable[[Array], Array]:
        """Products with p (1 - p), of which neither factor is found by a difference."""
        xp = namespace(Z)
        small = xp.exp(-xp.abs(Z))
        weights = small / ((1.0 + small) * (1.0 + small))
        return lambda D: weights * D


class SoftmaxLoss(Loss):
    """log sum_j exp(z_j) - z_c, the cross-entropy of k logits and a label c.

    Parameters
    ----------
    targets : array, shape (N, k)
        Row i is zero but for a one in the column of the label of sample i.

    Notes
    -----
    All differences of nearly equal numbers are avoided: where a sample is all but certain
    the value, the gradient and the curvature keep their relative accuracy.
    """

    def values(self, Z: Array) -> Array:
        """The cross-entropies."""
        xp = namespace(Z)
        shifted, top = _shifted(Z)
        others = xp.sum(xp.exp(shifted) * (1.0 - top), axis=1)
        labelled = xp.sum(_masked(shifted, self.targets), axis=1)
        return xp.log1p(others) - labelled

    def gradients(self, Z: Array) -> Array:
        """The probabilities less the targets."""
        xp = namespace(Z)
        others = _probabilities(_shifted(Z)[0]) * (1.0 - self.targets)
        return others - self.targets * xp.sum(others, axis=1, keepdims=True)

    def curvature(self, Z: Array) -> Callable[[Array], Array]:
        """D -> P o (D - rowsums(P o D)) with the probabilities P."""
        xp = namespace(Z)
        shifted, top = _shifted(Z)
        P = _probabilities(shifted)

        def product(D: Array) -> Array:
            # One number may be taken from each row. Taking the entry of the likeliest class
            # leaves no difference of nearly equal numbers where that is all but certain.
            D = D - xp.sum(top * D, axis=1, keepdims=True)
            return P * (D - xp.sum(P * D, axis=1, keepdims=True))

        return product


def _shifted(Z: Array) -> tuple[Array, Array]:
    """Z less the largest entry of each row, and a matrix with a one at the first such entry."""
    xp = namespace(Z)
    best = xp.argmax(Z, axis=1)[:, None]
    columns = xp.arange(Z.shape[1], dtype=best.dtype, device=device_of(Z))
    return Z - xp.max(Z, axis=1, keepdims=True), xp.astype(columns == best, Z.dtype)


def _masked(Z: Array, mask: Array) -> Array:
    """Z where the mask is one and zero elsewhere, also where Z is infinite there."""
    xp = namespace(Z)
    return xp.where(mask == 1.0, Z, xp.zeros_like(Z))


def _probabilities(shifted: Array) -> Array:
    """Softmax of each row of logits that have been shifted."""
    xp = namespace(shifted)
    E = xp.exp(shifted)
    return E / xp.sum(E, axis=1, keepdims=True)


class LogisticRegression(LinearModel):
    """f(w) = (1/N) sum_i log(1 + exp(-s_i x_i' w)) + (l2/2) ||w||^2 for two classes.

    There is no intercept: give `X` a column of ones for one.

    Parameters
    ----------
    X : array, sparse matrix or operator with a transpose, shape (N, n)
        The samples, one a row; referred to, not copied.
    labels : array or sequence, shape (N,)
        Either 0 and 1 or -1 and +1, of any integer, boolean or floating type; s_i is -1 for
        the former of each.
    l2 : float
        Weight of the regulariser, not negative.

    Raises
    ------
    ArrayTypeError
        If `X` cannot be multiplied from both sides or does not say where it lives, or the
        labels are no real numbers.
    ShapeError
        If `X` is empty, or there are not as many labels as rows.
    ArgumentError
        If a label is none of these, both 0 and -1 occur, or `l2` is negative or not finite.
    NonFiniteError
        If a matrix `X` holds NaN or infinity.

    Notes
    -----
    Making the problem costs one host transfer for `X`, and one for labels that are an array of a
    library other than NumPy. A value costs one pass over X (one product); a gradient, alone
    or with the value, two; a Hessian one, and two for each product with it. The Gauss-Newton
    matrix is the Hessian, since the logits are linear in w.
    """

    def __init__(self, X: Any, labels: Any, *, l2: float = 0.0) -> None:
        samples = SampleMatrix(X, "X")
        signs = _signs(_host_labels(labels, samples.size))
        loss = LogisticLoss(from_host(signs[:, None], samples.home))
        super().__init__(samples, loss, l2=l2, name="logistic regression")


class SoftmaxRegression(LinearModel):
    """The mean cross-entropy of the logits W' x_i, plus (l2/2) ||W||^2, for k classes.

    There is no intercept: give `X` a column of ones for one.

    Parameters
    ----------
    X : array, sparse matrix or operator with a transpose, shape (N, p)
        The samples, one a row; referred to, not copied.
    labels : array or sequence, shape (N,)
        Integers from 0 to `classes` - 1.
    classes : int
        k, at least 2.
    l2 : float
        Weight of the regulariser, not negative.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError
        As for :class:`LogisticRegression`.
    ArgumentError
        If a label is out of range or no integer, `classes` is less than 2, or `l2` is
        negative or not finite.

    Notes
    -----
    The p k variables are W, of shape (p, k), row by row. Host transfers and passes over X
    as for :class:`LogisticRegression`, a pass being k products: O(N p k) operations. The
    Gauss-Newton matrix is the Hessian, since the logits are linear in W.

    A shift of all k weights of a feature changes no probability: without a regulariser the
    Hessian has at least p zero eigenvalues.
    """

    def __init__(self, X: Any, labels: Any, classes: int, *, l2: float = 0.0) -> None:
        samples = SampleMatrix(X, "X")
        loss = softmax_loss(labels, _class_count(classes), samples)
        super().__init__(samples, loss, l2=l2, name="softmax regression")


def softmax_loss(labels: Any, classes: int | None, samples: SampleMatrix) -> SoftmaxLoss:
    """The loss of labels that are checked; None stands for one class more than the largest label.

    Errors as for :class:`SoftmaxRegression`.
    """
    host = _host_labels(labels, samples.size)
    wrong = host[~((host >= 0.0) & (host == np.floor(host)) & np.isfinite(host))]
    if wrong.size:
        raise ArgumentError(f"labels must be integers from 0 on, got {wrong[0]:g}")
    largest = int(host.max())
    count = _class_count(largest + 1 if classes is None else classes)
    if largest >= count:
        raise ArgumentError(f"labels must be integers from 0 to {count - 1}, got {largest}")
    one_hot = (host[:, None] == np.arange(count)).astype(np.float64)
    return SoftmaxLoss(from_host(one_hot, samples.home))


def _class_count(classes: object) -> int:
    """`classes` as an int of at least 2."""
    count = integer(classes, "classes")
    if count < 2:
        raise ArgumentError(f"classes must be at least 2, got {count}")
    return count


def _signs(labels: np.ndarray) -> np.ndarray:
    """-1 and +1 for labels of either convention."""
    wrong = labels[~np.isin(labels, (-1.0, 0.0, 1.0))]
    if wrong.size:
        raise ArgumentError(f"labels must be 0 and 1 or -1 and +1, got {wrong[0]:g}")
    if np.any(labels == 0.0) and np.any(labels == -1.0):
        raise ArgumentError("labels must be 0 and 1 or -1 and +1, got both 0 and -1")
    return np.where(labels == 1.0, 1.0, -1.0)


def _host_labels(labels: Any, size: int) -> np.ndarray:
    """The labels as float64 numbers on the host, their kind and number checked."""
    try:
        host = to_host(labels) if is_array(labels) else np.asarray(labels)
    except ValueError:
        raise ArrayTypeError("labels must be a vector of numbers") from None
    if host.dtype.kind not in "biuf":
        raise ArrayTypeError(f"labels must be real numbers, got dtype {host.dtype}")
    if host.shape != (size,):
        raise ShapeError(f"labels must have shape ({size},), a label a row, got {host.shape}")
    return host.astype(np.float64)
