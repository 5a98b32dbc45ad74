"""What every store promises of metrics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from beagle.errors import InvalidInput
from beagle.ports import Page
from tests.contracts.records import metric, walk


def test_a_metric_comes_back_as_it_was_stored(store):
    plain = metric(0)
    full = replace(
        metric(2**62, source="größer/log 🐶.txt"), step=2**62, values={"größe": -1e300, "": 5e-324, "n": 1e308}
    )
    refused = replace(metric(3), values={}, refusals=("cost=nan is not finite", "größer \udc80"))
    store.append([plain, full, refused])
    assert store.metrics("e" * 24, 1) == Page([plain, full, refused], None)
    assert store.metrics("e" * 24, 1).records[0].step is None


def test_a_repeated_metric_is_told_and_the_first_is_kept(store):
    assert store.append([metric(1), metric(2), metric(1)]) == [True, True, False]
    later = replace(metric(2), values={"accuracy": 9.0}, time=2.0)
    assert store.append([later, metric(3)]) == [False, True]
    assert store.metrics("e" * 24, 1).records == [metric(1), metric(2), metric(3)]


def test_the_same_sequence_of_another_source_attempt_or_experiment_is_new(store):
    others = [metric(1), metric(1, source="err"), metric(1, attempt=2), metric(1, experiment="f" * 24)]
    assert store.append(others) == [True] * 4
    assert store.metrics("e" * 24, 1).records == others[:2]
    assert store.metrics("e" * 24, 2).records == others[2:3]
    assert store.metrics("f" * 24, 1).records == others[3:]


def test_metrics_are_shown_in_the_order_in_which_they_were_stored(store):
    metrics = [metric(sequence, source=source) for sequence in (5, 3, 9) for source in ("out", "err")]
    for each in metrics:
        store.append([each])
    assert walk(lambda **more: store.metrics("e" * 24, 1, **more), limit=4) == metrics


def test_metrics_stored_meanwhile_are_on_a_later_page(store):
    store.append([metric(n) for n in range(5)])
    page = store.metrics("e" * 24, 1, limit=3)
    store.append([metric(99)])
    rest = store.metrics("e" * 24, 1, limit=3, after=page.next)
    assert [each.sequence for each in page.records + rest.records] == [0, 1, 2, 3, 4, 99]


def test_a_cursor_of_other_metrics_is_refused(store):
    store.append([metric(n, attempt=attempt) for n in range(5) for attempt in (1, 2)])
    cursor = store.metrics("e" * 24, 1, limit=3).next
    with pytest.raises(InvalidInput, match="another list"):
        store.metrics("e" * 24, 2, after=cursor)


def test_metrics_of_nothing_are_empty(store):
    assert store.metrics("e" * 24, 1) == Page([], None)


def test_each_metric_is_new_once_though_eight_threads_store_it(store):
    def append(_: int) -> int:
        return sum(sum(store.append([metric(n), metric(n, source="err")])) for n in range(50))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(append, range(8))) == 100
    assert len(store.metrics("e" * 24, 1).records) == 100
