"""Does Algorithm 1 end? Where a step fails at every radius it stands still for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.algorithm_1 import Run
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER
from theory_checks.claims.adaptive_norms.theorem_1_constants import rejections
from theory_checks.claims.adaptive_norms.theorem_1_local import (
    algorithm_of,
    constants_of,
    drawn,
    fewer_dimensions,
    is_proper,
    local,
    local_run,
    spread,
    tolerances,
)
from theory_checks.precise import Real, exact, norm, precise, real, reals, sum_of_squares

__all__ = ["broken_parts", "claims"]

#: Rejections in a row that are waited for, and then one at a radius 2^-80 times as large.
_PATIENCE = 12

#: Rejections in a row that the amended form may predict.
_LONGEST = 200


# --- as printed ---------------------------------------------------------------------


def _printed_margins(i: Instance) -> Margins:
    """The best ratio over the radii of a run that stands still, and over a tiny one."""
    rows = []
    for radius in (i["radius"], i["radius"] * 2.0**-80):
        found = local_run(i, algorithm_of({**i, "radius": radius}, {}), _PATIENCE)
        if found.ended or any(row.taken for row in found.rows):
            return {"a step is taken, or the run ends": fact(True)}
        rows += found.rows
    best = max(row.ratio for row in rows)
    return {"a step is taken, or the run ends": in_roundings(best - i["eta"], 1, EXACT)}


# --- as amended ---------------------------------------------------------------------


def _amended_run(i: Instance, broken: dict[str, Any]) -> tuple[Run, int]:
    """The run up to its first step, and the rejections that are allowed before."""
    constants = constants_of(i)
    curved = norm([a + b for a, b in _with_error(i)]) <= real(i["eps_g"])
    succeeds = constants.second_order_radius() if curved else constants.first_order_radius()
    allowed = rejections(i["radius"], succeeds, i["gamma"], _LONGEST)
    return local_run(i, algorithm_of(i, broken), allowed + 1), allowed


def _with_error(i: Instance) -> list[tuple[Real, Real]]:
    return list(zip(reals(i["gradient"]), reals(i["gradient error"]), strict=True))


def _amended_margins(i: Instance, broken: dict[str, Any] | None = None) -> Margins:
    found, allowed = _amended_run(i, broken or {})
    if not found.rows:
        return _margins_at_the_end(i)
    first = next((t for t, row in enumerate(found.rows) if row.taken), len(found.rows))
    margins = {"rejections in a row": in_roundings(allowed - first, 1, EXACT)}
    if first < len(found.rows):
        row = found.rows[first]
        worth = constants_of(i).decrease(row.radius, curved=row.curved)
        slack = row.actual - real(i["eta"]) * worth
        margins["what the step is worth"] = in_roundings(slack, worth, EXACT)
    return margins


def _margins_at_the_end(i: Instance) -> Margins:
    """The point that the test accepts, for the gradient and the Hessian themselves."""
    gap, kappa = 1 - real(i["eta"]), real(spread(i))
    first = real(i["eps_g"]) * (1 + gap / (4 * precise().sqrt(kappa)))
    second = real(i["eps_H"]) * (1 + gap * real(i["nu"]) / (2 * kappa))
    size, lowest = norm(reals(i["gradient"])), min(reals(i["hessian"]))
    return {
        "gradient at the end": in_roundings(first - size, first, EXACT),
        "curvature at the end": in_roundings(lowest + second, second, EXACT),
    }


def _bound(i: Instance) -> tuple[float, float] | None:
    found, allowed = _amended_run(i, {})
    count = sum(not row.taken for row in found.rows)
    return (count, allowed) if 0 < allowed < _LONGEST and found.rows else None


# --- broken on purpose --------------------------------------------------------------


def broken_parts() -> dict[str, dict[str, Any]]:
    """Return Algorithm 1 broken in several ways, each as parts to be replaced."""
    return {
        "the radius never shrinks": {"exponent": lambda j, taken: j + 1 if taken else j},
        "no curvature in the model": {
            "curvature": lambda hessian: [[0 * x for x in row] for row in hessian]
        },
        "every step is taken": {"accepts": lambda ratio, eta: True},
        "no gradient in the test": {"length": lambda g, a, arithmetic: 0 * g[0]},
        "the test is in the norm of A": {
            "length": lambda g, a, arithmetic: arithmetic.sqrt(
                sum(x * x * y for x, y in zip(g, a, strict=True))
            )
        },
        "either side of the eigenpoint": {"side": "plus"},
    }


def _sabotage(
    margins: Callable[[Instance, dict[str, Any]], Margins],
) -> tuple[Sabotage, ...]:
    def of(parts: dict[str, Any]) -> Callable[[Instance], Margins]:
        return lambda i: margins(i, parts)

    return tuple(Sabotage(name, of(parts)) for name, parts in broken_parts().items())


# --- the hypotheses -----------------------------------------------------------------


def _proper() -> Condition:
    return Condition(
        "proper",
        r"\epsilon_g, \epsilon_H, \Delta_0 > 0,\ 0 < \eta, \nu, \beta < 1 < \gamma,\ A_t \succ 0",
        is_proper,
        kept="without it the algorithm is not defined",
    )


def _errors(i: Instance) -> tuple[Fraction, Fraction]:
    """The square of the error of g_t, and the error of B_t."""
    return (
        sum_of_squares(exact(i["gradient error"])),
        max(abs(e) for e in exact(i["hessian error"])),
    )


def _assumption_1(i: Instance) -> bool:
    first, second = tolerances(i)
    return _errors(i)[0] <= first**2 and _errors(i)[1] <= second


def _gradient_accurate(i: Instance) -> bool:
    return is_proper(i) and _errors(i)[0] * spread(i) <= tolerances(i)[0] ** 2


def _hessian_accurate(i: Instance) -> bool:
    return is_proper(i) and _errors(i)[1] * spread(i) <= tolerances(i)[1]


def uphill() -> Instance:
    """The gradient is dropped, and the eigenpoint happens to lie uphill."""
    return local([1.0], [-2.0], side="plus")


def thin_hessian() -> Instance:
    """At a saddle with g = 0 the ellipse is longest where the curvature is an error."""
    return local([0.0, 0.0], [-2.0, 0.0], errors=([0.0, 0.0], [0.0, -0.1]), norm=[1.0, 0.01])


def thin_gradient() -> Instance:
    """The ellipse is longest where the slope is an error, and wrong in its sign."""
    return local([2.0, -0.06], [0.0, 0.0], errors=([0.0, 0.12], [0.0, 0.0]), norm=[1.0, 1e-4])


def thin_rmsprop() -> Instance:
    """The same in the norm that the gradients g_t make themselves."""
    return local(
        [1.0, -0.09],
        [0.0, 0.0],
        errors=([0.0, 0.12], [0.0, 0.0]),
        rule="rmsprop",
        epsilon=1e-4,
    )


def _amended_hypotheses() -> tuple[Condition, ...]:
    return (
        _proper(),
        Condition(
            "the lower side",
            "where g_t was set to zero, L is evaluated at both w + s and w - s",
            lambda i: i["side"] == "lower",
            Dropped((uphill(),), note="Line 4 drops what would tell the sides apart."),
        ),
        Condition(
            "accurate gradients in the norm",
            r"\|g_t - \nabla L\| \le (1-\eta)\epsilon_g/(4\sqrt\kappa)",
            _gradient_accurate,
            Dropped((thin_gradient(), thin_rmsprop()), note="Assumption 1 is kept in both."),
        ),
        Condition(
            "accurate Hessians in the norm",
            r"\|B_t - \nabla^2 L\| \le (1-\eta)\nu\epsilon_H/(2\kappa)",
            _hessian_accurate,
            Dropped((thin_hessian(),), note="Assumption 1 is kept."),
        ),
        Condition(
            "a Lipschitz Hessian",
            r"\|\nabla^2 L(v) - \nabla^2 L(w)\| \le L_H \|v - w\|",
            lambda i: i["lipschitz"] >= max(abs(c) for c in i["third"]),
            Dropped(
                (
                    local([0.0], [-2.0], third=[8.0], lipschitz=0.0, radius=4.0),
                    local([2.0], [0.0], third=[48.0], lipschitz=0.5),
                ),
                note="More rejections come than a smaller constant allows.",
            ),
        ),
        Condition(
            "short enough to run",
            f"fewer than {_LONGEST} rejections",
            lambda i: is_proper(i) and _allowed_before(i) < _LONGEST,
            kept="it limits what is tried",
        ),
    )


def _allowed_before(i: Instance) -> int:
    constants = constants_of(i)
    least = min(constants.first_order_radius(), constants.second_order_radius())
    return rejections(i["radius"], least, i["gamma"], _LONGEST)


def _amended_edges() -> Iterable[Instance]:
    yield local([1.0], [-2.0])
    yield local([0.0], [-2.0], third=[8.0], radius=64.0)
    yield local([0.0], [-1.125], third=[8.0], errors=([0.0], [-0.125]), radius=64.0)
    yield local([2.0], [0.0], third=[8.0], radius=64.0)
    yield local([2.0], [-4.0], third=[8.0], radius=4.0, eps_H=4.0)
    yield local([2.0], [0.0], norm=[1 / 64], radius=64.0)
    yield local([2.0, 0.0], [1.0, -1.0], norm=[1.0, 0.25], third=[1.0, 1.0])
    yield local([2.0], [0.0], eps_H=8.0)


def _smallest_failures() -> Iterable[Instance]:
    yield uphill()
    yield thin_hessian()
    yield thin_gradient()
    yield thin_rmsprop()


def _printed() -> Form:
    return Form(
        "with Assumptions 1 and 2 Algorithm 1 ends: at each point at which it does not, some "
        "radius of those that it comes to gives a step that it takes",
        r"\exists j \ge 0:\ \rho(\Delta_t/\gamma^j) \ge \eta",
        (
            _proper(),
            Condition(
                "Assumption 1",
                r"\|g_t - \nabla L\| \le \delta_g,\ \|B_t - \nabla^2 L\| \le \delta_H",
                lambda i: is_proper(i) and _assumption_1(i),
                kept="the printed form falls with it",
            ),
        ),
        lambda: drawn(amended=False),
        _printed_margins,
        edges=_smallest_failures,
        reduce=fewer_dimensions,
        effort=10,
    )


def _amended() -> Form:
    return Form(
        "at each point at which it does not end Algorithm 1 takes a step after at most "
        "log_gamma(Delta_t/Delta_G) rejections where ||g_t|| > eps_g and "
        "log_gamma(Delta_t/Delta_H) else, rounded up; the step takes at least eta d off L; and "
        "where it ends, the point is stationary but for the errors of g_t and B_t",
        r"j \le \lceil \log_\gamma (\Delta_t/\Delta_{G,H}) \rceil_+,\quad "
        r"L(w_t) - L(w_{t+1}) \ge \eta\, d(\Delta)",
        _amended_hypotheses(),
        lambda: drawn(amended=True),
        _amended_margins,
        edges=_amended_edges,
        reduce=fewer_dimensions,
        bound=_bound,
        sabotage=_sabotage(_amended_margins),
        effort=40,
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    terminates = Claim(
        "adaptive-norms/theorem-1-terminates",
        "whether Algorithm 1 always ends",
        PAPER,
        "Theorem 1, Algorithm 1",
        Verdict.NEEDS,
        _printed(),
        _amended(),
        notes="It need not, for three reasons. With exact derivatives and in one dimension: "
        "L = w - w^2 near 0, eps_g = eps_H = 1, eta = 1/2. Line 4 drops the gradient, the model "
        "is -s^2, both s = 1 and s = -1 minimise it, and for s = Delta the ratio is "
        "1 - 1/Delta, which a smaller radius makes worse. In norms of A_t Assumption 1 is too "
        "weak by sqrt(kappa) for gradients and kappa for Hessians, kappa the quotient of the "
        "largest and the smallest eigenvalue: where the ellipse is long an error decides the "
        "step, and the ratio stays below eta at every radius. RMSProp makes such a norm by "
        "itself, of a gradient that is wrong by a constant. L bounded below is assumed in the "
        "introduction of the paper and not in the theorem.",
        proof="docs/theory-theorem-1.md",
        ours="The two counterexamples within Assumptions 1 and 2, and the number of rejections "
        "in a row with its constants, in norms that change.",
    )
    return (terminates,)
