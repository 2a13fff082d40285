"""The Gauss-Newton matrix: its parts, when it is semidefinite, and what it costs in passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.common import EXACT, PAPER, quarters
from theory_checks.precise import Real, dot, precise, real, reals

__all__ = ["claims"]

#: Step of second differences: at fifty digits they are good to about 24.
_STEP = 1e-12


# --- losses ---------------------------------------------------------------------------


def _softmax(u: Sequence[Real]) -> list[Real]:
    top = max(u)
    weights = [precise().exp(x - top) for x in u]
    total = sum(weights)
    return [w / total for w in weights]


def _loss(name: str, u: Sequence[Real]) -> Real:
    """Squared distance to 0, minus that, or the logistic loss of the first class."""
    if name == "logistic":
        top = max(u)
        return top + precise().log(sum(precise().exp(x - top) for x in u)) - u[0]
    return (-1 if name == "concave" else 1) * dot(u, u)


def _loss_gradient(name: str, u: Sequence[Real]) -> list[Real]:
    if name == "logistic":
        return [p - (1 if i == 0 else 0) for i, p in enumerate(_softmax(u))]
    return [(-2 if name == "concave" else 2) * x for x in u]


def _curved(name: str, u: Sequence[Real], d: Sequence[Real]) -> list[Real]:
    """H_L d by the paper's formulas: 2d, or p * d - p (p'd)."""
    if name == "logistic":
        p = _softmax(u)
        along = dot(p, d)
        return [a * b - a * along for a, b in zip(p, d, strict=True)]
    return [(-2 if name == "concave" else 2) * x for x in d]


def _second_difference(f: Callable[[Real], Real]) -> Real:
    """The second derivative at 0 of a function of one variable."""
    h = real(_STEP)
    return (f(h) - 2 * f(real(0.0)) + f(-h)) / (h * h)


# --- equations (10) to (12) -----------------------------------------------------------


class _Model:
    """Outputs Mw + y at w = 0, a row of M an output: what phi is to first order."""

    def __init__(self, instance: Instance) -> None:
        self.rows = [reals(row) for row in instance["M"]]
        self.outputs = reals(instance["y"])
        self.loss = str(instance["loss"])

    def forward(self, v: Sequence[Real]) -> list[Real]:
        """J_phi' v."""
        return [dot(row, v) for row in self.rows]

    def reverse(self, u: Sequence[Real]) -> list[Real]:
        """J_phi u."""
        return [dot(column, u) for column in zip(*self.rows, strict=True)]

    def product(self, v: Sequence[Real]) -> list[Real]:
        """(12)."""
        return self.reverse(_curved(self.loss, self.outputs, self.forward(v)))

    def curvature(self, v: Sequence[Real]) -> Real:
        """v'Hv as the second difference of L along J_phi' v: no H_L comes in."""
        along = self.forward(v)

        def value(t: Real) -> Real:
            point = [a + t * b for a, b in zip(self.outputs, along, strict=True)]
            return _loss(self.loss, point)

        return _second_difference(value)


class _Counted:
    """The linearization of a model in tralgos, with its products counted."""

    def __init__(self, model: _Model) -> None:
        M = np.array([[float(x) for x in row] for row in model.rows])
        u = model.outputs
        self.forwards = self.reverses = 0

        def forward(v: Any) -> Any:
            self.forwards += 1
            return M @ v

        def reverse(v: Any) -> Any:
            self.reverses += 1
            return M.T @ v

        def curved(d: Any) -> Any:
            return np.array([float(x) for x in _curved(model.loss, u, reals(d.tolist()))])

        operator = tralgos.operators.FunctionOperator(
            M.shape, forward, rmatvec=reverse, dtype=np.float64
        )
        gradient = np.array([float(x) for x in _loss_gradient(model.loss, u)])
        self.parts = tralgos.problems.Linearization(0.0, operator, gradient, curved)


