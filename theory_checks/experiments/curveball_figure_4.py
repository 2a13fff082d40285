"""Figure 4 of the CurveBall paper: the rate of convergence over beta h and rho.

The map is made of eigenvalues of the transition matrix, one small matrix a point; the boundary
that is drawn over it is Theorem A.1's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments.curveball_figure_4_drawing import draw
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher

__all__ = ["SIZES", "Map", "Sizes", "inside", "run", "run_sizes", "spectral_radii", "survey"]

#: Moduli nearer to 1 than this are on the boundary, as far as rounding can tell: at a double
#: eigenvalue it counts by its square root.
_EDGE = 1e-7


@dataclass(frozen=True)
class Sizes:
    """How fine the map is.

    Attributes
    ----------
    columns, rows : int
        Points along beta h and along rho; the drawn lines of them lie between round numbers.
    kappa : float
        Condition number of the right panel.
    spectrum : int
        Eigenvalues of it, evenly spaced.
    widest_s, widest_rho : float
        The map covers 0 < beta h < widest_s and 0 < rho < widest_rho.
    """

    columns: int
    rows: int
    kappa: float = 10.0
    spectrum: int = 9
    widest_s: float = 2.0
    widest_rho: float = 2.4


SIZES = {Level.QUICK: Sizes(160, 192), Level.FULL: Sizes(400, 480, spectrum=33)}


def spectral_radii(s: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """The larger modulus of the eigenvalues of eq. (36), by LAPACK, entry by entry."""
    s, rho = np.broadcast_arrays(np.asarray(s, dtype=float), np.asarray(rho, dtype=float))
    matrix = np.empty((*s.shape, 2, 2))
    matrix[..., 0, 0] = matrix[..., 1, 0] = rho - s
    matrix[..., 0, 1] = -s
    matrix[..., 1, 1] = 1.0 - s
    return np.asarray(np.abs(np.linalg.eigvals(matrix)).max(axis=-1))


def inside(s: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Where Theorem A.1 promises convergence for one eigenvalue."""
    return np.asarray((s > 0.0) & (1.5 * s - 1.0 < rho) & (rho < 1.0 + s))


@dataclass(frozen=True)
class Map:
    """Spectral radii: `single` for one eigenvalue, `worst` over the spectrum, shape (rho, s).

    For `worst` the horizontal axis is beta times the largest eigenvalue.
    """

    s: np.ndarray
    rho: np.ndarray
    single: np.ndarray
    worst: np.ndarray
    shares: np.ndarray

    def best(self, radii: np.ndarray) -> tuple[float, float, float]:
        """The point of the map with the least radius, and that."""
        i, j = np.unravel_index(int(np.argmin(radii)), radii.shape)
        return float(self.s[j]), float(self.rho[i]), float(radii[i, j])

    def span(self, row: int) -> float:
        """The length of the beta h that converge with the rho of that row."""
        return float(np.sum(self.single[row] < 1.0) * (self.s[1] - self.s[0]))


def survey(sizes: Sizes) -> Map:
    """The map, in points within its cells: not in the middles, through which boundaries pass."""
    s = (np.arange(sizes.columns) + 0.5) * (sizes.widest_s / sizes.columns)
    rho = (np.arange(sizes.rows) + 1.0 / 3.0) * (sizes.widest_rho / sizes.rows)
    shares = np.linspace(1.0 / sizes.kappa, 1.0, sizes.spectrum)
    single = spectral_radii(s[None, :], rho[:, None])
    worst = np.zeros_like(single)
    for share in shares:
        np.maximum(worst, spectral_radii(share * s[None, :], rho[:, None]), out=worst)
    return Map(s, rho, single, worst, shares)


