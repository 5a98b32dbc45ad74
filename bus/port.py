"""What the actors need of a bus. Two implementations pass one suite: `bus/memory.py` and RabbitMQ's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from beagle.messages import Answer, AnyMessage

Headers = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived. Exactly one of `ack`, `requeue` and `bury` is to be called, from any thread, once.

    `queue` is the one it came by. `own`: one of the deployment's own processes published it, and the bus vouches for
    that; `message_id`, `type`, `headers` and `sent_at` (seconds since the epoch; None: it does not say) are only as
    true as their sender. `redelivered` counts how often it was handed out before. `answer` publishes to whoever asked,
    and does nothing when nobody did.
    """

    body: bytes
    exchange: str
    key: str
    queue: str
    redelivered: int
    asked: bool
    ack: Callable[[], None]
    requeue: Callable[[], None]
    bury: Callable[[str], None]
    answer: Callable[[Answer], None]
    own: bool
    message_id: str = ""
    type: str = ""
    headers: Headers = field(default_factory=dict)
    sent_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What could not be handled and why, since when (seconds since the epoch), and where it was on its way to."""

    id: str
    queue: str
    exchange: str
    key: str
    body: bytes
    reason: str
    at: float


class Consumer(Protocol):
    def close(self) -> None:
        """Take no more; what was delivered and is not acknowledged goes back to the queue, in its old order.

        Whoever consumes at that very moment may be handed what stands behind it first.
        """


class Bus(Protocol):
    """Topic exchanges and queues as in `bus/routes.py`. Safe from any thread."""

    def publish(self, message: AnyMessage) -> None:
        """Returns when the bus has taken it. Raises `Full`, `Unroutable` (not for events), `Unavailable`."""

    def nudge(self, message: AnyMessage) -> None:
        """Publish what may get lost, in one order with what is published, and wait for nobody.

        Raises as `publish` does what is known at once; what is known later is told in the log.
        """

    def publish_raw(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> None:
        """Publish what is none of our messages, as a stranger would: it arrives as not our own.

        Raises as `publish` does, and both raise `InvalidInput` for what is longer than is taken.
        """

    def entrust(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> Answer:
        """As `publish_raw`, and returns once it outlives this process: a broker has it, or its receiver has handled it.

        Then this is what the receiver answered; a broker answers nothing. Raises `Unavailable` when nobody did in time.
        """

    def request(self, message: AnyMessage, *, timeout: float) -> Answer:
        """Publish and wait for the answer; `Unavailable` after `timeout` seconds without one."""

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> Consumer:
        """Hand over at most `prefetch` unacknowledged messages. `deliver` returns quickly; any thread may run it.

        Consumers may come and go at any time. While the bus is away, it begins once that is back.
        """

    def on_reconnect(self, tell: Callable[[], None]) -> None:
        """Call `tell` after each time that the bus was lost and is back: what was said meanwhile was not heard."""

    def silence(self) -> float:
        """Seconds since the bus's own threads last showed that they live; a long silence is a fault."""

    def connected(self) -> bool:
        """Whether it can be used now, as far as it knows; a bus that is away comes back by itself."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """What was buried and not yet replayed or dropped, the oldest first. Raises `Unavailable`."""

    def replay(self, identity: str) -> bool:
        """Publish a dead letter again to where it was on its way to, then remove it; False: there is none with this id.

        Raises as `publish` does, and then the letter stays.
        """

    def drop(self, identity: str) -> bool:
        """Remove a dead letter for good; False: there is none with this id."""

    def close(self) -> None: ...
