"""The parts of CurveBall: the plane, its vector kernels, the rules for lambda."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import NonFiniteError
from tralgos.methods import curveball_kernels
from tralgos.methods.curveball_kernels import blend, fetched, move
from tralgos.methods.curveball_look import Look, power_of_two, the_place
from tralgos.methods.damping import DAMPING_RULES, Observed, checks, following
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.plane import Forms, Plane, nearly_collinear, plane_of
from tralgos.methods.tracking import deviation, proportionate, remembered, tracked
from tralgos.problems import FunctionProblem, Quadratic

EPS = 2.0**-52


def symmetric(n: int, seed: int, eigenvalues: Any = None) -> tuple[np.ndarray, Any]:
    rng = np.random.default_rng(seed)
    if eigenvalues is None:
        eigenvalues = rng.uniform(0.2, 3.0, n)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * np.asarray(eigenvalues, dtype=float)) @ Q.T
    return 0.5 * (H + H.T), rng


def forms_of(H: np.ndarray, g: np.ndarray, q: np.ndarray, v: np.ndarray) -> Forms:
    """In sixty digits, rounded once."""
    with mpmath.workdps(60):
        M, J, a, b = (mpmath.matrix(x.tolist()) for x in (H, g, q, v))

        def form(x: Any, y: Any) -> float:
            return float((x.T * y)[0])

        return Forms(
            form(a, a), form(a, b), form(b, b), form(a, M * a), form(a, M * b), form(b, M * b),
            form(J, a), form(J, b),
        )  # fmt: skip


def minimiser(
    H: np.ndarray, g: np.ndarray, basis: list[np.ndarray], lam: float, shift: bool = True
) -> np.ndarray:
    """Of g'z + z'(H + lam)z/2 over the span of independent vectors, in sixty digits."""
    with mpmath.workdps(60):
        B = mpmath.matrix([[mpmath.mpf(float(x)) for x in row] for row in np.stack(basis, axis=1)])
        A = mpmath.matrix(H.tolist()) + mpmath.mpf(lam) * mpmath.eye(H.shape[0])
        c = mpmath.lu_solve(B.T * A * B, -(B.T * mpmath.matrix(g.tolist())))
        return np.array([float(t) for t in B * c])


def model(H: np.ndarray, g: np.ndarray, z: np.ndarray, lam: float) -> Any:
    """g'z + z'(H + lam)z/2 in sixty digits."""
    with mpmath.workdps(60):
        A = mpmath.matrix(H.tolist()) + mpmath.mpf(lam) * mpmath.eye(H.shape[0])
        y = mpmath.matrix(z.tolist())
        return (mpmath.matrix(g.tolist()).T * y)[0] + (y.T * A * y)[0] / 2


# -------------------------------------------------------------------- the plane

SIZES = st.integers(2, 6)
SEEDS = st.integers(0, 10**6)
LAMS = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 1e5])


@given(n=SIZES, seed=SEEDS, lam=LAMS, power=st.sampled_from([-100, 0, 100]))
def test_a_damped_point_is_the_dense_minimiser_over_the_span(
    n: int, seed: int, lam: float, power: int
) -> None:
    scale = 10.0**power
    H, rng = symmetric(n, seed)
    g, q = rng.standard_normal(n), rng.standard_normal(n)
    v = rng.standard_normal(n)
    sine = 1.0 - float(q @ v) ** 2 / float(q @ q) / float(v @ v)
    if sine < 0.05:
        return
    plane = plane_of(forms_of(scale * H, scale * g, q, v), EPS)
    point = plane.damped(scale * lam)
    z = minimiser(H, g, [q, v], lam)
    assert plane.rank == 2
    assert not point.indefinite
    np.testing.assert_allclose(
        point.on_q * q + point.on_v * v, z, rtol=0, atol=1e-10 * np.linalg.norm(z)
    )
    assert point.norm == pytest.approx(np.linalg.norm(z), rel=1e-10)
    assert point.predicted == pytest.approx(scale * float(model(H, g, z, 0.0)), rel=1e-8)
    assert point.lam == scale * lam


@given(n=SIZES, seed=SEEDS)
def test_its_basis_is_orthonormal_and_diagonalises_the_curvature(n: int, seed: int) -> None:
    H, rng = symmetric(n, seed, np.random.default_rng(seed).uniform(-2.0, 3.0, n))
    g, q, v = rng.standard_normal((3, n))
    if nearly_collinear(forms_of(H, g, q, v), EPS) or abs(q @ v) > 0.98 * math.sqrt(
        (q @ q) * (v @ v)
    ):
        return
    plane = plane_of(forms_of(H, g, q, v), EPS)
    E = np.array([a * q + b * v for a, b in plane.basis])
    np.testing.assert_allclose(E @ E.T, np.eye(2), atol=1e-11)
    np.testing.assert_allclose(E @ H @ E.T, np.diag(plane.curvatures), atol=1e-10)
    np.testing.assert_allclose(E @ g, plane.slopes, atol=1e-11)
    assert plane.curvatures[0] <= plane.curvatures[1]
    assert plane.gradient_bound == pytest.approx(np.linalg.norm(E @ g), rel=1e-10)
    assert plane.gradient_bound <= np.linalg.norm(g) * (1 + 1e-10)
    assert plane.size == max(map(abs, plane.curvatures))
    assert plane.components((0.3, -2.0)) == pytest.approx(list(E @ (0.3 * q - 2.0 * v)), abs=1e-10)


@given(n=SIZES, seed=SEEDS, lam=LAMS)
def test_no_point_of_the_span_is_better(n: int, seed: int, lam: float) -> None:
    H, rng = symmetric(n, seed)
    g, q, v = rng.standard_normal((3, n))
    point = plane_of(forms_of(H, g, q, v), EPS).damped(lam)
    best = model(H, g, point.on_q * q + point.on_v * v, lam)
    for a, b in rng.standard_normal((5, 2)):
        other = (point.on_q + a) * q + (point.on_v + b) * v
        assert model(H, g, other, lam) >= best - 1e-9 * abs(best)


def test_a_line_and_nothing() -> None:
    """Where q or v is absent the plane has what there is."""
    lone = plane_of(Forms(0, 0, 4.0, 0, 0, 12.0, 0, 6.0), EPS)
    assert (lone.rank, lone.curvatures, lone.slopes) == (1, (3.0,), (3.0,))
    point = lone.damped(1.0)
    # -b / (a + lam) = -3/4 along v / 2.
    assert (point.on_q, point.on_v, point.norm) == (0.0, -0.375, 0.75)
    along = plane_of(Forms(4.0, 0, 0, 12.0, 0, 0, 6.0, 0), EPS)
    assert along.damped(1.0).on_q == -0.375
    assert along.components((1.0, 5.0)) == [2.0]
    nothing = plane_of(Forms(0, 0, 0, 0, 0, 0, 0, 0), EPS)
    assert nothing.rank == 0
    assert nothing.damped(1.0).norm == 0.0
    assert nothing.gradient_bound == nothing.size == 0.0


@given(seed=SEEDS, lam=st.sampled_from([0.0, 0.5]))
def test_negative_curvature_counts_by_its_size_and_z_descends(seed: int, lam: float) -> None:
    """The safeguard of Theorem A.2: J'z < 0 whatever H is."""
    H, rng = symmetric(3, seed, [-2.0, -0.9, 1.5])
    g, q, v = rng.standard_normal((3, 3))
    if abs(q @ v) > 0.98 * math.sqrt((q @ q) * (v @ v)):
        return
    plane = plane_of(forms_of(H, g, q, v), EPS)
    point = plane.damped(lam)
    E = np.array([a * q + b * v for a, b in plane.basis])
    want = E.T @ np.array([-b / abs(a + lam) for a, b in zip(plane.curvatures, E @ g, strict=True)])
    np.testing.assert_allclose(
        point.on_q * q + point.on_v * v, want, atol=1e-8 * np.linalg.norm(want)
    )
    assert point.indefinite == (plane.curvatures[0] + lam < 0.0)
    assert g @ want < 0.0
    assert plane.at(point.on_q, point.on_v, lam).indefinite == point.indefinite


