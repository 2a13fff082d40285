"""The claims on diagonal shares: their oracles, their verdicts, and that each of them can fail."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from theory_checks.claim import Claim, Level, Verdict
from theory_checks.claims.adaptive_norms import (
    shares_concentration,
    shares_coverage,
    shares_estimator,
    shares_expected_ols,
    shares_expected_wigner,
    shares_finite_n,
    shares_laws,
    shares_matrices,
    shares_ols,
    shares_wigner,
)
from theory_checks.engine import Budget, hunt
from theory_checks.ledger import examine
from theory_checks.shrink import leaves
from tralgos.operators import Operator
from tralgos.shares import gaussian_expected_wigner_share

MODULES = (
    shares_wigner, shares_expected_wigner, shares_concentration, shares_ols, shares_finite_n,
    shares_expected_ols, shares_estimator,
)  # fmt: skip

RECORDED = {
    "proposition-1": "holds",
    "proposition-1-footnote": "needs",
    "proposition-1-expected-share": "needs",
    "proposition-1-order": "measured",
    "share-concentration": "measured",
    "proposition-2": "holds",
    "figure-d2-other-data": "needs",
    "proposition-2-gaussian": "holds",
    "figure-d2": "measured",
    "proposition-2-signs": "holds",
    "proposition-2-expected-share": "needs",
    "proposition-2-expected-share-gaussian": "measured",
    "share-estimator": "measured",
}

FEW = settings(max_examples=15)


def every_claim() -> dict[str, Claim]:
    return {claim.id.split("/")[1]: claim for module in MODULES for claim in module.claims()}


def test_every_statement_has_its_claim_and_its_verdict() -> None:
    assert {name: claim.verdict.word for name, claim in every_claim().items()} == RECORDED


@pytest.mark.parametrize("name", list(RECORDED))
def test_verdicts_are_as_recorded(name: str) -> None:
    """With every hypothesis dropped, every sabotage noticed and every figure in its range."""
    claim = every_claim()[name]
    entry = examine(claim, Level.QUICK, 1)
    assert not entry.changed, entry
    for form in claim.forms().values():
        for condition in form.hypotheses:
            assert (condition.dropped is None) == bool(condition.kept), condition.name
    assert claim.proof
    assert (claim.verdict is Verdict.MEASURED) == (claim.measure is not None)


@pytest.mark.parametrize("name", [n for n, word in RECORDED.items() if word == "needs"])
def test_what_is_false_as_printed_falls_at_once_and_is_small(name: str) -> None:
    """A counterexample is an edge case, so that no search decides over a verdict."""
    found = hunt(every_claim()[name].printed, Budget(1, 0, 5.0), 0).violation
    assert found is not None
    assert found.found_by == "edge case"
    assert found.instance["d"] <= 3
    assert all(len(repr(x).strip("-").replace(".", "")) <= 3 for _, x in leaves(found.instance))


# --------------------------------------------------------------------------- the laws

small_laws = shares_laws.laws(1, 5, 2)


@given(small_laws, st.integers(0, 4))
@FEW
def test_sums_by_enumeration(law: dict[str, Any], count: int) -> None:
    weights: dict[int, int] = {}
    pairs = list(shares_laws.weights_of(law).items())
    for chosen in itertools.product(pairs, repeat=count):
        total = sum(x for x, _ in chosen)
        weights[total] = weights.get(total, 0) + math.prod(w for _, w in chosen)
    assert shares_laws.sum_of(shares_laws.weights_of(law), count) == weights


@given(small_laws, st.integers(1, 3), st.sampled_from([0.5, 1.0, 3.0]))
@FEW
def test_expected_share_by_enumeration_of_the_matrices(
    law: dict[str, Any], d: int, sigma1: float
) -> None:
    pairs = list(shares_laws.weights_of(law).items())
    places = [(i, j) for i in range(d) for j in range(i + 1)]
    total = weight = Fraction(0)
    for chosen in itertools.product(pairs, repeat=len(places)):
        W = [[Fraction(0)] * d for _ in range(d)]
        for (i, j), (x, _) in zip(places, chosen, strict=True):
            W[i][j] = W[j][i] = Fraction(sigma1) * x if i == j else Fraction(x)
        w = math.prod(w for _, w in chosen)
        share = sum(W[i][i] for i in range(d)) / sum(map(sum, W))
        total, weight = total + w * share, weight + w
    instance = shares_expected_wigner._finite(d, law, sigma1=sigma1)
    assert shares_expected_wigner._expected_share(instance) == total / weight


@given(small_laws, st.integers(1, 2), st.integers(1, 2))
@FEW
def test_off_diagonal_by_enumeration_of_the_data(law: dict[str, Any], n: int, d: int) -> None:
    """E|H_12| of data with both signs, against the enumeration of the expected shares."""
    signed = shares_ols._centred(law)
    instance = shares_ols._instance(signed, n, 2)
    on, off, *_ = shares_expected_ols._means(shares_expected_ols._instance(law, 2, n))
    assert shares_ols._off_diagonal(instance) == off / on
    assert shares_ols._mass_ratio(instance) == off / on


# ----------------------------------------------------------------------- the oracles


def test_share_in_bulk_is_the_share() -> None:
    """The screens compute what the margins do."""
    for module, name in (
        (shares_expected_wigner, "proposition-1-expected-share"),
        (shares_expected_ols, "proposition-2-expected-share"),
    ):
        claim = {c.id.split("/")[1]: c for c in module.claims()}[name]
        screen = claim.proven.screen
        assert screen is not None
        arrays = screen.draw(np.random.default_rng(0), 40)
        slacks = screen.slack(np, arrays)
        for row in range(40):
            instance = screen.instance(arrays, row)
            margins = claim.proven.margins(instance)
            exact = 2.0**-52 * min(v for k, v in margins.items() if "tralgos" not in k)
            if claim.proven.admits(instance) and exact < 0.5:
                assert slacks[row] == pytest.approx(exact, abs=1e-12)


def test_expected_share_of_two_gaussian_features() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 8):
        by_quad = quad(
            lambda t, n=n: (t * (1 - t)) ** (n / 2 - 1) / t, 0.5, 1
        )[0] * math.gamma(n) / math.gamma(n / 2) ** 2  # fmt: skip
        assert shares_expected_ols._gaussian_pair(n) == pytest.approx(by_quad, rel=1e-10)
        assert float(shares_expected_ols._gap(n)[1]) == pytest.approx(by_quad, rel=1e-10)
        drawn = shares_expected_ols._drawn(2, n, 4000, rng)
        assert abs(np.mean(drawn) - by_quad) < 4 * np.std(drawn) / math.sqrt(4000)


def test_expected_share_of_two_gaussian_features_in_closed_form() -> None:
    for n, wanted in ((1, 2 / math.pi), (2, math.log(2))):
        assert float(shares_expected_ols._gap(n)[1]) == pytest.approx(wanted, rel=1e-14)


def test_uniform_entries_by_simulation() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-math.sqrt(3), math.sqrt(3), (2, 40000, 16))
    sums = np.abs(np.sum(x * y, axis=1)) / 16
    error = np.std(sums) / math.sqrt(len(sums))
    assert abs(np.mean(sums) - shares_finite_n._uniform_ratio(16)) < 4 * error


def test_drawn_shares_have_the_expected_mean() -> None:
    drawn = shares_concentration._shares(10, 4000, np.random.default_rng(0))
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert abs(np.mean(drawn) - gaussian_expected_wigner_share(10)) < 4 * error
    one = shares_expected_ols._drawn(4, 1, 3, np.random.default_rng(1))
    x = np.random.default_rng(1).standard_normal((4, 1))
    H = np.abs(x @ x.T)
    assert one[0] == pytest.approx(np.trace(H) / H.sum(), rel=1e-14)


def test_tails_by_simulation() -> None:
    law = shares_laws.record([1, 8], [1, 1])
    instance = shares_concentration._instance(3, law, 0.125)
    Z = np.random.default_rng(0).choice([1.0, 8.0], (20000, 6))
    share = Z[:, :3].sum(axis=1) / (Z[:, :3].sum(axis=1) + 2 * Z[:, 3:].sum(axis=1))
    for found, wanted in zip(
        (np.mean(share >= 1 / 3 + 0.125), np.mean(share <= 1 / 3 - 0.125)),
        shares_concentration._tails(instance),
        strict=True,
    ):
        assert abs(found - float(wanted)) < 0.015


# ------------------------------------------------------------- what the checks notice


def test_pairs_counted_once_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    share = shares_expected_wigner._expected_share
    monkeypatch.setattr(
        shares_expected_wigner,
        "_expected_share",
        lambda instance: share({**instance, "sigma2": instance["sigma2"] / 2}),
    )
    form = every_claim()["proposition-1-expected-share"].proven
    assert hunt(form, Budget(20, 0, 5.0), 0).violation is not None


def test_a_wrong_constant_in_the_limit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    off = shares_ols._off_diagonal
    monkeypatch.setattr(shares_ols, "_off_diagonal", lambda i: off(i) * 2)
    form = every_claim()["proposition-2"].printed
    assert hunt(form, Budget(20, 0, 5.0), 0).violation is not None


def test_equality_needs_what_it_needs() -> None:
    """The two shares agree where sigma1 = 2 sigma2, and where |Z| is constant."""
    law = shares_laws.record([1, 3], [2, 1])
    for instance in (
        shares_expected_wigner._finite(3, law, sigma1=2.0),
        shares_expected_wigner._finite(4, shares_laws.record([5], [1]), sigma1=3.0),
    ):
        share = shares_expected_wigner._expected_share(instance)
        assert share == shares_expected_wigner._share_of_expectation(instance)
    assert shares_expected_wigner._expected_share(
        shares_expected_wigner._finite(3, law, sigma1=2.0)
    ) == Fraction(2, 4)


def test_products_are_remembered() -> None:
    operator = shares_coverage.Products(np.eye(4))
    assert isinstance(operator, Operator)
    operator.matmat(np.eye(4)[:, [2, 0]])
    operator.matvec(np.eye(4)[:, 3])
    assert operator.seen == [2, 0, 3]
    assert not operator.has_transpose
    shift = shares_coverage.Products(np.eye(4, k=1), transpose=True)
    assert shift.has_transpose
    assert shift.rmatvec(np.eye(4)[0]).tolist() == np.eye(4, k=1)[0].tolist()
    assert shift.seen == []


def test_the_matrices_of_the_coverage_are_what_they_are_called() -> None:
    found = shares_matrices.matrices()
    assert len(found) == 20
    assert all(A.shape == (shares_matrices.ORDER,) * 2 for A in list(found.values())[:12])
    masses = {name: np.abs(A).sum(axis=0) / np.abs(A).sum() for name, A in found.items()}
    assert masses["one dominating column"].max() > 0.9
    assert masses["one dominating row and column"].max() > 0.4
    assert np.trace(found["zero diagonal"]) == 0.0
    norms = np.linalg.norm(found["dense columns among sparse ones"], axis=0)
    assert norms.max() < 2.5 * norms.min()
    assert masses["dense columns among sparse ones"][:6].sum() > 0.2
    rare = found["half the diagonal in 1% of the mass"]
    assert np.trace(rare[:8, :8]) == pytest.approx(np.trace(rare) / 2)
    assert masses["half the diagonal in 1% of the mass"][:8].sum() < 0.015
    skewed = found["not symmetric, scales exp(3N/2)"]
    assert not np.allclose(skewed, skewed.T)
    for part in (0.1, 0.01):
        bordered = found[f"identity, border of {part:.0%}"]
        off = np.abs(bordered).sum(axis=0) - np.diag(bordered)
        assert off.sum() == pytest.approx(part * np.trace(bordered))
        assert off[0] == pytest.approx(off.sum() / 2)
    wheel = found["wheel"] - 8.0 * np.eye(300)
    assert wheel.sum(axis=0).tolist() == [299.0] + [3.0] * 299
    assert not found["saddle point"][-5:, -5:].any()
    rng = np.random.default_rng(0)
    cauchy, triangular = (make(rng) for make in shares_matrices.heavy_tailed().values())
    for A in (cauchy, triangular):
        diagonal = np.sort(np.abs(np.diag(A)))
        assert diagonal[-30:].sum() > 0.5 * diagonal.sum()
    assert np.array_equal(cauchy, cauchy.T)
    assert not np.tril(triangular, -1).any()
    newton = found["network, Gauss-Newton"]
    assert newton.shape == found["network, Hessian"].shape == (235, 235)
    assert np.linalg.eigvalsh(newton)[0] > -1e-12 > np.linalg.eigvalsh(found["network, Hessian"])[0]


def test_coverage_counts_intervals() -> None:
    """Half of the intervals of confidence 0.5 cover; an exact share is covered up to rounding."""
    A, rng = shares_matrices.matrices()["Wigner"], np.random.default_rng(0)
    wanted = np.abs(np.diag(A)).sum() / np.abs(A).sum()
    options = {"columns": 50, "confidence": 0.5}
    hits = [shares_coverage._covers(A, wanted, True, options, rng) for _ in range(300)]
    assert 0.4 < np.mean(hits) < 0.6
    assert shares_coverage._covers(A, wanted, True, {}, rng)
    assert not shares_coverage._covers(A, 1.001 * wanted, True, {}, rng)
    figure = shares_coverage._figure("all", [True] * 100, (0.9, 1.0))
    assert (figure.value, figure.high) == (1.0, 1.0)
    assert figure.low == pytest.approx(0.025 ** (1 / 100))
    assert shares_coverage._figure("none", [False] * 9, (0.0, 1.0)).low == 0.0


def test_a_broken_claim_is_told() -> None:
    """Were the bound of the Gaussian excess half as large, the hunt would find it."""
    claim = every_claim()["proposition-2-gaussian"]

    def halved(instance: dict[str, Any]) -> dict[str, float]:
        excess, bound = shares_finite_n._gaussian_bound(instance)
        return {"half the bound": bound / 2 - excess}

    worse = dataclasses.replace(claim.printed, margins=halved, sabotage=(), bound=None)
    assert hunt(worse, Budget(20, 0, 5.0), 0).violation is not None
    assert claim.verdict is Verdict.HOLDS
