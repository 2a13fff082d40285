"""What does not fit is said in bytes, with what is free and with an option that would do."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tralgos import Subproblem, curvature_bound, minimize, solve_trs
from tralgos.errors import DeviceMemoryError, TralgosError
from tralgos.memory import allocating, free_bytes, is_out_of_memory
from tralgos.methods import TrustRegion
from tralgos.norms import AdagradNorm, LowRankNorm, MatrixNorm, densify
from tralgos.operators import Operator, TiledOperator
from tralgos.problems import FunctionProblem

strict = pytest.importorskip("array_api_strict")


class CupyOutOfMemory(MemoryError):
    """As CuPy's: a MemoryError."""


CupyOutOfMemory.__name__ = "OutOfMemoryError"


class TorchOutOfMemory(RuntimeError):
    """As torch's on a device: no MemoryError."""


TorchOutOfMemory.__name__ = "OutOfMemoryError"

ON_HOST = "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"
OUT_OF_MEMORY = [
    MemoryError("Unable to allocate 8.00 PiB"),
    CupyOutOfMemory("Out of memory allocating 80,000 bytes"),
    TorchOutOfMemory("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError(ON_HOST),
]


def array(x: Any, dtype: Any = strict.float64) -> Any:
    """An array on the second device of array-api-strict."""
    return strict.asarray(np.asarray(x).tolist(), dtype=dtype, device=strict.Device("device1"))


def silent(room: int | None) -> str:
    return f"{room} would fit."


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: f"{type(e).__mro__[1].__name__}")
def test_every_librarys_error_is_translated(error: Exception) -> None:
    with pytest.raises(DeviceMemoryError) as raised, allocating("X", 1, 2, np.ones(1), silent):
        raise error
    assert raised.value.__cause__ is error
    assert isinstance(raised.value, MemoryError)
    assert isinstance(raised.value, TralgosError)


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: an illegal access"), ValueError("memory"), KeyError("m")]
)
def test_other_errors_arrive_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, allocating("X", 1, 2, np.ones(1), silent):
        raise error
    assert raised.value is error


def test_the_innermost_message_stays() -> None:
    with (
        pytest.raises(DeviceMemoryError, match="inner asked"),
        allocating("outer", 1, 2, np.ones(1), silent),
        allocating("inner", 1, 2, np.ones(1), silent),
    ):
        raise MemoryError


def test_the_host_itself_is_recognised() -> None:
    """No memory is taken: the size is beyond any address space."""
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 58)
    assert is_out_of_memory(raised.value)
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 56)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


def test_what_was_asked_for_and_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tralgos.memory.free_bytes", lambda like: 3 * 400_000_000 + 1)
    like = np.ones(1, dtype=np.float32)
    with (
        pytest.raises(DeviceMemoryError) as raised,
        allocating("the basis", 500, 100_000_000, like, silent),
    ):
        raise MemoryError
    assert str(raised.value) == (
        "the basis asked for 500 vectors of length 100,000,000 in float32, 200,000,000,000 bytes "
        "(200 GB); 1,200,000,001 bytes (1.2 GB) are free on device cpu. 3 would fit."
    )
    assert (raised.value.requested, raised.value.free) == (200_000_000_000, 1_200_000_001)


def test_what_is_free_on_the_host_is_not_known() -> None:
    assert free_bytes(np.ones(3)) is None
    assert free_bytes(array([1.0])) is None
    with (
        pytest.raises(DeviceMemoryError, match=r"not known on the host.* None would fit") as raised,
        allocating("X", 1, 4, np.ones(3), silent),
    ):
        raise MemoryError
    assert "a vector of length 4 in float64, 32 bytes;" in str(raised.value)
    assert raised.value.free is None


def test_devices_are_asked_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy on the device of the array, torch likewise; the host's tensors have no figure."""
    entered: list[str] = []

    class Device:
        def __init__(self, kind: str) -> None:
            self.type = kind

        def __enter__(self) -> None:
            entered.append(self.type)

        def __exit__(self, *_: object) -> None:
            entered.append("left")

    runtime = SimpleNamespace(memGetInfo=lambda: (len(entered) * 1000, 5000))
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    torch = SimpleNamespace(cuda=SimpleNamespace(mem_get_info=lambda device: (77, 99)))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr("tralgos.memory.device_of", lambda x: x.device)
    for kind in ("cupy", "torch"):
        monkeypatch.setattr(f"tralgos.memory.is_{kind}", lambda x, kind=kind: x.library == kind)
    assert free_bytes(SimpleNamespace(library="cupy", device=Device("one"))) == 1000
    assert entered == ["one", "left"]
    assert free_bytes(SimpleNamespace(library="torch", device=Device("cuda"))) == 77
    assert free_bytes(SimpleNamespace(library="torch", device=Device("cpu"))) is None


