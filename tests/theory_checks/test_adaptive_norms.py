"""The claims of the adaptive-norms paper: their oracles, and that each of them can fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import tralgos
from theory_checks.claim import Verdict
from theory_checks.claims.adaptive_norms import (
    adagrad,
    assumption_1,
    assumption_2,
    claims,
    common,
    corollary_1,
    subproblems,
    subproblems_plane,
)
from theory_checks.engine import Budget, hunt
from theory_checks.margins import worst_margin
from tralgos.errors import NotPositiveDefiniteError

RECORDED = {
    "eq-2": "holds",
    "eq-3": "needs",
    "lemma-1": "holds",
    "corollary-1": "needs",
    "corollary-1-root": "measured",
    "definition-1": "holds",
    "lemma-2": "holds",
    "lemma-2-smallest-mu": "holds",
    "adagrad-not-equivalent": "needs",
    "assumption-1": "holds",
    "assumption-1-line-4": "needs",
    "assumption-2": "needs",
    "assumption-2-cauchy": "holds",
    "assumption-2-decrease": "holds",
    "proposition-1": "holds",
    "proposition-2": "holds",
    "proposition-2-gaussian": "holds",
    "proposition-2-signs": "holds",
    "proposition-1-footnote": "needs",
    "proposition-1-expected-share": "needs",
    "proposition-2-expected-share": "needs",
    "figure-d2-other-data": "needs",
    "proposition-1-order": "measured",
    "share-concentration": "measured",
    "figure-d2": "measured",
    "proposition-2-expected-share-gaussian": "measured",
    "share-estimator": "measured",
    "theorem-1": "needs",
    "theorem-1-terminates": "needs",
    "theorem-1-bound": "holds",
    "theorem-1-point": "needs",
}


def claim_of(name: str) -> Any:
    return {claim.id: claim for claim in claims()}[f"adaptive-norms/{name}"]


def test_every_statement_has_its_claim_and_its_verdict() -> None:
    found = {claim.id.split("/")[1]: claim.verdict.word for claim in claims()}
    assert RECORDED.items() <= found.items()


def test_what_is_false_as_printed_falls_at_once_and_is_small() -> None:
    """A counterexample is an edge case, so that no search decides over a verdict."""
    for claim in claims():
        if claim.verdict is Verdict.NEEDS:
            found = hunt(claim.printed, Budget(1, 0, 5.0), 0)
            assert found.violation is not None, claim.id
            assert found.violation.found_by == "edge case"


# -------------------------------------------------------------------- the oracles


@st.composite
def factors(draw: Any) -> list[float]:
    n = draw(st.integers(1, 3))
    entries = n * (n + 1) // 2
    return draw(st.lists(common.quarters(), min_size=entries, max_size=entries))


def dense(entries: list[float]) -> np.ndarray:
    n = {1: 1, 3: 2, 6: 3}[len(entries)]
    lower = np.zeros((n, n))
    lower[np.tril_indices(n)] = entries
    return lower


@given(entries=factors(), data=st.data())
def test_exact_matrices_against_numpy(entries: list[float], data: Any) -> None:
    """The products, the eigenvalues, the test of definiteness and the inverse."""
    matrix, lower = common.factored(entries), dense(entries)
    full = lower @ lower.T
    assert np.array_equal(common.floats(matrix), full)
    values, vectors = common.eigenpairs(matrix)
    scale = max(1.0, float(np.trace(full)))
    np.testing.assert_allclose(
        [float(v) for v in values], np.linalg.eigvalsh(full), atol=1e-13 * scale
    )
    for value, vector in zip(values, vectors, strict=True):
        v = np.array([float(x) for x in vector])
        np.testing.assert_allclose(full @ v, float(value) * v, atol=1e-13 * scale)
        assert np.linalg.norm(v) == pytest.approx(1.0)
    definite = bool(np.all(np.diag(lower) != 0))
    assert common.is_positive_definite(matrix) == definite
    side = data.draw(st.lists(common.quarters(), min_size=len(full), max_size=len(full)))
    found = common.inverse_applied(matrix, [Fraction(x) for x in side])
    assert (found is not None) == definite
    if found is not None:
        assert common.applied(matrix, found) == [Fraction(x) for x in side]


@pytest.mark.parametrize(
    ("entries", "definite"),
    [
        ([[1, 2], [2, 1]], False),
        ([[0, 1], [1, 0]], False),
        ([[2, 1], [1, 2]], True),
        ([[-1]], False),
    ],
)
def test_definiteness_of_matrices_that_are_no_products(entries: Any, definite: bool) -> None:
    assert common.is_positive_definite([[Fraction(x) for x in row] for row in entries]) is definite


@settings(max_examples=30)
@given(instance=subproblems.instances(["direct"]))
def test_the_points_of_a_subproblem_against_a_generalised_eigenproblem(instance: Any) -> None:
    lower = dense(instance["factor"])
    if not np.all(np.diag(lower)):
        return
    H, g, _ = subproblems.subproblem(instance)
    A, r = lower @ lower.T, instance["radius"]
    if np.linalg.cond(A) > 1e5:
        return
    values, V = scipy.linalg.eigh(H, A)
    points = subproblems.points_of(instance)
    scale = points.scale + 1e-300
    assert float(points.leftmost) * r**2 == pytest.approx(values[0] * r**2, abs=1e-9 * scale)
    size = float(np.sqrt(max(g @ np.linalg.solve(A, g), 0.0)))
    largest = np.max(np.abs(values))
    reach = min(r, size / largest) if largest > 0 else r
    assert float(points.cauchy_bound) == pytest.approx(size * reach / 2, abs=1e-9 * scale)
    # A line search by brute force finds no better point on either line, and one as good.
    lines = [np.linalg.solve(A, g)] + ([V[:, 0]] if values[0] < 0 else [])
    for direction, wanted in zip(lines, (points.cauchy, points.eigen), strict=False):
        length = float(np.sqrt(direction @ A @ direction))
        if length == 0.0:
            continue
        t = np.linspace(-r, r, 20001) / length
        best = np.max(-t * (g @ direction) - t**2 / 2 * (direction @ H @ direction))
        assert best <= float(wanted) + 1e-9 * scale
        if direction is lines[0]:
            assert best == pytest.approx(float(wanted), abs=1e-3 * scale)


@pytest.mark.parametrize("size", [1, 7, 20])
def test_exact_probabilities_against_scipy(size: int) -> None:
    instance = assumption_1._batch_instance(population=30, ones=12, tolerance=0.25)
    up, down = 1.0, -12 / 18
    off = np.array([abs(j * up + (size - j) * down) > 0.25 * size for j in range(size + 1)])
    with_ = scipy.stats.binom.pmf(np.arange(size + 1), size, 0.4)
    without = scipy.stats.hypergeom.pmf(np.arange(size + 1), 30, 12, size)
    assert float(assumption_1._tail(instance, size)) == pytest.approx(float(np.sum(with_[off])))
    drawn = {**instance, "replacement": 0}
    assert float(assumption_1._tail(drawn, size)) == pytest.approx(float(np.sum(without[off])))


def test_the_plane_is_two_walks() -> None:
    """One step of length one, and two of which half return."""
    assert assumption_1._plane_tail(1, Fraction(1, 2)) == 1
    assert assumption_1._plane_tail(2, Fraction(1, 2)) == Fraction(3, 4)
    assert assumption_1._plane_tail(2, Fraction(3, 4)) == Fraction(1, 4)


@pytest.mark.parametrize("turning", [0, 1])
@pytest.mark.parametrize(("law", "rate"), [("power", 1.0), ("power", 2.0), ("geometric", 0.5)])
def test_the_limits_of_the_sums(law: str, rate: float, turning: int) -> None:
    """The closed forms against sums of many terms."""
    instance = adagrad._instance(law, rate, turning=turning)
    t = np.arange(1, 200_001, 1 + turning, dtype=float)
    terms = rate ** (2 * t) if law == "geometric" else t ** (-2 * rate)
    assert float(adagrad._supremum(instance)) == pytest.approx(1.0 + float(np.sum(terms)), rel=1e-5)


# -------------------------------------------------------------------- findings in numbers


def test_as_printed_adam_has_no_memory() -> None:
    """g_adam with g_t in the sum is (1 - beta^(t+1)) g_t, whatever came before."""
    instance = corollary_1._instance([[8.0], [-8.0], [1.0]], summed="g_t")
    assert corollary_1._claimed(instance) == [Fraction(7, 8)]
    instance["summed"] = "g_k"
    assert corollary_1._claimed(instance) == [Fraction(8, 8) - 2 + Fraction(1, 2)]


def test_steihaug_is_as_far_from_the_eigenpoint_as_can_be() -> None:
    for g in ([0.0, 0.0], [0.0, 2.0**-20]):
        instance = subproblems.instance_of([-1.0, 0.0, 1.0], g, "steihaug")
        points = subproblems.points_of(instance)
        found = subproblems.decrease_of(instance, subproblems.solved(instance))
        assert float(found) <= 1e-6 * float(points.eigen)


# -------------------------------------------------------------------- the claims can fail


def _scaled(factor: float) -> Callable[[Any], Callable[..., Any]]:
    """What replaces a function of tralgos by one whose result is off by a factor."""
    return lambda original: lambda *args, **kwargs: factor * original(*args, **kwargs)


def _shorter(original: Any) -> Any:
    return lambda *args, **kwargs: max(1, original(*args, **kwargs) // 6)


def _other_method(original: Any) -> Any:
    return lambda *args, **kwargs: original(*args, **{**kwargs, "method": "steihaug"})


def _other_norm(original: Any) -> Any:
    return lambda *args, **kwargs: original(*args, **{**kwargs, "norm": None})


def _wider(original: Any) -> Any:
    def constants(*args: Any, **kwargs: Any) -> Any:
        lower, upper = original(*args, **kwargs)
        return lower, upper * (1 + 1e-9)

    return constants


def _unweighted(original: Any) -> Any:
    return property(lambda rule: dataclasses.replace(original.fget(rule), gain=1.0))


def _longer_window(original: Any) -> Any:
    """A window of one gradient more than asked for."""

    def post_init(rule: Any) -> None:
        original(rule)
        if rule.window is not None:
            object.__setattr__(rule, "window", rule.window + 1)

    return post_init


MUTATIONS: list[tuple[str, Any, str, Any]] = [
    ("eq-2", tralgos.norms.AdagradNorm, "update", lambda f: lambda r, s, g: f(r, s, 0.999999 * g)),
    ("eq-3", tralgos.norms.RMSPropNorm, "weights", _unweighted),
    ("lemma-1", tralgos.norms.MatrixNorm, "solve", _scaled(1 - 1e-9)),
    ("lemma-1", tralgos, "solve_trs", _other_norm),
    ("corollary-1", tralgos.norms.MatrixNorm, "solve", _scaled(1 - 1e-3)),
    ("corollary-1", tralgos.norms.DiagonalNorm, "solve", _scaled(1 - 1e-6)),
    ("definition-1", tralgos.norms.MatrixNorm, "equivalence", _wider),
    ("lemma-2", tralgos.norms.RMSPropNorm, "weights", _unweighted),
    ("lemma-2", tralgos.norms.RMSPropNorm, "uniform_mu", _scaled(1 - 1e-6)),
    ("lemma-2", tralgos.norms.RMSPropNorm, "__post_init__", _longer_window),
    ("lemma-2-smallest-mu", tralgos.norms.RMSPropNorm, "uniform_constants", _wider),
    ("lemma-2-smallest-mu", tralgos.norms.RMSPropNorm, "uniform_mu", _scaled(1 + 1e-9)),
    ("adagrad-not-equivalent", tralgos.norms.DiagonalNorm, "equivalence", _wider),
    ("assumption-1", tralgos, "gradient_batch_size", _shorter),
    ("assumption-1", tralgos, "hessian_batch_size", _shorter),
    ("assumption-1", tralgos, "assumption_1_tolerances", _wider),
    ("assumption-2", tralgos, "solve_trs", _other_method),
    ("assumption-2-cauchy", tralgos, "solve_trs", _other_norm),
    ("assumption-2-decrease", tralgos, "cauchy_point", _scaled(0.999)),
    ("assumption-2-decrease", tralgos, "cauchy_point", _other_norm),
    ("assumption-2-decrease", tralgos, "eigen_point", _scaled(0.999)),
]


@pytest.mark.parametrize(
    ("name", "owner", "attribute", "mutate"), MUTATIONS, ids=[f"{m[0]}-{m[2]}" for m in MUTATIONS]
)
def test_a_fault_in_tralgos_changes_the_verdict(
    name: str, owner: Any, attribute: str, mutate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each claim holds the code against the mathematics: a small fault is a violation."""
    original = getattr(owner, attribute)
    monkeypatch.setattr(owner, attribute, mutate(original))
    claim = claim_of(name)
    form = claim.amended or claim.printed
    found = hunt(form, Budget(form.effort, 0, 2.0), 1)
    assert found.violation is not None


