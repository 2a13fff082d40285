"""Bad batches are refused before any work, naming the argument and the first problem at fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.namespaces import Xp
from tralgos.arrays import namespace
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    ShapeError,
)
from tralgos.subproblems import batch
from tralgos.subproblems.batch import solve_trs_batch


def good(b: int = 5, n: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((b, n, n))
    return A + A.transpose(0, 2, 1), rng.standard_normal((b, n))


H, G = good()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"H": H.tolist()}, ArrayTypeError, "H must be an array"),
        ({"H": H[0]}, ArrayTypeError, r"H must be a batch of matrices.*\(3, 3\)"),
        ({"g": G[0]}, ArrayTypeError, r"g must be a batch of vectors.*\(3,\)"),
        ({"H": H.astype(complex)}, ArrayTypeError, "H must be real"),
        ({"g": G.astype(complex)}, ArrayTypeError, "g must be real"),
        ({"H": H > 0}, ArrayTypeError, "H must be float32, float64 or integer"),
        ({"g": G.astype(np.float16)}, ArrayTypeError, "g must be float32, float64 or integer"),
        ({"H": np.ma.masked_array(H)}, ArrayTypeError, "H must be an array without a mask"),
        ({"g": G.astype(np.float32)}, ArrayTypeError, "g has dtype float32 but H has float64"),
        ({"H": H[:, :, :2]}, ShapeError, r"must be square, got the shape \(5, 3, 2\)"),
        ({"g": G[:4]}, ShapeError, r"g must have the shape \(5, 3\) of H, got \(4, 3\)"),
        ({"g": G[:, :2]}, ShapeError, r"g must have the shape \(5, 3\)"),
        ({"H": H[:, :0, :0], "g": G[:, :0]}, ShapeError, "at least one variable"),
        ({"radius": 0.0}, ArgumentError, "radius must be positive and finite, got 0.0"),
        ({"radius": -1}, ArgumentError, "radius must be positive"),
        ({"radius": np.inf}, ArgumentError, "radius must be positive and finite"),
        ({"radius": "1"}, ArgumentError, "radius must be a real number"),
        ({"radius": [1.0] * 5}, ArgumentError, "radius must be a real number, got list"),
        ({"radius": np.ones(4)}, ShapeError, r"shape \(5,\) of the batch, got \(4,\)"),
        ({"radius": np.ones((5, 1))}, ArrayTypeError, "radius must be a number or a vector"),
        ({"radius": np.ones(5, np.float32)}, ArrayTypeError, "radius has dtype float32 but H"),
        ({"radius": np.ones(5) > 0}, ArrayTypeError, "radius must be float32"),
        ({"rtol": 0.0}, ArgumentError, "rtol must lie in"),
        ({"rtol": 1.0}, ArgumentError, "rtol must lie in"),
        ({"memory": 0}, ArgumentError, "memory must be a positive"),
        ({"memory": 1.5}, ArgumentError, "memory must be an integer"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], error: Any, message: str) -> None:
    arguments: dict[str, Any] = {"H": H, "g": G, "radius": 1.0, **change}
    with pytest.raises(error, match=message):
        solve_trs_batch(**arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_by_its_problem(xp_case: Xp, bad: float) -> None:
    for i, j in ((1, 1), (0, 2)):
        wrong = H.copy()
        wrong[2, i, j] = wrong[2, j, i] = bad
        with pytest.raises(NonFiniteError, match=r"^H\[2\] has entries that are NaN or infinite$"):
            solve_trs_batch(xp_case.array(wrong), xp_case.array(G), 1.0)
    wrong = H.copy()
    wrong[2, 0, 2] = bad
    with pytest.raises(NonFiniteError, match=r"^H\[2\] has"):
        solve_trs_batch(xp_case.array(wrong), xp_case.array(G), 1.0)
    wrong = G.copy()
    wrong[3:, 0] = bad
    with pytest.raises(NonFiniteError, match=r"^g\[3\] has .* and 1 other problems have$"):
        solve_trs_batch(xp_case.array(H), xp_case.array(wrong), 1.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_radius_is_named_by_its_problem(xp_case: Xp, bad: float) -> None:
    radius = np.array([1.0, 2.0, 3.0, bad, 5.0])
    with pytest.raises(ArgumentError, match=r"radius must be positive and finite.*problem 3"):
        solve_trs_batch(xp_case.array(H), xp_case.array(G), xp_case.array(radius))


@pytest.mark.parametrize("radius", [1e-45, 1e-310, 1e39])
def test_a_radius_that_no_float32_step_can_have(radius: float) -> None:
    """Such a step would be zero or infinite, with a certificate that says otherwise."""
    single = H.astype(np.float32), G.astype(np.float32)
    with pytest.raises(ArgumentError, match="normal number of float32"):
        solve_trs_batch(*single, radius)
    each = np.array([1.0, 1.0, radius, 1.0, 1.0])
    if radius < 1e-300:
        with pytest.raises(ArgumentError, match=r"normal number of float64.*for problem 2"):
            solve_trs_batch(H, G, each)
    if radius >= 1e-300:
        solve_trs_batch(H, G, radius)
    else:
        with pytest.raises(ArgumentError, match="normal number of float64"):
            solve_trs_batch(H, G, radius)


def test_asymmetry_is_named_by_its_problem_and_size(xp_case: Xp) -> None:
    """Rounding passes; a defect of 1% of the largest entry of its own matrix does not."""
    wrong = H.copy()
    wrong[4] *= 1e-9
    wrong[4, 0, 1] += 0.01 * np.abs(wrong[4]).max()
    with pytest.raises(AsymmetryError, match=r"H\[4\] must be symmetric.*0\.01"):
        solve_trs_batch(xp_case.array(wrong), xp_case.array(G), 1.0)
    rounded = H * (1.0 + 4.0 * xp_case.eps * np.triu(np.ones((3, 3)), 1))
    solve_trs_batch(xp_case.array(rounded), xp_case.array(G), 1.0)


def test_libraries_and_devices_do_not_mix() -> None:
    torch = pytest.importorskip("torch")
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ArrayTypeError, match=r"g is an array of .* but H is one of"):
        solve_trs_batch(H, torch.asarray(G), 1.0)
    with pytest.raises(ArrayTypeError, match="radius is an array of"):
        solve_trs_batch(H, G, torch.ones(5, dtype=torch.float64))
    one, two = strict.Device("CPU_DEVICE"), strict.Device("device1")
    with pytest.raises(ArrayTypeError, match="g is on device"):
        solve_trs_batch(
            strict.asarray(H.tolist(), device=one), strict.asarray(G.tolist(), device=two), 1.0
        )


def test_a_radius_without_a_dimension_is_a_number(xp_case: Xp) -> None:
    """Of any real dtype and any library, as a NumPy scalar is."""
    data = xp_case.array(H), xp_case.array(G)
    wanted = xp_case.numpy(solve_trs_batch(*data, 0.5).step)
    whole = [np.array(0.5), xp_case.array(0.5), np.float32(0.5), np.array(0.5, np.float32)]
    for radius in whole:
        assert np.array_equal(xp_case.numpy(solve_trs_batch(*data, radius).step), wanted)
    assert solve_trs_batch(*data, np.array(2)).step.dtype == data[0].dtype
    for bad, error in (
        (np.array(True), ArrayTypeError),
        (np.array(1.0 + 1.0j), ArrayTypeError),
        (np.array(-0.5), ArgumentError),
        (xp_case.array(np.nan), ArgumentError),
    ):
        with pytest.raises(error, match="radius"):
            solve_trs_batch(*data, bad)


@pytest.mark.parametrize("name", ["g", "radius"])
def test_integers_beside_float32_are_refused_by_their_own_dtype(xp_case: Xp, name: str) -> None:
    """The dtypes of the message are those that were handed in, not what became of them."""
    arguments = {"H": xp_case.array(H), "g": xp_case.array(G), "radius": xp_case.array(np.ones(5))}
    xp = namespace(arguments["H"])
    arguments[name] = xp.astype(arguments[name] * 0 + 2, xp.int64)
    if xp_case.eps < 1e-10:
        assert solve_trs_batch(**arguments).step.dtype == arguments["H"].dtype
        return
    with pytest.raises(ArrayTypeError, match=rf"^{name} has dtype \S*int64.* but H has \S*float32"):
        solve_trs_batch(**arguments)
    single = xp_case.array(G)
    with pytest.raises(ArrayTypeError, match=r"^g has dtype \S*float32.* but H has \S*int64"):
        solve_trs_batch(xp.astype(arguments["H"] * 0, xp.int64), single, 1.0)


def test_a_fault_in_the_last_piece_is_met_before_any_work(
    xp_case: Xp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of the same kind are counted in all pieces; the kinds have their order."""

    def worked(*_: Any) -> None:
        raise AssertionError("a chunk was worked on")

    monkeypatch.setattr(batch, "_solve_chunk", worked)
    H, G = good(40, 3)
    G[[7, 23, 39], 0] = np.inf
    H[3, 0, 1] += 1.0
    for memory in (None, 1, 20_000):
        with pytest.raises(NonFiniteError, match=r"^g\[7\] has .* and 2 other problems have$"):
            solve_trs_batch(xp_case.array(H), xp_case.array(G), 1.0, memory=memory)
    with pytest.raises(AsymmetryError, match=r"H\[3\]"):
        solve_trs_batch(xp_case.array(H), xp_case.array(0.0 * good(40, 3)[1]), 1.0, memory=1)
    radius = np.ones(40)
    radius[[20, 39]] = 0.0
    with pytest.raises(ArgumentError, match=r"got 0\.0 for problem 20"):
        solve_trs_batch(
            xp_case.array(H), xp_case.array(np.zeros((40, 3))), xp_case.array(radius), memory=1
        )


@pytest.mark.parametrize("size", [1e-320, 5e307])
def test_sums_that_leave_the_range_are_no_fault(size: float) -> None:
    """The quick look adds up entries; that their sum is infinite says nothing of them."""
    H = np.full((50, 3, 3), size)
    result = solve_trs_batch(H, np.zeros((50, 3)), 1.0)
    assert np.all(np.isfinite(result.step))
    H[20, 1, 2] = -size
    with pytest.raises(AsymmetryError, match=r"^H\[20\] .* 2, more"):
        solve_trs_batch(H, np.zeros((50, 3)), 1.0)


def test_the_first_of_several_pieces_is_looked_at_like_the_last() -> None:
    """The checks walk through NumPy batches in pieces that stay in the cache."""
    H, G = good(3000, 6)
    for i in (0, 1820, 2999):
        wrong = H.copy()
        wrong[i, 1, 2] += 1.0
        with pytest.raises(AsymmetryError, match=rf"H\[{i}\]"):
            solve_trs_batch(wrong, G, 1.0)
        wrong[i, 1, 2] = np.nan
        with pytest.raises(NonFiniteError, match=rf"H\[{i}\]"):
            solve_trs_batch(wrong, G, 1.0)
