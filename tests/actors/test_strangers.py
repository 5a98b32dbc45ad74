"""What the monitor makes of messages that training programs publish themselves, as any client in any language may."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from pykka import ActorRegistry

from actors.measures import Measures
from actors.monitor import Monitor
from actors.strangers import NOT_BEGUN, NOT_ITS_QUEUE, Dropped, is_raw
from actors.watch import ExperimentMonitor
from beagle.bucket import Allowance
from beagle.experiment import Claimed, Deleted, Launched, Paused, State
from beagle.messages import EndingRelayed, MetricsReported, Report, WorkloadEnded, encode
from beagle.raw_metrics import has_begun
from beagle.records import Summary
from bus.metric_keys import topic
from bus.port import Delivery
from bus.routes import METRICS, SHARDS, metric_key, shard
from tests.actors.bench import ID, QUEUES, Bench
from tests.journeys.beagle_run import eventually

KEY = metric_key(ID, 1)
NOBODY = "f" * 24


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def slow(tmp_path):
    """An experiment may publish three messages at once, and hardly any after that."""
    bench = Bench(tmp_path, allowance=Allowance(rate=0.001, burst=3))
    yield bench
    bench.close()


def say(bench, body, key=KEY, **properties) -> None:
    bench.bus.publish_raw(METRICS, key, body.encode() if isinstance(body, str) else body, **properties)


def delivery(body) -> Delivery:
    return Delivery(
        body=body,
        exchange=METRICS,
        key=KEY,
        queue=f"metrics.{shard(ID)}",
        redelivered=0,
        asked=False,
        ack=lambda: None,
        requeue=lambda: None,
        bury=lambda _: None,
        answer=lambda _: None,
        own=False,
    )


def settled(bench) -> None:
    eventually(bench.bus.is_quiet, seconds=10)


def summary(bench) -> Summary:
    eventually(lambda: bench.store.get(Summary, ID))
    return bench.store.get(Summary, ID)


def dropped(bench) -> dict[str, int]:
    return bench.monitor.proxy().dropped.get().counts()


@pytest.mark.parametrize(
    "body",
    [
        '{"type": "metrics", "metrics": {"accuracy": 0.5, "cost": 2}}',
        '{"metrics": {"accuarcy": 0.5, "cost": 2}, "type": "metrics"}',
        '{"accuracy": 0.5, "cost": 2, "host": "a"}',
        "accuracy=0.5 cost=2",
    ],
)
def test_each_form_is_stored_as_the_same_metric(bench, body):
    say(bench, body)
    settled(bench)
    assert bench.stored() == [{"accuracy": 0.5, "cost": 2}]


def test_the_originals_fields_by_position_are_stored_under_their_names(bench):
    say(bench, "1479823.5\t25.3\t100\t1.9\t0.61\tand\tmore")
    settled(bench)
    assert bench.stored() == [
        {"time": 1479823.5, "experimentTime": 25.3, "batches": 100, "cost": 1.9, "accuracy": 0.61}
    ]


@pytest.mark.parametrize("body", ["<EXPERIMENT_COMPLETED>", '{"type": "service", "msg": "experiment_completed"}'])
@pytest.mark.parametrize("key", [KEY, topic(ID)])
def test_it_may_say_that_it_is_completed(bench, body, key):
    say(bench, body, key)
    bench.wait(State.COMPLETED)
    assert bench.experiment().reason == "it said so itself"


@pytest.mark.parametrize("key", [metric_key(ID, 2), topic(ID)])
def test_and_does_so_at_its_launch_when_it_said_it_before_that_was_told(bench, key):
    bench.advance(Paused("paused"))
    bench.advance(Claimed(0, "here"))
    say(bench, "<EXPERIMENT_COMPLETED>", key)
    eventually(lambda: bench.store.metrics(ID, 2).records)
    bench.advance(Launched("here", time.time()))
    bench.launched(2)
    bench.wait(State.COMPLETED)


@pytest.mark.parametrize("key", [KEY, topic(ID)])
def test_a_metric_that_reaches_the_limit_ends_the_experiment(bench, key):
    say(bench, "accuracy=0.95", key)
    bench.wait(State.ACCURACY_LIMIT_REACHED)


def test_the_launchers_word_of_the_end_comes_after_what_was_published_before(bench):
    for step in range(50):
        say(bench, f"accuracy=0.5 step={step}")
    say(bench, "accuracy=0.95")
    bench.end(3)
    bench.wait(State.ACCURACY_LIMIT_REACHED)
    assert summary(bench).count == 51


def test_under_the_originals_key_too_when_the_ending_takes_the_same_way(bench):
    for step in range(50):
        say(bench, f"accuracy=0.5 step={step}", topic(ID))
    say(bench, "accuracy=0.95", topic(ID))
    ending = WorkloadEnded(experiment=ID, attempt=1, status=3, ended_at=time.time())
    bench.bus.publish(EndingRelayed(experiment=ID, ending=ending))
    bench.wait(State.ACCURACY_LIMIT_REACHED)
    assert summary(bench).count == 51


def test_a_message_that_comes_again_is_stored_once(bench):
    for _ in range(3):
        say(bench, "cost=1", headers={"source": "train-1", "sequence": 0})
        say(bench, "cost=1", headers={"source": "train-1", "sequence": 1})
        say(bench, "cost=1", message_id="one")
        say(bench, "cost=1", message_id="two", key=topic(ID))
    settled(bench)
    assert bench.stored() == [{"cost": 1}] * 4
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert summary(bench).count == 4


def test_equal_numbers_of_a_client_that_counts_nothing_are_so_many_reports(bench):
    for cost in (1, 2, 1):
        say(bench, f"cost={cost}")
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert summary(bench).last == {"cost": 1}
    assert summary(bench).count == 3


def test_one_that_counts_nothing_and_comes_again_after_a_crash_is_stored_once(bench):
    say(bench, "cost=1")
    settled(bench)
    bench.monitor.stop()
    taken: list[Delivery] = []
    consumer = bench.bus.consume(QUEUES[shard(ID)], taken.append, prefetch=9)
    say(bench, "cost=1")
    say(bench, "cost=2")
    consumer.close()
    assert [delivery.redelivered for delivery in taken] == [0, 0]
    bench.monitor = Monitor.start(bench.world, QUEUES)
    settled(bench)
    assert bench.stored() == [{"cost": 1}, {"cost": 2}]


# What is no metric


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"\xff\xfe", "a message of 2 bytes is no text (UTF-8)"),
        (b"x" * 70_000, "a message of 70000 bytes was not read; at most 65536 are"),
        (b"loss=nan", "loss is NaN, which is no metric"),
        (b"hello", 'a message says no metric: "hello"'),
    ],
)
def test_what_is_no_metric_is_told_in_the_experiments_summary(bench, body, sentence):
    say(bench, "cost=1")
    say(bench, body)
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert (summary(bench).refused, summary(bench).refusal) == (1, sentence)
    assert (summary(bench).count, summary(bench).last) == (1, {"cost": 1})
    assert not bench.bus.dead_letters(9)


def test_a_stranger_cannot_speak_as_one_of_our_own_processes(bench):
    forged = MetricsReported(experiment=NOBODY, attempt=1, reports=(Report(source="s", sequence=0, completed=True),))
    say(bench, encode(forged))
    settled(bench)
    assert bench.state() == State.POOL
    ours = replace(delivery(encode(forged)), own=True, type="MetricsReported")
    assert not is_raw(ours)
    assert is_raw(replace(ours, own=False))
    assert is_raw(replace(ours, type=""))
    bench.monitor.tell(replace(ours, own=False))
    eventually(lambda: len(bench.stored()) == 2, seconds=10)
    assert bench.store.metrics(ID, 1).records[1].refusals == ("MetricsReported is between Beagle's own parts",)
    assert bench.state() == State.POOL


# Whose it is


@pytest.mark.parametrize("key", ["hello", f"metric.{shard(ID)}.hello", f"metric.{(shard(ID) + 1) % SHARDS}.{ID}-1"])
def test_what_belongs_to_nobody_is_a_dead_letter_with_the_reason(bench, key):
    say(bench, "accuracy=0.95", key)
    settled(bench)
    (letter,) = bench.bus.dead_letters(9)
    assert letter.key == key
    assert "key" in letter.reason
    assert bench.stored() == []


@pytest.mark.parametrize("key", [metric_key(NOBODY, 1), topic(NOBODY), metric_key(ID, 2)])
def test_what_is_of_no_experiment_that_has_begun_is_dropped_and_counted(bench, key):
    for _ in range(3):
        say(bench, "accuracy=0.95", key)
    settled(bench)
    eventually(lambda: dropped(bench) == {NOT_BEGUN: 3}, seconds=10)
    assert not bench.bus.dead_letters(9)
    assert bench.stored() == bench.stored(2) == []


def test_there_may_be_metrics_of_what_runs_or_has_run_and_is_not_being_deleted(bench):
    assert [has_begun(bench.experiment(), attempt) for attempt in (1, 2)] == [True, False]
    bench.advance(Paused("the system was paused"))
    assert [has_begun(bench.experiment(), attempt) for attempt in (1, 2)] == [True, False]
    bench.run()
    assert [has_begun(bench.experiment(), attempt) for attempt in (1, 2, 3)] == [True, True, False]
    bench.advance(Deleted())
    assert not any(has_begun(bench.experiment(), attempt) for attempt in (1, 2, 3))


def test_what_is_of_an_experiment_that_is_being_deleted_is_dropped_and_counted(bench):
    bench.advance(Deleted())
    say(bench, "accuracy=0.95", topic(ID))
    eventually(lambda: dropped(bench) == {NOT_BEGUN: 1}, seconds=10)
    assert bench.stored() == []


def test_nothing_is_kept_in_memory_of_experiments_that_are_not_there(bench):
    for number in range(100):
        say(bench, "cost=1", metric_key(f"{number:024x}", 1))
    settled(bench)
    # But for the running experiment's own.
    eventually(lambda: len(ActorRegistry.get_by_class(ExperimentMonitor)) <= 1, seconds=10)


def test_what_was_led_to_the_queue_of_another_by_a_header_is_dropped_and_counted(bench):
    acknowledged: list[bool] = []
    elsewhere = f"metrics.{(shard(ID) + 1) % SHARDS}"
    led = replace(delivery(b"accuracy=0.95"), queue=elsewhere, ack=lambda: acknowledged.append(True))
    for _ in range(5):
        bench.monitor.tell(led)
    eventually(lambda: len(acknowledged) == 5, seconds=10)
    assert dropped(bench) == {NOT_ITS_QUEUE: 5}
    assert bench.stored() == []
    assert bench.state() == State.POOL


def test_what_was_dropped_is_measured(tmp_path):
    bench = Bench(tmp_path)
    measures = Measures(bench.store, bench.bus)
    bench.monitor.stop()
    bench.world = replace(bench.world, observer=measures)
    bench.monitor = Monitor.start(bench.world, QUEUES)
    for _ in range(3):
        say(bench, "cost=1", metric_key(NOBODY, 1))
    counted = f'beagle_metrics_dropped_total{{why="{NOT_BEGUN}"}} 3.0'
    eventually(lambda: counted in measures.page().decode(), seconds=10)
    bench.close()


def test_what_was_dropped_is_news_once():
    counts = Dropped()
    for why in ("a", "b", "a"):
        counts.note(why)
    assert counts.news() == {"a": 2, "b": 1}
    counts.note("b")
    assert counts.news() == {"b": 1}
    assert counts.news() == {}
    assert counts.counts() == {"a": 2, "b": 2}


# Attempts


def test_what_an_older_attempt_publishes_late_is_kept_as_its_own_and_changes_no_state(bench):
    bench.advance(Paused("the system was paused"))
    bench.run()
    say(bench, "accuracy=0.99")
    settled(bench)
    assert (bench.stored(), bench.stored(2)) == ([{"accuracy": 0.99}], [])
    assert bench.state() == State.POOL


def test_under_the_originals_key_the_attempt_that_runs_is_meant(bench):
    bench.advance(Paused("the system was paused"))
    bench.run()
    say(bench, "cost=1", topic(ID))
    settled(bench)
    assert (bench.stored(), bench.stored(2)) == ([], [{"cost": 1}])


def test_under_the_originals_key_what_was_sent_before_the_claim_is_the_one_befores(bench):
    before = int(time.time() * 1000) - 60_000
    bench.advance(Paused("the system was paused"))
    bench.run()
    say(bench, "accuracy=0.99", topic(ID), headers={"timestamp_in_ms": before})
    settled(bench)
    assert (bench.stored(), bench.stored(2)) == ([{"accuracy": 0.99}], [])
    assert bench.state() == State.POOL


def test_under_the_originals_key_what_comes_between_two_attempts_is_the_first_ones(bench):
    bench.advance(Paused("the system was paused"))
    say(bench, "accuracy=0.99", topic(ID))
    settled(bench)
    assert (bench.stored(), bench.stored(2)) == ([{"accuracy": 0.99}], [])
    assert bench.state() == State.QUEUE


def test_what_comes_before_the_launch_is_stored_counts_once_it_is(bench):
    bench.advance(Paused("the system was paused"))
    bench.advance(Claimed(0, "local"))
    say(bench, "accuracy=0.95", metric_key(ID, 2))
    settled(bench)
    assert bench.stored(2) == [{"accuracy": 0.95}]
    assert bench.state() == State.POOL
    bench.advance(Launched("here", time.time()))
    bench.launched(attempt=2, fresh=False)
    bench.wait(State.ACCURACY_LIMIT_REACHED)
    assert summary(bench).count == 1


def test_what_comes_before_a_launch_that_ends_at_once_counts_before_the_end(bench):
    bench.advance(Paused("the system was paused"))
    bench.advance(Claimed(0, "local"))
    say(bench, "accuracy=0.95", metric_key(ID, 2))
    settled(bench)
    bench.advance(Launched("here", time.time()))
    bench.end(3, attempt=2)
    bench.wait(State.ACCURACY_LIMIT_REACHED)


# Floods


@pytest.mark.parametrize("key", [KEY, topic(ID)])
def test_what_comes_too_fast_is_not_kept_and_that_is_said(slow, key):
    for step in range(10):
        say(slow, f"cost={step}", key)
    say(slow, "accuracy=0.95", key)
    slow.wait(State.ACCURACY_LIMIT_REACHED)
    assert slow.stored() == [{"cost": 0}, {"cost": 1}, {"cost": 2}, {"accuracy": 0.95}]
    assert summary(slow).refused >= 1
    assert summary(slow).refusal == "more than 0.001 messages came in a second: what came beyond was not kept"


@pytest.mark.parametrize("key", [KEY, topic(ID)])
def test_the_end_is_taken_however_much_came_before(slow, key):
    for step in range(10):
        say(slow, f"cost={step}", key)
    say(slow, "<EXPERIMENT_COMPLETED>", key)
    slow.wait(State.COMPLETED)


def test_a_flood_of_one_experiments_messages_is_counted_one_by_one(slow):
    for step in range(10):
        say(slow, f"cost={step}")
    settled(slow)
    slow.end(0)
    slow.wait(State.COMPLETED)
    assert summary(slow).refused == 7


def test_once_it_has_ended_crossing_values_are_a_flood_like_any_other(slow):
    for step in range(10):
        say(slow, f"accuracy=0.95 step={step}")
    slow.wait(State.ACCURACY_LIMIT_REACHED)
    eventually(lambda: summary(slow).refused == 6, seconds=10)
    assert len(slow.stored()) == 1 + 3
