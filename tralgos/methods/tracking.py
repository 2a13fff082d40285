r"""Damping by how well CurveBall's z follows the damped Newton step: the rule "tracking".

The damping has two opposite effects. With z = -(H + lambda)^{-1} J exactly, the error along
an eigenvalue h of H shrinks by lambda / (h + lambda) a step: a small lambda is good. But z
takes only one step a turn on the system (H + lambda) z = -J, of condition
(L + lambda) / (m + lambda)
for a spectrum in [m, L]: a large lambda is good. Both rates are near 1 - sqrt(m / L) where
lambda is near sqrt(m L), and the number of steps is then of the order of sqrt(L / m), where it is
of the order of L / m for any fixed lambda.

Which of the two is the bottleneck can be seen. After a step with the exact z the gradient of a
quadratic is J + Hz = -lambda z. So

.. math:: t = ||P (J_{new} + \lambda z)|| / ||P J_{new}||,

P the projection on the span of the next step, is near 0 where z follows and 1 where it does not;
it passes from one to the other within a factor of 10 in lambda around the best value. The rule
is therefore: lambda is halved where t < 0.6, doubled where t > 0.97. The model being but a model,
it is doubled as well where f falls by less than a quarter of what was promised, and halved only
where it falls by three quarters. In two dimensions and in one the span is everything, z is exact,
and there is nothing to follow.

Noise looks like a z that does not follow. So the doubling for that reason ends at the square root
of the product of the least and the greatest curvature seen in the last twenty spans, a
thousandth of which it begins with; a lambda above comes down again while the model is good.
"""

from __future__ import annotations

import math

from tralgos.methods.plane import Plane

__all__ = ["Window", "deviation", "proportionate", "remembered", "tracked"]

#: Smallest and largest curvature of each of the last spans, as sizes.
Window = tuple[tuple[float, float], ...]

_SPANS = 20
_FACTOR = 2.0
_FOLLOWS, _STRAYS = 0.6, 0.97
_POOR, _GOOD = 0.25, 0.75
#: Doubling begins at this share of its end.
_TANGIBLE = 1e-3


def remembered(window: Window, plane: Plane) -> Window:
    """The window with one more span; directions without curvature do not count."""
    sizes = [abs(a) for a in plane.curvatures if abs(a) > plane.zero]
    return (*window, (min(sizes), max(sizes)))[-_SPANS:] if sizes else window


def deviation(plane: Plane, length: float, lam: float) -> float:
    """t, at the next span, of the step z = length q that was made with lam; 0 where J is zero."""
    z = plane.components((length, 0.0))
    size = math.hypot(*plane.slopes)
    if size == 0.0:
        return 0.0
    return math.hypot(*(b + lam * y for b, y in zip(plane.slopes, z, strict=True))) / size


def proportionate(lam: float, window: Window) -> float:
    """A first lambda, made out in f no more, at a thousand times the curvatures seen at most."""
    most = max((high for _, high in window), default=0.0)
    return min(lam, most / _TANGIBLE) if most > 0.0 else lam


def tracked(lam: float, gamma: float, strays: float, window: Window) -> float:
    """The next lambda.

    Parameters
    ----------
    lam : float
        Of the step that was made.
    gamma : float
        Its actual over its predicted change of f.
    strays : float
        Its :func:`deviation`; 0 where the span is the whole space.
    window : sequence of pairs of float
        The curvatures that were seen.
    """
    least = min((low for low, _ in window), default=0.0)
    most = max((high for _, high in window), default=0.0)
    # The root of each, for the product may leave the range of the numbers.
    bound = math.sqrt(least) * math.sqrt(most)
    # From where a lambda that is too small to matter, or 0, is felt.
    more = max(_FACTOR * lam, _TANGIBLE * bound)
    if gamma < _POOR:
        return more
    if strays < _FOLLOWS or lam > bound:
        return lam / _FACTOR if gamma > _GOOD else lam
    if strays > _STRAYS:
        return min(more, bound)
    return lam
