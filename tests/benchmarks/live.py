"""Many live monitors in this process, fed over the bus; then the same metrics put into that store with no actors."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pykka import ActorRegistry

from actors.base import World
from actors.clock import Clock
from actors.monitor import Monitor
from actors.watch import ExperimentMonitor
from beagle import lifecycle
from beagle.errors import Full
from beagle.messages import MetricsReported, Report
from beagle.projects import Plans
from beagle.records import Metric
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import SHARDS, bindings
from tests.benchmarks.child import Found, serve
from tests.benchmarks.running import PROJECT, SITE, launched

BATCH = 1000
LONGEST = 120.0


def run(folder: str, monitors: int, metrics: int, patience: float) -> Found:
    """`monitors` experiments run, and report `metrics` in all, one in a message, each in its turn.

    What is not stored after `patience` seconds is left: then nothing is stopped in an orderly way.
    """
    place = Path(folder)
    place.mkdir(parents=True)
    store = SqliteStore(place / "beagle.sqlite")
    running = launched(store, monitors)
    bus = MemoryBus(bindings(SITE))
    world = World(store=store, bus=bus, clock=Clock(), site=SITE, plans=Plans(store))
    # First, and as attempt 2, so that none is a repeat.
    bare_seconds = _insert(store, running, metrics)
    before, threads = _resident_mib(), threading.active_count()
    started = time.perf_counter()
    host = Monitor.start(world, tuple(f"metrics.{shard}" for shard in range(SHARDS)))
    _until(lambda: _watching() >= monitors, LONGEST)
    created, idle = time.perf_counter() - started, _resident_mib()
    started = time.perf_counter()
    feeder = threading.Thread(target=_publish, args=(bus, running, metrics), daemon=True)
    feeder.start()
    drained = _until(lambda: not feeder.is_alive() and bus.is_quiet(), patience)
    found = {
        "seconds": time.perf_counter() - started,
        "drained": drained,
        "created": created,
        "actors": _watching(),
        "threads": threading.active_count() - threads - feeder.is_alive(),
        "idle_mib": idle - before,
        "fed_mib": _resident_mib() - before,
        "bare_seconds": bare_seconds,
    }
    if drained:
        host.stop()
        world.clock.close()
        bus.close()
        store.close()
    return found


def stored(folder: Path, monitors: int, attempt: int) -> int:
    """How many metrics of all experiments the store in `folder` has: 1 is the fed attempt, 2 the bare one."""
    store = SqliteStore(folder / "beagle.sqlite")
    try:
        ids = [lifecycle.experiment_id(PROJECT, number) for number in range(1, monitors + 1)]
        return sum(_count(store, each, attempt) for each in ids)
    finally:
        store.close()


def _count(store: SqliteStore, experiment: str, attempt: int) -> int:
    count, after = 0, None
    while True:
        page = store.metrics(experiment, attempt, after=after, limit=10_000)
        count, after = count + len(page.records), page.next
        if after is None:
            return count


def _reports(running: list[str], metrics: int) -> Iterator[tuple[str, Report]]:
    """The generator: round after round, so that every monitor is always fed."""
    for number in range(metrics):
        turn, which = divmod(number, len(running))
        yield (
            running[which],
            Report(source="train/out", sequence=turn * 40, values={"accuracy": 0.5, "loss": 1.5}, step=turn),
        )


def _publish(bus: MemoryBus, running: list[str], metrics: int) -> None:
    for experiment, report in _reports(running, metrics):
        message = MetricsReported(experiment=experiment, attempt=1, reports=(report,))
        while True:
            try:
                bus.publish(message)
                break
            except Full:
                time.sleep(0.01)


def _insert(store: SqliteStore, running: list[str], metrics: int) -> float:
    """Bare: no bus, no actors, as many in a transaction as is good for the store."""
    now = time.time()
    started = time.perf_counter()
    batch: list[Metric] = []
    for experiment, report in _reports(running, metrics):
        batch.append(
            Metric(
                experiment=experiment,
                attempt=2,
                source=report.source,
                sequence=report.sequence,
                time=now,
                values=report.values,
                step=report.step,
            )
        )
        if len(batch) == BATCH:
            store.append(batch, lazy=True)
            batch = []
    if batch:
        store.append(batch, lazy=True)
    return time.perf_counter() - started


def _watching() -> int:
    """How many monitors have read what is stored of their experiment, and wait for its deadline."""
    monitors = [ref._actor_weakref() for ref in ActorRegistry.get_by_class(ExperimentMonitor)]
    return sum(monitor is not None and monitor._due < math.inf for monitor in monitors)


def _until(look: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    serve(run)
    # Threads that are still busy would keep the interpreter from ending.
    sys.stdout.flush()
    os._exit(0)
