"""Somebody who is told how far a long piece of work is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Unwatched", "Watcher"]


class Watcher(Protocol):
    """Somebody who is told how far an experiment is."""

    def of(self, total: int) -> None:
        """There are `total` parts."""

    def at(self, name: str) -> None:
        """The part of that name has begun."""

    def done(self) -> None:
        """One more is finished."""


class Unwatched:
    """Nobody."""

    def of(self, total: int) -> None:
        """Nothing."""

    def at(self, name: str) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""
