"""Quadratic functions, on any operator and with a chosen spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tralgos.arguments import check_choice, check_rng
from tralgos.arrays import (
    Array,
    from_host,
    is_array,
    namespace,
    real_vector,
    same_home,
    to_float,
    to_host,
)
from tralgos.errors import ArgumentError, NonFiniteError, ShapeError
from tralgos.operators import DiagonalOperator, Operator, as_operator
from tralgos.operators.base import finite_number
from tralgos.problems.base import Problem

__all__ = ["Quadratic", "quadratic_with_spectrum"]


class Quadratic(Problem):
    """x'Hx/2 + b'x + c: one product with H for the value, the gradient, or both.

    Parameters
    ----------
    H : Operator or anything that :func:`tralgos.operators.as_operator` accepts
        Symmetric, of shape (n, n).
    b : array, shape (n,), optional
        Lives where H does, if that is known; zero unless given.
    c : float
        The constant.
    name, start, minimisers, optimal_value
        As for :class:`Problem`.

    Attributes
    ----------
    H : Operator
        The Hessian.
    b : array or None
        The gradient at zero.
    c : float
        The value at zero.

    Raises
    ------
    ShapeError
        If H is not square or b does not fit it.
    ArrayTypeError
        If b is not a real vector or does not live where H does.
    ArgumentError
        If c is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.problems import Quadratic
    >>> f = Quadratic(np.diag([1.0, 3.0]), np.array([-1.0, 0.0]), c=0.5)
    >>> f.value_and_gradient(np.array([1.0, 2.0]))
    (6.0, array([0., 6.]))
    """

    has_hessian = True

    def __init__(
        self,
        H: Any,
        b: Array | None = None,
        c: float = 0.0,
        *,
        name: str = "quadratic",
        start: Array | None = None,
        minimisers: Sequence[Array] = (),
        optimal_value: float | None = None,
    ) -> None:
        self.H = as_operator(H)
        n = self.H.shape[0]
        if self.H.shape[1] != n:
            raise ShapeError(f"H must be square, its shape is {self.H.shape}")
        if b is not None:
            b = real_vector(b, "b")
            if b.shape[0] != n:
                raise ShapeError(f"b has length {b.shape[0]}, H has shape {self.H.shape}")
            self.H.check_home(b, "b")
        self.b, self.c = b, finite_number(c, "c")
        super().__init__(
            n, name=name, start=start, minimisers=minimisers, optimal_value=optimal_value
        )

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        Hx = self.H.matvec(x)
        xp = namespace(x)
        if self.b is None:
            return xp.vecdot(x, 0.5 * Hx) + self.c, Hx
        same_home(x, self.b, "x", "b")
        return xp.vecdot(x, 0.5 * Hx + self.b) + self.c, Hx + self.b

    def _value(self, x: Array) -> Any:
        return self._value_and_gradient(x)[0]

    def _gradient(self, x: Array) -> Array:
        return self._value_and_gradient(x)[1]

    def _hessian(self, x: Array) -> Operator:
        return self.H


# Up to this order a random rotation is a matrix; beyond, a product of reflections.
_DENSE_ROTATION = 256

_REFLECTIONS = 3


def quadratic_with_spectrum(
    eigenvalues: Array | Sequence[float],
    *,
    rotation: str | float = "none",
    rng: np.random.Generator | int | None = None,
    minimiser: Array | None = None,
    like: Array | None = None,
    name: str = "quadratic",
) -> Quadratic:
    r"""A quadratic whose Hessian has the given eigenvalues.

    Parameters
    ----------
    eigenvalues : array or sequence of float, shape (n,)
        In any order, of any sign; zero included.
    rotation : {"none", "random", "dense", "reflections"} or float
        The eigenvectors. ``"none"``: the axes, and H is diagonal. ``"dense"``: uniformly
        distributed over the orthogonal matrices, and H is an n x n array.
        ``"reflections"``: the product of three random Householder reflections, and H is
        an operator that costs O(n) a product and stores 4 n numbers. ``"random"``: dense
        up to n = 256, reflections beyond. A number, for n = 2 alone: the axes turned by
        that angle in radians, counterclockwise.
    rng : numpy.random.Generator or int, optional
        Draws the rotation; a fixed seed by default.
    minimiser : array, shape (n,), optional
        A minimiser, zero unless given. It has to live where `like` does.
    like : array, optional
        Shows the library, device and dtype of H. Default: the eigenvalues where they are
        an array, else NumPy's float64.
    name : str
        What tables and messages call the problem.

    Returns
    -------
    Quadratic
        With c = 0 and b = -H `minimiser`. The minimiser and the optimal value are known
        unless an eigenvalue is negative; where one is zero it is one of many.

    Raises
    ------
    ArgumentError
        If `rotation` is unknown, an angle with n other than 2 or not finite, or if
        `minimiser` is given beside a negative eigenvalue.
    ArrayTypeError, ShapeError
        If an array is not a real vector, or they do not fit together.
    NonFiniteError
        If an eigenvalue is NaN or infinite.

    Notes
    -----
    The minimiser is exact up to the rounding of b = -Hm.

    Examples
    --------
    The third function of figure 1 of *Adaptive norms*, with condition number 20 and
    level sets tilted by 45 degrees:

    >>> import numpy as np
    >>> from tralgos.problems import quadratic_with_spectrum
    >>> f = quadratic_with_spectrum([1.0, 20.0], rotation=np.pi / 4)
    >>> f.gradient(np.array([1.0, 1.0]))
    array([1., 1.])
    """
    values = real_vector(
        eigenvalues if is_array(eigenvalues) else np.asarray(eigenvalues), "eigenvalues"
    )
    like = values if like is None else like
    host = to_host(values).astype(np.float64)
    if host.shape[0] == 0:
        raise ShapeError("eigenvalues must not be empty")
    if not np.all(np.isfinite(host)):
        raise NonFiniteError("eigenvalues must be finite")
    H = _rotated(host, rotation, check_rng(rng), like)
    definite = bool(np.all(host >= 0.0))
    if minimiser is None:
        zero = from_host(np.zeros(host.shape[0]), like)
        return Quadratic(
            H, name=name, minimisers=(zero,) * definite, optimal_value=0.0 if definite else None
        )
    if not definite:
        raise ArgumentError(
            f"there is no minimiser: the smallest eigenvalue is {float(np.min(host)):g}"
        )
    m = real_vector(minimiser, "minimiser")
    if m.shape[0] != host.shape[0]:
        raise ShapeError(f"minimiser has length {m.shape[0]}, eigenvalues {host.shape[0]}")
    same_home(m, from_host(host[:0], like), "minimiser", "the eigenvalues or like")
    b = -H.matvec(m)
    optimum = 0.5 * to_float(namespace(m).vecdot(b, m))
    return Quadratic(H, b, name=name, minimisers=(m,), optimal_value=optimum)


def _rotated(
    values: np.ndarray, rotation: str | float, rng: np.random.Generator, like: Array
) -> Operator:
    """Q diag(values) Q' as an operator that lives where `like` does."""
    n = values.shape[0]
    if not isinstance(rotation, str):
        angle = finite_number(rotation, "rotation")
        if n != 2:
            raise ArgumentError(f"rotation by an angle needs n = 2, got {n} eigenvalues")
        cosine, sine = math.cos(angle), math.sin(angle)
        return _dense(values, np.array([[cosine, -sine], [sine, cosine]]), like)
    check_choice(rotation, "rotation", ("none", "random", "dense", "reflections"))
    if rotation == "none":
        return DiagonalOperator(from_host(values, like))
    if rotation == "reflections" or (rotation == "random" and n > _DENSE_ROTATION):
        W = rng.standard_normal((_REFLECTIONS, n))
        W /= np.linalg.norm(W, axis=1, keepdims=True)
        return _ReflectedDiagonal(from_host(values, like), [from_host(w, like) for w in W])
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    # The signs of R's diagonal make the distribution uniform.
    return _dense(values, Q * np.copysign(1.0, np.diag(R)), like)


def _dense(values: np.ndarray, Q: np.ndarray, like: Array) -> Operator:
    H = (Q * values) @ Q.T
    return as_operator(from_host(0.5 * (H + H.T), like))


class _ReflectedDiagonal(Operator):
    """Q diag(d) Q' with Q a product of reflections 1 - 2 w w', each w of length one."""

    def __init__(self, d: Array, reflectors: list[Array]) -> None:
        self._d, self._reflectors = d, reflectors
        n = int(d.shape[0])
        super().__init__((n, n), name="rotated diagonal operator", home=d, symmetric=True)

    def _matvec(self, x: Array) -> Array:
        xp = namespace(x)
        for w in self._reflectors:
            x = x - 2.0 * xp.vecdot(w, x) * w
        x = self._d * x
        for w in reversed(self._reflectors):
            x = x - 2.0 * xp.vecdot(w, x) * w
        return x

    def _matmat(self, X: Array) -> Array:
        for w in self._reflectors:
            X = X - 2.0 * w[:, None] * (w @ X)[None, :]
        X = self._d[:, None] * X
        for w in reversed(self._reflectors):
            X = X - 2.0 * w[:, None] * (w @ X)[None, :]
        return X