def test_curvature_and_gradient_that_are_zero_to_rounding_are_left_out() -> None:
    """What a pseudo-inverse does: noise over noise is not a step."""
    noise = Plane((EPS, 1.0), (EPS, 1.0), ((1.0, 0.0), (0.0, 1.0)), FORMS, EPS)
    point = noise.damped(0.0)
    assert (point.on_q, point.on_v) == (0.0, -1.0)
    assert not point.indefinite
    assert not Plane((-EPS, 1.0), (0.0, 1.0), noise.basis, FORMS, EPS).damped(0.0).indefinite


def test_a_gradient_along_the_smallest_of_curvatures_is_not_left_out() -> None:
    """Curvatures 1e-5 and 7e9: Powell's badly scaled function at its valley."""
    plane = Plane((1.65e-5, 6.85e9), (1.6e-5, 6e-11), ((1.0, 0.0), (0.0, 1.0)), FORMS, EPS)
    step = plane.damped(6e-5).on_q
    assert step == -1.6e-5 / (64 * EPS * (6.85e9 + 6e-5))
    # A curvature that is known keeps its size.
    plane = Plane((1.0, 6.85e9), (1.6e-5, 6e-11), plane.basis, FORMS, EPS)
    assert plane.damped(6e-5).on_q == pytest.approx(-1.6e-5 / (1.0 + 6e-5), rel=1e-14)


