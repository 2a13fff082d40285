"""The search at one point with a model in one variable, and the rules of its parameter."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.methods.support import rosenbrock
from tralgos import CubicRegularization, Ending, TrustRegion, minimize
from tralgos.methods.acceptance import doubtful, rounding_level, shrink_factor
from tralgos.methods.cubic import SigmaControl
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerStep
from tralgos.methods.model_based import ModelState
from tralgos.methods.protocol import State
from tralgos.methods.radius import RadiusControl, radius_control
from tralgos.methods.search import Search, Trial
from tralgos.methods.space import Space
from tralgos.norms import AdagradNorm, DiagonalNorm
from tralgos.problems import FunctionProblem

EPS = 2.0**-52


class Line:
    """The model g s + h s^2/2 in one variable, with g < 0 and steps to the right."""

    def __init__(self, g: float, h: float, *, free: bool = True, decrease: Any = None) -> None:
        self.gradient_norm, self._h, self._free, self._decrease = -g, h, free, decrease
        self.solved: list[float] = []
        self.again: list[float] = []

    def _step(self, radius: float) -> InnerStep:
        newton = self.gradient_norm / self._h if self._h > 0.0 else math.inf
        s = min(radius, newton)
        decrease = self.gradient_norm * s - 0.5 * self._h * s * s
        return InnerStep(
            vector=np.array([s]),
            norm=s,
            decrease=decrease if self._decrease is None else self._decrease,
            residual=abs(self._h * s - self.gradient_norm),
            on_boundary=s < newton,
            gap=None,
            status="line",
        )

    def curvature_along_gradient(self) -> float:
        return self._h

    def trust_region(self, radius: float) -> InnerStep:
        self.solved.append(radius)
        return self._step(radius)

    def trust_region_again(self, radius: float) -> InnerStep | None:
        self.again.append(radius)
        return self._step(radius) if self._free else None


def search(
    line: Line, values: Any, *, value: float = 0.0, x: float = 0.0, grad: Any = None, **rule: Any
) -> tuple[Search, Evaluator]:
    """A search from x, where f is `value`; `values` gives f at x + s from s."""
    given = {"eta1": None, "eta2": None, "grow": None, "shrink": None} | rule
    most = given.pop("max_radius", math.inf)
    control = radius_control("practice", tuple(given.values()), most)
    problem = Evaluator(
        FunctionProblem(
            lambda y: values(float(y[0]) - x),
            lambda y: np.array([grad(float(y[0]) - x) if grad else -1.0]),
            n=1,
        )
    )
    g = np.array([-line.gradient_norm])
    return Search(
        problem, State(np.array([x]), value, g, line.gradient_norm), line, control
    ), problem


def test_a_rejection_goes_to_the_minimum_of_the_parabola() -> None:
    """Through f = 0, the slope -1 and f = 1/2 at the step: a third of its length."""
    line = Line(-1.0, 0.0)
    found, _ = search(line, lambda s: 0.5 if s > 0.5 else -s)
    taken = found.run(1.0)
    assert taken is not None
    assert line.solved == [1.0, pytest.approx(1.0 / 3.0)]
    assert (taken.slope, taken.ratio) == (pytest.approx(-1.0 / 3.0), pytest.approx(1.0))
    assert [r.accepted for r in found.records(7)][:2] == [False, True]
    assert [r.matvecs for r in found.records(7)] == [7] + [0] * (len(found.records(7)) - 1)


def test_a_rejection_starts_from_the_length_of_the_step() -> None:
    """Not from a radius that did not bind: f = inf at the Newton step of length 1."""
    line = Line(-1.0, 1.0)
    found, problem = search(line, lambda s: math.inf if s == 1.0 else -s)
    found.run(100.0)
    assert line.solved == [100.0, 0.25]
    assert problem.counts.njev == 0
    assert math.isnan(found.records(0)[0].ratio)


def test_longer_steps_are_tried_while_they_are_better() -> None:
    """f = -s to 50: radii grow fourfold to 16; at 64 f is higher, and 16 is taken."""
    line = Line(-1.0, 0.0)
    found, problem = search(line, lambda s: -s if s <= 50.0 else 0.0)
    taken = found.run(1.0)
    assert taken is not None
    assert (taken.parameter, taken.value) == (16.0, -16.0)
    assert (line.solved, line.again) == ([1.0], [4.0, 16.0, 64.0])
    assert found.overreached
    assert found.refuted
    accepted = [row.accepted for row in found.records(0)]
    assert accepted == [False, False, True, False]
    assert (problem.counts.nfev, problem.counts.njev) == (4, 0)


def test_a_longer_step_of_a_worse_value_is_not_taken() -> None:
    """Its ratio would be good enough, but f is lower at the shorter one."""
    found, _ = search(Line(-1.0, 0.0), lambda s: -s if s <= 1.0 else -0.9, eta1=0.1)
    taken = found.run(1.0)
    assert taken is not None
    assert taken.parameter == 1.0
    assert found.overreached


def test_a_longer_step_of_a_bad_ratio_is_not_taken() -> None:
    """Though f is lower there: 1.1 of 4 that were promised."""
    found, _ = search(Line(-1.0, 0.0), lambda s: -s if s <= 1.0 else -1.1, eta1=0.5)
    taken = found.run(1.0)
    assert taken is not None
    assert taken.parameter == 1.0
    assert found.overreached


def test_ten_longer_steps_at_most() -> None:
    line = Line(-1.0, 0.0)
    found, _ = search(line, lambda s: -s)
    taken = found.run(1.0)
    assert taken is not None
    assert taken.parameter == 4.0**10
    assert not found.overreached


@pytest.mark.parametrize(
    ("line", "rule", "why"),
    [
        (Line(-1.0, 1.0), {}, "interior"),
        (Line(-1.0, 0.0), {"max_radius": 1.0}, "the greatest radius"),
        (Line(-1.0, 0.0, free=False), {}, "not to be had for nothing"),
        (Line(-1.0, 1.0 / 1.05), {}, "hardly longer"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_no_longer_step_is_tried(line: Line, rule: dict[str, float], why: str) -> None:
    found, problem = search(line, lambda s: -s, **rule)
    taken = found.run(1.0)
    assert taken is not None
    assert (taken.parameter, problem.counts.nfev, found.overreached) == (1.0, 1, False)


def test_no_longer_step_where_f_can_not_show_its_worth() -> None:
    """Judged by gradients, each trial would cost one."""
    line = Line(-1e-9, 0.0)
    found, problem = search(line, lambda s: 1e8, value=1e8, grad=lambda s: -1e-9)
    assert found.run(1e-3) is not None
    assert (problem.counts.nfev, problem.counts.njev, line.again) == (1, 1, [])


@pytest.mark.parametrize("decrease", [0.0, -1.0, math.nan])
def test_a_step_without_promise_is_no_trial(decrease: float) -> None:
    found, problem = search(Line(-1.0, 1.0, decrease=decrease), lambda s: -s)
    assert found.run(1.0) is None
    assert (problem.counts.nfev, found.records(0)) == (0, ())


def test_a_step_below_the_rounding_of_x_is_no_trial() -> None:
    found, problem = search(Line(-1.0, 1.0), lambda s: -1.0, x=1e20)
    assert found.run(1.0) is None
    assert problem.counts.nfev == 0


# ---------------------------------------------------------------------- rounding


def test_rounding_level_regularises_the_ratio() -> None:
    """(f - f+ + 10 eps |f|) / (predicted + 10 eps |f|), predicted above a hundred levels."""
    level = 10.0 * EPS * 3.0
    for predicted, by_gradient in ((150.0 * level, False), (90.0 * level, True)):
        trial = 3.0 - 0.5 * predicted
        line = Line(-1.0, 0.0, decrease=predicted)
        found, problem = search(line, lambda s, trial=trial: trial, value=3.0, grad=lambda s: -1.0)
        taken = found.run(predicted)
        assert taken is not None
        assert (problem.counts.njev == 1) == by_gradient
        expected = 1.0 if by_gradient else (3.0 - trial + level) / (predicted + level)
        assert taken.ratio == pytest.approx(expected, rel=1e-12)


def tried(found: Search, line: Line, radius: float) -> Trial:
    """One trial of a search, whatever it would make of it."""
    step = line.trust_region(radius)
    return found._try(step, radius, found._along(step)[1])


@pytest.mark.parametrize(
    ("rise", "after", "taken"),
    [
        (1e-9, 0.5, True),  # hidden in the last half of the digits, and the gradient falls
        (1e-9, 1.0, False),  # it does not fall
        (1e-9, -1.5, False),
        (5.0 * EPS, 1.5, True),  # a rise of no more than rounding
        (20.0 * EPS, 1.5, False),
        (1e-7, 0.5, False),  # too much for rounding
    ],
)
def test_a_doubtful_trial_is_judged_by_gradients(rise: float, after: float, taken: bool) -> None:
    """g = -1e-3 before, `after` times that behind a step that promises 1e-9 of f = 1."""
    line = Line(-1e-3, 0.0)
    found, _ = search(line, lambda s: 1.0 + rise, value=1.0, grad=lambda s: -1e-3 * after)
    trial = tried(found, line, 1e-6)
    assert trial is not None
    assert trial.gradient is not None
    assert trial.ratio == (pytest.approx(0.5 * (1.0 + after)) if taken else -math.inf)
    assert not found.refuted


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_gradient_is_taken_where_f_is_not_finite(value: float) -> None:
    line = Line(-1.0, 0.0)
    found, problem = search(line, lambda s: value, value=1.0)
    made = tried(found, line, 1e-10)
    assert made is not None
    assert math.isnan(made.ratio)
    assert (made.gradient, problem.counts.njev) == (None, 0)


@pytest.mark.parametrize(("predicted", "refuted"), [(1e-8, False), (2e-8, True)])
def test_what_refutes_a_model(predicted: float, refuted: bool) -> None:
    """A failure where half the digits of f would have shown the decrease: sqrt(eps) = 1.5e-8."""
    line = Line(-1.0, 0.0)
    found, _ = search(line, lambda s: -1.0 + 1e-3, value=-1.0)
    tried(found, line, predicted)
    assert found.refuted == refuted
    assert doubtful(predicted, -1.0, EPS) != refuted


def test_a_success_refutes_nothing() -> None:
    found, _ = search(Line(-1.0, 1.0), lambda s: -0.5 * s, value=0.0)
    assert found.run(1.0) is not None
    assert not found.refuted


def test_rounding_level_is_relative() -> None:
    assert rounding_level(-4e200, EPS) == pytest.approx(40.0 * EPS * 1e200)
    assert rounding_level(0.0, EPS) == 0.0


def test_shrink_factor_at_its_ends() -> None:
    """No parabola opens upwards: as little as is allowed; no number: as much."""
    assert shrink_factor(-1.0, -1.5, 0.1, 0.5) == 0.5
    assert shrink_factor(-1.0, math.inf, 0.1, 0.5) == 0.1


# ---------------------------------------------------------------------- rules


def trial(ratio: float, parameter: float = 8.0, norm: float = 8.0, edge: bool = True) -> Trial:
    """Of slope -1."""
    step = InnerStep(np.ones(1), norm, 1.0, 0.0, edge, None, "")
    return Trial(step, parameter, np.ones(1), 0.0, -1.0, ratio)


def rule(name: str, most: float = math.inf, **given: float) -> RadiusControl:
    names = ("eta1", "eta2", "grow", "shrink")
    return radius_control(name, tuple(given.get(n) for n in names), most)


PRACTICE = rule("practice")


@pytest.mark.parametrize(
    ("control", "of", "overreached", "radius"),
    [
        (PRACTICE, trial(0.9), False, 32.0),
        (PRACTICE, trial(0.89), False, 8.0),
        (PRACTICE, trial(0.9), True, 16.0),
        (rule("practice", grow=9.0), trial(0.9, norm=6.0), True, 18.0),
        (PRACTICE, trial(1.0, norm=4.0, edge=False), False, 8.0),
        (PRACTICE, trial(0.25, norm=4.0, edge=False), False, 8.0),
        (PRACTICE, trial(0.24, norm=4.0, edge=False), False, 2.0),
        (PRACTICE, trial(0.24, norm=16.0), False, 4.0),
        (PRACTICE, trial(1.0, norm=1.0), False, 8.0),
        (rule("practice", 20.0), trial(1.0), False, 20.0),
        (rule("practice", 5.0), trial(0.5), False, 5.0),
        (rule("practice", grow=2.0), trial(1.0), False, 16.0),
        (rule("algorithm-1"), trial(0.1, norm=1.0, edge=False), True, 16.0),
        (rule("algorithm-1", eta1=0.3), trial(0.3), False, 16.0),
        (rule("algorithm-1"), trial(1.0, norm=1e-7), False, 8.0),
        (rule("algorithm-1"), trial(1.0, norm=1e-5), False, 10.0),
        (rule("efficient-tr"), trial(0.89), False, 8.0),
        (rule("efficient-tr"), trial(0.9), False, 16.0),
        (rule("efficient-tr", 9.0), trial(0.9), False, 9.0),
        (rule("efficient-tr", grow=3.0), trial(0.9), False, 24.0),
    ],
)
def test_radius_after_a_step(
    control: RadiusControl, of: Trial, overreached: bool, radius: float
) -> None:
    assert control.accepted(of, overreached=overreached) == pytest.approx(radius, rel=1e-14)


def test_radius_after_a_rejection() -> None:
    assert rule("algorithm-1", shrink=0.3).rejected(trial(-1.0, norm=1.0), 9.0) == 0.3 * 8.0
    assert rule("efficient-tr").rejected(trial(-1.0), math.nan) == 4.0
    assert PRACTICE.rejected(trial(-1.0), 0.5) == pytest.approx(8.0 / 3.0)
    assert PRACTICE.rejected(trial(-1.0, norm=4.0), 0.0) == 2.0
    assert PRACTICE.rejected(trial(-1.0, norm=4.0), 99.0) == 1.0
    assert rule("practice", shrink=0.125).rejected(trial(-1.0), 99.0) == 1.0


def test_which_radii_are_bolder() -> None:
    assert PRACTICE.bolder(trial(0.9)) == 32.0
    assert PRACTICE.bolder(trial(0.89)) is None
    assert PRACTICE.bolder(trial(1.0, edge=False)) is None
    assert rule("practice", 10.0).bolder(trial(1.0)) == 10.0
    assert rule("practice", 8.0).bolder(trial(1.0)) is None
    assert [rule(n).looks_ahead for n in ("practice", "algorithm-1", "efficient-tr")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("control", [rule("practice", eta1=0.0), rule("algorithm-1", eta1=0.25)])
def test_a_ratio_of_eta1_is_accepted(control: RadiusControl) -> None:
    assert control.accepts(control.eta1)
    assert not control.accepts(control.eta1 - 1e-9)
    assert not control.accepts(math.nan)


SIGMA = SigmaControl(0.1, 0.9, 4.0, 0.25)


def test_sigma_is_the_inverse_square_of_a_length() -> None:
    """What a rejection or a longer step do to a length they do to 1/sqrt(sigma)."""
    assert SIGMA.rejected(trial(-1.0), 0.5) == pytest.approx(8.0 * 9.0)
    assert SIGMA.rejected(trial(-1.0), math.nan) == 8.0 * 16.0
    assert SIGMA.bolder(trial(0.9)) == 0.5
    assert SIGMA.bolder(trial(0.89)) is None


def test_sigma_after_a_step() -> None:
    assert SIGMA.accepted(trial(0.9), overreached=False) == 2.0
    assert SIGMA.accepted(trial(0.9), overreached=True) == 4.0
    assert SIGMA.accepted(trial(0.89), overreached=False) == 8.0
    assert SIGMA.accepted(trial(0.24), overreached=False) == 16.0
    assert SIGMA.accepts(0.1)
    assert not SIGMA.accepts(math.nan)
    assert SIGMA.radius_and_sigma(trial(1.0)) == (None, 8.0)
    assert PRACTICE.radius_and_sigma(trial(1.0)) == (8.0, None)


# ---------------------------------------------------------------------- first parameters


def first_row(hess: Any, x: Any, method: Any) -> Any:
    """The first trial of a run on 2 x_1 + x_2 + x'Hx/2 seen from x."""
    g = np.array([2.0, 1.0]) - hess @ x
    problem = FunctionProblem(
        lambda y: float(g @ y + 0.5 * y @ hess @ y),
        lambda y: g + hess @ y,
        hess=lambda y: hess,
        n=2,
    )
    return minimize(problem, x, method, maxiter=1).trace[1]


