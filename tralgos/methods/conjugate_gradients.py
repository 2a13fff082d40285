r"""Linear conjugate gradients on (H + lambda I) z = -g, from any starting vector.

The quadratic that falls from iterate to iterate is phi(z) = g'z + z'(H + lambda I)z / 2, of which
the residual r = (H + lambda I)z + g is the gradient. What conjugate gradients promise holds from
every start z_0: phi(z_k) is least over z_0 + span{r_0, A r_0, ..., A^(k-1) r_0}, A = H + lambda I,
so that they end, rounding apart, after as many steps as A has distinct eigenvalues along r_0. It
is the first *direction* that has to be -r_0. Only two things are special to z_0 = 0: it takes no
product to begin, and phi(z_k) <= phi(0) = 0 makes every iterate a direction of descent, g'z_k < 0,
where A is positive definite. From a start with phi(z_0) > 0 an early iterate need not be one.

Everything is computed in units, powers of two, in which g and H are near one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tralgos.arguments import nonnegative_scalar, positive_integer
from tralgos.arrays import Array, eps, namespace, sizes, to_float, to_host
from tralgos.errors import NonFiniteError
from tralgos.kernels import inner, three_term
from tralgos.operators import Operator

__all__ = ["CGEnd", "CGIterate", "CGStopping", "cg_iterates", "conjugate_gradients"]

CGEnd = Literal["", "residual", "progress", "iterations", "curvature"]

#: Martens' window: the progress of the last ten steps, or of the last tenth of them.
_WINDOW, _SHARE = 10, 0.1


@dataclass(frozen=True, kw_only=True)
class CGStopping:
    """When conjugate gradients end.

    Parameters
    ----------
    rtol : float
        "residual": ||r|| <= rtol ||g||. The residual of the recurrence is meant; below
        eps^2 ||g||, where it says nothing any more, it counts as zero.
    progress : float
        "progress" (Martens 2010, section 4.4): after more than k = max(10, a tenth) steps, phi
        being negative, as soon as the last k steps have lowered it by less than k times
        `progress` of its value. 0 for no such rule.
    maxiter : int
        "iterations": as many steps have been made.
    curvature_rtol : float, optional
        "curvature": d'(H + lambda I)d <= curvature_rtol S ||d||^2 for the direction d, S being the
        largest curvature that was seen. The rounding of the dtype by default.

    Raises
    ------
    ArgumentError
        If one of them is out of its range.
    """

    rtol: float = 1e-2
    progress: float = 0.0
    maxiter: int = 250
    curvature_rtol: float | None = None

    def __post_init__(self) -> None:
        nonnegative_scalar(self.rtol, "rtol")
        nonnegative_scalar(self.progress, "progress")
        positive_integer(self.maxiter, "maxiter")
        if self.curvature_rtol is not None:
            nonnegative_scalar(self.curvature_rtol, "curvature_rtol")


@dataclass(frozen=True)
class CGIterate:
    """One iterate.

    Attributes
    ----------
    iteration : int
        0 for the start.
    z : array, shape (n,)
        The iterate.
    residual : float
        ||(H + lambda I)z + g||, by the recurrence.
    value : float
        phi(z), likewise.
    products : int
        With H so far.
    ended : str
        Why this is the last one: "residual", "progress", "iterations" or "curvature"; empty
        where it is not.
    curvature : float
        d'(H + lambda I)d / d'd of the last direction; NaN before there is one. Where it ended
        the run, the iterate is the one before it; if that is the start z = 0 itself, it is a
        multiple of -g, as in truncated Newton methods, at which phi < 0: g'g / |g'(H + lambda I)g|
        times, or, where that curvature is zero to rounding, the inverse of the largest ratio
        of |(H + lambda I)g| to |g|; once, where the product is zero.
    """

    iteration: int
    residual: float
    value: float
    products: int
    ended: CGEnd = ""
    curvature: float = math.nan
    _vector: Array = field(default=None, repr=False)
    _unit: float = 1.0

    @property
    def z(self) -> Array:
        """The iterate: one pass where its unit is not one."""
        return self._vector if self._unit == 1.0 else self._vector * self._unit


def cg_iterates(
    H: Operator,
    g: Array,
    start: Array | None = None,
    *,
    lam: float = 0.0,
    stopping: CGStopping | None = None,
) -> Iterator[CGIterate]:
    """The iterates of conjugate gradients, the start first; the last one says why it is.

    Parameters
    ----------
    H : Operator, shape (n, n)
        Symmetric; need not be definite.
    g : array, shape (n,)
    start : array, shape (n,), optional
        z_0; zero by default.
    lam : float
        lambda, of either sign.
    stopping : CGStopping, optional

    Yields
    ------
    CGIterate

    Raises
    ------
    NonFiniteError
        If g, z_0 or a product has NaN or infinity.

    Notes
    -----
    **Cost.** One product a step, and one more for a start that is not zero. Five passes over
    vectors a step beside the product, one more where lambda is not zero.
    **Host transfers.** One a step; two to begin with, one more for a start that is not zero, and
    one for the size of the first product.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.operators import DenseOperator
    >>> from tralgos.methods.conjugate_gradients import cg_iterates
    >>> H, g = DenseOperator(np.diag([1.0, 4.0])), np.array([1.0, 4.0])
    >>> [(k.iteration, k.ended) for k in cg_iterates(H, g)]
    [(0, ''), (1, ''), (2, 'residual')]
    """
    # Overflow shows in the scalars that are fetched, and is dealt with there.
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        run = _Run(H, g, lam, stopping or CGStopping())
        last = run.begin(start)
    yield last
    while not last.ended:
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            last = run.advance()
        yield last


def conjugate_gradients(
    H: Operator,
    g: Array,
    start: Array | None = None,
    *,
    lam: float = 0.0,
    stopping: CGStopping | None = None,
) -> CGIterate:
    """The last one of :func:`cg_iterates`, which see."""
    return deque(cg_iterates(H, g, start, lam=lam, stopping=stopping), maxlen=1).pop()


class _Run:
    """The vectors and scalars of one run.

    In units: g = c g~, H + lambda I = h A~, z = (c / h) z~, phi = (c^2 / h) phi~; c and h are
    powers of two, h is known with the first product.
    """

    def __init__(self, H: Operator, g: Array, lam: float, stopping: CGStopping) -> None:
        self._H, self._g, self._lam, self._rules = H, g, lam, stopping
        self._xp, self._eps = namespace(g), eps(g.dtype)
        self._products = self._iteration = 0
        self._h = self._size = 0.0
        self._start: Array | None = None
        self._z: Array = None
        self._values: deque[float] = deque()

    # ------------------------------------------------------------------ the start

    def begin(self, start: Array | None) -> CGIterate:
        """The residual at the start, and its unit."""
        g = self._g
        above = sizes(g) if start is None else sizes(g, start)
        if not all(math.isfinite(size) for size in above):
            raise NonFiniteError("the gradient or the start has entries that are NaN or infinite")
        raw = g
        if start is not None and above[1] > 0.0:
            raw = g + self._H.matvec(start) + self._lam * start
            self._products, self._start = 1, start
            above += sizes(raw)
            if not math.isfinite(above[2]):
                raise NonFiniteError("the product of H with the start is not finite")
        self._c = c = power_near(max(above[0], above[-1] if raw is not g else 0.0), g)
        # Vectors that are written to are never the caller's.
        self._residual = r = (1.0 / c) * raw
        forms = [inner(r, r, self._xp)]
        if self._start is not None:
            # phi(z_0) = (r + g)'z_0 / 2.
            unit = power_near(above[1], g)
            scaled, z = (1.0 / c) * g, (1.0 / unit) * self._start
            forms += [inner(scaled, scaled, self._xp), inner(scaled + r, z, self._xp)]
        found = [float(v) for v in to_host(self._xp.stack(forms))]
        self._energy, self._goal, self._value = found[0], math.sqrt(found[0]), 0.0
        if self._start is not None:
            self._goal, self._value = math.sqrt(found[1]), 0.5 * found[2] * unit * c
        self._direction, self._square = -self._residual, self._energy
        self._spare, self._image = self._xp.empty_like(g), self._xp.empty_like(g)
        size = math.sqrt(self._energy)
        return CGIterate(
            0,
            size * c,
            self._value,
            self._products,
            "residual" if size <= self._tolerance else "",
            _vector=self._xp.zeros_like(g) if self._start is None else self._start,
        )

    @property
    def _tolerance(self) -> float:
        return max(self._rules.rtol, self._eps * self._eps) * self._goal

    # ------------------------------------------------------------------ one step

    def advance(self) -> CGIterate:
        """One product and one transfer."""
        xp, d, image = self._xp, self._direction, self._image
        self._multiply()
        curvature = inner(d, image, xp)
        length = self._energy / curvature
        # Made before the sign of the curvature is known, so that both forms come in one transfer.
        rest = three_term(
            self._residual, image, None, (1.0, -length, 0.0), self._spare, xp, square=True
        )
        kappa, energy = (float(v) for v in to_host(xp.stack([curvature, rest])))
        if math.isnan(kappa) or math.isinf(kappa):
            raise NonFiniteError(f"NaN or infinity after product {self._products} with H")
        self._size = max(self._size, abs(kappa) / self._square)
        relative = self._eps if self._rules.curvature_rtol is None else self._rules.curvature_rtol
        floor = relative * self._size * self._square
        if kappa <= floor or not math.isfinite(energy):
            return self._flat(kappa, floor)
        alpha, self._iteration = self._energy / kappa, self._iteration + 1
        z = xp.empty_like(d)
        three_term(self._z, d, None, (1.0, -alpha, 0.0), z, xp, square=False)
        self._value -= 0.5 * alpha * self._energy
        self._values.append(self._value)
        self._residual, self._spare = self._spare, self._residual
        beta = energy / self._energy
        self._z, self._energy = z, energy
        found = self._shown(self._ended(), kappa / self._square)
        # The image is free: the next direction goes there, and the old one becomes the image.
        three_term(d, self._residual, None, (beta, 1.0, 0.0), image, xp, square=False)
        self._direction, self._image = image, d
        self._square = energy + beta * beta * self._square
        return found

    def _multiply(self) -> None:
        """A~ d, written into the image."""
        d, lam = self._direction, self._lam
        product = self._H.matvec(d)
        self._products += 1
        if self._h == 0.0:
            self._take_scale(product + lam * d if lam != 0.0 else product)
        three_term(
            product,
            d,
            None,
            (1.0 / self._h, -lam / self._h, 0.0),
            self._image,
            self._xp,
            square=False,
        )

    def _take_scale(self, image: Array) -> None:
        """h, and what depends on it: the start and phi in units."""
        above, below = sizes(image, self._direction)
        if not math.isfinite(above):
            raise NonFiniteError(f"NaN or infinity after product {self._products} with H")
        self._h = h = power_near(above / below, image)
        self._size = above / below / h
        self._value *= h / self._c / self._c
        self._values.append(self._value)
        start = self._start
        self._z = self._xp.zeros_like(image) if start is None else start * (h / self._c)

    def _flat(self, kappa: float, floor: float) -> CGIterate:
        """The end at a direction without positive curvature."""
        ratio = kappa / self._square
        if self._iteration > 0 or self._start is not None:
            return self._shown("curvature", ratio)
        # d = -g~; a multiple of it, as long as the curvature met says.
        alpha = 1.0
        if abs(kappa) > floor:
            alpha = self._energy / abs(kappa)
        elif self._size > 0.0:
            alpha = 1.0 / self._size
        self._z = alpha * self._direction
        self._value = -alpha * self._energy + 0.5 * alpha * alpha * kappa
        three_term(
            self._residual,
            self._image,
            None,
            (1.0, -alpha, 0.0),
            self._spare,
            self._xp,
            square=False,
        )
        self._energy = to_float(inner(self._spare, self._spare, self._xp))
        return self._shown("curvature", ratio)

    def _ended(self) -> CGEnd:
        rules, k = self._rules, self._iteration
        if math.sqrt(self._energy) <= self._tolerance:
            return "residual"
        window = max(_WINDOW, math.ceil(_SHARE * k))
        while len(self._values) > window + 1:
            self._values.popleft()
        if rules.progress > 0.0 and k > window and self._value < 0.0:
            lowered = self._values[0] - self._value
            if lowered < window * rules.progress * -self._value:
                return "progress"
        return "iterations" if k >= rules.maxiter else ""

    def _shown(self, ended: CGEnd, curvature: float) -> CGIterate:
        c, h = self._c, self._h
        return CGIterate(
            self._iteration,
            math.sqrt(self._energy) * c,
            self._value * c * (c / h),
            self._products,
            ended,
            curvature * h,
            self._z,
            c / h,
        )


def power_near(size: float, like: Array) -> float:
    """The power of two next to `size`, as far as the dtype of `like` has its inverse; 1 for 0.

    Raises
    ------
    NonFiniteError
        If `size` is NaN or infinite.
    """
    if not math.isfinite(size):
        raise NonFiniteError("the gradient, or a product with H, is NaN or infinite")
    if size == 0.0:
        return 1.0
    most = 126 if eps(like.dtype) > 1e-10 else 1022
    return 2.0 ** min(max(round(math.log2(size)), -most), most)
