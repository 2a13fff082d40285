"""The curvature of a method that prefers the Gauss-Newton matrix, and a linearisation for it."""

from __future__ import annotations

from typing import Literal

from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.methods.evaluator import CountedLinearization, CurvatureKind, Evaluator
from tralgos.operators import Operator
from tralgos.problems import Problem

__all__ = ["curvature_at", "curvature_kind"]


class _GaussNewton(Operator):
    """J_phi H_L J_phi' of CurveBall's eq. (12): one forward and one reverse product each."""

    def __init__(self, model: CountedLinearization, x: Array) -> None:
        n = int(x.shape[0])
        super().__init__((n, n), name="the Gauss-Newton matrix", home=x, symmetric=True)
        self._model = model

    def _matvec(self, x: Array) -> Array:
        model = self._model
        return model.reverse(model.loss_curvature(model.forward(x)))


def curvature_kind(
    problem: Problem, hessian: CurvatureKind | None
) -> CurvatureKind | Literal["linearized"]:
    """Where products come from: as asked for, or the first that the problem has.

    Gauss-Newton is "linearized" where the problem is known as a loss of a model's outputs.

    Raises
    ------
    ArgumentError
        If nothing is asked for and the problem has no curvature.
    """
    if hessian in (None, "gauss-newton") and problem.has_linearization:
        return "linearized"
    if hessian is not None:
        return hessian
    if problem.has_gauss_newton:
        return "gauss-newton"
    if problem.has_hessian:
        return "exact"
    raise ArgumentError(
        f"{problem.name} has neither a Gauss-Newton matrix nor a Hessian; it has "
        "hessian='finite-difference'"
    )


def curvature_at(
    source: Evaluator, x: Array, hessian: CurvatureKind | None, gradient: Array | None = None
) -> Operator:
    """H at x; by forward and reverse products where the problem is known as a composite one.

    Such a linearisation counts one value.
    """
    kind = curvature_kind(source.problem, hessian)
    if kind == "linearized":
        return _GaussNewton(source.linearize(x), x)
    return source.curvature(x, kind, gradient=gradient)
