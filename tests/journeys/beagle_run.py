"""The embedded system as a user of it has it: real actors, a real store, real processes, all in one folder."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from actors.main import Cast, Session, open_session
from beagle.commands import (
    ExplainExperiment,
    ListExperiments,
    ListMetrics,
    RetryExperiment,
    SetLimit,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    StartSystem,
    SubmitProject,
)
from beagle.errors import NotFound
from beagle.experiment import FINAL, Experiment
from beagle.folder import Folder
from beagle.messages import Answer, Message
from tests.journeys import ledger
from tests.journeys.census import end_all

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = DEADLINE) -> T:
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"it is still {found!r} after {seconds:g} s"
        time.sleep(0.01)
    return found


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@dataclass(slots=True)
class Search:
    """A project to submit: `commands` by service. `parameters` are those of the definition; by default N is 1 to
    `count`. `more` are further fields of the definition, `environment` of each service."""

    commands: dict[str, list[str]]
    count: int = 1
    parameters: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    name: str = "trial"
    grace: str = "2s"

    def order(self, folder: Path) -> SubmitProject:
        parameters = self.parameters or [{"name": "N", "type": "int", "min": 1, "max": self.count}]
        given = {"PYTHONPATH": str(ROOT), "LEDGER": str(folder / "ledger"), **self.environment}
        environment = {**given, **{parameter["name"]: "0" for parameter in parameters}}
        services = {
            name: {"command": command, "environment": environment, "stop_grace_period": self.grace}
            for name, command in self.commands.items()
        }
        definition = {"name": self.name, "template": "template.json", "parameters": parameters, **self.more}
        return SubmitProject(
            definition=json.dumps(definition),
            definition_name="project.json",
            template=json.dumps({"services": services}),
            template_name="template.json",
            folder=str(folder),
            source=str(folder / f"{self.name}.json"),
        )


def search(command: list[str], count: int = 1, *, name: str = "trial", **more: Any) -> Search:
    """One service that runs `command`, `count` times with N = 1, 2, ...; `more` are fields of the definition."""
    return Search({"train": command}, count, name=name, more=more)


class Run:
    """Questions to a session, and what the experiments of `folder` wrote to their ledger."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.session = folder, session

    def ask(self, message: Message) -> Answer:
        return self.session.ask(message)

    def start(self, limit: int = 4) -> None:
        self.ask(SetLimit(limit=limit))
        self.ask(StartSystem())

    def submit(self, what: Search) -> str:
        """The project's id."""
        found: str = self.ask(what.order(self.folder))["projects"][0]["id"]
        return found

    def project(self, project: str | None = None) -> Answer:
        found: Answer = self.ask(ShowProject(project=project))["project"]
        return found

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = self.ask(ShowSystem())["counts"]
        return found

    def wait(self, project: str | None = None, *, state: str = "completed", seconds: float = DEADLINE) -> Answer:
        """The project, as soon as it is in `state`."""
        eventually(lambda: self.project(project)["state"] == state, seconds)
        return self.project(project)

    def experiments(self, project: str | None = None) -> list[Answer]:
        found: list[Answer] = []
        after = None
        while True:
            answer = self.ask(ListExperiments(project=project, after=after, limit=1000))
            found += answer["experiments"]
            after = answer["next"]
            if after is None:
                return found

    def states(self, project: str | None = None) -> list[str]:
        return [view["state"] for view in self.experiments(project)]

    def show(self, number: int = 1) -> Answer:
        found: Answer = self.ask(ShowExperiment(experiment=str(number)))["experiment"]
        return found

    def ended(self, number: int = 1, seconds: float = DEADLINE) -> Answer:
        return eventually(lambda: self._ended(number), seconds)

    def _ended(self, number: int) -> Answer | None:
        view = self._queued(number)
        return view if view and view["state"] in FINAL else None

    def _launched(self, number: int) -> Answer | None:
        view = self._queued(number)
        return view if view and view["state"] == "pool" and view["launch_time"] else None

    def _queued(self, number: int) -> Answer | None:
        try:
            return self.show(number)
        except NotFound:  # the search has not got there yet
            return None

    def why(self, number: int = 1) -> str:
        found: str = self.ask(ExplainExperiment(experiment=str(number)))["why"]
        return found

    def metrics(self, number: int = 1, attempt: int | None = None) -> list[Answer]:
        found: list[Answer] = []
        after = None
        while True:
            answer = self.ask(ListMetrics(experiment=str(number), attempt=attempt, after=after))
            found += answer["metrics"]
            after = answer["next"]
            if after is None:
                return found

    def retry(self, number: int = 1) -> None:
        self.ask(RetryExperiment(experiment=str(number)))

    def launched(self, number: int = 1) -> Answer:
        """One that runs, as soon as it does."""
        return eventually(lambda: self._launched(number))

    def idle(self) -> None:
        """Wait until no place is held: nothing runs and nothing is being stopped."""
        eventually(lambda: self.ask(ShowSystem())["held"] == 0)

    def ledger(self) -> list[ledger.Entry]:
        return ledger.read(self.folder / "ledger")


class OwnRun(Run):
    """The scheduler is in this process. At its end nothing of it is left, not even what it was to leave running."""

    def __init__(self, folder: Path, *, limit: int = 4, paused: bool = False, cast: Cast | None = None) -> None:
        super().__init__(folder, open_session(folder / "state", scheduling=True, cast=cast))
        if not paused:
            self.start(limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        end_all(Folder(self.folder / "state").experiments)

    @property
    def world(self) -> Any:
        return self.session._system.world  # type: ignore[attr-defined]

    def stored(self, number: int = 1) -> Experiment:
        found = self.world.store.get(Experiment, self.show(number)["id"])
        assert found is not None
        return found
