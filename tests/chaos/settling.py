"""A bus that counts how often each message was settled, by the id that its sender gave it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from beagle.messages import Answer
from bus.memory import MemoryBus
from bus.memory_queues import Waiting
from bus.port import Delivery, Headers


class SettlingBus(MemoryBus):
    """`acked`, `buried` and `answered` count what was published by `send`, for each queue that it went to."""

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)
        self.acked: Counter[tuple[str, str]] = Counter()
        self.buried: Counter[tuple[str, str]] = Counter()
        self.answered: Counter[str] = Counter()
        self._counting = threading.Lock()

    def send(self, exchange: str, key: str, body: bytes, identity: str, headers: Headers, *, own: bool, asks: bool):
        """As anyone may who has the password of the broker."""

        def answer(told: Answer) -> None:
            assert told["error"]["kind"] == "invalid", told
            self._count(self.answered, identity)

        kind = "MetricsReported" if own else ""
        sent = Waiting(0, body, exchange, key, own=own, message_id=identity, type=kind, headers=headers)
        sent.answer = answer if asks else None
        self._put(sent)

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int):
        def counted(delivery: Delivery) -> None:
            what = (delivery.queue.partition("#")[0], delivery.message_id)

            def ack() -> None:
                self._count(self.acked, what)
                delivery.ack()

            def bury(reason: str) -> None:
                assert reason
                self._count(self.buried, what)
                delivery.bury(reason)

            deliver(replace(delivery, ack=ack, bury=bury))

        return super().consume(queue, counted, prefetch=prefetch)

    def _count(self, counter: Counter, what: object) -> None:
        with self._counting:
            counter[what] += 1
