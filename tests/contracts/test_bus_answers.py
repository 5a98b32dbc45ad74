"""What every bus does at its bounds: where messages go, when it refuses, what it buries, and how it answers."""

from __future__ import annotations

import threading
import time

import pytest

from beagle.errors import Full, Unavailable, Unroutable
from beagle.messages import (
    ExperimentChanged,
    FillPlaces,
    LaunchExperiment,
    SetLimit,
    ShowSystem,
    StopWorkload,
    decode,
)
from bus.memory import DELIVERY_LIMIT, MemoryBus
from bus.port import Bus, Consumer, Delivery
from bus.routes import COMMANDS, EVENTS, Binding, bindings
from tests.contracts.inbox import PATIENCE, Inbox, eventually, projects_of, publish, settle

# Routing, bounds, dead letters ---------------------------------------------------------------------------------------


def test_a_command_that_no_queue_takes_is_an_error_of_its_sender(bus):
    with pytest.raises(Unroutable, match=r"launcher\.elsewhere\.stop_workload"):
        bus.publish(StopWorkload(site="elsewhere", experiment="e" * 24, attempt=1))


def test_an_event_may_go_unheard(bus):
    bus.publish(ExperimentChanged(experiment="e" * 24, project="b" * 24, attempt=1, state="pool", reason=""))
    Inbox(bus, "events.heuristic")
    Inbox(bus, "events.monitor")


def test_an_event_goes_to_every_queue_that_is_bound_for_it(bus):
    bus.publish(ExperimentChanged(experiment="e" * 24, project="b" * 24, attempt=1, state="stopped", reason="x"))
    found = [Inbox(bus, queue).one() for queue in ("events.heuristic", "events.monitor")]
    assert [delivery.exchange for delivery in found] == [EVENTS, EVENTS]
    assert [delivery.key for delivery in found] == [f"experiment.stopped.{'b' * 24}"] * 2


def test_a_queue_takes_only_what_its_pattern_fits(bus):
    bus.publish(FillPlaces())
    bus.publish(LaunchExperiment(experiment="e" * 24, attempt=1))
    publish(bus, "a")
    for queue, key in (("queue_manager", "queue_manager.fill_places"), ("launcher", "launcher.launch_experiment")):
        assert Inbox(bus, queue).one().key == key
    assert Inbox(bus, "launcher.local").deliveries == []


def test_a_full_queue_refuses_and_takes_again_once_there_is_room(bus):
    publish(bus, *"abcde")
    with pytest.raises(Full):
        publish(bus, "f")
    inbox = Inbox(bus, "heuristic", prefetch=1)
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


def test_a_buried_message_is_kept_with_its_reason_and_comes_no_more(bus):
    publish(bus, "a", "b")
    inbox = Inbox(bus, "heuristic", prefetch=1)
    inbox.one().bury("it has no project")
    inbox.one(2).ack()
    (letter,) = bus.dead
    assert (letter.queue, letter.key, letter.reason) == ("heuristic", "heuristic.advance_search", "it has no project")
    assert decode(letter.body).project == "a"
    assert projects_of(inbox.first(2)) == ["a", "b"]


def test_a_message_that_comes_back_for_ever_is_buried_in_the_end(bus):
    back: list[int] = []

    def refuse(delivery: Delivery) -> None:
        back.append(delivery.redelivered)
        worker.append(delivery)

    worker: list[Delivery] = []
    consumer = bus.consume("heuristic", refuse, prefetch=1)
    publish(bus, "a")
    for _ in range(1000):
        if bus.dead:
            break
        eventually(lambda: bool(worker) or bool(bus.dead))
        if worker:
            worker.pop().requeue()
    assert "it came back" in bus.dead[0].reason
    assert back == list(range(len(back)))
    consumer.close()


def test_a_message_whose_consumers_die_of_it_is_buried_in_the_end(bus):
    publish(bus, "a", "b")
    for _ in range(DELIVERY_LIMIT + 1):
        inbox = Inbox(bus, "heuristic", prefetch=1)
        assert projects_of(inbox.first(1)) == ["a"]
        inbox.consumer.close()
    assert projects_of(Inbox(bus, "heuristic").first(1)) == ["b"]
    assert [letter.reason for letter in bus.dead] == [f"it came back {DELIVERY_LIMIT} times"]


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
    late = Inbox(bus, "gateway").one()
    late.answer({"late": True})
    late.ack()
    publish(bus, "a")
    assert projects_of([Inbox(bus, "heuristic").one()]) == ["a"]


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


# The end -------------------------------------------------------------------------------------------------------------


def test_a_closed_bus_takes_nothing_and_delivers_nothing():
    bus = MemoryBus(bindings("local"))
    inbox = Inbox(bus, "heuristic")
    bus.close()
    with pytest.raises(Unavailable, match="closed"):
        publish(bus, "a")
    with pytest.raises(Unavailable, match="closed"):
        bus.request(ShowSystem(), timeout=1)
    bus.close()
    assert inbox.deliveries == []


def test_a_message_for_two_queues_of_which_one_is_full_reaches_neither():
    bound = {name: Binding(COMMANDS, ("heuristic.*",)) for name in ("one", "other")}
    bus = MemoryBus(bound, longest_queue=1)
    publish(bus, "a")
    drained = Inbox(bus, "one")
    drained.one().ack()
    with pytest.raises(Full):
        publish(bus, "b")
    assert projects_of(drained.deliveries) == ["a"]
    bus.close()
