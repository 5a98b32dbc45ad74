"""What becomes of a nudge over RabbitMQ, since nobody waits for it."""

from __future__ import annotations

import logging

import pytest

from beagle.commands import ShowProject
from beagle.messages import StopWorkload
from bus.rabbitmq import RabbitBus
from bus.routes import bindings
from tests.contracts.inbox import Inbox, eventually, projects_of, publish


@pytest.fixture
def opened(rabbitmq, hosts):
    buses: list[RabbitBus] = []

    def open_one() -> RabbitBus:
        buses.append(RabbitBus(rabbitmq.url(hosts[0]), bindings=bindings("here")))
        return buses[-1]

    yield open_one
    for bus in buses:
        bus.close()


def test_all_that_were_sent_before_a_bus_is_closed_arrive(opened):
    bus = opened()
    for number in range(200):
        bus.nudge(ShowProject(project=str(number)))
    bus.close()
    assert projects_of(Inbox(opened(), "gateway", prefetch=500).first(200)) == [str(number) for number in range(200)]


def test_one_that_no_queue_takes_is_told_in_the_log_and_keeps_nobody(opened, caplog):
    caplog.set_level(logging.INFO)
    bus = opened()
    bus.nudge(StopWorkload(site="nowhere", experiment="e" * 24, attempt=1))
    publish(bus, "a")
    assert projects_of(Inbox(bus, "gateway").first(1)) == ["a"]
    eventually(lambda: "StopWorkload was not sent: no queue takes" in caplog.text)


def test_one_for_a_broker_that_is_away_is_told_in_the_log(opened, caplog):
    caplog.set_level(logging.INFO)
    bus = opened()
    host = bus._hosts[""]
    host.publisher.link.call(host.publisher.lost)
    bus.nudge(ShowProject(project="a"))
    eventually(lambda: "ShowProject was not sent" in caplog.text)