@pytest.mark.parametrize("subproblem", ["direct", "krylov", "exact"])
def test_first_parameters(subproblem: str) -> None:
    """Ten Cauchy steps; a tenth of the curvature over one; in the norm, here diag(4, 9)."""
    d, g = np.array([4.0, 9.0]), np.array([2.0, 1.0])
    w, H, x = g / d, np.diag([3.0, 5.0]), np.array([1.0, 2.0])
    curvature, size = (w @ H @ w) / (w @ (d * w)), np.sqrt(g @ w)
    norm, options = DiagonalNorm(d), {"subproblem": subproblem, "second_order": False}
    row = first_row(H, x, TrustRegion(norm=norm, **options))
    assert row.radius == pytest.approx(10.0 * size / curvature)
    row = first_row(H, x, TrustRegion(norm=norm, max_radius=0.5, **options))
    assert row.radius == 0.5
    row = first_row(H, x, CubicRegularization(norm=norm, **options))
    assert row.sigma == pytest.approx(0.1 * curvature**2 / size)
    assert row.radius is None


def test_first_parameters_along_negative_curvature() -> None:
    """The size of x in the norm, or one where x is 0."""
    d, H, x = np.array([4.0, 9.0]), np.diag([-3.0, -5.0]), np.array([1.0, 2.0])
    size, long = np.sqrt(4.0 / 4.0 + 1.0 / 9.0), np.sqrt(4.0 + 36.0)
    norm = DiagonalNorm(d)
    assert first_row(H, x, TrustRegion(norm=norm)).radius == pytest.approx(long)
    assert first_row(H, x, TrustRegion(norm=norm, max_radius=3.0)).radius == 3.0
    assert first_row(H, x, CubicRegularization(norm=norm)).sigma == pytest.approx(size / long**2)
    assert first_row(H, 0.0 * x, TrustRegion(norm=norm)).radius == 1.0
    assert first_row(H, 0.0 * x, CubicRegularization(norm=norm)).sigma == pytest.approx(size)


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_space_accumulates_gradients_and_keeps_its_power(power: float) -> None:
    """diag(sum g^2) + epsilon, or its root; a fixed norm stays what it is."""
    first, second, v = np.array([2.0, 1.0]), np.array([1.0, 3.0]), np.array([1.0, -2.0])
    space = Space.begin(AdagradNorm(epsilon=0.5), power, first)
    for gradients in ([first], [first, second]):
        d = (np.sum(np.square(gradients), axis=0) + 0.5) ** power
        assert space.norm(v).norm(v) == pytest.approx(np.sqrt(v @ (d * v)))
        space = space.after(second)
    fixed = DiagonalNorm(v * v)
    assert Space.begin(fixed, power, first).after(second).norm(v) is fixed


