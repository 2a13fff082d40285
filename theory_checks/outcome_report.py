"""An experiment of a paper as text: what was chosen, its tables, and its sentences."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from theory_checks.experiments.outcome import Experiment, Outcome, Sentence
from theory_checks.terminal import Terminal

__all__ = ["show_experiments", "show_outcome"]

_ANSWER = {"yes": "green", "no": "red", "can't tell": "yellow"}


def show_experiments(terminal: Terminal, experiments: Iterable[Experiment]) -> None:
    """List experiments with what they make again."""
    table = Table(box=None, pad_edge=False)
    for heading in ("experiment", "title", "source"):
        table.add_column(heading, no_wrap=heading == "experiment")
    for experiment in experiments:
        table.add_row(experiment.id, escape(experiment.title), escape(experiment.source))
    terminal.console.print(table)


def show_outcome(terminal: Terminal, experiment: Experiment, outcome: Outcome) -> None:
    """Show an experiment: what was left open, its tables, and its sentences."""
    terminal.line(f"{experiment.id}: {experiment.title}")
    terminal.line(experiment.source)
    terminal.line("\nleft open by the paper, and chosen here:")
    for choice in outcome.choices:
        terminal.line(f"  {choice.left_open}: {choice.chosen}")
    terminal.line("\nunits:")
    for name, unit in outcome.units.items():
        terminal.line(f"  {name}: {unit}")
    for table in outcome.tables:
        terminal.line(f"\n{table.title}")
        terminal.table(table.headings, table.lines)
    terminal.line("\nsentences of the paper (in brackets: not its own), and whether they came out:")
    for sentence in outcome.sentences:
        _show_sentence(terminal, sentence)
    for remark in outcome.remarks:
        terminal.line(f"\n{remark}")


def _show_sentence(terminal: Terminal, sentence: Sentence) -> None:
    style = _ANSWER[sentence.answer]
    terminal.console.print(f"  [{style}]{sentence.answer}[/]: {escape(sentence.says)}")
    found = ""
    if sentence.value is not None and sentence.low is not None and sentence.high is not None:
        found = f"{sentence.value:.3g}"
        if sentence.low < sentence.high:
            found += f" [{sentence.low:.3g}, {sentence.high:.3g}]"
        found += " = "
    terminal.line(f"    {found}{sentence.statistic}")
    if sentence.note:
        terminal.line(f"    ({sentence.note})")
