"""What the adaptive-norms paper says about its figure 1, sentence by sentence, judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory_checks.experiments.figure_1_bench import (
    DIAGONAL,
    FULL,
    GRADIENT,
    METHODS,
    PLAIN,
    RULES,
    STEEP,
    TILTED,
    Bench,
    Path,
    Rule,
)
from theory_checks.experiments.intervals import Interval, mean_interval
from theory_checks.experiments.outcome import Sentence, answer

__all__ = ["CONFIDENCE", "advantage", "sentences"]

#: Of every interval here, as in the paper's figure.
CONFIDENCE = 0.9

#: Steps that count as early.
_EARLY = 5

#: The bottom of the valley is reached where the steep coordinate is this part of its start.
_BOTTOM = 0.1

#: Lengths of steps against radii, and rotated runs against runs rotated, agree to this.
_EXACT, _SAME = 1e-12, 1e-6


@dataclass(frozen=True)
class _Evidence:
    """The runs under the first rule: log suboptimality at the end, and paths in full."""

    bench: Bench
    rates: dict[tuple[str, str], float]
    paths: dict[tuple[str, str], list[Path]]

    def along(self, place: str, method: str) -> np.ndarray:
        """Coordinates in the eigenbasis as shares of those of the start: (start, t, 2)."""
        runs = np.array([path.points for path in self.paths[place, method]])
        own = runs @ self.bench.turn(place)
        return np.asarray(np.abs(own / own[:, :1]))


def advantage(
    bench: Bench, rates: dict[tuple[str, str], float], place: str, method: str, rule: Rule
) -> np.ndarray:
    """log10 of f - f* with gradient descent less that with `method`, start by start."""
    end = max(1, round(rule.share * bench.sizes.iterations))
    plain = bench.curves(place, GRADIENT, rates[place, GRADIENT])[:, end]
    return np.asarray(plain - bench.curves(place, method, rates[place, method])[:, end])


def _judged(
    says: str, statistic: str, values: Sequence[float] | np.ndarray, *, above: bool, note: str = ""
) -> Sentence:
    """A sentence that is true if the mean is above (or below) zero."""
    found = _interval(values)
    side = answer(found.low, found.high, above=above)
    statistic = f"{statistic}; yes if {'> 0' if above else '< 0'}"
    return Sentence(says, statistic, found.mean, found.low, found.high, side, note)


def _interval(values: Sequence[float] | np.ndarray) -> Interval:
    return mean_interval(values, CONFIDENCE)


def _entry(shares: np.ndarray) -> np.ndarray:
    """log10 of the flat coordinate's share where the steep one has come down, start by start."""
    arrived = shares[:, :, 1] <= _BOTTOM
    first = np.where(arrived.any(axis=1), arrived.argmax(axis=1), shares.shape[1] - 1)
    return np.asarray(np.log10(shares[np.arange(len(shares)), first, 0]))


def _elongation(paths: Sequence[Path]) -> list[float]:
    """Mean log10 of the horizontal over the vertical semi-axis of the regions, run by run."""
    return [
        float(np.mean(0.5 * np.log10(path.matrices[:, 1, 1] / path.matrices[:, 0, 0])))
        for path in paths
    ]


def _slack(path: Path) -> float:
    """The largest relative difference between the length of a step and the radius."""
    steps = np.diff(path.points, axis=0)
    lengths = np.sqrt(np.einsum("ti,tij,tj->t", steps, path.matrices, steps))
    # A step shorter than the rounding of x has lost its digits.
    seen = np.abs(steps).max(axis=1) > 1e-3 * np.abs(path.points[:-1]).max(axis=1)
    off = np.abs(lengths / path.radii - 1.0)[seen]
    return float(off.max(initial=0.0))


def _turned_apart(bench: Bench, method: str, rate: float) -> float:
    """How far the run on the turned problem is from the turned run, over the start's length.

    After so many steps as are not yet at the level of rounding: half of them.
    """
    worst = 0.0
    half = bench.sizes.iterations // 2
    for start in bench.starts:
        straight = bench.path(STEEP, method, rate, start).points @ bench.turn(TILTED).T
        turned = bench.path(TILTED, method, rate, start).points
        apart = np.linalg.norm(straight - turned, axis=1)[: half + 1].max()
        worst = max(worst, float(apart / np.linalg.norm(start)))
    return worst


def _evidence(bench: Bench) -> _Evidence:
    rates = bench.rates(RULES[0])
    wanted = ((STEEP, GRADIENT), (STEEP, DIAGONAL), (TILTED, FULL), (TILTED, DIAGONAL))
    paths = {key: [bench.path(*key, rates[key], start) for start in bench.starts] for key in wanted}
    return _Evidence(bench, rates, paths)


def sentences(bench: Bench) -> tuple[Sentence, ...]:
    """Every sentence of section 3 about figure 1, in the paper's order."""
    evidence = _evidence(bench)
    return (
        *_about_conditioning(evidence),
        *_about_regions(evidence),
        *_about_the_tilt(evidence),
        *_about_rotations(evidence),
    )