# ---------------------------------------------------------------------- forcing


def predicted(residual: float, edge: bool = False) -> InnerStep:
    return InnerStep(np.ones(1), 1.0, 1.0, residual, edge, None, "")


def test_forcing_is_the_error_of_the_predicted_gradient() -> None:
    """Over the gradient before the step; between 1e-6 and 1/5, which is that of the boundary."""
    forcing = Forcing()
    assert forcing.eta == 0.2
    assert forcing.after(10.0, predicted(0.5), 1.5).eta == pytest.approx(0.1)
    assert forcing.after(10.0, predicted(1.5), 0.5).eta == pytest.approx(0.1)
    assert forcing.after(10.0, predicted(1.5), 1.5).eta == 1e-6
    assert forcing.after(10.0, predicted(0.0), 99.0).eta == 0.2
    assert Forcing(1e-3).after(10.0, predicted(1.5, edge=True), 1.5).eta == 0.2


def test_forcing_is_measured_in_the_norm_of_the_step() -> None:
    """From the states of a run in diag(4, 1/4), by dense algebra."""
    d = np.array([4.0, 0.25])
    method = TrustRegion(norm=DiagonalNorm(d), subproblem="exact", second_order=False)
    evaluator, generator = Evaluator(rosenbrock()), np.random.default_rng(0)
    state = method.init(evaluator, rosenbrock().start, generator)
    after = method.step(evaluator, state, generator)
    assert isinstance(after, ModelState)
    model = state.gradient + rosenbrock().hessian(state.x).array @ (after.x - state.x)
    sizes = [np.sqrt(v @ (v / d)) for v in (after.gradient, model, state.gradient)]
    expected = abs(sizes[0] - sizes[1]) / sizes[2]
    assert 1e-6 < expected < 0.2
    assert after.forcing.eta == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------------- standstill