def test_no_curvature_at_all_and_no_lambda_is_no_step() -> None:
    flat = plane_of(Forms(0, 0, 1.0, 0, 0, 0.0, 0, 2.0), EPS)
    assert flat.damped(0.0).norm == 0.0
    assert flat.damped(0.5).on_v == -4.0


FORMS = Forms(1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0)


@given(seed=SEEDS, lam=LAMS)
def test_the_minimiser_on_a_line_of_the_plane(seed: int, lam: float) -> None:
    """Against the quadratic in t, in fractions; |curvature| where it is negative."""
    H, rng = symmetric(3, seed, np.random.default_rng(seed).uniform(-1.0, 3.0, 3))
    g, q, v = rng.standard_normal((3, 3))
    if abs(q @ v) > 0.98 * math.sqrt((q @ q) * (v @ v)):
        return
    start, along = rng.standard_normal((2, 2))
    plane = plane_of(forms_of(H, g, q, v), EPS)
    s, d = (c[0] * q + c[1] * v for c in (start, along))
    A = H + lam * np.eye(3)
    curvature, slope = d @ A @ d, g @ d + s @ A @ d
    if abs(curvature) < 1e-3 * (d @ d):
        return
    t = plane.on_line((start[0], start[1]), (along[0], along[1]), lam)
    assert t == pytest.approx(-slope / abs(curvature), rel=1e-8, abs=1e-9)
    point = plane.at(start[0], start[1], lam)
    assert point.predicted == pytest.approx(float(model(H, g, s, 0.0)), rel=1e-8, abs=1e-10)
    assert point.norm == pytest.approx(np.linalg.norm(s), rel=1e-9)


def test_a_line_without_curvature_has_no_minimiser() -> None:
    plane = Plane((0.0, 1.0), (0.0, 1.0), ((1.0, 0.0), (0.0, 1.0)), FORMS, EPS)
    assert plane.on_line((0.0, 0.0), (1.0, 0.0), 0.0) == 0.0


@pytest.mark.parametrize(
    ("angle", "near"), [(1e-3, True), (1e-2, True), (0.05, False), (1.5, False)]
)
def test_what_counts_as_nearly_collinear(angle: float, near: bool) -> None:
    """Below the fourth root of eps the sine squared costs too many digits of a curvature."""
    c = math.cos(angle)
    for sign in (1.0, -1.0):
        forms = Forms(4.0, sign * 2.0 * c, 1.0, 0, 0, 0, 0, 0)
        assert nearly_collinear(forms, EPS) is near
    assert not nearly_collinear(Forms(0.0, 0.0, 1.0, 0, 0, 0, 0, 0), EPS)
    assert not nearly_collinear(Forms(1.0, 0.0, 0.0, 0, 0, 0, 0, 0), EPS)
    assert nearly_collinear(Forms(1.0, math.cos(0.1), 1.0, 0, 0, 0, 0, 0), 2.0**-23)


# -------------------------------------------------------------------- looks at a span


