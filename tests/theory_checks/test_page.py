"""The page of the ledger: harmless, self-contained, readable, and true to its document."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.theory_checks import toys
from theory_checks.claim import Answer, Figure, Level, Verdict
from theory_checks.claims import every_claim
from theory_checks.cli import main
from theory_checks.page import formulas, page_html, write_page
from theory_checks.page.figures import figures_block
from theory_checks.page.formulas import formula, hypothesis_text, mathml
from theory_checks.page.instances import instance_block, instance_file
from theory_checks.page.markup import element
from theory_checks.page.numbers import number
from theory_checks.page.plane import drawing
from theory_checks.page.strips import bound_bars, interval_strips
from theory_checks.page.terms import anchors
from theory_checks.replay import KINDS

REAL = ("efficient-tr/lemma-4", "adaptive-norms/eq-3", "curveball/eq-6-9")


def figures(level, seed):
    return (
        Figure("exponent, first", 2.0, 1.5, 2.5, (1.0, 3.0), "3", (1.0, math.inf)),
        Figure("exponent, second", 1e5, 1e4, 1e6, (0.0, 1.0), "", (1e-3, 2.0)),
        Figure("a share, exact", 0.25, 0.25, 0.25),
        Figure("no number", math.nan, math.nan, math.nan, None, "", (0.0, 1.0)),
    )


def measured():
    return toys.claim("toy/figures", toys.form(toys.square), measure=figures)


def bounded():
    bound = toys.form(toys.square, bound=lambda i: (-abs(i["x"]), 10.0 + abs(i["x"])))
    return toys.claim("toy/bound", bound, ours="the <b>constant</b> & its proof")


def examined():
    """Claims of every verdict: three of the papers' and toys."""
    made = (
        toys.true_claim(),
        toys.false_claim(),
        toys.mended_claim(),
        toys.toothless_claim(),
        toys.sabotaged_claim(),
        toys.sabotaged_claim(noticed=False),
        toys.untestable_claim(),
        measured(),
        bounded(),
    )
    # Two of the toys have the same id.
    unlike = [replace(claim, id=f"{claim.id}/{k}") for k, claim in enumerate(made)]
    real = [claim for claim in every_claim() if claim.id in REAL]
    return {claim.id: claim for claim in (*real, *unlike)}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report as the command writes it, with its journal beside it."""
    folder = tmp_path_factory.mktemp("report")
    arguments = ["verify", "--report", str(folder), "--journal", str(folder / "journal")]
    assert main(arguments, claims=examined()) == 1
    return folder


@pytest.fixture(scope="module")
def document(report):
    return json.loads((report / "ledger.json").read_text())


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "index.html").read_text())


VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements of a page in their order, each with its attributes, parents and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.open = []
        self.feed(text)
        self.close()
        assert not self.open, "elements that are not closed"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute given twice: {names}"
        found = {"tag": tag, "attrs": dict(attrs), "parents": tuple(self.open), "text": ""}
        self.elements.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop()["tag"] == tag, f"</{tag}> ends another element"

    def handle_data(self, data):
        for parent in self.open:
            parent["text"] += data

    def all(self, tag=None, **attrs):
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [
            e
            for e in self.elements
            if (tag is None or e["tag"] == tag)
            and all(value in (e["attrs"].get(name) or "").split() for name, value in wanted.items())
        ]

    def within(self, parent, tag=None):
        return [
            e
            for e in self.elements
            if any(p is parent for p in e["parents"]) and (tag is None or e["tag"] == tag)
        ]

    def by_id(self, name):
        (found,) = [e for e in self.elements if e["attrs"].get("id") == name]
        return found


# --- harmless and self-contained ----------------------------------------------------


HOSTILE = "<script>alert('&quot;')</script>\" onload=\"x' & <img src=http://x.y/>"


def hostile(value, keep=("schema", "date")):
    """A document with hostile text in the place of every string and in every name."""
    if isinstance(value, dict):
        return {
            key if key in STRUCTURE else key + HOSTILE: item if key in keep else hostile(item, keep)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hostile(item, keep) for item in value]
    if isinstance(value, str) and value not in ("inf", "-inf", "nan"):
        return value + HOSTILE
    return value


def names_of(schema):
    """The names of fields that a schema knows: those are no text of the document."""
    names = set(schema.get("properties", ()))
    for item in schema.values():
        if isinstance(item, dict):
            names |= names_of(item)
    for item in schema.get("$defs", {}).values():
        names |= names_of(item)
    return names


def schema(name):
    text = resources.files("theory_checks").joinpath(f"schemas/{name}.schema.json").read_text()
    return json.loads(text)


STRUCTURE = names_of(schema("ledger-2"))

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


# --- what is said -------------------------------------------------------------------


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


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


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


# --- accessible ---------------------------------------------------------------------


def test_landmarks_language_and_headings(page):
    (root,) = page.all("html")
    assert root["attrs"]["lang"] == "en"
    for landmark in ("main", "nav", "footer", "h1", "title"):
        assert len([e for e in page.all(landmark) if "svg" not in tags(e)]) == 1, landmark
    levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch(r"h[1-6]", e["tag"])]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def tags(e):
    return [parent["tag"] for parent in e["parents"]]


def test_table_headers_have_a_scope_and_tables_a_caption(page):
    tables = page.all("table")
    assert tables
    assert all(e["attrs"].get("scope") in ("col", "row", "rowgroup") for e in page.all("th"))
    for table in tables:
        (caption,) = page.within(table, "caption")
        assert caption["text"].strip()


def test_pictures_have_names(page):
    pictures = [e for e in page.all("svg") if e["attrs"].get("aria-hidden") != "true"]
    assert pictures
    for picture in pictures:
        assert picture["attrs"]["role"] == "img"
        assert page.within(picture, "title")[0]["text"].strip()


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("ground", "card", "tint")
PAIRS = [(text, ground) for text in ("ink", "soft", "link", "bad") for ground in GROUNDS]
PAIRS += [(name, f"{name}-ground") for name in ("good", "warn", "bad", "info", "calm", "mark")]
PAIRS += [("link", "bad-ground"), ("ink", "bad-ground"), ("card", "bad"), ("good", "tint")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_contrast_enough(scheme):
    """WCAG AA for text of any size: 4.5."""
    style = resources.files("theory_checks.page").joinpath("ledger.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[scheme]))
    for text, ground in PAIRS:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


# --- formulas -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "inside"),
    [
        (r"\|z_{t+1}\| \ge \|z_t\|", "<msub>"),
        (r"z'^\top J", "<mo>⊤</mo>"),
        (r"\arg\min_s f(s)", ">arg</mo>"),
        (r"J \in \mathbb R^{p \times o}", "ℝ"),
        (r"\begin{bmatrix}1\\2\end{bmatrix}^{-1}", "</mtable>"),
        (r"\tfrac12 \beta", "<mfrac>"),
        (r"\Bigl\{ a, \Bigl\lceil b \Bigr\rceil \Bigr\}", ">⌈</mo>"),
    ],
)
def test_formulas_become_mathml(tex, inside):
    made = mathml(tex)
    assert made is not None
    assert inside in made or inside.replace("mo>", "mi>") in made
    Page(made)


def test_exponent_of_a_bracket_is_that_of_all_of_it():
    made = mathml(r"\begin{bmatrix}1\\2\end{bmatrix}^{-1}")
    assert re.search(r"<msup><mrow>.*<mtable>.*</mtable>.*</mrow><mrow>", made)


def test_long_formulas_may_be_broken_outside_brackets_alone():
    assert formula(r"a = b,\quad c = d \implies e").count("<math") == 3
    assert formula(r"\{a \quad b\} \left( c \quad d \right) \text{if \quad so}").count("<math") == 1


def test_formula_that_cannot_be_converted_is_shown_as_it_is():
    made = Page(formula(r"\unknowncommand{x} < 1"))
    assert made.elements[0]["tag"] == "code"
    assert made.elements[0]["text"] == r"\unknowncommand{x} < 1"


@pytest.mark.parametrize(
    ("text", "is_math"),
    [
        (r"0 < \eta < 1/\beta", True),
        ("z_0 = -J", True),
        (r"\hat H, J \text{ fixed}", True),
        ("bound at most 400", False),
        ("there is no window", False),
    ],
)
def test_hypotheses_in_words_stay_words(text, is_math):
    assert hypothesis_text(text).startswith("<math") == is_math


def test_commands_among_words_are_converted():
    made = Page(hypothesis_text(r"the last entry is \beta^0"))
    assert made.elements[-1]["tag"] == "mn"
    assert "\\" not in hypothesis_text(r"the last entry is \beta^0")


# --- instances and pictures ---------------------------------------------------------


PLAIN = st.recursive(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-(10**9), 10**9),
        st.booleans(),
        st.text(max_size=5),
        st.sampled_from(["inf", "-inf", "nan"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=4))
def test_any_instance_is_shown_with_all_its_numbers(instance):
    found = Page(instance_block(instance, drawn=True))
    shown = Counter(repr(float(e["attrs"]["value"])) for e in found.all("data"))
    wanted = Counter(repr(float(x)) for x in leaves(instance))
    assert wanted <= shown


def test_vectors_stand_upright_and_matrices_in_rows():
    made = Page(instance_block({"v": [1.0, 2.0], "a": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}))
    upright, rows = made.all("span", class_="matrix")
    assert [len(made.within(row, "data")) for row in made.within(upright) if is_row(row)] == [1, 1]
    assert [len(made.within(row, "data")) for row in made.within(rows) if is_row(row)] == [3, 3]


def is_row(e):
    return e["attrs"].get("class") == "row"


def test_long_vectors_are_cut_and_say_so():
    made = instance_block({"v": [float(k) for k in range(100)]})
    assert "and 40 more in the file" in made


def test_instance_files_are_named_as_they_are_written(report, document):
    written = {path.name for path in (report / "instances").iterdir()}
    expected = set()
    for claim in document["claims"]:
        for name, form in claim["forms"].items():
            found = form["evidence"] or {}
            present = (found.get("counterexample"), found.get("worst"), found.get("tightest"))
            kinds = [k for k, x in zip(KINDS, present, strict=True) if x is not None]
            expected |= {instance_file(claim["id"], name, kind).split("/")[1] for kind in kinds}
    assert expected == written


NUMBERS = st.floats(-1e3, 1e3).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
VECTORS = st.lists(NUMBERS, min_size=2, max_size=2)


@given(VECTORS, VECTORS, st.sampled_from([1.0, 1e-150, 1e305]), st.sampled_from([1.0, 1e-9, 4.0]))
def test_contours_are_level_lines_in_the_ball(spectrum, slope, scale, radius):
    """Along each line drawn the quadratic is constant, up to the grid and a tenth of a pixel."""
    instance = {
        "eigenvalues": [scale / radius * x for x in spectrum],
        "gradient": [scale * x for x in slope],
        "radius": radius,
    }
    if not all(map(math.isfinite, instance["eigenvalues"])):
        return
    found = Page(drawing(instance))
    size = max(map(abs, (*spectrum, *slope)))
    paths = found.all("path")
    assert bool(paths) == (size > 0)
    for path in paths:
        points = [tuple(map(float, p.split())) for p in re.split("[ML]", path["attrs"]["d"])[1:]]
        z = np.array(points) / 96.0 * [1.0, -1.0]
        assert np.all(np.hypot(*z.T) <= 1.01)
        q = z @ np.array(slope) + z**2 @ np.array(spectrum) / 2
        assert np.ptp(q) <= 0.02 * size


def test_descent_direction_and_points_are_drawn_where_they_are():
    instance = {
        "eigenvalues": [1.0, 2.0],
        "gradient": [0.0, -0.5],
        "alpha": 0.25,
        "point": [0.5, 0.0],
    }
    found = Page(drawing(instance))
    (tip,) = found.all("polygon")
    x, y = map(float, tip["attrs"]["points"].split()[0].split(","))
    assert (x, y) == (0.0, -48.0)  # up in the picture, half the radius
    dots = [c for c in found.all("circle") if c["attrs"].get("class") != "ball"]
    places = {(float(c["attrs"]["cx"]), float(c["attrs"]["cy"])) for c in dots}
    assert places == {(48.0, 0.0), (0.0, -24.0)}


@pytest.mark.parametrize(
    "instance",
    [
        {"eigenvalues": [1.0], "gradient": [1.0]},
        {"eigenvalues": [1.0, 2.0, 3.0], "gradient": [1.0, 2.0, 3.0]},
        {"eigenvalues": [1.0, "inf"], "gradient": [1.0, 2.0]},
        {"eigenvalues": [1.0, 2.0]},
        {"J": [1.0, 1.0], "z": [0.0, 0.0]},
        {"J": [1.0, 1.0], "z": [1e-9, 0.0]},
        {"gradients": [[1.0], [2.0]]},
        {"J": "word", "z": None, "gradients": 3.0},
        {},
    ],
)
def test_what_is_not_of_the_plane_is_not_drawn(instance):
    assert drawing(instance) is None


def test_vectors_are_drawn_as_arrows_in_one_scale():
    found = Page(drawing({"gradients": [[3.0, 0.0], [0.0, 1.5]], "direction": [0.0, 0.0]}))
    tips = [
        tuple(map(float, p["attrs"]["points"].split()[0].split(","))) for p in found.all("polygon")
    ]
    assert tips == [(96.0, 0.0), (0.0, -48.0)]
    assert [t["text"] for t in found.all("text")] == ["gradient 1", "gradient 2"]


def plain_figure(value, low, high, claimed=None, name="f"):
    return {"name": name, "value": value, "low": low, "high": high, "claimed": claimed}


def test_strips_show_the_interval_where_it_is():
    """Inside, outside and across the claimed range look it; an infinite end runs to the edge."""
    inside, outside, across = interval_strips(
        [
            plain_figure(2.0, 1.5, 2.5, [1.0, 3.0], "a"),
            plain_figure(4.0, 3.5, 4.5, [1.0, 3.0], "b"),
            plain_figure(3.0, 2.5, 3.5, ["-inf", 3.0], "c"),
        ]
    )
    for strip, ends in ((inside, (True, True)), (outside, (False, False)), (across, (True, False))):
        (band,) = Page(strip).all("rect")
        (line,) = Page(strip).all("line", class_="interval")
        left = float(band["attrs"]["x"])
        right = left + float(band["attrs"]["width"])
        x1, x2 = float(line["attrs"]["x1"]), float(line["attrs"]["x2"])
        assert x1 < x2
        assert (left <= x1 <= right, left <= x2 <= right) == ends
    assert float(Page(across).all("rect")[0]["attrs"]["x"]) == 0.0


def test_exact_figure_that_is_claimed_exactly_is_in_the_middle():
    (strip,) = interval_strips([plain_figure(1.0, 1.0, 1.0, [1.0, 1.0])])
    assert Page(strip).all("circle")[0]["attrs"]["cx"] == "110.0"


def test_ends_of_a_narrow_interval_are_told_apart():
    figure = {**plain_figure(2.0, 1.9999999, 2.0000001), "paper": "", "as_recorded": True}
    assert "1.9999999" in Page(figures_block([figure])).elements[0]["text"]
    exact = {**figure, **plain_figure(2.0, 2.0 - 4e-16, 2.0)}
    assert " to " not in Page(figures_block([exact])).elements[0]["text"]


def test_figures_of_one_name_share_a_scale():
    near, far = interval_strips(
        [plain_figure(1.0, 0.5, 1.5, name="a, 1"), plain_figure(9.0, 8.0, 10.0, name="a, 2")]
    )
    places = [float(Page(s).all("circle")[0]["attrs"]["cx"]) for s in (near, far)]
    assert places[0] < 40.0 < 180.0 < places[1]


@pytest.mark.parametrize("value", [5e-324, -5e-324, 1.7e308, 0.0])
def test_numbers_at_the_ends_of_the_range_have_a_place(value):
    (strip,) = interval_strips([plain_figure(value, value, value, [value, value])])
    assert 0.0 <= float(Page(strip).all("circle")[0]["attrs"]["cx"]) <= 220.0


@pytest.mark.parametrize(
    "figure",
    [
        plain_figure("nan", "nan", "nan", [0.0, 1.0]),
        plain_figure(1.0, "-inf", 2.0, [0.0, 1.0]),
        plain_figure(1.0, 1.0, 1.0),
        plain_figure(1.0, 0.5, 1.5),
    ],
)
def test_strips_are_left_out_where_there_is_nothing_to_see(figure):
    assert interval_strips([figure]) == [None]


@given(
    *[st.floats(allow_nan=False, allow_infinity=False)] * 3,
    st.one_of(st.none(), st.lists(st.floats(), min_size=2, max_size=2)),
)
def test_strips_stay_in_their_frame(value, one, other, claimed):
    low, high = min(one, other), max(one, other)
    if claimed is not None:
        claimed = [x if math.isfinite(x) else str(x) for x in claimed]
    (strip,) = interval_strips([plain_figure(value, low, high, claimed)])
    for e in Page(strip or "").elements:
        for name in ("x", "x1", "x2", "cx"):
            assert -1.0 <= float(e["attrs"].get(name, 0.0)) <= 221.0


def test_bars_are_as_long_as_the_sides_of_the_bound():
    widths = [float(e["attrs"]["width"]) for e in Page(bound_bars(-1.0, -4.0)).all("rect")]
    assert widths == [55.0, 220.0]
    assert bound_bars(-1.0, 1.0) is None
    assert bound_bars(0.0, 0.0) is None
    assert bound_bars(1.0, math.inf) is None


# --- schemas ------------------------------------------------------------------------

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


# --- in a browser -------------------------------------------------------------------

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path")


#: The browser reads from descriptor 3 and writes to 4.
LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """Chromium through the pipe of its DevTools protocol: messages of JSON ended by a zero."""

    def __init__(self, profile):
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        options = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", "--hide-scrollbars"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        options += [f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(read), str(write), CHROMIUM, *options],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._numbers, self._rest, self._session = itertools.count(1), b"", None
        self.events = []

    def start(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self, seconds=60.0):
        deadline = time.monotonic() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], deadline - time.monotonic())
            chunk = os.read(self._from, 1 << 16) if ready else b""
            if not chunk:
                raise TimeoutError("the browser does not answer")
            self._rest += chunk
        raw, self._rest = self._rest.split(b"\0", 1)
        return json.loads(raw)

    def call(self, method, **parameters):
        sent = {"id": next(self._numbers), "method": method, "params": parameters}
        if self._session is not None:
            sent["sessionId"] = self._session
        os.write(self._to, json.dumps(sent).encode() + b"\0")
        while True:
            got = self._message()
            if got.get("id") == sent["id"]:
                assert "error" not in got, got
                return got["result"]
            self.events.append(got)

    def open(self, path, width, scheme):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.media("screen", scheme)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._message())

    def media(self, media, scheme="light"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def evaluate(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def screenshot(self):
        return Image.open(io.BytesIO(self._data("Page.captureScreenshot")))

    def pdf(self):
        return self._data("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)

    def _data(self, method, **parameters):
        return base64.b64decode(self.call(method, **parameters)["data"])

    def complaints(self):
        """What the console got, and every address asked for."""
        told = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        addresses = [e["params"]["request"]["url"] for e in asked]
        return [e for e in self.events if e.get("method") in told], addresses

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


#: The texts whose contrast with what is behind them is less than 4.5.
FAINT = """
(() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const clear = c => c.length > 3 && c[3] === 0;
  const faint = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest("svg") || e.matches(".skip")) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    let behind = e, ground = numbers(getComputedStyle(e).backgroundColor);
    while (clear(ground)) {
      behind = behind.parentElement;
      ground = numbers(getComputedStyle(behind).backgroundColor);
    }
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground)];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5)
      faint.add(e.tagName + "." + e.className + ": " + e.textContent.slice(0, 40));
  }
  return [...faint];
})()
"""

#: What sticks out of the window and cannot be scrolled to in a box of its own.
WIDE = """
[...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest(".formula, .meaning, .entry, .skip, svg"))
  .map(e => e.tagName + "." + e.className)
