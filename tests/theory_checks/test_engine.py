import dataclasses
import math
import time
from pathlib import Path

import hypothesis.configuration
import pytest
from hypothesis import strategies as st

from tests.theory_checks import toys
from theory_checks.claim import Condition, Dropped, Form, fact, in_roundings
from theory_checks.dropping import hypothesis_dropped, sabotage_noticed
from theory_checks.engine import Budget, hunt
from theory_checks.evidence import merged
from theory_checks.margins import worst_margin
from theory_checks.precise import precise
from theory_checks.quiet_hypothesis import temporary_home
from theory_checks.shrink import complexity, shrink

SMALL = Budget(examples=100, screened=0, seconds=20.0)


def test_a_true_form_is_not_violated_and_its_worst_margin_is_reported():
    result = hunt(toys.true_claim().printed, SMALL, seed=1)
    assert result.violation is None
    assert result.instances >= 100
    assert result.worst is not None
    assert result.worst.margin >= 0.0


def test_a_violation_is_found_and_shrunk_to_a_simple_one():
    result = hunt(toys.false_claim().printed, SMALL, seed=1)
    assert result.violation is not None
    assert result.violation.found_by == "random search"
    x = result.violation.instance["x"]
    assert x > 10.0
    assert x == int(x)
    assert result.violation.margins["it"] < 0.0


def test_the_search_is_drawn_towards_a_narrow_violation():
    # One part in ten thousand of the range: hopeless for uniform draws of this number.
    form = toys.form(lambda x: in_roundings(abs(x - 777.7) - 0.05, 1.0, 0.0))
    result = hunt(form, Budget(2000, 0, 60.0), seed=3)
    assert result.worst is not None
    assert abs(result.worst.instance["x"] - 777.7) < 5.0


def test_edge_cases_come_first():
    form = toys.form(
        lambda x: in_roundings(50.0 - x, 1.0, 0.0), edges=lambda: ({"x": 1.0}, {"x": 60.0})
    )
    result = hunt(form, SMALL, seed=1)
    assert result.violation is not None
    assert result.violation.found_by == "edge case"
    assert result.instances == 2


def test_what_a_screen_suspects_is_decided_by_the_margins_and_shrunk():
    form = toys.form(lambda x: fact(not 123.0 < x < 124.0), screen=toys.narrow_screen())
    result = hunt(form, Budget(1, 1_000_000, 20.0), seed=1)
    assert result.violation is not None
    assert result.violation.found_by == "screen"
    assert result.violation.instance == {"x": 123.5}
    assert result.screened > 0


def test_a_screen_that_suspects_wrongly_finds_nothing():
    form = toys.form(toys.square, screen=toys.narrow_screen())
    result = hunt(form, Budget(10, 100_000, 20.0), seed=1)
    assert result.violation is None
    assert result.screened == 100_000


def test_a_slack_that_is_no_number_is_looked_at_first():
    def with_a_hole(xp, arrays):
        return xp.where(arrays["x"] > 999.0, xp.nan, 1.0)

    screen = dataclasses.replace(toys.narrow_screen(), slack=with_a_hole)
    form = toys.form(lambda x: fact(not x > 999.0), screen=screen)
    result = hunt(form, Budget(1, 100_000, 20.0), seed=1)
    assert result.violation is not None
    assert result.violation.found_by == "screen"


def test_a_screen_must_give_one_slack_a_row():
    screen = dataclasses.replace(toys.narrow_screen(), slack=lambda xp, arrays: xp.zeros(3))
    with pytest.raises(ValueError, match="one slack a row"):
        hunt(toys.form(toys.square, screen=screen), Budget(10, 1000, 20.0), seed=1)


def test_what_vanishes_at_a_hundred_digits_is_rounding_and_withdrawn():
    def rounds_off(instance):
        return {"it": -1.0 if precise().dps == 50 else 1.0}

    form = dataclasses.replace(toys.true_claim().printed, margins=rounds_off)
    result = hunt(form, SMALL, seed=1)
    assert result.violation is None
    assert result.withdrawn == result.instances > 0
    assert precise().dps == 50


def test_a_violation_in_float64_is_confirmed_by_extended_margins():
    form = dataclasses.replace(
        toys.false_claim().printed, confirm=lambda i: {"it": fact(i["x"] < 20.0)}
    )
    result = hunt(form, SMALL, seed=1)
    assert result.violation is not None
    assert result.violation.instance["x"] >= 20.0


