"""The half of the launcher that starts and adopts; what comes of it is told to it, and stored in its own thread."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pykka

from actors import starts
from actors.base import BusActor, World
from actors.reporter import Reporter
from actors.starts import Outcome, Start, Starts
from beagle import lifecycle
from beagle.errors import BeagleError, InvalidInput, LaunchFailed, NotFound, Refused, Unavailable
from beagle.experiment import Experiment, Launched
from beagle.messages import WorkloadEnded
from beagle.ports import Orchestrator
from beagle.records import Place
from beagle.template import workload_name

log = logging.getLogger(__name__)


class Launching(BusActor):
    """Whatever is to be started is watched from the moment on at which that is decided."""

    def __init__(self, world: World, queues: tuple[str, ...], orchestrator: Orchestrator) -> None:
        super().__init__(world, queues)
        self.orchestrator = orchestrator
        self.reporter = Reporter(world.bus, self.actor_ref, world.site)
        self.starts = Starts(world, orchestrator, self.reporter, self._tell)
        # Names that this process watches; of these, what is to end, and those of which nothing runs any more.
        self._watched: set[str] = set()
        self._ending: set[str] = set()
        self._ended: set[str] = set()

    def _launch(self, experiment: Experiment) -> None:
        self.share_in_time()
        if workload_name(experiment.id, experiment.attempt) in self.starts:
            return
        if self._has_place(experiment):
            self._start(experiment, adopted=False)
        else:
            log.info("%s is not started: place %s is not its own", experiment.name, experiment.place)

    def _has_place(self, experiment: Experiment) -> bool:
        place = self.world.store.get(Place, f"place-{experiment.place}")
        return place is not None and (place.experiment, place.attempt) == (experiment.id, experiment.attempt)

    def _start(self, experiment: Experiment, *, adopted: bool) -> None:
        """Start or adopt, now or as soon as fewer are under way."""
        start = Start(experiment=experiment, adopted=adopted)
        self._watched.add(start.name)
        if self.starts.beside:
            self.starts.wait(start)
            self._begin()
        else:
            self._settle_start(self.starts.make(start))

    def _begin(self) -> None:
        self.starts.begin(self._renewed)

    def _renewed(self, start: Start) -> Start | None:
        """One that waited, if it may start still."""
        experiment = self.world.store.get(Experiment, start.experiment.id)
        runs = experiment is not None and lifecycle.runs(experiment, start.experiment.attempt)
        if experiment is None or not runs or not (start.adopted or self._has_place(experiment)):
            self._watched.discard(start.name)
            return None
        return replace(start, experiment=experiment)

    def _tell(self, outcome: Outcome) -> None:
        with suppress(pykka.ActorDeadError):  # whoever comes next adopts it
            self.actor_ref.tell(outcome)

    def _finish(self, outcome: Outcome) -> None:
        """Of a start that was made beside this thread."""
        start = outcome.start
        if not self.starts.ended(start):
            # It was given up. A stop that came before keeps it from running; this one is for what came before that.
            self.orchestrator.stop(start.name)
            return
        before = self.membership.trouble
        try:
            self._settle_start(outcome)
        except Unavailable as error:
            # The next tick tries again. Said once: ticks go well meanwhile.
            if str(error) != before:
                log.warning("%s is not started yet: %s", start.experiment.name, error)

    def _settle_start(self, outcome: Outcome) -> None:
        """Its lines wait until the launch is stored, so that whatever ends it finds it launched."""
        start, experiment = outcome.start, outcome.start.experiment
        try:
            if outcome.error is not None:
                self._judge_failed(start, outcome.error)
                return
            self._store_launch(experiment, start.name, outcome.at)
            self.membership.trouble = ""
            if start.adopted:
                self.reporter.adopted(start.name, outcome.at)
            else:
                # Started before by a launcher that died before it could store that, or let in to publish by itself:
                # then there may be metrics already.
                fresh = experiment.launched_at is None and not self.world.access.open
                self.reporter.launched(experiment.id, experiment.attempt, outcome.at, fresh=fresh)
        except Unavailable as error:
            self.membership.trouble = str(error)
            if start.name not in self._ending:
                self._watched.discard(start.name)
            raise
        finally:
            self.reporter.let_go(start.name)

    def _judge_failed(self, start: Start, error: Exception) -> None:
        """Watched until its monitor has judged it: tried again, it might come up while what ends it is on its way. Then
        it is stopped all the same: another launcher may have had more luck with it.
        """
        if isinstance(error, BeagleError) and not isinstance(error, LaunchFailed | InvalidInput):
            raise error
        if not isinstance(error, BeagleError):
            log.error("%s could not be started", start.experiment.name, exc_info=error)
            error = LaunchFailed(f"{type(error).__name__}: {error}")
        self.reporter.publish(self._not_launched(start.experiment, error))

    def _give_up(self, start: Start) -> None:
        """It hangs, whoever holds it up; what it said until now comes before its ending."""
        self.starts.ended(start)
        self.reporter.let_go(start.name)
        self._judge_failed(start, LaunchFailed(f"it did not come up in {starts.LONGEST:g} s"))
        self._guarded(partial(self.orchestrator.stop, start.name))

    def _store_launch(self, experiment: Experiment, name: str, at: float) -> None:
        if experiment.launched_at is not None:
            return
        try:
            self.announce(
                lifecycle.advance(self.world.store, experiment, Launched(self.membership.name, at), self.world.now())
            )
        except (Refused, NotFound) as late:
            log.info("%s", late)
            self.orchestrator.stop(name)

    def _not_launched(self, experiment: Experiment, error: BeagleError) -> WorkloadEnded:
        return WorkloadEnded(
            experiment=experiment.id,
            attempt=experiment.attempt,
            ended_at=self.world.now(),
            error=str(error),
            launch_failed=True,
        )
