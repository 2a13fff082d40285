"""Types and words that a user sees, where nothing else looks at them."""

from __future__ import annotations

import numpy as np

from tralgos import solve_trs
from tralgos.norms import AdagradNorm, DiagonalNorm


def test_flags_are_booleans_at_the_zero_step_too() -> None:
    result = solve_trs(np.eye(3), np.zeros(3), 1.0)
    assert result.hard_case is False
    assert result.on_boundary is False


def test_a_window_of_numpys_integers_becomes_pythons() -> None:
    assert type(AdagradNorm(kind="window", window=np.int64(3)).window) is int


def test_a_diagonal_norm_shows_both_ends_of_its_range() -> None:
    assert repr(DiagonalNorm(np.array([0.5, 2.0, 1.0]))) == "DiagonalNorm(<3 entries in [0.5, 2]>)"
