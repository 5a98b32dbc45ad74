"""A real broker that is killed, away, held, low on memory or empty: work is delayed and none is lost."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from beagle.commands import ShowProject, ShowSystem
from beagle.errors import Unavailable
from beagle.messages import decode
from bus.port import Delivery
from bus.rabbitmq import RabbitBus
from bus.rabbitmq_messages import Publication
from bus.rabbitmq_publisher import Publisher
from bus.routes import bindings
from tests.contracts.inbox import Inbox, projects_of, publish
from tests.servers.rabbitmq import RabbitNode

pytestmark = pytest.mark.xdist_group("broker")

PATIENCE = 60.0


def eventually(true) -> None:
    """A broker takes its time to come back."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[RabbitNode]:
    """A node of this module's own: nobody else misses it."""
    node = RabbitNode.start_new(tmp_path_factory.mktemp("broker"))
    yield node
    node.kill()


@pytest.fixture
def node(broker) -> RabbitNode:
    if not broker.is_alive():
        broker.start()
    return broker


@contextmanager
def opened(node: RabbitNode) -> Iterator[RabbitBus]:
    bus = RabbitBus(node.url(), bindings=bindings("local"))
    try:
        yield bus
    finally:
        bus.close()


@pytest.fixture
def bus(node) -> Iterator[RabbitBus]:
    with opened(node) as bus:
        yield bus
    node.call("DELETE", "/queues/%2f/gateway/contents")


def persist(bus: RabbitBus, *projects: str) -> None:
    """As an actor does with what must not get lost: again and again, until the bus has it."""
    for project in projects:
        while True:
            try:
                publish(bus, project)
                break
            except Unavailable:
                time.sleep(0.05)


class Ledger:
    """What the broker confirmed, and what came when; everything that comes is acknowledged."""

    def __init__(self, bus: RabbitBus) -> None:
        self.bus = bus
        self.confirmed: set[str] = set()
        self.came: dict[str, list[float]] = {}
        self.ended = False
        self._consumer = bus.consume("gateway", self._take, prefetch=50)
        self._threads = [threading.Thread(target=self._publish, args=(name,)) for name in "xyz"]
        for thread in self._threads:
            thread.start()

    def _take(self, delivery: Delivery) -> None:
        self.came.setdefault(decode(delivery.body).project, []).append(time.monotonic())
        delivery.ack()

    def _publish(self, name: str) -> None:
        number = 0
        while not self.ended:
            project = f"{name}{number}"
            try:
                self.bus.publish(ShowProject(project=project))
                self.confirmed.add(project)
            except Unavailable:
                time.sleep(0.01)  # whether it was taken nobody knows: it is not said again here
            number += 1

    def grows_by(self, count: int) -> None:
        goal = len(self.confirmed) + count
        eventually(lambda: len(self.confirmed) >= goal)

    def stop(self) -> None:
        """Publish no more."""
        self.ended = True
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        self.stop()
        eventually(lambda: self.confirmed <= set(self.came))
        self.close()

    def close(self) -> None:
        self._consumer.close()


def test_what_a_killed_broker_confirmed_is_not_lost_and_what_was_acknowledged_does_not_come_again(node, bus):
    ledger = Ledger(bus)
    kills: list[float] = []
    for _ in range(2):
        ledger.grows_by(200)
        kills.append(time.monotonic())
        node.kill()
        node.start()
    ledger.grows_by(200)
    ledger.end()
    settled_long_before = 1.0
    for times in ledger.came.values():
        for first, again in itertools.pairwise(times):
            assert any(first - 0.1 < kill < again and kill - first < settled_long_before for kill in kills), (
                "what was acknowledged came again"
            )
    assert Inbox(bus, "gateway").deliveries == []


def test_without_confirms_the_same_loses_some(node, bus, monkeypatch):
    """The control of the test above: a publisher that takes for confirmed what it has sent."""
    send = Publisher._send

    def believe(publisher: Publisher, publication: Publication) -> None:
        if publisher._channel is not None:
            publication.done(None)
        send(publisher, publication)

    monkeypatch.setattr(Publisher, "_send", believe)
    ledger = Ledger(bus)
    ledger.grows_by(2000)
    node.kill()
    ledger.stop()
    node.start()
    monkeypatch.undo()
    persist(bus, "the last")
    eventually(lambda: "the last" in ledger.came)
    assert ledger.confirmed - set(ledger.came)
    ledger.close()


def test_a_word_on_a_delivery_of_a_lost_connection_counts_no_more(node, bus):
    told = threading.Event()
    bus.on_reconnect(told.set)
    persist(bus, "a", "b", "c")
    inbox = Inbox(bus, "gateway")
    before = list(inbox.first(3))
    node.kill()
    node.start()
    eventually(lambda: len(inbox.deliveries) == 6)
    assert told.wait(PATIENCE)
    for delivery in before:
        delivery.ack()
        delivery.requeue()
        delivery.bury("long gone")
    assert projects_of(inbox.deliveries[3:]) == ["a", "b", "c"]
    inbox.consumer.close()
    again = Inbox(bus, "gateway")
    eventually(lambda: len(again.deliveries) == 3)
    for delivery in again.deliveries:
        delivery.ack()
    assert bus.dead_letters(9) == []


