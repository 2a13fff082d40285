"""Where arrays live: NumPy's, or CuPy's on a GPU."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

__all__ = ["BACKENDS", "BackendError", "namespace_of"]

#: The backends that have a name.
BACKENDS = ("numpy", "cupy")


class BackendError(ValueError):
    """A backend that is not there; the message says what is missing."""


def namespace_of(backend: str) -> Any:
    """Return the array namespace of a backend.

    Parameters
    ----------
    backend : {"numpy", "cupy"}

    Raises
    ------
    BackendError
        For another name, naming the known ones; when CuPy, or a device for it, is missing.
    """
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r}: not one of {', '.join(BACKENDS)}")
    if backend == "numpy":
        return np
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise BackendError(
            f"backend 'cupy': CuPy cannot be imported ({error}): pip install 'tralgos[gpu]' for "
            "CUDA 13, cupy-cuda12x for CUDA 12; backend 'numpy' needs neither"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendError(
            f"backend 'cupy': CuPy is installed but finds no device ({error}): see nvidia-smi; "
            "backend 'numpy' needs none"
        ) from error
    if count < 1:
        raise BackendError("backend 'cupy': CuPy is installed but finds no device: see nvidia-smi")
    return cupy
