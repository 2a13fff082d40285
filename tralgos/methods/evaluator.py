"""A problem as a method sees it: checked, counted, and within the budgets of the run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tralgos.arguments import check_choice
from tralgos.arrays import Array, namespace, sizes, to_host
from tralgos.errors import ArgumentError, AsymmetryError
from tralgos.methods.ending import Ending
from tralgos.operators import (
    DenseOperator,
    FiniteDifferenceHessian,
    Operator,
    check_symmetric,
)
from tralgos.problems import Linearization, Problem, StochasticProblem

__all__ = [
    "HESSIANS",
    "Budget",
    "CountedLinearization",
    "CountedOperator",
    "Counts",
    "CurvatureKind",
    "Evaluator",
    "RunEnded",
]

CurvatureKind = Literal["exact", "gauss-newton", "finite-difference"]
HESSIANS = ("exact", "gauss-newton", "finite-difference")

#: A Hessian may be this far from symmetric, relative to its size: one that was computed with
#: cancellation is, and it makes a method slower, not wrong.
SYMMETRY_RTOL = 1e-2


class RunEnded(Exception):
    """A budget is used up in the middle of a step; caught by the driver."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.message)
        self.ending = ending


@dataclass
class Counts:
    """What a run has evaluated so far.

    Attributes
    ----------
    nfev, njev : int
        Values and gradients, of the whole function or of a sample.
    nhev : int
        Points at which a Hessian or Gauss-Newton operator was taken.
    nhvp : int
        Products with such operators, those of second-order evidence included.
    nhvp_evidence : int
        Products of second-order evidence alone.
    njvp, nvjp : int
        Forward and reverse products with the Jacobian of a linearised model. A forward one counts
        in `nhvp` besides: it is the half of a product that is never spared.
    backpropagations : float
        One for a gradient and two for a product, one for a forward or a reverse product, times
        the share of the terms that the sample has: the unit of the figures of the
        adaptive-norms paper.
    """

    nfev: int = 0
    njev: int = 0
    nhev: int = 0
    nhvp: int = 0
    nhvp_evidence: int = 0
    njvp: int = 0
    nvjp: int = 0
    backpropagations: float = 0.0


@dataclass(frozen=True)
class Budget:
    """The limits of a run that a step must not exceed.

    Attributes
    ----------
    max_matvec : int or None
        Bound on `Counts.nhvp`.
    deadline : float
        Of :func:`time.monotonic`; infinite for none.
    """

    max_matvec: int | None = None
    deadline: float = math.inf

    def check_time(self) -> None:
        """Raise :class:`RunEnded` past the deadline."""
        if self.deadline < math.inf and time.monotonic() > self.deadline:
            raise RunEnded(Ending.TIME_LIMIT)