"""


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_page_in_a_browser(browser, report, width, scheme):
    """No complaint, no request, no overflow, contrast enough; dark where dark is asked for."""
    browser.open(report / "index.html", width, scheme)
    told, addresses = browser.complaints()
    assert told == []
    assert addresses == [(report / "index.html").as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(WIDE) == []
    assert browser.evaluate(FAINT) == []
    shot = browser.screenshot()
    assert shot.size == (width, 900)
    mean = np.asarray(shot.convert("L")).mean()
    assert mean < 90 if scheme == "dark" else mean > 180


@needs_chromium
def test_page_on_paper(browser, report):
    """What is folded on the screen is open, in dark type on white, and nothing is cut off."""
    browser.open(report / "index.html", 718, "dark")
    folded = "[...document.querySelectorAll('details > .inner')]"
    assert browser.evaluate(f"{folded}.length") > 10
    assert browser.evaluate(f"{folded}.filter(e => e.checkVisibility()).length") == 0
    browser.media("print", "dark")
    assert browser.evaluate(f"{folded}.filter(e => !e.checkVisibility()).length") == 0
    assert browser.evaluate("document.documentElement.scrollWidth") <= 718
    assert browser.evaluate("getComputedStyle(document.body).color") == "rgb(28, 31, 36)"
    assert browser.pdf().startswith(b"%PDF-")


@needs_chromium
def test_hostile_page_does_nothing_in_a_browser(browser, document, tmp_path):
    write_page(hostile(document), tmp_path / "index.html")
    browser.open(tmp_path / "index.html", 400, "light")
    told, addresses = browser.complaints()
    assert told == []
    assert len(addresses) == 1
    assert browser.evaluate(WIDE) == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= 400
    assert browser.evaluate("document.scripts.length") == 0
