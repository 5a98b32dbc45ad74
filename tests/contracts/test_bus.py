"""What every bus does with a message: order, settling, consumers that go and consumers that compete."""

from __future__ import annotations

import json
import threading

import pytest

from beagle.commands import ShowProject
from beagle.errors import Unroutable
from beagle.messages import MetricsReported, Report, decode
from bus.port import Delivery
from bus.routes import COMMANDS, METRICS, metric_key
from tests.contracts.inbox import PATIENCE, Inbox, eventually, projects_of, publish

# Publish, consume, settle --------------------------------------------------------------------------------------------


def test_a_message_comes_as_it_was_sent_with_its_exchange_and_key(bus):
    sent = ShowProject(project="größer 🐶")
    bus.publish(sent)
    delivery = Inbox(bus, "gateway").one()
    assert decode(delivery.body) == sent
    assert (delivery.exchange, delivery.key) == (COMMANDS, "gateway.show_project")
    assert (delivery.redelivered, delivery.asked) == (0, False)


def test_what_arrives_is_bytes_and_no_object_of_the_sender(bus):
    sent = MetricsReported(
        experiment="e" * 24, attempt=1, reports=(Report(source="out", sequence=0, values={"accuracy": 0.5}),)
    )
    bus.publish(sent)
    sent.reports[0].values["accuracy"] = 0.9
    delivery = next(iter(Inbox(bus, "metrics.2").first(1)))
    assert type(delivery.body) is bytes
    assert delivery.exchange == METRICS
    assert json.loads(delivery.body)["reports"][0]["values"] == {"accuracy": 0.5}


def test_messages_wait_for_the_first_consumer_in_their_order(bus):
    publish(bus, "a", "b", "c")
    assert projects_of(Inbox(bus, "gateway").first(3)) == ["a", "b", "c"]


def test_messages_come_in_order_to_a_consumer_that_is_there(bus):
    inbox = Inbox(bus, "gateway", prefetch=1)
    for number in range(20):
        publish(bus, str(number))
        inbox.one(number + 1).ack()
    assert projects_of(inbox.first(20)) == [str(number) for number in range(20)]


def test_what_was_acknowledged_never_comes_again(bus):
    publish(bus, "a", "b")
    inbox = Inbox(bus, "gateway")
    inbox.one(1).ack()
    inbox.first(2)
    inbox.consumer.close()
    assert projects_of([Inbox(bus, "gateway").one()]) == ["b"]


def test_a_requeued_message_comes_again_first_and_counted(bus):
    publish(bus, "a", "b")
    inbox = Inbox(bus, "gateway", prefetch=1)
    inbox.one(1).requeue()
    inbox.one(2).requeue()
    settle_from_third = inbox.one(3)
    settle_from_third.ack()
    inbox.one(4).ack()
    assert projects_of(inbox.first(4)) == ["a", "a", "a", "b"]
    assert [delivery.redelivered for delivery in inbox.first(4)] == [0, 1, 2, 0]


def test_no_more_than_the_prefetch_is_handed_out_unacknowledged(bus):
    publish(bus, "a", "b", "c")
    inbox = Inbox(bus, "gateway", prefetch=2)
    inbox.first(2)
    publish(bus, "d")
    assert len(inbox.deliveries) == 2
    inbox.one(1).ack()
    assert projects_of(inbox.first(3)) == ["a", "b", "c"]


@pytest.mark.parametrize("settled", ["ack", "requeue", "bury"])
def test_a_delivery_settled_twice_counts_once(bus, settled):
    publish(bus, "a", "b", "c")
    inbox = Inbox(bus, "gateway", prefetch=1)
    first = inbox.one()
    first.ack()
    inbox.one(2)
    getattr(first, settled)(*(["again"] if settled == "bury" else []))
    assert projects_of(inbox.first(2)) == ["a", "b"]
    inbox.one(2).ack()
    assert projects_of(inbox.first(3)) == ["a", "b", "c"]
    assert len(inbox.deliveries) == 3


# Consumers that go and consumers that compete ------------------------------------------------------------------------


