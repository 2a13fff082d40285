"""The collection against its printed formulas, published figures and complex steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_strict
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.problems.printed import PRINTED, OneBased
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import (
    Congruence,
    DenseOperator,
    SparseOperator,
    SumOperator,
    check_symmetric,
)
from tralgos.problems import collection
from tralgos.problems.collection import CollectionProblem, jets

NAMES = collection.names()
#: Problems whose Hessian is full, or made by a triple product, for large n too.
WITH_SUMS = (
    "penalty-1",
    "variably-dimensioned",
    "trigonometric",
    "linear-full-rank",
    "linear-rank-1-zeros",
    "power",
    "broyden-banded",
    "curly10",
)


def near(name: str, n: int) -> CollectionProblem:
    """The problem with the largest number of variables up to n, or its only one."""
    for size in range(n, 0, -1):
        try:
            return collection.problem(name, size)
        except ArgumentError:
            continue
    return collection.problem(name)


def dense(H: Any) -> np.ndarray:
    return np.asarray(H @ np.eye(H.shape[1]))


def derivative(function: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """The derivative by complex steps, which subtract nothing: exact to rounding."""
    steps = (function(x + 1e-30j * e) for e in np.eye(x.shape[0]))
    return np.array([np.imag(value) / 1e-30 for value in steps])


def difference(function: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """The derivative by central differences of order four."""

    def slope(e: np.ndarray) -> Any:
        near, far = function(x + e) - function(x - e), function(x + 2 * e) - function(x - 2 * e)
        return (8 * near - far) / 12e-4

    return np.array([slope(1e-4 * e) for e in np.eye(x.shape[0])])


def points(problem: CollectionProblem) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [problem.start, problem.start + 0.1 * rng.standard_normal(problem.n)]


# ------------------------------------------------------------------ derivatives


def check_derivatives(problem: CollectionProblem, x: np.ndarray) -> None:
    f = problem.function
    # The polar angle alone is not defined for complex numbers.
    exact = problem.name != "helical-valley"
    differentiate, tolerance = (derivative, 1e-12) if exact else (difference, 1e-10)
    g, H = problem.gradient(x), dense(problem.hessian(x))
    np.testing.assert_allclose(g, differentiate(f.value, x), atol=tolerance * np.abs(g).max())
    np.testing.assert_allclose(H, differentiate(f.gradient, x), atol=tolerance * np.abs(H).max())
    assert problem.has_gauss_newton == (problem.m is not None)
    if problem.has_gauss_newton:
        residuals = f.residual_values(x)
        assert residuals.shape == (problem.m,)
        assert math.isclose(residuals @ residuals, problem.value(x), rel_tol=1e-13)
        J = differentiate(f.residual_values, x).T
        G = dense(problem.gauss_newton(x))
        np.testing.assert_allclose(G, 2 * J.T @ J, atol=tolerance * np.abs(G).max())


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_the_value(name: str) -> None:
    problem = near(name, 12)
    for x in points(problem):
        check_derivatives(problem, x)


@pytest.mark.parametrize("name", WITH_SUMS)
def test_derivatives_of_large_problems_with_sums(name: str) -> None:
    """Above 100 variables the Hessian is a sparse triple product or an operator."""
    problem = collection.problem(name, 104)
    assert not isinstance(problem.hessian(problem.start), DenseOperator)
    for x in points(problem):
        check_derivatives(problem, x)


@pytest.mark.parametrize("name", ["sparsine", "minimal-surface", "dixmaanl", "bratu", "wood"])
def test_sparse_and_dense_hessians_are_the_same_function(name: str) -> None:
    """An element may read a component twice, and a boundary has no place in a Hessian."""
    for n in (10, 144):
        problem = near(name, n)
        check_derivatives(problem, points(problem)[1])


@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_those_asked_for_one_by_one(name: str) -> None:
    problem = near(name, 30)
    for x in points(problem):
        value, gradient = problem.value_and_gradient(x)
        assert value == problem.value(x)
        np.testing.assert_array_equal(gradient, problem.gradient(x))


FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "arithmetic": (
        lambda a, b: (2 - a) * b / (3 + a * a) - 1 / b + (-a) / 4,
        lambda a, b: (2 - a) * b / (3 + a * a) - 1 / b + (-a) / 4,
    ),
    "powers": (lambda a, b: a**3 * b**-2 + b**0.5 + a**1 + a**0, None),
    "exp": (lambda a, b: jets.exp(a * b), lambda a, b: mp.exp(a * b)),
    "log": (lambda a, b: jets.log(b + a**2), lambda a, b: mp.log(b + a**2)),
    "sin": (lambda a, b: jets.sin(a * b), lambda a, b: mp.sin(a * b)),
    "cos": (lambda a, b: jets.cos(a * b), lambda a, b: mp.cos(a * b)),
    "tan": (lambda a, b: jets.tan(a / (2 * b)), lambda a, b: mp.tan(a / (2 * b))),
    "sqrt": (lambda a, b: jets.sqrt(b + a**2), lambda a, b: mp.sqrt(b + a**2)),
    "modulus": (lambda a, b: jets.modulus(a * b), lambda a, b: abs(a * b)),
    "product": (lambda a, b: jets.product([a, b, a, b]), lambda a, b: a * b * a * b),
    "angle": (lambda a, b: jets.angle(a * b, b), lambda a, b: mp.atan2(a * b, b) / (2 * mp.pi)),
}


@given(
    st.sampled_from(sorted(FORMULAS)),
    st.floats(0.1, 1.0).map(lambda a: round(a, 6)),
    st.sampled_from([-1.0, 1.0]),
    st.floats(0.5, 2.0).map(lambda b: round(b, 6)),
)
def test_jets_against_mpmath(name: str, size: float, sign: float, b: float) -> None:
    """Every rule of differentiation, against differences in forty digits."""
    formula, reference = FORMULAS[name]
    reference = reference or formula
    a = sign * size
    jet = formula(*jets.seed(np.array([[a], [b]]), True))
    flat = formula(np.array([a]), np.array([b]))
    assert flat[0] == jet.value[0]
    with mp.workdps(40):
        at = (mp.mpf(a), mp.mpf(b))
        first = [mp.diff(reference, at, order) for order in ((1, 0), (0, 1))]
        second = [mp.diff(reference, at, order) for order in ((2, 0), (1, 1), (0, 2))]
        value = float(reference(*at))
    got = [jet.hessian[0, 0, 0], jet.hessian[0, 1, 0], jet.hessian[1, 1, 0]]
    np.testing.assert_allclose(jet.value, value, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(jet.gradient[:, 0], np.array(first, float), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(got, np.array(second, float), rtol=1e-10, atol=1e-11)
    assert jet.hessian[0, 1, 0] == jet.hessian[1, 0, 0]


def test_powers_at_zero() -> None:
    """A derivative that vanishes identically is zero there, not 0 times infinity."""
    (u,) = jets.seed(np.zeros((1, 1)), True)
    expected = {0: (1, 0, 0), 1: (0, 1, 0), 2: (0, 0, 2), 3: (0, 0, 0)}
    for p, derivatives in expected.items():
        jet = u**p
        assert (jet.value[0], jet.gradient[0, 0], jet.hessian[0, 0, 0]) == derivatives


@pytest.mark.parametrize(
    ("x", "y", "turns"),
    [(1, 0, 0.0), (0, 1, 0.25), (-1, 0, 0.5), (-1, -1, 0.625), (0, -1, -0.25), (1, -1, -0.125)],
)
def test_the_angle_of_the_helical_valley_is_the_papers(x: float, y: float, turns: float) -> None:
    assert jets.angle(np.array([float(y)]), np.array([float(x)]))[0] == turns


# ------------------------------------------------------------------ printed formulas


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_value_is_that_of_the_printed_formula(name: str) -> None:
    for n in (12, 31):
        problem = near(name, n)
        for x in points(problem):
            # Chebyshev's polynomials are cosines on [0, 1] only.
            x = np.clip(x, 0.0, 1.0) if name == "chebyquad" else x
            expected = PRINTED[name](OneBased(x), problem.n)
            assert math.isclose(problem.value(x), expected, rel_tol=1e-11), problem


def test_every_problem_of_free_size_has_its_printed_formula_here() -> None:
    small = set(NAMES[:19])
    assert set(NAMES) - small == set(PRINTED)


# ------------------------------------------------------------------ published figures

#: Name, n, f and the norm of the gradient at the start, as computed by Algorithm 566.
ALGORITHM_566 = [
    ("helical-valley", 3, 2.50e3, 1.88e3),
    ("biggs-exp6", 6, 7.79e-1, 2.55),
    ("gaussian", 3, 3.89e-6, 7.45e-3),
    ("powell-badly-scaled", 2, 1.14, 2.00e4),
    ("box", 3, 1.03e3, None),
    ("variably-dimensioned", 40, 9.39e10, 1.01e11),
    ("watson", 9, 3.00e1, 1.78e2),
    ("penalty-1", 60, 5.45e9, 8.02e7),
    ("penalty-2", 65, 2.87e5, 3.28e5),
    ("brown-badly-scaled", 2, 1.00e12, 2.00e6),
    ("brown-dennis", 4, 7.93e6, 2.14e6),
    ("gulf", 3, 1.21e1, 3.97e1),
    ("trigonometric", 40, 2.01e-3, 5.30e-2),
    ("extended-rosenbrock", 40, 4.84e2, 1.04e3),
    ("extended-powell", 60, 3.23e3, 1.78e3),
    ("beale", 2, 1.42e1, 2.78e1),
    ("wood", 4, 1.92e4, 1.64e4),
    ("chebyquad", 50, 1.39e-2, 2.65),
]


@pytest.mark.parametrize(("name", "n", "value", "slope"), ALGORITHM_566)
def test_starts_of_algorithm_566(name: str, n: int, value: float, slope: float | None) -> None:
    problem = collection.problem(name, n)
    assert float(f"{problem.value(problem.start):.3g}") == pytest.approx(value, rel=6e-3)
    if slope is not None:
        norm = float(np.linalg.norm(problem.gradient(problem.start)))
        assert norm == pytest.approx(slope, rel=6e-3)


#: The minima that Moré, Garbow and Hillstrom print, local ones included.
MGH_TABLE = {
    ("jennrich-sampson", 2): 124.362,
    ("bard", 3): 8.21487e-3,
    ("gaussian", 3): 1.12793e-8,
    ("meyer", 3): 87.9458,
    ("kowalik-osborne", 4): 3.07505e-4,
    ("brown-dennis", 4): 85822.2,
    ("osborne-1", 5): 5.46489e-5,
    ("osborne-2", 11): 4.01377e-2,
    ("watson", 6): 2.28767e-3,
    ("watson", 9): 1.39976e-6,
    ("watson", 12): 4.72238e-10,
    ("penalty-1", 4): 2.24997e-5,
    ("penalty-1", 10): 7.08765e-5,
    ("penalty-2", 4): 9.37629e-6,
    ("penalty-2", 10): 2.93660e-4,
    ("chebyquad", 8): 3.51687e-3,
}

#: What SIF files of CUTEst print as the minimum, or best value, for some n.
CUTEST = {
    ("engval1", 100): 109.09,
    ("cragglvy", 50): 15.372,
    ("cragglvy", 100): 32.270,
    ("freuroth", 100): 1.1965e4,
    ("bdqrtic", 100): 378.769,
    ("edensch", 36): 219.28,
}

#: Where a descent from the start ends in a local minimum or a saddle, and its value.
LOCAL = {
    "freudenstein-roth": 48.9842,
    "trigonometric": 2.79506e-5,
    "chained-rosenbrock": None,
    "cosine": None,
    "eg2": None,
    "tointgss": None,
    "noncvxun": None,
    "noncvxu2": None,
    "allen-cahn": None,
}


def descended(problem: CollectionProblem) -> float:
    """The value where Newton's method with trust regions ends, within its rounding."""
    scale = max(1.0, abs(problem.value(problem.start)))
    with np.errstate(all="ignore"):
        result = minimize(
            problem.value,
            problem.start,
            jac=problem.gradient,
            hess=lambda x: dense(problem.hessian(x)),
            method="trust-exact",
            options={"gtol": 1e-12 * scale, "maxiter": 500, "max_trust_radius": 1e7},
        )
    return float(result.fun)


