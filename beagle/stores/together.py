"""Many threads that store metrics at once share one call: while one is under way, the others' are gathered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from beagle.errors import BeagleError, InvalidInput
from beagle.records import Metric

# So many metrics make a call that costs little for each; with more, whoever else needs the server waits too long.
ENOUGH = 400

Append = Callable[[Sequence[Metric]], list[bool]]


class _Asked:
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.new: list[bool] | None = None
        self.error: BeagleError | None = None

    @property
    def done(self) -> bool:
        return self.new is not None or self.error is not None

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
            if not asked.done:
                self._store_with(asked)
        if asked.error is not None:
            raise asked.error
        return asked.new or []

    def _store_with(self, asked: _Asked) -> None:
        all_of_them = self._gathered(asked)
        whole = _Asked([metric for each in all_of_them for metric in each.metrics])
        whole.do(self._append)
        if isinstance(whole.error, InvalidInput) and len(all_of_them) > 1:
            for each in all_of_them:  # the mistake is one's alone
                each.do(self._append)
            return
        new = iter(whole.new or ())
        for each in all_of_them:
            each.error = whole.error
            each.new = None if whole.error else [next(new) for _ in each.metrics]

    def _gathered(self, asked: _Asked) -> list[_Asked]:
        """Those that are stored now; whoever is not among them has the lock next, and is done then or later."""
        found, room = [asked], ENOUGH - len(asked.metrics)
        while self._waiting:
            first = self._waiting[0]
            if first is not asked and not first.done:
                room -= len(first.metrics)
                if room < 0:
                    break
                found.append(first)
            self._waiting.popleft()
        return found
