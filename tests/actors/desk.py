"""A whole scheduler on a desk: a real store, the actors' own code, and somebody who decides who is awake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from actors.base import World
from actors.clock import Clock
from actors.gateway import Gateway
from actors.launcher import Launcher
from actors.queue_manager import QueueManager
from beagle import lifecycle, places, plugins, projects, system
from beagle.experiment import FINAL, Completed, Event, Experiment, State, queue_order
from beagle.messages import WorkloadEnded, decode
from beagle.ports import Ended, Store
from beagle.records import Place, System
from beagle.settings import Settings
from beagle.template import Template, attempt_of, workload_name
from bus.memory import MemoryBus
from bus.port import Delivery
from bus.routes import SHARDS, bindings
from tests.actors.paper import PaperOrchestrator
from tests.actors.sleepers import Gated, Sleeper
from tests.contracts.records import PROJECT, plan, project

Held = tuple[str, int]


class Desk:
    """`store` is read without sleeping; the actors' own goes through the gate."""

    def __init__(self, store: Store, experiments: int = 4, limit: int = 2) -> None:
        self.store = store
        self.time = 1_800_000_000.0
        self.orchestrator = PaperOrchestrator(self.now)
        bus = MemoryBus(bindings("local"))
        self.world = World(
            store=Gated(self.store),
            bus=bus,
            clock=Clock(),
            site="local",
            plans=projects.Plans(self.store),
            now=self.now,
        )
        # Attempts whose ending their monitor has not taken yet: they wait in its queue.
        self.unheard: list[Held] = []
        for shard in range(SHARDS):
            bus.consume(f"metrics.{shard}", self._hear, prefetch=1000)
        self.manager, self.gateway = QueueManager(self.world), Gateway(self.world, (), self.check_template)
        self.restart_launcher()
        # The limit by the system record's version; a place that nobody opened yet is of version -1.
        self.limits: dict[int, int] = {-1: 0}
        self.followed = 0
        self._seen: dict[str, Place] = {}
        self._fill(experiments, limit)

    def now(self) -> float:
        return self.time

    def check_template(self, template: Template) -> list[str]:
        return plugins.refusals(template, Settings()) + self.orchestrator.check(template)

    def close(self) -> None:
        self.world.clock.close()
        self.world.bus.close()
        self.store.close()

    def _fill(self, count: int, limit: int) -> None:
        projects.create(
            self.store, replace(project(1), id=PROJECT, pause_after_failures=0), replace(plan(), id=PROJECT)
        )
        found = [self._experiment(number) for number in range(1, count + 1)]
        self.ids = [experiment.id for experiment in found]
        lifecycle.create(self.store, found)
        self._open(limit)
        self.check()

    def _open(self, limit: int) -> None:
        self._remember()
        self.note(places.set_limit(self.store, limit))
        self._remember()
        system.set_running(self.store, running=True)

    def _remember(self) -> None:
        current = system.load(self.store)
        self.limits[current.version] = current.limit

    def _experiment(self, number: int) -> Experiment:
        order = queue_order(self.time, number)
        return Experiment(
            id=lifecycle.experiment_id(PROJECT, number),
            project=PROJECT,
            number=number,
            name=f"digitsmodel{number}",
            parameters={},
            order=order,
            rank=order,
            created_at=self.time,
        )

    def _hear(self, delivery: Delivery) -> None:
        message = decode(delivery.body)
        if isinstance(message, WorkloadEnded):
            self.unheard.append((message.experiment, message.attempt))
        delivery.ack()

    # Who does something

    def restart_launcher(self) -> None:
        """What the last one knew, and what was about to be told it, is lost."""
        self.launcher = Launcher(self.world, (), self.orchestrator)
        self.orchestrator.pushes.clear()

    def resize(self, limit: int) -> System:
        return places.set_limit(self.world.store, limit)

    def note(self, result: object) -> None:
        """Of a resize that has come to its end: no older limit counts any more."""
        if isinstance(result, System):
            self.followed = max(self.followed, result.version)

    def told(self, ended: Ended) -> Callable[[], None]:
        """The end of an attempt as the launcher takes it; its monitor hears of it too."""
        self.unheard.append(attempt_of(ended.workload))
        return lambda: self.launcher.on_told(ended)

    def judge(self, held: Held, event: Event) -> None:
        """As the monitor does."""
        identity, attempt = held
        experiment = lifecycle.load(self.world.store, identity)
        if lifecycle.runs(experiment, attempt):
            step = lifecycle.advance(self.world.store, experiment, event, self.now())
            self.manager.announce(step)

    # What there is

    def experiments(self) -> list[Experiment]:
        return [lifecycle.load(self.store, identity) for identity in self.ids]

    def pool(self) -> list[Experiment]:
        return [e for e in self.experiments() if e.state is State.POOL]

    def places(self) -> list[Place]:
        return list(places.every(self.store))

    # What must hold

    def check(self) -> None:
        """At every moment, whoever sleeps."""
        self._remember()
        found, alive = self.places(), self.orchestrator.alive
        pool = {(e.place, workload_name(e.id, e.attempt)) for e in self.pool()}
        held = {(p.number, workload_name(p.experiment, p.attempt)) for p in found if p.experiment}
        in_force = max(limit for version, limit in self.limits.items() if version >= self.followed)
        assert sum(p.open for p in found) <= in_force, "more places are open than any limit in force"
        assert alive <= {name for _, name in held}, "something runs without a place"
        assert pool <= held, "one in the pool does not hold its place"
        may_run = alive | {name for _, name in pool}
        assert len(may_run) <= sum(p.open or bool(p.experiment) for p in found), "more may run than there are places"
        assert len({attempt_of(name)[0] for name in alive}) == len(alive), "two attempts of one experiment run"
        self._check_taken(found, in_force)

    def _check_taken(self, found: list[Place], in_force: int) -> None:
        for place in found:
            before = self._seen.get(place.id, place)
            taken = place.experiment and (before.experiment, before.attempt) != (place.experiment, place.attempt)
            if taken:
                assert place.number < max(self.limits[p.of] for p in (before, place)), "taken over the limit"
                assert sum(bool(p.experiment) for p in found) <= in_force, (
                    "taken while more drain than the limit leaves"
                )
        self._seen = {place.id: place for place in found}

    def finish(self, limit: int = 2) -> None:
        """Nothing is lost: once all are awake, what waits is claimed, runs and ends."""
        self._open(limit)
        for _ in range(8 * len(self.ids)):
            self.time += 3.0
            self._round()
        assert {e.state for e in self.experiments()} <= FINAL, "something was lost"
        assert not self.orchestrator.alive
        assert self.orchestrator.list() == []
        assert [p.experiment for p in self.places() if p.experiment] == [], "a place was lost"
        assert sum(p.open for p in self.places()) == limit, "a place stayed closed or open"

    def _round(self) -> None:
        for work in (self.manager.reconcile, self.launcher.reconcile):
            Sleeper(work).finish()
            self.check()
        for name in sorted(self.orchestrator.alive):
            self.orchestrator.end(name)
        while self.orchestrator.pushes:
            self.told(self.orchestrator.pushes.popleft())()
        while self.unheard:
            self.judge(self.unheard.pop(), Completed("it exited with status 0", 0))
        self.check()
