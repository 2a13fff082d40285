"""The check of derivatives: right ones pass everywhere, one wrong entry is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import NonFiniteError, ShapeError
from tralgos.operators import FiniteDifferenceHessian, Operator
from tralgos.problems import (
    DegenerateMinimum,
    DoubleWell,
    FunctionProblem,
    MonkeySaddle,
    Quadratic,
    Rosenbrock,
    Saddle,
    SlowCubic,
    SlowNewton,
)

seeds = st.integers(0, 2**32 - 1)


def constant(c: float, x: np.ndarray) -> np.floating:
    return x.dtype.type(c)


def quadratic(n: int, seed: int, shift: float = 0.0, hidden: float = 0.0) -> FunctionProblem:
    """With a constant added, and one that is added and taken away: noise that no value shows."""
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((n, n)), rng.standard_normal(n)
    A = A + A.T

    def fun(x):
        value = 0.5 * (x @ (A.astype(x.dtype) @ x)) + b.astype(x.dtype) @ x
        c = constant(hidden, x)
        return ((value + constant(shift, x)) + c) - c

    return FunctionProblem(
        fun,
        lambda x: A.astype(x.dtype) @ x + b.astype(x.dtype),
        hess=lambda x: A.astype(x.dtype),
        n=n,
    )


def separable(f, f1, f2=None, n: int = 4) -> FunctionProblem:
    hessp = None if f2 is None else (lambda x, v: f2(x) * v)
    return FunctionProblem(lambda x: f(x).sum(), f1, hessp=hessp, n=n)


def waves(w: float) -> FunctionProblem:
    return separable(
        lambda x: np.sin(constant(w, x) * x),
        lambda x: constant(w, x) * np.cos(constant(w, x) * x),
        lambda x: -(constant(w, x) ** 2) * np.sin(constant(w, x) * x),
    )


RIGHT = {
    "quadratic": quadratic(6, 0),
    "with 1e8": quadratic(6, 1, shift=1e8),
    "with a hidden 1e8": quadratic(6, 2, hidden=1e8),
    "zero": separable(np.zeros_like, np.zeros_like, np.zeros_like),
    "waves": waves(1.0),
    "short waves": waves(1e4),
    "exp": separable(np.exp, np.exp, np.exp),
    "log": separable(lambda x: -np.log(np.abs(x)), lambda x: -1 / x, lambda x: 1 / x**2),
    "abs": separable(np.abs, np.sign),
    "cube of abs": separable(lambda x: np.abs(x) ** 3, lambda x: 3 * x * np.abs(x)),
    "flat at 1": separable(lambda x: (x - 1) ** 4, lambda x: 4 * (x - 1) ** 3),
    "rosenbrock": Rosenbrock(4),
    "saddle": Saddle(),
    "monkey": MonkeySaddle(),
    "wells": DoubleWell(3),
    "degenerate": DegenerateMinimum(),
    "newton": SlowNewton(40),
    "cubic": SlowCubic(40),
}

#: What is done to a standard normal point.
PLACES = {
    "usual": lambda x, mask: x,
    "small": lambda x, mask: 1e-4 * x,
    "mixed": lambda x, mask: np.where(mask, 1e-5, 1.0) * x,
    "sparse": lambda x, mask: np.where(mask, 0.0, 1.0) * x,
    "near ones": lambda x, mask: 1.0 + 1e-6 * x,
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_derivatives_are_never_called_wrong(name: str, place: str, dtype: type) -> None:
    p = RIGHT[name]
    if (name, place) == ("log", "sparse"):
        pytest.skip("not defined at zero")
    rng = np.random.default_rng(5)
    for seed in range(4):
        x = rng.standard_normal(p.n)
        x = PLACES[place](x, rng.random(p.n) < 0.5).astype(dtype)
        if name == "abs":
            x = np.where(x == 0.0, 1.0, x).astype(dtype)  # no gradient at zero
        check = p.check_derivatives(x, rng=seed)
        assert check.ok, check.message


@given(seed=seeds, n=st.integers(1, 8), power=st.sampled_from([-150, -40, 0, 40, 150]))
def test_units_do_not_matter(seed: int, n: int, power: int) -> None:
    # x in units of 10^-power, f in units that leave its values where they are.
    unit = 10.0**power
    base = quadratic(n, seed)
    p = FunctionProblem(lambda x: base.value(x / unit), lambda x: base.gradient(x / unit) / unit)
    x = np.random.default_rng(seed).standard_normal(n) * unit
    assert p.check_derivatives(x).ok
    i = seed % n
    q = with_wrong_entry(p, i, 1.01)
    check = q.check_derivatives(x)
    if abs(p.gradient(x)[i]) > 1e-3 * np.abs(p.gradient(x)).max():
        assert not check.ok
        assert check.gradient_index == i


def with_wrong_entry(p, i: int, factor: float, hess=None) -> FunctionProblem:
    def gradient(x):
        g = p.gradient(x).copy()
        g[i] *= factor
        return g

    return FunctionProblem(p.value, gradient, hess=hess, n=p.n, name="suspect")


@given(seed=seeds, n=st.integers(2, 30), exponent=st.integers(-6, 0))
def test_one_wrong_entry_is_named(seed: int, n: int, exponent: int) -> None:
    p = Rosenbrock(n)
    x = np.random.default_rng(seed).standard_normal(n)
    i = int(np.argmax(np.abs(p.gradient(x))))
    check = with_wrong_entry(p, i, 1.0 + 10.0**exponent).check_derivatives(x)
    assert not check.ok
    assert check.gradient_index == i
    assert f"entry {i} is" in check.message
    assert "The gradient of suspect is wrong" in check.message
    assert check.gradient_expected == pytest.approx(p.gradient(x)[i], rel=1e-7)
    assert check.gradient_computed == pytest.approx(p.gradient(x)[i] * (1.0 + 10.0**exponent))
    largest = np.abs(p.gradient(x)).max() * (1.0 + 10.0**exponent)
    off = abs(check.gradient_computed - check.gradient_expected)
    assert check.gradient_error == pytest.approx(off / largest)


@pytest.mark.parametrize("i", [0, 2, 4])
def test_one_wrong_entry_is_named_in_single_precision(i: int) -> None:
    p = Rosenbrock(5)
    x = np.random.default_rng(1).standard_normal(5).astype(np.float32)
    x[i] += 2.0
    check = with_wrong_entry(p, i, 1.1).check_derivatives(x)
    assert not check.ok
    assert check.gradient_index == i


def test_a_constant_widens_the_tolerance_and_the_check_says_so() -> None:
    x = np.random.default_rng(1).standard_normal(6)
    plain, drowned = (quadratic(6, 1, shift=s).check_derivatives(x) for s in (0.0, 1e8))
    assert plain.gradient_tolerance < 1e-8
    assert 10.0 * plain.gradient_tolerance < drowned.gradient_tolerance < 1e-4
    assert not with_wrong_entry(quadratic(6, 1, shift=1e8), 0, 2.0).check_derivatives(x).ok


def test_a_missing_factor_is_found_in_every_entry() -> None:
    p = FunctionProblem(lambda x: 0.5 * (x @ x), lambda x: 2.0 * x)
    check = p.check_derivatives(np.arange(1.0, 5.0))
    assert not check.ok
    assert check.gradient_expected == pytest.approx(0.5 * check.gradient_computed)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_entry_that_is_no_number_is_named(bad: float) -> None:
    p = FunctionProblem(lambda x: x @ x, lambda x: np.array([2.0 * x[0], bad]))
    check = p.check_derivatives(np.ones(2))
    assert not check.ok
    assert check.gradient_index == 1


def test_a_value_that_is_no_number_is_an_error() -> None:
    p = FunctionProblem(lambda x: math.nan, lambda x: x, name="p")
    with pytest.raises(NonFiniteError, match="the value of p at x is nan"):
        p.check_derivatives(np.ones(2))
    with pytest.raises(ShapeError, match="empty"):
        p.check_derivatives(np.ones(0))


def test_a_function_that_hardly_leaves_its_domain_is_compared() -> None:
    # At 1e-6 from the end of the domain every usual step leaves it.
    p = FunctionProblem(
        lambda x: -np.log(1.0 - x[0]),
        lambda x: 1.0 / (1.0 - x),
        hessp=lambda x, v: v / (1 - x) ** 2,
    )
    x = np.array([1.0 - 1e-6])
    check = p.check_derivatives(x)
    assert check.ok, check.message
    assert check.gradient_tolerance < 1e-2
    assert not with_wrong_entry(p, 0, 1.1).check_derivatives(x).ok


def test_many_variables_are_compared_along_directions() -> None:
    p = Rosenbrock(2500)
    x = np.random.default_rng(2).standard_normal(2500)
    right = p.check_derivatives(x)
    assert right.ok
    assert right.gradient_index is None
    assert "8 random directions in place of the 2500 entries" in right.message
    i = int(np.argmax(np.abs(p.gradient(x))))
    wrong = with_wrong_entry(p, i, 1.5).check_derivatives(x)
    assert not wrong.ok
    assert wrong.gradient_index == i
    assert "found along a random direction" in wrong.message


def test_a_gradient_wrong_along_directions_alone_is_still_wrong() -> None:
    # Each entry is off by far less than its difference shows; together they show.
    p = FunctionProblem(lambda x: 0.5 * (x @ x), lambda x: 2.0 * x)
    check = p.check_derivatives(np.ones(2100))
    assert not check.ok


def rosenbrock_with(change) -> FunctionProblem:
    p = Rosenbrock(4)

    def hess(x):
        return change(p.hessian(x).matmat(np.eye(4, dtype=x.dtype)))

    return FunctionProblem(p.value, p.gradient, hess=hess, name="suspect")


def test_a_wrong_hessian_is_named_with_its_entry() -> None:
    def change(H):
        H[2, 2] *= 1.0 + 1e-4
        return H

    check = rosenbrock_with(change).check_derivatives(np.array([0.3, -1.0, 2.0, 0.5]))
    assert not check.ok
    assert check.hessian is not None
    assert check.hessian.index == 2
    assert check.hessian.error > check.hessian.tolerance
    assert "The Hessian is wrong" in check.message
    assert "entry of its products, 2," in check.message
    assert check.gradient_error <= check.gradient_tolerance


def test_a_hessian_that_is_not_symmetric_is_wrong() -> None:
    def change(H):
        return H + np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0.0]])

    check = rosenbrock_with(change).check_derivatives(np.array([0.3, -1.0, 2.0, 0.5]))
    assert not check.ok
    assert check.hessian.asymmetry > 1e-5


def test_asymmetry_alone_makes_a_gauss_newton_matrix_wrong() -> None:
    p = FunctionProblem(
        lambda x: 0.5 * (x @ x), lambda x: x, gauss_newton=lambda x: np.array([[2.0, 1], [0, 2]])
    )
    check = p.check_derivatives(np.array([1.0, 2.0]))
    assert not check.ok
    assert check.gauss_newton.error is None
    assert "The Gauss-Newton matrix is wrong" in check.message


def test_a_negative_gauss_newton_matrix_is_wrong() -> None:
    p = FunctionProblem(
        lambda x: 0.5 * (x @ x), lambda x: x, gauss_newton=lambda x: np.diag([-1.0, -2.0])
    )
    check = p.check_derivatives(np.array([1.0, 2.0]))
    assert not check.ok
    assert check.gauss_newton.smallest_quotient < -0.1


def test_a_gauss_newton_matrix_need_not_be_the_hessian() -> None:
    check = Rosenbrock(3).check_derivatives(np.array([0.3, -1.0, 2.0]))
    assert check.ok
    assert check.gauss_newton.ok
    assert "agree with differences" in check.message


def test_a_hessian_by_differences_is_granted_its_own_error() -> None:
    p = Rosenbrock(4)
    q = FunctionProblem(p.value, p.gradient, hess=lambda x: FiniteDifferenceHessian(p.gradient, x))
    assert q.check_derivatives(np.array([0.3, -1.0, 2.0, 0.5])).ok


def test_a_gradient_that_reuses_its_buffer_passes() -> None:
    buffer = np.zeros(3)

    def gradient(x):
        np.multiply(x, x, out=buffer)
        return buffer

    p = FunctionProblem(lambda x: (x**3).sum() / 3, gradient, hessp=lambda x, v: 2.0 * x * v)
    check = p.check_derivatives(np.array([1.0, -2.0, 3.0]))
    assert check.ok, check.message


def test_all_array_libraries(xp_case: Xp) -> None:
    x = xp_case.array([0.3, -1.0, 2.0, 0.5])
    p = Rosenbrock(4)
    check = p.check_derivatives(x)
    assert check.ok, check.message
    q = FunctionProblem(p.value, lambda y: 1.1 * p.gradient(y))
    assert not q.check_derivatives(x).ok


def test_one_seed_gives_one_result() -> None:
    p, x = Quadratic(np.diag([1.0, 2.0, 5.0])), np.array([1.0, 2.0, 3.0])
    assert p.check_derivatives(x, rng=3) == p.check_derivatives(x, rng=np.random.default_rng(3))
    assert p.check_derivatives(x) == p.check_derivatives(x)


@pytest.mark.parametrize("i", range(4))
def test_a_short_scale_hides_no_wrong_entry(i: int) -> None:
    # Waves of length 6e-4: at the long steps the differences agree with each other, on nothing.
    p = waves(1e4)
    x = np.array([0.3, -1.0, 2.0, 0.5])
    check = with_wrong_entry(p, i, 1.2).check_derivatives(x)
    assert not check.ok
    assert check.gradient_index == i
    assert check.gradient_expected == pytest.approx(p.gradient(x)[i], rel=1e-3)


# -------------------------------------------------------------------- linearizations


M = np.random.default_rng(8).standard_normal((5, 3))
WEIGHTS = np.array([1.0, 2.0, 0.5, 3.0, 1.5])


def composite(change=lambda *parts: parts, gauss_newton: bool = True) -> FunctionProblem:
    """The sum of w_i cosh z_i for z = M sin(x); `change` spoils its linearization."""

    def parts(x):
        z = M @ np.sin(x)
        value, gradient = WEIGHTS @ np.cosh(z), WEIGHTS * np.sinh(z)
        return value, M * np.cos(x), gradient, lambda u: WEIGHTS * np.cosh(z) * u

    def dense(x):
        _, J, _, curvature = parts(x)
        return J.T @ np.diag(curvature(np.ones(5))) @ J

    return FunctionProblem(
        lambda x: parts(x)[0],
        lambda x: parts(x)[1].T @ parts(x)[2],
        gauss_newton=dense if gauss_newton else None,
        linearize=lambda x: change(*parts(x)),
        name="suspect",
    )


class Spoiled(Operator):
    """J, and a transpose that is not its own."""

    def __init__(self, J, other):
        super().__init__(J.shape, name="spoiled", home=J[0])
        self.J, self.other = J, other

    @property
    def has_transpose(self):
        return True

    def _matvec(self, x):
        return self.J @ x

    def _rmatvec(self, x):
        return self.other.T @ x


def entry(J, factor):
    J = J.copy()
    J[3, 1] *= factor
    return J


#: How a linearization may be wrong, and all that the check says of it.
WRONG = {
    "value": (lambda f, J, g, H: (f * (1 + 1e-7), J, g, H), {"its value"}),
    "gradient": (
        lambda f, J, g, H: (f, J, 1.0001 * g, H),
        {"its gradient", "the change of the loss's gradient"},
    ),
    "transpose": (
        lambda f, J, g, H: (f, Spoiled(J, entry(J, 1.001)), g, H),
        {"the transpose of its Jacobian", "its gradient", "its Gauss-Newton product"},
    ),
    "forward": (
        lambda f, J, g, H: (f, Spoiled(entry(J, 1.001), J), g, H),
        {
            "the transpose of its Jacobian",
            "its Gauss-Newton product",
            "the change of the loss's gradient",
        },
    ),
    "both": (
        lambda f, J, g, H: (f, entry(J, 1.001), g, H),
        {"its gradient", "its Gauss-Newton product", "the change of the loss's gradient"},
    ),
    "curvature": (
        lambda f, J, g, H: (f, J, g, lambda u: 1.001 * H(u)),
        {"its Gauss-Newton product", "the change of the loss's gradient"},
    ),
    "mean for sum": (
        lambda f, J, g, H: (f, J / 5, g, lambda u: 5 * H(u)),
        {"its gradient", "its Gauss-Newton product"},
    ),
}

FINDINGS = (
    "its value",
    "the transpose of its Jacobian",
    "its gradient",
    "its Gauss-Newton product",
    "the change of the loss's gradient",
)


def found(check) -> set[str]:
    """What is named before the figures."""
    words = check.linearization.message
    if not words.startswith("The linearization is wrong: "):
        return set()
    named = words.removeprefix("The linearization is wrong: ").split(". Linearization")[0]
    return {part for part in FINDINGS if part in named.split(" and ")}


@given(seed=seeds)
def test_a_right_linearization_is_never_called_wrong(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(3)
    for gauss_newton in (True, False):
        check = composite(gauss_newton=gauss_newton).check_derivatives(x, rng=seed)
        assert check.ok, check.message
        assert not found(check)
        local = check.linearization
        assert local.slope_tolerance < 1e-3 * abs(local.slope_expected)
        assert local.gradient_tolerance < 1e-10
        assert local.gradient_error <= local.gradient_tolerance


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_wrong_with_a_linearization_is_named(kind: str, seed: int) -> None:
    change, want = WRONG[kind]
    check = composite(change).check_derivatives(np.array([0.3, -0.7, 1.1]), rng=seed)
    assert not check.ok
    assert not check.linearization.ok
    assert want == found(check)
    assert "The linearization is wrong: " in check.message
    assert "agree with differences" not in check.message
    assert check.gradient_error <= check.gradient_tolerance


def test_a_linearization_of_another_function_is_wrong_by_its_slopes_alone() -> None:
    """Twice the Jacobian and half of the loss's gradient: all but the differences agree."""
    check = composite(lambda f, J, g, H: (f, 2 * J, g / 2, H), False).check_derivatives(
        np.array([0.3, -0.7, 1.1])
    )
    assert found(check) == {"the change of the loss's gradient"}
    local = check.linearization
    assert local.slope_expected == pytest.approx(local.slope_computed / 4, rel=1e-6)
    assert local.slope_error == pytest.approx(abs(local.slope_computed - local.slope_expected))
    assert local.slope_error > local.slope_tolerance
    assert local.gauss_newton_error is not None


