"""CurveBall in passes over the model: two for a step, three with automatic parameters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import Claim, Form, Instance, Margins, Verdict, fact, in_roundings
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.gauss_newton import (
    Model,
    linear_instance,
    linear_models,
    linearized,
    loss_gradient,
)
from theory_checks.precise import dot, real, reals

__all__ = ["claims"]


def _step_margins(instance: Instance) -> Margins:
    """Ungrouped (16), grouped (17), and the 2 x 2 matrix of (18), with products counted."""
    model = Model(instance)
    parts, J = linearized(model)
    z, lam = np.array(instance["v"]), float(instance["lam"])
    apart = parts.gauss_newton(z) + lam * z + parts.gradient()
    before = J.counts
    forward_z = J.matvec(z)
    grouped = J.rmatvec(parts.loss_curvature(forward_z) + parts.loss_gradient) + lam * z
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
        return st.tuples(linear_models(), more).map(lambda pair: {**pair[0], **pair[1]})

    printed = Form(
        "Delta_z = J_phi(H_L J_phi'z + J_L) + lambda z takes one forward and one reverse pass, and "
        "the matrix of (18) one forward pass more",
        r"\Delta_z = J_\phi(H_LJ_\phi^\top z + J_L) + \lambda z",
        (),
        strategy,
        margins,
        edges=lambda: (
            {
                **linear_instance("squared", [1.0]),
                "lam": 1.0,
                "automatic": 0,
                "start": [-1.0, -1.0],
            },
            {
                **linear_instance("logistic", [1.0, -1.0]),
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
    return (_eq_15_17(),)
