"""A page of documentation for each claim, made from the claim itself.

Pages are MyST Markdown. They hold what is recorded (the statement, its forms, the
hypotheses, the kept counterexamples), not the evidence of one run: that is in the
ledger which a run writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from theory_checks.claim import Claim, Condition, Form
from theory_checks.replay import Record

__all__ = ["claim_page", "write_claim_pages"]

#: What Markdown or MyST would take for markup.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+\-!|$~^:'\"])")


def _plain(text: str) -> str:
    """Text that shows as it is, with pages of the documentation as links."""
    parts = re.split(r"(docs/[a-z0-9-]+\.md)", text)
    shown = []
    for part in parts:
        if re.fullmatch(r"docs/[a-z0-9-]+\.md", part):
            page = part.removeprefix("docs/")
            shown.append(f"[{page.removesuffix('.md')}](../{page})")
        else:
            shown.append(_MARKUP.sub(r"\\\1", part))
    return " ".join("".join(shown).split())


def _formula(tex: str) -> str:
    return f"```{{math}}\n{tex}\n```"


def _condition_text(text: str) -> str:
    """A hypothesis is words or TeX: a backslash gives it away."""
    return f"${text}$" if "\\" in text else _plain(text)


def _without(condition: Condition) -> str:
    if condition.dropped is None:
        # Only the true form has to say it: a false one fails with all its hypotheses.
        return _plain(condition.kept) if condition.kept else "not dropped here"
    what = "the claim fails" if condition.dropped.fails else "not needed, so far as the hunt goes"
    note = _plain(condition.dropped.note)
    return f"{what}. {note}".rstrip(" .") + "."


def _number(value: Any) -> str:
    if isinstance(value, float) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(_value(item) for item in value)})"
    return _number(value)


def _instance(instance: Mapping[str, Any]) -> Iterator[str]:
    yield "```{list-table}"
    yield ":header-rows: 1"
    yield ""
    yield "* - quantity\n  - value"
    for name, value in instance.items():
        yield f"* - {_plain(name)}\n  - {_plain(_value(value)) or 'empty'}"
    yield "```"


def _form(heading: str, form: Form) -> Iterator[str]:
    yield f"## {heading}\n"
    yield _plain(form.statement) + "\n"
    yield _formula(form.tex) + "\n"
    if form.hypotheses:
        yield "```{list-table}"
        yield ":header-rows: 1\n:widths: 20 35 45\n"
        yield "* - hypothesis\n  - in full\n  - without it"
        for condition in form.hypotheses:
            yield f"* - {_plain(condition.name)}\n  - {_condition_text(condition.text)}"
            yield f"  - {_without(condition)}"
        yield "```\n"
    if form.sabotage:
        names = "; ".join(_plain(broken.name) for broken in form.sabotage)
        yield f"Broken algorithms that the hunt has to notice: {names}.\n"


def _counterexamples(claim: Claim, records: Iterable[Record]) -> Iterator[str]:
    mine = [r for r in records if r.claim == claim.id and r.kind == "counterexample"]
    for record in mine:
        yield f"## Counterexample to the {record.form} form\n"
        yield _plain(record.note) + "\n"
        yield from _instance(record.instance)
        yield ""
        path = f"theory_checks/counterexamples/{record.file}"
        yield f"```\ntheory-checks replay {path}\n```\n"


def claim_page(claim: Claim, records: Iterable[Record]) -> str:
    """Return the page of a claim.

    Parameters
    ----------
    claim : Claim
        What the page is about.
    records : iterable of Record
        Kept counterexamples; those of other claims are passed over.
    """
    lines = [f"# {_plain(claim.id)}\n", f"{_plain(claim.title)}\n"]
    lines.append(f"*{_plain(claim.paper)}*, {_plain(claim.place)}\n")
    lines.append(f"**{claim.verdict.word}**: {_plain(claim.verdict.value)}\n")
    if claim.untestable:
        lines.append(_plain(claim.untestable) + "\n")
    if claim.ours:
        lines.append(f"Beyond the paper: {_plain(claim.ours)}\n")
    if claim.notes:
        lines.append(_plain(claim.notes) + "\n")
    names = {"printed": "As printed", "amended": "As amended"}
    for name, form in claim.forms().items():
        lines.extend(_form(names[name], form))
    if claim.proof:
        lines.append(f"## Proof\n\n{_plain(claim.proof)}\n")
    lines.extend(_counterexamples(claim, records))
    lines.append(f"## Run it\n\n```\ntheory-checks verify {claim.id}\n```\n")
    return "\n".join(lines)


def _stem(claim: Claim) -> str:
    return claim.id.replace("/", ".")


def _index(claims: Mapping[str, Claim]) -> str:
    lines = [
        "# Every claim\n",
        "A page for each, made from the claim that the command line runs. "
        "What the verdicts mean is said in [the ledger](../ledger.md); what is marked with a "
        "star [goes beyond the papers](beyond.md).\n",
    ]
    for paper in dict.fromkeys(claim.paper for claim in claims.values()):
        lines += [f"## {_plain(paper)}\n", "```{list-table}", ":header-rows: 1\n"]
        lines.append("* - claim\n  - verdict\n  - what it says")
        for claim in claims.values():
            if claim.paper == paper:
                star = " \\*" if claim.ours else ""
                lines.append(f"* - [{_plain(claim.id)}]({_stem(claim)}.md){star}")
                lines.append(f"  - {claim.verdict.word}\n  - {_plain(claim.title)}")
        lines.append("```\n")
    pages = "\n".join(_stem(claim) for claim in claims.values())
    lines.append(f"```{{toctree}}\n:hidden:\n\nbeyond\n{pages}\n```\n")
    return "\n".join(lines)


def _beyond(claims: Mapping[str, Claim]) -> str:
    lines = [
        "# Beyond the papers\n",
        "What is claimed here and not there: sharper constants, exact values, necessity, closed "
        "forms. Each has its proof or its derivation, and is hunted like the rest.\n",
        "```{list-table}",
        ":header-rows: 1\n:widths: 25 45 30\n",
        "* - claim\n  - what is ours\n  - proof",
    ]
    for claim in claims.values():
        if claim.ours:
            lines.append(f"* - [{_plain(claim.id)}]({_stem(claim)}.md)\n  - {_plain(claim.ours)}")
            lines.append(f"  - {_plain(claim.proof)}")
    return "\n".join([*lines, "```\n"])


def write_claim_pages(
    claims: Mapping[str, Claim], records: Iterable[Record], folder: Path
) -> list[Path]:
    """Write the page of each claim, and an index of them, into a folder.

    Parameters
    ----------
    claims : mapping
        The claims by id.
    records : iterable of Record
        Kept counterexamples.
    folder : Path
        Made when it does not exist; pages of claims that are no more are removed.

    Returns
    -------
    list of Path
        What was written: the index, the page of what goes beyond the papers, the claims'.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = list(records)
    texts = {"index.md": _index(claims), "beyond.md": _beyond(claims)}
    texts |= {f"{_stem(claim)}.md": claim_page(claim, records) for claim in claims.values()}
    for stale in set(folder.glob("*.md")) - {folder / name for name in texts}:
        stale.unlink()
    for name, text in texts.items():
        path = folder / name
        # Untouched where nothing changed, so that only what did is built again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
