import json

import pytest

from tests.theory_checks import toys
from theory_checks.claim import Level, Verdict
from theory_checks.ledger import LEDGER_SCHEMA, examine, ledger_document
from theory_checks.replay import Record, ReplayError, kept, read, replay, write


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (toys.true_claim(), Verdict.HOLDS),
        (toys.false_claim(), Verdict.REFUTED),
        (toys.mended_claim(), Verdict.NEEDS),
        (toys.measured_claim((1.0, 3.0)), Verdict.MEASURED),
        (toys.measured_claim((5.0, 6.0)), Verdict.BROKEN),
        (toys.toothless_claim(), Verdict.TOOTHLESS),
        (
            toys.claim("toy/badly-mended", toys.form(toys.cube), toys.form(toys.cube)),
            Verdict.BROKEN,
        ),
    ],
    ids=lambda value: getattr(value, "id", None) or getattr(value, "word", None),
)
def test_verdicts_follow_from_the_evidence(claim, verdict):
    assert examine(claim).verdict is verdict


def test_a_changed_verdict_is_noticed():
    assert examine(toys.true_claim(Verdict.NEEDS)).changed
    assert not examine(toys.true_claim()).changed


def test_a_kept_counterexample_decides_even_if_the_hunt_finds_none():
    hidden = toys.claim("toy/hidden", toys.form(lambda x: -1.0 if x == 0.123456789 else 1.0))
    record = Record("toy/hidden", "printed", {"x": 0.123456789}, {"it": -1.0})
    entry = examine(hidden, records=[record])
    assert entry.verdict is Verdict.REFUTED
    assert entry.printed.kept[0].instance == {"x": 0.123456789}


def test_a_kept_counterexample_that_is_none_any_more_changes_the_verdict():
    record = Record("toy/true", "printed", {"x": 1.0}, {"it": -1.0})
    assert examine(toys.true_claim(), records=[record]).verdict is Verdict.TOOTHLESS


def test_a_claim_gives_the_same_evidence_alone_and_among_others():
    first = examine(toys.true_claim(), seed=5)
    examine(toys.false_claim(), seed=5)
    assert examine(toys.true_claim(), seed=5).printed.hunt.worst == first.printed.hunt.worst


def test_the_ledger_is_a_json_object_with_what_it_promises():
    entries = [examine(toy) for toy in toys.all_toys().values()]
    document = ledger_document(entries, Level.QUICK, 0)
    parsed = json.loads(json.dumps(document, allow_nan=False))
    assert parsed["schema"] == LEDGER_SCHEMA
    assert [c["id"] for c in parsed["claims"]] == list(toys.all_toys())
    for line in parsed["claims"]:
        assert {"id", "verdict", "printed", "amended", "evidence"} <= set(line)
    mended = parsed["claims"][2]
    assert mended["amended"] == "a statement"
    assert mended["evidence"]["printed"]["violated"]
    assert mended["evidence"]["printed"]["counterexample"]["margin"] < 0
    assert not mended["evidence"]["amended"]["violated"]
    assert parsed["claims"][3]["evidence"]["figures"][0]["value"] == 2.0


@pytest.mark.parametrize("x", [0.1, 1e-310, -1 / 3, 5e-324, 1.7976931348623157e308])
def test_floats_survive_a_file_bit_by_bit(tmp_path, x):
    path = tmp_path / "counterexample.json"
    written = Record("toy/false", "printed", {"x": x}, {"it": -x, "other": float("-inf")}, "why")
    write(written, path)
    assert read(path) == written


def test_a_replay_evaluates_anew():
    claims = {toy.id: toy for toy in (toys.false_claim(), toys.mended_claim())}
    outcome = replay(Record("toy/false", "printed", {"x": 11.0}, {"it": -1.0}), claims)
    assert outcome.violated
    assert outcome.as_recorded
    outcome = replay(Record("toy/false", "printed", {"x": 9.0}, {"it": -1.0}), claims)
    assert not outcome.violated
    assert not outcome.as_recorded
    outcome = replay(Record("toy/mended", "amended", {"x": -1.0}, {"it": -1.0}), claims)
    assert outcome.broken == ("positive",)
    assert not outcome.violated


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"schema": "something else"}',
        '{"schema": "theory-checks/counterexample/1", "claim": "toy/true"}',
        '{"schema": "theory-checks/counterexample/1", "claim": "toy/true", "form": "printed",'
        ' "instance": {"x": 1}, "margins": {"it": "many"}}',
    ],
)
def test_a_file_that_is_no_counterexample_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReplayError):
        read(path)


@pytest.mark.parametrize(
    "record",
    [
        Record("toy/unknown", "printed", {"x": 1.0}, {"it": 1.0}),
        Record("toy/true", "amended", {"x": 1.0}, {"it": 1.0}),
        Record("toy/true", "printed", {"y": 1.0}, {"it": 1.0}),
    ],
)
def test_a_replay_of_what_is_not_known_is_an_error(record):
    with pytest.raises(ReplayError):
        replay(record, toys.all_toys())


def test_the_kept_counterexamples_violate_their_claims(claims):
    records = list(kept())
    assert records
    for record in records:
        outcome = replay(record, claims)
        assert outcome.violated, record
        assert outcome.as_recorded
        assert record.note


def test_every_claim_that_is_false_as_printed_keeps_a_counterexample(claims):
    false = {c.id for c in claims.values() if c.verdict in (Verdict.NEEDS, Verdict.REFUTED)}
    assert {record.claim for record in kept()} == false
