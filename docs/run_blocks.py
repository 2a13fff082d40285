"""Run every Python block of the Markdown pages, and compare what it prints.

    python docs/run_blocks.py README.md docs

The ```python blocks of a page run in order, in one namespace a page and a fresh
process a page. Where the next block of the page is a ```text block, it is what
the Python block must print, up to white space; ``...`` stands for anything.
A ```python block with nothing after it has to run, whatever it prints.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line where the text begins."""

    language: str
    text: str
    line: int


def fenced_blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown page, in order."""
    language: str | None = None
    lines: list[str] = []
    start = 0
    for number, line in enumerate(page.splitlines(), start=1):
        if language is None and line.startswith("```"):
            language, lines, start = line.strip("`").strip(), [], number + 1
        elif language is not None and line.rstrip() == "```":
            yield Block(language, "\n".join(lines) + "\n", start)
            language = None
        elif language is not None:
            lines.append(line)


def run_block(block: Block, namespace: dict[str, object], path: Path) -> str:
    """Execute a block; what it printed. Line numbers in a traceback are those of the page."""
    padded = "\n" * (block.line - 1) + block.text
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(padded, str(path), "exec"), namespace)
    return printed.getvalue()


def check_page(path: Path) -> list[str]:
    """Run a page; the complaints, each with its line."""
    blocks = list(fenced_blocks(path.read_text(encoding="utf-8")))
    namespace: dict[str, object] = {"__name__": "__main__"}
    checker = doctest.OutputChecker()
    complaints = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language != "python":
            continue
        try:
            got = run_block(block, namespace, path)
        except Exception:
            return [*complaints, f"{path}:{block.line}: the block fails\n{traceback.format_exc()}"]
        if following is None or following.language != "text":
            continue
        if not checker.check_output(following.text, got, FLAGS):
            complaints.append(
                f"{path}:{following.line}: the block above prints\n{got}\ninstead of\n"
                f"{following.text}"
            )
    return complaints


def pages(arguments: list[str]) -> list[Path]:
    """The Markdown files named, and those in the folders named."""
    found: list[Path] = []
    for argument in map(Path, arguments):
        if argument.is_dir():
            found += sorted(p for p in argument.rglob("*.md") if "_build" not in p.parts)
        else:
            found.append(argument)
    return [p for p in found if "```python" in p.read_text(encoding="utf-8")]


def main(arguments: list[str]) -> int:
    """Run each page in a process of its own; 1 if one of them complains."""
    if arguments[:1] == ["--page"]:
        warnings.simplefilter("error")
        complaints = check_page(Path(arguments[1]))
        print("\n".join(complaints), end="")
        return bool(complaints)
    failed = 0
    for page in pages(arguments or ["README.md", "docs"]):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, __file__, "--page", str(page)], check=False)
        verdict = "failed" if done.returncode else "ran"
        print(f"{page}: {verdict} in {time.perf_counter() - began:.1f} s", flush=True)
        failed += done.returncode != 0
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
