"""Figure D.2: its cells against dense matrices and closed forms, its slopes, and its runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from theory_checks.claim import Level
from theory_checks.experiments import experiments, figure_d2
from theory_checks.experiments.figure_2_cells import LAWS, UnknownKindError
from theory_checks.experiments.figure_2_data import QUADRATIC, STANDARD, features
from theory_checks.experiments.figure_2_plan import PlanError
from theory_checks.experiments.figure_d2_cells import (
    DATA,
    Cell,
    check,
    cost,
    key_of,
    masses,
    measure,
)
from theory_checks.experiments.figure_d2_plan import (
    RATIO,
    SHARE,
    Found,
    Gap,
    Plan,
    exact_gap,
    full,
    quick,
    supremum,
)
from theory_checks.experiments.figure_d2_tables import half, resolved, sentences, tables
from theory_checks.experiments.outcome import Experiment, document, write
from theory_checks.sweeps import Runner
from tralgos.problems import RandomMatrix
from tralgos.shares import (
    asymptotic_ols_share,
    gaussian_expected_wigner_share,
    gaussian_ols_share,
    rademacher_ols_share,
)

TINY = Plan(
    examples=(1, 2, 4, 8),
    sizes={**{law: (2, 10) for law in LAWS}, STANDARD: (2,), QUADRATIC: (10,)},
    entries=4e4,
    fewest=20,
    most=2000,
    digits=20,
    shown_n=(1, 4),
    shown_d=(2, 10),
)


@pytest.fixture(scope="module")
def found():
    return figure_d2.measured(TINY, 5, Runner())


# --- cells ---------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
def test_run_r_is_rows_rd_to_rd_plus_d_of_one_random_matrix(law):
    cell = Cell(law, 5, 3, 7, 11)
    every = RandomMatrix(35, 3, law=LAWS[law], rng=key_of(cell)).dense()
    parts, wholes = masses(cell, key_of(cell))
    for run in range(7):
        X = every[5 * run : 5 * run + 5]
        H = X @ X.T / 3.0
        assert parts[run] == pytest.approx(np.trace(H), rel=1e-12)
        assert wholes[run] == pytest.approx(np.abs(H).sum(), rel=1e-12)


@pytest.mark.parametrize("data", [STANDARD, QUADRATIC])
def test_a_run_on_digits_has_its_own_features_and_digits(data):
    cell = Cell(data, 6, 4, 3, 11)
    parts, wholes = masses(cell, key_of(cell))
    for run in range(3):
        rng = np.random.default_rng(np.random.SeedSequence([key_of(cell), run]))
        rows = rng.choice(1797, 4, replace=False)
        X = features(data, 6, rng, rows).T
        assert parts[run] == pytest.approx((X**2).sum() / 4.0, rel=1e-12)
        assert wholes[run] == pytest.approx(np.abs(X @ X.T).sum() / 4.0, rel=1e-12)


def test_runs_are_put_together_whatever_is_held_at_once(monkeypatch):
    cell = Cell("gaussian", 4, 3, 50, 2)
    whole = masses(cell, key_of(cell))
    monkeypatch.setattr("theory_checks.experiments.figure_d2_cells._AT_ONCE", 7 * 16)
    assert np.array_equal(masses(cell, key_of(cell)), whole)


def test_more_runs_are_the_same_ones_and_others():
    few, many = Cell("uniform", 4, 3, 10, 2), Cell("uniform", 4, 3, 25, 2)
    assert key_of(few) == key_of(many)
    assert np.array_equal(masses(few, 9)[1], masses(many, 9)[1][:10])


def test_both_averages_and_their_standard_errors():
    cell = Cell("gaussian", 3, 2, 400, 0)
    parts, wholes = masses(cell, key_of(cell))
    seen = measure(cell)
    shares = parts / wholes
    assert seen["share"] == pytest.approx(shares.mean(), rel=1e-12)
    assert seen["error"] == pytest.approx(shares.std(ddof=1) / 20.0, rel=1e-12)
    assert seen["ratio"] == pytest.approx(parts.sum() / wholes.sum(), rel=1e-12)
    drawn = np.random.default_rng(1).integers(0, 400, (2000, 400))
    resampled = parts[drawn].sum(axis=1) / wholes[drawn].sum(axis=1)
    assert seen["ratio_error"] == pytest.approx(resampled.std(), rel=0.1)


@pytest.mark.parametrize(("d", "n"), [(2, 1), (2, 8), (10, 4), (30, 16)])
@pytest.mark.parametrize(
    ("law", "exact"), [("gaussian", gaussian_ols_share), ("rademacher", rademacher_ols_share)]
)
def test_the_ratio_of_the_masses_measures_the_closed_form(law, exact, d, n):
    seen = measure(Cell(law, d, n, 4000, 3))
    assert abs(seen["ratio"] - exact(d, n)) <= 5.0 * seen["ratio_error"] + 1e-12


def test_the_mean_share_of_two_gaussian_features_is_its_closed_form():
    """2 / pi for one example, log 2 for two: docs/diagonal-shares.md."""
    for n, expected in ((1, 2.0 / math.pi), (2, math.log(2.0))):
        seen = measure(Cell("gaussian", 2, n, 20_000, 3))
        assert abs(seen["share"] - expected) <= 4.0 * seen["error"]
        assert abs(seen["share"] - gaussian_ols_share(2, n)) > 4.0 * seen["error"]
        assert gaussian_expected_wigner_share(2) < seen["share"]


def test_seeds_are_the_documented_ones_and_all_different():
    # crc32 of "d2/gaussian".
    sequence = np.random.SeedSequence([9, 0x40D64ADB, 10, 4])
    assert key_of(Cell("gaussian", 10, 4, 5, 9)) == int(sequence.generate_state(1, np.uint64)[0])
    cells = [*TINY.cells(0), *TINY.cells(1)]
    assert len({key_of(cell) for cell in cells}) == len(cells)


def test_unknown_data_are_refused_before_any_work(tmp_path):
    with pytest.raises(UnknownKindError, match=r"'cauchy'.*gaussian, rademacher"):
        measure(Cell("cauchy", 2, 1, 10, 0))
    plan = replace(TINY, sizes={"cauchy": (2,)})
    with pytest.raises(UnknownKindError, match="'cauchy'"):
        figure_d2.run_plan(plan, 0, Runner(folder=tmp_path))
    assert not list(tmp_path.iterdir())


# --- plans and runs --------------------------------------------------------------------


@pytest.mark.parametrize("plan", [quick(), full()])
def test_plans_can_be_done_and_have_each_cell_once(plan):
    cells = plan.cells(0)
    check(cells)
    assert len(set(cells)) == len(cells)
    assert all(cost(cell) > 0.0 for cell in cells)
    assert plan.examples == (1, 2, 4, 8, 16, 32, 64)
    assert set(plan.sizes) == set(DATA)
    assert all(d <= 61 for d in plan.sizes[STANDARD])
    assert all(cell.runs >= plan.fewest or cell.data not in LAWS for cell in cells)
    assert all(cell.runs <= plan.digits for cell in cells if cell.data not in LAWS)


def test_results_are_the_same_bit_for_bit_on_every_executor():
    plan = replace(TINY, examples=(1, 4))
    serial, parallel = (
        figure_d2.measured(plan, 3, runner).numbers()
        for runner in (Runner(), Runner(executor="processes", workers=2))
    )
    assert json.dumps(serial) == json.dumps(parallel)
    assert json.dumps(serial) != json.dumps(figure_d2.measured(plan, 4, Runner()).numbers())


def test_a_broken_run_is_resumed_and_a_longer_one_uses_it(tmp_path):
    told: list[str] = []
    few = replace(TINY, examples=(1, 2))
    figure_d2.measured(few, 3, Runner(folder=tmp_path, tell=told.append))
    longer = figure_d2.measured(TINY, 3, Runner(folder=tmp_path, tell=told.append))
    assert [line for line in told if f" {len(few.cells(3))} cells were done before" in line]
    assert longer.numbers() == figure_d2.measured(TINY, 3, Runner()).numbers()


# --- errors, slopes, judgements -----------------------------------------------------------


def test_the_exact_largest_error_is_the_largest_over_d():
    for n in (1, 4, 32):
        gaps = [abs(exact_gap("gaussian", d, n)) for d in range(2, 400)]
        assert max(gaps) <= supremum("gaussian", n) <= max(gaps) * 1.03
    assert supremum("gaussian", 1) == pytest.approx(0.0564, abs=1e-4)
    assert supremum("uniform", 1) is None
    assert exact_gap("uniform", 2, 1) is None


def test_the_largest_gap_is_largest_in_size_and_keeps_its_sign(found):
    for data in TINY.sizes:
        for average in (SHARE, RATIO):
            gaps = [found.gap(data, d, 1, average).value for d in TINY.sizes[data]]
            assert found.largest(data, 1, average).value == max(gaps, key=abs)
    assert found.largest("rademacher", 1, RATIO).value < 0.0


def test_gaps_are_averages_less_the_formula(found):
    seen = found.at("gaussian", 10, 4)
    formula = math.sqrt(4.0) / (math.sqrt(4.0) + 9.0 * math.sqrt(2.0 / math.pi))
    for average, error in ((SHARE, "error"), (RATIO, "ratio_error")):
        gap = found.gap("gaussian", 10, 4, average)
        assert gap.value == pytest.approx(seen[average] - formula, rel=1e-12)
        assert gap.error == seen[error]


def test_errors_in_their_noise_or_of_another_sign_have_no_place_in_a_slope():
    gaps = [
        Gap(2, 1, -0.5, 0.01),
        Gap(2, 2, 0.3, 0.01),
        Gap(2, 4, 0.1, 0.01),
        Gap(2, 8, 0.03, 0.01),
    ]
    assert [gap.n for gap in resolved(gaps)] == [2, 4]
    assert resolved(gaps[3:]) == []


def made_up(error):
    """Results whose averages are error(d, n) above the formula, with small standard errors."""
    results = {}
    for cell in TINY.cells(0):
        value = asymptotic_ols_share(cell.d, cell.n) + error(cell.d, cell.n)
        results[cell] = {"share": value, "error": 1e-5, "ratio": value, "ratio_error": 1e-5}
    return Found(TINY, 0, results)


def test_a_known_slope_of_the_error_is_found():
    (table,) = [t for t in tables(made_up(lambda d, n: 0.01 * n**-1.5)) if "slope" in t.title]
    assert table.lines
    assert {line[4].split(" ")[0] for line in table.lines} == {"-1.50"}
    assert {line[3] for line in table.lines} == {"1, 2, 4, 8"}
    exact = {line[0] for line in table.lines if line[5] != "-"}
    assert exact == {"gaussian", "rademacher"}


def test_the_exact_slope_has_the_weights_of_the_measured_one():
    (table,) = [t for t in tables(made_up(lambda d, n: 0.01 * n**-1.5)) if "slope" in t.title]
    (line,) = [s for s in table.lines if s[:3] == ("gaussian", "10", "share of E|H|")]
    n = np.array([1, 2, 4, 8])
    laws = [exact_gap("gaussian", 10, int(k)) for k in n]
    expected, plain = (
        np.polyfit(np.log(n), np.log(laws), 1, w=w)[0] for w in (n**-1.5, np.ones(4))
    )
    assert abs(expected - plain) > 0.02
    assert line[5] == f"{expected:.2f}"


@pytest.mark.parametrize(("size", "expected"), [(0.015, "yes"), (0.03, "no"), (0.02, "can't tell")])
def test_small_n_are_judged_by_the_largest_error_at_n_4_and_more(size, expected):
    for sign in (1.0, -1.0):
        judged = sentences(made_up(lambda d, n, s=sign: s * (0.3 if n < 4 else size)))
        assert {sentence.answer for sentence in judged} == {expected}
        assert all(s.low <= s.value <= s.high for s in judged)
        assert all(s.value == pytest.approx(size) for s in judged)


def test_one_size_far_off_is_enough_for_no():
    judged = sentences(made_up(lambda d, n: 0.05 if (d, n) == (10, 4) else 0.0))
    answers = {s.says: s.answer for s in judged}
    assert {a for says, a in answers.items() if STANDARD not in says} == {"no"}
    assert {a for says, a in answers.items() if STANDARD in says} == {"yes"}


def test_half_an_interval_is_normal():
    assert half(2.0) == pytest.approx(2.0 * 1.959964, rel=1e-6)


# --- the outcome --------------------------------------------------------------------------


def test_tables_show_what_was_measured(found):
    averages, largest, _ = tables(found)
    (line,) = [line for line in averages.lines if line[:3] == ("gaussian", "4", "10")]
    seen = found.at("gaussian", 10, 4)
    assert line[3] == "400"
    assert line[4] == f"{seen['share']:.5f} +- {half(seen['error']):.5f}"
    assert line[6:] == (f"{asymptotic_ols_share(10, 4):.5f}", f"{gaussian_ols_share(10, 4):.5f}")
    (line,) = [line for line in largest.lines if line[:2] == ("rademacher", "1")]
    assert float(line[4].split(" ")[0]) == pytest.approx(-0.0562, abs=1e-4)
    assert line[6] == f"{supremum('rademacher', 1):.4f}"


def test_the_outcome_is_written_as_json_page_and_a_small_picture(tmp_path):
    outcome = figure_d2.run_plan(TINY, 0, Runner())
    experiment = Experiment("adaptive-norms/figure-d2", "title", "source", lambda *_: outcome)
    whole = document(experiment, outcome, Level.QUICK, 0, 1.0)
    json_file, page, picture = write(whole, experiment.stem, outcome, tmp_path)
    assert len(json.loads(json_file.read_text())["numbers"]["cells"]) == len(TINY.cells(0))
    assert "SeedSequence" in page.read_text()
    assert picture.stat().st_size < 150_000
    for table in outcome.tables:
        assert all(len(line) == len(table.headings) for line in table.lines)


def test_the_experiment_is_registered():
    experiment = experiments()["adaptive-norms/figure-d2"]
    assert experiment.sweep is not None
    assert experiment.backends == ("numpy",)


@pytest.mark.parametrize("name", ["fewest", "most", "digits"])
def test_a_plan_has_two_runs_at_least(name):
    with pytest.raises(PlanError, match=f"{name} is 1: a standard error needs at least 2 runs"):
        replace(TINY, **{name: 1})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sizes": {STANDARD: (2, 62)}}, "standardised pixels, d = 62, n = 1: 62 pixels wanted"),
        ({"sizes": {"gaussian": (2, 0)}}, "gaussian: d = 0 is not an integer >= 1"),
        ({"sizes": {QUADRATIC: (2,)}, "examples": (1798,)}, "1798 digits wanted: there are 1797"),
    ],
)
def test_a_size_that_there_cannot_be_is_refused_before_any_work(change, says, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a cell was begun")

    monkeypatch.setattr(Runner, "sweep", never)
    with pytest.raises(ValueError, match=says):
        figure_d2.measured(replace(TINY, **change), 0, Runner())


def test_units_are_those_of_the_numbers(found):
    names = {name for cell in found.numbers() for name in cell}
    assert set(figure_d2._UNITS) == names - {"data", "seed"}
