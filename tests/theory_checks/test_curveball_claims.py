"""The claims on CurveBall's parts: their oracles."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import tralgos
from theory_checks.claims.curveball import (
    claims,
    conjugate,
    descent_proof,
    interleaved,
    lissa,
    models,
    products,
    tracking,
)
from theory_checks.engine import Budget, hunt
from tralgos.methods import damping

STATEMENTS = {
    "eq-6-9",
    "eq-10-12",
    "eq-10-12-convex",
    "eq-15-17",
    "interleaving",
    "hessian-free",
    "hessian-free-interleaved",
    "eq-18",
    "eq-18-lambda",
    "eq-25",
    "lambda-rule",
    "lambda-rule-speed",
    "theorem-a1",
    "theorem-a1-linear",
    "theorem-a1-grid",
    "corollary-a1-1",
    "eq-36-41",
    "section-a2-1",
    "optimal-parameters",
    "theorem-a2",
    "theorem-a2-convex",
    "eq-46",
    "theorem-a2-remarks",
    "lissa",
    "look-ahead",
    "pep-certificate",
    "automatic-first-steps",
    "tracking",
    "damping-balance",
}

model_instance = models.model_instance


def test_every_statement_has_its_claim() -> None:
    assert {claim.id.removeprefix("curveball/") for claim in claims()} == STATEMENTS


@pytest.mark.parametrize(
    ("name", "value"), [("_PAPER_FACTOR", 0.998), ("_PERIOD", 4), ("_PAPER_HIGH", 2.5)]
)
def test_a_fault_in_the_rules_for_lambda_is_noticed(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lambda-rule-speed holds the runs of the package against the paper's factor and period."""
    form = next(c for c in claims() if c.id == "curveball/lambda-rule-speed").proven
    assert hunt(form, Budget(20, 0, 3.0), 1).violation is None
    monkeypatch.setattr(damping, name, value)
    assert hunt(form, Budget(20, 0, 3.0), 1).violation is not None


# -------------------------------------------------------------------- the model and its plane


def as_floats(instance: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    H = np.array([[float(x) for x in row] for row in models.hessian(instance)])
    return H, np.array(instance["J"]), np.array(instance["z"])


@settings(max_examples=60)
@given(instance=models.models())
def test_the_two_ways_to_the_minimiser_against_least_squares(instance: Any) -> None:
    """Cramer's rule and conjugate directions, both against numpy on an orthonormal basis."""
    H, J, z = as_floats(instance)
    if np.linalg.eigvalsh(H)[0] < 1e-3:
        return
    delta = H @ z + J
    exact = [Fraction(x) for x in delta]
    exact_J, exact_z = models.vector(instance, "J"), models.vector(instance, "z")
    matrix = models.hessian(instance)
    found = models.span_minimiser(matrix, exact_J, (exact_z, exact))
    assert found is not None
    left, size, _ = np.linalg.svd(np.stack([z, delta], axis=1), full_matrices=False)
    Q = left[:, size > 1e-10 * max(1.0, size[0])]
    wanted = -Q @ np.linalg.solve(Q.T @ H @ Q, Q.T @ J)
    np.testing.assert_allclose(
        [float(x) for x in found], wanted, atol=1e-8 * (1 + abs(wanted).max())
    )
    pair = models.solution(models.forms(matrix, exact_J, exact_z, exact))
    assert pair is not None
    assert models.combined(pair[1], exact_z, -pair[0], exact) == found


def automatic_pairs(h: list[int], start: list[int], steps: int) -> list[tuple[Fraction, Fraction]]:
    """(beta, rho) of a run with lambda = 0 on a diagonal quadratic."""
    n = len(h)
    H = [[Fraction(h[i] if i == j else 0) for j in range(n)] for i in range(n)]
    w, z, pairs = [Fraction(x) for x in start], [Fraction(0)] * n, []
    for _ in range(steps):
        J = [a * b for a, b in zip(h, w, strict=True)]
        delta = [a * b + c for a, b, c in zip(h, z, J, strict=True)]
        pair = models.solution(models.forms(H, J, z, delta))
        assert pair is not None
        z = models.combined(pair[1], z, -pair[0], delta)
        w = models.combined(1, w, 1, z)
        pairs.append(pair)
    return pairs


def test_beta_and_rho_leave_the_range_of_the_theory() -> None:
    """rho above 1 in a second step, below 0 in a sixth; beta below 0 from a z that is given."""
    assert float(automatic_pairs([1, 2, 4], [1, 1, 1], 2)[1][1]) == pytest.approx(1.0680289)
    assert float(automatic_pairs([1, 2, 4], [2, 1, 2], 6)[5][1]) == pytest.approx(-0.2822827)
    H = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(2)]]
    z, J = [Fraction(-2, 3), Fraction(-3, 8)], [Fraction(1), Fraction(1)]
    delta = [Fraction(1, 3), Fraction(1, 4)]
    assert models.solution(models.forms(H, J, z, delta)) == (-1, 2)


