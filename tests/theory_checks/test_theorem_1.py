"""Theorem 1: Algorithm 1 by hand, the slow functions by mpmath, and the claims about both."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from theory_checks.claim import Level, Verdict
from theory_checks.claims.adaptive_norms import (
    theorem_1,
    theorem_1_bound,
    theorem_1_mixed,
    theorem_1_rates,
    theorem_1_terminates,
)
from theory_checks.claims.adaptive_norms.algorithm_1 import (
    Algorithm,
    Model,
    adagrad,
    exact_step,
    fixed,
    floats,
    many_digits,
    rmsprop,
    run,
)
from theory_checks.claims.adaptive_norms.theorem_1_constants import Constants, rejections
from theory_checks.claims.adaptive_norms.theorem_1_functions import (
    Quadratic,
    Ridge,
    Rosenbrock,
    Staircase,
    Valley,
    Waves,
    staircase_constants,
    valley_cells,
    valley_constants,
)
from theory_checks.claims.adaptive_norms.theorem_1_local import algorithm_of, local, local_run
from theory_checks.claims.adaptive_norms.theorem_1_runs import bound_of, global_run, whole
from theory_checks.dropping import hypothesis_dropped, sabotage_noticed
from theory_checks.engine import Budget, hunt
from theory_checks.margins import worst_margin
from theory_checks.precise import precise

PLAIN = fixed([1.0])


def all_claims() -> dict[str, Any]:
    modules = (theorem_1, theorem_1_terminates, theorem_1_bound)
    return {claim.id.split("/")[1]: claim for module in modules for claim in module.claims()}


# ------------------------------------------------------------------ Algorithm 1 by hand


class Parabola:
    """(c/2) w^2 + b w, in one dimension."""

    def __init__(self, c: float, b: float = 0.0) -> None:
        self.c, self.b = c, b

    def value(self, w: Any) -> Any:
        return self.c * w[0] * w[0] / 2 + self.b * w[0]

    def gradient(self, w: Any) -> Any:
        return [self.c * w[0] + self.b]

    def hessian(self, w: Any) -> Any:
        return [[self.c + 0 * w[0]]]


def test_a_run_by_hand_on_a_parabola() -> None:
    """w^2/2 from 10 with radii 1, 2, 4, 8: steps to 9, 7, 3, then Newton's to 0."""
    found = run(Algorithm(0.5, 0.5), Parabola(1.0), [10.0], PLAIN, floats(), limit=99)
    assert found.ended
    assert [row.point for row in found.rows] == [[10.0], [9.0], [7.0], [3.0]]
    assert [row.radius for row in found.rows] == [1.0, 2.0, 4.0, 8.0]
    assert found.point == [0.0]
    assert [row.ratio for row in found.rows] == [1.0] * 4
    assert found.rows[0].predicted == 9.5


def test_a_rejection_divides_the_radius_and_keeps_the_point() -> None:
    """cos w from 0 with radius 8: 1 - cos 8 over 32 is 0.04, at 4 the ratio is 0.207."""
    waves = Waves([1.0], [1.0], 0.0)
    found = run(Algorithm(0.5, 0.5, eta=0.2, radius=8.0), waves, [0.0], PLAIN, floats(), limit=2)
    first, second = found.rows
    assert not first.taken
    assert second.taken
    assert second.point == [0.0]
    assert (first.radius, second.radius) == (8.0, 4.0)
    assert first.ratio == pytest.approx((1 - math.cos(8)) / 32)
    assert second.ratio == pytest.approx((1 - math.cos(4)) / 8)
    assert abs(found.point[0]) == 4.0


def test_line_4_and_the_sides() -> None:
    """Of w - w^2 at 0 the model is -s^2: the lower side is the negative one."""
    for side, point in (("plus", [0.0]), ("minus", [-1.0]), ("lower", [-1.0])):
        algorithm = Algorithm(1.0, 1.0, eta=0.5, side=side)
        found = run(algorithm, Parabola(-2.0, 1.0), [0.0], PLAIN, floats(), limit=1)
        assert found.rows[0].curved
        assert found.rows[0].predicted == 1.0
        assert found.point == point
    unzeroed = Algorithm(1.0, 1.0, eta=0.5, side="plus", zeroes=False)
    found = run(unzeroed, Parabola(-2.0, 1.0), [0.0], PLAIN, floats(), limit=1)
    assert found.point == [-1.0]
    assert found.rows[0].predicted == 2.0


