"""A consumer's inbox, and what else the suite of a bus needs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

from beagle.commands import ShowProject
from beagle.messages import decode
from bus.port import Bus, Consumer, Delivery

# What a bounded queue of these tests holds.
LONGEST = 5
PATIENCE = 10.0


class Inbox:
    """A consumer's inbox: what was delivered, in the order in which it came."""

    def __init__(self, bus: Bus, queue: str, prefetch: int = 100) -> None:
        self._came = threading.Condition()
        self.deliveries: list[Delivery] = []
        self.consumer: Consumer = bus.consume(queue, self._take, prefetch=prefetch)

    def _take(self, delivery: Delivery) -> None:
        with self._came:
            self.deliveries.append(delivery)
            self._came.notify_all()

    def first(self, count: int) -> list[Delivery]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.deliveries) >= count, PATIENCE), self.bodies()
        return self.deliveries[:count]

    def one(self, number: int = 1) -> Delivery:
        return self.first(number)[number - 1]

    def bodies(self) -> list[object]:
        return [getattr(decode(delivery.body), "project", None) for delivery in self.deliveries]


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def publish(bus: Bus, *projects: str) -> None:
    for project in projects:
        bus.publish(ShowProject(project=project))


def projects_of(deliveries: list[Delivery]) -> list[str]:
    return [json.loads(delivery.body)["project"] for delivery in deliveries]


def settle(inbox: Inbox, count: int) -> None:
    for delivery in inbox.first(count):
        delivery.ack()
