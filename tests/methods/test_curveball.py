"""CurveBall: its recursion, its automatic parameters, its costs and its endings."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import fields, is_dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.methods.support import Hidden, rosenbrock, saddle
from tests.namespaces import FetchCounter, Xp
from tralgos import Ending, minimize
from tralgos.errors import ArgumentError, AsymmetryError, CurvatureWarning, NonFiniteError
from tralgos.methods.curveball import CurveBall, CurveBallState
from tralgos.methods.curveball_look import the_place
from tralgos.methods.evaluator import Evaluator
from tralgos.operators import Operator
from tralgos.problems import (
    FunctionProblem,
    LeastSquares,
    NonlinearLeastSquares,
    Problem,
    Quadratic,
    Rosenbrock,
    StochasticRosenbrock,
    collection,
    digits_problem,
    quadratic_with_spectrum,
)

EPS = 2.0**-52

METHODS = [
    CurveBall(),
    CurveBall(lam_rule="fixed"),
    CurveBall(lam_rule="printed"),
    CurveBall(lam_rule="authors"),
    CurveBall(lam_rule="gain"),
    CurveBall(rho=1.0),
    CurveBall(rho=0.9, lam_rule="authors"),
    CurveBall(beta=1e-3),
    CurveBall(beta=1e-3, rho=0.9, lam=0.0),
    CurveBall(beta=1e-3, rho=0.9, lam_rule="gain"),
    CurveBall(hessian="exact"),
    CurveBall(hessian="finite-difference"),
]


def steps(
    method: CurveBall, problem: Problem, x0: Any, count: int, seed: int = 0
) -> tuple[list[CurveBallState], Evaluator]:
    """The states from the start on, and who counted."""
    evaluator, rng = Evaluator(problem), np.random.default_rng(seed)
    method.require(evaluator)
    states = [method.init(evaluator, x0, rng)]
    for _ in range(count):
        following = method.step(evaluator, states[-1], rng)
        assert isinstance(following, CurveBallState)
        states.append(following)
    return states, evaluator


def z_of(state: CurveBallState) -> np.ndarray:
    if state.look.q is None:
        return np.zeros(state.x.shape[0])
    return state.look.length * np.asarray(state.look.q)


def detail(state: CurveBallState, name: str) -> float:
    return state.records[-1].detail[name]


def linear_model(A: np.ndarray, y: np.ndarray, constant: float = 0.0) -> FunctionProblem:
    """||A x - y||^2/2 + constant, with everything: H = A'A."""

    def value(x: Any) -> float:
        return float(0.5 * (A @ x - y) @ (A @ x - y)) + constant

    return FunctionProblem(
        value,
        lambda x: A.T @ (A @ x - y),
        hess=lambda x: A.T @ A,
        linearize=lambda x: (value(x), A, A @ x - y, lambda u: 1.0 * u),
        n=A.shape[1],
        name="linear model",
    )


def quadratic(H: np.ndarray, b: np.ndarray, constant: float = 0.0) -> FunctionProblem:
    return FunctionProblem(
        lambda x: float(0.5 * x @ (H @ x) + b @ x) + constant,
        lambda x: H @ x + b,
        hess=lambda x: H,
        n=b.shape[0],
        name="quadratic",
    )


def rotated(eigenvalues: Any, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = len(eigenvalues)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * np.asarray(eigenvalues, dtype=float)) @ Q.T
    return 0.5 * (H + H.T)


# -------------------------------------------------------------------- the recursion


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 4),
    beta=st.sampled_from([0.01, 0.125, 0.7]),
    rho=st.sampled_from([0.0, 0.5, 0.9, 1.0, 3.0]),
    lam=st.sampled_from([0.0, 0.25, 2.0]),
    kind=st.sampled_from([None, "exact", "gauss-newton"]),
)
def test_fixed_parameters_are_the_recursion_in_fractions(
    seed: int, n: int, beta: float, rho: float, lam: float, kind: Any
) -> None:
    """z+ = rho z - beta (Hz + lam z + J), w+ = w + z+, whatever the spectrum."""
    rng = np.random.default_rng(seed)
    A = rng.integers(-3, 4, (n + 1, n)).astype(float) / 4.0
    y, x0 = rng.integers(-5, 6, n + 1).astype(float), rng.integers(-5, 6, n).astype(float)
    method = CurveBall(beta=beta, rho=rho, lam=lam, hessian=kind)
    F = [[Fraction(a) for a in row] for row in A]
    H = [[sum(F[k][i] * F[k][j] for k in range(n + 1)) for j in range(n)] for i in range(n)]
    c = [sum(F[k][i] * Fraction(y[k]) for k in range(n + 1)) for i in range(n)]
    w, z = [Fraction(t) for t in x0], [Fraction(0)] * n
    b, r, s = Fraction(beta), Fraction(rho), Fraction(lam)
    size = Fraction(1)
    found, _ = steps(method, linear_model(A, y), x0, 7)
    for state in found[1:]:
        if state.ending is not None:
            return
        pull = [sum(H[i][j] * (w[j] + z[j]) for j in range(n)) - c[i] + s * z[i] for i in range(n)]
        z = [r * z[i] - b * pull[i] for i in range(n)]
        w = [w[i] + z[i] for i in range(n)]
        size = max(size, *(abs(t) for t in w))
        np.testing.assert_allclose(state.x, [float(t) for t in w], rtol=0, atol=1e-11 * float(size))
    assert found[-1].records[-1].detail["beta"] == beta
    assert found[-1].records[-1].detail["rho"] == rho


@pytest.mark.parametrize("kind", [None, "exact"])
def test_a_z_that_cancels_to_zero(kind: Any) -> None:
    """rho = 2 beta - 1 on x^2/2: z is exactly 0 in the second step, and the run goes on."""
    method = CurveBall(beta=0.75, rho=0.5, lam=0.0, hessian=kind)
    problem = linear_model(np.array([[1.0]]), np.array([0.0]))
    states, _ = steps(method, problem, np.array([1.0]), 4)
    assert [float(s.x[0]) for s in states] == [1.0, 0.25, 0.25, 0.0625, 0.0625]


def eq_18(H: Any, J: Any, z: Any, lam: float) -> tuple[Any, Any, Any]:
    """beta, rho and the new z from the 2 x 2 system with H + lam in all entries, in 60 digits."""
    with mpmath.workdps(60):
        n = len(J)
        A = mpmath.matrix(H.tolist()) + mpmath.mpf(lam) * mpmath.eye(n)
        g, old = mpmath.matrix(J.tolist()), mpmath.matrix(z.tolist())
        D = A * old + g

        def form(x: Any, y: Any) -> Any:
            return (x.T * y)[0]

        M = mpmath.matrix(
            [[form(D, A * D), form(old, A * D)], [form(old, A * D), form(old, A * old)]]
        )
        solved = mpmath.lu_solve(M, mpmath.matrix([form(g, D), form(g, old)]))
        beta, rho = solved[0], -solved[1]
        new = [float(rho * a - beta * b) for a, b in zip(old, D, strict=True)]
        return float(beta), float(rho), np.array(new)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 6),
    lam=st.sampled_from([0.0, 0.3, 5.0]),
    model=st.booleans(),
)
@settings(max_examples=40)
def test_automatic_parameters_solve_equation_18(seed: int, n: int, lam: float, model: bool) -> None:
    """With H + lam in the matrix, at every one of the first steps; beta and rho as well as z."""
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((n, n)))[0] * rng.uniform(0.7, 1.5, n)
    y, x0 = rng.standard_normal(n), rng.standard_normal(n)
    method = CurveBall(lam=lam, lam_rule="fixed", hessian=None if model else "exact")
    states, _ = steps(method, linear_model(A, y), x0, 4)
    H = A.T @ A
    for before, after in pairwise(states[1:]):
        J, z = A.T @ (A @ before.x - y), z_of(before)
        v = H @ z + J
        sine = 1.0 - float(v @ z) ** 2 / float(v @ v) / float(z @ z)
        if np.linalg.norm(J) < 1e-3 or sine < 1e-2:
            return
        beta, rho, new = eq_18(H, J, z, lam)
        np.testing.assert_allclose(z_of(after), new, rtol=0, atol=1e-9 * np.linalg.norm(new))
        np.testing.assert_allclose(after.x - before.x, new, rtol=0, atol=1e-9)
        assert detail(after, "beta") == pytest.approx(beta, rel=1e-7, abs=1e-9)
        assert detail(after, "rho") == pytest.approx(rho, rel=1e-7, abs=1e-9)
        assert detail(after, "rank") == 2
        assert detail(after, "lam") == lam
        # Theorem A.2.
        assert J @ z_of(after) < 0.0