def test_where_the_run_ends() -> None:
    """Both tests are weak inequalities, and both are needed."""

    def ends(c: float, b: float) -> bool:
        found = run(Algorithm(1.0, 2.0), Parabola(c, b), [0.0], PLAIN, floats(), limit=1)
        return found.ended

    assert ends(-2.0, 1.0)
    assert not ends(-2.5, 0.0)
    assert not ends(1.0, 1.5)


def test_radii_do_not_overflow() -> None:
    """The paper's radius has no end: 1100 steps that double it."""
    valley = Valley(0.03125, 1100)
    algorithm = Algorithm(0.03125, 0.5, radius=4.0)
    found = run(algorithm, valley, valley.start, fixed([1.0, 1.0]), floats(), limit=2000)
    assert found.ended
    assert len(found.rows) == 1101
    assert all(row.taken for row in found.rows)


@pytest.mark.parametrize("method", ["rmsprop", "adagrad"])
def test_the_norms_are_those_of_the_library(method: str) -> None:
    """Diagonals of equations (2) and (3) against tralgos.norms."""
    stream = [[1.0, -2.0], [0.5, 0.0], [3.0, 1.0]]
    rule = rmsprop(0.75, 0.5) if method == "rmsprop" else adagrad(0.5)
    if method == "rmsprop":
        theirs: Any = tralgos.norms.RMSPropNorm(beta=0.75, epsilon=0.5, kind="diagonal")
    else:
        theirs = tralgos.norms.AdagradNorm(epsilon=0.5, kind="diagonal")
    state, other, diagonal = None, theirs.init(2), [0.0, 0.0]
    for g in stream:
        state, diagonal = rule(state, g)
        other = theirs.update(other, np.array(g))
    norm = theirs.norm(other)
    sizes = [norm.norm(np.array(e)) ** 2 for e in ([1.0, 0.0], [0.0, 1.0])]
    np.testing.assert_allclose(diagonal, [float(s) for s in sizes], rtol=1e-14)


entries = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])


@given(h=st.tuples(entries, entries, entries), g=st.tuples(entries, entries), data=st.data())
def test_the_step_is_the_global_minimiser(h: Any, g: Any, data: Any) -> None:
    """Against a grid over the ellipse; and the optimality conditions at many digits."""
    a = data.draw(st.sampled_from([[1.0, 1.0], [4.0, 0.25]]))
    radius = data.draw(st.sampled_from([0.5, 1.0, 4.0]))
    H = [[h[0], h[1]], [h[1], h[2]]]
    step = np.array(exact_step(Model(list(g), H, a, radius, floats())))

    def q(s: np.ndarray) -> np.ndarray:
        return s @ np.array(g) + 0.5 * np.sum(s * (s @ np.array(H)), axis=-1)

    scale = 1 + np.max(np.abs(H)) * 16 + 4 * np.max(np.abs(g))
    assert math.sqrt(np.sum(np.array(a) * step**2)) <= radius * (1 + 1e-9)
    angle, length = np.meshgrid(np.linspace(0, 2 * np.pi, 181), np.linspace(0, radius, 41))
    grid = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1) / np.sqrt(a)
    assert q(step) <= np.min(q(grid)) + 1e-8 * scale
    context = many_digits()
    numbers = [[context.number(x) for x in row] for row in (g, a)]
    exactly = Model(
        numbers[0],
        [[context.number(x) for x in row] for row in H],
        numbers[1],
        context.number(radius),
        context,
    )
    fine = np.array([float(x) for x in exact_step(exactly)])
    assert abs(q(fine) - q(step)) <= 1e-9 * scale


# ------------------------------------------------------------------ the slow functions

FUNCTIONS = (
    (Staircase(0.5, 4), [[-0.7], [0.1], [0.9], [1.6], [2.3]]),
    (Staircase(0.5, 4, 8.0), [[0.3]]),
    (Valley(0.5, 3), [[0.3, 0.2], [-2.0, 1.7], [4.5, 2.9], [1.6, 3.4], [2.2, 5.1]]),
    (Waves([1.0, -2.0], [1.0, 0.5], 0.75), [[0.3, 1.0], [-1.0, 2.0]]),
    (Waves([1.5], [2.0], 0.0), [[0.3]]),
)


