"""The Gauss-Newton matrix: its parts, that it is semidefinite, and the passes of a product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    Sabotage,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    gridded,
    inner_rows,
    row_of,
    smallest,
)
from theory_checks.claims.curveball.common import EXACT, PAPER, quarters
from theory_checks.precise import Real, dot, precise, real, reals

__all__ = [
    "Model",
    "claims",
    "curved_rows",
    "linear_instance",
    "linear_models",
    "linear_row",
    "linear_rows",
    "linearized",
    "loss_gradient",
    "loss_rows",
]

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


def loss_gradient(name: str, u: Sequence[Real]) -> list[Real]:
    """J_L."""
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


def _second_difference(f: Callable[[Real], Real], size: Real) -> Real:
    """The second derivative at 0 of a function that changes over 1/size.

    With twice the digits, and a step of a quarter of them: half of them are right.
    """
    context = precise()
    digits = context.dps
    with context.workdps(2 * digits):
        h = context.mpf(10) ** -(digits // 2) / max(size, context.mpf(10) ** -digits)
        return (f(h) - 2 * f(0 * h) + f(-h)) / (h * h)


# --- equations (10) to (12) -----------------------------------------------------------


#: H_L d from the loss, the outputs and d.
_Curved = Callable[[str, Sequence[Real], Sequence[Real]], list[Real]]


class Model:
    """Outputs Mw + y at w = 0, a row of M an output: what phi is to first order."""

    def __init__(self, instance: Instance, curved: _Curved = _curved) -> None:
        self.curved = curved
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
        return self.reverse(self.curved(self.loss, self.outputs, self.forward(v)))

    def curvature(self, v: Sequence[Real]) -> Real:
        """v'Hv as the second difference of L along J_phi' v: no H_L comes in."""
        along = self.forward(v)

        def value(t: Real) -> Real:
            point = [a + t * b for a, b in zip(self.outputs, along, strict=True)]
            return _loss(self.loss, point)

        return _second_difference(value, max(abs(x) for x in along))


class _Jacobian(tralgos.operators.Operator):
    """A matrix, an output a row, that counts its products."""

    def __init__(self, M: np.ndarray) -> None:
        super().__init__(M.shape, name="a model's Jacobian", home=M[0])
        self._M = M
        self.forwards = self.reverses = 0

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def _matvec(self, x: Any) -> Any:
        self.forwards += 1
        return self._M @ x

    def _rmatvec(self, x: Any) -> Any:
        self.reverses += 1
        return self._M.T @ x

    @property
    def counts(self) -> tuple[int, int]:
        """Forward and reverse products so far."""
        return self.forwards, self.reverses


def linearized(model: Model) -> tuple[tralgos.problems.Linearization, _Jacobian]:
    """The model in tralgos, and what counts its products."""
    J = _Jacobian(np.array([[float(x) for x in row] for row in model.rows]))

    def curved(d: Any) -> Any:
        return np.array(
            [float(x) for x in model.curved(model.loss, model.outputs, reals(d.tolist()))]
        )

    gradient = np.array([float(x) for x in loss_gradient(model.loss, model.outputs)])
    return tralgos.problems.Linearization(0.0, J, gradient, curved), J


def _gauss_newton_margins(instance: Instance, curved: _Curved = _curved) -> Margins:
    model = Model(instance, curved)
    v, w = reals(instance["v"]), reals(instance["w"])
    Hv = model.product(v)
    plus, minus = ([a + s * b for a, b in zip(v, w, strict=True)] for s in (1, -1))
    wanted = (model.curvature(plus) - model.curvature(minus)) / 4
    size = 1 + abs(model.curvature(plus)) + abs(model.curvature(minus))
    parts, J = linearized(model)
    found = parts.gauss_newton(np.array(instance["v"]))
    largest = max(float(sum(abs(x) for x in row)) for row in model.rows)
    off = max(abs(real(float(a)) - b) for a, b in zip(found, Hv, strict=True))
    return {
        "w'Hv": in_roundings(-abs(dot(w, Hv) - wanted), size, EXACT),
        "positive semidefinite": in_roundings(dot(v, Hv), size, EXACT),
        "one forward and one reverse product": fact(J.counts == (1, 1)),
        "the linearization's product": in_roundings(
            -off, 1.0 + len(Hv) * largest * largest * max(abs(x) for x in instance["v"]) * 2
        ),
    }


def _without_mean(name: str, u: Sequence[Real], d: Sequence[Real]) -> list[Real]:
    if name == "logistic":
        return [a * b for a, b in zip(_softmax(u), d, strict=True)]
    return _curved(name, u, d)


def _without_two(name: str, u: Sequence[Real], d: Sequence[Real]) -> list[Real]:
    return list(d) if name == "squared" else _curved(name, u, d)


def _negated(name: str, u: Sequence[Real], d: Sequence[Real]) -> list[Real]:
    return [-x for x in _curved(name, u, d)]


# --- the screen -----------------------------------------------------------------------

_LOSSES = ("squared", "logistic")

#: Of the complex step, whose error is its square.
_TINY = 1e-30


def linear_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Draw records of linear models, the loss by its number."""
    p, o = (int(k) for k in rng.integers(1, 4, 2))
    drawn = {"M": (o, p), "y": (o,), "v": (p,), "w": (p,)}
    rows = {name: gridded(rng, (size, *shape), -2.0, 2.0) for name, shape in drawn.items()}
    return {**rows, "loss": rng.integers(0, 2, size)}


