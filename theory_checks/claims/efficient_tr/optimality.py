"""Section 3.1: change of variable, Lemma 1, Proposition 1 and its remark, Lemma 2.

Instances are built backwards: a point, a multiplier and a spectrum are drawn,
and g is what makes the point stationary. All numbers are rational, so that most
of these margins are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
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
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    fewer_dimensions,
    negative_curvature,
    unit_vector,
)
from theory_checks.oracle import model, solve_in_eigenbasis
from theory_checks.precise import Real, exact, precise, real, reals, sum_of_squares
from theory_checks.strategies import numbers, problems, vectors

__all__ = ["claims"]

_Matrix = list[list[Fraction]]


# --- change of variable -------------------------------------------------------------


def _product(left: _Matrix, right: _Matrix) -> _Matrix:
    columns = list(zip(*right, strict=True))
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns]
        for row in left
    ]


def _apply(matrix: _Matrix, vector: Sequence[Fraction]) -> list[Fraction]:
    return [
        sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix
    ]


def _inner(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _root(instance: Instance) -> _Matrix:
    """M^{1/2} = L L' for the lower triangular L of the instance: rational, of order 1 or 2."""
    entries = exact(instance["factor"])
    if len(entries) == 1:
        factor = [[entries[0]]]
    else:
        factor = [[entries[0], Fraction(0)], [entries[1], entries[2]]]
    return _product(factor, [list(column) for column in zip(*factor, strict=True)])


def _determinant(matrix: _Matrix) -> Fraction:
    if len(matrix) == 1:
        return matrix[0][0]
    return matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0]


def _pseudo_inverse(root: _Matrix) -> _Matrix:
    """The pseudo-inverse of a symmetric matrix of order 1 or 2: the inverse where there is one."""
    determinant = _determinant(root)
    trace = sum((root[i][i] for i in range(len(root))), Fraction(0))
    if determinant != 0 and len(root) == 2:
        (a, b), (c, d) = root
        return [[d / determinant, -b / determinant], [-c / determinant, a / determinant]]
    scale = trace * trace or Fraction(1)
    return [[entry / scale for entry in row] for row in root]


def _hessian(instance: Instance) -> _Matrix:
    entries = exact(instance["hessian"])
    if len(entries) == 1:
        return [[entries[0]]]
    return [[entries[0], entries[1]], [entries[1], entries[2]]]


def _change_margins(instance: Instance) -> Margins:
    """f(z) = f'(z') and ||z||_M = ||z'||, exactly, and z is recovered from z'."""
    root, hessian = _root(instance), _hessian(instance)
    inverse = _pseudo_inverse(root)
    gradient, point = exact(instance["gradient"]), exact(instance["point"])
    bent = _product(_product(inverse, hessian), inverse)
    turned = _apply(inverse, gradient) if instance["gradient transformed"] else gradient
    image = _apply(root, point)
    before = _inner(gradient, point) + _inner(point, _apply(hessian, point)) / 2
    after = _inner(turned, image) + _inner(image, _apply(bent, image)) / 2
    length = _inner(point, _apply(_product(root, root), point))
    return {
        "same value": fact(before == after),
        "same norm": fact(length == _inner(image, image)),
        "one to one": fact(_apply(inverse, image) == point),
    }


def _change_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2
        return st.fixed_dictionaries(
            {
                "factor": vectors(entries, 4.0),
                "hessian": vectors(entries),
                "gradient": vectors(n),
                "point": vectors(n),
                "gradient transformed": st.just(True),
            }
        )

    return st.integers(1, 2).flatmap(of_dimension)


def _change_instance(root: float, transformed: bool) -> Instance:
    return {
        "factor": [root],
        "hessian": [1.0],
        "gradient": [1.0],
        "point": [1.0],
        "gradient transformed": transformed,
    }


