"""Random bits by position: the words of any rectangle of a random matrix, in any order.

The generator is Philox4x64-10 (Salmon et al. 2011): a bijection that turns a counter into four
words of 64 bits. The counter is the place in the matrix, so that no word depends on which others
are wanted. A matrix is laid out in blocks of 64 x 32 entries; an entry takes one or two words.

    counter = (1 + number within the block, column of blocks, row of blocks, 0)
    key = (seed, stream)

On the host NumPy's own generator makes the words of a block at once, on CUDA a thread those of
an entry: the same words, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tralgos.arguments import check_rng, integer
from tralgos.errors import ArgumentError

__all__ = ["BLOCK", "CUDA_WORDS", "Key", "block_words", "key_of"]

#: Rows and columns of a block.
BLOCK = (64, 32)

Key = tuple[int, int]

_WORDS_OF_COUNTER = 4


def key_of(rng: np.random.Generator | int | None, stream: int) -> Key:
    """The key that belongs to `rng`.

    An integer is the first half of the key itself; a generator draws it, 64 bits.

    Raises
    ------
    ArgumentError
        If `rng` is an integer outside 0 to 2^64 - 1, or anything else.
    """
    generator = check_rng(rng)
    if rng is None or generator is rng:
        return int(generator.integers(0, 2**64, dtype=np.uint64)), stream
    seed = integer(rng, "rng")
    if seed >= 2**64:
        raise ArgumentError(f"rng as a seed must be less than 2^64, got {seed}")
    return seed, stream


def block_words(key: Key, rows: range, columns: range, words: int) -> NDArray[np.uint64]:
    """The words of some blocks.

    Parameters
    ----------
    key : tuple of int
    rows, columns : range
        Of blocks, not of entries.
    words : int
        Words of an entry.

    Returns
    -------
    ndarray of uint64, shape (len(rows), len(columns), 64 * 32 * words)
        The entries of a block row by row.
    """
    size = BLOCK[0] * BLOCK[1] * words
    found = np.empty((len(rows), len(columns), size), dtype=np.uint64)
    generator = np.random.Philox(key=np.array(key, dtype=np.uint64))
    # A generator that is sent to another place costs a seventh of a new one.
    state = generator.state
    state["buffer_pos"] = _WORDS_OF_COUNTER
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            state["state"]["counter"][:] = (0, column, row, 0)
            generator.state = state
            found[i, j] = generator.random_raw(size)
    return found


#: The words of the counter to which an entry belongs. Plain C but for two names of CUDA's.
CUDA_WORDS = r"""
__device__ void tralgos_philox(unsigned long long c[4], unsigned long long k0,
                               unsigned long long k1) {
    for (int round = 0; round < 10; ++round) {
        unsigned long long h0 = __umul64hi(0xD2E7470EE14C6C93ULL, c[0]);
        unsigned long long l0 = 0xD2E7470EE14C6C93ULL * c[0];
        unsigned long long h1 = __umul64hi(0xCA5A826395121157ULL, c[2]);
        unsigned long long l1 = 0xCA5A826395121157ULL * c[2];
        c[0] = h1 ^ c[1] ^ k0;
        c[1] = l1;
        c[2] = h0 ^ c[3] ^ k1;
        c[3] = l0;
        k0 += 0x9E3779B97F4A7C15ULL;
        k1 += 0xBB67AE8584CAA73BULL;
    }
}

/* Fills w with four words; returns which of them is the first of the entry. */
__device__ int tralgos_words(long long row, long long column, int words,
                             unsigned long long k0, unsigned long long k1,
                             unsigned long long w[4]) {
    long long first = ((row & 63) * 32 + (column & 31)) * words;
    w[0] = 1 + (unsigned long long)(first >> 2);
    w[1] = (unsigned long long)(column >> 5);
    w[2] = (unsigned long long)(row >> 6);
    w[3] = 0;
    tralgos_philox(w, k0, k1);
    return (int)(first & 3);
}
"""
