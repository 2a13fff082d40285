r"""A quadratic model on the span of two vectors, by its eigenvalues there.

CurveBall's closed-form beta and rho (eq. 18) minimise z'J + z'(H + lambda)z/2 over the span of z
and Delta_z = Hz + J + lambda z. This is the span of z and v = Hz + J whatever lambda is,
so with an orthonormal basis of it in which H is diagonal, with entries a_i, and J has the
components b_i, the minimiser has the components -b_i / (a_i + lambda): one look at the span serves
all lambda.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Forms", "Plane", "Point", "nearly_collinear", "plane_of"]

#: Eigenvalues below this many roundings of the largest count as zero.
_ZERO = 64.0


@dataclass(frozen=True)
class Forms:
    """Inner products of q, v, the gradient g and their images under H; 0 where there is no q.

    The attributes' names spell them: `qHv` is q'Hv.
    """

    qq: float
    qv: float
    vv: float
    qHq: float
    qHv: float
    vHv: float
    gq: float
    gv: float


@dataclass(frozen=True)
class Point:
    """A point of the plane.

    Attributes
    ----------
    on_q, on_v : float
        Its coefficients.
    norm : float
        Euclidean.
    predicted : float
        The change g'z + z'Hz/2 of the undamped model.
    lam : float
        The shift of H at which it is the minimiser.
    indefinite : bool
        Whether H + lam was not positive definite there and absolute values were taken.
    """

    on_q: float
    on_v: float
    norm: float
    predicted: float
    lam: float
    indefinite: bool = False


@dataclass(frozen=True)
class Plane:
    """The model in an orthonormal basis that diagonalises H on the span, ascending.

    Attributes
    ----------
    curvatures, slopes : tuple of float
        a_i and b_i, as many as the rank: 0, 1 or 2.
    basis : tuple of pairs of float
        Coefficients of q and v in each vector of the basis.
    forms : Forms
        What they are made of.
    eps : float
        Of the dtype of the vectors.
    """

    curvatures: tuple[float, ...]
    slopes: tuple[float, ...]
    basis: tuple[tuple[float, float], ...]
    forms: Forms
    eps: float

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.curvatures)

    @property
    def gradient_bound(self) -> float:
        """The length of the gradient's projection, a lower bound on its norm."""
        return math.hypot(*self.slopes)

    @property
    def size(self) -> float:
        """The largest |a_i|."""
        return max((abs(a) for a in self.curvatures), default=0.0)

    @property
    def zero(self) -> float:
        """Curvatures of this size are rounding errors."""
        return _ZERO * self.eps * self.size

    def damped(self, lam: float) -> Point:
        """The minimiser with H + lam, of H + lam with absolute values where that is indefinite.

        Directions in which H + lam and the gradient are zero to rounding are left out, as a
        pseudo-inverse does. Where the gradient is not, which no singular Gauss-Newton matrix
        allows, H + lam is taken to be as large as its rounding error.
        """
        zero = _ZERO * self.eps * (self.size + lam)
        none = _ZERO * self.eps * self.gradient_bound
        shifted = [a + lam for a in self.curvatures]
        steps = [-_quotient(b, a, none, zero) for a, b in zip(shifted, self.slopes, strict=True)]
        return self._point(steps, lam, indefinite=any(a < -zero for a in shifted))

    def on_line(self, start: tuple[float, float], along: tuple[float, float], lam: float) -> float:
        """t that minimises the model with H + lam at start + t along, given by coefficients.

        With the absolute value of the curvature along the line, and 0 where that and the slope
        are zero to rounding, as for :meth:`damped`.
        """
        begin, direction = self.components(start), self.components(along)
        length = math.hypot(*direction)
        if length == 0.0:
            return 0.0
        # Of length one, for the square of the other length may leave the range of the numbers.
        direction = [d / length for d in direction]
        shifted = [a + lam for a in self.curvatures]
        curvature = sum(a * d * d for a, d in zip(shifted, direction, strict=True))
        forces = [b + a * c for a, b, c in zip(shifted, self.slopes, begin, strict=True)]
        slope = sum(f * d for f, d in zip(forces, direction, strict=True))
        zero = _ZERO * self.eps * (self.size + lam)
        none = _ZERO * self.eps * math.hypot(*forces)
        return -_quotient(slope, curvature, none, zero) / length

    def at(self, on_q: float, on_v: float, lam: float) -> Point:
        """The point with these coefficients."""
        steps = self.components((on_q, on_v))
        shifted = [a + lam for a in self.curvatures]
        zero = _ZERO * self.eps * (self.size + lam)
        return self._point(
            steps, lam, indefinite=any(a < -zero for a in shifted), coefficients=(on_q, on_v)
        )

    def components(self, coefficients: tuple[float, float]) -> list[float]:
        """Of a combination of q and v in the basis."""
        f, (c, d) = self.forms, coefficients
        first, second = c * f.qq + d * f.qv, c * f.qv + d * f.vv
        return [p * first + r * second for p, r in self.basis]

    def _point(
        self,
        steps: list[float],
        lam: float,
        *,
        indefinite: bool = False,
        coefficients: tuple[float, float] | None = None,
    ) -> Point:
        if coefficients is None:
            on_q = sum(y * p for y, (p, _) in zip(steps, self.basis, strict=True))
            on_v = sum(y * r for y, (_, r) in zip(steps, self.basis, strict=True))
        else:
            on_q, on_v = coefficients
        predicted = sum(
            y * (b + 0.5 * a * y)
            for y, a, b in zip(steps, self.curvatures, self.slopes, strict=True)
        )
        return Point(on_q, on_v, math.hypot(*steps), predicted, lam, indefinite)


