"""The ledger as text: claims, evidence, verdicts, replays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from theory_checks.claim import Claim, Figure, Form, Verdict
from theory_checks.evidence import FormEvidence, Hunt
from theory_checks.ledger import Entry
from theory_checks.margins import worst_margin
from theory_checks.replay import Record, Replayed
from theory_checks.terminal import Terminal

__all__ = ["Reporter"]

_STYLE = {
    Verdict.HOLDS: "green",
    Verdict.NEEDS: "yellow",
    Verdict.REFUTED: "red",
    Verdict.MEASURED: "cyan",
    Verdict.NOT_TESTABLE: "dim",
    Verdict.BROKEN: "bold red",
    Verdict.TOOTHLESS: "bold magenta",
}


def _shown(margin: float) -> str:
    return f"{margin:.3g}"


def _share(came_true: list[bool]) -> str:
    return f"{sum(came_true)}/{len(came_true)}" if came_true else "-"


class Reporter(Terminal):
    """Shows claims, their evidence and the ledger."""

    def claims(self, claims: Mapping[str, Claim]) -> None:
        """List claims with their recorded verdicts."""
        table = Table(box=None, pad_edge=False)
        for heading in ("claim", "recorded", "title"):
            table.add_column(heading, no_wrap=heading != "title")
        for claim in claims.values():
            table.add_row(claim.id, self._verdict(claim.verdict), escape(claim.title))
        self.console.print(table)

    def claim(self, claim: Claim) -> None:
        """Show one claim in full."""
        self.line(f"{claim.id}: {claim.title}")
        self.line(f"{claim.paper}, {claim.place}")
        self.line(f"recorded verdict: {claim.verdict.word} ({claim.verdict.value})")
        for name, form in claim.forms().items():
            self._form(name, form)
        for heading, text in (
            ("notes", claim.notes),
            ("beyond the paper", claim.ours),
            ("not testable", claim.untestable),
            ("proof", claim.proof),
        ):
            if text:
                self.line(f"\n{heading}: {text}")

    def evidence(self, entry: Entry, modules: tuple[str, ...] = ()) -> None:
        """Show what was found out about one claim, and how to see it again."""
        self.line(f"\nevidence, gathered now in {entry.seconds:.1f} s: {entry.verdict.word}")
        for name, form in entry.forms.items():
            self.line(f"\n{name}:")
            self._hunt(form.hunt)
            for outcome in form.dropped:
                found = "fails" if outcome.needed else f"no failure in {outcome.tried} instances"
                self.line(f"  without {outcome.hypothesis!r}: {found}")
            for broken in form.sabotage:
                noticed = f"noticed ({broken.found_by})" if broken.noticed else "NOT noticed"
                self.line(f"  broken algorithm, {broken.name}: {noticed}")
            for file in form.files:
                self.line(f"  replay: theory-checks replay theory_checks/counterexamples/{file}")
        self._details(entry)
        options = "".join(f" --module {name}" for name in modules)
        again = f"theory-checks verify {entry.claim.id}{options} --report DIR"
        self.line(f"\nagain, with files to replay: {again}")

    def _hunt(self, found: Hunt) -> None:
        screened = f" and {found.screened:,} screened" if found.screened else ""
        self.line(f"  {found.instances:,} instances{screened} in {found.seconds:.1f} s")
        if found.withdrawn:
            self.line(f"  {found.withdrawn} violations withdrawn: rounding")
        if found.unfinished:
            self.line(f"  {found.unfinished} evaluations broken off: they took too long")
        if found.worst is not None:
            self.line(f"  worst margin {_shown(found.worst.margin)} ({found.worst.name})")
            self.line(f"    {found.worst.instance}")
        if found.tightest is not None:
            met = found.tightest
            sides = f"{met.computed:.6g} against {met.theoretical:.6g}"
            self.line(f"  tightest ratio {met.ratio:.6f}: {sides}")
            self.line(f"    {met.instance}")

    def _form(self, name: str, form: Form) -> None:
        self.line(f"\n{name}: {form.statement}")
        self.line(f"  TeX: {form.tex}")
        for condition in form.hypotheses:
            self.line(f"  hypothesis {condition.name}: {condition.text}")
            if condition.dropped is not None:
                what = "the claim fails" if condition.dropped.fails else "the claim still holds"
                self.line(f"    without it {what}. {condition.dropped.note}".rstrip())
            elif condition.kept:
                self.line(f"    not dropped: {condition.kept}")

    def ledger(self, entries: Iterable[Entry]) -> None:
        """Show verdicts in a table by paper, then the counterexamples and the figures."""
        entries = list(entries)
        table = Table(box=None, pad_edge=False)
        table.add_column("claim", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for heading in ("margin", "tightest", "decided", "screened", "dropped", "broken", "s"):
            table.add_column(heading, justify="right", no_wrap=True)
        for paper in dict.fromkeys(entry.claim.paper for entry in entries):
            table.add_row(f"[bold]{escape(paper)}[/]")
            for entry in entries:
                if entry.claim.paper == paper:
                    table.add_row(*self._row(entry))
        self.console.print(table)
        self.line(
            "\nmargin: the worst, in roundings, of the true form; tightest: of the bound's sides, "
            "the smaller over the larger;\ndecided, screened: instances judged in extended "
            "arithmetic, and in bulk to find suspicious ones;\ndropped: hypotheses that did what "
            "is recorded; broken: broken algorithms noticed;\ns: seconds of the processor; "
            "*: goes beyond the paper"
        )
        for entry in entries:
            self._details(entry)

    def _row(self, entry: Entry) -> tuple[str, ...]:
        name = f"  {entry.claim.id}{'*' if entry.claim.ours else ''}"
        verdict = self._verdict(entry.verdict)
        if entry.changed:
            verdict += f" [bold red](recorded: {entry.claim.verdict.word})[/]"
        proven = entry.proven
        if proven is None:
            return name, verdict
        worst, tightest = proven.hunt.worst, proven.hunt.tightest
        forms = entry.forms.values()
        return (
            name,
            verdict,
            "-" if worst is None else _shown(worst.margin),
            "-" if tightest is None else f"{tightest.ratio:.4f}",
            f"{sum(f.hunt.instances for f in forms):,}",
            f"{sum(f.hunt.screened for f in forms):,}",
            _share([o.as_recorded for form in forms for o in form.dropped]),
            _share([o.noticed for form in forms for o in form.sabotage]),
            f"{entry.seconds:.1f}",
        )

    def _details(self, entry: Entry) -> None:
        for name, form in entry.forms.items():
            if form.violation is not None:
                self.line()
                self._counterexample(entry.claim.id, name, form)
        if entry.figures:
            self.line(f"\n{entry.claim.id}, measured (95% interval):")
            for figure in entry.figures:
                self._figure(figure)
        if entry.changed:
            word = f"recorded {entry.claim.verdict.word}, found {entry.verdict.word}"
            self.line(f"\n{entry.claim.id}: {word}: {entry.verdict.value}")
            for name, form in entry.forms.items():
                self._toothless(name, form)

    def _figure(self, figure: Figure) -> None:
        beside = f"; paper: {figure.paper}" if figure.paper else ""
        if figure.claimed is not None and figure.answer is not None:
            low, high = figure.claimed
            beside += f"; claimed [{low:.4g}, {high:.4g}]: {figure.answer.value}"
        flag = "" if figure.as_recorded else "  <- outside the recorded range"
        span = f"[{figure.low:.4g}, {figure.high:.4g}]"
        self.line(f"  {figure.name}: {figure.value:.4g} {span}{beside}{flag}")

    def _toothless(self, name: str, form: FormEvidence) -> None:
        if form.hunt.instances == 0 and not form.kept:
            self.line(f"  {name}: no instance was admitted and decided: nothing was checked")
        if form.hunt.unfinished:
            self.line(f"  {name}: {form.hunt.unfinished} evaluations took too long")
        if form.lost:
            self.line(f"  {name}: {form.lost} kept counterexamples no longer violate it")
        for outcome in form.dropped:
            if not outcome.as_recorded:
                found = "fails" if outcome.needed else "does not fail"
                self.line(f"  {name}: without {outcome.hypothesis!r} it {found}, as not recorded")
                self.line(f"    {outcome.counterexample} (margin {_shown(outcome.margin)})")
        for broken in form.sabotage:
            if not broken.noticed:
                self.line(f"  {name}: a broken algorithm was not noticed: {broken.name}")

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
        self.line(f"{claim_id}, {form_name}:")
        self._hunt(result)
        if result.violation is None:
            self.line("  no violation")
        else:
            self.line(f"  violated by {result.violation.instance}")
            self.line(f"  found by {result.violation.found_by}")

    def replayed(self, record: Record, outcome: Replayed) -> None:
        """Show a counterexample beside what it gives now."""
        self.line(f"{record.claim}, {record.form} ({record.kind} instance)")
        self.line(f"  {record.instance}")
        for broken in outcome.broken:
            self.line(f"  hypothesis not satisfied: {broken}")
        for name, margin in outcome.margins.items():
            former = record.margins.get(name)
            beside = "" if former is None else f" (recorded {_shown(former)})"
            self.line(f"  {name}: {_shown(margin)}{beside}")
        if outcome.sides is not None:
            self.line(f"  bound: computed {outcome.sides[0]:.6g}, theory {outcome.sides[1]:.6g}")
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
        if self.is_terminal:
            self.console.print(Panel.fit(escape(text), style="red" if changed else "green"))
        else:
            self.line(f"\n{text}")

    def _verdict(self, verdict: Verdict) -> str:
        return f"[{_STYLE[verdict]}]{verdict.word}[/]"
