"""An array library that counts the large vectors that are read and written.

It computes with NumPy. Every operation reads its large arguments and writes its large result;
views are free. What stands for the device's own fused kernels is counted by them.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["Counted", "Space"]


class Space:
    """The namespace. Arrays of at least `large` entries count.

    Attributes
    ----------
    read, written : int
        Entries.
    """

    def __init__(self, large: int) -> None:
        self.large = large
        self.read = self.written = 0
        self.__name__ = "counted"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("bool", "bool_"):
            return np.bool_
        thing = getattr(np, name)
        if isinstance(thing, type) or not callable(thing):
            return Linalg(self) if name == "linalg" else thing
        return lambda *args, **kwargs: self.call(thing, *args, **kwargs)

    @property
    def moved(self) -> int:
        """Entries read and written."""
        return self.read + self.written

    def count(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        self.read += sum(x.size for x in inputs if x.size >= self.large)
        self.written += sum(x.size for x in outputs if x.size >= self.large)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A function of NumPy, counted, unless its result is a view."""
        name = function.__name__
        kwargs.pop("device", None)
        if name == "asarray" and kwargs.get("copy") is None:
            kwargs.pop("copy", None)
        inputs: list[np.ndarray] = []
        result = function(*(_plain(a, inputs) for a in args), **_plain(kwargs, inputs))
        if not isinstance(result, np.ndarray | np.generic):
            return result
        host = np.asarray(result)
        viewed = any(np.may_share_memory(host, x) for x in inputs)
        if not viewed and not name.startswith("empty"):
            self.count(inputs, [host])
        return Counted(host, self)

    @staticmethod
    def astype(x: Counted, dtype: Any, /, *, copy: bool = True) -> Counted:
        return x.space.call(np.ndarray.astype, x, dtype, copy=copy)  # type: ignore[no-any-return]

    @staticmethod
    def __array_namespace_info__() -> Any:
        return SimpleNamespace(dtypes=lambda **_: np.__array_namespace_info__().dtypes())

    @staticmethod
    def isdtype(dtype: Any, kind: Any) -> bool:
        return np.isdtype(dtype, kind)


class Linalg:
    """The namespace's linear algebra."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kw: self._space.call(getattr(np.linalg, name), *args, **kw)


class Counted:
    """An array of a :class:`Space`."""

    __array_ufunc__ = None

    def __init__(self, host: np.ndarray, space: Space) -> None:
        self.host, self.space = host, space

    shape = property(lambda self: self.host.shape)
    ndim = property(lambda self: self.host.ndim)
    dtype = property(lambda self: self.host.dtype)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    T = property(lambda self: Counted(self.host.T, self.space))
    device = "the only one"

    def __array_namespace__(self, api_version: str | None = None) -> Space:
        return self.space

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.host, dtype=dtype)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Counted:
        return self

    def __float__(self) -> float:
        return float(self.host)

    def __bool__(self) -> bool:
        return bool(self.host)

    def __int__(self) -> int:
        return int(self.host)

    def __len__(self) -> int:
        return len(self.host)

    def __getitem__(self, key: Any) -> Counted:
        return self.space.call(np.ndarray.__getitem__, self, key)  # type: ignore[no-any-return]

    def __setitem__(self, key: Any, value: Any) -> None:
        inputs: list[np.ndarray] = []
        plain = _plain(value, inputs)
        target = self.host[key]
        same = any(x.__array_interface__ == np.asarray(target).__array_interface__ for x in inputs)
        # As CuPy does where y[k:] -= x hands the same memory back.
        if not same:
            self.space.count(inputs, [np.asarray(target)])
            self.host[key] = plain

    def reshape(self, *shape: Any) -> Counted:
        return self.space.call(np.ndarray.reshape, self, *shape)  # type: ignore[no-any-return]

    def astype(self, dtype: Any) -> Counted:
        return self.space.call(np.ndarray.astype, self, dtype)  # type: ignore[no-any-return]


def _plain(x: Any, inputs: list[np.ndarray]) -> Any:
    """`x` with NumPy's arrays in the place of counted ones, which are noted."""
    if isinstance(x, Counted):
        inputs.append(x.host)
        return x.host
    if isinstance(x, list | tuple):
        return type(x)(_plain(y, inputs) for y in x)
    if isinstance(x, dict):
        return {key: _plain(y, inputs) for key, y in x.items()}
    return x


def _binary(name: str) -> Any:
    def method(self: Counted, other: Any) -> Any:
        return self.space.call(getattr(np.ndarray, name), self, other)

    return method


def _in_place(name: str) -> Any:
    operation = getattr(np, name)

    def method(self: Counted, other: Any) -> Counted:
        inputs: list[np.ndarray] = []
        operation(self.host, _plain(other, inputs), out=self.host)
        self.space.count([self.host, *inputs], [self.host])
        return self

    return method


def _unary(name: str) -> Any:
    def method(self: Counted) -> Any:
        return self.space.call(getattr(np.ndarray, name), self)

    return method


for _name in ("add", "sub", "mul", "truediv", "matmul", "pow"):
    setattr(Counted, f"__{_name}__", _binary(f"__{_name}__"))
    setattr(Counted, f"__r{_name}__", _binary(f"__r{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or"):
    setattr(Counted, f"__{_name}__", _binary(f"__{_name}__"))
for _name, _function in (
    ("iadd", "add"),
    ("isub", "subtract"),
    ("imul", "multiply"),
    ("itruediv", "divide"),
):
    setattr(Counted, f"__{_name}__", _in_place(_function))
for _name in ("neg", "abs", "invert"):
    setattr(Counted, f"__{_name}__", _unary(f"__{_name}__"))
