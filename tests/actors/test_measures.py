"""What an actor process measures of itself, by what its actors really did."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from typing import ClassVar

import pytest

from actors import base
from actors.base import BusActor, Handlers, World
from actors.clock import Clock
from actors.journal import Json
from actors.measures import Measures
from beagle import places, system
from beagle.commands import ShowSystem
from beagle.errors import Refused, Unavailable
from beagle.messages import FillPlaces, LaunchExperiment
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.journeys.beagle_run import eventually

QUEUES = ("gateway", "queue_manager", "launcher.here")


class Busy(BusActor):
    """Refuses one kind of message, fails on another until it is buried, and says what it does with a third."""

    failing: ClassVar[list[Exception]] = []
    lines: ClassVar[list[str]] = []

    def on_show_system(self, _message):
        raise Refused("not now")

    def on_fill_places(self, _message):
        raise ValueError("never")

    def on_launch(self, message):
        record = logging.LogRecord("actors.test", logging.INFO, "", 1, "launching", (), None)
        self.lines.append(Json().format(record))
        if message.attempt == 2:
            raise Unavailable("no store")

    def reconcile(self) -> None:
        if self.failing:
            raise self.failing[0]

    handles: ClassVar[Handlers] = {ShowSystem: on_show_system, FillPlaces: on_fill_places, LaunchExperiment: on_launch}


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "beagle.sqlite")
    yield store
    store.close()


@pytest.fixture
def bus():
    return MemoryBus(bindings("here"))


@pytest.fixture
def measures(store, bus):
    return Measures(store, bus)


@pytest.fixture
def busy(store, bus, measures, monkeypatch):
    monkeypatch.setattr(base, "RETRY_AFTER", 0.01)
    monkeypatch.setattr(base, "TICK", 0.02)
    monkeypatch.setattr(Busy, "failing", [])
    monkeypatch.setattr(Busy, "lines", [])
    clock = Clock()
    world = World(store=store, bus=bus, clock=clock, site="here", plans=Plans(store))
    measures.expect("Busy")
    actor = Busy.start(replace(world, observer=measures), QUEUES)
    yield actor
    actor.stop()
    clock.close()
    bus.close()


def value(measures: Measures, name: str, **labels: str) -> float:
    """Of one line of the page; 0 when it is not there."""
    for line in measures.page().decode().splitlines():
        found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    return 0.0


def handled(measures: Measures, kind: str, outcome: str) -> float:
    return value(measures, "beagle_messages_total", actor="Busy", type=kind, outcome=outcome)


def test_messages_are_counted_by_how_they_were_settled(busy, bus, measures):
    bus.publish(LaunchExperiment(site="here", experiment="5f", attempt=1))
    bus.request(ShowSystem(), timeout=10)
    bus.publish(FillPlaces())
    eventually(lambda: handled(measures, "FillPlaces", "dead") == 1)
    assert handled(measures, "LaunchExperiment", "handled") == 1
    assert handled(measures, "ShowSystem", "refused") == 1
    assert handled(measures, "FillPlaces", "later") == base.TRIES
    seconds = value(measures, "beagle_handler_seconds_count", actor="Busy")
    assert seconds == value(measures, "beagle_message_wait_seconds_count", actor="Busy") == 3 + base.TRIES


def test_what_cannot_be_read_is_counted_as_unknown_and_dead(busy, bus, measures):
    bus.publish_raw("beagle.commands", "gateway.nonsense", b"{")
    eventually(lambda: handled(measures, "unknown", "dead") == 1)


def test_what_waits_for_the_store_is_counted_as_later(busy, bus, measures):
    bus.publish(LaunchExperiment(site="here", experiment="5f", attempt=2))
    eventually(lambda: handled(measures, "LaunchExperiment", "later") >= 2)
    assert handled(measures, "LaunchExperiment", "handled") == 0


def test_a_line_of_the_log_names_the_experiment_of_the_message_that_is_handled(busy, bus):
    bus.publish(LaunchExperiment(site="here", experiment="5f", attempt=1))
    (line,) = eventually(lambda: Busy.lines)
    entry = json.loads(line)
    assert (entry["actor"], entry["experiment"], entry["attempt"]) == ("Busy", "5f", 1)


def test_a_reconcile_that_fails_grows_old_and_its_error_is_known(busy, measures):
    eventually(lambda: measures.ages()["Busy"] < 0.5)
    Busy.failing.append(Unavailable("the store is away"))
    eventually(lambda: measures.ages()["Busy"] > 0.3)
    assert measures.error("Busy") == "the store is away"
    Busy.failing.clear()
    eventually(lambda: measures.ages()["Busy"] < 0.3)
    eventually(lambda: measures.error("Busy") == "")


def test_an_actor_that_never_started_grows_old_too(measures):
    measures.expect("Launcher")
    eventually(lambda: measures.ages()["Launcher"] > 0.05)


def test_only_actors_that_reconcile_again_and_again_are_watched(measures):
    measures.reconciled("ExperimentMonitor", "")
    assert measures.ages() == {}


def test_the_store_is_asked_when_the_page_is(store, measures):
    places.set_limit(store, 3)
    assert value(measures, "beagle_limit") == system.load(store).limit == 3
    assert value(measures, "beagle_places_held") == 0
    assert 'beagle_experiments{state="queue"} 0.0' in measures.page().decode()
    assert value(measures, "beagle_store_up") == 1


def test_a_store_that_is_away_leaves_the_other_measures(store, bus):
    class Away:
        def counts(self):
            raise Unavailable("gone")

    page = Measures(Away(), bus).page().decode()
    assert "beagle_store_up 0.0" in page
    assert "beagle_bus_silence_seconds 0.0" in page
    assert "beagle_bus_connected 1.0" in page
    bus.close()
    assert "beagle_bus_connected 0.0" in Measures(Away(), bus).page().decode()
    assert "beagle_limit" not in page
