"""What a case is: a public name at work on arrays of any library, and how results compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pytest

from tests.namespaces import Xp
from tralgos.arrays import is_array

__all__ = ["Case", "Table", "agrees", "data", "symmetric"]


@dataclass(frozen=True)
class Case:
    """A public name at work.

    Attributes
    ----------
    run : callable
        Where the arrays are to live -> what came out: arrays, numbers, strings, enumerations,
        and tuples, lists and dictionaries of them.
    loose : float
        How many times the usual tolerance results may differ: for what converges only so far.
    """

    run: Callable[[Xp], Any]
    loose: float = 1.0


#: A case, or several by name, for each public name; or in words why no array goes in.
Table = Mapping[str, Case | Mapping[str, Case] | str]

#: Relative to the largest entry: what a few hundred operations leave of a dtype.
_TOLERANCE = {"float64": 1e-11, "float32": 1e-4}


def agrees(got: Any, reference: Any, where: Xp, loose: float, path: str = "result") -> None:
    """Raise unless `got` lives where it has to, and is `reference` to the tolerance of its dtype.

    Arrays have to be of the library, device and dtype of `where`, and numbers plain floats:
    an array that was left on the host, or a 0-d array in the place of a number, is a failure.
    """
    tolerance = loose * _TOLERANCE["float32" if where.eps > 1e-8 else "float64"]
    if is_array(reference):
        assert where.owns(got), f"{path} is {type(got).__name__} {getattr(got, 'dtype', '')}"
        ours, exact = where.numpy(got), np.asarray(reference, dtype=np.float64)
        assert ours.shape == exact.shape, path
        size = float(np.max(np.abs(exact), initial=0.0)) or 1.0
        np.testing.assert_allclose(ours, exact, rtol=0, atol=tolerance * size, err_msg=path)
    elif isinstance(reference, bool | Enum | str) or reference is None:
        assert got == reference, path
        assert type(got) is type(reference), path
    elif isinstance(reference, int):
        assert type(got) is int, path
        assert got == reference, path
    elif isinstance(reference, float):
        assert type(got) is float, f"{path} is {type(got).__name__}"
        assert got == pytest.approx(reference, rel=tolerance, abs=tolerance), path
    elif isinstance(reference, Mapping):
        assert list(got) == list(reference), path
        for key in reference:
            agrees(got[key], reference[key], where, loose, f"{path}[{key!r}]")
    elif isinstance(reference, Sequence):
        assert len(got) == len(reference), path
        for i, (one, other) in enumerate(zip(got, reference, strict=True)):
            agrees(one, other, where, loose, f"{path}[{i}]")
    else:
        raise TypeError(f"{path}: a case must not return {type(reference).__name__}")


def data(seed: int, *shape: int) -> np.ndarray:
    """Numbers in [-1, 1] that float32 holds exactly, so that each dtype gets the same."""
    numbers = np.random.default_rng(seed).integers(-256, 257, size=shape)
    return np.asarray(numbers / 256.0)


def symmetric(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    """A symmetric matrix of such numbers, with `shift` on the diagonal besides."""
    A = data(seed, n, n)
    return 0.5 * (A + A.T) + shift * np.eye(n)
