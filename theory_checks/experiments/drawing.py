"""The look of all pictures: colours that the colour-blind can tell apart, sizes, and axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["BLACK", "BLUE", "GREEN", "ORANGE", "PURPLE", "canvas", "tidy"]

# From the palette of Okabe and Ito.
BLUE, ORANGE, GREEN, PURPLE, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"


def canvas(width: float, height: float) -> Canvas:
    """An empty picture, in inches, without a display and without pyplot's state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Two sides of the frame, a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
    axes.tick_params(labelsize=9)
