"""The result of an experiment as Markdown, for a page of documentation to include."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["markdown"]


def markdown(document: Mapping[str, Any]) -> str:
    """The command, pictures, tables, sentences, choices and remarks of a JSON document."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    versions = document["versions"]
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    yield f"`{document['command']} --out docs/figures`"
    yield ""
    yield (
        f"{_machine()}; {listed}; {document['date'][:10]}; level {document['level']}, "
        f"seed {document['seed']}."
    )
    yield ""
    for name in document["pictures"]:
        yield f"![{_escaped(document['title'])}](figures/{name})"
        yield ""
    for table in document["tables"]:
        title = _escaped(table["title"])
        yield f"{title[:1].upper()}{title[1:]}:"
        yield ""
        yield from _table(table["headings"], table["lines"])
    yield from _table(
        ("sentence of the paper (in brackets: not its own)", "came out", "judged by"),
        [_judged(sentence) for sentence in document["sentences"]],
        raw=True,
    )
    yield "Left open by the paper, and chosen here:"
    yield ""
    for choice in document["left_open"]:
        yield f"- {_escaped(choice['left_open'])}: {_escaped(choice['chosen'])}."
    yield ""
    for remark in document["remarks"]:
        yield f"- {_escaped(remark)}"
    yield ""


def _judged(sentence: Mapping[str, Any]) -> Sequence[str]:
    value, low, high = (sentence[name] for name in ("value", "low", "high"))
    figure = "" if value is None else f"{value:.3g}"
    if value is not None and not low == value == high:
        figure += f" [{low:.3g}, {high:.3g}]"
    judged = f"{figure}: {_escaped(sentence['statistic'])}" if figure else sentence["statistic"]
    if sentence["note"]:
        judged += f" ({_escaped(sentence['note'])})"
    return _escaped(sentence["says"]), f"**{sentence['answer']}**", judged


def _table(
    headings: Sequence[str], lines: Sequence[Sequence[str]], *, raw: bool = False
) -> Iterator[str]:
    """A table; cells of figures read from the right."""
    numeric = [
        not raw and k > 0 and all(line[k][:1] in "0123456789-+*" for line in lines)
        for k in range(len(headings))
    ]
    yield "| " + " | ".join(_escaped(heading) for heading in headings) + " |"
    yield "| " + " | ".join("---:" if right else "---" for right in numeric) + " |"
    for line in lines:
        yield "| " + " | ".join(line if raw else map(_escaped, line)) + " |"
    yield ""


def _escaped(text: str) -> str:
    """Bars and stars would end a cell or begin an emphasis."""
    return text.replace("|", "\\|").replace("*", "\\*").rstrip(".")


def _machine() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"