@pytest.mark.parametrize("method", [CurveBall(), CurveBall(rho=0.7), CurveBall(beta=0.2)], ids=str)
@pytest.mark.parametrize("kind", [None, "exact"])
@pytest.mark.parametrize("angle", [0.3, 3e-3, 1e-4])
def test_beta_and_rho_belong_to_z_and_delta_z_themselves(
    angle: float, kind: Any, method: CurveBall
) -> None:
    """z+ = rho z - beta Delta_z also where the step was found across z, not along Delta_z."""
    rng = np.random.default_rng(11)
    n, lam, length = 4, 0.5, 0.7
    A = rng.standard_normal((n, n)) + 2.0 * np.eye(n)
    H = A.T @ A
    q, p = np.linalg.qr(rng.standard_normal((n, 2)))[0].T
    J = 2.0 * (math.cos(angle) * q + math.sin(angle) * p) - length * (H @ q)
    problem = linear_model(A, -np.linalg.solve(A.T, J))
    evaluator = Evaluator(problem)
    place = the_place(evaluator, np.zeros(n), kind)
    look = place.look(q, length, 1.0, full=True)
    assert (look.slant != 0.0) == (angle < 0.1)
    state = CurveBallState(
        np.zeros(n), place.value, look.gradient, look.gradient_norm, look=look, lam=lam
    )
    after = method.step(evaluator, state, np.random.default_rng(0))
    z = length * q
    D = H @ z + lam * z + J
    beta, rho = detail(after, "beta"), detail(after, "rho")
    size = abs(rho) * np.linalg.norm(z) + abs(beta) * np.linalg.norm(D)
    np.testing.assert_allclose(rho * z - beta * D, after.x, atol=1e-10 * size, rtol=0)
    assert method.rho in (None, rho)
    assert method.beta in (None, beta)
    # On the line that the given one leaves no point is better, nor in the span without one.
    M = H + lam * np.eye(n)
    free = {CurveBall(rho=0.7): [D], CurveBall(beta=0.2): [z]}.get(method, [D, z])
    for along in free:
        assert abs(along @ (J + M @ after.x)) <= 1e-9 * size * np.linalg.norm(along)


@pytest.mark.parametrize("kind", [None, "exact"])
@pytest.mark.parametrize("lam", [0.0, 2.0])
def test_the_first_step_is_cauchys(lam: float, kind: Any) -> None:
    """z = 0: the matrix of eq. 18 is singular; rank 1, rho = 0, beta = g'g / g'(H + lam)g."""
    A, y = np.diag([1.0, 2.0, 3.0]), np.array([1.0, 1.0, -1.0])
    problem = linear_model(A, y)
    states, _ = steps(CurveBall(lam=lam, lam_rule="fixed", hessian=kind), problem, np.zeros(3), 1)
    g = -A.T @ y
    beta = g @ g / (g @ (A.T @ A @ g) + lam * g @ g)
    assert detail(states[1], "rank") == 1
    assert detail(states[1], "rho") == 0.0
    assert detail(states[1], "beta") == pytest.approx(beta, rel=1e-14)
    np.testing.assert_allclose(states[1].x, -beta * g, rtol=1e-14)


