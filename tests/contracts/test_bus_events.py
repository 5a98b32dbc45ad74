"""What every bus does with queues of which each consumer has its own, and with those of a single active consumer."""

from __future__ import annotations

from beagle.messages import ExperimentChanged, MetricsReported, Report, decode
from bus.port import Bus
from bus.routes import EVENTS
from tests.contracts.inbox import LONGEST, Inbox, eventually

PROJECT = "b" * 24


def announce(bus: Bus, *experiments: str, state: str = "stopped") -> None:
    for experiment in experiments:
        bus.publish(
            ExperimentChanged(experiment=experiment * 24, project=PROJECT, attempt=1, state=state, reason="it is over")
        )


def heard(inbox: Inbox, count: int) -> str:
    return "".join(decode(delivery.body).experiment[0] for delivery in inbox.first(count))


def report(bus: Bus, sequence: int) -> None:
    bus.publish(
        MetricsReported(experiment="e" * 24, attempt=1, reports=(Report(source="out", sequence=sequence, values={}),))
    )


def sequences(inbox: Inbox, count: int) -> list[int]:
    return [decode(delivery.body).reports[0].sequence for delivery in inbox.first(count)]


# A queue of its own for each ------------------------------------------------------------------------------------------


def test_an_event_may_go_unheard_and_who_comes_later_does_not_hear_it(bus):
    announce(bus, "a")
    late = Inbox(bus, "events.heuristic")
    announce(bus, "b")
    assert heard(late, 1) == "b"


def test_every_listener_hears_every_event(bus):
    inboxes = [Inbox(bus, queue) for queue in ("events.heuristic", "events.heuristic", "events.monitor")]
    announce(bus, "a", "b", "c")
    assert [heard(inbox, 3) for inbox in inboxes] == ["abc"] * 3
    first = inboxes[0].one()
    assert (first.exchange, first.key, first.queue) == (EVENTS, f"experiment.stopped.{PROJECT}", "events.heuristic")


def test_a_listener_hears_only_what_its_patterns_fit(bus):
    heuristic, monitor = Inbox(bus, "events.heuristic"), Inbox(bus, "events.monitor")
    announce(bus, "a", state="queue")
    announce(bus, "b", state="completed")
    announce(bus, "c", state="stopped")
    assert (heard(heuristic, 2), heard(monitor, 2)) == ("bc", "ac")


def test_a_listener_that_has_gone_leaves_nothing_behind_and_the_others_hear_on(bus):
    gone, stays = Inbox(bus, "events.heuristic"), Inbox(bus, "events.heuristic")
    announce(bus, "a")
    assert (heard(gone, 1), heard(stays, 1)) == ("a", "a")
    gone.consumer.close()
    announce(bus, "b")
    assert heard(stays, 2) == "ab"
    came_back = Inbox(bus, "events.heuristic")
    announce(bus, "c")
    assert heard(came_back, 1) == "c"
    assert len(gone.deliveries) == 1


def test_a_listener_that_lags_behind_loses_the_oldest_and_holds_nobody_up(bus):
    slow, quick = Inbox(bus, "events.heuristic", prefetch=1), Inbox(bus, "events.heuristic")
    announce(bus, "0")
    assert heard(slow, 1) == "0"
    for number in range(1, LONGEST + 3):
        announce(bus, str(number))
        heard(quick, number + 1)
    for number in range(LONGEST + 1):
        slow.one(number + 1).ack()
    assert heard(slow, LONGEST + 1) == "034567"
    assert heard(quick, LONGEST + 3) == "01234567"


def test_an_event_that_was_put_back_comes_again_to_the_same_listener_and_counted(bus):
    inbox, other = Inbox(bus, "events.heuristic", prefetch=1), Inbox(bus, "events.heuristic")
    announce(bus, "a", "b")
    inbox.one(1).requeue()
    inbox.one(2).requeue()
    inbox.one(3).ack()
    assert heard(inbox, 4) == "aaab"
    assert [delivery.redelivered for delivery in inbox.first(4)] == [0, 1, 2, 0]
    assert heard(other, 2) == "ab"


def test_an_event_can_be_buried(bus):
    inbox = Inbox(bus, "events.monitor")
    announce(bus, "a")
    inbox.one().bury("it makes no sense")
    eventually(lambda: len(bus.dead_letters(9)) == 1)
    (letter,) = bus.dead_letters(9)
    assert (letter.queue, letter.reason) == ("events.monitor", "it makes no sense")


# One at a time --------------------------------------------------------------------------------------------------------


def test_of_the_consumers_of_a_shard_one_gets_everything_and_in_order(bus):
    first, second = Inbox(bus, "metrics.2"), Inbox(bus, "metrics.2")
    for number in range(LONGEST):
        report(bus, number)
    assert sequences(first, LONGEST) == list(range(LONGEST))
    assert second.deliveries == []


def test_when_the_active_consumer_goes_the_next_gets_what_it_held_and_all_that_follows(bus):
    first, second = Inbox(bus, "metrics.2"), Inbox(bus, "metrics.2")
    for number in range(3):
        report(bus, number)
    first.first(3)[0].ack()
    first.consumer.close()
    report(bus, 3)
    assert sequences(second, 3) == [1, 2, 3]
    assert [delivery.redelivered for delivery in second.first(3)] == [1, 1, 0]


def test_a_waiting_consumer_that_goes_changes_nothing(bus):
    first, second, third = (Inbox(bus, "metrics.2") for _ in range(3))
    second.consumer.close()
    report(bus, 0)
    first.one().ack()
    first.consumer.close()
    report(bus, 1)
    assert sequences(third, 1) == [1]
    assert second.deliveries == []
