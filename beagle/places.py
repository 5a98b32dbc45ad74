"""The limit, as places: one record each, empty or holding one attempt. Only this module writes them.

A place is taken before a launch and given back after nothing of the attempt runs, each by a compare-and-set. So however
many queue managers there are, slept or doubled, no more attempts run than places are open.

Written lazily: what runs does not outlive a loss of power either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from beagle import system
from beagle.ports import Store
from beagle.records import Place, System


def set_limit(store: Store, limit: int) -> System:
    """Let at most `limit` attempts run. Lowering it drains: a place that is closed while held stays held.

    The records of both limits' places are there before the limit changes, closed when new: so whoever slept with an
    older limit in mind finds each of them touched by the newer one, and opens nothing.
    """
    prepare(store, max(limit, system.load(store).limit))
    after = system.set_limit(store, limit)
    follow(store, after)
    return after


def prepare(store: Store, count: int) -> None:
    """Make the records of the first `count` places, closed; those that exist stay as they are."""
    store.add([Place(id=f"place-{n}", number=n, open=False, of=-1) for n in range(count)], lazy=True)


def follow(store: Store, current: System) -> None:
    """Open the places below the limit and close the others, unless they follow this or a newer limit already."""
    for place in every(store):
        _follow(store, place, current)


def every(store: Store) -> Iterator[Place]:
    after = None
    while True:
        page = store.page(Place, "all", after=after, limit=1000)
        yield from page.records
        if page.next is None:
            return
        after = page.next


def free(store: Store, most: int) -> list[Place]:
    """The first open and empty places."""
    return store.page(Place, "free", (True, ""), limit=most).records


def held_by(store: Store, experiment: str) -> list[Place]:
    return store.page(Place, "holder", (experiment,), limit=10).records


def take(store: Store, place: Place, experiment: str, attempt: int, now: float) -> Place | None:
    """The place as taken, or None when someone else was faster or it was closed meanwhile."""
    after = replace(place, version=place.version + 1, experiment=experiment, attempt=attempt, taken_at=now)
    return after if store.replace(place, after, lazy=True) else None


def give_back(store: Store, place: Place) -> bool:
    """Empty it, unless it changed since it was read."""
    return store.replace(
        place, replace(place, version=place.version + 1, experiment="", attempt=0, taken_at=None), lazy=True
    )


def _follow(store: Store, place: Place | None, current: System) -> None:
    while place is not None and place.of < current.version:
        after = replace(place, version=place.version + 1, of=current.version, open=place.number < current.limit)
        if store.replace(place, after, lazy=True):
            return
        place = store.get(Place, place.id)
