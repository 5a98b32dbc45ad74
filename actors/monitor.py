"""Takes the metrics of running experiments and ends them. One actor per running experiment, and the host that feeds
them from the metric queues."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pykka

from actors.base import BusActor, Handlers, World
from actors.watch import ExperimentMonitor, Leave, Look, Save
from beagle.experiment import Experiment, State
from beagle.messages import ExperimentChanged
from beagle.ports import paged
from bus.port import Delivery
from bus.routes import METRICS, shard

log = logging.getLogger(__name__)


class Monitor(BusActor):
    """The host: it forwards each delivery unread to the experiment's own actor, which settles it."""

    kind = "monitor"
    child = ExperimentMonitor

    def __init__(self, world: World, queues: tuple[str, ...]) -> None:
        super().__init__(world, queues)
        self._children: dict[str, pykka.ActorRef[Any]] = {}
        # Names of children whose summary is worth writing; they add themselves.
        self._unsaved: set[str] = set()
        self._ticks = 0

    def take(self, delivery: Delivery) -> None:
        if delivery.exchange != METRICS:
            super().take(delivery)
        elif delivery.queue in self.duties:
            self._child(delivery.key.rpartition(".")[2]).tell(delivery)

    def on_duties(self, before: frozenset[str]) -> None:
        """What moved away is stopped as it stands: its new monitor knows from the store what this one knew."""
        for name in [name for name in self._children if not self._is_mine(name)]:
            self._children.pop(name).stop(block=False)
        if self.duties - before:
            self._ticks = 0  # what came is looked after at once

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
        while self._unsaved:
            child = self._children.get(self._unsaved.pop())
            if child is not None:
                child.tell(Save())
        self._ticks += 1
        if self._ticks % 5 != 1:
            return
        store = self.world.store
        for experiment in paged(lambda after: store.page(Experiment, "state", (State.POOL,), after=after, limit=500)):
            name = f"{experiment.id}-{experiment.attempt}"
            if experiment.launched_at is not None and name not in self._children and self._is_mine(name):
                self._child(name).tell(Look())

    def on_stop(self) -> None:
        super().on_stop()
        for stopped in [child.stop(block=False) for child in self._children.values()]:
            stopped.get()

    def _is_mine(self, name: str) -> bool:
        return f"metrics.{shard(name.rpartition('-')[0])}" in self.duties

    def _note_unsaved(self, name: str) -> None:
        """Called in the children's threads."""
        self._unsaved.add(name)

    def _child(self, name: str) -> pykka.ActorRef[Any]:
        child = self._children.get(name)
        if child is None:
            child = self.child.start(self.world, name, self.actor_ref, self._note_unsaved)
            self._children[name] = child
        return child

    handles: ClassVar[Handlers] = {ExperimentChanged: on_experiment_changed}
