"""That metrics of many threads are stored in one call, and that each thread gets what its own call would have got."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from beagle.errors import InvalidInput, Unavailable
from beagle.stores.mongodb import MongoStore
from beagle.stores.together import ENOUGH, Together
from tests.contracts.records import metric
from tests.journeys.beagle_run import eventually

WRONG = 10**6


class Slow:
    """A store whose first call waits, so that others gather behind it."""

    def __init__(self, error=None) -> None:
        self.calls, self.go, self.error = [], threading.Event(), error
        self.stored: set[int] = set()
        self.together = Together(self)

    def __call__(self, metrics):
        self.calls.append([each.sequence for each in metrics])
        if len(self.calls) == 1:
            self.go.wait(10)
        elif self.error is not None:
            raise self.error
        if WRONG in self.calls[-1]:
            raise InvalidInput(["it cannot hold this value"])
        new = [each.sequence not in self.stored for each in metrics]
        self.stored |= {*self.calls[-1]}
        return new

    def gather(self, *batches):
        """One call that waits, and these behind it; what became of each."""
        with ThreadPoolExecutor(len(batches) + 1) as threads:
            first = threads.submit(self.together.append, [metric(0)])
            eventually(lambda: self.calls)
            others = []
            for batch in batches:
                others.append(threads.submit(self.together.append, [metric(n) for n in batch]))
                eventually(lambda: len(self.together._waiting) == len(others))
            self.go.set()
            return [_outcome(each) for each in (first, *others)]


def _outcome(future):
    error = future.exception(10)
    return error if error is not None else future.result()


def test_what_gathers_behind_a_call_is_stored_in_one_and_each_learns_of_its_own():
    slow = Slow()
    assert slow.gather([1, 2], [0], [3]) == [[True], [True, True], [False], [True]]
    assert len(slow.calls) == 2
    assert sorted(slow.calls[1]) == [0, 1, 2, 3]


def test_a_call_takes_no_more_than_is_good_for_others_and_the_rest_has_its_own():
    slow = Slow()
    many = [[*range(1000 * n, 1000 * n + ENOUGH // 2)] for n in range(1, 6)]
    assert slow.gather(*many) == [[True], *([True] * (ENOUGH // 2) for _ in many)]
    assert sorted(map(len, slow.calls)) == [1, ENOUGH // 2, ENOUGH, ENOUGH]


def test_nothing_waits_for_company():
    slow = Slow()
    slow.go.set()
    assert slow.together.append([metric(1)]) == [True]
    assert slow.together.append([]) == []


def test_a_value_that_cannot_be_held_is_its_senders_mistake_alone():
    first, good, wrong, other = Slow().gather([1], [WRONG], [2, 3])
    assert (first, good, other) == ([True], [True], [True, True])
    assert isinstance(wrong, InvalidInput)


def test_when_the_store_is_away_all_hear_it_from_one_try():
    slow = Slow(Unavailable("it is away"))
    first, *others = slow.gather([1], [2])
    assert first == [True]
    assert [str(each) for each in others] == ["it is away"] * 2
    assert len(slow.calls) == 2


@pytest.mark.parametrize("shared", [True, False], ids=["the same", "their own"])
def test_threads_on_one_mongodb_store_each_metric_once(database, shared):
    store = MongoStore(database)
    told = [[metric(n, source="one" if shared else str(who)) for n in range(50)] for who in range(8)]

    def pour(batch):
        return sum(sum(store.append([replace(each)])) for each in batch)

    with ThreadPoolExecutor(8) as threads:
        new = sum(threads.map(pour, told))
    assert new == (50 if shared else 400)
    assert len(store.metrics("e" * 24, 1).records) == new
    store.close()
