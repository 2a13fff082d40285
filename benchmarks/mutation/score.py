"""The share of mutants killed, with its interval, and who survived."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.mutation.population import Module, Mutant

__all__ = ["interval", "sample", "survivors", "table"]

#: 97.5% point of the normal distribution.
_Z = 1.959964
_DEAD = ("killed", "timeout")


def sample(modules: Mapping[str, Module], seed: int) -> list[Mutant]:
    """All mutants in an order of which every beginning is a sample, stratified by module.

    The mutants of a module come in random order; the k-th of N has the place (k + u) / N,
    u uniform in (0, 1), so that each beginning holds of each module its share, up to one.
    Each module has a generator of its own: a change in one does not draw the others anew.
    """
    placed: list[tuple[float, Mutant]] = []
    for path in sorted(modules):
        mutants = modules[path].mutants
        rng = random.Random(f"{seed} {path}")
        rng.shuffle(mutants)
        offset = rng.random()
        placed += [((k + offset) / len(mutants), m) for k, m in enumerate(mutants)]
    return [mutant for _, mutant in sorted(placed, key=lambda pair: pair[0])]


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share.

    Drawing by modules, and without putting back, only makes it narrower.
    """
    if tried == 0:
        return 0.0, 1.0
    p, z2 = killed / tried, _Z**2 / tried
    middle = (p + 0.5 * z2) / (1.0 + z2)
    half = _Z / (1.0 + z2) * math.sqrt(p * (1.0 - p) / tried + 0.25 * z2 / tried)
    return middle - half, middle + half


def table(name: str, groups: Iterable[tuple[str, str]], sizes: Mapping[str, int]) -> list[str]:
    """Markdown rows of (group, outcome) pairs: mutants, tried, killed, share."""
    tried: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    for group, outcome in groups:
        tried[group] += 1
        dead[group] += outcome in _DEAD
    rows = [f"| {name} | mutants | tried | killed | share |", "|---|--:|--:|--:|--:|"]
    for group in sorted(sizes):
        share = f"{dead[group] / tried[group]:.0%}" if tried[group] else ""
        rows.append(f"| {group} | {sizes[group]} | {tried[group]} | {dead[group]} | {share} |")
    low, high = interval(dead.total(), tried.total())
    share = f"{dead.total() / max(tried.total(), 1):.1%} ({low:.1%} to {high:.1%})"
    rows.append(f"| all | {sum(sizes.values())} | {tried.total()} | {dead.total()} | {share} |")
    return rows


def survivors(results: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The results of mutants that nothing has killed."""
    return [result for result in results if result["outcome"] not in _DEAD]
