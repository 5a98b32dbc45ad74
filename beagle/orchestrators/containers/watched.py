"""One workload as containers: who of them still runs, what they wrote, and when nothing of it runs any more."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import RLock

from beagle.orchestrators.containers import labels
from beagle.orchestrators.containers.engine import Engine, Facts
from beagle.orchestrators.containers.follower import Follower, ended_at
from beagle.orchestrators.containers.kept import Ending, Kept
from beagle.ports import CaughtUp, Ended, Line, Observed

# Exit statuses of those that an engine ends when it goes down.
_WITH_THE_ENGINE = {137, 143, 255}


class Watched:
    """Told by its followers, each in its own thread. `order` is shared with whoever watched it before, so that pushes
    never overlap; a listener may hold it for long, so what decides has a lock of its own."""

    def __init__(
        self,
        engine: Engine,
        kept: Kept,
        containers: Sequence[Facts],
        *,
        adopted: bool,
        order: RLock,
        push: Callable[[Sequence[Observed]], None],
        end: Callable[[Watched], None],
        forget: Callable[[Watched], None],
    ) -> None:
        first = labels.of(containers[0])
        self.name = first[labels.WORKLOAD]
        self.order = order
        self.killed = False
        self.error = ""
        self._engine, self._kept = engine, kept
        self._push_on, self._end, self._forget = push, end, forget
        self._over = self._stopping = self._finished = False
        self._deciding = RLock()
        self._ends: dict[str, Facts | None] = {}
        self._containers = {labels.of(each)[labels.SERVICE]: each for each in containers}
        started = [each for each in containers if labels.was_started(each)]
        self.followers = [self._follower(each, adopted=adopted) for each in started]
        self._behind = {follower.id for follower in self.followers} if adopted else set()
        self._main = next((each for each in self._containers if self._is_main(each)), None)
        if len(started) < int(first.get(labels.SERVICES, "1")):
            self.error = "not all of its services were started: whoever started them was gone"
        self.started_at = min((labels.moment(each["State"]["StartedAt"]) for each in started), default=time.time())

    def begin(self) -> None:
        for follower in self.followers:
            follower.begin()
        if self.error:
            self._stop_the_rest()

    def close(self) -> None:
        """Push nothing more. What runs goes on."""
        self._over = True
        for follower in self.followers:
            follower.close()

    def settle(self, patience: float) -> None:
        """Returns when the listener is not being called any more for it, or after so many seconds."""
        if self.order.acquire(timeout=patience):
            self.order.release()

    def running(self) -> list[Follower]:
        return [follower for follower in self.followers if follower.service not in self._ends]

    def grace(self, follower: Follower) -> float:
        return float(labels.of(self._containers[follower.service]).get(labels.GRACE, "10"))

    def stop_signal(self, follower: Follower) -> str:
        return str(self._containers[follower.service]["Config"].get("StopSignal") or signal.SIGTERM.name)

    def _is_main(self, service: str) -> bool:
        return labels.of(self._containers[service]).get(labels.MAIN) == "true"

    def _follower(self, container: Facts, *, adopted: bool) -> Follower:
        return Follower(
            self._engine,
            self._kept,
            container,
            adopted=adopted,
            push=self._push,
            caught_up=self._caught_up,
            ended=self._ended,
        )

    def _push(self, observed: Sequence[Line | CaughtUp]) -> None:
        with self.order:
            if not self._over:
                self._push_on(observed)

    def _caught_up(self, follower: Follower) -> None:
        with self._deciding:
            self._behind.discard(follower.id)
            told = bool(self._behind) or self._finished
        if not told:
            self._push([CaughtUp(workload=self.name)])

    def _ended(self, follower: Follower, there: Facts | None) -> None:
        with self._deciding:
            self._ends[follower.service] = there
            still = self.running()
            if still and self._decides(follower.service):
                self._stop_the_rest()
        if still:
            if follower.id in self._behind:
                self._caught_up(follower)
        else:
            self._finish()

    def _decides(self, service: str) -> bool:
        """Whether the end of this one is the end of all: of the main one, or else of the first that failed."""
        if self._main is not None:
            return service == self._main
        there = self._ends[service]
        return there is None or there["State"]["ExitCode"] != 0

    def _stop_the_rest(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._end(self)

    def _finish(self) -> None:
        with self._deciding:
            if self._finished:
                return
            self._finished = True
        ended = self._ending()
        names = sorted(self._containers, key=lambda each: each != self._main)
        observed: list[Observed] = [CaughtUp(workload=self.name)] if self._behind else []
        with self.order:
            if self._over:
                return
            self._kept.end(self.name, Ending(ended, self.started_at, tuple(names)))
            # Forgotten first: the listener may clean it, or start it once more.
            self._forget(self)
            self._push_on([*observed, ended])

    def _ending(self) -> Ended:
        counted = self._counted()
        there = self._ends.get(counted)
        if there is None or self.error:
            error = self.error or "its container was removed"
            return Ended(workload=self.name, status=None, ended_at=time.time(), lost=True, error=error)
        code = int(there["State"]["ExitCode"])
        follower = next(each for each in self.followers if each.service == counted)
        if follower.interrupted and code in _WITH_THE_ENGINE and not self._stopping:
            error = "the Docker daemon went down, and it with it"
            return Ended(workload=self.name, status=None, ended_at=ended_at(there), lost=True, error=error)
        return Ended(
            workload=self.name,
            status=128 - code if code > 128 else code,
            ended_at=ended_at(there),
            tail=self._kept.last_lines(self.name, (counted,)) if code else "",
            # The engine says so when any process in it did; the one that counts died by SIGKILL, but not by ours.
            out_of_memory=bool(there["State"].get("OOMKilled")) and code == 137 and not self.killed,
        )

    def _counted(self) -> str:
        """The service whose exit status counts."""
        if self._main is not None:
            return self._main
        failed = [name for name, there in self._ends.items() if there is None or there["State"]["ExitCode"] != 0]
        return next(iter([*failed, *self._ends]))


def parted(containers: Sequence[Facts]) -> dict[str, list[Facts]]:
    """Listed containers by their workload; those that run no service (claims) are left out."""
    found: dict[str, list[Facts]] = {}
    for container in containers:
        with suppress(KeyError):
            borne = labels.of(container)
            if labels.SERVICE in borne:
                found.setdefault(borne[labels.WORKLOAD], []).append(container)
    return found
