"""The bus over RabbitMQ, for actors that run apart. Errors of pika end here: what is raised is ours.

For each virtual host one connection publishes and one consumes, because a broker that is low on disk stops reading what
it is sent over a connection, acknowledgements too. Tried on RabbitMQ 3.10 and 4.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

from beagle.errors import BeagleError
from beagle.messages import Answer, AnyMessage, encode
from bus.port import DeadLetter, Delivery, Headers
from bus.rabbitmq_address import parameters, place, user
from bus.rabbitmq_consumers import RabbitConsumer
from bus.rabbitmq_host import Host
from bus.rabbitmq_messages import outgoing, properties
from bus.routes import LONGEST_QUEUE, METRICS, Binding, address

log = logging.getLogger(__name__)


class RabbitBus:
    """`metrics_url`: where the exchange of the metrics is, if not with the others. Raises `InvalidInput` for an address
    that is none, and for a broker whose queues are another deployment's."""

    def __init__(
        self,
        url: str,
        *,
        bindings: Mapping[str, Binding],
        metrics_url: str | None = None,
        longest_queue: int = LONGEST_QUEUE,
    ) -> None:
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # the links tell each change of state in one line
        self._bindings = bindings
        main, metrics = parameters(url), parameters(metrics_url or url)
        if metrics_url is None or (place(main), user(main)) == (place(metrics), user(metrics)):
            self._hosts = {"": Host(main, "", bindings, longest_queue)}
        else:
            ours = {name: b for name, b in bindings.items() if b.exchange != METRICS}
            theirs = {name: b for name, b in bindings.items() if b.exchange == METRICS}
            self._hosts = {
                "": Host(main, "", ours, longest_queue),
                METRICS: Host(metrics, "metrics ", theirs, longest_queue),
            }
        for host in self._hosts.values():
            host.start()
        try:
            for host in self._hosts.values():
                host.settle()
        except BaseException:
            self.close()
            raise

    def publish(self, message: AnyMessage) -> None:
        route, key = address(message)
        host = self._host(route.exchange)
        host.publish(route.exchange, key, encode(message), host.own(message))

    def nudge(self, message: AnyMessage) -> None:
        route, key = address(message)
        host = self._host(route.exchange)
        publication = outgoing(route.exchange, key, encode(message), host.own(message))
        publication.done = partial(_told, type(message).__name__)
        host.publisher.send(publication)

    def publish_raw(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> None:
        self._host(exchange).publish(exchange, key, body, properties(message_id=message_id, headers=headers))

    def entrust(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> Answer:
        """Confirmed, it is on the broker's disk."""
        self.publish_raw(exchange, key, body, message_id=message_id, headers=headers)
        return {}

    def request(self, message: AnyMessage, *, timeout: float) -> Answer:
        route, key = address(message)
        host = self._host(route.exchange)
        publication = outgoing(route.exchange, key, encode(message), host.own(message))
        return host.publisher.questions.ask(publication, host.publisher.publish, type(message).__name__, timeout)

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> RabbitConsumer:
        return self._host(self._bindings[queue].exchange).consumers.consume(queue, deliver, prefetch)

    def on_reconnect(self, tell: Callable[[], None]) -> None:
        """`tell` runs in a thread of the bus: it hands over, and publishes nothing itself."""
        for host in self._hosts.values():
            host.publisher.link.reconnected.append(tell)
            host.consumers.link.reconnected.append(tell)

    def connected(self) -> bool:
        return all(host.publisher.takes() and host.consumers.link.ready for host in self._hosts.values())

    def silence(self) -> float:
        return max(max(h.publisher.link.silence(), h.consumers.link.silence()) for h in self._hosts.values())

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        found = [letter for host in self._hosts.values() for letter in host.dead.first(limit)]
        return sorted(found, key=lambda letter: letter.at)[:limit]

    def replay(self, identity: str) -> bool:
        return any(host.dead.replay(identity) for host in self._hosts.values())

    def drop(self, identity: str) -> bool:
        return any(host.dead.drop(identity) for host in self._hosts.values())

    def close(self) -> None:
        for host in self._hosts.values():
            host.close()

    def _host(self, exchange: str) -> Host:
        return self._hosts.get(exchange) or self._hosts[""]


def _told(what: str, error: BeagleError | None) -> None:
    if error is not None:
        log.info("%s was not sent: %s", what, error)
