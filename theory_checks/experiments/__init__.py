"""One module per table or figure of the papers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from theory_checks.claim import Level

__all__ = ["EXPERIMENTS", "draw_section_4_1"]


def draw_section_4_1(level: Level, seed: int, folder: Path) -> tuple[list[str], list[list[str]]]:
    """Run Section 4.1, write its PNG and its table, and return the table's headings and lines."""
    from theory_checks.experiments import section_4_1

    folder.mkdir(parents=True, exist_ok=True)
    results = section_4_1.run_all(level, seed)
    rows = section_4_1.table(results)
    section_4_1.draw(results, folder / "section-4-1.png")
    section_4_1.write_table(rows, folder / "section-4-1.csv")
    headings = [
        "lambda",
        "t* (mean)",
        "95% interval",
        "bound (10)",
        "fit",
        "iterations",
        "true gap",
        "certified",
        "printed form",
    ]
    lines = [
        [
            f"{row.shift:.0f}",
            f"{row.phase_one:.1f}",
            f"[{row.low:.1f}, {row.high:.1f}]",
            f"{row.bound:.1f}",
            f"{row.fit:.1f}",
            str(row.iterations),
            f"{row.gap:.1e}",
            f"{row.certified:.1e}",
            f"{row.printed_gap:.1e}",
        ]
        for row in rows
    ]
    return headings, lines


#: What draws each experiment's figure, by the claim's id.
EXPERIMENTS: dict[str, Callable[[Level, int, Path], tuple[list[str], list[list[str]]]]] = {
    "efficient-tr/section-4-1": draw_section_4_1,
}
