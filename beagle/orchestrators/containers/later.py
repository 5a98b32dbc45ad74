"""Jobs in threads of their own, some after a while: nothing that waits for an engine holds up who asked for it."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable
from itertools import count
from threading import Condition, Thread

from beagle.errors import BeagleError

log = logging.getLogger(__name__)
Job = Callable[[], None]
RETRY = 0.5


class Later:
    """A job that raises one of our errors is tried again: an engine that is away comes back."""

    def __init__(self, threads: int, name: str) -> None:
        self._due: list[tuple[float, int, Job]] = []
        self._numbers = count()
        self._news = Condition()
        self._closed = False
        for _ in range(threads):
            Thread(target=self._work, name=name, daemon=True).start()

    def do(self, job: Job, *, after: float = 0.0) -> None:
        with self._news:
            heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), job))
            self._news.notify()

    def close(self) -> None:
        """What has not begun is not done."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _next(self) -> Job | None:
        with self._news:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._news.wait(wait)
        return None

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except BeagleError as error:
                log.info("tried again: %s", error)
                self.do(job, after=RETRY)
            except Exception:  # a thread that dies leaves its work to nobody
                log.exception("a job for containers failed")
