"""Sphere descents that are broken on purpose, for the claims about its line search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from theory_checks.claim import Instance, Margins, Sabotage
from theory_checks.claims.efficient_tr.iterations import (
    PRINTED,
    Sphere,
    Vector,
    riemannian_gradient,
)
from theory_checks.oracle import gradient_at
from theory_checks.precise import Real

__all__ = ["broken_descents"]


def _uphill(eigenvalues: Any, gradient: Any, z: Any) -> Vector:
    return [-d for d in riemannian_gradient(eigenvalues, gradient, z)]


def _not_projected(eigenvalues: Any, gradient: Any, z: Any) -> Vector:
    return gradient_at(eigenvalues, gradient, z)


def _any_fall(fall: Real, step: Real, squared: Real, sigma: float) -> bool:
    return bool(fall > 0)


def broken_descents(
    margins: Callable[[Instance, Sphere], Margins], more: Mapping[str, Sphere]
) -> tuple[Sabotage, ...]:
    """Return the sabotages that every claim on the line search has to notice.

    Parameters
    ----------
    margins : callable
        The claim's margins with the descent as a parameter.
    more : mapping
        Further ones of the claim's own, by what was broken.
    """
    spheres = {
        "uphill": replace(PRINTED, direction=_uphill),
        "Hz + g without the projection": replace(PRINTED, direction=_not_projected),
        "any fall will do": replace(PRINTED, accepts=_any_fall),
        **more,
    }

    def with_sphere(sphere: Sphere) -> Callable[[Instance], Margins]:
        return lambda instance: margins(instance, sphere)

    return tuple(Sabotage(name, with_sphere(sphere)) for name, sphere in spheres.items())
