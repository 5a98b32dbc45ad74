"""The page of an actor process: healthy, unhealthy with a reason, and measures that can be read."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request

import pytest

from actors.base import World
from actors.clock import Clock
from actors.health import HealthPage
from actors.measures import Measures
from actors.processes import unwell
from beagle.errors import InvalidInput
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import bindings
from tests.journeys.beagle_run import eventually


def get(page: HealthPage, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def reasons():
    return [""]


@pytest.fixture
def page(reasons):
    page = HealthPage("127.0.0.1", "0", lambda: reasons[-1], lambda: b"beagle_limit 4.0\n")
    yield page
    page.close()


def test_a_process_whose_loops_turn_is_healthy(page):
    assert get(page, "/healthz") == (200, "ok\n")


def test_an_unhealthy_one_says_why_and_is_healthy_again_afterwards(page, reasons):
    reasons.append("the bus has stood still for 20 s")
    assert get(page, "/healthz") == (503, "the bus has stood still for 20 s\n")
    reasons.append("")
    assert get(page, "/healthz") == (200, "ok\n")


def test_the_measures_are_beside_it_and_other_paths_are_named(page):
    assert get(page, "/metrics") == (200, "beagle_limit 4.0\n")
    assert get(page, "/") == (404, "there is /healthz and /metrics\n")


def test_a_caller_that_says_nothing_keeps_nobody_else_waiting(page):
    with socket.create_connection(("127.0.0.1", page.port)):
        assert get(page, "/healthz")[0] == 200


def test_after_its_end_nobody_listens():
    page = HealthPage("127.0.0.1", "0", str, bytes)
    page.close()
    with pytest.raises(urllib.error.URLError):
        get(page, "/healthz")
    assert "health" not in {thread.name for thread in threading.enumerate() if not thread.daemon}


def test_a_second_process_of_a_machine_takes_a_free_port():
    one, other = (HealthPage("127.0.0.1", "auto", str, bytes) for _ in range(2))
    assert one.port != other.port
    assert get(other, "/healthz")[0] == 200
    one.close()
    other.close()


def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(page):
    with pytest.raises(InvalidInput) as caught:
        HealthPage("127.0.0.1", str(page.port), str, bytes)
    assert str(page.port) in str(caught.value)
    assert "--health-port" in str(caught.value)


def test_an_address_that_is_not_of_this_machine_is_one_sentence():
    with pytest.raises(InvalidInput) as caught:
        HealthPage("203.0.113.7", "0", str, bytes)
    assert "--health-address" in str(caught.value)


class Silent(MemoryBus):
    """Its loop stands still."""

    def silence(self) -> float:
        return 20.4


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "beagle.sqlite")
    yield store
    store.close()


def world(store, bus) -> World:
    clock = Clock()
    clock.close()
    return World(store=store, bus=bus, clock=clock, site="here", plans=Plans(store))


def test_a_bus_whose_loop_stands_still_for_longer_than_the_bound_is_the_reason(store):
    bus = Silent(bindings("here"))
    assert unwell(world(store, bus), Measures(store, bus), 20) == "the loop of the bus has stood still for 20 s"
    assert unwell(world(store, bus), Measures(store, bus), 21) == ""


def test_an_actor_that_does_not_reconcile_is_the_reason_with_its_last_error(store):
    bus = MemoryBus(bindings("here"))
    measures = Measures(store, bus)
    measures.expect("Monitor")
    measures.reconciled("Monitor", "the store is away")
    eventually(lambda: unwell(world(store, bus), measures, 0.05))
    reason = unwell(world(store, bus), measures, 0.05)
    assert reason == "Monitor has not looked into the store for 0 s: the store is away"
    measures.reconciled("Monitor", "")
    assert unwell(world(store, bus), measures, 5) == ""


def test_an_actor_that_hangs_in_a_message_is_the_reason_too(store):
    bus = MemoryBus(bindings("here"))
    measures = Measures(store, bus)
    measures.expect("Launcher")
    assert eventually(lambda: unwell(world(store, bus), measures, 0.05)).endswith("it is busy, or stands still")