# ------------------------------------------------------------------ what is allocated where


class Little:
    """A device with room for so many bytes in blocks of vectors; the rest is free."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = 0

    def empty(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def made(shape: Any, **options: Any) -> Any:
            found = original(shape, **options)
            if isinstance(shape, tuple):
                size = 8 * int(np.prod(shape))
                if self.taken + size > self.room:
                    raise CupyOutOfMemory("Out of memory")
                self.taken += size
            return found

        return made

    def free(self, like: Any) -> int:
        return self.room - self.taken


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Little]]:
    """Makes array-api-strict's second device a small one."""
    original = strict.empty

    def make(room: int) -> Little:
        device = Little(room)
        monkeypatch.setattr(strict, "empty", device.empty(original))
        monkeypatch.setattr("tralgos.memory.free_bytes", device.free)
        return device

    yield make
    monkeypatch.setattr(strict, "empty", original)


N = 300
D = np.linspace(1.0, 300.0, N)


class Diagonal:
    """An operator of a caller's."""

    def __init__(self) -> None:
        self.d = array(D)
        self.shape = (N, N)

    def matvec(self, x: Any) -> Any:
        return self.d * x


def test_the_advice_of_the_krylov_solver_is_enough(little: Callable[[int], Little]) -> None:
    """Raises, names `memory`; with that value the same call succeeds."""

    def solve(**options: Any) -> Any:
        g = array(np.ones(N))
        return solve_trs(Diagonal(), g, 100.0, method="krylov", certify="none", **options)

    expected = solve().model_decrease
    device = little(100 * 8 * N)
    with pytest.raises(DeviceMemoryError, match="holds 64 vectors, asked for 64 ") as raised:
        solve()
    assert raised.value.requested == 64 * 8 * N
    advised = int(re.search(r"memory=(\d+) keeps", str(raised.value))[1])  # type: ignore[index]
    assert advised == (64 + (100 - 64) - 6) * 8 * N
    device.taken = 0
    assert solve(memory=advised).model_decrease == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("room", [1, 70])
def test_a_subproblem_is_whole_after_the_error(room: int, little: Callable[[int], Little]) -> None:
    """Nothing half made is kept, what was held is let go, and the next call is right."""
    g = array(np.ones(N))
    problem = Subproblem(Diagonal(), g, method="krylov", certify="none")
    device = little(room * 8 * N)
    with pytest.raises(DeviceMemoryError):
        problem.trust_region(100.0)
    assert problem._space is None
    device.room = 10**9
    reference = solve_trs(array(np.diag(D)), g, 100.0)
    found = problem.trust_region(100.0)
    assert found.model_decrease == pytest.approx(reference.model_decrease, rel=1e-5)


def test_not_even_two_vectors(little: Callable[[int], Little]) -> None:
    """There is no option that would do, and none is named."""
    little(8 * N)
    with pytest.raises(DeviceMemoryError, match="these do not fit"):
        solve_trs(Diagonal(), array(np.ones(N)), 1.0, method="krylov", certify="none")


def refusing(
    monkeypatch: pytest.MonkeyPatch, name: str, *, where: Any = strict, free: int = 10**6
) -> None:
    """Let a function of array-api-strict raise, where it is about something large."""
    original = getattr(where, name)

    def refuse(*args: Any, **options: Any) -> Any:
        made = original(*args, **options)
        parts = made if isinstance(made, tuple) else (made,)
        if any(int(np.prod(part.shape)) >= 100 for part in parts):
            raise CupyOutOfMemory("Out of memory")
        return made

    monkeypatch.setattr(where, name, refuse)
    monkeypatch.setattr("tralgos.memory.free_bytes", lambda like: free)


SMALL = 12
H = np.diag(np.arange(1.0, SMALL + 1))


class Products(Operator):
    """An operator known by its products alone."""

    def _matvec(self, x: Any) -> Any:
        return array(H) @ x


def reduced() -> Any:
    return solve_trs(array(H), array(np.ones(SMALL)), 1.0, method="direct")


def bounded() -> Any:
    return curvature_bound(array(H), certify="exact")


def multiplied() -> Any:
    operator = Products((SMALL, SMALL), symmetric=True)
    return solve_trs(operator, array(np.ones(SMALL)), 1.0, method="direct")


def minimised() -> Any:
    problem = FunctionProblem(
        lambda x: strict.sum(x * x),
        lambda x: 2.0 * x,
        hess=lambda x: Products((SMALL, SMALL), symmetric=True),
    )
    return minimize(problem, array(np.ones(SMALL)), TrustRegion(subproblem="direct"))


def factorised() -> Any:
    return MatrixNorm(array(H))


