"""Decides who runs next: takes a place, moves the experiment into the pool, and hands it to the launchers."""

from __future__ import annotations

import logging
from typing import ClassVar

from actors.base import BusActor, Handlers
from beagle import lifecycle, places, projects, system
from beagle.errors import NotFound, Refused
from beagle.experiment import Claimed, Experiment, Paused, PlaceRepaired, State
from beagle.messages import FillPlaces, LaunchExperiment, ProjectChanged
from beagle.ports import Cursor, Page, paged
from beagle.records import Place, Project, ProjectState

log = logging.getLogger(__name__)

# A place whose experiment still waits after this many seconds was taken by a claimer that died or sleeps.
LEAKED_AFTER = 2.0
# How many free places are looked up in one go.
AT_ONCE = 20


class QueueManager(BusActor):
    """Any number of these, slept or doubled, never exceed the limit: see `places` and `lifecycle`."""

    kind = "queue_manager"

    def reconcile(self) -> None:
        if not self.membership.mine("queue_manager"):
            return
        self.world.store.repair()
        current = system.load(self.world.store)
        places.prepare(self.world.store, current.limit)
        places.follow(self.world.store, current)
        for place in places.every(self.world.store):
            if place.experiment:
                self._repair(place)
        self.fill()

    def on_fill_places(self, _: FillPlaces) -> None:
        self.fill()

    def fill(self) -> None:
        """Claim until no place is free or nothing waits, or no launcher lives."""
        current = system.load(self.world.store)
        if not places.all_open(self.world.store, current):
            places.follow(self.world.store, current)
        sites = self.membership.sites()
        more = bool(sites)
        while more and system.load(self.world.store).running:
            free = places.free(self.world.store, AT_ONCE)
            more = len(free) == AT_ONCE
            for place in free:
                experiment = self._next()
                if experiment is None:
                    return
                # A claim that was lost to someone else leaves its place to the next round.
                more = not self._claim(place, experiment, sites[place.number % len(sites)]) or more

    def _next(self) -> Experiment | None:
        """The first in line of the projects that may start experiments."""
        firsts = [self._first(project) for project in projects.runnable(self.world.store) if not self._burns(project)]
        waiting = [experiment for experiment in firsts if experiment is not None]
        return min(waiting, key=lambda e: (e.rank, e.id), default=None)

    def _first(self, project: Project) -> Experiment | None:
        def fetch(after: Cursor | None) -> Page[Experiment]:
            # One is enough unless earlier attempts of the first ones are still being stopped.
            limit = 1 if after is None else 50
            return self.world.store.page(Experiment, "queue", (project.id, State.QUEUE), after=after, limit=limit)

        for experiment in paged(fetch):
            if experiment.attempt == 1 or not places.held_by(self.world.store, experiment.id):
                return experiment
        return None

    def _burns(self, project: Project) -> bool:
        reason = projects.burns(project, self.world.store.counts(project.id))
        if reason is None:
            return False
        try:
            projects.pause(self.world.store, project, reason)
        except Refused:
            return True
        self.nudge(ProjectChanged(project=project.id, event="paused", reason=reason))
        return True

    def _claim(self, place: Place, experiment: Experiment, site: str) -> bool:
        now = self.world.now()
        taken = places.take(self.world.store, place, experiment, site, now)
        if taken is None:
            return False
        self.between_writes()
        try:
            step = lifecycle.advance_exactly(self.world.store, experiment, Claimed(place.number, site), now)
        except (Refused, NotFound) as lost:
            log.info("claim lost: %s", lost)
            places.give_back(self.world.store, taken)
            return False
        if paused := self._paused(experiment):
            # Between the two writes: the pause did not see it in the pool, so it is put back here.
            step = lifecycle.advance(self.world.store, step.after, Paused(paused), now)
            self.announce(step)
            return False
        self.announce(step)
        self.nudge(LaunchExperiment(site=site, experiment=experiment.id, attempt=experiment.attempt))
        return True

    def _paused(self, experiment: Experiment) -> str:
        if not system.load(self.world.store).running:
            return "the system was paused"
        project = projects.load(self.world.store, experiment.project)
        return "" if project.state is ProjectState.RUNNING else f"its project is {project.state}"

    def between_writes(self) -> None:
        """The place is taken and the experiment is not in the pool yet: where tests put a claimer to sleep."""

    def _repair(self, place: Place) -> None:
        """Give back what a dead claimer took; an attempt that may have run is the launcher's to end first."""
        experiment = self.world.store.get(Experiment, place.experiment)
        fresh = place.taken_at is not None and self.world.now() - place.taken_at < LEAKED_AFTER
        if experiment is None or fresh or experiment.attempt != place.attempt:
            return
        if experiment.state is State.QUEUE:
            # The version first: a claimer that only slept must not find its experiment unchanged afterwards.
            try:
                lifecycle.advance(self.world.store, experiment, PlaceRepaired(), self.world.now())
            except (Refused, NotFound):
                return  # it only slept, and has just claimed it after all
        elif experiment.place in (None, place.number):
            return  # the launcher's, which knows when nothing of the attempt runs; nothing ever starts in another place
        if places.give_back(self.world.store, place):
            log.warning("place %d held %s, which never started there: given back", place.number, experiment.name)

    handles: ClassVar[Handlers] = {FillPlaces: on_fill_places}