@pytest.mark.parametrize("kind", [None, "exact", "gauss-newton", "finite-difference"])
def test_on_an_eigenvector_all_directions_are_one(kind: Any) -> None:
    """z and Delta_z stay collinear: rank 1, and the damped Newton step on the line."""
    A = np.diag([1.0, 2.0, 3.0])
    lam = 0.5
    method = CurveBall(lam=lam, lam_rule="fixed", hessian=kind)
    x0 = np.array([0.0, 8.0, 0.0])
    states, _ = steps(method, linear_model(A, np.zeros(3)), x0, 4)
    for k, state in enumerate(states[1:], start=1):
        assert detail(state, "rank") == 1
        np.testing.assert_allclose(
            state.x, [0.0, 8.0 * (lam / (4.0 + lam)) ** k, 0.0], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("kind", [None, "exact"])
def test_one_variable_is_newtons_damped_method(kind: Any) -> None:
    problem = linear_model(np.array([[2.0]]), np.array([1.0]))
    states, _ = steps(
        CurveBall(lam=1.0, lam_rule="fixed", hessian=kind), problem, np.array([3.0]), 5
    )
    error = [float(s.x[0]) - 0.5 for s in states]
    for a, b in pairwise(error):
        assert b == pytest.approx(a / 5.0, rel=1e-10)


@pytest.mark.parametrize("kind", [None, "exact"])
def test_two_variables_are_newtons_damped_method_from_the_second_step_on(kind: Any) -> None:
    """The span is everything: z = -(H + lam)^-1 J."""
    A, y = np.array([[2.0, 1.0], [0.5, 1.0]]), np.array([1.0, -2.0])
    states, _ = steps(
        CurveBall(lam=0.7, lam_rule="fixed", hessian=kind), linear_model(A, y), np.zeros(2), 4
    )
    H = A.T @ A
    for before, after in pairwise(states[1:]):
        J = A.T @ (A @ before.x - y)
        want = -np.linalg.solve(H + 0.7 * np.eye(2), J)
        np.testing.assert_allclose(z_of(after), want, rtol=1e-9)


@pytest.mark.parametrize("eigenvalues", [[1, 1, 1, 1], [0, 0, 1, 2], [0, 0, 0, 1], [1, 1, 3, 3]])
@pytest.mark.parametrize("model", [True, False])
def test_repeated_and_zero_eigenvalues(eigenvalues: list[int], model: bool) -> None:
    """lam = 0: the minimiser in as many steps as there are different eigenvalues, but for 0.

    The component of x along the null space stays where it is, to rounding.
    """
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    A = np.sqrt(np.asarray(eigenvalues, dtype=float))[:, None] * Q.T
    y, x0 = A @ rng.standard_normal(4), rng.standard_normal(4)
    method = CurveBall(lam=0.0, lam_rule="fixed", hessian=None if model else "exact")
    different = len({e for e in eigenvalues if e})
    states, _ = steps(method, linear_model(A, y), x0, different)
    x = states[-1].x
    assert np.linalg.norm(A.T @ (A @ x - y)) <= 1e-13
    null = Q[:, [e == 0 for e in eigenvalues]]
    np.testing.assert_allclose(null.T @ x, null.T @ x0, atol=1e-13)


def test_lambda_has_no_say_in_the_span() -> None:
    """The direction in which lam alone matters: x2 - x1 lies in span(z, Hz + J) for all lam."""
    rng = np.random.default_rng(1)
    A, y, x0 = rng.standard_normal((6, 5)), rng.standard_normal(6), rng.standard_normal(5)
    problem = linear_model(A, y)
    first, evaluator = steps(CurveBall(lam=1.0, lam_rule="fixed"), problem, x0, 1)
    z, J = z_of(first[1]), A.T @ (A @ first[1].x - y)
    P = np.linalg.qr(np.stack([z, A.T @ A @ z + J], axis=1))[0]
    lengths = []
    for lam in (0.0, 0.1, 1.0, 100.0):
        state = first[1].__class__(
            **{f.name: getattr(first[1], f.name) for f in fields(first[1])} | {"lam": lam}
        )
        method = CurveBall(lam_rule="fixed")
        new = z_of(method.step(evaluator, state, np.random.default_rng(0)))
        np.testing.assert_allclose(P @ (P.T @ new), new, atol=1e-12 * np.linalg.norm(new))
        lengths.append(np.linalg.norm(new))
    assert sorted(lengths, reverse=True) == lengths


def test_rho_one_with_automatic_beta_is_the_minimiser_on_its_line() -> None:
    """beta minimises the model at z - beta Delta_z; checked against the derivative."""
    rng = np.random.default_rng(2)
    A, y, x0 = rng.standard_normal((6, 5)), rng.standard_normal(6), rng.standard_normal(5)
    H, lam = A.T @ A, 0.4
    for method in (
        CurveBall(rho=1.0, lam=lam),
        CurveBall(rho=1.0, lam=lam, hessian="exact"),
        CurveBall(rho=0.3, lam=lam),
    ):
        states, _ = steps(method, linear_model(A, y), x0, 5)
        for before, after in pairwise(states):
            J, z = A.T @ (A @ before.x - y), z_of(before)
            D, M = H @ z + lam * z + J, H + lam * np.eye(5)
            start = method.rho * z
            beta = D @ (J + M @ start) / (D @ M @ D)
            np.testing.assert_allclose(z_of(after), start - beta * D, rtol=1e-8, atol=1e-12)
            assert detail(after, "beta") == pytest.approx(beta, rel=1e-9)
            assert detail(after, "rho") == method.rho


def test_automatic_rho_with_a_given_beta() -> None:
    rng = np.random.default_rng(3)
    A, y, x0 = rng.standard_normal((6, 5)), rng.standard_normal(6), rng.standard_normal(5)
    H, lam, beta = A.T @ A, 0.4, 0.03
    for kind in (None, "exact"):
        states, _ = steps(CurveBall(beta=beta, lam=lam, hessian=kind), linear_model(A, y), x0, 5)
        for before, after in pairwise(states):
            J, z = A.T @ (A @ before.x - y), z_of(before)
            D, M = H @ z + lam * z + J, H + lam * np.eye(5)
            start = -beta * D
            rho = -(z @ (J + M @ start)) / (z @ M @ z) if z.any() else 0.0
            np.testing.assert_allclose(z_of(after), rho * z + start, rtol=1e-8, atol=1e-12)
            assert detail(after, "rho") == pytest.approx(rho, rel=1e-9)
            assert detail(after, "beta") == beta


@pytest.mark.parametrize("kind", [None, "exact"])
@pytest.mark.parametrize(
    ("high", "wide"),
    [(1, 1), (1e150, 1), (1e-150, 1), (1, 1e150), (1, 1e-150), (1e150, 1e150), (1e-150, 1e-150)],
)
@pytest.mark.parametrize(
    "method",
    [
        CurveBall(),
        CurveBall(rho=1.0),
        CurveBall(lam_rule="authors"),
        CurveBall(beta=0.02, rho=0.9),
        CurveBall(beta=0.02),
    ],
    ids=str,
)
def test_units_do_not_matter(method: CurveBall, high: float, wide: float, kind: Any) -> None:
    """f times `high`, x times `wide`, lam with the unit of a curvature: the same iterates."""
    rng = np.random.default_rng(4)
    A, y, x0 = rng.standard_normal((5, 4)), rng.standard_normal(5), rng.standard_normal(4)
    # Powers of two, so that even the roundings are the same.
    a, b = (2.0 ** round(math.log2(t)) for t in (high, wide))
    curvature = a / b / b
    if not 1e-304 < curvature < 1e304:
        pytest.skip("the curvatures themselves leave the range")

    def scaled(x: Any) -> Any:
        return A @ (x / b) - y

    problem = FunctionProblem(
        lambda x: a * float(0.5 * scaled(x) @ scaled(x)),
        lambda x: (a / b) * (A.T @ scaled(x)),
        hess=lambda x: curvature * (A.T @ A),
        linearize=lambda x: (
            a * float(0.5 * scaled(x) @ scaled(x)),
            A,
            (a / b) * scaled(x),
            lambda u: curvature * u,
        ),
        n=4,
    )
    options = {f.name: getattr(method, f.name) for f in fields(method)}
    plain = CurveBall(**options | {"hessian": kind, "lam": 1.0})
    changed = {"hessian": kind, "lam": curvature}
    if method.beta is not None:
        changed["beta"] = method.beta / curvature
    large = CurveBall(**options | changed)
    want, _ = steps(plain, linear_model(A, y), x0, 8)
    got, _ = steps(large, problem, b * x0, 8)
    for one, other in zip(want, got, strict=True):
        np.testing.assert_allclose(other.x / b, one.x, rtol=1e-10, atol=1e-12)
        assert other.gradient_norm / (a / b) == pytest.approx(
            one.gradient_norm, rel=1e-7, abs=1e-11
        )
        assert other.lam / curvature == pytest.approx(one.lam, rel=1e-9)


def test_float32_stays_and_agrees() -> None:
    A = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    y = np.ones(5, dtype=np.float32)
    for kind in (None, "gauss-newton"):
        small, _ = steps(CurveBall(hessian=kind), LeastSquares(A, y), np.zeros(3, np.float32), 3)
        wide = LeastSquares(A.astype(float), y.astype(float))
        large, _ = steps(CurveBall(hessian=kind), wide, np.zeros(3), 3)
        assert small[-1].x.dtype == np.float32
        assert small[-1].look.v.dtype == np.float32
        assert isinstance(small[-1].value, float)
        np.testing.assert_allclose(small[-1].x, large[-1].x, rtol=1e-3, atol=1e-5)


def test_gradients_in_float32_whose_squares_overflow() -> None:
    H = (1e25 * np.diag([1.0, 3.0])).astype(np.float32)
    problem = Quadratic(H, np.array([1e25, -1e25], dtype=np.float32))
    run = minimize(problem, np.zeros(2, np.float32), CurveBall(), gtol=1e20, maxiter=40)
    assert run.success
    np.testing.assert_allclose(run.x, [-1.0, 1.0 / 3.0], rtol=1e-4)


# -------------------------------------------------------------------- what it costs


class Counting(Problem):
    """A linear model that counts what is asked of it, by itself; read-only arrays only."""

    has_hessian = has_gauss_newton = has_linearization = True

    def __init__(self, model: bool = True, seed: int = 0, n: int = 6) -> None:
        super().__init__(n, name="counting", start=np.ones(n))
        self.A = np.random.default_rng(seed).standard_normal((n + 1, n))
        self.y = np.arange(n + 1.0)
        self.has_linearization = model
        self.asked: dict[str, int] = {}

    def note(self, name: str, array: Any = None) -> Any:
        self.asked[name] = self.asked.get(name, 0) + 1
        if array is not None:
            array.flags.writeable = False
        return array

    def _value(self, x: Any) -> Any:
        self.note("value")
        r = self.A @ x - self.y
        return 0.5 * r @ r

    def _gradient(self, x: Any) -> Any:
        return self.note("gradient", self.A.T @ (self.A @ x - self.y))

    def _value_and_gradient(self, x: Any) -> tuple[Any, Any]:
        return self._value(x), self._gradient(x)

    def _hessian(self, x: Any) -> Any:
        return _Told(lambda v: self.note("product", self.A.T @ (self.A @ v)), None, (6, 6))

    _gauss_newton = _hessian

    def _linearize(self, x: Any) -> Any:
        J = _Told(
            lambda v: self.note("forward", self.A @ v),
            lambda u: self.note("reverse", self.A.T @ u),
            (7, 6),
        )
        r = self.A @ x - self.y
        r.flags.writeable = False
        return self._value(x), J, r, lambda u: self.note("loss", 1.0 * u)


class _Told(Operator):
    def __init__(self, product: Any, transposed: Any, shape: tuple[int, int]) -> None:
        super().__init__(shape, name="told", symmetric=True if transposed is None else None)
        self._product, self._transposed = product, transposed

    @property
    def has_transpose(self) -> bool:
        return True

    def _matvec(self, x: Any) -> Any:
        return self._product(x)

    def _rmatvec(self, x: Any) -> Any:
        return self._transposed(x)


@pytest.mark.parametrize(
    ("method", "start", "step"),
    [
        (CurveBall(), {"value": 1, "forward": 1, "reverse": 1}, (1, 2, 1)),
        (CurveBall(rho=1.0), {"value": 1, "forward": 1, "reverse": 1}, (1, 2, 1)),
        (CurveBall(beta=0.01), {"value": 1, "forward": 1, "reverse": 1}, (1, 2, 1)),
        (CurveBall(lam_rule="authors"), {"value": 1, "forward": 1, "reverse": 1}, (1, 2, 1)),
        (CurveBall(beta=0.01, rho=0.9), {"value": 1, "reverse": 1}, (1, 1, 1)),
    ],
)
def test_what_a_step_of_a_linearised_model_costs(
    method: CurveBall, start: dict[str, int], step: tuple[int, int, int]
) -> None:
    """One value, two forward products (one if fixed), one reverse one, and no gradient."""
    problem, count = Counting(), 12
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    state = method.init(evaluator, problem.start, rng)
    problem.asked.pop("loss", None)
    assert problem.asked == start
    for k in range(count):
        state = method.step(evaluator, state, rng)
        assert len(state.records) == 1
        assert state.records[0].matvecs == step[1]
        assert state.gradient is None, k
    values, forward, reverse = step
    problem.asked.pop("loss")
    assert problem.asked == {
        "value": 1 + count * values,
        "forward": start.get("forward", 0) + count * forward,
        "reverse": 1 + count * reverse,
    }
    counts = evaluator.counts
    assert (counts.nfev, counts.njev) == (problem.asked["value"], 0)
    assert (counts.njvp, counts.nvjp) == (problem.asked["forward"], problem.asked["reverse"])
    assert (counts.nhvp, counts.nhev) == (counts.njvp, 0)
    assert counts.backpropagations == counts.njvp + counts.nvjp


@pytest.mark.parametrize(
    ("method", "products"),
    [
        (CurveBall(), 2),
        (CurveBall(hessian="exact"), 2),
        (CurveBall(rho=1.0), 2),
        (CurveBall(beta=0.01), 2),
        (CurveBall(beta=0.01, rho=0.9), 1),
    ],
)
def test_what_a_step_with_an_operator_costs(method: CurveBall, products: int) -> None:
    """One value and gradient at once, and two products, one if both parameters are fixed."""
    problem, count = Counting(model=False), 12
    states, evaluator = steps(method, problem, problem.start, count)
    first = 1 if products == 2 else 0
    assert problem.asked["value"] == problem.asked["gradient"] == 1 + count
    assert problem.asked["product"] == first + count * products
    assert evaluator.counts.nfev == evaluator.counts.njev == 1 + count
    assert evaluator.counts.nhvp == problem.asked["product"]
    assert all(s.records[0].matvecs == products for s in states[1:])
    assert states[-1].gradient is not None


@pytest.mark.parametrize("model", [True, False])
@pytest.mark.parametrize("rule", ["printed", "authors"])
def test_a_check_of_fixed_parameters_costs_a_product_every_fifth_step(
    rule: Any, model: bool
) -> None:
    """It needs the model on the span; all other steps cost one product."""
    problem = Counting(model)
    states, _ = steps(CurveBall(beta=0.01, rho=0.9, lam_rule=rule), problem, problem.start, 15)
    # The look that a step is checked with is made at the end of the step before it.
    assert [s.records[0].matvecs for s in states[1:]] == 3 * [1, 1, 1, 2, 1]


class Cliff(Counting):
    """NaN beyond a radius; where `late`, in the gradient and the reverse product alone."""

    def __init__(self, model: bool, late: bool) -> None:
        super().__init__(model)
        self.late, self.radius = late, 2.45

    def _value(self, x: Any) -> Any:
        value = super()._value(x)
        self.outside = float(np.linalg.norm(x)) > self.radius
        return math.nan if self.outside and not self.late else value

    def _gradient(self, x: Any) -> Any:
        g = super()._gradient(x)
        return np.full_like(g, np.nan) if float(np.linalg.norm(x)) > self.radius else g

    def _linearize(self, x: Any) -> Any:
        value, J, r, H = super()._linearize(x)
        outside = float(np.linalg.norm(x)) > self.radius
        return value, J, np.full_like(r, np.nan) if outside else r, H


@pytest.mark.parametrize("model", [True, False])
def test_what_a_rejection_costs(model: bool) -> None:
    """A value of its own, for an operator with its gradient; no product."""
    problem = Cliff(model, late=False)
    problem.y = 40.0 * problem.y
    states, evaluator = steps(CurveBall(lam=0.0), problem, problem.start, 5)
    trials = [r for s in states[1:] for r in s.records]
    rejected = sum(not r.accepted for r in trials)
    taken = sum(r.accepted for r in trials)
    assert rejected >= 3
    assert problem.asked["value"] == evaluator.counts.nfev == 1 + len(trials)
    if model:
        assert problem.asked["reverse"] == 1 + taken
        assert problem.asked["forward"] == 1 + 2 * taken
        assert evaluator.counts.njev == 0
    else:
        assert problem.asked["gradient"] == evaluator.counts.njev == 1 + len(trials)
        assert problem.asked["product"] == 1 + 2 * taken
    for state in states[1:]:
        assert sum(r.matvecs for r in state.records) == 2 * state.records[-1].accepted
        lams = [r.detail["lam"] for r in state.records]
        assert all(b >= 4.0 * a for a, b in pairwise(lams))
        assert np.all(np.isfinite(state.x))


def test_a_step_of_samples_costs_a_value_more_where_lambda_is_checked() -> None:
    for method, values in (
        (CurveBall(batch=2), 2),
        (CurveBall(batch=2, lam_rule="fixed"), 1),
        (CurveBall(batch=2, lam_rule="authors"), 1),
    ):
        _, evaluator = steps(method, StochasticRosenbrock(), np.array([0.5, 0.5]), 5)
        checks = 1 if method.lam_rule == "authors" else 0
        rejected = 0
        if method.lam_rule == "tracking":
            rejected = evaluator.counts.nfev - 11
        assert evaluator.counts.nfev == 1 + 5 * values + checks + rejected
        assert evaluator.counts.nvjp == 6
        assert evaluator.counts.njvp == 11


@pytest.mark.parametrize("kind", [None, "exact"])
def test_one_transfer_a_step_beside_the_problems_own(
    strict_case: Xp, host_fetches: FetchCounter, kind: Any
) -> None:
    """A value is one transfer; the inner products of a step are another one, together."""
    problem = Rosenbrock(8)
    x = strict_case.array(0.1 * np.arange(8.0))
    for method in (
        CurveBall(hessian=kind),
        CurveBall(hessian=kind, beta=1e-3, rho=0.9),
        CurveBall(hessian=kind, rho=1.0),
    ):
        evaluator, rng = Evaluator(problem), np.random.default_rng(0)
        state = method.init(evaluator, x, rng)
        for _ in range(6):
            host_fetches.reset()
            state = method.step(evaluator, state, rng)
            assert host_fetches.count == 2 * len(state.records) - sum(
                not r.accepted for r in state.records
            )


def arrays_of(thing: Any) -> list[np.ndarray]:
    if isinstance(thing, np.ndarray):
        return [thing]
    if is_dataclass(thing):
        return [a for f in fields(thing) for a in arrays_of(getattr(thing, f.name))]
    return []


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_no_state_is_ever_written_into(method: CurveBall) -> None:
    """Neither the arrays of old states nor those that the problem handed out."""
    problem = Counting(method.hessian is None)
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    x0 = np.ones(6)
    x0.flags.writeable = False
    state = method.init(evaluator, x0, rng)
    kept = []
    for _ in range(8):
        kept.append((arrays_of(state), [a.copy() for a in arrays_of(state)]))
        again = method.step(evaluator, state, np.random.default_rng(1))
        state = method.step(evaluator, state, np.random.default_rng(1))
        # The same step twice gives the same state, in memory of its own.
        assert again.records == state.records
        assert (again.lam, again.window) == (state.lam, state.window)
        np.testing.assert_array_equal(again.x, state.x)
        assert not np.shares_memory(again.look.v, state.look.v)
    for now, then in kept:
        assert len(now) >= 2
        for a, b in zip(now, then, strict=True):
            np.testing.assert_array_equal(a, b)


# -------------------------------------------------------------------- runs


# rho = 1 with an automatic beta goes round and round on this function.
SURE = METHODS[:5] + METHODS[6:7] + METHODS[10:]


@pytest.mark.parametrize("method", SURE, ids=str)
def test_it_minimises_rosenbrocks_function(method: CurveBall) -> None:
    run = minimize(Rosenbrock(2), np.array([-1.2, 1.0]), method, maxiter=3000)
    assert run.success, run.message
    np.testing.assert_allclose(run.x, [1.0, 1.0], atol=1e-4)
    assert np.linalg.norm(Rosenbrock(2).gradient(run.x)) <= 1e-5


@pytest.mark.parametrize("kind", [None, "gauss-newton", "exact", "finite-difference"])
def test_every_array_library(xp_case: Xp, kind: Any) -> None:
    problem = Rosenbrock(4)
    start = np.array([-1.2, 1.0, -1.2, 1.0])
    run = minimize(problem, xp_case.array(start), CurveBall(hessian=kind), maxiter=400)
    assert run.success, run.message
    assert xp_case.owns(run.x)
    assert xp_case.owns(run.jac)
    assert isinstance(run.fun, float)
    if xp_case.eps < 1e-8:
        np.testing.assert_allclose(xp_case.numpy(run.x), np.ones(4), atol=1e-3)
    fixed = CurveBall(hessian=kind, beta=1e-3, rho=0.5, lam_rule="gain")
    assert xp_case.owns(minimize(problem, xp_case.array(start), fixed, maxiter=10).x)


@pytest.mark.parametrize("batch", [None, 1, 8])
def test_the_same_seed_gives_the_same_trace(batch: int | None) -> None:
    problem, x0 = StochasticRosenbrock(noise=(0.0, 3.0)), np.array([-1.0, -1.0])
    runs = [
        minimize(problem, x0, CurveBall(batch=batch), rng=seed, maxiter=40) for seed in (3, 3, 4)
    ]
    assert runs[0].trace == runs[1].trace
    assert (runs[0].trace == runs[2].trace) == (batch is None)
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


@pytest.mark.parametrize("noise", [(0.0, 1.0), (0.0, 3.0)])
def test_noise_does_not_carry_lambda_away(noise: tuple[float, float]) -> None:
    """All samples have one minimiser; lambda stays within what the curvatures account for."""
    problem = StochasticRosenbrock(noise=noise)
    for seed in range(4):
        run = minimize(problem, np.array([-1.0, -1.0]), CurveBall(batch=1), rng=seed, maxiter=400)
        lams = [row.detail["lam"] for row in run.trace if row.detail]
        assert max(lams) < 1e4
        assert run.fun < 1e-4


def test_samples_of_digits() -> None:
    problem = digits_problem()
    x0 = np.zeros(problem.n)
    for method in (CurveBall(batch=100), CurveBall(batch=100, lam_rule="authors")):
        run = minimize(problem, x0, method, maxiter=40, rng=0)
        assert run.fun < 0.4 * problem.value(x0)
        assert all(row.detail["lam"] < 1e3 for row in run.trace if row.detail)


def test_every_step_has_a_sample_of_its_own() -> None:
    for method in (CurveBall(batch=1), CurveBall(batch=1, lam_rule="fixed")):
        states, _ = steps(method, StochasticRosenbrock(), np.array([0.5, 0.5]), 5)
        assert len({s.sample.terms.weight for s in states}) == 6


@pytest.mark.parametrize("kind", [None, "exact"])
@pytest.mark.parametrize("method", [CurveBall(beta=0.2, rho=0.5), CurveBall(lam_rule="fixed")])
def test_lengths_are_recorded_and_vectors_stay_near_unit_length(
    method: CurveBall, kind: Any
) -> None:
    options = {f.name: getattr(method, f.name) for f in fields(method)} | {"hessian": kind}
    problem = linear_model(rotated([1.0, 1.2, 1.5], 4), 1e6 * np.arange(3.0))
    states, _ = steps(CurveBall(**options), problem, np.ones(3), 25)
    for before, after in pairwise(states):
        length = np.linalg.norm(after.x - before.x)
        assert after.records[0].step_norm == pytest.approx(length, rel=1e-6, abs=1e-8)
        assert 0.01 < np.linalg.norm(after.look.v) < 100.0
        assert after.look.length == after.records[0].step_norm


def test_a_batch_of_all_terms_is_no_sample() -> None:
    problem = digits_problem()
    x0 = np.zeros(problem.n)
    whole = minimize(problem, x0, CurveBall(), maxiter=4)
    batch = minimize(problem, x0, CurveBall(batch=problem.size), maxiter=4)
    np.testing.assert_allclose(batch.x, whole.x, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("curvature", ["hess", "hessp"])
def test_it_is_a_method_of_scipy(curvature: str) -> None:
    f = rosenbrock()
    given: dict[str, Any] = {"hess": lambda x: f.hessian(x).matmat(np.eye(2))}
    if curvature == "hessp":
        given = {"hessp": lambda x, v: f.hessian(x).matvec(v)}
    result = scipy.optimize.minimize(
        f.value, np.array([-1.2, 1.0]), jac=f.gradient, method=CurveBall(), tol=1e-6, **given
    )
    assert result.success, result.message
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-4)


def test_the_callback_sees_every_step_and_can_stop() -> None:
    seen: list[float] = []

    def callback(result: Any) -> None:
        seen.append(result.record.detail["lam"])
        assert result.jac is None
        if result.nit == 5:
            raise StopIteration

    run = minimize(Rosenbrock(4), None, CurveBall(), callback=callback)
    assert run.ending is Ending.CALLBACK
    assert len(seen) == 5
    assert run.jac is not None


# -------------------------------------------------------------------- the rules in runs


@pytest.mark.parametrize("kind", [None, "exact"])
def test_the_printed_rule_never_moves_on_a_quadratic(kind: Any) -> None:
    A = rotated(np.logspace(0, 2, 6), 0)
    run = minimize(
        linear_model(A, np.ones(6)),
        np.zeros(6),
        CurveBall(lam_rule="printed", lam=3.0, hessian=kind),
        maxiter=60,
        gtol=0.0,
    )
    assert {row.detail["lam"] for row in run.trace if row.detail} == {3.0}


@pytest.mark.parametrize("lam", [0.05, 0.2, 0.5, 1.0, 2.0, 300.0])
def test_the_authors_rule_on_a_quadratic_follows_its_formula(lam: float) -> None:
    """gamma = 1 + lam ||z||^2 / z'(H + lam)z, looked at after steps 5, 10, ...; from dense z."""
    H = rotated(np.logspace(-1, 1, 6), 1)
    states, _ = steps(
        CurveBall(lam=lam, lam_rule="authors"), quadratic(H, np.ones(6)), np.zeros(6), 22
    )
    want = lam
    for k in range(1, len(states)):
        z = states[k].x - states[k - 1].x
        assert detail(states[k], "lam") == pytest.approx(want, rel=1e-13), k
        assert detail(states[k], "gamma") == pytest.approx(1.0, abs=1e-6)
        if k % 5 == 0:
            gamma = 1.0 + want * (z @ z) / (z @ H @ z + want * z @ z)
            assert abs(gamma - 1.5) > 1e-3
            want *= 0.999**5 if gamma > 1.5 else 1.0
    assert lam != 0.05 or want == lam
    assert lam != 300.0 or want < lam


def test_the_gain_rule_falls_on_a_quadratic_at_every_step() -> None:
    H = rotated(np.logspace(-1, 1, 6), 1)
    states, _ = steps(CurveBall(lam=2.0, lam_rule="gain"), quadratic(H, np.ones(6)), np.zeros(6), 6)
    for k, state in enumerate(states):
        assert state.lam == pytest.approx(2.0 * (2.0 / 3.0) ** k, rel=1e-13)


@pytest.mark.parametrize("kind", [None, "exact"])
def test_tracking_follows_the_dense_deviation(kind: Any) -> None:
    """lambda at every step from ||P(J + lam z)|| / ||PJ|| and the curvatures of the spans."""
    rng = np.random.default_rng(8)
    A, y = rotated(np.logspace(0, 2, 12), 3), rng.standard_normal(12)
    H = A.T @ A
    states, _ = steps(CurveBall(hessian=kind), linear_model(A, y), np.zeros(12), 60)
    window: list[np.ndarray] = []
    moved = set()
    for before, state in pairwise(states):
        z, J = state.x - before.x, A.T @ (A @ state.x - y)
        P = np.linalg.qr(np.stack([z, H @ z + J], axis=1))[0]
        window = [*window, np.linalg.eigvalsh(P.T @ H @ P)][-20:]
        bound = math.sqrt(min(map(min, window)) * max(map(max, window)))
        t = np.linalg.norm(P.T @ (J + before.lam * z)) / np.linalg.norm(P.T @ J)
        if min(abs(t - 0.6), abs(t - 0.97), abs(before.lam / bound - 1.0)) < 1e-6:
            continue
        want = before.lam
        if t < 0.6 or before.lam > bound:
            want = before.lam / 2.0
        elif t > 0.97:
            want = min(max(2.0 * before.lam, 1e-3 * bound), bound)
        assert state.lam == pytest.approx(want, rel=1e-6)
        moved.add(math.copysign(1.0, state.lam - before.lam) if state.lam != before.lam else 0.0)
    assert moved == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_tracking_is_faster_than_what_stays(lam: float) -> None:
    """Condition 1e4, 40 variables: under a quarter of the steps that lam = 0 and "authors" need."""
    f = quadratic_with_spectrum(
        np.logspace(0, 4, 40), rotation="dense", rng=1, minimiser=np.ones(40)
    )
    run = minimize(f, np.zeros(40), CurveBall(lam=lam))
    assert run.success
    assert run.nit < 1600
    rule: Any = "authors" if lam else "fixed"
    other = minimize(f, np.zeros(40), CurveBall(lam=lam, lam_rule=rule), maxiter=4 * run.nit)
    assert other.ending is Ending.MAX_ITERATIONS


@pytest.mark.parametrize("power", [-600, -100, 100, 600])
@pytest.mark.parametrize("kind", [None, "exact"])
def test_the_default_lambda_serves_f_in_any_units(power: int, kind: Any) -> None:
    """A lambda of 1 where curvatures are 1e-150, or 1e150, is brought near them, not given up."""
    a = 2.0**power
    A, y = rotated(np.logspace(0, 1, 6), 2), np.ones(6)
    f = FunctionProblem(
        lambda x: a * float(0.5 * (A @ x - y) @ (A @ x - y)),
        lambda x: a * (A.T @ (A @ x - y)),
        hess=lambda x: a * (A.T @ A),
        linearize=lambda x: (
            a * float(0.5 * (A @ x - y) @ (A @ x - y)),
            A,
            a * (A @ x - y),
            lambda u: a * u,
        ),
        n=6,
    )
    run = minimize(f, np.zeros(6), CurveBall(hessian=kind), gtol=1e-6 * a, maxiter=700)
    assert run.success, run.message
    assert run.nit < 150


def test_a_slow_fall_below_the_rounding_of_f_is_no_standstill() -> None:
    """Condition 1e6: the gradient's norm does not fall for hundreds of steps, and then does."""
    f = quadratic_with_spectrum(
        np.logspace(0, 6, 40), rotation="dense", rng=1, minimiser=np.ones(40)
    )
    run = minimize(
        f, np.ones(40) + 1e-4 * np.sin(np.arange(40.0)), CurveBall(lam=1e3), maxiter=9000
    )
    assert run.ending is not Ending.ROUNDING
    far = minimize(Quadratic(f.H, f.b, c=1e9), np.zeros(40), CurveBall(), gtol=1.0, maxiter=9000)
    assert far.success


def test_powells_badly_scaled_valley_is_not_taken_for_rounding() -> None:
    """Curvatures of 1e-5 beside 1e10: a step along the former was left out as a zero one."""
    problem = collection.problem("powell-badly-scaled")
    run = minimize(problem, None, CurveBall(), maxiter=1500)
    assert run.ending is not Ending.ROUNDING
    assert run.fun < 1e-7


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.0}, "beta must be positive"),
        ({"beta": -1.0}, "beta must be positive"),
        ({"beta": math.nan}, "beta must be positive"),
        ({"beta": math.inf}, "beta must be positive"),
        ({"beta": "1"}, "beta must be a real number"),
        ({"beta": True}, "beta must be a real number"),
        ({"rho": -0.1}, r"rho must lie in \[0, 1\]"),
        ({"rho": 1.1}, r"rho must lie in \[0, 1\]"),
        ({"rho": math.nan}, "rho must lie"),
        ({"rho": None, "beta": [1.0]}, "beta must be a real number"),
        ({"rho": "x"}, "rho must be a real number"),
        ({"rho": False}, "rho must be a real number"),
        ({"rho": 5.0, "beta": 1.0}, r"rho must lie in \[0, 5\)"),
        ({"rho": -0.1, "beta": 1.0}, r"rho must lie in \[0, 5\)"),
        ({"rho": math.nan, "beta": 1.0}, "rho must lie"),
        ({"lam": -1e-9}, "lam must be finite and not negative"),
        ({"lam": math.nan}, "lam must be finite"),
        ({"lam": math.inf}, "lam must be finite"),
        ({"lam": "1"}, "lam must be a real number"),
        ({"lam": True}, "lam must be a real number"),
        ({"lam": None}, "lam must be a real number"),
        ({"lam_rule": "best"}, "unknown lam_rule 'best'"),
        ({"lam_rule": 1}, "unknown lam_rule"),
        ({"lam_rule": "tracking", "beta": 1.0}, "needs automatic beta and rho"),
        ({"lam_rule": "tracking", "rho": 1.0}, "needs automatic beta and rho"),
        ({"hessian": "true"}, "unknown hessian 'true'"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"batch": 1.0}, "batch must be an integer"),
        ({"batch": True}, "batch must be an integer"),
        ({"second_order": 1}, "second_order must be"),
    ],
)
def test_parameters_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CurveBall(**options)


