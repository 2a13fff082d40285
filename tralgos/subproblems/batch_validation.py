"""Everything that is checked before a batch is worked on; the first bad problem is named.

A batch is walked through in pieces, and nothing that is as long as the batch is kept. Each
piece is first looked at for anything unusual, which is cheap; only where there is something,
its problems are told apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tralgos.arguments import positive_scalar
from tralgos.arrays import (
    Array,
    device_of,
    eps,
    is_array,
    is_numpy,
    namespace,
    real_vector,
    same_home,
    to_float,
    to_host,
)
from tralgos.errors import ArgumentError, ArrayTypeError, AsymmetryError, NonFiniteError, ShapeError

__all__ = ["Batch", "validated_batch", "workspace"]

Vector = NDArray[np.float64]

#: Bytes of the matrices that are looked at together on NumPy: they stay in the cache.
_PIECE = 1 << 19
#: Elsewhere: a few copies of it fit any device.
_DEVICE_PIECE = 1 << 26


@dataclass(frozen=True, eq=False)
class Batch:
    """A valid batch, as it was handed in.

    Attributes
    ----------
    H : array, shape (b, n, n)
    g : array, shape (b, n)
    radius : array, shape (b,), or float
    like : array, shape (0,)
        Of the library, device and dtype that the batch is worked on in.
    piece : int
        Problems that are looked at together.
    """

    H: Array
    g: Array
    radius: Array | float
    like: Array
    piece: int

    @property
    def shape(self) -> tuple[int, int]:
        """(b, n)."""
        return int(self.g.shape[0]), int(self.g.shape[1])

    def part(self, lo: int, hi: int) -> tuple[Array, Array]:
        """H and g of the problems from `lo` up to `hi`; integers are promoted here."""
        return self._real(self.H[lo:hi, :, :]), self._real(self.g[lo:hi, :])

    def radii(self, lo: int, hi: int) -> Array | float:
        """The radii of some problems, or that of all."""
        return self.radius if isinstance(self.radius, float) else self._real(self.radius[lo:hi])

    def _real(self, x: Array) -> Array:
        return x if x.dtype == self.like.dtype else namespace(x).astype(x, self.like.dtype)

    def pieces(self, lo: int, hi: int) -> list[tuple[int, int]]:
        """The ends of the pieces between `lo` and `hi`."""
        return [(k, min(k + self.piece, hi)) for k in range(lo, hi, self.piece)]

    def sizes(self, lo: int, hi: int) -> tuple[Vector, Vector, Vector]:
        """max|H_i|, max|g_i| and r_i of some problems, float64 on the host: one transfer."""
        xp = namespace(self.like)
        size_H = [_largest(self.part(i, j)[0]) for i, j in self.pieces(lo, hi)]
        size_g = [_largest(self.part(i, j)[1]) for i, j in self.pieces(lo, hi)]
        found = [xp.concat(size_H), xp.concat(size_g)]
        radii = self.radii(lo, hi)
        if not isinstance(radii, float):
            found.append(radii)
        table = to_host(xp.stack([xp.astype(x, xp.float64) for x in found]))
        return table[0], table[1], np.full(hi - lo, radii) if len(found) == 2 else table[2]


def validated_batch(H: Array, g: Array, radius: Any, most: int) -> Batch:
    """The batch, or a named error; one transfer to the host.

    One more for each piece with a problem that is at fault, and one for a radius of shape ().

    Parameters
    ----------
    H, g, radius : see :func:`~tralgos.subproblems.batch.solve_trs_batch`
    most : int
        Bytes of workspace.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError
        On data of the wrong kind, shape or value, naming the argument and the first
        problem that is at fault.
    """
    like = _sample(H, "H", 3, "a batch of matrices, (b, n, n)")
    like_g = _sample(g, "g", 2, "a batch of vectors, (b, n)")
    b, n = int(H.shape[0]), int(H.shape[1])
    if H.shape[2] != n:
        raise ShapeError(f"the matrices of H must be square, got the shape {tuple(H.shape)}")
    if n == 0:
        raise ShapeError("H and g are empty: a subproblem needs at least one variable")
    if tuple(g.shape) != (b, n):
        raise ShapeError(f"g must have the shape {(b, n)} of H, got {tuple(g.shape)}")
    _check_home(g, like_g, H, like, "g")
    radii = _radii(radius, H, like)
    piece = (_PIECE if is_numpy(like) else _DEVICE_PIECE) // (8 * n * n)
    batch = Batch(H, g, radii, like, max(1, min(piece, most // workspace(n))))
    # Infinity less infinity is met before it is told that there is one.
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        faults = _Faults(n, eps(like.dtype))
        for lo, hi in _unusual(batch):
            faults.look(_facts(batch, lo, hi), lo)
    faults.tell()
    return batch


def workspace(n: int) -> int:
    """Bytes of workspace for a problem of order n.

    Copies of H, eigenvectors and the workspace of finding them; rows of float64.
    """
    return 6 * n * n * 8 + 40 * n * 8 + 1000


def _sample(x: Array, name: str, ndim: int, kind: str) -> Array:
    """No entry of `x`, in the dtype that it is worked on in, if it is of the right kind."""
    if not is_array(x):
        return real_vector(x, name)
    if x.ndim != ndim:
        raise ArrayTypeError(f"{name} must be {kind}, got an array of shape {tuple(x.shape)}")
    # The rules of kind and dtype are those of a vector.
    return real_vector(namespace(x).reshape(x[:0, ...], (0,)), name)


def _check_home(x: Array, like_x: Array, H: Array, like: Array, name: str) -> None:
    """As :func:`~tralgos.arrays.same_home`, in terms of the dtypes that the caller gave."""
    same_place = namespace(x) is namespace(H) and device_of(x) == device_of(H)
    if (
        same_place
        and like_x.dtype != like.dtype
        and (x.dtype, H.dtype)
        != (
            like_x.dtype,
            like.dtype,
        )
    ):
        raise ArrayTypeError(
            f"{name} has dtype {x.dtype} but H has {H.dtype}: integers are worked on in float64, "
            "and none can be beside float32"
        )
    same_home(like_x, like, name, "H")


def _radii(radius: Any, H: Array, like: Array) -> Array | float:
    if is_array(radius) and radius.ndim == 0:
        # A number all the same: it need not be of the dtype of H.
        real_vector(namespace(radius).reshape(radius, (1,)), "radius")
        radius = to_float(radius)
    if not is_array(radius):
        value = positive_scalar(radius, "radius")
        _check_normal(value, eps(like.dtype), "")
        return value
    like_radius = _sample(radius, "radius", 1, "a number or a vector, (b,)")
    if tuple(radius.shape) != (H.shape[0],):
        raise ShapeError(
            f"radius must be a number or have the shape ({H.shape[0]},) of the batch, "
            f"got {tuple(radius.shape)}"
        )
    _check_home(radius, like_radius, H, like, "radius")
    return radius


def _largest(x: Array) -> Array:
    """The largest size of the entries of each problem."""
    xp = namespace(x)
    if is_numpy(x):
        # Along an axis, NumPy is slow with short rows.
        flat = np.abs(x).reshape(-1)
        return np.maximum.reduceat(flat, np.arange(0, flat.size, flat.size // x.shape[0]))
    return xp.max(xp.reshape(xp.abs(x), (x.shape[0], -1)), axis=1)


def _asymmetry(H: Array) -> Array:
    """max|H_i - H_i'|."""
    return _largest(H - namespace(H).matrix_transpose(H))


