"""Removes what deleted experiments and projects leave behind. Nothing else removes anything from the store.

Whoever slept while something was removed may write of it afterwards; so the monitor and the heuristic look once more
after they wrote, and what belongs to nothing any more they remove here.
"""

from __future__ import annotations

from collections.abc import Sequence

from beagle import projects
from beagle.experiment import Experiment
from beagle.lifecycle import experiment_id
from beagle.ports import Store
from beagle.records import Applied, Observation, Project, Summary

AT_ONCE = 200
# Numbers that a heuristic may have queued beyond those that the project's record speaks of.
UNRECORDED = 1000


def experiments(store: Store, found: Sequence[str]) -> None:
    """Records, summaries and metrics."""
    if found:
        store.remove(Summary, found)
        store.remove(Experiment, found)


def metrics(store: Store, found: Sequence[str]) -> None:
    """Summaries and metrics; the records stay, so that their numbers are not given to others."""
    if found:
        store.remove(Summary, found)
        store.remove_metrics(found)


def observations(store: Store, project: str) -> bool:
    """Some of the log of a search; whether there may be more."""
    found = store.page(Observation, "log", (project,), limit=AT_ONCE)
    if found.records:
        store.remove(Observation, [observation.id for observation in found.records])
    return found.next is not None


def by_number(store: Store, project: Project, first: int) -> int | None:
    """What was written late of experiments that are removed, from number `first`; the number to go on from."""
    last = project.sent + UNRECORDED
    numbers = range(first, min(first + AT_ONCE, last + 1))
    experiments(store, [experiment_id(project.id, number) for number in numbers])
    return numbers.stop if numbers.stop <= last else None


def project(store: Store, project: str) -> None:
    """The last of it."""
    projects.remove(store, project)


def applied(store: Store, before: float) -> bool:
    """Some of the answers to commands older than `before`; whether there may be more."""
    found = [each.id for each in store.page(Applied, "at", limit=AT_ONCE).records if each.at < before]
    if found:
        store.remove(Applied, found)
    return len(found) == AT_ONCE