def test_ends_of_the_ranges() -> None:
    assert CurveBall(rho=0).rho == 0.0
    assert CurveBall(rho=1).rho == 1.0
    assert CurveBall(rho=4.999, beta=1).rho == 4.999
    assert CurveBall(lam=0).lam == 0.0
    assert CurveBall(lam=np.float32(2.0)).lam == 2.0
    assert CurveBall().lam_rule == "tracking"
    assert CurveBall(rho=1.0).lam_rule == CurveBall(beta=1.0).lam_rule == "fixed"
    assert CurveBall(batch=3).stochastic
    assert not CurveBall().stochastic


def test_what_the_problem_lacks_is_named() -> None:
    plain = FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, name="plain")
    with pytest.raises(ArgumentError, match="plain has neither a Gauss-Newton matrix nor"):
        minimize(plain, np.ones(2), CurveBall())
    with pytest.raises(ArgumentError, match="hessian='exact' is not there in plain"):
        minimize(plain, np.ones(2), CurveBall(hessian="exact"))
    with pytest.raises(ArgumentError, match="hessian='gauss-newton' is not there"):
        minimize(plain, np.ones(2), CurveBall(hessian="gauss-newton"))
    assert minimize(plain, np.ones(2), CurveBall(hessian="finite-difference")).success
    with pytest.raises(ArgumentError, match="batch=2 needs a StochasticProblem"):
        minimize(Rosenbrock(2), np.ones(2), CurveBall(batch=2))
    with pytest.raises(ArgumentError, match="batch=5000 is more than"):
        minimize(digits_problem(), np.zeros(650), CurveBall(batch=5000))


