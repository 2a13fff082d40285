"""The section of one claim: what is stated, what was found, and why it is so."""

from __future__ import annotations

from typing import Any

from theory_checks.page.evidence import (
    FormView,
    bound,
    broken_algorithms,
    counterexample,
    dropped,
    worst,
)
from theory_checks.page.figures import figures_block
from theory_checks.page.formulas import formula, hypothesis_text
from theory_checks.page.markup import Child, Markup, element, joined, words
from theory_checks.page.numbers import count, number
from theory_checks.page.tables import Column, body, table
from theory_checks.page.terms import ours_badge, verdict_badge

__all__ = ["claim_section"]


def _status(view: FormView) -> Markup:
    found = view.evidence
    if found is None:
        return element("span", "not examined", class_="status soft")
    if found["violated"]:
        return element("span", "violated", class_="status bad")
    return element("span", "no violation found", class_="status good")


def _stated(view: FormView) -> Markup:
    tex = view.form["tex"]
    violated = view.evidence is not None and view.evidence["violated"]
    source = element("details", element("summary", "TeX"), element("code", tex), class_="source")
    return element(
        "div",
        element("h4", words(f"As {view.name}", _status(view))),
        element("p", view.form["statement"]),
        element("div", formula(tex, display=True), class_="formula"),
        source,
        class_="stated violated" if violated else "stated",
    )


def _without(view: FormView, hypothesis: dict[str, Any]) -> Markup | None:
    """What happens to a form without one of its hypotheses; None where nothing is known."""
    outcomes = [] if view.evidence is None else view.evidence["dropped"]
    said: Child = [dropped(o) for o in outcomes if o["hypothesis"] == hypothesis["name"]]
    note = hypothesis["note"]
    if said:
        return words(joined(said), note)
    return joined("Kept: ", note) if note else None


def _hypothesis_row(views: list[FormView], key: tuple[str, str], labelled: bool) -> list[Child]:
    name, text = key
    named = [
        (view, hypothesis)
        for view in views
        for hypothesis in view.form["hypotheses"]
        if (hypothesis["name"], hypothesis["text"]) == key
    ]
    told = [(view, said) for view, h in named if (said := _without(view, h)) is not None]
    if len({said for _, said in told}) > 1:
        without = joined(
            [element("p", element("b", f"{view.name}: "), said) for view, said in told]
        )
    elif told:
        without = element("div", told[0][1])
    else:
        without = element("span", "Not dropped.", class_="soft")
    cells: list[Child] = [
        joined(name, element("span", hypothesis_text(text), class_="meaning")),
        without,
    ]
    if labelled:
        cells.insert(1, " and ".join(view.name for view, _ in named))
    return cells


def _hypotheses(views: list[FormView]) -> Markup | None:
    """Return one table for all forms: the same hypothesis is listed once."""
    keys = dict.fromkeys(
        (hypothesis["name"], hypothesis["text"])
        for view in views
        for hypothesis in view.form["hypotheses"]
    )
    if not keys:
        return None
    labelled = len(views) > 1
    columns = [Column("Hypothesis"), Column("Without it")]
    if labelled:
        columns.insert(1, Column("In the form"))
    rows = [_hypothesis_row(views, key, labelled) for key in keys]
    caption = element("h4", "Hypotheses, dropped one at a time")
    shown = table(caption, columns, body(columns, rows))
    return element("div", shown, class_="block hypotheses")


def _paragraph(heading: str, text: str) -> Markup | None:
    if not text:
        return None
    return element("div", element("h4", heading), element("p", text), class_="block prose")


def _evidence_line(claim: dict[str, Any], views: list[FormView], seed: int) -> Markup | None:
    parts = []
    for view in views:
        found = view.evidence
        if found is not None:
            parts.append(
                joined(
                    element("b", view.name),
                    ": ",
                    count(found["instances"]),
                    " decided, ",
                    count(found["screened"]),
                    " screened, ",
                    count(found["withdrawn"]),
                    " withdrawn, ",
                    *((count(found["unfinished"]), " broken off, ") if found["unfinished"] else ()),
                    number(found["seconds"], 2),
                    " s",
                )
            )
    if not parts:
        return None
    shown = [joined("; " if i else None, part) for i, part in enumerate(parts)]
    tail = joined(". Seed ", count(seed), "; ", number(claim["seconds"], 2), " s in all.")
    return element("p", "Instances, ", shown, tail, class_="evidence")


def _heading(claim: dict[str, Any], anchor: str) -> Markup:
    changed = None
    if claim["changed"]:
        text = f"recorded: {claim['recorded']}"
        changed = element("span", text, class_="flag")
    return element(
        "header",
        element("p", words(claim["place"], element("code", claim["id"])), class_="place"),
        element("h3", claim["title"], id=f"title-{anchor}"),
        element(
            "p",
            words(verdict_badge(claim["verdict"]), ours_badge(claim), changed),
            class_="badges",
        ),
    )


def claim_section(claim: dict[str, Any], anchor: str, document: dict[str, Any]) -> Markup:
    """Return the section of a claim.

    Parameters
    ----------
    claim : dict
        Its part of the document.
    anchor : str
        The section's id.
    document : dict
        The whole, for the seed and the modules of the run.
    """
    modules = tuple(document["modules"])
    views = [FormView(claim["id"], name, form, modules) for name, form in claim["forms"].items()]
    return element(
        "section",
        _heading(claim, anchor),
        _paragraph("Beyond the paper", claim["ours"]),
        _paragraph("Why it is not testable", claim["untestable"]),
        element("div", [_stated(view) for view in views], class_="forms"),
        [counterexample(view) for view in views],
        _paragraph("What was found", claim["notes"]),
        _paragraph("Proof", claim["proof"]),
        _hypotheses(views),
        [bound(view) for view in views],
        [worst(view) for view in views],
        broken_algorithms(views),
        figures_block(claim["figures"]),
        _evidence_line(claim, views, document["seed"]),
        element("p", element("a", "Back to the table", href="#ledger"), class_="back"),
        id=anchor,
        class_="claim",
        aria_labelledby=f"title-{anchor}",
    )
