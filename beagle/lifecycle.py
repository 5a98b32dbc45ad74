"""Writes experiments: a pure transition, then a compare-and-set. Nothing else writes them."""

from __future__ import annotations

from collections.abc import Sequence

from beagle.errors import NotFound, Refused
from beagle.experiment import Event, Experiment, State, transition
from beagle.ports import Store


def create(store: Store, experiments: Sequence[Experiment]) -> int:
    """Queue new ones; those whose id is known stay as they are. How many were new."""
    return sum(store.add(experiments))


def advance(store: Store, experiment: Experiment, event: Event, now: float) -> Experiment:
    """What the experiment is after `event`. Whoever loses a race reads what won: if the event still fits the same
    attempt it is tried again, else `Refused` says what the experiment is now."""
    attempt, current = experiment.attempt, experiment
    while True:
        after = transition(current, event, now)
        if store.replace(current, after):
            return after
        current = load(store, experiment.id)
        if current.attempt != attempt:
            raise Refused(f"{current.name} is in {current.state}, at attempt {current.attempt} by now")


def load(store: Store, experiment: str) -> Experiment:
    found = store.get(Experiment, experiment)
    if found is None:
        raise NotFound(f"there is no experiment {experiment}")
    return found


def runs(experiment: Experiment | None, attempt: int) -> bool:
    """Whether this attempt is the one that may run now."""
    return experiment is not None and experiment.state is State.POOL and experiment.attempt == attempt
