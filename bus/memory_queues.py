"""What the bus within one process is made of: queues, those who take from them, and what waits there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from beagle.messages import Answer
from bus.port import Delivery, Headers
from bus.routes import Binding, fits


@dataclass(slots=True)
class Waiting:
    """One message on its way to one queue."""

    ordinal: int
    body: bytes
    exchange: str
    key: str
    own: bool
    message_id: str
    type: str
    headers: Headers
    answer: Callable[[Answer], None] | None = None
    redelivered: int = 0

    def copy(self, ordinal: int) -> Waiting:
        """The same for one queue, not yet delivered."""
        return Waiting(
            ordinal,
            self.body,
            self.exchange,
            self.key,
            own=self.own,
            message_id=self.message_id,
            type=self.type,
            headers=self.headers,
            answer=self.answer,
        )


class Closing(Protocol):
    """The bus, as its consumers see it."""

    def close_consumer(self, consumer: MemoryConsumer) -> None: ...


class MemoryConsumer:
    def __init__(self, bus: Closing, queue: Queue, deliver: Callable[[Delivery], None], prefetch: int) -> None:
        self.bus, self.queue, self.deliver, self.prefetch = bus, queue, deliver, prefetch
        self.unacknowledged: dict[int, Waiting] = {}
        self.closed = False

    def close(self) -> None:
        self.bus.close_consumer(self)


@dataclass(slots=True)
class Queue:
    """`private` to its one consumer: it takes always, and forgets its oldest."""

    name: str
    single: bool = False
    private: bool = False
    waiting: deque[Waiting] = field(default_factory=deque)
    consumers: list[MemoryConsumer] = field(default_factory=list)
    turn: int = 0

    def next_consumer(self) -> MemoryConsumer | None:
        """Who takes the next message: each in its turn, or of a single one's queue the one that came first."""
        for _ in range(1 if self.single else len(self.consumers)):
            self.turn = 0 if self.single else (self.turn + 1) % len(self.consumers)
            if self.turn < len(self.consumers):
                consumer = self.consumers[self.turn]
                if len(consumer.unacknowledged) < consumer.prefetch:
                    return consumer
        return None


_MOST_KNOWN = 10_000


class Queues:
    """All queues, by name and by what they are bound for. Changes under the bus's lock only."""

    def __init__(self, bindings: dict[str, Binding]) -> None:
        self._bindings = bindings
        self._shared = {name: Queue(name, single=b.single) for name, b in bindings.items() if not b.each}
        self._private: dict[str, list[Queue]] = {name: [] for name, b in bindings.items() if b.each}
        self._known: dict[tuple[str, str], tuple[Queue, ...]] = {}
        # Exchanges whose queues take any last word: there that is an id, and a new one with each experiment.
        self._ending_in_ids = {
            exchange
            for exchange in {binding.exchange for binding in bindings.values()}
            if all(f".{p}".endswith(".*") for b in bindings.values() if b.exchange == exchange for p in b.patterns)
        }

    def of(self, name: str) -> list[Queue]:
        """Those of this name: one, or one for each consumer."""
        return [self._shared[name]] if name in self._shared else list(self._private[name])

    def all(self) -> list[Queue]:
        return [queue for name in self._bindings for queue in self.of(name)]

    def enter(self, name: str) -> Queue:
        """The queue for one more consumer."""
        if name in self._shared:
            return self._shared[name]
        queue = Queue(name, private=True)
        self._private[name].append(queue)
        self._known.clear()
        return queue

    def leave(self, queue: Queue) -> None:
        """The consumer of a private queue has gone, and the queue with it."""
        self._private[queue.name].remove(queue)
        self._known.clear()

    def targets(self, exchange: str, key: str) -> tuple[Queue, ...]:
        known_by = (exchange, key[: key.rfind(".") + 1] if exchange in self._ending_in_ids else key)
        found = self._known.get(known_by)
        if found is None:
            found = self._bound(exchange, key)
            if len(self._known) < _MOST_KNOWN:
                self._known[known_by] = found
        return found

    def _bound(self, exchange: str, key: str) -> tuple[Queue, ...]:
        return tuple(
            queue
            for name, binding in self._bindings.items()
            if binding.exchange == exchange and any(fits(pattern, key) for pattern in binding.patterns)
            for queue in self.of(name)
        )
