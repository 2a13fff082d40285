"""Samples of the terms of a problem, as a state keeps them, and checks of batch sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tralgos.arguments import check_choice, positive_integer
from tralgos.errors import ArgumentError
from tralgos.methods.evaluator import Evaluator
from tralgos.problems import Problem, StochasticProblem

__all__ = ["Sample", "checked_batch", "draw", "evaluator_of", "require_terms"]


@dataclass(frozen=True)
class Sample:
    """A mean over some terms, and their share of all.

    Attributes
    ----------
    terms : Problem
    weight : float
        1 where all are infinitely many.
    """

    terms: Problem
    weight: float


def draw(problem: Evaluator, size: int | None, rng: np.random.Generator) -> Sample | None:
    """A sample of the terms; None, which stands for all of them, for None."""
    if size is None:
        return None
    whole = problem.problem
    assert isinstance(whole, StochasticProblem)
    return Sample(whole.sample(size, rng), 1.0 if whole.size is None else size / whole.size)


def evaluator_of(problem: Evaluator, sample: Sample | None) -> Evaluator:
    """The values and derivatives of a sample, counted and budgeted as those of the run."""
    if sample is None:
        return problem
    return problem.part(sample.terms, sample.weight)


def checked_batch(batch: object, name: str, words: tuple[str, ...]) -> object:
    """`batch` itself, a number as an int.

    Raises
    ------
    ArgumentError
        If it is neither None, one of the words, nor a positive integer.
    """
    if batch is None:
        return None
    if isinstance(batch, str):
        return check_choice(batch, name, words)
    return positive_integer(batch, name)


def require_terms(problem: Problem, batch: object, name: str) -> None:
    """Raise an :class:`ArgumentError` unless samples of `batch` terms can be drawn."""
    if batch is None or batch == "same":
        return
    if not isinstance(problem, StochasticProblem):
        raise ArgumentError(
            f"{name}={batch!r} needs a StochasticProblem: {problem.name} has no terms to take "
            "samples of"
        )
    if isinstance(batch, int) and problem.size is not None and batch > problem.size:
        raise ArgumentError(
            f"{name}={batch} is more than the {problem.size} terms of {problem.name}"
        )
