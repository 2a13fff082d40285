"""Numbers on the command line, with what is wanted in the message where they are none."""

from __future__ import annotations

import argparse
import math

__all__ = ["natural_number", "positive_integer", "positive_seconds"]


def _integer(text: str, least: int, wanted: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def natural_number(text: str) -> int:
    """A seed: 0, 1, 2, ..."""
    return _integer(text, 0, "a non-negative integer")


def positive_integer(text: str) -> int:
    """A number of workers: 1, 2, ..."""
    return _integer(text, 1, "a positive integer")


def positive_seconds(text: str) -> float:
    """A time, positive and finite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value
