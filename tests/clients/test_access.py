"""One experiment cannot speak for another: all that a broker user of an attempt may do on a real RabbitMQ."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import pika
import pytest
import requests
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from beagle.access import NoAccess, SharedAccess
from beagle.errors import InvalidInput, Unavailable
from beagle.messages import WorkloadEnded, encode, new_id
from beagle.settings import Settings
from bus import rabbitmq_access
from bus.metric_keys import topic
from bus.port import Delivery
from bus.rabbitmq import RabbitBus
from bus.rabbitmq_access import BrokerUsers, access_to, environment, why_not
from bus.rabbitmq_management import Management
from bus.routes import COMMANDS, DEAD, EVENTS, METRIC_QUEUES, METRICS, SHARDS, bindings, metric_key
from tests.clients.ingest import ended, program
from tests.journeys.beagle_run import eventually
from tests.servers.keeper import free_ports

# Users are the whole broker's, and other workers run these tests too.
ID, OTHER = new_id(), new_id()
MINE, THEIRS = metric_key(ID, 2), metric_key(OTHER, 1)
Operation = Callable[[pika.BlockingConnection], object]


class Deployment:
    """A broker as actors have declared it, with one attempt let in."""

    def __init__(self, node, hosts) -> None:
        self.node, self.hosts = node, hosts
        main, metrics = node.url(hosts[0]), node.url(hosts[1])
        self.bus = RabbitBus(main, bindings=bindings("here"), metrics_url=metrics)
        self.management = Management(node.management_url)
        self.access = BrokerUsers(self.management, metrics)
        self.told = self.access.admit(ID, 2)
        self.taken: list[Delivery] = []
        for queue in METRIC_QUEUES:
            self.bus.consume(queue, self._take, prefetch=1000)

    def _take(self, delivery: Delivery) -> None:
        self.taken.append(delivery)
        delivery.ack()

    def connect(self, url: str | None = None) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.URLParameters(url or self.told["BEAGLE_METRICS_URL"]))

    def users(self) -> set[str]:
        return {name for name, _ in self.management.users() if ID in name or OTHER in name}

    def close(self) -> None:
        self.bus.close()
        for name in self.users():
            self.management.delete(f"/api/users/{name}")


@pytest.fixture
def deployment(rabbitmq, hosts) -> Iterator[Deployment]:
    deployment = Deployment(rabbitmq, hosts)
    yield deployment
    deployment.close()


def published(exchange, key, headers=None, **more) -> Operation:
    def publish(connection) -> None:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(headers=headers, **more)
        channel.basic_publish(exchange, key, b"accuracy=0.99", properties, mandatory=True)

    return publish


def refuses(connection) -> bool:
    try:
        published(METRICS, MINE)(connection)
    except AMQPError:
        return True
    return False


def on_channel(work: Callable[..., object]) -> Operation:
    return lambda connection: work(connection.channel())


FORBIDDEN: dict[str, Operation] = {
    "publish with another experiment's key": published(METRICS, THEIRS),
    "publish with another attempt's key": published(METRICS, metric_key(ID, 1)),
    "publish with another's key of the original": published(METRICS, topic(OTHER)),
    "publish with its own key and more": published(METRICS, f"{MINE}.x"),
    "publish with its own key and a line end": published(METRICS, f"{MINE}\n"),
    "publish a command": published(COMMANDS, "gateway.set_limit"),
    "publish an event": published(EVENTS, "experiment.completed.x"),
    "publish a dead letter": published(DEAD, "x"),
    "publish straight to a queue": published("", METRIC_QUEUES[0]),
    "publish to AMQP's own exchange": published("amq.topic", MINE),
    "say that it is one of our processes": published(METRICS, MINE, user_id="beagle", type="WorkloadEnded"),
    "declare a queue": on_channel(lambda c: c.queue_declare("mine")),
    "declare a queue without a name": on_channel(lambda c: c.queue_declare("", exclusive=True)),
    "bind a queue": on_channel(lambda c: c.queue_bind(METRIC_QUEUES[0], METRICS, "#")),
    "unbind a queue": on_channel(lambda c: c.queue_unbind(METRIC_QUEUES[0], METRICS, "#")),
    "get from a queue": on_channel(lambda c: c.basic_get(METRIC_QUEUES[0])),
    "consume": on_channel(lambda c: c.basic_consume(METRIC_QUEUES[0], lambda *_: None)),
    "purge a queue": on_channel(lambda c: c.queue_purge(METRIC_QUEUES[0])),
    "delete a queue": on_channel(lambda c: c.queue_delete(METRIC_QUEUES[0])),
    "declare an exchange": on_channel(lambda c: c.exchange_declare("mine", "topic")),
    "delete an exchange": on_channel(lambda c: c.exchange_delete(METRICS)),
    "bind an exchange": on_channel(lambda c: c.exchange_bind("amq.topic", METRICS, "#")),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_an_experiment_may_not(deployment, what):
    connection = deployment.connect()
    with pytest.raises((ChannelClosedByBroker, ConnectionClosedByBroker)) as refused:
        FORBIDDEN[what](connection)
    assert refused.value.args[0] in {403, 406}, refused.value
    if connection.is_open:
        connection.close()
    assert deployment.taken == []


def test_it_may_publish_with_its_own_key_and_with_that_of_the_original(deployment):
    with deployment.connect() as connection:
        published(METRICS, MINE)(connection)
        published(METRICS, topic(ID), timestamp=1_800_000_000)(connection)
    eventually(lambda: len(deployment.taken) == 2, seconds=20)
    found = {delivery.key: delivery for delivery in deployment.taken}
    assert set(found) == {MINE, topic(ID)}
    assert not any(delivery.own for delivery in deployment.taken)
    assert found[topic(ID)].sent_at == 1_800_000_000
    assert found[MINE].sent_at is None


def test_it_may_not_enter_the_virtual_host_of_the_actors(deployment):
    parts = urlsplit(deployment.told["BEAGLE_METRICS_URL"])
    with pytest.raises((ProbableAccessDeniedError, ConnectionClosedByBroker)):
        deployment.connect(urlunsplit(parts._replace(path=f"/{deployment.hosts[0]}")))


def test_it_may_not_use_the_management_interface(deployment):
    name, password = urlsplit(deployment.told["BEAGLE_METRICS_URL"]).netloc.rpartition("@")[0].split(":")
    url = f"http://127.0.0.1:{deployment.node.management_port}/api/whoami"
    assert requests.get(url, auth=(name, password), timeout=10).status_code == 401


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_header_that_leads_its_message_elsewhere_makes_it_nobody_elses(deployment, header):
    elsewhere = [f"metric.{number}.{OTHER}-1" for number in range(SHARDS)] + [topic(OTHER)]
    with deployment.connect() as connection:
        if deployment.node.looks_at_copies():
            with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
                published(METRICS, MINE, {header: elsewhere})(connection)
            assert deployment.taken == []
            return
        published(METRICS, MINE, {header: elsewhere})(connection)
    eventually(lambda: len(deployment.taken) == SHARDS, seconds=20)
    assert {delivery.key for delivery in deployment.taken} == {MINE}
    assert {delivery.queue for delivery in deployment.taken} == set(METRIC_QUEUES)


def test_it_may_not_have_more_connections_than_allowed(rabbitmq, hosts, monkeypatch):
    monkeypatch.setattr(rabbitmq_access, "CONNECTIONS", 2)
    monkeypatch.setattr(rabbitmq_access, "CHANNELS", 3)
    deployment = Deployment(rabbitmq, hosts)
    first, second = deployment.connect(), deployment.connect()
    with pytest.raises(AMQPError):
        deployment.connect()
    for _ in range(3):
        first.channel()
    with pytest.raises(AMQPError):
        second.channel()
    for connection in (first, second):
        if connection.is_open:
            connection.close()
    deployment.close()


# Coming and going


def test_many_are_let_in_at_once_and_none_may_speak_for_another(deployment):
    attempts = range(3, 15)
    with ThreadPoolExecutor(len(attempts)) as threads:
        told = list(threads.map(lambda attempt: deployment.access.admit(ID, attempt), attempts))
    for attempt, environment_of_it in zip(attempts, told, strict=True):
        connection = deployment.connect(environment_of_it["BEAGLE_METRICS_URL"])
        published(METRICS, metric_key(ID, attempt))(connection)
        with pytest.raises(ChannelClosedByBroker):
            published(METRICS, MINE)(connection)
        connection.close()
    eventually(lambda: len(deployment.taken) == len(attempts), seconds=20)


def test_let_in_again_it_gets_the_same_and_what_it_had_goes_on(deployment):
    with deployment.connect() as connection:
        again = BrokerUsers(Management(deployment.node.management_url), deployment.node.url(deployment.hosts[1]))
        assert again.admit(ID, 2) == deployment.told
        published(METRICS, MINE)(connection)


def test_each_attempt_has_a_password_of_its_own(deployment):
    assert deployment.access.admit(ID, 3)["BEAGLE_METRICS_URL"] != deployment.told["BEAGLE_METRICS_URL"]
    word = urlsplit(deployment.told["BEAGLE_METRICS_URL"]).password
    assert len(word) == 64
    assert urlsplit(deployment.access.admit(ID, 3)["BEAGLE_METRICS_URL"]).password != word


def test_one_that_was_expelled_publishes_no_more_not_even_over_the_connection_it_has(deployment):
    connection = deployment.connect()
    published(METRICS, MINE)(connection)
    deployment.access.expel(ID, 2)
    eventually(lambda: refuses(connection), seconds=20)
    with pytest.raises(ProbableAuthenticationError):
        deployment.connect()
    eventually(lambda: deployment.taken, seconds=20)
    deployment.access.expel(ID, 2)


def test_the_report_of_a_zombie_does_not_arrive_and_it_says_so(deployment):
    deployment.access.expel(ID, 2)
    _, err = ended(program("beagle.report(accuracy=0.99)", deployment.told["BEAGLE_REPORT_URL"]))
    assert err.startswith("beagle: 1 reports did not arrive")
    assert urlsplit(deployment.told["BEAGLE_METRICS_URL"]).password not in err
    assert deployment.taken == []


def test_beagle_report_uses_what_an_attempt_finds_in_its_environment(deployment):
    assert ended(program("beagle.report(step=1, accuracy=0.5)", deployment.told["BEAGLE_REPORT_URL"])) == ("", "")
    eventually(lambda: deployment.taken, seconds=20)
    (delivery,) = deployment.taken
    assert (delivery.key, delivery.own, delivery.headers["sequence"]) == (MINE, False, 0)


def test_a_sweep_expels_those_that_are_over_and_touches_no_others(deployment, rabbitmq):
    deployment.access.admit(OTHER, 1)
    with rabbitmq.hosts() as theirs:
        other = BrokerUsers(deployment.management, rabbitmq.url(theirs[1]))
        other.admit(OTHER, 9)
        deployment.access.sweep(lambda experiment, attempt: (experiment, attempt) != (ID, 2))
        assert deployment.users() == {f"exp-{ID}-2", f"exp-{OTHER}-9"}
        other.sweep(lambda *_: True)
        assert deployment.users() == {f"exp-{ID}-2"}


def test_a_user_is_never_without_the_limit_of_its_keys_while_it_may_publish(deployment, monkeypatch):
    asked: list[str] = []
    put = deployment.management.put

    def note(path, body):
        asked.append(path.split("/")[2])
        put(path, body)

    monkeypatch.setattr(deployment.management, "put", note)
    deployment.access.admit(OTHER, 1)
    assert asked.index("topic-permissions") < asked.index("permissions")
    assert asked.index("user-limits") < asked.index("permissions")


# What the settings choose


def test_a_management_interface_that_is_down_delays_a_launch_with_the_reason(hosts, rabbitmq):
    (port,) = free_ports(1)
    access = BrokerUsers(Management(f"http://a:canary@127.0.0.1:{port}"), rabbitmq.url(hosts[1]))
    with pytest.raises(Unavailable, match=f"nothing answers at 127.0.0.1:{port}") as away:
        access.admit(ID, 1)
    assert str(away.value).endswith(str(port))
    access.expel(ID, 1)
    with pytest.raises(Unavailable):
        access.sweep(lambda *_: True)


def test_experiments_may_see_the_broker_at_another_address(rabbitmq, hosts):
    metrics = rabbitmq.url(hosts[1])
    outside = BrokerUsers(Management(rabbitmq.management_url), metrics, "amqp://broker:1234")
    told = urlsplit(outside.admit(ID, 1)["BEAGLE_METRICS_URL"])
    assert (told.hostname, told.port, told.path) == ("broker", 1234, f"/{hosts[1]}")
    assert told.username == f"exp-{ID}-1"
    outside.expel(ID, 1)


def test_with_management_each_attempt_has_a_user(rabbitmq, hosts):
    settings = Settings(bus=rabbitmq.url(hosts[0]), metrics_bus=rabbitmq.url(hosts[1]))
    named = Settings(bus=settings.bus, metrics_bus=settings.metrics_bus, management=rabbitmq.management_url)
    assert isinstance(access_to(named), BrokerUsers)


def test_with_management_the_address_that_experiments_have_names_no_user(rabbitmq, hosts):
    outside = f"amqp://broker:5672/{hosts[1]}"
    settings = Settings(
        bus=rabbitmq.url(hosts[0]),
        metrics_bus=rabbitmq.url(hosts[1]),
        management=rabbitmq.management_url,
        experiment_bus=outside,
    )
    access = access_to(settings)
    told = urlsplit(access.admit(ID, 1)["BEAGLE_METRICS_URL"])
    assert (told.username, told.hostname, told.port) == (f"exp-{ID}-1", "broker", 5672)
    access.expel(ID, 1)


def test_without_it_our_own_address_is_never_handed_out():
    settings = Settings(bus="amqp://beagle:canary@127.0.0.1:1/", management="off")
    assert isinstance(access_to(settings), NoAccess)
    assert access_to(settings).admit(ID, 1) == {}


def test_where_auto_finds_none_that_is_the_same_as_off(caplog):
    (port,) = free_ports(1)
    settings = Settings(bus=f"amqp://beagle:canary@127.0.0.254:{port}/", management="auto")
    with caplog.at_level(logging.WARNING):
        assert isinstance(access_to(settings), NoAccess)


def test_an_operator_may_make_one_user_for_all_experiments():
    url = "amqp://exp-all:secret@broker/metrics"
    settings = Settings(bus="amqp://b:c@127.0.0.1:1/", management="off", experiment_bus=url)
    access = access_to(settings)
    assert access.admit(ID, 2) == environment(url, ID, 2)
    assert access.admit(ID, 2)["BEAGLE_REPORT_URL"] == f"{url}?key={MINE}"
    access.expel(ID, 2)
    access.sweep(lambda *_: True)


@pytest.mark.parametrize("url", ["amqp://beagle:secret@broker/x", "amqp://broker/x"])
def test_but_not_one_that_could_pass_for_our_own_processes(url):
    with pytest.raises(InvalidInput, match="must name a user of the experiments' own, beginning with exp-"):
        SharedAccess(url, environment)


def test_it_is_told_why_users_cannot_be_made(rabbitmq):
    assert why_not(Management(rabbitmq.management_url)) is None
    refused = Management(f"http://beagle:wrong@127.0.0.1:{rabbitmq.management_port}")
    assert "refuses the user beagle" in why_not(refused)
    rabbitmq.call("PUT", "/users/looker", password="p", tags="management").raise_for_status()
    looker = Management(f"http://looker:p@127.0.0.1:{rabbitmq.management_port}")
    assert why_not(looker).endswith("lacks the tag administrator")
    rabbitmq.call("DELETE", "/users/looker").raise_for_status()


def test_a_message_of_our_own_type_from_an_experiment_is_not_our_own(deployment):
    name = urlsplit(deployment.told["BEAGLE_METRICS_URL"]).username
    forged = encode(WorkloadEnded(experiment=OTHER, attempt=1, status=0, ended_at=1.0))
    with deployment.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(user_id=name, type="WorkloadEnded")
        channel.basic_publish(METRICS, MINE, forged, properties, mandatory=True)
    eventually(lambda: deployment.taken, seconds=20)
    assert not deployment.taken[0].own


def test_a_management_interface_that_refuses_us_delays_a_launch_too(rabbitmq, hosts):
    refused = Management(f"http://beagle:wrong@127.0.0.1:{rabbitmq.management_port}")
    with pytest.raises(Unavailable, match="refuses the user beagle"):
        BrokerUsers(refused, rabbitmq.url(hosts[1])).admit(ID, 1)
