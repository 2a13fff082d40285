"""The array libraries, devices and dtypes that every array path is tested on."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

__all__ = ["CASES", "FetchCounter", "NamespaceCase", "Xp", "patch_fetches"]


@dataclass(frozen=True)
class NamespaceCase:
    """One array library with a device and a dtype; :meth:`load` imports it or skips the test."""

    library: str
    device: str | None
    dtype: str

    def __str__(self) -> str:
        return "-".join(part for part in (self.library, self.device, self.dtype) if part)

    def load(self) -> Xp:
        """The namespace, ready to use; skips with a reason where it cannot be had."""
        name = {"strict": "array_api_strict"}.get(self.library, self.library)
        try:
            module = importlib.import_module(name)
        except ImportError:
            pytest.skip(f"{name} is not installed")
        device: Any = self.device
        if self.library == "strict":
            device = module.Device(self.device or "CPU_DEVICE")
        if self.library == "cupy" and not _has_gpu(module):
            pytest.skip("cupy finds no CUDA device")
        return Xp(str(self), module, device, getattr(module, self.dtype))


def _has_gpu(cupy: Any) -> bool:
    try:
        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


@dataclass(frozen=True)
class Xp:
    """A namespace bound to a device and a dtype, with the way in from NumPy and back.

    Attributes
    ----------
    name : str
        For messages.
    xp : module
        The namespace.
    device, dtype
        Of every array that :meth:`array` makes.
    """

    name: str
    xp: Any
    device: Any
    dtype: Any

    @property
    def eps(self) -> float:
        """Unit in the last place of one."""
        return 2.0**-23 if self.name.endswith("float32") else 2.0**-52

    def array(self, x: Any) -> Any:
        """`x` (anything NumPy reads) as an array of this library, device and dtype."""
        host = np.asarray(x, dtype=np.float64)
        if self.xp is np:
            return host.astype(self.dtype)
        if self.name.startswith("cupy"):
            return self.xp.asarray(host, dtype=self.dtype)
        if self.name.startswith("torch"):
            return self.xp.tensor(host, dtype=self.dtype, device=self.device)
        # array-api-strict takes NumPy arrays on its CPU device only, and lists on both.
        return self.xp.reshape(
            self.xp.asarray(host.ravel().tolist(), dtype=self.dtype, device=self.device),
            host.shape,
        )

    def numpy(self, x: Any) -> np.ndarray:
        """`x` on the host, in float64."""
        if self.xp is np:
            return np.asarray(x, dtype=np.float64)
        if self.name.startswith("cupy"):
            return x.get().astype(np.float64)
        if self.name.startswith("torch"):
            return x.detach().cpu().numpy().astype(np.float64)
        return np.asarray(x._array, dtype=np.float64)

    def owns(self, x: Any) -> bool:
        """Whether `x` is an array of this library, on this device, of this dtype."""
        if type(x).__module__.split(".")[0] != self.xp.__name__.split(".")[0]:
            return False
        if self.name.startswith("strict") and x.device != self.device:
            return False
        return bool(x.dtype == self.dtype)


CASES = [
    NamespaceCase(library, device, dtype)
    for library, device in [
        ("numpy", None),
        ("strict", "CPU_DEVICE"),
        ("strict", "device1"),
        ("torch", "cpu"),
        ("cupy", None),
    ]
    for dtype in ("float64", "float32")
]


class FetchCounter:
    """What left an array-api-strict device, in order.

    Attributes
    ----------
    log : list of str
        The method through which each fetch went.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        # Kept alive, so that the id of a counted copy cannot be taken by another array.
        self._counted: list[Any] = []

    @property
    def count(self) -> int:
        """Number of fetches so far."""
        return len(self.log)

    def reset(self) -> None:
        """Forget what was counted."""
        self.log.clear()
        self._counted.clear()

    def record(self, method: str, array: Any) -> None:
        """Count one fetch, unless `array` is itself the product of a counted transfer."""
        if not any(array is known for known in self._counted):
            self.log.append(method)

    def record_transfer(self, before: Any, after: Any) -> None:
        """Count a change of device once; reading the copy afterwards is free."""
        if after is not before:
            self.log.append("to_device")
            self._counted.append(after)


#: Everything through which a value of array-api-strict reaches Python or NumPy.
EXITS = (
    "__float__",
    "__bool__",
    "__int__",
    "__index__",
    "__complex__",
    "__dlpack__",
    "__array__",
    "__buffer__",
)


def patch_fetches(monkeypatch: pytest.MonkeyPatch) -> FetchCounter:
    """Count every fetch and transfer of array-api-strict arrays until the test ends.

    The library itself stops conversions through ``np.asarray`` on its second
    device, and nothing else: scalar fetches go through in silence.
    """
    strict = pytest.importorskip("array_api_strict")
    array_type = type(strict.asarray(0.0))
    counter = FetchCounter()

    def counted(name: str) -> Any:
        original = getattr(array_type, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            counter.record(name, self)
            return original(self, *args, **kwargs)

        return method

    for name in EXITS:
        if hasattr(array_type, name):
            monkeypatch.setattr(array_type, name, counted(name))
    move = array_type.to_device

    def to_device(self: Any, *args: Any, **kwargs: Any) -> Any:
        moved = move(self, *args, **kwargs)
        counter.record_transfer(self, moved)
        return moved

    monkeypatch.setattr(array_type, "to_device", to_device)
    return counter
