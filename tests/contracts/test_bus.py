"""What every bus does. Another one joins as one more parameter of `bus`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from beagle.errors import Full, Unavailable, Unroutable
from beagle.messages import (
    AdvanceSearch,
    ExperimentChanged,
    FillPlaces,
    LaunchExperiment,
    MetricsReported,
    Report,
    SetLimit,
    ShowSystem,
    StopWorkload,
    decode,
)
from bus.memory import MemoryBus
from bus.port import Bus, Consumer, Delivery
from bus.routes import COMMANDS, EVENTS, METRICS, Binding, bindings

# What the bounded queue of these tests holds.
LONGEST = 5
PATIENCE = 10.0


def memory() -> Bus:
    return MemoryBus(bindings("local"), longest_queue=LONGEST)


@pytest.fixture(params=[pytest.param(memory, id="memory")])
def bus(request) -> Iterator[Bus]:
    opened = request.param()
    yield opened
    opened.close()


class Inbox:
    """A consumer's inbox: what was delivered, in the order in which it came."""

    def __init__(self, bus: Bus, queue: str, prefetch: int = 100) -> None:
        self._came = threading.Condition()
        self.deliveries: list[Delivery] = []
        self.consumer: Consumer = bus.consume(queue, self._take, prefetch=prefetch)

    def _take(self, delivery: Delivery) -> None:
        with self._came:
            self.deliveries.append(delivery)
            self._came.notify_all()

    def first(self, count: int) -> list[Delivery]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.deliveries) >= count, PATIENCE), self.bodies()
        return self.deliveries[:count]

    def one(self, number: int = 1) -> Delivery:
        return self.first(number)[number - 1]

    def bodies(self) -> list[object]:
        return [getattr(decode(delivery.body), "project", None) for delivery in self.deliveries]


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def publish(bus: Bus, *projects: str) -> None:
    for project in projects:
        bus.publish(AdvanceSearch(project=project))


def projects_of(deliveries: list[Delivery]) -> list[str]:
    return [json.loads(delivery.body)["project"] for delivery in deliveries]


def settle(inbox: Inbox, count: int) -> None:
    for delivery in inbox.first(count):
        delivery.ack()


# Publish, consume, settle --------------------------------------------------------------------------------------------


def test_a_message_comes_as_it_was_sent_with_its_exchange_and_key(bus):
    sent = AdvanceSearch(project="größer 🐶")
    bus.publish(sent)
    delivery = Inbox(bus, "heuristic").one()
    assert decode(delivery.body) == sent
    assert (delivery.exchange, delivery.key) == (COMMANDS, "heuristic.advance_search")
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
    assert projects_of(Inbox(bus, "heuristic").first(3)) == ["a", "b", "c"]


def test_messages_come_in_order_to_a_consumer_that_is_there(bus):
    inbox = Inbox(bus, "heuristic", prefetch=1)
    for number in range(20):
        publish(bus, str(number))
        inbox.one(number + 1).ack()
    assert projects_of(inbox.first(20)) == [str(number) for number in range(20)]


def test_what_was_acknowledged_never_comes_again(bus):
    publish(bus, "a", "b")
    inbox = Inbox(bus, "heuristic")
    inbox.one(1).ack()
    inbox.first(2)
    inbox.consumer.close()
    assert projects_of([Inbox(bus, "heuristic").one()]) == ["b"]


def test_a_requeued_message_comes_again_first_and_counted(bus):
    publish(bus, "a", "b")
    inbox = Inbox(bus, "heuristic", prefetch=1)
    inbox.one(1).requeue()
    inbox.one(2).requeue()
    settle_from_third = inbox.one(3)
    settle_from_third.ack()
    inbox.one(4).ack()
    assert projects_of(inbox.first(4)) == ["a", "a", "a", "b"]
    assert [delivery.redelivered for delivery in inbox.first(4)] == [0, 1, 2, 0]


def test_no_more_than_the_prefetch_is_handed_out_unacknowledged(bus):
    publish(bus, "a", "b", "c")
    inbox = Inbox(bus, "heuristic", prefetch=2)
    inbox.first(2)
    publish(bus, "d")
    assert len(inbox.deliveries) == 2
    inbox.one(1).ack()
    assert projects_of(inbox.first(3)) == ["a", "b", "c"]


@pytest.mark.parametrize("settled", ["ack", "requeue", "bury"])
def test_a_delivery_settled_twice_counts_once(bus, settled):
    publish(bus, "a", "b", "c")
    inbox = Inbox(bus, "heuristic", prefetch=1)
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
    inbox = Inbox(bus, "heuristic", prefetch=3)
    inbox.first(3)
    inbox.one(2).ack()
    inbox.first(4)
    inbox.consumer.close()
    again = Inbox(bus, "heuristic")
    assert projects_of(again.first(4)) == ["a", "c", "d", "e"]
    assert [delivery.redelivered for delivery in again.first(4)] == [1, 1, 1, 0]


def test_an_acknowledgement_after_the_close_counts_no_more(bus):
    publish(bus, "a")
    inbox = Inbox(bus, "heuristic")
    late = inbox.one()
    inbox.consumer.close()
    late.ack()
    assert projects_of([Inbox(bus, "heuristic").one()]) == ["a"]


def test_a_closed_consumer_gets_nothing_more_and_closing_again_does_nothing(bus):
    inbox = Inbox(bus, "heuristic")
    inbox.consumer.close()
    inbox.consumer.close()
    publish(bus, "a")
    assert projects_of(Inbox(bus, "heuristic").first(1)) == ["a"]
    assert inbox.deliveries == []


def test_what_one_consumer_held_goes_to_another_that_is_there(bus):
    publish(bus, "a")
    first = Inbox(bus, "heuristic")
    first.one()
    second = Inbox(bus, "heuristic")
    first.consumer.close()
    assert second.one().redelivered == 1


def test_competing_consumers_share_a_queue_and_each_message_is_handled_once(bus):
    inboxes = [Inbox(bus, "heuristic", prefetch=1) for _ in range(3)]
    publish(bus, "a", "b", "c")
    held = [inbox.one() for inbox in inboxes]
    publish(bus, "d", "e", "f")
    for delivery in held:
        delivery.ack()
    again = [inbox.one(2) for inbox in inboxes]
    assert sorted(projects_of(held)) == ["a", "b", "c"]
    assert sorted(projects_of(again)) == ["d", "e", "f"]


def test_a_busy_consumer_leaves_the_work_to_an_idle_one(bus):
    busy, idle = Inbox(bus, "heuristic", prefetch=1), Inbox(bus, "heuristic", prefetch=1)
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

    consumer = bus.consume("heuristic", take, prefetch=1000)
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
    bus = memory()
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