def _refined(shares: np.ndarray, start: tuple[float, float]) -> tuple[float, float, float]:
    """(beta L, rho, rate) of the best pair, from the best point of the map on."""
    from scipy.optimize import minimize

    def rate(pair: np.ndarray) -> float:
        return float(spectral_radii(shares * pair[0], np.full(len(shares), pair[1])).max())

    options = {"xatol": 1e-12, "fatol": 1e-14, "maxiter": 2000}
    point = np.array(start)
    # It has a kink at the best point: a simplex that has shrunk too soon begins anew.
    for _ in range(4):
        point = minimize(rate, point, method="Nelder-Mead", options=options).x
    return float(point[0]), float(point[1]), rate(point)


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level; there is nothing random in it."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    watcher.of(2)
    watcher.at("map")
    found = survey(sizes)
    one = _refined(np.ones(1), found.best(found.single)[:2])
    several = _refined(found.shares, found.best(found.worst)[:2])
    watcher.done()
    watcher.at("picture")
    picture = draw(found, sizes.kappa, one, several)
    watcher.done()
    return Outcome(
        (_ranges(found), _bests(sizes, one, several)),
        _sentences(found, several),
        _choices(sizes),
        {
            "rate": "largest modulus of the eigenvalues of the transition matrix: the error falls "
            "by this factor a step, in the long run",
            "beta h": "no unit",
        },
        _numbers(found, sizes, one, several),
        {"curveball-figure-4.png": picture},
        _REMARKS,
    )


_REMARKS = (
    "At beta h = rho = 1 the transition matrix is nilpotent: one eigenvalue alone is solved in two "
    "steps from any z, in one from z = 0.",
    "For rho > 1 the range of beta h begins at rho - 1, not at 0: it holds larger eigenvalues, but "
    "lacks the small ones. Corollary A.1.1 is right to leave rho > 1 out.",
    "Where the eigenvalues are complex the rate is sqrt(rho - beta h), whatever else.",
)


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    return (
        Choice(
            "extent of the map",
            f"0 < beta h < {sizes.widest_s:g}, 0 < rho < {sizes.widest_rho:g}, "
            f"{sizes.columns} x {sizes.rows} points",
        ),
        Choice(
            "intersection for several eigenvalues (in words only in the paper)",
            f"a panel of its own: {sizes.spectrum} eigenvalues evenly spaced, condition number "
            f"{sizes.kappa:g}",
        ),
    )


def _ranges(found: Map) -> Table:
    lines = []
    for rho in (0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0):
        row = int(np.argmin(np.abs(found.rho - rho)))
        taken = found.s[found.single[row] < 1.0]
        seen = (found.rho[row], taken[0], taken[-1], found.span(row))
        low = max(0.0, rho - 1.0)
        high = 2.0 * (1.0 + rho) / 3.0
        stated = f"{low:.3f} to {high:.3f}"
        lines.append((f"{rho:g}", *(f"{x:.3f}" for x in seen), stated, f"{high - low:.3f}"))
    headings = (
        "rho",
        "rho of the map",
        "least beta h",
        "greatest beta h",
        "length",
        "Theorem A.1 at rho",
        "its length",
    )
    return Table("beta h that converge, by the map and by the theorem", headings, tuple(lines))


def _bests(
    sizes: Sizes, one: tuple[float, float, float], several: tuple[float, float, float]
) -> Table:
    kappa = sizes.kappa
    plain = (kappa - 1.0) / (kappa + 1.0)
    root = kappa**0.5
    ball = (root - 1.0) / (root + 1.0)
    lines = (
        ("one eigenvalue", *(f"{x:.4f}" for x in one), "0.0000", "0.0000"),
        (f"kappa = {kappa:g}", *(f"{x:.4f}" for x in several), f"{plain:.4f}", f"{ball:.4f}"),
    )
    headings = ("spectrum", "beta h_max", "rho", "rate", "gradient descent", "heavy ball")
    return Table("the best fixed pair, and the best rates of its relatives", headings, lines)


def _exact(says: str, statistic: str, value: float, *, holds: bool, note: str = "") -> Sentence:
    return Sentence(says, statistic, value, value, value, "yes" if holds else "no", note)


