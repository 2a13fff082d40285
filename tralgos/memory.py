"""Allocations that may not fit: what was asked for, what is free, and what would fit.

Everything large is allocated under :func:`allocating`, which turns the errors of the array
libraries into :class:`~tralgos.errors.DeviceMemoryError`. Nothing is looked up before there is
such an error: what is free is asked of the device once, for the message.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tralgos.arrays import Array, device_of, eps, is_cupy, is_torch
from tralgos.errors import DeviceMemoryError

__all__ = ["Advice", "allocating", "bytes_of", "free_bytes", "is_out_of_memory", "square"]

#: The number of vectors of the length asked for that would fit, None where that is not known ->
#: what to do about it, a sentence.
Advice = Callable[[int | None], str]

#: What torch says on the host, where its error has no type of its own.
_TORCH_ON_HOST = "DefaultCPUAllocator"

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@contextmanager
def allocating(
    purpose: str, count: int, length: int, like: Array, advice: Advice
) -> Iterator[None]:
    """Raise :class:`DeviceMemoryError` if what is done inside does not fit.

    Parameters
    ----------
    purpose : str
        What needs the memory, as the subject of a sentence.
    count, length : int
        How many vectors (or rows of a matrix) of which length.
    like : array
        Shows the library, the device and the dtype.
    advice : callable
        How many more vectors of that length would fit (None where that is not known) -> a
        sentence that names an option and the value that would do.

    Raises
    ------
    DeviceMemoryError
        In the place of CuPy's and torch's errors and of NumPy's MemoryError. All other errors,
        and one that has been translated already, arrive unchanged.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, DeviceMemoryError) or not is_out_of_memory(error):
            raise
        raise _refused(purpose, count, length, like, advice) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any array library says that memory is used up.

    CuPy's is a MemoryError, and so is NumPy's. torch's is a RuntimeError of a type of its own on
    a device, and on the host one that is known by its words alone.
    """
    if isinstance(error, MemoryError):
        return True
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    return named or (isinstance(error, RuntimeError) and _TORCH_ON_HOST in str(error))


def free_bytes(like: Array) -> int | None:
    """Bytes that are free on the device of `like`; None on the host, where nobody knows."""
    if is_cupy(like):
        cupy = importlib.import_module("cupy")
        with device_of(like):
            return int(cupy.cuda.runtime.memGetInfo()[0])
    if is_torch(like) and device_of(like).type == "cuda":
        torch = importlib.import_module("torch")
        return int(torch.cuda.mem_get_info(device_of(like))[0])
    return None


def bytes_of(length: int, like: Array) -> int:
    """Bytes of a vector of that length, in the dtype of `like`."""
    return length * (4 if eps(like.dtype) > 1e-8 else 8)


def square(like: Array, instead: str) -> Advice:
    """Advice where a matrix of order n does not fit: what needs none, and what would fit of it."""
    n = int(like.shape[0])

    def advice(room: int | None) -> str:
        fits = "" if room is None else f" ({room:,} vectors of length {n:,} would fit)"
        return f"{instead}{fits}."

    return advice


def _refused(
    purpose: str, count: int, length: int, like: Array, advice: Advice
) -> DeviceMemoryError:
    row = bytes_of(length, like)
    free = free_bytes(like)
    dtype = "float32" if eps(like.dtype) > 1e-8 else "float64"
    vectors = "vector" if count == 1 else f"{count:,} vectors"
    asked = f"{'a ' if count == 1 else ''}{vectors} of length {length:,} in {dtype}"
    known = (
        "how much is free is not known on the host"
        if free is None
        else f"{_amount(free)} are free on device {device_of(like)}"
    )
    room = None if free is None else free // max(row, 1)
    return DeviceMemoryError(
        f"{purpose} asked for {asked}, {_amount(count * row)}; {known}. {advice(room)}",
        requested=count * row,
        free=free,
    )


def _amount(size: int) -> str:
    """A number of bytes, and the same in a unit that is easier to read."""
    value, unit = float(size), 0
    while value >= 1000.0 and unit < len(_UNITS) - 1:
        value, unit = value / 1000.0, unit + 1
    exact = f"{size:,} bytes"
    return exact if unit == 0 else f"{exact} ({value:.3g} {_UNITS[unit]})"
