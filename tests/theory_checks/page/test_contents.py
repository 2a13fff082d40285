"""The page of the ledger says all that its document says, and the same numbers."""

from __future__ import annotations

import math
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.theory_checks.page.pages import Page, leaves
from theory_checks.page import page_html
from theory_checks.page.numbers import number
from theory_checks.page.terms import anchors


def sections(page, document):
    names = anchors(document["claims"])
    return [
        (claim, page.by_id(name)) for claim, name in zip(document["claims"], names, strict=True)
    ]


def test_every_claim_has_its_line_and_its_section(page, document):
    lines = {e["attrs"]["href"] for e in page.all("a") if e["parents"][-1]["tag"] == "th"}
    for claim, section in sections(page, document):
        assert f"#{section['attrs']['id']}" in lines
        text = " ".join(section["text"].split())
        said = [claim[key] for key in ("id", "title", "place", "notes", "proof", "ours")]
        for form in claim["forms"].values():
            said.append(form["statement"])
            said += [h["name"] for h in form["hypotheses"]]
            said += [h["note"] for h in form["hypotheses"]]
            said += [b["name"] for b in (form["evidence"] or {}).get("sabotage", ())]
        said += [figure["name"] for figure in claim["figures"]]
        said += [figure["paper"] for figure in claim["figures"]]
        for words in said:
            assert " ".join(words.split()) in text


def test_verdicts_are_words_and_changes_are_told(page, document):
    """No verdict by colour alone; what changed is said on top, in its line, in its section."""
    (told,) = page.all("div", class_="outcome")
    changed = [claim for claim in document["claims"] if claim["changed"]]
    assert f"{len(changed)} of {len(document['claims'])} verdicts changed" in told["text"]
    for claim, section in sections(page, document):
        badges = [e["text"] for e in page.within(section) if "badge" in e["attrs"].get("class", "")]
        assert claim["verdict"] in badges
        assert (f"recorded: {claim['recorded']}" in section["text"]) == claim["changed"]
        assert (claim["id"] in told["text"]) == claim["changed"]


def test_all_as_recorded_is_told(document):
    claims = [{**c, "changed": False, "verdict": c["recorded"]} for c in document["claims"]]
    found = Page(page_html({**document, "claims": claims}))
    (told,) = found.all("p", class_="outcome")
    assert "All" in told["text"]
    assert "recorded ones" in told["text"]


def decoded(text):
    return float(text)


def shown_value(text):
    """The number that a reader reads."""
    words = {"∞": math.inf, "−∞": -math.inf, "not a number": math.nan}
    if text in words:
        return words[text]
    mantissa, _, exponent = text.replace("−", "-").replace(",", "").partition(" × 10")
    return float(f"{mantissa}e{exponent or 0}")


def test_numbers_shown_are_those_of_the_document(page):
    """What is read differs from the value in the markup by rounding alone."""
    found = page.all("data")
    assert len(found) > 100
    for e in found:
        exact, read = decoded(e["attrs"]["value"]), shown_value(e["text"])
        assert read == pytest.approx(exact, rel=6e-2, nan_ok=True)
        assert "title" in e["attrs"] or read == exact or math.isnan(exact)


def test_each_section_has_the_numbers_of_its_claim(page, document):
    for claim, section in sections(page, document):
        found = [decoded(e["attrs"]["value"]) for e in page.within(section, "data")]
        have = {repr(x) for x in found}
        for want in numbers_of(claim):
            assert repr(float(want)) in have, (claim["id"], want)


def numbers_of(claim):
    for form in claim["forms"].values():
        evidence = form["evidence"]
        if evidence is None:
            continue
        yield from (evidence[key] for key in ("instances", "screened", "withdrawn", "seconds"))
        if evidence["counterexample"] is not None:
            yield from evidence["counterexample"]["margins"].values()
            yield from leaves(evidence["counterexample"]["instance"])
        elif evidence["worst"] is not None:
            yield evidence["worst"]["margin"]
            yield from leaves(evidence["worst"]["instance"])
        if evidence["tightest"] is not None:
            yield from (evidence["tightest"][k] for k in ("ratio", "computed", "theoretical"))
    for figure in claim["figures"]:
        yield figure["value"]
        if not figure["low"] == figure["high"] == figure["value"]:
            yield from (figure["low"], figure["high"])
        yield from figure["claimed"] or ()


@given(
    st.one_of(st.floats(-1e308, 1e308), st.sampled_from([math.inf, -math.inf])), st.integers(2, 6)
)
def test_numbers_are_rounded_and_nothing_else(value, digits):
    exact = value if math.isfinite(value) else str(value)
    (found, *_) = Page(number(exact, digits)).elements
    assert float(found["attrs"]["value"]) == value
    read = shown_value(found["text"])
    # Half a unit of the last digit.
    assert read == pytest.approx(value, rel=0.5001 * 10.0 ** (1 - digits), abs=1e-323)


def test_hypotheses_say_what_happens_without_them(page, document):
    by_id = {claim["id"]: section for claim, section in sections(page, document)}
    lemma = by_id["efficient-tr/lemma-4"]["text"]
    assert "The conclusion fails." in lemma
    idle = next(text["text"] for name, text in by_id.items() if name.startswith("toy/toothless"))
    assert "Not as recorded." in idle


def test_unnoticed_broken_algorithms_are_flagged(page, document):
    for claim, section in sections(page, document):
        flags = [e["text"] for e in page.within(section) if "flag" in e["attrs"].get("class", "")]
        broken = [
            b for f in claim["forms"].values() for b in (f["evidence"] or {}).get("sabotage", ())
        ]
        assert ("not noticed" in flags) == any(not b["noticed"] for b in broken)


def test_untestable_claims_say_why(page, document):
    (claim,) = [c for c in document["claims"] if c["untestable"]]
    section = page.by_id(anchors(document["claims"])[document["claims"].index(claim)])
    assert claim["untestable"] in section["text"]
    assert "not examined" in section["text"]


def test_replay_commands_name_the_linked_files(page, report):
    """The command on the page, run in the report's folder, evaluates the instance."""
    lines = page.all("p", class_="replay")
    assert lines
    for line in lines:
        (link,) = page.within(line, "a")
        (command,) = page.within(line, "code")
        assert command["text"].startswith("theory-checks replay ")
        assert command["text"].endswith(unquote(link["attrs"]["href"]).rsplit("/", 1)[-1])


def test_replay_commands_name_the_modules(document):
    found = page_html({**document, "modules": ["my.claims"]})
    assert "theory-checks replay --module my.claims instances/" in found
