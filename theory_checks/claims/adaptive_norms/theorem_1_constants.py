"""The constants of Theorem 1: radii that succeed, what a step is worth, how many there are.

Derived in docs/theory-theorem-1.md. For all t and s: low ||s||^2 <= ||s||_A^2 <= high ||s||^2,
and kappa = high/low, at most mu^4 of Definition 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from theory_checks.precise import Real, precise, real

__all__ = ["Constants", "rejections"]


@dataclass(frozen=True)
class Constants:
    """What the count depends on.

    Attributes
    ----------
    low, high : number
        Bounds on the eigenvalues of all A_t.
    curvature : number
        L_B: a bound on ||B_t||, and at least eps_H.
    lipschitz : number
        L_H, of the Hessian.
    eta, nu, eps_g, eps_H, gamma : number
        As in Algorithm 1 and Assumption 1; nu is also how well the eigenpoint is found.
    exact_gradient : bool
        Whether g_t is the gradient.
    """

    low: Real
    high: Real
    curvature: Real
    lipschitz: Real
    eta: Real
    nu: Real
    eps_g: Real
    eps_H: Real
    gamma: Real
    exact_gradient: bool = False

    def _numbers(self) -> tuple[Real, ...]:
        names = ("low", "high", "curvature", "lipschitz", "nu", "eps_g", "eps_H")
        return tuple(real(getattr(self, name)) for name in names)

    def first_order_radius(self) -> Real:
        """Return the Delta_G up to which a step with ||g_t|| > eps_g succeeds."""
        context, slack = precise(), 1 - real(self.eta)
        low, high, bent, lipschitz, nu, eps_g, eps_H = self._numbers()
        size = eps_g / context.sqrt(high)
        radius = low * size / (2 * bent)
        if lipschitz > 0:
            radius = min(radius, context.sqrt(3 * slack * low**1.5 * size / (4 * lipschitz)))
        if not self.exact_gradient:
            return radius
        longer = [context.sqrt(low) * eps_g / context.sqrt(nu * eps_H * bent)]
        if lipschitz > 0:
            longer.append(context.cbrt(1.5 * slack * low**2.5 * size**2 / (bent * lipschitz)))
            longer.append(context.sqrt(1.5 * slack * low**1.5 * size / lipschitz))
        return max(radius, *([min(longer)]))

    def second_order_radius(self) -> Real:
        """Return the Delta_H up to which a step with ||g_t|| <= eps_g succeeds."""
        low, high, _, lipschitz, nu, _, eps_H = self._numbers()
        if lipschitz == 0:
            return precise().inf
        slack = 1 - real(self.eta)
        return 1.5 * slack * nu * eps_H * precise().sqrt(low) * low / (high * lipschitz)

    def decrease(self, radius: Real, *, curved: bool) -> Real:
        """Return what Assumption 2 guarantees the model, curved where ||g_t|| <= eps_g."""
        low, high, bent, _, nu, eps_g, eps_H = self._numbers()
        if curved:
            return nu * eps_H * radius**2 / (2 * high)
        size = eps_g / precise().sqrt(high)
        return size * min(radius, size * low / bent) / 2

    def least_radius(self, first: Real) -> Real:
        """Return a radius that no Delta_t falls below, from the first one."""
        failing = min(self.first_order_radius(), self.second_order_radius())
        return min(real(first), failing / real(self.gamma))

    def count(self, first: Real, budget: Real) -> Real:
        """Return the bound on the iterations: 2 (L(w_0) - inf L)/d + log_gamma(Delta_0/Delta).

        d is what the step of the least radius Delta takes off the objective.
        """
        least = self.least_radius(first)
        if precise().isinf(least):
            least = real(first)
        worth = real(self.eta) * min(self.decrease(least, curved=c) for c in (False, True))
        logarithm = precise().log(real(first) / least) / precise().log(real(self.gamma))
        return 2 * real(budget) / worth + logarithm


def rejections(radius: Real, succeeds: Real, gamma: Real, most: int) -> int:
    """Return the least j with radius / gamma^j <= succeeds, `most` where it is larger."""
    current = real(radius)
    for j in range(most):
        if current <= succeeds:
            return j
        current = current / real(gamma)
    return most