def test_the_iteration_that_is_broken_on_purpose_is_right_when_it_is_not() -> None:
    """Otherwise the hunts would notice the oracle's own faults, and the sabotage prove nothing."""
    form = claim_of("assumption-2-cauchy").printed
    whole = dataclasses.replace(
        form,
        margins=lambda i: assumption_2._cauchy_margins(i, subproblems.steihaug),
        bound=None,
        screen=None,
    )
    assert hunt(whole, Budget(60, 0, 4.0), 1).violation is None
    arrays = subproblems_plane.plane_draw(np.random.default_rng(8), 40)
    for row in range(40):
        instance = {**subproblems_plane.plane_row(arrays, row), "method": "steihaug"}
        steps = subproblems.steihaug(instance), subproblems.solved(instance)
        ours, theirs = (float(subproblems.decrease_of(instance, s)) for s in steps)
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_a_norm_is_refused_for_rounding_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A positive definite matrix may be singular in float64; a refusal of others is a fault."""
    assert common.matrix_norm(common.factored([1.0, 1.0, 2.0**-30])) is None
    plain = common.factored([1.0, 1.0, 1.0])
    assert common.matrix_norm(plain).equivalence()[1] > 1

    def refuse(matrix: Any) -> Any:
        raise NotPositiveDefiniteError("no")

    monkeypatch.setattr(tralgos.norms, "MatrixNorm", refuse)
    with pytest.raises(NotPositiveDefiniteError):
        common.matrix_norm(plain)


# -------------------------------------------------------------------- the screens

#: From the two sides of a bound to the slack of its screen.
SLACKS: dict[str, Callable[[float, float], float]] = {
    "lemma-1": lambda c, t: 1 - (c / t) ** 2,
    "corollary-1": lambda c, t: 1 - (c / t) ** 2,
    "corollary-1-root": lambda c, t: c - t,
    "lemma-2-smallest-mu": lambda c, t: (t / c) ** 2 - 1,
    "adagrad-not-equivalent": lambda c, t: 1 - c / t,
    "assumption-1": lambda c, t: 1 - c / t,
    "assumption-1-line-4": lambda c, t: 1 - c / t,
}


def rows(form: Any, count: int, seed: int) -> Any:
    arrays = form.screen.draw(np.random.default_rng(seed), count)
    slack = form.screen.slack(np, arrays)
    return slack, [form.screen.instance(arrays, row) for row in range(count)]


@pytest.mark.parametrize("name", list(SLACKS))
def test_the_slack_of_a_screen_is_that_of_the_exact_sides(name: str) -> None:
    """The closed forms in float64 against fractions and fifty digits."""
    form = claim_of(name).proven
    compared = 0
    for slack, instance in zip(*rows(form, 60, 3), strict=True):
        sides = form.bound(instance)
        if sides is not None:
            compared += 1
            assert float(slack) == pytest.approx(SLACKS[name](*sides), rel=1e-6, abs=1e-7)
    assert compared > 20


#: Screened claims, and what breaks a hypothesis of them.
SUSPECTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "eq-3": ("beta", lambda b: b + 1.0),
    "definition-1": ("factors", lambda f: f * np.array([1.0, 1.0, 1e200])),
    "lemma-2": ("bound", lambda b: 0.9 * b),
    "assumption-1-line-4": ("error", lambda e: 2.0 * e),
}


@pytest.mark.parametrize("name", list(SUSPECTED))
def test_a_screen_suspects_what_breaks_a_hypothesis(name: str) -> None:
    """And nothing among its own instances."""
    screen = claim_of(name).proven.screen
    arrays = dict(screen.draw(np.random.default_rng(4), 4096))
    assert np.all(screen.slack(np, arrays) >= 0)
    key, change = SUSPECTED[name]
    arrays[key] = change(arrays[key])
    with np.errstate(all="ignore"):
        assert not np.all(screen.slack(np, arrays) >= 0)


def test_what_a_screen_draws_is_admitted_and_holds() -> None:
    for name in (
        *SLACKS,
        *SUSPECTED,
        "eq-2",
        "assumption-2",
        "assumption-2-cauchy",
        "assumption-2-decrease",
    ):
        form = claim_of(name).proven
        for instance in rows(form, 8, 5)[1]:
            assert form.admits(instance), name
            assert worst_margin(form.margins(instance))[1] >= 0.0, name


def test_many_points_in_the_plane_against_one_by_one() -> None:
    """Both points, what they guarantee, and the best decrease of all, which the direct solver
    attains.
    """
    arrays = subproblems_plane.plane_draw(np.random.default_rng(6), 40)
    points = subproblems_plane.plane_points(np, arrays)
    for row in range(40):
        instance = {**subproblems_plane.plane_row(arrays, row), "method": "direct"}
        one, size = subproblems.points_of(instance), float(points.scale[row])
        for key in ("cauchy", "eigen", "cauchy_bound", "eigen_bound"):
            wanted = float(getattr(one, key))
            assert float(getattr(points, key)[row]) == pytest.approx(wanted, abs=1e-9 * size)
        best = float(subproblems.decrease_of(instance, subproblems.solved(instance)))
        assert float(points.best[row]) == pytest.approx(best, abs=1e-7 * size)


def test_many_runs_of_steihaug_in_the_plane_against_one_by_one() -> None:
    """After one iteration and after both, by the oracle that is broken on purpose elsewhere."""
    arrays = subproblems_plane.plane_draw(np.random.default_rng(9), 60)
    points = subproblems_plane.plane_points(np, arrays)
    first, last = subproblems_plane.plane_steihaug(np, arrays)
    for row in range(60):
        instance, size = subproblems_plane.plane_row(arrays, row), float(points.scale[row])
        step = subproblems.steihaug(instance)
        assert float(last[row]) == pytest.approx(
            float(subproblems.decrease_of(instance, step)), abs=1e-9 * size
        )
        step = subproblems.solved({**instance, "method": "one step of steihaug"})
        assert float(first[row]) == pytest.approx(
            float(subproblems.decrease_of(instance, step)), abs=1e-9 * size
        )


def test_numbers_of_the_screens_have_what_theorems_fail_on() -> None:
    drawn = common.assorted(np.random.default_rng(7), (4000,), 2.0)
    assert np.max(np.abs(drawn)) <= 2.0
    assert 0.1 < np.mean(drawn == 0.0) < 0.4
    assert np.mean(4 * drawn == np.round(4 * drawn)) > 0.5
    assert np.any((drawn != 0) & (np.abs(drawn) < 1e-5))
