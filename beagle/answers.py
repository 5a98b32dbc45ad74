"""How an error travels in an answer, and becomes the same error again where it arrives."""

from __future__ import annotations

from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.messages import Answer

_KINDS: dict[str, type[BeagleError]] = {
    "not_found": NotFound,
    "refused": Refused,
    "invalid": InvalidInput,
    "unavailable": Unavailable,
}


def failure(error: Exception) -> Answer:
    """Its kind, one sentence, and the single problems of bad input."""
    kind = next((word for word, cls in _KINDS.items() if isinstance(error, cls)), "internal")
    problems = list(error.problems) if isinstance(error, InvalidInput) else []
    text = str(error) if isinstance(error, BeagleError) else f"{type(error).__name__}: {error}"
    return {"error": {"kind": kind, "message": text, "problems": problems}}


def raise_for(answer: Answer) -> Answer:
    """The answer, or the error that travelled in it."""
    error = answer.get("error")
    if error is None:
        return answer
    if error["kind"] == "invalid":
        raise InvalidInput(error["problems"])
    raise _KINDS.get(error["kind"], BeagleError)(error["message"])
