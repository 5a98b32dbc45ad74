"""One running experiment on a real store, and a monitor to whom everything is told over the in-memory bus."""

from __future__ import annotations

import time

from actors.base import World
from actors.clock import Clock
from actors.monitor import Monitor
from beagle import lifecycle, projects
from beagle.experiment import Claimed, Experiment, Launched
from beagle.messages import MetricsReported, Report, WorkloadEnded, WorkloadLaunched
from beagle.project import Definition
from beagle.records import Plan, Project
from beagle.space import Choice
from beagle.stores.sqlite import SqliteStore
from beagle.template import Template
from bus.memory import MemoryBus
from bus.routes import SHARDS, bindings
from tests.journeys.beagle_run import eventually

QUEUES = (*(f"metrics.{shard}" for shard in range(SHARDS)), "events.monitor")
ID = lifecycle.experiment_id("p", 1)


class Bench:
    """One running experiment with a limit of 0.9 and a timeout of a minute, and a monitor."""

    def __init__(self, folder, **of_world) -> None:
        self.store, self.bus, self.clock = SqliteStore(folder / "beagle.sqlite"), MemoryBus(bindings("here")), Clock()
        self.world = World(
            store=self.store, bus=self.bus, clock=self.clock, site="here", plans=projects.Plans(self.store), **of_world
        )
        definition = Definition(name="p", template="t", parameters=(Choice(name="N", values=(1,)),), accuracy_limit=0.9)
        plan = Plan(id="p", definition=definition, template=Template(filename="t", folder="/", services=()))
        project = Project(
            id="p", name="p", digest="d", objective="accuracy", direction="max", pause_after_failures=5, created_at=1
        )
        projects.create(self.store, project, plan)
        queued = Experiment(
            id=ID,
            project="p",
            number=1,
            name="pmodel1",
            parameters={"N": 1},
            timeout=60,
            accuracy_limit=0.9,
            order=1,
            rank=1,
            created_at=1,
        )
        lifecycle.create(self.store, [queued])
        self.run()
        self.monitor = Monitor.start(self.world, QUEUES)

    def run(self) -> None:
        self.advance(Claimed(0, "local"))
        self.advance(Launched("here", time.time()))

    def unacknowledged(self) -> int:
        """How many messages of metrics and endings were handed to the monitor and are not done with."""
        metrics = [queue for queue in self.bus._queues.all() if queue.name.startswith("metrics.")]
        return sum(len(consumer.unacknowledged) for queue in metrics for consumer in queue.consumers)

    def advance(self, event) -> None:
        lifecycle.advance(self.store, self.experiment(), event, time.time())

    def experiment(self) -> Experiment:
        return lifecycle.load(self.store, ID)

    def state(self) -> str:
        return self.experiment().state

    def launched(self, attempt=1, *, fresh=True) -> None:
        self.bus.publish(WorkloadLaunched(experiment=ID, attempt=attempt, site="here", at=time.time(), fresh=fresh))

    def report(self, sequence, attempt=1, source="train/out", *, completed=False, **values) -> None:
        report = Report(source=source, sequence=sequence, values=values, completed=completed)
        self.bus.publish(MetricsReported(experiment=ID, attempt=attempt, reports=(report,)))

    def end(self, status, attempt=1) -> None:
        self.bus.publish(WorkloadEnded(experiment=ID, attempt=attempt, status=status, ended_at=time.time()))

    def stored(self, attempt=1) -> list[dict[str, float]]:
        return [metric.values for metric in self.store.metrics(ID, attempt).records]

    def wait(self, state) -> None:
        eventually(lambda: self.state() == state, seconds=10)

    def close(self) -> None:
        self.monitor.stop()
        self.clock.close()
        self.bus.close()
        self.store.close()