def _change_of_variable() -> Claim:
    definite = Condition(
        "positive definite",
        r"M \succ 0",
        lambda instance: _determinant(_root(instance)) != 0,
        Dropped((_change_instance(0.0, True),), note="M = 0 constrains nothing; q' is constant."),
    )
    turned = Condition(
        "g is transformed",
        r"g' = M^{-1/2} g",
        lambda instance: bool(instance["gradient transformed"]),
        Dropped((_change_instance(2.0, False),), note="The footnote does not mention g'."),
    )
    printed = Form(
        "for any PSD M the change of variable z' = M^{1/2} z, H' = M^{-1/2} H M^{-1/2} turns "
        "the constraint ||z||_M <= r into a ball (read kindly: g' = M^{-1/2} g, and the "
        "pseudo-inverse where M is singular)",
        r"\min_{\|z\|_M \le r} f(z) = \min_{\|z'\| \le r} f'(z'),\; M \succeq 0",
        (turned,),
        _change_strategy,
        _change_margins,
        edges=lambda: (_change_instance(1.0, True), _change_instance(0.0, True)),
    )
    amended = Form(
        "the same for positive definite M, with g' = M^{-1/2} g",
        r"f'(z') = g^\top M^{-1/2} z' + \tfrac12 z'^\top M^{-1/2} H M^{-1/2} z',\; M \succ 0",
        (turned, definite),
        _change_strategy,
        _change_margins,
        edges=lambda: (_change_instance(1.0, True),),
    )
    return Claim(
        "efficient-tr/change-of-variable",
        "a constraint in the norm of M becomes a ball",
        PAPER,
        "footnote 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="A singular M has no M^{-1/2}, and with the pseudo-inverse the part of z in its "
        "kernel is lost, though q depends on it: the problem need not even be bounded.",
        proof="z' = M^{1/2} z is a bijection with ||z'|| = ||z||_M, and g'z = (M^{-1/2} g)'z', "
        "z'Hz likewise.",
    )


# --- points with a multiplier -------------------------------------------------------


def _step(instance: Instance) -> list[Fraction]:
    length = Fraction(instance["length"])
    return [length * u for u in unit_vector(instance["tangents"])]


def _gradient(instance: Instance) -> list[Fraction]:
    """The g that makes the step stationary with the multiplier, plus the residual."""
    shift = Fraction(instance["multiplier"])
    residual = exact(instance.get("residual", [0.0] * len(instance["eigenvalues"])))
    spectrum = exact(instance["eigenvalues"])
    return [
        r - (h + shift) * s for h, s, r in zip(spectrum, _step(instance), residual, strict=True)
    ]


def _value(instance: Instance, step: Sequence[Fraction]) -> Fraction:
    spectrum = exact(instance["eigenvalues"])
    curved = sum((h * s * s for h, s in zip(spectrum, step, strict=True)), Fraction(0))
    return _inner(_gradient(instance), step) + curved / 2


def _size(instance: Instance) -> float:
    """The size of the terms of q on the unit ball."""
    largest = max(abs(h) for h in instance["eigenvalues"])
    return float(largest) + float(sum(abs(g) for g in _gradient(instance)))


def _stationary_instances(
    multipliers: SearchStrategy[float], lengths: SearchStrategy[float], **extra: Any
) -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        more = {key: make(n) for key, make in extra.items()}
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n).map(sorted),
                "tangents": vectors(n - 1, 4.0),
                "length": lengths,
                "multiplier": multipliers,
                **more,
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _point(
    eigenvalues: list[float],
    multiplier: float,
    tangents: list[float],
    length: float = 1.0,
    **extra: Any,
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "tangents": tangents,
        "length": length,
        "multiplier": multiplier,
        **extra,
    }


_FEASIBLE = Condition("feasible", r"\|s\| \le 1", lambda i: 0 <= i["length"] <= 1)
_ON_SPHERE = Condition("on the sphere", r"\|s\| = 1", lambda i: i["length"] == 1)


def _complementary(dropped: Dropped | None = None) -> Condition:
    return Condition(
        "complementary slackness",
        r"\lambda (1 - \|s\|^2) = 0",
        lambda i: i["multiplier"] == 0 or i["length"] == 1,
        dropped,
    )


def _stationary(dropped: Dropped | None = None) -> Condition:
    return Condition(
        "gradient condition",
        r"(H + \lambda I)s + g = 0",
        lambda i: not any(i.get("residual", ())),
        dropped,
    )


# --- Lemma 1 ------------------------------------------------------------------------


