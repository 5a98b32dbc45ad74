"""What has come of an attempt is stored in one call, and yet judged message by message, and counted once."""

from __future__ import annotations

import pytest

from actors.monitor import Monitor
from beagle.errors import Unavailable
from beagle.experiment import State
from beagle.records import Summary
from bus.routes import METRICS, metric_key
from tests.actors.bench import ID, QUEUES, Bench
from tests.journeys.beagle_run import eventually

KEY = metric_key(ID, 1)
COUNT = 90  # fewer than are handed out at once


class Appending:
    """The calls by which metrics were stored; `fails` does what it likes before (None) and after one."""

    def __init__(self, store) -> None:
        self._append, self.sizes, self.fails = store.append, [], None
        store.append = self

    def __call__(self, metrics, *, lazy: bool = False):
        self.sizes.append(len(metrics))
        fails, self.fails = (self.fails, None) if len(metrics) > 1 else (None, self.fails)
        if fails == "before":
            raise Unavailable("the store is away")
        new = self._append(metrics, lazy=lazy)
        if fails == "after":
            raise Unavailable("the answer was lost")
        return new


@pytest.fixture
def bench(tmp_path):
    """Its monitor rests until `work`."""
    bench = Bench(tmp_path)
    bench.monitor.stop()
    bench.appending = Appending(bench.store)
    yield bench
    bench.close()


def work(bench) -> None:
    bench.monitor = Monitor.start(bench.world, QUEUES)


def say(bench, sequence, text) -> None:
    bench.bus.publish_raw(METRICS, KEY, text.encode(), headers={"source": "train", "sequence": sequence})


def tell(bench, how, sequence, cost) -> None:
    if how == "raw":
        say(bench, sequence, f"cost={cost}")
    else:
        bench.report(sequence, cost=cost)


def counted(bench) -> int:
    summary = bench.store.get(Summary, ID)
    return 0 if summary is None else summary.count


@pytest.mark.parametrize("how", ["raw", "own"])
def test_what_waits_is_stored_in_a_few_calls_and_in_its_order(bench, how):
    for number in range(COUNT):
        tell(bench, how, number, number)
    work(bench)
    eventually(bench.bus.is_quiet, seconds=10)
    assert [values["cost"] for values in bench.stored()] == list(range(COUNT))
    assert len(bench.appending.sizes) < COUNT / 5
    eventually(lambda: counted(bench) == COUNT, seconds=10)


def test_a_crossing_metric_ends_it_before_anything_behind_it_is_looked_at(bench):
    for number in range(20):
        say(bench, number, "accuracy=0.5")
    say(bench, 20, "accuracy=0.91")
    for number in range(21, 40):
        say(bench, number, "accuracy=0.99")
    work(bench)
    bench.wait(State.ACCURACY_LIMIT_REACHED)
    assert bench.experiment().reason == "accuracy 0.91 reached the limit 0.9"
    summary = bench.store.get(Summary, ID)
    assert (summary.count, summary.objective) == (21, 0.91)
    eventually(lambda: len(bench.stored()) == 40, seconds=10)


def test_a_word_of_the_end_among_metrics_comes_after_those_before_it(bench):
    for number in range(20):
        bench.report(number, cost=number)
    bench.end(0)
    for number in range(20, 30):
        bench.report(number, cost=number)
    work(bench)
    bench.wait(State.COMPLETED)
    assert counted(bench) == 20
    eventually(lambda: len(bench.stored()) == 30, seconds=10)


def test_repeats_among_them_are_stored_and_counted_once(bench):
    for number in range(COUNT):
        tell(bench, ("raw", "own")[number % 2], number // 6, number // 6)
    work(bench)
    eventually(bench.bus.is_quiet, seconds=10)
    assert len(bench.stored()) == COUNT // 6 * 2
    eventually(lambda: counted(bench) == COUNT // 6 * 2, seconds=10)


@pytest.mark.parametrize("fails", ["before", "after"])
@pytest.mark.parametrize("how", ["raw", "own"])
def test_when_the_store_fails_on_many_each_is_stored_and_counted_once(bench, how, fails):
    bench.appending.fails = fails
    for number in range(COUNT):
        tell(bench, how, number, number)
    work(bench)
    eventually(bench.bus.is_quiet, seconds=10)
    assert bench.appending.fails is None
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert [values["cost"] for values in bench.stored()] == list(range(COUNT))
    assert counted(bench) == COUNT


def test_what_is_no_message_among_them_is_dead_alone(bench):
    for number in range(COUNT):
        if number == 40:
            bench.bus._put(_broken())
        bench.report(number, cost=number)
    work(bench)
    eventually(bench.bus.is_quiet, seconds=10)
    assert len(bench.stored()) == COUNT
    assert [letter.body for letter in bench.bus.dead_letters(9)] == [b"{}"]


def test_a_save_between_them_counts_none_twice(bench):
    """The summary is read anew from the store while metrics that are stored already wait for their turn."""
    for number in range(COUNT):
        tell(bench, "raw", number // 2, number // 2)  # a repeat makes the monitor doubt, where it is not alone
    work(bench)
    eventually(bench.bus.is_quiet, seconds=10)
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert counted(bench) == COUNT // 2


def _broken():
    from bus.memory_queues import Waiting

    return Waiting(0, b"{}", METRICS, KEY, own=True, message_id="", type="MetricsReported", headers={}, answer=None)
