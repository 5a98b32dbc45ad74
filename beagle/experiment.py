"""The life of one experiment. Every rule about states lives in this file; `docs/states.md` is generated from its table.

Events are past facts. `transition` is pure: the caller says what happened and when, and gets the next record, or
`Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from beagle.errors import Refused

# Ranks order the queue: the priority first, then what was put back at the head, then the project's age and the number.
# All of it fits into a signed 64-bit integer until the year 2128.
_PRIORITY_STEP = 10**17
_HEAD_STEP = 5 * 10**16
_MOST_NUMBERS = 1_000_000
HIGHEST_PRIORITY = 50

Value = str | int | float | bool


class State(StrEnum):
    """The words are those on the wire: `queue` is "waiting", `pool` is "launching or running"."""

    QUEUE = "queue"
    POOL = "pool"
    COMPLETED = "completed"
    TIMEOUT = "timeout"
    ACCURACY_LIMIT_REACHED = "accuracy_limit_reached"
    STOPPED = "stopped"
    FAILED = "failed"
    DELETED = "deleted"


FINAL = frozenset(State) - {State.QUEUE, State.POOL}
# What users see: of a deleted one only its number is kept, so that it is not tried again.
SHOWN = tuple(state for state in State if state is not State.DELETED)
RESULTS = FINAL - {State.FAILED, State.DELETED}
SUCCESSES = frozenset({State.COMPLETED, State.TIMEOUT, State.ACCURACY_LIMIT_REACHED})


class Failure(StrEnum):
    """Why an attempt failed; each class has its own number of retries."""

    LAUNCH = "launch"
    EXIT = "exit"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One configuration to try. Times are seconds since the epoch (UTC); `timeout` is seconds per attempt.

    `site` is where the attempt runs, `watcher` the launcher there that follows it. `ordered_by` is the id of the order
    that changed it last: so a repeat of that order is known for one. `removing` is since when a deleted one is being
    cleared away, None before and after.
    """

    id: str
    version: int = 0
    project: str
    number: int
    name: str
    parameters: dict[str, Value]
    timeout: float | None = None
    accuracy_limit: float | None = None
    state: State = State.QUEUE
    reason: str = ""
    attempt: int = 1
    priority: int = 0
    at_head: bool = False
    order: int
    rank: int
    place: int | None = None
    site: str | None = None
    watcher: str | None = None
    created_at: float
    claimed_at: float | None = None
    launched_at: float | None = None
    ended_at: float | None = None
    exit_status: int | None = None
    failure: Failure | None = None
    retried: dict[Failure, int] = field(default_factory=dict)
    ordered_by: str = ""
    removing: float | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The queue manager took a place for it, and chose the site where it is to run."""

    place: int
    site: str


@dataclass(frozen=True, slots=True)
class Launched:
    """It runs since `at`, and the launcher `watcher` follows it. Told again on adoption, with the same time."""

    watcher: str
    at: float


@dataclass(frozen=True, slots=True)
class Completed:
    """It said so itself, or it exited with status 0."""

    reason: str
    exit_status: int | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It ran for as long as it may."""

    reason: str


@dataclass(frozen=True, slots=True)
class AccuracyReached:
    """It reported a metric at or over the limit."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A user stopped it, took it out of the queue, or an early-stopping rule ended it."""

    reason: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """What ran was stopped for a pause of the system; it runs again, before what waits."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retried:
    """An attempt failed, and its class of failure has retries left. `failure` is None when it does not count."""

    reason: str
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed, and no retry is left."""

    reason: str
    failure: Failure
    exit_status: int | None = None


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """A user wants another attempt."""

    order: str = ""


@dataclass(frozen=True, slots=True)
class Prioritised:
    """A user moved it within the queue; higher goes first, 0 is usual."""

    priority: int
    order: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A user deleted it, or its project: it is hidden, and what runs of it must end."""

    order: str = ""


@dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing runs of a deleted one, and its metrics are gone."""


@dataclass(frozen=True, slots=True)
class PlaceRepaired:
    """Its place was leaked by a claimer that died: whoever still holds the old version must lose."""


Event = (
    Claimed
    | Launched
    | Completed
    | TimedOut
    | AccuracyReached
    | Stopped
    | Paused
    | Retried
    | Failed
    | RetryAsked
    | Prioritised
    | Deleted
    | Cleared
    | PlaceRepaired
)

