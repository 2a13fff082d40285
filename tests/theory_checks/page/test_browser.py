"""The page of the ledger in a browser: quiet, legible, and whole on paper."""

from __future__ import annotations

import numpy as np
import pytest

from tests.theory_checks.page.browser import CHROMIUM, Browser
from tests.theory_checks.page.pages import hostile
from theory_checks.page import write_page

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path")


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