def stalling(sizes: list[float]) -> Any:
    """A run on a function that shows nothing, whose gradients have these sizes."""
    gradients = iter(sizes)
    problem = FunctionProblem(
        lambda x: 1e16,
        lambda x: np.array([next(gradients)]),
        hess=lambda x: np.eye(1),
        n=1,
    )
    return minimize(problem, np.ones(1), TrustRegion(second_order=False), gtol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ([1.0, 0.9, 0.8, 0.7, 0.65, 0.6, 0.55, 0.51], 7),
        ([1.0, 0.9, 2.0, 0.9, 0.95, 0.9, 0.9, 0.9], 7),  # half of the last one does not count
        ([1.0, 0.9, 0.7, 0.5, 0.45, 0.4, 0.35, 0.3, 0.28, 0.27, 0.26], 10),  # a half begins anew
    ],
)
def test_seven_steps_without_a_gradient_halved_are_rounding(sizes: list[float], steps: int) -> None:
    run = stalling(sizes)
    assert (run.ending, run.nit) == (Ending.ROUNDING, steps)


def test_halving_gradients_are_progress() -> None:
    run = stalling([2.0**-k for k in range(30)])
    assert (run.ending, run.nit) == (Ending.FIRST_ORDER, 20)


def test_steps_that_f_shows_are_no_standstill() -> None:
    """Gradients that do not fall are those of a long valley."""
    problem = FunctionProblem(
        lambda x: -float(x[0]), lambda x: np.array([-1.0]), hess=lambda x: np.zeros((1, 1)), n=1
    )
    run = minimize(problem, np.zeros(1), TrustRegion(max_radius=1.0), maxiter=20)
    assert run.ending is Ending.MAX_ITERATIONS