def test_the_curvature_that_is_taken_by_default() -> None:
    """Linearised, else Gauss-Newton, else exact."""
    A, y = np.eye(2), np.ones(2)
    asked: list[str] = []

    def problem(**parts: Any) -> FunctionProblem:
        return FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, **parts)

    gn = {"gauss_newton": lambda x: asked.append("gn") or 2.0 * np.eye(2)}
    hess = {"hess": lambda x: asked.append("hess") or 2.0 * np.eye(2)}
    line = {
        "linearize": lambda x: (
            asked.append("line") or x @ x,
            A,
            2.0 * x,
            lambda u: 2.0 * u,
        )
    }
    for parts, want in ((gn | hess | line, "line"), (gn | hess, "gn"), (hess, "hess")):
        asked.clear()
        steps(CurveBall(), problem(**parts), y, 1)
        assert set(asked) == {want}
    asked.clear()
    steps(CurveBall(hessian="exact"), problem(**gn | hess | line), y, 1)
    assert set(asked) == {"hess"}
    asked.clear()
    steps(CurveBall(hessian="gauss-newton"), problem(**gn | hess | line), y, 1)
    assert set(asked) == {"line"}


def spoiled(part: str, bad: float, where: Any) -> FunctionProblem:
    """A bowl of which one part is NaN or infinite where `where` says so."""
    H, b = np.diag([1.0, 4.0, 9.0]), np.array([1.0, -2.0, 3.0])

    def value(x: Any) -> float:
        return bad if part == "value" and where(x) else float(0.5 * x @ H @ x + b @ x)

    def gradient(x: Any) -> Any:
        return np.full(3, bad) if part == "gradient" and where(x) else H @ x + b

    def product(x: Any, v: Any) -> Any:
        return np.full(3, bad) if part == "product" and where(x) else H @ v

    return FunctionProblem(value, gradient, hessp=product, n=3, name="spoiled")


