"""Corollary 1: the steps of RMSProp, Adagrad and Adam as minimisers in an ellipsoid of A^{1/2}."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    assorted,
    eigenpairs,
    fewer_gradients,
    rule_of,
    streamed,
    weighted_sum,
)
from theory_checks.precise import Real, dot, exact, norm, precise, real, reals
from theory_checks.strategies import fractions_of_one, vectors

__all__ = ["claims"]

_METHODS = ("rmsprop", "adagrad", "adam")


def _momentum(instance: Instance) -> list[Fraction]:
    """What the method multiplies with -eta A^{-1/2}: the gradient, or Adam's moving average."""
    newest = exact(instance["gradients"][-1])
    if instance["rule"] != "adam":
        return newest
    beta = Fraction(instance["beta"])
    average = [Fraction(0)] * len(newest)
    for g in instance["gradients"]:
        average = [beta * m + (1 - beta) * x for m, x in zip(average, exact(g), strict=True)]
    return average


def _newest(instance: Instance) -> list[Fraction]:
    """No average at all."""
    return exact(instance["gradients"][-1])


def _undecayed(instance: Instance) -> list[Fraction]:
    """An average that gives every gradient the weight 1 - beta."""
    if instance["rule"] != "adam":
        return _newest(instance)
    weight = 1 - Fraction(instance["beta"])
    columns = zip(*(exact(g) for g in instance["gradients"]), strict=True)
    return [weight * sum(column, Fraction(0)) for column in columns]


def _claimed(instance: Instance) -> list[Fraction]:
    """The slope that the corollary names: g_t, or the sum for Adam with the index as read."""
    newest = exact(instance["gradients"][-1])
    if instance["rule"] != "adam":
        return newest
    beta, gradients = Fraction(instance["beta"]), instance["gradients"]
    last = len(gradients) - 1
    summed = [gradients[last if instance["summed"] == "g_t" else k] for k in range(last + 1)]
    weights = [(1 - beta) * beta ** (last - k) for k in range(last + 1)]
    return [
        sum((w * Fraction(g[j]) for w, g in zip(weights, summed, strict=True)), Fraction(0))
        for j in range(len(newest))
    ]


def _second_moment(instance: Instance) -> list[list[Fraction]]:
    gradients, beta = instance["gradients"], Fraction(instance["beta"])
    count = len(gradients)
    weights = [Fraction(1)] * count
    if instance["rule"] != "adagrad":
        weights = [(1 - beta) * beta ** (count - 1 - i) for i in range(count)]
    diagonal = instance["kind"] == "diagonal"
    return weighted_sum(gradients, weights, Fraction(instance["epsilon"]), diagonal=diagonal)


class _Root:
    """A^{1/2} at fifty digits, by the eigenvectors of A."""

    def __init__(self, instance: Instance) -> None:
        values, self._vectors = eigenpairs(_second_moment(instance))
        self._roots = [precise().sqrt(value) for value in values]
        self.condition = float(values[-1] / values[0])
        self.smallest = float(self._roots[0])

    def _parts(self, vector: Sequence[Real]) -> list[Real]:
        return [dot(v, vector) for v in self._vectors]

    def solve(self, vector: Sequence[Real], power: float = 0.5) -> list[Real]:
        """A^{-power} times a vector."""
        double = precise().mpf(2 * power)
        parts = [p / r**double for p, r in zip(self._parts(vector), self._roots, strict=True)]
        n = len(parts)
        return [dot(parts, [v[i] for v in self._vectors]) for i in range(n)]

    def length(self, vector: Sequence[Real]) -> Real:
        """The norm of a vector by A^{1/2}."""
        return precise().sqrt(
            sum(r * p * p for p, r in zip(self._parts(vector), self._roots, strict=True))
        )

    def dual(self, vector: Sequence[Real]) -> Real:
        """The norm by A^{-1/2}."""
        return precise().sqrt(
            sum(p * p / r for p, r in zip(self._parts(vector), self._roots, strict=True))
        )


#: The average that Adam keeps, of an instance.
Average = Callable[[Instance], list[Fraction]]


@dataclass(frozen=True)
class _Step:
    """What a step of the method is made of: the sign, the power of A, Adam's average."""

    sign: int = -1
    power: float = 0.5
    average: Average = _momentum


_TRUE = _Step()


