"""How many vectors an iteration reads and writes, as it is written for devices.

A pass is one vector of length n read or written. Each array that an operation of the library is
given, or makes, is one: an elementwise kernel reads its arguments and writes its result, an inner
product reads two. What a library does besides, such as copies inside of an inner product, is
not counted: it shows as a lower rate. ``docs/benchmarks-gpu.md`` derives the counts, and
``tests/benchmarks/test_passes.py`` counts them.
"""

from __future__ import annotations

__all__ = ["CURVEBALL", "KRYLOV", "PRODUCTS", "RANK"]

RANK = 4

#: Rows of the basis that are allocated together where n is large.
_BLOCK = 8

#: alpha reads 2; the recurrence reads 3 and writes 1; its square reads 2. The step reads each
#: vector of the basis once, and adds up the sums of the blocks of rows: a product that writes 1,
#: and an addition in place.
KRYLOV = 2 + (3 + 1) + 2 + 1 + (1 + 3) / _BLOCK

#: Of a product with each operator.
PRODUCTS = {
    # y = d x; from it six slices in place.
    "Laplacian": 2 + 6 * 3,
    # y = d x, with a vector d.
    "diagonal": 3,
    # U'x; d x; U times that; their sum.
    "diagonal + rank 4": (RANK + 1) + 3 + (RANK + 1) + 3,
}

_INNER = 2

#: Of a step with each problem, values, gradients and products included.
CURVEBALL = {
    # v = (z_Hq) + g; eight inner products; v'Hv; q, and x + q.
    "gradient and operator": 3
    + 8 * _INNER
    + _INNER
    + (3 + 3)
    # Hx, Hq and Hv; from Hx the value with 0.5 Hx + b, and the gradient Hx + b.
    + 3 * 3
    + (2 + 3 + _INNER)
    + 3,
    # v, by way of a product; eight inner products; q, and x + q.
    "linearised model": (2 + 2)
    + 8 * _INNER
    + (3 + 3)
    # A x, A q, A v, A'u; of that one a copy.
    + 4 * 3
    + 2
    # Value: residual, two products, the sums of rows, their mean. Gradient of the loss: residual,
    # weight, mean.
    + (3 + 2 + 3 + 2 + 2 + 1)
    + (3 + 2 + 2)
    # The loss's Hessian along q and along v; u.
    + 2 * (2 + 2)
    + (2 + 3),
}