def looks(
    A: np.ndarray, r: np.ndarray, q: np.ndarray | None, length: float, scale: float | None
) -> dict[str, tuple[Look, Evaluator]]:
    """f = ||A x + r||^2/2 at x = 0, by an operator and by a linearised model."""
    problem = FunctionProblem(
        lambda x: float(0.5 * (A @ x + r) @ (A @ x + r)),
        lambda x: A.T @ (A @ x + r),
        hess=lambda x: A.T @ A,
        linearize=lambda x: (0.5 * (A @ x + r) @ (A @ x + r), A, A @ x + r, lambda u: 1.0 * u),
    )
    found = {}
    for name, kind in (("operator", "exact"), ("model", None)):
        evaluator = Evaluator(problem)
        place = the_place(evaluator, np.zeros(A.shape[1]), kind)
        # As in a step of the method: what leaves the range is looked at once more.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found[name] = (place.look(q, length, scale, full=True), evaluator)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("n", [2, 5])
def test_the_span_of_nearly_collinear_vectors(n: int, exponent: int, seed: int) -> None:
    """z and Hz + J at angles from 1 to 1e-16: the exact minimiser, and never less than a line's.

    At an angle t the direction across z is known to eps / t: that much is allowed.
    """
    angle, lam, length = 10.0**-exponent, 0.25, 0.7
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) + 2.0 * np.eye(n)
    q, p = np.linalg.qr(rng.standard_normal((n, 2)))[0].T
    v = math.cos(angle) * q + math.sin(angle) * p
    r = np.linalg.solve(A.T, v - length * (A.T @ (A @ q)))
    H, g = A.T @ A, A.T @ r
    line = model(H, g, minimiser(H, g, [q], lam), lam)
    exact = minimiser(H, g, [q, length * (H @ q) + g], lam)
    for name, (look, _) in looks(A, r, q, length, 1.0).items():
        plane = look.plane
        assert plane is not None
        point = plane.damped(lam)
        z = point.on_q * q + point.on_v * look.v
        assert model(H, g, z, lam) <= line * (1 - 1e-6), name
        if exponent <= 10:
            assert plane.rank == 2
            allowed = 1e-12 if exponent < 2 else 1e3 * EPS / angle
            np.testing.assert_allclose(
                z, exact, rtol=0, atol=100 * allowed * np.linalg.norm(exact), err_msg=name
            )
        if exponent >= 14:
            assert plane.rank == 1
            np.testing.assert_allclose(z, minimiser(H, g, [q], lam), atol=1e-10, err_msg=name)


@pytest.mark.parametrize("exponent", [2, 3, 5])
def test_the_curvatures_of_nearly_collinear_vectors_keep_their_digits(exponent: int) -> None:
    """Across z their rounding is eps / angle, of the inner products alone eps / angle^2."""
    angle, length, n = 10.0**-exponent, 0.7, 4
    rng = np.random.default_rng(exponent)
    A = rng.standard_normal((n, n)) + 2.0 * np.eye(n)
    q, p = np.linalg.qr(rng.standard_normal((n, 2)))[0].T
    v = math.cos(angle) * q + math.sin(angle) * p
    r = np.linalg.solve(A.T, v - length * (A.T @ (A @ q)))
    B = np.stack([q, p])
    want = np.linalg.eigvalsh(B @ A.T @ A @ B.T)
    for look, _ in looks(A, r, q, length, 1.0).values():
        assert look.plane is not None
        np.testing.assert_allclose(look.plane.curvatures, want, rtol=500 * EPS / angle)


def test_rank_one_where_the_start_is_an_eigenvector() -> None:
    """z, Hz and J on one line: the minimiser there, for both kinds of places."""
    A = np.diag([2.0, 3.0, 5.0])
    q = np.array([0.0, 1.0, 0.0])
    for look, _ in looks(A, 0.5 * q, q, 1.0, 1.0).values():
        plane = look.plane
        assert plane is not None
        assert plane.rank == 1
        point = plane.damped(1.0)
        np.testing.assert_allclose(
            point.on_q * q + point.on_v * look.v, [0.0, -0.15, 0.0], rtol=1e-14
        )


