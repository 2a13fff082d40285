"""The certificate's claims: their oracles against other ones, and that they can fail."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tralgos
from theory_checks.claim import Answer
from theory_checks.claims import certificate, evidence, gauss_radau, gauss_radau_rounding
from theory_checks.engine import Budget, hunt
from theory_checks.margins import worst_margin


def test_the_bound_is_the_maximum_of_the_parabola() -> None:
    """(2), on both sides of its two cases, against a fine grid."""
    t = np.linspace(0.0, 1.0, 20001)
    for shift, residual, curvature, length in (
        (0.0, 1.0, 2.0, 0.5),
        (0.5, 1.0, 0.25, 0.5),
        (0.0, 1.0, -1.0, 1.0),
        (2.0, 0.0, 1.0, 0.0),
        (1.0, 3.0, 0.0, 0.25),
    ):
        reach = t * (1 + length)
        wanted = shift / 2 * (1 - length**2) + np.max(residual * reach - curvature / 2 * reach**2)
        found = certificate._theorem_1(shift, residual, curvature, length)
        assert found == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("mirror", [[0.0, 0.0], [1.0, 2.0]])
def test_the_true_gap_in_an_ellipsoid_against_a_grid(mirror: list[float]) -> None:
    """The change of variables: a norm that is not Euclidean, a radius that is not one."""
    instance = {
        **certificate._gap_instance([-1.0, 2.0], [0.5, -1.0]),
        "mirror": mirror,
        "norm": [0.25, 4.0],
        "radius": 3.0,
    }
    H, g = certificate._matrix(instance), np.array(instance["gradient"])
    turns, sizes = np.linspace(0, 2 * np.pi, 2001), np.linspace(0, 1, 201)
    s = 3.0 * np.stack([np.outer(np.cos(turns), sizes) / 0.5, np.outer(np.sin(turns), sizes) / 2.0])
    values = np.einsum("i,ijk->jk", g, s) + np.einsum("ijk,il,ljk->jk", s, H, s) / 2
    step = np.array([1.0, 0.5])
    wanted = g @ step + step @ H @ step / 2 - np.min(values)
    ball = certificate._Ball(H, instance)
    assert float(ball.excess(step.tolist())) == pytest.approx(wanted, rel=1e-4)
    length = np.sqrt(step**2 @ np.array([0.25, 4.0])) / 3.0
    assert np.hypot(*[float(u) for u in ball.step(step.tolist())]) == pytest.approx(length)


def test_gaps_with_many_digits_against_fractions() -> None:
    rng = np.random.default_rng(0)
    step, spectrum, start, other = rng.standard_normal((4, 5))
    spectrum = np.abs(spectrum)
    columns = [[Fraction(x) for x in v.tolist()] for v in (step, spectrum, start, other)]
    wanted = sum(h * (s + g / h) ** 2 for s, h, g, _ in zip(*columns, strict=True)) / 2
    assert gauss_radau_rounding._precise_gap(step, spectrum, start) == pytest.approx(
        float(wanted), rel=1e-14
    )
    square = sum((h * s + g - p) ** 2 for s, h, g, p in zip(*columns, strict=True))
    found = gauss_radau_rounding._precise_unknown(step, spectrum, start, other)
    assert found**2 == pytest.approx(float(square), rel=1e-14)


def test_a_run_judged_with_many_digits_gives_the_same_ratio() -> None:
    """The rounding of the float64 gap is far below the slack of the bound."""
    instance = {"n": 12, "sample": 3, "decades": 4.0, "share": 0.9}
    (plain,) = gauss_radau_rounding._rounding_margins(instance).values()
    (confirmed,) = gauss_radau_rounding._rounding_confirmed(instance).values()
    assert plain == pytest.approx(confirmed, rel=1e-6)


@pytest.mark.parametrize("module", [certificate, gauss_radau])
def test_screens_draw_what_is_admitted_and_suspect_what_is_not(module: Any) -> None:
    for claim in module.claims():
        form = claim.proven
        arrays = form.screen.draw(np.random.default_rng(1), 4096)
        assert np.all(form.screen.slack(np, arrays) >= 0)
        for row in range(8):
            instance = form.screen.instance(arrays, row)
            assert form.admits(instance)
            assert worst_margin(form.margins(instance))[1] >= 0.0


def test_the_screen_of_the_node_suspects_one_above_the_spectrum() -> None:
    (claim,) = gauss_radau.claims()
    arrays = dict(claim.proven.screen.draw(np.random.default_rng(2), 4096))
    arrays["share"] = 1.2 * np.ones(4096)
    assert np.any(claim.proven.screen.slack(np, arrays) < 0)


def test_a_certificate_that_is_too_small_changes_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The claim is about what tralgos returns, and not about the formula alone."""
    original = tralgos.solve_trs

    class Smaller:
        def __init__(self, result: Any) -> None:
            self._result = result
            self.certificate = type("Gap", (), {"gap": 0.5 * result.certificate.gap})()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._result, name)

    monkeypatch.setattr(tralgos, "solve_trs", lambda *a, **k: Smaller(original(*a, **k)))
    form = certificate.claims()[0].proven
    assert hunt(form, Budget(form.effort, 0, 4.0), 0).violation is not None


def test_evidence_that_fails_changes_the_measured_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that is not random fails far more often than is stated."""

    def unseen(kind: str, n: int, seed: int, *rest: Any) -> float:
        spectrum = evidence._spectrum(kind, n, np.random.default_rng(seed))
        return float(spectrum[1] - spectrum[0])

    monkeypatch.setattr(evidence, "_excess", unseen)
    figure = evidence._failure_figure(0.1, "normal", 50, 20, 40, 0)
    assert figure.answer is Answer.NOT_CONSISTENT
    assert not figure.as_recorded
