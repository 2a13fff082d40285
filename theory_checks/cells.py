"""The work of a run in pieces that can be done in any order, on any process, and kept.

A cell is one round of a hunt, or one of the other things that are done for a
claim. Its result depends on nothing but the claim, the cell, the level and the seed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_checks.claim import Claim, Form, Level
from theory_checks.codec import from_plain, to_plain
from theory_checks.dropping import hypothesis_dropped, sabotage_noticed
from theory_checks.engine import Budget, hunt
from theory_checks.evidence import DroppedOutcome, Hunt, Measured, SabotageOutcome

__all__ = [
    "Cell",
    "ClaimError",
    "Findings",
    "cells_of",
    "check_result",
    "found_in",
    "run_cell",
    "superfluous",
]

#: Instances screened for every one that Hypothesis draws.
_SCREENED = 256

#: Seconds a round may take: a guard, not the usual end of a round.
_SECONDS = 10.0


class ClaimError(Exception):
    """An error in a claim's own functions; the message says which claim, where, and on what."""


@dataclass(frozen=True, order=True)
class Cell:
    """One piece of work.

    Attributes
    ----------
    round : int
        The number of the round of a hunt; 0 for everything else. First, so that
        cells sort by it: every claim has its first round before any has its second.
    claim, part, form : str
        The claim's id; ``"hunt"``, ``"dropped"``, ``"sabotage"`` or ``"figures"``;
        the form's name (empty for figures).
    """

    round: int
    claim: str
    part: str
    form: str


@dataclass(frozen=True)
class _Outcomes:
    """The outcomes of one cell of hypotheses dropped or algorithms broken."""

    dropped: tuple[DroppedOutcome, ...] = ()
    sabotage: tuple[SabotageOutcome, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Findings:
    """What the cells of one form found, put together; rounds in their order."""

    rounds: tuple[Hunt, ...]
    dropped: tuple[DroppedOutcome, ...]
    sabotage: tuple[SabotageOutcome, ...]
    seconds: float


def cells_of(claim: Claim, level: Level) -> tuple[Cell, ...]:
    """Return the pieces of work that a claim makes at a level."""
    if claim.untestable:
        return ()
    cells = []
    for name, form in claim.forms().items():
        cells += [Cell(number, claim.id, "hunt", name) for number in range(level.value)]
        if any(condition.dropped is not None for condition in form.hypotheses):
            cells.append(Cell(0, claim.id, "dropped", name))
        if form.sabotage:
            cells.append(Cell(0, claim.id, "sabotage", name))
    if claim.measure is not None:
        cells.append(Cell(0, claim.id, "figures", ""))
    return tuple(cells)


def _own_seed(cell: Cell, seed: int) -> int:
    # Each cell has a stream of its own, so that a claim gives the same evidence
    # alone as among the others, and on one process as on many.
    return seed + zlib.crc32(f"{cell.claim}:{cell.part}:{cell.form}:{cell.round}".encode())


def _budget(form: Form) -> Budget:
    return Budget(form.effort, _SCREENED * form.effort, _SECONDS)


def _where(error: BaseException) -> str:
    """The file and line that an error comes from: the innermost of its traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"


def run_cell(claim: Claim, cell: Cell, level: Level, seed: int, xp: Any = np) -> dict[str, Any]:
    """Do one piece of work and return what it found as plain data.

    Parameters
    ----------
    claim : Claim
        The claim that the cell names.
    cell : Cell
        What to do.
    level : Level
        For the figures, which choose their own effort by it.
    seed : int
        Of the run; each cell derives its own from it. The figures get it as it is.
    xp : array namespace
        Where bulk screening is done.

    Raises
    ------
    ClaimError
        For an error in the claim's own functions.
    """
    try:
        return _done(claim, cell, level, seed, xp)
    except Exception as error:
        notes = "; ".join(getattr(error, "__notes__", ())[:1])
        raise ClaimError(
            f"{claim.id}, {cell.form or 'measured'}, {cell.part}: {type(error).__name__}: {error}"
            f"{_where(error)}{'; ' if notes else ''}{notes}"
        ) from error


def _done(claim: Claim, cell: Cell, level: Level, seed: int, xp: Any) -> dict[str, Any]:
    start = time.process_time()
    if cell.part == "figures":
        figures = () if claim.measure is None else tuple(claim.measure(level, seed))
        result: Any = Measured(figures, time.process_time() - start)
        return dict(to_plain(result))
    form, own = claim.forms()[cell.form], _own_seed(cell, seed)
    budget = _budget(form)
    if cell.part == "hunt":
        result = hunt(form, budget, own, first_round=cell.round == 0, xp=xp)
    elif cell.part == "dropped":
        outcomes = hypothesis_dropped(form, budget, own)
        result = _Outcomes(dropped=outcomes, seconds=time.process_time() - start)
    else:
        noticed = sabotage_noticed(form, budget, own)
        result = _Outcomes(sabotage=noticed, seconds=time.process_time() - start)
    return dict(to_plain(result))


def check_result(cell: Cell, result: Mapping[str, Any]) -> None:
    """Refuse what a cell cannot have found.

    Raises
    ------
    ValueError
        When the result is not of the kind that the cell gives.
    """
    kinds: dict[str, type] = {"hunt": Hunt, "figures": Measured}
    from_plain(kinds.get(cell.part, _Outcomes), result)


def superfluous(cell: Cell, results: Mapping[Cell, dict[str, Any]]) -> bool:
    """Whether an earlier round has found what a later one would look for."""
    if cell.part != "hunt":
        return False
    earlier = (Cell(k, cell.claim, "hunt", cell.form) for k in range(cell.round))
    return any(results[e]["violation"] is not None for e in earlier if e in results)


def _outcomes(results: Mapping[Cell, dict[str, Any]], cell: Cell) -> _Outcomes:
    return from_plain(_Outcomes, results[cell]) if cell in results else _Outcomes()


def found_in(
    claim: Claim, results: Mapping[Cell, dict[str, Any]]
) -> tuple[dict[str, Findings], Measured]:
    """Put together what the cells of a claim found: by form, and the figures.

    Raises
    ------
    ValueError
        When a result is not what its cell gives.
    """
    forms = {}
    for name in claim.forms():
        rounds = _rounds(claim.id, name, results)
        dropped = _outcomes(results, Cell(0, claim.id, "dropped", name))
        sabotage = _outcomes(results, Cell(0, claim.id, "sabotage", name))
        seconds = sum(h.seconds for h in rounds) + dropped.seconds + sabotage.seconds
        forms[name] = Findings(rounds, dropped.dropped, sabotage.sabotage, seconds)
    figures = Cell(0, claim.id, "figures", "")
    measured = from_plain(Measured, results[figures]) if figures in results else Measured()
    return forms, measured


def _rounds(claim_id: str, form: str, results: Mapping[Cell, dict[str, Any]]) -> tuple[Hunt, ...]:
    mine: Iterable[Cell] = (
        c for c in results if (c.claim, c.part, c.form) == (claim_id, "hunt", form)
    )
    return tuple(from_plain(Hunt, results[cell]) for cell in sorted(mine))