def test_z_can_vanish_with_a_gradient_that_does_not() -> None:
    """H = [[1, 1], [1, 2]], J = (1, 0), z = (0, -1): both directions are across J."""
    instance = model_instance([1.0, 1.0, 1.0], [1.0, 0.0], [0.0, -1.0])
    H, J, z = models.hessian(instance), models.vector(instance, "J"), models.vector(instance, "z")
    assert H == [[1, 1], [1, 2]]
    delta = models.combined(1, [Fraction(-1), Fraction(-2)], 1, J)
    assert delta == [0, -2]
    assert models.span_minimiser(H, J, (z, delta)) == [0, 0]
    assert descent_proof._stalling(H, J) == z


def test_a_direction_of_descent_is_no_descent() -> None:
    """sqrt(1 + w^2) from w = 2: the first automatic step goes to -8."""
    w = 2.0
    J, H = w / math.sqrt(1 + w * w), (1 + w * w) ** -1.5
    assert w - J / H == pytest.approx(-8.0)
    assert math.sqrt(1 + 64.0) > math.sqrt(1 + w * w)


@pytest.mark.parametrize("seed", range(3))
def test_theorem_a2_along_runs_on_a_function_that_is_not_quadratic(seed: int) -> None:
    """Each step of automatic CurveBall goes downhill at the point where it is taken."""
    problem = tralgos.problems.Rosenbrock(6)
    start = np.random.default_rng(seed).uniform(-1.5, 1.5, 6)
    seen = [start]
    tralgos.minimize(
        problem, start, tralgos.CurveBall(), maxiter=40, callback=lambda s: seen.append(s.x)
    )
    slopes = [problem.gradient(x) @ (y - x) for x, y in pairwise(seen)]
    assert len(slopes) > 10
    assert max(slopes) < 0.0


# -------------------------------------------------------------------- products and losses


def test_the_logistic_loss_of_the_package_has_the_curvature_of_the_paper() -> None:
    """diag(p) - pp' on the outputs of one sample, p from the gradient of the loss: p - e_0."""
    rng = np.random.default_rng(3)
    problem = tralgos.problems.SoftmaxRegression(rng.standard_normal((1, 2)), np.array([0]), 3)
    local = problem.linearize(rng.standard_normal(6))
    assert local.jacobian.shape[0] == 3
    p = local.loss_gradient + np.array([1.0, 0.0, 0.0])
    assert p.sum() == pytest.approx(1.0)
    for u in np.eye(3):
        np.testing.assert_allclose(local.loss_curvature(u), p * u - p * (p @ u), atol=1e-15)


def test_differences_tell_a_chain_of_layers_from_its_products() -> None:
    """The oracle of eq-6-9 on a composition whose Jacobian is known by hand."""
    instance = {**products._scalar(2), "bend": 0.5, "x": [1.0]}
    chain = products._Chain(instance, products._jacobian)
    # c: 1 + 1/2 = 3/2, b: 3/2 + 9/8 = 21/8, a: slope 1 + 21/8.
    slope = 2 * 2.5 * (1 + 2.625)
    along = chain.along([Fraction(1)])
    assert [float(x) for x in along] == [slope, slope]


# -------------------------------------------------------------------- conjugate gradients, LiSSA


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        ("Fletcher-Reeves", 1e4, math.inf),
        ("Polak-Ribiere", 1e40, math.inf),
        ("exactly conjugate", 0.9, 1.0),
        ("steepest descent", 0.0, 1e-100),
    ],
)
def test_interleaved_conjugate_gradients_in_two_dimensions(
    rule: str, low: float, high: float
) -> None:
    values = interleaved.interleaved(np.array([1.0, 0.5]), np.ones(2), rule)
    assert low <= values[-2:].max() <= high


def test_exact_conjugation_goes_round_in_two_turns() -> None:
    values = interleaved.interleaved(np.array([1.0, 0.5]), np.ones(2), "exactly conjugate", 40)
    np.testing.assert_allclose(values[21:], values[19:-2], rtol=1e-10)


