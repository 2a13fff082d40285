"""CurveBall in passes over the model: two for a step, three with automatic parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
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
    apart as apart_rows,
)
from theory_checks.claims.curveball.bulk import (
    applied_rows,
    gridded,
    inner_rows,
    smallest,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.gauss_newton import (
    Model,
    curved_rows,
    linear_instance,
    linear_models,
    linear_row,
    linear_rows,
    linearized,
    loss_gradient,
    loss_rows,
)
from theory_checks.precise import dot, real, reals

__all__ = ["claims"]


#: Delta_z from the parts of the model, its Jacobian, J_phi'z, z and lambda.
_Grouped = Callable[[Any, Any, np.ndarray, np.ndarray, float], np.ndarray]


def _grouped(parts: Any, J: Any, image: np.ndarray, z: np.ndarray, lam: float) -> np.ndarray:
    """(17): one reverse product."""
    return np.asarray(J.rmatvec(parts.loss_curvature(image) + parts.loss_gradient) + lam * z)


def _ungrouped(parts: Any, J: Any, image: np.ndarray, z: np.ndarray, lam: float) -> np.ndarray:
    """(16): two."""
    return np.asarray(J.rmatvec(parts.loss_curvature(image)) + lam * z + parts.gradient())


def _undamped(parts: Any, J: Any, image: np.ndarray, z: np.ndarray, lam: float) -> np.ndarray:
    return _grouped(parts, J, image, z, 0.0)


def _uphill(parts: Any, J: Any, image: np.ndarray, z: np.ndarray, lam: float) -> np.ndarray:
    """With -J_L."""
    return np.asarray(J.rmatvec(parts.loss_curvature(image) - parts.loss_gradient) + lam * z)


def _step_margins(instance: Instance, delta: _Grouped = _grouped) -> Margins:
    """Ungrouped (16), grouped (17), and the 2 x 2 matrix of (18), with products counted."""
    model = Model(instance)
    parts, J = linearized(model)
    z, lam = np.array(instance["v"]), float(instance["lam"])
    apart = _ungrouped(parts, J, J.matvec(z), z, lam)
    before = J.counts
    forward_z = J.matvec(z)
    grouped = delta(parts, J, forward_z, z, lam)
    step = tuple(a - b for a, b in zip(J.counts, before, strict=True))
    forward_d = J.matvec(grouped)
    automatic = tuple(a - b for a, b in zip(J.counts, before, strict=True))
    Hd = parts.loss_curvature(forward_d)
    found = [forward_z @ Hd, forward_d @ Hd, parts.loss_gradient @ forward_d]
    exact_z = reals(instance["v"])
    exact_d = [
        a + real(lam) * b + c
        for a, b, c in zip(
            model.product(exact_z),
            exact_z,
            model.reverse(loss_gradient(model.loss, model.outputs)),
            strict=True,
        )
    ]
    gradient = model.reverse(loss_gradient(model.loss, model.outputs))
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
    beta, rho = (None, None) if automatic else (1e-3, 0.5)
    lam = float(instance["lam"])
    method = tralgos.CurveBall(beta=beta, rho=rho, lam=lam, lam_rule="fixed")
    start = np.array(instance["start"])
    run = tralgos.minimize(tralgos.problems.Rosenbrock(2), start, method, gtol=0.0, maxiter=6)
    rows = [row for row in run.trace if row.iteration > 0]
    # A rejected trial costs a value and no product.
    last = {row.iteration: row for row in rows}
    counts = [(r.njev, r.njvp, r.nvjp) for _, r in sorted(last.items())][:-1]
    steps = {tuple(b - a for a, b in zip(x, y, strict=True)) for x, y in pairwise(counts)}
    # Without a step no other one follows, at the minimum or where the run overflows.
    return {"a step of a run": fact(steps <= {(0, 2 if automatic else 1, 1)})}


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    start = gridded(rng, (size, 2), -2.0, 2.0, 4)
    more = {"lam": 4.0 ** rng.integers(-1, 2, size), "automatic": rng.integers(0, 2, size)}
    return {**linear_rows(rng, size), **more, "start": start}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(16) against (17), and Delta'H Delta by one forward product against two."""
    M, z, lam = arrays["M"], arrays["v"], arrays["lam"][:, None]
    back, gradient = M.transpose(0, 2, 1), loss_rows(xp, arrays, arrays["y"])
    curved = curved_rows(xp, arrays, applied_rows(M, z))
    Hz, J = applied_rows(back, curved), applied_rows(back, gradient)
    delta = applied_rows(back, curved + gradient) + lam * z
    image = applied_rows(M, delta)
    Hd = applied_rows(back, curved_rows(xp, arrays, image))
    size = 1.0 + (xp.abs(Hz) + xp.abs(J) + xp.abs(lam * z)).sum(axis=1)
    whole = 1.0 + size * xp.abs(Hd).sum(axis=1)
    ends = inner_rows(image, curved_rows(xp, arrays, image)), inner_rows(delta, Hd)
    return smallest(xp, apart_rows(xp, Hz + lam * z + J, delta, size), apart_rows(xp, *ends, whole))


def _strategy() -> SearchStrategy[Instance]:
    more = st.fixed_dictionaries(
        {
            "lam": st.sampled_from([0.25, 1.0, 4.0]),
            "automatic": st.sampled_from([0, 1]),
            "start": st.lists(quarters(-2.0, 2.0), min_size=2, max_size=2),
        }
    )
    return st.tuples(linear_models(), more).map(lambda pair: {**pair[0], **pair[1]})


def _edges() -> Iterable[Instance]:
    run = {"lam": 1.0, "start": [-1.0, -1.0]}
    yield {**linear_instance("squared", [1.0]), **run, "automatic": 0}
    yield {**linear_instance("logistic", [1.0, -1.0]), **run, "automatic": 1}


def _margins(instance: Instance, delta: _Grouped = _grouped) -> Margins:
    return {**_step_margins(instance, delta), **_passes_of_a_run(instance)}


def _eq_15_17() -> Claim:
    printed = Form(
        "Delta_z = J_phi(H_L J_phi'z + J_L) + lambda z takes one forward and one reverse pass, and "
        "the matrix of (18) one forward pass more",
        r"\Delta_z = J_\phi(H_LJ_\phi^\top z + J_L) + \lambda z",
        (
            Condition(
                "lambda >= 0",
                r"\lambda \ge 0",
                lambda i: bool(i["lam"] >= 0),
                kept="tralgos takes no other lambda, and its products are counted",
            ),
        ),
        _strategy,
        _margins,
        screen=Screen(_drawn, _slack, linear_row),
        sabotage=(
            Sabotage("two reverse passes", lambda i: _step_margins(i, _ungrouped)),
            Sabotage("lambda z left out", lambda i: _step_margins(i, _undamped)),
            Sabotage("J_L with the wrong sign", lambda i: _step_margins(i, _uphill)),
        ),
        edges=_edges,
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
        proof="docs/theory-curveball.md, Products and the Gauss-Newton matrix: J_phi is linear.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_eq_15_17(),)
