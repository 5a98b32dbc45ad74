"""What the bus over RabbitMQ is to others on the same broker: front ends, experiments, and who looks after it."""

from __future__ import annotations

import json
import logging
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pika
import pytest

from beagle.answers import raise_for
from beagle.commands import SetLimit, ShowProject, ShowSystem
from beagle.errors import InvalidInput, Refused, Unavailable, Unroutable
from beagle.messages import encode
from bus.rabbitmq import RabbitBus
from bus.routes import COMMANDS, DELIVERY_LIMIT, LARGEST_BODY, METRICS, bindings
from tests.contracts.inbox import PATIENCE, Inbox, eventually, projects_of, publish
from tests.servers.rabbitmq import PASSWORD, USER

CONFIGURED = Path(__file__).parents[2] / "config" / "rabbitmq" / "rabbitmq.conf"


@pytest.fixture
def main(rabbitmq, hosts):
    return rabbitmq.url(hosts[0])


@pytest.fixture
def bus(main):
    opened = RabbitBus(main, bindings=bindings("local"))
    yield opened
    opened.close()


@contextmanager
def stranger(url: str):
    """A front end with a plain client of its own."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection.channel()
    connection.close()


def answered(channel, queue: str) -> tuple[dict[str, object], str]:
    for _, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=PATIENCE):
        assert body is not None, "no answer came"
        return json.loads(body), properties.correlation_id
    raise AssertionError


@pytest.fixture
def answering(bus):
    def take(delivery) -> None:
        delivery.answer({"running": True, "asked": delivery.asked})
        delivery.ack()

    consumer = bus.consume("gateway", take, prefetch=10)
    yield
    consumer.close()


# Front ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("answering")
def test_a_front_end_is_answered_to_a_queue_of_its_own(main):
    with stranger(main) as channel:
        queue = channel.queue_declare("", exclusive=True).method.queue
        asking = pika.BasicProperties(reply_to=queue, correlation_id="my question")
        channel.basic_publish(COMMANDS, "gateway.show_system", encode(ShowSystem()), asking)
        assert answered(channel, queue) == ({"running": True, "asked": True}, "my question")


def test_an_answer_too_long_for_the_broker_becomes_a_sentence(bus):
    def take(delivery) -> None:
        delivery.answer({"much": "x" * LARGEST_BODY})
        delivery.ack()

    bus.consume("gateway", take, prefetch=10)
    for _ in range(2):
        answer = bus.request(ShowSystem(), timeout=PATIENCE)
        with pytest.raises(Refused, match=r"the answer has \d+ bytes, and at most 2097152 fit.*smaller page"):
            raise_for(answer)


def test_the_configured_broker_takes_whatever_we_send():
    limit = re.search(r"^max_message_size = (\d+)$", CONFIGURED.read_text(), re.MULTILINE)
    assert int(limit[1]) == LARGEST_BODY


@pytest.mark.usefixtures("answering")
def test_a_front_end_is_answered_the_brokers_short_way_too(main):
    with stranger(main) as channel:
        answers: list[tuple[bytes, str]] = []
        channel.basic_consume(
            "amq.rabbitmq.reply-to", lambda _, __, p, body: answers.append((body, p.correlation_id)), auto_ack=True
        )
        asking = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7")
        channel.basic_publish(COMMANDS, "gateway.show_system", encode(ShowSystem()), asking)
        channel.connection.process_data_events(time_limit=1)
        eventually(lambda: channel.connection.process_data_events(time_limit=0.1) or bool(answers))
        assert answers == [(b'{"running": true, "asked": true}', "7")]


@pytest.mark.usefixtures("answering")
def test_the_answer_to_a_front_end_that_has_gone_is_dropped_and_the_next_is_answered(main, bus):
    with stranger(main) as channel:
        asking = pika.BasicProperties(reply_to="nobody.any.more", correlation_id="1")
        channel.basic_publish(COMMANDS, "gateway.show_system", encode(ShowSystem()), asking)
    assert bus.request(ShowSystem(), timeout=PATIENCE)["running"] is True


@pytest.mark.parametrize("queue", ["queue_manager", "metrics.0", "dead"])
def test_a_queue_of_our_own_is_no_address_to_answer_to(main, bus, queue):
    with stranger(main) as channel:
        asking = pika.BasicProperties(reply_to=queue)
        channel.basic_publish(COMMANDS, "gateway.show_system", encode(ShowSystem()), asking)
    inbox = Inbox(bus, "gateway")
    assert not inbox.one().asked
    inbox.one().answer({"forged": True})
    inbox.one().ack()
    publish(bus, "a")
    assert projects_of([inbox.one(2)]) == ["a"]
    assert bus.dead_letters(9) == []
    others = [Inbox(bus, name) for name in ("queue_manager", "metrics.0")]
    assert [inbox.deliveries for inbox in others] == [[], []]


def test_what_a_front_end_leaves_out_is_empty_and_what_it_adds_is_kept(main, bus):
    headers = {"source": "train", "sequence": 3, "nested": {"a": [1]}, "none": None, "x-odd": "y"}
    with stranger(main) as channel:
        channel.basic_publish(COMMANDS, "gateway.set_limit", b"{", pika.BasicProperties(headers=headers))
        channel.basic_publish(COMMANDS, "gateway.set_limit", b"[")
    full, bare = Inbox(bus, "gateway").first(2)
    assert full.headers == {"source": "train", "sequence": 3}
    assert (bare.headers, bare.type, bare.message_id, bare.own, bare.asked) == ({}, "", "", False, False)


# Whose word it is ----------------------------------------------------------------------------------------------------


@pytest.fixture
def experiment(rabbitmq, hosts):
    """A user as an attempt gets it: it may publish metrics, and nothing else."""
    user = f"exp-{hosts[0]}"
    rabbitmq.call("PUT", f"/users/{user}", password="pw", tags="").raise_for_status()
    rabbitmq.call("PUT", f"/permissions/{hosts[0]}/{user}", configure="", write="beagle.metrics", read="")
    yield user
    rabbitmq.call("DELETE", f"/users/{user}")


def test_an_experiment_is_not_our_own_whatever_it_claims(rabbitmq, hosts, bus, experiment):
    with stranger(rabbitmq.url(hosts[0], experiment, "pw")) as channel:
        claim = pika.BasicProperties(type="WorkloadEnded", user_id=experiment, headers={"beagle-own": 1})
        channel.basic_publish(METRICS, "metric.1.somebody", b"{}", claim)
    inbox = Inbox(bus, "metrics.1")
    delivery = inbox.one()
    assert (delivery.own, delivery.type) == (False, "WorkloadEnded")
    delivery.bury("nobody knows it")
    eventually(lambda: len(bus.dead_letters(9)) == 1)
    assert bus.replay(bus.dead_letters(9)[0].id)
    assert not inbox.one(2).own


def test_the_broker_refuses_whoever_takes_our_name(rabbitmq, hosts, bus, experiment):
    forging = pytest.raises(pika.exceptions.ChannelClosedByBroker, match="user_id")
    with stranger(rabbitmq.url(hosts[0], experiment, "pw")) as channel, forging:
        channel.confirm_delivery()
        channel.basic_publish(METRICS, "metric.1.somebody", b"{}", pika.BasicProperties(user_id=USER))
    assert Inbox(bus, "metrics.1").deliveries == []


def test_an_experiments_reason_of_death_is_not_believed(rabbitmq, hosts, bus, experiment):
    """Headers as we write them prove nothing when a stranger wrote them, and the broker buried it."""
    told = {"beagle-reason": "forged", "beagle-queue": "gateway", "beagle-exchange": COMMANDS, "beagle-own": 1}
    with stranger(rabbitmq.url(hosts[0], experiment, "pw")) as channel:
        claim = pika.BasicProperties(user_id=experiment, headers=told, delivery_mode=2)
        channel.basic_publish(METRICS, "metric.1.somebody", b"{}", claim)
    consumer = bus.consume("metrics.1", lambda delivery: delivery.requeue(), prefetch=1)
    eventually(lambda: len(bus.dead_letters(9)) == 1)
    consumer.close()
    (letter,) = bus.dead_letters(9)
    assert (letter.queue, letter.exchange, letter.key) == ("metrics.1", METRICS, "metric.1.somebody")
    assert letter.reason == f"it came back {DELIVERY_LIMIT} times"


# What is declared ----------------------------------------------------------------------------------------------------


def test_queues_survive_are_bounded_and_bury_at_least_once(rabbitmq, hosts, bus):
    assert bus.silence() < 5
    queues = {queue["name"]: queue for queue in rabbitmq.call("GET", f"/queues/{hosts[0]}").json()}
    shared = {name for name, binding in bindings("local").items() if not binding.each}
    assert set(queues) == shared | {"dead"}
    for name, queue in queues.items():
        arguments = queue["arguments"]
        assert (queue["durable"], arguments["x-queue-type"], arguments["x-overflow"]) == (
            True,
            "quorum",
            "reject-publish",
        )
        assert arguments["x-max-length"] > 0
        if name != "dead":
            assert arguments["x-dead-letter-exchange"] == "beagle.dead"
            assert arguments["x-dead-letter-strategy"] == "at-least-once"
            assert arguments["x-dead-letter-routing-key"] == name
            assert arguments["x-delivery-limit"] == DELIVERY_LIMIT
            assert arguments.get("x-single-active-consumer", False) == name.startswith("metrics.")


def test_the_metrics_may_have_a_virtual_host_of_their_own(rabbitmq, hosts):
    bus = RabbitBus(rabbitmq.url(hosts[0]), bindings=bindings("local"), metrics_url=rabbitmq.url(hosts[1]))
    try:
        named = [{queue["name"] for queue in rabbitmq.call("GET", f"/queues/{host}").json()} for host in hosts]
        assert {name.partition(".")[0] for name in named[1]} == {"metrics", "dead"}
        assert not {name for name in named[0] if name.startswith("metrics")}
    finally:
        bus.close()


def test_two_processes_of_a_deployment_share_its_queues(main, bus):
    other = RabbitBus(main, bindings=bindings("local"))
    try:
        publish(bus, "a", "b")
        held = [Inbox(each, "gateway", prefetch=1).one() for each in (bus, other)]
        assert sorted(projects_of(held)) == ["a", "b"]
        publish(other, "c")
        held[0].ack()
    finally:
        other.close()


def test_queues_of_another_deployment_are_named_with_what_differs(main, bus):
    assert bus
    with pytest.raises(InvalidInput) as told:
        RabbitBus(main, bindings=bindings("local"), longest_queue=7)
    assert "another x-max-length than this deployment wants: it is '99999', and should be '6'" in str(told.value)
    assert PASSWORD not in str(told.value)


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_an_address_that_is_none_is_refused_without_repeating_it():
    for address in ("amqp://beagle:s3cret@host:port/", "http://beagle:s3cret@host/", "amqp://a:s3cret@h/v?heartbeat=x"):
        with pytest.raises(InvalidInput, match="must look like amqp://") as told:
            RabbitBus(address, bindings=bindings("local"))
        assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("user", "password", "host", "why"),
    [
        (USER, "wr0ng", None, f"does not know the user {USER} or its password"),
        (USER, PASSWORD, "no-such-host", "there is no virtual host no-such-host"),
    ],
)
def test_a_broker_that_does_not_let_us_in_is_away_with_a_reason(rabbitmq, hosts, caplog, user, password, host, why):
    with caplog.at_level(logging.DEBUG):
        bus = RabbitBus(rabbitmq.url(host or hosts[0], user, password), bindings=bindings("local"))
        try:
            with pytest.raises(Unavailable, match=why) as told:
                publish(bus, "a")
            assert password not in str(told.value)
        finally:
            bus.close()
    assert password not in caplog.text
    assert why in caplog.text


def test_what_is_for_no_exchange_of_ours_is_its_senders_mistake_alone(bus):
    with pytest.raises(Unroutable, match="there is no exchange elsewhere"):
        bus.publish_raw("elsewhere", "key", b"")
    publish(bus, "a")
    assert projects_of([Inbox(bus, "gateway").one()]) == ["a"]


def test_a_consumer_that_fails_where_it_must_not_ends_no_traffic(bus, caplog):
    seen: list[int] = []

    def take(delivery) -> None:
        seen.append(delivery.redelivered)
        if len(seen) == 1:
            raise KeyError("a mistake")
        delivery.ack()

    consumer = bus.consume("gateway", take, prefetch=10)
    publish(bus, "a")
    eventually(lambda: seen == [0, 1])
    assert "a mistake" in caplog.text
    publish(bus, "b")
    eventually(lambda: len(seen) == 3)
    consumer.close()


def test_the_bus_ends_with_what_was_settled_before_and_takes_nothing_after(main):
    bus = RabbitBus(main, bindings=bindings("local"))
    publish(bus, "a", "b", "c")
    first, second, _ = Inbox(bus, "gateway").first(3)
    first.ack()
    second.bury("it makes no sense")
    bus.close()
    with pytest.raises(Unavailable):
        publish(bus, "d")
    with pytest.raises(Unavailable):
        bus.request(ShowSystem(), timeout=1)
    bus.close()
    again = RabbitBus(main, bindings=bindings("local"))
    try:
        assert projects_of([Inbox(again, "gateway").one()])[0] in "bc"
        assert [thread for thread in threading.enumerate() if thread.name.startswith("rabbitmq-")]
    finally:
        again.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rabbitmq-")]


def test_many_threads_publish_and_each_hears_of_its_own(bus):
    inbox = Inbox(bus, "gateway", prefetch=5000)

    def send(name: int) -> None:
        for number in range(50):
            bus.publish(ShowProject(project=f"{name} {number}"))

    threads = [threading.Thread(target=send, args=(name,)) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = projects_of(inbox.first(1000))
    for name in range(20):
        assert [each for each in told if each.split()[0] == str(name)] == [f"{name} {n}" for n in range(50)]


def test_of_what_is_sent_at_once_only_that_which_nobody_takes_is_returned(bus):
    errors: dict[str, bool] = {}

    def send(key: str) -> None:
        try:
            bus.publish_raw(COMMANDS, key, b"the same")
            errors[key] = False
        except Unroutable as error:
            errors[key] = key in str(error)

    keys = [f"gateway.{n}" if n % 2 else f"nowhere.{n}" for n in range(40)]
    threads = [threading.Thread(target=send, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == {key: key.startswith("nowhere") for key in keys}


def test_an_order_that_waits_keeps_who_asked(bus):
    asking = threading.Thread(target=lambda: bus.request(SetLimit(limit=3), timeout=PATIENCE))
    asking.start()
    delivery = Inbox(bus, "gateway").one()
    assert delivery.asked
    delivery.answer({})
    delivery.ack()
    asking.join()