def test_structured_neighbours_are_tried():
    """Equal entries: not drawn by chance, but a neighbour of every edge case."""

    def strategy():
        return st.fixed_dictionaries(
            {"v": st.tuples(st.floats(1.0, 2.0), st.floats(3.0, 4.0)).map(list)}
        )

    form = Form(
        "v has different entries",
        "tex",
        (),
        strategy,
        lambda i: {"it": fact(i["v"][0] != i["v"][1])},
        edges=lambda: ({"v": [1.0, 3.0]},),
    )
    result = hunt(form, Budget(20, 0, 20.0), seed=1)
    assert result.violation is not None
    assert result.violation.found_by == "structured edge case"


def test_optimisation_goes_where_draws_do_not():
    """A valley away from all simple numbers, followed downhill to a hole in it."""

    def margin(x):
        return in_roundings(abs(x - math.pi * 100.0) - 1e-6, 1.0, 0.0)

    found = hunt(toys.form(margin), Budget(120, 0, 20.0), seed=5)
    assert found.violation is not None
    assert found.violation.found_by == "optimisation"
    assert abs(found.violation.instance["x"] - math.pi * 100.0) < 1e-6


def test_what_never_ends_is_broken_off():
    def endless(x):
        while x == 0.0:
            pass
        return 1.0

    start = time.monotonic()
    form = toys.form(endless, edges=lambda: ({"x": 7.0},))
    result = hunt(form, Budget(30, 0, 2.0), seed=1)
    assert result.violation is None
    assert time.monotonic() - start < 15.0


def test_instances_outside_the_hypotheses_are_not_judged():
    result = hunt(toys.form(toys.cube, toys.POSITIVE), SMALL, seed=1)
    assert result.violation is None
    assert result.worst is not None
    assert result.worst.instance["x"] > 0


def test_the_same_seed_gives_the_same_hunt():
    first, second = (hunt(toys.true_claim().printed, SMALL, seed=7) for _ in range(2))
    assert first.worst == second.worst
    assert first.instances == second.instances


def test_the_deadline_ends_a_slow_hunt():
    def slow(x):
        time.sleep(0.02)
        return 1.0

    start = time.monotonic()
    result = hunt(toys.form(slow), Budget(10_000, 0, 0.5), seed=1)
    assert time.monotonic() - start < 5.0
    assert result.violation is None


def test_an_unsatisfiable_form_is_reported_as_untested():
    never = Condition("never", "false", lambda i: False)
    result = hunt(toys.form(toys.square, never), SMALL, seed=1)
    assert result.instances == 0
    assert result.worst is None


def test_a_bound_is_kept_where_it_is_tightest_with_both_sides():
    form = toys.form(toys.square, bound=lambda i: (abs(i["x"]), 1e3))
    result = hunt(form, SMALL, seed=1)
    assert result.tightest is not None
    assert 0.5 < result.tightest.ratio <= 1.0
    assert result.tightest.computed == abs(result.tightest.instance["x"])
    assert result.tightest.theoretical == 1e3


def test_sides_of_opposite_sign_are_not_close():
    form = toys.form(toys.square, bound=lambda i: (-abs(i["x"]) - 1.0, abs(i["x"]) + 1.0))
    result = hunt(form, SMALL, seed=1)
    assert result.tightest is not None
    assert result.tightest.ratio == 0.0


def test_dropping_a_needed_hypothesis_makes_the_form_fail():
    (outcome,) = hypothesis_dropped(toys.form(toys.cube, toys.POSITIVE), SMALL, 1)
    assert outcome.as_recorded
    assert outcome.needed
    assert outcome.counterexample == {"x": -1.0}
    assert outcome.margin < 0.0


def test_a_dropped_hypothesis_that_makes_no_difference_is_noticed():
    (outcome,) = hypothesis_dropped(toys.toothless_claim().printed, SMALL, 1)
    assert not outcome.as_recorded


def test_a_family_that_breaks_another_hypothesis_too_proves_nothing():
    small = Condition("small", "x < 1", lambda i: i["x"] < 1, Dropped(({"x": 5.0},), fails=False))
    other = Condition("even smaller", "x < 2", lambda i: i["x"] < 2)
    (outcome,) = hypothesis_dropped(toys.form(toys.square, small, other), SMALL, 1)
    assert not outcome.as_recorded


