"""Takes the metrics of running experiments and ends them. One actor per running experiment, and the host that feeds
them from the metric queues."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pykka

from actors.base import Handlers, World
from actors.crew import Crew, CrewActor
from actors.strangers import NOT_ITS_QUEUE, Buckets, Dropped, Forwarder, is_raw
from actors.watch import ExperimentMonitor, Leave, Links, Look, Save
from beagle.errors import InvalidInput
from beagle.experiment import Experiment, State
from beagle.messages import ExperimentChanged
from beagle.ports import paged
from bus.metric_keys import speaker
from bus.port import Delivery
from bus.routes import METRICS, shard

log = logging.getLogger(__name__)

# Of the host and all its monitors together. More than one for when they wait: for a disk, or a store at the other end
# of a network.
THREADS = 16
# Seconds between two summaries of an experiment that goes on, where each is a write over the network.
SAVED_EVERY = 3


class Monitor(CrewActor):
    """The host: it forwards each delivery unread to the experiment's own actor, which settles it."""

    kind = "monitor"
    hands_out = True
    child = ExperimentMonitor

    def __init__(self, world: World, queues: tuple[str, ...]) -> None:
        super().__init__(world, Crew("monitors", THREADS), queues)
        self._children: dict[str, pykka.ActorRef[Any]] = {}
        # Names of children whose summary is worth writing; they add themselves.
        self._unsaved: set[str] = set()
        self.dropped = Dropped()
        self._links = Links(self._unsaved.add, self.dropped, Buckets(world.allowance), self.membership)
        self._forwarder: pykka.ActorRef[Any] | None = None
        self._ticks = 0

    def take(self, delivery: Delivery) -> None:
        if delivery.exchange != METRICS:
            super().take(delivery)
        elif delivery.queue in self.duties:
            self._take_metrics(delivery)

    def on_duties(self, before: frozenset[str]) -> None:
        """What moved away is stopped as it stands: its new monitor knows from the store what this one knew."""
        for name in [name for name in self._children if not self._is_mine(name)]:
            self._children.pop(name).stop(block=False)
        if self.duties - before:
            self._ticks = 0  # what came is looked after at once

    def _take_metrics(self, delivery: Delivery) -> None:
        name, raw = delivery.key.rpartition(".")[2], is_raw(delivery)
        if not raw and name in self._children:
            self._children[name].tell(delivery)
            return
        try:
            whose = speaker(delivery.key)
        except InvalidInput as error:
            delivery.bury(str(error))
            return
        if raw and whose.queue != delivery.queue:
            # A CC header leads a message to other queues; its key stays that for which its sender was let in.
            self.dropped.note(NOT_ITS_QUEUE)
            delivery.ack()
        elif whose.attempt is None:
            self._forward(delivery)
        else:
            self._child(f"{whose.experiment}-{whose.attempt}").tell(delivery)

    def _forward(self, delivery: Delivery) -> None:
        if self._forwarder is None:
            self._forwarder = Forwarder.start(self.world, self.crew, self._links.dropped, self._links.buckets)
        self._forwarder.tell(delivery)

    def on_told(self, message: object) -> None:
        if isinstance(message, Leave):
            # From here on the experiment's messages make a new actor; this one still handles what it was told before.
            child = self._children.pop(message.name, None)
            if child is not None:
                child.tell(message)

    def on_experiment_changed(self, event: ExperimentChanged) -> None:
        """Someone else moved it out of the pool: what its monitor knows is out of date."""
        for attempt in (event.attempt, event.attempt - 1):
            child = self._children.get(f"{event.experiment}-{attempt}")
            if child is not None:
                child.tell(event)

    def reconcile(self) -> None:
        """Every launched experiment of its shards has an actor: so its deadline comes even when it is silent."""
        self._ticks += 1
        while self._unsaved and (self.membership.alone or self._ticks % SAVED_EVERY == 0):
            child = self._children.get(self._unsaved.pop())
            if child is not None:
                child.tell(Save())
        for why, count in self.dropped.news().items():
            log.warning("%d messages of metrics were dropped: %s", count, why)
            if self.world.observer is not None:
                self.world.observer.dropped(why, count)
        if self._ticks % 5 != 1:
            return
        store = self.world.store
        for experiment in paged(lambda after: store.page(Experiment, "state", (State.POOL,), after=after, limit=500)):
            name = f"{experiment.id}-{experiment.attempt}"
            if experiment.launched_at is not None and name not in self._children and self._is_mine(name):
                self._child(name).tell(Look())

    def on_stop(self) -> None:
        super().on_stop()
        forwarder = [] if self._forwarder is None else [self._forwarder]
        for actor in (*forwarder, *self._children.values()):
            actor.stop(block=False)
        self.crew.close()

    def _is_mine(self, name: str) -> bool:
        return f"metrics.{shard(name.rpartition('-')[0])}" in self.duties

    def _child(self, name: str) -> pykka.ActorRef[Any]:
        child = self._children.get(name)
        if child is None:
            child = self.child.start(self.world, self.crew, name, self.actor_ref, self._links)
            self._children[name] = child
        return child

    handles: ClassVar[Handlers] = {ExperimentChanged: on_experiment_changed}
