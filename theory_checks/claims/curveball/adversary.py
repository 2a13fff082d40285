"""The worst function for the look-ahead form, found by nonlinear optimisation: a lower bound.

The method is w+ = w + rho z - beta grad f(w + z), f is mu-strongly convex and L-smooth in d
dimensions, and the ratio (f(w_N) - f*)/(f(w_0) - f*) is made large. What is chosen is the start,
and f and its gradient at the N + 1 points where the method asks and at the end; a function
of the class goes through them exactly if, for all pairs of points, minimiser included,

    f_i >= f_j + <g_j, x_i - x_j> + (||g_i - g_j||^2/L + mu ||x_i - x_j||^2
           - 2 (mu/L) <g_i - g_j, x_i - x_j>) / (2 (1 - mu/L))

(Taylor, Hendrickx and Glineur 2017, theorem 4). So what is found is a function, and the ratio a
lower bound on the worst case; a semidefinite relaxation gives an upper bound.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.optimize

__all__ = ["Setting", "on_quadratics", "worst_found"]

#: How far a constraint may be violated, f(w_0) - f* being 1.
_FEASIBLE = 1e-9


@dataclass(frozen=True)
class Setting:
    """A class of functions, with L = 1, and a run.

    Attributes
    ----------
    mu : float
        The strong convexity, in (0, 1).
    rho, beta : float
        The parameters of the method.
    steps : int
        N.
    """

    mu: float
    rho: float
    beta: float
    steps: int


def on_quadratics(setting: Setting, points: int = 2001) -> float:
    """max over h in [mu, 1] of p_N(beta h)^2: the worst ratio of a quadratic."""
    h = np.linspace(setting.mu, 1.0, points)
    error, z = np.ones_like(h), np.zeros_like(h)
    for _ in range(setting.steps):
        z = setting.rho * z - setting.beta * h * (error + z)
        error = error + z
    return float(np.max(error * error))


def _propagated(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Each point as a multiple of w_0 and a combination of gradients; the last is the minimiser."""
    count = setting.steps + 1
    w = np.zeros(count + 1)
    w[0] = 1.0
    z, rows = np.zeros(count + 1), []
    for k in range(setting.steps):
        rows.append(w + z)
        gradient = np.zeros(count + 1)
        gradient[1 + k] = 1.0
        z = setting.rho * z - setting.beta * gradient
        w = w + z
    table = np.array([*rows, w, np.zeros(count + 1)])
    return table[:, 0], table[:, 1:]


class _Interpolation:
    """The conditions as functions of v = (w_0, g_0, ..., g_N, f_0, ..., f_N), with Jacobian."""

    def __init__(self, setting: Setting, dimension: int) -> None:
        self._mu, self._d, self._count = setting.mu, dimension, setting.steps + 1
        start, combined = _propagated(setting)
        size = self._count + 1
        pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
        self._left, self._right = np.array(pairs).T
        unit = np.eye(size)[:, : self._count]
        self._from_start = start[self._left] - start[self._right]
        self._from_gradients = combined[self._left] - combined[self._right]
        self._difference = unit[self._left] - unit[self._right]
        self._at_right = unit[self._right]

    def _parts(self, v: np.ndarray) -> tuple[np.ndarray, ...]:
        cut = self._d * (self._count + 1)
        w, g = v[: self._d], v[self._d : cut].reshape(self._count, self._d)
        dx = self._from_start[:, None] * w + self._from_gradients @ g
        return dx, self._difference @ g, self._at_right @ g, self._difference @ v[cut:]

    def slack(self, v: np.ndarray) -> np.ndarray:
        """One for each ordered pair; feasible where none is negative."""
        dx, dg, right, df = self._parts(v)
        mu = self._mu
        square = np.sum(dg * dg + mu * dx * dx - 2.0 * mu * dg * dx, axis=1)
        return np.asarray(df - np.sum(right * dx, axis=1) - square / (2.0 * (1.0 - mu)))

    def jacobian(self, v: np.ndarray) -> np.ndarray:
        """Of :meth:`slack`."""
        dx, dg, right, _ = self._parts(v)
        mu = self._mu
        by_dx = -right - mu * (dx - dg) / (1.0 - mu)
        by_dg = -(dg - mu * dx) / (1.0 - mu)
        by_g = (
            self._from_gradients[:, :, None] * by_dx[:, None, :]
            + self._difference[:, :, None] * by_dg[:, None, :]
            - self._at_right[:, :, None] * dx[:, None, :]
        )
        by_w = self._from_start[:, None] * by_dx
        return np.hstack([by_w, by_g.reshape(len(dx), -1), self._difference])


def _first_guess(setting: Setting, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """A run on a function with one curvature to the right and one to the left, a little off."""
    right, left = setting.mu + (1.0 - setting.mu) * rng.random(2)
    w, z = np.zeros(dimension), np.zeros(dimension)
    w[0] = 1.0
    points = []
    for k in range(setting.steps + 1):
        point = w + z if k < setting.steps else w
        points.append(point)
        z = setting.rho * z - setting.beta * np.where(point > 0, right, left) * point
        w = w + z
    x = np.array(points)
    g = np.where(x > 0, right, left) * x
    f = np.sum(g * x, axis=1) / 2.0
    size = np.sqrt(f[0])
    v = np.concatenate([x[0] / size, g.ravel() / size, f / f[0]])
    return np.asarray(v + 0.01 * rng.standard_normal(v.size))


def worst_found(setting: Setting, *, dimension: int = 2, starts: int = 10, rng: int = 0) -> float:
    """The largest (f(w_N) - f*)/(f(w_0) - f*) that was found, from quadratics upwards.

    Parameters
    ----------
    setting : Setting
        The class and the method.
    dimension : int
        Of the functions.
    starts : int
        Runs of sequential quadratic programming.
    rng : int
        The seed of their starts.

    Returns
    -------
    float
        A lower bound on the worst case, up to a violation of 1e-9 of the conditions.
    """
    conditions = _Interpolation(setting, dimension)
    draws = np.random.default_rng(rng)
    size = dimension * (setting.steps + 2) + setting.steps + 1
    goal, first = np.zeros(size), np.zeros(size)
    goal[-1], first[size - setting.steps - 1] = -1.0, -1.0
    constraints = [
        {"type": "ineq", "fun": conditions.slack, "jac": conditions.jacobian},
        {"type": "ineq", "fun": lambda v: 1.0 + first @ v, "jac": lambda v: first},
    ]
    best = on_quadratics(setting)
    for _ in range(starts):
        guess = _first_guess(setting, dimension, draws)
        with warnings.catch_warnings():
            # A start from which the search runs away is one of several.
            warnings.simplefilter("ignore", RuntimeWarning)
            found = scipy.optimize.minimize(
                lambda v: float(goal @ v),
                guess,
                jac=lambda v: goal,
                method="SLSQP",
                constraints=constraints,
                options={"maxiter": 400, "ftol": 1e-13},
            )
        slack = min(float(np.min(conditions.slack(found.x))), float(1.0 + first @ found.x))
        if slack >= -_FEASIBLE:
            best = max(best, -float(found.fun))
    return best