def _circle_minimum(eigenvalues: Sequence[Real], gradient: Sequence[Real]) -> Real:
    """The minimum over the unit disc (or [-1, 1]) from all critical points, without multipliers.

    On the circle z = (cos phi, sin phi) the derivative is a quartic in tan(phi/2).
    """
    context = precise()
    inside = [context.mpf(0)] * len(eigenvalues)
    if all(h != 0 for h in eigenvalues):
        newton = [-g / h for g, h in zip(gradient, eigenvalues, strict=True)]
        if sum(x * x for x in newton) < 1:
            inside = newton
    points = [inside]
    if len(eigenvalues) == 1:
        points += [[context.mpf(1)], [context.mpf(-1)]]
    else:
        a, b = gradient
        spread = eigenvalues[1] - eigenvalues[0]
        quartic = [-b, -2 * (spread + a), 0, 2 * (spread - a), b]
        while quartic and quartic[0] == 0:
            quartic = quartic[1:]
        roots = context.polyroots(quartic, maxsteps=500, extraprec=400) if len(quartic) > 1 else []
        points += [[context.mpf(-1), context.mpf(0)], [context.mpf(1), context.mpf(0)]]
        # A multiple root carries a small imaginary part; its real part is as good,
        # since every point of the circle is a candidate.
        for root in (context.re(r) for r in roots):
            bottom = 1 + root * root
            points.append([(1 - root * root) / bottom, 2 * root / bottom])
    return min(model(eigenvalues, gradient, point) for point in points)


def _trial(instance: Instance) -> list[Fraction]:
    length = Fraction(instance["trial length"])
    return [length * u for u in unit_vector(instance["trial tangents"])]


def _lemma_1_margins(instance: Instance) -> Margins:
    """No trial point is better than s; and the critical points find nothing better either."""
    best = _value(instance, _step(instance))
    margins = {
        "no trial is better": in_roundings(
            _value(instance, _trial(instance)) - best, _size(instance), EXACT
        )
    }
    if len(instance["eigenvalues"]) <= 2:
        minimum = _circle_minimum(reals(instance["eigenvalues"]), reals(_gradient(instance)))
        difference = minimum - real(best)
        margins["the minimum by enumeration"] = in_roundings(
            -abs(difference), _size(instance), EXACT
        )
    optimum = solve_in_eigenbasis(instance["eigenvalues"], _gradient(instance))
    margins["the oracle's minimum"] = in_roundings(
        -abs(optimum.value - real(best)), _size(instance), EXACT
    )
    return margins


def _trials(n: int) -> SearchStrategy[list[float]]:
    return vectors(n - 1, 4.0)


def _lemma_1_strategy() -> SearchStrategy[Instance]:
    def complete(instance: Instance) -> SearchStrategy[Instance]:
        # Multipliers that make the conditions true are drawn from what they need.
        lowest = max(0.0, -min(instance["eigenvalues"]))
        interior = st.floats(0.0, 1.0) if lowest == 0.0 else st.just(1.0)
        on_boundary = st.builds(
            lambda more: {**instance, "multiplier": lowest + more},
            st.one_of(st.just(0.0), numbers().map(abs)),
        )
        inside = st.builds(
            lambda length: {**instance, "length": length, "multiplier": lowest}, interior
        )
        return st.one_of(on_boundary, inside)

    trial_lengths = st.one_of(st.just(1.0), st.floats(0.0, 1.0))
    return _stationary_instances(
        st.just(0.0),
        st.just(1.0),
        **{
            "trial tangents": _trials,
            "trial length": lambda n: trial_lengths,
            "residual": lambda n: st.just([0.0] * n),
        },
    ).flatmap(complete)


def _lemma_1_instance(
    eigenvalues: list[float],
    multiplier: float,
    tangents: list[float],
    length: float = 1.0,
    residual: float = 0.0,
    trial: float = 1.0,
) -> Instance:
    n = len(eigenvalues)
    return _point(
        eigenvalues,
        multiplier,
        tangents,
        length,
        **{
            "trial tangents": [0.0] * (n - 1),
            "trial length": trial,
            "residual": [residual] + [0.0] * (n - 1),
        },
    )


