"""The claims on sphere descent: their oracles, their screens, their kept counterexamples."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory_checks.claim import Instance, Verdict
from theory_checks.claims.efficient_tr import claims as group
from theory_checks.claims.efficient_tr.armijo import with_rule
from theory_checks.claims.efficient_tr.bulk import drawn_problems, dual_minimum, plain_row
from theory_checks.claims.efficient_tr.common import problem, unit_vector
from theory_checks.claims.efficient_tr.iterations import (
    PRINTED,
    Armijo,
    armijo_search,
    length,
    retracted,
    riemannian_gradient,
    sign_cap,
    stretch,
    surely_accepted,
    value,
)
from theory_checks.margins import worst_margin
from theory_checks.oracle import gradient_at, solve_in_eigenbasis
from theory_checks.precise import precise, reals

CLAIMS = {claim.id.removeprefix("efficient-tr/"): claim for claim in group()}
SCREENED = [name for name, claim in CLAIMS.items() if claim.proven.screen is not None]

#: Claims about an algorithm, each of which has broken versions.
ALGORITHMS = {
    "section-4-1",
    "lemma-1",
    "theorem-3",
    "safe-descent",
    "algorithm-2-global",
    "algorithm-2-line-search",
    "algorithm-2-feasible",
    "lemma-4",
    "theorem-5",
    "lemma-6",
    "eq-10",
    "phase-one-length",
    "theorem-7",
    "theorem-8",
    "hessian-vector-difference",
}


def rows_of(name: str, seed: int, size: int = 512) -> tuple[dict[str, np.ndarray], np.ndarray]:
    screen = CLAIMS[name].proven.screen
    assert screen is not None
    arrays = dict(screen.draw(np.random.default_rng(seed), size))
    return arrays, np.asarray(screen.slack(np, arrays))


def test_every_hypothesis_of_a_true_form_is_dropped_or_says_why_not() -> None:
    for claim in CLAIMS.values():
        for condition in claim.proven.hypotheses:
            assert (condition.dropped is None) != (condition.kept == ""), (claim.id, condition.name)


def test_every_algorithm_has_broken_versions() -> None:
    assert {name for name, claim in CLAIMS.items() if len(claim.proven.sabotage) >= 2} == ALGORITHMS


def test_what_is_ours_has_its_proof_on_a_page_and_in_a_section_that_exist() -> None:
    docs = Path(__file__).parents[2] / "docs"
    for claim in CLAIMS.values():
        if not claim.ours and claim.verdict is not Verdict.NEEDS:
            continue
        assert claim.proof.startswith("docs/"), claim.id
        page, section = claim.proof.removeprefix("docs/").split(", '")[0], claim.proof.split("'")[1]
        text = (docs / page).read_text(encoding="utf-8")
        assert f"\n## {section}\n" in text, claim.id


# --- screens ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCREENED)
def test_a_screen_raises_no_alarm_on_what_is_true(name: str) -> None:
    for seed in range(3):
        _, slack = rows_of(name, seed)
        assert slack.shape == (512,)
        assert np.all(slack >= -1e-9)


@pytest.mark.parametrize("name", SCREENED)
def test_rows_of_a_screen_are_instances_of_the_claim(name: str) -> None:
    form = CLAIMS[name].proven
    assert form.screen is not None
    admitted = 0
    for seed in range(3):
        arrays, _ = rows_of(name, seed, 64)
        for row in range(0, 64, 7):
            instance = form.screen.instance(arrays, row)
            assert json.loads(json.dumps(instance)) == instance
            if form.admits(instance):
                admitted += 1
                assert worst_margin(form.margins(instance))[1] >= 0.0
    # Hypotheses that limit what is tried, or that the screen does not aim at, cost some.
    assert admitted >= 3


def scaled(key: str, factor: float) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    return lambda arrays: {**arrays, key: factor * arrays[key]}


#: What to do to the rows of a screen so that the statement is false of some of them.
BROKEN: dict[str, Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]] = {
    "lemma-4": scaled("fraction", 4.0),
    "theorem-5": scaled("fraction", 4.0),
    "lemma-6": scaled("alpha", -1.0),
    "phase-one-length": scaled("alpha", -1.0),
    "safe-descent": scaled("eta", 4.0),
    "theorem-3": scaled("alpha", -1.0),
    "convex-remark": scaled("multiplier", -1.0),
    "lemma-1": scaled("multiplier", -1.0),
    "lemma-2": lambda arrays: {**arrays, "eigenvalues": np.sort(-arrays["eigenvalues"], axis=1)},
    "algorithm-2-global": lambda arrays: {**arrays, "alpha": -arrays["alpha"]},
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_screen_sees_what_is_false(name: str) -> None:
    screen = CLAIMS[name].proven.screen
    assert screen is not None
    worst = math.inf
    with np.errstate(all="ignore"):
        for seed in range(6):
            arrays = dict(screen.draw(np.random.default_rng(seed), 512))
            slack = np.asarray(screen.slack(np, BROKEN[name](arrays)))
            worst = min(worst, float(np.min(np.where(np.isnan(slack), -np.inf, slack))))
    assert worst < -1e-9


def test_the_screen_of_printed_starts_points_at_violations() -> None:
    for name in ("lemma-4", "theorem-5"):
        form = CLAIMS[name].printed
        assert form.screen is not None
        arrays = form.screen.draw(np.random.default_rng(1), 512)
        slack = form.screen.slack(np, arrays)
        instance = form.screen.instance(arrays, int(np.argmin(slack)))
        assert form.admits(instance)
        assert worst_margin(form.margins(instance))[1] < 0.0


def test_the_screen_of_algorithm_2_without_a_cap_points_at_wrong_basins() -> None:
    form = CLAIMS["algorithm-2-global"].printed
    assert form.screen is not None
    arrays = form.screen.draw(np.random.default_rng(0), 4096)
    order = np.argsort(form.screen.slack(np, arrays))[:3]
    instances = [form.screen.instance(arrays, int(row)) for row in order]
    assert any(worst_margin(form.margins(i))[1] < 0.0 for i in instances if form.admits(i))


def test_the_dual_bound_is_below_the_minimum_and_close() -> None:
    arrays = drawn_problems(np.random.default_rng(5), 64)
    bounds = dual_minimum(np, arrays["eigenvalues"], arrays["gradient"])
    for row, bound in enumerate(bounds.tolist()):
        instance = plain_row(arrays, row)
        exact = float(solve_in_eigenbasis(instance["eigenvalues"], instance["gradient"]).value)
        assert bound <= exact + 1e-12 * (1 + abs(exact))
        assert bound >= exact - 1e-7 * (1 + abs(exact))


# --- oracles ------------------------------------------------------------------------

spectra = st.lists(st.integers(-16, 16).map(lambda k: k / 4), min_size=2, max_size=3).map(sorted)
tangents = st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=2, max_size=2)
slopes = st.lists(st.integers(-16, 16).map(lambda k: k / 4), min_size=3, max_size=3)


@given(spectra, slopes, tangents, tangents, st.floats(-4.0, 4.0))
def test_the_bend_along_the_retraction_is_bounded(
    eigenvalues: list[float],
    gradient: list[float],
    at: list[float],
    towards: list[float],
    t: float,
) -> None:
    n = len(eigenvalues)
    gradient = gradient[:n]
    z = reals(unit_vector(at[: n - 1]))
    other = reals(unit_vector(towards[: n - 1]))
    along = sum(a * b for a, b in zip(z, other, strict=True))
    tangent = [b - along * a for a, b in zip(z, other, strict=True)]
    size = precise().sqrt(sum(x * x for x in tangent))
    if size < 1e-6:
        return
    tangent = [x / size for x in tangent]

    def q(s: Any) -> Any:
        return value(eigenvalues, gradient, retracted(z, tangent, -s))

    second = precise().diff(q, t, 2)
    assert abs(second) <= stretch(eigenvalues, gradient) + 1e-10


@given(spectra, slopes, tangents)
def test_a_step_that_is_surely_accepted_is(
    eigenvalues: list[float], gradient: list[float], at: list[float]
) -> None:
    n = len(eigenvalues)
    gradient = gradient[:n]
    z = reals(unit_vector(at[: n - 1]))
    if length(riemannian_gradient(eigenvalues, gradient, z)) < 1e-20:
        return
    sure = surely_accepted(eigenvalues, gradient, 0.25)
    first = sure if math.isfinite(sure) else 1.0
    following, tries = armijo_search(eigenvalues, gradient, z, Armijo(first, 0.5, 0.25), PRINTED)
    assert following is not None
    assert tries <= 1


def test_the_cap_keeps_signs_and_no_longer_one_does() -> None:
    eigenvalues, gradient = [-1.0, 2.0], [0.0, 0.5]
    z = [0.6, -0.8]
    cap = sign_cap(eigenvalues, gradient, z)
    slope = gradient_at(eigenvalues, gradient, z)
    along = sum(a * b for a, b in zip(z, slope, strict=True))
    direction = [d - along * x for d, x in zip(slope, z, strict=True)]
    assert cap == pytest.approx(1 / (2.0 - along))
    kept = retracted(z, direction, cap)[1]
    assert kept <= 0
    # Without the pull of g the component vanishes at the cap, and turns beyond it.
    free = [0.0, 0.0]
    cap = sign_cap(eigenvalues, free, z)
    slope = gradient_at(eigenvalues, free, z)
    along = sum(a * b for a, b in zip(z, slope, strict=True))
    direction = [d - along * x for d, x in zip(slope, z, strict=True)]
    assert retracted(z, direction, cap)[1] == pytest.approx(0.0, abs=1e-15)
    assert retracted(z, direction, 1.01 * cap)[1] > 0


def length_by_loop(instance: Instance) -> int:
    """t* by float64 iteration, written apart from the claims."""
    h, g = np.array(instance["eigenvalues"]), np.array(instance["gradient"])
    eta = instance["fraction"] / np.max(np.abs(h))
    z, t = -instance["alpha"] * g / np.linalg.norm(g), -1
    while np.linalg.norm(z) < 1:
        z, t = z - eta * (h * z + g), t + 1
    return t


def test_phase_one_of_a_problem_by_hand() -> None:
    """The bounds of a problem in one dimension are t* + something below 1."""
    instance = problem([-1.0], [0.125], 0.5, 0.5)
    sides = CLAIMS["phase-one-length"].proven.bound(instance)  # type: ignore[misc]
    assert sides is not None
    reached, upper = sides
    assert reached == length_by_loop(instance)
    assert reached < upper <= reached + 1
    assert CLAIMS["lemma-6"].proven.bound(instance) == pytest.approx(sides)  # type: ignore[misc]


def test_all_components_make_a_better_bound_than_the_first() -> None:
    instance = problem([-1.0, -0.5], [0.125, 2.0], 0.1, 0.25)
    with_all = CLAIMS["phase-one-length"].proven.bound(instance)  # type: ignore[misc]
    with_first = CLAIMS["lemma-6"].proven.bound(instance)  # type: ignore[misc]
    assert with_all is not None
    assert with_first is not None
    assert with_all[0] == with_first[0] == length_by_loop(instance)
    assert with_all[1] < 0.6 * with_first[1]


@pytest.mark.parametrize("eta", [0.125, 0.5, 0.75])
def test_the_start_condition_of_theorem_5_decides(eta: float) -> None:
    """Starts a little shorter and a little longer than where 2 z'grad q = eta |grad q|^2."""
    h, g = np.array([0.5, 1.0]), np.array([0.25, 0.5])
    curved, bent, square = g @ (h * g), (h * g) @ (h * g), g @ g
    # eta |g - aHg|^2 = 2a (a g'Hg - |g|^2) as a quadratic in a; its positive root.
    roots = np.roots([eta * bent - 2 * curved, 2 * square - 2 * eta * curved, eta * square])
    alpha = float(max(roots)) * math.sqrt(square)
    assert 0 < alpha < 1
    form = CLAIMS["theorem-5"].printed
    for factor, grows in ((1 - 1e-6, True), (1 + 1e-6, False)):
        instance = problem(h.tolist(), g.tolist(), factor * alpha, eta)
        assert form.admits(instance)
        assert (worst_margin(form.margins(instance))[1] >= 0) == grows


