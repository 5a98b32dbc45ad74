"""Starts, adopts, watches and stops the workloads of its site, publishes what they report, and gives places back."""

from __future__ import annotations

import logging
from functools import partial
from typing import ClassVar

from actors.base import Handlers, World
from actors.launching import Launching
from actors.starts import Outcome
from beagle import lifecycle, places
from beagle.errors import NotFound, Refused
from beagle.experiment import Experiment, Launched, State
from beagle.messages import (
    Answer,
    FillPlaces,
    LaunchExperiment,
    ReadSiteLog,
    StopWorkload,
    WorkloadEnded,
)
from beagle.ports import Ended, Orchestrator, paged
from beagle.records import Place
from beagle.template import attempt_of, workload_name

log = logging.getLogger(__name__)

# Seconds between two looks for attempts that were let in to the bus by a launcher that died.
SWEEP_EVERY = 30


class Launcher(Launching):
    """Judges only what its own site runs, and only by the orchestrator's word; what it saw, it publishes.

    Any number of launchers serve a site. What one of them watches is its own as long as it lives; the rest falls to the
    one that the hashing of the living says. Should two be at it, the workload's name keeps it from being run twice.
    """

    kind = "launcher"

    def __init__(self, world: World, queues: tuple[str, ...], orchestrator: Orchestrator) -> None:
        super().__init__(world, queues, orchestrator)
        # Names that nobody seemed to see to at this look and at the one before.
        self._found: set[str] = set()
        self._found_before: set[str] = set()
        self._looks = 0

    def on_start(self) -> None:
        self.orchestrator.watch(self.reporter.observe)
        super().on_start()

    def on_stop(self) -> None:
        super().on_stop()
        self.starts.close()
        self.reporter.close()
        self.orchestrator.close()

    def on_launch_experiment(self, order: LaunchExperiment) -> None:
        experiment = lifecycle.load(self.world.store, order.experiment)
        if lifecycle.runs(experiment, order.attempt) and experiment.launched_at is None:
            self._launch(experiment)

    def on_stop_workload(self, order: StopWorkload) -> None:
        name = workload_name(order.experiment, order.attempt)
        if name in self._watched or (self._is_next(name, order.watcher) and self._holds(name)):
            self._end(name)

    def on_read_site_log(self, question: ReadSiteLog) -> Answer:
        name = workload_name(question.experiment, question.attempt)
        piece = self.orchestrator.logs(name, stream=question.stream, offset=question.offset)
        return {"text": piece.text, "next": piece.next, "complete": piece.complete}

    def on_told(self, message: object) -> None:
        match message:
            case Ended(workload=name) if name in self._watched:
                self._ended.add(name)
                if name in self._ending:
                    self._release(name)
            case Outcome():
                try:
                    self._finish(message)
                finally:
                    self._begin()

    def reconcile(self) -> None:
        """Adopt what runs and should, end what runs and should not, start what was claimed, report what is lost."""
        for start in self.starts.hanging():
            self._give_up(start)
        self._begin()
        names = set(self.orchestrator.list())
        self._found_before, self._found = self._found, set()
        for name in names:
            self._judge(name)
        for experiment in self._pool():
            name = workload_name(experiment.id, experiment.attempt)
            if name in names or name in self._watched:
                continue
            if not self._falls_to_me(name, experiment.watcher):
                continue
            if experiment.launched_at is None:
                self._guarded(partial(self._launch, experiment))
            elif name not in self.orchestrator.list():
                # Listed anew, after it was read as launched: it may have been started since the first list.
                self._report_lost(experiment)
        for place in places.every(self.world.store):
            if place.site == self.world.site and workload_name(place.experiment, place.attempt) not in names:
                self._judge_empty(place)
        for name in self._watched - names:
            if name not in self.starts:
                self._forget_if_over(name)
        self._looks += 1
        if self._looks % SWEEP_EVERY == 1 and self.membership.mine("access"):
            self.world.access.sweep(self._is_over)

    def _is_over(self, experiment: str, attempt: int) -> bool:
        """Whether nothing of it may run or is being stopped, at any site."""
        if lifecycle.runs(self.world.store.get(Experiment, experiment), attempt):
            return False
        return all(place.attempt != attempt for place in places.held_by(self.world.store, experiment))

    def _is_next(self, name: str, watcher: str | None) -> bool:
        """Whether it is this launcher's to see to what `watcher` does not see to any more."""
        return (watcher is None or not self.membership.lives(watcher)) and self.membership.mine(name)

    def _falls_to_me(self, name: str, watcher: str | None) -> bool:
        """As `_is_next`, and none of the others may just be about to do it."""
        if watcher == self.membership.name:
            return True
        if not self._is_next(name, watcher):
            return False
        self._found.add(name)
        siblings = len(self.membership.living(self.kind, self.world.site)) > 1
        return name in self._found_before or not siblings

    def _pool(self) -> list[Experiment]:
        store = self.world.store
        pool = paged(lambda after: store.page(Experiment, "state", (State.POOL,), after=after, limit=500))
        return [e for e in pool if e.site == self.world.site]

    def _judge(self, name: str) -> None:
        """One that the orchestrator has: adopt it if it may run, else end it and give its place back."""
        identity, attempt = attempt_of(name)
        experiment = self.world.store.get(Experiment, identity)
        if experiment is None or not lifecycle.runs(experiment, attempt):
            if name in self._watched or self._falls_to_me(name, None):
                self._end(name)
        elif name not in self._watched and self._falls_to_me(name, experiment.watcher):
            self._adopt(experiment)

    def _adopt(self, experiment: Experiment) -> None:
        """Say so first: of two that adopt it at once one is refused."""
        at = experiment.launched_at
        if at is not None and experiment.watcher != self.membership.name:
            told = Launched(self.membership.name, at)
            try:
                experiment = lifecycle.advance_exactly(self.world.store, experiment, told, self.world.now()).after
            except (Refused, NotFound) as late:
                log.info("not adopted: %s", late)
                return
        self._start(experiment, adopted=True)

    def _judge_empty(self, place: Place) -> None:
        """A place whose attempt the orchestrator does not have: if it may not run, nothing ever will."""
        experiment = self.world.store.get(Experiment, place.experiment)
        waits = experiment is not None and experiment.state is State.QUEUE and experiment.attempt == place.attempt
        if waits or lifecycle.runs(experiment, place.attempt):
            return
        name = workload_name(place.experiment, place.attempt)
        if name in self._watched or self._falls_to_me(name, None):
            self._end(name)

    def _forget_if_over(self, name: str) -> None:
        """Another launcher of this site saw to its end and gave its place back."""
        identity, attempt = attempt_of(name)
        experiment = self.world.store.get(Experiment, identity)
        if not lifecycle.runs(experiment, attempt) and not self._holds(name):
            self._forget(name)

    def _forget(self, name: str) -> None:
        for names in (self._watched, self._ending, self._ended):
            names.discard(name)

    def _end(self, name: str) -> None:
        if name in self._ended:
            self._release(name)
        else:
            self.starts.drop(name)
            self._watched.add(name)
            self._ending.add(name)
            self.orchestrator.stop(name)

    def _release(self, name: str) -> None:
        """Nothing of it runs and nothing may: its place is free."""
        for place in self._holds(name):
            places.give_back(self.world.store, place)
        self.nudge(FillPlaces())
        self.orchestrator.clean(name)
        self.world.access.expel(*attempt_of(name))
        self._forget(name)

    def _holds(self, name: str) -> list[Place]:
        """This site's places that the attempt holds. Usually the one that its experiment names."""
        identity, attempt = attempt_of(name)
        experiment = self.world.store.get(Experiment, identity)
        if experiment is not None and experiment.place is not None and experiment.attempt == attempt == 1:
            place = self.world.store.get(Place, f"place-{experiment.place}")
            found = [place] if place is not None and place.experiment == identity else []
        else:
            found = places.held_by(self.world.store, identity)
        return [place for place in found if (place.attempt, place.site) == (attempt, self.world.site)]

    def _report_lost(self, experiment: Experiment) -> None:
        """Its place comes back after a stop all the same: a launcher that slept may have its start in its hands."""
        self._watched.add(workload_name(experiment.id, experiment.attempt))
        self.reporter.publish(
            WorkloadEnded(
                experiment=experiment.id,
                attempt=experiment.attempt,
                ended_at=self.world.now(),
                error="nothing is left of it at its site",
                lost=True,
            )
        )

    handles: ClassVar[Handlers] = {
        LaunchExperiment: on_launch_experiment,
        StopWorkload: on_stop_workload,
        ReadSiteLog: on_read_site_log,
    }
