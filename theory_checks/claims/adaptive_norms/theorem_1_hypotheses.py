"""The runs of Algorithm 1 that Theorem 1 is tried on, and what is assumed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Condition, Dropped, Instance
from theory_checks.claims.adaptive_norms.theorem_1_runs import LONGEST, whole
from theory_checks.precise import Real

__all__ = ["drawn_runs", "edges", "hypotheses"]


def _stairs(**changed: Any) -> Instance:
    """A staircase whose every other step fails: the ratios are 1/4 and less than 0.22."""
    known: dict[str, Any] = {
        "eta": 0.24,
        "scale": 0.125,
        "radius": 0.125,
        "eps_g": 1.0,
        "eps_H": 0.96875,
        "gamma": 1.5,
    }
    return whole("staircase", **{**known, "cells": 16, **changed})


def edges() -> Iterable[Instance]:
    """Yield slow runs, runs that start on a ridge, and runs with errors in changing norms."""
    yield whole(start=[-0.25], radius=0.25)
    yield whole(radius=8.0, eta=0.5)
    yield _stairs()
    yield whole("valley", scale=0.25, cells=32, radius=2.0, eps_g=0.25, eps_H=5.0, eta=0.75)
    yield whole(start=[1.0], rule="rmsprop", epsilon=4.0)
    yield whole(
        sizes=[1.0, -2.0],
        waves=[1.0, 0.5],
        start=[0.25, 4.0],
        angle=0.5,
        rule="alternating",
        spread=2.0,
    )
    # Where A is small a gradient is shorter in its norm.
    yield whole(
        sizes=[1.0, 1.0],
        waves=[1.0, 1.0],
        start=[3.0, 2.5],
        rule="alternating",
        spread=0.5,
    )
    yield whole(start=[1.0], **{"gradient error": 1.0, "hessian error": 1.0})


def drawn_runs() -> SearchStrategy[Instance]:
    """Draw functions, norms, errors and parameters."""

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        def of(values: SearchStrategy[float]) -> SearchStrategy[list[float]]:
            return st.lists(values, min_size=n, max_size=n)

        quarter = st.integers(-8, 8).map(lambda k: k / 4)
        return st.fixed_dictionaries(
            {
                "function": st.sampled_from(["waves", "waves", "staircase", "valley"]),
                "sizes": of(st.sampled_from([1.0, 0.5, 2.0, -1.0])),
                "waves": of(st.sampled_from([1.0, 0.5, 1.5])),
                "start": of(st.one_of(st.just(0.0), quarter)),
                "angle": quarter,
                "scale": st.sampled_from([1.0, 2.0, 0.5]),
                "cells": st.sampled_from([1, 4, 16, 64]),
                "bend": st.sampled_from([2.0, 4.0, 8.0, 16.0]),
                "rule": st.sampled_from(["uniform", "alternating", "rmsprop"]),
                "spread": st.sampled_from([2.0, 1.5]),
                "beta": st.sampled_from([0.5, 0.75]),
                "epsilon": st.sampled_from([1.0, 4.0]),
                "gradient error": st.sampled_from([0.0, 0.0, 0.5, 0.9375]),
                "hessian error": st.sampled_from([0.0, 0.5, 0.9375]),
                "claimed lipschitz": st.just(1.0),
                "claimed budget": st.just(1.0),
                "eps_g": st.sampled_from([0.5, 1.0, 0.25]),
                "eps_H": st.sampled_from([0.5, 1.0, 0.25, 4.0]),
                "eta": st.sampled_from([0.25, 0.5, 0.75]),
                "nu": st.just(0.9375),
                "gamma": st.sampled_from([2.0, 1.5]),
                "radius": st.sampled_from([1.0, 2.0, 8.0]),
                "side": st.just("lower"),
            }
        )

    return st.integers(1, 2).flatmap(of_dimension)


# --- hypotheses ---------------------------------------------------------------------


def is_proper(i: Instance) -> bool:
    """Whether the parameters are in their ranges."""
    lengths = {len(i[name]) for name in ("sizes", "waves", "start")}
    return bool(
        len(lengths) == 1
        and 0 not in lengths
        and any(i["sizes"])
        and all(k > 0 for k in i["waves"])
        and 1e-3 < i["scale"] <= 8
        and i["cells"] >= 1
        and 0 < i["bend"] < 1e3
        and all(i[k] > 0 for k in ("spread", "epsilon", "eps_g", "eps_H", "radius"))
        and all(0 < i[name] < 1 for name in ("eta", "nu", "beta"))
        and 1.01 < i["gamma"] <= 16
        and all(abs(x) < 1e6 for name in ("sizes", "waves", "start") for x in i[name])
        and i["claimed lipschitz"] > 0
        and i["claimed budget"] > 0
    )


def _about_the_function() -> tuple[Condition, ...]:
    return (
        Condition(
            "a Lipschitz Hessian",
            r"\|\nabla^2 L(v) - \nabla^2 L(w)\| \le L_H \|v - w\|",
            lambda i: bool(i["claimed lipschitz"] >= 1.0),
            Dropped(
                (_stairs(cells=64, radius=1.0, **{"claimed lipschitz": 2.0**-10}),),
                note="Shorter steps are needed than a smaller constant allows.",
            ),
        ),
        Condition(
            "bounded below",
            r"\inf L > -\infty",
            lambda i: bool(i["claimed budget"] >= 1.0),
            Dropped(
                (
                    _stairs(cells=64, **{"claimed budget": 2.0**-10}),
                    _stairs(cells=1024, **{"claimed budget": 2.0**-14}),
                ),
                note="Stairs that go on for longer than is claimed.",
            ),
        ),
    )


def hypotheses(allowed: Callable[[Instance], Real]) -> tuple[Condition, ...]:
    """Return those of the amended theorem; `allowed` is the bound on the iterations.

    Every statement about the number of iterations is about these runs.
    """

    def accurate(i: Instance) -> bool:
        return bool(0.0 <= i["gradient error"] <= 1.0 and abs(i["hessian error"]) <= 1.0)

    return (
        Condition(
            "proper",
            r"\epsilon_g, \epsilon_H, \Delta_0 > 0,\ 0 < \eta, \nu, \beta < 1 < \gamma",
            is_proper,
            kept="without it the algorithm is not defined",
        ),
        Condition(
            "the lower side",
            "where g_t was set to zero, L is evaluated at both w + s and w - s",
            lambda i: bool(i["side"] == "lower"),
            Dropped((whole(start=[-0.25], radius=0.25, side="plus"),)),
        ),
        Condition(
            "accurate derivatives",
            r"\|g_t - \nabla L\| \le (1-\eta)\epsilon_g/(4\sqrt\kappa),\ "
            r"\|B_t - \nabla^2 L\| \le (1-\eta)\nu\epsilon_H/(2\kappa)",
            accurate,
            Dropped(
                (whole(sizes=[2.0], start=[1.5], eps_g=1.0, eps_H=1.0, **{"gradient error": 8.0}),),
                note="An error of g_t that hides three quarters of the gradient.",
            ),
        ),
        *_about_the_function(),
        Condition(
            "short enough to run",
            f"the bound is at most {LONGEST}",
            lambda i: is_proper(i) and bool(allowed(i) <= LONGEST),
            kept="it limits what is tried",
        ),
    )
