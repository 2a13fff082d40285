"""Laws of the entries of random matrices, each a function of random words.

A law turns one or two words of 64 bits into a number, the same on the host and on CUDA up to the
rounding of the elementary functions.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta

from tralgos.arguments import check_choice, positive_scalar
from tralgos.errors import ArgumentError

__all__ = ["Gaussian", "Law", "Rademacher", "StudentT", "Uniform", "as_law", "require_variance"]

Words = NDArray[np.uint64]
Numbers = NDArray[np.float64]

_DROPPED = np.uint64(11)
_STEP = 2.0**-53

#: Degrees of freedom with which the largest number of Student's law, 2^(53 / nu), is finite.
_FEWEST = 0.125


class Law(ABC):
    """The law of a number, of mean zero and symmetric about it.

    Attributes
    ----------
    words : int
        Words of an entry: 1 or 2.
    """

    words: int

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages and tables call it."""

    @property
    @abstractmethod
    def cuda(self) -> str:
        """The body of a C function that returns the number.

        Its arguments are ``const unsigned long long *w``, the four words of a counter, and
        ``int first``, the place of the entry's first word among them.
        """

    @property
    @abstractmethod
    def mean_abs(self) -> float:
        """E|Z|, infinity where there is none."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """E Z^2, infinity where there is none."""

    @abstractmethod
    def numbers(self, words: Words) -> Numbers:
        """The numbers that belong to words.

        Parameters
        ----------
        words : ndarray of uint64, shape (..., k * self.words)
            With k even.

        Returns
        -------
        ndarray, shape (..., k)
        """


@dataclass(frozen=True)
class Gaussian(Law):
    """The standard normal law, by Box and Muller (1958): two words are two numbers."""

    name = "gaussian"
    words = 1
    cuda = r"""
    double radius = sqrt(-2.0 * log((double)((w[first & 2] >> 11) + 1) * 0x1p-53));
    double angle = (double)(w[(first & 2) + 1] >> 11) * (0x1p-53 * 6.283185307179586);
    return radius * ((first & 1) ? sin(angle) : cos(angle));
    """

    @property
    def mean_abs(self) -> float:
        """The square root of 2 / pi."""
        return math.sqrt(2.0 / math.pi)

    @property
    def variance(self) -> float:
        """One."""
        return 1.0

    def numbers(self, words: Words) -> Numbers:
        """Radius and angle of a point in the plane from each pair of words."""
        radius = np.sqrt(-2.0 * np.log(_positive_uniform(words[..., 0::2])))
        angle = (words[..., 1::2] >> _DROPPED) * (_STEP * 2.0 * math.pi)
        both = np.empty(words.shape)
        np.multiply(radius, np.cos(angle), out=both[..., 0::2])
        np.multiply(radius, np.sin(angle), out=both[..., 1::2])
        return both


@dataclass(frozen=True)
class Rademacher(Law):
    """Random signs."""

    name = "rademacher"
    words = 1
    cuda = "return (w[first] >> 63) ? -1.0 : 1.0;"

    @property
    def mean_abs(self) -> float:
        """One."""
        return 1.0

    @property
    def variance(self) -> float:
        """One."""
        return 1.0

    def numbers(self, words: Words) -> Numbers:
        """The first bit decides."""
        return np.where(words >> np.uint64(63), -1.0, 1.0)


@dataclass(frozen=True)
class Uniform(Law):
    """Uniform between -sqrt 3 and sqrt 3, of variance one."""

    name = "uniform"
    words = 1
    cuda = "return ((double)(w[first] >> 12) + 0.5 - 0x1p51) * (0x1p-51 * 1.7320508075688772);"

    @property
    def mean_abs(self) -> float:
        """Half of sqrt 3."""
        return 0.5 * math.sqrt(3.0)

    @property
    def variance(self) -> float:
        """One."""
        return 1.0

    def numbers(self, words: Words) -> Numbers:
        """The middles of 2^52 equal intervals, which are exact: no side is preferred."""
        middle = (words >> np.uint64(12)).astype(np.float64) + 0.5 - 2.0**51
        return middle * (2.0**-51 * math.sqrt(3.0))


@dataclass(frozen=True)
class StudentT(Law):
    """Student's t, by the polar method of Bailey (1994): two words are one number.

    Parameters
    ----------
    degrees : float
        Degrees of freedom nu, at least 1/8. The variance is nu / (nu - 2) for nu > 2, else
        infinite; E|Z| is infinite for nu <= 1.

    Raises
    ------
    ArgumentError
        If `degrees` is not finite, or so small that entries overflow float64.
    """

    degrees: float

    words = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "degrees", positive_scalar(self.degrees, "degrees"))
        if self.degrees < _FEWEST:
            raise ArgumentError(
                f"degrees must be at least {_FEWEST}, or entries overflow, got {self.degrees}"
            )

    @property
    def name(self) -> str:
        """With the degrees of freedom."""
        return f"student-t({self.degrees:g})"

    @property
    def cuda(self) -> str:
        """The degrees of freedom stand in it as a literal."""
        nu = float(self.degrees).hex()
        return f"""
    double nu = {nu};
    double u = (double)((w[first] >> 11) + 1) * 0x1p-53;
    double angle = (double)(w[first + 1] >> 11) * (0x1p-53 * 6.283185307179586);
    return sqrt(nu * expm1(-2.0 / nu * log(u))) * cos(angle);
    """

    @property
    def mean_abs(self) -> float:
        """sqrt(nu) B((nu - 1) / 2, 1/2) / pi for nu > 1."""
        nu = self.degrees
        if nu <= 1.0:
            return math.inf
        return math.sqrt(nu) * float(beta(0.5 * (nu - 1.0), 0.5)) / math.pi

    @property
    def variance(self) -> float:
        """Nu / (nu - 2) for nu > 2."""
        return self.degrees / (self.degrees - 2.0) if self.degrees > 2.0 else math.inf

    def numbers(self, words: Words) -> Numbers:
        """sqrt(nu (u^(-2/nu) - 1)) cos(2 pi v) for uniform u and v."""
        nu = self.degrees
        power = np.expm1(-2.0 / nu * np.log(_positive_uniform(words[..., 0::2])))
        angle = (words[..., 1::2] >> _DROPPED) * (_STEP * 2.0 * math.pi)
        return np.asarray(np.sqrt(nu * power) * np.cos(angle))


_NAMED: dict[str, type[Law]] = {
    "gaussian": Gaussian,
    "rademacher": Rademacher,
    "uniform": Uniform,
}


def as_law(law: Law | str) -> Law:
    """`law` itself, or the one of that name.

    Raises
    ------
    ArgumentError
        If it is neither; the message names the known ones.
    """
    if isinstance(law, Law):
        return law
    if not isinstance(law, str):
        raise ArgumentError(f"law must be a Law or the name of one, got {type(law).__name__}")
    return _NAMED[check_choice(law, "law", tuple(_NAMED))]()


def require_variance(law: Law, what: str) -> None:
    """Raise :class:`ArgumentError`, naming the moment, unless the variance of `law` is finite."""
    if not math.isfinite(law.variance):
        raise ArgumentError(
            f"law: the second moment E Z^2 of {law.name} is infinite, {what} needs it finite"
        )


def _positive_uniform(words: Words) -> Numbers:
    """Numbers in (0, 1], multiples of 2^-53."""
    return np.asarray(((words >> _DROPPED) + np.uint64(1)) * _STEP, dtype=np.float64)
