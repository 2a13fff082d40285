import json
import re

import pytest

from theory_checks.claim import Level, Verdict
from theory_checks.experiments import EXPERIMENTS
from theory_checks.ledger import examine
from theory_checks.replay import kept

SLICE = {
    "change-of-variable",
    "lemma-1",
    "proposition-1",
    "convex-remark",
    "lemma-2",
    "theorem-3",
    "lemma-4",
    "theorem-5",
    "lemma-6",
    "eq-10",
    "theorem-7",
    "theorem-8",
    "riemannian-hessian",
    "hessian-vector-difference",
    "srelu",
    "section-4-1",
}


def test_every_statement_of_the_sphere_descent_paper_has_a_claim(claims):
    assert {f"efficient-tr/{name}" for name in SLICE} <= set(claims)
    assert {"certificate/gap", "certificate/gauss-radau"} <= set(claims)


def test_claims_are_well_formed(claims):
    for name, claim in claims.items():
        assert re.fullmatch(r"[a-z-]+/[a-z0-9-]+", name)
        assert claim.title
        assert claim.place
        assert claim.notes
        assert (claim.verdict is Verdict.NEEDS) == (claim.amended is not None)
        assert claim.verdict is not Verdict.MEASURED or claim.measure is not None
        for form in claim.forms().values():
            names = [condition.name for condition in form.hypotheses]
            assert len(names) == len(set(names))


def test_instances_are_json_and_edge_cases_are_admitted_somewhere(claims):
    for claim in claims.values():
        for form in claim.forms().values():
            edges = list(form.edges())
            assert all(json.loads(json.dumps(edge)) == edge for edge in edges)
            assert not edges or any(form.admits(edge) for edge in edges)


def test_every_verdict_is_the_recorded_one_at_the_quick_level(claims):
    records = list(kept())
    changed = {}
    for claim in claims.values():
        entry = examine(claim, Level.QUICK, 0, records)
        if entry.changed:
            changed[claim.id] = entry.verdict.word
    assert changed == {}


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_an_experiment_draws_its_figure(name, tmp_path):
    headings, lines = EXPERIMENTS[name](Level.QUICK, 0, tmp_path / "figures")
    assert all(len(line) == len(headings) for line in lines)
    (picture,) = (tmp_path / "figures").glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "figures").glob("*.csv"))