def test_the_worst_entry_of_the_gradient_is_named() -> None:
    change, _ = WRONG["both"]
    x = np.array([0.3, -0.7, 1.1])
    local = composite(change).check_derivatives(x).linearization
    assert local.gradient_index == 1
    p = composite()
    off = 1e-3 * abs(M[3, 1] * np.cos(x[1]) * WEIGHTS[3] * np.sinh(M[3] @ np.sin(x)))
    assert local.gradient_error == pytest.approx(off / np.abs(p.gradient(x)).max(), rel=1e-8)
    assert local.gradient_error > local.gradient_tolerance


def test_numbers_that_are_none_make_a_linearization_wrong() -> None:
    x = np.array([0.3, -0.7, 1.1])
    for change in (
        lambda f, J, g, H: (f, J, g * math.nan, H),
        lambda f, J, g, H: (math.nan, J, g, H),
        lambda f, J, g, H: (f, J * math.nan, g, H),
        lambda f, J, g, H: (f, J, g, lambda u: u * math.nan),
    ):
        check = composite(change).check_derivatives(x)
        assert not check.ok
        assert found(check)


def test_a_loss_without_curvature_is_compared_by_its_gradient() -> None:
    """The loss sums the outputs: its gradient does not change, so that no slope can be judged."""
    p = FunctionProblem(
        lambda x: (M @ np.sin(x)).sum(),
        lambda x: (M * np.cos(x)).sum(axis=0),
        linearize=lambda x: ((M @ np.sin(x)).sum(), M * np.cos(x), np.ones(5), np.zeros_like),
    )
    check = p.check_derivatives(np.array([0.3, -0.7, 1.1]))
    assert check.ok, check.message
    assert check.linearization.slope_computed == 0.0


