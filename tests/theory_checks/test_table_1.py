"""CurveBall's table 1 in small: its arrays, its oracle, its cells, and what is said of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments import (
    experiments,
    table_1,
    table_1_first_order,
    table_1_plan,
    table_1_runs,
)
from theory_checks.experiments.outcome import Experiment, document
from theory_checks.experiments.table_1_first_order import Cell, Search, batch, grid, walk
from theory_checks.experiments.table_1_plan import BASE, Found, Measured, Sizes
from theory_checks.experiments.table_1_protocol import (
    ADAM,
    BFGS,
    COLUMNS,
    CURVEBALL,
    EXACT,
    LINEAR,
    MARQUARDT,
    MOMENTUM,
    NOISES,
    PAPER,
    ROWS,
    case,
)
from theory_checks.experiments.table_1_runs import Task, do_all
from theory_checks.experiments.table_1_sentences import sentences
from theory_checks.experiments.table_1_tables import apart, tables
from theory_checks.sweeps import Runner

SMALL = Sizes(
    runs=2,
    side_runs=1,
    cap=120,
    linear_cap=120,
    second_cap=20,
    rates=(0.001,),
    horizons=(50, 100),
    linear_horizons=(50, 100),
    starts=(replace(BASE, start=(0.0, -0.5)),),
    readings=(replace(BASE, matrix="notebook"),),
    scan=((-1.0, 0.5), (0.25, 0.0)),
    scan_runs=1,
    length=100,
    linear_length=100,
)


@pytest.fixture(scope="module")
def made():
    return table_1.run_sizes(SMALL, 0, Runner())


# --- first order, all runs at once ----------------------------------------------------


def one_by_one(column, cell, steps, run, protocol=BASE):
    """The iterates of the package's own method."""
    own = case(column, protocol, 0, run)
    if cell.second is None:
        method = tralgos.HeavyBall(rate=cell.rate, momentum=cell.first, batch=own.batch)
    else:
        method = tralgos.Adam(rate=cell.rate, beta1=cell.first, beta2=cell.second, batch=own.batch)
    points = [own.x0]
    tralgos.minimize(
        own.problem,
        own.x0,
        method,
        gtol=0.0,
        maxiter=steps,
        rng=np.random.default_rng(list(own.noise)),
        callback=lambda seen: points.append(seen.x),
    )
    return np.array(points)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    "cell", [Cell(MOMENTUM, 5e-4, 0.95), Cell(ADAM, 0.05, 0.9, 0.99), Cell(ADAM, 0.01, 0.99, 0.999)]
)
def test_batched_iterates_are_those_of_the_methods_of_the_package(column, cell):
    runs, steps = 2, 60
    walked = walk(batch(column, BASE, 0, runs), cell)
    ours = np.array([next(walked) for _ in range(steps + 1)])
    for run in range(runs):
        theirs = one_by_one(column, cell, steps, run)
        assert theirs.shape == ours[:, run].shape
        np.testing.assert_allclose(ours[:, run], theirs, rtol=1e-9, atol=1e-11)


def test_noise_is_the_same_after_the_first_draws_are_used_up(monkeypatch):
    monkeypatch.setattr(table_1_first_order, "_DRAWN", 7)
    walked = walk(batch("U[0, 1]", BASE, 0, 2), Cell(MOMENTUM, 5e-4, 0.9))
    ours = np.array([next(walked) for _ in range(31)])
    theirs = one_by_one("U[0, 1]", Cell(MOMENTUM, 5e-4, 0.9), 30, 1)
    np.testing.assert_allclose(ours[:, 1], theirs, rtol=1e-10)


@pytest.mark.parametrize("protocol", table_1_plan.READINGS)
def test_losses_and_limits_of_linear_networks_are_those_of_the_problem(protocol, rng):
    networks = batch(LINEAR, protocol, 4, 3)
    x = networks.x0 + 0.1 * rng.standard_normal(networks.x0.shape)
    for run in range(3):
        own = case(LINEAR, protocol, 4, run)
        assert networks.loss(x)[run] == pytest.approx(own.problem.value(x[run]), rel=1e-11)
        expected = own.problem.gradient(x[run])
        scale = np.linalg.norm(expected)
        np.testing.assert_allclose(networks.gradient(x)[run], expected, atol=1e-11 * scale)
    # Just inside and just outside of what counts as arrived, along a line to the solution.
    own = case(LINEAR, protocol, 4, 0)
    end = own.problem.minimisers[0]
    for share in np.geomspace(1e-6, 1.0, 40):
        point = end + share * (own.x0 - end)
        points = np.array([point, *x[1:]])
        assert networks.arrived(points)[0] == own.arrived(point, math.nan)


