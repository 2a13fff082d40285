"""The pages of the claims, and the worked example of the guide, run from the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.theory_checks import toys
from theory_checks.claim_pages import claim_page, write_claim_pages
from theory_checks.replay import Record, kept

ROOT = Path(__file__).parents[2]


def test_every_claim_has_a_page_and_the_index_knows_it(claims, tmp_path):
    index, beyond, *pages = write_claim_pages(claims, kept(), tmp_path / "claims")
    text = index.read_text(encoding="utf-8")
    assert len(pages) == len(claims)
    ours = beyond.read_text(encoding="utf-8")
    assert all(
        claim.id.split("/")[1] in ours.replace("\\", "") for claim in claims.values() if claim.ours
    )
    for page in pages:
        assert f"]({page.name})" in text
        assert f"\n{page.stem}\n" in text


def test_a_page_says_what_the_claim_says():
    record = Record("toy/mended", "printed", {"x": -1.5}, {"it": -1.0}, "A cube.", file="f.json")
    page = claim_page(toys.mended_claim(), [record])
    for part in ("## As printed", "## As amended", "**needs**", "the claim fails", "A cube", "1.5"):
        assert part in page
    assert "replay theory_checks/counterexamples/f.json" in page


def test_markup_in_a_statement_is_shown_as_it_is():
    claim = toys.claim("toy/odd", toys.form(toys.square), notes="a_b *c* <script> |x| $y$ `z`")
    page = claim_page(claim, ())
    assert r"a\_b \*c\* \<script\> \|x\| \$y\$ \`z\`" in page


def test_pages_of_claims_that_are_no_more_are_removed(tmp_path):
    (tmp_path / "toy.gone.md").write_text("old", encoding="utf-8")
    write_claim_pages(toys.all_toys(), (), tmp_path)
    assert not (tmp_path / "toy.gone.md").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_claim_pages(toys.all_toys(), (), tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_the_example_of_the_guide_finds_the_counterexample(tmp_path):
    """What the reader is told to write down and to type, written down and typed."""
    guide = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(from fractions.*?)```", guide, re.DOTALL)
    assert example is not None
    (tmp_path / "my_lemmas.py").write_text(example.group(1), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "theory_checks", "verify", "--module", "my_lemmas"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "found refuted" in done.stdout
    assert "mine/jordan" in done.stdout