def test_what_a_look_costs_and_what_it_knows() -> None:
    """Products are not made twice where the scale has to be found, nor where it was wrong."""
    rng = np.random.default_rng(3)
    A, r, q = rng.standard_normal((6, 4)), rng.standard_normal(6), np.eye(4)[0]
    g = A.T @ r
    for scale in (None, 1.0, 1e300, 1e-300):
        found = looks(A, r, None, 0.0, scale)
        look, evaluator = found["operator"]
        extra = scale not in (None, 1.0)
        assert (evaluator.counts.njev, evaluator.counts.nhvp) == (1, 1 + extra)
        assert look.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-14)
        look, evaluator = found["model"]
        assert (evaluator.counts.nvjp, evaluator.counts.njvp) == (1, 1 + extra)
        assert look.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-14)
        # It is that of the model: whether the gradient of f is the same the driver asks.
        assert look.gradient is None
        found = looks(A, r, q, 2.0, scale)
        look, evaluator = found["operator"]
        assert (evaluator.counts.njev, evaluator.counts.nhvp) == (1, 2 + extra)
        assert evaluator.counts.nhev == 1
        np.testing.assert_allclose(look.scale * look.v, 2.0 * A.T @ A @ q + g, rtol=1e-12)
        look, evaluator = found["model"]
        assert (evaluator.counts.nvjp, evaluator.counts.njvp) == (1, 2 + extra)
        np.testing.assert_allclose(look.scale * look.v, 2.0 * A.T @ A @ q + g, rtol=1e-12)
        assert look.gradient is None
        P = np.linalg.qr(np.stack([q, look.v], axis=1))[0]
        assert look.gradient_norm == pytest.approx(np.linalg.norm(P.T @ g), rel=1e-12)
        assert 0.5 < np.linalg.norm(look.v) < 4.0 or scale == 1.0