def test_a_search_counts_to_the_first_arrival_and_averages_the_last_ten_losses():
    search = Search(
        "U[0, 1]", Cell(MOMENTUM, 1e-3, 0.9), replace(BASE, tolerance=1.0), 0, 2, 80, (40, 60)
    )
    result = search.run()
    losses, hits = [], []
    for run in range(2):
        own = case("U[0, 1]", search.setting, 0, run)
        points = one_by_one("U[0, 1]", search.cell, 80, run, search.setting)
        values = np.array([own.problem.value(x) for x in points])
        losses.append(values)
        hits.append(int(np.flatnonzero(values < 1.0)[0]))
    assert result["iterations"] == hits
    for length in (40, 60):
        expected = np.mean([values[length - 9 : length + 1] for values in losses])
        assert result["errors"][str(length)] == pytest.approx(expected, rel=1e-9)


def test_divergence_is_no_error_and_arriving_after_the_cap_is_never():
    wild = Search("U[0, 3]", Cell(MOMENTUM, 0.1, 0.99), BASE, 0, 2, 50, (30,)).run()
    assert wild == {"iterations": [None, None], "errors": {"30": None}}
    easy = replace(BASE, tolerance=1.0)
    cell = Cell(MOMENTUM, 1e-3, 0.9)
    first = Search("Rosenbrock", cell, easy, 0, 1, 200, (30,)).run()["iterations"][0]
    assert Search("Rosenbrock", cell, easy, 0, 1, first, (300,)).run()["iterations"] == [first]
    assert Search("Rosenbrock", cell, easy, 0, 1, first - 1, (300,)).run()["iterations"] == [None]


def test_the_grid_is_the_one_of_the_appendix():
    assert len(grid(MOMENTUM)) == 21
    assert len(grid(ADAM)) == 28
    assert len({cell.name for cell in (*grid(MOMENTUM), *grid(ADAM))}) == 49


# --- second order ---------------------------------------------------------------------


def weights_of(own, column, rng):
    """The weights of the noisy term, one a step."""
    while True:
        yield 100.0 * (rng.uniform(*NOISES[column]) if own.batch else 1.0)


def curveball(x, weights, lam, steps):
    """Equation (18) with H + lambda I, Gauss-Newton, written out for Rosenbrock's function."""
    x, z = x.copy(), np.zeros(2)
    yield x
    for weight, _ in zip(weights, range(steps), strict=False):
        u, v = x
        residuals = np.array([v - u * u, 1.0 - u])
        jacobian = np.array([[-2.0 * u, 1.0], [-1.0, 0.0]])
        curvature = np.diag([2.0 * weight, 2.0])
        g = jacobian.T @ curvature @ residuals
        H = jacobian.T @ curvature @ jacobian + lam * np.eye(2)
        span = np.column_stack([H @ z + g, z])
        # The two differ by many orders of magnitude: their lengths are divided out.
        span = span / np.maximum(np.linalg.norm(span, axis=0), 1e-300)
        z = -span @ (np.linalg.pinv(span.T @ H @ span, rcond=1e-14) @ (span.T @ g))
        x = x + z
        yield x


@pytest.mark.parametrize("lam", [1.0, 0.1])
@pytest.mark.parametrize("column", NOISES)
def test_curveball_is_the_recursion_of_the_paper(column, lam):
    for run in range(4):
        own = case(column, BASE, 3, run)
        rng = np.random.default_rng(list(own.noise))
        points = list(curveball(own.x0, weights_of(own, column, rng), lam, 30))
        expected = next(k for k, x in enumerate(points) if own.problem.value(x) < 1e-4)
        options = (("lam", lam), ("lam_rule", "fixed"))
        found = Task(CURVEBALL, column, BASE, 3, run + 1, 60, options).run()
        assert found["iterations"][run] == expected


