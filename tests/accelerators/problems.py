"""Cases of tralgos.problems, and of its collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.accelerators.case import Case, Table, data, symmetric
from tests.accelerators.operators import Plain
from tests.namespaces import Xp
from tralgos import problems
from tralgos.arrays import Array, namespace
from tralgos.errors import ArrayTypeError
from tralgos.operators import Operator
from tralgos.problems import FiniteSum, FunctionProblem, Problem, StochasticProblem, collection

__all__ = ["COLLECTION", "PROBLEMS"]

#: Samples and features, and what goes with them.
ROWS, COLUMNS = 12, 4
X = data(0, ROWS, COLUMNS)
Y = data(1, ROWS)
LABELS = np.arange(ROWS) % 3


def looked_at(problem: Problem, x: Array) -> dict[str, Any]:
    """Value, derivatives and products of a problem at a point."""
    xp = namespace(x)
    found: dict[str, Any] = {"value": problem.value(x), "gradient": problem.gradient(x)}
    found["both"] = problem.value_and_gradient(x)
    v = xp.flip(x) + 0.5
    for name in ("hessian", "gauss_newton"):
        if getattr(problem, f"has_{name}"):
            found[name] = getattr(problem, name)(x).matvec(v)
    if problem.has_linearization:
        local = problem.linearize(x)
        u = local.loss_gradient
        found |= {
            "outputs' value": local.value,
            "forward": local.jacobian.matvec(v),
            "backward": local.jacobian.rmatvec(u),
            "loss": local.loss_curvature(u),
            "pulled back": local.gradient(),
            "product": local.gauss_newton(v),
        }
    return found


def at(problem: Problem, where: Xp, seed: int = 7) -> dict[str, Any]:
    """The same at numbers of [-1, 1], or near the problem's start where it has one."""
    assert problem.n is not None
    return looked_at(problem, where.array(data(seed, problem.n) + 0.25))


def parts(problem: FiniteSum, where: Xp) -> list[Any]:
    """A finite sum as a whole, some of its terms, a sample, and the gradients of terms."""
    x = where.array(data(7, int(problem.n or 0)))
    some = problem.subset([0, 3, 4])
    few = problem.sample(5, np.random.default_rng(0))
    each = [problem.sample_gradients(x), problem.sample_gradients(x, [1, 2])]
    return [looked_at(p, x) for p in (problem, some, few)] + each


def known(make: Callable[[], Problem]) -> Case:
    """A problem that takes points of any library."""
    return Case(lambda where: at(make(), where), loose=10.0)


def own_sum(where: Xp) -> Any:
    return parts(problems.LeastSquares(where.array(X), where.array(Y), l2=0.25), where)


def on_operator(where: Xp) -> Any:
    """A data matrix that is known by its products."""
    problem = problems.LeastSquares(Plain(where.array(X)), where.array(Y))
    return at(problem, where)


def logistic(where: Xp) -> Any:
    labels = where.array(LABELS % 2)
    return parts(problems.LogisticRegression(where.array(X), labels, l2=0.25), where)


def softmax(where: Xp) -> Any:
    return parts(problems.SoftmaxRegression(where.array(X), LABELS, 3, l2=0.25), where)


def network(where: Xp) -> Any:
    found = []
    for activation in ("tanh", "sigmoid", "srelu"):
        problem = problems.TwoLayerNetwork(where.array(X), LABELS, 3, activation, l2=0.25)
        found.append([problem.initial(0), *parts(problem, where)])
    squared = problems.TwoLayerNetwork(where.array(X), where.array(Y), 2, loss="squared")
    return [*found, at(squared, where)]


def linear_layers(where: Xp) -> Any:
    problem = problems.TwoLayerLinear(where.array(X), where.array(data(2, 3, COLUMNS)), 2)
    x = problem.initial(0)
    return [
        x,
        problem.weights(x),
        problem.optimal_value,
        problem.value(problem.minimisers[0]) - problem.optimal_value,
        *parts(problem, where),
    ]