def test_an_actor_starts_before_its_broker_and_works_once_that_is_there(node):
    node.stop()
    began = time.monotonic()
    with opened(node) as bus:
        told = threading.Event()
        bus.on_reconnect(told.set)
        inbox, events = Inbox(bus, "gateway"), Inbox(bus, "events.monitor")
        with pytest.raises(Unavailable, match=r"the broker at 127\.0\.0\.1:\d+, virtual host / cannot be reached"):
            publish(bus, "a")
        with pytest.raises(Unavailable):
            bus.request(ShowSystem(), timeout=1)
        with pytest.raises(Unavailable):
            bus.dead_letters(9)
        assert time.monotonic() - began < 5
        assert bus.silence() < 5
        node.start()
        assert told.wait(PATIENCE)
        persist(bus, "b")
        eventually(lambda: len(inbox.deliveries) == 1)
        inbox.one().ack()
        assert events.deliveries == []


def test_a_broker_that_lost_everything_gets_its_queues_anew(node, bus):
    inbox = Inbox(bus, "gateway")
    node.stop()
    node.wipe()
    node.start()
    persist(bus, "a")
    eventually(lambda: "a" in projects_of(inbox.deliveries))
    for delivery in inbox.deliveries:
        delivery.ack()
    names = {queue["name"] for queue in node.call("GET", "/queues/%2f").json()}
    assert {"gateway", "queue_manager", "metrics.0", "dead"} <= names


ALARMS = {
    "memory": (("set_vm_memory_high_watermark", "0"), ("set_vm_memory_high_watermark", "0.4")),
    "disk": (("set_disk_free_limit", "900000GB"), ("set_disk_free_limit", "50MB")),
}


def refuses(bus: RabbitBus) -> bool:
    try:
        publish(bus, "more")
    except Unavailable as error:
        return "low on disk or memory" in str(error)
    return False


@pytest.mark.parametrize("alarm", ALARMS)
def test_a_broker_that_is_low_takes_nothing_gives_on_and_takes_again(node, bus, alarm):
    low, well = ALARMS[alarm]
    persist(bus, "a", "b", "c")
    back = threading.Event()
    bus.on_reconnect(back.set)
    node.ctl(*low)
    began = time.monotonic()
    eventually(lambda: refuses(bus))
    assert not bus.connected()
    assert refuses(bus)
    assert time.monotonic() - began < 10
    inbox = Inbox(bus, "gateway")
    for delivery in inbox.first(2):
        delivery.ack()
    inbox.consumer.close()
    node.ctl(*well)
    eventually(bus.connected)
    persist(bus, "after")
    came = Inbox(bus, "gateway")
    eventually(lambda: "after" in projects_of(came.deliveries))
    assert "c" in projects_of(came.deliveries)
    assert not {"a", "b"} & set(projects_of(came.deliveries))
    assert not back.is_set()
    came.consumer.close()


@pytest.mark.parametrize("alarm", ALARMS)
def test_what_was_confirmed_around_an_alarm_is_not_lost(node, bus, alarm):
    low, well = ALARMS[alarm]
    ledger = Ledger(bus)
    ledger.grows_by(200)
    node.ctl(*low)
    eventually(lambda: not bus.connected())
    node.ctl(*well)
    ledger.grows_by(200)
    ledger.end()


def test_a_low_broker_is_not_left_and_found_again_for_as_long_as_it_is_low(node, monkeypatch):
    monkeypatch.setattr("bus.rabbitmq_address.BLOCKED_TIMEOUT", 1.0)
    low, well = ALARMS["disk"]
    with opened(node) as bus:
        back = threading.Event()
        bus.on_reconnect(back.set)
        node.ctl(*low)
        eventually(lambda: refuses(bus))
        assert not back.wait(3)
        assert not bus.connected()
        node.ctl(*well)
        eventually(bus.connected)
        assert not back.is_set()


def test_a_broker_that_falls_silent_is_given_up_and_found_again(node, bus):
    persist(bus, "a")
    node.hold()
    began = time.monotonic()
    try:
        with pytest.raises(Unavailable):
            publish(bus, "b")
        assert time.monotonic() - began < 15
        eventually(lambda: not bus._hosts[""].consumers.link.ready)
        assert bus.silence() < 5
    finally:
        node.let_go()
    persist(bus, "c")
    inbox = Inbox(bus, "gateway")
    eventually(lambda: {"a", "c"} <= set(projects_of(inbox.deliveries)))
