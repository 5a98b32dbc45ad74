"""Processes that can be put to sleep, or killed, before any of their store operations."""

from __future__ import annotations

import threading
from collections.abc import Callable

from beagle.errors import BeagleError
from beagle.ports import Record, Store

PATIENCE = 30.0


class Vanished(BaseException):
    """The process was killed here."""


class Sleeper(threading.Thread):
    """One process at work. It stands before its next store operation until it is woken, and only one is ever awake."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._woken, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self._error: BaseException | None = None
        self.over = False
        self.before: tuple[str, type[Record] | None] = ("", None)
        self.result: object = None
        self.start()
        self._wait()

    def run(self) -> None:
        try:
            self.result = self._work()
        except (Vanished, BeagleError):
            self.result = None  # what an actor would log
        except BaseException as error:
            self._error = error
        finally:
            self.over = True
            self._stands.release()

    def stand(self, operation: str, kind: type[Record] | None) -> None:
        """In its own thread: sleep before this operation."""
        self.before = (operation, kind)
        self._stands.release()
        assert self._woken.acquire(timeout=PATIENCE)
        if self._killed:
            raise Vanished

    def wake(self, operations: int = 1) -> Sleeper:
        for _ in range(operations):
            if not self.over:
                self._woken.release()
                self._wait()
        return self

    def finish(self) -> Sleeper:
        for _ in range(100_000):
            if self.over:
                return self
            self.wake()
        raise AssertionError("it never comes to an end")

    def until(self, operation: str, kind: type[Record]) -> Sleeper:
        """Let it work until it is about to do this."""
        while self.before != (operation, kind):
            assert not self.over, f"it ended before {operation} of a {kind.__name__}"
            self.wake()
        return self

    def vanish(self) -> None:
        self._killed = True
        self.wake()
        assert self.over

    def vanish_if_asleep(self) -> None:
        if not self.over:
            self.vanish()

    def _wait(self) -> None:
        assert self._stands.acquire(timeout=PATIENCE), "it hangs outside the store"
        if self._error is not None:
            raise self._error


class Gated:
    """The store as sleepers see it; everyone else passes through."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., object]:
        operation = getattr(self._store, name)

        def gated(*args: object, **options: object) -> object:
            process = threading.current_thread()
            if isinstance(process, Sleeper):
                process.stand(name, _kind(args))
            return operation(*args, **options)

        return gated


def _kind(args: tuple[object, ...]) -> type[Record] | None:
    first = args[0] if args else None
    if isinstance(first, list | tuple):
        first = first[0] if first else None
    return first if first is None or isinstance(first, type) else type(first)
