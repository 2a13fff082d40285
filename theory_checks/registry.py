"""All claims by id: the papers' and those of others. Nothing is built before it is asked for.

Another package adds claims through an entry point of the group
``theory_checks.claims``, which names a function without arguments that returns
claims; a module that is not installed has such a function called ``claims``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from theory_checks.claim import Claim

__all__ = [
    "GROUP",
    "ClaimSourceError",
    "UnknownClaimError",
    "all_claims",
    "chosen",
    "of_module",
    "sources",
]

#: The entry point group of claims that other packages bring.
GROUP = "theory_checks.claims"


class UnknownClaimError(ValueError):
    """An id that no claim has; the message names the known ones."""


class ClaimSourceError(ValueError):
    """A module or an entry point that gives no claims; the message names it."""


def _claims_from(source: str, function: Any) -> tuple[Claim, ...]:
    if not callable(function):
        raise ClaimSourceError(f"{source} must be a function that returns claims")
    try:
        given = function()
    except Exception as error:
        raise ClaimSourceError(f"{source} failed: {type(error).__name__}: {error}") from error
    claims = tuple(given) if isinstance(given, Iterable) else (given,)
    if not claims:
        raise ClaimSourceError(f"{source} gave no claims")
    for claim in claims:
        if not isinstance(claim, Claim):
            raise ClaimSourceError(f"{source} gave {claim!r}, which is no Claim")
    return claims


def of_module(name: str) -> tuple[Claim, ...]:
    """Return the claims of an importable module: what its function ``claims`` returns.

    The current directory is looked in besides the places of installed packages.

    Raises
    ------
    ClaimSourceError
        When it cannot be imported or has no such function.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise ClaimSourceError(
            f"module {name!r} cannot be imported ({type(error).__name__}: {error}); "
            "give its dotted name, without .py"
        ) from error
    if not hasattr(module, "claims"):
        raise ClaimSourceError(f"module {name!r} has no function 'claims'")
    return _claims_from(f"{name}.claims", module.claims)


def _of_entry_points() -> Iterator[Claim]:
    for entry in entry_points(group=GROUP):
        source = f"entry point {entry.name} = {entry.value}"
        try:
            function = entry.load()
        except Exception as error:
            raise ClaimSourceError(
                f"{source} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        yield from _claims_from(source, function)


def sources(modules: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the modules that claims of others come from: installed ones, then the named."""
    return (*(entry.module for entry in entry_points(group=GROUP)), *modules)


def all_claims(modules: Iterable[str] = ()) -> dict[str, Claim]:
    """Return every claim by id: the papers' in their order, then those of others.

    Parameters
    ----------
    modules : iterable of str
        Modules to take claims from besides the installed packages.

    Raises
    ------
    ClaimSourceError
        When a source gives no claims, or two claims have the same id.
    """
    from theory_checks.claims import every_claim

    by_id: dict[str, Claim] = {}

    def add(claims: Iterable[Claim]) -> None:
        for claim in claims:
            if claim.id in by_id:
                raise ClaimSourceError(f"two claims have the id {claim.id!r}")
            by_id[claim.id] = claim

    add(every_claim())
    add(_of_entry_points())
    for name in dict.fromkeys(modules):
        add(of_module(name))
    return by_id


def chosen(ids: Iterable[str], claims: dict[str, Claim]) -> dict[str, Claim]:
    """Return the claims with these ids; all of them when there are none.

    Raises
    ------
    UnknownClaimError
        Naming the unknown id and the known ones.
    """
    names = list(ids)
    for name in names:
        if name not in claims:
            known = "\n  ".join(claims)
            raise UnknownClaimError(f"unknown claim {name!r}; the known ones are\n  {known}")
    return {name: claims[name] for name in names} if names else dict(claims)