def test_a_gradient_whose_square_overflows_is_not_out_of_range() -> None:
    """float32: gradients from 1e19 on; float64: from 1e154 on."""
    for dtype, size in ((np.float32, 1e30), (np.float64, 1e200)):
        H = (size * np.diag([1.0, 2.0])).astype(dtype)
        b = np.array([size, 0.5 * size], dtype=dtype)
        place = the_place(Evaluator(Quadratic(H, b)), np.zeros(2, dtype=dtype), "exact")
        with np.errstate(over="ignore"):
            look = place.look(None, 0.0, None, full=True)
        assert look.gradient_norm == pytest.approx(math.hypot(1.0, 0.5) * size, rel=1e-6)
        assert look.plane is not None
        assert look.v.dtype == dtype
        assert look.plane.damped(0.0).norm == pytest.approx(
            1.25 / 1.5 * math.hypot(1.0, 0.5), rel=1e-6
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_derivative_that_is_not_finite_is_named(bad: float) -> None:
    with pytest.raises(NonFiniteError):
        power_of_two(bad)
    A, r = np.eye(3), np.array([1.0, bad, 0.0])
    for scale in (None, 1.0):
        for q in (None, np.eye(3)[0]):
            with pytest.raises(NonFiniteError):
                looks(A, r, q, 1.0, scale)


@given(st.floats(5e-324, 1e308))
def test_powers_of_two(size: float) -> None:
    power = power_of_two(size)
    assert Fraction(power) <= Fraction(size) < 2 * Fraction(power)
    assert math.frexp(power)[0] == 0.5


def test_the_power_of_two_of_nothing_is_one() -> None:
    assert power_of_two(0.0) == 1.0


# -------------------------------------------------------------------- kernels


@pytest.mark.parametrize("n", [1, 3, 9984, 9985, 30001])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blends_and_moves_of_all_lengths(n: int, dtype: Any) -> None:
    """Against NumPy in longdouble, at and around the length of a piece."""
    rng = np.random.default_rng(n)
    p, u, w, x = (rng.standard_normal(n).astype(dtype) for _ in range(4))
    tolerance = 100 * float(np.finfo(dtype).eps)
    out = np.full(n, np.nan, dtype=dtype)
    kept = [a.copy() for a in (p, u, w, x)]
    got, forms = blend([(0.5, p), (-3.0, u)], [w], [(0, 1), (3, 3), (2, 3), (2, 0)], out)
    assert got is out
    want = 0.5 * p.astype(np.longdouble) - 3.0 * u.astype(np.longdouble)
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
    exact = [p, u], [want, want], [w, want], [w, p]
    for value, (a, b) in zip(fetched(forms), exact, strict=True):
        assert isinstance(value, float)
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        assert value == pytest.approx(
            float(np.sum(a.astype(np.longdouble) * b.astype(np.longdouble))), abs=tolerance * size
        )
    q, following, room = move(x, [(0.25, p), (2.0, u)], -1.5)
    want = 0.25 * p.astype(np.longdouble) + 2.0 * u.astype(np.longdouble)
    np.testing.assert_allclose(q, want, rtol=0, atol=tolerance)
    np.testing.assert_allclose(following, x - 1.5 * want, rtol=0, atol=4 * tolerance)
    assert room.shape == (n,)
    for array in (q, following, room):
        assert array.dtype == dtype
        assert not any(np.shares_memory(array, other) for other in (p, u, w, x))
    assert not np.shares_memory(q, room)
    assert not np.shares_memory(q, following)
    for array, before in zip((p, u, w, x), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    q, following, _ = move(x, [(4.0, p)], 0.5)
    np.testing.assert_array_equal(q, 4 * p)
    np.testing.assert_allclose(following, x + 2.0 * p, rtol=0, atol=4 * tolerance)


def test_kernels_in_every_array_library(xp_case: Xp) -> None:
    p, u, x = (xp_case.array(a) for a in ([1.0, 2.0, 3.0], [0.0, 1.0, -1.0], [4.0, 4.0, 4.0]))
    out, forms = blend([(2.0, p), (1.0, u)], [x], [(3, 3), (2, 1), (0, 3)])
    assert xp_case.owns(out)
    np.testing.assert_allclose(xp_case.numpy(out), [2.0, 5.0, 5.0])
    assert fetched(forms) == [54.0, 0.0, 27.0]
    alone, _ = blend([(3.0, p)], [], [])
    np.testing.assert_allclose(xp_case.numpy(alone), [3.0, 6.0, 9.0])
    q, following, room = move(x, [(1.0, p), (-1.0, u)], 2.0)
    assert xp_case.owns(q)
    assert xp_case.owns(following)
    assert xp_case.owns(room)
    np.testing.assert_allclose(xp_case.numpy(q), [1.0, 1.0, 4.0])
    np.testing.assert_allclose(xp_case.numpy(following), [6.0, 6.0, 12.0])


def test_kernels_fetch_once(strict_case: Xp, host_fetches: FetchCounter) -> None:
    p, u = strict_case.array([1.0, 2.0]), strict_case.array([3.0, 4.0])
    _, forms = blend([(1.0, p), (1.0, u)], [], [(0, 1), (2, 2)])
    move(p, [(1.0, u)], 0.5)
    assert host_fetches.count == 0
    assert fetched(forms) == [11.0, 52.0]
    assert host_fetches.count == 1


class Ledger:
    """Counts reads and writes of pieces of memory, as if the cache held a stretch of each vector.

    Every operation of the kernels is wrapped. A piece that the same stretch of the walk has
    already touched is in the cache and costs nothing; the first read of another one, and the
    first write to one that was not read, cost one pass of its length.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words = 0
        self.cached: set[tuple[int, int]] = set()
        multiply, vecdot = np.multiply, np.vecdot
        saxpy, daxpy = curveball_kernels.saxpy, curveball_kernels.daxpy
        ledger = self

        class Space:
            """NumPy, with an account."""

            def __getattr__(self, name: str) -> Any:
                return getattr(np, name)

            def multiply(self, a: Any, b: Any, out: Any) -> Any:
                ledger.begin()
                ledger.touch(a)
                ledger.touch(out)
                return multiply(a, b, out=out)

            def vecdot(self, a: Any, b: Any, out: Any) -> Any:
                ledger.touch(a)
                ledger.touch(b)
                return vecdot(a, b, out=out)

        def counted(axpy: Any) -> Any:
            def wrapped(x: Any, y: Any, a: float) -> Any:
                ledger.touch(x)
                ledger.touch(y)
                return axpy(x, y, a=a)

            return wrapped

        monkeypatch.setattr(curveball_kernels, "np", Space())
        monkeypatch.setattr(curveball_kernels, "daxpy", counted(daxpy))
        monkeypatch.setattr(curveball_kernels, "saxpy", counted(saxpy))

    def begin(self) -> None:
        """A new stretch: the multiplication that begins it finds nothing in the cache."""
        self.cached.clear()

    def touch(self, array: np.ndarray) -> None:
        if array.ndim == 2:
            for row in array:
                self.touch(row)
            return
        place = array.__array_interface__["data"][0]
        if (place, array.size) not in self.cached:
            self.cached.add((place, array.size))
            self.words += array.size


def test_passes_over_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven with an operator, as the class says: 4 for v, 2 for v'Hv and 5 for the new point.

    v'Hv is one inner product, whose two reads need no account. `move` copies x into the new
    point by an assignment, which the ledger does not see: the read of x is added by hand.
    """
    ledger = Ledger(monkeypatch)
    n = 3 * 9984 + 17
    q, Hq, g, x = np.random.default_rng(0).standard_normal((4, n))
    pairs = [(1, 1), (1, 3), (3, 3), (2, 2), (2, 3), (2, 0), (3, 0), (1, 2)]
    blend([(0.5, Hq), (2.0, g)], [q], pairs, np.empty(n))
    assert ledger.words == 4 * n
    ledger.words = 0
    move(x, [(1.0, q), (0.5, g)], 0.1)
    assert ledger.words + n == 5 * n
    ledger.words = 0
    blend([(0.5, g)], [q], [(2, 2), (1, 1), (1, 2)], np.empty(n))
    assert ledger.words == 3 * n


# -------------------------------------------------------------------- the rules

GAMMAS = [-math.inf, -1.0, 0.2, 0.25, 0.3, 0.49, 0.5, 0.51, 0.74, 0.75, 0.76, 1.0, 1.49, 1.5, 1.51]


@pytest.mark.parametrize("gamma", [*GAMMAS, 5.0])
@pytest.mark.parametrize("rule", DAMPING_RULES)
def test_the_rules_by_their_words(rule: Any, gamma: float) -> None:
    """Thresholds and factors as the module's text has them."""
    actual = -gamma * 2.0 if math.isfinite(gamma) else math.nan
    low, high, factor = {
        "fixed": (-math.inf, math.inf, 1.0),
        "printed": (0.5, 1.5, 0.999),
        "authors": (0.5, 1.5, 0.999**5),
        "gain": (0.25, 0.75, 2.0 / 3.0),
    }[rule]
    want = 8.0 * factor if gamma > high else 8.0 / factor if gamma < low else 8.0
    assert following(rule, 8.0, Observed(actual, -2.0, 0.0)) == pytest.approx(want, rel=1e-15)


def test_when_the_rules_look() -> None:
    """ "printed" and "authors" at every fifth step, "gain" at every one, "fixed" never."""
    steps = range(1, 21)
    assert [k for k in steps if checks("printed", k)] == [5, 10, 15, 20]
    assert [k for k in steps if checks("authors", k)] == [5, 10, 15, 20]
    assert all(checks("gain", k) for k in steps)
    assert not any(checks("fixed", k) for k in steps)


def test_only_the_authors_add_the_penalty() -> None:
    """gamma = 1 + lam ||z||^2 / z'(H + lam)z at the damped minimiser: -2 actual, -1 + 0.25..."""
    observed = Observed(-2.0, -2.0, 1.0)
    assert observed.gamma() == 1.0
    assert observed.gamma(damped=True) == 2.0
    assert following("printed", 8.0, observed) == 8.0
    assert following("authors", 8.0, observed) == 8.0 * 0.999**5
    assert Observed(math.inf, -2.0, 0.0).gamma() == -math.inf
    assert Observed(math.nan, -2.0, 0.0).gamma() == -math.inf
    assert math.isnan(Observed(-1.0, 0.0, 0.0).gamma())
    assert math.isnan(Observed(-1.0, -1.0, 1.0).gamma(damped=True))
    for rule in DAMPING_RULES:
        assert following(rule, 8.0, Observed(-1.0, 0.0, 0.0)) == 8.0


@given(n=st.integers(3, 6), seed=SEEDS, lam=st.sampled_from([0.0, 0.1, 3.0]))
def test_the_deviation_is_that_of_the_projected_gradient(n: int, seed: int, lam: float) -> None:
    """||P (J + lam z)|| / ||P J||, densely; z = length q."""
    H, rng = symmetric(n, seed)
    g, q, v = rng.standard_normal((3, n))
    if abs(q @ v) > 0.95 * math.sqrt((q @ q) * (v @ v)):
        return
    length = 0.3
    plane = plane_of(forms_of(H, g, q, v), EPS)
    P = np.linalg.qr(np.stack([q, v], axis=1))[0]
    want = np.linalg.norm(P.T @ (g + lam * length * q)) / np.linalg.norm(P.T @ g)
    assert deviation(plane, length, lam) == pytest.approx(want, rel=1e-10)
    assert deviation(plane_of(forms_of(H, 0.0 * g, q, v), EPS), length, lam) == 0.0


WINDOW = ((4.0, 100.0), (1.0, 10.0), (2.0, 16.0))  # the root of 1 and 100 is 10


@pytest.mark.parametrize(
    ("lam", "gamma", "strays", "want"),
    [
        (1.0, 1.0, 0.59, 0.5),  # it follows: halved
        (1.0, 0.76, 0.0, 0.5),
        (1.0, 0.74, 0.0, 1.0),  # but only where the model is good
        (1.0, 1.0, 0.61, 1.0),  # between the thresholds it stays
        (1.0, 1.0, 0.96, 1.0),
        (1.0, 1.0, 0.98, 2.0),  # it does not follow: doubled
        (1.0, 0.26, 0.98, 2.0),
        (6.0, 1.0, 5.0, 10.0),  # to the root of the curvatures at most
        (10.0, 1.0, 5.0, 10.0),
        (40.0, 1.0, 5.0, 20.0),  # above that it comes down
        (40.0, 0.5, 5.0, 40.0),
        (1.0, 0.24, 0.0, 2.0),  # a poor model: doubled, whatever the bound
        (40.0, 0.24, 0.0, 80.0),
        (40.0, -math.inf, 0.0, 80.0),
        (0.0, 1.0, 1.0, 0.01),  # from where it is felt
        (1e-30, 0.1, 0.0, 0.01),
        (0.0, 1.0, 0.1, 0.0),
    ],
)
def test_tracking_by_its_words(lam: float, gamma: float, strays: float, want: float) -> None:
    assert tracked(lam, gamma, strays, WINDOW) == pytest.approx(want, rel=1e-14)


def test_tracking_without_curvature_and_with_extreme_ones() -> None:
    assert tracked(2.0, 0.1, 0.0, ()) == 4.0
    assert tracked(2.0, 1.0, 1.0, ()) == 1.0  # above a bound of 0
    assert tracked(1e-300, 1.0, 1.0, ((1e-300, 1e-298),)) == pytest.approx(2e-300)
    assert tracked(1e302, 1.0, 1.0, ((1e300, 1e306),)) == pytest.approx(2e302)


def test_a_first_lambda_out_of_proportion() -> None:
    assert proportionate(1.0, ((1e-9, 1e-6), (1e-12, 1e-7))) == pytest.approx(1e-3)
    assert proportionate(1.0, ((1e-9, 1e-2),)) == 1.0
    assert proportionate(1.0, ()) == 1.0


def test_the_window_keeps_twenty_spans_and_no_zero() -> None:
    basis = ((1.0, 0.0), (0.0, 1.0))
    window: Any = ()
    for k in range(25):
        window = remembered(window, Plane((-k - 1.0, 30.0), (0.0, 0.0), basis, FORMS, EPS))
    assert len(window) == 20
    assert window[0] == (6.0, 30.0)
    assert window[-1] == (25.0, 30.0)
    flat = Plane((EPS, 30.0), (0.0, 0.0), basis, FORMS, EPS)
    assert remembered((), flat) == ((30.0, 30.0),)
    nothing = Plane((), (), (), FORMS, EPS)
    assert remembered(window, nothing) == window
