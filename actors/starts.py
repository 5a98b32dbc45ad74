"""The starts of one launcher that are under way: in its own thread where they take no time, else in threads beside it.

Only `make` runs in those threads. Each start has one of its own: one that hangs is left behind, and holds up nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from actors.base import World
from actors.reporter import Reporter
from beagle.experiment import Experiment
from beagle.ports import Orchestrator
from beagle.template import workload_name
from beagle.workload import prepare, publishes_by_topic

# Seconds after which a start that has not returned is given up.
LONGEST = 300.0
# Seconds that what is under way has when the launcher leaves: the rest is found and adopted by the next one.
LEAVING = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """One try to start an attempt, or to adopt it when it was `adopted` by this launcher in the store."""

    experiment: Experiment
    adopted: bool

    @property
    def name(self) -> str:
        return workload_name(self.experiment.id, self.experiment.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """When it was started (seconds since the epoch), or why it was not."""

    start: Start
    at: float = 0.0
    error: Exception | None = None


@dataclass(slots=True, kw_only=True)
class _Begun:
    start: Start
    thread: threading.Thread
    since: float = field(default_factory=time.monotonic)


class Starts:
    """`told` takes the outcome of a start that was made beside the launcher's thread, in that other thread."""

    def __init__(
        self, world: World, orchestrator: Orchestrator, reporter: Reporter, told: Callable[[Outcome], None]
    ) -> None:
        self._world, self._orchestrator, self._reporter, self._told = world, orchestrator, reporter, told
        self.beside = orchestrator.starts > 1
        self._waiting: dict[str, Start] = {}
        self._begun: dict[str, _Begun] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._waiting or name in self._begun

    def make(self, start: Start) -> Outcome:
        """Start or adopt it, here and now. What it says is held from before on."""
        self._reporter.hold(start.name)
        try:
            return Outcome(start=start, at=self._made(start))
        except Exception as error:  # noqa: BLE001 - the launcher judges it, in its own thread
            return Outcome(start=start, error=error)

    def _made(self, start: Start) -> float:
        experiment, access = start.experiment, self._world.access
        # One that runs has what it needs; for one that is tried again it is the same.
        told = {} if start.adopted else access.admit(experiment.id, experiment.attempt)
        workload = prepare(self._world.plans.of(experiment.project), experiment, told)
        if access.open and publishes_by_topic(workload):
            self._reporter.relay(workload.name)
        return self._orchestrator.start(workload)

    def wait(self, start: Start) -> None:
        """For `begin`."""
        self._waiting[start.name] = start

    def begin(self, renewed: Callable[[Start], Start | None]) -> None:
        """As many of those that wait as may be under way at once. Of what may not start any more `renewed` is None."""
        while self._waiting and len(self._begun) < self._orchestrator.starts:
            name = next(iter(self._waiting))
            start = renewed(self._waiting[name])
            del self._waiting[name]
            if start is not None:
                thread = threading.Thread(target=self._beside, args=(start,), name=f"start {name}", daemon=True)
                self._begun[name] = _Begun(start=start, thread=thread)
                thread.start()

    def _beside(self, start: Start) -> None:
        self._told(self.make(start))

    def drop(self, name: str) -> None:
        """If it waits, it is not begun."""
        self._waiting.pop(name, None)

    def ended(self, start: Start) -> bool:
        """It is not under way any more; False when that was so before."""
        begun = self._begun.get(start.name)
        if begun is None or begun.start is not start:
            return False
        del self._begun[start.name]
        return True

    def hanging(self) -> list[Start]:
        now = time.monotonic()
        return [begun.start for begun in self._begun.values() if now - begun.since > LONGEST]

    def close(self) -> None:
        self._waiting.clear()
        until = time.monotonic() + LEAVING
        for begun in self._begun.values():
            begun.thread.join(max(0.0, until - time.monotonic()))
