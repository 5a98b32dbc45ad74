"""A broker and a store of the benchmarks' own, and actors that are processes over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymongo import MongoClient

from beagle.stores.mongodb import MongoStore
from bus.rabbitmq import RabbitBus
from bus.routes import bindings
from tests.benchmarks.running import SITE
from tests.journeys.apart import Apart
from tests.servers.mongodb import MongoNode, fresh_database
from tests.servers.rabbitmq import RabbitNode

PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Both as users have them: each a process of its own, on a disk."""

    rabbit: RabbitNode
    mongo: MongoNode

    @contextmanager
    def stage(self, folder: Path) -> Iterator[Stage]:
        """Two fresh virtual hosts and a fresh database, which go in the end with whatever runs over them."""
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            main, metrics = (self.rabbit.url(host) for host in stack.enter_context(self.rabbit.hosts()))
            database = stack.enter_context(fresh_database(self.mongo.address))
            store = MongoStore(database)
            stack.callback(store.close)
            bus = RabbitBus(main, bindings=bindings(SITE), metrics_url=metrics)
            stack.callback(bus.close)
            apart = stack.enter_context(Apart(folder, main, metrics, database))
            # Nobody is refused for the pace that is measured.
            apart.environment |= {"BEAGLE_METRICS_RATE": "1000000", "BEAGLE_METRICS_BURST": "1000000"}
            yield Stage(main, metrics, database, store, bus, apart)


@dataclass(frozen=True, slots=True)
class Stage:
    """`bus` and `store` are this process's own."""

    main: str
    metrics: str
    database: str
    store: MongoStore
    bus: RabbitBus
    apart: Apart

    @contextmanager
    def documents(self) -> Iterator[Callable[[], int]]:
        """How many metrics are stored; to ask costs the server next to nothing."""
        with MongoClient(self.database) as client:
            yield client.get_default_database()["metric"].estimated_document_count


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        rabbit = RabbitNode.start_new(folder / "rabbitmq")
        stack.callback(rabbit.kill)
        mongo = MongoNode.start_new(folder / "mongodb")
        stack.callback(mongo.kill)
        yield Servers(rabbit, mongo)


def until(look: Callable[[], bool], patience: float = PATIENCE, pause: float = 0.01) -> float:
    """When it came true, by the clock of `perf_counter`. Raises `TimeoutError`."""
    deadline = time.monotonic() + patience
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come true within {patience:g} s")
        time.sleep(pause)
    return time.perf_counter()
