"""A flood of metrics as clients may send it: twice, out of order, after the end, and of attempts that are long over."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from beagle import lifecycle, projects
from beagle.experiment import Claimed, Experiment, Launched, Paused
from beagle.messages import MetricsReported, Report, WorkloadEnded
from beagle.ports import Store, paged
from beagle.project import Definition
from beagle.records import Plan, Project
from beagle.space import Choice
from beagle.template import Template

PROJECT, SOURCES, ATTEMPTS = "f" * 24, ("train/out", "1.report"), 3
LARGEST, WINDOW = 40, 30
_RUNS = (Claimed(0, "here"), Launched("here", 1.0))
LIFE = ((*_RUNS, Paused("test")) * (ATTEMPTS - 1)) + _RUNS


@dataclass(frozen=True, slots=True)
class Told:
    """A metric as it is known: where it is from, and what it says."""

    experiment: str
    attempt: int
    source: str
    sequence: int
    loss: float


def prepare(store: Store, count: int) -> list[str]:
    """Experiments that run in their third attempt; their ids."""
    definition = Definition(name="flood", template="t", parameters=(Choice(name="N", values=tuple(range(count))),))
    plan = Plan(id=PROJECT, definition=definition, template=Template(filename="t", folder="/", services=()))
    project = Project(
        id=PROJECT, name="flood", digest="d", objective="loss", direction="min", pause_after_failures=0, created_at=1
    )
    projects.create(store, project, plan)
    ids = [lifecycle.experiment_id(PROJECT, number) for number in range(1, count + 1)]
    for number, identity in enumerate(ids, 1):
        queued = Experiment(
            id=identity, project=PROJECT, number=number, name=f"flood{number}", parameters={"N": number - 1},
            order=number, rank=number, created_at=1,
        )  # fmt: skip
        lifecycle.create(store, [queued])
        for event in LIFE:
            lifecycle.advance(store, lifecycle.load(store, identity), event, time.time())
    return ids


def sent(ids: list[str], count: int) -> list[Told]:
    """`count` metrics, shared out evenly."""
    streams = [(i, attempt, source) for i in ids for attempt in range(1, ATTEMPTS + 1) for source in SOURCES]
    return [Told(*streams[n % len(streams)], n // len(streams), float(n)) for n in range(count)]


def messages(told: list[Told], seed: int) -> Iterator[MetricsReported | WorkloadEnded]:
    """All of it in messages of several: one in six comes twice, neighbours change places, and one experiment in two
    ends when half of what it says is still to come."""
    chance, batches = random.Random(seed), [*_batches(told, random.Random(seed))]
    batches += chance.sample(batches, len(batches) // 6)
    batches.sort(key=lambda batch: batch[0].sequence + chance.uniform(0, WINDOW))
    ends = {identity: len(batches) // 2 for identity in sorted({each.experiment for each in told})[::2]}
    for ordinal, batch in enumerate(batches):
        for identity in [identity for identity, at in ends.items() if at == ordinal]:
            yield WorkloadEnded(experiment=identity, attempt=ATTEMPTS, status=0, ended_at=time.time())
        reports = tuple(
            Report(source=each.source, sequence=each.sequence, values={"loss": each.loss}) for each in batch
        )
        yield MetricsReported(experiment=batch[0].experiment, attempt=batch[0].attempt, reports=reports)


def _batches(told: list[Told], chance: random.Random) -> Iterator[list[Told]]:
    streams: dict[tuple[str, int], list[Told]] = {}
    for each in told:
        streams.setdefault((each.experiment, each.attempt), []).append(each)
    for stream in streams.values():
        while stream:
            size = chance.randint(1, LARGEST)
            yield stream[:size]
            del stream[:size]


def stored(store: Store, ids: list[str]) -> Counter[Told]:
    found: Counter[Told] = Counter()
    for identity in ids:
        for attempt in range(1, ATTEMPTS + 1):
            for metric in _metrics(store, identity, attempt):
                found[Told(identity, attempt, metric.source, metric.sequence, metric.values["loss"])] += 1
    return found


def _metrics(store: Store, identity: str, attempt: int):
    return paged(lambda after: store.metrics(identity, attempt, after=after, limit=1000))
