"""Orders to the whole system: play, pause, the limit, the queue, the pool, and the reset."""

from __future__ import annotations

import logging
from collections.abc import Callable

from actors.orders.front import Front
from beagle import lifecycle, places, projects, system
from beagle.commands import ClearQueue, PauseSystem, RequeuePool, ResetSystem, SetLimit, StartSystem
from beagle.errors import NotFound, Refused
from beagle.experiment import Experiment, Paused, State, Stopped
from beagle.message import Answer
from beagle.messages import FillPlaces, ProjectChanged
from beagle.ports import paged
from beagle.records import Project, System

log = logging.getLogger(__name__)

# How many records are read in one go.
AT_ONCE = 1000


class SystemOrders(Front):
    def start_system(self, order: StartSystem) -> Answer:
        current = system.set_running(self.world.store, running=True, order=order.id)
        self.nudge(FillPlaces())
        return _settings(current)

    def pause_system(self, order: PauseSystem) -> Answer:
        current = system.set_running(self.world.store, running=False, order=order.id)
        # Every place changes its version: a claimer that read before the pause, and slept, takes none.
        places.follow(self.world.store, current)
        if not current.running:
            self.empty_pool()
        return _settings(current)

    def set_limit(self, order: SetLimit) -> Answer:
        current = places.set_limit(self.world.store, order.limit, order.id)
        self.nudge(FillPlaces())
        return _settings(current)

    def reset_system(self, order: ResetSystem) -> Answer:
        """The record of the system first: so a reset that was begun comes to its end, whoever dies in it."""
        system.reset(self.world.store, self.world.now(), order.id)
        count = self.finish_reset()
        self.sweep_soon()
        return {"deleted": count}

    def finish_reset(self) -> int:
        """Hide all projects that a reset is about, and forget about the reset: a clock may be set back later."""
        store, count = self.world.store, 0
        until = system.load(store).reset_at
        while until:
            found = store.page(Project, "all", (False,), limit=100).records
            older = [project for project in found if project.created_at <= until]
            for project in older:
                count += self.delete(project)
            if not older:
                places.follow(store, system.reset_done(store, until))
                return count
        return count

    def delete(self, project: Project, order: str = "") -> bool:
        """Whether it was this that deleted it."""
        try:
            projects.delete(self.world.store, project, order)
        except (Refused, NotFound) as faster:
            log.info("%s", faster)
            return False
        self.nudge(ProjectChanged(project=project.id, event="deleted"))
        return True

    def clear_queue(self, order: ClearQueue) -> Answer:
        """What was queued since the order was begun is none of its business, for a repeat neither."""
        until = self.begin(order).at
        event = Stopped("taken out of the queue by the user", order.id)
        return {"stopped": self._move_all(State.QUEUE, event, lambda e: e.created_at <= until)}

    def requeue_pool(self, order: RequeuePool) -> Answer:
        until = self.begin(order).at
        event = Paused("the user put it back into the queue")
        count = self._move_all(State.POOL, event, lambda e: (e.claimed_at or 0.0) <= until)
        self.nudge(FillPlaces())
        return {"requeued": count}

    def _move_all(self, state: State, event: Stopped | Paused, is_meant: Callable[[Experiment], bool]) -> int:
        """Lazily: the answer, which is stored after them, takes them all to the disk."""
        store, count = self.world.store, 0
        found = list(paged(lambda after: store.page(Experiment, "state", (state,), after=after, limit=AT_ONCE)))
        for experiment in filter(is_meant, found):
            try:
                self.announce(lifecycle.advance_exactly(store, experiment, event, self.world.now(), lazy=True))
                count += 1
            except (Refused, NotFound) as moved:
                log.info("%s", moved)
        return count

    def pool(self) -> list[Experiment]:
        return self.world.store.page(Experiment, "state", (State.POOL,), limit=AT_ONCE).records

    def empty_pool(self) -> None:
        while running := self.pool():
            for experiment in running:
                self._put_back(experiment)

    def _put_back(self, experiment: Experiment) -> None:
        event = Paused("the system was paused")
        try:
            self.announce(lifecycle.advance(self.world.store, experiment, event, self.world.now()))
        except (Refused, NotFound) as late:
            log.info("%s", late)


def _settings(current: System) -> Answer:
    return {"running": current.running, "limit": current.limit}
