"""Section 3.2, inside the ball: Lemma 4 and Theorem 5, and the start that they need.

Plain gradient descent from z_0 = -alpha g/||g||, at fifty digits. The iterates are
run as printed, so that the check does not lean on the closed form that the proof uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice, pairwise

from hypothesis.strategies import SearchStrategy

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
)
from theory_checks.claim import in_roundings as in_units
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    assumption_1,
    assumption_2,
    fewer_dimensions,
    has_gradient,
    operator_norm,
    positive_step,
    problem,
    runs_well,
    start,
    step_size,
)
from theory_checks.claims.efficient_tr.growth import flat_screen, followed_screen
from theory_checks.claims.efficient_tr.iterations import Vector, gradient_descent, gradient_step
from theory_checks.oracle import gradient_at
from theory_checks.precise import Real, dot, norm, precise, reals
from theory_checks.strategies import fractions_of_one, problems

__all__ = ["claims"]

#: Iterations that Lemma 4 and Theorem 5 are followed for.
_FOLLOWED = 20

Step = Callable[[Vector, Vector, Real], Vector]


def _strategy() -> SearchStrategy[Instance]:
    return problems(4, alpha=fractions_of_one(), fraction=fractions_of_one())


def _iterates(instance: Instance, step: Step = gradient_step) -> list[Vector]:
    run = gradient_descent(
        reals(instance["eigenvalues"]),
        reals(instance["gradient"]),
        start(instance),
        step_size(instance),
        step=step,
    )
    return list(islice(run, _FOLLOWED))


def _edges() -> Iterable[Instance]:
    yield problem([-1.0], [1.0], 0.5)
    yield problem([0.5], [1.0], 0.5)
    yield problem([-1.0, -1.0], [1.0, 1.0], 0.5, 0.99)
    yield problem([-1.0, 0.0, 1.0], [1.0, 1.0, 1.0], 0.25, 0.99)
    yield problem([-1.0, 8.0], [1e-4, 8.0], 0.9, 0.99)
    yield problem([-0.125, 1.0], [0.0625, 0.5], 0.75)
    yield problem([0.5, 1.0], [0.125, 0.125], 0.5, 0.875)


def _decay(instance: Instance) -> Real:
    """max(0, 1 - eta ||g||/alpha): what the sums of the proof can shrink by in a step."""
    gradient = reals(instance["gradient"])
    if instance["alpha"] == 0:
        return precise().mpf(0)
    share = 1 - step_size(instance) * norm(gradient) / precise().mpf(instance["alpha"])
    return max(share, precise().mpf(0))


def _followed_margins(sums: list[tuple[Real, Real]], decay: Real) -> dict[str, float]:
    """From sums S_t with their sizes: S_{t+1} >= decay S_t, and S_t >= 0 for all t iff for 0."""
    shrinking = [
        in_units(after - decay * before, size + other, EXACT)
        for (before, size), (after, other) in pairwise(sums)
    ]
    first, rounding = sums[0]
    if decay == 0:
        shrinking.append(in_units(first, rounding, EXACT))
    # A first sum at rounding level has no sign to compare.
    decided = abs(first) > 1e-30 * rounding
    throughout = all(s >= -1e-40 * size for s, size in sums)
    return {
        "the sum shrinks by no more": min(shrinking),
        "for all t iff for t = 0": fact(not decided or throughout == (first > 0)),
    }


def _both_sides(sums: list[tuple[Real, Real]], decay: Real) -> tuple[float, float] | None:
    """The pair (decay S_t, S_{t+1}) that is closest, of those above the rounding."""
    pairs = [
        (float(decay * before), float(after))
        for (before, size), (after, _) in pairwise(sums)
        if before > 1e-20 * size and decay > 0
    ]
    return max(pairs, key=lambda pair: pair[0] / pair[1], default=None)


_SETTING = (positive_step(), has_gradient(), assumption_1(), assumption_2(), runs_well())


# --- Lemma 4 ------------------------------------------------------------------------


def _lemma_4_terms(instance: Instance, step: Step = gradient_step) -> list[tuple[Real, Real]]:
    """z'H grad f - beta z' grad f along the iterates, each with its size."""
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    beta = precise().mpf(operator_norm(instance))
    terms = []
    for z in _iterates(instance, step):
        gradient = gradient_at(spectrum, slope, z)
        bent = [h * x for h, x in zip(spectrum, z, strict=True)]
        left, right = dot(bent, gradient), beta * dot(z, gradient)
        terms.append((left - right, beta * norm(z) * (norm(gradient) + norm(slope))))
    return terms


def _printed_lemma_4(instance: Instance) -> Margins:
    terms = _lemma_4_terms(instance)
    return {"z'H grad f >= beta z' grad f": min(in_units(s, size, EXACT) for s, size in terms)}


def _start_of_lemma_4(instance: Instance) -> Real:
    """||g|| (beta ||g||^2 - g'Hg) - alpha (beta g'Hg - ||Hg||^2)."""
    gradient = reals(instance["gradient"])
    bent = [h * g for h, g in zip(instance["eigenvalues"], gradient, strict=True)]
    beta, alpha = precise().mpf(operator_norm(instance)), precise().mpf(instance["alpha"])
    curved, square = dot(gradient, bent), dot(gradient, gradient)
    return norm(gradient) * (beta * square - curved) - alpha * (beta * curved - dot(bent, bent))


def _lemma_4_margins(instance: Instance, step: Step = gradient_step) -> Margins:
    terms = _lemma_4_terms(instance, step)
    first, size = terms[0]
    condition = _start_of_lemma_4(instance)
    beta, g = precise().mpf(operator_norm(instance)), norm(reals(instance["gradient"]))
    # The sum at the start is the condition times alpha/||g||^2.
    scaled = condition * precise().mpf(instance["alpha"]) / g**2
    return {
        **_followed_margins(terms, _decay(instance)),
        "the condition is the case t = 0": in_units(-abs(first - scaled), size + beta * g, EXACT),
    }


def _lemma_4_bound(instance: Instance) -> tuple[float, float] | None:
    return _both_sides(_lemma_4_terms(instance), _decay(instance))


# --- Theorem 5 ----------------------------------------------------------------------


def _growths(instance: Instance, step: Step = gradient_step) -> list[tuple[Real, Real]]:
    """||z_{t+1}||^2 - ||z_t||^2, each with its size."""
    squares = [dot(z, z) for z in _iterates(instance, step)]
    return [(after - before, after + before) for before, after in pairwise(squares)]


def _printed_theorem_5(instance: Instance) -> Margins:
    growths = _growths(instance)
    return {"the norm does not fall": min(in_units(s, size, EXACT) for s, size in growths)}


def _first_growth(instance: Instance) -> Real:
    """eta ||grad f(z_0)||^2 - 2 z_0' grad f(z_0)."""
    first = start(instance)
    gradient = gradient_at(reals(instance["eigenvalues"]), reals(instance["gradient"]), first)
    return step_size(instance) * dot(gradient, gradient) - 2 * dot(first, gradient)


