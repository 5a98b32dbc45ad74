"""What tests of an orchestrator need: workloads to start, and a listener that remembers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition
from typing import TypeVar
from uuid import uuid4

from beagle.ports import CaughtUp, Ended, Line, Observed, Orchestrator
from beagle.template import Service, Workload, workload_name
from tests.servers.script import as_shell

PATIENCE = 30.0
T = TypeVar("T", Line, Ended, CaughtUp)


def eventually(holds: Callable[[], object]) -> None:
    """Wait until it holds; fails after half a minute."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def new_id() -> str:
    return uuid4().hex[:24]


def shell(script: str, *, name: str = "train", main: bool = True, grace: float = 10.0, **environment: str) -> Service:
    return Service(
        name=name,
        command=("sh", "-c", script),
        environment=environment,
        working_dir="/",
        grace=grace,
        main=main,
    )


def program(script: str, *, grace: float = 10.0, **environment: str) -> Service:
    """What it does is told to a shell, and to a dock; see `script.py`."""
    return shell(as_shell(script), grace=grace, SCRIPT=script, **environment)


def workload(*services: Service, experiment: str | None = None, attempt: int = 1) -> Workload:
    experiment = experiment or new_id()
    return Workload(
        name=workload_name(experiment, attempt),
        experiment=experiment,
        attempt=attempt,
        project="p" * 24,
        services=services,
    )


def boxed(workload: Workload, image: str, folder: Path, **fields: object) -> Workload:
    """The same, from a template for containers, where `$` is written `$$`; programs are not their first process."""
    services, document = [], {}
    for service in workload.services:
        words = tuple(word.replace("$", "$$") for word in service.command)
        services.append(replace(service, command=words))
        told = {"image": image, "command": [*words], "init": True, "volumes": [f"{folder}:{folder}"]}
        document[service.name] = told | fields
    return replace(workload, services=tuple(services), document={**workload.document, "services": document})


class Seen:
    """A listener. `of` returns all that was pushed for a workload so far, in order."""

    def __init__(self) -> None:
        self._all: list[Observed] = []
        self._news = Condition()

    def __call__(self, observed: Sequence[Observed]) -> None:
        assert len({each.workload for each in observed}) == 1
        with self._news:
            self._all += observed
            self._news.notify_all()

    def of(self, name: str) -> list[Observed]:
        return [observed for observed in self._all if observed.workload == name]

    def lines(self, name: str) -> list[str]:
        return [observed.text for observed in self.of(name) if isinstance(observed, Line)]

    def ended(self, name: str) -> Ended:
        return self.wait(name, Ended)

    def caught_up(self, name: str) -> CaughtUp:
        return self.wait(name, CaughtUp)

    def wait(self, name: str, kind: type[T], text: str | None = None) -> T:
        def found() -> T | None:
            for observed in self.of(name):
                if isinstance(observed, kind) and text in (None, getattr(observed, "text", None)):
                    return observed
            return None

        with self._news:
            assert self._news.wait_for(found, PATIENCE), f"{name} never said {kind.__name__}; said {self.of(name)}"
            return found()


@dataclass
class World:
    """An orchestrator with a listener, and others that share its workloads.

    `many` is how many workloads a test of many has.
    """

    make: Callable[[], Orchestrator]
    folder: Path
    many: int = 200
    opened: list[Orchestrator] = field(default_factory=list)

    def open(self) -> tuple[Orchestrator, Seen]:
        orchestrator, seen = self.make(), Seen()
        orchestrator.watch(seen)
        self.opened.append(orchestrator)
        return orchestrator, seen

    def close(self) -> None:
        """Ends what a test left running."""
        first = self.opened[0]
        for name in first.list():
            first.stop(name)
        for orchestrator in self.opened:
            orchestrator.close()


def marked(world) -> str:
    """A step of a script that writes down that it ran."""
    return f"mark {world.folder / 'ledger'}; "


def times_ran(world):
    ledger = world.folder / "ledger"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0
