"""What every bus does with what cannot be handled: kept with its reason, listed, replayed, dropped."""

from __future__ import annotations

import time

import pytest

from beagle.errors import Full
from beagle.messages import decode
from bus.port import Bus, DeadLetter, Delivery
from bus.routes import COMMANDS, DELIVERY_LIMIT, METRICS
from tests.contracts.inbox import LONGEST, Inbox, eventually, projects_of, publish


def dead(bus: Bus, count: int) -> list[DeadLetter]:
    """As many dead letters as are expected; burying takes its moment."""
    eventually(lambda: len(bus.dead_letters(100)) == count)
    return bus.dead_letters(100)


def bury(bus: Bus, *projects: str) -> list[DeadLetter]:
    """One after the other, each with a reason of its own."""
    before = len(bus.dead_letters(100))
    for number, project in enumerate(projects, 1):
        publish(bus, project)
        inbox = Inbox(bus, "gateway", prefetch=1)
        inbox.one().bury(f"{project} is not known")
        dead(bus, before + number)
        inbox.consumer.close()
    return dead(bus, before + len(projects))


def test_a_buried_message_is_kept_with_its_reason_and_comes_no_more(bus):
    began = time.time()
    publish(bus, "a", "b")
    inbox = Inbox(bus, "gateway", prefetch=1)
    inbox.one().bury("it has no project — größer")
    inbox.one(2).ack()
    (letter,) = dead(bus, 1)
    assert (letter.queue, letter.exchange, letter.key) == ("gateway", COMMANDS, "gateway.show_project")
    assert letter.reason == "it has no project — größer"
    assert decode(letter.body).project == "a"
    assert began - 1 <= letter.at <= time.time() + 1
    assert projects_of(inbox.first(2)) == ["a", "b"]


def test_what_is_buried_when_its_consumer_closes_is_buried_once(bus):
    for number in range(20):
        publish(bus, "a", "b", "c")
        inbox = Inbox(bus, "gateway")
        for delivery in inbox.first(3):
            delivery.bury(f"round {number}")
        inbox.consumer.close()
    publish(bus, "last")
    assert projects_of(Inbox(bus, "gateway").first(1)) == ["last"]
    assert len(dead(bus, 60)) == 60


def test_a_message_that_comes_back_for_ever_is_buried_in_the_end(bus):
    back: list[int] = []

    def refuse(delivery: Delivery) -> None:
        back.append(delivery.redelivered)
        delivery.requeue()

    consumer = bus.consume("gateway", refuse, prefetch=1)
    publish(bus, "a")
    (letter,) = dead(bus, 1)
    assert letter.reason == f"it came back {DELIVERY_LIMIT} times"
    assert (letter.queue, letter.key) == ("gateway", "gateway.show_project")
    assert back == list(range(DELIVERY_LIMIT + 1))
    consumer.close()


def test_a_message_whose_consumers_die_of_it_is_buried_in_the_end(bus):
    publish(bus, "a")
    for _ in range(DELIVERY_LIMIT + 1):
        inbox = Inbox(bus, "gateway", prefetch=1)
        assert projects_of(inbox.first(1)) == ["a"]
        inbox.consumer.close()
    publish(bus, "b")
    assert projects_of(Inbox(bus, "gateway").first(1)) == ["b"]
    assert [letter.reason for letter in dead(bus, 1)] == [f"it came back {DELIVERY_LIMIT} times"]


def test_dead_letters_are_listed_oldest_first_as_often_as_one_likes_and_as_many_as_one_likes(bus):
    bury(bus, "a", "b", "c")
    for _ in range(3):
        assert [letter.reason[0] for letter in bus.dead_letters(100)] == ["a", "b", "c"]
    assert [letter.reason[0] for letter in bus.dead_letters(2)] == ["a", "b"]
    assert len({letter.id for letter in bus.dead_letters(100)}) == 3
    assert bus.dead_letters(100) == bus.dead_letters(100)


def test_a_replayed_letter_goes_where_it_was_going_and_is_dead_no_more(bus):
    _, second, _ = bury(bus, "a", "b", "c")
    assert bus.replay(second.id)
    delivery = Inbox(bus, "gateway").one()
    assert decode(delivery.body).project == "b"
    assert (delivery.exchange, delivery.key, delivery.own) == (COMMANDS, "gateway.show_project", True)
    assert (delivery.redelivered, delivery.asked, delivery.type) == (0, False, "ShowProject")
    delivery.ack()
    assert [letter.reason[0] for letter in dead(bus, 2)] == ["a", "c"]
    assert not bus.replay(second.id)


def test_a_replayed_letter_can_be_buried_and_replayed_again(bus):
    (letter,) = bury(bus, "a")
    for number in range(3):
        assert bus.replay(letter.id)
        inbox = Inbox(bus, "gateway")
        inbox.one().bury(f"again {number}")
        (letter,) = dead(bus, 1)
        assert letter.reason == f"again {number}"
        inbox.consumer.close()


def test_a_letter_stays_when_its_queue_has_no_room_for_it(bus):
    (letter,) = bury(bus, "a")
    publish(bus, *"bcdef"[:LONGEST])
    with pytest.raises(Full):
        bus.replay(letter.id)
    assert [each.id for each in dead(bus, 1)] == [letter.id]


def test_a_dropped_letter_is_gone_for_good(bus):
    first, second = bury(bus, "a", "b")
    assert bus.drop(first.id)
    assert not bus.drop(first.id)
    assert not bus.replay(first.id)
    assert not bus.drop("no such id")
    assert [letter.id for letter in dead(bus, 1)] == [second.id]


def test_what_a_stranger_published_stays_a_strangers_when_it_is_replayed(bus):
    bus.publish_raw(METRICS, "metric.3.somebody", b"accuracy=0.5", message_id="m1", headers={"sequence": 7})
    inbox = Inbox(bus, "metrics.3")
    inbox.one().bury("nobody knows somebody")
    (letter,) = dead(bus, 1)
    assert (letter.exchange, letter.key, letter.body) == (METRICS, "metric.3.somebody", b"accuracy=0.5")
    assert bus.replay(letter.id)
    again = inbox.one(2)
    assert (again.own, again.body, again.message_id, again.headers) == (False, b"accuracy=0.5", "m1", {"sequence": 7})
    again.ack()


def test_a_reason_may_be_long_and_a_body_may_be_anything(bus):
    body = bytes(range(256)) * 40
    bus.publish_raw(COMMANDS, "gateway.set_limit", body)
    inbox = Inbox(bus, "gateway")
    assert inbox.one().body == body
    inbox.one().bury("why? " * 2000)
    (letter,) = dead(bus, 1)
    assert letter.body == body
    assert letter.reason == "why? " * 2000
