"""The upper part of the page: what was run, what came out, and one line for each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from theory_checks.page.markup import Child, Markup, element, joined, words
from theory_checks.page.numbers import count, number
from theory_checks.page.tables import Column, body, table
from theory_checks.page.terms import (
    MEANINGS,
    anchors,
    changed_claims,
    ours_badge,
    verdict_badge,
    verdict_class,
)
from theory_checks.verdict import Verdict

__all__ = ["ledger_table", "outcome", "papers", "run_facts", "tally", "terms_section"]

_COLUMNS = (
    Column("Claim"),
    Column("Verdict"),
    Column("Margin", "the worst of the true form, in roundings", numeric=True),
    Column("Tightness", "smaller over larger side of the bound at its closest", numeric=True),
    Column("Instances", "decided and screened", numeric=True),
    Column("Hypotheses", "dropped ones that did what is recorded", numeric=True),
    Column("Broken", "broken algorithms noticed", numeric=True),
    Column("Seconds", "of the processor", numeric=True),
)


def papers(document: dict[str, Any]) -> list[str]:
    """Return the sources of the claims, in the order in which they come."""
    return list(dict.fromkeys(claim["paper"] for claim in document["claims"]))


def outcome(document: dict[str, Any]) -> Markup:
    """Return the sentence that the exit code stands for, with links to what changed."""
    claims, changed = document["claims"], changed_claims(document)
    if not changed:
        text = f"All {len(claims)} verdicts are the recorded ones."
        return element("p", element("strong", text), class_="outcome same")
    text = f"{len(changed)} of {len(claims)} verdicts changed."
    items = [
        element(
            "li",
            element("a", claim["id"], href=f"#{anchor}"),
            " is recorded as ",
            verdict_badge(claim["recorded"]),
            " and was found ",
            verdict_badge(claim["verdict"]),
        )
        for anchor, claim in changed
    ]
    return element("div", element("strong", text), element("ul", items), class_="outcome changed")


def tally(document: dict[str, Any]) -> Markup:
    """Return how often each verdict came out, as a bar and in words."""
    met = Counter(claim["verdict"] for claim in document["claims"])
    present = [verdict.word for verdict in Verdict if met[verdict.word]]
    total, left, parts = sum(met.values()), 0.0, []
    for word in present:
        width = 100.0 * met[word] / total
        style = verdict_class(word)
        parts.append(element("rect", x=f"{left:.2f}", width=f"{width:.2f}", height=4, class_=style))
        left += width
    bar = element("svg", parts, viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden="true")
    items = [element("li", element("b", count(met[w])), " ", verdict_badge(w)) for w in present]
    return element("div", bar, element("ul", items), class_="tally")


def run_facts(document: dict[str, Any]) -> Markup:
    """Return level, seed, backend, date, time and versions."""
    facts: list[tuple[str, Child]] = [
        ("level", document["level"]),
        ("seed", count(document["seed"])),
        ("bulk screening on", document["backend"]),
        ("date", element("time", document["date"], datetime=document["date"])),
        ("took", joined(number(document["seconds"], 4), " s")),
    ]
    if document["modules"]:
        facts.append(("further claims of", ", ".join(document["modules"])))
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    facts.append(("versions", versions))
    pairs = [
        element("div", element("dt", name), element("dd", value), class_="fact")
        for name, value in facts
    ]
    return element("dl", pairs, class_="facts")


def terms_section(document: dict[str, Any]) -> Markup:
    """Return the legend: every verdict with its number and meaning, and what is measured."""
    met = Counter(claim["verdict"] for claim in document["claims"])
    verdicts = [
        element(
            "div",
            element("dt", verdict_badge(verdict.word), element("b", count(met[verdict.word]))),
            element("dd", verdict.value),
            class_="term",
        )
        for verdict in Verdict
    ]
    mark = element(
        "div",
        element("dt", element("span", "ours", class_="badge ours")),
        element("dd", "something in it goes beyond the paper; its section says what"),
        class_="term",
    )
    meanings = [
        element("div", element("dt", name), element("dd", meaning), class_="term")
        for name, meaning in MEANINGS
    ]
    return element(
        "section",
        element("h2", "How to read it", id="terms"),
        element(
            "div",
            element("dl", verdicts, mark, class_="terms"),
            element("dl", meanings, class_="terms meanings"),
            class_="columns",
        ),
        aria_labelledby="terms",
    )


def _share(came_true: Sequence[bool]) -> Child:
    if not came_true:
        return _absent()
    shown = f"{sum(came_true)}/{len(came_true)}"
    return shown if all(came_true) else element("strong", shown, class_="flag")


def _absent() -> Markup:
    return element("span", "–", class_="absent")


def _row(claim: dict[str, Any], anchor: str) -> list[Child]:
    evidence = [form["evidence"] for form in claim["forms"].values()]
    found = [e for e in evidence if e is not None]
    name = joined(
        element("a", claim["id"], href=f"#{anchor}"),
        ours_badge(claim),
        element("span", words(claim["place"] + ":", claim["title"]), class_="title"),
    )
    badge = verdict_badge(claim["verdict"])
    if claim["changed"]:
        badge = words(badge, element("span", "recorded: ", claim["recorded"], class_="flag"))
    if not found:
        return [name, badge, *([_absent()] * (len(_COLUMNS) - 2))]
    worst, tightest = found[-1]["worst"], found[-1]["tightest"]
    return [
        name,
        badge,
        _absent() if worst is None else number(worst["margin"]),
        _absent() if tightest is None else number(tightest["ratio"], 4),
        count(sum(e["instances"] + e["screened"] for e in found)),
        _share([outcome["as_recorded"] for e in found for outcome in e["dropped"]]),
        _share([broken["noticed"] for e in found for broken in e["sabotage"]]),
        number(claim["seconds"], 2),
    ]


def ledger_table(document: dict[str, Any]) -> Markup:
    """Return the table of all claims by paper; each line links to the claim's section."""
    claims = document["claims"]
    lines = list(zip(anchors(claims), claims, strict=True))
    bodies = [
        body(
            _COLUMNS,
            [_row(claim, anchor) for anchor, claim in lines if claim["paper"] == paper],
            paper,
        )
        for paper in papers(document)
    ]
    caption = f"{len(claims)} claims by their source"
    return element(
        "section",
        element("h2", "The ledger", id="ledger"),
        table(caption, _COLUMNS, *bodies, class_="ledger"),
        aria_labelledby="ledger",
    )
