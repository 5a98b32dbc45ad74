"""The connection to RabbitMQ: addresses, mistakes of our own, and that nothing waits for what has ended."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest
from pika.adapters.select_connection import SelectConnection

from beagle.errors import InvalidInput, Unavailable
from bus.rabbitmq import RabbitBus
from bus.rabbitmq_address import parameters
from bus.rabbitmq_faults import Fault
from bus.rabbitmq_link import Link
from bus.routes import bindings
from tests.contracts.inbox import PATIENCE, Inbox, eventually, projects_of, publish
from tests.servers.keeper import free_ports


@contextmanager
def opened(url: str):
    bus = RabbitBus(url, bindings=bindings("local"))
    try:
        yield bus
    finally:
        bus.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rabbitmq-")]


class Clumsy:
    """Uses a link, and makes mistakes."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.opened = self.gone = 0

    def open(self, ready) -> None:
        self.opened += 1
        self._stumble("open")
        ready()

    def lost(self) -> None:
        self.gone += 1
        self._stumble("lost")

    def _stumble(self, where: str) -> None:
        if where in self.mistakes:
            self.mistakes.remove(where)
            raise KeyError(where)


@pytest.fixture
def clumsy() -> Clumsy:
    return Clumsy()


@pytest.fixture
def link(rabbitmq, clumsy):
    link = Link(parameters(rabbitmq.url()), "test", clumsy)
    link.start()
    yield link
    link.close()


# Mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["open", "lost"])
def test_a_mistake_while_it_comes_or_goes_does_not_end_it(link, clumsy, where):
    eventually(lambda: link.ready)
    clumsy.mistakes.append(where)
    link.call(lambda: link.fail(Fault("for the test")))
    eventually(lambda: not clumsy.mistakes)
    eventually(lambda: link.ready and clumsy.opened >= 2)


def test_a_connection_that_could_not_even_be_begun_is_tried_again(rabbitmq, clumsy, monkeypatch):
    tries: list[int] = []

    def stumble(*arguments, **more) -> SelectConnection:
        tries.append(len(tries))
        if len(tries) in (1, 2):
            raise RuntimeError("can't start new thread")
        return SelectConnection(*arguments, **more)

    monkeypatch.setattr("bus.rabbitmq_link.SelectConnection", stumble)
    link = Link(parameters(rabbitmq.url()), "test", clumsy)
    link.start()
    try:
        eventually(lambda: link.ready)
    finally:
        link.close()


def test_what_waits_behind_a_mistake_is_done_all_the_same(link):
    done = threading.Event()

    def stumble() -> None:
        raise KeyError

    def both() -> None:
        link.call(stumble)
        link.call(done.set)

    eventually(lambda: link.ready)
    link.call(both)
    assert done.wait(PATIENCE)


# Ends ----------------------------------------------------------------------------------------------------------------


def test_a_consumer_that_is_closed_after_its_bus_waits_for_nothing(rabbitmq, hosts):
    with opened(rabbitmq.url(hosts[0])) as bus:
        inbox = Inbox(bus, "gateway")
        publish(bus, "a")
        delivery = inbox.one()
    began = time.monotonic()
    delivery.ack()
    inbox.consumer.close()
    bus.consume("gateway", lambda _: None, prefetch=1).close()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_broker_that_cannot_be_found_is_away_and_the_bus_closes_at_once(host):
    began = time.monotonic()
    with opened(f"amqp://beagle:s3cret@{host}/") as bus:
        with pytest.raises(Unavailable, match=f"the broker at {host}:5672") as told:
            publish(bus, "a")
        assert not bus.connected()
        assert "s3cret" not in str(told.value)
        closing = time.monotonic()
    assert time.monotonic() - closing < 7
    assert time.monotonic() - began < 20


# Addresses -----------------------------------------------------------------------------------------------------------


