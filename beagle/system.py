"""The one system record: whether experiments may start, and how many may run. Only this module writes it."""

from __future__ import annotations

from dataclasses import replace

from beagle.ports import Store
from beagle.records import System


def load(store: Store) -> System:
    """The system; a new one is not running, and its limit is 1."""
    system = store.get(System, "system")
    if system is None:
        store.add([System()])
        return load(store)
    return system


def set_running(store: Store, *, running: bool) -> System:
    while True:
        system = load(store)
        if system.running == running:
            return system
        after = replace(system, version=system.version + 1, running=running)
        if store.replace(system, after):
            return after


def set_limit(store: Store, limit: int) -> System:
    """For `places.set_limit` alone, which makes the places follow."""
    while True:
        system = load(store)
        if system.limit == limit:
            return system
        after = replace(system, version=system.version + 1, limit=limit)
        if store.replace(system, after):
            return after
