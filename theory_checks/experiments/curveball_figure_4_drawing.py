"""Figure 4 of the CurveBall paper as a picture: rates as colours, the theorem as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from theory_checks.experiments.drawing import BLACK, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

_LEVELS = np.linspace(0.0, 1.0, 11)


class _Map(Protocol):
    @property
    def s(self) -> np.ndarray: ...
    @property
    def rho(self) -> np.ndarray: ...
    @property
    def single(self) -> np.ndarray: ...
    @property
    def worst(self) -> np.ndarray: ...


def draw(
    found: _Map,
    kappa: float,
    one: tuple[float, float, float],
    several: tuple[float, float, float],
) -> Canvas:
    """Left the paper's panel, right the worst rate over a spectrum."""
    figure = canvas(11.0, 5.0)
    left, right = figure.subplots(1, 2, sharey=True)
    colours = _panel(left, found, found.single, one)
    _panel(right, found, found.worst, several)
    _boundary(left, found, 1.0, r"$\rho = 1+\beta h$", r"$\rho=1.5\,\beta h-1$")
    _boundary(
        right,
        found,
        1.0 / kappa,
        r"$\rho = 1+\beta h_{\min}$",
        r"$\rho=1.5\,\beta h_{\max}-1$",
    )
    _complex_pairs(left)
    left.set(xlabel=r"$\beta h$", ylabel=r"$\rho$")
    right.set(xlabel=r"$\beta h_{\max}$")
    left.set_title("one eigenvalue", fontsize=11)
    right.set_title(rf"worst of a spectrum, $h_{{\max}}/h_{{\min}}={kappa:g}$", fontsize=11)
    bar = figure.colorbar(colours, ax=[left, right], ticks=_LEVELS[::2], pad=0.015)
    bar.set_label("rate (white: no convergence)")
    return figure


def _panel(axes: Axes, found: _Map, radii: np.ndarray, best: tuple[float, float, float]) -> Any:
    shown = np.ma.masked_where(radii >= 1.0, radii)
    colours = axes.pcolormesh(
        found.s,
        found.rho,
        np.ma.masked_array(np.floor(shown * 10.0) / 10.0 + 0.05, shown.mask),
        cmap=_ten_colours(),
        vmin=0.0,
        vmax=1.0,
        shading="nearest",
        rasterized=True,
    )
    axes.plot(best[0], best[1], "*", color="white", ms=15, mec=BLACK, mew=1.0, zorder=5)
    axes.annotate(
        f"best: rate {round(best[2], 6) + 0.0:.3g}",
        best[:2],
        xytext=(-98, 16),
        textcoords="offset points",
        fontsize=9,
        color=BLACK,
        bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": "0.7", "alpha": 0.9},
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    edge_s = found.s[-1] + 0.5 * (found.s[1] - found.s[0])
    edge_rho = found.rho[-1] + 0.5 * (found.rho[1] - found.rho[0])
    axes.set(xlim=(0.0, edge_s), ylim=(0.0, edge_rho))
    return colours


def _ten_colours() -> Any:
    """Ten steps of viridis, the brightest for the lowest rates as in the paper."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis_r"](np.linspace(0.03, 0.97, 10)))


def _boundary(axes: Axes, found: _Map, share: float, above: str, below: str) -> None:
    """Theorem A.1's two lines, each with its equation along it."""
    s = np.linspace(0.0, float(found.s[-1]) * 1.1, 3)
    axes.plot(s, 1.0 + share * s, "--", color=BLACK, lw=1.6)
    axes.plot(s, 1.5 * s - 1.0, "--", color=BLACK, lw=1.6)
    look: dict[str, Any] = {
        "fontsize": 10,
        "rotation_mode": "anchor",
        "transform_rotates_text": True,
    }
    tilt = np.degrees(np.arctan(share)), np.degrees(np.arctan(1.5))
    axes.text(0.12, 1.17 + 0.1 * share, above, rotation=tilt[0], **look)
    axes.text(0.83, 0.08, below, rotation=tilt[1], **look)


def _complex_pairs(axes: Axes) -> None:
    """The boundary of the complex eigenvalues: rho -+ sqrt(2 rho - 1) = 2 beta h."""
    rho = np.linspace(0.5, 2.4, 300)
    for sign in (-1.0, 1.0):
        edge = 0.5 * (rho + sign * np.sqrt(2.0 * rho - 1.0))
        axes.plot(edge, rho, ":", color="white", lw=1.5)
    axes.text(0.36, 0.68, "complex pair", color="white", fontsize=9, ha="center")
