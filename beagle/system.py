"""The one system record: whether experiments may start, and how many may run. Only this module writes it."""

from __future__ import annotations

from dataclasses import replace

from beagle.ports import Store
from beagle.records import System

# How many orders are remembered in the record itself, for the moment between their effect and their answer.
MOST_ORDERS = 16


def load(store: Store) -> System:
    """The system; a new one is not running, and its limit is 1."""
    system = store.get(System, "system")
    if system is None:
        store.add([System()])
        return load(store)
    return system


def set_running(store: Store, *, running: bool, order: str = "") -> System:
    return _change(store, order, running=running)


def set_limit(store: Store, limit: int, order: str = "") -> System:
    """For `places.set_limit` alone, which makes the places follow."""
    return _change(store, order, limit=limit)


def reset(store: Store, now: float, order: str) -> System:
    """All projects there are until now are to be deleted. The places must follow, as after every change."""
    return _change(store, order, reset_at=now)


def reset_done(store: Store, until: float) -> System:
    """That reset has hidden all that it is about. A later one stays."""
    while True:
        current = load(store)
        if current.reset_at != until:
            return current
        after = replace(current, version=current.version + 1, reset_at=0.0)
        if store.replace(current, after):
            return after


def _change(store: Store, order: str, **fields: float) -> System:
    """An order that was applied before changes nothing, nor does one that asks for what is so."""
    while True:
        current = load(store)
        if order and order in current.orders:
            return current
        orders = (*current.orders, order)[-MOST_ORDERS:] if order else current.orders
        after = replace(current, version=current.version + 1, orders=orders, **fields)  # type: ignore[arg-type]
        if replace(after, version=current.version, orders=current.orders) == current:
            return current
        if store.replace(current, after):
            return after
