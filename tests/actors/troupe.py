"""Any number of replicas of each actor over one store and one bus. Each can leave, be killed, sleep and wake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from actors.base import World
from actors.clock import Clock
from actors.main import Ensemble
from beagle import lifecycle, places, projects, system
from beagle.errors import Unavailable
from beagle.experiment import Experiment
from beagle.members import Members, joining
from beagle.records import Place, Plan, Project
from beagle.space import Int
from beagle.stores.sqlite import SqliteStore
from beagle.template import Service, Template
from bus.memory import MemoryBus
from bus.port import Consumer, Delivery
from bus.routes import METRIC_QUEUES, bindings
from tests.actors.engine import Engine
from tests.contracts.records import plan, project

PROJECT = "c" * 24
SITES = ("here", "there")


class Life:
    """Of one process: it goes on, stands still, or is over."""

    def __init__(self) -> None:
        self._awake = threading.Event()
        self._awake.set()
        self.over = False

    def sleep(self) -> None:
        self._awake.clear()

    def wake(self) -> None:
        self._awake.set()

    def end(self) -> None:
        self.over = True
        self._awake.set()

    def breathe(self) -> None:
        """In any of its threads, before it does anything that others could see."""
        self._awake.wait()
        if self.over:
            raise Unavailable("this process was killed")


class Mortal:
    """A store, bus or orchestrator as one process has it: nothing happens while that sleeps, or after its end."""

    def __init__(self, life: Life, whole: Any) -> None:
        self._life, self._whole = life, whole

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._whole, name)
        if not callable(operation) or name == "close":
            return operation

        def alive(*args: Any, **options: Any) -> Any:
            self._life.breathe()
            return operation(*args, **options)

        return alive


class MortalBus(Mortal):
    """Its consumers go with its process, as a broker closes those of a connection that broke."""

    def __init__(self, life: Life, whole: Any) -> None:
        super().__init__(life, whole)
        self.consumers: list[Consumer] = []

    def consume(self, queue: str, deliver: Callable[[Delivery], None], *, prefetch: int) -> Consumer:
        self._life.breathe()
        self.consumers.append(self._whole.consume(queue, deliver, prefetch=prefetch))
        return self.consumers[-1]

    def close(self) -> None: ...


class Greedy(Members):
    """Believes to be the one to do everything, whoever else lives."""

    def mine(self, duty: str) -> bool:
        return True

    def share(self, duties: Sequence[str]) -> frozenset[str]:
        return frozenset(duties)


class Replica:
    def __init__(self, troupe: Troupe, kind: str, site: str, *, greedy: bool = False) -> None:
        self.kind, self.life = kind, Life()
        store: Any = Mortal(self.life, troupe.store)
        self.bus: Any = MortalBus(self.life, troupe.bus)
        self.world = World(
            store=store,
            bus=self.bus,
            clock=Clock(),
            site=site,
            plans=projects.Plans(troupe.store),
            membership=partial(Greedy, store) if greedy else joining(store),
        )
        orchestrator: Any = Mortal(self.life, troupe.engines[site].handle()) if kind == "launcher" else None
        self.ensemble = Ensemble(self.world, orchestrator, kinds=(kind,))
        self.ensemble.start()
        self.ref = self.ensemble._actors[0]
        self.actor: Any = self.ref._actor_weakref()

    @property
    def name(self) -> str:
        return str(self.actor.membership.name)

    def leave(self) -> None:
        self.ref.stop()
        self.world.clock.close()

    def kill(self) -> None:
        """No word to anybody: the broker notices, nobody else does."""
        self.life.end()
        for consumer in list(self.bus.consumers):
            consumer.close()
        if self.kind == "launcher":
            self.actor.reporter.close()  # it tries for as long as its process lives
        self.ref.stop(block=False)
        self.world.clock.close()

    def sleep(self) -> None:
        self.life.sleep()

    def wake(self) -> None:
        self.life.wake()


class Troupe:
    def __init__(self, folder: Path, *, lasts: float | None = None) -> None:
        self.store = SqliteStore(folder / "beagle.sqlite")
        self.bus = MemoryBus({name: binding for site in SITES for name, binding in bindings(site).items()})
        self.engines = {site: Engine(site, lasts) for site in SITES}
        for engine in self.engines.values():
            engine.all = tuple(self.engines.values())
        self.replicas: list[Replica] = []

    def join(self, kind: str, site: str = "here", *, greedy: bool = False) -> Replica:
        self.replicas.append(Replica(self, kind, site, greedy=greedy))
        return self.replicas[-1]

    def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        for replica in self.replicas:
            replica.ref.actor_stopped.wait(10)
        self.bus.close()
        self.store.close()

    # What there is to do

    def submit(self, count: int, limit: int = 4, identity: str = PROJECT, **fields: Any) -> None:
        """A grid of so many experiments, and a system that runs."""
        made: Project = replace(project(1), id=identity, planned=count, pause_after_failures=0, created_at=time.time())
        service = Service(name="main", command=("true",), environment={"N": "0"}, working_dir="/", main=True)
        wanted: Plan = plan()
        definition = replace(
            wanted.definition, parameters=(Int(name="N", low=1, high=count),), heuristic="grid", settings={}, **fields
        )
        template = Template(filename="t.yml", folder="/", services=(service,))
        projects.create(self.store, made, Plan(id=identity, definition=definition, template=template))
        places.set_limit(self.store, limit)
        system.set_running(self.store, running=True)

    # What there is

    def experiment(self, number: int = 1, identity: str = PROJECT) -> Experiment:
        return lifecycle.load(self.store, lifecycle.experiment_id(identity, number))

    def experiments(self, count: int, identity: str = PROJECT) -> list[Experiment | None]:
        ids = [lifecycle.experiment_id(identity, number) for number in range(1, count + 1)]
        return [self.store.get(Experiment, each) for each in ids]

    def states(self, count: int, identity: str = PROJECT) -> set[str]:
        return {"none" if each is None else each.state.value for each in self.experiments(count, identity)}

    def held(self) -> list[Place]:
        return [place for place in places.every(self.store) if place.experiment]

    def shards(self) -> dict[str, list[str]]:
        """By whom each metric queue is consumed."""
        monitors = [r for r in self.replicas if r.kind == "monitor" and not r.life.over]
        return {queue: [r.name for r in monitors if queue in r.actor.duties] for queue in METRIC_QUEUES}
