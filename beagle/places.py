"""The limit, as places: one record each, empty or holding one attempt. Only this module writes them.

A place is taken before a launch and given back after nothing of the attempt runs, each by a compare-and-set. So however
many queue managers there are, slept or doubled, no more attempts run than places are open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from beagle.ports import Store
from beagle.records import Place, System


def resize(store: Store, system: System) -> None:
    """Open the places below the limit and close the others. A place that is closed while held stays held (it drains).

    Each place keeps the version of the system record it follows: whoever read an older limit, and slept, writes nothing.
    """
    known = {place.number: place for place in every(store)}
    missing = [n for n in range(system.limit) if n not in known]
    store.add([Place(id=f"place-{n}", number=n, open=True, of=system.version) for n in missing])
    for place in known.values():
        _follow(store, place, system)


def every(store: Store) -> Iterator[Place]:
    after = None
    while True:
        page = store.page(Place, "all", after=after, limit=1000)
        yield from page.records
        if page.next is None:
            return
        after = page.next


def free(store: Store) -> Place | None:
    """The first open and empty place."""
    page = store.page(Place, "free", (True, ""), limit=1)
    return page.records[0] if page.records else None


def held_by(store: Store, experiment: str) -> list[Place]:
    return store.page(Place, "holder", (experiment,), limit=10).records


def take(store: Store, place: Place, experiment: str, attempt: int, now: float) -> Place | None:
    """The place as taken, or None when someone else was faster or it was closed meanwhile."""
    after = replace(place, version=place.version + 1, experiment=experiment, attempt=attempt, taken_at=now)
    return after if store.replace(place, after) else None


def give_back(store: Store, place: Place) -> bool:
    """Empty it, unless it changed since it was read."""
    return store.replace(place, replace(place, version=place.version + 1, experiment="", attempt=0, taken_at=None))


def _follow(store: Store, place: Place | None, system: System) -> None:
    while place is not None and place.of < system.version:
        after = replace(place, version=place.version + 1, of=system.version, open=place.number < system.limit)
        if store.replace(place, after):
            return
        place = store.get(Place, place.id)
