"""The deterministic trust region on ill-conditioned quadratics, in uniform and adaptive norms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import aslinearoperator

import tralgos
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Sentence, Table, Watcher, answer
from tralgos import TrustRegion
from tralgos.norms import AdagradNorm, RMSPropNorm
from tralgos.operators import WrappedOperator
from tralgos.problems import Quadratic, quadratic_with_spectrum

__all__ = [
    "NORMS",
    "ORIENTATIONS",
    "SOLVERS",
    "Case",
    "Conditioning",
    "measure",
    "sentences",
    "tables",
]

CONFIDENCE = 0.95
_EPSILON = 1e-10
_BETA = 0.8

#: A run ends where the gradient has fallen to this part, or after so many products.
_TOLERANCE, _LIMIT = 1e-6, 4000

UNIFORM = "uniform"

#: The rule of a norm, and the power of its matrix.
NORMS: dict[str, tuple[Callable[[], Any], float]] = {
    UNIFORM: (lambda: None, 1.0),
    "Adagrad, A": (lambda: AdagradNorm(epsilon=_EPSILON), 1.0),
    "RMSProp, A": (lambda: RMSPropNorm(epsilon=_EPSILON, beta=_BETA), 1.0),
    "RMSProp full, root of A": (
        lambda: RMSPropNorm(epsilon=_EPSILON, beta=_BETA, kind="full"),
        0.5,
    ),
    "RMSProp, root of A": (lambda: RMSPropNorm(epsilon=_EPSILON, beta=_BETA), 0.5),
}

#: Conjugate gradients of at most 50 steps, as the paper's authors have them.
SOLVERS: dict[str, Any] = {
    "Steihaug": tralgos.Steihaug(rtol="forcing", maxiter=50),
    "Krylov": "krylov",
}

ORIENTATIONS = {"axis-aligned": "none", "rotated": "dense"}


@dataclass(frozen=True)
class Conditioning:
    """How much is run."""

    n: int
    runs: int
    kappas: tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """One line of the tables.

    Attributes
    ----------
    solver, orientation, norm : str
    kappa : float
    backpropagations : array
        To the tolerance, one a run; those at the limit where it was not reached.
    unfinished : int
        Runs that did not get there.
    condition : float
        The median condition number of H in the norm of the first step.
    """

    solver: str
    orientation: str
    kappa: float
    norm: str
    backpropagations: np.ndarray
    unfinished: int
    condition: float


def measure(sizes: Conditioning, seed: int, watcher: Watcher) -> tuple[Case, ...]:
    """All cases."""
    found = []
    for solver in SOLVERS:
        for orientation in ORIENTATIONS:
            for kappa in sizes.kappas:
                watcher.at(f"{solver}, {orientation}, kappa {kappa:.0e}")
                found += [_case(solver, orientation, kappa, norm, sizes, seed) for norm in NORMS]
                watcher.done()
    return tuple(found)


def _case(
    solver: str, orientation: str, kappa: float, norm: str, sizes: Conditioning, seed: int
) -> Case:
    rule, power = NORMS[norm]
    method = TrustRegion(
        norm=rule(), norm_power=power, subproblem=SOLVERS[solver], second_order=False
    )
    counts, unfinished, conditions = [], 0, []
    for i in range(sizes.runs):
        rng = np.random.default_rng([seed, 33, i])
        matrix = _matrix(kappa, orientation, sizes.n, rng)
        # As an operator, so that its products are counted: of an array the rows are known.
        problem = Quadratic(WrappedOperator(aslinearoperator(matrix), symmetric=True))
        x0 = rng.standard_normal(sizes.n)
        slope = matrix @ x0
        run = tralgos.minimize(
            problem,
            x0,
            method,
            gtol=_TOLERANCE * float(np.linalg.norm(slope)),
            max_matvec=_LIMIT,
        )
        counts.append(run.backpropagations)
        unfinished += not run.success
        conditions.append(_condition(matrix, slope, rule(), power))
    return Case(
        solver,
        orientation,
        kappa,
        norm,
        np.array(counts),
        unfinished,
        float(np.median(conditions)),
    )


def _matrix(kappa: float, orientation: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Eigenvalues from 1/kappa to 1 in geometric progression."""
    spectrum = np.logspace(-np.log10(kappa), 0.0, n)
    quadratic = quadratic_with_spectrum(spectrum, rotation=ORIENTATIONS[orientation], rng=rng)
    return np.asarray(quadratic.H.matmat(np.eye(n)))