def linear_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    """One of them as an instance."""
    return {**row_of(arrays, row), "loss": _LOSSES[int(arrays["loss"][row])]}


def loss_rows(xp: Any, arrays: Mapping[str, Any], u: Any) -> Any:
    """J_L at outputs u, real or complex."""
    weights = xp.exp(u - u.real.max(axis=1)[:, None])
    p = weights / weights.sum(axis=1)[:, None]
    first = xp.arange(u.shape[1])[None, :] == 0
    return xp.where((arrays["loss"] == 1)[:, None], p - first, 2.0 * u)


def curved_rows(xp: Any, arrays: Mapping[str, Any], d: Any) -> Any:
    """H_L d at the outputs y, by the paper's formulas."""
    p = loss_rows(xp, {"loss": xp.ones_like(arrays["loss"])}, arrays["y"])
    p = p + (xp.arange(p.shape[1])[None, :] == 0)
    logistic = p * d - p * inner_rows(p, d)[:, None]
    return xp.where((arrays["loss"] == 1)[:, None], logistic, 2.0 * d)


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(12) against the complex step of the gradient along J_phi' v, and v'Hv against 0."""
    M, d = arrays["M"], applied_rows(arrays["M"], arrays["v"])
    back = M.transpose(0, 2, 1)
    moved = loss_rows(xp, arrays, arrays["y"] + 1j * _TINY * d).imag / _TINY
    Hv = applied_rows(back, curved_rows(xp, arrays, d))
    size = 1.0 + xp.abs(M).sum(axis=(1, 2)) ** 2 * xp.abs(arrays["v"]).max(axis=1)
    curvature = inner_rows(arrays["v"], Hv) / (size * (1.0 + xp.abs(arrays["v"]).sum(axis=1)))
    same = apart(xp, Hv, applied_rows(back, moved), size)
    return smallest(xp, same, same.max() + curvature)


def linear_instance(loss: str, y: list[float], M: list[list[float]] | None = None) -> Instance:
    """Outputs y, the identity for M unless given, v of ones."""
    n = len(y)
    M = M or [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    ones = [1.0] * len(M[0])
    return {"loss": loss, "M": M, "y": y, "v": ones, "w": [1.0] + [0.0] * (len(ones) - 1)}


def linear_models() -> SearchStrategy[Instance]:
    """Draw up to three parameters and outputs, in quarters."""

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
            (linear_instance("concave", [0.0]), linear_instance("concave", [1.0, 2.0])),
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
        linear_models,
        _gauss_newton_margins,
        edges=lambda: (
            linear_instance("squared", [1.0]),
            linear_instance("logistic", [1.0]),
            linear_instance("logistic", [1.0, -1.0]),
            linear_instance("squared", [1.0, 0.0], [[1.0], [2.0]]),
        ),
        screen=Screen(linear_rows, _slack, linear_row),
        sabotage=(
            Sabotage("logistic: p * u alone", lambda i: _gauss_newton_margins(i, _without_mean)),
            Sabotage("squared: u for 2u", lambda i: _gauss_newton_margins(i, _without_two)),
            Sabotage("the wrong sign", lambda i: _gauss_newton_margins(i, _negated)),
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
        proof="The second derivative of t -> L(phi + t J_phi'v) at 0 is v'J_phi H_L J_phi'v.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_gauss_newton(),)
