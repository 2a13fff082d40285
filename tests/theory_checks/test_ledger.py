import dataclasses
import json

import pytest

from tests.theory_checks import toys
from theory_checks.claim import Figure, Level, Verdict
from theory_checks.document import LEDGER_SCHEMA, ledger_document, write_instances
from theory_checks.ledger import examine
from theory_checks.replay import SCHEMA, Record, ReplayError, kept, read, replay, seal, write
from theory_checks.runner import Run


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (toys.true_claim(), Verdict.HOLDS),
        (toys.false_claim(), Verdict.REFUTED),
        (toys.mended_claim(), Verdict.NEEDS),
        (toys.measured_claim((1.0, 3.0)), Verdict.MEASURED),
        (toys.measured_claim((5.0, 6.0)), Verdict.BROKEN),
        (toys.toothless_claim(), Verdict.TOOTHLESS),
        (toys.sabotaged_claim(), Verdict.HOLDS),
        (toys.sabotaged_claim(noticed=False), Verdict.TOOTHLESS),
        (toys.untestable_claim(), Verdict.NOT_TESTABLE),
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
    assert entry.forms["printed"].kept[0].instance == {"x": 0.123456789}


def test_a_kept_counterexample_that_is_none_any_more_changes_the_verdict():
    record = Record("toy/true", "printed", {"x": 1.0}, {"it": -1.0})
    assert examine(toys.true_claim(), records=[record]).verdict is Verdict.TOOTHLESS


def test_a_claim_gives_the_same_evidence_alone_and_among_others():
    first = examine(toys.true_claim(), seed=5)
    examine(toys.false_claim(), seed=5)
    again = examine(toys.true_claim(), seed=5)
    assert again.forms["printed"].hunt.worst == first.forms["printed"].hunt.worst


def test_the_ledger_is_a_json_object_with_what_it_promises():
    entries = [examine(toy) for toy in toys.all_toys().values()]
    document = ledger_document(entries, Run(Level.QUICK, 0), 1.0)
    parsed = json.loads(json.dumps(document, allow_nan=False))
    assert parsed["schema"] == LEDGER_SCHEMA
    assert {"level", "seed", "date", "versions", "seconds"} <= set(parsed)
    assert [c["id"] for c in parsed["claims"]] == list(toys.all_toys())
    mended = parsed["claims"][2]
    printed = mended["forms"]["printed"]["evidence"]
    assert printed["violated"]
    assert printed["counterexample"]["margin"] < 0
    amended = mended["forms"]["amended"]
    assert amended["statement"] == "a statement"
    assert not amended["evidence"]["violated"]
    assert amended["evidence"]["dropped"][0]["needed"]
    assert amended["evidence"]["worst"]["instance"]["x"] > 0
    assert parsed["claims"][3]["figures"][0]["value"] == 2.0


def test_what_is_not_testable_has_no_evidence():
    document = ledger_document([examine(toys.untestable_claim())], Run(Level.QUICK, 0), 1.0)
    (line,) = document["claims"]
    assert line["verdict"] == "not testable"
    assert line["untestable"]
    assert line["forms"]["printed"]["evidence"] is None


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1.9, 2.1, "consistent"),
        (1.4, 1.6, "not consistent"),
        (2.6, 2.8, "not consistent"),
        (2.4, 2.6, "can't tell"),
        (1.0, 3.0, "can't tell"),
        (float("nan"), float("nan"), "can't tell"),
    ],
)
def test_a_figure_answers_in_three_ways(low, high, answer):
    figure = Figure("a rate", (low + high) / 2, low, high, claimed=(1.75, 2.5))
    assert figure.answer.value == answer


def test_a_figure_of_which_nothing_is_claimed_answers_nothing():
    assert Figure("a rate", 2.0, 1.9, 2.1).answer is None


def test_instances_are_written_to_files_that_replay(tmp_path):
    entries = [examine(toy) for toy in toys.all_toys().values()]
    paths = write_instances(entries, tmp_path / "instances")
    assert "toy.false.printed.counterexample.json" in [path.name for path in paths]
    assert "toy.true.printed.worst.json" in [path.name for path in paths]
    for path in paths:
        assert replay(read(path), toys.all_toys()).as_recorded


@pytest.mark.parametrize("x", [0.1, 1e-310, -1 / 3, 5e-324, 1.7976931348623157e308])
def test_floats_survive_a_file_bit_by_bit(tmp_path, x):
    path = tmp_path / "counterexample.json"
    written = Record("toy/false", "printed", {"x": x}, {"it": -x, "other": float("-inf")}, "why")
    write(written, path)
    assert read(path) == dataclasses.replace(written, file=path.name)


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


def document_of(tmp_path, **changes):
    path = tmp_path / "instance.json"
    write(Record("toy/true", "printed", {"x": 1.0}, {"it": 1.0}), path)
    return {**json.loads(path.read_text(encoding="utf-8")), **changes}


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", "null", '{"schema": 2}'])
def test_a_file_that_is_no_instance_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReplayError, match=r"broken\.json"):
        read(path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "broken.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReplayError, match=r"broken\.json"):
        read(path)


def test_another_schema_is_refused_by_name(tmp_path):
    document = document_of(tmp_path, schema="theory-checks/counterexample/1")
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ReplayError, match=r"counterexample/1' is not 'theory-checks/instance/2'"):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"instance": {"x": 2.0}},
        {"margins": {"it": -1.0}},
        {"claim": "toy/false"},
        {"kind": "worst"},
        {"note": "another"},
        {"sha256": "0" * 64},
        {"sha256": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_file_that_was_tampered_with_is_refused(tmp_path, changes):
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document_of(tmp_path, **changes)), encoding="utf-8")
    with pytest.raises(ReplayError, match="changed since it was written"):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [{"margins": {"it": "many"}}, {"margins": {"it": True}}, {"instance": 3}, {"kind": "best"}],
    ids=str,
)
def test_a_sealed_file_may_still_be_no_instance(tmp_path, changes):
    document = document_of(tmp_path, **changes)
    document["sha256"] = seal(document)
    path = tmp_path / "sealed.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ReplayError, match=r"sealed\.json"):
        read(path)


def test_spaces_and_order_are_no_tampering(tmp_path):
    document = document_of(tmp_path)
    path = tmp_path / "spaced.json"
    path.write_text(json.dumps(dict(reversed(document.items())), indent=7), encoding="utf-8")
    assert read(path).claim == "toy/true"
    assert document["schema"] == SCHEMA


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
