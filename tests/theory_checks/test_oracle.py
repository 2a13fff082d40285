"""The oracle is judged by what it is defined by: the conditions, and points it must not lose to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_checks.oracle import gradient_at, model, solve_in_eigenbasis
from theory_checks.precise import norm, precise, reals
from theory_checks.strategies import problems


@settings(max_examples=150, deadline=None, database=None)
@given(problems(4))
def test_the_conditions_hold_to_forty_digits(problem):
    eigenvalues, gradient = problem["eigenvalues"], problem["gradient"]
    optimum = solve_in_eigenbasis(eigenvalues, gradient)
    spectrum, slope = reals(eigenvalues), reals(gradient)
    size = 1 + max(abs(h) for h in spectrum) + norm(slope)
    tiny = precise().mpf(10) ** -38 * size
    residual = [
        d + optimum.multiplier * s
        for d, s in zip(gradient_at(spectrum, slope, optimum.step), optimum.step, strict=True)
    ]
    assert norm(residual) < tiny
    assert norm(optimum.step) < 1 + tiny
    assert optimum.multiplier >= 0
    assert min(spectrum) + optimum.multiplier >= 0
    assert optimum.multiplier * (1 - norm(optimum.step)) < tiny


@settings(max_examples=150, deadline=None, database=None)
@given(problems(3, point=st.lists(st.floats(-1, 1), min_size=3, max_size=3)))
def test_no_feasible_point_is_better(problem):
    optimum = solve_in_eigenbasis(problem["eigenvalues"], problem["gradient"])
    point = reals(problem["point"][: len(problem["gradient"])])
    length = norm(point)
    if length > 1:
        point = [x / length for x in point]
    value = model(reals(problem["eigenvalues"]), reals(problem["gradient"]), point)
    assert value >= optimum.value - precise().mpf(10) ** -38 * (1 + abs(optimum.value))


@pytest.mark.parametrize(
    ("eigenvalues", "gradient", "unique", "on_boundary"),
    [
        ([1.0], [0.5], True, False),
        ([1.0], [1.0], True, True),
        ([0.0], [0.0], False, False),
        ([-1.0], [0.0], False, True),
        ([-1.0, 0.0], [0.0, 1.0], True, True),
        ([-1.0, 0.0], [0.0, 0.5], False, True),
        ([-1.0, -1.0], [0.0, 1.0], True, True),
        ([0.0, 1.0], [0.0, 0.5], False, False),
    ],
)
def test_the_cases_are_told_apart_exactly(eigenvalues, gradient, unique, on_boundary):
    optimum = solve_in_eigenbasis(eigenvalues, gradient)
    assert optimum.unique is unique
    assert optimum.on_boundary is on_boundary


def test_a_component_at_rounding_level_is_not_lost():
    optimum = solve_in_eigenbasis([-1.0, 1.0], [1e-30, 1.0])
    assert optimum.multiplier > 1
    assert abs(norm(optimum.step) - 1) < 1e-40
