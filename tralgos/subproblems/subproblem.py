"""Trust-region and cubic subproblems solved to certified global optimality."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tralgos.arguments import (
    check_callback,
    check_choice,
    check_max_matvec,
    check_memory,
    check_probability,
    check_rng,
    positive_scalar,
)
from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.operators import DenseOperator, SparseOperator
from tralgos.subproblems.callbacks import InnerIterate
from tralgos.subproblems.certificate import measure, nothing
from tralgos.subproblems.certify import Outcome, certified_gap, decided_slack
from tralgos.subproblems.direct import DenseReduction
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.krylov import KrylovSpace, KrylovStep
from tralgos.subproblems.krylov_solver import KrylovSolver
from tralgos.subproblems.model import BudgetExhausted, Candidate, Model
from tralgos.subproblems.report import Reporter
from tralgos.subproblems.result import SubproblemResult
from tralgos.subproblems.selection import (
    DEFAULT_MEMORY,
    SMALL,
    Certify,
    EvidenceOptions,
    choose_evidence,
    dense_matrix,
    fits_dense,
)
from tralgos.subproblems.sphere_descent import SphereDescent, sphere_descent
from tralgos.subproblems.steihaug import Steihaug, steihaug
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target, solve_reduced
from tralgos.subproblems.validation import check_rtol, validated_model

__all__ = ["Subproblem", "solve_cubic", "solve_trs"]

#: Methods by name; a record stands for its class's method with the options it holds.
_METHODS = ("auto", "direct", "krylov", "steihaug", "sphere-descent")
_CERTIFY = ("auto", "exact", "probabilistic", "none")

Method = str | Steihaug | SphereDescent


class Subproblem:
    """The model g's + s'Hs/2 in a norm, to be minimised for many radii and sigmas.

    The reduction of the model (a tridiagonalisation of a dense H, the Krylov space
    of g otherwise) and the evidence on its curvature are kept: another radius or sigma
    costs one product with H for its certificate while they suffice, and extends them
    when they do not.

    Parameters
    ----------
    H : array, sparse array, operator, or object with `shape` and `matvec` or ``@``; (n, n)
        Symmetric; see :func:`tralgos.operators.as_operator`.
    g : array, shape (n,)
        Gradient, float32 or float64 (integers become float64). Its namespace,
        device and dtype are those of the step.
    norm : Norm, optional
        The norm of the trust region, Euclidean by default.
    method : str or record
        "direct" (dense reduction), "krylov", "steihaug", "sphere-descent", a
        :class:`Steihaug` or :class:`SphereDescent` record, or "auto": direct for dense
        arrays that fit `memory`, for operators of order up to 500, and for larger ones with
        `certify="exact"` (at n products), else krylov.
    rtol : float, optional
        Certified gap over model decrease that is aimed at, in (0, 1). Default 1e-8
        in float64 and 1e3 eps in float32.
    certify : {"auto", "exact", "probabilistic", "none"}
        Evidence on the curvature. "auto": exact for dense and sparse matrices whose
        factorisation fits `memory` and for operators of order up to 500, else
        probabilistic.
    failure_probability : float
        Of probabilistic evidence, in (0, 1).
    max_matvec : int, optional
        Bound on the products with H of one call, those of its certificate included.
    memory : int, optional
        Bound in bytes on each of: the Krylov basis (8 n bytes a vector in float64,
        beyond which vectors are made again at one product each), the basis of
        probabilistic evidence, a dense copy, a sparse factorisation. Default 2 GiB.
    callback : callable, optional
        Sees an :class:`InnerIterate` for each inner iteration of the iterative
        methods; "direct" has none. With a callback the Krylov solver assembles its
        step in each iteration, at a pass over the basis.
    rng : numpy.random.Generator or int, optional
        Source of the random probe and of probabilistic evidence; a fixed seed by
        default, so that equal input gives equal output.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError
        Where H, g or the norm are not what they have to be.
    ArgumentError
        Where an option is out of its range, naming it.
    NotPositiveDefiniteError
        Where the norm is none.
    """

    def __init__(
        self,
        H: Any,
        g: Array,
        norm: Any = None,
        *,
        method: Method = "auto",
        rtol: float | None = None,
        certify: Certify = "auto",
        failure_probability: float = 1e-6,
        max_matvec: int | None = None,
        memory: int | None = None,
        callback: Callable[[InnerIterate], object] | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self._method = _checked_method(method)
        check_choice(certify, "certify", _CERTIFY)
        probability = check_probability(failure_probability)
        self._max_matvec = check_max_matvec(max_matvec)
        self._memory = check_memory(memory, DEFAULT_MEMORY)
        self._callback = check_callback(callback)
        self._rng = check_rng(rng)
        try:
            self._model = validated_model(H, g, norm, max_matvec=self._max_matvec, rng=self._rng)
        except BudgetExhausted:
            raise ArgumentError(
                f"max_matvec={max_matvec} does not suffice to check that H is symmetric"
            ) from None
        self._rtol = check_rtol(rtol, self._model.g.dtype)
        self._evidence = EvidenceOptions(certify, probability, self._memory, self._rng)
        self._gamma = self._model.norm.dual_norm(self._model.g)
        self._report = Reporter(
            self._model, gamma=self._gamma, rtol=self._rtol, failure_probability=probability
        )
        self._reduction: DenseReduction | None = None
        self._space: KrylovSpace | None = None
        self._curvature: Curvature | None = None
        self._has_curvature = False
        self._counted = 0

    def trust_region(self, radius: float) -> SubproblemResult:
        """Minimise the model over ||s||_M <= radius.

        Parameters
        ----------
        radius : float
            Positive and finite, in the units of s.

        Raises
        ------
        ArgumentError
            If the radius is not, or is too extreme relative to ||g|| / ||H|| (beyond a factor of
            about 1e100 in float64, 1e17 in float32) for its square to be represented.
        """
        r = positive_scalar(radius, "radius")
        scaled = r * (self._model.hessian_scale / self._model.gradient_scale)
        return self._solve(RadiusTarget(self._in_range(scaled, "radius", r)))

    def cubic(self, sigma: float) -> SubproblemResult:
        """Minimise the model plus sigma/3 ||s||_M^3.

        Parameters
        ----------
        sigma : float
            Positive and finite, in the units of H over those of s.

        Raises
        ------
        ArgumentError
            If sigma is not, or is too extreme relative to ||H||^2 / ||g|| as for the radius,
            or if the method solves trust-region problems only.
        """
        value = positive_scalar(sigma, "sigma")
        if isinstance(self._method, Steihaug | SphereDescent):
            name = type(self._method).__name__
            raise ArgumentError(f"method {name} solves trust-region subproblems, not cubic ones")
        h, c = self._model.hessian_scale, self._model.gradient_scale
        return self._solve(CubicTarget(self._in_range(value / h * (c / h), "sigma", value)))

    def _in_range(self, scaled: float, name: str, given: float) -> float:
        """`scaled` itself, where lengths that it leads to can be squared in the dtype of g."""
        limit = 1e17 if self._model.eps > 1e-8 else 1e100
        if not 1.0 / limit <= scaled <= limit:
            raise ArgumentError(
                f"{name}={given} is too extreme for the sizes of H and g: relative to them it is "
                f"{scaled:.1e}, outside {1.0 / limit:.0e} to {limit:.0e}"
            )
        return scaled

    def _solve(self, target: Target) -> SubproblemResult:
        if self._max_matvec is not None:
            self._model.max_matvec = self._counted + self._max_matvec
        try:
            if isinstance(self._method, Steihaug | SphereDescent):
                return self._descent(target, self._method)
            if self._uses_direct():
                return self._direct(target)
            return self._krylov(target)
        except (KeyboardInterrupt, MemoryError):
            # It may have come between any two lines: nothing half made is kept.
            self._space = self._curvature = None
            self._has_curvature = False
            raise
        finally:
            self._counted = self._model.matvecs
            self._model.reserve = 0

    # ------------------------------------------------------------------ the three ways

    def _uses_direct(self) -> bool:
        if self._method != "auto":
            return self._method == "direct"
        model = self._model
        if not fits_dense(model, self._memory):
            return False
        if isinstance(model.operator, DenseOperator):
            return True
        if isinstance(model.operator, SparseOperator):
            return model.n <= SMALL
        if self._reduction is not None:
            return True
        # Exact evidence multiplies an operator out, and then the rest is free.
        certify = self._evidence.certify
        wanted = certify == "exact" or (certify == "auto" and model.n <= SMALL)
        affordable = self._max_matvec is None or model.matvecs + model.n < self._max_matvec
        return wanted and affordable

    def _direct(self, target: Target) -> SubproblemResult:
        model = self._model
        if self._reduction is None:
            self._reduction = DenseReduction(model, dense_matrix(model))
        reduction = self._reduction
        solution = solve_reduced(reduction.T, reduction.c, target)
        candidate = Candidate(
            reduction.step(solution.h), solution.multiplier, optimal=True, hard_case=solution.hard
        )
        boundary = isinstance(target, RadiusTarget) and not solution.interior
        return self._certified(candidate, target, boundary=boundary, size=reduction.T.size())

    def _krylov(self, target: Target) -> SubproblemResult:
        model = self._model
        if self._space is None:
            self._space = KrylovSpace(model, memory=self._memory, limit=4 * model.n + 20)
        space = self._space
        before = self._curvature.products if self._curvature is not None else 0
        curvature = self._evidence_for_model()
        solver = KrylovSolver(model, space, curvature, self._rtol, self._observer(target))
        outcome, budget = solver.solve(target)
        run = space.lanczos
        return self._report.result(
            outcome,
            target,
            curvature,
            size=max(run.size if run is not None else 0.0, curvature.size if curvature else 0.0),
            optimal=True,
            budget=budget,
            matvecs=model.matvecs - self._counted,
            evidence_matvecs=(curvature.products - before) if curvature is not None else 0,
        )

    def _descent(self, target: Target, method: Steihaug | SphereDescent) -> SubproblemResult:
        assert isinstance(target, RadiusTarget)
        model, radius = self._model, target.radius
        callback = None if self._callback is None else self._unscaled
        # One product is kept back to measure the step with.
        model.reserve = 1
        try:
            if isinstance(method, Steihaug):
                candidate = steihaug(model, radius, method, rtol=self._rtol, callback=callback)
            else:
                candidate = sphere_descent(
                    model, radius, method, rtol=self._rtol, callback=callback, rng=self._rng
                )
        finally:
            model.reserve = 0
        printed = isinstance(method, SphereDescent) and method.variant == "printed"
        return self._certified(candidate, target, boundary=False, size=0.0, as_is=printed)

    # ------------------------------------------------------------------ certificates

    def _evidence_for_model(self) -> Curvature | None:
        if not self._has_curvature:
            self._curvature = choose_evidence(self._model, self._evidence, self._reduction)
            self._has_curvature = True
        return self._curvature

    def _certified(
        self,
        candidate: Candidate,
        target: Target,
        *,
        boundary: bool,
        size: float,
        as_is: bool = False,
    ) -> SubproblemResult:
        """Measure a candidate, prove the curvature at its multiplier, and report."""
        model = self._model
        try:
            measured = measure(
                model, candidate.step, candidate.multiplier, target, boundary=boundary, as_is=as_is
            )
        except BudgetExhausted:
            measured = nothing(model, self._gamma)
        before = self._curvature.products if self._curvature is not None else 0
        curvature, budget = self._evidence_for_model(), self._spent()
        gap, mu = math.inf, -math.inf
        if curvature is not None:
            size = max(size, curvature.size)
            reach = measured.reach(target, self._gamma, 0.0)
            slack = decided_slack(model, measured.decrease, self._rtol, size, self._gamma, reach)
            try:
                curvature.prove(measured.multiplier, slack, math.inf)
            except BudgetExhausted:
                budget = True
            gap, mu = certified_gap(model, measured, target, curvature, gamma=self._gamma)
        if isinstance(target, RadiusTarget) and measured.step_norm > target.radius * (
            1.0 + 64.0 * model.eps
        ):
            gap = math.inf
        outcome = Outcome(measured, gap, mu, boundary, candidate.hard_case)
        return self._report.result(
            outcome,
            target,
            curvature,
            size=size,
            optimal=candidate.optimal,
            budget=budget,
            matvecs=model.matvecs - self._counted,
            evidence_matvecs=(curvature.products - before) if curvature is not None else 0,
            note=candidate.message,
        )

    def _spent(self) -> bool:
        """Whether the products of this call are used up."""
        limit = self._max_matvec
        return limit is not None and self._model.matvecs >= self._counted + limit

    # ------------------------------------------------------------------ callbacks

    def _unscaled(self, iterate: InnerIterate) -> object:
        """Hand an iterate in scaled units to the callback in the caller's."""
        assert self._callback is not None
        return self._callback(_in_units(iterate, self._model))

    def _observer(self, target: Target) -> Callable[[KrylovStep], None] | None:
        if self._callback is None:
            return None
        space = self._space
        assert space is not None
        model = self._model

        shown = 0

        def observe(step: KrylovStep) -> None:
            nonlocal shown
            h = step.solution.h
            # The same space is looked at again once there is evidence.
            if h.shape[0] == shown:
                return
            shown = h.shape[0]
            length = float(np.linalg.norm(h))
            multiplier = step.solution.multiplier
            radius = (
                target.radius if isinstance(target, RadiusTarget) else multiplier / target.sigma
            )
            iterate = InnerIterate(
                iteration=h.shape[0],
                phase="interior" if step.solution.interior else "boundary",
                value=-step.decrease,
                relative_norm=length / radius if radius > 0.0 else 0.0,
                residual=step.residual,
                multiplier=multiplier,
                matvecs=model.matvecs,
                step=space.assemble(h),
            )
            self._unscaled(iterate)

        return observe