def _about_conditioning(evidence: _Evidence) -> tuple[Sentence, ...]:
    bench, rates = evidence.bench, evidence.rates
    plain = bench.curves(PLAIN, GRADIENT, rates[PLAIN, GRADIENT])
    steep = bench.curves(STEEP, GRADIENT, rates[STEEP, GRADIENT])
    slower = (steep[:, -1] - steep[:, 0]) - (plain[:, -1] - plain[:, 0])
    shares = np.log10(evidence.along(STEEP, GRADIENT)[:, -1])
    per_step = (plain[:, 0] - plain[:, -1]) / bench.sizes.iterations
    return (
        _judged(
            "slow progress of gradient descent is negligible when well conditioned (left)",
            "digits of f gained per iteration at kappa 2, less half a digit",
            per_step - 0.5,
            above=True,
            note="its best fixed rate gains log10(9) = 0.95 digits an iteration there",
        ),
        _judged(
            "it becomes a drastic slow-down when ill-conditioned (centre)",
            "digits of f gained by the end at kappa 2 less those at kappa 20, less one",
            slower - 1.0,
            above=True,
        ),
        _judged(
            "at the bottom of the valley gradient descent struggles along the horizontal axis",
            "log10 of (share of the start that is left, horizontal / vertical), kappa 20",
            shares[:, 0] - shares[:, 1],
            above=True,
            note="a matter of the rate: at 2 / (1 + kappa) both shrink alike",
        ),
    )


def _about_regions(evidence: _Evidence) -> tuple[Sentence, ...]:
    bench, rates = evidence.bench, evidence.rates
    ours, plain = evidence.along(STEEP, DIAGONAL), evidence.along(STEEP, GRADIENT)
    early = np.log10(ours[:, _EARLY, 0]) - np.log10(plain[:, _EARLY, 0])
    entry = _entry(ours) - _entry(plain)
    return (
        _judged(
            "Adagrad's region is damped vertically and elongated horizontally (centre)",
            "log10 of its semi-axes, horizontal / vertical, mean over a run",
            _elongation(evidence.paths[STEEP, DIAGONAL]),
            above=True,
        ),
        _judged(
            "which lets it move further horizontally early on",
            f"log10 of the horizontal distance left after {_EARLY} steps, Adagrad / GD",
            early,
            above=False,
        ),
        _judged(
            "and enter the valley closer to the optimum along the flat direction",
            "log10 of the horizontal distance left where the vertical one has fallen to a tenth, "
            "Adagrad / GD",
            entry,
            above=False,
        ),
        _judged(
            "which accelerates convergence: Adagrad's axes suit an axis-aligned valley",
            "log10 of f - f* at the end, diagonal Adagrad less GD, kappa 20",
            -advantage(bench, rates, STEEP, DIAGONAL, RULES[0]),
            above=False,
        ),
    )


def _about_the_tilt(evidence: _Evidence) -> tuple[Sentence, ...]:
    bench, rates = evidence.bench, evidence.rates
    straight = advantage(bench, rates, STEEP, DIAGONAL, RULES[0])
    tilted = advantage(bench, rates, TILTED, DIAGONAL, RULES[0])
    full = advantage(bench, rates, TILTED, FULL, RULES[0])
    return (
        _judged(
            "the tilt reduces the superiority of diagonal Adagrad over gradient descent",
            "digits by which diagonal Adagrad is ahead of GD, tilted less axis-aligned",
            tilted - straight,
            above=False,
        ),
        _judged(
            "(reduces: something is left of it)",
            "digits by which diagonal Adagrad is ahead of GD on the tilted problem",
            tilted,
            above=True,
            note="the coordinates of the tilted problem have equal curvatures: its diagonal "
            "has nothing to adapt to",
        ),
        _judged(
            "full Adagrad is faster than gradient descent on the tilted problem",
            "digits by which full Adagrad is ahead of GD",
            full,
            above=True,
        ),
        _judged(
            "full Adagrad re-establishes the original speed-up: most of it",
            "digits by which full Adagrad is ahead on the tilted problem, less half of those of "
            "diagonal Adagrad on the axis-aligned one",
            full - 0.5 * straight,
            above=True,
        ),
        _judged(
            "full Adagrad re-establishes the original speed-up: all of it",
            "digits by which full Adagrad is ahead on the tilted problem, less those of diagonal "
            "Adagrad on the axis-aligned one",
            full - straight,
            above=True,
            note="its first steps follow single gradients, A being of rank one",
        ),
    )


def _about_rotations(evidence: _Evidence) -> tuple[Sentence, ...]:
    bench, rates = evidence.bench, evidence.rates
    slack = max(_slack(path) for paths in evidence.paths.values() for path in paths)
    found = [
        Sentence(
            "footnote 2: the minimiser of the linear model is always on the boundary",
            f"largest relative difference of ||s||_A and the radius; yes if <= {_EXACT:g}",
            slack,
            slack,
            slack,
            "yes" if slack <= _EXACT else "no",
        )
    ]
    for method in METHODS:
        apart = _turned_apart(bench, method, rates[TILTED, method])
        invariant = "is not" if method == DIAGONAL else "is"
        same = apart <= _SAME
        found.append(
            Sentence(
                f"(implied) {method} {invariant} invariant under rotations",
                "largest distance of the turned iterates from the iterates of the turned problem, "
                f"half the run, over ||x_0||; invariant if <= {_SAME:g}",
                apart,
                apart,
                apart,
                "yes" if same == (method != DIAGONAL) else "no",
            )
        )
    return tuple(found)