@pytest.mark.parametrize("name", NAMES)
def test_known_minima_are_reached(name: str) -> None:
    problem = near(name, 10)
    value = descended(problem)
    if problem.optimal_value is None:
        assert name in {
            "watson",
            "engval1",
            "edensch",
            "bdqrtic",
            "cragglvy",
            "freuroth",
            "bratu",
        } | {"minimal-surface"}
    elif name not in LOCAL:
        assert value == pytest.approx(problem.optimal_value, rel=1e-9, abs=1e-9)
    else:
        assert value > problem.optimal_value - 1e-9
        if LOCAL[name] is not None:
            assert value == pytest.approx(LOCAL[name], rel=1e-5)


@pytest.mark.parametrize(("name", "n"), sorted(MGH_TABLE))
def test_minima_of_the_papers_table(name: str, n: int) -> None:
    """In six digits, cut or rounded, both by the record and by a descent."""
    problem = collection.problem(name, n)
    printed = MGH_TABLE[name, n]
    assert problem.optimal_value == pytest.approx(printed, rel=4e-6)
    assert descended(problem) == pytest.approx(printed, rel=4e-6)


@pytest.mark.parametrize(("name", "n"), sorted(CUTEST))
def test_minima_printed_in_cutest(name: str, n: int) -> None:
    assert descended(collection.problem(name, n)) == pytest.approx(CUTEST[name, n], rel=5e-5)