def _sides(instance: Instance, method: _Step = _TRUE) -> tuple[Real, Real, Real, Real]:
    """Of the model: the step's value, the minimum's size, the direction's, and their scale."""
    root, slope = _Root(instance), [real(x) for x in _claimed(instance)]
    eta = real(instance["eta"])
    step = [method.sign * eta * x for x in root.solve(slope, method.power)]
    radius = eta * root.dual(slope)
    model = slope if instance["model"] == "momentum" else reals(instance["gradients"][-1])
    value, size = dot(model, step), radius * root.dual(model)
    direction = reals(instance["direction"])
    along = radius * abs(dot(model, direction)) / (root.length(direction) or 1)
    inside = in_roundings(radius - root.length(step), radius + root.length(step), EXACT)
    return value, size, along, inside


def _margins(instance: Instance, method: _Step = _TRUE) -> Margins:
    value, size, along, inside = _sides(instance, method)
    claimed, kept = _claimed(instance), method.average(instance)
    off = max(abs(a - b) for a, b in zip(claimed, kept, strict=True))
    largest = max(abs(x) for g in instance["gradients"] for x in g)
    scale = size + abs(value)
    margins = {
        "the method's step": in_roundings(-off, largest, EXACT),
        "in the region": inside,
        "it is the minimum": in_roundings(-size - value, scale, EXACT),
        "no direction is better": in_roundings(-along - value, scale, EXACT),
    }
    if method is _TRUE:
        slope = [real(x) for x in claimed]
        margins["the norm's step"] = _solve_margin(instance, _Root(instance), slope)
    return margins


def _bound(instance: Instance) -> tuple[float, float] | None:
    """What the direction of the instance reaches, and the minimum, both as decreases."""
    _, size, along, _ = _sides(instance)
    return (float(along), float(size)) if size > 0 else None


def _solve_margin(instance: Instance, root: _Root, slope: list[Real]) -> float:
    """The norm by A^{1/2} of tralgos against fifty digits."""
    rule = rule_of({**instance, "window": 8})
    found = rule.norm(streamed(rule, instance["gradients"]), power=0.5).solve(
        np.array([float(x) for x in slope])
    )
    off = norm([a - b for a, b in zip(reals(found.tolist()), root.solve(slope), strict=True)])
    return in_roundings(-off, float(norm(slope)) / root.smallest * root.condition)