def _gauss_newton_margins(instance: Instance) -> Margins:
    model = _Model(instance)
    v, w = reals(instance["v"]), reals(instance["w"])
    Hv = model.product(v)
    plus, minus = ([a + s * b for a, b in zip(v, w, strict=True)] for s in (1, -1))
    wanted = (model.curvature(plus) - model.curvature(minus)) / 4
    size = 1 + abs(model.curvature(plus)) + abs(model.curvature(minus))
    counted = _Counted(model)
    found = counted.parts.gauss_newton(np.array(instance["v"]))
    largest = max(float(sum(abs(x) for x in row)) for row in model.rows)
    off = max(abs(real(float(a)) - b) for a, b in zip(found, Hv, strict=True))
    return {
        "w'Hv": in_roundings(-abs(dot(w, Hv) - wanted), size, EXACT),
        "positive semidefinite": in_roundings(dot(v, Hv), size, EXACT),
        "one forward and one reverse product": fact((counted.forwards, counted.reverses) == (1, 1)),
        "the linearization's product": in_roundings(
            -off, 1.0 + len(Hv) * largest * largest * max(abs(x) for x in instance["v"]) * 2
        ),
    }


def _model_instance(loss: str, y: list[float], M: list[list[float]] | None = None) -> Instance:
    n = len(y)
    M = M or [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    ones = [1.0] * len(M[0])
    return {"loss": loss, "M": M, "y": y, "v": ones, "w": [1.0] + [0.0] * (len(ones) - 1)}


def _model_strategy() -> SearchStrategy[Instance]:
    def of_sizes(sizes: tuple[int, int]) -> SearchStrategy[Instance]:
        p, o = sizes

        def many(count: int) -> SearchStrategy[list[float]]:
            return st.lists(quarters(-2.0, 2.0), min_size=count, max_size=count)

        return st.fixed_dictionaries(
            {
                "loss": st.sampled_from(["squared", "logistic"]),
                "M": st.lists(many(p), min_size=o, max_size=o),
                "y": many(o),
                "v": many(p),
                "w": many(p),
            }
        )

    return st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(of_sizes)


def _gauss_newton() -> Claim:
    convex = Condition(
        "H_L positive semidefinite",
        r"H_L \succeq 0",
        lambda i: i["loss"] != "concave",
        Dropped(
            (_model_instance("concave", [0.0]), _model_instance("concave", [1.0, 2.0])),
            note="A loss with negative curvature gives it to the matrix.",
        ),
    )
    printed = Form(
        "H = J_phi H_L J_phi' is the Hessian of the loss of the linearised outputs, positive "
        "semidefinite where H_L is; H_L u is 2u for the squared distance and p * u - p(p'u) for "
        "the logistic loss; a product takes one forward and one reverse pass",
        r"\hat Hv = J_\phi(H_L(J_\phi^\top v)),\quad H_L = 2I,\quad "
        r"H_L = \mathrm{diag}(p) - pp^\top",
        (convex,),
        _model_strategy,
        _gauss_newton_margins,
        edges=lambda: (
            _model_instance("squared", [1.0]),
            _model_instance("logistic", [1.0]),
            _model_instance("logistic", [1.0, -1.0]),
            _model_instance("squared", [1.0, 0.0], [[1.0], [2.0]]),
        ),
        effort=40,
    )
    return Claim(
        "curveball/eq-10-12",
        "the Gauss-Newton matrix, two losses, and two passes for a product",
        PAPER,
        "equations (10) to (12)",
        Verdict.HOLDS,
        printed,
        notes="It is never more than semidefinite where there are more parameters than outputs; "
        "the logistic H_L is singular in itself, for p * 1 - p(p'1) = 0.",
    )


# --- which losses ---------------------------------------------------------------------


def _power(kind: str, p: Fraction, u: Sequence[Real]) -> Real:
    total = sum(abs(x) ** real(p) for x in u)
    return total if kind == "power" else total ** (1 / real(p))


def _distance_margins(instance: Instance) -> Margins:
    """Second differences with two steps along each axis and the diagonal."""
    p, u = Fraction(instance["p"]), reals(instance["u"])
    n = len(u)
    directions = [[int(i == j) for j in range(n)] for i in range(n)] + [[1] * n]
    exists = semidefinite = True
    for d in directions:
        quotients = []
        for h in (real(1e-8), real(1e-16)):
            ends = [
                _power(instance["kind"], p, [a + s * h * b for a, b in zip(u, d, strict=True)])
                for s in (1, 0, -1)
            ]
            quotients.append((ends[0] - 2 * ends[1] + ends[2]) / (h * h))
        # A quotient without a limit grows by 10^2 at least, p being a multiple of 1/4.
        exists &= bool(abs(quotients[1]) <= 2 * abs(quotients[0]) + 1e-6)
        semidefinite &= bool(quotients[1] >= -1e-12)
    return {"H_L exists": fact(exists), "it is positive semidefinite": fact(semidefinite)}


def _distance(p: float, u: list[float], kind: str = "power") -> Instance:
    return {"p": p, "u": u, "kind": kind}


def _is_smooth(instance: Instance) -> bool:
    """Whether |u|^p, or the norm, is twice differentiable at u."""
    zeros = [x == 0 for x in instance["u"]]
    if instance["kind"] == "norm" and (all(zeros) or (len(zeros) == 1)):
        return not all(zeros)
    return instance["p"] >= 2 or not any(zeros)


def _distance_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "p": quarters(0.25, 5.0),
            "u": st.lists(quarters(-2.0, 2.0), min_size=1, max_size=3),
            "kind": st.sampled_from(["power", "norm"]),
        }
    )