@pytest.mark.parametrize(
    "name", ["arwhead", "liarwhd", "woods", "dixmaanc", "trigonometric", "broyden-banded"]
)
def test_newton_cg_reaches_the_minimum_of_a_thousand_variables(name: str) -> None:
    """By products alone."""
    problem = near(name, 1000)
    result = minimize(
        problem.value,
        problem.start,
        jac=problem.gradient,
        hessp=lambda x, v: problem.hessian(x) @ v,
        method="trust-ncg",
        options={"gtol": 1e-7},
    )
    best = problem.optimal_value
    assert result.fun == pytest.approx(best, rel=1e-10, abs=1e-4)


def test_chebyquad_of_ten_nodes_goes_below_the_table() -> None:
    """The paper's 6.50395e-3 is a local minimum."""
    problem = collection.problem("chebyquad", 10)
    assert problem.optimal_value < 6.5e-3
    assert descended(problem) == pytest.approx(problem.optimal_value, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_minimisers_are_what_they_are_said_to_be(name: str) -> None:
    for n in (4, 12, 101):
        problem = near(name, n)
        for x in problem.minimisers:
            scale = np.abs(np.linalg.eigvalsh(dense(problem.hessian(x)))).max()
            best = problem.optimal_value
            assert problem.value(x) == pytest.approx(best, rel=1e-12, abs=1e-15 * (1 + scale))
            assert np.abs(problem.gradient(x)).max() <= 1e-13 * scale * (1 + np.abs(x).max())
            lowest = np.linalg.eigvalsh(dense(problem.hessian(x)))[0]
            assert lowest >= -1e-12 * scale


# ------------------------------------------------------------------ energies


def newton(problem: CollectionProblem, x: np.ndarray) -> np.ndarray:
    for _ in range(30):
        x = x - np.linalg.solve(dense(problem.hessian(x)), problem.gradient(x))
    assert np.abs(problem.gradient(x)).max() <= 1e-12
    return x


def test_minimal_surface_converges_to_scherks() -> None:
    """The only check that knows the continuum: the error falls as h^2."""
    errors = []
    for p in (7, 15):
        x = newton(collection.problem("minimal-surface", p * p), np.zeros(p * p))
        t = np.log(np.cos(-1 + 2 / (p + 1) * np.arange(1, p + 1)))
        errors.append(np.abs(x.reshape(p, p) - (t[None, :] - t[:, None])).max())
    assert errors[0] < 1e-2
    assert 3.0 < errors[0] / errors[1] < 5.0


def test_bratu_solves_the_five_point_equations() -> None:
    p = 6
    problem = collection.problem("bratu", p * p)
    u = np.pad(newton(problem, problem.start).reshape(p, p), 1)
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    inner = u[1:-1, 1:-1]
    np.testing.assert_allclose(4 * inner - around, 5 * np.exp(inner) / 49, atol=1e-11)
    assert np.linalg.eigvalsh(dense(problem.hessian(inner.ravel())))[0] > 0


def test_allen_cahn_starts_in_the_hard_case() -> None:
    problem = collection.problem("allen-cahn", 144)
    g = problem.gradient(problem.start)
    values, vectors = np.linalg.eigh(dense(problem.hessian(problem.start)))
    assert values[0] < 0
    assert values[0] < values[1] - 1e-6 * abs(values[0])
    assert abs(vectors[:, 0] @ g) <= 1e-12 * np.linalg.norm(g)


# ------------------------------------------------------------------ costs and forms


def stored(H: Any) -> int:
    """The numbers that a product with H reads."""
    if isinstance(H, DenseOperator):
        return int(H.array.size)
    if isinstance(H, SparseOperator):
        return int(H.matrix.nnz)
    if isinstance(H, Congruence):
        return stored(H.operand) + 2 * stored(H.transform)
    assert isinstance(H, SumOperator)
    return sum(stored(term) for term in H.terms)


def test_costs_grow_as_n() -> None:
    """Elements of an evaluation and numbers read by a product, at n = 1000 and 10000."""
    small, large = collection.scalable(1000), collection.scalable(10_000)
    assert len(small) == len(large) >= 50
    for a, b in zip(small, large, strict=True):
        assert a.name == b.name
        assert b.n >= 9_990
        assert b.function.count <= 12 * b.n
        assert b.function.count * a.n <= 1.05 * a.function.count * b.n
        read = stored(b.hessian(b.start))
        assert read <= 40 * b.n, b
        assert read * a.n <= 1.1 * stored(a.hessian(a.start)) * b.n, b


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [12, 121])
def test_hessians_are_symmetric(name: str, n: int, rng: np.random.Generator) -> None:
    """Matrices to the last bit; operators, which say so, by a random bilinear form."""
    problem = near(name, n)
    x = points(problem)[1]
    forms = [problem.hessian(x)]
    forms += [problem.gauss_newton(x)] if problem.has_gauss_newton else []
    for H in forms:
        if isinstance(H, DenseOperator | SparseOperator):
            assert check_symmetric(H, x, rng=rng) == 0.0
        else:
            assert H.symmetric
            u, v = rng.standard_normal((2, problem.n))
            assert u @ (H @ v) == pytest.approx(v @ (H @ u), rel=1e-9)


