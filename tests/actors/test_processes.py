"""How an actor process begins and ends: patient with what is away, in order at a signal, and never for ever."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import pytest

from actors import processes
from actors.base import Handlers, World
from actors.clock import Clock
from actors.gateway import Gateway
from actors.main import Cast, Ensemble
from actors.processes import _patiently
from beagle.commands import ShowSystem, StartSystem
from beagle.errors import Unavailable
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.journeys.beagle_run import eventually


class Slow(Gateway):
    """Handles a message only when it is let."""

    begun: ClassVar[list[str]] = []
    done: ClassVar[list[str]] = []
    go: ClassVar[threading.Event] = threading.Event()

    def on_any(self, message):
        self.begun.append(message.id)
        self.go.wait(30)
        self.done.append(message.id)
        return {}

    handles: ClassVar[Handlers] = {ShowSystem: on_any, StartSystem: on_any}


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """An ensemble of one slow gateway, and its bus."""
    monkeypatch.setattr(Slow, "begun", [])
    monkeypatch.setattr(Slow, "done", [])
    monkeypatch.setattr(Slow, "go", threading.Event())
    store, bus = SqliteStore(tmp_path / "beagle.sqlite"), MemoryBus(bindings("here"))
    world = World(store=store, bus=bus, clock=Clock(), site="here", plans=Plans(store))
    ensemble = Ensemble(world, None, ("gateway",), cast=Cast(gateway=Slow))
    ensemble.start()
    yield ensemble, bus
    Slow.go.set()
    store.close()


def test_what_was_begun_is_finished_before_it_ends(slow):
    ensemble, bus = slow
    bus.publish(StartSystem())
    eventually(lambda: Slow.begun)
    threading.Timer(0.2, Slow.go.set).start()
    ensemble.close(grace=30)
    assert Slow.done == Slow.begun


def test_what_does_not_finish_within_the_grace_is_left(slow):
    ensemble, bus = slow
    bus.publish(StartSystem())
    eventually(lambda: Slow.begun)
    before = time.monotonic()
    ensemble.close(grace=0.2)
    assert time.monotonic() - before < 10
    assert Slow.done == []


def test_what_is_away_is_waited_for_with_one_line_for_each_change(caplog, monkeypatch):
    monkeypatch.setattr(processes.log, "disabled", False)  # the import contracts' tool switches loggers off
    errors = [Unavailable(sentence) for sentence in ("no route", "no route", "no route", "no primary", "no route")]

    def make() -> str:
        if errors:
            raise errors.pop(0)
        return "made"

    assert _patiently(make, lambda _: False) == "made"
    assert caplog.messages == ["waiting: no route", "waiting: no primary", "waiting: no route"]


def test_a_signal_ends_the_waiting():
    def make() -> str:
        raise Unavailable("no route")

    assert _patiently(make, lambda _: True) is None
