"""Many small dense subproblems: one call for all of them against a loop over them."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import mpmath
import numpy as np

import tralgos
from benchmarks import _peers, _report
from benchmarks._timing import interleaved
from tralgos.subproblems import batch as batch_module
from tralgos.subproblems import batch_reduction
from tralgos.subproblems.batch import solve_trs_batch

__all__ = ["problems", "tables"]

#: Orders, and how many problems of each: a batch takes about a tenth of a second at most.
SIZES = {2: 30_000, 5: 20_000, 10: 16_384, 20: 6_000, 50: 1_000}
#: Problems that a loop solves in a round.
LOOP = 150
ROUNDS = 9
RTOL = 1e-10
#: Orders at which the true gaps are computed in extended precision, and of how many problems.
EXACT = {2: 20, 5: 20, 10: 10, 20: 4}
DIGITS = 50


def problems(n: int, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Random indefinite H and g; a tenth of them so that g hardly sees the leftmost vector."""
    rng = np.random.default_rng(n)
    A = rng.standard_normal((b, n, n))
    H = (A + A.transpose(0, 2, 1)) / np.sqrt(2.0 * n)
    g = rng.standard_normal((b, n))
    near = np.arange(0, b, 10)
    first = np.linalg.eigh(H[near])[1][:, :, 0]
    seen = 10.0 ** -rng.integers(4, 13, near.size).astype(float)
    along = np.sum(first * g[near], axis=1) * (1.0 - seen)
    g[near] = 0.1 * (g[near] - along[:, None] * first)
    return H, g


def _loop(solve: Callable[[np.ndarray, np.ndarray], Any], H: Any, g: Any) -> list[Any]:
    return [solve(H[i], g[i]) for i in range(LOOP)]


def _exact(H: np.ndarray, g: np.ndarray) -> Any:
    return _peers.trust_exact(H, g, 1.0, rtol=RTOL)


def _one(H: np.ndarray, g: np.ndarray) -> Any:
    return tralgos.solve_trs(H, g, 1.0)


def _speed_row(n: int, b: int) -> list[str]:
    """Microseconds a problem, and the medians over the rounds of what others take over it."""
    H, g = problems(n, b)
    tasks: dict[str, Callable[[], object]] = {
        "batch": lambda: solve_trs_batch(H, g, 1.0),
        "exact": lambda: _loop(_exact, H, g),
        "one": lambda: _loop(_one, H, g),
        "eigh": lambda: np.linalg.eigh(H),
    }
    count = {"batch": b, "exact": LOOP, "one": LOOP, "eigh": b}
    for task in tasks.values():
        task()
    seconds = interleaved(tasks, repeats=ROUNDS)
    each = {name: [t / count[name] for t in times] for name, times in seconds.items()}
    over = {
        name: statistics.median(t / u for t, u in zip(times, each["batch"], strict=True))
        for name, times in each.items()
    }
    micro = 1e6 * statistics.median(each["batch"])
    return [
        f"{n}",
        f"{b}",
        f"{micro:.2f}",
        f"{1e6 * statistics.median(each['exact']):.0f}",
        f"{over['exact']:.0f}",
        f"{over['one']:.0f}",
        f"{over['eigh']:.2f}",
    ]


def _value(H: np.ndarray, g: np.ndarray, s: np.ndarray) -> Any:
    """q(s) of each problem."""
    return np.sum(s * (g + 0.5 * np.einsum("bij,bj->bi", H, s)), axis=1)