def _in_units(iterate: InnerIterate, model: Model) -> InnerIterate:
    h, c = model.hessian_scale, model.gradient_scale
    return InnerIterate(
        iteration=iterate.iteration,
        phase=iterate.phase,
        value=iterate.value * (c / h * c),
        relative_norm=iterate.relative_norm,
        residual=iterate.residual * c,
        multiplier=iterate.multiplier * h,
        matvecs=iterate.matvecs,
        step=iterate.step if c == h else iterate.step * (c / h),
    )


def _checked_method(method: Method) -> Method:
    if isinstance(method, Steihaug | SphereDescent):
        return method
    check_choice(method, "method", _METHODS)
    records: dict[str, Method] = {"steihaug": Steihaug(), "sphere-descent": SphereDescent()}
    return records.get(method, method)


def solve_trs(
    H: Any,
    g: Array,
    radius: float,
    *,
    norm: Any = None,
    method: Method = "auto",
    rtol: float | None = None,
    certify: Certify = "auto",
    failure_probability: float = 1e-6,
    max_matvec: int | None = None,
    memory: int | None = None,
    callback: Callable[[InnerIterate], object] | None = None,
    rng: np.random.Generator | int | None = None,
) -> SubproblemResult:
    """Minimise g's + s'Hs/2 over ||s||_M <= radius, with a certificate of global optimality.

    Parameters
    ----------
    H : array, sparse array, operator, or object with `shape` and `matvec` or ``@``; (n, n)
        Symmetric, of any inertia.
    g : array, shape (n,)
        Gradient, float32 or float64 (integers become float64).
    radius : float
        Positive and finite.
    norm, method, rtol, certify, failure_probability, max_matvec, memory, callback, rng
        As for :class:`Subproblem`.

    Returns
    -------
    SubproblemResult
        The step with its multiplier, status and certificate.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError, \
    NotPositiveDefiniteError
        On bad input, naming the argument, before any work. What a matvec of the caller
        raises arrives unchanged; NaN or infinity out of one is a NonFiniteError.

    Notes
    -----
    Cost: "direct" O(n^3) and one product; "krylov" one product an iteration, one for the
    certificate, and those of probabilistic evidence, all in `matvecs`.

    The certificate is derived in the documentation, page "The certificate". The problem
    is Eq. (2) of *Better generalization by efficient trust region method* (footnote 1
    there: the norm), and Eq. (4) of *Adaptive norms for deep learning with regularized
    Newton methods*.

    Host transfers: 1 a product with the iterative methods, of a few numbers, and some ten besides,
    for the checks, the norms and the certificate. "direct" fetches n eigenvalues and n components
    of g from a device, once.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> H = np.array([[1.0, 0.0, 4.0], [0.0, 2.0, 0.0], [4.0, 0.0, 3.0]])
    >>> result = tralgos.solve_trs(H, np.array([0.0, 2.0, 0.0]), 1.0)
    >>> result.status.name, result.hard_case, round(result.model_decrease, 7)
    ('GLOBAL', True, 1.5466241)
    """
    problem = Subproblem(
        H,
        g,
        norm,
        method=method,
        rtol=rtol,
        certify=certify,
        failure_probability=failure_probability,
        max_matvec=max_matvec,
        memory=memory,
        callback=callback,
        rng=rng,
    )
    return problem.trust_region(radius)