def with_mpmath(function: Any) -> Any:
    fields = {k: getattr(function, k) for k in function.__dataclass_fields__ if k != "context"}
    return type(function)(**fields, context=mpmath.mp)


@pytest.mark.parametrize(("function", "points"), FUNCTIONS)
def test_derivatives_against_mpmath(function: Any, points: Any) -> None:
    """Gradients and Hessians, away from and beyond the ends of the slow parts."""
    exactly = with_mpmath(function)
    for point in points:
        n = len(point)

        def value(*w: Any, f: Any = exactly) -> Any:
            return f.value(list(w))

        at = tuple(mpmath.mpf(x) for x in point)
        gradient, hessian = function.gradient(point), function.hessian(point)
        assert float(value(*at)) == pytest.approx(function.value(point), abs=1e-14)
        for i in range(n):
            once = tuple(int(k == i) for k in range(n))
            slope = mpmath.diff(value, at, once) if n > 1 else mpmath.diff(value, at[0])
            assert gradient[i] == pytest.approx(float(slope), abs=1e-9)
            for j in range(n):
                both = [int(k == i) + int(k == j) for k in range(n)]
                bend = (
                    mpmath.diff(value, at, tuple(both)) if n > 1 else mpmath.diff(value, at[0], 2)
                )
                assert hessian[i][j] == pytest.approx(float(bend), abs=1e-6)


@pytest.mark.parametrize("function", [Ridge(1.0, Staircase(0.5, 4)), Rosenbrock(), Quadratic(9.0)])
def test_derivatives_of_the_others_by_differences(function: Any) -> None:
    for point in ([0.3, 0.4], [-1.2, 1.0]):
        for i in range(2):
            up, down = list(point), list(point)
            up[i] += 1e-6
            down[i] -= 1e-6
            slope = (function.value(up) - function.value(down)) / 2e-6
            assert function.gradient(point)[i] == pytest.approx(slope, abs=1e-6)
            bends = (np.array(function.gradient(up)) - function.gradient(down)) / 2e-6
            np.testing.assert_allclose(np.array(function.hessian(point))[i], bends, atol=1e-5)


@pytest.mark.parametrize("eps", [1.0, 0.25, 2.0**-6])
def test_two_derivatives_are_continuous_and_the_second_lipschitz(eps: float) -> None:
    """Quotients of Hessians over fine grids stay below the stated constants, for every eps."""
    u = np.linspace(-1.5, 6.5, 4001)
    for bend in (2.0, 8.0):
        stairs = Staircase(eps, 4, bend)
        points = eps * u
        bends = np.array([stairs.hessian([z])[0][0] for z in points])
        largest, lipschitz = staircase_constants(eps, bend)
        assert np.max(np.abs(bends)) <= largest
        steepest = np.max(np.abs(np.diff(bends) / np.diff(points)))
        assert 0.5 * lipschitz <= steepest <= lipschitz
        slopes = np.array([stairs.gradient([z])[0] for z in points])
        assert np.max(np.abs(np.diff(slopes) / np.diff(points))) <= largest * (1 + 1e-9)
    valley = Valley(eps, 3)
    largest, lipschitz = valley_constants(eps)
    rng = np.random.default_rng(0)
    for _ in range(300):
        w = np.array([rng.uniform(-3.5, 3.5 + 4 * eps), rng.uniform(-1, 5)])
        v = w + 1e-3 * rng.normal(size=2)
        here, there = (np.array(valley.hessian(x.tolist())) for x in (w, v))
        assert np.linalg.norm(here, 2) <= largest
        assert np.linalg.norm(here - there, 2) <= lipschitz * np.linalg.norm(w - v)


def test_bounded_below_by_the_budget() -> None:
    """The budgets are L(w_0) - inf L, that of the staircase exactly."""
    stairs = Staircase(0.5, 4)
    lowest = min(stairs.value([0.5 * u]) for u in np.linspace(-3, 9, 24001))
    assert stairs.value([0.0]) - lowest == pytest.approx(stairs.budget, rel=1e-6)
    valley = Valley(0.5, 3)
    grid = [valley.value([x, y]) for x in np.linspace(-4, 6, 81) for y in np.linspace(-3, 8, 221)]
    assert 0.6 * valley.budget < valley.value(valley.start) - min(grid) <= valley.budget


