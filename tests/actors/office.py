"""A gateway on a desk, to give orders to, and to look into the store behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.gateway import Gateway
from beagle import lifecycle, places
from beagle.experiment import Experiment, State
from beagle.message import Answer, Command
from beagle.ports import INDEXES, Record
from beagle.records import Metric, Observation, Project, Summary
from beagle.stores.sqlite import SqliteStore
from tests.actors.desk import Desk

TEMPLATE = 'services: {train: {command: "true", environment: {N: "0"}}}\n'
DEFINITION = """
name: digits
template: t.yml
parameters:
  - {name: N, type: int, min: 1, max: 3}
"""
OLDER = """
timeOut: 80
project:
  - {name: first, template: t.yml, parameters: [{name: N, type: absolute, value: [1, 2]}]}
  - {name: second, template: other.yml, parameters: [{name: N, type: absolute, value: [3]}]}
"""
# In the order in which they hold nothing that another refers to.
LISTS = {Experiment: "number", Summary: "objective", Observation: "log"}


class Impatient(Gateway):
    quiet = 0.0


class Office(Desk):
    """`give` is what the gateway answers; what it raises a front end gets as an error."""

    def give(self, order: Command) -> Answer:
        return Gateway.handles[type(order)](self.gateway, order) or {}

    def restart(self) -> None:
        """As after a crash: what the gateway knew besides the store is gone."""
        self.gateway = Impatient(self.world, (), self.check_template)

    def run(self, number: int) -> Experiment:
        """One that is launched."""
        while (found := self.one(number)).launched_at is None:
            self.manager.reconcile()
            self.launcher.reconcile()
        return found

    def one(self, number: int) -> Experiment:
        return lifecycle.load(self.store, self.ids[number - 1])

    def state(self, number: int) -> State:
        return self.one(number).state

    def waiting(self) -> list[Experiment]:
        return self.store.page(Experiment, "state", (State.QUEUE,), limit=1000).records

    def project(self) -> Project | None:
        return self.store.get(Project, self.project_id)

    @property
    def project_id(self) -> str:
        return "b" * 24

    def work(self) -> None:
        """What all actors do in a few seconds."""
        for _ in range(8):
            self.time += 3.0
            self.gateway.reconcile()
            self.manager.reconcile()
            self.launcher.reconcile()
            for name in sorted(self.orchestrator.alive & self.orchestrator.stopped):
                self.orchestrator.end(name)
            while self.orchestrator.pushes:
                self.told(self.orchestrator.pushes.popleft())()

    def report(self, number: int) -> None:
        """A metric, its summary, and what a search learnt from it."""
        identity, project = self.ids[number - 1], self.project_id
        metric = Metric(experiment=identity, attempt=1, source="out", sequence=1, time=1.0, values={"accuracy": 0.5})
        self.store.append([metric])
        self.store.add([Summary(id=identity, project=project, attempt=1, objective=0.5, count=1)])
        learnt = Observation(
            id=f"{identity}-1",
            project=project,
            ordinal=number,
            experiment=identity,
            number=number,
            attempt=1,
            state=State.COMPLETED,
            objective=0.5,
            ended_at=2.0,
        )
        self.store.add([learnt])

    def left(self) -> dict[str, int]:
        """How much there is of the project, its record apart."""
        found = {
            kind.__name__: len(self.store.page(kind, index, (self.project_id,), limit=1000).records)
            for kind, index in LISTS.items()
        }
        found["Metric"] = sum(len(self.store.metrics(identity, 1).records) for identity in self.ids)
        found["Place"] = places.count_held(self.store)
        return {name: count for name, count in found.items() if count}


@contextmanager
def office(experiments: int = 4, limit: int = 2) -> Iterator[Office]:
    """With no time to wait for those who slept."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Office(SqliteStore(Path(folder) / "beagle.sqlite"), experiments, limit)
        opened.restart()
        try:
            yield opened
        finally:
            opened.close()


def everything(store: Any, *, but: tuple[type[Record], ...] = ()) -> dict[str, Record]:
    """All records of kinds that have a list of all, and every experiment."""
    found: dict[str, Record] = {}
    for kind, indexes in INDEXES.items():
        if kind in but:
            continue
        for name, index in indexes.items():
            if not index.equal and not index.where:
                found |= {f"{kind.__name__} {each.id}": each for each in store.page(kind, name, limit=1000).records}
    for state in State:
        found |= {e.id: e for e in store.page(Experiment, "state", (state,), limit=1000).records}
    for hidden in (False, True):
        found |= {p.id: p for p in store.page(Project, "all", (hidden,), limit=1000).records}
    return found