def solve_cubic(
    H: Any,
    g: Array,
    sigma: float,
    *,
    norm: Any = None,
    method: Method = "auto",
    rtol: float | None = None,
    certify: Certify = "auto",
    failure_probability: float = 1e-6,
    max_matvec: int | None = None,
    memory: int | None = None,
    callback: Callable[[InnerIterate], object] | None = None,
    rng: np.random.Generator | int | None = None,
) -> SubproblemResult:
    """Minimise g's + s'Hs/2 + sigma/3 ||s||_M^3, with a certificate of global optimality.

    Parameters
    ----------
    H : array, sparse array, operator, or object with `shape` and `matvec` or ``@``; (n, n)
        Symmetric, of any inertia.
    g : array, shape (n,)
        Gradient, float32 or float64 (integers become float64).
    sigma : float
        Positive and finite.
    norm, method, rtol, certify, failure_probability, max_matvec, memory, callback, rng
        As for :class:`Subproblem`; the methods are "auto", "direct" and "krylov".

    Returns
    -------
    SubproblemResult
        As for :func:`solve_trs`; at an exact solution the multiplier is sigma ||s||_M.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError, \
    NotPositiveDefiniteError
        As for :func:`solve_trs`.

    Notes
    -----
    Eq. (3) of *Better generalization by efficient trust region method*, with sigma/3 for
    its coefficient.

    Costs and host transfers are those of :func:`solve_trs`.
    """
    problem = Subproblem(
        H,
        g,
        norm,
        method=method,
        rtol=rtol,
        certify=certify,
        failure_probability=failure_probability,
        max_matvec=max_matvec,
        memory=memory,
        callback=callback,
        rng=rng,
    )
    return problem.cubic(sigma)