def _lemma_1() -> Claim:
    printed = Form(
        "s is a global minimiser over the unit ball iff ||s|| <= 1 and there is a lambda >= 0 "
        "with (H + lambda I)s + g = 0, lambda (1 - ||s||^2) = 0, H + lambda I >= 0",
        r"s \in \arg\min_{\|z\| \le 1} f \iff \exists \lambda \ge 0:\, (H+\lambda I)s + g = 0,\,"
        r"\lambda(1-\|s\|^2) = 0,\, H + \lambda I \succeq 0",
        (
            _FEASIBLE,
            Condition(
                "lambda >= 0",
                r"\lambda \ge 0",
                lambda i: bool(i["multiplier"] >= 0),
                Dropped(
                    (_lemma_1_instance([2.0], -1.0, [], trial=0.0),),
                    note="A convex problem whose minimiser lies inside.",
                ),
            ),
            _stationary(Dropped((_lemma_1_instance([1.0], 0.0, [], 0.0, 1.0),))),
            _complementary(
                Dropped(
                    (_lemma_1_instance([0.0], 1.0, [], 0.5),),
                    note="A larger step would go on downhill.",
                )
            ),
            Condition(
                "H + lambda I >= 0",
                r"H + \lambda I \succeq 0",
                lambda i: bool(Fraction(min(i["eigenvalues"])) + Fraction(i["multiplier"]) >= 0),
                Dropped(
                    (_lemma_1_instance([-2.0, 0.0], 1.0, [0.0]),),
                    note="A stationary point of the sphere that is not global.",
                ),
            ),
        ),
        _lemma_1_strategy,
        _lemma_1_margins,
        edges=lambda: (
            _lemma_1_instance([-1.0], 1.0, []),
            _lemma_1_instance([-1.0, -1.0], 1.0, [1.0]),
            _lemma_1_instance([0.0], 0.0, []),
            _lemma_1_instance([-1.0, 1.0], 1.0, [0.0]),
            _lemma_1_instance([0.0, 1.0], 0.0, [1.0], 0.5),
        ),
    )
    return Claim(
        "efficient-tr/lemma-1",
        "the conditions of the global minimum",
        PAPER,
        "Lemma 1, eq. 4",
        Verdict.HOLDS,
        printed,
        notes="Both directions: points built to satisfy the conditions are compared with trial "
        "points, with the minimum over all critical points of the disc (a quartic, no "
        "multipliers), and with the oracle that the other claims use.",
        proof="q(p) - q(s) = (p-s)'(H + lambda I)(p-s)/2 + lambda (||s||^2 - ||p||^2)/2.",
    )


# --- Proposition 1 ------------------------------------------------------------------


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

    return st.integers(1, 4).flatmap(of_dimension)


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
    )


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
        proof="By Lemma 1 the minimisers are -(H + lambda I)^+ g plus any part in the kernel of "
        "H + lambda I that keeps the norm feasible (equal to 1 where lambda > 0).",
    )


# --- the remark after Proposition 1 -------------------------------------------------


def _is_global(instance: Instance) -> Margins:
    gradient = _gradient(instance)
    optimum = solve_in_eigenbasis(instance["eigenvalues"], gradient)
    excess = real(_value(instance, _step(instance))) - optimum.value
    return {"global": in_roundings(-abs(excess), _size(instance), EXACT)}


def _minimiser_on_sphere(instance: Instance) -> bool:
    optimum = solve_in_eigenbasis(instance["eigenvalues"], _gradient(instance))
    return optimum.on_boundary


_CONVEX = Condition(
    "convex",
    r"\lambda_1 \ge 0",
    lambda i: bool(min(i["eigenvalues"]) >= 0),
    Dropped(
        (_point([-2.0, 0.0], 1.0, [0.0]),),
        note="With lambda1 < 0 even a multiplier >= 0 does not make a stationary point global.",
    ),
)


def _on_sphere_strategy() -> SearchStrategy[Instance]:
    return _stationary_instances(numbers(), st.just(1.0))


def _convex_strategy() -> SearchStrategy[Instance]:
    def fold(instance: Instance) -> Instance:
        return {**instance, "eigenvalues": sorted(abs(h) for h in instance["eigenvalues"])}

    return _on_sphere_strategy().map(fold)


