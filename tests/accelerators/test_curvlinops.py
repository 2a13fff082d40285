"""Hessians and Gauss-Newton matrices of a torch model, as curvlinops makes them, given as they are.

What is expected is the dense matrix that torch.func makes of the same function.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.accelerators.case import data
from tralgos import TrustRegion, curvature_bound, minimize, solve_cubic, solve_trs
from tralgos.errors import ArrayTypeError
from tralgos.norms import DiagonalNorm
from tralgos.operators import as_operator, check_symmetric
from tralgos.problems import FunctionProblem
from tralgos.shares import diagonal_share, estimate_diagonal

torch = pytest.importorskip("torch")
pytest.importorskip("curvlinops", reason="curvlinops is not installed: make torch")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from curvlinops import (  # noqa: E402
    GGNLinearOperator,
    HessianLinearOperator,
    JacobianLinearOperator,
)
from torch.func import functional_call, hessian, jacrev  # noqa: E402
from torch.nn.utils import parameters_to_vector, vector_to_parameters  # noqa: E402

SAMPLES, CLASSES = 40, 10


class Fit:
    """Softmax of a small network on the digits, in one dtype."""

    def __init__(self, dtype: Any) -> None:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        self.X = torch.tensor(pixels[:SAMPLES, 18:26] / 16.0, dtype=dtype)
        self.y = torch.tensor(labels[:SAMPLES])
        layers = torch.nn.Linear(8, 3), torch.nn.Tanh(), torch.nn.Linear(3, CLASSES)
        self.model = torch.nn.Sequential(*layers).to(dtype)
        self.loss = torch.nn.CrossEntropyLoss()
        n = sum(p.numel() for p in self.model.parameters())
        self.start = torch.tensor(data(0, n), dtype=dtype)

    def outputs(self, x: Any) -> Any:
        """The logits, as a function of the parameters in one vector."""
        named, at = {}, 0
        for name, p in self.model.named_parameters():
            named[name] = x[at : at + p.numel()].reshape(p.shape)
            at += p.numel()
        return functional_call(self.model, named, (self.X,))

    def value(self, x: Any) -> Any:
        return self.loss(self.outputs(x), self.y)

    def operator(self, kind: Any, x: Any) -> Any:
        """The operator at x: of a copy, for it follows the parameters of its model."""
        model = copy.deepcopy(self.model)
        vector_to_parameters(x, model.parameters())
        half = SAMPLES // 2
        parts = [(self.X[:half], self.y[:half]), (self.X[half:], self.y[half:])]
        return kind(model, self.loss, list(model.parameters()), parts, progressbar=False)

    def dense(self, kind: Any, x: Any) -> Any:
        """The same matrix by torch.func alone."""
        if kind is HessianLinearOperator:
            return hessian(self.value)(x)
        J = jacrev(self.outputs)(x)
        loss = hessian(lambda z: self.loss(z, self.y))(self.outputs(x))
        return torch.einsum("iap,iajb,jbq->pq", J, loss, J)


@pytest.fixture(scope="module", params=["float64", "float32"])
def fit(request: pytest.FixtureRequest) -> Fit:
    return Fit(getattr(torch, request.param))


def size_of(A: Any) -> float:
    return float(torch.linalg.matrix_norm(A, 2))


def rounding(fit: Fit) -> float:
    return 1e-12 if fit.X.dtype == torch.float64 else 2e-5


KINDS = pytest.mark.parametrize(
    "kind", [HessianLinearOperator, GGNLinearOperator], ids=["hessian", "ggn"]
)


@KINDS
def test_products_are_those_of_the_dense_matrix(fit: Fit, kind: Any) -> None:
    """Vectors, and matrices of more columns than go through at a time; symmetric by its word."""
    dense, operator = fit.dense(kind, fit.start), as_operator(fit.operator(kind, fit.start))
    level = rounding(fit) * size_of(dense)
    assert operator.symmetric is True
    assert operator.dtype == fit.X.dtype
    x = fit.start / torch.linalg.vector_norm(fit.start)
    assert float(torch.max(torch.abs(operator.matvec(x) - dense @ x))) <= level
    assert float(torch.max(torch.abs(operator.rmatvec(x) - dense @ x))) <= level
    eye = torch.eye(x.shape[0], dtype=x.dtype)
    for columns in (0, 1, 32, 33, x.shape[0]):
        made = operator.matmat(eye[:, :columns])
        assert made.shape == (x.shape[0], columns)
        assert torch.allclose(made, dense[:, :columns], rtol=0.0, atol=level)
    assert check_symmetric(operator, x, rng=np.random.default_rng(0)) == 0.0


@KINDS
@pytest.mark.parametrize("method", ["direct", "krylov"])
def test_subproblems(fit: Fit, kind: Any, method: str) -> None:
    """The steps of solve_trs and solve_cubic are those for the dense Hessian."""
    operator, dense = fit.operator(kind, fit.start), fit.dense(kind, fit.start)
    g = torch.func.grad(fit.value)(fit.start)
    norm = DiagonalNorm(1.5 + fit.start)
    tolerance = 1e-7 if fit.X.dtype == torch.float64 else 1e-3
    for solve, parameter in ((solve_trs, 0.5), (solve_cubic, 2.0)):
        for M in (None, norm):
            found = solve(operator, g, parameter, norm=M, method=method)
            expected = solve(dense, g, parameter, norm=M, method="direct")
            assert found.step.dtype == g.dtype
            assert found.model_decrease == pytest.approx(expected.model_decrease, rel=tolerance)
            assert found.multiplier == pytest.approx(expected.multiplier, rel=30 * tolerance)


@KINDS
def test_curvature_and_shares_need_no_vector_to_go_by(fit: Fit, kind: Any) -> None:
    """Neither needs `like`: the operator says where it lives."""
    operator, dense = fit.operator(kind, fit.start), fit.dense(kind, fit.start)
    bound = curvature_bound(operator)
    leftmost = float(torch.linalg.eigvalsh(dense)[0])
    assert bound.vector.dtype == fit.X.dtype
    assert bound.value == pytest.approx(leftmost, abs=10 * rounding(fit) * size_of(dense))
    assert bound.lower <= leftmost + rounding(fit) * size_of(dense)
    share = diagonal_share(operator)
    assert share.share == pytest.approx(diagonal_share(dense).share, rel=100 * rounding(fit))
    x = fit.start
    diagonal = estimate_diagonal(operator, probes=8, like=x, rng=0).diagonal
    expected = estimate_diagonal(dense, probes=8, like=x, rng=0).diagonal
    assert torch.allclose(diagonal, expected, rtol=0.0, atol=100 * rounding(fit) * size_of(dense))


@KINDS
def test_minimize_takes_the_same_path(kind: Any) -> None:
    """A trust-region run with the operator, and with the dense matrix, row by row."""
    fit, traces = Fit(torch.float64), []
    for make in (fit.operator, fit.dense):
        problem = FunctionProblem(
            fit.value,
            torch.func.grad(fit.value),
            hess=lambda x, make=make: make(kind, x),
            n=int(fit.start.shape[0]),
        )
        method = TrustRegion(second_order=False, radius=0.5)
        run = minimize(problem, fit.start, method, maxiter=8)
        assert run.x.dtype == fit.X.dtype
        traces.append([(row.value, row.accepted) for row in run.trace])
    (values, accepted), (expected, same) = (zip(*trace, strict=True) for trace in traces)
    assert accepted == same
    assert values == pytest.approx(expected, rel=1e-6)
    assert values[-1] < 0.7 * values[0]


def test_an_operator_with_an_adjoint_of_its_own(fit: Fit) -> None:
    """The Jacobian of the outputs is not square, and multiplies from both sides."""
    model = copy.deepcopy(fit.model)
    vector_to_parameters(fit.start, model.parameters())
    J = JacobianLinearOperator(model, list(model.parameters()), [(fit.X, fit.y)], progressbar=False)
    operator = as_operator(J)
    dense = jacrev(fit.outputs)(fit.start).reshape(-1, fit.start.shape[0])
    assert operator.has_transpose
    assert operator.symmetric is None
    level = rounding(fit) * size_of(dense)
    u = torch.ones(operator.shape[0], dtype=fit.X.dtype)
    assert torch.allclose(operator.matvec(fit.start), dense @ fit.start, rtol=0, atol=10 * level)
    assert torch.allclose(operator.rmatvec(u), dense.T @ u, rtol=0.0, atol=30 * level)


def test_sums_and_multiples_of_its_own(fit: Fit) -> None:
    """What curvlinops makes of its operators is taken as well."""
    H = fit.operator(HessianLinearOperator, fit.start)
    dense = fit.dense(HessianLinearOperator, fit.start)
    x = fit.start
    for made, expected in ((H + 2.0 * H, 3.0 * dense), (H @ H, dense @ dense)):
        operator = as_operator(made, like=x)
        level = 100 * rounding(fit) * size_of(expected)
        assert torch.allclose(operator.matvec(x), expected @ x, rtol=0.0, atol=level)


def test_other_arrays_are_refused_by_name(fit: Fit) -> None:
    """In words, before curvlinops is asked."""
    H = fit.operator(HessianLinearOperator, fit.start)
    n = H.shape[0]
    with pytest.raises(ArrayTypeError, match=r"numpy.*torch"):
        solve_trs(H, np.ones(n), 1.0)
    other = torch.float32 if fit.X.dtype == torch.float64 else torch.float64
    with pytest.raises(ArrayTypeError, match="dtype"):
        solve_trs(H, torch.ones(n, dtype=other), 1.0)


def test_half_precision_is_refused() -> None:
    fit = Fit(torch.float32)
    H = fit.operator(HessianLinearOperator, fit.start)
    for p in H._params:
        p.data = p.data.to(torch.bfloat16)
    with pytest.raises(ArrayTypeError, match=r"float32 or float64, its dtype is torch\.bfloat16"):
        as_operator(H)


def test_parameters_are_not_touched(fit: Fit) -> None:
    """No gradient is left behind, and the model stays where it was."""
    H = fit.operator(GGNLinearOperator, fit.start)
    solve_trs(H, fit.start, 1.0)
    assert torch.equal(parameters_to_vector(H._params).detach(), fit.start)
    assert all(p.grad is None for p in H._params)