def _strategy(summed: str, model: str) -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "gradients": st.lists(vectors(n), min_size=1, max_size=4),
                "rule": st.sampled_from(_METHODS),
                "kind": st.sampled_from(["diagonal", "full"]),
                "beta": fractions_of_one(),
                "epsilon": st.sampled_from([1.0, 0.25, 1e-3]),
                "eta": st.integers(1, 32).map(lambda k: k / 16),
                "direction": vectors(n),
                "summed": st.just(summed),
                "model": st.just(model),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _instance(
    gradients: list[list[float]],
    rule: str = "adam",
    summed: str = "g_k",
    model: str = "momentum",
    kind: str = "full",
) -> Instance:
    return {
        "gradients": gradients,
        "rule": rule,
        "kind": kind,
        "beta": 0.5,
        "epsilon": 1.0,
        "eta": 1.0,
        "direction": [1.0] * len(gradients[0]),
        "summed": summed,
        "model": model,
    }


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {
        "gradients": assorted(rng, (size, 3, 2), 8.0),
        "direction": assorted(rng, (size, 2), 8.0),
        "beta": rng.uniform(0.01, 0.99, size),
        "epsilon": rng.choice([1.0, 0.25, 1e-3], size),
        "rule": rng.integers(0, len(_METHODS), size),
        "kind": rng.integers(0, 2, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - (m'p)^2 / (p'Rp m'R^-1 m) with R = A^{1/2}, which is (A + d) / (tr A + 2 d)^{1/2}
    in the plane, d^2 the determinant of A.
    """
    g, p, beta = arrays["gradients"], arrays["direction"], arrays["beta"][:, None]
    decayed = (1 - beta) * beta ** xp.arange(g.shape[1] - 1, -1, -1)
    weights = xp.where(arrays["rule"][:, None] == 1, 1.0, decayed)
    a = xp.sum(weights * g[..., 0] ** 2, axis=1) + arrays["epsilon"]
    c = xp.sum(weights * g[..., 1] ** 2, axis=1) + arrays["epsilon"]
    mixed = xp.sum(weights * g[..., 0] * g[..., 1], axis=1)
    b = xp.where(arrays["kind"] == 0, 0.0, mixed)
    root = xp.sqrt(a * c - b * b)
    trace = xp.sqrt(a + c + 2 * root)
    a, b, c = (a + root) / trace, b / trace, (c + root) / trace
    average = xp.sum(decayed[..., None] * g, axis=1)
    m = xp.where(arrays["rule"][:, None] == 2, average, g[:, -1])
    energy = a * p[:, 0] ** 2 + 2 * b * p[:, 0] * p[:, 1] + c * p[:, 1] ** 2
    dual = (c * m[:, 0] ** 2 - 2 * b * m[:, 0] * m[:, 1] + a * m[:, 1] ** 2) / root
    sizes = energy * dual
    along = (m[:, 0] * p[:, 0] + m[:, 1] * p[:, 1]) ** 2
    return xp.where(sizes > 0, 1 - along / xp.where(sizes > 0, sizes, 1.0) + 1e-9, 1.0)


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    rule = _METHODS[int(arrays["rule"][row])]
    kind = ("diagonal", "full")[int(arrays["kind"][row])]
    drawn = _instance(arrays["gradients"][row].tolist(), rule, kind=kind)
    numbers = {name: float(arrays[name][row]) for name in ("beta", "epsilon")}
    return {**drawn, **numbers, "direction": arrays["direction"][row].tolist()}


def _sabotage() -> tuple[Sabotage, ...]:
    broken = {
        "the step goes uphill": _Step(sign=1),
        "A in the place of its root": _Step(power=1.0),
        "no average": _Step(average=_newest),
        "an average that does not forget": _Step(average=_undecayed),
    }

    def judged(method: _Step) -> Callable[[Instance], Margins]:
        return lambda instance: _margins(instance, method)

    return tuple(Sabotage(name, judged(method)) for name, method in broken.items())


def _conditions() -> tuple[Condition, ...]:
    """What it takes to make the corollary true for Adam."""
    proper = Condition(
        "proper", r"0 < \beta < 1,\ \epsilon > 0,\ \eta > 0",
        lambda i: 0 < i["beta"] < 1 and i["epsilon"] > 0 and i["eta"] > 0,
        kept="the methods' own parameters; without epsilon A may have no inverse",
    )  # fmt: skip
    own = Condition(
        "the sum is over g_k",
        r"g_{\text{adam}} = (1-\beta) \sum_k \beta^{t-k} g_k",
        lambda i: i["rule"] != "adam" or i["summed"] == "g_k",
        Dropped(
            (_instance([[1.0], [0.0]], summed="g_t"),),
            note="Printed is g_t in the sum, which is (1 - beta^(t+1)) g_t and no average.",
        ),
    )
    model = Condition(
        "the model's slope is g_adam",
        r"m(s) = L + s^\top g_{\text{adam}}",
        lambda i: i["rule"] != "adam" or i["model"] == "momentum",
        Dropped(
            (
                _instance([[1.0, 0.0], [0.0, 1.0]], model="gradient"),
                _instance([[4.0], [-1.0]], model="gradient"),
            ),
            note="The first-order Taylor model has the slope g_t. In the second instance the step "
            "is its maximiser: the average still points the other way.",
        ),
    )
    return proper, own, model


def _corollary_1() -> Claim:
    proper, own, model = _conditions()
    printed = Form(
        "the steps -eta A^{-1/2} g of RMSProp, of Adagrad, and of Adam with g_adam = (1 - beta) "
        "sum_k beta^(t-k) g_t, minimise the first-order Taylor model in the ellipsoid of A^{1/2} "
        "with the radius eta ||g||_{A^{-1/2}}",
        r"-\eta A^{-1/2} g = \arg\min \{ L + s^\top g : "
        r"\|s\|_{A^{1/2}} \le \eta \|g\|_{A^{-1/2}} \}",
        (proper,),
        lambda: _strategy("g_t", "gradient"),
        _margins,
        edges=lambda: [_instance([[1.0], [0.0]], summed="g_t", model="gradient")],
        reduce=fewer_gradients,
        effort=10,
    )
    amended = Form(
        "the same with g_adam = (1 - beta) sum_k beta^(t-k) g_k, and for Adam of the linear model "
        "with the slope g_adam, which is not that of Taylor",
        r"g_{\text{adam}} = (1-\beta) \sum_{k=0}^t \beta^{t-k} g_k,\quad "
        r"m(s) = L + s^\top g_{\text{adam}}",
        (proper, own, model),
        lambda: _strategy("g_k", "momentum"),
        _margins,
        edges=lambda: [_instance([[1.0, 2.0], [-1.0, 0.5]], rule) for rule in _METHODS],
        reduce=fewer_gradients,
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=50,
    )
    return Claim(
        "adaptive-norms/corollary-1",
        "RMSProp, Adagrad and Adam as first-order trust-region methods",
        PAPER,
        "Corollary 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="True for RMSProp and Adagrad. For Adam g_adam as printed has no memory; with the "
        "memory put back the result is about a model whose slope is the average, and a step that "
        "may go uphill in Taylor's. Corrections of the bias only change eta; one beta for both "
        "averages, as printed, is not needed.",
        proof="Lemma 1 with A^{1/2}, which is symmetric positive definite, for any slope.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_corollary_1(),)
