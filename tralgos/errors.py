"""The errors that tralgos raises on bad input, each naming the argument and its defect.

Every class is also the built-in error that a NumPy user would expect to catch.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "ArrayTypeError",
    "AsymmetryError",
    "CurvatureWarning",
    "DeviceMemoryError",
    "MissingDataError",
    "NonFiniteError",
    "NotPositiveDefiniteError",
    "ShapeError",
    "TralgosError",
]


class TralgosError(Exception):
    """Base of all errors raised by tralgos itself."""


class ArgumentError(TralgosError, ValueError):
    """An argument has a value outside its range, or an unknown name."""


class ShapeError(TralgosError, ValueError):
    """Shapes do not fit together."""


class ArrayTypeError(TralgosError, TypeError):
    """An argument is of the wrong kind, dtype, library or device."""


class NonFiniteError(TralgosError, ValueError):
    """NaN or infinity in an argument or in the result of a matvec."""


class AsymmetryError(TralgosError, ValueError):
    """An operator that has to be symmetric is not; the defect is in the message."""


class NotPositiveDefiniteError(TralgosError, ValueError):
    """A norm's matrix is not positive definite."""


class MissingDataError(TralgosError, ImportError):
    """A data set comes with a package that is not installed; the message says which."""


class DeviceMemoryError(TralgosError, MemoryError):
    """Something large does not fit on the device, or on the host; the message says what would.

    Parameters
    ----------
    message : str
        What needs the memory, how much it asked for, what is free, and what would fit.
    requested : int
        Bytes that were asked for.
    free : int or None
        Bytes that were free then; None where that is not known.

    Attributes
    ----------
    requested, free
        As above.
    """

    def __init__(self, message: str, *, requested: int, free: int | None) -> None:
        super().__init__(message)
        self.requested = requested
        self.free = free


class CurvatureWarning(UserWarning):
    """A curvature is negative where a method's theory needs it positive; a safeguard is used."""
