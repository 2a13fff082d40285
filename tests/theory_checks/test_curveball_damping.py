"""The comparison of the rules for lambda: its problems, its counts and its sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments import curveball_damping as damping
from theory_checks.experiments.outcome import Unwatched


def test_least_squares_have_the_spectrum_that_they_say() -> None:
    task = damping.least_squares(1e4, 1e3, np.random.default_rng(0))
    H = np.stack([task.problem.hessian(task.start).matvec(e) for e in np.eye(50)])
    found = np.linalg.eigvalsh(H)
    np.testing.assert_allclose(found, np.geomspace(0.1, 1e3, 50), rtol=1e-8)
    size = np.linalg.norm(task.problem.gradient(task.start))
    assert task.gradient == pytest.approx(1e-6 * size)


def test_steps_are_those_of_the_method() -> None:
    """By hand: the iterates of eq. 18 with H + lam, until the gradient is small."""
    task = damping.least_squares(10.0, 1.0, np.random.default_rng(1))
    H = np.stack([task.problem.hessian(task.start).matvec(e) for e in np.eye(50)])
    x, z, steps = task.start, np.zeros(50), 0
    assert task.gradient is not None
    while np.linalg.norm(g := task.problem.gradient(x)) > task.gradient:
        span = np.stack([H @ z + g, z], axis=1)[:, : 2 if z.any() else 1]
        A = span.T @ (H + np.eye(50)) @ span
        z = -span @ np.linalg.lstsq(A, span.T @ g, rcond=1e-14)[0]
        x, steps = x + z, steps + 1
    assert damping.steps_to(task, {"lam": 1.0, "lam_rule": "fixed"}, 500) == steps
    assert damping.steps_to(task, {"lam": 1.0, "lam_rule": "fixed"}, steps - 1) is None


def test_a_loss_ends_a_run_at_the_first_step_below_it() -> None:
    task = damping.tasks(Level.QUICK)["Rosenbrock"](np.random.default_rng(0))
    steps = damping.steps_to(task, {"lam": 1.0, "lam_rule": "fixed"}, 100)
    method = tralgos.CurveBall(lam_rule="fixed", second_order=False)
    run = tralgos.minimize(task.problem, task.start, method, gtol=0.0, maxiter=100)
    below = [row.iteration for row in run.trace if row.value < 1e-4]
    assert steps == below[0]


@pytest.mark.parametrize(("ours", "answer"), [([5, 6, None], "yes"), ([50, 60, 70], "no")])
def test_sentences_follow_the_medians(ours: list[int | None], answer: str) -> None:
    steps: dict[str, list[int | None]] = {rule: [20, 20, 20] for rule in damping.RULES}
    steps[damping.OURS] = ours
    found: dict[str, Any] = {"kappa 1e2, L = 1": steps, "Rosenbrock": steps}
    assert {s.answer for s in damping.sentences(found, 100)} == {answer}


def test_the_outcome_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule in the table, every problem in a line, a run that does not arrive as a bound."""
    monkeypatch.setattr(damping, "steps_to", lambda task, parameters, limit: None)
    outcome = damping.run(Level.QUICK, 0, Unwatched())
    (table,) = outcome.tables
    assert table.headings == ("problem", *damping.RULES)
    assert [line[0] for line in table.lines] == list(damping.tasks(Level.QUICK))
    assert {cell for line in table.lines for cell in line[1:]} == {">= 1000"}
    assert list(outcome.pictures) == ["curveball-damping.png"]
