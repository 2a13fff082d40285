"""A trust-region subproblem on real data: softmax regression on scikit-learn's digits.

1797 images of 8 x 8 pixels in 10 classes, with a bias: 65 x 10 = 650 weights and no
regularisation, so that the Hessian is singular by construction. A shift of all ten
weights of a pixel by the same number changes no probability (65 directions), and three
pixels are never inked (3 x 10 directions, 3 of them shared). It is positive semidefinite
everywhere, as the loss is convex, and it is never formed here: one product costs two
passes over the images.

It is taken where gradient descent has got to after some steps, in two norms: the Euclidean
one, and the diagonal of the Hessian plus a little. Each subproblem is solved by
:func:`tralgos.solve_trs` from products alone and certified, and its answer is set beside
what the methods of :func:`scipy.optimize.minimize` return for it.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize

import tralgos
from tralgos.norms import DiagonalNorm, EuclideanNorm, Norm

__all__ = ["Row", "SoftmaxHessian", "compare", "main", "softmax_problem"]

Vector = NDArray[np.float64]
Asked = Literal["auto", "exact", "probabilistic", "none"]

#: Weight of the identity in the diagonal norm: the three dead pixels have no curvature at all.
EPSILON = 1e-4

#: The point: that many steps of gradient descent from the origin.
GRADIENT_STEPS = 200

#: The radii, and the evidence asked for. At the larger one the minimisers lie inside and the
#: leftmost eigenvalue that matters is exactly 0: no random start shows that to the
#: accuracy wanted, which is 1e-8 of the decrease over the squared diameter of the ball, so H is
#: formed from its products there, as trust-exact does.
CASES: tuple[tuple[float, Asked], ...] = ((1.0, "auto"), (100.0, "exact"))

#: The statuses that come with a proof.
CERTIFIED = (tralgos.Status.GLOBAL.name, tralgos.Status.ROUNDING.name)

SCIPY_METHODS = ("trust-ncg", "trust-krylov", "trust-exact")

MISSING = (
    "The digits need scikit-learn, which is not installed: "
    "install tralgos with its extra 'data', or scikit-learn itself."
)


class SoftmaxHessian:
    """The Hessian of the mean cross-entropy of softmax regression, by its products.

    Parameters
    ----------
    X : array, shape (m, p)
        The inputs, one a row.
    W : array, shape (p, k)
        The weights at which the Hessian is taken.

    Attributes
    ----------
    shape : tuple of int
        (p k, p k); a vector holds the weights row by row.
    symmetric : bool
        True.
    """

    symmetric = True

    def __init__(self, X: NDArray[np.float64], W: NDArray[np.float64]) -> None:
        self._X = X
        self._weights_shape = W.shape
        self._probabilities = softmax(X @ W)
        self.shape = (W.size, W.size)
        self.dtype = X.dtype

    def matvec(self, v: Vector) -> Vector:
        """H v = X' (P o (X V - rowsums(P o X V))) / m: two passes over X."""
        Z = self._X @ v.reshape(self._weights_shape)
        P = self._probabilities
        Z -= (P * Z).sum(axis=1, keepdims=True)
        return np.asarray(self._X.T @ (P * Z) / len(self._X)).ravel()

    def diagonal(self) -> Vector:
        """The diagonal of H, at the cost of one product."""
        P = self._probabilities
        return np.asarray((self._X**2).T @ (P * (1.0 - P)) / len(self._X)).ravel()