def _condition(H: np.ndarray, slope: np.ndarray, rule: Any, power: float) -> float:
    """The condition number of M^{-1/2} H M^{-1/2} with the M of the first step."""
    if rule is None:
        values = np.linalg.eigvalsh(H)
    else:
        norm = rule.norm(rule.update(rule.init(like=slope), slope), power=power)
        root = np.array([norm.inverse_sqrt(e) for e in np.eye(len(slope))])
        values = np.linalg.eigvalsh(root @ H @ root)
    return float(values[-1] / max(values[0], np.finfo(float).tiny))


def _against_uniform(cases: tuple[Case, ...], case: Case) -> np.ndarray:
    """log10 of the backpropagations over those of the uniform norm, run by run."""
    for other in cases:
        same = (other.solver, other.orientation, other.kappa) == (
            case.solver,
            case.orientation,
            case.kappa,
        )
        if same and other.norm == UNIFORM:
            return np.asarray(np.log10(case.backpropagations / other.backpropagations))
    raise LookupError(f"no uniform norm beside {case.norm}")


def tables(cases: tuple[Case, ...], sizes: Conditioning) -> tuple[Table, ...]:
    """Backpropagations for each inner solver, and the condition numbers behind them."""
    rows = [(orientation, kappa) for orientation in ORIENTATIONS for kappa in sizes.kappas]
    others = [norm for norm in NORMS if norm != UNIFORM]
    found = []
    for solver in SOLVERS:
        at = {(c.orientation, c.kappa, c.norm): c for c in cases if c.solver == solver}
        lines = []
        for row in rows:
            first = at[(*row, UNIFORM)]
            cells = [_ratio(cases, at[(*row, norm)]) for norm in others]
            lines.append((row[0], f"{row[1]:.0e}", _count(first), *cells))
        title = (
            f"quadratics, n = {sizes.n}, {solver}: backpropagations (one for a gradient, two for "
            f"a product) until the gradient has fallen to {_TOLERANCE:g}, and ratios to the uniform"
            f" norm; geometric means over {sizes.runs} runs, 95% interval; *: runs cut short at "
            f"{_LIMIT} products"
        )
        found.append(Table(title, ("axes", "kappa", UNIFORM, *others), tuple(lines)))
    lines = [
        (row[0], f"{row[1]:.0e}", *(f"{at[(*row, norm)].condition:.1e}" for norm in NORMS))
        for row in rows
    ]
    title = "quadratics: condition number of H in the norm of the first step, median over runs"
    return (*found, Table(title, ("axes", "kappa", *NORMS), tuple(lines)))


def _count(case: Case) -> str:
    mean = 10.0 ** float(np.mean(np.log10(case.backpropagations)))
    return f"{mean:.0f}" + "*" * bool(case.unfinished)


def _ratio(cases: tuple[Case, ...], case: Case) -> str:
    ratio = mean_interval(_against_uniform(cases, case), CONFIDENCE)
    shown = f"{10**ratio.mean:.2f} [{10**ratio.low:.2f}, {10**ratio.high:.2f}]"
    return shown + "*" * bool(case.unfinished)


_INVERSE = (
    "A is about (h_i x_i)^2, so that H in its norm is about 1 / (h_i x_i^2): as ill-conditioned "
    "as before, the other way round, and more for the spread of x_i"
)
_ROOT = "the root of A is about h_i |x_i|: in its norm H is about 1 / |x_i|, without kappa"
_NOISE = (
    "all coordinates have about the same curvature: the diagonal of A holds no conditioning, only "
    "the chance of single gradients"
)
_RANK = "of few gradients the full A has low rank, and epsilon alone measures all other directions"


def _why(orientation: str, norm: str) -> str:
    """What is behind the outcome."""
    if "full" in norm:
        return _RANK
    if orientation == "rotated":
        return _NOISE
    return _ROOT if "root" in norm else _INVERSE


def sentences(cases: tuple[Case, ...]) -> tuple[Sentence, ...]:
    """Whether each norm needs fewer backpropagations than the uniform one, and why."""
    found = []
    for solver in SOLVERS:
        for orientation in ORIENTATIONS:
            for norm in NORMS:
                if norm == UNIFORM:
                    continue
                ratios = [
                    _against_uniform(cases, case)
                    for case in cases
                    if (case.solver, case.orientation, case.norm) == (solver, orientation, norm)
                ]
                found.append(_sentence(solver, orientation, norm, np.array(ratios)))
    return tuple(found)


def _sentence(solver: str, orientation: str, norm: str, ratios: np.ndarray) -> Sentence:
    # A run draws its rotation and start once for all condition numbers: one value a run.
    seen = mean_interval(ratios.mean(axis=0), CONFIDENCE)
    return Sentence(
        f"(ours) {norm} needs fewer backpropagations than uniform: {orientation}, {solver}",
        "log10 of the ratio, mean over the condition numbers; yes if < 0",
        seen.mean,
        seen.low,
        seen.high,
        answer(seen.low, seen.high, above=False),
        _why(orientation, norm),
    )
