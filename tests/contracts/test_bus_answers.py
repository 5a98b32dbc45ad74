"""What every bus does at its bounds: where messages go, when it refuses, what strangers send, and how it answers."""

from __future__ import annotations

import threading
import time

import pytest

from beagle.commands import SetLimit, ShowSystem
from beagle.errors import Full, InvalidInput, Unavailable, Unroutable
from beagle.messages import LONGEST as LONGEST_BODY
from beagle.messages import (
    FillPlaces,
    LaunchExperiment,
    StopWorkload,
    decode,
)
from bus.port import Bus, Consumer, Delivery
from bus.routes import COMMANDS, EVENTS, LARGEST_BODY, METRICS
from tests.contracts.inbox import PATIENCE, Inbox, eventually, projects_of, publish, settle

# Routing and bounds --------------------------------------------------------------------------------------------------


def test_a_command_that_no_queue_takes_is_an_error_of_its_sender(bus):
    with pytest.raises(Unroutable, match=r"launcher\.elsewhere\.stop_workload"):
        bus.publish(StopWorkload(site="elsewhere", experiment="e" * 24, attempt=1))


def test_a_queue_takes_only_what_its_pattern_fits(bus):
    bus.publish(FillPlaces())
    bus.publish(LaunchExperiment(site="local", experiment="e" * 24, attempt=1))
    publish(bus, "a")
    for queue, key in (
        ("queue_manager", "queue_manager.fill_places"),
        ("launcher.local", "launcher.local.launch_experiment"),
    ):
        assert Inbox(bus, queue).one().key == key
    assert Inbox(bus, "metrics.0").deliveries == []


def test_a_full_queue_refuses_and_takes_again_once_there_is_room(bus):
    publish(bus, *"abcde")
    with pytest.raises(Full):
        publish(bus, "f")
    inbox = Inbox(bus, "gateway", prefetch=1)
    settle(inbox, 1)
    inbox.one(2)
    publish(bus, "g")
    for number in range(2, 7):
        inbox.one(number).ack()
    assert projects_of(inbox.first(6)) == ["a", "b", "c", "d", "e", "g"]


def test_a_full_queue_leaves_the_others_open(bus):
    publish(bus, *"abcde")
    bus.publish(FillPlaces())
    assert Inbox(bus, "queue_manager").one().key == "queue_manager.fill_places"


# What is no message of ours -------------------------------------------------------------------------------------------


def test_our_own_messages_are_known_as_such_with_their_id_and_type(bus):
    sent = SetLimit(limit=3)
    bus.publish(sent)
    delivery = Inbox(bus, "gateway").one()
    assert (delivery.own, delivery.message_id, delivery.type, delivery.headers) == (True, sent.id, "SetLimit", {})
    assert delivery.queue == "gateway"


def test_what_is_raw_comes_as_it_is_and_is_nobodys_word(bus):
    headers = {"source": "größer", "sequence": 12}
    bus.publish_raw(COMMANDS, "gateway.set_limit", b"\xff{", message_id="theirs", headers=headers)
    delivery = Inbox(bus, "gateway").one()
    assert (delivery.body, delivery.exchange, delivery.key) == (b"\xff{", COMMANDS, "gateway.set_limit")
    assert (delivery.own, delivery.message_id, delivery.type, delivery.headers) == (False, "theirs", "", headers)
    assert not delivery.asked
    delivery.answer({"error": "nobody asked"})


def test_what_is_raw_must_be_taken_too_unless_it_is_an_event(bus):
    bus.publish_raw(EVENTS, "marker.unheard", b"")
    with pytest.raises(Unroutable, match=r"metric\.9\.nobody"):
        bus.publish_raw(METRICS, "metric.9.nobody", b"")
    publish(bus, *"abcde")
    with pytest.raises(Full):
        bus.publish_raw(COMMANDS, "gateway.anything", b"")


def test_what_is_too_long_is_its_senders_mistake_and_disturbs_nobody(bus):
    bus.publish_raw(COMMANDS, "gateway.long", b"x" * LARGEST_BODY)
    with pytest.raises(InvalidInput, match=f"has {LARGEST_BODY + 1} bytes; at most {LARGEST_BODY} are taken"):
        bus.publish_raw(COMMANDS, "gateway.longer", b"x" * (LARGEST_BODY + 1))
    with pytest.raises(InvalidInput, match=f"at most {LONGEST_BODY} are taken"):
        publish(bus, "x" * LONGEST_BODY)
    publish(bus, "a")
    first, second = Inbox(bus, "gateway").first(2)
    assert (len(first.body), projects_of([second])) == (LARGEST_BODY, ["a"])


def test_its_own_threads_are_alive(bus):
    assert 0 <= bus.silence() < 5


def test_it_is_connected_until_it_is_closed(bus):
    assert bus.connected()
    bus.close()
    assert not bus.connected()


# Questions and answers -----------------------------------------------------------------------------------------------


def answering(bus: Bus, answer: dict[str, object]) -> Consumer:
    def take(delivery: Delivery) -> None:
        assert delivery.asked
        delivery.answer(answer)
        delivery.ack()

    return bus.consume("gateway", take, prefetch=10)


def test_a_question_gets_its_answer_as_a_copy(bus):
    answer: dict[str, object] = {"running": True, "projects": [{"name": "größer"}]}
    consumer = answering(bus, answer)
    got = bus.request(ShowSystem(), timeout=PATIENCE)
    assert got == answer
    assert got["projects"] is not answer["projects"]
    consumer.close()


def test_an_answer_goes_to_who_asked(bus):
    def take(delivery: Delivery) -> None:
        waiting.append(delivery)

    waiting: list[Delivery] = []
    consumer = bus.consume("gateway", take, prefetch=10)
    answers: dict[int, object] = {}
    threads = [
        threading.Thread(
            target=lambda n=n: answers.update({n: bus.request(SetLimit(limit=n), timeout=PATIENCE)["limit"]})
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(waiting) == 4)
    for delivery in reversed(waiting):
        delivery.answer({"limit": decode(delivery.body).limit})
        delivery.ack()
    for thread in threads:
        thread.join()
    assert answers == {n: n for n in range(4)}
    consumer.close()


def test_a_question_that_nobody_answers_ends_at_its_time(bus):
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"ShowSystem was not answered within 0\.05 s"):
        bus.request(ShowSystem(), timeout=0.05)
    assert 0.05 <= time.monotonic() - began < PATIENCE


def test_an_answer_that_comes_too_late_is_dropped(bus):
    with pytest.raises(Unavailable):
        bus.request(ShowSystem(), timeout=0.01)
    inbox = Inbox(bus, "gateway")
    late = inbox.one()
    late.answer({"late": True})
    late.ack()
    publish(bus, "a")
    assert projects_of([inbox.one(2)]) == ["a"]


def test_a_question_survives_the_consumer_that_died_with_it(bus):
    first = Inbox(bus, "gateway")
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(bus.request(ShowSystem(), timeout=PATIENCE)))
    asking.start()
    first.one()
    first.consumer.close()
    consumer = answering(bus, {"running": False})
    asking.join()
    assert answers == [{"running": False}]
    consumer.close()


def test_an_order_that_nobody_waits_for_is_not_asked_and_its_answer_goes_nowhere(bus):
    bus.publish(SetLimit(limit=2))
    delivery = Inbox(bus, "gateway").one()
    assert not delivery.asked
    delivery.answer({"limit": 2})
    delivery.ack()
