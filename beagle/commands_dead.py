"""Orders and questions to the gateway about messages that could not be handled; see `commands`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from beagle.message import Command


class ReplayDeadLetter(Command):
    """Send a message that could not be handled again to where it was on its way to; `letter` is its id in the list."""

    type: Literal["ReplayDeadLetter"] = "ReplayDeadLetter"
    letter: str


class DropDeadLetter(Command):
    """Remove a message that could not be handled for good."""

    type: Literal["DropDeadLetter"] = "DropDeadLetter"
    letter: str


class ListDeadLetters(Command):
    """Answered with the messages that could not be handled, the oldest first: id, time, queue, key, reason, size."""

    type: Literal["ListDeadLetters"] = "ListDeadLetters"
    limit: int = Field(default=100, ge=1, le=1000)


class ShowDeadLetter(Command):
    """Answered with one of them and its body as text, at most 64 KiB of it."""

    type: Literal["ShowDeadLetter"] = "ShowDeadLetter"
    letter: str
