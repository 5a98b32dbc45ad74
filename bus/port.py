"""What the actors need of a bus. Two implementations pass one suite: `bus/memory.py` and RabbitMQ's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from beagle.messages import Answer, AnyMessage


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived. Exactly one of `ack`, `requeue` and `bury` is to be called, from any thread, once.

    `redelivered` counts how often it was handed out before. `answer` publishes to whoever asked, and does nothing when
    nobody did.
    """

    body: bytes
    exchange: str
    key: str
    redelivered: int
    asked: bool
    ack: Callable[[], None]
    requeue: Callable[[], None]
    bury: Callable[[str], None]
    answer: Callable[[Answer], None]


class Consumer(Protocol):
    def close(self) -> None:
        """Take no more; what was delivered and is not acknowledged goes back to the queue, in its old order."""


class Bus(Protocol):
    """Topic exchanges and queues as in `bus/routes.py`. Safe from any thread."""

    def publish(self, message: AnyMessage) -> None:
        """Returns when the bus has taken it. Raises `Full`, `Unroutable` (not for events), `Unavailable`."""

    def request(self, message: AnyMessage, *, timeout: float) -> Answer:
        """Publish and wait for the answer; `Unavailable` after `timeout` seconds without one."""

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> Consumer:
        """Hand over at most `prefetch` unacknowledged messages. `deliver` returns quickly; any thread may run it."""

    def close(self) -> None: ...
