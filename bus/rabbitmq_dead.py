"""The dead letters of one virtual host, as `beagle dead` lists, replays and drops them.

They are looked at by taking them from their queue and putting them back: on one channel, so that the next look finds
the same again, and nothing is lost when this process ends in between. A few go back in their order; of many that go
back together RabbitMQ keeps none, so what is shown is sorted by when it was buried.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from beagle.errors import Unavailable
from bus.port import DeadLetter
from bus.rabbitmq_consumers import Consumers
from bus.rabbitmq_letters import Letter, letter
from bus.rabbitmq_messages import Arrived
from bus.rabbitmq_topology import DEAD_QUEUE

LOOKED_WITHIN = 60.0


@dataclass(slots=True)
class _Look:
    """One walk through the queue: `found` is what it ended with, by its delivery tag, all else is put back."""

    ends_with: Callable[[Letter], bool]
    limit: int
    keeps: bool = True
    given_up: bool = False
    seen: list[Letter] = field(default_factory=list)
    found: tuple[int, Letter] | None = None
    last: int = 0
    done: threading.Event = field(default_factory=threading.Event)


class DeadLetters:
    """Safe from any thread; one look at a time."""

    def __init__(self, consumers: Consumers, publish: Callable[[Letter], None]) -> None:
        self._hub, self._publish = consumers, publish
        self._lock = threading.Lock()
        self._look: _Look | None = None
        self._channel: Channel | None = None

    def first(self, limit: int) -> list[DeadLetter]:
        with self._lock:
            return [each.shown for each in self._walk(_Look(lambda _: False, limit)).seen]

    def replay(self, identity: str) -> bool:
        """Publish it again, and only when that is confirmed remove it; else it is put back."""
        with self._lock:
            return self._take(identity, self._publish)

    def drop(self, identity: str) -> bool:
        with self._lock:
            return self._take(identity, lambda _: None)

    def _take(self, identity: str, first: Callable[[Letter], None]) -> bool:
        look = self._walk(_Look(lambda each: each.shown.id == identity, limit=2**31, keeps=False))
        if look.found is None:
            return False
        tag, found = look.found
        try:
            first(found)
        except BaseException:
            self._settle(lambda channel: channel.basic_nack(tag, requeue=True))
            raise
        self._settle(lambda channel: channel.basic_ack(tag))
        return True

    def _walk(self, look: _Look) -> _Look:
        self._hub.link.call(lambda: self._begin(look))
        deadline = time.monotonic() + LOOKED_WITHIN
        while not look.done.wait(0.1):
            if not self._hub.link.ready:
                raise Unavailable(self._hub.link.fault.sentence)
            if time.monotonic() > deadline:
                self._hub.link.call(lambda: self._give_up(look))
                look.done.wait(LOOKED_WITHIN)
                raise Unavailable(f"the dead letters were not looked through within {LOOKED_WITHIN:g} s")
        return look

    def _settle(self, settle: Callable[[Channel], None]) -> None:
        channel = self._channel

        def work() -> None:
            if channel is not None and channel.is_open:
                settle(channel)

        self._hub.link.call(work)

    # In the link's thread

    def _begin(self, look: _Look) -> None:
        channel = self._hub.own_channel
        if channel is None:
            return
        if channel is not self._channel:
            self._channel = channel
            channel.add_callback(lambda _: self._end(), [Basic.GetEmpty], one_shot=False)
        self._look = look
        self._next(channel, look)

    def _next(self, channel: Channel, look: _Look) -> None:
        if len(look.seen) < look.limit and not look.given_up:
            channel.basic_get(DEAD_QUEUE, self._got)
        else:
            self._end()

    def _got(self, channel: Channel, method: Basic.GetOk, properties: BasicProperties, body: bytes) -> None:
        look = self._look
        if look is None:
            return
        found = letter(Arrived(DEAD_QUEUE, method.exchange, method.routing_key, body, properties))
        if look.ends_with(found):
            look.found = method.delivery_tag, found
            self._end()
        else:
            if look.keeps:
                look.seen.append(found)
            look.last = method.delivery_tag
            self._next(channel, look)

    def _give_up(self, look: _Look) -> None:
        look.given_up = True  # what is being taken is waited for, and put back with the others

    def _end(self) -> None:
        look, self._look = self._look, None
        if look is None:
            return
        if look.last and self._channel is not None:
            self._channel.basic_nack(look.last, multiple=True, requeue=True)
        look.done.set()
