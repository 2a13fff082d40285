"""The ledger as it stands: every statement has its claim, and each claim is worth something."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from theory_checks.claim import Level, Verdict
from theory_checks.experiments import EXPERIMENTS
from theory_checks.ledger import examine
from theory_checks.registry import all_claims
from theory_checks.replay import kept
from theory_checks.shrink import leaves

CLAIMS = all_claims()
ROOT = Path(__file__).parents[2]

#: The numbered statements of the three papers.
STATEMENTS = {
    "adaptive-norms": (
        "eq-2", "eq-3", "lemma-1", "corollary-1", "proposition-1", "proposition-2", "definition-1",
        "lemma-2", "adagrad-not-equivalent", "assumption-1", "assumption-2", "theorem-1",
        "figure-d2",
    ),
    "curveball": (
        "eq-6-9", "eq-10-12", "eq-15-17", "interleaving", "hessian-free", "eq-18", "eq-25",
        "lambda-rule", "theorem-a1", "corollary-a1-1", "eq-36-41", "section-a2-1", "theorem-a2",
        "theorem-a2-convex", "lissa",
    ),
    "efficient-tr": (
        "change-of-variable", "lemma-1", "proposition-1", "lemma-2", "theorem-3", "lemma-4",
        "theorem-5", "lemma-6", "eq-10", "theorem-7", "theorem-8", "riemannian-hessian",
        "hessian-vector-difference", "srelu", "section-4-1",
    ),
}  # fmt: skip

#: What is known beyond the papers.
BEYOND = (
    "curveball/optimal-parameters", "curveball/automatic-first-steps", "curveball/pep-certificate",
    "krylov/linear-rate", "krylov/sublinear-rate", "krylov/solver-rates", "certificate/gap",
    "certificate/curvature-probability", "adaptive-norms/proposition-2-gaussian",
    "adaptive-norms/proposition-1-expected-share", "adaptive-norms/share-concentration",
    "adaptive-norms/share-estimator",
)  # fmt: skip

#: Counterexamples in more than three numbers a vector: a triangle of order 3, by rows.
PACKED = {"factor"}

every_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)


@pytest.mark.parametrize("paper", STATEMENTS)
def test_every_statement_of_a_paper_has_a_claim(paper):
    assert {f"{paper}/{name}" for name in STATEMENTS[paper]} <= set(CLAIMS)


def test_what_goes_beyond_the_papers_is_there_too():
    assert set(BEYOND) <= set(CLAIMS)
    ours = [claim for claim in CLAIMS.values() if claim.ours]
    assert len(ours) >= 12


@every_claim
def test_a_claim_is_well_formed(claim):
    assert re.fullmatch(r"[a-z-]+/[a-z0-9-]+", claim.id)
    assert claim.title
    assert claim.place
    assert claim.notes
    assert (claim.verdict is Verdict.NEEDS) == (claim.amended is not None)
    assert claim.verdict is not Verdict.MEASURED or claim.measure is not None
    assert (claim.verdict is Verdict.NOT_TESTABLE) == bool(claim.untestable)
    for form in claim.forms().values():
        names = [condition.name for condition in form.hypotheses]
        assert len(names) == len(set(names))
        # A backslash that was read as an escape leaves a tab behind, or worse.
        texts = [form.statement, form.tex, *(h.text for h in form.hypotheses)]
        assert all(text.isprintable() for text in texts)


@every_claim
def test_every_hypothesis_of_the_true_form_is_dropped_or_said_why_not(claim):
    left = [h.name for h in claim.proven.hypotheses if h.dropped is None and not h.kept]
    assert left == []


@every_claim
def test_what_is_ours_has_its_proof_in_the_documentation(claim):
    if claim.ours:
        assert claim.proof
        for page in re.findall(r"docs/[a-z0-9-]+\.md", claim.proof):
            assert (ROOT / page).is_file(), page


@every_claim
def test_instances_are_json_and_edge_cases_are_admitted_somewhere(claim):
    for form in claim.forms().values():
        edges = list(form.edges())
        assert all(json.loads(json.dumps(edge)) == edge for edge in edges)
        assert not edges or any(form.admits(edge) for edge in edges)


@every_claim
def test_the_verdict_is_the_recorded_one_at_the_quick_level(claim):
    entry = examine(claim, Level.QUICK, 0, kept())
    evidence = {name: (form.dropped, form.sabotage) for name, form in entry.forms.items()}
    assert entry.verdict is claim.verdict, evidence


def _vectors(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in PACKED:
                yield from _vectors(item)
    elif isinstance(value, list):
        yield value
        for item in value:
            yield from _vectors(item)


@pytest.mark.parametrize("record", list(kept()), ids=lambda record: record.file)
def test_a_counterexample_can_be_checked_by_hand(record):
    """At most three dimensions, at most three significant digits."""
    assert all(len(vector) <= 3 for vector in _vectors(record.instance))
    for _, number in leaves(record.instance):
        digits = Decimal(repr(number)).normalize().as_tuple().digits
        assert len(digits) <= 3, number


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_an_experiment_draws_its_figure(name, tmp_path):
    headings, lines = EXPERIMENTS[name](Level.QUICK, 0, tmp_path / "figures")
    assert all(len(line) == len(headings) for line in lines)
    (picture,) = (tmp_path / "figures").glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "figures").glob("*.csv"))
