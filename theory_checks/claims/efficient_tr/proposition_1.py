"""Proposition 1: when the minimiser is unique, and when it lies on the sphere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.efficient_tr.common import (
    PAPER,
    fewer_dimensions,
)
from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.precise import exact, sum_of_squares
from theory_checks.strategies import vectors

__all__ = ["claims"]


def _sum_of_quotients(numerators: list[Fraction], denominators: list[Fraction]) -> Fraction | None:
    """Sum of (g/d)^2; None where a term is 0/0, and a number above 1 where one is c/0."""
    total = Fraction(0)
    infinite = False
    for top, bottom in zip(numerators, denominators, strict=True):
        if bottom != 0:
            total += (top / bottom) ** 2
        elif top != 0:
            infinite = True
        else:
            return None
    return total + 2 if infinite else total


def _cases(
    spectrum: list[Fraction], gradient: list[Fraction], *, by_eigenspace: bool
) -> tuple[str, bool | None] | None:
    """What the proposition says: ("one" or "many", whether ||s|| = 1); None: no case applies.

    With `by_eigenspace` g^(1) is the whole part of g in the leftmost eigenspace and
    the sums run over the other eigenvalues; without, the sums start at i = 2.
    """
    lowest = spectrum[0]
    count = sum(h == lowest for h in spectrum) if by_eigenspace else 1
    shown = any(gradient[:count])
    if lowest > 0:
        inside = sum_of_squares([g / h for g, h in zip(gradient, spectrum, strict=True)]) < 1
        return "one", not inside
    rest = [h - lowest for h in spectrum[count:]]
    if shown:
        return "one", True
    total = _sum_of_quotients(gradient[count:], rest)
    if total is None:
        return None
    if total >= 1:
        return "one", True
    return "many", True if lowest < 0 else None


def _proposition_margins(instance: Instance, *, by_eigenspace: bool) -> Margins:
    spectrum, gradient = exact(instance["eigenvalues"]), exact(instance["gradient"])
    said = _cases(spectrum, gradient, by_eigenspace=by_eigenspace)
    margins = {"a case applies": fact(said is not None)}
    if said is None:
        return margins
    optimum = solve_in_eigenbasis(spectrum, gradient)
    count, on_boundary = said
    margins["the number of minimisers"] = fact(optimum.unique == (count == "one"))
    if on_boundary is not None:
        margins["the norm"] = fact(optimum.on_boundary == on_boundary)
    return margins


def _proposition_strategy() -> SearchStrategy[Instance]:
    # Equalities decide here, so small integers are drawn as often as floats, and
    # components are set to zero often.
    integers = st.integers(-2, 2).map(float)

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        spectra = st.one_of(st.lists(integers, min_size=n, max_size=n), vectors(n)).map(sorted)
        slopes = st.one_of(st.lists(integers, min_size=n, max_size=n), vectors(n))
        return st.fixed_dictionaries({"eigenvalues": spectra, "gradient": slopes})

    return st.one_of([of_dimension(n) for n in range(1, 5)])


def _proposition_edges() -> Iterable[Instance]:
    for eigenvalues, gradient in (
        ([1.0], [0.5]),
        ([1.0], [1.0]),
        ([0.0], [0.0]),
        ([0.0], [1.0]),
        ([-1.0], [0.0]),
        ([-1.0], [1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 1.0], [0.0, 0.5]),
        ([-1.0, 0.0], [0.0, 1.0]),
        ([-1.0, 0.0], [0.0, 0.5]),
        ([-1.0, -1.0], [0.0, 1.0]),
        ([-1.0, -1.0, 0.0], [0.0, 1.0, 1.0]),
        ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
        ([1.0, 1.0], [0.5, 0.5]),
    ):
        yield {"eigenvalues": eigenvalues, "gradient": gradient}


def _sorted_spectrum() -> Condition:
    return Condition(
        "sorted spectrum",
        r"\lambda_1 \le \dots \le \lambda_n",
        lambda i: all(a <= b for a, b in pairwise(i["eigenvalues"])),
        kept="It is the numbering, not an assumption.",
    )


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    """Integers, with g hidden from the leftmost eigenspace and S near 1 in most rows."""
    n = int(rng.integers(2, 5))
    spectra = np.sort(rng.integers(-3, 4, (size, n)), axis=1).astype(float)
    gradient = rng.integers(-2, 3, (size, n)).astype(float)
    # Sides of Pythagorean triangles over their hypotenuse make S exactly 1.
    legs = np.array([[3.0, 4.0], [4.0, 3.0], [0.0, 5.0], [5.0, 0.0]])
    gaps = spectra[:, -2:] - spectra[:, :1]
    pythagorean = rng.random(size) < 0.3
    gradient[pythagorean, -2:] = (
        gaps[pythagorean] * legs[rng.integers(0, 4, int(pythagorean.sum()))] / 5.0
    )
    hidden = (rng.random((size, 1)) < 0.7) & (spectra == spectra[:, :1])
    gradient[hidden] = 0.0
    return {"eigenvalues": spectra, "gradient": gradient}


def _distance_from_one(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """|S - 1|, which decides between one minimiser and several; 1 where g sees the leftmost."""
    spectra, gradient = arrays["eigenvalues"], arrays["gradient"]
    gaps = spectra - spectra[:, :1]
    seen = xp.any((gaps == 0.0) & (gradient != 0.0), axis=1)
    quotients = xp.where(gaps == 0.0, 0.0, gradient) / xp.where(gaps == 0.0, 1.0, gaps)
    sums = xp.sum(quotients * quotients, axis=1)
    return xp.where(seen, 1.0, xp.abs(sums - 1.0))


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {name: array[row].tolist() for name, array in arrays.items()}


def _proposition_1() -> Claim:
    def printed_margins(instance: Instance) -> Margins:
        return _proposition_margins(instance, by_eigenspace=False)

    def amended_margins(instance: Instance) -> Margins:
        return _proposition_margins(instance, by_eigenspace=True)

    text = (
        "lambda1 > 0: one minimiser, inside iff ||H^-1 g|| < 1. lambda1 <= 0 and g1 != 0: one, on "
        "the sphere. lambda1 <= 0, g1 = 0: with S the sum over i >= 2 of (g_i/(lambda_i - "
        "lambda1))^2, one on the sphere if S >= 1, else several"
    )
    tex = r"\sum_{i=2}^n \Bigl(\frac{g^{(i)}}{\lambda_i - \lambda_1}\Bigr)^2 \ge 1"
    printed = Form(
        text,
        tex,
        (_sorted_spectrum(),),
        _proposition_strategy,
        printed_margins,
        edges=_proposition_edges,
        reduce=fewer_dimensions,
        effort=120,
    )
    amended = Form(
        f"{text}; where lambda1 is repeated, g1 is the part of g in the whole leftmost "
        "eigenspace and S runs over the other eigenvalues",
        r"g^{(1)} := P_{\ker(H-\lambda_1 I)} g,\quad S = \sum_{\lambda_i > \lambda_1} "
        r"\Bigl(\frac{g^{(i)}}{\lambda_i - \lambda_1}\Bigr)^2",
        (_sorted_spectrum(),),
        _proposition_strategy,
        amended_margins,
        edges=lambda: (
            *_proposition_edges(),
            {"eigenvalues": [-1.0, -1.0], "gradient": [0.0, 0.0]},
            {"eigenvalues": [0.0, 0.0, 1.0], "gradient": [0.0, 0.0, 1.0]},
        ),
        screen=Screen(_drawn, _distance_from_one, _row),
        reduce=fewer_dimensions,
        effort=120,
    )
    return Claim(
        "efficient-tr/proposition-1",
        "when the minimiser is unique, and when it lies on the sphere",
        PAPER,
        "Proposition 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="With a repeated leftmost eigenvalue that g does not see, the printed sum has a term "
        "0/0 and no case applies. Terms c/0 read as infinity do no harm. The equalities are "
        "right: S = 1 gives one minimiser.",
        proof="docs/theory-efficient-tr.md, 'One minimiser or several': by Lemma 1 the minimisers "
        "are -(H + lambda I)^+ g plus any part in the kernel of H + lambda I that keeps the norm "
        "feasible (equal to 1 where lambda > 0).",
        ours="The case of a repeated leftmost eigenvalue, with how many minimisers there are.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_proposition_1(),)