def softmax(Z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row by row, shifted by the largest entry so that nothing overflows."""
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(E / E.sum(axis=1, keepdims=True))


def softmax_problem(
    X: NDArray[np.float64], labels: NDArray[np.int64], W: NDArray[np.float64]
) -> tuple[SoftmaxHessian, Vector]:
    """Hessian and gradient of the mean cross-entropy at the weights `W`."""
    P = softmax(X @ W)
    P[np.arange(len(X)), labels] -= 1.0
    return SoftmaxHessian(X, W), np.asarray(X.T @ P / len(X)).ravel()


def descend(X: NDArray[np.float64], labels: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """Weights after some steps of gradient descent from the origin, of length 1/L."""
    # The Hessian of the cross-entropy in the logits has no eigenvalue above one half.
    length = 2.0 * len(X) / float(np.linalg.norm(X, 2)) ** 2
    W = np.zeros((X.shape[1], 10))
    for _ in range(steps):
        W -= length * softmax_problem(X, labels, W)[1].reshape(W.shape)
    return W


@dataclass(frozen=True)
class Row:
    """What one solver returned for one subproblem.

    Attributes
    ----------
    solver : str
        Its name.
    decrease : float
        -q(s), evaluated here from the step.
    length : float
        ||s||_M over the radius.
    matvecs : int
        Products with H.
    seconds : float
        Wall time.
    remark : str
        What the certificate says, where there is one.
    """

    solver: str
    decrease: float
    length: float
    matvecs: int
    seconds: float
    remark: str = ""


class _Counted:
    """A product with H that counts itself: SciPy's methods report none."""

    def __init__(self, matvec: Callable[[Vector], Vector]) -> None:
        self._matvec = matvec
        self.count = 0

    def __call__(self, v: Vector) -> Vector:
        self.count += 1
        return self._matvec(v)


def compare(
    H: SoftmaxHessian, g: Vector, radius: float, norm: Norm, evidence: Asked = "auto"
) -> list[Row]:
    """Solve one subproblem here and with each of SciPy's methods."""
    rows = [_by_tralgos(H, g, radius, norm, evidence)]
    rows += [_by_scipy(method, H, g, radius, norm) for method in SCIPY_METHODS]
    return rows


def _by_tralgos(H: SoftmaxHessian, g: Vector, radius: float, norm: Norm, evidence: Asked) -> Row:
    began = time.perf_counter()
    result = tralgos.solve_trs(
        H, g, radius, norm=norm, certify=evidence, rng=np.random.default_rng(0)
    )
    seconds = time.perf_counter() - began
    certificate = result.certificate
    remark = (
        f"{result.status.name}: gap at most {certificate.relative_gap:.1e} of the decrease; "
        f"evidence {certificate.evidence}, failure probability "
        f"{certificate.failure_probability:.0e}, {certificate.matvecs} of the products"
    )
    length = norm.norm(result.step) / radius
    decrease = _decrease(H, g, result.step)
    return Row("tralgos", decrease, length, result.matvecs, seconds, remark)


def _by_scipy(method: str, H: SoftmaxHessian, g: Vector, radius: float, norm: Norm) -> Row:
    """One outer iteration of `minimize` on q itself, from 0: its step is the subproblem's.

    SciPy's methods know the Euclidean norm only, so they get the problem in the variable
    M^(1/2) s.
    """
    root_g = norm.inverse_sqrt(g)
    product = _Counted(lambda v: norm.inverse_sqrt(H.matvec(norm.inverse_sqrt(v))))
    second: dict[str, object] = {"hessp": lambda _x, v: product(v)}
    began = time.perf_counter()
    if method == "trust-exact":
        dense = np.stack([product(e) for e in np.eye(g.size)])
        second = {"hess": lambda _x: 0.5 * (dense + dense.T)}

    # The gradient and the value at the trial point are made from products that do not count.
    def model(x: Vector) -> float:
        s = norm.inverse_sqrt(x)
        return -_decrease(H, g, s)

    def slope(x: Vector) -> Vector:
        s = norm.inverse_sqrt(x)
        return np.asarray(root_g + norm.inverse_sqrt(H.matvec(s)))

    options = {
        "initial_trust_radius": radius,
        "max_trust_radius": 2.0 * radius,
        "maxiter": 1,
        "gtol": 0.0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "maximum number of iterations": one was asked for
        found = minimize(
            model, np.zeros_like(g), jac=slope, method=method, options=options, **second
        )
    seconds = time.perf_counter() - began
    s = norm.inverse_sqrt(found.x)
    return Row(f"SciPy {method}", _decrease(H, g, s), norm.norm(s) / radius, product.count, seconds)


def _decrease(H: SoftmaxHessian, g: Vector, s: Vector) -> float:
    """-q(s), from the step alone."""
    return -float(g @ s + 0.5 * (s @ H.matvec(s)))


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left", caption=rows[0].remark, caption_justify="left")
    table.add_column("solver", no_wrap=True)
    for heading in ("decrease / ours", "||s|| / r", "products", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    ours = rows[0].decrease
    for row in rows:
        table.add_row(
            row.solver,
            f"{row.decrease / ours:.10f}",
            f"{row.length:.8f}",
            str(row.matvecs),
            f"{row.seconds:.2f}",
        )
    return table


def load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The digits: pixels scaled to [0, 1] with a column of ones, and the labels.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    X = np.column_stack([pixels / 16.0, np.ones(len(pixels))])
    return X, np.asarray(labels, dtype=np.int64)


def main(console: Console | None = None) -> int:
    """Print the comparison; 1 if a subproblem could not be certified, 2 without the data."""
    console = console or Console()
    try:
        X, labels = load()
    except ImportError:
        Console(stderr=True).print(MISSING)
        return 2
    H, g = softmax_problem(X, labels, descend(X, labels, GRADIENT_STEPS))
    console.print(
        f"Softmax regression on {len(X)} digits after {GRADIENT_STEPS} gradient steps: "
        f"{H.shape[0]} weights, a singular Hessian, known by its products alone "
        "(trust-exact forms it from as many products as it has columns).",
        highlight=False,
    )
    norms: tuple[tuple[str, Norm], ...] = (
        ("Euclidean norm", EuclideanNorm()),
        ("norm of the Hessian's diagonal", DiagonalNorm(H.diagonal() + EPSILON)),
    )
    certified = True
    for name, norm in norms:
        for radius, evidence in CASES:
            rows = compare(H, g, radius, norm, evidence)
            certified &= rows[0].remark.startswith(CERTIFIED)
            console.print(_table(f"{name}, radius {radius:g}", rows))
    return 0 if certified else 1


if __name__ == "__main__":
    sys.exit(main())
