"""One colour and one dash for each method in the figures of the CurveBall paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theory_checks.experiments.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = [
    "ADAM",
    "BFGS",
    "CURVEBALL",
    "HF_COLD",
    "HF_WARM",
    "HF_WHOLE",
    "MARQUARDT",
    "MOMENTUM",
    "NEWTON",
    "STYLES",
    "TRACKING",
    "legend_below",
    "log_ticks",
]

MOMENTUM, ADAM, BFGS = "SGD + momentum", "Adam", "BFGS"
MARQUARDT, NEWTON = "Levenberg-Marquardt", "Newton, |eigenvalues|"
CURVEBALL, TRACKING = "CurveBall", "CurveBall, tracking"
HF_COLD, HF_WARM, HF_WHOLE = "Hessian-free, cold", "Hessian-free, warm", "Hessian-free, all data"

# From the palette of Okabe and Ito, as the others; and a grey.
_SKY, _AMBER, _GREY = "#56B4E9", "#E69F00", "#666666"

_Dashes = str | tuple[int, tuple[int, ...]]

#: Colour and dashes of each method.
STYLES: dict[str, tuple[str, _Dashes]] = {
    MOMENTUM: (ORANGE, "-."),
    ADAM: (PURPLE, "--"),
    BFGS: (_AMBER, (0, (5, 1, 1, 1))),
    MARQUARDT: (GREEN, "--"),
    NEWTON: (BLACK, ":"),
    CURVEBALL: (BLUE, "-"),
    TRACKING: (_SKY, "-"),
    HF_COLD: (_GREY, "-"),
    HF_WARM: (_GREY, "--"),
    HF_WHOLE: (_GREY, ":"),
}


def legend_below(figure: Canvas, axes: Axes, columns: int, title: str) -> None:
    """The legend of one panel under all of them."""
    lines, names = axes.get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        loc="outside lower center",
        ncols=columns,
        fontsize=9,
        frameon=False,
        handlelength=3.5,
        title=title,
        title_fontsize=9,
    )


def log_ticks(axes: Axes) -> None:
    """Plain numbers at 1, 2 and 5 times the powers of ten of a vertical axis."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
