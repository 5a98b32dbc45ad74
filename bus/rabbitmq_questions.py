"""Questions over RabbitMQ that wait for their answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from beagle.errors import Unavailable
from beagle.messages import Answer, new_id
from bus.rabbitmq_messages import Publication

# The broker's own way to answer: no queue, and gone with whoever asked.
REPLY_TO = "amq.rabbitmq.reply-to"


class _Question:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.answer: Answer | None = None


class Questions:
    """Safe from any thread. An answer that nobody waits for any more is dropped."""

    def __init__(self) -> None:
        self._open: dict[str, _Question] = {}

    def ask(
        self, publication: Publication, publish: Callable[[Publication], None], what: str, timeout: float
    ) -> Answer:
        """Publish and wait for the answer. Raises `Unavailable` when none comes in time."""
        identity, question = new_id(), _Question()
        self._open[identity] = question
        publication.properties.reply_to, publication.properties.correlation_id = REPLY_TO, identity
        try:
            publish(publication)
            if not question.answered.wait(timeout):
                raise Unavailable(f"{what} was not answered within {timeout:g} s")
        finally:
            self._open.pop(identity, None)
        if question.answer is None:
            raise Unavailable(f"the broker was lost before {what} was answered")
        return question.answer

    def answered(self, _: Channel, __: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        question = self._open.get(properties.correlation_id or "")
        if question is not None:
            question.answer = json.loads(body)
            question.answered.set()

    def lost(self) -> None:
        """With the connection the way back is gone: no answer will come."""
        for question in list(self._open.values()):
            question.answered.set()