@pytest.mark.parametrize("start", [(0.0, 0.0, 0.0), (-1.0, -1.0, -1.0), (3.0, 0.0, -2.0)])
def test_conjugate_gradients_from_any_start(start: tuple[float, ...]) -> None:
    """The recursion of the claim against numpy's solution."""
    factor = [1.0, 0.5, 2.0, -1.0, 0.25, 1.5]
    instance = conjugate._instance(factor, [1.0, 2.0, 3.0], list(start))
    H = models.hessian(instance)
    run = conjugate._conjugate_gradients(instance, H, models.vector(instance, "J"))
    full = np.array([[float(x) for x in row] for row in H])
    wanted = -np.linalg.solve(full, np.array(instance["J"]))
    np.testing.assert_allclose([float(x) for x in run.points[-1]], wanted, rtol=1e-12)


def test_lissa_converges_below_two_and_its_interleaving_below_four_thirds() -> None:
    """h = 3/2: the recursion for a w that waits converges, Algorithm 1 with rho = beta = 1 not."""
    h, J = Fraction(3, 2), Fraction(1)
    errors = [abs(z + J / h) for z in lissa._recursion(h, J)]
    assert errors[-1] < 1e-9
    assert tralgos.curveball_converges(1.3, 1.0)
    assert not tralgos.curveball_converges(1.5, 1.0)


def test_the_package_s_lissa_makes_the_step_of_the_claim() -> None:
    h, J = [Fraction(1, 4), Fraction(3, 2)], Fraction(1)
    start = [J / a for a in h]
    wanted = [float(w + lissa._recursion(a, J)[20]) for a, w in zip(h, start, strict=True)]
    seen: list[Any] = []
    tralgos.minimize(
        tralgos.problems.quadratic_with_spectrum([0.25, 1.5], rotation="none"),
        np.array([float(w) for w in start]),
        tralgos.LiSSA(scale=1.0, depth=20),
        gtol=0.0,
        maxiter=1,
        callback=lambda s: seen.append(s.x),
    )
    np.testing.assert_allclose(seen[0], wanted, atol=1e-14)


@pytest.mark.parametrize("start", ["zero", "gradient"])
def test_the_package_s_hessian_free_ends_from_either_start(start: Any) -> None:
    """One outer step with exact inner solves, from 0 and from -J."""
    run = tralgos.minimize(
        tralgos.problems.quadratic_with_spectrum([0.25, 1.5, 4.0], rotation="none"),
        np.ones(3),
        tralgos.HessianFree(lam=0.0, start=start, rtol=1e-12, progress=0.0),
        gtol=1e-10,
    )
    assert run.success
    assert run.nit == 1


# -------------------------------------------------------------------- damping


@pytest.mark.parametrize("lam", [0.0, 0.01, 0.3])
def test_the_oracle_of_the_figures_takes_the_steps_of_the_package(lam: float) -> None:
    h, start = tracking._problem(50.0, 1, n=12)
    run = tralgos.minimize(
        tralgos.problems.quadratic_with_spectrum(h, rotation="none"),
        start,
        tralgos.CurveBall(lam=lam, lam_rule="fixed"),
        gtol=1e-6 * float(np.linalg.norm(h * start)),
    )
    assert run.success
    assert tracking.steps_with(lam, h, start) == run.nit


def test_the_best_damping_beats_none_and_much_by_far() -> None:
    h, start = tracking._problem(1e3, 2)
    root = tracking.steps_with(1e3**-0.5, h, start)
    assert 5 * root < tracking.steps_with(0.0, h, start)
    assert 5 * root < tracking.steps_with(1.0, h, start)


def test_the_printed_rule_stays_and_the_authors_falls() -> None:
    """lambda after twenty steps of the package on a quadratic."""
    problem = tralgos.problems.quadratic_with_spectrum(np.geomspace(1e-3, 1.0, 8), rotation="none")
    last = {}
    for rule in ("printed", "authors"):
        method = tralgos.CurveBall(lam=10.0, lam_rule=rule)
        run = tralgos.minimize(problem, np.ones(8), method, gtol=0.0, maxiter=21)
        last[rule] = run.trace[-1].detail["lam"]
    assert last["printed"] == 10.0
    assert last["authors"] == pytest.approx(10.0 * 0.999**20, rel=1e-12)
