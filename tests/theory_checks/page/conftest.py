"""A report of claims of every verdict, its ledger and its page."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tests.theory_checks import toys
from tests.theory_checks.page.pages import Page
from theory_checks.claim import Figure
from theory_checks.claims import every_claim
from theory_checks.cli import main

REAL = ("efficient-tr/lemma-4", "adaptive-norms/eq-3", "curveball/eq-6-9")


def figures(level, seed):
    return (
        Figure("exponent, first", 2.0, 1.5, 2.5, (1.0, 3.0), "3", (1.0, math.inf)),
        Figure("exponent, second", 1e5, 1e4, 1e6, (0.0, 1.0), "", (1e-3, 2.0)),
        Figure("a share, exact", 0.25, 0.25, 0.25),
        Figure("no number", math.nan, math.nan, math.nan, None, "", (0.0, 1.0)),
    )


def measured():
    return toys.claim("toy/figures", toys.form(toys.square), measure=figures)


def bounded():
    bound = toys.form(toys.square, bound=lambda i: (-abs(i["x"]), 10.0 + abs(i["x"])))
    return toys.claim("toy/bound", bound, ours="the <b>constant</b> & its proof")


def examined():
    """Claims of every verdict: three of the papers' and toys."""
    made = (
        toys.true_claim(),
        toys.false_claim(),
        toys.mended_claim(),
        toys.toothless_claim(),
        toys.sabotaged_claim(),
        toys.sabotaged_claim(noticed=False),
        toys.untestable_claim(),
        measured(),
        bounded(),
    )
    # Two of the toys have the same id.
    unlike = [replace(claim, id=f"{claim.id}/{k}") for k, claim in enumerate(made)]
    real = [claim for claim in every_claim() if claim.id in REAL]
    return {claim.id: claim for claim in (*real, *unlike)}


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """A report as the command writes it, with its journal beside it."""
    folder = tmp_path_factory.mktemp("report")
    arguments = ["verify", "--report", str(folder), "--journal", str(folder / "journal")]
    assert main(arguments, claims=examined()) == 1
    return folder


@pytest.fixture(scope="session")
def document(report):
    return json.loads((report / "ledger.json").read_text())


@pytest.fixture(scope="session")
def page(report):
    return Page((report / "index.html").read_text())
