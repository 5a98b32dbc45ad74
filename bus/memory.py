"""The bus within one process. It encodes, bounds, redelivers and dead-letters as a broker would, so that nothing works
here that would not work apart."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping

from beagle.errors import Full, Unavailable, Unroutable
from beagle.messages import Answer, AnyMessage, encode, fitting
from bus.memory_dead import MemoryDead
from bus.memory_queues import MemoryConsumer, Queue, Queues, Waiting
from bus.port import DeadLetter, Delivery, Headers
from bus.routes import DELIVERY_LIMIT, EVENTS, LARGEST_BODY, LONGEST_QUEUE, Binding, address

# What an actor may take for one that the whole process waits behind.
HANDLED_WITHIN = 10.0


class _Answer:
    """Waited for by one thread, and given by another."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._text = ""

    def take(self, answer: Answer) -> None:
        self._text = json.dumps(answer)
        self._there.set()

    def wait(self, timeout: float, what: str) -> Answer:
        if not self._there.wait(timeout):
            raise Unavailable(f"{what} was not answered within {timeout:g} s")
        answer: Answer = json.loads(self._text)
        return answer


class MemoryBus:
    """Delivery happens in the thread that publishes or acknowledges; consumers only hand over to their inbox."""

    def __init__(self, bindings: Mapping[str, Binding], *, longest_queue: int = LONGEST_QUEUE) -> None:
        self._lock = threading.RLock()
        self._queues = Queues(dict(bindings))
        self._longest = longest_queue
        self._ordinals = itertools.count()
        self._closed = False
        self._dead = MemoryDead()

    def publish(self, message: AnyMessage) -> None:
        self._publish(message, None)

    def nudge(self, message: AnyMessage) -> None:
        self.publish(message)

    def publish_raw(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> None:
        fitting(body, LARGEST_BODY)
        self._put(Waiting(0, body, exchange, key, own=False, message_id=message_id, type="", headers=headers or {}))

    def entrust(
        self, exchange: str, key: str, body: bytes, *, message_id: str = "", headers: Headers | None = None
    ) -> Answer:
        fitting(body, LARGEST_BODY)
        answer = _Answer()
        self._put(
            Waiting(
                0,
                body,
                exchange,
                key,
                own=False,
                message_id=message_id,
                type="",
                headers=headers or {},
                answer=answer.take,
            )
        )
        return answer.wait(HANDLED_WITHIN, "what was entrusted to the bus")

    def request(self, message: AnyMessage, *, timeout: float) -> Answer:
        answer = _Answer()
        self._publish(message, answer.take)
        return answer.wait(timeout, type(message).__name__)

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> MemoryConsumer:
        with self._lock:
            consumer = MemoryConsumer(self, self._queues.enter(queue), deliver, prefetch)
            consumer.queue.consumers.append(consumer)
        self._pump(consumer.queue)
        return consumer

    def on_reconnect(self, tell: Callable[[], None]) -> None:
        """It is never lost: `tell` is never called."""

    def connected(self) -> bool:
        return not self._closed

    def silence(self) -> float:
        """It has no threads of its own that could stand still."""
        return 0.0

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return self._dead.first(limit)

    def replay(self, identity: str) -> bool:
        message = self._dead.message(identity)
        if message is None:
            return False
        self._put(message)
        return self._dead.drop(identity)

    def drop(self, identity: str) -> bool:
        return self._dead.drop(identity)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for queue in self._queues.all():
                for consumer in list(queue.consumers):
                    self.close_consumer(consumer)

    def is_quiet(self) -> bool:
        """Whether every message was taken and settled."""
        with self._lock:
            return not any(q.waiting or any(c.unacknowledged for c in q.consumers) for q in self._queues.all())

    def close_consumer(self, consumer: MemoryConsumer) -> None:
        with self._lock:
            if consumer.closed:
                return
            consumer.closed = True
            consumer.queue.consumers.remove(consumer)
            if consumer.queue.private:
                self._queues.leave(consumer.queue)
            else:
                for waiting in sorted(consumer.unacknowledged.values(), key=lambda w: -w.ordinal):
                    self._back(consumer.queue, waiting)
            consumer.unacknowledged.clear()
        self._pump(consumer.queue)

    def _publish(self, message: AnyMessage, answer: Callable[[Answer], None] | None) -> None:
        route, key = address(message)
        self._put(
            Waiting(
                0,
                encode(message),
                route.exchange,
                key,
                own=True,
                message_id=message.id,
                type=message.type,
                headers={},
                answer=answer,
            )
        )

    def _put(self, sent: Waiting) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("the bus is closed")
            queues = self._queues.targets(sent.exchange, sent.key)
            if not queues and sent.exchange != EVENTS:
                raise Unroutable(f"no queue takes {sent.key} from {sent.exchange}")
            for queue in queues:
                self._make_room(queue)
            for queue in queues:
                queue.waiting.append(sent.copy(next(self._ordinals)))
        for queue in queues:
            self._pump(queue)

    def _make_room(self, queue: Queue) -> None:
        if len(queue.waiting) < self._longest:
            return
        if not queue.private:
            raise Full(f"{queue.name} holds {len(queue.waiting)} messages and takes no more for now")
        queue.waiting.popleft()

    def _pump(self, queue: Queue) -> None:
        # Handed over under the lock: two publishers must not swap the order of what they hand to one inbox.
        with self._lock:
            while queue.waiting:
                consumer = queue.next_consumer()
                if consumer is None:
                    return
                waiting = queue.waiting.popleft()
                consumer.unacknowledged[waiting.ordinal] = waiting
                consumer.deliver(self._delivery(consumer, waiting))

    def _delivery(self, consumer: MemoryConsumer, waiting: Waiting) -> Delivery:
        return Delivery(
            body=waiting.body,
            exchange=waiting.exchange,
            key=waiting.key,
            queue=consumer.queue.name,
            redelivered=waiting.redelivered,
            asked=waiting.answer is not None,
            ack=lambda: self._ack(consumer, waiting),
            requeue=lambda: self._requeue(consumer, waiting),
            bury=lambda reason: self._bury(consumer, waiting, reason),
            answer=waiting.answer or (lambda _: None),
            own=waiting.own,
            message_id=waiting.message_id,
            type=waiting.type,
            headers=waiting.headers,
        )

    def _ack(self, consumer: MemoryConsumer, waiting: Waiting) -> None:
        self._settle(consumer, waiting)

    def _settle(self, consumer: MemoryConsumer, waiting: Waiting) -> bool:
        # An acknowledgement after the consumer was closed belongs to a delivery that went back: it counts no more.
        with self._lock:
            known = consumer.unacknowledged.pop(waiting.ordinal, None) is not None
        if known:
            self._pump(consumer.queue)
        return known

    def _requeue(self, consumer: MemoryConsumer, waiting: Waiting) -> None:
        with self._lock:
            if consumer.unacknowledged.pop(waiting.ordinal, None) is None:
                return
            self._back(consumer.queue, waiting)
        self._pump(consumer.queue)

    def _back(self, queue: Queue, waiting: Waiting) -> None:
        if waiting.redelivered >= DELIVERY_LIMIT:
            self._dead.bury(queue, waiting, f"it came back {waiting.redelivered} times")
            return
        waiting.redelivered += 1
        queue.waiting.appendleft(waiting)

    def _bury(self, consumer: MemoryConsumer, waiting: Waiting, reason: str) -> None:
        if self._settle(consumer, waiting):
            self._dead.bury(consumer.queue, waiting, reason)
