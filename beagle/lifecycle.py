"""Writes experiments: a pure transition, then a compare-and-set. Nothing else writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from beagle.errors import NotFound, Refused
from beagle.experiment import Claimed, Cleared, Event, Experiment, Launched, PlaceRepaired, State, transition
from beagle.ports import Store


def experiment_id(project: str, number: int) -> str:
    """24 hexadecimal digits that follow from project and number: to queue one twice changes nothing."""
    return hashlib.sha256(f"{project}:{number}".encode()).hexdigest()[:24]


def create(store: Store, experiments: Sequence[Experiment]) -> int:
    """Queue new ones; those whose id is known stay as they are. How many were new.

    Lazily: the search suggests the same again.
    """
    return sum(store.add(experiments, lazy=True))


# What a loss of power makes void anyway: the attempt that it is about does not run any more.
_LAZY = (Claimed, Launched, PlaceRepaired, Cleared)


class Step(NamedTuple):
    """What a written transition started from, and what it led to."""

    before: Experiment
    after: Experiment


def advance(store: Store, experiment: Experiment, event: Event, now: float, *, lazy: bool = False) -> Step:
    """Write what the experiment is after `event`; when `lazy`, the caller flushes.

    Whoever loses a race reads what won: if the event still fits the same attempt it is tried again, else `Refused` says
    what the experiment is now.
    """
    attempt, current = experiment.attempt, experiment
    while True:
        after = transition(current, event, now)
        if store.replace(current, after, lazy=lazy or type(event) in _LAZY):
            return Step(current, after)
        current = load(store, experiment.id)
        if current.attempt != attempt:
            raise Refused(f"{current.name} is in {current.state}, at attempt {current.attempt} by now")


def advance_exactly(store: Store, experiment: Experiment, event: Event, now: float, *, lazy: bool = False) -> Step:
    """As `advance`, but only from the very version that was read: any change since then is `Refused`.

    Lazily too where `reconcile` would do it again: what belongs to a stopped or deleted project.
    """
    after = transition(experiment, event, now)
    if not store.replace(experiment, after, lazy=lazy or type(event) in _LAZY):
        raise Refused(f"{experiment.name} changed since it was read")
    return Step(experiment, after)


def check(experiment: Experiment, event: Event, now: float) -> None:
    """Raises `Refused` when the event does not fit the experiment as it was read. Writes nothing."""
    transition(experiment, event, now)


def load(store: Store, experiment: str) -> Experiment:
    found = store.get(Experiment, experiment)
    if found is None:
        raise NotFound(f"there is no experiment {experiment}")
    return found


def runs(experiment: Experiment | None, attempt: int) -> bool:
    """Whether this attempt is the one that may run now."""
    return experiment is not None and experiment.state is State.POOL and experiment.attempt == attempt