def _sufficient(instance: Instance) -> bool:
    """alpha g'Hg <= ||g||^3."""
    gradient = reals(instance["gradient"])
    bent = [h * g for h, g in zip(instance["eigenvalues"], gradient, strict=True)]
    return bool(precise().mpf(instance["alpha"]) * dot(gradient, bent) <= norm(gradient) ** 3)


def _theorem_5_margins(instance: Instance, step: Step = gradient_step) -> Margins:
    growths = _growths(instance, step)
    first, size = growths[0]
    margins = _followed_margins(growths, _decay(instance))
    stated = step_size(instance) * _first_growth(instance)
    gradient = norm(reals(instance["gradient"]))
    margins["the condition is the case t = 0"] = in_units(
        -abs(first - stated), size + step_size(instance) * gradient, EXACT
    )
    if _sufficient(instance):
        margins["alpha g'Hg <= ||g||^3 is enough"] = min(
            in_units(s, size, EXACT) for s, size in growths
        )
    return margins


def _theorem_5_bound(instance: Instance) -> tuple[float, float] | None:
    return _both_sides(_growths(instance), _decay(instance))


# --- the claims ---------------------------------------------------------------------


def _start_conditions(long_step: Instance, opposite: Instance) -> tuple[Condition, ...]:
    return (
        positive_step(),
        has_gradient(),
        assumption_1(
            Dropped((long_step,), note="A step beyond 1/beta makes a component oscillate.")
        ),
        assumption_2(
            Dropped((opposite,), note="From the other side, alpha < 0, components cross zero.")
        ),
        runs_well(),
    )


def _uphill(z: Vector, slope: Vector, eta: Real) -> Vector:
    return [x + eta * d for x, d in zip(z, slope, strict=True)]


def _undivided(z: Vector, slope: Vector, eta: Real) -> Vector:
    return [x - eta * d for x, d in zip(z, slope[::-1], strict=True)]


def _tripled(z: Vector, slope: Vector, eta: Real) -> Vector:
    return [x - 3 * eta * d for x, d in zip(z, slope, strict=True)]


def _sabotage(margins: Callable[[Instance, Step], Margins]) -> tuple[Sabotage, ...]:
    def broken(name: str, step: Step) -> Sabotage:
        return Sabotage(name, lambda instance: margins(instance, step))

    return (
        broken("uphill: z + eta grad f", _uphill),
        broken("three times the step", _tripled),
        broken("components of the gradient in the wrong order", _undivided),
    )