def test_what_a_closed_consumer_held_comes_again_in_its_old_order_and_counted(bus):
    publish(bus, "a", "b", "c", "d", "e")
    inbox = Inbox(bus, "gateway", prefetch=3)
    inbox.first(3)
    inbox.one(2).ack()
    inbox.first(4)
    inbox.consumer.close()
    again = Inbox(bus, "gateway")
    assert projects_of(again.first(4)) == ["a", "c", "d", "e"]
    assert [delivery.redelivered for delivery in again.first(4)] == [1, 1, 1, 0]


def test_an_acknowledgement_after_the_close_counts_no_more(bus):
    publish(bus, "a")
    inbox = Inbox(bus, "gateway")
    late = inbox.one()
    inbox.consumer.close()
    late.ack()
    assert projects_of([Inbox(bus, "gateway").one()]) == ["a"]


def test_a_closed_consumer_gets_nothing_more_and_closing_again_does_nothing(bus):
    inbox = Inbox(bus, "gateway")
    inbox.consumer.close()
    inbox.consumer.close()
    publish(bus, "a")
    assert projects_of(Inbox(bus, "gateway").first(1)) == ["a"]
    assert inbox.deliveries == []


def test_what_one_consumer_held_goes_to_another_that_is_there(bus):
    publish(bus, "a")
    first = Inbox(bus, "gateway")
    first.one()
    second = Inbox(bus, "gateway")
    first.consumer.close()
    assert second.one().redelivered == 1


def test_competing_consumers_share_a_queue_and_each_message_is_handled_once(bus):
    inboxes = [Inbox(bus, "gateway", prefetch=1) for _ in range(3)]
    publish(bus, "a", "b", "c")
    held = [inbox.one() for inbox in inboxes]
    publish(bus, "d", "e", "f")
    for delivery in held:
        delivery.ack()
    again = [inbox.one(2) for inbox in inboxes]
    assert sorted(projects_of(held)) == ["a", "b", "c"]
    assert sorted(projects_of(again)) == ["d", "e", "f"]


def test_a_busy_consumer_leaves_the_work_to_an_idle_one(bus):
    busy, idle = Inbox(bus, "gateway", prefetch=1), Inbox(bus, "gateway", prefetch=1)
    publish(bus, "a", "b")
    held, other = busy.one(), idle.one()
    assert sorted(projects_of([held, other])) == ["a", "b"]
    publish(bus, "c")
    other.ack()
    idle.one(2).ack()
    assert len(busy.deliveries) == 1


def test_two_threads_that_publish_lose_nothing_and_keep_their_own_order(bus):
    inbox = Inbox(bus, "queue_manager", prefetch=1000)
    seen: list[str] = []
    lock = threading.Lock()

    def take(delivery: Delivery) -> None:
        with lock:
            seen.append(decode(delivery.body).project)
        delivery.ack()

    consumer = bus.consume("gateway", take, prefetch=1000)
    threads = [threading.Thread(target=publish, args=(bus, *(f"{name}{n}" for n in range(200)))) for name in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(seen) == 400)
    consumer.close()
    assert inbox.deliveries == []
    for name in "xy":
        assert [each for each in seen if each[0] == name] == [f"{name}{n}" for n in range(200)]


def test_a_nudge_arrives_in_one_order_with_what_is_published(bus):
    inbox = Inbox(bus, "gateway")
    for number in range(0, 40, 2):
        bus.nudge(ShowProject(project=str(number)))
        publish(bus, str(number + 1))
    assert projects_of(inbox.first(40)) == [str(number) for number in range(40)]
    assert all(delivery.own and delivery.type == "ShowProject" for delivery in inbox.deliveries)


def test_what_is_entrusted_comes_as_a_strangers_with_its_headers(bus):
    inbox = Inbox(bus, "metrics.2")
    key = metric_key("e" * 24, 1)
    headers = {"source": "s"}
    teller = threading.Thread(target=lambda: bus.entrust(METRICS, key, b"cost=1", message_id="m", headers=headers))
    teller.start()
    delivery = inbox.one()
    assert (delivery.body, delivery.key, delivery.own) == (b"cost=1", key, False)
    assert (delivery.message_id, delivery.headers["source"]) == ("m", "s")
    delivery.ack()
    delivery.answer({})
    teller.join(PATIENCE)
    assert not teller.is_alive()


def test_what_no_queue_takes_is_not_entrusted_to_anyone(bus):
    with pytest.raises(Unroutable):
        bus.entrust(METRICS, "no.such.key.at.all", b"cost=1")
