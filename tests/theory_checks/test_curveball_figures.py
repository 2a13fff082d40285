"""CurveBall's figures in small: the runs are what they claim to be, and are judged rightly."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments import (
    curveball_figure_1,
    curveball_figure_4,
    curveball_figure_5,
    curveball_figure_7,
    curveball_figure_8,
    curveball_networks,
    curveball_paths,
    curveball_styles,
    curveball_verdicts,
    experiments,
)
from theory_checks.experiments.curveball_networks import BATCH, RAW, STANDARD, Plan, Run, network
from theory_checks.experiments.curveball_paths import NOISES, Path
from theory_checks.experiments.curveball_styles import ADAM, BFGS, CURVEBALL, MOMENTUM
from theory_checks.experiments.outcome import Experiment, Unwatched, document
from tralgos.problems import StochasticRosenbrock

# Any but the round ones.
MAP = curveball_figure_4.Sizes(columns=40, rows=48, spectrum=3)
PATHS = curveball_paths.Sizes(runs=2, cap=40, tuning=2, length=30)
EVOLUTION = curveball_figure_5.Sizes(epochs=2, runs=2, lambda_runs=2, terms=400)
RIVALS = curveball_figure_7.Sizes(passes=8.0, runs=2, tuning=1, target=60.0, terms=400)
MOMENTUM_ONE = curveball_figure_8.Sizes(epochs=2, runs=2, terms=400)

MODULES = {
    "figure-1": curveball_figure_1,
    "figure-4": curveball_figure_4,
    "figure-5": curveball_figure_5,
    "figure-7": curveball_figure_7,
    "figure-8": curveball_figure_8,
}


SMALL = {
    "figure-1": PATHS,
    "figure-4": MAP,
    "figure-5": EVOLUTION,
    "figure-7": RIVALS,
    "figure-8": MOMENTUM_ONE,
}


class Counting(Unwatched):
    total = finished = 0

    def of(self, total):
        self.total = total

    def done(self):
        self.finished += 1


@pytest.fixture(scope="module", params=SMALL)
def made(request):
    name, watcher = request.param, Counting()
    outcome = MODULES[name].run_sizes(SMALL[name], 0, watcher)
    assert watcher.total == watcher.finished > 1
    return name, outcome


def told(name, outcome):
    experiment = Experiment(f"curveball/{name}", "title", "source", lambda *_: outcome)
    whole = document(experiment, outcome, Level.QUICK, 0, 1.0)
    return json.loads(json.dumps(whole, allow_nan=False))


# --- what all of them have --------------------------------------------------------------


def test_every_experiment_is_registered_and_finds_its_module(monkeypatch):
    for name, module in MODULES.items():
        seen = []
        monkeypatch.setattr(module, "run", lambda *given, seen=seen: seen.append(given))
        experiments()[f"curveball/{name}"].run(Level.QUICK, 3, Unwatched())
        assert [given[:2] for given in seen] == [(Level.QUICK, 3)]


def test_documents_are_json_with_sentences_choices_tables_and_a_picture(made):
    name, outcome = made
    whole = told(name, outcome)
    assert whole["sentences"]
    assert {sentence["answer"] for sentence in whole["sentences"]} <= {"yes", "no", "can't tell"}
    assert len(whole["left_open"]) >= 2
    for table in whole["tables"]:
        assert {len(line) for line in table["lines"]} == {len(table["headings"])}
    assert whole["pictures"] == [f"curveball-{name}.png"]


def test_pictures_have_labelled_axes(made):
    (canvas,) = made[1].pictures.values()
    panels = [axes for axes in canvas.axes if axes.get_subplotspec() is not None]
    assert len(panels) >= 2
    assert any(axes.get_xlabel() for axes in panels)
    assert any(axes.get_ylabel() for axes in panels)


def test_all_but_measured_seconds_is_a_function_of_the_seed(made):
    name, outcome = made
    again, other = (MODULES[name].run_sizes(SMALL[name], i, Unwatched()) for i in (0, 1))

    def steady(one):
        numbers = {key: value for key, value in one.numbers.items() if key != "measured"}
        timed = [s for s in one.sentences if "seconds" not in s.says]
        return json.dumps(numbers), timed

    assert steady(again) == steady(outcome)
    if name != "figure-4":
        assert steady(other)[0] != steady(outcome)[0]


def test_no_two_methods_of_one_figure_look_alike():
    looks = [(colour, str(dashes)) for colour, dashes in curveball_styles.STYLES.values()]
    assert len(set(looks)) == len(looks)


# --- verdicts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.01, 0.02, 0.0], "yes"),
        ([0.5, 0.52, 0.51], "no"),
        ([-0.5, -0.52, -0.51], "no"),
        ([0.0, 0.2, 0.1], "can't tell"),
    ],
)
def test_alike_needs_the_whole_interval_within_the_limit(values, expected):
    assert curveball_verdicts.alike("", "", values, 0.95, 0.1).answer == expected


@pytest.mark.parametrize(
    ("values", "above", "expected"),
    [
        ([1.0, 1.1], True, "yes"),
        ([1.0, 1.1], False, "no"),
        ([-1.0, 1.0], True, "can't tell"),
        ([0.0, 0.0], True, "no"),
        ([0.0, 0.0], False, "no"),
    ],
)
def test_judged_takes_zeros_alone_for_no(values, above, expected):
    assert curveball_verdicts.judged("", "", values, 0.95, above=above).answer == expected


# --- figure 4 ---------------------------------------------------------------------------


@given(st.floats(1e-3, 5.0), st.floats(1e-3, 6.0))
def test_the_boundary_that_is_drawn_is_that_of_the_eigenvalues(s, rho):
    """Theorem A.1 against LAPACK, away from the boundary by more than rounding."""
    radius = float(curveball_figure_4.spectral_radii(np.array(s), np.array(rho)))
    if abs(radius - 1.0) > 1e-7:
        assert (radius < 1.0) == bool(curveball_figure_4.inside(s, rho))


@given(st.floats(1e-2, 1.3), st.floats(0.0, 1.9))
def test_the_map_is_the_rate_at_which_the_iteration_goes(s, rho):
    """Algorithm 1 on h x^2/2 itself, over steps enough to see its rate."""
    x, z, logs = 1.0, 0.3, 0.0
    steps = 400
    for _ in range(steps):
        z = rho * z - s * (z + x)
        x = x + z
        size = math.hypot(x, z)
        if size == 0.0:
            return
        logs += math.log(size)
        x, z = x / size, z / size
    radius = float(curveball_figure_4.spectral_radii(np.array(s), np.array(rho)))
    # Transients, those of a double root too, are a power of the number of steps.
    assert abs(logs / steps - math.log(max(radius, 1e-3))) < 0.05 or radius < 1e-2


def test_the_map_has_its_hole_outside_the_region_and_its_best_point_at_one():
    found = curveball_figure_4.survey(MAP)
    s, rho = found.s[None, :], found.rho[:, None]
    np.testing.assert_array_equal(found.single < 1.0, curveball_figure_4.inside(s, rho))
    assert found.best(found.single)[:2] == pytest.approx((1.0, 1.0), abs=0.06)
    assert np.all(found.worst >= found.single - 1e-12)


def test_the_longest_range_is_measured_in_the_row_of_one():
    sizes = replace(MAP, columns=400)
    found = curveball_figure_4.survey(sizes)
    for row, rho in enumerate(found.rho):
        exact = min(2.0, 2.0 * (1.0 + rho) / 3.0) - max(0.0, rho - 1.0)
        assert found.span(row) == pytest.approx(exact, abs=0.011)


def test_the_refined_pair_is_at_least_as_good_as_any_of_the_map():
    sizes = replace(MAP, kappa=4.0)
    found = curveball_figure_4.survey(sizes)
    start = found.best(found.worst)
    beta, rho, rate = curveball_figure_4._refined(found.shares, start[:2])
    best = tralgos.curveball_optimal_parameters(1.0, 4.0)
    assert rate <= start[2]
    assert (beta, rho, rate) == pytest.approx((4.0 * best.beta, best.rho, best.rate), abs=1e-4)


def test_sentences_of_section_a_2_1_are_judged_by_the_map(monkeypatch):
    found = curveball_figure_4.survey(MAP)
    answers = [s.answer for s in curveball_figure_4._sentences(found, (1.0, 1.0, 0.0))]
    assert answers == ["yes"] * 5 + ["no"]
    # With the curvature term left out the region is another one.
    monkeypatch.setattr(
        curveball_figure_4, "inside", lambda s, rho: (s > 0.0) & (rho < 1.0) & (s < 2.0 + 2.0 * rho)
    )
    assert curveball_figure_4._sentences(found, (1.0, 1.0, 0.0))[0].answer == "no"
    wide = replace(found, single=0.0 * found.single)
    assert [s.answer for s in curveball_figure_4._sentences(wide, (1.0, 1.0, 0.0))][2:4] == [
        "no",
        "no",
    ]


# --- figure 1 ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", [MOMENTUM, ADAM])
def test_the_grid_search_walks_as_the_methods_do(method):
    cells = curveball_paths.grid(method)[-3:]
    starts = np.array([[-1.2, 1.0], [-1.1, 0.9]])
    weights = np.full((25, 2), 100.0)
    walked = curveball_paths.walk(method, cells, starts, weights)
    for i, cell in enumerate(cells):
        for j, x0 in enumerate(starts):
            points = [x0]
            tralgos.minimize(
                StochasticRosenbrock(noise=(1.0, 1.0)),
                x0,
                curveball_paths._made(method, cell, None),
                gtol=0.0,
                maxiter=25,
                callback=lambda seen, points=points: points.append(seen.x),
            )
            np.testing.assert_allclose(walked[:, i, j], points, rtol=1e-9, atol=1e-12)


def test_the_grid_is_that_of_the_appendix_and_divergence_is_not_selected():
    assert len(curveball_paths.grid(MOMENTUM)) == 21
    assert len(curveball_paths.grid(ADAM)) == 28
    sizes = replace(PATHS, length=300)
    rate, momentum = curveball_paths.selected(MOMENTUM, "no noise", sizes, 0)
    assert rate < 0.005
    assert momentum in curveball_paths.MOMENTA


def test_the_least_mean_of_the_last_ten_losses_is_selected(monkeypatch):
    offsets = np.full(21, 0.5)
    offsets[[4, 7]] = 0.1, np.nan

    def walk(method, cells, starts, weights):
        points = np.ones((40, len(cells), len(starts), 2))
        points[-10:, :, :, 0] -= offsets[:, None]
        # Cell 9 was better before the last ten.
        points[-10:, 9, :, 0] = 0.0
        return points

    monkeypatch.setattr(curveball_paths, "walk", walk)
    best = curveball_paths.selected(MOMENTUM, "no noise", PATHS, 0)
    assert best == curveball_paths.grid(MOMENTUM)[4]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("method", [BFGS, *curveball_paths.SECOND])
def test_a_path_ends_at_the_first_iterate_within_the_tolerance(method, noise):
    path = curveball_paths.descended(method, None, noise, replace(PATHS, cap=300), [0, 1])
    problem = StochasticRosenbrock(noise=NOISES[noise])
    losses = [problem.value(x) for x in path.points]
    np.testing.assert_allclose(path.losses, losses, rtol=1e-12)
    assert path.arrived
    assert losses[-1] < curveball_paths.TOLERANCE
    assert min(losses[:-1]) >= curveball_paths.TOLERANCE
    assert path.iterations == len(losses) - 1


def test_a_path_that_is_too_long_has_not_arrived():
    path = curveball_paths.descended(MOMENTUM, (1e-4, 0.9), "no noise", PATHS, [0, 0])
    assert not path.arrived
    assert path.iterations == PATHS.cap


def test_crossings_count_changes_of_side():
    points = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 1.0], [0.0, -2.0], [2.0, 5.0]])
    assert curveball_paths.crossings(Path(points, np.zeros(5), True)) == 2


def invented(iterations):
    """Runs with these numbers of iterations, by method, the same in every noise or by noise."""
    found = {}
    for method in curveball_paths.METHODS:
        counts = iterations.get(method, (15, 15, 15))
        for noise, count in zip(NOISES, counts, strict=True):
            for extra in (0, 0, 1):
                k = count + extra + 1
                points = np.stack([np.zeros(k), (-1.0) ** np.arange(k)], axis=1)
                found.setdefault((method, noise), []).append(Path(points, np.ones(k), True))
    return found


def test_sentences_about_the_paths_follow_the_numbers():
    def answers(found, part):
        return [s.answer for s in curveball_figure_1._sentences(found) if part in s.says]

    slow = {MOMENTUM: (400, 800, 4000), ADAM: (800, 1000, 2000), BFGS: (20, 40, 60)}
    assert answers(invented(slow), "slow behaviour") == ["yes", "yes"]
    assert answers(invented(slow), "oscillating") == ["yes", "yes"]
    assert answers(invented(slow), "impact of noise") == ["yes", "yes"]
    assert answers(invented(slow), "few iterations") == ["yes"] * 3
    alike = {BFGS: (40, 20, 20), CURVEBALL: (400, 400, 400)}
    assert answers(invented(alike), "slow behaviour") == ["no", "no"]
    assert answers(invented(alike), "impact of noise") == ["no", "no"]
    assert answers(invented(alike), "few iterations") == ["no"] * 3
    assert answers(invented({MOMENTUM: (3, 3, 3)}), "oscillating")[0] == "no"


# --- networks ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nets():
    return {name: network(name, 200) for name in (RAW, STANDARD)}


def test_standardised_pixels_have_mean_zero_and_deviation_one_or_are_never_inked(nets):
    pixels = nets[STANDARD].pixels
    np.testing.assert_allclose(pixels.mean(axis=0), 0.0, atol=1e-12)
    spread = pixels.std(axis=0)
    assert set(np.round(spread, 9)) == {0.0, 1.0}


@pytest.mark.parametrize("name", [RAW, STANDARD])
def test_the_error_is_that_of_the_networks_own_outputs(nets, name):
    """By the loss of each digit under each label: the smallest names the digit."""
    net = nets[name]
    # The biases of a start are zero.
    x = 3.0 * net.start(1) + np.random.default_rng(2).standard_normal(net.problem.n)
    rows = range(0, 200, 9)
    wrong = 0
    for i in rows:
        losses = [
            tralgos.problems.TwoLayerNetwork(
                net.pixels[i : i + 1], [label], curveball_networks.HIDDEN, classes=10
            ).value(x)
            for label in range(10)
        ]
        wrong += int(np.argmin(losses)) != net.labels[i]
    part = replace(net, pixels=net.pixels[rows], labels=net.labels[rows])
    assert part.error(x) == pytest.approx(100.0 * wrong / len(rows))


def test_looks_are_of_the_iterate_and_the_clock_stands_still_meanwhile(nets):
    net = nets[RAW]
    method = tralgos.HeavyBall(batch=50, rate=0.1)
    run = curveball_networks.train(net, method, Plan(steps=6, every=2, gradient=True), 4)
    assert run.steps.tolist() == [0, 2, 4, 6]
    whole = tralgos.minimize(
        net.problem, net.start(4), method, gtol=0.0, maxiter=6, rng=np.random.default_rng([4, 6])
    )
    assert run.losses[-1] == pytest.approx(net.problem.value(whole.x), rel=1e-12)
    assert run.gradients[-1] == pytest.approx(np.linalg.norm(net.problem.gradient(whole.x)))
    assert run.errors[-1] == net.error(whole.x)
    assert run.passes[-1] == pytest.approx(whole.trace[-1].backpropagations)
    # A gradient a step, one of the start included that the last step has no need of.
    assert run.products == pytest.approx(7.0 / 6.0)
    assert np.all(np.diff(run.seconds) > 0.0)


def test_the_time_of_looking_is_not_the_methods(nets, monkeypatch):
    net = nets[RAW]
    method = tralgos.HeavyBall(batch=50, rate=0.1)
    original = curveball_networks.Network.error

    def slowly(self, x):
        curveball_networks.time.sleep(0.05)
        return original(self, x)

    monkeypatch.setattr(curveball_networks.Network, "error", slowly)
    run = curveball_networks.train(net, method, Plan(steps=8), 4)
    assert run.seconds[-1] < 0.2


def test_a_run_ends_with_its_passes_or_at_its_goal(nets):
    method = tralgos.HeavyBall(batch=50, rate=0.1)
    run = curveball_networks.train(nets[RAW], method, Plan(passes=3.0), 0)
    # The look that sees the end is the last.
    assert 3.0 < run.passes[-1] <= 3.0 + 0.25
    early = curveball_networks.train(nets[RAW], method, Plan(passes=60.0, goal=50.0), 0)
    assert early.errors[-1] <= 50.0
    assert np.all(early.errors[:-1] > 50.0)


def test_methods_have_the_same_start_and_runs_have_different_ones(nets):
    assert np.array_equal(nets[RAW].start(3), nets[RAW].start(3))
    assert not np.array_equal(nets[RAW].start(3), nets[RAW].start(4))


def seen(steps, errors, seconds=None, losses=None, details=None):
    steps = np.array(steps, dtype=float)
    return Run(
        steps,
        0.5 * steps,
        np.array(seconds if seconds is not None else 0.1 * steps),
        np.array(losses if losses is not None else np.ones(len(steps))),
        np.array(errors, dtype=float),
        np.ones(len(steps)),
        details or {},
        3.0,
        "CALLBACK",
    )


def test_until_and_at_read_a_run_rightly():
    run = seen([0, 2, 4, 6], [90.0, 30.0, 10.0, 20.0])
    assert run.until(30.0, "passes") == 1.0
    assert run.until(10.0, "seconds") == pytest.approx(0.4)
    assert math.isinf(run.until(5.0, "passes"))
    assert run.at("errors", "steps", np.array([0.0, 1.9, 2.0, 5.0, 99.0])).tolist() == [
        90.0,
        90.0,
        30.0,
        10.0,
        20.0,
    ]
    assert curveball_figure_7.taken(run, 10.0, "passes") == (2.0, True)
    assert curveball_figure_7.taken(run, 5.0, "passes") == (3.0, False)


# --- figure 5 ---------------------------------------------------------------------------


def test_means_over_epochs_leave_no_step_out():
    net = network(RAW, 400)
    sizes = curveball_figure_5.Sizes(epochs=3, runs=1, terms=400)
    count = sizes.steps(net)
    values = np.arange(1.0, count + 1.0)
    run = replace(seen([0, count], [1.0, 1.0]), details={"rho": values})
    means = curveball_figure_5._means(run, "rho", sizes, net)
    # 400 digits are 3.125 batches: steps 1 to 4, 5 to 7, and the rest begin in each epoch.
    assert count == 10
    assert means.tolist() == [2.5, 6.0, 9.0]


def story(ends, lams, rule="authors", first=1.0, network=RAW):
    runs = [
        seen([0, 20], [1.0, 1.0], losses=[1.0, 10.0**end], details={"lam": np.array(lam)})
        for end, lam in zip(ends, lams, strict=True)
    ]
    means = {name: np.full((len(ends), 4), 0.95) for name in curveball_figure_5.COLUMNS}
    return curveball_figure_5.Story(network, rule, first, runs, means)


def test_moves_of_lambda_are_counted_at_the_rules_own_checks():
    falling = np.repeat([1.0, 0.995, 0.99, 0.985], 5)
    rising = np.repeat([1.0, 1.005, 1.005, 1.0], 5)
    shares = story([0.0, 0.0], [falling, rising]).moves()
    np.testing.assert_allclose(shares, [[1.0, 0.0], [1 / 3, 1 / 3]])
    every = story([0.0], [[1.0, 2.0, 1.0, 1.0, 1.0]], rule="tracking").moves()
    np.testing.assert_allclose(every, [[0.25, 0.25]])


def test_sensitivity_to_lambda_is_told_from_indifference():
    lam = [[1.0] * 20] * 3
    near = {1.0: [-1.0, -1.01, -0.99], 10.0: [-1.01, -1.01, -1.0]}
    far = {1.0: [-1.0, -1.01, -0.99], 10.0: [-0.5, -0.51, -0.5]}
    for ends, expected in ((near, "yes"), (far, "no")):
        others = [story(end, lam, first=first) for first, end in ends.items()]
        assert curveball_figure_5._insensitive(others, RAW, "authors").answer == expected


def test_the_authors_rule_moves_lambda_by_its_factor_every_fifth_step():
    outcome = curveball_figure_5._story(
        network(RAW, 400), "authors", 10.0, replace(EVOLUTION, epochs=4), 0, 1
    )
    lam = outcome.runs[0].details["lam"]
    change = np.diff(np.log(lam))
    factor = 5.0 * math.log(0.999)
    assert np.all(np.delete(change, np.s_[4::5]) == 0.0)
    for step in change[4::5]:
        assert min(abs(step), abs(step - factor), abs(step + factor)) < 1e-12


# --- figure 7 ---------------------------------------------------------------------------


def rivals(times):
    """Runs that come to 5% at these times: two a method."""
    return {
        name: [
            seen([0, 1, 2], [90.0, 4.0, 1.0], seconds=[0.0, factor * time, 9.0])
            for factor in (1.0, 1.02)
        ]
        for name, time in {**dict.fromkeys(curveball_figure_7.METHODS, 1.0), **times}.items()
    }


def test_an_order_of_magnitude_is_ten_times_and_the_best_form_counts():
    def answers(times):
        found = rivals(times)
        judged = curveball_figure_7._sentences(found, replace(RIVALS, target=5.0))
        return [s.answer for s in judged if "order of magnitude" in s.says and "seconds" in s.says]

    slow = dict.fromkeys(curveball_figure_7.FREE, 20.0)
    assert answers(slow) == ["yes"] * 4
    assert answers({**slow, curveball_figure_7.FREE[1]: 2.0}) == ["no"] * 4
    assert answers({**slow, CURVEBALL: 4.0}) == ["yes", "yes", "no", "yes"]


def test_competitive_is_twice_as_slow_at_most():
    def answers(time):
        found = rivals({CURVEBALL: time})
        judged = curveball_figure_7._sentences(found, replace(RIVALS, target=5.0))
        return [s.answer for s in judged if "competitive" in s.says and "seconds" in s.says]

    assert answers(1.5) == ["yes", "yes"]
    assert answers(3.0) == ["no", "yes"]


def test_the_rate_with_the_fewest_passes_is_chosen_on_runs_that_are_not_judged(monkeypatch):
    seeds = []

    def quick_at_one_tenth(net, method, plan, seed):
        seeds.append(seed)
        return seen([0, 2 if method.rate == 0.1 else 7], [90.0, 1.0])

    monkeypatch.setattr(curveball_figure_7, "train", quick_at_one_tenth)
    assert curveball_figure_7._chosen(None, MOMENTUM, RIVALS, 0) == 0.1
    assert min(seeds) >= RIVALS.runs


def test_every_method_is_drawn_in_its_own_colour(made):
    name, outcome = made
    if name not in ("figure-1", "figure-7"):
        return
    (canvas,) = outcome.pictures.values()
    lines = [line for axes in canvas.axes for line in axes.get_lines()]
    named = {line.get_label(): line.get_color() for line in lines}
    wanted = curveball_paths.METHODS if name == "figure-1" else curveball_figure_7.DRAWN
    for method in wanted:
        assert named[method] == curveball_styles.STYLES[method][0]


# --- figure 8 ---------------------------------------------------------------------------


def test_rho_is_one_where_it_is_fixed_and_beta_is_not():
    net = network(STANDARD, 400)
    runs = curveball_figure_8._runs(net, curveball_figure_8.FIXED, 1.0, MOMENTUM_ONE, 0)
    for run in runs:
        assert np.all(run.details["rho"] == 1.0)
        assert len(np.unique(run.details["beta"])) > 3
    free = curveball_figure_8._runs(net, curveball_figure_8.AUTOMATIC, 1.0, MOMENTUM_ONE, 0)
    assert np.ptp(free[0].details["rho"]) > 0.0
    # The same start and the same batches: the first step, with z = 0, is the same too.
    assert free[0].details["beta"][0] == pytest.approx(runs[0].details["beta"][0], rel=1e-9)


def test_training_as_good_or_better_is_told_from_worse():
    def answers(shift):
        found = {}
        for name in (RAW, STANDARD):
            for first in (1.0, 10.0):
                for setting in curveball_figure_8.SETTINGS:
                    worse = shift if setting == curveball_figure_8.FIXED else 0.0
                    found[name, setting, first] = [
                        seen(
                            [0, 9],
                            [90.0, 3.0 + 10.0 * worse],
                            losses=[2.0, 10.0 ** (-1.0 + worse + tiny)],
                            details={"rho": np.ones(9)},
                        )
                        for tiny in (0.0, 0.001 * (1.0 + worse))
                    ]
        return {s.answer for s in curveball_figure_8._sentences(found, MOMENTUM_ONE)[:2]}

    assert answers(0.02) == {"yes"}
    assert answers(-0.3) == {"yes"}
    assert answers(0.5) == {"no"}


def test_an_epoch_is_as_many_steps_as_make_the_number_of_digits():
    net = network(RAW, 400)
    places = MOMENTUM_ONE.places(net)
    np.testing.assert_allclose(places * BATCH, [0.0, 400.0, 800.0])
    assert MOMENTUM_ONE.steps(net) >= places[-1]


def test_levels_differ_in_size_alone():
    for module in MODULES.values():
        quick, full = (vars(module.SIZES[level]) for level in (Level.QUICK, Level.FULL))
        assert quick != full
        for name in ("runs", "epochs", "columns", "passes", "cap"):
            if name in quick:
                assert full[name] >= quick[name]
