"""Methods as `method` of scipy.optimize.minimize, side by side with SciPy's own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import (
    BFGS,
    SR1,
    Bounds,
    LinearConstraint,
    OptimizeResult,
    OptimizeWarning,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
    rosen_hess_prod,
)
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.methods import CubicRegularization, Ending, Hybrid, TrustRegion
from tralgos.methods.gradient_descent import GradientDescent
from tralgos.methods.scipy_bridge import minimize_for_scipy
from tralgos.methods.scipy_functions import UserFunctions
from tralgos.operators import DenseOperator

START = np.array([-1.2, 1.0])
FULL: dict[str, Any] = {"jac": rosen_der, "hess": rosen_hess}
METHOD = TrustRegion()


class Calls:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.number = function, 0

    def __call__(self, *args: Any) -> Any:
        self.number += 1
        return self.function(*args)


def solve(fun: Callable[..., Any] = rosen, x0: Any = START, **rest: Any) -> OptimizeResult:
    return minimize(fun, x0, method=rest.pop("method", METHOD), **rest)


# ------------------------------------------------------------------ the same answer as SciPy


@pytest.mark.parametrize("peer", ["trust-ncg", "trust-krylov", "trust-exact"])
def test_reaches_what_scipys_methods_reach(peer: str) -> None:
    ours = solve(**FULL, tol=1e-8)
    theirs = minimize(rosen, START, method=peer, **FULL, tol=1e-8)
    assert ours.success
    assert ours.status == theirs.status == 0
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-7)
    assert np.linalg.norm(ours.jac) <= 1e-8
    for name in ("x", "fun", "jac", "success", "status", "message", "nit", "nfev", "njev", "nhev"):
        assert isinstance(getattr(ours, name), type(getattr(theirs, name))) or name == "fun"
    assert float(ours.fun) == rosen(ours.x)
    np.testing.assert_array_equal(ours.jac, rosen_der(ours.x))


@pytest.mark.parametrize("method", [CubicRegularization(), Hybrid(), GradientDescent()], ids=repr)
def test_every_method_is_a_method_of_scipy(method: Any) -> None:
    jac = Calls(rosen_der)
    result = solve(
        fun=lambda x, a: a * rosen(x),
        args=2.0,
        jac=lambda x, a: a * jac(x),
        hess=lambda x, a: a * rosen_hess(x),
        method=method,
        tol=1e-3,
    )
    assert result.success
    assert result.njev == jac.number
    np.testing.assert_allclose(result.x, 1.0, atol=3e-3)


def test_carries_what_tralgos_knows() -> None:
    result = solve(**FULL)
    assert result.ending is Ending.SECOND_ORDER
    assert result.leftmost == pytest.approx(np.linalg.eigvalsh(rosen_hess(result.x))[0], rel=1e-6)
    assert result.trace.column("value")[-1] == result.fun


def test_args_reach_every_function() -> None:
    def check(a: float, b: str) -> float:
        assert b == "b"
        return a

    forms: list[dict[str, Any]] = [
        {"hess": lambda x, a, b: check(a, b) * rosen_hess(x)},
        {"hessp": lambda x, p, a, b: check(a, b) * rosen_hess_prod(x, p)},
        {"hess": "2-point"},
        {"hess": "cs"},
    ]
    for form in forms:
        result = solve(
            lambda x, a, b: check(a, b) * rosen(x),
            jac=lambda x, a, b: check(a, b) * rosen_der(x),
            args=(3.0, "b"),
            **form,
        )
        assert result.success
        np.testing.assert_allclose(result.x, 1.0, atol=1e-5)


def test_one_argument_needs_no_tuple() -> None:
    scaled: dict[str, Any] = {"jac": lambda x, a: 2 * a * x, "hess": lambda x, a: 2 * a * np.eye(2)}
    assert solve(lambda x, a: a * x @ x, args=3.0, **scaled).success
    assert minimize_for_scipy(METHOD, lambda x, a: a * x @ x, START, 3.0, **scaled).success


# ------------------------------------------------------------------ gradients


def test_jac_true_shares_the_calls() -> None:
    both = Calls(lambda x: (rosen(x), rosen_der(x)))
    result = solve(both, jac=True, hess=rosen_hess)
    apart = solve(**FULL)
    np.testing.assert_array_equal(result.x, apart.x)
    assert (result.nfev, result.njev) == (apart.nfev, apart.njev)
    assert both.number <= result.nfev + result.njev


@pytest.mark.parametrize("jac", [None, False, "2-point", "3-point", "cs"])
def test_without_jac_central_differences_are_counted(jac: Any) -> None:
    fun = Calls(rosen)
    result = solve(fun, jac=jac, hess=rosen_hess)
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)
    assert result.nfev == fun.number
    assert result.nfev >= 4 * result.njev


@given(st.floats(0.5, 3.0), st.sampled_from([1.0, 1e6, 1e-150, 1e150]), st.booleans())
def test_central_differences_are_as_good_as_they_can_be(c: float, scale: float, far: bool) -> None:
    """Within eps^(2/3), at any scale of f, and at x = 1e8 too."""
    unit = 1e8 if far else 1.0
    x = unit * np.array([c, 1.0])
    functions = UserFunctions(
        lambda y: scale * float(np.sum(np.cos(y / unit))), (), None, None, None
    )
    exact = -scale / unit * np.sin(x / unit)
    np.testing.assert_allclose(functions.gradient(x), exact, rtol=0, atol=4e-10 * scale / unit)
    assert functions.nfev == 4


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        (TrustRegion(hessian="finite-difference"), {}),
        (TrustRegion(), {"hess": "2-point"}),
        (GradientDescent(second_order=True), {}),
    ],
)
def test_differences_of_differences_are_refused(method: TrustRegion, rest: dict[str, Any]) -> None:
    fun = Calls(rosen)
    with pytest.raises(ArgumentError, match="jac is needed"):
        solve(fun, method=method, **rest)
    assert fun.number == 0


# ------------------------------------------------------------------ Hessians (failure 5)

HESSIANS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda x: rosen_hess(x).tolist(),
    "csr": lambda x: scipy.sparse.csr_array(rosen_hess(x)),
    "coo matrix": lambda x: scipy.sparse.coo_matrix(rosen_hess(x)),
    "LinearOperator": lambda x: aslinearoperator(rosen_hess(x)),
    "operator": lambda x: DenseOperator(rosen_hess(x)),
}


@pytest.mark.parametrize("kind", HESSIANS)
def test_hess_may_be_any_operator(kind: str) -> None:
    hess = Calls(HESSIANS[kind])
    result = solve(
        x0=np.full(5, -1.2), jac=rosen_der, hess=hess, method=TrustRegion(second_order=True)
    )
    assert result.ending is Ending.SECOND_ORDER
    np.testing.assert_allclose(np.abs(result.x), 1.0, atol=0.1)
    assert np.linalg.norm(rosen_der(result.x)) <= 1e-5
    assert result.nhev == hess.number


def test_hess_may_have_no_more_than_shape_and_matmul() -> None:
    class Bare:
        def __init__(self, matrix: np.ndarray) -> None:
            self.matrix, self.shape = matrix, matrix.shape

        def __matmul__(self, x: np.ndarray) -> np.ndarray:
            return self.matrix @ x

    assert solve(jac=rosen_der, hess=lambda x: Bare(rosen_hess(x))).success


@pytest.mark.parametrize("hess", ["2-point", "3-point", "cs"])
def test_hess_by_differences_of_jac(hess: str) -> None:
    jac = Calls(rosen_der)
    result = solve(jac=jac, hess=hess)
    assert result.ending is Ending.SECOND_ORDER
    # The gradient tolerance over the leftmost eigenvalue.
    np.testing.assert_allclose(result.x, 1.0, atol=1e-5 / 0.399)
    assert result.leftmost == pytest.approx(0.39936, rel=1e-3)
    assert result.njev == jac.number
    # A product takes one gradient, central ones two; the gradient of the model is reused.
    assert result.nhev == result.nhvp
    products = (2 if hess == "3-point" else 1) * result.nhvp
    assert result.njev <= result.nit + 1 + products + 1


@pytest.mark.parametrize(("hess", "error"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-15)])
def test_schemes_are_those_asked_for(hess: str, error: float) -> None:
    """And start from the gradient at their own point, whichever was the last."""
    functions = UserFunctions(rosen, (), rosen_der, hess, None)
    x, v = np.array([-1.2, 1.0, 0.3]), 1e200 * np.array([1.0, -2.0, 0.5])
    for last in (x, x + 1.0):
        functions.gradient(last)
        product = functions.hessian(x) @ v
        exact = rosen_hess(x) @ v
        defect = np.linalg.norm(product / 1e200 - exact / 1e200) / np.linalg.norm(exact / 1e200)
        assert defect <= error
        assert defect >= 1e-3 * error or hess == "cs"
    np.testing.assert_array_equal(functions.hessian(x) @ (0.0 * v), 0.0)


@given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=4))
def test_complex_step_is_exact_to_rounding(start: list[float]) -> None:
    """The Hessian of the first model: its run is the one with hessp."""
    options = {"maxiter": 1, "gtol": 1e-12}
    step = solve(x0=start, jac=rosen_der, hess="cs", options=options)
    exact = solve(x0=start, jac=rosen_der, hessp=rosen_hess_prod, options=options)
    np.testing.assert_allclose(step.x, exact.x, rtol=1e-9, atol=1e-9)


def test_complex_step_needs_a_complex_gradient() -> None:
    with pytest.raises(ArrayTypeError, match="'cs' needs a jac that"):
        solve(jac=lambda x: rosen_der(x.real), hess="cs")


def test_hessp_counts_its_products() -> None:
    hessp = Calls(rosen_hess_prod)
    result = solve(jac=rosen_der, hessp=hessp)
    assert result.success
    assert result.nhev == hessp.number == result.nhvp


def test_hess_before_hessp_before_differences() -> None:
    """As SciPy documents it: hessp is ignored where hess is provided."""
    hess, hessp = Calls(rosen_hess), Calls(rosen_hess_prod)
    assert solve(jac=rosen_der, hess=hess, hessp=hessp).nhev == hess.number > 0
    assert hessp.number == 0
    jac = Calls(rosen_der)
    result = solve(jac=jac, hess="2-point", hessp=hessp)
    assert result.nhev == hessp.number > 0
    assert jac.number == result.njev <= result.nit + 1
    assert solve(jac=rosen_der, hess=BFGS(), hessp=hessp).success


@pytest.mark.parametrize("strategy", [BFGS(), SR1()])
def test_update_strategies_are_refused(strategy: Any) -> None:
    with pytest.raises(ArgumentError, match=f"update strategy .{type(strategy).__name__}"):
        solve(jac=rosen_der, hess=strategy)


def test_missing_hessian_says_what_to_pass() -> None:
    fun = Calls(rosen)
    with pytest.raises(ArgumentError, match=r"pass hess or hessp, or .*finite-difference"):
        solve(fun, jac=rosen_der)
    assert fun.number == 0
    assert solve(fun, jac=rosen_der, method=TrustRegion(hessian="finite-difference")).success


def test_missing_gauss_newton_is_not_taken_for_a_missing_hessian() -> None:
    for rest in ({}, {"hess": rosen_hess}):
        with pytest.raises(ArgumentError, match="gauss-newton"):
            solve(jac=rosen_der, method=TrustRegion(hessian="gauss-newton"), **rest)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("bounds", [[(0, 2), (0, 2)], Bounds(0, 2)])
def test_bounds_are_refused(bounds: Any) -> None:
    with pytest.raises(ArgumentError, match="bounds"):
        solve(**FULL, bounds=bounds)


@pytest.mark.parametrize(
    "constraints",
    [{"type": "ineq", "fun": rosen}, [{"type": "eq", "fun": rosen}], LinearConstraint([[1, 1]])],
)
def test_constraints_are_refused(constraints: Any) -> None:
    with pytest.raises(ArgumentError, match="constraints"):
        solve(**FULL, constraints=constraints)


@pytest.mark.parametrize("constraints", [(), [], None])
def test_empty_constraints_are_none(constraints: Any) -> None:
    assert solve(**FULL, constraints=constraints, bounds=None).success


@pytest.mark.parametrize(
    ("rest", "error", "named"),
    [
        ({"hess": "4-point"}, ArgumentError, "hess must be callable or one of"),
        ({"hess": 3}, ArgumentError, "hess must be callable or one of"),
        ({"hess": None, "hessp": 3}, ArrayTypeError, "hessp must be callable"),
        ({"fun": 3}, ArrayTypeError, "fun must be callable"),
        ({"callback": 3}, ArgumentError, "callback must be callable"),
        ({"tol": -1.0}, ArgumentError, "tol must"),
        ({"options": {"gtol": -1.0}}, ArgumentError, "gtol must"),
        ({"options": {"maxiter": 0}}, ArgumentError, "maxiter must"),
        ({"options": {"max_matvec": 0}}, ArgumentError, "max_matvec must"),
        ({"options": {"time_limit": 0.0}}, ArgumentError, "time_limit must"),
        ({"options": {"rng": -1}}, ArgumentError, "rng"),
        ({"x0": [1.0, math.nan]}, NonFiniteError, "x0"),
        ({"x0": [1.0, 1j]}, ArrayTypeError, "x0 must be real"),
        ({"x0": np.zeros(2, np.float16)}, ArrayTypeError, "x0"),
        ({"x0": []}, ShapeError, "x0 is empty"),
        ({"fun": lambda x: x}, ShapeError, r"fun must return a number, got .* \(2,\)"),
        ({"fun": lambda x: 1j}, ArrayTypeError, "value of fun must be a real number"),
        ({"fun": lambda x: None}, ArrayTypeError, "value of fun must be a real number"),
        ({"fun": lambda x: math.nan}, NonFiniteError, "value of fun at x0"),
        ({"jac": lambda x: x[:1]}, ShapeError, r"gradient of fun has shape \(1,\)"),
        ({"jac": lambda x: 1j * x}, ArrayTypeError, "gradient of fun must be real"),
        ({"jac": lambda x: np.float32(x)}, ArrayTypeError, "gradient of fun has dtype float32"),
        ({"hess": lambda x: np.eye(3)}, ShapeError, "Hessian of fun has shape"),
        ({"hess": lambda x: x}, ShapeError, "Hessian of fun"),
    ],
)
def test_errors_name_the_argument(rest: dict[str, Any], error: type, named: str) -> None:
    with pytest.raises(error, match=named):
        solve(**{"fun": rosen, **FULL, **rest})


def test_direct_calls_refuse_what_scipy_would_have_translated() -> None:
    with pytest.raises(ArgumentError, match="jac must be callable"):
        METHOD(rosen, START, jac="2-point", hess=rosen_hess)


# ------------------------------------------------------------------ options


def test_options_gtol_wins_over_tol() -> None:
    loose = solve(**FULL, tol=1.0)
    assert 1e-5 < np.linalg.norm(loose.jac) <= 1.0
    tight = solve(**FULL, tol=1.0, options={"gtol": 1e-10})
    assert np.linalg.norm(tight.jac) <= 1e-10


def test_limits_end_the_run() -> None:
    steps = solve(**FULL, options={"maxiter": 3})
    assert (steps.nit, steps.success, steps.status) == (3, False, 1)
    assert "iterations" in steps.message
    products = solve(jac=rosen_der, hessp=rosen_hess_prod, options={"max_matvec": 4})
    assert products.nhev <= 4
    assert products.status == int(Ending.MAX_MATVEC)
    hurried = solve(**FULL, options={"time_limit": 1e-9})
    assert hurried.status == int(Ending.TIME_LIMIT)


def test_status_is_zero_where_there_is_success() -> None:
    for second_order in (False, None, True):
        result = solve(**FULL, method=TrustRegion(second_order=second_order))
        assert result.success
        assert result.status == 0


def test_unknown_options_warn_where_the_user_stands() -> None:
    with pytest.warns(OptimizeWarning, match="Unknown solver options: eta, inexact") as seen:
        assert solve(**FULL, options={"eta": 0.1, "inexact": True}).success
    assert seen[0].filename == __file__


def test_return_all_keeps_every_iterate() -> None:
    seen: list[np.ndarray] = []
    result = solve(**FULL, options={"return_all": True}, callback=seen.append)
    peer = minimize(rosen, START, method="trust-ncg", **FULL, options={"return_all": True})
    assert isinstance(result.allvecs, type(peer.allvecs))
    assert len(result.allvecs) == result.nit + 1
    np.testing.assert_array_equal(result.allvecs, [START, *seen])
    np.testing.assert_array_equal(result.allvecs[-1], result.x)
    assert not any(np.shares_memory(x, result.x) for x in result.allvecs)
    assert "allvecs" not in solve(**FULL)


def test_prints_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    result = solve(**FULL)
    assert capsys.readouterr() == ("", "")
    solve(**FULL, options={"disp": True})
    ours = capsys.readouterr().out
    minimize(rosen, START, method="trust-ncg", **FULL, options={"disp": True})
    theirs = capsys.readouterr().out
    labels = [[line.split(":")[0] for line in text.splitlines()[1:]] for text in (ours, theirs)]
    assert labels[0] == labels[1]
    assert ours.startswith(theirs.split(".")[0])
    assert f"Function evaluations: {result.nfev}\n" in ours
    solve(**FULL, options={"disp": True, "maxiter": 2})
    assert capsys.readouterr().out.startswith("Optimization stopped: the limit on iterations")


def test_equal_seeds_give_equal_runs() -> None:
    runs = [
        solve(x0=np.full(30, -1.2), jac=rosen_der, hessp=rosen_hess_prod, options={"rng": seed})
        for seed in (1, 1, np.random.default_rng(1))
    ]
    assert runs[0].trace == runs[1].trace == runs[2].trace


# ------------------------------------------------------------------ callbacks


@pytest.mark.parametrize("method", ["trust-ncg", METHOD])
def test_callback_is_dispatched_by_the_name_of_its_parameter(method: Any) -> None:
    seen: list[tuple[str, Any]] = []

    def by_name(intermediate_result: OptimizeResult) -> None:
        seen.append(("result", intermediate_result))

    def by_keyword(*, intermediate_result: OptimizeResult) -> None:
        by_name(intermediate_result)

    def plain(xk: np.ndarray) -> bool:
        seen.append(("x", xk))
        return True  # means nothing

    def two(xk: np.ndarray, intermediate_result: Any = None) -> None:
        assert intermediate_result is None
        seen.append(("x", xk))

    class Bound:
        def __call__(self, intermediate_result: OptimizeResult) -> None:
            by_name(intermediate_result)

    cases = [(by_name, "result"), (by_keyword, "result"), (Bound(), "result")]
    for callback, kind in [*cases, (plain, "x"), (two, "x"), (lambda *x: plain(*x), "x")]:
        seen.clear()
        result = minimize(rosen, START, method=method, **FULL, callback=callback)
        assert len(seen) == result.nit
        assert {which for which, _ in seen} == {kind}
        last = seen[-1][1]
        if kind == "result":
            assert isinstance(last, OptimizeResult)
            assert last.fun == rosen(last.x)
            last = last.x
        assert isinstance(last, np.ndarray)
        np.testing.assert_array_equal(last, result.x)


def test_callback_without_a_signature_gets_x() -> None:
    """Some functions written in C tell nothing of their parameters."""
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(max)
    assert solve(**FULL, callback=max).success
    assert solve(**FULL, callback=[].append).success


@pytest.mark.parametrize("whole", [False, True])
def test_stop_iteration_ends_as_in_scipy(whole: bool) -> None:
    def stopper() -> Callable[..., None]:
        count = iter(range(2))
        if whole:
            return lambda intermediate_result: (next(count), None)[1]
        return lambda x: (next(count), None)[1]

    ours = solve(**FULL, callback=stopper())
    theirs = minimize(rosen, START, method="trust-ncg", **FULL, callback=stopper())
    assert ours.nit == theirs.nit == 3
    assert (ours.success, ours.status, ours.message) == (False, 99, theirs.message)
    assert theirs.status == 99
    assert ours.ending is Ending.CALLBACK


@pytest.mark.parametrize("where", ["fun", "jac", "hess", "hessp", "callback"])
def test_exceptions_arrive_unchanged(where: str) -> None:
    class Own(Exception):
        pass

    error = Own(where)

    def fail(*args: Any, **named: Any) -> Any:
        raise error

    given = {"fun": rosen, **FULL, where: fail}
    if where == "hessp":
        del given["hess"]
    with pytest.raises(Own) as caught:
        solve(**given)
    assert caught.value is error


# ------------------------------------------------------------------ arrays of the user


def test_users_may_write_into_x_and_keep_one_buffer() -> None:
    """Results are those of well-behaved functions, bit by bit."""
    g, H, product = np.empty(4), np.empty((4, 4)), np.empty(4)
    sparse = scipy.sparse.csr_array(np.ones((4, 4)))
    start = np.array([-1.2, 1.0, 0.5, 2.0])

    def spoiled(function: Callable[..., Any], buffer: Any) -> Callable[..., Any]:
        def call(x: np.ndarray, *args: np.ndarray) -> Any:
            value = function(np.array(x), *(np.array(a) for a in args))
            for a in (x, *args):
                a[:] = np.nan
            if buffer is None:
                return value
            if buffer is sparse:
                sparse.data[:] = value.ravel()
            else:
                buffer[...] = value
            return buffer

        return call

    class Spoiled(LinearOperator):
        def __init__(self, x: np.ndarray) -> None:
            super().__init__(np.dtype(float), (4, 4))
            self.matrix = rosen_hess(x)

        def _matvec(self, p: np.ndarray) -> np.ndarray:
            return spoiled(lambda q: self.matrix @ q, product)(p)

    forms: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"hess": spoiled(rosen_hess, H)}, {"hess": rosen_hess}),
        (
            {"hess": spoiled(rosen_hess, sparse)},
            {"hess": lambda x: scipy.sparse.csr_array(rosen_hess(x) + 0.0 * sparse.todense())},
        ),
        ({"hessp": spoiled(rosen_hess_prod, product)}, {"hessp": rosen_hess_prod}),
        ({"hess": Spoiled}, {"hess": lambda x: aslinearoperator(rosen_hess(x))}),
        ({"hess": "2-point"}, {"hess": "2-point"}),
        ({"hess": "3-point"}, {"hess": "3-point"}),
    ]
    for bad, good in forms:
        ours = solve(spoiled(rosen, None), start, jac=spoiled(rosen_der, g), **bad)
        theirs = solve(x0=start, jac=rosen_der, **good)
        assert theirs.success
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-12)
        assert ours.nit == theirs.nit
    np.testing.assert_array_equal(start, [-1.2, 1.0, 0.5, 2.0])


def test_nothing_returned_aliases_a_buffer_of_the_user() -> None:
    sparse, out = scipy.sparse.csr_array(np.eye(2)), np.ones(2)
    functions = UserFunctions(rosen, (), lambda x: out, lambda x: sparse, None)
    assert not np.shares_memory(functions.gradient(START), out)
    assert not np.shares_memory(functions.hessian(START).data, sparse.data)

    wide = np.ones((2, 3))
    operator = LinearOperator((2, 2), matvec=lambda v: out, matmat=lambda V: wide, dtype=float)
    wrapped = UserFunctions(rosen, (), None, lambda x: operator, None).hessian(START)
    assert not np.shares_memory(wrapped @ START, out)
    assert not np.shares_memory(wrapped @ np.ones((2, 3)), wide)


def test_callbacks_may_write_into_what_they_get() -> None:
    def whole(intermediate_result: OptimizeResult) -> None:
        intermediate_result.x[:] = np.nan
        intermediate_result.jac[:] = np.nan

    def plain(x: np.ndarray) -> None:
        x[:] = np.nan

    expected = solve(**FULL)
    for callback in (whole, plain):
        result = solve(**FULL, callback=callback, options={"return_all": True})
        np.testing.assert_array_equal(result.x, expected.x)
        assert np.all(np.isfinite(result.allvecs))


def test_lists_and_integers_are_converted_as_in_scipy() -> None:
    lists: dict[str, Any] = {
        "jac": lambda x: [int(2 * v) if v == int(v) else 2 * v for v in x],
        "hess": lambda x: [[2, 0], [0, 2]],
    }
    for x0 in ([3, 4], np.array([3, 4], np.uint8), (3.0, 4.0), [True, False]):
        for method in (METHOD, "trust-ncg"):
            result = minimize(lambda x: [float(x @ x)], x0, method=method, **lists)
            assert result.success
            assert result.x.dtype == np.float64
            np.testing.assert_allclose(result.x, 0.0, atol=1e-8)
    assert isinstance(solve(lambda x: np.array([x @ x]), **lists).fun, float)
    single = solve(
        lambda x: float(np.abs(x - 1).sum()) + float(((x - 1) ** 2).sum()),
        np.float32([3, 4]),
        jac=lambda x: np.array([1, 1]),
        hess=lambda x: np.array([[2, 0], [0, 2]]),
        options={"maxiter": 1},
    )
    assert single.jac.dtype == np.float32


def test_one_variable_needs_no_vectors() -> None:
    result = solve(
        lambda x: np.cosh(x - 1.0), 5, jac=lambda x: float(np.sinh(x - 1.0)[0]), hess=np.cosh
    )
    assert METHOD(lambda x: x @ x, 5, jac=lambda x: 2 * x, hess=lambda x: 2).x.shape == (1,)
    assert result.x.shape == (1,)
    assert result.x[0] == pytest.approx(1.0, abs=1e-5)


def test_float32_stays_float32() -> None:
    types: set[Any] = set()

    def fun(x: np.ndarray) -> Any:
        types.add(x.dtype)
        return rosen(x)

    single: dict[str, Any] = {"jac": rosen_der, "hess": lambda x: rosen_hess(x).astype(x.dtype)}
    for form in (single, {"jac": lambda x: rosen_der(x).tolist(), "hess": "2-point"}, {}):
        rest = form or {"hess": single["hess"]}
        result = solve(fun, START.astype(np.float32), **rest)
        assert result.success
        np.testing.assert_allclose(result.x, 1.0, atol=3e-2)
        assert result.x.dtype == result.jac.dtype == np.float32
    assert types == {np.dtype(np.float32)}


# ------------------------------------------------------------------ failures of SciPy's methods


def test_large_constant_does_not_hide_the_minimum() -> None:
    """Failure 6: the decrease falls below the rounding of f."""
    for start in (np.full(10, -1.2), np.tile(START, 5), np.zeros(10)):
        for tol in (1e-5, 1e-8):
            result = solve(lambda x: rosen(x) + 1e8, start, **FULL, tol=tol)
            assert result.success
            assert np.linalg.norm(rosen_der(result.x)) <= tol
        peer = minimize(lambda x: rosen(x) + 1e8, start, method="trust-exact", **FULL, tol=tol)
        assert not peer.success


@pytest.mark.parametrize("form", ["hess", "hessp"])
def test_unreachable_tolerance_ends_early_and_truly(form: str) -> None:
    """Failure 6: thousands of steps that rounding made worthless."""
    curvature = {"hess": rosen_hess, "hessp": rosen_hess_prod}[form]
    result = solve(
        x0=np.tile([-1.2, 1.0], 50), jac=rosen_der, **{form: curvature}, options={"gtol": 1e-13}
    )
    assert result.nit < 600
    norm = float(np.linalg.norm(rosen_der(result.x)))
    assert norm < 1e-9
    assert result.success is (norm <= 1e-13)
    if not result.success:
        assert result.ending is Ending.ROUNDING
        assert result.status == int(Ending.ROUNDING)


def test_nan_trial_shrinks_the_radius() -> None:
    """Failure 7: the first radius leads out of the domain of the logarithm."""

    def fun(x: np.ndarray) -> float:
        return float(x[0] - np.log(x[0]) + x[1] ** 2) if x[0] > 0.0 else math.nan

    result = solve(
        fun,
        [5.0, 1.0],
        jac=lambda x: np.array([1.0 - 1.0 / x[0], 2.0 * x[1]]),
        hess=lambda x: np.diag([1.0 / x[0] ** 2, 2.0]),
        method=TrustRegion(radius=100.0),
    )
    assert result.success
    np.testing.assert_allclose(result.x, [1.0, 0.0], atol=1e-5)
    rejected = [row for row in result.trace if row.ratio is not None and math.isnan(row.ratio)]
    assert rejected
    assert all(not row.accepted for row in rejected)
    following = [row.radius for row in result.trace if row.iteration == 1]
    assert following[0] == 100.0
    assert following[-1] < 100.0


@pytest.mark.parametrize("form", ["hess", "hessp", "2-point", "csr"])
@pytest.mark.parametrize("start", [(1.0, 0.0, 1.0), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_saddle_is_left(form: str, start: tuple[float, ...], constant: float) -> None:
    """Failure 8: x^2 + z^2 - y^2 + y^4 from a point whose gradient has no y-component."""

    def hess(x: np.ndarray) -> np.ndarray:
        return np.diag([2.0, 12.0 * x[1] ** 2 - 2.0, 2.0])

    forms: dict[str, dict[str, Any]] = {
        "hess": {"hess": hess},
        "hessp": {"hessp": lambda x, p: hess(x) @ p},
        "2-point": {"hess": "2-point"},
        "csr": {"hess": lambda x: scipy.sparse.csr_array(hess(x))},
    }
    result = solve(
        lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 + x[2] ** 2 + constant,
        start,
        jac=lambda x: np.array([2.0 * x[0], 4.0 * x[1] ** 3 - 2.0 * x[1], 2.0 * x[2]]),
        **forms[form],
    )
    assert result.ending is Ending.SECOND_ORDER
    np.testing.assert_allclose(np.abs(result.x), [0.0, math.sqrt(0.5), 0.0], atol=1e-5)


def test_saddle_without_a_way_down_is_no_success() -> None:
    """The direction of negative curvature leads to values that are not finite."""
    result = solve(
        lambda x: float(x[0] ** 2 - x[1] ** 2) if x[1] == 0.0 else math.nan,
        [1.0, 0.0],
        jac=lambda x: np.array([2.0 * x[0], -2.0 * x[1]]),
        hess=lambda x: np.diag([2.0, -2.0]),
    )
    assert not result.success
    assert result.status != 0
