"""How an error travels in an answer, and becomes the same error again where it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.messages import Answer

_KINDS: dict[str, type[BeagleError]] = {
    "not_found": NotFound,
    "refused": Refused,
    "invalid": InvalidInput,
    "unavailable": Unavailable,
}


# Sentences repeat what was given: whoever gives a million characters, or mistakes, need not read all of them.
MOST_PROBLEMS = 100
_LONGEST = 4000


def failure(error: Exception) -> Answer:
    """Its kind, one sentence, and the single problems of bad input."""
    kind = next((word for word, cls in _KINDS.items() if isinstance(error, cls)), "internal")
    problems = _few(error.problems) if isinstance(error, InvalidInput) else []
    text = str(error) if isinstance(error, BeagleError) else f"{type(error).__name__}: {error}"
    return {"error": {"kind": kind, "message": "\n".join(problems) or _short(text), "problems": problems}}


def _few(problems: Sequence[str]) -> list[str]:
    few = [_short(problem) for problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(few)
    return [*few, f"and {more:,} more mistakes"] if more else few


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def raise_for(answer: Answer) -> Answer:
    """The answer, or the error that travelled in it."""
    error = answer.get("error")
    if error is None:
        return answer
    if error["kind"] == "invalid":
        raise InvalidInput(error["problems"])
    raise _KINDS.get(error["kind"], BeagleError)(error["message"])
