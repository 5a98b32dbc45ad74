"""Consumes over one connection, with a channel for each consumer: closing that gives back what it held, in order.

What was delivered is settled from any thread, once. After the connection was lost it counts no more: the broker hands
the same out again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from pika.channel import Channel
from pika.connection import Parameters
from pika.spec import BasicProperties

from beagle.messages import Answer
from bus import rabbitmq_topology as topology
from bus.port import Delivery
from bus.rabbitmq_deliveries import Deliveries, Means
from bus.rabbitmq_link import Link
from bus.rabbitmq_messages import Arrived, Done
from bus.rabbitmq_publisher import Declare
from bus.routes import Binding

OPEN_WITHIN = 10.0
# What is being buried is waited for at a close: so often, and so many seconds each time.
LOOKS, BETWEEN_LOOKS = 50, 0.02


class RabbitConsumer:
    """One consumer of one queue, over however many connections."""

    def __init__(self, hub: Consumers, queue: str, deliver: Callable[[Delivery], None], prefetch: int) -> None:
        self.hub, self.queue, self.deliver, self.prefetch = hub, queue, deliver, prefetch
        self.opened = threading.Event()
        self.closed = False

    def close(self) -> None:
        self.hub.close_consumer(self)

    def hand_over(self, delivery: Delivery) -> None:
        if not self.closed:
            self.deliver(delivery)


class Consumers:
    """All consumers over one connection; safe from any thread."""

    def __init__(
        self,
        parameters: Parameters,
        name: str,
        declare: Declare,
        bindings: Mapping[str, Binding],
        longest: int,
        *,
        bury: Callable[[Arrived, str, Done], None],
        answer: Callable[[BasicProperties, Answer], None],
    ) -> None:
        self.link = Link(parameters, name, self)
        self._means = Means(self.link, bury, self.is_asked, answer)
        self._declare, self._bindings, self._longest = declare, bindings, longest
        self._queues = {*bindings, topology.DEAD_QUEUE}
        self._consumers: dict[RabbitConsumer, Deliveries | None] = {}
        self._opening: set[RabbitConsumer] = set()
        self._ready: Callable[[], None] | None = None
        self.own_channel: Channel | None = None

    def consume(self, queue: str, deliver: Callable[[Delivery], None], prefetch: int) -> RabbitConsumer:
        consumer = RabbitConsumer(self, queue, deliver, prefetch)
        self.link.call(lambda: self._add(consumer))
        if not self.link.is_own_thread():
            deadline = time.monotonic() + OPEN_WITHIN
            while self.link.ready and time.monotonic() < deadline and not consumer.opened.wait(0.05):
                pass
        return consumer

    def close_consumer(self, consumer: RabbitConsumer) -> None:
        if consumer.closed:
            return
        consumer.closed = True
        closed = threading.Event()
        self.link.call(lambda: self._remove(consumer, closed))
        self.link.wait(closed, OPEN_WITHIN)

    def is_asked(self, properties: BasicProperties) -> bool:
        """Whether somebody waits for an answer; a name of our own queues would be no asker but a trick."""
        return bool(properties.reply_to) and properties.reply_to not in self._queues

    # In the link's thread

    def open(self, ready: Callable[[], None]) -> None:
        def declared(channel: Channel) -> None:
            self.own_channel = channel
            # Ready once all listen again: whoever is told of it then, and reads the store, misses nothing.
            self._opening, self._ready = set(self._consumers), ready
            for consumer in list(self._consumers):
                self._open(consumer)
            self._is_open(None)

        self.link.channel(lambda channel: self._declare(channel, lambda: declared(channel)))

    def lost(self) -> None:
        self.own_channel, self._ready = None, None
        for consumer, session in self._consumers.items():
            consumer.opened.clear()
            if session is not None:
                session.acks.end()
                self._consumers[consumer] = None

    def _add(self, consumer: RabbitConsumer) -> None:
        self._consumers[consumer] = None
        if self.own_channel is not None:
            self._open(consumer)

    def _is_open(self, consumer: RabbitConsumer | None) -> None:
        if consumer is not None:
            consumer.opened.set()
            self._opening.discard(consumer)
        if not self._opening and self._ready is not None:
            ready, self._ready = self._ready, None
            ready()

    def _open(self, consumer: RabbitConsumer) -> None:
        binding = self._bindings[consumer.queue]

        def opened(channel: Channel) -> None:
            if consumer.closed:
                channel.close()
                return
            session = Deliveries(self._means, consumer.queue, channel, consumer.hand_over, private=binding.each)
            self._consumers[consumer] = session
            channel.basic_qos(prefetch_count=consumer.prefetch, callback=lambda _: limited(channel, session))

        def limited(channel: Channel, session: Deliveries) -> None:
            if not channel.is_open:
                return
            if binding.each:
                topology.open_private(channel, binding, self._longest, lambda name: begin(channel, session, name))
            else:
                begin(channel, session, consumer.queue)

        def begin(channel: Channel, session: Deliveries, queue: str) -> None:
            if channel.is_open:
                channel.basic_consume(queue, session.arrived, callback=lambda _: self._is_open(consumer))

        self.link.channel(opened)

    def _remove(self, consumer: RabbitConsumer, closed: threading.Event, looks: int = LOOKS) -> None:
        session = self._consumers.get(consumer)
        if session is not None and session.burying and looks:
            self.link.later(BETWEEN_LOOKS, lambda: self._remove(consumer, closed, looks - 1))
            return
        self._consumers.pop(consumer, None)
        self._is_open(consumer)
        if session is None or not session.acks.channel.is_open:
            closed.set()
            return
        session.acks.tell()
        session.acks.end()
        session.acks.channel.add_on_close_callback(lambda *_: closed.set())
        session.acks.channel.close()
