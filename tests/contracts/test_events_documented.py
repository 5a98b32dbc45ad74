"""The page about events is true: its program hears what an actor announces, the original's end markers too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.base import BusActor, World
from actors.clock import Clock
from beagle.experiment import RESULTS, Experiment, State
from beagle.lifecycle import Step
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.markers import MARKERS
from bus.rabbitmq import RabbitBus
from bus.routes import EVENTS, Binding, bindings
from tests.contracts.inbox import Inbox, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PROJECT, EXPERIMENT = "b" * 24, "e" * 24
HEARD_BY_ALL = {"everything": Binding(EVENTS, ("#",), each=True)}


def experiment(state: State) -> Experiment:
    return Experiment(
        id=EXPERIMENT,
        project=PROJECT,
        number=1,
        name="digitsmodel1",
        parameters={},
        order=0.0,
        rank=0.0,
        created_at=0.0,
        state=state,
        reason="because",
    )


@pytest.fixture
def announce(bus, tmp_path):
    """Announces as any actor does."""
    store, clock = SqliteStore(tmp_path / "beagle.sqlite"), Clock()
    actor = BusActor(World(store=store, bus=bus, clock=clock, site="local", plans=Plans(store)))

    def announce(state: State, before: State = State.QUEUE) -> None:
        actor.announce(Step(experiment(before), experiment(state)))

    yield announce
    clock.close()
    store.close()


def test_the_page_names_every_marker_and_its_state():
    rows = dict(re.findall(r"^\| `(\w+)` \| `(<\w+>)` \|$", PAGE, re.MULTILINE))
    assert rows == {state.value: marker.decode() for state, marker in MARKERS.items()}
    assert set(MARKERS) == RESULTS


def test_the_program_of_the_page_hears_what_it_asked_for(rabbitmq, hosts, tmp_path):
    url = rabbitmq.url(hosts[0])
    bus = RabbitBus(url, bindings=bindings("local"))
    command = [sys.executable, "-c", PROGRAM, url, f"marker.{EXPERIMENT}", f"experiment.*.{PROJECT}"]
    listener = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "listening\n"
        store, clock = SqliteStore(tmp_path / "beagle.sqlite"), Clock()
        actor = BusActor(World(store=store, bus=bus, clock=clock, site="local", plans=Plans(store)))
        actor.announce(Step(experiment(State.QUEUE), experiment(State.TIMEOUT)))
        told = [listener.stdout.readline() for _ in range(2)]
        assert told[0].startswith(f"experiment.timeout.{PROJECT} {{")
        assert '"reason":"because"' in told[0]
        assert told[1] == f"marker.{EXPERIMENT} <TIMEOUT_REACHED>\n"
        clock.close()
        store.close()
    finally:
        listener.kill()
        listener.communicate()
        bus.close()


@pytest.fixture
def bound(monkeypatch):
    """The suite's buses get one more queue, for whoever listens to everything."""
    monkeypatch.setattr("tests.contracts.conftest.bindings", lambda site: bindings(site) | HEARD_BY_ALL)


@pytest.fixture
def listener(bound, bus):
    return Inbox(bus, "everything")


@pytest.mark.parametrize("state", MARKERS)
def test_an_ending_is_announced_and_followed_by_its_marker(listener, announce, state):
    announce(state)
    event, marker = listener.first(2)
    assert event.key == f"experiment.{state}.{PROJECT}"
    assert (marker.key, marker.body, marker.own) == (f"marker.{EXPERIMENT}", MARKERS[state], False)
    assert marker.message_id == f"{EXPERIMENT}-{experiment(state).attempt}"


@pytest.mark.parametrize("state", sorted({*State} - set(MARKERS)))
def test_what_is_no_ending_of_the_originals_has_no_marker(listener, announce, state):
    announce(state, before=State.POOL if state is not State.POOL else State.QUEUE)
    announce(State.STOPPED)
    assert [delivery.key.partition(".")[0] for delivery in listener.first(3)] == ["experiment", "experiment", "marker"]


def test_nobody_need_listen(bus, announce):
    announce(State.COMPLETED)
    eventually(lambda: bus.dead_letters(9) == [])
