"""Makes actor processes doubtful, or switches a guard off in them to see that the oracle finds what it guards from.
None of it is reachable from the product: only `pack.py` asks for it, by what TAMPER names."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

from actors import queue_manager
from actors.gateway import Gateway
from actors.launcher import Launcher
from actors.queue_manager import QueueManager
from beagle import lifecycle, places
from beagle.experiment import Experiment, State
from beagle.members import Members
from beagle.records import Place
from beagle.stores.mongodb import MongoStore
from tests.servers.docked import DockOrchestrator


def apply(named: str) -> None:
    for name in named.split():
        TAMPERINGS[name]()


# Circumstances in which all must hold


def everyone() -> None:
    """Each replica takes itself for the one that is to do it."""
    Members.mine = lambda _self, _duty: True
    Members.share = lambda _self, duties: frozenset(duties)


def drowsy() -> None:
    """Queue managers sleep between the writes of a claim, at times for so long that what they took is repaired."""
    queue_manager.LEAKED_AFTER = 0.5
    QueueManager.between_writes = lambda _self: time.sleep(random.choice((0, 0, 0.1, 2.0)))


def impatient() -> None:
    """Nobody sleeps for long here, so that what is deleted goes soon."""
    Gateway.quiet = 0.5


def unordered() -> None:
    """Queue managers take any of those that wait: so one that sleeps may find its own unchanged."""

    def first(self, project):
        page = self.world.store.page(Experiment, "queue", (project.id, State.QUEUE), limit=50)
        return random.choice([e for e in page.records if not places.held_by(self.world.store, e.id)] or [None])

    QueueManager._first = first


# Guards switched off


def stale_places() -> None:
    """Places are written over whatever was written since they were read."""
    checked = MongoStore.replace

    def unchecked(self, before, after, **more):
        if not isinstance(after, Place):
            return checked(self, before, after, **more)
        current = self.get(Place, after.id)
        return checked(self, current, replace(after, version=current.version + 1), **more)

    MongoStore.replace = unchecked


def careless_repair() -> None:
    """A place is given back without a word to whoever may still believe to have it."""

    def repair(self, place):
        experiment = lifecycle.load(self.world.store, place.experiment)
        if experiment.state is State.QUEUE and self.world.now() - place.taken_at > queue_manager.LEAKED_AFTER:
            places.give_back(self.world.store, place)

    QueueManager._repair = repair


def trusting_launch() -> None:
    """What is in the pool is started, whoever has its place."""
    Launcher._has_place = lambda _self, _experiment: True


def no_repair() -> None:
    """What a dead queue manager took stays taken."""
    QueueManager._repair = lambda _self, _place: None


def forgetful_store() -> None:
    """Every metric is a new one."""
    checked = MongoStore.append

    def append(self, metrics, **more):
        return checked(self, [replace(each, sequence=random.randrange(10**9, 10**15)) for each in metrics], **more)

    MongoStore.append = append


def starting_again() -> None:
    """What has ended is started as if it had not."""
    started = DockOrchestrator.start

    def start(self, workload):
        there = self._inspect(workload.name)
        if there is not None and there["status"] == "exited":
            self.dock.ask("start", id=there["id"])
        return started(self, workload)

    DockOrchestrator.start = start


TAMPERINGS: dict[str, Callable[[], None]] = {
    work.__name__: work
    for work in (
        everyone,
        drowsy,
        unordered,
        impatient,
        stale_places,
        careless_repair,
        trusting_launch,
        no_repair,
        forgetful_store,
        starting_again,
    )
}
