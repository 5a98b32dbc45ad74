"""The bus within one process. It encodes, bounds, redelivers and dead-letters as a broker would, so that nothing works
here that would not work apart."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from beagle.errors import Full, Unavailable, Unroutable
from beagle.messages import Answer, AnyMessage, encode
from bus.port import Delivery
from bus.routes import DEAD, Binding, address, fits

log = logging.getLogger(__name__)

# A message that comes back this often kills its handler each time. As on RabbitMQ the limit is high, because a
# consumer that dies sends back messages that did no harm.
DELIVERY_LIMIT = 100
LONGEST_QUEUE = 100_000
_MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Waiting:
    ordinal: int
    body: bytes
    exchange: str
    key: str
    answer: Callable[[Answer], None] | None
    redelivered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What could not be handled, and why."""

    queue: str
    key: str
    body: bytes
    reason: str


@dataclass(slots=True)
class _Queue:
    name: str
    waiting: deque[_Waiting] = field(default_factory=deque)
    consumers: list[_Consumer] = field(default_factory=list)
    turn: int = 0


class _Consumer:
    def __init__(self, bus: MemoryBus, queue: _Queue, deliver: Callable[[Delivery], None], prefetch: int) -> None:
        self.bus, self.queue, self.deliver, self.prefetch = bus, queue, deliver, prefetch
        self.unacknowledged: dict[int, _Waiting] = {}
        self.closed = False

    def close(self) -> None:
        self.bus.close_consumer(self)