def _quotient(slope: float, curvature: float, none: float, zero: float) -> float:
    """Slope over |curvature|, given the sizes below which either is but rounding."""
    if zero == 0.0 or (abs(curvature) <= zero and abs(slope) <= none):
        return 0.0
    return slope / max(abs(curvature), zero)


def nearly_collinear(forms: Forms, eps: float) -> bool:
    """Whether the component of v across q has to be made explicitly to be known well."""
    if forms.qq == 0.0 or forms.vv == 0.0:
        return False
    cosine = forms.qv / math.sqrt(forms.qq) / math.sqrt(forms.vv)
    # Of the forms the plane's curvatures have eps / sine^2 of rounding, and such steps are rare.
    return 1.0 - cosine * cosine < math.sqrt(math.sqrt(eps))


def plane_of(forms: Forms, eps: float) -> Plane:
    """The model on the span of q and v, which are zero or well apart."""
    if forms.qq == 0.0 or forms.vv == 0.0:
        return _line(forms, eps)
    f = forms
    q_size, slant = math.sqrt(f.qq), f.qv / f.qq
    across = math.sqrt(f.vv - slant * f.qv)
    curvature = f.qHq / f.qq
    mixed = (f.qHv - slant * f.qHq) / (q_size * across)
    other = (f.vHv - 2.0 * slant * f.qHv + slant * slant * f.qHq) / (across * across)
    slopes = (f.gq / q_size, (f.gv - slant * f.gq) / across)
    values, (c, s) = _diagonalised(curvature, mixed, other)
    # Rows of the rotation times the orthonormal pair q / |q| and (v - slant q) / across.
    rows = [(c, -s), (s, c)]
    found = [
        (
            value,
            i * slopes[0] + j * slopes[1],
            (i / q_size - j * slant / across, j / across),
        )
        for value, (i, j) in zip(values, rows, strict=True)
    ]
    found.sort(key=lambda entry: entry[0])
    curvatures, components, basis = zip(*found, strict=True)
    return Plane(curvatures, components, basis, forms, eps)


def _line(f: Forms, eps: float) -> Plane:
    """At most one of the two vectors is there."""
    if f.qq == 0.0 and f.vv == 0.0:
        return Plane((), (), (), f, eps)
    if f.qq == 0.0:
        size = math.sqrt(f.vv)
        return Plane((f.vHv / f.vv,), (f.gv / size,), ((0.0, 1.0 / size),), f, eps)
    size = math.sqrt(f.qq)
    return Plane((f.qHq / f.qq,), (f.gq / size,), ((1.0 / size, 0.0),), f, eps)


def _diagonalised(a: float, b: float, d: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Eigenvalues of [[a, b], [b, d]] and (c, s): vectors (c, -s) and (s, c); Jacobi's rotation."""
    if b == 0.0:
        return (a, d), (1.0, 0.0)
    tau = (d - a) / (2.0 * b)
    t = math.copysign(1.0, tau) / (abs(tau) + math.hypot(1.0, tau))
    c = 1.0 / math.hypot(1.0, t)
    return (a - t * b, d + t * b), (c, t * c)