def test_what_means_something_in_an_address_may_stand_in_it_encoded(rabbitmq):
    name, password = "odd/host: 50%", "p@ss/w:rd?#%20"
    rabbitmq.call("PUT", "/vhosts/odd%2Fhost%3A%2050%25").raise_for_status()
    rabbitmq.call("PUT", "/users/odd@user", password=password, tags="").raise_for_status()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rabbitmq.call("PUT", "/permissions/odd%2Fhost%3A%2050%25/odd@user", **everything).raise_for_status()
    try:
        with opened(rabbitmq.url(name, "odd%40user", "p%40ss%2Fw%3Ard%3F%23%2520")) as bus:
            publish(bus, "a")
            assert Inbox(bus, "gateway").one().own
    finally:
        rabbitmq.call("DELETE", "/vhosts/odd%2Fhost%3A%2050%25")
        rabbitmq.call("DELETE", "/users/odd@user")


@pytest.mark.parametrize(
    "address",
    [
        "amqp://beagle:s3cret@one:5672,two:5672/",
        "amqps://beagle:s3cret@host/?ssl_options=%7Bnot",
        "amqps://beagle:s3cret@host/?ssl_options=7",
        "amqps://beagle:s3cret@host/?ssl_options=%7B'cafile':'/no/such/file'%7D",
    ],
)
def test_an_address_that_nobody_could_use_is_refused_with_a_sentence(address):
    with pytest.raises(InvalidInput, match="must look like amqp://") as told:
        RabbitBus(address, bindings=bindings("local"))
    assert "s3cret" not in str(told.value)


# What is carried -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["🐕" * 26_000, ""], ids=["long", "many"])
def test_headers_and_a_reason_that_fill_a_frame_are_buried_and_nothing_else_suffers(rabbitmq, hosts, value):
    headers = {"long": value} if value else {f"{number:x}": "" for number in range(11_000)}
    with opened(rabbitmq.url(hosts[0])) as bus:
        back: list[None] = []
        bus.on_reconnect(lambda: back.append(None))
        bus.publish_raw("beagle.commands", "gateway.x", b"body", headers=headers)
        inbox = Inbox(bus, "gateway")
        assert len(inbox.one().headers) == len(headers)
        inbox.one().bury("ü" * 30_000)
        eventually(lambda: bus.dead_letters(9) != [])
        assert bus.dead_letters(9)[0].reason == "ü" * 10_000
        publish(bus, "next")
        assert projects_of([inbox.one(2)]) == ["next"]
        assert back == []


def test_a_sender_does_not_say_how_often_its_message_came_back(rabbitmq, hosts):
    with opened(rabbitmq.url(hosts[0])) as bus:
        bus.publish_raw("beagle.commands", "gateway.x", b"body", headers={"x-delivery-count": 77})
        inbox = Inbox(bus, "gateway")
        assert inbox.one().redelivered == 0
        inbox.one().requeue()
        assert inbox.one(2).redelivered == 1


def test_nobody_at_the_port_is_said_as_it_is():
    (port,) = free_ports(1)
    with opened(f"amqp://127.0.0.1:{port}/") as bus, pytest.raises(Unavailable, match="Connection refused"):
        publish(bus, "a")


def test_a_look_at_more_dead_letters_than_there_is_time_for_says_so_and_puts_all_back(rabbitmq, hosts, monkeypatch):
    with opened(rabbitmq.url(hosts[0])) as bus:
        consumer = bus.consume("gateway", lambda delivery: delivery.bury("never"), prefetch=1000)
        threads = [threading.Thread(target=publish, args=(bus, *(f"{n}.{i}" for i in range(100)))) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rabbitmq.until(f"/queues/{hosts[0]}/dead", lambda found: found.get("messages") == 1000)
        consumer.close()
        monkeypatch.setattr("bus.rabbitmq_dead.LOOKED_WITHIN", 0.05)
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"not looked through within 0\.05 s"):
                bus.dead_letters(1000)
        monkeypatch.undo()
        letters = bus.dead_letters(2000)
        # Of those that were buried in the same moment the order may change: so many go back as a set.
        assert [letter.at for letter in letters] == sorted(letter.at for letter in letters)
        known = {letter.id for letter in letters}
        assert len(known) == 1000
        assert bus.drop(letters[-1].id)
        assert {letter.id for letter in bus.dead_letters(2000)} == known - {letters[-1].id}