def test_no_step_is_rounding_unless_a_decrease_failed_to_show() -> None:
    """In this search, or in one of a standstill before; the failed trials stand in the records."""
    method, generator = TrustRegion(), np.random.default_rng(0)
    far = Evaluator(
        FunctionProblem(lambda x: 1.0, lambda x: 0.0 * x - 1.0, hess=lambda x: np.eye(1), n=1)
    )
    state = method.init(far, np.array([1e20]), generator)
    assert isinstance(state, ModelState)
    assert method.step(far, state, generator).ending is Ending.ROUNDING
    assert method.step(far, replace(state, refuted=True), generator).ending is Ending.NO_DECREASE
    kink = Evaluator(
        FunctionProblem(
            lambda x: 1.0 + 1e3 * abs(float(x[0]) - 1.0),
            lambda x: 0.0 * x - 1.0,
            hess=lambda x: np.eye(1),
            n=1,
        )
    )
    end = method.step(kink, method.init(kink, np.ones(1), generator), generator)
    assert end.ending is Ending.NO_DECREASE
    assert len(end.records) > 10
    assert not any(record.accepted for record in end.records)
    assert end.x.tolist() == [1.0]


def test_what_was_refuted_is_forgotten_after_progress() -> None:
    method, generator = TrustRegion(), np.random.default_rng(0)
    evaluator = Evaluator(rosenbrock())
    state = method.init(evaluator, rosenbrock().start, generator)
    assert isinstance(state, ModelState)
    after = method.step(evaluator, replace(state, refuted=True, stalled=3), generator)
    assert isinstance(after, ModelState)
    assert (after.refuted, after.stalled, after.ending) == (False, 0, None)


def test_what_was_refuted_is_remembered_in_a_standstill() -> None:
    method, generator = TrustRegion(), np.random.default_rng(0)
    evaluator = Evaluator(
        FunctionProblem(lambda x: 1e8, lambda x: np.array([0.9]), hess=lambda x: np.eye(1), n=1)
    )
    state = method.init(evaluator, np.ones(1), generator)
    assert isinstance(state, ModelState)
    after = method.step(evaluator, replace(state, refuted=True, stalled=6), generator)
    assert isinstance(after, ModelState)
    assert (after.refuted, after.stalled, after.ending) == (True, 7, Ending.NO_DECREASE)
