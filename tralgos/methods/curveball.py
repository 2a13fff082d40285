"""CurveBall: heavy-ball momentum with curvature, and its automatic parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from tralgos.arguments import (
    check_choice,
    nonnegative_scalar,
    number,
    positive_integer,
    positive_scalar,
)
from tralgos.arrays import Array
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.methods.curveball_iteration import CurveBallState, Iteration
from tralgos.methods.curveball_look import Place, the_place
from tralgos.methods.damping import checks
from tralgos.methods.evaluator import HESSIANS, CurvatureKind, Evaluator
from tralgos.methods.gauss_newton import curvature_kind
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, check_second_order
from tralgos.methods.samples import Sample, draw, evaluator_of, require_terms

__all__ = ["CurveBall", "CurveBallState", "LamRule"]

LamRule = Literal["fixed", "printed", "authors", "gain", "tracking"]


@dataclass(frozen=True, kw_only=True)
class CurveBall(Method):
    r"""CurveBall (Algorithm 1): one gradient step on the Newton system for each step of x.

    .. math:: \Delta_z = (\hat H + \lambda I) z + J, \qquad z \leftarrow \rho z - \beta \Delta_z,
        \qquad w \leftarrow w + z

    Parameters
    ----------
    beta : float, optional
        Positive. By default, with `rho` left open as well, the pair minimises the model
        z'J + z'(H + lam)z/2 in every step (eq. 18); of one that is given alone the other
        is the minimiser on the line that is left.
    rho : float, optional
        In [0, 1]; with a fixed `beta` in [0, 5): from 5 on no beta converges on any quadratic
        (Theorem A.1).
    lam : float
        lambda, or its first value; not negative. It has the unit of a curvature.
    lam_rule : {"tracking", "fixed", "printed", "authors", "gain"}, optional
        How lambda changes. "tracking", the default where beta and rho are both automatic and for
        these alone: by whether z follows the damped Newton step
        (:mod:`tralgos.methods.tracking`); a step that does not lower f is rejected, but for
        three between any two new minima that raise it by no more than ten times the decrease
        that was promised: a curved valley is crossed so. The others
        are in :mod:`tralgos.methods.damping`; "fixed" is the default otherwise.
    hessian : {"gauss-newton", "exact", "finite-difference"}, optional
        The default is the first that the problem has.
    batch : int, optional
        Terms of the sample that each step is made with; all unless given.
    second_order : bool or None
        See :class:`~tralgos.methods.protocol.MethodProtocol`.

    Raises
    ------
    ArgumentError
        If a parameter is out of its range or does not go with another; from a run, if the
        problem has no such curvature, or no terms to take samples of.

    Warns
    -----
    CurvatureWarning
        Once a run, if the curvature turns out negative where the theory (Theorems A.1 and A.2)
        needs it positive. Automatic parameters then take absolute values of the model's
        curvatures on the span, which keeps z a direction of descent; "tracking" raises lambda to
        twice the negative curvature instead, and has no need to warn.

    Notes
    -----
    **Cost** of a step. For a problem that is a loss of a model's outputs
    (`has_linearization`), with Gauss-Newton: one value, one forward and one reverse product; one
    more forward product for automatic parameters. The gradient is not evaluated: the norms in the
    trace are lower bounds, lengths of its projection on the span, until one is within `gtol`. For
    other curvatures: one value and gradient and one product, with automatic parameters two.
    A check of lambda costs nothing, on samples a value, with beta and rho both given a product. A
    rejected trial costs its value, with an operator the gradient there as well, and no product:
    the next trial is made from the same ones.

    Besides, 11 passes over vectors of length n and one transfer to the host (of inner products),
    with a linearised model 8.

    **lambda** has no say in the span of z and Delta_z, which is that of z and Hz + J. So with the
    plain H in the matrix of eq. (18), as it is printed, automatic parameters make lambda
    void; here the matrix has H + lambda, as in the authors' code.

    **z = 0 and collinear directions.** The pair is found in an orthonormal basis of the span.
    Where z is zero or a multiple of Delta_z the span is a line, and the trace has rank 1.

    A trial where f is not finite is a rejection: lambda is raised. That shortens no step with a
    fixed beta, with which the run ends.

    ``detail`` of the trace: `rho`, `beta`, `lam`, `rank`; `curvature`, the least one of H on the
    span; `predicted`, the change of f that the undamped model promises, and `gamma`, the actual
    change over it, where they were computed.

    Host transfers: 2 an iteration, of the value and of all inner products; 1 for a rejected trial.

    References
    ----------
    Henriques, Ehrhardt, Albanie and Vedaldi, Small steps and giant leaps: minimal Newton
    solvers for deep learning, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> rosenbrock = tralgos.problems.Rosenbrock(2)
    >>> run = tralgos.minimize(rosenbrock, np.array([-1.0, -1.0]), tralgos.CurveBall())
    >>> run.success, run.x.round(4)
    (True, array([1., 1.]))
    """

    beta: float | None = None
    rho: float | None = None
    lam: float = 1.0
    lam_rule: LamRule | None = None
    hessian: CurvatureKind | None = None
    batch: int | None = None
    second_order: bool | None = None

    def __post_init__(self) -> None:
        if self.beta is not None:
            object.__setattr__(self, "beta", positive_scalar(self.beta, "beta"))
        if self.rho is not None:
            object.__setattr__(self, "rho", self._checked_rho(self.rho))
        object.__setattr__(self, "lam", nonnegative_scalar(self.lam, "lam"))
        automatic = self.beta is None and self.rho is None
        if self.lam_rule is None:
            object.__setattr__(self, "lam_rule", "tracking" if automatic else "fixed")
        check_choice(self.lam_rule, "lam_rule", get_args(LamRule))
        if self.lam_rule == "tracking" and not automatic:
            raise ArgumentError('lam_rule="tracking" needs automatic beta and rho: leave both out')
        if self.hessian is not None:
            check_choice(self.hessian, "hessian", HESSIANS)
        if self.batch is not None:
            object.__setattr__(self, "batch", positive_integer(self.batch, "batch"))
        check_second_order(self.second_order)

    def _checked_rho(self, rho: object) -> float:
        value = number(rho, "rho")
        if self.beta is None and not 0.0 <= value <= 1.0:
            raise ArgumentError(f"rho must lie in [0, 1] where beta is automatic, got {value}")
        if not 0.0 <= value < 5.0:
            raise ArgumentError(
                f"rho must lie in [0, 5), got {value}: beyond, no beta converges on any quadratic"
            )
        return value

    # ------------------------------------------------------------------ what the driver asks

    @property
    def stochastic(self) -> bool:
        """Whether there is a `batch`."""
        return self.batch is not None

    @property
    def fixed(self) -> bool:
        """Whether neither beta nor rho is automatic."""
        return self.beta is not None and self.rho is not None

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the curvature and the terms that are asked for."""
        require_terms(problem.problem, self.batch, "batch")
        kind = curvature_kind(problem.problem, self.hessian)
        if kind != "linearized":
            problem.require(kind)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> CurveBallState:
        """The place x0 with z = 0: one value and one gradient, and one product if automatic."""
        sample = draw(problem, self.batch, rng)
        place = self._place(problem, sample, x0)
        try:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                look = place.look(None, 0.0, None, full=self._full(1))
        except NonFiniteError:
            raise NonFiniteError(
                f"the gradient of {problem.problem.name} at x0, or the curvature along it, is NaN "
                "or infinite"
            ) from None
        return CurveBallState(
            x0,
            place.value,
            look.gradient,
            look.gradient_norm,
            look=look,
            lam=self.lam,
            sample=sample,
            least_value=place.value,
            least_gradient=look.gradient_norm,
        )

    def restart(
        self, problem: Evaluator, state: State, x: Array, rng: np.random.Generator
    ) -> CurveBallState:
        """As :meth:`init`; a warning that was given is not given again."""
        assert isinstance(state, CurveBallState)
        return replace(self.init(problem, x, rng), warned=state.warned)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> CurveBallState:
        """Trials, mostly one, until one is taken; see the class for the cost."""
        assert isinstance(state, CurveBallState)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return Iteration(self, problem, state, rng).run()

    # ------------------------------------------------------------------ inside

    def _place(self, problem: Evaluator, sample: Sample | None, x: Array) -> Place:
        kind = curvature_kind(problem.problem, self.hessian)
        return the_place(evaluator_of(problem, sample), x, None if kind == "linearized" else kind)

    def _full(self, step: int) -> bool:
        """Whether the step of that number needs the whole model on the span."""
        return not self.fixed or self._checks(step)

    def _checks(self, step: int) -> bool:
        rule = self.lam_rule
        assert rule is not None
        return rule == "tracking" or checks(rule, step)
