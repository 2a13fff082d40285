"""Figure 2: its cells against independent formulas, its fits, its judgements, and its runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from theory_checks.claim import Level
from theory_checks.experiments import figure_2, figure_2_models
from theory_checks.experiments.figure_2_cells import (
    DIGITS,
    EXACT,
    GAUSS_NEWTON,
    LAWS,
    MATRIX,
    OLS,
    WIGNER,
    Cell,
    UnknownKindError,
    check,
    cost,
    key_of,
    label,
    measure,
)
from theory_checks.experiments.figure_2_data import (
    PIXELS,
    QUADRATIC,
    RANDOM,
    STANDARD,
    features,
    inputs,
)
from theory_checks.experiments.figure_2_drawing import draw, spread
from theory_checks.experiments.figure_2_fits import (
    local_slope,
    ratio_of_means,
    run_slope,
    standard_errors,
    weighted_slope,
)
from theory_checks.experiments.figure_2_models import (
    GOAL,
    HALF,
    MODELS,
    NINETY,
    START,
    UnknownModelError,
    model,
    trained,
)
from theory_checks.experiments.figure_2_plan import (
    Found,
    Plan,
    PlanError,
    Series,
    full,
    quick,
    round_sizes,
)
from theory_checks.experiments.figure_2_sentences import above, sentences
from theory_checks.experiments.figure_2_tables import tables
from theory_checks.experiments.intervals import Interval, mean_interval
from theory_checks.experiments.outcome import Experiment, document, write
from theory_checks.sweeps import Runner
from tralgos.problems import RandomMatrix, WignerMatrix
from tralgos.shares import asymptotic_ols_share, gaussian_ols_share, wigner_share

TINY = Plan(
    runs=3,
    batch=8,
    steps=60,
    wigner=(2, 10, 100),
    ols=((8, (2, 10, 100)), (1, (2, 10))),
    others=(10,),
    digits=((STANDARD, (2, 20)), (QUADRATIC, (10, 100))),
    models=(
        ("softmax", RANDOM, (20, 50, 600)),
        ("softmax", PIXELS, (20, 620)),
        ("two-layer", RANDOM, (85, 160)),
        ("two-layer", STANDARD, (85, 760)),
    ),
)


def share(A):
    """The definition."""
    return np.abs(np.diag(A)).sum() / np.abs(A).sum()


@pytest.fixture(scope="module")
def found():
    return figure_2.measured(TINY, 5, Runner())


# --- cells against independent formulas ---------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("d", [2, 5, 70])
def test_a_wigner_cell_is_the_share_of_that_matrix(law, d):
    cell = Cell(WIGNER, law, d, 0, 3, 7)
    W = WignerMatrix(d, law=LAWS[law], rng=key_of(cell)).dense()
    assert np.array_equal(W, W.T)
    seen = measure(cell)
    assert seen["shares"][MATRIX] == pytest.approx(share(W), rel=1e-12)
    assert seen["mass"] == pytest.approx(np.abs(np.diag(W)).sum(), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("d", "n"), [(2, 1), (7, 3), (130, 32)])
def test_a_least_squares_cell_is_the_share_of_x_x_transposed_over_n(law, d, n):
    cell = Cell(OLS, law, d, n, 0, 7)
    X = RandomMatrix(d, n, law=LAWS[law], rng=key_of(cell)).dense()
    seen = measure(cell)
    assert seen["shares"][MATRIX] == pytest.approx(share(X @ X.T), rel=1e-12)
    assert seen["mass"] == pytest.approx((X**2).sum() / n, rel=1e-12)


def test_random_signs_have_the_share_1_over_d_in_every_run():
    for run in range(4):
        seen = measure(Cell(WIGNER, "rademacher", 30, 0, run, 0))
        assert seen["shares"][MATRIX] == pytest.approx(1.0 / 30.0, rel=1e-14)


def test_a_digits_cell_is_least_squares_on_that_batch():
    cell = Cell(DIGITS, STANDARD, 64, 16, 2, 7)
    pixels = load_digits(return_X_y=True)[0]
    spread_ = pixels.std(axis=0)
    Z = (pixels - pixels.mean(axis=0)) / np.where(spread_ > 0, spread_, 1.0)
    rows = np.random.default_rng(key_of(cell)).choice(1797, 16, replace=False)
    X = Z[rows].T
    seen = measure(cell)
    assert seen["shares"][MATRIX] == pytest.approx(share(X @ X.T), rel=1e-10)
    assert seen["mass"] == pytest.approx((X**2).sum() / 16.0, rel=1e-10)


def softmax_hessian(X, x, classes=10):
    """Mean of (x x') kron (diag p - p p'), the parameters row by row."""
    logits = X @ x.reshape(-1, classes)
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    blocks = [
        np.kron(np.outer(a, a), np.diag(p) - np.outer(p, p)) for a, p in zip(X, P, strict=True)
    ]
    return np.mean(blocks, axis=0)


def test_a_softmax_cell_is_the_share_of_the_kronecker_formula():
    cell = Cell("softmax", RANDOM, 60, 12, 1, 7)
    rng = np.random.default_rng(key_of(cell))
    case = model("softmax", RANDOM, 60, 12, rng)
    assert np.all(case.X[:, -1] == 1.0)
    H = softmax_hessian(case.X, case.start)
    right = pytest.approx(share(H), rel=1e-10)
    assert measure(cell)["shares"] == {RANDOM: right, GAUSS_NEWTON: right}


def test_equally_likely_classes_halve_the_share_of_the_inputs():
    case = model("softmax", STANDARD, 210, 32, np.random.default_rng(0))
    rows = np.arange(32)
    H = case.on(rows, np).hessian(np.zeros(210))
    dense = np.column_stack([H.matvec(e) for e in np.eye(210)])
    X = case.X[rows]
    assert share(dense) == pytest.approx(0.5 * share(X.T @ X), rel=1e-12)


def test_a_network_cell_is_the_share_of_second_differences_of_the_loss():
    cell = Cell("two-layer", RANDOM, 85, 6, 0, 7)
    case = model("two-layer", RANDOM, 85, 6, np.random.default_rng(key_of(cell)))

    def gradient(x):
        A, B = x[:65].reshape(65, 1), x[65:].reshape(2, 10)
        unit = np.tanh(case.X @ A[:-1] + A[-1])
        logits = unit @ B[:-1] + B[-1]
        P = np.exp(logits - logits.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        P[np.arange(6), case.labels] -= 1.0
        P /= 6.0
        D = (P @ B[:-1].T) * (1.0 - unit**2)
        parts = ((case.X.T @ D), D.sum(axis=0), unit.T @ P, P.sum(axis=0))
        return np.concatenate([part.ravel() for part in parts])

    step = 1e-5
    columns = [
        (gradient(case.start + step * e) - gradient(case.start - step * e)) / (2.0 * step)
        for e in np.eye(85)
    ]
    assert measure(cell)["shares"][RANDOM] == pytest.approx(share(np.array(columns)), rel=1e-7)


def test_the_gauss_newton_share_is_that_of_the_outputs_jacobian():
    cell = Cell("two-layer", RANDOM, 85, 6, 0, 7)
    case = model("two-layer", RANDOM, 85, 6, np.random.default_rng(key_of(cell)))

    def outputs(x):
        A, B = x[:65].reshape(65, 1), x[65:].reshape(2, 10)
        return (np.tanh(case.X @ A[:-1] + A[-1]) @ B[:-1] + B[-1]).ravel()

    Z = outputs(case.start).reshape(6, 10)
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    J = np.column_stack(
        [
            (outputs(case.start + 1e-5 * e) - outputs(case.start - 1e-5 * e)) / 2e-5
            for e in np.eye(85)
        ]
    ).reshape(6, 10, 85)
    G = sum(j.T @ (np.diag(p) - np.outer(p, p)) @ j for j, p in zip(J, P, strict=True))
    assert measure(cell)["shares"][GAUSS_NEWTON] == pytest.approx(share(G), rel=1e-7)


@pytest.mark.parametrize(
    ("kind", "d"), [("softmax", 620), ("softmax", 300), ("two-layer", 160), ("two-layer", 385)]
)
def test_live_parameters_are_the_rows_of_the_hessian_that_do_not_vanish(kind, d):
    case = model(kind, PIXELS, d, 8, np.random.default_rng(1))
    rows = np.arange(8)
    H = case.on(rows, np).hessian(case.start)
    dense = np.column_stack([H.matvec(e) for e in np.eye(d)])
    live = int(np.count_nonzero(np.any(dense != 0.0, axis=1)))
    assert case.live(rows) == live < d


def test_columns_of_a_sample_give_the_share_of_all_of_them():
    seen = measure(Cell("softmax", RANDOM, 600, 32, 0, 7))
    estimate, low, high = seen["sampled"][RANDOM]
    assert low < estimate < high
    assert estimate == pytest.approx(seen["shares"][RANDOM], rel=0.1)
    assert measure(Cell("softmax", RANDOM, 510, 32, 0, 7))["sampled"] == {}


def test_hessians_too_large_for_all_their_columns_are_estimated(monkeypatch):
    cell = Cell("softmax", RANDOM, 600, 32, 0, 7)
    monkeypatch.setattr("theory_checks.experiments.figure_2_cells.EXACT", 599)
    seen = measure(cell)
    assert seen["shares"][RANDOM] == seen["sampled"][RANDOM][0]
    assert EXACT >= 10_060


@pytest.mark.parametrize(
    "cell",
    [
        Cell(WIGNER, "gaussian", 130, 0, 0, 1),
        Cell(OLS, "student-t(5)", 130, 8, 0, 1),
        Cell(DIGITS, PIXELS, 50, 8, 0, 1),
        Cell("softmax", QUADRATIC, 40, 8, 0, 1, 3),
        Cell("two-layer", RANDOM, 160, 8, 0, 1),
    ],
    ids=label,
)
def test_another_library_gives_the_same_shares(cell):
    pytest.importorskip("torch")
    ours, theirs = measure(cell), measure(cell, backend="torch")
    assert theirs["shares"] == pytest.approx(ours["shares"], rel=1e-9)
    assert theirs.get("mass", 1.0) == pytest.approx(ours.get("mass", 1.0), rel=1e-9)


# --- inputs and training -------------------------------------------------------------


def test_pixels_are_those_that_are_ever_inked_in_the_unit_interval(rng):
    X = features(PIXELS, 61, rng)
    assert X.shape == (1797, 61)
    assert np.all(X.max(axis=0) > 0.0)
    assert X.min() == 0.0
    assert X.max() == 1.0
    with pytest.raises(ValueError, match="61 that are ever inked"):
        features(PIXELS, 62, rng)
    assert np.count_nonzero(features(PIXELS, 64, rng).max(axis=0) == 0.0) == 3


@pytest.mark.parametrize(("data", "wanted"), [(STANDARD, 30), (QUADRATIC, 700)])
def test_standardised_features_have_mean_0_and_deviation_1(data, wanted, rng):
    X = features(data, wanted, rng)
    assert X.shape == (1797, wanted)
    assert np.allclose(X.mean(axis=0), 0.0, atol=1e-10)
    assert np.allclose(X.std(axis=0), 1.0, rtol=1e-10)


@pytest.mark.parametrize("data", [PIXELS, STANDARD, QUADRATIC])
def test_chosen_rows_are_rows_of_all(data):
    rows = np.array([5, 900, 3])
    every, some = (features(data, 20, np.random.default_rng(4), r) for r in (None, rows))
    assert np.array_equal(every[rows], some)


def test_inputs_of_an_unknown_name_are_refused(rng):
    with pytest.raises(ValueError, match=r"'speech'.*random inputs, pixels"):
        inputs("speech", 3, 4, rng)


def test_weights_begin_with_variance_2_over_inputs_and_outputs_and_no_biases():
    softmax = model("softmax", RANDOM, 10_000, 2, np.random.default_rng(0)).start
    assert np.mean(softmax**2) == pytest.approx(2.0 / 1010.0, rel=0.06)
    network = model("two-layer", RANDOM, 7510, 2, np.random.default_rng(0)).start
    first, biases, second, last = np.split(network, np.cumsum([6400, 100, 1000]))
    assert np.mean(first**2) == pytest.approx(2.0 / 164.0, rel=0.08)
    assert np.mean(second**2) == pytest.approx(2.0 / 110.0, rel=0.2)
    assert not np.any(biases)
    assert len(last) == 10
    assert not np.any(last)


def test_training_ends_at_its_goal_and_half_way_is_half_of_its_steps():
    rng = np.random.default_rng
    case = model("two-layer", STANDARD, 760, 32, rng(0))
    run = trained(case, 32, 300, rng(1))
    assert list(run.weights) == [START, HALF, NINETY]
    assert run.accuracies[START] < run.accuracies[HALF] < GOAL <= run.accuracies[NINETY]
    assert np.array_equal(run.weights[START], case.start)
    # The step before the goal is below it, and half of the steps lead half-way.
    before = trained(case, 32, run.steps - 1, rng(1))
    assert list(before.weights) == [START]
    assert before.steps == run.steps - 1
    half = trained(case, 32, run.steps // 2, rng(1))
    assert half.steps == run.steps // 2
    there = run.weights[HALF]
    early = replace(case, named=lambda x: case.labels - (not np.array_equal(x, there)))
    assert trained(early, 32, 300, rng(1)).steps == run.steps // 2


def test_a_run_that_never_gets_there_counts_at_its_start_alone():
    seen = measure(Cell("two-layer", PIXELS, 85, 32, 0, 7, 5))
    assert list(seen["shares"]) == [START]
    assert seen["steps"] == 5


def test_the_accuracy_counts_the_digits_named_rightly(rng):
    case = model("softmax", PIXELS, 650, 32, rng)
    x = np.zeros((65, 10))
    x[-1, 3] = 1.0
    assert case.accuracy(x.ravel()) == pytest.approx(np.mean(case.labels == 3))


# --- what is refused -----------------------------------------------------------------


def test_unknown_kinds_and_sizes_are_refused_by_name(rng):
    with pytest.raises(
        UnknownKindError, match=r"'resnet'.*wigner, ols, digits, softmax, two-layer"
    ):
        check([Cell("resnet", RANDOM, 10, 32, 0, 0)])
    with pytest.raises(UnknownKindError, match=r"ols: 'cauchy'.*gaussian, rademacher"):
        measure(Cell(OLS, "cauchy", 10, 32, 0, 0))
    with pytest.raises(UnknownKindError, match=r"digits: 'gaussian'"):
        check([Cell(DIGITS, "gaussian", 10, 32, 0, 0)])
    with pytest.raises(UnknownModelError, match=r"'resnet'.*softmax, two-layer"):
        model("resnet", RANDOM, 10, 32, rng)
    for kind, d in (("softmax", 25), ("softmax", 10), ("two-layer", 86), ("two-layer", 10)):
        with pytest.raises(UnknownModelError, match=f"{kind}: d = {d} is not"):
            model(kind, RANDOM, d, 32, rng)
    with pytest.raises(UnknownModelError, match="64 numbers"):
        model("two-layer", QUADRATIC, 85, 32, rng)


def test_a_plan_with_an_unknown_model_is_refused_before_any_work(tmp_path):
    plan = replace(TINY, models=(("resnet", RANDOM, (20,)),))
    with pytest.raises(UnknownKindError, match="'resnet'"):
        figure_2.run_plan(plan, 0, Runner(folder=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_new_model_is_one_more_entry_of_the_table(monkeypatch):
    monkeypatch.setitem(MODELS, "other", MODELS["softmax"])
    cell = Cell("other", RANDOM, 20, 8, 0, 0)
    assert measure(cell)["shares"].keys() == {RANDOM, GAUSS_NEWTON}


# --- random numbers, plans, resumption -----------------------------------------------


def test_seeds_are_the_documented_ones_and_all_different():
    cell = Cell(OLS, "gaussian", 10, 32, 4, 9)
    # crc32 of "ols/gaussian".
    sequence = np.random.SeedSequence([9, 0xC1F943FA, 10, 32, 4])
    assert key_of(cell) == int(sequence.generate_state(1, np.uint64)[0])
    cells = [*TINY.cells(0), *TINY.cells(1)]
    assert len({key_of(one) for one in cells}) == len(cells)


def test_results_are_the_same_bit_for_bit_on_every_executor():
    plan = replace(TINY, runs=2, models=TINY.models[:2], digits=TINY.digits[:1], others=())
    serial, parallel = (
        figure_2.measured(plan, 3, runner).numbers()
        for runner in (Runner(), Runner(executor="processes", workers=2))
    )
    assert json.dumps(serial) == json.dumps(parallel)
    assert json.dumps(serial) != json.dumps(figure_2.measured(plan, 4, Runner()).numbers())


def test_a_broken_run_is_resumed_and_a_longer_one_uses_it(tmp_path):
    told: list[str] = []
    few = replace(TINY, runs=2, models=TINY.models[:1], digits=(), others=())
    more = replace(few, runs=3)
    first = figure_2.measured(few, 3, Runner(folder=tmp_path, tell=told.append))
    assert told == []
    longer = figure_2.measured(more, 3, Runner(folder=tmp_path, tell=told.append))
    assert [line for line in told if f" {len(few.cells(3))} cells were done before" in line]
    assert longer.numbers() == figure_2.measured(more, 3, Runner()).numbers()
    again = figure_2.measured(few, 3, Runner(folder=tmp_path))
    assert again.numbers() == first.numbers()


@pytest.mark.parametrize("plan", [quick(), full(), figure_2.plan_of(Level.FULL, "cupy")])
def test_plans_can_be_done_and_have_each_cell_once(plan):
    cells = plan.cells(0)
    check(cells)
    assert len(set(cells)) == len(cells)
    assert all(cost(cell) > 0.0 for cell in cells)
    for kind, _, sizes in plan.models:
        for d in sizes:
            assert d % 10 == 0 if kind == "softmax" else (d - 10) % 75 == 0
    assert plan.runs == 10
    assert plan.batch == 32


def test_a_gpu_looks_at_larger_random_matrices_and_at_nothing_less():
    host, device = figure_2.plan_of(Level.FULL), figure_2.plan_of(Level.FULL, "cupy")
    assert set(host.cells(0)) < set(device.cells(0))
    assert max(device.wigner) == 100_000
    assert dict(device.ols)[32][-1] == 100_000
    assert dict(device.ols)[8] == dict(host.ols)[8]
    assert figure_2.plan_of(Level.QUICK, "cupy") == quick()


def test_round_sizes():
    assert round_sizes(100) == (2, 5, 10, 20, 50, 100)


# --- fits ------------------------------------------------------------------------------


def test_slopes_of_exact_powers_are_found():
    sizes = (2, 5, 10, 40)
    powers = [7.0 * d**-0.8 for d in sizes]
    assert local_slope(sizes, powers) == pytest.approx(-0.8, rel=1e-12)
    seen = run_slope(sizes, [powers, [3.0 * p for p in powers]], 0.95)
    assert (seen.low, seen.mean, seen.high) == pytest.approx((-0.8,) * 3, rel=1e-12)
    seen = weighted_slope(sizes, [-p for p in powers], [0.1, 0.2, 0.01, 0.3], 0.95)
    assert seen.mean == pytest.approx(-0.8, rel=1e-12)


def test_the_slope_of_a_law_is_that_of_its_logarithms():
    sizes = round_sizes(1000)
    formula = [asymptotic_ols_share(d, 32) for d in sizes]
    expected = np.polyfit(np.log(sizes), np.log(formula), 1)[0]
    assert local_slope(sizes, formula) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("bad", [[1.0, 0.0], [1.0, math.nan], [1.0, -1.0]])
def test_what_has_no_logarithm_has_no_slope(bad):
    with pytest.raises(ValueError, match="positive and finite"):
        local_slope((1, 2), bad)
    with pytest.raises(ValueError, match="two sizes"):
        local_slope((2, 2), (1.0, 2.0))
    with pytest.raises(ValueError, match="two sizes"):
        run_slope((2,), [[1.0], [2.0]], 0.95)
    with pytest.raises(ValueError, match="two sizes"):
        weighted_slope((2,), [1.0], [0.1], 0.95)


def test_intervals_of_slopes_cover_as_often_as_they_say(rng):
    """600 times: at 95% between 92.5% and 97.5% is three standard deviations."""
    sizes = np.array([2.0, 10.0, 100.0, 1000.0])
    held = {"runs": 0, "weighted": 0}
    for _ in range(600):
        noise = rng.standard_normal((10, 4)) * np.array([0.4, 0.2, 0.1, 0.05])
        seen = run_slope(sizes, np.exp(noise) / sizes, 0.95)
        held["runs"] += seen.low <= -1.0 <= seen.high
        errors = 0.03 / sizes
        seen = weighted_slope(sizes, 1.0 / sizes + errors * rng.standard_normal(4), errors, 0.95)
        held["weighted"] += seen.low <= -1.0 <= seen.high
    for count in held.values():
        assert 0.92 <= count / 600.0 <= 0.98


def test_the_share_of_a_mean_matrix_and_its_standard_error(rng):
    held = 0
    for _ in range(600):
        wholes = rng.uniform(1.0, 3.0, 100)
        parts = 0.3 * wholes + 0.1 * rng.standard_normal(100)
        seen = ratio_of_means(parts, wholes)
        assert seen.value == pytest.approx(parts.sum() / wholes.sum(), rel=1e-12)
        held += abs(seen.value - 0.3) <= 1.96 * seen.error
    assert 0.92 <= held / 600.0 <= 0.98
    with pytest.raises(ValueError, match="two runs"):
        ratio_of_means([1.0], [2.0])


def test_standard_errors_count_the_distance_to_what_is_expected():
    values = [1.0, 2.0, 3.0, 4.0]
    error = np.std(values, ddof=1) / 2.0
    assert standard_errors(values, 2.0) == pytest.approx(0.5 / error)
    assert standard_errors([0.1, 0.1], 0.1) == 0.0
    assert standard_errors([0.1, 0.1], 0.2) == -math.inf


# --- judgements ------------------------------------------------------------------------


def made_up(law, *, trained_factor=1.0, matrix_factor=1.0, sampled=None):
    """Results in which every model has the share law(d), with runs 1% apart."""
    plan = replace(TINY, wigner=(10, 100), ols=((8, (10, 100)),), others=(), digits=())
    results = {}
    for cell in plan.cells(0):
        wobble = 1.0 + 0.01 * (cell.run - 1)
        if cell.kind in (WIGNER, OLS):
            right = wigner_share(cell.d) if cell.kind == WIGNER else gaussian_ols_share(cell.d, 8)
            results[cell] = {"shares": {MATRIX: right * matrix_factor * wobble}, "mass": 1.0}
            continue
        start = law(cell.d) * wobble
        shares = {RANDOM: start, GAUSS_NEWTON: start}
        if cell.data != RANDOM:
            shares = {START: start, HALF: start, NINETY: start * trained_factor}
        results[cell] = {
            "shares": shares,
            "sampled": {} if sampled is None else {RANDOM: sampled(start, cell.run)},
            "live": cell.d,
            "accuracies": dict.fromkeys(shares, 0.5),
            "steps": 10,
        }
    return Found(plan, 0, results)


def answers(found, beginning):
    return {s.answer for s in sentences(found) if s.says.startswith(beginning)}


def test_shares_above_below_and_at_the_benchmarks_are_told_apart():
    high = made_up(lambda d: 3.0 * asymptotic_ols_share(d, 8))
    assert answers(high, "the diagonal mass") == {"yes"}
    assert answers(high, "(close to least squares") == {"no"}
    low = made_up(lambda d: 0.7 * asymptotic_ols_share(d, 8))
    assert answers(low, "the diagonal mass") == {"no"}
    assert answers(low, "(close to least squares") == {"yes"}
    assert answers(made_up(lambda d: asymptotic_ols_share(d, 8)), "the diagonal mass") == {
        "can't tell"
    }


def test_one_size_below_a_benchmark_is_enough_for_no():
    dips = made_up(lambda d: (0.8 if d == 160 else 3.0) * asymptotic_ols_share(d, 8))
    own = [s for s in sentences(dips) if "both benchmarks" in s.says]
    assert all(s.answer == "no" for s in own if "two-layer, random" in s.says)
    (overall,) = [s for s in own if s.value is None]
    assert overall.answer == "no"
    assert all(s.answer == "yes" for s in own if "softmax" in s.says)


def test_intervals_of_a_sentence_hold_together():
    """Of the wobbling runs 0.99, 1, 1.01, at three sizes: each interval at 1 - 0.05 / 3."""
    found = made_up(lambda d: 3.0 * asymptotic_ols_share(d, 8))
    (judged,) = [
        s
        for s in sentences(found)
        if s.says == "the diagonal mass stays above both benchmarks: softmax, random inputs"
    ]
    logs = np.log10(3.0 * np.array([0.99, 1.0, 1.01]))
    expected = mean_interval(logs, 1.0 - 0.05 / 3.0)
    assert (judged.low, judged.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_a_slope_needs_a_decade_of_sizes():
    runs = np.array([[1.0, 0.5, 0.1], [1.1, 0.5, 0.1]])
    assert Series((10, 20, 100), runs).spans_a_decade
    assert not Series((10, 20, 99), runs).spans_a_decade
    assert not Series((), np.empty((2, 0))).spans_a_decade
    end = Series((9, 20, 100), runs).last_decade
    assert end.sizes == (20, 100)
    assert np.array_equal(end.runs, runs[:, 1:])


def test_wigners_benchmark_counts_too():
    """With one example the least-squares formula is the larger one; far above both is above."""
    far = made_up(lambda d: 2.0 / d)
    assert answers(far, "(much larger than Wigner's") == {"no"}
    assert answers(made_up(lambda d: 4.0 / d), "(much larger than Wigner's") == {"yes"}


@pytest.mark.parametrize(
    ("power", "expected"), [(-1.0, "yes"), (-0.85, "no"), (-1.2, "no"), (-0.5, "no")]
)
def test_a_fall_like_1_over_d_is_told_from_others(power, expected):
    judged = [
        s for s in sentences(made_up(lambda d: 10.0 * d**power)) if "falls like 1/d" in s.says
    ]
    assert {s.answer for s in judged} == {expected}
    named = {s.says.removeprefix("(falls like 1/d: ").removesuffix(")") for s in judged}
    # Those over a decade of sizes.
    softmax = ("softmax, pixels, initialisation", "softmax, pixels, half-way")
    assert {"softmax, random inputs", "softmax, random inputs, Gauss-Newton", *softmax} < named
    assert not any("two-layer" in name for name in named)


def test_growth_while_training_is_judged_run_by_run():
    for factor, expected in ((1.02, "yes"), (0.98, "no")):
        found = made_up(lambda d: 5.0 / d, trained_factor=factor)
        judged = [s for s in sentences(found) if s.says.startswith("(the share grows")]
        assert {s.answer for s in judged if "from initialisation to 90%" in s.says} == {expected}
        assert {s.answer for s in judged if "to half-way" in s.says} == {"can't tell"}
        (value,) = {round(s.value, 9) for s in judged if "from initialisation to 90%" in s.says}
        assert value == pytest.approx(math.log10(factor))


def test_wigners_order_needs_d_times_the_share_below_2():
    (judged,) = [s for s in sentences(made_up(lambda d: 1.0 / d)) if s.says.startswith("Wigner")]
    assert judged.answer == "yes"
    assert judged.value == pytest.approx(1.0, rel=1e-6)


def test_all_have_to_be_above_and_one_below_decides():
    inside, over, under = (
        Interval(0.0, -1.0, 1.0),
        Interval(2.0, 1.5, 2.5),
        Interval(-2.0, -3.0, -1.0),
    )
    assert above([over, over], 1.0) == "yes"
    assert above([over, inside], 0.0) == "can't tell"
    assert above([over, inside, under], 0.0) == "no"


# --- the outcome -------------------------------------------------------------------------


def test_tables_show_what_was_measured(found):
    by_title = {table.title.split(":")[0].split(",")[0]: table for table in tables(found)}
    for table in by_title.values():
        assert all(len(line) == len(table.headings) for line in table.lines)
    lines = by_title["Gaussian matrices"].lines
    (line,) = [line for line in lines if line[:2] == ("Wigner", "100")]
    shares = found.shares(WIGNER, "gaussian", 100, 0)
    assert line[2].startswith(f"{np.mean(shares):.3g} [")
    assert line[3:6] == ("0.01", "0.01", "0.01")
    (line,) = [line for line in lines if line[:2] == ("least squares, n = 8", "10")]
    assert line[3:6] == (
        f"{asymptotic_ols_share(10, 8):.4g}",
        f"{gaussian_ols_share(10, 8):.4g}",
        "-",
    )
    models = next(table for title, table in by_title.items() if title.startswith("Hessians"))
    (line,) = [line for line in models.lines if line[:4] == ("softmax", RANDOM, RANDOM, "50")]
    mean = np.mean(found.shares("softmax", RANDOM, 50, 8, RANDOM))
    assert line[6:] == (f"{50.0 * mean:.3g}", f"{mean / asymptotic_ols_share(50, 8):.3g}")


def test_the_standard_errors_of_the_first_table_are_small_for_the_right_law():
    """Twenty runs of each size; the exact laws lie within five standard errors."""
    plan = replace(TINY, runs=20, others=(), digits=(), models=())
    found = figure_2.measured(plan, 1, Runner())
    table = tables(found)[0]
    last = [float(line[-1]) for line in table.lines]
    assert max(map(abs, last)) < 5.0


@pytest.mark.parametrize(("factor", "sign"), [(1.5, "+"), (0.7, "-")])
def test_distances_from_the_laws_have_their_sign(factor, sign):
    table = tables(made_up(lambda d: 1.0 / d, matrix_factor=factor))[0]
    for line in table.lines:
        assert line[-2][0] == line[-1][0] == sign


def test_estimates_count_as_held_only_with_the_share_inside():
    ends = ((0.9, 1.1), (1.05, 1.2), (0.8, 0.95))

    def sampled(share, run):
        low, high = ends[run]
        return [share, share * low, share * high]

    plan_models = (("softmax", RANDOM, (20, 50, 600)),)
    found = made_up(lambda d: 1.0 / d, sampled=sampled)
    found = Found(replace(found.plan, models=plan_models), 0, found._results)
    (table,) = [t for t in tables(found) if t.title.startswith("the estimate")]
    ((*_, count, held, width),) = table.lines
    assert (count, held) == ("9", "0.333")
    assert float(width) == pytest.approx(0.075, abs=1e-3)


def test_the_slope_table_names_its_sizes_and_laws(found):
    (table,) = [t for t in tables(found) if t.title.startswith("slope")]
    lines = {line[0]: line[1:] for line in table.lines}
    assert lines["Wigner"][0] == "2 to 100, 3 sizes"
    assert lines["Wigner"][2] == "-1.000"
    assert (
        lines["least squares, n = 8"][2]
        == f"{local_slope((2, 10, 100), [gaussian_ols_share(d, 8) for d in (2, 10, 100)]):.3f}"
    )
    assert lines["softmax, random inputs, Gauss-Newton"][0] == "20 to 600, 3 sizes"
    assert "two-layer, random inputs" not in lines


def test_the_outcome_is_written_as_json_page_and_a_small_picture(tmp_path):
    plan = replace(TINY, runs=2)
    outcome = figure_2.run_plan(plan, 0, Runner())
    experiment = Experiment("adaptive-norms/figure-2", "title", "source", lambda *_: outcome)
    whole = document(experiment, outcome, Level.QUICK, 0, 1.0)
    json_file, page, picture = write(whole, experiment.stem, outcome, tmp_path)
    assert len(json.loads(json_file.read_text())["numbers"]["cells"]) == len(plan.cells(0))
    assert "SeedSequence" in page.read_text()
    assert picture.name == "adaptive-norms-figure-2.png"
    assert picture.stat().st_size < 150_000
    assert whole["units"]


def test_the_picture_has_two_rows_and_a_column_for_each_kind(found):
    axes = draw(found).axes
    assert len(axes) == 6
    assert all(a.get_xscale() == a.get_yscale() == "log" for a in axes)
    for above_, below in zip(axes[:3], axes[3:], strict=True):
        for share_, scaled in zip(above_.get_lines(), below.get_lines(), strict=True):
            (x, y), (_, z) = share_.get_xydata().T, scaled.get_xydata().T
            assert np.allclose(z, x * y, rtol=1e-12)


def test_labels_keep_their_order_and_their_distance():
    places = [0.5, 0.51, 0.1, 0.505]
    moved = spread(places, 0.05)
    assert np.argsort(moved).tolist() == np.argsort(places).tolist()
    assert np.min(np.diff(np.sort(moved))) > 0.05 * (1.0 - 1e-6)
    assert moved[2] == 0.1


def test_the_experiment_is_registered_with_its_backends():
    from theory_checks.experiments import experiments

    experiment = experiments()["adaptive-norms/figure-2"]
    assert experiment.sweep is not None
    assert "cupy" in experiment.backends
    assert figure_2_models.RATE == 0.01


# --- plans of one's own ----------------------------------------------------------------

OWN = replace(TINY, runs=2, steps=0, ols=(), others=(), digits=(), models=())


def never(cells, *_, **__):
    raise AssertionError("a cell was begun")


def test_other_laws_are_looked_at_wherever_the_plan_says():
    """Also at orders that the Gaussian matrices do not have, and at another number of examples."""
    plan = replace(OWN, wigner=(2, 20), ols=((32, (2, 10)),), others=(10,))
    made = figure_2.run_plan(plan, 0, Runner())
    lines = next(table for table in made.tables if table.headings[1] == "law").lines
    assert [line[1] for line in lines if line[0] == "Wigner"] == list(LAWS)
    cells = plan.cells(0)
    assert len(cells) == len(set(cells)) == 2 * (2 + 2 + 2 * len(LAWS))


@pytest.mark.parametrize("runs", [1, 0])
def test_a_plan_has_two_runs_at_least(runs):
    with pytest.raises(PlanError, match=f"runs is {runs}: an interval needs at least 2"):
        replace(TINY, runs=runs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wigner": ()}, "wigner is empty"),
        ({"digits": ((PIXELS, ()),)}, "digits: no sizes for pixels"),
        ({"models": (("softmax", RANDOM, ()),)}, "models: no sizes for softmax, random inputs"),
    ],
)
def test_what_would_have_no_picture_is_refused_before_any_work(change, says, monkeypatch):
    monkeypatch.setattr(Runner, "sweep", never)
    with pytest.raises(PlanError, match=says):
        figure_2.run_plan(replace(OWN, **change), 0, Runner())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"models": (("softmax", RANDOM, (21,)), ("two-layer", RANDOM, (985,)))},
            "softmax: d = 21",
        ),
        ({"models": (("two-layer", RANDOM, (984,)),)}, "two-layer: d = 984 is not 75 h"),
        ({"models": (("two-layer", QUADRATIC, (985,)),)}, "two-layer: its inputs"),
        ({"models": (("softmax", PIXELS, (1000,)),)}, "softmax: d = 1000: 99 pixels wanted"),
        ({"models": (("softmax", PIXELS, (640,)),)}, "softmax: d = 640: 63 pixels wanted"),
        ({"digits": ((STANDARD, (2, 62)),)}, "digits, standardised pixels, d = 62: 62 pixels"),
        ({"digits": ((PIXELS, (0,)),)}, "digits, pixels: d = 0 is not an integer >= 1"),
        ({"digits": ((PIXELS, (2,)),), "batch": 1798}, "1798 digits wanted: there are 1797"),
        ({"wigner": (2.5,)}, "wigner, gaussian: d = 2.5 is not an integer"),
        ({"ols": ((0, (2,)),)}, "ols, gaussian: n = 0 is not an integer >= 1"),
    ],
)
def test_a_size_that_there_cannot_be_is_refused_before_any_work(change, says, monkeypatch):
    monkeypatch.setattr(Runner, "sweep", never)
    with pytest.raises(ValueError, match=says):
        figure_2.measured(replace(OWN, **change), 0, Runner())


def test_sizes_at_the_ends_of_what_there_can_be_are_let_through(monkeypatch):
    models = (("softmax", PIXELS, (20, 620, 650)), ("two-layer", STANDARD, (85,)))
    plan = replace(OWN, models=models, digits=((PIXELS, (1, 61, 64)),), batch=1797)
    check(plan.cells(0))
    for plan in (quick(), full(), figure_2.plan_of(Level.FULL, "cupy")):
        check(plan.cells(0))


def test_a_slope_is_that_of_the_mean_logarithm(rng):
    """Of values whose mean is level, and whose logarithms spread more and more."""
    sizes = np.array([10.0, 100.0, 1000.0])
    spreads = np.array([0.1, 0.5, 1.0])
    runs = np.exp(spreads * rng.standard_normal((20_000, 3)) - spreads**2 / 2.0)
    assert np.mean(runs, axis=0) == pytest.approx(1.0, abs=0.05)
    seen = run_slope(sizes, runs, 0.999)
    assert seen.low < local_slope(sizes, np.exp(-(spreads**2) / 2.0)) < seen.high < -0.05


def test_units_are_those_of_the_numbers(found):
    """Each name of a unit is one in the numbers, and each number but the cell's own has one."""
    names = {name for cell in found.numbers() for name in cell}
    assert set(figure_2._UNITS) <= names
    assert names - set(figure_2._UNITS) == {"kind", "data", "run", "seed"}


@pytest.mark.parametrize("sizes", [(160, 385, 985), (160, 235), (85,)])
@pytest.mark.parametrize("wigner", [(2, 5), (2, 30), (2, 100)])
def test_ticks_do_not_overlap_where_an_axis_is_short(sizes, wigner):
    """Labels at powers of ten alone, and two of them at least."""
    plan = replace(OWN, wigner=wigner, models=(("two-layer", RANDOM, sizes),))
    picture = draw(figure_2.measured(plan, 0, Runner()))
    picture.canvas.draw()
    for axes in picture.axes:
        assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))
        low, high = axes.get_xlim()
        assert sum(low <= 10.0**k <= high for k in range(6)) >= 2