def _distances() -> Claim:
    convex = Condition(
        "convex",
        r"p \ge 1",
        lambda i: i["p"] >= 1,
        Dropped(
            (_distance(0.5, [1.0]), _distance(0.5, [1.0, 1.0])),
            note="|u|^p is a distance for p < 1, too, and concave on each side.",
        ),
    )
    printed = Form(
        "L^p distances, p >= 1, have a positive semidefinite H_L",
        r"L = \sum_i |u_i|^p \text{ or } L = \|u\|_p,\ p \ge 1 \implies H_L \succeq 0",
        (Condition("convex", r"p \ge 1", convex.holds),),
        _distance_strategy,
        _distance_margins,
        edges=lambda: (_distance(2.0, [0.0]), _distance(1.0, [0.0])),
        effort=10,
    )
    amended = Form(
        "they have where they are twice differentiable: sum |u_i|^p for p >= 2 or where no u_i is "
        "zero; ||u||_p there too, except at u = 0",
        r"p \ge 2 \text{ or all } u_i \ne 0",
        (
            convex,
            Condition(
                "twice differentiable",
                r"p \ge 2 \text{ or all } u_i \ne 0;\ u \ne 0 \text{ for a norm}",
                _is_smooth,
                Dropped(
                    (
                        _distance(1.0, [0.0]),
                        _distance(1.5, [0.0]),
                        _distance(1.5, [1.0, 0.0]),
                        _distance(2.0, [0.0], "norm"),
                        _distance(4.0, [0.0, 0.0], "norm"),
                    ),
                    note="At a residual of zero, where fitting wants to be.",
                ),
            ),
        ),
        _distance_strategy,
        _distance_margins,
        edges=lambda: (
            _distance(1.0, [1.0]),
            _distance(2.0, [0.0, 1.0]),
            _distance(3.0, [0.0]),
            _distance(2.0, [1.0, 0.0], "norm"),
        ),
        effort=60,
    )
    return Claim(
        "curveball/eq-10-12-convex",
        "that convex losses have a positive semidefinite H_L",
        PAPER,
        "Section 2.3, after equation (10)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="Convexity does not give an H_L. |u| has none at 0, |u|^(3/2) an infinite one; both "
        "have it where no residual is zero, and there it is 0 for p = 1: the matrix knows no "
        "curvature, and without lambda there is no step.",
        proof="d^2|u|^p/du^2 = p(p - 1)|u|^(p - 2).",
    )


# --- equations (15) to (17) -----------------------------------------------------------


