"""What workloads say before their launch is stored: kept here, so that the others need not wait meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from beagle.ports import Line, Observed

# Characters of one workload that are kept; with more the orchestrator's thread waits.
MOST = 1024 * 1024
_OVERHEAD = 200


class _Kept:
    def __init__(self) -> None:
        self.pieces: list[Sequence[Observed]] = []
        self.size = 0
        self.leaving = False
        self.left = threading.Event()


class Held:
    """`take` is called in the orchestrator's thread, `hold` before it hears of the workload, `let_go` in one other."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._closed = False

    def hold(self, name: str) -> None:
        with self._lock:
            self._kept.setdefault(name, _Kept())

    def take(self, observed: Sequence[Observed]) -> bool:
        """Whether it is kept; else it is the caller's to pass on now, and nothing that came before it is kept still."""
        name = observed[0].workload
        if name not in self._kept:  # as a rule; and what is held is held before the orchestrator hears of it
            return False
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or self._closed:
                return False
            if not kept.leaving and kept.size < MOST:
                kept.pieces.append(observed)
                kept.size += sum(len(each.text) + _OVERHEAD for each in observed if isinstance(each, Line))
                return True
        kept.left.wait()
        return False

    def let_go(self, name: str, pass_on: Callable[[Sequence[Observed]], None]) -> None:
        """Pass on what was kept, in its order; what comes meanwhile comes after it. One that is not held: nothing."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                return
            kept.leaving = True
        try:
            for piece in kept.pieces:
                pass_on(piece)
        finally:
            with self._lock:
                self._kept.pop(name, None)
            kept.left.set()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._closed = True
            for kept in self._kept.values():
                kept.left.set()
