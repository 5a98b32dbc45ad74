"""The dead letters of the bus within one process. They are gone when it ends: what matters is in the store."""

from __future__ import annotations

import itertools
import logging
import threading
import time

from bus.memory_queues import Queue, Waiting
from bus.port import DeadLetter
from bus.routes import DEAD, LONGEST_QUEUE

log = logging.getLogger(__name__)


class MemoryDead:
    """Safe from any thread. When it is full, the oldest goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._letters: dict[str, tuple[DeadLetter, Waiting]] = {}

    def bury(self, queue: Queue, waiting: Waiting, reason: str) -> None:
        # Whoever asked has gone, or was told: a replay is for its effect.
        waiting.answer = None
        letter = DeadLetter(
            id=str(waiting.ordinal),
            queue=queue.name,
            exchange=waiting.exchange,
            key=waiting.key,
            body=waiting.body,
            reason=reason,
            at=time.time(),
        )
        with self._lock:
            self._letters[letter.id] = letter, waiting
            if len(self._letters) > LONGEST_QUEUE:
                del self._letters[next(iter(self._letters))]
        log.warning("%s: %s from %s: %s", DEAD, letter.key, letter.queue, reason)

    def first(self, limit: int) -> list[DeadLetter]:
        with self._lock:
            return [letter for letter, _ in itertools.islice(self._letters.values(), limit)]

    def message(self, identity: str) -> Waiting | None:
        with self._lock:
            found = self._letters.get(identity)
        return found[1] if found else None

    def drop(self, identity: str) -> bool:
        with self._lock:
            return self._letters.pop(identity, None) is not None