def _step_margins(instance: Instance) -> Margins:
    """Ungrouped (16), grouped (17), and the 2 x 2 matrix of (18), with products counted."""
    model = _Model(instance)
    counted = _Counted(model)
    parts, J = counted.parts, counted.parts.jacobian
    z, lam = np.array(instance["v"]), float(instance["lam"])
    apart = parts.gauss_newton(z) + lam * z + parts.gradient()
    before = (counted.forwards, counted.reverses)
    forward_z = J.matvec(z)
    grouped = J.rmatvec(parts.loss_curvature(forward_z) + parts.loss_gradient) + lam * z
    step = (counted.forwards - before[0], counted.reverses - before[1])
    forward_d = J.matvec(grouped)
    automatic = (counted.forwards - before[0], counted.reverses - before[1])
    Hd = parts.loss_curvature(forward_d)
    found = [forward_z @ Hd, forward_d @ Hd, parts.loss_gradient @ forward_d]
    exact_z = reals(instance["v"])
    exact_d = [
        a + real(lam) * b + c
        for a, b, c in zip(
            model.product(exact_z),
            exact_z,
            model.reverse(_loss_gradient(model.loss, model.outputs)),
            strict=True,
        )
    ]
    gradient = model.reverse(_loss_gradient(model.loss, model.outputs))
    d_image = model.product(exact_d)
    wanted = [dot(exact_z, d_image), dot(exact_d, d_image), dot(gradient, exact_d)]
    entries = [abs(float(x)) for row in model.rows for x in row] + [1.0, lam]
    size = (3 * len(entries) * max(entries) ** 2) ** 2 * (1 + float(np.max(np.abs(z)))) ** 2
    pairs = [*zip(grouped, exact_d, strict=True), *zip(apart, exact_d, strict=True)]
    return {
        "(16) is (17)": min(in_roundings(-abs(real(float(a)) - b), size) for a, b in pairs),
        "the entries of (18)": min(
            in_roundings(-abs(real(float(a)) - b), size * size)
            for a, b in zip(found, wanted, strict=True)
        ),
        "(16): one forward, two reverse": fact(before == (1, 2)),
        "(17): one forward, one reverse": fact(step == (1, 1)),
        "(18): one forward more": fact(automatic == (2, 1)),
    }


def _passes_of_a_run(instance: Instance) -> Margins:
    """Values, gradients, forward and reverse products of each step of tralgos.CurveBall."""
    automatic = bool(instance["automatic"])
    options = {} if automatic else {"beta": 1e-3, "rho": 0.5}
    method = tralgos.CurveBall(lam=float(instance["lam"]), lam_rule="fixed", **options)
    start = np.array(instance["start"])
    run = tralgos.minimize(tralgos.problems.Rosenbrock(2), start, method, gtol=0.0, maxiter=6)
    rows = [row for row in run.trace if row.iteration > 0]
    # A rejected trial costs a value and no product.
    last = {row.iteration: row for row in rows}
    counts = [(r.njev, r.njvp, r.nvjp) for _, r in sorted(last.items())][:-1]
    steps = {tuple(b - a for a, b in zip(x, y, strict=True)) for x, y in zip(counts, counts[1:])}
    return {"a step of a run": fact(steps <= {(0, 2 if automatic else 1, 1)} and len(counts) > 2)}


def _eq_15_17() -> Claim:
    def margins(instance: Instance) -> Margins:
        return {**_step_margins(instance), **_passes_of_a_run(instance)}

    def strategy() -> SearchStrategy[Instance]:
        start = st.lists(quarters(-2.0, 2.0), min_size=2, max_size=2).filter(
            lambda x: x != [1.0, 1.0]
        )
        more = st.fixed_dictionaries(
            {
                "lam": st.sampled_from([0.25, 1.0, 4.0]),
                "automatic": st.sampled_from([0, 1]),
                "start": start,
            }
        )
        return st.tuples(_model_strategy(), more).map(lambda pair: {**pair[0], **pair[1]})

    printed = Form(
        "Delta_z = J_phi(H_L J_phi'z + J_L) + lambda z takes one forward and one reverse pass, and "
        "the matrix of (18) one forward pass more",
        r"\Delta_z = J_\phi(H_LJ_\phi^\top z + J_L) + \lambda z",
        (),
        strategy,
        margins,
        edges=lambda: (
            {
                **_model_instance("squared", [1.0]),
                "lam": 1.0,
                "automatic": 0,
                "start": [-1.0, -1.0],
            },
            {
                **_model_instance("logistic", [1.0, -1.0]),
                "lam": 1.0,
                "automatic": 1,
                "start": [-1.0, -1.0],
            },
        ),
        effort=20,
    )
    return Claim(
        "curveball/eq-15-17",
        "two passes an iteration, three with automatic parameters",
        PAPER,
        "equations (15) to (18)",
        Verdict.HOLDS,
        printed,
        notes="Passes are products with J_phi or its transpose. The outputs phi(w), which J_L and "
        "H_L are taken at, come with the first forward product; where lambda is adapted, f(w + z) "
        "is the value that the next step needs.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_gauss_newton(), _distances(), _eq_15_17())