def _unusual(batch: Batch) -> list[tuple[int, int]]:
    """The pieces in which a problem may be at fault: one transfer."""
    pieces = batch.pieces(0, batch.shape[0])
    if is_numpy(batch.like):
        return [ends for ends in pieces if not _plain(batch, *ends)]
    if not pieces:
        return []
    suspects = to_host(namespace(batch.like).stack([_suspects(batch, *ends) for ends in pieces]))
    return [ends for ends, count in zip(pieces, suspects, strict=True) if count > 0]


def _plain(batch: Batch, lo: int, hi: int) -> bool:
    """Whether the matrices of a NumPy piece are symmetric to the last bit, and all is finite."""
    (H, g), radii = batch.part(lo, hi), batch.radii(lo, hi)
    # A sum is not finite if a term is not; it may overflow where none is infinite.
    finite = np.isfinite(np.sum(H)) and np.isfinite(np.sum(g))
    return bool(
        finite
        and (isinstance(radii, float) or np.all(_normal(radii, eps(g.dtype))))
        and np.array_equal(H, np.matrix_transpose(H))
    )


def _suspects(batch: Batch, lo: int, hi: int) -> Array:
    """How many problems of a piece may be at fault."""
    (H, g), radii = batch.part(lo, hi), batch.radii(lo, hi)
    xp, unit = namespace(H), eps(H.dtype)
    size = _largest(H)
    good = xp.isfinite(size) & xp.isfinite(_largest(g))
    good &= _asymmetry(H) <= _tolerance(batch.shape[1], unit) * size
    if not isinstance(radii, float):
        good &= _normal(radii, unit)
    return xp.sum(xp.astype(~good, xp.int64))


