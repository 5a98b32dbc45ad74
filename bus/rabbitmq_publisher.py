"""Publishes over one connection and waits for the broker's confirms: however many threads publish at once, their
messages go out together, and each thread goes on when its own is confirmed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

from pika.channel import Channel
from pika.connection import Parameters
from pika.exceptions import AMQPError
from pika.frame import Method
from pika.spec import Basic, BasicProperties

from beagle.errors import BeagleError, Full, Unavailable, Unroutable
from bus.rabbitmq_link import Link
from bus.rabbitmq_messages import Publication
from bus.rabbitmq_questions import REPLY_TO, Questions

CONFIRMED_WITHIN = 10.0

Declare = Callable[[Channel, Callable[[], None]], None]


class Publisher:
    """Safe from any thread, except that only `send` may be called in the link's own."""

    def __init__(self, parameters: Parameters, name: str, declare: Declare) -> None:
        self.link = Link(parameters, name, self)
        self._declare = declare
        self._channel: Channel | None = None
        self._number = 0
        self._unconfirmed: dict[int, Publication] = {}
        self._blocked = False
        self.questions = Questions()

    def send(self, publication: Publication) -> None:
        """Publish soon, in the order of the calls."""
        self.link.call(functools.partial(self._send, publication))

    def publish(self, publication: Publication) -> None:
        """Publish, and return once it is confirmed; its own `done` is not used. Raises as `Bus.publish` does."""
        confirmed = threading.Event()
        errors: list[BeagleError | None] = []

        def done(error: BeagleError | None) -> None:
            errors.append(error)
            confirmed.set()

        publication.done = done
        if not self.link.ready:
            raise Unavailable(self.link.fault.sentence)
        self.send(publication)
        if not confirmed.wait(CONFIRMED_WITHIN):
            raise Unavailable(f"{publication.key} was not confirmed within {CONFIRMED_WITHIN:g} s")
        if errors[0] is not None:
            raise errors[0]

    def takes(self) -> bool:
        """Whether the broker is there and takes messages, as far as is known."""
        return self.link.ready and not self._blocked

    # In the link's thread

    def open(self, ready: Callable[[], None]) -> None:
        def opened(channel: Channel) -> None:
            self._declare(channel, lambda: self._declared(channel, ready))

        self.link.on_blocked(self._block, self._unblock)
        self.link.channel(opened)

    def _declared(self, channel: Channel, ready: Callable[[], None]) -> None:
        def consuming(_: object) -> None:
            self._channel, self._number, self._blocked = channel, 0, False
            ready()

        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed)
        channel.basic_consume(REPLY_TO, self.questions.answered, auto_ack=True, callback=consuming)

    def lost(self) -> None:
        self._channel, self._blocked = None, False
        self._fail_all(f"{self.link.fault.sentence}; what was under way may or may not have been taken")
        self.questions.lost()

    def _fail_all(self, sentence: str) -> None:
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for publication in unconfirmed.values():
            publication.done(Unavailable(sentence))

    def _block(self) -> None:
        self._blocked = True
        self._fail_all("the broker takes no messages for now: it is low on disk or memory")

    def _unblock(self) -> None:
        self._blocked = False

    def _send(self, publication: Publication) -> None:
        if self._channel is None:
            publication.done(Unavailable(self.link.fault.sentence))
        elif self._blocked:
            publication.done(Unavailable("the broker takes no messages for now: it is low on disk or memory"))
        else:
            try:
                self._channel.basic_publish(
                    publication.exchange,
                    publication.key,
                    publication.body,
                    publication.properties,
                    mandatory=publication.mandatory,
                )
            except AMQPError as error:  # the connection is closing: nothing was sent
                publication.done(Unavailable(f"{publication.key} was not sent: {type(error).__name__}"))
                return
            self._number += 1
            self._unconfirmed[self._number] = publication

    def _returned(self, _: Channel, method: Basic.Return, __: BasicProperties, body: bytes) -> None:
        # A return has no number, but comes before its confirm. What is alike has the same fate.
        for publication in self._unconfirmed.values():
            if not publication.returned and publication.is_like(method.exchange, method.routing_key, body):
                publication.returned = True
                return

    def _confirmed(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        method = frame.method
        taken = isinstance(method, Basic.Ack)
        if not method.multiple:
            self._done(method.delivery_tag, taken=taken)
            return
        # Numbers rise: what is confirmed with it stands before it.
        for number in [n for n in self._unconfirmed if n <= method.delivery_tag]:
            self._done(number, taken=taken)

    def _done(self, number: int, *, taken: bool) -> None:
        publication = self._unconfirmed.pop(number, None)
        if publication is None:
            return
        if publication.returned:
            publication.done(Unroutable(f"no queue takes {publication.key} from {publication.exchange}"))
        elif taken:
            publication.done(None)
        else:
            publication.done(Full(f"a queue for {publication.key} is full and takes no more for now"))