def test_two_global_minimisers_have_a_linear_rate_too() -> None:
    """The hard case with a simple lambda1 and s1 != 0, which the easy case leaves out."""
    form = CLAIMS["theorem-8"].proven
    instance = {
        "eigenvalues": [-2.0, 1.0],
        "tangents": [0.5],
        "gap": 0.0,
        "direction": [],
        **{"first step": 1.0, "shrink": 0.5, "sigma": 0.5},
    }
    assert form.admits(instance)
    assert worst_margin(form.margins(instance))[1] >= 0.0


def test_a_convex_problem_with_a_long_step_leaves_the_ball_for_nothing() -> None:
    """Why the cap needs lambda1 < 0 or eta < 1/beta: the example of the page."""
    instance = with_rule(problem([1.0], [0.5], 0.75, 2.5), 1.0)
    form = CLAIMS["algorithm-2-global"].proven
    assert set(form.broken_hypotheses(instance)) == {"negative curvature", "assumption 1"}
    assert worst_margin(form.margins(instance))[1] < 0.0


# --- kept counterexamples -----------------------------------------------------------


def numbers_in(document: Any) -> list[float]:
    if isinstance(document, dict):
        return [x for item in document.values() for x in numbers_in(item)]
    if isinstance(document, list):
        return [x for item in document for x in numbers_in(item)]
    return [document] if isinstance(document, int | float) and document is not True else []


def test_kept_counterexamples_are_small() -> None:
    folder = resources.files("theory_checks") / "counterexamples"
    files = [f for f in folder.iterdir() if f.name.startswith("efficient-tr.")]
    assert len(files) >= 14
    for file in files:
        instance = json.loads(file.read_text(encoding="utf-8"))["instance"]
        assert len(instance.get("eigenvalues", [])) <= 3, file.name
        for x in numbers_in(instance):
            assert float(f"{x:.3g}") == x, (file.name, x)
