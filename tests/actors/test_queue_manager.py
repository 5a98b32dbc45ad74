"""What the queue manager does besides filling places."""

from __future__ import annotations

from actors.base import World
from actors.clock import Clock
from actors.queue_manager import QueueManager
from beagle import lifecycle
from beagle.projects import Plans
from beagle.stores.mongodb import MongoStore
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.contracts.inbox import eventually
from tests.contracts.records import experiments


def test_it_has_the_store_repaired_again_and_again(database):
    store, clock = MongoStore(database), Clock()
    lifecycle.create(store, experiments(3))
    world = World(store=store, bus=MemoryBus(bindings("here")), clock=clock, site="here", plans=Plans(store))
    manager = QueueManager.start(world, ("queue_manager",))
    eventually(lambda: store._tally._dirty() == [])
    lifecycle.create(store, experiments(5))
    assert len(store._tally._dirty()) == 2
    eventually(lambda: store._tally._dirty() == [])
    manager.stop()
    clock.close()
    store.close()
