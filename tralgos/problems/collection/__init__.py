"""A collection of unconstrained test problems with exact derivatives.

The 35 problems of Moré, Garbow and Hillstrom (1981) and problems in any number of
variables of the kind found in CUTEst, for NumPy in float64. Their Hessians are dense,
sparse or operators, whichever is cheapest, and follow from the formulas by jets; see
:class:`CollectionProblem`.
"""

from tralgos.problems.collection.problem import CollectionProblem
from tralgos.problems.collection.registry import (
    more_garbow_hillstrom,
    names,
    problem,
    scalable,
)

__all__ = ["CollectionProblem", "more_garbow_hillstrom", "names", "problem", "scalable"]