def notebook(where: Xp) -> Any:
    like = where.array(np.zeros(1))
    problem = problems.rahimi_recht("conditioned", condition=10.0, samples=20, like=like)
    return [problem.A, at(problem, where), problem.minimisers[0] is not None]


def rosenbrock(where: Xp) -> Any:
    return at(problems.Rosenbrock(5), where)


def stochastic_rosenbrock(where: Xp) -> Any:
    problem = problems.StochasticRosenbrock(4)
    sample = problem.sample(3, np.random.default_rng(0))
    return at(problem, where), at(sample, where)


def plain(where: Xp) -> FunctionProblem:
    """Half the squared length of r(x) = A x - y, by functions of the user."""
    A, y = where.array(X), where.array(Y)
    xp = namespace(A)

    def residual(x: Array) -> Array:
        return A @ x - y

    def transposed(u: Array) -> Array:
        return namespace(u).matrix_transpose(A) @ u

    return FunctionProblem(
        lambda x: 0.5 * xp.sum(residual(x) * residual(x)),
        lambda x: transposed(residual(x)),
        hessp=lambda x, v: transposed(A @ v),
        linearize=lambda x: (
            0.5 * xp.sum(residual(x) * residual(x)),
            A,
            residual(x),
            lambda u: 1.0 * u,
        ),
        n=COLUMNS,
        name="plain",
    )


def checked(where: Xp) -> Any:
    """The verdicts alone: errors of rounding are not the same in two libraries."""
    x = where.array(data(3, COLUMNS) + 0.5)
    found = plain(where).check_derivatives(x, rng=0)
    checks = (found.hessian, found.gauss_newton, found.linearization)
    return [found.ok, *(check.ok for check in checks if check is not None)]


class Wrong(Problem):
    """A quadratic with a wrong entry in its gradient."""

    def _value(self, x: Array) -> Any:
        return namespace(x).sum(x * x)

    def _gradient(self, x: Array) -> Array:
        g = 2.0 * x
        g[1] += 1.0
        return g


def wrong(where: Xp) -> Any:
    found = Wrong(3).check_derivatives(where.array([0.5, 1.0, -0.75]), rng=0)
    return found.ok, found.gradient_index


def nonlinear(where: Xp) -> Any:
    A, y = where.array(X), where.array(Y)

    def residual(x: Array) -> Array:
        z = A @ x
        return z * z - y

    def jacobian(x: Array) -> Array:
        return 2.0 * (A @ x)[:, None] * A

    by_matrix = problems.NonlinearLeastSquares(residual, jacobian, n=COLUMNS)
    by_products = problems.NonlinearLeastSquares(
        residual,
        jvp=lambda x, v: jacobian(x) @ v,
        vjp=lambda x, u: namespace(u).matrix_transpose(jacobian(x)) @ u,
        second_order=lambda x, r: _weighted(A, r),
        n=COLUMNS,
    )
    return at(by_matrix, where), at(by_products, where)


def _weighted(A: Array, r: Array) -> Array:
    """The sum of r_i times the Hessian of the residual i."""
    return 2.0 * (namespace(A).matrix_transpose(A) @ (r[:, None] * A))


def quadratic(where: Xp) -> Any:
    b = where.array(data(1, 5))
    dense = problems.Quadratic(where.array(symmetric(0, 5)), b, 0.5)
    lazy = problems.Quadratic(Plain(where.array(symmetric(0, 5))))
    return at(dense, where), at(lazy, where)


def spectrum(where: Xp) -> Any:
    found = []
    for rotation in ("none", "dense", "reflections"):
        problem = problems.quadratic_with_spectrum(
            where.array([1.0, 2.0, 4.0]), rotation=rotation, rng=0, minimiser=where.array(Y[:3])
        )
        found += [at(problem, where), problem.minimisers[0]]
    plane = problems.quadratic_with_spectrum([1.0, -2.0], rotation=0.5, like=where.array(Y))
    return [*found, at(plane, where)]


def quartic(where: Xp) -> Any:
    H = where.array(np.diag([-2.0, 1.0, 3.0]))
    leftmost = (-2.0, where.array([2.0, 0.0, 0.0]))
    problem = problems.QuarticSaddle(H, leftmost=leftmost)
    return at(problem, where), problem.minimisers, problem.optimal_value