@pytest.mark.parametrize("centre", [(-1.0, -1.0), (-1.2, 1.0)])
def test_in_the_plane_curveball_is_levenbergs_method(centre):
    """z and Delta_z span the plane, so that the pair (rho, beta) minimises over all of it."""
    x0 = np.array(centre) + 0.01
    ball = list(curveball(x0, iter([100.0] * 20), 1.0, 8))
    x = x0.copy()
    f = tralgos.problems.Rosenbrock(2)
    for k in range(1, 9):
        H = np.column_stack([f.gauss_newton(x) @ e for e in np.eye(2)])
        step = -np.linalg.solve(H + np.eye(2), f.gradient(x))
        if k == 1:
            # z = 0 spans nothing yet.
            g = f.gradient(x)
            step = -g * (g @ g) / (g @ (H + np.eye(2)) @ g)
        x = x + step
        np.testing.assert_allclose(ball[k], x, rtol=1e-6)


@pytest.mark.parametrize("row", ROWS[2:])
@pytest.mark.parametrize("column", COLUMNS)
def test_second_order_arrives_within_the_tolerance_and_not_before(row, column, monkeypatch):
    points = []
    original = table_1_runs._Arrival.__call__

    def noting(self, found):
        points.append(found.x)
        original(self, found)

    monkeypatch.setattr(table_1_runs._Arrival, "__call__", noting)
    (count,) = Task(row, column, BASE, 1, 1, 200).run()["iterations"]
    own = case(column, BASE, 1, 0)
    limit = 1e-4 * (own.problem.value(own.x0) if column == LINEAR else 1.0)
    values = [own.problem.value(x) for x in points]
    assert values[-1] < limit
    assert all(value >= limit for value in values[:-1])
    # BFGS counts a search that found nothing, too.
    assert count == len(points) if row != BFGS else count >= len(points)


@pytest.mark.parametrize("row", ROWS[2:])
def test_a_run_that_does_not_arrive_is_never(row):
    assert Task(row, "Rosenbrock", BASE, 0, 2, 2).run()["iterations"] == [None, None]


def test_a_start_at_the_solution_takes_no_iteration():
    easy = replace(BASE, tolerance=1e9)
    assert Task(CURVEBALL, "U[0, 1]", easy, 0, 2, 5).run()["iterations"] == [0, 0]


def test_what_is_tested_is_what_the_protocol_says():
    own = case("U[0, 3]", BASE, 0, 0)
    near = np.array([1.005, 1.005**2])
    assert own.arrived(near, math.inf)
    apart = case("U[0, 3]", replace(BASE, tested="distance"), 0, 0)
    assert not apart.arrived(near, 0.0)
    assert apart.arrived(np.array([1.00005, 1.00005]), math.inf)
    sampled = case("U[0, 3]", replace(BASE, tested="sample"), 0, 0)
    assert sampled.arrived(own.x0, 9e-5)
    assert not sampled.arrived(near, 2e-4)
    linear = case(LINEAR, replace(BASE, tested="distance"), 0, 0)
    (end,) = linear.problem.minimisers
    assert linear.arrived(end, math.inf)
    assert not linear.arrived(1.001 * end, 0.0)
    assert case(LINEAR, BASE, 0, 0).arrived(1.001 * end, math.inf)


def test_runs_are_the_same_for_all_methods_and_differ_from_each_other():
    for column in COLUMNS:
        first, again, other = (case(column, BASE, 0, run) for run in (1, 1, 2))
        assert np.array_equal(first.x0, again.x0)
        assert first.noise == again.noise
        assert not np.array_equal(first.x0, other.x0)
        assert first.noise != other.noise
        np.testing.assert_array_equal(batch(column, BASE, 0, 3).x0[1], first.x0)


# --- jobs as cells --------------------------------------------------------------------


def test_an_interrupted_table_is_resumed(tmp_path, monkeypatch):
    """Cells of the grid search and rows of second order alike."""
    runner = Runner(folder=tmp_path)
    jobs = [Search("Rosenbrock", cell, BASE, 0, 1, 20, (20,)) for cell in grid(MOMENTUM)[:4]]
    jobs.insert(0, Task(CURVEBALL, "Rosenbrock", BASE, 0, 1, 20))
    done = []
    original, task = Search.run, jobs[0].run()

    def failing(self):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(self)
        return original(self)

    monkeypatch.setattr(Search, "run", failing)
    with pytest.raises(KeyboardInterrupt):
        do_all(jobs, runner)
    again = []

    def noting(self):
        again.append(self)
        return original(self)

    monkeypatch.setattr(Search, "run", noting)
    monkeypatch.setattr(Task, "run", noting)
    results = do_all(jobs, runner)
    assert again == jobs[3:]
    assert results == [task, *(original(job) for job in jobs[1:])]


