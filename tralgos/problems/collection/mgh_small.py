"""Problems 1 to 20 of Moré, Garbow and Hillstrom (ACM TOMS 7(1), 1981), of few variables.

The numbers and the letters are the paper's. Minima without a closed form agree with the
paper's six digits and carry those that float64 adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tralgos.problems.collection import mgh_data
from tralgos.problems.collection.jets import angle, exp, log, modulus, sqrt
from tralgos.problems.collection.problem import CollectionProblem, Entry, between, fixed
from tralgos.problems.collection.separable import Elements, Separable, elements

__all__ = ["entries"]


def _squares(n: int, *residuals: Elements) -> Separable:
    return Separable(n, residuals=residuals)


def _fit(n: int, m: int, residual: Callable[..., Any]) -> Separable:
    """The m residuals of one formula that reads all n variables."""
    return _squares(n, elements(residual, *range(n), into=np.zeros(m)))


def rosenbrock(n: int) -> CollectionProblem:
    """Problem 1: 10 (x2 - x1^2), 1 - x1."""
    f = _squares(2, elements(lambda a, b: 10.0 * (b - a**2), 0, 1), elements(lambda a: 1.0 - a, 0))
    return CollectionProblem(
        f, [-1.2, 1.0], name="rosenbrock", minimisers=[[1.0, 1.0]], optimal_value=0.0
    )


def freudenstein_roth(n: int) -> CollectionProblem:
    """Problem 2; a local minimum 48.9842... at (11.41..., -0.8968...)."""
    f = _squares(
        2,
        elements(lambda a, b: ((5.0 - b) * b - 2.0) * b + a - 13.0, 0, 1),
        elements(lambda a, b: ((b + 1.0) * b - 14.0) * b + a - 29.0, 0, 1),
    )
    return CollectionProblem(
        f, [0.5, -2.0], name="freudenstein-roth", minimisers=[[5.0, 4.0]], optimal_value=0.0
    )


def powell_badly_scaled(n: int) -> CollectionProblem:
    """Problem 3: 10^4 x1 x2 - 1, exp(-x1) + exp(-x2) - 1.0001."""
    f = _squares(
        2,
        elements(lambda a, b: 1e4 * (a * b) - 1.0, 0, 1),
        elements(lambda a, b: exp(-a) + exp(-b) - 1.0001, 0, 1),
    )
    return CollectionProblem(f, [0.0, 1.0], name="powell-badly-scaled", optimal_value=0.0)


def brown_badly_scaled(n: int) -> CollectionProblem:
    """Problem 4: x1 - 10^6, x2 - 2e-6, x1 x2 - 2."""
    f = _squares(
        2,
        elements(lambda a: a - 1e6, 0),
        elements(lambda b: b - 2e-6, 1),
        elements(lambda a, b: a * b - 2.0, 0, 1),
    )
    return CollectionProblem(
        f, [1.0, 1.0], name="brown-badly-scaled", minimisers=[[1e6, 2e-6]], optimal_value=0.0
    )


def beale(n: int) -> CollectionProblem:
    """Problem 5: y_i - x1 (1 - x2^i), i = 1, 2, 3."""
    data = enumerate((1.5, 2.25, 2.625), start=1)
    f = _squares(2, *(elements(lambda a, b, i=i, y=y: y - a * (1.0 - b**i), 0, 1) for i, y in data))
    return CollectionProblem(
        f, [1.0, 1.0], name="beale", minimisers=[[3.0, 0.5]], optimal_value=0.0
    )


def jennrich_sampson(n: int) -> CollectionProblem:
    """Problem 6: 2 + 2i - (exp(i x1) + exp(i x2)), i = 1, ..., 10."""
    i = np.arange(1.0, 11.0)
    f = _fit(2, 10, lambda a, b: 2.0 + 2.0 * i - (exp(i * a) + exp(i * b)))
    return CollectionProblem(f, [0.3, 0.4], name="jennrich-sampson", optimal_value=124.362182356)


def helical_valley(n: int) -> CollectionProblem:
    """Problem 7; theta is the polar angle in turns, cut at the negative x2-axis."""
    f = _squares(
        3,
        elements(lambda a, b, c: 10.0 * (c - 10.0 * angle(b, a)), 0, 1, 2),
        elements(lambda a, b: 10.0 * (sqrt(a**2 + b**2) - 1.0), 0, 1),
        elements(lambda c: c, 2),
    )
    return CollectionProblem(
        f,
        [-1.0, 0.0, 0.0],
        name="helical-valley",
        minimisers=[[1.0, 0.0, 0.0]],
        optimal_value=0.0,
    )


def bard(n: int) -> CollectionProblem:
    """Problem 8: y_i - (x1 + u_i / (v_i x2 + w_i x3)); 17.4286 is approached at infinity."""
    y, u = mgh_data.bard(), np.arange(1.0, 16.0)
    v = 16.0 - u
    w = np.minimum(u, v)
    f = _fit(3, 15, lambda a, b, c: y - (a + u / (v * b + w * c)))
    return CollectionProblem(f, [1.0, 1.0, 1.0], name="bard", optimal_value=8.21487730658e-3)


def gaussian(n: int) -> CollectionProblem:
    """Problem 9: x1 exp(-x2 (t_i - x3)^2 / 2) - y_i, t_i = (8 - i) / 2."""
    y, t = mgh_data.gaussian(), (8.0 - np.arange(1.0, 16.0)) / 2.0
    f = _fit(3, 15, lambda a, b, c: a * exp(-0.5 * b * (t - c) ** 2) - y)
    return CollectionProblem(f, [0.4, 1.0, 0.0], name="gaussian", optimal_value=1.12793276962e-8)


def meyer(n: int) -> CollectionProblem:
    """Problem 10: x1 exp(x2 / (t_i + x3)) - y_i, t_i = 45 + 5i."""
    y, t = mgh_data.meyer(), 45.0 + 5.0 * np.arange(1.0, 17.0)
    f = _fit(3, 16, lambda a, b, c: a * exp(b / (t + c)) - y)
    return CollectionProblem(f, [0.02, 4000.0, 250.0], name="meyer", optimal_value=87.9458551708)


def gulf(n: int) -> CollectionProblem:
    """Problem 11, m = 99: exp(-|y_i - x2|^x3 / x1) - t_i.

    The paper prints y_i m i x2 where y_i - x2 is meant, as its minimiser shows.
    """
    t = np.arange(1.0, 100.0) / 100.0
    y = 25.0 + (-50.0 * np.log(t)) ** (2.0 / 3.0)
    f = _fit(3, 99, lambda a, b, c: exp(-exp(c * log(modulus(y - b))) / a) - t)
    return CollectionProblem(
        f, [5.0, 2.5, 0.15], name="gulf", minimisers=[[50.0, 25.0, 1.5]], optimal_value=0.0
    )


def box(n: int) -> CollectionProblem:
    """Problem 12, m = 10: exp(-t_i x1) - exp(-t_i x2) - x3 (exp(-t_i) - exp(-10 t_i))."""
    t = 0.1 * np.arange(1.0, 11.0)
    d = np.exp(-t) - np.exp(-10.0 * t)
    f = _fit(3, 10, lambda a, b, c: exp(-t * a) - exp(-t * b) - d * c)
    minimisers = [[1.0, 10.0, 1.0], [10.0, 1.0, -1.0]]
    return CollectionProblem(
        f, [0.0, 10.0, 20.0], name="box", minimisers=minimisers, optimal_value=0.0
    )


def powell_singular(n: int) -> CollectionProblem:
    """Problem 13; the Hessian at the minimiser is singular."""
    f = _squares(
        4,
        elements(lambda a, b: a + 10.0 * b, 0, 1),
        elements(lambda c, d: math.sqrt(5.0) * (c - d), 2, 3),
        elements(lambda b, c: (b - 2.0 * c) ** 2, 1, 2),
        elements(lambda a, d: math.sqrt(10.0) * (a - d) ** 2, 0, 3),
    )
    return CollectionProblem(
        f,
        [3.0, -1.0, 0.0, 1.0],
        name="powell-singular",
        minimisers=[[0.0, 0.0, 0.0, 0.0]],
        optimal_value=0.0,
    )


def wood(n: int) -> CollectionProblem:
    """Problem 14; a saddle near (-1, 1, -1, 1) is on the way."""
    f = _squares(
        4,
        elements(lambda a, b: 10.0 * (b - a**2), 0, 1),
        elements(lambda a: 1.0 - a, 0),
        elements(lambda c, d: math.sqrt(90.0) * (d - c**2), 2, 3),
        elements(lambda c: 1.0 - c, 2),
        elements(lambda b, d: math.sqrt(10.0) * (b + d - 2.0), 1, 3),
        elements(lambda b, d: (b - d) * math.sqrt(0.1), 1, 3),
    )
    return CollectionProblem(
        f,
        [-3.0, -1.0, -3.0, -1.0],
        name="wood",
        minimisers=[[1.0, 1.0, 1.0, 1.0]],
        optimal_value=0.0,
    )


def kowalik_osborne(n: int) -> CollectionProblem:
    """Problem 15: y_i - x1 (u_i^2 + u_i x2) / (u_i^2 + u_i x3 + x4)."""
    y, u = mgh_data.kowalik_osborne()
    f = _fit(4, 11, lambda a, b, c, d: y - a * (u * u + u * b) / (u * u + u * c + d))
    return CollectionProblem(
        f, [0.25, 0.39, 0.415, 0.39], name="kowalik-osborne", optimal_value=3.07505603849e-4
    )


def brown_dennis(n: int) -> CollectionProblem:
    """Problem 16, m = 20: (x1 + t_i x2 - exp t_i)^2 + (x3 + x4 sin t_i - cos t_i)^2."""
    t = np.arange(1.0, 21.0) / 5.0
    e, s, k = np.exp(t), np.sin(t), np.cos(t)
    f = _fit(4, 20, lambda a, b, c, d: (a + t * b - e) ** 2 + (c + s * d - k) ** 2)
    return CollectionProblem(
        f, [25.0, 5.0, -5.0, -1.0], name="brown-dennis", optimal_value=85822.2016264
    )


def osborne_1(n: int) -> CollectionProblem:
    """Problem 17: y_i - (x1 + x2 exp(-t_i x4) + x3 exp(-t_i x5)), t_i = 10 (i - 1)."""
    y, t = mgh_data.osborne_1(), 10.0 * np.arange(33.0)
    f = _fit(5, 33, lambda a, b, c, d, e: y - (a + b * exp(-t * d) + c * exp(-t * e)))
    return CollectionProblem(
        f, [0.5, 1.5, -1.0, 0.01, 0.02], name="osborne-1", optimal_value=5.46489469748e-5
    )


def biggs(n: int) -> CollectionProblem:
    """Problem 18, m = 13; 5.65565e-3 is a local minimum."""
    t = 0.1 * np.arange(1.0, 14.0)
    y = np.exp(-t) - 5.0 * np.exp(-10.0 * t) + 3.0 * np.exp(-4.0 * t)
    f = _fit(
        6, 13, lambda a, b, c, d, e, g: c * exp(-t * a) - d * exp(-t * b) + g * exp(-t * e) - y
    )
    return CollectionProblem(
        f,
        [1.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        name="biggs-exp6",
        minimisers=[[1.0, 10.0, 1.0, 5.0, 4.0, 3.0]],
        optimal_value=0.0,
    )


def osborne_2(n: int) -> CollectionProblem:
    """Problem 19: a decaying exponential and three bells, t_i = (i - 1) / 10."""
    y, t = mgh_data.osborne_2(), np.arange(65.0) / 10.0

    def residual(*x: Any) -> Any:
        bells = sum(x[q + 1] * exp(-x[q + 5] * (t - x[q + 8]) ** 2) for q in range(3))
        return y - (x[0] * exp(-t * x[4]) + bells)

    start = [1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5]
    return CollectionProblem(
        _fit(11, 65, residual), start, name="osborne-2", optimal_value=4.01377362935e-2
    )


def watson(n: int) -> CollectionProblem:
    """Problem 20, 2 <= n <= 31: a polynomial that is to solve p' = p^2 + 1, p(0) = 0."""
    t = np.arange(1.0, 30.0)[:, None] / 29.0
    j, i = np.arange(n)[None, :], np.arange(29)[:, None]
    # The slope of a constant vanishes, and 0 to the power of -1 is not asked for.
    slope = np.where(j > 0, j * t ** np.maximum(j - 1, 0), 0.0).ravel()
    power = (t**j).ravel()
    columns = np.broadcast_to(j, (29, n)).ravel()
    rows = np.broadcast_to(i, (29, n)).ravel()
    inner = [
        elements(lambda a: slope * a, columns, into=rows),
        elements(lambda a: power * a, columns, into=rows + 29),
    ]
    place = n + np.arange(29)
    residuals = [
        elements(lambda s, p: s - p**2 - 1.0, place, place + 29),
        elements(lambda a: a, 0),
        elements(lambda a, b: b - a**2 - 1.0, 0, 1),
    ]
    f = Separable(n, residuals=residuals, inner=inner, sums=58)
    known = {6: 2.28767005355e-3, 9: 1.39976013809e-6, 12: 4.72238e-10}
    return CollectionProblem(f, np.zeros(n), name="watson", optimal_value=known.get(n))


def entries() -> tuple[Entry, ...]:
    """The twenty problems in the order of the paper."""
    small = (
        ("rosenbrock", rosenbrock, 2),
        ("freudenstein-roth", freudenstein_roth, 2),
        ("powell-badly-scaled", powell_badly_scaled, 2),
        ("brown-badly-scaled", brown_badly_scaled, 2),
        ("beale", beale, 2),
        ("jennrich-sampson", jennrich_sampson, 2),
        ("helical-valley", helical_valley, 3),
        ("bard", bard, 3),
        ("gaussian", gaussian, 3),
        ("meyer", meyer, 3),
        ("gulf", gulf, 3),
        ("box", box, 3),
        ("powell-singular", powell_singular, 4),
        ("wood", wood, 4),
        ("kowalik-osborne", kowalik_osborne, 4),
        ("brown-dennis", brown_dennis, 4),
        ("osborne-1", osborne_1, 5),
        ("biggs-exp6", biggs, 6),
        ("osborne-2", osborne_2, 11),
    )
    numbered = enumerate(small, start=1)
    first = [Entry(name, build, n, fixed(n), number=i) for i, (name, build, n) in numbered]
    return (*first, Entry("watson", watson, 6, between(2, 31), number=20))