class TwoTerms(StochasticProblem):
    """A caller's own: the mean of two terms."""

    size = 2
    has_hessian = True

    def _value(self, x: Array) -> Any:
        return namespace(x).sum(x * x)

    def _gradient(self, x: Array) -> Array:
        return 2.0 * x

    def _hessian(self, x: Array) -> Operator:
        from tralgos.operators import DiagonalOperator

        return DiagonalOperator(namespace(x).full_like(x, 2.0))

    def _sample(self, size: int, rng: np.random.Generator) -> Problem:
        return self


def digits(where: Xp) -> Any:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    pixels, labels = problems.load_digits()
    problem = problems.SoftmaxRegression(where.array(pixels[:60]), labels[:60], 10, l2=0.25)
    return at(problem, where)


def refused(where: Xp) -> Any:
    """The collection takes NumPy's float64 and refuses everything else in words."""
    problem = collection.problem("beale")
    if where.name == "numpy-float64":
        problem.value(where.array(data(0, 2)))
    else:
        with pytest.raises(ArrayTypeError, match="NumPy vectors of float64"):
            problem.value(where.array(data(0, 2)))
    return True


class Activated:
    """An activation of a caller's is called with arrays of the data's library."""

    def __call__(self, z: Array) -> tuple[Array, Array, Array]:
        return z * z, 2.0 * z, namespace(z).full_like(z, 2.0)


def own_activation(where: Xp) -> Any:
    make = problems.TwoLayerNetwork
    one = make(where.array(X), LABELS, 2, Activated())
    other = make(where.array(X), LABELS, 2, problems.srelu(0.125))
    return at(one, where), at(other, where)


PROBLEMS: Table = {
    "CurvatureCheck": Case(checked),
    "DegenerateMinimum": known(problems.DegenerateMinimum),
    "DerivativeCheck": {"right": Case(checked), "wrong": Case(wrong)},
    "DoubleWell": known(lambda: problems.DoubleWell(4)),
    "FiniteSum": {"array": Case(own_sum), "operator": Case(on_operator)},
    "FunctionProblem": Case(lambda w: at(plain(w), w)),
    "LeastSquares": Case(own_sum),
    "Linearization": Case(lambda w: at(plain(w), w)),
    "LinearizationCheck": Case(checked),
    "LogisticRegression": Case(logistic),
    "MonkeySaddle": known(problems.MonkeySaddle),
    "NonlinearLeastSquares": Case(nonlinear),
    "Problem": Case(lambda w: at(plain(w), w)),
    "Quadratic": Case(quadratic),
    "QuarticSaddle": Case(quartic, loose=10.0),
    "Rosenbrock": Case(rosenbrock),
    "Saddle": known(problems.Saddle),
    "SlowCubic": known(lambda: problems.SlowCubic(5)),
    "SlowNewton": known(lambda: problems.SlowNewton(5)),
    "SlowSteepestDescent": known(lambda: problems.SlowSteepestDescent(5)),
    "SoftmaxRegression": Case(softmax),
    "StationaryPoint": "a record: a point that is known in closed form, a NumPy array",
    "StochasticProblem": Case(lambda w: at(TwoTerms(3), w)),
    "StochasticRosenbrock": Case(stochastic_rosenbrock),
    "TwoLayerLinear": Case(linear_layers, loose=10.0),
    "TwoLayerNetwork": Case(network),
    "digits_problem": "made of NumPy arrays, as it says; with other arrays see load_digits",
    "load_digits": Case(digits),
    "quadratic_with_spectrum": Case(spectrum),
    "rahimi_recht": Case(notebook, loose=10.0),
    "srelu": Case(own_activation),
}

COLLECTION: Table = {
    "CollectionProblem": Case(refused),
    "more_garbow_hillstrom": "problems for NumPy in float64; see CollectionProblem",
    "names": "names",
    "problem": Case(refused),
    "scalable": "problems for NumPy in float64; see CollectionProblem",
}