def test_a_hypothesis_may_be_recorded_as_not_needed():
    idle = Condition("idle", "x < 1", lambda i: i["x"] < 1, Dropped(({"x": 2.0},), fails=False))
    (outcome,) = hypothesis_dropped(toys.form(toys.square, idle), SMALL, 1)
    assert outcome.as_recorded
    assert not outcome.needed
    assert outcome.tried > 50


def test_a_hypothesis_said_to_be_unnecessary_is_hunted_without():
    far = Condition(
        "below 100", "x < 100", lambda i: i["x"] < 100, Dropped(({"x": 101.0},), fails=False)
    )
    form = toys.form(lambda x: in_roundings(150.0 - x, 1.0, 0.0), far)
    (outcome,) = hypothesis_dropped(form, SMALL, 1)
    assert not outcome.as_recorded
    assert outcome.needed
    assert outcome.counterexample["x"] > 150.0


def test_a_broken_algorithm_is_noticed_or_the_check_proves_nothing():
    (outcome,) = sabotage_noticed(toys.sabotaged_claim().printed, SMALL, 1)
    assert outcome.noticed
    assert abs(outcome.instance["x"]) < 2.0
    (outcome,) = sabotage_noticed(toys.sabotaged_claim(noticed=False).printed, SMALL, 1)
    assert not outcome.noticed


def test_margins_that_are_no_numbers_are_violations():
    assert worst_margin({"a": 1.0, "b": math.nan}) == ("b", -math.inf)
    assert in_roundings(math.nan, 1.0) == -math.inf
    assert in_roundings(1.0, math.nan) == -math.inf
    assert in_roundings(0.0, 0.0) >= 0.0
    assert in_roundings(-1e-300, 0.0) == -math.inf


def test_a_check_without_margins_is_an_error():
    with pytest.raises(ValueError, match="no margins"):
        worst_margin({})


def test_hunts_add_up():
    first = hunt(toys.true_claim().printed, SMALL, seed=1)
    second = hunt(toys.true_claim().printed, SMALL, seed=2)
    total = merged([first, second])
    assert total.instances == first.instances + second.instances
    assert total.worst is not None
    assert total.worst.margin == min(first.worst.margin, second.worst.margin)


def test_rounds_after_a_violation_do_not_count():
    """They may have been done by another process before it was known."""
    found = hunt(toys.false_claim().printed, SMALL, seed=1)
    after = hunt(toys.true_claim().printed, SMALL, seed=2)
    assert merged([found, after]) == merged([found])


def test_shrinking_ends_at_a_simple_record():
    found = shrink(
        {"v": [3.14159, -2.71828, 7.7], "k": 17},
        lambda i: sum(i["v"]) > 2.0 and i["k"] > 3,
        seconds=5.0,
    )
    assert found["k"] == 4
    assert sum(found["v"]) > 2.0
    assert all(x == int(x) for x in found["v"])
    assert complexity(found) < complexity({"v": [3.14159, -2.71828, 7.7], "k": 17})


def test_a_shrunk_instance_that_leaves_the_domain_is_passed_over():
    form = Form(
        "1/x is small",
        "tex",
        (),
        lambda: st.fixed_dictionaries({"x": st.floats(0.25, 0.75)}),
        lambda i: {"it": in_roundings(1.0 - 1.0 / i["x"], 1.0, 0.0)},
    )
    result = hunt(form, SMALL, seed=1)
    assert result.violation is not None
    assert result.violation.instance["x"] != 0


def test_nothing_is_written_where_the_user_works(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hunt(toys.false_claim().printed, SMALL, seed=1)
    assert list(tmp_path.iterdir()) == []


def test_the_home_of_hypothesis_is_given_back(tmp_path: Path):
    former = getattr(hypothesis.configuration, "__hypothesis_home_directory", None)
    hypothesis.configuration.set_hypothesis_home_dir(tmp_path)
    try:
        with temporary_home() as folder:
            assert Path(folder).is_dir()
        assert not Path(folder).exists()
        assert getattr(hypothesis.configuration, "__hypothesis_home_directory") == tmp_path
    finally:
        hypothesis.configuration.set_hypothesis_home_dir(former)


def test_an_interrupt_arrives():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hunt(toys.form(interrupted), SMALL, seed=1)


def test_an_error_in_a_margin_arrives_unchanged():
    def broken(x):
        raise ZeroDivisionError("of the margin's own")

    with pytest.raises(ZeroDivisionError, match="own"):
        hunt(toys.form(broken), SMALL, seed=1)


def test_claims_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        toys.true_claim().id = "other"
