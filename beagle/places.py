"""The limit, as places: one record each, empty or holding one attempt. Only this module writes them.

A place is taken before a launch and given back after nothing of the attempt runs, each by a compare-and-set. So however
many queue managers there are, slept or doubled, no more attempts run than places are open.

Written lazily: what runs does not outlive a loss of power either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from beagle import system
from beagle.experiment import Experiment
from beagle.ports import Store, paged
from beagle.records import Place, System


def set_limit(store: Store, limit: int, order: str = "") -> System:
    """Let at most `limit` attempts run. Lowering it drains: what runs goes on, and nothing starts until fewer run.

    The records of both limits' places are there before the limit changes, closed when new: so whoever slept with an
    older limit in mind finds each of them touched by the newer one, and opens nothing.
    """
    prepare(store, max(limit, system.load(store).limit))
    after = system.set_limit(store, limit, order)
    follow(store, after)
    return after


def prepare(store: Store, count: int) -> None:
    """Make the records of the first `count` places, closed; those that exist stay as they are."""
    store.add([Place(id=f"place-{n}", number=n, open=False, of=-1) for n in range(count)], lazy=True)


def follow(store: Store, current: System) -> None:
    """Close every place that followed an older limit or running state, then open what this one allows."""
    for place in every(store):
        _close(store, place, current)
    open_up(store, current)


def open_up(store: Store, current: System) -> None:
    """Open the first places, as many as the limit leaves beside what is held behind them; again after each end.

    A closed place is taken by nobody, so what is held behind the open ones only becomes less: whoever counted it late
    opens too few, never too many. As long as one follows another limit nothing is opened: it may be open still.
    """
    found = list(every(store))
    if any(place.of != current.version for place in found):
        return
    for place in found[: _fitting(found, current.limit)]:
        if not place.open:
            store.replace(place, replace(place, version=place.version + 1, open=True), lazy=True)


def all_open(store: Store, current: System) -> bool:
    """Whether nothing drains: the last place below the limit is opened last."""
    last = store.get(Place, f"place-{current.limit - 1}")
    return current.limit == 0 or (last is not None and last.open)


def every(store: Store) -> Iterator[Place]:
    return paged(lambda after: store.page(Place, "all", after=after, limit=1000))


def free(store: Store, most: int) -> list[Place]:
    """The first open and empty places."""
    return store.page(Place, "free", (True, ""), limit=most).records


def count_held(store: Store) -> int:
    """How many hold an attempt, be it running or still being stopped."""
    return sum(1 for place in every(store) if place.experiment)


def held_by(store: Store, experiment: str) -> list[Place]:
    return store.page(Place, "holder", (experiment,), limit=10).records


def take(store: Store, place: Place, experiment: Experiment, site: str, now: float) -> Place | None:
    """The place as taken, or None when someone else was faster or it was closed meanwhile."""
    after = replace(
        place,
        version=place.version + 1,
        experiment=experiment.id,
        attempt=experiment.attempt,
        site=site,
        taken_at=now,
    )
    return after if store.replace(place, after, lazy=True) else None


def give_back(store: Store, place: Place) -> bool:
    """Empty it, unless it changed since it was read."""
    return store.replace(
        place, replace(place, version=place.version + 1, experiment="", attempt=0, site="", taken_at=None), lazy=True
    )


def _fitting(found: list[Place], limit: int) -> int:
    """The greatest number of first places that, together with those held behind them, are not over the limit."""
    held = 0
    for place in reversed(found):
        if place.number < limit - held:
            return place.number + 1
        held += bool(place.experiment)
    return 0


def _close(store: Store, place: Place | None, current: System) -> None:
    while place is not None and place.of < current.version:
        after = replace(place, version=place.version + 1, of=current.version, open=False)
        if store.replace(place, after, lazy=True):
            return
        place = store.get(Place, place.id)
