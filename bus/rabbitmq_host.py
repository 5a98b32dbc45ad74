"""One virtual host of RabbitMQ: its connection that publishes, its connection that consumes, and its dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pika.channel import Channel
from pika.connection import Parameters
from pika.spec import BasicProperties

from beagle.answers import failure
from beagle.errors import BeagleError, InvalidInput, Refused, Unroutable
from beagle.messages import Answer, AnyMessage, fitting
from bus import rabbitmq_topology as topology
from bus.rabbitmq_address import user
from bus.rabbitmq_consumers import Consumers
from bus.rabbitmq_dead import DeadLetters
from bus.rabbitmq_letters import Letter, buried
from bus.rabbitmq_messages import Arrived, Publication, outgoing, properties
from bus.rabbitmq_publisher import Publisher
from bus.routes import DEAD, LARGEST_BODY, Binding

# How long a start waits for the broker; after that it goes on, and comes to it when it is there.
CONNECT_FOR = 10.0
_TOO_MUCH = f"the answer has {{}} bytes, and at most {LARGEST_BODY} fit into one: ask for a smaller page"


class Host:
    """One virtual host: its two connections and what goes over them."""

    def __init__(self, parameters: Parameters, name: str, bindings: Mapping[str, Binding], longest: int) -> None:
        def declare(channel: Channel, then: Callable[[], None]) -> None:
            topology.declare(channel, bindings, longest, then)

        self._user = user(parameters)
        self._exchanges = {DEAD, *(binding.exchange for binding in bindings.values())}
        self.publisher = Publisher(parameters, f"{name}publishing", declare)
        self.consumers = Consumers(
            parameters, f"{name}consuming", declare, bindings, longest, bury=self._bury, answer=self._answer
        )
        self.dead = DeadLetters(self.consumers, self._replay)

    def start(self) -> None:
        self.publisher.link.start()
        self.consumers.link.start()

    def settle(self) -> None:
        for link in (self.publisher.link, self.consumers.link):
            link.settle(CONNECT_FOR)
            if link.fault.misconfigured and not link.ready:
                raise InvalidInput([link.fault.sentence])

    def close(self) -> None:
        # What consumers settled last may still be on its way to the dead letters.
        self.consumers.link.close()
        self.publisher.link.close()

    def own(self, message: AnyMessage) -> BasicProperties:
        return properties(message_id=message.id, kind=message.type, user=self._user)

    def publish(self, exchange: str, key: str, body: bytes, known: BasicProperties) -> None:
        if exchange not in self._exchanges:  # the broker would close the channel for all
            raise Unroutable(f"there is no exchange {exchange}")
        self.publisher.publish(outgoing(exchange, key, fitting(body, LARGEST_BODY), known))

    def _replay(self, letter: Letter) -> None:
        user = self._user if letter.own else None
        known = properties(message_id=letter.message_id, kind=letter.type, user=user, headers=letter.headers)
        self.publish(letter.shown.exchange, letter.shown.key, letter.shown.body, known)

    def _bury(self, arrived: Arrived, reason: str, done: Callable[[BeagleError | None], None]) -> None:
        known = buried(arrived, reason, self._user)
        self.publisher.send(Publication(DEAD, arrived.queue, arrived.body, known, done, mandatory=True))

    def _answer(self, asked: BasicProperties, answer: Answer) -> None:
        if self.consumers.is_asked(asked):
            known = properties(kind="Answer", user=self._user)
            known.correlation_id = asked.correlation_id
            body = json.dumps(answer).encode()
            if len(body) > LARGEST_BODY:
                body = json.dumps(failure(Refused(_TOO_MUCH.format(len(body))))).encode()
            self.publisher.send(Publication("", asked.reply_to or "", body, known, lambda _: None))
