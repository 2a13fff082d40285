"""Phase I by the thousand: the sums of Lemma 4 and Theorem 5 along the iterates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_checks.claim import Screen
from theory_checks.claims.efficient_tr.bulk import (
    TINY,
    drawn_problems,
    norms,
    plain_row,
    row_dots,
)

__all__ = ["flat_screen", "followed_screen"]

#: Iterations that are followed.
_SCREENED = 8


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    """Starts about as long as the norm can be to grow from, and some of any length."""
    arrays = drawn_problems(rng, size, largest=4)
    lengths = np.linalg.norm(arrays["gradient"], axis=1)
    curved = np.sum(arrays["eigenvalues"] * arrays["gradient"] ** 2, axis=1)
    limit = np.where(curved > 0, lengths**3 / np.maximum(curved, TINY), 1.0)
    near = np.minimum(0.999, limit * 10.0 ** rng.normal(0.0, 0.1, size))
    arrays["alpha"] = np.where(rng.random(size) < 0.7, near, arrays["alpha"])
    return arrays


def _slack(xp: Any, arrays: Mapping[str, Any], *, of_norm: bool) -> Any:
    """The smallest (S_{t+1} - decay S_t) over its size, along eight iterates of every row."""
    spectra, slopes = arrays["eigenvalues"], arrays["gradient"]
    beta = xp.max(xp.abs(spectra), axis=1)
    eta, lengths = arrays["fraction"] / beta, norms(xp, slopes)
    decay = xp.maximum(1.0 - eta * lengths / arrays["alpha"], 0.0)
    z = -(arrays["alpha"] / lengths)[:, None] * slopes
    before, worst = None, xp.full(eta.shape, xp.inf)
    for _ in range(_SCREENED):
        gradient = spectra * z + slopes
        following = z - eta[:, None] * gradient
        if of_norm:
            now = row_dots(xp, following - z, following + z)
            size = row_dots(xp, z, z) + row_dots(xp, following, following)
        else:
            now = row_dots(xp, (spectra - beta[:, None]) * z, gradient)
            size = beta * norms(xp, z) * (norms(xp, gradient) + lengths)
        if before is not None:
            worst = xp.minimum(worst, (now - decay * before) / (size + TINY))
        before, z = now, following
    return worst


def followed_screen(*, of_norm: bool) -> Screen:
    """Return the screen of Theorem 5 (`of_norm`) or of Lemma 4, as amended."""
    return Screen(_drawn, lambda xp, arrays: _slack(xp, arrays, of_norm=of_norm), plain_row)


def _flat_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """-z_0' grad f(z_0) over its size: negative where the paper's induction has no beginning."""
    slopes = arrays["gradient"]
    curved = row_dots(xp, arrays["eigenvalues"] * slopes, slopes)
    rise = arrays["alpha"] * curved - norms(xp, slopes) ** 3
    return -rise / (xp.abs(curved) + norms(xp, slopes) ** 3)


def flat_screen() -> Screen:
    """Return the screen of both as printed."""
    return Screen(drawn_problems, _flat_slack, plain_row)
