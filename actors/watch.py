"""The monitor of one attempt: its metrics, its limit, its deadline, its ending."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import pykka

from actors.account import Account
from actors.ahead import Ahead, LookingAhead
from actors.base import RETRY_AFTER, Handlers, World
from actors.crew import Crew
from actors.strangers import NOT_BEGUN, Buckets, Dropped, is_raw, report_of, too_fast
from beagle import lifecycle, removal
from beagle.errors import BeagleError, NotFound, Refused, Unavailable
from beagle.experiment import Completed, Event, Experiment, State, TimedOut
from beagle.members import Membership
from beagle.messages import AnyMessage, ExperimentChanged, MetricsReported, WorkloadEnded, WorkloadLaunched
from beagle.metrics import after_exit, crossing
from beagle.project import Definition
from beagle.raw_metrics import has_begun, matters
from beagle.records import Metric
from bus.port import Delivery

log = logging.getLogger(__name__)

# How long a deadline waits for a launcher that has not read the log to its end yet, after a restart.
UNHEARD = 10.0
# The same where only a monitor is new: what was read meanwhile waits in the queue.
UNQUEUED = 3.0
LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Leave:
    """The attempt of this name is over: its monitor has nothing more to do."""

    name: str


class Look:
    """The attempt may run, and nothing was heard of it yet by this host."""


class _Deadline:
    """The attempt may have run for as long as it may."""


class Save:
    """The summary may be written: a second has passed since the last time."""


@dataclass(frozen=True, slots=True)
class Links:
    """What the host lends to all its monitors; they use it from any thread."""

    unsaved: Callable[[str], None]
    dropped: Dropped
    buckets: Buckets
    membership: Membership


class ExperimentMonitor(LookingAhead):
    """Everything of one attempt arrives here in its order, and is acknowledged after it is stored."""

    def __init__(self, world: World, crew: Crew, name: str, host: pykka.ActorRef[Any], links: Links) -> None:
        super().__init__(world, crew)
        self._name, self._host, self._links = name, host, links
        self._identity, _, attempt = name.rpartition("-")
        self._attempt = int(attempt)
        self._experiment: Experiment | None = None
        self._account: Account | None = None
        self._due = math.inf
        self._leaving = False
        # Whether its programs were heard themselves: then there may be metrics before its launch is told.
        self._was_heard = False

    def may_end(self, metrics: MetricsReported) -> bool:
        experiment = self._experiment
        return experiment is None or any(matters(experiment, self._attempt, report) for report in metrics.reports)

    def store_ahead(self, found: Sequence[Ahead]) -> None:
        account = self._account or self._load()
        if self._known()[0].launched_at is None:
            return  # each reads anew what is stored
        metrics = [self._metrics(each.metrics) for each in found if each.metrics]
        readings = account.readings
        try:
            new = iter(self.world.store.append([*chain(*metrics)], lazy=True))
        except BeagleError:  # some of it may be stored; each is stored by itself, then
            account.doubt()
            return
        for each, its in zip(found, metrics, strict=True):
            each.stored(account, readings, [next(new) for _ in its])

    def read_one(self, delivery: Delivery) -> AnyMessage:
        return self._read_raw(delivery) if is_raw(delivery) else super().read_one(delivery)

    def _read_raw(self, delivery: Delivery) -> MetricsReported:
        experiment, self._was_heard = self._begun(), True
        report = report_of(self.world.store, delivery, self._identity, self._attempt)
        if not matters(experiment, self._attempt, report) and not self._links.buckets.take(self._identity):
            self._refuse(too_fast(self.world))
            raise Refused(too_fast(self.world))
        return MetricsReported(experiment=self._identity, attempt=self._attempt, reports=(report,))

    def _begun(self) -> Experiment:
        """Of an attempt that nobody began nothing is taken, and nothing is kept in memory."""
        experiment = self._experiment
        if experiment is None or experiment.launched_at is None:
            experiment = self.world.store.get(Experiment, self._identity)
        if experiment is None or not has_begun(experiment, self._attempt):
            self._links.dropped.note(NOT_BEGUN)
            self._leave()
            raise NotFound(f"{self._name} has not begun")
        self._experiment = experiment
        return experiment

    def _refuse(self, sentence: str) -> None:
        """Told in the summary alone: what came too fast must not fill the store either."""
        (self._account or self._load()).fold({}, (sentence,))
        self._links.unsaved(self._name)

    def on_told(self, message: object) -> None:
        match message:
            case _Deadline():
                self._deadline()
            case Save():
                self._save()
            case Look():
                account = self._load()
                if not self._links.membership.alone:
                    # Whoever had its shard before may still be storing what it was handed; what comes by the queue to
                    # this monitor comes after that.
                    account.doubt()
            case ExperimentChanged():
                self._save()
                self._reload()
            case Leave():
                self.give_back()
                self.stop()
            case _:
                super().on_told(message)

    def on_workload_launched(self, message: WorkloadLaunched) -> None:
        experiment = self._reload()
        if message.fresh and self._links.membership.alone and not self._was_heard:
            self._account = self._begin()
        elif self._account is None:
            self._load()
        if lifecycle.runs(experiment, self._attempt) and experiment.timeout is not None:
            self._wait_for_deadline(experiment, unheard=0.0)

    def on_metrics_reported(self, message: MetricsReported) -> None:
        account, experiment = self._account or self._load(), self._known()[0]
        # Lazily: the attempt dies with the power too, and its ending, which does not, flushes what came before.
        new = self.present.new(account)
        if new is None:
            new = self.world.store.append(self._metrics(message), lazy=True)
        try:
            for report, is_new in zip(message.reports, new, strict=True):
                if is_new:
                    account.fold(report.values, report.refusals)
                self._judge(experiment, report.values, completed=report.completed)
        except Unavailable:
            self._account = None  # when the message comes again none of its reports is new: all are read from the store
            raise
        if experiment.launched_at is None:
            self._account = None  # read, and judged, again when its launch is stored
            if self._runs() and any(report.completed for report in message.reports):
                # The store keeps numbers, and not this word: the message must come again.
                raise Unavailable(f"{self._name} said that it is completed, and its launch is not stored yet")
        if not all(new) and not self._links.membership.alone:
            account.doubt()
        if self._runs():
            self._links.unsaved(self._name)

    def try_later(self, delivery: Delivery) -> None:
        if self._account is not None:
            self._account.doubt()  # what was stored ahead is not new when it comes again
        super().try_later(delivery)

    def on_workload_ended(self, message: WorkloadEnded) -> None:
        self._experiment = self.world.store.get(Experiment, self._identity)
        if self._experiment is None or self._experiment.state is State.DELETED:
            self._forget()
            return
        if self._account is None:
            self._load()
        experiment, definition = self._known()
        if lifecycle.runs(experiment, self._attempt):
            self._end(self._ending(experiment, definition, message), message)
        self._leave()

    def _forget(self) -> None:
        """It was deleted while its metrics came in: what was stored of them since goes too."""
        self._account = None
        removal.metrics(self.world.store, [self._identity])
        self._leave()

    def _ending(self, experiment: Experiment, definition: Definition, message: WorkloadEnded) -> Event:
        timeout, launched_at = experiment.timeout, experiment.launched_at
        if timeout is not None and launched_at is not None and message.ended_at - launched_at > timeout:
            return TimedOut(_over(timeout))
        return after_exit(experiment, definition, message)

    def _judge(self, experiment: Experiment, values: Mapping[str, float], *, completed: bool) -> None:
        if not self._runs() or experiment.launched_at is None:
            return
        event: Event | None = crossing(experiment, values)
        if event is None and completed:
            event = Completed("it said so itself")
        if event is not None:
            self._end(event, None)

    def _deadline(self) -> None:
        if time.monotonic() < self._due:
            self._wake()
            return
        if self.waiting:  # one of these may be what crosses the limit
            self.world.clock.tell(self.actor_ref, _Deadline(), after=RETRY_AFTER)
            return
        try:
            experiment = self._reload()
            if self._runs() and experiment.timeout is not None:
                self._end(TimedOut(_over(experiment.timeout)), None)
        except Unavailable:
            self.world.clock.tell(self.actor_ref, _Deadline(), after=RETRY_AFTER)
            raise

    def _end(self, event: Event, ended: WorkloadEnded | None) -> None:
        """Write the summary, then the ending: whoever sees the ending sees the summary."""
        experiment, _ = self._known()
        if self._account is not None and experiment.launched_at is not None:
            ended_at = self.world.now() if ended is None else ended.ended_at
            self._account.close(max(0.0, ended_at - experiment.launched_at))
        self._save()
        try:
            step = lifecycle.advance(self.world.store, experiment, event, self.world.now(), lazy=True)
        except (Refused, NotFound) as lost:
            log.info("%s", lost)
            self._experiment = self.world.store.get(Experiment, self._identity)
        else:
            self._experiment = step.after
            # Told before it is on the disk: its place comes back meanwhile, and all that follows from it is written
            # behind it. What ended it is acknowledged after.
            self.announce(step)
            self.world.store.flush()

    def _begin(self) -> Account:
        experiment, definition = self._known()
        return Account(self.world.store, experiment, self._attempt, definition)

    def _load(self) -> Account:
        """What is known of the attempt, from the store: any monitor can take over at any moment."""
        experiment = self._reload()
        self._account = account = self._begin()
        for metric in account.read():
            self._judge(experiment, metric.values, completed=False)
        if not lifecycle.runs(experiment, self._attempt):
            self._leave()
        elif experiment.launched_at is not None and experiment.timeout is not None:
            self._wait_for_deadline(experiment, unheard=UNQUEUED if self._is_followed(experiment) else UNHEARD)
        return account

    def _is_followed(self, experiment: Experiment) -> bool:
        """Whether its launcher has been reading its log all the time, while this monitor is new."""
        watcher, membership = experiment.watcher, self._links.membership
        return watcher is not None and not membership.alone and membership.lives(watcher)

    def _wait_for_deadline(self, experiment: Experiment, *, unheard: float) -> None:
        # From the store's wall clock to a wait of this process: a clock that jumped can shorten it to nothing or
        # lengthen it to the whole timeout, never beyond.
        timeout, launched_at = experiment.timeout or 0.0, experiment.launched_at or self.world.now()
        left = min(max(launched_at + timeout - self.world.now(), 0.0), timeout)
        self._due = time.monotonic() + left + unheard
        self._wake()

    def _wake(self) -> None:
        # Not in one piece: the clock would keep what ended long before its deadline until then.
        left = min(self._due - time.monotonic(), LONGEST_WAIT)
        self.world.clock.tell(self.actor_ref, _Deadline(), after=left)

    def _save(self) -> None:
        if self._account is not None:
            self._account.save()

    def _metrics(self, message: MetricsReported) -> list[Metric]:
        return [
            Metric(
                experiment=self._identity,
                attempt=self._attempt,
                source=report.source,
                sequence=report.sequence,
                time=message.time,
                values=report.values,
                step=report.step,
                refusals=report.refusals,
            )
            for report in message.reports
        ]

    def _known(self) -> tuple[Experiment, Definition]:
        experiment = self._experiment or self._reload()
        return experiment, self.world.plans.of(experiment.project).definition

    def _reload(self) -> Experiment:
        self._experiment = lifecycle.load(self.world.store, self._identity)
        return self._experiment

    def _runs(self) -> bool:
        return lifecycle.runs(self._experiment, self._attempt)

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            with suppress(pykka.ActorDeadError):
                self._host.tell(Leave(self._name))

    handles: ClassVar[Handlers] = {
        WorkloadLaunched: on_workload_launched,
        MetricsReported: on_metrics_reported,
        WorkloadEnded: on_workload_ended,
    }


def _over(timeout: float) -> str:
    return f"it ran for its {timeout:g} s"