def test_one_hessian_cannot_spoil_the_next() -> None:
    """SciPy's in-place methods change index arrays; those of a pattern are not lent out."""
    problem = collection.problem("arwhead", 200)
    first = problem.hessian(np.zeros(200)).matrix
    first.eliminate_zeros()
    expected = derivative(problem.function.gradient, problem.start)
    np.testing.assert_allclose(dense(problem.hessian(problem.start)), expected)


def test_overflow_is_passed_on_in_silence() -> None:
    """A solver rejects such a point; a warning would be an error here."""
    problem = collection.problem("jennrich-sampson")
    x = np.array([1e3, -1e3])
    value, gradient = problem.value_and_gradient(x)
    assert problem.value(x) == value == math.inf
    assert not np.isfinite(gradient[0])
    assert not np.isfinite(problem.hessian(x).array[0, 0])
    assert not np.isfinite(problem.gauss_newton(x).array[0, 0])


@pytest.mark.parametrize("name", ["curly10", "broyden-banded"])
def test_narrow_sums_make_a_sparse_hessian(name: str) -> None:
    """Which a factorisation can be made of, unlike an operator."""
    problem = collection.problem(name, 300)
    assert isinstance(problem.hessian(problem.start), SparseOperator)


def test_hessians_are_dense_up_to_a_hundred_variables() -> None:
    assert isinstance(collection.problem("tridia", 100).hessian(np.ones(100)), DenseOperator)
    assert isinstance(collection.problem("tridia", 101).hessian(np.ones(101)), SparseOperator)