@pytest.mark.parametrize("exactly", [False, True])
def test_the_iterates_of_the_staircase_are_as_prescribed(exactly: bool) -> None:
    """From one multiple of eps to the next, gradient zero, every other radius too large."""
    eps, cells = 0.25, 12
    arithmetic = many_digits() if exactly else floats()
    stairs: Any = Staircase(eps, cells)
    if exactly:
        stairs = Staircase(eps, cells, 2.0, precise())
    algorithm = Algorithm(eps, eps, eta=0.75, radius=eps)
    found = run(algorithm, stairs, [0.0], PLAIN, arithmetic, limit=2 * cells)
    assert not found.ended
    taken = [row for row in found.rows if row.taken]
    assert [float(row.point[0]) for row in taken] == [eps * k for k in range(cells)]
    assert [row.taken for row in found.rows] == [True, False] * cells
    for row in taken:
        assert all(g == 0 for g in stairs.gradient(row.point))
        assert float(row.ratio) == pytest.approx(1.0, rel=1e-12)
        assert float(row.actual) == pytest.approx(eps**3, rel=1e-12)
    for row in found.rows:
        # The very last trial looks beyond the end.
        if not row.taken and float(row.point[0]) < eps * (cells - 1):
            assert float(row.ratio) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("rule", [fixed([1.0, 1.0]), rmsprop(0.9, 0.25), adagrad(1.0)])
def test_the_iterates_of_the_valley_are_as_prescribed(rule: Any) -> None:
    """Newton's step (eps, 1) from each point of the lattice, in any norm, errors dying out."""
    eps, cells = 0.125, 63
    valley = Valley(eps, cells)
    algorithm = Algorithm(eps, 0.5, radius=4.0)
    found = run(algorithm, valley, valley.start, rule, floats(), limit=cells)
    for k, row in enumerate(found.rows):
        assert row.taken
        assert row.point == pytest.approx([eps * (k - 1), float(k)], abs=1e-12)
        assert math.hypot(*valley.gradient(row.point)) > eps
        assert row.actual == pytest.approx(eps**2, rel=1e-9)


def test_counts_beyond_what_is_run() -> None:
    """What a cell takes is the same for all: inferred counts are those of whole runs."""
    plain = theorem_1_rates.staircase_run(0.125, PLAIN)
    assert theorem_1_rates.whole_count(512, plain, 64) == plain(512)
    ridge = theorem_1_rates.ridge_run(8.0)
    assert theorem_1_rates.whole_count(512, ridge, 64) == ridge(512)
    for rule in (fixed([1.0, 1.0]), rmsprop(0.9, 0.25)):
        valley = theorem_1_rates.valley_run(0.0625, rule)
        assert theorem_1_rates.whole_count(valley_cells(0.0625), valley, 64) == valley(255)
    with pytest.raises(ArithmeticError, match="equally many"):
        theorem_1_rates.whole_count(100, lambda cells: cells + (cells > 7), 10)


@pytest.mark.parametrize("powers", [(11, 8), (14, 9), (25, 16), (30, 26)])
def test_the_track_keeps_both_assumptions(powers: tuple[int, int]) -> None:
    """Errors of g_t within delta_g; steps as good as the Cauchy point and nu of the eigenpoint."""
    eps_g, eps_H = (2.0**-k for k in powers)
    eta, nu = theorem_1_mixed.ETA, theorem_1_mixed.NU
    track = theorem_1_mixed.Track(eps_g, eps_H)
    first = powers[0] - 2
    rows = theorem_1_mixed.mixed_run(eps_g, eps_H, first + 60).rows
    assert rows[0].radius == 1.0
    for t, row in enumerate(rows):
        gradient = track.gradient(row.point)
        g = theorem_1_mixed.mixed_errors(t, first, gradient, eps_g)
        assert math.dist(g, gradient) <= (1 - eta) * eps_g / 4
        assert row.curved == (math.hypot(*g) <= eps_g)
        lowest = np.linalg.eigvalsh(np.array(track.hessian(row.point)))[0]
        assert lowest < -eps_H
        eigenpoint = -lowest * row.radius**2 / 2
        # The curvature of the model along g_t is one, and the ball is wide enough.
        cauchy = 0.0 if row.curved else math.hypot(*g) ** 2 / 2
        assert row.predicted >= max(cauchy, nu * eigenpoint) * (1 - 1e-12)
        assert row.curved or row.predicted >= eigenpoint * (1 - 1e-12)
        assert row.taken == (row.ratio >= eta)
    assert [row.taken for row in rows] == [False] * first + [False, True] * 30
    assert all(abs(row.point[2]) <= 2.1 * eps_g for row in rows)


