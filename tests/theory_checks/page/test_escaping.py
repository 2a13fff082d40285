"""The page of the ledger is harmless and self-contained, whatever its document holds."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.theory_checks.page.pages import Page, hostile
from theory_checks.page import formulas, page_html, write_page
from theory_checks.page.formulas import formula, hypothesis_text
from theory_checks.page.markup import element
from theory_checks.page.terms import anchors

FORBIDDEN = {"script", "link", "iframe", "img", "image", "object", "embed", "base", "form", "use"}


def assert_harmless(page):
    for e in page.elements:
        assert e["tag"] not in FORBIDDEN, e["tag"]
        for name in e["attrs"]:
            assert not name.startswith("on"), name
            assert name not in ("src", "style", "srcset", "xlink:href", "formaction"), name
    assert all(e["tag"] == "a" for e in page.elements if "href" in e["attrs"])


def test_page_holds_nothing_that_runs_or_is_fetched(page):
    assert_harmless(page)
    (style,) = page.all("style")
    assert "url(" not in style["text"]
    assert "@import" not in style["text"]
    policies = [e["attrs"].get("content") for e in page.all("meta")]
    assert any("default-src 'none'" in (policy or "") for policy in policies)


def test_links_lead_to_places_on_the_page_and_files_beside_it(page, report):
    ids = {e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]}
    targets = {e["attrs"]["href"] for e in page.all("a")}
    assert any(target.startswith("instances/") for target in targets)
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert ":" not in target
            assert (report / unquote(target)).is_file(), target


def test_every_instance_on_file_is_linked_or_of_no_interest(page, report):
    """Counterexamples and tightest instances all are; worst ones where nothing is violated."""
    linked = {unquote(e["attrs"]["href"]) for e in page.all("a")}
    for path in (report / "instances").glob("*.json"):
        if not path.name.endswith(".worst.json"):
            assert f"instances/{path.name}" in linked


def test_ids_are_unique_and_labels_exist(page):
    ids = Counter(e["attrs"]["id"] for e in page.elements if "id" in e["attrs"])
    assert set(ids.values()) == {1}
    for e in page.elements:
        if "aria-labelledby" in e["attrs"]:
            assert e["attrs"]["aria-labelledby"] in ids


def test_hostile_text_stays_text(document, page):
    """Ids, notes, names and instances with markup in them make no new kind of element."""
    attacked = Page(page_html(hostile(document)))
    assert_harmless(attacked)
    assert {e["tag"] for e in attacked.elements} <= {e["tag"] for e in page.elements} | {"q"}
    (main_part,) = attacked.all("main")
    assert "<script>alert('&quot;')</script>" in main_part["text"]
    for e in attacked.all("a"):
        assert re.match(r"#|instances/|ledger\.json$", e["attrs"]["href"])


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(x)}{x}",
        r"\class{badge}{x}",
        '\\hspace{1em" onload="alert(1)}',
        r"\frac{<img src=x onerror=alert(1)>}{2}",
        r"\unknowncommand{x}",
        "<script>alert(1)</script>",
        r"\begin{matrix} a",
        "",
    ],
)
def test_hostile_formulas_stay_text(tex):
    for made in (formula(tex), hypothesis_text(tex)):
        found = Page(made)
        assert_harmless(found)
        assert not any("class" in e["attrs"] and e["tag"] != "code" for e in found.elements)


def test_converter_is_not_trusted(monkeypatch):
    """An element that is no mathematics is left to the source, whatever the converter does."""
    root = Element("math")
    SubElement(root, "a", {"href": "javascript:alert(1)"}).text = "x"
    monkeypatch.setattr(formulas, "convert_to_element", lambda tex: root)
    assert formula("x") == '<code class="tex">x</code>'


@given(st.text(), st.text())
def test_markup_gives_back_what_was_put_in(text, value):
    """Whatever the text: it comes back as text, and ends no element and no attribute."""
    text, value = (re.sub(r"[\r\x00]", " ", s) for s in (text, value))
    (found,) = Page(element("p", text, title=value)).elements
    assert found["text"] == text
    assert found["attrs"] == {"title": value}


def test_other_schemas_are_refused(document, tmp_path):
    with pytest.raises(ValueError, match="ledger/1"):
        write_page({**document, "schema": "theory-checks/ledger/1"}, tmp_path / "index.html")


def test_anchors_are_told_apart_where_ids_look_alike():
    claims = [{"id": name} for name in ("a/b", "a.b", "a<b", "a>b", "a_b", "a_b-2")]
    found = anchors(claims)
    assert len(set(found)) == len(claims)
    assert all(re.fullmatch(r"claim-[A-Za-z0-9._-]+", name) for name in found)
