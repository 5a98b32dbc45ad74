"""What can go wrong, as few kinds as callers tell apart. Each message is one sentence that a user may read."""

from __future__ import annotations

from collections.abc import Sequence


class BeagleError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "")


class NotFound(BeagleError):
    """No record has this id."""


class Refused(BeagleError):
    """The order does not fit the state of what it is for."""


class InvalidInput(BeagleError):
    """What was given is wrong; `problems` holds one sentence for each mistake, with file, line and field."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Unavailable(BeagleError):
    """Store, bus or orchestrator cannot do this now; nothing was done, and it may be tried again."""


class Full(Unavailable):
    """The queue is full; the message was not taken."""


class Unroutable(BeagleError):
    """No queue is bound for this routing key."""


class LaunchFailed(BeagleError):
    """The workload did not come up."""
