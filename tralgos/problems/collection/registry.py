"""The problems of the collection by name."""

from __future__ import annotations

from tralgos.arguments import check_choice, positive_integer
from tralgos.errors import ArgumentError
from tralgos.problems.base import Problem
from tralgos.problems.collection import (
    dixmaan,
    energies,
    mgh_small,
    mgh_sums,
    nonconvex,
    quartics,
    systems,
)
from tralgos.problems.collection.problem import CollectionProblem, Entry

__all__ = ["more_garbow_hillstrom", "names", "problem", "scalable"]


def names() -> list[str]:
    """The names of all problems: first those of Moré, Garbow and Hillstrom, in their order.

    Examples
    --------
    >>> from tralgos.problems import collection
    >>> collection.names()[:3]
    ['rosenbrock', 'freudenstein-roth', 'powell-badly-scaled']
    """
    return list(_entries())


def problem(name: str, n: int | None = None) -> CollectionProblem:
    """The problem of that name.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    n : int, optional
        Number of variables; by default the usual one.

    Returns
    -------
    CollectionProblem
        With its exact Hessian and, for sums of squares, its Gauss-Newton matrix.

    Raises
    ------
    ArgumentError
        If there is no problem of that name, or it is not defined for n variables; the
        message names a number for which it is.

    Examples
    --------
    >>> from tralgos.problems import collection
    >>> p = collection.problem("arwhead", 1000)
    >>> p, p.value(p.start)
    (<CollectionProblem arwhead, n = 1000>, 2997.0)
    """
    entries = _entries()
    entry = entries[check_choice(name, "problem", entries)]
    if n is None:
        return entry.build(entry.default)
    n = positive_integer(n, "n")
    fitting = entry.fit(n)
    if fitting != n:
        raise ArgumentError(f"{name} is not defined for n={n} variables; it is for {fitting}")
    return entry.build(n)


def more_garbow_hillstrom() -> list[Problem]:
    """The 35 test problems of Moré, Garbow and Hillstrom (ACM TOMS 7(1), 1981), in order.

    Each is the sum of the squares of its residuals, with the paper's number of variables
    where that is fixed and a usual one, 6 to 12, where it is free.
    """
    numbered = [e for e in _entries().values() if e.number is not None]
    return [e.build(e.default) for e in numbered]


def scalable(n: int) -> list[Problem]:
    """All problems whose costs grow as n, with about n variables each.

    Parameters
    ----------
    n : int
        Each problem has the largest number of variables up to n that it is defined for
        (even, a square, ...), or its smallest.

    Raises
    ------
    ArgumentError
        If `n` is not a positive integer.
    """
    n = positive_integer(n, "n")
    return [e.build(e.fit(n)) for e in _entries().values() if e.large]


def _entries() -> dict[str, Entry]:
    """All entries by name: the numbered ones first, in order."""
    modules = (mgh_small, mgh_sums, systems, quartics, nonconvex, dixmaan, energies)
    entries = [entry for module in modules for entry in module.entries()]
    entries.sort(key=lambda e: (e.number is None, e.number or 0))
    return {entry.name: entry for entry in entries}
