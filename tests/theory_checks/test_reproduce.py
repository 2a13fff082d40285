"""Experiments in small: what they say is judged rightly, and can be made again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from theory_checks.claim import Level
from theory_checks.cli import main
from theory_checks.experiments import (
    experiments,
    figure_1,
    figure_1_bench,
    figure_1_sentences,
    figure_3,
    figure_3_runs,
    ill_conditioned,
)
from theory_checks.experiments.drawing import canvas
from theory_checks.experiments.figure_1_bench import (
    DIAGONAL,
    FULL,
    GRADIENT,
    PLAIN,
    RULES,
    STEEP,
    TILTED,
    Bench,
)
from theory_checks.experiments.intervals import mean_band, mean_interval
from theory_checks.experiments.outcome import (
    Experiment,
    Outcome,
    Sentence,
    Table,
    Unwatched,
    answer,
    document,
    write,
)
from tralgos.problems import FiniteSum

PLANE = figure_1_bench.Sizes(iterations=20, starts=4, tuning=2, rates=2)
TRAINING = figure_3_runs.Sizes(
    batch=60,
    budget=6.0,
    runs=2,
    tuning=1,
    uniform=(0.1, 1.0),
    radii=(0.1,),
    epsilons=(1e-8, 1e-4),
    norms=(figure_3_runs.UNIFORM, figure_3_runs.RMSPROP),
    terms=120,
)
QUADRATICS = ill_conditioned.Conditioning(n=12, runs=2, kappas=(1e2, 1e4))

#: What every document holds, and what alone may differ from one run to the next.
KEYS = {
    "format",
    "experiment",
    "title",
    "source",
    "command",
    "level",
    "seed",
    "date",
    "seconds",
    "resumed",
    "versions",
    "units",
    "left_open",
    "sentences",
    "tables",
    "remarks",
    "numbers",
    "pictures",
}


def plane(seed=0):
    return figure_1.run_sizes(PLANE, seed, Unwatched())


def small(seed=0):
    return figure_3.run_sizes(TRAINING, QUADRATICS, seed, Unwatched())


@pytest.fixture(scope="module", params=[plane, small], ids=["figure-1", "figure-3"])
def made(request):
    return request.param, request.param()


@pytest.fixture(scope="module")
def bench():
    return Bench(PLANE, 1)


def told(outcome):
    """The outcome as a document, without what depends on the day."""
    experiment = Experiment("paper/figure", "title", "source", lambda *_: outcome)
    whole = document(experiment, outcome, Level.QUICK, 7, 1.0)
    return whole, {k: v for k, v in whole.items() if k not in ("date", "seconds", "versions")}


# --- the outcome --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "above", "expected"),
    [
        (0.1, 0.2, True, "yes"),
        (-0.2, -0.1, True, "no"),
        (-0.1, 0.1, True, "can't tell"),
        (0.0, 0.1, True, "can't tell"),
        (0.1, 0.2, False, "no"),
        (-0.2, -0.1, False, "yes"),
        (-0.1, 0.0, False, "can't tell"),
    ],
)
def test_an_answer_needs_the_whole_interval_on_one_side(low, high, above, expected):
    assert answer(low, high, above=above) == expected


def test_intervals_are_students_with_the_stated_confidence():
    values = [1.0, 2.0, 4.0, 8.0]
    expected = student.interval(0.9, 3, np.mean(values), np.std(values, ddof=1) / 2.0)
    seen = mean_interval(values, 0.9)
    assert (seen.low, seen.high) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="at least two"):
        mean_band(np.ones((1, 3)), 0.9)


def test_a_document_is_valid_json_with_everything_to_make_it_again(made):
    _, outcome = made
    whole, _ = told(outcome)
    assert set(whole) == KEYS
    assert json.loads(json.dumps(whole, allow_nan=False)) == json.loads(json.dumps(whole))
    assert whole["command"] == "theory-checks reproduce paper/figure --level quick --rng 7"
    assert {"tralgos", "python", "numpy", "scipy", "matplotlib"} <= set(whole["versions"])
    assert whole["date"].endswith("+00:00")


def test_equal_seeds_give_equal_numbers_and_others_do_not(made):
    run, outcome = made
    assert told(run())[1] == told(outcome)[1]
    assert told(run(seed=1))[1]["numbers"] != told(outcome)[1]["numbers"]


def test_every_table_and_number_has_its_unit(made):
    _, outcome = made
    assert outcome.units
    for table in outcome.tables:
        assert all(len(line) == len(table.headings) for line in table.lines)
        words = ("log10", "digits", "backpropagations", "condition number")
        assert any(word in table.title for word in words), table.title


def test_every_sentence_is_judged_by_a_stated_statistic(made):
    _, outcome = made
    for sentence in outcome.sentences:
        assert sentence.answer in ("yes", "no", "can't tell")
        assert (
            "yes if" in sentence.statistic
            or "invariant if" in sentence.statistic
            or (sentence.value is None)
        )
        if sentence.value is not None:
            assert sentence.low <= sentence.value <= sentence.high


def test_what_the_paper_leaves_open_is_said(made):
    _, outcome = made
    said = " ".join(choice.left_open + choice.chosen for choice in outcome.choices)
    assert "starts" in said
    assert "epsilon" in said


def test_pictures_are_small_pngs(made, tmp_path):
    _, outcome = made
    whole, _ = told(outcome)
    files = write(whole, "paper-figure", outcome, tmp_path / "new" / "folder")
    names = [path.name for path in files]
    assert names == ["paper-figure.json", "paper-figure.md", *outcome.pictures]
    for path in files[2:]:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000


# --- figure 1 -----------------------------------------------------------------------


def test_the_tilted_problem_is_the_steep_one_turned(bench):
    for method, close in ((GRADIENT, True), (FULL, True), (DIAGONAL, False)):
        straight, turned = (bench.curves(place, method, 0.05) for place in (STEEP, TILTED))
        assert np.allclose(straight, turned, rtol=1e-6, atol=1e-6) == close


def test_diagonal_adagrad_does_not_see_the_curvatures_of_an_aligned_quadratic(bench):
    start = np.array([3.0, -2.0])
    plain, steep = (bench.path(place, DIAGONAL, 1.0, start).points for place in (PLAIN, STEEP))
    np.testing.assert_allclose(plain, steep, rtol=1e-8)


def test_curves_of_gradient_descent_are_those_of_the_closed_form(bench):
    rate = 0.05
    factors = (1.0 - rate * np.array([1.0, 20.0])) ** (2 * PLANE.iterations)
    expected = np.log10(0.5 * (bench.starts**2 * factors) @ np.array([1.0, 20.0]))
    np.testing.assert_allclose(bench.curves(STEEP, GRADIENT, rate)[:, -1], expected, rtol=1e-10)


@pytest.mark.parametrize("method", [GRADIENT, DIAGONAL, FULL])
def test_each_step_is_the_minimiser_over_its_region(bench, method):
    """Lemma 1, from the stored regions alone: s is parallel to -A^{-1}g and on the boundary."""
    path = bench.path(TILTED, method, 0.02 if method == GRADIENT else 1.0, np.array([-6.0, 4.0]))
    H = bench.turn(TILTED) * [1.0, 20.0] @ bench.turn(TILTED).T
    for k in range(8):
        g, step = H @ path.points[k], path.points[k + 1] - path.points[k]
        direction = -np.linalg.solve(path.matrices[k], g)
        best = direction * path.radii[k] / math.sqrt(-direction @ g)
        np.testing.assert_allclose(step, best, rtol=1e-6, atol=1e-9 * np.linalg.norm(best))


def test_rates_are_chosen_by_the_stated_rule(bench):
    grid = PLANE.grid()
    rule = RULES[0]
    chosen = bench.rates(rule)
    for (place, method), rate in chosen.items():
        curves = np.array([bench.curves(place, method, r, tuning=True).mean(axis=0) for r in grid])
        allowed = np.all(curves <= curves[:, :1], axis=1)
        best = np.where(allowed, curves[:, -1], np.inf).argmin()
        assert rate == grid[best]
    assert bench.rates(RULES[1])[PLAIN, GRADIENT] == 0.5 * chosen[PLAIN, GRADIENT]
    common = bench.rates(RULES[3])
    assert len({common[place, FULL] for place in (PLAIN, STEEP, TILTED)}) == 1


def test_rates_are_chosen_on_starts_that_are_not_judged(bench):
    judged, tuning = (bench.curves(PLAIN, GRADIENT, 0.1, tuning=t)[:, 0] for t in (False, True))
    assert not set(judged) & set(tuning)


def test_a_rate_that_diverges_is_never_chosen_and_breaks_nothing(bench):
    """Gradient descent at rate 100 grows by 1e6 in every step; at kappa 20 it overflows."""
    curves = bench.curves(STEEP, GRADIENT, 1e20)
    assert np.all(np.isinf(curves[:, -1]))
    assert bench.rates(RULES[-1])[STEEP, GRADIENT] < 0.1


def test_the_paper_is_right_about_the_tilt_in_small():
    found = {s.says: s.answer for s in figure_1_sentences.sentences(Bench(PLANE, 3))}
    says = "the tilt reduces the superiority of diagonal Adagrad over gradient descent"
    assert found[says] == "yes"
    assert found["(implied) diagonal Adagrad is not invariant under rotations"] == "yes"
    assert found["(implied) full Adagrad is invariant under rotations"] == "yes"


def test_an_elongated_region_has_a_positive_elongation():
    """Twice as long horizontally as vertically: A = diag(1/4, 1)."""
    regions = np.tile(np.diag([0.25, 1.0]), (3, 1, 1))
    path = figure_1_bench.Path(np.zeros((4, 2)), regions, np.ones(3))
    assert figure_1_sentences._elongation([path]) == pytest.approx([math.log10(2.0)])


def test_the_valley_is_entered_where_the_steep_coordinate_is_down_to_a_tenth():
    shares = np.array([[[1.0, 1.0], [0.8, 0.3], [0.5, 0.1], [0.2, 0.01]]])
    assert figure_1_sentences._entry(shares) == pytest.approx(math.log10(0.5))


# --- figure 3 -----------------------------------------------------------------------


@pytest.mark.parametrize("name", figure_3_runs.TASKS)
def test_accuracy_is_that_of_the_loss(name):
    """A point that fits 40 digits well classifies them: both read the variables alike."""
    work = figure_3_runs.task(name, 40)
    assert isinstance(work.problem, FiniteSum)
    x = work.start(np.random.default_rng(0))
    before = work.accuracy(x)
    for _ in range(400):
        x = x - 0.1 * work.problem.gradient(x)
    assert before < 0.8
    assert work.accuracy(x) > 0.9


def test_runs_of_all_norms_share_start_and_batches():
    work = figure_3_runs.task("softmax", 120)
    curves = [
        figure_3_runs.train(work, figure_3_runs.Setting(norm, 0.1, 1e-4), TRAINING, 5)
        for norm in (figure_3_runs.UNIFORM, figure_3_runs.RMSPROP)
    ]
    assert curves[0].steps[0] == curves[1].steps[0]
    assert not np.array_equal(curves[0].losses, curves[1].losses)


def test_backpropagations_are_in_full_data_gradients():
    work = figure_3_runs.task("softmax", 120)
    curve = figure_3_runs.train(work, figure_3_runs.Setting("uniform", 0.1), TRAINING, 0)
    share = TRAINING.batch / 120
    assert curve.times[0] == share
    # A step: one gradient, and two for each product, of the share of the data.
    steps = np.diff(curve.times) / share
    np.testing.assert_allclose((steps - 1.0) / 2.0, np.round((steps - 1.0) / 2.0), atol=1e-9)
    assert curve.times[-1] <= TRAINING.budget


def test_until_is_the_first_time_the_loss_is_reached():
    curve = figure_3_runs.Curve(
        np.zeros(1), np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, -0.5]), np.inf, 0.0, 2, 1, 1
    )
    assert curve.until(-0.5) == 2.0
    assert math.isinf(curve.until(-2.0))


def test_a_norm_is_chosen_from_as_many_settings_as_every_other():
    for sizes in figure_3.SIZES.values():
        counts = {norm: len(sizes.settings(norm)) for norm in sizes.norms}
        assert len(set(counts.values())) == 1, counts


def test_settings_are_chosen_on_runs_that_are_not_judged(monkeypatch):
    """And the one with the least mean loss at the end is."""
    seen = {False: set(), True: set()}
    judging = False

    def train(work, setting, sizes, seed):
        seen[judging].add(seed)
        return curve([1.0, 2.0], [0.0, -setting.radius])

    monkeypatch.setattr(figure_3_runs, "train", train)
    work = figure_3_runs.task("softmax", 20)
    best = figure_3_runs.chosen(work, figure_3_runs.UNIFORM, TRAINING, 0)
    assert best.radius == max(TRAINING.uniform)
    judging = True
    figure_3_runs.compared(work, best, TRAINING, 0)
    assert len(seen[True]) == TRAINING.runs
    assert not seen[True] & seen[False]


def test_the_same_setting_for_both_makes_no_difference():
    """Uniform against uniform: the judgement has no bias of its own."""
    work = figure_3_runs.task("least-squares", 120)
    setting = figure_3_runs.Setting(figure_3_runs.UNIFORM, 1.0)
    curves = figure_3_runs.compared(work, setting, TRAINING, 0)
    one = figure_3.Training(
        "least-squares", {}, {"uniform": curves, "twin": [*curves]}, {"uniform": curves}
    )
    judged = figure_3._sentences(
        [one], figure_3_runs.Sizes(**{**vars(TRAINING), "norms": ("uniform", "twin")})
    )
    assert [sentence.answer for sentence in judged] == ["can't tell", "can't tell"]


def curve(times, steps):
    steps = np.array(steps)
    return figure_3_runs.Curve(steps[-1:], np.array(times), steps, np.inf, 0.9, 2, 3.0, 0.5)


def test_a_norm_that_is_faster_and_lower_is_told_from_one_that_is_not():
    slow = [curve([1.0, 4.0, 5.0], [0.0, 0.0, -1.0])] * 2
    fast = [curve([1.0, 2.0, 5.0], [0.0, -1.5, -2.0])] * 2
    for ours, theirs, expected in ((fast, slow, "yes"), (slow, fast, "no")):
        one = figure_3.Training("t", {}, {"RMSProp": ours, "uniform": theirs}, {})
        judged = figure_3._sentences([one], TRAINING)
        # Nobody of the slow ones comes down to where the fast ones end: the budget counts.
        assert [sentence.answer for sentence in judged] == [expected] * 3
        assert ("2 of 2 never came there" in judged[0].statistic) == (expected == "no")


def test_a_norm_that_needs_fewer_products_is_told_from_one_that_does_not():
    def case(norm, counts):
        return ill_conditioned.Case("Krylov", "rotated", 10.0, norm, np.array(counts), 0, 1.0)

    cases = tuple(
        case(norm, [20.0, 21.0] if "Adagrad" in norm else [10.0, 11.0 if norm == "uniform" else 9])
        for norm in ill_conditioned.NORMS
    )
    everywhere = tuple(
        replace(c, solver=solver, orientation=orientation)
        for solver in ill_conditioned.SOLVERS
        for orientation in ill_conditioned.ORIENTATIONS
        for c in cases
    )
    judged = {s.says.split(" needs")[0]: s for s in ill_conditioned.sentences(everywhere)}
    assert judged["(ours) Adagrad, A"].answer == "no"
    assert judged["(ours) Adagrad, A"].value == pytest.approx(0.5 * math.log10(2.0 * 21.0 / 11.0))
    assert judged["(ours) RMSProp, A"].answer == "can't tell"


def test_products_of_a_rotated_quadratic_are_counted():
    cases = ill_conditioned.measure(QUADRATICS, 0, Unwatched())
    for case in cases:
        # In 12 dimensions, kappa = 1e4 and a gradient down to 1e-6 take more than eight products.
        assert case.kappa < 1e4 or np.all(case.backpropagations > 16)
    uniform = {(c.solver, c.orientation, c.kappa): c for c in cases if c.norm == "uniform"}
    for kappa in QUADRATICS.kappas:
        assert uniform["Krylov", "rotated", kappa].condition == pytest.approx(kappa, rel=1e-6)


# --- the command --------------------------------------------------------------------


def fake(level, seed, watcher):
    watcher.of(1)
    watcher.at("it")
    watcher.done()
    figure = canvas(2.0, 2.0)
    figure.subplots().plot([0, seed])
    return Outcome(
        (Table("lengths in metres", ("a", "b"), (("1", level.name),)),),
        (Sentence("[so] it is", "a mean; yes if > 0", 2.0, 1.0, 3.0, "yes", "because"),),
        (),
        {"a": "metres"},
        {"seed": seed},
        {"fake.png": figure},
    )


@pytest.fixture
def one_fake(monkeypatch):
    known = {"paper/fake": Experiment("paper/fake", "a fake", "nowhere", fake)}
    monkeypatch.setattr("theory_checks.cli.experiments", lambda: known)


def run(*arguments):
    return main([str(argument) for argument in arguments], claims={})


def test_reproduce_lists_the_experiments(capsys):
    assert run("reproduce", "--list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in experiments())


def test_an_unknown_experiment_is_answered_with_the_known_ones(capsys):
    assert run("reproduce", "adaptive-norms/figure-17") == 2
    err = capsys.readouterr().err
    assert all(name in err for name in ("adaptive-norms/figure-17", *experiments()))


@pytest.mark.parametrize(
    "arguments", [["--level", "standard"], ["--rng", "-1"], ["--rng", "x"]], ids=" ".join
)
def test_usage_errors(arguments, capsys):
    assert run("reproduce", *arguments) == 2
    assert capsys.readouterr().err


def test_reproduce_shows_and_writes_an_outcome(one_fake, tmp_path, capsys):
    assert run("reproduce", "paper/fake", "--out", tmp_path / "d", "--rng", 4) == 0
    out = capsys.readouterr().out
    for part in (
        "lengths in metres",
        "yes: [so] it is",
        "2 [1, 3] = a mean",
        "(because)",
        "a: metres",
    ):
        assert part in out
    assert "\x1b" not in out
    found = json.loads((tmp_path / "d" / "paper-fake.json").read_text(encoding="utf-8"))
    assert (found["seed"], found["level"], found["numbers"]) == (4, "quick", {"seed": 4})
    assert (tmp_path / "d" / "fake.png").exists()


def test_without_a_folder_the_files_go_to_the_stated_one(one_fake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("reproduce") == 0
    assert "out/reproduce" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_made_is_told_before_the_work(one_fake, tmp_path, capsys):
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    assert run("reproduce", "paper/fake", "--out", tmp_path / "taken") == 2
    captured = capsys.readouterr()
    assert captured.err
    assert captured.out == ""


def test_section_4_1_is_reproduced_with_its_numbers(tmp_path):
    experiment = experiments()["efficient-tr/section-4-1"]
    outcome = experiment.run(Level.QUICK, 0, Unwatched())
    whole = document(experiment, outcome, Level.QUICK, 0, 1.0)
    assert [row["shift"] for row in whole["numbers"]["rows"]] == whole["numbers"]["lambdas"]
    assert {sentence["answer"] for sentence in whole["sentences"]} == {"yes"}


def test_page_says_all_that_the_file_says(made, tmp_path):
    """Each cell, sentence and choice is on the page, and every row has its columns."""
    _, outcome = made
    whole, _ = told(outcome)
    write(whole, "paper-figure", outcome, tmp_path)
    page = (tmp_path / "paper-figure.md").read_text(encoding="utf-8")
    plain = page.replace("\\|", "/").replace("\\*", "*")
    for table in outcome.tables:
        for line in table.lines:
            assert "| " + " | ".join(line).replace("||", "//") + " |" in plain.replace("||", "//")
    for sentence in outcome.sentences:
        assert f"**{sentence.answer}**" in page
        assert sentence.says.split("|")[0].split("*")[0] in plain
    for choice in outcome.choices:
        assert choice.left_open.split("|")[0].split("*")[0] in plain
    columns = {row.count(" | ") for row in plain.splitlines() if row.startswith("| sentence")}
    assert columns == {2}
    assert all(f"(figures/{name})" in page for name in outcome.pictures)