@given(x=st.floats(-2, 2), y=st.floats(-2, 2), z=st.floats(-4, 4))
def test_the_derivatives_of_the_track(x: float, y: float, z: float) -> None:
    track, w = theorem_1_mixed.Track(0.25, 0.5), [x, y, z]
    for i in range(3):
        up, down = list(w), list(w)
        up[i] += 1e-5
        down[i] -= 1e-5
        slope = (track.value(up) - track.value(down)) / 2e-5
        assert track.gradient(w)[i] == pytest.approx(slope, abs=1e-8)
        bends = (np.array(track.gradient(up)) - track.gradient(down)) / 2e-5
        np.testing.assert_allclose(np.array(track.hessian(w))[i], bends, atol=1e-8)


def test_the_mixed_term_is_attained() -> None:
    """Iterations for which L falls by one, times eps_g^2 eps_H, lie between bounds."""
    for k, j in ((11, 8), (14, 9), (25, 16), (26, 17), (30, 26), (39, 24)):
        count = theorem_1_mixed.per_unit(2.0**-k, 2.0**-j) * 4.0**-k * 2.0**-j
        assert 0.75 < count < 0.9, (k, j)


# ------------------------------------------------------------------ constants


def constants(**changed: Any) -> Constants:
    known: dict[str, Any] = {
        "low": 1.0,
        "high": 1.0,
        "curvature": 2.0,
        "lipschitz": 1.0,
        "eta": 0.5,
        "nu": 0.5,
        "eps_g": 0.5,
        "eps_H": 0.25,
        "gamma": 2.0,
    }
    return Constants(**{**known, **changed})


def test_constants_by_hand() -> None:
    """The formulas of the page, in the Euclidean norm and with kappa = 4."""
    plain = constants()
    assert float(plain.second_order_radius()) == pytest.approx(1.5 * 0.5 * 0.5 * 0.25)
    assert float(plain.first_order_radius()) == pytest.approx(0.125)
    exact = constants(exact_gradient=True, lipschitz=10.0)
    cubic, plainer = (1.5 * 0.5 * 0.25 / 20) ** (1 / 3), math.sqrt(1.5 * 0.5 * 0.5 / 10)
    assert float(exact.first_order_radius()) == pytest.approx(min(cubic, plainer))
    assert float(plain.decrease(0.1, curved=True)) == pytest.approx(0.5 * 0.25 * 0.01 / 2)
    assert float(plain.decrease(0.1, curved=False)) == pytest.approx(0.5 * 0.1 / 2)
    assert float(plain.decrease(9.0, curved=False)) == pytest.approx(0.5 * 0.25 / 2)
    wide = constants(high=4.0)
    assert float(wide.second_order_radius()) == pytest.approx(
        float(plain.second_order_radius()) / 4
    )
    assert float(wide.decrease(0.1, curved=True)) == pytest.approx(0.5 * 0.25 * 0.01 / 8)
    least = float(plain.least_radius(1.0))
    assert least == pytest.approx(0.09375 / 2)
    worth = 0.5 * min(0.5 * 0.25 * least**2 / 2, 0.5 * least / 2)
    wanted = 2 * 3.0 / worth + math.log2(1 / least)
    assert float(plain.count(1.0, 3.0)) == pytest.approx(wanted)


def test_without_a_mixed_term_where_gradients_are_exact() -> None:
    """Over a wide range of both eps the bound is of the order of max(eps_g^-2, eps_H^-3)."""

    def quotient(first: float, second: float, *, exact: bool) -> float:
        found = constants(eps_g=first, eps_H=second, exact_gradient=exact)
        return float(found.count(1.0, 1.0)) / max(first**-2, second**-3)

    grid = [(10.0**-a, 10.0**-b) for a in range(0, 9, 2) for b in range(0, 9, 2)]
    largest = max(quotient(*pair, exact=True) for pair in grid)
    at_one = quotient(1.0, 1.0, exact=True)
    assert largest < 50 * at_one
    assert max(quotient(*pair, exact=False) for pair in grid) > 1e4 * at_one


def test_rejections_are_counted_up() -> None:
    assert [rejections(8.0, x, 2.0, 99) for x in (9.0, 8.0, 7.9, 1.0, 0.99)] == [0, 0, 1, 3, 4]
    assert rejections(8.0, 0.0, 2.0, 99) == 99