class MemoryBus:
    """Delivery happens in the thread that publishes or acknowledges; consumers only hand over to their inbox."""

    def __init__(self, bindings: Mapping[str, Binding], *, longest_queue: int = LONGEST_QUEUE) -> None:
        self._lock = threading.RLock()
        self._queues = {name: _Queue(name) for name in bindings}
        self._bindings = dict(bindings)
        self._longest = longest_queue
        self._ordinals = itertools.count()
        self._closed = False
        self._known: dict[tuple[str, str], tuple[_Queue, ...]] = {}
        # Exchanges whose queues take any last word: there that is an id, and a new one with each experiment.
        self._ending_in_ids = {
            exchange
            for exchange in {binding.exchange for binding in bindings.values()}
            if all(p.endswith(".*") for b in bindings.values() if b.exchange == exchange for p in b.patterns)
        }
        self.dead: deque[DeadLetter] = deque(maxlen=LONGEST_QUEUE)

    def publish(self, message: AnyMessage) -> None:
        self._publish(message, None)

    def request(self, message: AnyMessage, *, timeout: float) -> Answer:
        answered = threading.Event()
        answers: list[str] = []

        def take(answer: Answer) -> None:
            answers.append(json.dumps(answer))
            answered.set()

        self._publish(message, take)
        if not answered.wait(timeout):
            raise Unavailable(f"{type(message).__name__} was not answered within {timeout:g} s")
        answered_with: Answer = json.loads(answers[0])
        return answered_with

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> _Consumer:
        with self._lock:
            consumer = _Consumer(self, self._queues[queue], deliver, prefetch)
            consumer.queue.consumers.append(consumer)
        self._pump(consumer.queue)
        return consumer

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for queue in self._queues.values():
                for consumer in list(queue.consumers):
                    self.close_consumer(consumer)

    def close_consumer(self, consumer: _Consumer) -> None:
        with self._lock:
            if consumer.closed:
                return
            consumer.closed = True
            consumer.queue.consumers.remove(consumer)
            for waiting in sorted(consumer.unacknowledged.values(), key=lambda w: -w.ordinal):
                self._back(consumer.queue, waiting)
            consumer.unacknowledged.clear()
        self._pump(consumer.queue)

    def _publish(self, message: AnyMessage, answer: Callable[[Answer], None] | None) -> None:
        route, key = address(message)
        queues = self._targets(route.exchange, key)
        if not queues:
            if route.mandatory:
                raise Unroutable(f"no queue takes {key} from {route.exchange}")
            return
        body = encode(message)
        with self._lock:
            if self._closed:
                raise Unavailable("the bus is closed")
            for queue in queues:
                if len(queue.waiting) >= self._longest:
                    raise Full(f"{queue.name} holds {len(queue.waiting)} messages and takes no more for now")
            for queue in queues:
                queue.waiting.append(_Waiting(next(self._ordinals), body, route.exchange, key, answer))
        for queue in queues:
            self._pump(queue)

    def _targets(self, exchange: str, key: str) -> tuple[_Queue, ...]:
        known_by = (exchange, key.rpartition(".")[0] if exchange in self._ending_in_ids else key)
        found = self._known.get(known_by)
        if found is None:
            found = self._bound(exchange, key)
            if len(self._known) < _MOST_KNOWN:
                self._known[known_by] = found
        return found

    def _bound(self, exchange: str, key: str) -> tuple[_Queue, ...]:
        return tuple(
            self._queues[name]
            for name, binding in self._bindings.items()
            if binding.exchange == exchange and any(fits(pattern, key) for pattern in binding.patterns)
        )

    def _pump(self, queue: _Queue) -> None:
        # Handed over under the lock: two publishers must not swap the order of what they hand to one inbox.
        with self._lock:
            while queue.waiting:
                consumer = self._next_consumer(queue)
                if consumer is None:
                    return
                waiting = queue.waiting.popleft()
                consumer.unacknowledged[waiting.ordinal] = waiting
                consumer.deliver(self._delivery(consumer, waiting))

    @staticmethod
    def _next_consumer(queue: _Queue) -> _Consumer | None:
        for _ in range(len(queue.consumers)):
            queue.turn = (queue.turn + 1) % len(queue.consumers)
            consumer = queue.consumers[queue.turn]
            if len(consumer.unacknowledged) < consumer.prefetch:
                return consumer
        return None

    def _delivery(self, consumer: _Consumer, waiting: _Waiting) -> Delivery:
        return Delivery(
            body=waiting.body,
            exchange=waiting.exchange,
            key=waiting.key,
            redelivered=waiting.redelivered,
            asked=waiting.answer is not None,
            ack=lambda: self._ack(consumer, waiting),
            requeue=lambda: self._requeue(consumer, waiting),
            bury=lambda reason: self._bury(consumer, waiting, reason),
            answer=waiting.answer or (lambda _: None),
        )

    def _ack(self, consumer: _Consumer, waiting: _Waiting) -> None:
        self._settle(consumer, waiting)

    def _settle(self, consumer: _Consumer, waiting: _Waiting) -> bool:
        # An acknowledgement after the consumer was closed belongs to a delivery that went back: it counts no more.
        with self._lock:
            known = consumer.unacknowledged.pop(waiting.ordinal, None) is not None
        if known:
            self._pump(consumer.queue)
        return known

    def _requeue(self, consumer: _Consumer, waiting: _Waiting) -> None:
        with self._lock:
            if consumer.unacknowledged.pop(waiting.ordinal, None) is None:
                return
            self._back(consumer.queue, waiting)
        self._pump(consumer.queue)

    def _back(self, queue: _Queue, waiting: _Waiting) -> None:
        if waiting.redelivered >= DELIVERY_LIMIT:
            self._dead_letter(queue, waiting, f"it came back {waiting.redelivered} times")
            return
        waiting.redelivered += 1
        queue.waiting.appendleft(waiting)

    def _bury(self, consumer: _Consumer, waiting: _Waiting, reason: str) -> None:
        if self._settle(consumer, waiting):
            self._dead_letter(consumer.queue, waiting, reason)

    def _dead_letter(self, queue: _Queue, waiting: _Waiting, reason: str) -> None:
        letter = DeadLetter(queue=queue.name, key=waiting.key, body=waiting.body, reason=reason)
        self.dead.append(letter)
        log.warning("%s: %s from %s: %s", DEAD, letter.key, letter.queue, reason)
