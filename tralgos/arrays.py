"""Array namespaces, dtype rules and host scalars.

The only module that knows one array library from another. Everything else is
written against the Python array API standard through the namespace returned by
:func:`namespace`, and reaches the host through :func:`to_host` and
:func:`to_float` alone, so that every host transfer of a solver can be found,
and counted, here.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import array_api_compat
import numpy as np

from tralgos.errors import ArrayTypeError, NonFiniteError

__all__ = [
    "Array",
    "all_finite",
    "device_of",
    "eps",
    "from_host",
    "is_array",
    "is_cupy",
    "is_numpy",
    "is_torch",
    "namespace",
    "owned",
    "real_matrix",
    "real_vector",
    "same_home",
    "sizes",
    "standard_normal",
    "to_float",
    "to_host",
]

#: Any array of a library that follows the Python array API standard.
Array = Any


def is_array(x: object) -> bool:
    """Whether `x` is an array of a supported library (NumPy scalars are not)."""
    return array_api_compat.is_array_api_obj(x) and not isinstance(x, np.generic)


def is_numpy(x: Array) -> bool:
    """Whether `x` is a NumPy array."""
    return bool(array_api_compat.is_numpy_array(x))


def is_cupy(x: Array) -> bool:
    """Whether `x` is a CuPy array."""
    return bool(array_api_compat.is_cupy_array(x))


def is_torch(x: Array) -> bool:
    """Whether `x` is a tensor of torch."""
    return bool(array_api_compat.is_torch_array(x))


def namespace(*arrays: Array) -> Any:
    """The array namespace shared by `arrays`.

    Raises
    ------
    ArrayTypeError
        If the arrays come from different libraries.
    """
    try:
        return array_api_compat.array_namespace(*arrays)
    except TypeError as error:
        kinds = sorted({type(a).__module__.split(".")[0] for a in arrays})
        raise ArrayTypeError(
            f"arrays of one library are needed, got {' and '.join(kinds)}"
        ) from error


def device_of(x: Array) -> Any:
    """The device that `x` lives on."""
    return array_api_compat.device(x)


def eps(dtype: Any) -> float:
    """Unit in the last place of one, for a real floating `dtype` of any library."""
    # Found by name, since a dtype object of torch does not know its namespace.
    name = str(dtype).rsplit(".", 1)[-1].strip("'>) ")
    return 2.0**-23 if name == "float32" else 2.0**-52


def _real_floating(x: Array, name: str, ndim: int) -> Array:
    """`x` itself if it is a real floating array of `ndim` dimensions; integers are promoted."""
    if not is_array(x):
        raise ArrayTypeError(
            f"{name} must be an array of an array API library (NumPy, CuPy, torch, ...), "
            f"got {type(x).__name__}"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise ArrayTypeError(f"{name} must be an array without a mask, got a masked array")
    xp = namespace(x)
    if x.ndim != ndim:
        kind = "vector" if ndim == 1 else "matrix"
        raise ArrayTypeError(f"{name} must be a {kind}, got an array of shape {tuple(x.shape)}")
    if xp.isdtype(x.dtype, "complex floating"):
        raise ArrayTypeError(f"{name} must be real, got dtype {x.dtype}")
    if xp.isdtype(x.dtype, "integral"):
        return xp.astype(x, xp.float64)
    if x.dtype not in (xp.float32, xp.float64):
        raise ArrayTypeError(f"{name} must be float32, float64 or integer, got dtype {x.dtype}")
    return x


def real_vector(x: Array, name: str) -> Array:
    """Check that `x` is a real vector; integers become float64, nothing else is converted.

    Raises
    ------
    ArrayTypeError
        If `x` is not an array, not one-dimensional, complex, boolean or of a
        floating type other than float32 and float64.
    """
    return _real_floating(x, name, 1)


def real_matrix(x: Array, name: str) -> Array:
    """Check that `x` is a real matrix; integers become float64, nothing else is converted."""
    return _real_floating(x, name, 2)


def same_home(x: Array, like: Array, name: str, like_name: str) -> None:
    """Raise unless `x` has the library, device and dtype of `like`.

    Raises
    ------
    ArrayTypeError
        Naming both arguments and the first difference.
    """
    ours, theirs = namespace(x), namespace(like)
    if ours is not theirs:
        raise ArrayTypeError(
            f"{name} is an array of {ours.__name__} but {like_name} is one of {theirs.__name__}"
        )
    if device_of(x) != device_of(like):
        raise ArrayTypeError(
            f"{name} is on device {device_of(x)} but {like_name} is on {device_of(like)}"
        )
    if x.dtype != like.dtype:
        raise ArrayTypeError(f"{name} has dtype {x.dtype} but {like_name} has {like.dtype}")


def owned(x: Any) -> Any:
    """`x`, or a copy of it if it is an array that somebody else holds as well.

    What a user's function returns may be a buffer that it writes into again. An array that
    nobody else refers to, or a view of one, is taken as it is: no pass over memory. Pass the
    call itself, ``owned(function(x))``, for a name of the caller's would count too.
    """
    alone = _references(object())
    if not is_array(x) or (sys.getrefcount(x) <= alone and not _view_of_a_held_array(x)):
        return x
    return namespace(x).asarray(x, copy=True)


def _references(x: object) -> int:
    """How many references there are to an argument that is known to nobody else."""
    return sys.getrefcount(x)


def _view_of_a_held_array(x: Array) -> bool:
    """Whether the memory of `x` belongs to another array that somebody holds besides it."""
    if getattr(x, "base", None) is None:
        return False
    return getattr(x.base, "base", None) is not None or _owners(x) > _owners(np.empty(1)[:])


def _owners(view: Array) -> int:
    """References to what a view looks at."""
    base = view.base
    return sys.getrefcount(base)


def to_host(x: Array) -> np.ndarray:
    """Copy `x` to the host as a NumPy array of the same dtype: one transfer."""
    if array_api_compat.is_numpy_array(x):
        host: np.ndarray = x
    elif array_api_compat.is_cupy_array(x):
        host = x.get()
    elif array_api_compat.is_torch_array(x):
        host = x.detach().cpu().numpy()
    elif type(x).__module__.startswith("array_api_strict"):
        import array_api_strict

        host = np.asarray(x.to_device(array_api_strict.Device("CPU_DEVICE")))
    else:
        host = np.asarray(x)
    return host


def sizes(*arrays: Array) -> list[float]:
    """max|x| of each array, NaN where it holds NaN: one transfer."""
    xp = namespace(*arrays)
    return [float(v) for v in to_host(xp.stack([xp.max(xp.abs(x)) for x in arrays]))]


def to_float(x: Array) -> float:
    """The Python float held by a 0-d array: one transfer."""
    return float(to_host(x))


def from_host(x: np.ndarray, like: Array) -> Array:
    """Copy the host array `x` to the library, device and dtype of `like`."""
    if is_numpy(like):
        return np.asarray(x, dtype=like.dtype)
    xp = namespace(like)
    return (
        xp.asarray(np.asarray(x).tolist(), dtype=like.dtype, device=device_of(like))
        if (type(like).__module__.startswith("array_api_strict"))
        else xp.asarray(x, dtype=like.dtype, device=device_of(like))
    )


def standard_normal(n: int, like: Array, rng: np.random.Generator) -> Array:
    """`n` standard normal numbers with the library, device and dtype of `like`.

    They are drawn on the host from `rng`, so that one seed gives one vector on
    every device.
    """
    return from_host(rng.standard_normal(n), like)


def all_finite(x: Array, name: str) -> None:
    """Raise :class:`NonFiniteError` naming `name` unless all of `x` is finite: one transfer."""
    xp = namespace(x)
    bad = to_float(xp.sum(xp.astype(~xp.isfinite(x), xp.int64)))
    if not math.isclose(bad, 0.0):
        raise NonFiniteError(f"{name} has {int(bad)} entries that are NaN or infinite")
