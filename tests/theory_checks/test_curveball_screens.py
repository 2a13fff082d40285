"""The screens of the claims on CurveBall: the same numbers as the exact ones, and what they see."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tralgos
from theory_checks.claims.curveball import (
    automatic,
    bulk,
    certificate,
    claims,
    common,
    gauss_newton,
    linear,
    look_ahead,
    models,
    rates,
    transition,
)
from theory_checks.precise import real, reals

SCREENED = [claim for claim in claims() if claim.proven.screen is not None]

#: Functions of NumPy that CuPy has under the same name, with the arguments that screens give.
SHARED = {
    *("abs", "arange", "arccos", "ceil", "clip", "concatenate", "cos", "exp", "eye", "full"),
    *("linalg", "log"),
    *("eigvalsh", "solve", "maximum", "minimum", "ones_like", "sort", "sqrt", "stack", "where"),
    *("zeros", "zeros_like"),
}

#: Rows that are looked at one by one.
ROWS = 60


@pytest.fixture(params=range(4))
def rows(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return bulk.model_rows(np.random.default_rng(request.param), ROWS)


def exact_model(rows: dict[str, np.ndarray], row: int) -> tuple[Any, Any, Any, Any]:
    """H, J, z and Delta_z of one row."""
    instance = bulk.row_of(rows, row)
    H, J, z = (
        models.hessian(instance),
        models.vector(instance, "J"),
        models.vector(instance, "z"),
    )
    return H, J, z, models.delta_of(H, J, z, Fraction(instance["lam"]))


def test_every_claim_has_a_screen() -> None:
    assert [claim.id for claim in claims() if claim.proven.screen is None] == []


class Watched:
    """NumPy, with the names that were asked for."""

    def __init__(self, module: Any, names: set[str]) -> None:
        self._module, self._names = module, names

    def __getattr__(self, name: str) -> Any:
        self._names.add(name)
        found = getattr(self._module, name)
        return Watched(found, self._names) if name == "linalg" else found


@pytest.mark.parametrize("claim", SCREENED, ids=lambda claim: claim.id)
def test_slacks_take_only_what_cupy_has_too(claim: Any) -> None:
    """Nor NumPy itself beside the namespace that they were given."""
    names: set[str] = set()
    screen = claim.proven.screen
    screen.slack(Watched(np, names), screen.draw(np.random.default_rng(1), 16))
    assert names <= SHARED


@pytest.mark.parametrize("claim", SCREENED, ids=lambda claim: claim.id)
def test_rows_are_instances_of_the_claim(claim: Any) -> None:
    """What a screen hands on is admitted by the hypotheses, most of it, and has one slack a row."""
    screen, rng = claim.proven.screen, np.random.default_rng(5)
    admitted = 0
    for _ in range(10):
        arrays = screen.draw(rng, 8)
        slack = screen.slack(np, arrays)
        assert slack.shape == (8,)
        assert np.all(np.isfinite(slack))
        admitted += sum(claim.proven.admits(screen.instance(arrays, row)) for row in range(8))
    assert admitted >= 40


@pytest.mark.parametrize("seed", range(4))
def test_matrices_are_the_exact_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = bulk.model_rows(rng, ROWS, (1.0, 0.0, -1.0), definite=False)
    H = bulk.hessian_rows(np, rows)
    for row in range(ROWS):
        exact = models.hessian(bulk.row_of(rows, row))
        assert [[Fraction(x) for x in line] for line in H[row].tolist()] == exact


def test_cramer_is_the_exact_solution_where_it_is_unique(rows: dict[str, np.ndarray]) -> None:
    H = bulk.hessian_rows(np, rows)
    delta = bulk.applied_rows(H, rows["z"]) + rows["J"] + rows["lam"][:, None] * rows["z"]
    beta, rho, independent = bulk.cramer_rows(np, H, rows["J"], rows["z"], delta)
    seen = 0
    for row in range(ROWS):
        H_row, J, z, d = exact_model(rows, row)
        found = models.solution(models.forms(H_row, J, z, d))
        assert found is not None
        if models.forms(H_row, J, z, d).determinant != 0 and independent[row] > 1e-6:
            seen += 1
            assert beta[row] == pytest.approx(float(found[0]), rel=1e-7, abs=1e-7)
            assert rho[row] == pytest.approx(float(found[1]), rel=1e-7, abs=1e-7)
    # In one dimension there is none.
    assert seen > 0 or rows["J"].shape[1] == 1


def test_the_minimiser_on_a_span_is_the_exact_one(rows: dict[str, np.ndarray]) -> None:
    H = bulk.hessian_rows(np, rows)
    second = bulk.applied_rows(H, rows["z"]) + rows["J"]
    found = bulk.span_rows(np, H, rows["J"], rows["z"], second)
    condition = bulk.condition_rows(np, H)
    for row in np.flatnonzero(condition < 1e4):
        H_row, J, z, _ = exact_model(rows, int(row))
        d = models.delta_of(H_row, J, z, Fraction(0))
        wanted = models.span_minimiser(H_row, J, (z, d))
        assert wanted is not None
        np.testing.assert_allclose(found[row], [float(x) for x in wanted], atol=1e-7)


def test_radii_are_the_exact_ones() -> None:
    s, rho = common.point_rows(np.random.default_rng(1), ROWS)
    for a, b, found in zip(s, rho, common.radius_rows(np, s, rho), strict=True):
        assert found == pytest.approx(float(common.radius(real(a), real(b))), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_losses_are_the_exact_ones(seed: int) -> None:
    rows = gauss_newton.linear_rows(np.random.default_rng(seed), ROWS)
    d = bulk.applied_rows(rows["M"], rows["v"])
    slopes = gauss_newton.loss_rows(np, rows, rows["y"])
    curved = gauss_newton.curved_rows(np, rows, d)
    for row in range(ROWS):
        model = gauss_newton.Model(gauss_newton.linear_row(rows, row))
        along = model.forward(reals(rows["v"][row].tolist()))
        exact = gauss_newton.loss_gradient(model.loss, model.outputs)
        np.testing.assert_allclose(slopes[row], np.array(exact, float), atol=1e-14)
        exact = model.curved(model.loss, model.outputs, along)
        np.testing.assert_allclose(curved[row], np.array(exact, float), atol=1e-12)


def test_functions_of_the_certificate_are_the_exact_ones() -> None:
    rows = certificate._drawn(np.random.default_rng(2), ROWS)
    slack = certificate._slack(np, rows)
    for row in range(ROWS):
        ratio = float(certificate._ratio(certificate._one(rows, row)))
        wanted = (rows["bound"][row] + 1e-6 - ratio) / rows["bound"][row]
        assert slack[row] == pytest.approx(wanted, abs=1e-10)


def test_the_best_pair_of_the_screen_is_that_of_the_package() -> None:
    """At the pair itself the slack vanishes: to beta = to rho = 0."""
    kappa = np.array([1.5, 2.9, 3.1, 10.0, 1e4])
    zero = np.zeros(5)
    rows = {"kappa": kappa, "closeness": zero, "to beta": zero, "to rho": zero}
    assert np.max(np.abs(rates._trial_slack(np, rows))) < 1e-6
    far = rates._trial_slack(np, {**rows, "to beta": zero + 0.1})
    for k, slack in zip(kappa, far, strict=True):
        best = tralgos.curveball_optimal_parameters(1.0, k)
        rate = float(rates._worst(1.0, k, 1.1 * best.beta, best.rho))
        assert slack == pytest.approx((rate - best.rate) / best.rate_complement, rel=1e-6)


@pytest.mark.parametrize("module", [linear, transition], ids=["linear", "transition"])
def test_a_screen_sees_another_iteration(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With heavy ball in the place of Algorithm 1 thousands of rows are suspicious, else none."""
    rows = module._drawn(np.random.default_rng(0), 1000)
    assert np.min(module._slack(np, rows)) > -1e-12
    monkeypatch.setattr(module, "component", common.heavy_ball)
    assert np.sum(module._slack(np, rows) < -1e-3) > 200