def test_problems_without_a_linearization_have_no_finding_on_it() -> None:
    assert Quadratic(np.eye(2)).check_derivatives(np.ones(2)).linearization is None


@pytest.mark.parametrize("power", [-150, 150])
def test_units_do_not_matter_to_a_linearization(power: int) -> None:
    """Points, targets and outputs in other units; the value is in their squares."""
    c, y = 10.0**power, np.array([1.0, -2.0, 0.5, 3.0, 1.0])
    x = c * np.array([0.3, -0.7, 1.1])
    for factor in (1.0, 1.001):
        p = FunctionProblem(
            lambda x: 0.5 * (M @ x - c * y) @ (M @ x - c * y),
            lambda x: M.T @ (M @ x - c * y),
            linearize=lambda x, factor=factor: (
                0.5 * (M @ x - c * y) @ (M @ x - c * y),
                factor * M,
                M @ x - c * y,
                lambda u: u,
            ),
        )
        check = p.check_derivatives(x)
        assert check.ok == (factor == 1.0), check.message


def test_a_linearization_in_all_array_libraries(xp_case: Xp) -> None:
    x = xp_case.array([0.3, -1.0, 2.0, 0.5])
    p = Rosenbrock(4)
    check = p.check_derivatives(x)
    assert check.linearization.ok, check.message

    def spoiled(y):
        value, J, gradient, curvature = p._linearize(y)
        return value, J, gradient, lambda u: 1.1 * curvature(u)

    q = FunctionProblem(p.value, p.gradient, gauss_newton=p.gauss_newton, linearize=spoiled)
    assert not q.check_derivatives(x).ok
