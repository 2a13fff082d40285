"""Which inner solver a minimiser uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.arguments import check_choice
from tralgos.arrays import Array
from tralgos.methods.evaluator import CountedOperator, Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerSolver, KrylovInner
from tralgos.methods.inner_others import DirectInner, SubproblemInner, multiplied_out
from tralgos.norms import EuclideanNorm, Norm
from tralgos.operators import DenseOperator
from tralgos.subproblems.selection import DEFAULT_MEMORY
from tralgos.subproblems.sphere_options import SphereDescent
from tralgos.subproblems.steihaug import Steihaug

__all__ = ["SUBPROBLEMS", "InnerChoice", "checked_choice", "inner_solver"]

#: "krylov" and "direct" solve as far as the minimiser needs it, "exact" to a certified gap.
SUBPROBLEMS = ("krylov", "direct", "exact", "steihaug", "sphere-descent")
InnerChoice = str | Steihaug | SphereDescent

#: Share of the decrease that a step on the boundary may miss.
_BOUNDARY = 0.05
#: The last model of a run is solved to this part of the tolerance on the gradient.
_LAST = 0.7


def checked_choice(choice: InnerChoice) -> InnerChoice:
    """`choice` itself, or an ArgumentError that lists what there is."""
    if not isinstance(choice, Steihaug | SphereDescent):
        check_choice(choice, "subproblem", SUBPROBLEMS)
    return choice


def inner_solver(
    choice: InnerChoice,
    problem: Evaluator,
    H: CountedOperator,
    g: Array,
    norm: Norm,
    forcing: Forcing,
    rng: np.random.Generator,
) -> InnerSolver:
    """The solver of one model.

    Parameters
    ----------
    choice : str or record
        See :data:`SUBPROBLEMS`.
    problem : Evaluator
        Gives the tolerance on the gradient and the budget.
    H, g, norm
        The model.
    forcing : Forcing
        How far "krylov" goes.
    rng : numpy.random.Generator
        For the solvers that draw.
    """
    dense = isinstance(H.operand, DenseOperator)
    if choice == "krylov":
        return _krylov(problem, H, g, norm, forcing)
    if choice == "direct":
        matrix = H.operand if isinstance(H.operand, DenseOperator) else multiplied_out(H, g)
        return DirectInner(matrix, g, norm)
    options: dict[str, Any] = {"rng": rng, "max_matvec": problem.matvecs_left}
    if choice == "exact":
        options |= {"method": "auto", "certify": "auto"}
    else:
        options |= {"method": choice, "certify": "none"}
    # A matrix that is factorised costs no products; one that is multiplied with does.
    return SubproblemInner(H.operand if dense and choice == "exact" else H, g, norm, **options)


def _krylov(
    problem: Evaluator, H: CountedOperator, g: Array, norm: Norm, forcing: Forcing
) -> KrylovInner:
    size = norm.dual_norm(g)
    length = size if isinstance(norm, EuclideanNorm) else EuclideanNorm().norm(g)
    euclidean = problem.gtol / max(length, problem.gtol)
    target = max(forcing.eta, _LAST * euclidean) * size
    return KrylovInner(
        H,
        g,
        norm,
        rtol=0.1 * forcing.eta**2,
        residual=target,
        boundary_rtol=_BOUNDARY,
        memory=DEFAULT_MEMORY,
    )
