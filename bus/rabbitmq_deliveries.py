"""A consumer's time on one channel of RabbitMQ: each message becomes a delivery, and its fate the broker's word."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from beagle.errors import BeagleError
from beagle.messages import Answer
from bus.port import Delivery
from bus.rabbitmq_acks import Acks
from bus.rabbitmq_link import Link
from bus.rabbitmq_messages import Arrived, Done
from bus.routes import DELIVERY_LIMIT

# What could not be buried goes back to its queue, not at once: the dead letters' queue may be full.
BURY_AGAIN_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Means:
    """What deliveries need besides their channel."""

    link: Link
    bury: Callable[[Arrived, str, Done], None]
    is_asked: Callable[[BasicProperties], bool]
    answer: Callable[[BasicProperties, Answer], None]


class Deliveries:
    """`private`: the queue is this consumer's alone, and ends with it."""

    def __init__(
        self, means: Means, queue: str, channel: Channel, deliver: Callable[[Delivery], None], *, private: bool
    ) -> None:
        self.means, self.queue, self.private = means, queue, private
        self.acks = Acks(means.link, channel)
        # What was published to the dead and not confirmed yet: were it handed out again, it would be buried twice.
        self.burying: set[int] = set()
        self._deliver = deliver

    def arrived(self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        arrived = Arrived(self.queue, method.exchange, method.routing_key, body, properties)
        self.acks.arrived(method.delivery_tag)
        # A sender may write the broker's count, but not its word that there is something to count.
        self._hand_over(arrived, method.delivery_tag, max(1, arrived.returned) if method.redelivered else 0)

    def _hand_over(self, arrived: Arrived, tag: int, redelivered: int) -> None:
        properties = arrived.properties
        delivery = Delivery(
            body=arrived.body,
            exchange=arrived.exchange,
            key=arrived.key,
            queue=arrived.queue,
            redelivered=redelivered,
            asked=self.means.is_asked(properties),
            ack=functools.partial(self._ack, tag),
            requeue=functools.partial(self._requeue, arrived, tag, redelivered),
            bury=functools.partial(self._bury, arrived, tag),
            answer=functools.partial(self.means.answer, properties),
            own=arrived.own,
            message_id=properties.message_id or "",
            type=properties.type or "",
            headers=arrived.headers,
            sent_at=None if properties.timestamp is None else float(properties.timestamp),
        )
        self.means.link.run(lambda: self._deliver(delivery))

    def _ack(self, tag: int) -> None:
        if self.acks.settle(tag):
            self.acks.ack(tag)

    def _requeue(self, arrived: Arrived, tag: int, redelivered: int) -> None:
        if not self.acks.settle(tag):
            return
        if not self.private:
            self.means.link.call(functools.partial(self.acks.reject, tag))
        elif redelivered < DELIVERY_LIMIT:
            # Nobody else may take it, and a classic queue does not count: it comes again from here.
            self.means.link.call(functools.partial(self._again, arrived, tag, redelivered + 1))
        else:
            self._to_the_dead(arrived, tag, f"it came back {redelivered} times")

    def _again(self, arrived: Arrived, tag: int, redelivered: int) -> None:
        self.acks.reopen(tag)
        self._hand_over(arrived, tag, redelivered)

    def _bury(self, arrived: Arrived, tag: int, reason: str) -> None:
        if self.acks.settle(tag):
            self._to_the_dead(arrived, tag, reason)

    def _to_the_dead(self, arrived: Arrived, tag: int, reason: str) -> None:
        def buried(error: BeagleError | None) -> None:
            # Not acknowledged before it is among the dead: so it cannot be lost in between.
            if error is None:
                self.acks.ack(tag)
            else:
                later = functools.partial(self.means.link.later, BURY_AGAIN_AFTER, lambda: self.acks.reject(tag))
                self.means.link.call(later)
            self.burying.discard(tag)

        self.burying.add(tag)
        self.means.bury(arrived, reason, buried)
