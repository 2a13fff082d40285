"""What the estimators of this package return."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tralgos.arrays import Array

__all__ = ["DiagonalEstimate", "ShareEstimate", "ShareStatus"]


class ShareStatus(Enum):
    """How an estimate of a share ended; the value is the sentence a user should read."""

    EXACT = "every column was looked at: the share is right up to rounding"
    SAMPLED = "the columns that were asked for were looked at, and no width was asked for"
    REACHED = "the interval is as narrow as was asked for"
    BUDGET = "the budget of columns was used up before the interval was narrow enough"


@dataclass(frozen=True)
class ShareEstimate:
    """A diagonal share, or an estimate of one with its confidence interval.

    Attributes
    ----------
    share : float
        In [0, 1].
    low, high : float
        The confidence interval, within [0, 1]; both are the share where it is
        exact, and only there.
    standard_error : float
        Estimated standard deviation of the share; 0 where it is exact.
    confidence : float
        The nominal probability that the interval covers the share, all looks at a growing sample
        together.
    columns : int
        Different columns that were looked at.
    order : int
        n: the columns there are.
    probes : int
        Products with random vectors, which showed where the mass is; 0 where the columns were
        drawn with equal probabilities or all were looked at from the start.
    matvecs : int
        All products: `columns` + `probes` for an operator, 0 where the entries were read.
    bias_bound : float
        Estimated bound on the bias that has been corrected; it is well below `standard_error`
        where the interval deserves its confidence.
    effective_columns : float
        How many columns of equal mass and of equal part in the variance would say as much: about
        `columns` where the columns that might have been missed are alike, near 1 where one of them
        outweighs the others. Student's interval has one degree of freedom less than that.
    status : ShareStatus
        How it ended.
    """

    share: float
    low: float
    high: float
    standard_error: float
    confidence: float
    columns: int
    order: int
    probes: int
    matvecs: int
    bias_bound: float
    effective_columns: float
    status: ShareStatus

    @property
    def exact(self) -> bool:
        """Whether all columns were looked at: the share is then right up to rounding."""
        return self.status is ShareStatus.EXACT


@dataclass(frozen=True, eq=False)
class DiagonalEstimate:
    """An estimate of the diagonal of a matrix, from products alone.

    Attributes
    ----------
    diagonal : array, shape (n,)
        With the library, device and dtype of the vectors that the matrix multiplies.
    standard_error : array, shape (n,), or None
        The estimated standard deviation of each entry; None where there is no estimate of it: for
        one vector of signs, and for Hadamard vectors, whose error is not random.
    matvecs : int
        Products, one for each vector.
    kind : {"signs", "hadamard"}
        The vectors.
    """

    diagonal: Array
    standard_error: Array | None
    matvecs: int
    kind: str