def made_dense() -> Any:
    norm = MatrixNorm(Products((SMALL, SMALL)), solve=lambda s: s / array(np.diag(H)))
    return densify(norm, array(np.ones(SMALL)))


def full_rule() -> Any:
    return AdagradNorm(kind="full").init(like=array(np.ones(SMALL)))


@pytest.mark.parametrize(
    ("run", "name", "purpose", "advice"),
    [
        (reduced, "eigh", "a dense reduction asked for 36 vectors", "method='krylov'"),
        (bounded, "eigh", "a dense reduction", "certify='probabilistic'"),
        (multiplied, "eye", "H multiplied out asked for 12 vectors", "method='krylov'"),
        (minimised, "eye", "the Hessian multiplied out", "subproblem='krylov'"),
        (factorised, "eigh", "the factorisation of M", "diagonal or low-rank norm"),
        (made_dense, "eye", "the matrix of a MatrixNorm", "diagonal or low-rank norm"),
        (full_rule, "zeros", "the full matrix of past gradients", "kind='diagonal'"),
    ],
)
def test_matrices_of_order_n(
    run: Any, name: str, purpose: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    refusing(monkeypatch, name, where=strict.linalg if name == "eigh" else strict)
    with pytest.raises(DeviceMemoryError) as raised:
        run()
    assert str(raised.value).startswith(purpose)
    assert advice in str(raised.value)
    assert f"{10**6 // 8 // SMALL:,} vectors of length 12 would fit" in str(raised.value)


def test_a_full_rule_that_outgrows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = AdagradNorm(kind="full", epsilon=0.1)
    state = rule.update(rule.init(like=array(np.ones(SMALL))), array(np.ones(SMALL)))
    refusing(monkeypatch, "eigh", where=strict.linalg)
    with pytest.raises(DeviceMemoryError, match="kind='window'"):
        rule.norm(state, 0.5)


def test_the_advice_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four panels of a window, beside its gradients, are what a norm needs."""
    n = 50
    rule = AdagradNorm(kind="window", window=4, epsilon=0.1)
    state = rule.init(like=array(np.ones(n)))
    for k in range(4):
        state = rule.update(state, array(np.arange(n) + k * k))
    refusing(monkeypatch, "stack", free=11 * 8 * n)
    with pytest.raises(DeviceMemoryError, match="window of 4 gradients asked for 16") as raised:
        rule.norm(state)
    # 11 vectors are free and 4 are held: three times five of them.
    assert "window=3 needs 15 such vectors" in str(raised.value)
    monkeypatch.setattr("tralgos.memory.free_bytes", lambda like: 0)
    with pytest.raises(DeviceMemoryError, match="kind='diagonal' needs one"):
        rule.norm(state)


def test_the_advice_of_a_low_rank_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    U = array(np.random.default_rng(0).standard_normal((60, 4)))
    refusing(monkeypatch, "qr", where=strict.linalg, free=7 * 8 * 60)
    with pytest.raises(DeviceMemoryError, match=r"rank 4 asked for 8 .* can have 3 columns"):
        LowRankNorm(U)


class Checkered(TiledOperator):
    """Tiles of ones, up to so many entries."""

    def __init__(self, n: int, most: int, **options: Any) -> None:
        self.most = most
        super().__init__((n, n), home=array([1.0]), **options)

    def _tile(self, rows: range, columns: range) -> Any:
        if len(rows) * len(columns) > self.most:
            raise TorchOutOfMemory("CUDA out of memory")
        return strict.ones((len(rows), len(columns)), device=self.home.device)


def test_the_advice_of_a_tiled_operator_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tralgos.memory.free_bytes", lambda like: 3 * 8 * 49)
    x = array(np.ones(30))
    with pytest.raises(DeviceMemoryError, match="a tile of tiled operator") as raised:
        _ = Checkered(30, 3 * 49, tile_size=14) @ x
    assert "tile_size=6 needs less" in str(raised.value)
    assert float((Checkered(30, 49, tile_size=6) @ x)[0]) == 30.0
    with pytest.raises(DeviceMemoryError, match="make tiles of 7 rows and columns"):
        Checkered(30, 49, tile_size=7).dense()


def test_the_errors_of_an_operator_are_its_own() -> None:
    """What a caller's product raises is not dressed up as ours."""

    class Greedy(Diagonal):
        def matvec(self, x: Any) -> Any:
            raise TorchOutOfMemory("of the model")

    with pytest.raises(TorchOutOfMemory, match="of the model"):
        solve_trs(Greedy(), array(np.ones(N)), 1.0, method="krylov", certify="none")


def test_nothing_is_asked_before_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(like: Any) -> int:
        raise AssertionError("asked")

    monkeypatch.setattr("tralgos.memory.free_bytes", never)
    solve_trs(Diagonal(), array(np.ones(N)), 1.0, method="krylov", certify="none")
