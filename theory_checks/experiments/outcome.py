"""What an experiment hands back: tables, judged sentences, pictures, and all its numbers."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.page import markdown
from theory_checks.watching import Unwatched, Watcher

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from theory_checks.sweeps import Runner

__all__ = [
    "Choice",
    "Experiment",
    "Outcome",
    "Sentence",
    "Table",
    "Unwatched",
    "Watcher",
    "answer",
    "document",
    "write",
]

#: What the JSON files look like; raised when a reader would have to change.
FORMAT = 1

_RESOLUTION = 110  # dots per inch
_COLOURS = 64

_PACKAGES = ("numpy", "scipy", "matplotlib")


@dataclass(frozen=True)
class Table:
    """A table for the terminal and the file; the title names the units."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence of the paper about the figure, and whether it came out here.

    Attributes
    ----------
    says : str
        The sentence, in short.
    statistic : str
        What it is judged by, with its unit, and when the answer is yes.
    value, low, high : float or None
        The statistic and its interval (all equal where it is exact); None where there is none.
    answer : str
        "yes", "no" or "can't tell"; see :func:`answer`.
    note : str
        Why, where that can be said.
    """

    says: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    answer: str
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """Something that the paper leaves open, and what is done here."""

    left_open: str
    chosen: str


@dataclass(frozen=True)
class Outcome:
    """The result of an experiment.

    Attributes
    ----------
    tables : tuple of Table
    sentences : tuple of Sentence
    choices : tuple of Choice
    remarks : tuple of str
        What a reader should know besides.
    units : dict
        The unit of each number, by its name.
    numbers : dict
        Everything that was measured, JSON-serialisable and without NaN.
    pictures : dict
        Matplotlib figures by the name of their file.
    """

    tables: tuple[Table, ...]
    sentences: tuple[Sentence, ...]
    choices: tuple[Choice, ...]
    units: Mapping[str, str]
    numbers: Mapping[str, Any]
    pictures: Mapping[str, Canvas] = field(repr=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A figure or table of a paper that can be made again.

    Attributes
    ----------
    id, title, source : str
        The id is that of the claim where there is one; `source` says where it stands.
    run : callable
        From a level, a seed and a watcher to the outcome.
    sweep : callable or None
        The same of an experiment that is made of cells, with a
        :class:`~theory_checks.sweeps.Runner` in place of the watcher: it says what the cells
        are done on, and keeps them.
    backends : tuple of str
        Where the arrays of the cells can live: "numpy", and "cupy" where `sweep` heeds
        ``runner.backend``.
    """

    id: str
    title: str
    source: str
    run: Callable[[Level, int, Watcher], Outcome]
    sweep: Callable[[Level, int, Runner], Outcome] | None = None
    backends: tuple[str, ...] = ("numpy",)

    def made(self, level: Level, seed: int, runner: Runner) -> Outcome:
        """The outcome; cells are done and kept as the runner says."""
        if self.sweep is None:
            return self.run(level, seed, runner.watcher or Unwatched())
        return self.sweep(level, seed, runner)

    @property
    def stem(self) -> str:
        """The id as the beginning of a file's name."""
        return self.id.replace("/", "-")


def answer(low: float, high: float, limit: float = 0.0, *, above: bool = True) -> str:
    """Whether a statistic lies on its side of `limit`, by its interval.

    "yes" where the whole interval is on that side, "no" where it is on the other one,
    "can't tell" where it holds the limit.
    """
    if not above:
        low, high, limit = -high, -low, -limit
    if low > limit:
        return "yes"
    return "no" if high < limit else "can't tell"


def document(
    experiment: Experiment,
    outcome: Outcome,
    level: Level,
    seed: int,
    seconds: float,
    backend: str = "numpy",
    resumed: int | None = None,
) -> dict[str, Any]:
    """The outcome as JSON, with all that is needed to make it again.

    `resumed` is how many cells an earlier run had done, null where there are none. Apart from it,
    `date`, `seconds` and `versions` it is a function of level, seed and backend.
    """
    option = "" if backend == "numpy" else f" --backend {backend}"
    packages = {name: version(name) for name in _PACKAGES}
    return {
        "format": FORMAT,
        "experiment": experiment.id,
        "title": experiment.title,
        "source": experiment.source,
        "command": f"theory-checks reproduce {experiment.id} --level {level.name.lower()} "
        f"--rng {seed}{option}",
        "level": level.name.lower(),
        "seed": seed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "resumed": resumed,
        "versions": {
            "tralgos": tralgos.__version__,
            "python": platform.python_version(),
            **packages,
        },
        "units": dict(outcome.units),
        "left_open": [asdict(choice) for choice in outcome.choices],
        "sentences": [asdict(sentence) for sentence in outcome.sentences],
        "tables": [asdict(table) for table in outcome.tables],
        "remarks": list(outcome.remarks),
        "numbers": dict(outcome.numbers),
        "pictures": list(outcome.pictures),
    }


def write(document: Mapping[str, Any], stem: str, outcome: Outcome, folder: Path) -> Sequence[Path]:
    """Write the JSON, the pictures and a page into `folder`, which is made if need be.

    Returns
    -------
    sequence of Path
        The files.

    Raises
    ------
    OSError
        If a file cannot be written, naming it; the former one is left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    contents = {
        f"{stem}.json": f"{text}\n".encode(),
        f"{stem}.md": markdown(document).encode(),
        **{name: _png(canvas) for name, canvas in outcome.pictures.items()},
    }
    for name, content in contents.items():
        _replace(folder / name, content)
    return [folder / name for name in contents]


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole: whoever looks sees the former one or this one."""
    part = path.with_name(f"{path.name}.part")
    try:
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error


def _png(canvas: Canvas) -> bytes:
    """A PNG with a palette: a third of the size of one with all colours."""
    from PIL import Image

    raw, small = BytesIO(), BytesIO()
    canvas.savefig(raw, format="png", dpi=_RESOLUTION)
    picture = Image.open(raw).convert("RGB")
    plain = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
    plain.save(small, format="png", optimize=True)
    return small.getvalue()
