"""The whole page, from the document of the ledger and from nothing else."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from theory_checks.document import LEDGER_SCHEMA
from theory_checks.page.claims import claim_section
from theory_checks.page.markup import Markup, element, joined
from theory_checks.page.overview import (
    ledger_table,
    outcome,
    papers,
    run_facts,
    tally,
    terms_section,
)
from theory_checks.page.terms import anchors

__all__ = ["page_html", "write_page"]

_TITLE = "Ledger of claims"

#: Nothing may be run or fetched, even if something slipped through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _head() -> Markup:
    style = resources.files("theory_checks.page").joinpath("ledger.css").read_text("utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", _TITLE),
        # The style is ours; escaped, its child combinators would not be CSS.
        element("style", Markup(style)),
    )


def _header(document: dict[str, Any]) -> Markup:
    count = len(document["claims"])
    sources = len(papers(document))
    lead = (
        f"{count} statement{'' if count == 1 else 's'} from {sources} "
        f"source{'' if sources == 1 else 's'}, each hunted for counterexamples as printed and, "
        "where it fails, in the form that holds."
    )
    return element(
        "header",
        element("p", "theory-checks", class_="name"),
        element("h1", _TITLE),
        element("p", lead, class_="lead"),
        tally(document),
        outcome(document),
        run_facts(document),
        class_="top",
    )


def _papers(document: dict[str, Any]) -> list[Markup]:
    claims = document["claims"]
    lines = list(zip(anchors(claims), claims, strict=True))
    sections = []
    for index, paper in enumerate(papers(document), start=1):
        name = f"source-{index}"
        shown = [claim_section(c, a, document) for a, c in lines if c["paper"] == paper]
        sections.append(
            element(
                "section",
                element("h2", paper, id=name),
                shown,
                aria_labelledby=name,
                class_="paper",
            )
        )
    return sections


def _contents(document: dict[str, Any]) -> Markup:
    links = [("#ledger", "The ledger"), ("#terms", "How to read it")]
    links += [(f"#source-{i}", paper) for i, paper in enumerate(papers(document), start=1)]
    items = [element("li", element("a", text, href=target)) for target, text in links]
    return element("nav", element("ul", items), aria_label="Contents", class_="contents")


def page_html(document: dict[str, Any]) -> str:
    """Return the page of a ledger document.

    Parameters
    ----------
    document : dict
        As `schemas/ledger-2.schema.json` has it; every string in it is escaped.

    Raises
    ------
    ValueError
        When the document is of another schema.
    """
    if document.get("schema") != LEDGER_SCHEMA:
        raise ValueError(f"schema {document.get('schema')!r} is not {LEDGER_SCHEMA!r}")
    footer = element(
        "footer",
        element(
            "p",
            "Made from ",
            element("a", "ledger.json", href="ledger.json"),
            f" (schema {LEDGER_SCHEMA}), which has every number of this page in full.",
        ),
    )
    body = element(
        "body",
        element("a", "Skip to the ledger", href="#ledger", class_="skip"),
        _header(document),
        _contents(document),
        element("main", ledger_table(document), terms_section(document), _papers(document)),
        footer,
    )
    return joined(Markup("<!doctype html>\n"), element("html", _head(), body, lang="en"), "\n")


def write_page(document: dict[str, Any], path: Path) -> None:
    """Write the page of a ledger document.

    Parameters
    ----------
    document : dict
        As `schemas/ledger-2.schema.json` has it.
    path : Path
        The file. Its links to instances are right where ``instances`` lies beside it.

    Raises
    ------
    ValueError
        When the document is of another schema.
    """
    path.write_text(page_html(document), encoding="utf-8")
