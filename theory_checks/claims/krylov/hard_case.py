"""The hard case: where the space never has the solution, and a random start that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    in_roundings,
)
from theory_checks.claims.krylov.bounds import fejer_bound
from theory_checks.claims.krylov.common import (
    PAPER,
    PLACE,
    Known,
    at_most,
    edges,
    fewer_dimensions,
    gap_of,
    instance_of,
    known,
    meaningful,
    small_instances,
)
from theory_checks.claims.krylov.judged import BROKEN, bounded, broken
from theory_checks.claims.krylov.space import Minimiser, Problem, trust_region_minimiser
from theory_checks.precise import Real, norm, precise, real, reals

__all__ = ["claims"]


# --- the end after as many products as there are eigenvalues -----------------------------


def _distinct(data: Known) -> int:
    """The number of eigenvalues whose eigenspaces g sees."""
    seen = {h for h, g in zip(data.problem.spectrum, data.problem.gradient, strict=True) if g != 0}
    return len(seen)


def _nothing_left(data: Known, t: int) -> Real:
    """0 from the order on at which the space is invariant, else what is always true."""
    return precise().mpf(0) if t >= _distinct(data) else precise().inf


def _hard_case_start() -> Claim:
    margins = partial(bounded, bound=_nothing_left)
    easy = Condition(
        "not the hard case",
        r"\lambda_{\min} + \lambda^* > 0",
        lambda i: min(i["curvatures"]) > 0,
        Dropped(
            (
                instance_of([0.0], [1.0], 1.0, 1),
                instance_of([0.0, 1.0], [1.0, 1.0], 1.0, 2),
                instance_of([0.0, 1.0, 2.0], [0.1, 1.0, 1.0], 0.5, 3),
            ),
            note="H = diag(-1, 0), g = (0, -1), radius sqrt 2: the space is the second axis, and "
            "the gap is 1/2 for every t.",
        ),
    )
    printed = Form(
        "the Krylov space of g has the solution as soon as its order is the number of eigenvalues "
        "that g sees",
        r"t \ge |\{\lambda : P_\lambda g \ne 0\}| \implies q(s_t) = q^*",
        (meaningful(), easy),
        small_instances,
        margins,
        edges,
        reduce=fewer_dimensions,
        sabotage=broken(margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/hard-case-start",
        "that a Krylov space of g has the solution, and that it has not in the hard case",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="In the hard case s* has a part in an eigenspace that g does not see, and no number "
        "of products finds it; the bounds of this page then say nothing (m = 0, an angle of 90 "
        "degrees), and do not fail.",
        proof="s* = -A^-1 g is a polynomial in H times g if A is regular.",
    )


# --- a random start --------------------------------------------------------------------


def _perturbed(instance: Instance) -> tuple[Known, Problem, Real]:
    """The problem, the one with g + epsilon u, and epsilon."""
    data = known(instance)
    direction, epsilon = reals(instance["direction"]), real(instance["epsilon"])
    length = norm(direction)
    moved = [
        g + epsilon * u / length for g, u in zip(data.problem.gradient, direction, strict=True)
    ]
    problem = Problem(data.problem.spectrum, moved, data.problem.radius, data.problem.sigma)
    return data, problem, epsilon


def _start_sides(instance: Instance, minimiser: Minimiser) -> tuple[Known, Real, Real]:
    """The problem, the gap of the minimiser for g + epsilon u, and the bound."""
    data, problem, epsilon = _perturbed(instance)
    t = int(instance["t"])
    bound = 2 * epsilon * data.problem.radius + fejer_bound(data, t, problem.gradient)
    return data, gap_of(data, minimiser(problem, t)), bound


def _start_margins(instance: Instance, minimiser: Minimiser = trust_region_minimiser) -> Margins:
    data, gap, bound = _start_sides(instance, minimiser)
    return {
        "the gap is at least 0": at_most(data, 0 * gap, gap),
        "the gap is at most the bound": at_most(data, gap, bound),
    }


def _start_pair(instance: Instance) -> tuple[float, float] | None:
    data, gap, bound = _start_sides(instance, trust_region_minimiser)
    return (float(gap), float(bound)) if bound < data.decrease else None


def _start_strategy() -> SearchStrategy[Instance]:
    def started(instance: Instance) -> SearchStrategy[Instance]:
        n = len(instance["step"])
        entries = st.one_of(st.integers(-4, 4).map(float), st.floats(-4.0, 4.0).map(_not_tiny))
        return st.fixed_dictionaries(
            {
                **{key: st.just(value) for key, value in instance.items()},
                "direction": st.lists(entries, min_size=n, max_size=n).filter(any),
                "epsilon": st.floats(-6.0, 0.0).map(lambda x: 10.0**x),
            }
        )

    hard = small_instances().map(lambda i: {**i, "curvatures": [0.0, *i["curvatures"][1:]]})
    return st.one_of(hard, small_instances()).flatmap(started)


def _not_tiny(x: float) -> float:
    return x if abs(x) > 1e-6 else 0.0


def _start_edges() -> Iterable[Instance]:
    for instance in edges():
        n = len(instance["step"])
        for epsilon in (1e-3, 0.5):
            yield {**instance, "direction": [1.0] * n, "epsilon": epsilon}


def _random_start() -> Claim:
    moved = Condition(
        "g + epsilon u != 0",
        r"g + \epsilon u \ne 0,\ \|u\| = 1,\ \epsilon > 0",
        lambda i: bool(
            1e-9 <= i["epsilon"] <= 1e6
            and len(i["direction"]) == len(i["step"])
            and any(i["direction"])
            and max(abs(x) for x in i["direction"]) <= 1e6
            and min(abs(x) for x in i["direction"] if x) >= 1e-9
            and any(_perturbed(i)[1].gradient)
        ),
        kept="with g + epsilon u = 0 there is no Krylov space; sizes so that fifty digits do",
    )
    printed = Form(
        "the minimiser for g + epsilon u over its Krylov space and the ball has, for g, a gap of "
        "at most the bound of the rate t^-2 with the angle of g + epsilon u, and 2 epsilon ||s*|| "
        "besides; the hard case included",
        r"q(\tilde s_t) - q^* \le (\lambda_{\max} - \lambda_{\min}) \|s^*\|^2 \Bigl("
        r"\frac{3}{4t(t+2)} + \tfrac12 \tanh^2 \frac{\operatorname{arsinh}"
        r"\tan\angle(\tilde g, v)}{2t-1}\Bigr) + 2 \epsilon \|s^*\|,\ \tilde g = g + \epsilon u",
        (meaningful(), moved),
        _start_strategy,
        _start_margins,
        _start_edges,
        bound=_start_pair,
        sabotage=broken(
            _start_margins, BROKEN, "the space is never extended", "gradient descent in its place"
        ),
        effort=50,
    )
    return Claim(
        "krylov/random-start",
        "a perturbed gradient finds the solution of the hard case",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Carmon and Duchi (2018) with other constants. What the angle of a random u is, "
        "random-start-probability says.",
        proof="docs/krylov-rates.md, Theorem 7: q changes by at most epsilon ||s*|| on the ball.",
        ours="The constants, as in sublinear-constant.",
    )


# --- how likely a small angle is ---------------------------------------------------------


def _below(x: Real, n: int) -> Real:
    """P(u_1 <= x) for u uniform on the sphere in n dimensions."""
    context = precise()
    if x <= -1:
        return context.mpf(0)
    if x >= 1:
        return context.mpf(1)
    half = context.mpf(1) / 2
    inner = context.betainc(half, context.mpf(n - 1) / 2, 0, x * x, regularized=True)
    return half + (inner if x >= 0 else -inner) / 2


def _chance_margins(instance: Instance) -> Margins:
    context = precise()
    n, width, offset = int(instance["n"]), real(instance["width"]), real(instance["offset"])
    chance = _below(width - offset, n) - _below(-width - offset, n)
    half = context.mpf(1) / 2
    peak = context.gamma(context.mpf(n) / 2) / (
        context.sqrt(context.pi) * context.gamma((context.mpf(n) - 1) / 2)
    )
    simple = width * context.sqrt(2 * n / context.pi)
    return {
        "at most twice the width times the density at 0": in_roundings(
            2 * width * peak - chance, 2 * width * peak
        ),
        "at most c sqrt(2n/pi)": in_roundings(simple - 2 * width * peak, simple + 0 * half),
    }


def _chance_pair(instance: Instance) -> tuple[float, float]:
    n, width, offset = int(instance["n"]), real(instance["width"]), real(instance["offset"])
    chance = _below(width - offset, n) - _below(-width - offset, n)
    return float(chance), float(width * precise().sqrt(2 * n / precise().pi))


def _chance_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "n": st.one_of(st.integers(3, 6), st.integers(3, 400)),
            "width": st.floats(-6.0, 0.0).map(lambda x: 10.0**x),
            "offset": st.one_of(st.just(0.0), st.floats(-1.0, 1.0)),
        }
    )


def _random_start_probability() -> Claim:
    enough = Condition(
        "n >= 3",
        r"n \ge 3",
        lambda i: i["n"] >= 3,
        Dropped(
            ({"n": 2, "width": 0.1, "offset": 0.9},),
            note="On the circle u_1 is most often near 1 and -1: 0.205 against 0.113.",
        ),
    )
    printed = Form(
        "for u uniform on the sphere, n >= 3, and any number a, |a + u_1| <= c has a probability "
        "of at most c sqrt(2n/pi); so |v'(g + epsilon u)| >= delta epsilon sqrt(pi/(2n)) with "
        "probability 1 - delta, whatever g is",
        r"P(|a + u_1| \le c) \le 2c\, \frac{\Gamma(n/2)}{\sqrt\pi\, \Gamma((n-1)/2)} \le "
        r"c \sqrt{2n/\pi}",
        (
            enough,
            Condition(
                "a width",
                r"c > 0",
                lambda i: bool(i["n"] >= 2 and 1e-9 <= i["width"] <= 4 and abs(i["offset"]) <= 4),
                kept="it says what is tried",
            ),
        ),
        _chance_strategy,
        _chance_margins,
        lambda: (
            {"n": n, "width": width, "offset": offset}
            for n in (3, 4, 100)
            for width in (1e-3, 0.5, 1.0)
            for offset in (0.0, 0.5, -0.9)
        ),
        bound=_chance_pair,
        effort=60,
    )
    return Claim(
        "krylov/random-start-probability",
        "how likely a random start hardly sees the leftmost eigenvector",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="By the incomplete beta function. In two dimensions it is false, and a normal u in "
        "the place of a uniform one is right in all.",
        proof="docs/krylov-rates.md, Lemma 3: from three dimensions on the density of u_1 is "
        "largest at 0.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_hard_case_start(), _random_start(), _random_start_probability())
