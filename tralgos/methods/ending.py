"""How a run of a method ends."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Ending"]


class Ending(IntEnum):
    """Why a run ended; `message` is the sentence a user should read."""

    SECOND_ORDER = 0
    FIRST_ORDER = 1
    SADDLE = 2
    UNEXAMINED = 3
    ROUNDING = 4
    MAX_ITERATIONS = 5
    MAX_MATVEC = 6
    TIME_LIMIT = 7
    CALLBACK = 8
    INTERRUPTED = 9
    UNBOUNDED = 10
    NON_FINITE = 11
    NO_DECREASE = 12
    NORM_LOST = 13
    TAKEN_FOR_ZERO = 14

    @property
    def success(self) -> bool:
        """Whether what was asked for has been reached."""
        return self in (Ending.SECOND_ORDER, Ending.FIRST_ORDER)

    @property
    def message(self) -> str:
        """The sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Ending.SECOND_ORDER: (
        "the gradient is within its tolerance and the evidence shows no negative curvature"
    ),
    Ending.FIRST_ORDER: (
        "the gradient is within its tolerance; whether the point is a minimum was not proved"
    ),
    Ending.SADDLE: (
        "the gradient is within its tolerance but the curvature is negative: this is a saddle "
        "or a maximum, and no decrease was found along its direction"
    ),
    Ending.UNEXAMINED: (
        "the gradient is within its tolerance but the budget did not suffice to show that the "
        "point is a minimum"
    ),
    Ending.ROUNDING: ("rounding errors of the function or its gradient hide any further progress"),
    Ending.MAX_ITERATIONS: "the limit on iterations was reached",
    Ending.MAX_MATVEC: "the budget of Hessian-vector products was used up",
    Ending.TIME_LIMIT: "the time limit was reached",
    Ending.CALLBACK: "the callback asked to stop",
    Ending.INTERRUPTED: "interrupted from the keyboard; this is the best point so far",
    Ending.UNBOUNDED: "the function seems to have no lower bound",
    Ending.NON_FINITE: "a derivative is NaN or infinite at the current point",
    Ending.TAKEN_FOR_ZERO: (
        "the method takes gradients of this size for zero and sees no negative curvature; the "
        "gradient is not within its tolerance"
    ),
    Ending.NORM_LOST: "the norm of the steps is not positive definite to rounding any more",
    Ending.NO_DECREASE: (
        "no step was found that decreases the function, although the model promises it; its "
        "derivatives may be wrong (Problem.check_derivatives tells)"
    ),
}
