"""Whatever happens to metrics on their way, and whoever takes them: those stored are exactly those sent."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest

from actors.base import World
from actors.clock import Clock
from actors.monitor import Monitor
from beagle import lifecycle
from beagle.projects import Plans
from beagle.records import Summary
from beagle.stores.mongodb import MongoStore
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.rabbitmq import RabbitBus
from bus.routes import METRIC_QUEUES, bindings
from tests.chaos import flood
from tests.journeys.beagle_run import eventually

COUNT = int(os.environ.get("BEAGLE_FLOOD", "100000"))
EXPERIMENTS = 20
QUEUES = (*METRIC_QUEUES, "events.monitor")


class Flooded:
    """Monitors over a store and a bus of which the test may have several."""

    def __init__(self, store, bus=None) -> None:
        self.store, self.bus, self.clock = store, bus or MemoryBus(bindings("here")), Clock()
        self.world = World(store=store, bus=self.bus, clock=self.clock, site="here", plans=Plans(store))
        self.ids = flood.prepare(store, EXPERIMENTS)

    def pour(self, told, seed=1) -> None:
        """All of it, while a monitor gives up in the middle and another one takes over."""
        self.monitors = [Monitor.start(self.world, QUEUES)]
        messages = [*flood.messages(told, seed)]
        for ordinal, message in enumerate(messages):
            self.bus.publish(message)
            if ordinal in (len(messages) // 3, len(messages) // 2):
                self.monitors[-1].stop()
                self.monitors.append(Monitor.start(self.world, QUEUES))

    def is_quiet(self) -> bool:
        """Whether all metrics were taken; nobody is there for what the monitors say to others."""
        queues = [queue for queue in self.bus._queues.all() if queue.name in METRIC_QUEUES]
        return not any(queue.waiting or any(c.unacknowledged for c in queue.consumers) for queue in queues)

    def running(self) -> list[str]:
        return [identity for identity in self.ids if lifecycle.load(self.store, identity).state == "pool"]

    def counted(self, identity) -> int:
        """How many metrics its summary counts."""
        summary = self.store.get(Summary, identity)
        return 0 if summary is None else summary.count

    def close(self) -> None:
        self.monitors[-1].stop()
        self.clock.close()
        self.bus.close()
        self.store.close()


class ForgetfulStore(SqliteStore):
    """Takes every metric for a new one."""

    def append(self, metrics, *, lazy: bool = False):
        self.known = getattr(self, "known", 10**12)
        self.known += len(metrics)
        new = [replace(metric, source=f"{metric.source}/{self.known + n}") for n, metric in enumerate(metrics)]
        return super().append(new, lazy=lazy)


@pytest.fixture
def opened(tmp_path):
    systems = []

    def open_one(store=SqliteStore):
        systems.append(Flooded(store(tmp_path / f"{len(systems)}.sqlite")))
        return systems[-1]

    yield open_one
    for system in systems:
        system.close()


def test_all_metrics_are_stored_once_whatever_their_order_and_age(opened):
    system = opened()
    told = flood.sent(system.ids, COUNT)
    system.pour(told)
    eventually(system.is_quiet)
    assert flood.stored(system.store, system.ids) == Counter(told)
    now = Counter(each.experiment for each in told if each.attempt == flood.ATTEMPTS)
    assert len(system.running()) == EXPERIMENTS // 2
    eventually(lambda: all(system.counted(identity) == now[identity] for identity in system.running()))


def test_without_the_check_for_repeats_more_are_stored_than_were_sent(opened):
    system = opened(ForgetfulStore)
    told = flood.sent(system.ids, 600)
    system.pour(told)
    eventually(system.is_quiet)
    assert flood.stored(system.store, system.ids).total() > len(told)


def test_the_same_holds_over_a_broker_and_a_store_apart(rabbitmq, hosts, database):
    main, metrics = (rabbitmq.url(host) for host in hosts)
    system = Flooded(MongoStore(database), RabbitBus(main, bindings=bindings("here"), metrics_url=metrics))
    try:
        told = flood.sent(system.ids, COUNT // 10)
        system.pour(told)
        for queue in METRIC_QUEUES:
            rabbitmq.until(f"/queues/{hosts[1]}/{queue}", lambda found: found.get("messages") == 0, 120)
        assert flood.stored(system.store, system.ids) == Counter(told)
    finally:
        system.close()
