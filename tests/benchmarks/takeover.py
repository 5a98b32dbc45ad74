"""How long until another process does what one did that was killed, for each kind of actor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actors.main import BusSession
from beagle.commands import SetLimit, ShowSystem, StartSystem, StopExperiment
from beagle.errors import BeagleError
from beagle.experiment import Experiment, State
from beagle.members import shares, winner
from beagle.ports import paged
from beagle.records import Member, Observation
from beagle.settings import Settings
from bus.routes import METRIC_QUEUES, shard
from tests.benchmarks import embedded
from tests.benchmarks.apart import Stage, servers, until
from tests.benchmarks.feeder import Feeder
from tests.benchmarks.result import Count, Figure, Result, Verdict, percentile
from tests.journeys.apart import KINDS, Actor

MOST = 5.0
WAITING, RUNNING = 500, 4
# Seconds until all know of a new one, and who has what is settled.
SETTLED_AFTER = 2.5


class Doubles:
    """Two processes of each kind, and a system in which experiments run and others wait."""

    def __init__(self, stage: Stage, session: BusSession, folder: Path) -> None:
        self._stage, self._session, self._store = stage, session, stage.store
        self._actors: dict[str, Actor] = {}
        for _ in range(2):
            self._start(*KINDS)
        self._limit = RUNNING
        self._session.ask(SetLimit(limit=self._limit))
        order = embedded.order(folder, ("sleep", "600"), WAITING, {}, {})
        self._project = self._session.ask(order)["projects"][0]["id"]
        self._session.ask(StartSystem())
        until(lambda: len(self._running()) == self._limit)
        self._feeder = Feeder(stage.metrics)
        self._told = 0

    def lose(self, kind: str) -> float:
        """Kill the one that is at work; the seconds until the other is. Then there are two again."""
        victim, is_done = getattr(self, f"_{kind.replace('-', '_')}")()
        killed = time.perf_counter()
        actor = self._actors.pop(victim)
        actor.process.kill()
        actor.process.wait()
        seconds = until(is_done()) - killed
        until(lambda: self._store.get(Member, victim) is None or self._forget(victim))
        self._start(kind)
        return seconds

    # Who is at work, and by what the next one is seen

    def _queue_manager(self) -> tuple[str, Callable[[], Callable[[], bool]]]:
        def more() -> Callable[[], bool]:
            self._limit += 1
            self._session.ask(SetLimit(limit=self._limit))
            return lambda: self._store.counts(self._project)[State.POOL] >= self._limit

        return self._winner("queue_manager", "queue_manager"), more

    def _heuristic(self) -> tuple[str, Callable[[], Callable[[], bool]]]:
        def end() -> Callable[[], bool]:
            before = self._observed()
            self._session.ask(StopExperiment(experiment=self._running()[0].id))
            return lambda: self._observed() > before

        return self._winner("heuristic", self._project), end

    def _monitor(self) -> tuple[str, Callable[[], Callable[[], bool]]]:
        experiment = self._running()[0].id
        queue = f"metrics.{shard(experiment)}"

        def say() -> Callable[[], bool]:
            self._told += 1
            self._feeder.publish(experiment, self._told, b"accuracy=0.5", "takeover")
            self._feeder.flush()
            return lambda: any(
                metric.source.endswith("takeover") and metric.sequence == self._told
                for metric in paged(lambda after: self._store.metrics(experiment, 1, after=after))
            )

        return shares(METRIC_QUEUES, self._members("monitor"))[queue], say

    def _launcher(self) -> tuple[str, Callable[[], Callable[[], bool]]]:
        victim = next(each.watcher for each in self._running() if each.watcher)
        return victim, lambda: lambda: victim not in {each.watcher for each in self._running()}

    def _gateway(self) -> tuple[str, Callable[[], Callable[[], bool]]]:
        def answers() -> bool:
            with suppress(BeagleError):
                return bool(self._session.ask(ShowSystem(), timeout=1))
            return False

        return self._members("gateway")[0], lambda: answers

    # What there is

    def _start(self, *kinds: str) -> None:
        known = {name for kind in kinds for name in self._members(kind)}
        for kind, actor in self._stage.apart.start_each(kinds).items():
            until(lambda kind=kind: {*self._members(kind)} - known)  # type: ignore[misc]
            (name,) = {*self._members(kind)} - known
            self._actors[name] = actor
        time.sleep(SETTLED_AFTER)

    def _forget(self, victim: str) -> bool:
        self._store.remove(Member, [victim])
        return True

    def _members(self, kind: str) -> list[str]:
        found = paged(lambda after: self._store.page(Member, "all", after=after))
        return [member.id for member in found if member.kind == kind.replace("-", "_")]

    def _winner(self, kind: str, duty: str) -> str:
        return str(winner(duty, self._members(kind)))

    def _running(self) -> list[Experiment]:
        found = paged(lambda after: self._store.page(Experiment, "state", (State.POOL,), after=after))
        return [experiment for experiment in found if experiment.launched_at is not None]

    def _observed(self) -> int:
        return sum(1 for _ in paged(lambda after: self._store.page(Observation, "log", (self._project,), after=after)))


@contextmanager
def _doubles(folder: Path) -> Iterator[Doubles]:
    with servers(folder / "servers") as both, both.stage(folder / "apart") as stage:
        session = BusSession(Settings(bus=stage.main, metrics_bus=stage.metrics, store=stage.database))
        try:
            yield Doubles(stage, session, folder / "apart")
        finally:
            session.close()


def measure(folder: Path, *, count: int = 20, kinds: tuple[str, ...] = KINDS) -> Result:
    """Each kind so many times, in turns."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with _doubles(folder) as doubles:
        for _ in range(count):
            for kind in kinds:
                times[kind].append(doubles.lose(kind))
    return Result(
        name="takeover",
        measured=(
            f"Of two processes of each actor the one at work is killed with SIGKILL, {count} times each: until the "
            "next claim of the queue manager, the next observation of the heuristic, the next metric stored by the "
            "monitor, the adoption of all that the launcher watched, the next answer of the gateway."
        ),
        verdicts=[
            Verdict(what=f"p99, {kind}", unit=" s", most=MOST, values=[percentile(times[kind], 99)]) for kind in kinds
        ],
        figures=[Figure(what=f"{kind}: p50", unit="s", values=[percentile(times[kind], 50)]) for kind in kinds],
        counts=[Count(what=f"{kind} taken over", found=len(times[kind]), expected=count) for kind in kinds],
        limits=(
            "One is taken for dead at the third look, a second apart, that finds its record unchanged; then the other "
            "takes its share and reads what there is."
        ),
    )
