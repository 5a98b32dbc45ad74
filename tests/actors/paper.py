"""An orchestrator on paper: what runs is a name in a set. It keeps the port's promises."""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Callable

from beagle.ports import Ended, Log, Observed
from beagle.settings import Settings
from beagle.template import Template, Workload


class PaperOrchestrator:
    """What it would push waits in `pushes`, and goes with the launcher that it was for."""

    site = "local"

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._listed: set[str] = set()
        self.alive: set[str] = set()
        self.started: dict[str, float] = {}
        self.stopped: set[str] = set()
        self.pushes: deque[Ended] = deque()

    starts = 1

    @staticmethod
    def refusals(template: Template, settings: Settings) -> builtins.list[str]:
        return []

    def check(self, template: Template) -> builtins.list[str]:
        return []

    def watch(self, listener: Callable[[Observed], None]) -> None: ...

    def start(self, workload: Workload) -> float:
        name = workload.name
        if name not in self.started and name not in self.stopped:
            self.started[name] = self._now()
            self.alive.add(name)
        elif name not in self.alive:
            self._push(name)
        self._listed.add(name)
        return self.started.get(name, self._now())

    def stop(self, name: str) -> None:
        self.stopped.add(name)
        if name not in self.alive:
            self._push(name)

    def end(self, name: str) -> None:
        """By itself, or because it was stopped: from now on nothing of it runs."""
        self.alive.remove(name)
        self._push(name)

    def list(self) -> builtins.list[str]:
        return sorted(self._listed)

    def clean(self, name: str) -> None:
        self._listed.discard(name)

    def logs(self, name: str, *, stream: str = "out", offset: int = 0, limit: int = 65536) -> Log:
        return Log("", 0, complete=name not in self.alive)

    def close(self) -> None: ...

    def _push(self, name: str) -> None:
        self.pushes.append(Ended(workload=name, status=0, ended_at=self._now(), never=name not in self.started))
