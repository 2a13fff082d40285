"""Numbers as a reader wants them, with the exact value in the markup."""

from __future__ import annotations

import math
from typing import Any

from theory_checks.codec import decode_float
from theory_checks.page.markup import Markup, element, joined

__all__ = ["count", "is_number", "number", "plain", "value_of"]

#: Numbers that need no power of ten.
_LARGEST, _SMALLEST = 1e6, 1e-4


def is_number(value: Any) -> bool:
    """Whether a value of the document is a number; the three words are not told from text."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def value_of(value: Any) -> float:
    """Return the float that the document writes as a number or as one of three words."""
    return decode_float(value)


def _parts(value: float, digits: int) -> tuple[str, str]:
    """Mantissa and exponent; the latter is empty where no power of ten is needed."""
    if math.isnan(value):
        return "not a number", ""
    if math.isinf(value):
        return ("∞" if value > 0 else "−∞"), ""
    if value == 0.0:
        return "0", ""
    if float(value).is_integer() and abs(value) < _LARGEST:
        return f"{value:.0f}".replace("-", "−"), ""
    rounded = float(f"{value:.{digits}g}")
    if _SMALLEST <= abs(rounded) < _LARGEST:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
        text = f"{rounded:.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace("-", "−"), ""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return mantissa.replace("-", "−"), str(int(exponent)).replace("-", "−")


def plain(value: Any, digits: int = 3) -> str:
    """Return a number as text, for pictures and titles.

    Parameters
    ----------
    value : float or str
        As the document has it.
    digits : int
        Significant digits.
    """
    mantissa, exponent = _parts(value_of(value), digits)
    return f"{mantissa}e{exponent}" if exponent else mantissa


def number(value: Any, digits: int = 3) -> Markup:
    """Return a number as markup: rounded to be read, exact in its ``value`` attribute.

    Parameters
    ----------
    value : float or str
        As the document has it.
    digits : int
        Significant digits.
    """
    exact = value if isinstance(value, str) else repr(value)
    mantissa, exponent = _parts(value_of(value), digits)
    power = joined(" × 10", element("sup", exponent)) if exponent else None
    rounded = plain(value, 17) != plain(value, digits)
    return element("data", mantissa, power, value=exact, title=exact if rounded else None)


def count(value: int) -> Markup:
    """Return a count, with commas between the thousands."""
    return element("data", f"{value:,}", value=value)
