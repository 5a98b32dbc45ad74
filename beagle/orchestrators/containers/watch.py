"""Watches workloads that run as containers, pushes what they write and how they end, and ends them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock, RLock

from beagle.errors import BeagleError
from beagle.orchestrators.containers import labels
from beagle.orchestrators.containers.engine import Engine, Facts
from beagle.orchestrators.containers.follower import Follower
from beagle.orchestrators.containers.kept import Kept
from beagle.orchestrators.containers.later import Later
from beagle.orchestrators.containers.watched import Watched, parted
from beagle.ports import CaughtUp, Ended, Observed

log = logging.getLogger(__name__)
Listener = Callable[[Sequence[Observed]], None]
SWEEP = 2.0
# What a listener does with one push takes no longer.
_SETTLE = 1.0


class Watch:
    """One thread for each container that runs: the engine ends its stream of output when it ends, which is the push.

    No thread is waited for: one whose container says nothing is in a call that ends with that.

    The sweep repairs what such a stream missed. `over` is called before the end of a workload is told.
    """

    def __init__(
        self, engine: Engine, kept: Kept, later: Later, system: str, listener: Listener, over: Callable[[str], None]
    ) -> None:
        self._engine, self._kept, self._later, self._system = engine, kept, later, system
        self._listener, self._over = listener, over
        self._watched: dict[str, Watched] = {}
        self._lock = Lock()
        self._closed = False
        self._suspects: set[str] = set()
        later.do(self._sweep, after=SWEEP)

    def follow(self, containers: Sequence[Facts], *, adopted: bool) -> Watched:
        """Inspected ones of one workload. Of one that is watched already everything is told again."""
        name = labels.of(containers[0])[labels.WORKLOAD]
        with self._lock:
            before = self._watched.get(name)
            watched = Watched(
                self._engine,
                self._kept,
                containers,
                adopted=adopted,
                order=before.order if before is not None else RLock(),
                push=self._listener,
                end=self.end,
                forget=self._forget,
            )
            if watched.followers:
                self._watched[name] = watched
        if before is not None:
            watched.killed = before.killed
            before.close()
        watched.begin()
        return watched

    def get(self, name: str) -> Watched | None:
        return self._watched.get(name)

    def tell(self, name: str, ended: Ended, services: tuple[str, ...] = ()) -> None:
        """The whole story of one that has no containers any more."""
        for lines in self._kept.lines(name, services):
            if lines:
                self._listener(lines)
        self._listener([ended] if ended.never else [CaughtUp(workload=name), ended])

    def end(self, watched: Watched) -> None:
        """Ask each of its containers to end, and kill it after its grace."""
        for follower in watched.running():
            self._later.do(partial(self._engine.kill, follower.id, watched.stop_signal(follower)))
            self._later.do(partial(self._kill, watched, follower), after=watched.grace(follower))

    def close(self) -> None:
        """Returns when the listener will not be called any more."""
        self._closed = True
        with self._lock:
            watched = list(self._watched.values())
        for each in watched:
            each.close()
        for each in watched:
            each.settle(_SETTLE)

    def _kill(self, watched: Watched, follower: Follower) -> None:
        if follower in watched.running():
            watched.killed = True
            self._engine.kill(follower.id, "SIGKILL")

    def _forget(self, watched: Watched) -> None:
        self._over(watched.name)
        with self._lock:
            if self._watched.get(watched.name) is watched:
                del self._watched[watched.name]

    def _sweep(self) -> None:
        """Hang up on streams of what does not run any more, found so twice: usually their end is on its way."""
        if self._closed:
            return
        started = time.monotonic()
        try:
            there = parted(self._engine.containers({labels.SYSTEM: self._system}))
            running = {str(each["Id"]) for found in there.values() for each in found if each["State"] == "running"}
            with self._lock:
                followers = [each for watched in self._watched.values() for each in watched.running()]
            suspects = {each.id: each for each in followers if each.id not in running}
            for suspect in self._suspects & set(suspects):
                suspects[suspect].look()
            self._suspects = set(suspects)
        except BeagleError as error:
            log.debug("not swept: %s", error)
        self._later.do(self._sweep, after=max(SWEEP, time.monotonic() - started))