# ------------------------------------------------------------------ the counterexamples


def test_by_hand_line_4_stands_still() -> None:
    """w - w^2 from 0: the ratio of s = D > 0 is 1 - 1/D, so 0, -1, -3, ... for D = 1, 1/2, ..."""
    i = local([1.0], [-2.0], side="plus")
    found = local_run(i, algorithm_of(i, {}), 40)
    assert not any(row.taken for row in found.rows)
    assert [float(row.ratio) for row in found.rows] == [1 - 2.0**k for k in range(40)]


def test_by_hand_the_sign_of_an_inexact_gradient_misleads() -> None:
    """Gradient 0.06, g_t = -0.06: the side that g_t prefers has the ratio 1 - 0.06/D."""
    i = local([0.06], [-2.0], errors=([-0.12], [0.0]), side="plus", radius=0.1)
    assert abs(i["gradient error"][0]) <= (1 - i["eta"]) * i["eps_g"] / 4
    found = local_run(i, algorithm_of(i, {}), 30)
    assert not any(row.taken for row in found.rows)
    assert float(found.rows[0].ratio) == pytest.approx(0.4)


def test_by_hand_a_thin_ellipse_stands_still() -> None:
    """At a saddle the step is along the axis of the error, where L is level: ratio zero."""
    i = theorem_1_terminates.thin_hessian()
    assert abs(i["hessian error"][1]) <= (1 - i["eta"]) * i["nu"] * i["eps_H"] / 2
    found = local_run(i, algorithm_of(i, {}), 40)
    assert [float(row.ratio) for row in found.rows] == [0.0] * 40
    # The same function in the Euclidean norm goes on at once.
    plain = {**i, "norm": [1.0, 1.0]}
    assert local_run(plain, algorithm_of(plain, {}), 1).rows[0].taken


@pytest.mark.parametrize("name", ["thin_gradient", "thin_rmsprop"])
def test_by_hand_an_error_decides_the_step(name: str) -> None:
    """Linear L: the ratio is grad' A^-1 g / g' A^-1 g at every radius, and below eta."""
    i = getattr(theorem_1_terminates, name)()
    error = math.hypot(*i["gradient error"])
    assert error <= (1 - i["eta"]) * i["eps_g"] / 4
    found = local_run(i, algorithm_of(i, {}), 30)
    assert not any(row.taken or row.curved for row in found.rows)
    g = np.add(i["gradient"], i["gradient error"])
    A = np.array(i["norm"]) if i["rule"] == "fixed" else g**2 + i["epsilon"]
    ratio = np.sum(np.array(i["gradient"]) * g / A) / np.sum(g * g / A)
    assert ratio < i["eta"]
    assert float(found.rows[-1].ratio) == pytest.approx(ratio, rel=1e-6)


def test_a_true_eigenproblem_agrees_with_the_thin_one() -> None:
    """The pencil (B, A) of the counterexample points along its second axis."""
    i = theorem_1_terminates.thin_hessian()
    B = np.diag(np.add(i["hessian"], i["hessian error"]))
    values, vectors = scipy.linalg.eigh(B, np.diag(i["norm"]))
    assert values[0] == pytest.approx(-10.0)
    assert abs(vectors[0, 0]) < 1e-12


# ------------------------------------------------------------------ the claims


def test_the_verdicts() -> None:
    assert {name: claim.verdict for name, claim in all_claims().items()} == {
        "theorem-1": Verdict.NEEDS,
        "theorem-1-terminates": Verdict.NEEDS,
        "theorem-1-bound": Verdict.HOLDS,
        "theorem-1-point": Verdict.NEEDS,
    }


@pytest.mark.parametrize("name", ["theorem-1", "theorem-1-terminates", "theorem-1-point"])
def test_what_is_false_as_printed_falls_at_once(name: str) -> None:
    found = hunt(all_claims()[name].printed, Budget(1, 0, 5.0), 0)
    assert found.violation is not None
    assert found.violation.found_by == "edge case"


@pytest.mark.parametrize(
    "name", ["theorem-1", "theorem-1-terminates", "theorem-1-bound", "theorem-1-point"]
)
def test_the_true_form_survives_and_comes_close(name: str) -> None:
    found = hunt(all_claims()[name].proven, Budget(8, 0, 5.0), 1)
    assert found.violation is None
    assert found.tightest is not None
    assert found.tightest.ratio >= (0.005 if name in ("theorem-1", "theorem-1-bound") else 0.8)