def _facts(batch: Batch, lo: int, hi: int) -> list[Vector]:
    """max|H_i|, max|g_i|, max|H_i - H_i'|, and r_i where they differ: one transfer."""
    (H, g), radii = batch.part(lo, hi), batch.radii(lo, hi)
    xp = namespace(H)
    found = [_largest(H), _largest(g), _asymmetry(H)]
    if not isinstance(radii, float):
        found.append(radii)
    return list(to_host(xp.stack([xp.astype(x, xp.float64) for x in found])))


def _kind(unit: float) -> Any:
    return np.finfo(np.float32 if unit > 1e-10 else np.float64)


def _normal(radii: Array, unit: float) -> Array:
    """Whether a step of that length is a vector of the dtype."""
    kind = _kind(unit)
    return (radii >= float(kind.tiny)) & (radii <= float(kind.max))


def _check_normal(radius: float, unit: float, where: str) -> None:
    if not 0.0 < radius < math.inf:
        raise ArgumentError(f"radius must be positive and finite, got {radius}{where}")
    if not _normal(radius, unit):
        kind = _kind(unit)
        raise ArgumentError(
            f"radius must be a normal number of {kind.dtype}, {kind.tiny:.2g} to {kind.max:.2g}, "
            f"got {radius}{where}"
        )


def _tolerance(n: int, unit: float) -> float:
    """The rule of :func:`tralgos.operators.check_symmetric` for a matrix."""
    return max(1e4, 100.0 * math.sqrt(n)) * unit


@dataclass(frozen=True, eq=False)
class _Faults:
    """The first problem with each kind of fault, and how many have it.

    Attributes
    ----------
    n : int
    unit : float
        eps of the dtype.
    """

    n: int
    unit: float
    first: dict[str, tuple[int, float]] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def look(self, facts: list[Vector], lo: int) -> None:
        """At the problems of a piece from `lo` on."""
        size_H, size_g, differences = facts[:3]
        self._note("H", ~np.isfinite(size_H), size_H, lo)
        self._note("g", ~np.isfinite(size_g), size_g, lo)
        if len(facts) == 4:
            self._note("radius", ~_normal(facts[3], self.unit), facts[3], lo)
        defect = differences / np.where(size_H > 0.0, size_H, 1.0)
        self._note("asymmetry", defect > _tolerance(self.n, self.unit), defect, lo)

    def _note(self, kind: str, bad: NDArray[np.bool_], values: Vector, lo: int) -> None:
        places = np.flatnonzero(bad)
        if places.size > 0:
            first = int(places[0])
            self.first.setdefault(kind, (lo + first, float(values[first])))
            self.count[kind] = self.count.get(kind, 0) + int(places.size)

    def tell(self) -> None:
        """Raise the first of the errors, if there is one."""
        for name in ("H", "g"):
            if name in self.first:
                k = self.count[name] - 1
                others = f", and {k} other problems have" if k > 0 else ""
                i, _ = self.first[name]
                raise NonFiniteError(f"{name}[{i}] has entries that are NaN or infinite{others}")
        if "radius" in self.first:
            i, value = self.first["radius"]
            _check_normal(value, self.unit, f" for problem {i}")
        if "asymmetry" in self.first:
            i, value = self.first["asymmetry"]
            raise AsymmetryError(
                f"H[{i}] must be symmetric: its relative asymmetry is {value:.3g}, "
                f"more than {_tolerance(self.n, self.unit):.3g}"
            )