PARTS = ["value", "gradient", "product"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("part", PARTS)
def test_not_finite_at_the_start_is_named(part: str, bad: float) -> None:
    problem = spoiled(part, bad, lambda x: True)
    with pytest.raises(NonFiniteError, match="spoiled"):
        minimize(problem, np.zeros(3), CurveBall())
    if part != "product":
        with pytest.raises(NonFiniteError, match="spoiled"):
            minimize(problem, np.zeros(3), CurveBall(beta=0.1, rho=0.9))
    with pytest.raises(NonFiniteError, match="x0"):
        minimize(problem, np.array([0.0, bad, 0.0]), CurveBall())


@pytest.mark.parametrize("method", METHODS[:11], ids=str)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", PARTS)
def test_not_finite_later_is_rejected_or_ends(part: str, bad: float, method: CurveBall) -> None:
    """The minimiser is outside of where the part is finite: never NaN in an iterate, nor a loop."""
    seen: list[Any] = []
    problem = spoiled(part, bad, lambda x: float(np.linalg.norm(x)) > 0.3)
    run = minimize(problem, np.zeros(3), method, maxiter=60, callback=lambda r: seen.append(r.x))
    assert np.all(np.isfinite(run.x))
    assert math.isfinite(run.fun)
    assert not run.success
    for x in seen:
        assert np.all(np.isfinite(x))
        assert np.linalg.norm(x) <= 0.3 or part == "product"
    assert run.nfev <= 1 + 61 * 60
    assert run.nit <= 60


def test_a_fixed_beta_ends_where_f_is_left_at_once() -> None:
    """Raising lambda does not shorten -beta (Hz + J): no trial is made twice."""
    problem = spoiled("value", math.nan, lambda x: float(np.linalg.norm(x)) > 0.3)
    for method in (CurveBall(beta=1.0), CurveBall(beta=1.0, rho=0.9)):
        run = minimize(problem, np.zeros(3), method)
        assert run.ending is Ending.NON_FINITE
        assert run.nfev == 2  # the start and the trial
    run = minimize(
        spoiled("value", -math.inf, lambda x: float(np.linalg.norm(x)) > 0.3),
        np.zeros(3),
        CurveBall(beta=1.0, rho=0.9),
    )
    assert run.ending is Ending.UNBOUNDED


def test_a_domain_is_kept_to() -> None:
    """sum(x - log x): NaN outside; the steps into it are shortened."""
    scale = np.array([1.0, 30.0, 900.0])

    def value(x: Any) -> float:
        return float(scale @ (x - np.log(x))) if np.all(x > 0.0) else math.nan

    problem = FunctionProblem(
        value,
        lambda x: scale * (1.0 - 1.0 / x),
        hess=lambda x: np.diag(scale / x**2),
        n=3,
    )
    for method in (CurveBall(), CurveBall(lam_rule="gain"), CurveBall(rho=1.0)):
        run = minimize(problem, np.array([40.0, 3.0, 0.01]), method, maxiter=3000)
        assert run.success, run.message
        np.testing.assert_allclose(run.x, 1.0, atol=1e-4)


# -------------------------------------------------------------------- curvature that is not so


@pytest.mark.parametrize(
    ("method", "x", "words"),
    [
        (CurveBall(lam=0.1, lam_rule="fixed"), 0.9, "absolute value"),
        (CurveBall(lam=0.1, rho=1.0), 0.9, "absolute value"),
        (CurveBall(lam=0.1, beta=0.01), 0.9, "absolute value"),
        (CurveBall(lam=0.1, beta=0.01, rho=0.9), 0.1, "no safeguard"),
    ],
)
def test_negative_curvature_is_warned_of_once_a_run(
    method: CurveBall, x: float, words: str
) -> None:
    """With the number in it, also where the run is begun anew at a saddle."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = minimize(saddle(), np.array([x, 0.1]), method, maxiter=300)
    assert [w.category for w in caught] == [CurvatureWarning]
    message = str(caught[0].message)
    assert "curvature of saddle" in message
    assert words in message
    assert "is -" in message
    assert run.fun < 0.5


def test_the_warning_has_the_least_curvature_of_the_span() -> None:
    H = np.diag([-3.0, 1.0])
    with pytest.warns(CurvatureWarning, match="is -3 in step 1"):
        steps(CurveBall(lam=0.0, lam_rule="fixed"), quadratic(H, np.zeros(2)), np.eye(2)[0], 1)


def test_a_warning_is_not_given_again_after_a_saddle() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        method = CurveBall(lam=0.1, lam_rule="fixed")
        evaluator, rng = Evaluator(saddle()), np.random.default_rng(0)
        state = method.step(evaluator, method.init(evaluator, np.array([0.9, 0.1]), rng), rng)
        state = method.step(evaluator, state, rng)
        state = method.step(evaluator, state, rng)
        assert state.warned
        fresh = method.restart(evaluator, state, np.array([0.9, 0.1]), rng)
        assert fresh.warned
        assert fresh.look.q is None
        for _ in range(3):
            fresh = method.step(evaluator, fresh, rng)
    assert len(caught) == 1


@given(seed=st.integers(0, 10**6))
def test_steps_with_absolute_curvatures_descend(seed: int) -> None:
    """J'z < 0 and, for tracking, the same with H + lam positive definite on the span."""
    rng = np.random.default_rng(seed)
    H = rotated(rng.uniform(-2.0, 3.0, 4), seed)
    f, x0 = quadratic(H, rng.standard_normal(4)), rng.standard_normal(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CurvatureWarning)
        for method in (CurveBall(lam=0.0, lam_rule="fixed"), CurveBall(lam=0.0)):
            states, _ = steps(method, f, x0, 4)
            for before, after in pairwise(states):
                z = after.x - before.x
                assert f.gradient(before.x) @ z < 0.0
                if method.lam_rule == "tracking":
                    assert after.value < before.value
                    least = detail(after, "curvature")
                    assert detail(after, "lam") >= -2.0 * least


def test_tracking_gives_no_warning() -> None:
    """Under warnings as errors; and it leaves the saddle behind."""
    for start in ([0.9, 0.1], [1.0, 1e-3]):
        run = minimize(saddle(), np.array(start), CurveBall())
        assert run.success
        assert run.fun == pytest.approx(-0.25, abs=1e-8)


@pytest.mark.parametrize("second_order", [True, None, False])
def test_starts_on_saddles(second_order: bool | None) -> None:
    """Zero gradient: left where second order is asked for, reported as what it is where not."""
    for x0 in ([0.0, 0.0], [1.0, 0.0]):
        run = minimize(saddle(), np.array(x0), CurveBall(second_order=second_order))
        if second_order is False:
            assert run.ending is Ending.FIRST_ORDER
            np.testing.assert_allclose(run.x, 0.0, atol=1e-5)
        else:
            assert run.ending is Ending.SECOND_ORDER
            assert run.fun == pytest.approx(-0.25, abs=1e-8)


def test_an_asymmetric_hessian_is_named() -> None:
    M = np.array([[2.0, 1.0, 0.0], [-1.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
    given = ({"hess": lambda x: M}, {"hessp": lambda x, v: M @ v})
    for curvature in given:
        f = FunctionProblem(lambda x: float(x @ x), lambda x: 2.0 * x + 1.0, **curvature)
        with pytest.raises(AsymmetryError):
            minimize(f, np.array([1.0, 2.0, 3.0]), CurveBall(), maxiter=50)


def test_a_linear_function() -> None:
    """No curvature: unbounded with a lambda, no step without one."""
    f = FunctionProblem(
        lambda x: float(np.sum(x)), np.ones_like, hessp=lambda x, v: 0.0 * v, n=3, name="plane"
    )
    assert minimize(f, np.zeros(3), CurveBall()).ending is Ending.UNBOUNDED
    for method in (CurveBall(lam=0.0), CurveBall(lam=0.0, lam_rule="fixed")):
        run = minimize(f, np.zeros(3), method)
        assert run.ending is Ending.NO_DECREASE
        assert run.nit == 1
    fixed = minimize(f, np.zeros(3), CurveBall(beta=1.0, rho=1.0, lam=0.0), maxiter=50)
    np.testing.assert_allclose(fixed.x, -0.5 * 50 * 51 * np.ones(3))


# -------------------------------------------------------------------- endings


def test_a_wrong_gradient_is_not_taken_for_rounding() -> None:
    """Steps so short that f cannot refute them come after many that f has refuted."""
    for sign, scale in ((-1.0, 1.0), (-1.0, 1e4)):
        f = FunctionProblem(
            lambda x, scale=scale: scale * float(x @ x) + 1.0,
            lambda x, scale=scale, sign=sign: sign * 2.0 * scale * x,
            hess=lambda x, scale=scale: 2.0 * scale * np.eye(3),
        )
        run = minimize(f, np.array([1.0, 2.0, -3.0]), CurveBall(), maxiter=400)
        assert run.ending is Ending.NO_DECREASE
        assert run.nfev < 300


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_zero_gradient_at_the_start(method: CurveBall) -> None:
    for problem in (Rosenbrock(3), Hidden(Rosenbrock(3))):
        if problem.has_linearization or method.hessian != "gauss-newton":
            run = minimize(problem, np.ones(3), method)
            assert run.success
            assert run.nit == 0
            assert minimize(problem, np.ones(3), method, gtol=0.0).success


@pytest.mark.parametrize("method", METHODS[:7] + METHODS[10:], ids=str)
def test_gtol_zero_ends(method: CurveBall) -> None:
    """Neither success nor a loop, or an exact zero."""
    for problem in (Rosenbrock(2), linear_model(rotated([1.0, 2.0, 3.0], 1), np.ones(3), 1.0)):
        run = minimize(problem, 0.5 * np.ones(problem.n), method, gtol=0.0, maxiter=1000)
        assert run.ending is not Ending.NO_DECREASE
        if run.success:
            assert not problem.gradient(run.x).any()
        size = np.linalg.norm(problem.gradient(run.x))
        assert size <= 1e-7 or run.ending is Ending.MAX_ITERATIONS
        assert run.nit <= 400 or method.lam_rule not in ("tracking", "gain")
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-7


def test_the_budget_of_products() -> None:
    for budget in (1, 2, 3, 7, 20):
        for problem in (Rosenbrock(6), Hidden(Rosenbrock(6))):
            run = minimize(problem, np.zeros(6), CurveBall(), max_matvec=budget)
            assert run.nhvp <= budget
            assert run.ending is Ending.MAX_MATVEC
            assert np.all(np.isfinite(run.x))


def test_the_time_limit() -> None:
    class Slow(Hidden):
        def _value(self, x: Any) -> Any:
            time.sleep(0.002)
            return super()._value(x)

    begun = time.monotonic()
    run = minimize(Slow(Rosenbrock(20)), np.zeros(20), CurveBall(), time_limit=0.03, gtol=0.0)
    assert run.ending is Ending.TIME_LIMIT
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("name", [n for n in collection.names() if collection.problem(n).n <= 12])
def test_no_false_success(name: str) -> None:
    """On the collection: a success has a small gradient, and f rises thrice between its bests."""
    problem = collection.problem(name)
    kinds: list[Any] = [None] if not problem.has_gauss_newton else [None, "exact"]
    for kind in kinds:
        run = minimize(problem, None, CurveBall(hessian=kind), maxiter=40)
        size = float(np.linalg.norm(problem.gradient(run.x)))
        assert run.success == (
            size <= 1e-5 and run.ending in (Ending.FIRST_ORDER, Ending.SECOND_ORDER)
        )
        assert run.gradient_norm == pytest.approx(size, rel=1e-9)
        assert run.ending in (
            Ending.FIRST_ORDER, Ending.SECOND_ORDER, Ending.MAX_ITERATIONS, Ending.ROUNDING,
        )  # fmt: skip
        taken = [row for row in run.trace if row.accepted]
        rises, best = 0, math.inf
        for before, row in pairwise(taken):
            best = min(best, before.value)
            rises = 0 if row.value < best else rises
            rises += row.value > before.value * (1.0 + 1e-12)
            assert rises <= 3
            assert row.value - before.value <= -10.1 * min(row.detail["predicted"], 0.0)


def test_a_linearised_model_knows_that_it_is_done() -> None:
    """The bound on the gradient is no success; the run ends with the gradient itself."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 5))
    problem = NonlinearLeastSquares(
        lambda x: np.tanh(X @ x) - np.tanh(X @ np.ones(5)),
        lambda x: (1.0 - np.tanh(X @ x) ** 2)[:, None] * X,
        n=5,
    )
    run = minimize(problem, np.zeros(5), CurveBall())
    assert run.success
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-5
    assert 1 <= run.njev <= 1 + run.nit // 2


def test_a_curved_valley_is_crossed_by_a_step_up() -> None:
    """Without it the run has to follow the bottom: more steps, and rejections."""
    run = minimize(Rosenbrock(2), np.array([-1.0, -1.0]), CurveBall(second_order=False))
    values = run.trace.column("value")
    assert np.any(np.diff(values) > 0.0)
    assert all(row.accepted for row in run.trace)
    assert next(k for k, value in enumerate(values) if value < 1e-4) <= 8


def test_a_step_up_the_sky_is_rejected() -> None:
    """f rises by far more than ten times what was promised."""
    problem = FunctionProblem(
        lambda x: float(np.exp(40.0 * x[0]) - 200.0 * x[0]),
        lambda x: 40.0 * np.exp(40.0 * x) - 200.0,
        hess=lambda x: 1600.0 * np.exp(40.0 * x)[:, None],
    )
    run = minimize(problem, np.array([-0.2]), CurveBall(second_order=False, lam=1e-6))
    assert any(not row.accepted for row in run.trace)
    assert run.success
    assert run.x[0] == pytest.approx(math.log(5.0) / 40.0, abs=1e-8)
