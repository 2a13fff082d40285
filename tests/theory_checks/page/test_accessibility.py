"""The page of the ledger is readable: landmarks, headings, names and contrast."""

from __future__ import annotations

import itertools
import re
from importlib import resources

import pytest


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
