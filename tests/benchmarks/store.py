"""What the store takes with a million experiments waiting, as a ratio to the same with a thousand.

The two stores take turns, so that what else the machine does slows both alike; of each the median counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from beagle.experiment import Claimed, Experiment, State, transition
from beagle.ports import Store
from beagle.stores.sqlite import SqliteStore

WAITING = "a" * 24  # the project that has all the experiments
RUNNING = "b" * 24  # one with just enough, while the other is paused
BATCH = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds for one of each, the median of all rounds; `claimed` is how many claims were won."""

    waiting: int
    claim: float
    claim_beside: float
    page: float
    counts: float
    counts_of_one: float
    claimed: int


def fill(store: Store, project: str, count: int) -> None:
    """Queue `count` experiments."""
    for first in range(1, count + 1, BATCH):
        store.add([_experiment(project, number) for number in range(first, min(first + BATCH, count + 1))])


def compare(
    folder: Path, *, small: int = 1_000, large: int = 1_000_000, rounds: int = 200
) -> tuple[Measured, Measured]:
    """Both sizes, measured in turns. At most half of `small` rounds: each claims one experiment of either project."""
    stores = [SqliteStore(folder / f"{name}.sqlite") for name in ("small", "large")]
    try:
        steps = []
        for store, count in zip(stores, (small, large), strict=True):
            fill(store, WAITING, count)
            fill(store, RUNNING, rounds)
            steps.append(_steps(store, count))
        times = _take_turns(steps, rounds)
        return (_measured(stores[0], small, times[0]), _measured(stores[1], large, times[1]))
    finally:
        for store in stores:
            store.close()


def ratios(small: Measured, large: Measured) -> dict[str, float]:
    """How many times as long each takes in the large store."""
    names = ("claim", "claim_beside", "page", "counts", "counts_of_one")
    return {name: getattr(large, name) / getattr(small, name) for name in names}


def _experiment(project: str, number: int) -> Experiment:
    return Experiment(
        # Ids are digests, so they come in no order; a multiplication by an odd number scatters them as well.
        id=f"{project[0]}{number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**92:023x}",
        project=project,
        number=number,
        name=f"digits model {number}",
        parameters={"LEARNING_RATE": 0.001 * number, "EPOCHS": 4, "LAYERS": "20,50"},
        timeout=80.0,
        accuracy_limit=0.98,
        order=1_700_000_000_000_000 + number,
        rank=1_700_000_000_000_000 + number,
        created_at=1_700_000_000.0,
    )


def _steps(store: Store, count: int) -> dict[str, Callable[[], object]]:
    queue = (WAITING, State.QUEUE)
    page = store.page(Experiment, "queue", queue, limit=max(1, min(BATCH, count // 2)))
    for _ in range(count // 2 // BATCH - 1):
        page = store.page(Experiment, "queue", queue, limit=BATCH, after=page.next)
    return {
        "claim": lambda: _claim(store, WAITING),
        "claim_beside": lambda: _claim(store, RUNNING),
        "page": lambda: store.page(Experiment, "queue", queue, after=page.next, limit=100),
        "counts": store.counts,
        "counts_of_one": lambda: store.counts(WAITING),
    }


def _claim(store: Store, project: str) -> None:
    (first,) = store.page(Experiment, "queue", (project, State.QUEUE), limit=1).records
    store.replace(first, transition(first, Claimed(1, "local"), 1_700_000_001.0))


def _take_turns(steps: list[dict[str, Callable[[], object]]], rounds: int) -> list[dict[str, float]]:
    times: list[dict[str, list[float]]] = [{name: [] for name in each} for each in steps]
    pairs = list(zip(steps, times, strict=True))
    for _ in range(rounds):
        # Whoever is first after another kind of step finds the processor's caches cold: each is it as often.
        pairs.reverse()
        for name in steps[0]:
            for step, spent in pairs:
                started = perf_counter()
                step[name]()
                spent[name].append(perf_counter() - started)
    return [{name: median(all_of_it) for name, all_of_it in spent.items()} for spent in times]


def _measured(store: Store, waiting: int, times: dict[str, float]) -> Measured:
    return Measured(waiting=waiting, claimed=store.counts()[State.POOL], **times)
