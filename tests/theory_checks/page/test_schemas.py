"""Ledgers, instances and journals fit their schemas, and damaged ones do not."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

import jsonschema
import pytest

from tests.theory_checks.page.pages import schema
from theory_checks.claim import Answer, Level, Verdict
from theory_checks.replay import KINDS

SCHEMAS = ("ledger-2", "instance-2", "journal-1")


def validator(name):
    return jsonschema.Draft202012Validator(schema(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_and_say_what_everything_is(name):
    text = schema(name)
    jsonschema.Draft202012Validator.check_schema(text)
    assert text["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for path, field in fields(text):
        assert "description" in field or "$ref" in field or "const" in field, path


def fields(node, path=""):
    for name, field in node.get("properties", {}).items():
        if "if" not in path:
            yield f"{path}/{name}", field
        yield from fields(field, f"{path}/{name}")
    for name, field in node.get("$defs", {}).items():
        yield from fields(field, f"{path}/{name}")


def test_ledger_fits_its_schema(document):
    validator("ledger-2").validate(document)


def test_instances_fit_their_schema(report):
    kept = resources.files("theory_checks").joinpath("counterexamples").iterdir()
    texts = [path.read_text() for path in (*kept, *(report / "instances").iterdir())]
    assert len(texts) > 30
    for text in texts:
        validator("instance-2").validate(json.loads(text))


def test_journal_lines_fit_their_schema(report):
    lines = (report / "journal").read_text().splitlines()
    parts = Counter()
    for line in lines:
        found = json.loads(line[9:])
        validator("journal-1").validate(found)
        parts[found.get("cell", {}).get("part")] += 1
    assert set(parts) == {None, "hunt", "dropped", "sabotage", "figures"}


def changed_at(document, path, value):
    """A copy with one value changed, or with one added."""
    copy = json.loads(json.dumps(document))
    node = copy
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extra",), 1),
        (("level",), "endless"),
        (("seed",), -1),
        (("date",), "today"),
        (("claims", 0, "verdict"), "true"),
        (("claims", 0, "extra"), 1),
        (("claims", 0, "seconds"), "1"),
        (("claims", 0, "forms", "third"), {}),
        (("claims", 0, "forms", "printed", "evidence", "instances"), -1),
        (("claims", 0, "forms", "printed", "evidence", "worst", "margin"), "infinite"),
        (("claims", 0, "forms", "printed", "evidence", "counterexample", "margins"), {}),
    ],
)
def test_ledgers_that_are_none_are_refused(document, path, value):
    """The schema can fail: it does for each kind of damage."""
    broken = changed_at(document, path, value)
    assert not validator("ledger-2").is_valid(broken)


def test_missing_fields_are_refused(document):
    for key in document:
        assert not validator("ledger-2").is_valid({k: v for k, v in document.items() if k != key})


def test_results_in_a_journal_are_those_of_their_part(report):
    for line in (report / "journal").read_text().splitlines()[1:]:
        found = json.loads(line[9:])
        other = "figures" if found["cell"]["part"] == "hunt" else "hunt"
        found["cell"]["part"] = other
        assert not validator("journal-1").is_valid(found)


def test_schemas_know_the_words_of_the_code():
    ledger, instance = schema("ledger-2"), schema("instance-2")
    assert ledger["$defs"]["verdict"]["enum"] == [verdict.word for verdict in Verdict]
    assert ledger["properties"]["level"]["enum"] == [level.name.lower() for level in Level]
    answers = [answer.value for answer in Answer]
    assert ledger["$defs"]["figure"]["properties"]["answer"]["enum"] == [*answers, None]
    assert sorted(instance["properties"]["kind"]["enum"]) == sorted(KINDS)
