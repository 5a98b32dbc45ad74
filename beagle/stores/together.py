"""Many threads that store metrics at once share one call: while one is under way, the others' are gathered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from beagle.errors import BeagleError, InvalidInput
from beagle.records import Metric

Append = Callable[[Sequence[Metric]], list[bool]]


class _Asked:
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.new: list[bool] | None = None
        self.error: BeagleError | None = None

    def do(self, append: Append) -> None:
        try:
            self.new = append(self.metrics)
        except BeagleError as error:
            self.error = error


class Together:
    """Safe from any thread. Whoever has the lock stores for all who wait for it."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: deque[_Asked] = deque()
        self._lock = Lock()

    def append(self, metrics: Sequence[Metric]) -> list[bool]:
        """As `append` would do for these alone: which of them are new, or its error."""
        asked = _Asked(metrics)
        self._waiting.append(asked)
        with self._lock:
            if asked.new is None and asked.error is None:
                self._store_with(asked)
        if asked.error is not None:
            raise asked.error
        return asked.new or []

    def _store_with(self, asked: _Asked) -> None:
        found = [self._waiting.popleft() for _ in range(len(self._waiting))]
        others = [each for each in found if each is not asked]
        all_of_them = [asked, *others]
        whole = _Asked([metric for each in all_of_them for metric in each.metrics])
        whole.do(self._append)
        if isinstance(whole.error, InvalidInput) and others:
            for each in all_of_them:  # the mistake is one's alone
                each.do(self._append)
            return
        new = iter(whole.new or ())
        for each in all_of_them:
            each.error = whole.error
            each.new = None if whole.error else [next(new) for _ in each.metrics]
