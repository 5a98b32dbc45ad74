"""Brings to its end what an order has only marked: deleted and stopped projects, deleted experiments.

In pieces, so that other orders need not wait. Any number of gateways may do it at once, killed at any moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from actors.base import World
from beagle import lifecycle, places, projects, removal
from beagle.errors import NotFound, Refused
from beagle.experiment import Cleared, Deleted, Event, Experiment, State, Stopped
from beagle.lifecycle import Step
from beagle.messages import AnyMessage, ProjectChanged
from beagle.ports import Cursor
from beagle.records import Project, ProjectState

log = logging.getLogger(__name__)

AT_ONCE = 200
# Seconds for which an answer is kept, and between two looks for older ones.
ANSWERS_KEPT, ANSWERS_LOOK = 24 * 3600.0, 60.0


@dataclass(slots=True)
class _Removing:
    """How far this process is with a deleted project: where in its list, since when nothing of it is left, and from
    which number the second round goes on."""

    after: Cursor | None = None
    empty_since: float | None = None
    number: int = 1


@dataclass(slots=True, kw_only=True)
class Means:
    """What the sweep works with: `quiet` is for how many seconds nothing of a deleted one may be found before the last
    of it is removed: whoever slept while it was removed may write late."""

    world: World
    announce: Callable[[Step], None]
    nudge: Callable[[AnyMessage], None]
    quiet: float


class Sweep:
    def __init__(self, means: Means) -> None:
        self._means, self._store, self._now = means, means.world.store, means.world.now
        self._removing: dict[str, _Removing] = {}
        self._look_at = 0.0
        # Where in the list of the experiments that are being removed.
        self._cleared: Cursor | None = None

    def step(self) -> bool:
        """Do a piece of everything; whether there is more to do at once."""
        more = False
        deleted = projects.hidden(self._store)
        self._removing = {each.id: self._removing.get(each.id) or _Removing() for each in deleted}
        for project in deleted:
            more |= self._remove(project, self._removing[project.id])
        for state in (ProjectState.STOPPING, ProjectState.CANCELLING):
            for project in projects.in_state(self._store, state):
                more |= self._wind_up(project)
        more |= self._clear_experiments()
        if time.monotonic() >= self._look_at:
            many = removal.applied(self._store, self._now() - ANSWERS_KEPT)
            self._look_at = time.monotonic() + (0.0 if many else ANSWERS_LOOK)
            more |= many
        return more

    def _wind_up(self, project: Project) -> bool:
        """What waits of a stopped project never runs; what runs of a cancelled one is stopped."""
        why = f"its project was {project.reason}"
        waiting = self._store.page(Experiment, "queue", (project.id, State.QUEUE), limit=AT_ONCE).records
        self._move(waiting, Stopped(why))
        if project.state is ProjectState.CANCELLING:
            self._move(self._running(project), Stopped(why))
        counts = self._store.counts(project.id)
        if counts[State.QUEUE] or counts[State.POOL]:
            return bool(counts[State.QUEUE])
        try:
            ended = projects.end(self._store, project, self._now())
        except (Refused, NotFound) as faster:
            log.info("%s", faster)
        else:
            self._means.nudge(ProjectChanged(project=ended.id, event="stopped", reason=ended.reason))
        return False

    def _remove(self, project: Project, state: _Removing) -> bool:
        """What runs first; then all of it, piece by piece; and once more, when it has been quiet for a while."""
        self._move(self._running(project), Deleted())
        page = self._store.page(Experiment, "number", (project.id,), after=state.after, limit=AT_ONCE)
        self._move([e for e in page.records if e.state is not State.DELETED], Deleted())
        held = {place.experiment for place in places.every(self._store) if place.experiment}
        removal.experiments(self._store, [e.id for e in page.records if e.id not in held])
        more = removal.observations(self._store, project.id) or page.next is not None
        found = bool(page.records) or state.after is not None
        state.after = page.next
        if more or found:
            state.empty_since, state.number = None, 1
            return more or (found and not held)
        if state.empty_since is None:
            state.empty_since = time.monotonic()
        if time.monotonic() - state.empty_since < self._means.quiet:
            return False
        following = removal.by_number(self._store, project, state.number)
        if following is None:
            removal.project(self._store, project.id)
            log.info("nothing is left of the project %s", project.name)
            return False
        state.number = following
        return True

    def _clear_experiments(self) -> bool:
        """Of a deleted experiment only its number stays, once nothing of it runs. Whether there are more to look at."""
        found = self._store.page(Experiment, "removing", after=self._cleared, limit=AT_ONCE)
        self._cleared = found.next
        unheld = [e for e in found.records if not places.held_by(self._store, e.id)]
        removal.metrics(self._store, [e.id for e in unheld])
        for experiment in unheld:
            if self._now() - (experiment.removing or 0.0) >= self._means.quiet:
                self._move([experiment], Cleared(), announced=False)
        return found.next is not None

    def _running(self, project: Project) -> list[Experiment]:
        return self._store.page(Experiment, "queue", (project.id, State.POOL), limit=AT_ONCE).records

    def _move(self, experiments: list[Experiment], event: Event, *, announced: bool = True) -> None:
        """Lazily: the mark at the project says the same again. Of those that waited nobody needs to hear."""
        for experiment in experiments:
            try:
                step = lifecycle.advance_exactly(self._store, experiment, event, self._now(), lazy=True)
            except (Refused, NotFound) as moved:
                log.info("%s", moved)
            else:
                if announced and step.before.state is State.POOL:
                    self._means.announce(step)
