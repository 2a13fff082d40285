"""The claims on fixed beta and rho: their oracles and their figures."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from theory_checks.claim import Level
from theory_checks.claims.curveball import (
    adversary,
    certificate,
    claims,
    common,
    linear,
    pep,
    plane,
    quadratics,
    rates,
)
from theory_checks.precise import real


def figures_of(name: str, level: Level = Level.QUICK) -> dict[str, Any]:
    (claim,) = (claim for claim in claims() if claim.id == f"curveball/{name}")
    assert claim.measure is not None
    return {figure.name: figure for figure in claim.measure(level, 0)}


# -------------------------------------------------------------------- Theorem A.1


def algorithm_1(H: Any, b: Any, w: Any, beta: float, rho: float, steps: int) -> list[Any]:
    """The iterates on w'Hw/2 - b'w, with matrices."""
    z, iterates = np.zeros_like(w), [w]
    for _ in range(steps):
        z = rho * z - beta * (H @ z + (H @ w - b))
        w = w + z
        iterates.append(w)
    return iterates


@pytest.mark.parametrize("seed", range(5))
def test_components_are_the_matrix_iteration(seed: int) -> None:
    """What the claims follow by components is Algorithm 1 on a full matrix."""
    rng = np.random.default_rng(seed)
    h, start, b = rng.random(4) * 2, rng.standard_normal(4), rng.standard_normal(4)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    whole = algorithm_1((Q * h) @ Q.T, Q @ b, Q @ start, 0.4, 0.7, 30)
    z, parts = np.zeros(4), [start]
    for _ in range(30):
        z, w = common.component(z, parts[-1], h, b, 0.4, 0.7)
        parts.append(w)
    np.testing.assert_allclose([Q.T @ w for w in whole], parts, rtol=1e-12, atol=1e-13)


def test_the_region_in_both_directions_on_a_million_points() -> None:
    """Closed form, runs of the recursion and LAPACK agree outside a band about the boundary."""
    s, rho, left_out = plane.grid()
    assert s.size >= 1_000_000
    assert left_out < 0.01
    claimed = (1.5 * s - 1.0 < rho) & (rho < 1.0 + s)
    assert np.array_equal(tralgos.curveball_converges(s, rho), claimed)
    assert np.array_equal(tralgos.curveball_spectral_radius(s, rho) < 1.0, claimed)
    for piece in np.array_split(np.arange(s.size), 32):
        ran = common.simulated_inside(s[piece], rho[piece])
        assert np.array_equal(ran, claimed[piece])
        assert np.array_equal(common.eigenvalues_inside(s[piece], rho[piece]), claimed[piece])


def test_a_run_that_is_too_short_is_not_decided() -> None:
    s, rho = np.array([0.5, 1e-6]), np.array([0.5, 1.0])
    assert common.simulated_inside(s, rho, longest=64).tolist() == [1, -1]


@given(s=st.floats(0.01, 4.0), rho=st.floats(-1.5, 3.0))
def test_jurys_test_against_the_roots(s: float, rho: float) -> None:
    exact = common.exact_roots_inside(Fraction(s), Fraction(rho))
    largest = float(common.radius(real(s), real(rho)))
    if abs(largest - 1.0) > 1e-12:
        assert exact == (largest < 1.0)


def test_nothing_happens_in_the_kernel() -> None:
    """With h_min = 0 and z_0 = 0 the smallest positive eigenvalue bounds rho, not 1."""
    H, w = np.diag([1.0, 0.0]), np.array([1.0, 5.0])
    last = algorithm_1(H, np.zeros(2), w, 0.25, 1.125, 400)[-1]
    assert last[1] == 5.0
    assert abs(last[0]) < 1e-6
    assert not quadratics.goes_to_a_minimiser(
        {"eigenvalues": [1.0, 0.0], "b": [0.0, 0.0], "beta": 0.25, "rho": 1.25}
    )


def test_the_smallest_counterexample_to_a_monotone_decrease() -> None:
    (errors,) = linear._errors(quadratics.instance_of([1.0], 1.0, 0.75))
    assert [float(e) for e in errors[:3]] == [1.0, 0.0, 0.25]


def test_errors_are_those_of_fractions() -> None:
    """The recursion with many bits beside the same in fractions, about a minimiser b/h."""
    instance = quadratics.instance_of([0.3], 0.7, 0.9, [0.1], start=1.7)
    (errors,) = linear._errors(instance)
    h, b, beta, rho = (Fraction(x) for x in (0.3, 0.1, 0.7, 0.9))
    z, w = Fraction(0), Fraction(1.7)
    for error in errors[:12]:
        wanted = common.precise().mpf(abs(w - b / h).numerator) / abs(w - b / h).denominator
        assert abs(error - wanted) < 1e-45
        z, w = common.component(z, w, h, b, beta, rho)


@given(q=st.integers(1, 15).map(lambda k: k / 16), steps=st.integers(1, 12))
def test_the_bound_with_its_factor_is_attained(q: float, steps: int) -> None:
    """At the double root -q: |p_t| = (t + 1 + t q) q^t."""
    instance = quadratics.instance_of([1.0], (1 + q) ** 2, 1 + 2 * q + 2 * q * q)
    (errors,) = linear._errors(instance)
    wanted = (steps + 1 + steps * q) * real(q) ** steps
    assert abs(errors[steps] - wanted) < 1e-35
    assert linear._tightest(instance) == pytest.approx(linear._tightest(instance)[::-1], rel=1e-12)


# -------------------------------------------------------------------- rates


def test_the_largest_step_for_a_spectrum_is_not_at_rho_one() -> None:
    """h in {1, 1/2}: rho = 1 allows beta < 4/3, rho near 1 + beta/2 allows beta < 2."""
    for beta, rho in ((1.9, 1.9), (1.3, 1.0)):
        assert all(tralgos.curveball_converges(beta * h, rho) for h in (1.0, 0.5))
    assert not tralgos.curveball_converges(1.9, 1.0)


@pytest.mark.parametrize("kappa", [1.05, 1.2, 2.0, 2.9, 3.0, 3.2, 7.0, 50.0, 1e3, 1e5, 1e6])
def test_a_search_that_knows_no_formula_finds_the_same_rate(kappa: float) -> None:
    formula = tralgos.curveball_optimal_parameters(1.0, kappa).rate_complement
    found = rates.searched(kappa)
    assert formula - found <= 1e-6 * formula
    assert formula - found >= -1e-8 * formula


def test_the_rivals_rates_are_those_of_their_matrices() -> None:
    """Each rate in the table against companion matrices over the spectrum."""
    kappa = 50.0
    h = np.linspace(1.0, kappa, 2001)

    def rate(trace: Any, determinant: Any) -> float:
        pairs = np.broadcast_arrays(trace, determinant, h)[:2]
        polynomials = ([1.0, -t, d] for t, d in zip(*pairs, strict=True))
        return max(float(np.max(np.abs(np.roots(p)))) for p in polynomials)

    root, sqrt = math.sqrt(3 * kappa + 1), math.sqrt(kappa)
    momentum, step = (root - 2) / (root + 2), 4 / (3 * kappa + 1)
    heavy, long = ((sqrt - 1) / (sqrt + 1)) ** 2, 4 / (sqrt + 1) ** 2
    best = tralgos.curveball_optimal_parameters(1.0, kappa)
    steps = np.linspace(1.0, 4 / 3, 20001)
    ends = np.maximum(
        tralgos.curveball_spectral_radius(steps / kappa, 1.0),
        tralgos.curveball_spectral_radius(steps, 1.0),
    )
    measured = {
        "CurveBall": rate(1 + best.rho - 2 * best.beta * h, best.rho - best.beta * h),
        "CurveBall, rho = 1": float(np.min(ends)),
        "gradient descent": float(np.max(np.abs(1 - 2 / (1 + kappa) * h))),
        "Nesterov": rate((1 + momentum) * (1 - step * h), momentum * (1 - step * h)),
        "heavy ball, Chebyshev": rate(1 + heavy - long * h, heavy),
    }
    for name, gap in rates.RIVALS.items():
        assert 1 - gap(kappa) == pytest.approx(measured[name], abs=2e-5), name


def test_the_figures_of_the_comparison() -> None:
    figures = figures_of("optimal-parameters")
    assert all(figure.as_recorded for figure in figures.values())
    name = "iterations a digit, {}, kappa = 10000"
    at = {rival: figures[name.format(rival)].value for rival in rates.RIVALS}
    assert at["heavy ball, Chebyshev"] < at["Nesterov"] < at["CurveBall"] < at["gradient descent"]
    assert at["CurveBall, rho = 1"] == pytest.approx(3 * at["gradient descent"], rel=1e-3)


# -------------------------------------------------------------------- the certificate


def test_the_known_value_is_that_of_a_quadratic() -> None:
    """mu = 0.1, L = 1, rho = 0.9, beta = 0.5, four steps: p_4(mu)^2, exactly."""
    beta, rho, h = Fraction(1, 2), Fraction(9, 10), Fraction(1, 10)
    error, z = Fraction(1), Fraction(0)
    for _ in range(4):
        z, error = common.component(z, error, h, Fraction(0), beta, rho)
    assert float(error * error) == pytest.approx(0.362284, abs=5e-7)
    found = adversary.on_quadratics(adversary.Setting(0.1, 0.9, 0.5, 4))
    assert found == pytest.approx(float(error * error), rel=1e-14)


def test_the_conditions_of_the_adversary_hold_for_functions_and_fail_for_others() -> None:
    """On a run with curvature 1 to the right and 0.9 to the left; then with mu above 0.9."""
    setting = adversary.Setting(0.9, 0.9, 1.0, 3)

    def slope(x: Any) -> Any:
        return np.where(np.asarray(x) > 0, 1.0, 0.9) * x

    w, z, points = 1.0, 0.0, []
    for _ in range(3):
        points.append(w + z)
        z = setting.rho * z - setting.beta * slope(points[-1])
        w = w + z
    x = np.array([*points, w])
    v = np.concatenate([[1.0], slope(x), slope(x) * x / 2])
    assert min(x) < 0 < max(x)
    assert np.min(adversary._Interpolation(setting, 1).slack(v)) >= -1e-15
    stronger = adversary.Setting(0.95, 0.9, 1.0, 3)
    assert np.min(adversary._Interpolation(stronger, 1).slack(v)) < 0


def test_the_jacobian_of_the_conditions() -> None:
    conditions = adversary._Interpolation(adversary.Setting(0.3, 0.8, 0.7, 3), 2)
    v = np.random.default_rng(3).standard_normal(2 * 5 + 4)
    numeric = scipy.optimize.approx_fprime(v, conditions.slack, 1e-7)
    np.testing.assert_allclose(conditions.jacobian(v), numeric, atol=1e-5)


def test_found_and_certified_agree_on_the_whole_table() -> None:
    """A lower bound by functions against the recorded upper bound, to 1e-5, in 96 settings."""
    table = certificate.certified_settings()
    apart = [adversary.worst_found(setting, starts=6) - value for setting, value in table]
    assert len(table) == 96
    assert max(map(abs, apart)) <= 1e-5


def test_quadratics_are_not_always_the_worst() -> None:
    setting = adversary.Setting(0.5, 1.0, 1.0, 2)
    assert adversary.on_quadratics(setting) == pytest.approx(1 / 64)
    assert adversary.worst_found(setting) == pytest.approx(1 / 7, abs=1e-6)


@pytest.fixture
def pepit() -> None:
    """`pip install 'tralgos[pep]'` brings both."""
    pytest.importorskip("PEPit")
    pytest.importorskip("clarabel")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pepit_gives_the_recorded_values(pepit: None) -> None:
    """The certificate anew: every setting to 1e-5, recorded and found alike."""
    for setting, value in certificate.certified_settings():
        computed = pep.performance_estimate(setting)
        assert computed == pytest.approx(value, abs=1e-5)
        assert computed == pytest.approx(adversary.worst_found(setting), abs=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pepit_by_measure(pepit: None) -> None:
    """0.362284 is the ratio of values and of squared gradients, not of distances."""
    setting = adversary.Setting(0.1, 0.9, 0.5, 4)
    found = {m: pep.performance_estimate(setting, m) for m in ("value", "gradient", "distance")}  # type: ignore[arg-type]
    assert found["value"] == pytest.approx(0.362284, abs=1e-5)
    assert found["gradient"] == pytest.approx(0.362284, abs=1e-5)
    assert found["distance"] == pytest.approx(0.541438, abs=1e-5)


def test_without_pepit_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "PEPit", None)
    with pytest.raises(ImportError, match=r"tralgos\[pep\]"):
        pep.performance_estimate(adversary.Setting(0.1, 0.9, 0.5, 1))


# -------------------------------------------------------------------- the grid can fail


def test_a_mistaken_step_is_seen_on_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "component", common.heavy_ball)
    s, rho, _ = plane.grid(64)
    claimed = (1.5 * s - 1.0 < rho) & (rho < 1.0 + s)
    assert np.mean(common.simulated_inside(s, rho) != claimed) > 0.05
