"""What a reader sees: tables on the terminal, plain text in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from theory_checks.claim import Claim, Form, Verdict
from theory_checks.engine import Hunt, worst_margin
from theory_checks.experiments.outcome import Experiment, Outcome, Sentence
from theory_checks.ledger import Entry, FormEvidence
from theory_checks.replay import Record, Replayed

__all__ = ["Progressing", "Reporter"]

_STYLE = {
    Verdict.HOLDS: "green",
    Verdict.NEEDS: "yellow",
    Verdict.REFUTED: "red",
    Verdict.MEASURED: "cyan",
    Verdict.BROKEN: "bold red",
    Verdict.TOOTHLESS: "bold magenta",
}

_ANSWER = {"yes": "green", "no": "red", "can't tell": "yellow"}

#: Columns of a table that goes into a file: wide enough for every id.
_FILE_WIDTH = 120


def _shown(margin: float) -> str:
    return f"{margin:.3g}"


class Progressing:
    """Hand out the names of what is being worked on to a progress bar, or to nobody."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("", total=total)

    def of(self, total: int) -> None:
        """Say how many there are, where that was not known before."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def at(self, name: str) -> None:
        """Say what is being worked on now."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=name)

    def done(self) -> None:
        """Count one more as finished."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)


class Reporter:
    """Writes reports to a stream; colours and progress only where it is a terminal.

    Parameters
    ----------
    stream : text stream or None
        Standard output unless given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        out = sys.stdout if stream is None else stream
        self._terminal = out.isatty()
        self._console = Console(
            file=out,
            force_terminal=self._terminal,
            no_color=not self._terminal,
            width=None if self._terminal else _FILE_WIDTH,
            highlight=False,
        )

    def line(self, text: str = "") -> None:
        """Write one line, as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Progressing]:
        """Show a progress bar that vanishes at the end; nothing in a file.

        None for a total that is told later, by :meth:`Progressing.of`.
        """
        if not self._terminal:
            yield Progressing(None, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            yield Progressing(bar, total)

    def claims(self, claims: Mapping[str, Claim]) -> None:
        """List claims with their recorded verdicts."""
        table = Table(box=None, pad_edge=False)
        for heading in ("claim", "recorded", "title"):
            table.add_column(heading, no_wrap=heading != "title")
        for claim in claims.values():
            table.add_row(claim.id, self._verdict(claim.verdict), escape(claim.title))
        self._console.print(table)

    def table(self, headings: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
        """Show a table of figures."""
        table = Table(box=None, pad_edge=False)
        for heading in headings:
            # Folded where it does not fit: a figure that is cut off would be lost.
            table.add_column(escape(heading), justify="right", overflow="fold")
        for line in lines:
            table.add_row(*(escape(cell) for cell in line))
        self._console.print(table)

    def experiments(self, experiments: Iterable[Experiment]) -> None:
        """List experiments with what they make again."""
        table = Table(box=None, pad_edge=False)
        for heading in ("experiment", "title", "source"):
            table.add_column(heading, no_wrap=heading == "experiment")
        for experiment in experiments:
            table.add_row(experiment.id, escape(experiment.title), escape(experiment.source))
        self._console.print(table)

    def outcome(self, experiment: Experiment, outcome: Outcome) -> None:
        """Show an experiment: what was left open, its tables, and its sentences."""
        self.line(f"{experiment.id}: {experiment.title}")
        self.line(experiment.source)
        self.line("\nleft open by the paper, and chosen here:")
        for choice in outcome.choices:
            self.line(f"  {choice.left_open}: {choice.chosen}")
        self.line("\nunits:")
        for name, unit in outcome.units.items():
            self.line(f"  {name}: {unit}")
        for table in outcome.tables:
            self.line(f"\n{table.title}")
            self.table(table.headings, table.lines)
        self.line("\nsentences of the paper (in brackets: not its own), and whether they came out:")
        for sentence in outcome.sentences:
            self._sentence(sentence)
        for remark in outcome.remarks:
            self.line(f"\n{remark}")

    def _sentence(self, sentence: Sentence) -> None:
        style = _ANSWER[sentence.answer]
        self._console.print(f"  [{style}]{sentence.answer}[/]: {escape(sentence.says)}")
        found = ""
        if sentence.value is not None and sentence.low is not None and sentence.high is not None:
            found = f"{sentence.value:.3g}"
            if sentence.low < sentence.high:
                found += f" [{sentence.low:.3g}, {sentence.high:.3g}]"
            found += " = "
        self.line(f"    {found}{sentence.statistic}")
        if sentence.note:
            self.line(f"    ({sentence.note})")

    def claim(self, claim: Claim) -> None:
        """Show one claim in full."""
        self.line(f"{claim.id}: {claim.title}")
        self.line(f"{claim.paper}, {claim.place}")
        self.line(f"recorded verdict: {claim.verdict.word} ({claim.verdict.value})")
        for name, form in claim.forms().items():
            self._form(name, form)
        for heading, text in (("notes", claim.notes), ("proof", claim.proof)):
            if text:
                self.line(f"\n{heading}: {text}")

    def _form(self, name: str, form: Form) -> None:
        self.line(f"\n{name}: {form.statement}")
        self.line(f"  TeX: {form.tex}")
        for condition in form.hypotheses:
            self.line(f"  hypothesis {condition.name}: {condition.text}")
            if condition.dropped is not None:
                what = "the claim fails" if condition.dropped.fails else "the claim still holds"
                self.line(f"    without it {what}. {condition.dropped.note}".rstrip())

    def ledger(self, entries: Iterable[Entry]) -> None:
        """Show verdicts in a table, then the counterexamples and the figures."""
        entries = list(entries)
        table = Table(box=None, pad_edge=False)
        table.add_column("claim", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("recorded", no_wrap=True)
        for heading in ("instances", "worst margin", "tightest", "dropped"):
            table.add_column(heading, justify="right", no_wrap=True)
        for entry in entries:
            table.add_row(*self._row(entry))
        self._console.print(table)
        for entry in entries:
            self._details(entry)

    def _row(self, entry: Entry) -> tuple[str, ...]:
        proven = entry.amended or entry.printed
        forms = [f for f in (entry.printed, entry.amended) if f is not None]
        worst, tightest = proven.hunt.worst, proven.hunt.tightest
        outcomes = [o for form in forms for o in form.dropped]
        good = sum(o.as_recorded for o in outcomes)
        return (
            entry.claim.id,
            self._verdict(entry.verdict),
            "[bold red]changed[/]" if entry.changed else "same",
            str(sum(f.hunt.instances + f.hunt.screened for f in forms)),
            "-" if worst is None else _shown(worst.margin),
            "-" if tightest is None else f"{tightest:.4f}",
            f"{good}/{len(outcomes)}" if outcomes else "-",
        )

    def _details(self, entry: Entry) -> None:
        for name, form in (("printed", entry.printed), ("amended", entry.amended)):
            if form is not None and form.violation is not None:
                self.line()
                self._counterexample(entry.claim.id, name, form)
        if entry.figures:
            self.line(f"\n{entry.claim.id}, measured (95% interval):")
            for figure in entry.figures:
                span = f"[{figure.low:.4g}, {figure.high:.4g}]"
                beside = f"; paper: {figure.paper}" if figure.paper else ""
                flag = "" if figure.as_recorded else "  <- outside the recorded range"
                self.line(f"  {figure.name}: {figure.value:.4g} {span}{beside}{flag}")
        if entry.changed:
            word = f"recorded {entry.claim.verdict.word}, found {entry.verdict.word}"
            self.line(f"\n{entry.claim.id}: {word}: {entry.verdict.value}")

    def _counterexample(self, name: str, form_name: str, form: FormEvidence) -> None:
        violation = form.violation
        if violation is None:
            return
        worst, margin = worst_margin(violation.margins)
        again = form.hunt.violation
        found = f", found again by {again.found_by}" if form.kept and again is not None else ""
        self.line(f"{name}, {form_name}: violated ({violation.found_by}{found})")
        self.line(f"  {violation.instance}")
        self.line(f"  {worst}: margin {_shown(margin)} roundings")

    def hunted(self, claim_id: str, form_name: str, result: Hunt) -> None:
        """Show what one hunt found."""
        total = result.instances + result.screened
        self.line(f"{claim_id}, {form_name}: {total} instances in {result.seconds:.1f} s")
        if result.worst is not None:
            self.line(f"  worst margin {_shown(result.worst.margin)} ({result.worst.name})")
        if result.tightest is not None:
            self.line(f"  tightest ratio {result.tightest:.6f}")
        if result.violation is None:
            self.line("  no violation")
        else:
            self.line(f"  violated by {result.violation.instance}")
            self.line(f"  found by {result.violation.found_by}")

    def replayed(self, record: Record, outcome: Replayed) -> None:
        """Show a counterexample beside what it gives now."""
        self.line(f"{record.claim}, {record.form}")
        self.line(f"  {record.instance}")
        for broken in outcome.broken:
            self.line(f"  hypothesis not satisfied: {broken}")
        for name, margin in outcome.margins.items():
            former = record.margins.get(name)
            beside = "" if former is None else f" (recorded {_shown(former)})"
            self.line(f"  {name}: {_shown(margin)}{beside}")
        self.line("  violated" if outcome.violated else "  not violated")

    def summary(self, entries: Iterable[Entry], seconds: float) -> None:
        """Close with one line."""
        entries = list(entries)
        changed = [entry.claim.id for entry in entries if entry.changed]
        if changed:
            text = f"{len(changed)} of {len(entries)} verdicts changed: {', '.join(changed)}"
        else:
            text = f"all {len(entries)} verdicts are the recorded ones"
        text = f"{text} ({seconds:.0f} s)"
        if self._terminal:
            self._console.print(Panel.fit(escape(text), style="red" if changed else "green"))
        else:
            self.line(f"\n{text}")

    def _verdict(self, verdict: Verdict) -> str:
        return f"[{_STYLE[verdict]}]{verdict.word}[/]"
