"""The thread that sees what workloads write and when they end. It sleeps until the kernel has something to tell.

All that a workload writes wakes it by inotify, the end of our own shims by their channel, of adopted ones by a process
descriptor. It alone touches the state of a `Watched`, and it alone calls the listener.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

from beagle.errors import Unavailable
from beagle.orchestrators.folders import Attempt, Ending
from beagle.orchestrators.remains import bearers, descendants
from beagle.orchestrators.shims import Shim
from beagle.orchestrators.watched import Watched, ended, open_process, send
from beagle.ports import Observed

_log = logging.getLogger(__name__)
_BEYOND_GRACE = 5.0
_RETRY = 0.5


class Watcher:
    """`prepare`, `launched`, `drop`, `adopt`, `stop` are called from any thread. `free` gets each shim that is done."""

    def __init__(self, listener: Callable[[Sequence[Observed]], None], free: Callable[[Shim], None]) -> None:
        self._listener = listener
        self._free = free
        self._epoll = select.epoll()
        try:
            self._inotify = INotify()
        except OSError as error:
            self._epoll.close()
            raise Unavailable(
                f"output cannot be followed: {error.strerror}; fs.inotify.max_user_instances limits it"
            ) from error
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._watched: dict[str, Watched] = {}
        self._by_watch: dict[int, Watched] = {}
        self._ends: dict[int, Callable[[], None]] = {}
        self._unread: dict[str, Watched] = {}
        self._overdue: dict[str, Watched] = {}
        self._failed: list[Callable[[], None]] = []
        self._retry_at = 0.0
        self._closed = False
        self._epoll.register(self._inotify.fileno(), select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._thread = Thread(target=self._run, name="beagle-processes", daemon=True)
        self._thread.start()

    def prepare(self, attempt: Attempt, *, adopted: bool = False) -> Watched:
        """Before the launch, so that no line of it is missed; no thread is woken for it. Raises `Unavailable`."""
        watched = Watched(attempt, self._add_watch(attempt, adopted=adopted), adopted=adopted)
        self._by_watch[watched.watch] = watched
        self._watched[attempt.name] = watched
        return watched

    def _add_watch(self, attempt: Attempt, *, adopted: bool) -> int:
        # Our own shim says when it is done; of an adopted one the arrival of `exit.json` may be all there is.
        mask = flags.MODIFY | flags.MOVED_TO if adopted else flags.MODIFY
        try:
            watch: int = self._inotify.add_watch(attempt.path, mask)
        except OSError as error:
            raise Unavailable(
                f"output in {attempt.path} cannot be followed: {error.strerror}; fs.inotify.max_user_watches limits it"
            ) from error
        return watch

    def launched(self, watched: Watched, shim: Shim) -> None:
        watched.shim = shim
        self._ends[shim.fileno()] = lambda: self._shim_spoke(watched, shim)
        self._epoll.register(shim.fileno(), select.EPOLLIN)

    def is_watching(self, name: str) -> bool:
        return name in self._watched

    def drop(self, watched: Watched) -> None:
        """It was not launched."""
        self._order(lambda: self._forget(watched))

    def adopt(self, attempt: Attempt) -> None:
        """Tell the whole story of one that was started before. Nothing is done for one that is not there."""
        self._order(lambda: self._adopt(attempt))

    def stop(self, attempt: Attempt) -> None:
        self._order(lambda: self._stop(attempt))

    def close(self) -> None:
        """Returns when the listener will not be called any more; so it is not the listener's to call."""
        self._closed = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for watched in list(self._watched.values()):
            self._forget(watched)
            if watched.shim is not None:
                watched.shim.close()
        self._inotify.close()
        self._epoll.close()
        os.close(self._wake)

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.put(order)
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        while not self._closed:
            for descriptor, _ in self._epoll.poll(self._patience()):
                if descriptor == self._inotify.fileno():
                    self._take_changes()
                elif descriptor == self._wake:
                    os.eventfd_read(self._wake)
                elif descriptor in self._ends:
                    self._ends[descriptor]()
            self._take_orders()
            self._kill_overdue()
            for watched in list(self._unread.values()):
                self._read(watched)

    def _patience(self) -> float | None:
        if self._unread:
            return 0
        times = [watched.kill_at for watched in self._overdue.values() if watched.kill_at is not None]
        if self._failed:
            times.append(self._retry_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _take_orders(self) -> None:
        """What fails for want of descriptors or memory is tried again: it must end with the truth."""
        if self._failed and time.monotonic() >= self._retry_at:
            for order in self._failed:
                self._orders.put(order)
            self._failed = []
        with suppress(Empty):
            while True:
                order = self._orders.get_nowait()
                try:
                    order()
                except OSError as error:
                    self._put_off(order, error)

    def _put_off(self, order: Callable[[], None], error: OSError) -> None:
        _log.warning("a process cannot be watched now, which is tried again: %s", error)
        self._failed.append(order)
        self._retry_at = time.monotonic() + _RETRY

    def _take_changes(self) -> None:
        for change in self._inotify.read(timeout=0):
            if change.mask & flags.Q_OVERFLOW:
                for watched in list(self._watched.values()):
                    watched.unread.update(watched.attempt.followed())
                    self._mark(watched)
                    self._look_for_end(watched)
                continue
            changed = self._by_watch.get(change.wd)
            if changed is not None:
                changed.changed(change.name)
                self._mark(changed)
                self._look_for_end(changed)

    def _look_for_end(self, watched: Watched) -> None:
        """Of one that another scheduler's shim runs: that shim may live on, with another attempt."""
        if watched.adopted and not watched.gone and watched.attempt.has_ended():
            self._ended(watched)

    def _read(self, watched: Watched) -> None:
        try:
            observed = watched.read()
        except OSError as error:
            del self._unread[watched.attempt.name]
            self._put_off(lambda: self._mark(watched), error)
            return
        if observed:
            self._listener(observed)
        if watched.unread:
            return
        self._unread.pop(watched.attempt.name, None)
        if watched.gone:
            self._finish(watched)

    def _mark(self, watched: Watched) -> None:
        self._unread[watched.attempt.name] = watched

    def _shim_spoke(self, watched: Watched, shim: Shim) -> None:
        self._ignore(shim.fileno())
        watched.shim = None
        if shim.is_done():
            self._free(shim)
        else:
            shim.close()
        self._ended(watched)

    def _ended(self, watched: Watched) -> None:
        if watched.gone or watched.sweeping:
            return
        if watched.attempt.has_ended():
            watched.end()
            self._mark(watched)
        else:
            self._order(lambda: self._sweep(watched))

    def _sweep(self, watched: Watched) -> None:
        """Its shim died: kill what it left, again when that is dead, until there is nothing."""
        attempt = watched.attempt
        for pid in bearers(attempt.name, attempt.url):
            with suppress(ProcessLookupError):
                self._kill_and_wait(os.pidfd_open(pid), watched)
        if not watched.sweeping:
            watched.end()
            self._mark(watched)

    def _kill_and_wait(self, process: int, watched: Watched) -> None:
        def dead() -> None:
            self._ignore(process)
            os.close(process)
            watched.sweeping.discard(process)
            self._ended(watched)

        watched.sweeping.add(process)
        self._ends[process] = dead
        self._epoll.register(process, select.EPOLLIN)
        send(process, signal.SIGKILL)

    def _finish(self, watched: Watched) -> None:
        attempt = watched.attempt
        ending = attempt.ending()
        if ending is None:
            ending = Ending(ended_at=time.time(), error=watched.error, lost=True)
            attempt.record(ending)
        # Forgotten first: the listener may clean it, or start it once more.
        last = watched.last(ending)
        self._forget(watched)
        self._listener(last)

    def _forget(self, watched: Watched) -> None:
        self._unread.pop(watched.attempt.name, None)
        self._by_watch.pop(watched.watch, None)
        if self._watched.get(watched.attempt.name) is watched:
            del self._watched[watched.attempt.name]
        self._overdue.pop(watched.attempt.name, None)
        with suppress(OSError):
            self._inotify.rm_watch(watched.watch)
        if watched.process is not None:
            self._ignore(watched.process)
        watched.close()

    def _ignore(self, descriptor: int) -> None:
        if self._ends.pop(descriptor, None) is not None:
            with suppress(OSError):
                self._epoll.unregister(descriptor)

    def _adopt(self, attempt: Attempt) -> None:
        watched = self._watched.get(attempt.name) or self._found(attempt)
        if watched is None:
            return
        watched.adopt()
        self._mark(watched)

    def _found(self, attempt: Attempt) -> Watched | None:
        """Watch one that is not watched yet, whoever started it. None when it never ran and never will."""
        claim = attempt.claim()
        if claim is None:
            self._listener([ended(attempt, Ending(ended_at=time.time(), never=True))])
            return None
        process = open_process(claim)
        watched = self.prepare(attempt, adopted=True)
        watched.process = process
        # Looked at after the watch was set: it may have ended, and its shim gone on to another.
        if process is None or attempt.has_ended():
            self._ended(watched)
        else:
            self._ends[process] = lambda: self._process_ended(watched, process)
            self._epoll.register(process, select.EPOLLIN)
        return watched

    def _process_ended(self, watched: Watched, process: int) -> None:
        self._ignore(process)
        self._ended(watched)

    def _stop(self, attempt: Attempt) -> None:
        if attempt.name not in self._watched:
            self._adopt(attempt)
        watched, claim = self._watched.get(attempt.name), attempt.claim()
        if watched is None or watched.gone or watched.sweeping or claim is None or watched.kill_at is not None:
            return
        process = open_process(claim)
        if process is None:
            return  # its end is about to be told
        send(process, signal.SIGTERM)
        os.close(process)
        watched.kill_at = time.monotonic() + claim.grace + _BEYOND_GRACE
        self._overdue[attempt.name] = watched

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for watched in list(self._overdue.values()):
            if watched.kill_at is not None and watched.kill_at <= now:
                del self._overdue[watched.attempt.name]
                self._order(partial(self._kill, watched))

    def _kill(self, watched: Watched) -> None:
        """Its shim did not do what the stop asked for: kill programs and shim; the rest follows from its end."""
        attempt, claim = watched.attempt, watched.attempt.claim()
        process = None if claim is None or attempt.has_ended() else open_process(claim)
        if claim is None or process is None:
            return
        watched.error = f"it did not end within {claim.grace + _BEYOND_GRACE:g} s of the stop, and was killed"
        for pid in {*descendants(claim.pid), *bearers(attempt.name, attempt.url)}:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        send(process, signal.SIGKILL)
        os.close(process)