def _minimum(H: np.ndarray, g: np.ndarray) -> Any:
    """min q over the unit ball in extended precision: eigenvalues, and bisection for lambda."""
    e, Q = mpmath.eigsy(mpmath.matrix(H.tolist()))
    c = Q.T * mpmath.matrix(g.tolist())
    pairs = [(e[i], c[i]) for i in range(len(g))]

    def excess(lam: Any) -> Any:
        return mpmath.fsum((a / (v + lam)) ** 2 for v, a in pairs) - 1

    low = max(mpmath.mpf(0), -min(v for v, _ in pairs))
    if low == 0 and excess(low) <= 0:
        return -mpmath.fsum(a * a / v for v, a in pairs) / 2
    # The gradients are not orthogonal to the leftmost vector, so that there is a root.
    high = low + mpmath.norm(c) + 1
    for _ in range(6 * DIGITS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    steps = [(v, a, -a / (v + high)) for v, a in pairs]
    return mpmath.fsum(s * (a + v * s / 2) for v, a, s in steps)


def _true_gap(H: np.ndarray, g: np.ndarray, s: np.ndarray) -> float:
    """q(s) - min q over -min q."""
    with mpmath.workdps(DIGITS):
        x = mpmath.matrix(s.tolist())
        product = mpmath.matrix(H.tolist()) * x
        terms = [x[i] * (mpmath.mpf(float(g[i])) + product[i] / 2) for i in range(len(g))]
        best = _minimum(H, g)
        return float((mpmath.fsum(terms) - best) / -best)


def _quality_row(n: int, b: int) -> list[str]:
    """Values beside SciPy's on the problems of the loop, and gaps beside the true ones."""
    H, g = problems(n, b)
    result = solve_trs_batch(H, g, 1.0)
    few = slice(0, LOOP)
    peer = np.stack([found.step for found in _loop(_exact, H, g)])
    length = np.linalg.norm(peer, axis=1, keepdims=True)
    # A step outside the ball is brought back: it is compared for what it is worth inside.
    inside = _value(H[few], g[few], peer / np.maximum(length, 1.0))
    ours = _value(H[few], g[few], result.step[few])
    excess = (ours - inside) / -ours
    true = [_true_gap(H[i], g[i], result.step[i]) for i in range(EXACT.get(n, 0))]
    counts = ", ".join(f"{k} {status.name}" for status, k in result.counts().items())
    return [
        f"{n}",
        counts,
        f"{int(np.count_nonzero(result.hard_case))}",
        f"{float(result.relative_gap.max()):.1e}",
        f"{max(true):.1e} of {len(true)}" if true else "-",
        f"{float(excess.max()):.1e}",
        f"{float(-excess.min()):.1e}",
        f"{max(float(length.max()) - 1.0, 0.0):.0e}",
    ]


class _Clock:
    """Seconds spent in functions that are called through it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - start
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        return call


#: The parts of a solve that are timed: where each is called from, and what it is.
_PARTS = {
    "checks": (batch_module, "validated_batch"),
    "scales": (batch_module, "host_scales"),
    "reduction": (batch_module, "TridiagonalReduction"),
    "of which leftmost pairs": (batch_reduction, "leftmost"),
    "secular equation": (batch_module, "minimum_on_sphere"),
    "step and certificate": (batch_module, "measured"),
}


def _profile_row(n: int, b: int) -> list[str]:
    """Shares of the time of a batch."""
    H, g = problems(n, b)
    clock = _Clock()
    with contextlib.ExitStack() as stack:
        for name, (module, attribute) in _PARTS.items():
            timed = clock.timed(name, getattr(module, attribute))
            stack.enter_context(mock.patch.object(module, attribute, timed))
        whole = clock.timed("all", solve_trs_batch)
        for _ in range(ROUNDS):
            whole(H, g, 1.0)
    total = clock.seconds["all"]
    return [f"{n}", *(f"{100.0 * clock.seconds[name] / total:.0f}%" for name in _PARTS)]


def _width_row(b: int, n: int = 10) -> list[str]:
    """A batch of b problems beside a loop of `solve_trs` over as many."""
    H, g = problems(n, max(b, 20))
    H, g = H[:b], g[:b]
    repeat = max(1, 256 // b)
    count = min(b, 64)

    def batch() -> None:
        for _ in range(repeat):
            solve_trs_batch(H, g, 1.0)

    def loop() -> None:
        for i in range(count):
            _one(H[i], g[i])

    seconds = interleaved({"batch": batch, "loop": loop}, repeats=ROUNDS)
    each = [t / (repeat * b) for t in seconds["batch"]]
    over = statistics.median(t / count / u for t, u in zip(seconds["loop"], each, strict=True))
    return [f"{b}", f"{1e6 * statistics.median(each):.2f}", f"{over:.1f}"]


def tables() -> Iterator[_report.Table]:
    """Speed, quality, where the time goes, and how wide a batch has to be."""
    note = (
        "Random indefinite H of spectral radius about 2, normal g, radius 1; a tenth are "
        "near-hard, with 1e-4 to 1e-12 of the component of g along the leftmost vector. "
        f"SciPy's trust-exact subproblem with k_easy = k_hard = {RTOL:g}, `tralgos.solve_trs`, and "
        "NumPy's batched eigh, which alone solves nothing. The checks and the certificates of "
        "tralgos are in its times; SciPy has none. Ratios are times a problem, medians of "
        f"{ROUNDS} interleaved rounds."
    )
    columns = [
        "n",
        "batch",
        "µs a problem",
        "SciPy, µs",
        "SciPy over batch",
        "loop of solve_trs over batch",
        "eigh over batch",
    ]
    rows = [_speed_row(n, b) for n, b in SIZES.items()]
    yield _report.Table("Throughput", note, columns, rows)
    note = (
        f"The whole batch; values beside SciPy's on its first {LOOP} problems, true gaps by mpmath "
        f"with {DIGITS} digits on the first few, all relative to the decrease. SciPy's steps are "
        "brought back into the ball before their values are taken; on most near-hard problems "
        "it stops at its 25th iteration without a word."
    )
    columns = [
        "n",
        "status",
        "hard",
        "worst certified",
        "worst true",
        "ours above SciPy's by",
        "SciPy's above ours by",
        "SciPy outside by",
    ]
    rows = [_quality_row(n, b) for n, b in SIZES.items()]
    yield _report.Table("Values", note, columns, rows)
    rows = [_profile_row(n, b) for n, b in SIZES.items()]
    note = "Shares of the time of a batch; the reduction includes the leftmost pairs."
    yield _report.Table("Where the time goes", note, ["n", *_PARTS], rows)
    rows = [_width_row(b) for b in (1, 4, 16, 64, 256, 1024, 4096, 16384)]
    note = "n = 10. What a call costs is shared by the problems of its batch."
    columns = ["batch", "µs a problem", "loop of solve_trs over batch"]
    yield _report.Table("How wide a batch has to be", note, columns, rows)


if __name__ == "__main__":
    _report.main("python -m benchmarks.batch --out docs/batch-timings.md", tables, title="Batches")
