"""Forward and reverse products of a composition, and in which order its Jacobians stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
from theory_checks.precise import Real, dot, exact, real, reals

__all__ = ["claims"]

#: Step of the central differences: at fifty digits their errors are about 1e-30.
_STEP = 1e-15

_Rows = list[list[Fraction]]


class _Layer:
    """x -> s + c s^2 with s_j = sum_i x_i M_ij, entry by entry."""

    def __init__(self, rows: Sequence[Sequence[float]], bend: float) -> None:
        self._rows = [exact(row) for row in rows]
        self._bend = Fraction(bend)

    def _sums(self, x: Sequence[Any], number: Callable[[Fraction], Any]) -> list[Any]:
        columns = zip(*self._rows, strict=True)
        return [sum(number(m) * a for m, a in zip(c, x, strict=True)) for c in columns]

    def __call__(self, x: Sequence[Real]) -> list[Real]:
        """The outputs at fifty digits."""
        return [s + real(self._bend) * s * s for s in self._sums(x, real)]

    def outputs(self, x: Sequence[Fraction]) -> list[Fraction]:
        """The outputs, exactly."""
        return [s + self._bend * s * s for s in self._sums(x, Fraction)]

    def jacobian(self, x: Sequence[Fraction]) -> _Rows:
        """In the paper's layout: an input a row, an output a column."""
        slopes = [1 + 2 * self._bend * s for s in self._sums(x, Fraction)]
        return [[m * d for m, d in zip(row, slopes, strict=True)] for row in self._rows]


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


class _Chain:
    """a(b(c(x))) with its Jacobians at x, and its derivatives by differences."""

    def __init__(self, instance: Instance) -> None:
        self._layers = [_Layer(instance[key], instance["bend"]) for key in ("c", "b", "a")]
        self._x = exact(instance["x"])
        at, self.jacobians = self._x, {}
        for name, layer in zip("cba", self._layers, strict=True):
            self.jacobians[name] = layer.jacobian(at)
            at = layer.outputs(at)
        if instance["layout"] == "output a row":
            self.jacobians = {k: _transposed(M) for k, M in self.jacobians.items()}

    def _value(self, x: list[Real]) -> list[Real]:
        for layer in self._layers:
            x = layer(x)
        return x

    def along(self, v: Sequence[Fraction]) -> list[Real]:
        """The derivative of the outputs along v: what a forward product should be."""
        h = real(_STEP)
        ends = [
            self._value([real(a) + s * h * real(b) for a, b in zip(self._x, v, strict=True)])
            for s in (1, -1)
        ]
        return [(a - b) / (2 * h) for a, b in zip(*ends, strict=True)]

    def gradient(self, v: Sequence[Fraction]) -> list[Real]:
        """The gradient of v'a(b(c(x))): what a reverse product should be."""
        n = len(self._x)
        units = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
        return [dot([real(x) for x in v], self.along(unit)) for unit in units]


def _agree(found: Sequence[Fraction] | None, wanted: Sequence[Real]) -> float:
    """The margin of a product against differences."""
    if found is None or len(found) != len(wanted):
        return fact(False)
    size = max(1.0, *(float(abs(x)) for x in wanted))
    return min(
        in_roundings(-abs(real(a) - b), size, EXACT) for a, b in zip(found, wanted, strict=True)
    )


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


def _margins(instance: Instance, order: str) -> Margins:
    """With (8) and (9) written in this order of the factors.

    In the order of the paper either formula may be meant as either product: it is given the
    benefit of the doubt.
    """
    chain = _Chain(instance)
    v, w = exact(instance["v"]), exact(instance["v'"])
    forward, reverse = chain.along(w), chain.gradient(v)
    Jv, wJ = _total(instance, chain)
    first, second, third = (chain.jacobians[name] for name in order)

    def from_left(x: Sequence[Fraction]) -> list[Fraction] | None:
        return _left(_left(_left(x, first), second), third)

    def from_right(x: Sequence[Fraction]) -> list[Fraction] | None:
        return _right(first, _right(second, _right(third, x)))

    eighth, ninth = _agree(from_left(w), forward), _agree(from_right(v), reverse)
    if order == "abc":
        exchanged = min(_agree(from_left(v), reverse), _agree(from_right(w), forward))
        eighth, ninth = max(eighth, exchanged), max(ninth, exchanged)
    pairing = dot(reals(instance["v"]), forward) - dot(reals(instance["v'"]), reverse)
    size = 1 + abs(dot(reals(instance["v"]), forward))
    return {
        "(6): Jv is the reverse product": _agree(Jv, reverse),
        "(7): v'J is the forward product": _agree(wJ, forward),
        "(8)": eighth,
        "(9)": ninth,
        "v (v'J)' = v' (Jv)": in_roundings(-abs(pairing), size, EXACT),
    }


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
        effort=60,
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
        proof="The chain rule; differences at fifty digits are what it is compared with.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_eq_6_9(),)