# ------------------------------------------------------------------ the lists and the errors


def test_the_list_of_the_paper() -> None:
    problems = collection.more_garbow_hillstrom()
    assert [p.name for p in problems] == NAMES[:35]
    assert [p.n for p in problems[:20]] == [2] * 6 + [3] * 6 + [4] * 4 + [5, 6, 11, 6]
    m = [2, 2, 2, 3, 3, 10, 3, 15, 15, 16, 99, 10, 4, 6, 11, 20, 33, 13, 65, 31]
    assert [p.m for p in problems[:20]] == m
    assert all(p.has_hessian and p.has_gauss_newton for p in problems)


def test_names_are_unique_and_name_their_problems() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for name in NAMES:
        assert collection.problem(name).name == name


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_scalable_problems_of_awkward_sizes(n: int) -> None:
    for problem in collection.scalable(n):
        assert np.isfinite(problem.value(problem.start))
        assert collection.problem(problem.name, problem.n).n == problem.n
        problem.hessian(problem.start)


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("rosenbrok", None, "unknown problem 'rosenbrok'"),
        (7, None, "unknown problem 7"),
        ("rosenbrock", 3, "rosenbrock is not defined for n=3 variables; it is for 2"),
        ("woods", 10, "woods is not defined for n=10 variables; it is for 8"),
        ("bratu", 10, "it is for 9"),
        ("dixmaana", 2, "it is for 3"),
        ("watson", 32, "it is for 31"),
        ("arwhead", 0, "n must be at least 1"),
        ("arwhead", 2.0, "n must be an integer"),
        ("arwhead", True, "n must be an integer"),
    ],
)
def test_wrong_names_and_sizes(name: Any, n: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        collection.problem(name, n)


def test_scalable_refuses_what_is_no_size() -> None:
    with pytest.raises(ArgumentError, match="n must be at least 1"):
        collection.scalable(0)


def test_points_that_do_not_fit() -> None:
    problem = collection.problem("tridia", 5)
    with pytest.raises(ShapeError, match="tridia has 5 variables, x has 4"):
        problem.value(np.ones(4))
    with pytest.raises(ArrayTypeError, match="NumPy vectors of float64"):
        problem.gradient(np.ones(5, dtype=np.float32))
    with pytest.raises(ArrayTypeError, match="NumPy vectors of float64"):
        problem.hessian(array_api_strict.ones(5))
    with pytest.raises(ArrayTypeError, match="must be an array"):
        problem.value([1.0] * 5)
    with pytest.raises(ArgumentError, match="cosine has no Gauss-Newton matrix"):
        collection.problem("cosine", 5).gauss_newton(np.ones(5))
    assert problem.value(np.ones(5, dtype=np.int64)) == problem.value(np.ones(5))