def test_a_screen_sees_another_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    """(18) with the wrong sign of rho."""
    right = bulk.cramer_rows

    def wrong(*arguments: Any) -> Any:
        beta, rho, independent = right(*arguments)
        return beta, -rho, independent

    rows = bulk.model_rows(np.random.default_rng(3), 1000, least=2)
    before = automatic._plane_slack(np, rows)
    monkeypatch.setattr(automatic, "cramer_rows", wrong)
    assert np.sum(automatic._plane_slack(np, rows) < before - 1e-6) > 500


@pytest.mark.parametrize("piece", ["_inverted", "_as_22"])
def test_the_screen_of_25_sees_its_own_pieces(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """(25) with its unknowns exchanged, (22) with beta for -beta: (18) beside them is right."""
    rows = automatic._pair_rows(np.random.default_rng(3), 1000)
    right = getattr(automatic, piece)
    assert np.min(automatic._eq_25_slack(np, rows)) > -1e-6
    if piece == "_inverted":
        monkeypatch.setattr(automatic, piece, lambda *given: right(*given)[::-1])
    else:
        monkeypatch.setattr(automatic, piece, lambda f, beta, rho: right(f, -beta, rho))
    assert np.sum(automatic._eq_25_slack(np, rows) < -1e-4) > 500


def test_the_package_is_compared_with_fractions() -> None:
    """look-ahead: iterates of tralgos that are off by a millionth are a violation."""
    instance = look_ahead._instance(0.5)
    iterates = look_ahead._algorithm_1(
        look_ahead._Scalar(instance), instance, look_ahead._printed_step
    )
    assert look_ahead._package_margin(instance, iterates) > 0.0
    off = [w * (1 + Fraction(1, 10**6)) for w in iterates]
    assert look_ahead._package_margin(instance, off) < 0.0