def test_a_cell_names_everything_that_its_result_depends_on(tmp_path):
    """Also where a results file holds one that differs in a single setting."""
    search = Search("U[0, 1]", Cell(ADAM, 0.1, 0.9, 0.99), BASE, 0, 2, 10, (5,))
    others = (
        replace(search, column="Rosenbrock"),
        replace(search, cell=Cell(ADAM, 0.1, 0.9, 0.999)),
        replace(search, setting=replace(BASE, spread=0.2)),
        replace(search, seed=1),
        replace(search, runs=3),
        replace(search, cap=11),
        replace(search, horizons=(6,)),
    )
    runner = Runner(folder=tmp_path)
    do_all([search], runner)
    assert do_all(others, runner) == [job.run() for job in others]


@pytest.mark.parametrize("row", ROWS[2:])
def test_an_interrupted_run_is_no_run_that_never_arrives(row, monkeypatch):
    def interrupted(self, found):
        raise KeyboardInterrupt

    monkeypatch.setattr(table_1_runs._Arrival, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Task(row, "U[0, 1]", BASE, 0, 1, 30).run()


def test_processes_change_nothing_but_the_time():
    cell = Cell(MOMENTUM, 1e-3, 0.9)
    jobs = [
        Search("U[0, 1]", cell, BASE, 0, 2, 30, (20,)),
        Task(CURVEBALL, "U[0, 3]", BASE, 0, 2, 30),
        Task(MARQUARDT, LINEAR, BASE, 0, 1, 30),
        Task(CURVEBALL, "U[0, 3]", BASE, 0, 2, 30),
    ]
    alone = do_all(jobs, Runner())
    assert do_all(jobs, Runner("processes", 2)) == alone
    assert alone[1] == alone[3]


def test_progress_counts_every_job(tmp_path):
    jobs = [Search("Rosenbrock", cell, BASE, 0, 1, 20, (20,)) for cell in grid(MOMENTUM)[:3]]

    def told():
        seen = SimpleNamespace(total=0, finished=0)

        class Watching:
            def of(self, total):
                seen.total = total

            def at(self, name):
                assert "Rosenbrock" in name

            def done(self):
                seen.finished += 1

        do_all(jobs, Runner(folder=tmp_path, watcher=Watching()))
        return seen.total, seen.finished

    assert told() == told() == (3, 3)


# --- what is said of it ---------------------------------------------------------------


def test_means_leave_out_runs_that_never_arrive_and_say_so():
    some = Measured((10, None, 14))
    assert (some.mean, some.never) == (12.0, 1)
    assert some.deviation == pytest.approx(math.sqrt(8.0))
    assert some.shown == "12.0 ± 2.8 (1 never)"
    assert Measured((None, None)).shown == "never"
    assert Measured((None,)).mean is None
    assert Measured((5,)).deviation == 0.0
    assert Measured((369, 371)).shown == "370 ± 1"


def invented(cells, paper=PAPER):
    """Results whose means are the paper's, with `cells` in place of some."""
    sizes = replace(SMALL, starts=(), readings=(), scan=(), rates=(0.001,))
    results = {}
    for tag, _ in table_1_plan.plan(sizes, 0):
        _, column, row = tag[:3]
        if tag[0] != "table":
            results[tag] = {"iterations": [7, 8, 9], "errors": {}}
            continue
        mean, deviation = paper[row][COLUMNS.index(column)]
        counts = [mean - deviation, mean, mean + deviation]
        results[tag] = {"iterations": counts, "errors": {"50": 1.0, "100": 1.0}}
        results[tag].update(cells.get(tag[1:], {}))
    return Found(sizes, results)


def test_the_paper_selects_by_the_error_and_divergence_rules_out():
    names = [cell.name for cell in grid(MOMENTUM, (0.001,))]
    column = "U[0, 1]"
    found = invented(
        {
            (column, MOMENTUM, names[0]): {
                "iterations": [3, 3, None],
                "errors": {"50": 0.2, "100": None},
            },
            (column, MOMENTUM, names[1]): {
                "iterations": [9, 9, 9],
                "errors": {"50": 0.3, "100": 0.2},
            },
            (column, MOMENTUM, names[2]): {
                "iterations": [5, 5, 5],
                "errors": {"50": 0.4, "100": 0.3},
            },
        }
    )
    assert found.by_error("table", column, MOMENTUM).cell.name == names[1]
    assert found.by_error("table", column, MOMENTUM, 50).cell.name == names[0]
    assert found.by_fewest("table", column, MOMENTUM).cell.name == names[2]
    assert found.row("table", column, MOMENTUM).mean == 9.0


def test_the_papers_own_table_is_at_distance_zero_and_in_its_own_order():
    found = invented({})
    assert [apart(found, "table", column) for column in COLUMNS] == pytest.approx([0.0] * 4)
    orders = tables(found)[1]
    assert [line[3] for line in orders.lines] == ["1.00"] * 4
    assert orders.lines[0][1] == "CurveBall, exact, LM, BFGS, SGD, Adam"


def test_what_lies_outside_two_deviations_is_named():
    assert table_1._agreement(invented({})).startswith("24 of 24")
    slow = {("U[0, 1]", EXACT): {"iterations": [16, 16, 17]}}
    told = table_1._agreement(invented(slow))
    assert told.startswith("23 of 24")
    assert "exact Hessian, U[0, 1]: 16.3 ± 0.6 against 10.0 ± 3.0" in told


def judged(found, part):
    return [one.answer for one in sentences(found) if part in one.says]


def test_sentences_are_judged_by_the_numbers():
    same = invented({})
    assert judged(same, "perform poorly")[:3] == ["yes"] * 3
    assert judged(same, "and sometimes better") == ["yes"]
    # The paper's own table does not bear this out: two columns of four, one a tie.
    assert judged(same, "generally performs best") == ["no"]
    assert judged(same, "after Rosenbrock") == ["yes"] or judged(same, "after Rosenbrock") == [
        "can't tell"
    ]
    slow = {(column, EXACT): {"iterations": [9000, 9001, 9002]} for column in COLUMNS}
    assert "yes" not in judged(invented(slow), "perform poorly")[:3]
    fast = {(column, EXACT): {"iterations": [2, 2, 2]} for column in COLUMNS}
    assert judged(invented(fast), "generally performs best") == ["yes"]
    assert judged(invented(fast), "comparable") == ["no"] * 4
    assert judged(invented(fast), "followed closely")[0] == "no"
    lost = {("Rosenbrock", BFGS): {"iterations": [None, None, None]}}
    assert judged(invented(lost), "after Rosenbrock") == ["can't tell"]


def test_relative_deviations_of_the_paper_speak_against_its_own_sentence():
    *_, last = [one for one in sentences(invented({})) if "very high variance" in one.says]
    assert last.value < 0.0
    assert "the paper's own table gives -0.87" in last.note


def test_the_outcome_is_valid_json_and_a_function_of_the_seed(made):
    experiment = Experiment("curveball/table-1", "title", "source", lambda *_: made)
    whole = document(experiment, made, Level.QUICK, 0, 1.0)
    json.dumps(whole, allow_nan=False)
    jobs = [job for job in table_1_plan.plan(SMALL, 0) if job[0][:2] == ("table", "U[0, 3]")][::2]
    again = do_all([job for _, job in jobs], Runner())
    for (tag, _), result in zip(jobs, again, strict=True):
        assert made.numbers["jobs"][" | ".join(tag)] == result
    other = do_all([replace(job, seed=1) for _, job in jobs], Runner())
    assert other != again


def test_the_table_has_six_rows_and_four_columns_beside_the_papers(made):
    first = made.tables[0]
    assert [line[0] for line in first.lines] == list(ROWS)
    assert len(first.headings) == 1 + 2 * len(COLUMNS)
    assert first.lines[5][2] == "13.0 ± 0.5"
    titles = [table.title for table in made.tables]
    assert sum("sensitivity" in title for title in titles) == 4
    assert sum("start point of the table is from" in title for title in titles) == 1
    assert len(made.choices) >= 10


def test_the_table_shows_every_row_and_choice_in_its_picture(made):
    (canvas,) = made.pictures.values()
    assert len(canvas.axes) == len(COLUMNS)
    assert all(axes.get_xscale() == "log" for axes in canvas.axes)
    labels = [text.get_text() for text in canvas.axes[0].get_yticklabels()]
    assert len(labels) == len(ROWS)


def test_levels_differ_in_size_alone_and_the_full_one_is_the_papers():
    quick, full = table_1.SIZES[Level.QUICK], table_1.SIZES[Level.FULL]
    assert full.runs == 100
    assert full.rates == table_1_first_order.RATES
    for sizes in (quick, full):
        assert sizes.length in sizes.horizons
        assert sizes.linear_length in sizes.linear_horizons
        assert BASE in sizes.readings


def test_the_experiment_is_registered():
    assert "curveball/table-1" in experiments()
