"""Forward and reverse products of a composition, and in which order its Jacobians stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    fact,
)
from theory_checks.claims.adaptive_norms.common import inner_product
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    gridded,
    inner_rows,
    row_of,
    smallest,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.precise import exact

__all__ = ["claims"]

#: Weights of f(k) - f(-k) in the derivative at 0: exact for polynomials of degree 8 and less,
#: and three layers of degree 2 are one.
_WEIGHTS = (Fraction(4, 5), Fraction(-1, 5), Fraction(4, 105), Fraction(-1, 280))

_Rows = list[list[Fraction]]


class _Layer:
    """x -> s + c s^2 with s_j = sum_i x_i M_ij, entry by entry."""

    def __init__(self, rows: Sequence[Sequence[float]], bend: float) -> None:
        self.rows = [exact(row) for row in rows]
        self.bend = Fraction(bend)

    def sums(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The s_j."""
        columns = zip(*self.rows, strict=True)
        return [sum((m * a for m, a in zip(c, x, strict=True)), Fraction(0)) for c in columns]

    def __call__(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The outputs, exactly."""
        return [s + self.bend * s * s for s in self.sums(x)]

    def slopes(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The derivatives of the outputs by their own sums."""
        return [1 + 2 * self.bend * s for s in self.sums(x)]


def _left(v: Sequence[Fraction] | None, M: _Rows) -> list[Fraction] | None:
    """v'M; None where the sizes do not fit."""
    if v is None or len(v) != len(M):
        return None
    return [
        sum((a * b for a, b in zip(v, c, strict=True)), Fraction(0)) for c in zip(*M, strict=True)
    ]


def _right(M: _Rows, v: Sequence[Fraction] | None) -> list[Fraction] | None:
    """Mv; None where the sizes do not fit."""
    if v is None or len(v) != len(M[0]):
        return None
    return [sum((a * b for a, b in zip(row, v, strict=True)), Fraction(0)) for row in M]


def _transposed(M: _Rows) -> _Rows:
    return [list(column) for column in zip(*M, strict=True)]


#: From a layer and its point to its Jacobian, in the paper's layout: an input a row.
_Jacobian = Callable[[_Layer, Sequence[Fraction]], _Rows]


def _jacobian(layer: _Layer, x: Sequence[Fraction]) -> _Rows:
    return [[m * d for m, d in zip(row, layer.slopes(x), strict=True)] for row in layer.rows]


def _without_slopes(layer: _Layer, x: Sequence[Fraction]) -> _Rows:
    return layer.rows


def _half_the_bend(layer: _Layer, x: Sequence[Fraction]) -> _Rows:
    slopes = [1 + layer.bend * s for s in layer.sums(x)]
    return [[m * d for m, d in zip(row, slopes, strict=True)] for row in layer.rows]


class _Chain:
    """a(b(c(x))) with its Jacobians at x, and its derivatives by differences."""

    def __init__(self, instance: Instance, jacobian: _Jacobian) -> None:
        self._layers = [_Layer(instance[key], instance["bend"]) for key in ("c", "b", "a")]
        self._x = exact(instance["x"])
        at, self.jacobians = self._x, {}
        for name, layer in zip("cba", self._layers, strict=True):
            self.jacobians[name] = jacobian(layer, at)
            at = layer(at)
        if instance["layout"] == "output a row":
            self.jacobians = {k: _transposed(M) for k, M in self.jacobians.items()}

    def _value(self, v: Sequence[Fraction], k: int) -> list[Fraction]:
        """The outputs at x + k v."""
        x = [a + k * b for a, b in zip(self._x, v, strict=True)]
        for layer in self._layers:
            x = layer(x)
        return x

    def along(self, v: Sequence[Fraction]) -> list[Fraction]:
        """The derivative of the outputs along v: what a forward product should be."""
        pairs = [(self._value(v, k), self._value(v, -k)) for k in (1, 2, 3, 4)]
        outputs = range(len(pairs[0][0]))
        return [
            sum((w * (p[j] - m[j]) for w, (p, m) in zip(_WEIGHTS, pairs, strict=True)), Fraction(0))
            for j in outputs
        ]

    def gradient(self, v: Sequence[Fraction]) -> list[Fraction]:
        """The gradient of v'a(b(c(x))): what a reverse product should be."""
        n = len(self._x)
        units = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
        return [inner_product(v, self.along(unit)) for unit in units]


def _total(
    instance: Instance, chain: _Chain
) -> tuple[list[Fraction] | None, list[Fraction] | None]:
    """Jv and v'J of (6) and (7) with the whole J, made of its columns or rows."""
    J = chain.jacobians
    order = "cba" if instance["layout"] == "input a row" else "abc"
    whole = J[order[0]]
    for name in order[1:]:
        rows = [_left(row, J[name]) for row in whole]
        whole = [row for row in rows if row is not None]
    out, back = exact(instance["v"]), exact(instance["v'"])
    return _right(whole, out), _left(back, whole)


def _margins(instance: Instance, order: str, jacobian: _Jacobian = _jacobian) -> Margins:
    """With (8) and (9) written in this order of the factors.

    In the order of the paper either formula may be meant as either product: it is given the
    benefit of the doubt.
    """
    chain = _Chain(instance, jacobian)
    v, w = exact(instance["v"]), exact(instance["v'"])
    forward, reverse = chain.along(w), chain.gradient(v)
    Jv, wJ = _total(instance, chain)
    first, second, third = (chain.jacobians[name] for name in order)

    def from_left(x: Sequence[Fraction]) -> list[Fraction] | None:
        return _left(_left(_left(x, first), second), third)

    def from_right(x: Sequence[Fraction]) -> list[Fraction] | None:
        return _right(first, _right(second, _right(third, x)))

    eighth, ninth = from_left(w) == forward, from_right(v) == reverse
    if order == "abc":
        exchanged = from_left(v) == reverse or from_right(w) == forward
        eighth, ninth = eighth or exchanged, ninth or exchanged
    return {
        "(6): Jv is the reverse product": fact(Jv == reverse),
        "(7): v'J is the forward product": fact(wJ == forward),
        "(8)": fact(eighth),
        "(9)": fact(ninth),
        "v (v'J)' = v' (Jv)": fact(inner_product(v, forward) == inner_product(w, reverse)),
    }


# --- the screen -----------------------------------------------------------------------

#: Of the complex step, whose error is its square.
_TINY = 1e-30


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    p, q, r, o = (int(k) for k in rng.integers(1, 4, 4))
    shapes = {"c": (p, q), "b": (q, r), "a": (r, o), "x": (p,), "v": (o,), "v'": (p,)}
    drawn = {name: gridded(rng, (size, *shape), -2.0, 2.0) for name, shape in shapes.items()}
    return {**drawn, "bend": gridded(rng, size, -0.5, 0.5)}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(8) against a complex step, and v'J v by (9) against it by (8)."""
    bend, x = arrays["bend"][:, None], arrays["x"]
    moved = x + 1j * _TINY * arrays["v'"]
    forward, size, slopes = arrays["v'"], xp.abs(arrays["v'"]), {}
    for name in "cba":
        M = arrays[name]
        x, moved = (y[:, None, :] @ M for y in (x, moved))
        x, moved = x[:, 0, :], moved[:, 0, :]
        slopes[name] = 1.0 + 2.0 * bend * x
        x, moved = x + bend * x * x, moved + bend * moved * moved
        forward = (forward[:, None, :] @ M)[:, 0, :] * slopes[name]
        size = (size[:, None, :] @ xp.abs(M))[:, 0, :] * (1.0 + xp.abs(slopes[name]))
    reverse = arrays["v"]
    for name in "abc":
        reverse = applied_rows(arrays[name], slopes[name] * reverse)
    ends = inner_rows(forward, arrays["v"]), inner_rows(reverse, arrays["v'"])
    scale = size.max(axis=1)
    whole = scale * xp.abs(arrays["v"]).sum(axis=1)
    return smallest(xp, apart(xp, forward, moved.imag / _TINY, scale), apart(xp, *ends, whole))


def _instance(**more: Any) -> Instance:
    """c = id, b and a linear in the plane and not commuting."""
    return {
        "c": [[1.0, 0.0], [0.0, 1.0]],
        "b": [[1.0, 1.0], [0.0, 1.0]],
        "a": [[1.0, 0.0], [1.0, 1.0]],
        "bend": 0.0,
        "x": [0.0, 0.0],
        "v": [1.0, 0.0],
        "v'": [1.0, 0.0],
        "layout": "input a row",
        **more,
    }


def _scalar(out: int = 1) -> Instance:
    """One parameter, `out` outputs."""
    return _instance(
        **{
            "c": [[1.0]],
            "b": [[1.0]],
            "a": [[1.0] * out],
            "x": [0.0],
            "v": [1.0] * out,
            "v'": [1.0],
        }
    )


def _strategy() -> SearchStrategy[Instance]:
    def of_sizes(sizes: tuple[int, int, int, int]) -> SearchStrategy[Instance]:
        p, q, r, o = sizes

        def many(count: int) -> SearchStrategy[list[float]]:
            return st.lists(quarters(-2.0, 2.0), min_size=count, max_size=count)

        def matrix(rows: int, columns: int) -> SearchStrategy[list[list[float]]]:
            return st.lists(many(columns), min_size=rows, max_size=rows)

        return st.fixed_dictionaries(
            {
                "c": matrix(p, q),
                "b": matrix(q, r),
                "a": matrix(r, o),
                "bend": quarters(-0.5, 0.5),
                "x": many(p),
                "v": many(o),
                "v'": many(p),
                "layout": st.just("input a row"),
            }
        )

    size = st.integers(1, 3)
    return st.tuples(size, size, size, size).flatmap(of_sizes)


def _edges() -> Iterable[Instance]:
    yield _scalar()
    yield _scalar(2)
    yield _instance()
    yield _instance(bend=0.5, x=[1.0, -0.5])


def _eq_6_9() -> Claim:
    layout = Condition(
        "an input a row",
        r"J_\phi \in \mathbb R^{p \times o}",
        lambda i: i["layout"] == "input a row",
        Dropped(
            (_instance(layout="output a row"), {**_scalar(2), "layout": "output a row"}),
            note="In the usual layout, an output a row, forward and reverse change places.",
        ),
    )
    printed = Form(
        "with J in R^(p x o) the reverse product is Jv and the forward one v'J; of a composition "
        "a o b o c they are ((v'J_a)J_b)J_c and J_a(J_b(J_c v))",
        r"\overrightarrow{\mathrm{AD}}_{a\circ b\circ c}(v') = ((v'J_a)J_b)J_c,\quad "
        r"\overleftarrow{\mathrm{AD}}_{a\circ b\circ c}(v) = J_a(J_b(J_cv))",
        (Condition("an input a row", r"J_\phi \in \mathbb R^{p \times o}", layout.holds),),
        _strategy,
        lambda i: _margins(i, "abc"),
        edges=_edges,
        effort=10,
    )
    amended = Form(
        "of a composition a(b(c(x))) they are ((v'J_c)J_b)J_a and J_c(J_b(J_a v)): forward from "
        "the innermost function on, reverse from the outermost",
        r"\overrightarrow{\mathrm{AD}}_{a\circ b\circ c}(v') = ((v'J_c)J_b)J_a,\quad "
        r"\overleftarrow{\mathrm{AD}}_{a\circ b\circ c}(v) = J_c(J_b(J_av))",
        (layout,),
        _strategy,
        lambda i: _margins(i, "cba"),
        edges=_edges,
        screen=Screen(_drawn, _slack, lambda a, row: row_of(a, row, layout="input a row")),
        sabotage=(
            Sabotage(
                "slopes of the layers left out", lambda i: _margins(i, "cba", _without_slopes)
            ),
            Sabotage("half of the bend's slope", lambda i: _margins(i, "cba", _half_the_bend)),
            Sabotage("factors in the order b, c, a", lambda i: _margins(i, "bca")),
        ),
        effort=30,
    )
    return Claim(
        "curveball/eq-6-9",
        "forward and reverse products, and the order of the factors",
        PAPER,
        "equations (6) to (9)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="(6) and (7) are right in the paper's layout, in which J is the transpose of what "
        "most texts call the Jacobian. (8) and (9) take the factors in the order of the other "
        "layout: with one parameter and two outputs the sizes do not even fit. In that other "
        "layout the formulas are right with the modes exchanged; or as printed, if a o b o c "
        "applies a first. A product of either kind multiplies once with each entry of each factor: "
        "the overhead is the same.",
        proof="The chain rule. It is compared with differences that are exact for polynomials of "
        "degree 8, which three layers of degree 2 are.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_eq_6_9(),)