TRANSITIONS: dict[State, dict[type[Event], State]] = {
    State.QUEUE: {
        Claimed: State.POOL,
        Stopped: State.STOPPED,
        Prioritised: State.QUEUE,
        Deleted: State.DELETED,
        PlaceRepaired: State.QUEUE,
    },
    State.POOL: {
        Launched: State.POOL,
        Completed: State.COMPLETED,
        TimedOut: State.TIMEOUT,
        AccuracyReached: State.ACCURACY_LIMIT_REACHED,
        Stopped: State.STOPPED,
        Paused: State.QUEUE,
        Retried: State.QUEUE,
        Failed: State.FAILED,
        Deleted: State.DELETED,
    },
    State.COMPLETED: {Deleted: State.DELETED},
    State.TIMEOUT: {RetryAsked: State.QUEUE, Deleted: State.DELETED},
    State.ACCURACY_LIMIT_REACHED: {Deleted: State.DELETED},
    State.STOPPED: {RetryAsked: State.QUEUE, Deleted: State.DELETED},
    State.FAILED: {RetryAsked: State.QUEUE, Deleted: State.DELETED},
    State.DELETED: {Cleared: State.DELETED},
}


def transition(experiment: Experiment, event: Event, now: float) -> Experiment:
    """The record after `event`, one version on. Raises `Refused` where the table has no entry; changes nothing."""
    state = TRANSITIONS[experiment.state].get(type(event))
    if state is None:
        raise Refused(_refusal(experiment, event))
    after = partial(replace, experiment, version=experiment.version + 1, state=state)
    match event:
        case Claimed(place, site):
            return after(place=place, site=site, claimed_at=now, reason="")
        case Launched(watcher, at):
            return after(watcher=watcher, launched_at=at)
        case Prioritised(priority, order):
            return _ranked(after(priority=_priority(priority), ordered_by=order))
        case Deleted(order):
            return after(
                name="", parameters={}, reason="", ended_at=experiment.ended_at or now, removing=now, ordered_by=order
            )
        case PlaceRepaired() | Cleared():
            return after(removing=None)
        case Paused(reason):
            return _queued_again(after(), reason, at_head=True)
        case Retried(reason, failure):
            return _queued_again(_counted(after(), failure), reason, at_head=True)
        case RetryAsked(order):
            return _queued_again(after(retried={}, ordered_by=order), "asked for by the user", at_head=False)
        case Failed(reason, failure, exit_status):
            return after(reason=reason, failure=failure, exit_status=exit_status, ended_at=now)
        case Completed(reason, exit_status):
            return after(reason=reason, exit_status=exit_status, ended_at=now)
        case Stopped(reason, order):
            return after(reason=reason, ended_at=now, ordered_by=order)
        case TimedOut(reason) | AccuracyReached(reason):
            return after(reason=reason, ended_at=now)


def queue_order(project_created_at: float, number: int) -> int:
    """Where an experiment stands among equals: its project's age in tenths of a second, then its number."""
    return int(project_created_at * 10) * _MOST_NUMBERS + number


def _ranked(experiment: Experiment) -> Experiment:
    head = _HEAD_STEP if experiment.at_head else 0
    return replace(experiment, rank=experiment.order - experiment.priority * _PRIORITY_STEP - head)


def _queued_again(experiment: Experiment, reason: str, *, at_head: bool) -> Experiment:
    return _ranked(
        replace(
            experiment,
            attempt=experiment.attempt + 1,
            reason=reason,
            at_head=at_head,
            place=None,
            site=None,
            watcher=None,
            claimed_at=None,
            launched_at=None,
            ended_at=None,
            exit_status=None,
            failure=None,
        )
    )


def _counted(experiment: Experiment, failure: Failure | None) -> Experiment:
    if failure is None:
        return experiment
    return replace(experiment, retried={**experiment.retried, failure: experiment.retried.get(failure, 0) + 1})


def _priority(asked: int) -> int:
    if not -HIGHEST_PRIORITY <= asked <= HIGHEST_PRIORITY:
        raise Refused(f"priority is {asked}; it must be between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}")
    return asked


def _refusal(experiment: Experiment, event: Event) -> str:
    orders = {RetryAsked: "retried", Stopped: "stopped", Prioritised: "moved within the queue", Deleted: "deleted"}
    what = orders.get(type(event))
    if what is None:
        return f"{experiment.name} is in {experiment.state}, where {type(event).__name__} changes nothing"
    able = ", ".join(state for state in State if type(event) in TRANSITIONS[state])
    return f"{experiment.name} is in {experiment.state} and cannot be {what}; that takes one in {able}"