class Evaluator:
    """Values and derivatives of a problem, counted.

    Parameters
    ----------
    problem : Problem
    gtol : float
        The Euclidean norm of the gradient at which the run is going to end: a method need
        not solve anything to more than that.
    budget : Budget, optional
    counts : Counts, optional
    weight : float
        Share of the terms of the whole problem that this one has.

    Attributes
    ----------
    problem, gtol, budget, counts
        As above.
    """

    def __init__(
        self,
        problem: Problem,
        gtol: float = 0.0,
        budget: Budget | None = None,
        counts: Counts | None = None,
        weight: float = 1.0,
    ) -> None:
        self.problem = problem
        self.gtol = gtol
        self.budget = budget if budget is not None else Budget()
        self.counts = counts if counts is not None else Counts()
        self._weight = weight
        # Samples of one run share what is known of its Hessians.
        self._run = self
        self._symmetry_seen = False

    @property
    def matvecs_left(self) -> int | None:
        """Products that the budget still allows; None for no bound."""
        limit = self.budget.max_matvec
        return None if limit is None else max(0, limit - self.counts.nhvp)

    def value(self, x: Array) -> float:
        """f(x)."""
        self.budget.check_time()
        self.counts.nfev += 1
        # A trial may overflow: that is a rejection, not a warning.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self.problem.value(x)

    def gradient(self, x: Array) -> Array:
        """The gradient at x."""
        self.budget.check_time()
        self._count_gradient()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self.problem.gradient(x)

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        """Both."""
        self.budget.check_time()
        self.counts.nfev += 1
        self._count_gradient()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self.problem.value_and_gradient(x)

    def curvature(
        self, x: Array, kind: CurvatureKind = "exact", *, gradient: Array | None = None
    ) -> CountedOperator:
        """The Hessian, or what stands for it, at x; its products are counted.

        Parameters
        ----------
        x : array, shape (n,)
        kind : {"exact", "gauss-newton", "finite-difference"}
            Differences of gradients count one gradient and one product each.
        gradient : array, shape (n,), optional
            The gradient at x, where it is known; used by differences.

        Raises
        ------
        ArgumentError
            If the problem has no such curvature, naming those that it has.
        AsymmetryError
            In a product, if the operator turns out not to be symmetric.
        """
        self.require(kind)
        self.counts.nhev += 1
        if kind == "finite-difference":
            # Its asymmetry is that of the differences, which are ours.
            operator: Operator = FiniteDifferenceHessian(self.gradient, x, g=gradient)
            return CountedOperator(operator, self, 2.0 * self._weight, compared=False)
        if kind == "gauss-newton":
            operator = self.problem.gauss_newton(x)
        else:
            operator = self.problem.hessian(x)
        compared = not self._run._symmetry_seen and operator.symmetric is not True
        if compared and isinstance(operator, DenseOperator):
            check_symmetric(operator, x, rng=np.random.default_rng(0), rtol=SYMMETRY_RTOL)
            self._run._symmetry_seen, compared = True, False
        return CountedOperator(operator, self, 2.0 * self._weight, compared=compared)

    def linearize(self, x: Array) -> CountedLinearization:
        """The problem as a loss of a model's outputs, at x; counts one value.

        Raises
        ------
        ArgumentError
            If the problem is not known as one.
        """
        self.budget.check_time()
        self.counts.nfev += 1
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return CountedLinearization(self.problem.linearize(x), self)

    def require(self, kind: str) -> None:
        """Raise unless the problem has the curvature; see :meth:`curvature`."""
        check_choice(kind, "hessian", HESSIANS)
        missing = {
            "exact": not self.problem.has_hessian,
            "gauss-newton": not self.problem.has_gauss_newton,
            "finite-difference": False,
        }
        if missing[kind]:
            there = ", ".join(repr(k) for k, absent in missing.items() if not absent)
            raise ArgumentError(
                f"hessian={kind!r} is not there in {self.problem.name}; it has {there}"
            )

    def sample(self, size: int, rng: np.random.Generator) -> Evaluator:
        """The same run on the mean of `size` terms drawn with `rng`.

        Raises
        ------
        ArgumentError
            If the problem is no :class:`~tralgos.problems.StochasticProblem`, or `size` does
            not fit it.
        """
        if not isinstance(self.problem, StochasticProblem):
            raise ArgumentError(
                f"{self.problem.name} has no terms to take samples of: a stochastic method needs "
                "a StochasticProblem"
            )
        terms = self.problem.size
        weight = 1.0 if terms is None else size / terms
        return self.part(self.problem.sample(size, rng), weight)

    def part(self, terms: Problem, weight: float) -> Evaluator:
        """The same run on some of the terms, of which `weight` is the share."""
        evaluator = Evaluator(terms, self.gtol, self.budget, self.counts, weight)
        evaluator._run = self._run
        return evaluator

    def _count_product(self, cost: float) -> None:
        """One product with a curvature, or the forward half of one, if the budget allows it."""
        left = self.matvecs_left
        if left is not None and left < 1:
            raise RunEnded(Ending.MAX_MATVEC)
        self.budget.check_time()
        self.counts.nhvp += 1
        self.counts.backpropagations += cost

    def _count_gradient(self) -> None:
        self.counts.njev += 1
        self.counts.backpropagations += self._weight