@pytest.mark.parametrize(
    "name", ["theorem-1", "theorem-1-terminates", "theorem-1-bound", "theorem-1-point"]
)
def test_every_hypothesis_is_needed(name: str) -> None:
    form = all_claims()[name].proven
    for outcome in hypothesis_dropped(form, Budget(4, 0, 2.0), 0):
        assert outcome.as_recorded, outcome.hypothesis


@pytest.mark.parametrize("name", ["theorem-1-terminates", "theorem-1-bound"])
def test_every_broken_algorithm_is_noticed(name: str) -> None:
    form = all_claims()[name].proven
    for broken in form.sabotage:
        margins = [worst_margin(broken.margins(i))[1] for i in form.edges() if form.admits(i)]
        assert min(margins) < 0, broken.name
    assert all_claims()["theorem-1"].proven.sabotage


def test_sabotage_through_the_engine() -> None:
    outcomes = sabotage_noticed(all_claims()["theorem-1-terminates"].proven, Budget(1, 0, 2.0), 0)
    assert len(outcomes) == 6
    assert all(outcome.noticed for outcome in outcomes)


def test_edges_are_admitted() -> None:
    """An edge that some hypothesis refuses tries nothing."""
    for name, claim in all_claims().items():
        form = claim.proven
        admitted = sum(form.admits(i) for i in form.edges())
        assert admitted >= 4, name


def test_the_measured_exponents() -> None:
    """2 in eps_g, 3 in eps_H and kappa, next to nothing on ordinary functions."""
    figures = {figure.name: figure for figure in theorem_1_rates.exponents(Level.QUICK, 0)}
    assert all(figure.as_recorded for figure in figures.values())
    assert figures["valley, RMSProp: exponent of 1/eps_g"].value == pytest.approx(2.0, abs=0.01)
    assert figures["staircase, uniform: exponent of 1/eps_H"].value == pytest.approx(3.0, abs=0.02)
    assert figures["ridge: exponent of kappa"].value == pytest.approx(3.0, abs=0.02)


def test_a_ridge_takes_few_iterations_in_the_euclidean_norm() -> None:
    """It is the norm that makes it slow."""
    ridge = Ridge(1.0, Staircase(1 / 16, 4096))
    algorithm = Algorithm(1.0, 0.5, eta=0.75)
    found = run(algorithm, ridge, [0.0, 0.0], fixed([1.0, 1.0]), floats(), limit=100)
    assert found.ended
    assert len(found.rows) < 20
    assert theorem_1_rates.ridge_run(16.0)(4096) > 8192


def test_a_run_against_its_bound() -> None:
    """Errors as large as is allowed, in alternating norms: below the bound, at both precisions."""
    i = whole(
        sizes=[1.0, -0.5],
        waves=[1.0, 1.0],
        start=[0.5, 1.0],
        rule="alternating",
        spread=1.5,
        **{"gradient error": 1.0, "hessian error": 1.0, "eps_g": 1.0, "eps_H": 0.75},
    )
    allowed = bound_of(i)
    floating, exact = (global_run(i, 200, exactly=e) for e in (False, True))
    assert floating.ended
    assert exact.ended
    assert len(floating.rows) == len(exact.rows) <= allowed
    assert [float(x) for x in exact.point] == pytest.approx(floating.point, abs=1e-9)


def test_the_accepted_point_can_be_off_by_a_quarter() -> None:
    """Gradient 5/4 - 1/256 where eps_g = 1: eta = 1/64 allows an error of nearly a quarter."""
    claim = all_claims()["theorem-1-point"]
    eta = Fraction(1, 64)
    error = float((1 - eta) / 4)
    i = {
        "gradient": [1 + error],
        "hessian": [0.0],
        "gradient error": [-error],
        "hessian error": [0.0],
        "eps_g": 1.0,
        "eps_H": 1.0,
        "eta": float(eta),
        "nu": 0.5,
    }
    assert claim.proven.admits(i)
    computed, theoretical = claim.proven.bound(i)
    assert computed == theoretical == 1.25 - 1 / 256
    assert worst_margin(claim.printed.margins(i))[1] < 0 <= worst_margin(claim.proven.margins(i))[1]
