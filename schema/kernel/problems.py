"""Problems: the expected "no" of a mutation, as data. Every one implements `Problem`."""

from collections.abc import Mapping
from typing import Self

import strawberry

from domain.kernel import refusal as kernel
from domain.kernel.refusal import Refusal
from schema.kernel.paging import shape
from schema.kernel.ruled import ruled, said


@strawberry.interface(directives=ruled(shape), description="Why a wish was not granted.")
class Problem:
    """A Refusal as data."""

    code: str = said("The permanent code of this kind of problem.")
    message: str = said("A sentence that a patient may read.")
    path: list[str] = said("The input fields that it is about; empty for the whole input.")
    retryable: bool = said("Whether the same request may succeed later.")

    @classmethod
    def of(cls, refusal: Refusal, *path: str) -> Self:
        """From a refusal and the input fields that it is about."""
        return cls(
            code=refusal.code,
            message=refusal.message,
            path=list(path),
            retryable=refusal.retryable,
        )


@strawberry.type(directives=ruled(shape), description="It does not exist, or you may not see it.")
class NotFoundProblem(Problem):
    """The same answer for an absent and a forbidden thing."""


@strawberry.type(directives=ruled(shape), description="The thing changed since you last saw it.")
class StaleVersionProblem(Problem):
    """An expectedVersion that is no longer current."""

    current_version: int = said("The version now; load the thing again before you repeat.")

    @classmethod
    def at(cls, refusal: kernel.StaleVersion) -> "StaleVersionProblem":
        """From the refusal."""
        return cls(
            code=refusal.code,
            message=refusal.message,
            path=["expectedVersion"],
            retryable=refusal.retryable,
            current_version=refusal.current_version,
        )


@strawberry.type(
    directives=ruled(shape), description="The idempotency key stands for another wish."
)
class KeyReusedProblem(Problem):
    """The same key with another input."""


@strawberry.type(directives=ruled(shape), description="Too many changes at the same moment.")
class BusyProblem(Problem):
    """Every attempt lost its race."""


@strawberry.type(directives=ruled(shape), description="A value of the input is not possible.")
class InputProblem(Problem):
    """A refusal of the command about one field of its input."""


CommonProblem = NotFoundProblem | StaleVersionProblem | KeyReusedProblem | BusyProblem


def _common(refusal: Refusal) -> CommonProblem | None:
    """The problem of a refusal that every command may end in, or None for another one."""
    match refusal:
        case kernel.NotFound() | kernel.RecordErased():
            return NotFoundProblem.of(refusal)
        case kernel.StaleVersion():
            return StaleVersionProblem.at(refusal)
        case kernel.KeyReused():
            return KeyReusedProblem.of(refusal, "idempotencyKey")
        case kernel.Busy():
            return BusyProblem.of(refusal)
    return None


def problem_of(
    refusal: Refusal, about: Mapping[type[Refusal], str] | None = None
) -> CommonProblem | InputProblem:
    """The problem of a refusal; `about` names the input fields of the command's own refusals.

    Raises the refusal where there is none: that is a bug, for every refusal is data.
    """
    if about and type(refusal) in about:
        return InputProblem.of(refusal, about[type(refusal)])
    problem = _common(refusal)
    if problem is None:
        raise refusal
    return problem