def _steep() -> Iterable[Instance]:
    yield problem([1.0, 2.0], [0.25, 0.0], 0.5)
    yield problem([-2.0, 1.0], [0.0, 0.25], 0.5)


def _lemma_4() -> Claim:
    text = "z_t' H grad f(z_t) >= beta z_t' grad f(z_t) along the iterates of gradient descent"
    tex = r"z_t^\top H \nabla f(z_t) \ge \beta z_t^\top \nabla f(z_t)"
    printed = Form(
        text,
        tex,
        _SETTING,
        _strategy,
        _printed_lemma_4,
        edges=_edges,
        screen=flat_screen(),
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        f"{text}, for all t if and only if for t = 0, that is "
        "alpha (beta g'Hg - ||Hg||^2) <= ||g|| (beta ||g||^2 - g'Hg); the difference S_t of the "
        "sides obeys S_{t+1} >= max(0, 1 - eta ||g||/alpha) S_t from every start",
        rf"\forall t:\ {tex} \iff \alpha(\beta g^\top H g - \|Hg\|^2) \le "
        r"\|g\|(\beta\|g\|^2 - g^\top H g)",
        _start_conditions(
            problem([0.5, 1.0], [0.125, 0.125], 0.5, 2.5),
            problem([-4.0, -2.0], [0.5, 2.0], -0.25),
        ),
        _strategy,
        _lemma_4_margins,
        edges=lambda: (*_edges(), *_steep()),
        screen=followed_screen(of_norm=False),
        reduce=fewer_dimensions,
        bound=_lemma_4_bound,
        sabotage=_sabotage(_lemma_4_margins),
        effort=60,
    )
    return Claim(
        "efficient-tr/lemma-4",
        "z'H grad f(z) >= beta z' grad f(z)",
        PAPER,
        "Lemma 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The proof's last step replaces lambda_{i*} by beta, which needs z' grad f <= 0; "
        "that is what Theorem 5 proves by induction, from Lemma 4, and the base case "
        "z_0' grad f(z_0) <= 0 is nowhere assumed. It is enough (Chebyshev's sum inequality) and "
        "more than is needed. For n = 1 both sides are equal whenever lambda1 >= 0.",
        proof="docs/theory-efficient-tr.md, 'What grows in phase I'.",
        ours="The start condition that is necessary and sufficient for Lemma 4, and the "
        "inequality between one iteration and the next that holds from every start.",
    )


def _theorem_5() -> Claim:
    printed = Form(
        "as long as the iterates are those of plain gradient descent, ||z_t|| is increasing",
        r"\|z_{t+1}\| \ge \|z_t\|",
        _SETTING,
        _strategy,
        _printed_theorem_5,
        edges=_edges,
        screen=flat_screen(),
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        "||z_{t+1}|| >= ||z_t|| for all t if and only if for t = 0, that is "
        "2 z_0' grad f(z_0) <= eta ||grad f(z_0)||^2, for which alpha g'Hg <= ||g||^3 is enough "
        "(and, for every eta at once, necessary); from any start the norm, once it does not "
        "fall, never falls again",
        r"\forall t:\ \|z_{t+1}\| \ge \|z_t\| \iff "
        r"2 z_0^\top\nabla f(z_0) \le \eta\|\nabla f(z_0)\|^2 \impliedby "
        r"\alpha g^\top H g \le \|g\|^3",
        _start_conditions(
            problem([-1.0, 1.0], [0.125, 2.0], 0.5, 1.5),
            problem([-4.0, -2.0], [0.125, 1.0], -0.25),
        ),
        _strategy,
        _theorem_5_margins,
        edges=_edges,
        screen=followed_screen(of_norm=True),
        reduce=fewer_dimensions,
        bound=_theorem_5_bound,
        sabotage=_sabotage(_theorem_5_margins),
        effort=60,
    )
    return Claim(
        "efficient-tr/theorem-5",
        "the norm increases in phase I",
        PAPER,
        "Theorem 5",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The induction has no base case: z_0' grad f(z_0) <= 0 is used and not assumed. "
        "Without it the norm can fall at once. A start with alpha <= ||g||/beta always has it. "
        "The unboundedness drawn from it needs lambda1 < 0 and g1 != 0 besides: for a positive "
        "definite H the iterates converge.",
        proof="docs/theory-efficient-tr.md, 'What grows in phase I'.",
        ours="The start condition that is necessary and sufficient for Theorem 5, and that the "
        "norm falls for a while, if at all, and then grows, from every start of Assumption 2.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims about what grows in phase I."""
    return (_lemma_4(), _theorem_5())