class CountedLinearization:
    """A :class:`~tralgos.problems.Linearization` whose products are counted.

    Attributes
    ----------
    value : float
    loss_gradient : array, shape (o,)
    """

    def __init__(self, operand: Linearization, evaluator: Evaluator) -> None:
        self._operand = operand
        self._evaluator = evaluator
        self.value = operand.value
        self.loss_gradient = operand.loss_gradient

    def forward(self, v: Array) -> Array:
        """J_phi' v, shape (o,)."""
        self._evaluator._count_product(self._evaluator._weight)
        self._evaluator.counts.njvp += 1
        with np.errstate(over="ignore", invalid="ignore"):
            return self._operand.jacobian.matvec(v)

    def reverse(self, u: Array) -> Array:
        """J_phi u, shape (n,)."""
        evaluator = self._evaluator
        evaluator.budget.check_time()
        evaluator.counts.nvjp += 1
        evaluator.counts.backpropagations += evaluator._weight
        with np.errstate(over="ignore", invalid="ignore"):
            return self._operand.jacobian.rmatvec(u)

    def loss_curvature(self, u: Array) -> Array:
        """H_L u, shape (o,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._operand.loss_curvature(u)


class CountedOperator(Operator):
    """A curvature operator whose products are counted against the budget of the run.

    It counts as symmetric: the solvers that use it rely on that, and the first two
    products of a run are compared at no product of their own.

    Attributes
    ----------
    operand : Operator
        What is multiplied with.
    """

    def __init__(
        self, operand: Operator, evaluator: Evaluator, cost: float, *, compared: bool
    ) -> None:
        super().__init__(
            operand.shape,
            name=operand.name,
            home=operand.home,
            symmetric=True,
            symmetry_tolerance=operand.symmetry_tolerance,
        )
        self.operand = operand
        self._evaluator = evaluator
        self._cost = cost
        self._compared = compared
        self._first: tuple[Array, Array] | None = None

    @property
    def magnitude(self) -> float | None:
        """That of the operand."""
        return self.operand.magnitude

    def check_home(self, x: Array, x_name: str) -> None:
        """As the operand does."""
        self.operand.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        evaluator = self._evaluator
        evaluator._count_product(self._cost)
        with np.errstate(over="ignore", invalid="ignore"):
            y = self.operand.matvec(x)
        if self._compared:
            self._compare(x, y)
        return y

    def _compare(self, x: Array, y: Array) -> None:
        """u'(Hx) = x'(Hu) for the first two vectors that a run multiplies with one operator."""
        if self._first is None:
            # Copies: the vectors belong to the solver.
            self._first = (1.0 * x, 1.0 * y)
            return
        u, Hu = self._first
        self._first, self._compared, self._evaluator._run._symmetry_seen = None, False, True
        a, b, above_a, above_b = sizes(u, x, Hu, y)
        size = max(above_a / a, above_b / b) if a > 0.0 and b > 0.0 else 0.0
        if size == 0.0 or not math.isfinite(size):
            return
        # All near one: products of extreme sizes would overflow or vanish.
        u, v, Hu, Hv = u / a, x / b, Hu / (a * size), y / (b * size)
        xp = namespace(x)
        forms = [xp.vecdot(u, Hv) - xp.vecdot(v, Hu), xp.vecdot(u, u) * xp.vecdot(Hv, Hv)]
        forms.append(xp.vecdot(v, v) * xp.vecdot(Hu, Hu))
        difference, one, two = (float(f) for f in to_host(xp.stack(forms)))
        defect = abs(difference) / math.sqrt(max(one, two, 1e-30))
        if defect > max(SYMMETRY_RTOL, self.operand.symmetry_tolerance or 0.0):
            raise AsymmetryError(
                f"{self.operand.name} must be symmetric: u'(Hv) and v'(Hu) differ by "
                f"{defect:.3g} of their size, more than {SYMMETRY_RTOL:.3g}"
            )
