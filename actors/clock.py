"""Time arrives as a message: Pykka has no timers."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import Any

import pykka


class Clock:
    """One thread that tells actors what they asked for when its moment has come, by monotonic time."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, pykka.ActorRef[Any], object]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def tell(self, ref: pykka.ActorRef[Any], message: object, *, after: float) -> None:
        """Tell `ref` in `after` seconds; an actor that is gone by then is passed over."""
        with self._changed:
            first = self._due[0][0] if self._due else None
            moment = time.monotonic() + max(0.0, after)
            heapq.heappush(self._due, (moment, next(self._order), ref, message))
            if first is None or moment < first:
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                _, _, ref, message = heapq.heappop(self._due)
            try:
                ref.tell(message)
            except pykka.ActorDeadError:
                continue
