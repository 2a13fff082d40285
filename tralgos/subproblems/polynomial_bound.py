"""The Lanczos polynomial as a bound on an extreme eigenvalue, at no extra cost.

The orthonormal polynomial p_k of a Lanczos run satisfies |p_k(lambda) omega| <= 1 for
every eigenvalue lambda, omega being the component of the start along its eigenvector,
since q_{k+1} = p_k(H) q_1 has norm one. Left of the least Ritz value |p_k| grows at once, so
the eigenvalue cannot be further left than where it reaches 1/|omega|; and a random
start has a component that is not small (van Dorsselaer, Hochstenbach and van der
Vorst 2000). The local recurrence is all that is used, so orthogonality does not matter.
"""

from __future__ import annotations

import math

import numpy as np

from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["RECURRENCE_MULTIPLE", "lanczos_lower_bound", "random_component"]

#: The local error of the Lanczos recurrence is below this times eps ||H||_M.
RECURRENCE_MULTIPLE = 8.0


def random_component(
    failure_probability: float, upper_eigenvalue: float, start_norm: float
) -> float:
    """What |omega_1| exceeds but for `failure_probability`, for a start q = M^-1 z / ||.||_M.

    With z standard normal and v a pencil eigenvector, v'Mv = 1, omega_1 = v'z /
    ||z||_{M^-1}. |v'z| < tau ||v||_2 has a probability of at most tau sqrt(2 / pi), and
    ||v||_2 >= lambda_max(M)^{-1/2}.

    Parameters
    ----------
    failure_probability : float
    upper_eigenvalue : float
        An upper bound on lambda_max(M).
    start_norm : float
        ||z||_{M^-1}.
    """
    tau = failure_probability * math.sqrt(math.pi / 2.0)
    return min(tau / (math.sqrt(upper_eigenvalue) * start_norm), 0.5)


def lanczos_lower_bound(
    T: Tridiagonal, beta: float, ritz: float, component: float, noise: float
) -> float:
    """A lower bound on lambda_1 from a Lanczos run whose start has a known component there.

    With omega_j = v'Mq_j for a leftmost eigenvector v the recurrence reads omega'(T -
    lambda_1) = -beta_k omega_{k+1} e_k' - f', so that

        |omega_1| <= psi(lambda_1),
        psi(t) = beta_k |e_k'(T - t)^-1 e_1| + ||f|| ||(T - t)^-1 e_1||,

    and psi decreases as t moves left from the least Ritz value. (The first term is
    1/|p_k(t)|, the second the rounding f of the recurrence, which also covers an
    invariant space.)

    Parameters
    ----------
    T : Tridiagonal
    beta : float
        beta_k.
    ritz : float
        The least eigenvalue of T.
    component : float
        A lower bound on |omega_1|.
    noise : float
        A bound on ||f||.

    Returns
    -------
    float
        The bound; -inf if there is none.
    """
    first = np.zeros(T.order)
    first[0] = 1.0

    def psi(distance: float) -> float:
        factor = T.factor(distance - ritz)
        if factor is None:
            return math.inf
        x = factor.solve(first)
        return beta * abs(float(x[-1])) + noise * float(np.linalg.norm(x))

    size = max(T.size(), abs(ritz), beta)
    if size == 0.0:
        return ritz
    low, high = math.log(1e-17) + math.log(size), math.log(1e20) + math.log(size)
    if psi(math.exp(high)) > component:
        return -math.inf
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if psi(math.exp(middle)) <= component else (middle, high)
    return ritz - math.exp(high)
