"""How often a value leaves the device: counted on array-api-strict's second device, and stated.

    python -m benchmarks.fetches

prints the table of the page on GPUs. A device of array-api-strict has no memory of its own, but
every way out of it can be counted; a count does not depend on the machine, so that the tests
compare it with what is stated. Each run is made twice, with few and with more iterations, and the
difference is shown: what is paid once is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import array_api_strict as strict
import numpy as np

import tralgos
from tralgos.norms import DiagonalNorm, RMSPropNorm
from tralgos.operators import DiagonalOperator, WrappedOperator
from tralgos.problems import Rosenbrock

__all__ = ["ROWS", "Counted", "Row", "counting", "difference", "table"]

#: Everything through which a value of array-api-strict reaches Python or NumPy.
_EXITS = ("__float__", "__bool__", "__int__", "__index__", "__complex__", "__array__", "__buffer__")
_VARIABLES, _ORDER = 40, 2500


@dataclass(frozen=True)
class Counted:
    """What a run took.

    Attributes
    ----------
    iterations, trials, products : int
        Iterations of the method, trial points, products with the Hessian.
    fetches : int
        Times that a value, or several in one array, left the device.
    """

    iterations: int
    trials: int
    products: int
    fetches: int

    def __sub__(self, other: Counted) -> Counted:
        return Counted(
            self.iterations - other.iterations,
            self.trials - other.trials,
            self.products - other.products,
            self.fetches - other.fetches,
        )


@dataclass(frozen=True)
class Row:
    """A method, and the fetches that it states.

    Attributes
    ----------
    name : str
        What runs.
    subject : object
        The public name whose docstring states the fetches.
    run : callable
        Bound on its iterations -> what it took.
    product, trial, iteration : int
        Fetches of a product with the Hessian, of a trial point and of an iteration.
    few, more : int
        The bounds of the two runs.
    documented : str
        What the docstring says, where it is not ``Host transfers:`` and `words`.
    """

    name: str
    subject: Any
    run: Callable[[int], Counted]
    product: int = 0
    trial: int = 0
    iteration: int = 0
    few: int = 3
    more: int = 8
    documented: str = ""

    def stated(self, counted: Counted) -> int:
        """The fetches that these iterations, trials and products should have taken."""
        return (
            self.product * counted.products
            + self.trial * counted.trials
            + self.iteration * counted.iterations
        )

    @property
    def words(self) -> str:
        """The statement."""
        parts = (
            (self.product, "a product"),
            (self.trial, "a trial"),
            (self.iteration, "an iteration"),
        )
        return ", ".join(f"{count} {what}" for count, what in parts if count)


@contextmanager
def counting() -> Iterator[list[str]]:
    """A list that grows with every fetch from a device of array-api-strict."""
    kind: Any = type(strict.asarray(0.0))
    log: list[str] = []
    copies: list[Any] = []  # reading what has been fetched already is free
    names = [name for name in (*_EXITS, "to_device") if hasattr(kind, name)]
    originals = {name: getattr(kind, name) for name in names}

    def counted(name: str) -> Any:
        def method(self: Any, *args: Any, **options: Any) -> Any:
            found = originals[name](self, *args, **options)
            if name == "to_device":
                if found is not self:
                    log.append(name)
                    copies.append(found)
            elif not any(self is copy for copy in copies):
                log.append(name)
            return found

        return method

    for name in names:
        setattr(kind, name, counted(name))
    try:
        yield log
    finally:
        for name, original in originals.items():
            setattr(kind, name, original)


def _array(x: Any) -> Any:
    values = np.asarray(x, dtype=np.float64).tolist()
    return strict.asarray(values, dtype=strict.float64, device=strict.Device("device1"))


def _minimise(method: Any) -> Callable[[int], Counted]:
    """A run on Rosenbrock's function of 40 variables, in the Euclidean norm."""

    def run(limit: int) -> Counted:
        x = _array(np.tile([-1.2, 1.0], _VARIABLES // 2))
        with counting() as log:
            made = tralgos.minimize(Rosenbrock(_VARIABLES), x, method, maxiter=limit, gtol=1e-14)
        return Counted(made.nit, len(made.trace) - 1, made.nhvp, len(log))

    return run


def _hidden(lowest: float) -> Any:
    """A diagonal Hessian of order 2500 that is known by its products."""
    return WrappedOperator(DiagonalOperator(_array(np.linspace(lowest, 300.0, _ORDER))))


def _subproblem(
    lowest: float = -1.0, radius: float = 1.0, **options: Any
) -> Callable[[int], Counted]:
    """A trust-region subproblem with that Hessian."""

    def run(limit: int) -> Counted:
        H, g = _hidden(lowest), _array(np.ones(_ORDER))
        chosen = {key: made(limit) for key, made in options.items()}
        with counting() as log:
            made = tralgos.solve_trs(H, g, radius, rtol=1e-14, rng=0, **chosen)
        return Counted(0, 0, made.matvecs, len(log))

    return run


def _bound(limit: int) -> Counted:
    """A lower bound on the leftmost eigenvalue, from random starts."""
    H, like = _hidden(-1.0), _array(np.ones(_ORDER))
    with counting() as log:
        made = tralgos.curvature_bound(
            H, certify="probabilistic", like=like, max_matvec=limit, rng=0
        )
    return Counted(0, 0, made.matvecs, len(log))


def _outer(
    name: str, method: Any, product: int, trial: int, iteration: int = 0, *, words: str = ""
) -> Row:
    """The row of a method of minimisation."""
    return Row(name, type(method), _minimise(method), product, trial, iteration, documented=words)


def _weighted() -> tralgos.TrustRegion:
    return tralgos.TrustRegion(norm=DiagonalNorm(_array(np.linspace(1.0, 2.0, _VARIABLES))))


def _adaptive() -> tralgos.TrustRegion:
    return tralgos.TrustRegion(norm=RMSPropNorm(epsilon=1.0))


def _adam(kind: Any, window: int | None = None) -> tralgos.Adam:
    return tralgos.Adam(kind=kind, window=window, epsilon=1.0)


def _always(value: Any) -> Callable[[int], Any]:
    return lambda limit: value


_PLAIN: dict[str, Any] = {"certify": _always("none")}
_KRYLOV: dict[str, Any] = {"method": _always("krylov"), "max_matvec": lambda limit: limit}
_SAFE: dict[str, Any] = {"method": lambda k: tralgos.SphereDescent(step=0.2, maxiter=k), **_PLAIN}
#: Positive curvatures and a distant boundary: an end on the boundary has fetches of its own.
_STEIHAUG: dict[str, Any] = {
    "lowest": 1.0,
    "radius": 1e6,
    "method": lambda k: tralgos.Steihaug(rtol=1e-30, maxiter=k),
    **_PLAIN,
}

ROWS = (
    Row(
        "solve_trs, Krylov", tralgos.solve_trs, _subproblem(**_KRYLOV, **_PLAIN), 1, few=8, more=24
    ),
    Row("solve_trs, Steihaug", tralgos.Steihaug, _subproblem(**_STEIHAUG), 1, few=4, more=12),
    Row(
        "solve_trs, sphere descent", tralgos.SphereDescent, _subproblem(**_SAFE), 1, few=20, more=40
    ),
    Row("curvature_bound", tralgos.curvature_bound, _bound, 1, few=40, more=80),
    _outer("TrustRegion", tralgos.TrustRegion(), 1, 2, 6),
    _outer("TrustRegion, fixed norm", _weighted(), 1, 2, 8, words="8 an iteration in another norm"),
    _outer("TrustRegion, RMSPropNorm", _adaptive(), 1, 2, 10, words="10 where a diagonal norm"),
    _outer("CubicRegularization", tralgos.CubicRegularization(), 1, 2, 6),
    _outer("Newton, dense", tralgos.Newton(), 0, 2, 7),
    _outer("LevenbergMarquardt, dense", tralgos.LevenbergMarquardt(), 0, 3, 5),
    _outer("HessianFree", tralgos.HessianFree(), 1, 2, 7),
    _outer("LiSSA(scale=...)", tralgos.LiSSA(scale=1e4), 0, 2, 6),
    _outer("CurveBall", tralgos.CurveBall(), 0, 0, 2),
    _outer("GradientDescent", tralgos.GradientDescent(), 0, 2),
    _outer(
        "GradientDescent(rate=...)",
        tralgos.GradientDescent(rate=1e-4),
        0,
        0,
        2,
        words="makes 2 an iteration",
    ),
    _outer("HeavyBall", tralgos.HeavyBall(rate=1e-5), 0, 0, 2),
    _outer("Nesterov", tralgos.Nesterov(rate=1e-5), 0, 0, 2),
    _outer("Adagrad", tralgos.Adagrad(), 0, 0, 4),
    _outer("RMSProp", tralgos.RMSProp(), 0, 0, 4),
    _outer("Adam", tralgos.Adam(), 0, 0, 4),
    _outer("Adam, window", _adam("window", 3), 0, 0, 5, words="5 with a window"),
    _outer("Adam, full matrix", _adam("full"), 0, 0, 7, words="7 with a full matrix"),
)


def difference(row: Row) -> Counted:
    """What the iterations between the two bounds took."""
    return row.run(row.more) - row.run(row.few)


def table() -> str:
    """The table in Markdown: what is stated, and what was counted."""
    lines = [
        "| method | fetches | iterations | trials | products | counted |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        counted = difference(row)
        outer = (counted.iterations, counted.trials) if counted.iterations else ("", "")
        figures = (*outer, counted.products or "", counted.fetches)
        lines.append(f"| {row.name} | {row.words} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