def _sentences(found: Map, several: tuple[float, float, float]) -> tuple[Sentence, ...]:
    s, rho = found.s[None, :], found.rho[:, None]
    away = np.abs(found.single - 1.0) > _EDGE
    wrong = float(np.mean(((found.single < 1.0) != inside(s, rho))[away]))
    complex_pairs = (rho - 2.0 * s) ** 2 < 2.0 * rho - 1.0
    modulus = np.sqrt(np.maximum(rho - s, 0.0))
    off = float(np.abs(found.single - modulus)[complex_pairs].max())
    cell = float(found.s[1] - found.s[0])
    spans = np.array([found.span(row) for row in range(len(found.rho))])
    widest = float(found.rho[int(np.argmax(spans))])
    at_one = float(spans[int(np.argmin(np.abs(found.rho - 1.0)))])
    tall = float(found.rho[1] - found.rho[0])
    return (
        _exact(
            "the white areas of the map are those of non-convergence: outside Theorem A.1's region",
            "share of the points of the map where the spectral radius and the theorem disagree; "
            "yes if 0",
            wrong,
            holds=wrong == 0.0,
            note="the condition is necessary, too",
        ),
        _exact(
            "where the square root is imaginary the rate is sqrt(rho - beta h) (eq. 41)",
            "largest difference over those points; yes if <= 1e-7",
            off,
            holds=off <= 1e-7,
        ),
        _exact(
            "the largest possible range of beta h is obtained when rho = 1",
            "rho whose row of the map has the longest range; yes if within two rows of 1",
            widest,
            holds=abs(widest - 1.0) <= 2.0 * tall,
            note="by the theorem it is (2 rho + 2)/3 up to rho = 1, and (5 - rho)/3 from there on",
        ),
        _exact(
            "that range is 0 < beta h < 4/3",
            "its length at the row nearest to rho = 1, less 4/3; yes if within two cells of 0",
            at_one - 4.0 / 3.0,
            holds=abs(at_one - 4.0 / 3.0) <= 2.0 * cell,
        ),
        *_about_intersections(found, several),
    )


def _about_intersections(
    found: Map, several: tuple[float, float, float]
) -> tuple[Sentence, Sentence]:
    """The last sentence of section A.2.1, in two readings."""
    step = float(found.s[1] - found.s[0])
    spans = np.sum(found.worst < 1.0, axis=1) * step
    widest = float(found.rho[int(np.argmax(spans))])
    tall = float(found.rho[1] - found.rho[0])
    at_one = spectral_radii(found.s, np.ones_like(found.s)) < 1.0
    elsewhere = np.any(found.single < 1.0, axis=0)
    lost = found.s[elsewhere & ~at_one]
    first = float(lost[0]) if len(lost) else 0.0
    return (
        _exact(
            "so the intersection of the regions for several eigenvalues is largest with rho = 1",
            "rho with the longest range of beta for the spectrum of the right panel; yes if within "
            "three rows of 1",
            widest,
            holds=abs(widest - 1.0) <= 3.0 * tall,
            note=f"largest, not best: the best pair there has rho = {several[1]:.3f}",
        ),
        _exact(
            "for any fixed beta (read: rho = 1 converges wherever some rho does)",
            "least beta h of the map with which some rho converges and rho = 1 does not; yes if "
            "there is none",
            first,
            holds=not len(lost),
            note="beta h = 1.5 converges with rho = 1.5 (eigenvalues 0 and -1/2), not with rho = 1",
        ),
    )


def _numbers(
    found: Map,
    sizes: Sizes,
    one: tuple[float, float, float],
    several: tuple[float, float, float],
) -> dict[str, Any]:
    rows = range(0, sizes.rows, max(1, sizes.rows // 24))
    columns = slice(None, None, max(1, sizes.columns // 20))
    return {
        "sizes": asdict(sizes),
        "eigenvalues of the right panel over the largest": found.shares.tolist(),
        "best": {"one eigenvalue": one, "spectrum": several},
        "coarse map": {
            "beta h": found.s[columns].tolist(),
            "rho": [float(found.rho[i]) for i in rows],
            "one eigenvalue": [np.round(found.single[i, columns], 6).tolist() for i in rows],
            "spectrum": [np.round(found.worst[i, columns], 6).tolist() for i in rows],
        },
    }
