"""Real data: the 1797 handwritten digits of scikit-learn, and problems made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tralgos.arguments import check_choice
from tralgos.errors import MissingDataError
from tralgos.problems.classification import LogisticRegression, SoftmaxRegression
from tralgos.problems.finite_sum import FiniteSum
from tralgos.problems.least_squares import LeastSquares
from tralgos.problems.networks import TwoLayerNetwork

__all__ = ["digits_problem", "load_digits"]

CLASSES = 10

#: The brightest pixel of the data set.
BRIGHTEST = 16.0


def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The digits: 8 x 8 pixels and labels from 0 to 9.

    Returns
    -------
    X : ndarray, shape (1797, 64)
        The pixels, row by row, scaled to [0, 1]. Three of them are never inked.
    labels : ndarray of int64, shape (1797,)
        What the digits are.

    Raises
    ------
    MissingDataError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits as load
    except ImportError as error:
        raise MissingDataError(
            "the digits come with scikit-learn: pip install tralgos[data]"
        ) from error
    pixels, labels = load(return_X_y=True)
    return np.asarray(pixels / BRIGHTEST, dtype=np.float64), np.asarray(labels, dtype=np.int64)


def digits_problem(kind: str = "softmax", *, l2: float = 0.0, hidden: int = 16) -> FiniteSum:
    """A problem on the digits, in NumPy and float64.

    Parameters
    ----------
    kind : {"softmax", "logistic", "least-squares", "two-layer"}
        Which digit it is, by softmax regression (650 variables); whether it is odd, by
        logistic regression or by least squares with targets -1 and +1 (65 variables);
        which digit it is, by a network with tanh units (75 `hidden` + 10 variables).
        The linear models get a column of ones after the pixels.
    l2 : float
        Weight of the regulariser, not negative.
    hidden : int
        Hidden units; of no effect unless `kind` is "two-layer".

    Raises
    ------
    ArgumentError
        If `kind` is not known, or `l2` or `hidden` out of range.
    MissingDataError
        If scikit-learn is not installed.
    """
    check_choice(kind, "kind", ("softmax", "logistic", "least-squares", "two-layer"))
    X, labels = load_digits()
    problem: FiniteSum
    if kind == "two-layer":
        problem = TwoLayerNetwork(X, labels, hidden, classes=CLASSES, l2=l2)
    else:
        X = np.column_stack([X, np.ones(len(X))])
        odd = labels % 2
        if kind == "softmax":
            problem = SoftmaxRegression(X, labels, CLASSES, l2=l2)
        elif kind == "logistic":
            problem = LogisticRegression(X, odd, l2=l2)
        else:
            problem = LeastSquares(X, 2.0 * odd - 1.0, l2=l2)
    problem.name = f"digits ({kind})"
    return problem
