"""What is measured at which size."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "HOST", "QUICK", "TINY", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run.

    Attributes
    ----------
    sides : tuple of int
        Of the cubes on which vectors live: n = side^3.
    checked_side : int
        Of the cube at which a device is compared with the host.
    batches, orders : tuple of int
        Problems in a batch, and their n.
    host_batch, loop : int
        Problems that the host solves, and those that it solves one by one.
    wigner, wigner_corner : int
        Order of the Wigner matrix, and of the corner that the host sums too.
    parameters : int
        d of the least squares.
    examples : tuple of int
        n of the least squares.
    square : int
        Order of the matrices that show the rate of matrix products.
    repeats : int
        Of each measurement.
    """

    sides: tuple[int, ...]
    checked_side: int
    batches: tuple[int, ...]
    orders: tuple[int, ...]
    host_batch: int
    loop: int
    wigner: int
    wigner_corner: int
    parameters: int
    examples: tuple[int, ...]
    square: int
    repeats: int


#: 100^3, 216^3 and 464^3 are 10^6, 1.01 10^7 and 9.99 10^7.
FULL = Sizes(
    sides=(100, 216, 464),
    checked_side=32,
    batches=(100_000, 1_000_000),
    orders=(5, 10, 20),
    host_batch=20_000,
    loop=200,
    wigner=100_000,
    wigner_corner=2048,
    parameters=32_768,
    examples=(32, 4096),
    square=8192,
    repeats=7,
)

QUICK = Sizes(
    sides=(100,),
    checked_side=24,
    batches=(10_000,),
    orders=(10,),
    host_batch=2000,
    loop=50,
    wigner=20_000,
    wigner_corner=1024,
    parameters=8192,
    examples=(32, 1024),
    square=4096,
    repeats=3,
)

#: Of the host itself: seconds a row.
HOST = Sizes(
    sides=(50,),
    checked_side=16,
    batches=(1000,),
    orders=(5, 10),
    host_batch=1000,
    loop=50,
    wigner=2000,
    wigner_corner=512,
    parameters=1024,
    examples=(32, 256),
    square=512,
    repeats=3,
)

#: To run the script, not to measure.
TINY = Sizes(
    sides=(14,),
    checked_side=8,
    batches=(50,),
    orders=(5,),
    host_batch=50,
    loop=5,
    wigner=300,
    wigner_corner=64,
    parameters=96,
    examples=(8, 40),
    square=32,
    repeats=2,
)