def _convex_remark() -> Claim:
    solution = Condition("solution on the sphere", r"\|s\| = 1", _minimiser_on_sphere)
    connected = Condition("n >= 2", r"n \ge 2", lambda i: len(i["eigenvalues"]) >= 2)
    printed = Form(
        "when lambda1 >= 0 and the solution has norm 1, no stationary point of the problem on "
        "the sphere is suboptimal: 'the subproblem is strongly convex, we don't need to worry'",
        r"\lambda_1 \ge 0,\ \operatorname{grad} f(z) = 0,\ \|z\| = 1 \implies f(z) = \min f",
        (_ON_SPHERE, connected, Condition(_CONVEX.name, _CONVEX.text, _CONVEX.holds), solution),
        _convex_strategy,
        _is_global,
        edges=lambda: (_point([1.0, 2.0], 1.0, [0.0]),),
    )
    amended = Form(
        "when lambda1 >= 0, every point of the sphere that is stationary with a multiplier "
        "lambda >= 0, as the ball's own conditions require, is a global minimiser",
        r"\lambda_1 \ge 0,\ (H + \lambda I)z + g = 0,\ \lambda \ge 0,\ \|z\| = 1 "
        r"\implies f(z) = \min f",
        (
            _ON_SPHERE,
            connected,
            _CONVEX,
            Condition(
                "lambda >= 0",
                r"\lambda \ge 0",
                lambda i: bool(i["multiplier"] >= 0),
                Dropped(
                    (_point([0.0, 0.0], -1.0, [0.0]), _point([0.0, 10.0], -0.125, [0.0])),
                    note="The second is a local minimiser on the circle that is not global, so a "
                    "descent on the sphere can be drawn to it.",
                ),
            ),
        ),
        _convex_strategy,
        _is_global,
        edges=lambda: (_point([1.0, 2.0], 1.0, [0.0]), _point([0.0, 2.0], 0.0, [1.0])),
    )
    return Claim(
        "efficient-tr/convex-remark",
        "for lambda1 >= 0 one need not worry about suboptimal points",
        PAPER,
        "remark after Proposition 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="On the sphere the restriction of a convex function is not convex: it has a maximum, "
        "and may have a local minimiser with a multiplier in (-lambda2, -lambda1) that is not "
        "global: H = diag(0, 10), g = (1/8, 0), z = (1, 0). With lambda1 = 0 it is not strongly "
        "convex either. From the paper's start, with steps short enough to keep signs, the "
        "iterates cannot reach such a point (see algorithm-2-global).",
        proof="For lambda1 >= 0 and lambda >= 0 the Hessian condition of Lemma 1 holds by itself.",
    )


# --- Lemma 2 ------------------------------------------------------------------------


def _lemma_2_strategy() -> SearchStrategy[Instance]:
    def complete(instance: Instance) -> SearchStrategy[Instance]:
        lowest = instance["eigenvalues"][0]
        near = st.builds(
            lambda more: {**instance, "multiplier": more - lowest},
            st.one_of(numbers(), numbers(1.0)),
        )
        inside = st.builds(
            lambda length: {**instance, "length": length, "multiplier": 0.0}, st.floats(0.0, 1.0)
        )
        return st.one_of(near, near, st.just(instance), inside)

    return _on_sphere_strategy().flatmap(complete)


def _lemma_2_conditions() -> tuple[Condition, ...]:
    return (
        _FEASIBLE,
        _complementary(),
        _stationary(),
        negative_curvature(
            Dropped(
                (_point([2.0], -1.0, []),),
                note="A point of the sphere with a negative multiplier: the minimiser is inside.",
            )
        ),
        Condition(
            "easy case",
            r"g^{(1)} \ne 0",
            lambda i: _gradient(i)[0] != 0,
            Dropped((_point([-2.0, 0.0], 1.0, [1.0]),), note="Stationary with s1 = 0."),
        ),
        Condition(
            "sign",
            r"s^{(1)} g^{(1)} \le 0",
            lambda i: _step(i)[0] * _gradient(i)[0] <= 0,
            Dropped((_point([-2.0, 0.0], 1.0, [0.0]),), note="The local non-global minimiser."),
        ),
    )


def _lemma_2() -> Claim:
    printed = Form(
        "when g1 != 0 and lambda1 < 0, a stationary point s with s1 g1 <= 0 is the global minimum "
        "(stationary in the ball, or on the sphere with a multiplier of any sign)",
        r"g^{(1)} \ne 0,\ \lambda_1 < 0,\ (H+\lambda I)s + g = 0,\ s^{(1)} g^{(1)} \le 0 "
        r"\implies f(s) = \min f",
        _lemma_2_conditions(),
        _lemma_2_strategy,
        _is_global,
        edges=lambda: (
            _point([-1.0], 2.0, []),
            _point([-1.0, -1.0], 2.0, [1.0]),
            _point([-1.0, 1.0], 1.0 + 2.0**-40, [0.0]),
        ),
        effort=120,
    )
    return Claim(
        "efficient-tr/lemma-2",
        "a stationary point with s1 g1 <= 0 is global",
        PAPER,
        "Lemma 2",
        Verdict.HOLDS,
        printed,
        notes="It holds for a repeated lambda1 too, with g1 the component along any of its unit "
        "eigenvectors, and on the sphere without asking lambda >= 0 beforehand.",
        proof="(lambda1 + lambda) s1 g1 = -g1^2 < 0, so s1 g1 < 0 and lambda > -lambda1 > 0: all "
        "of Lemma 1, strictly, so s is the only minimiser.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of Section 3.1."""
    return (_change_of_variable(), _lemma_1(), _proposition_1(), _convex_remark(), _lemma_2())
