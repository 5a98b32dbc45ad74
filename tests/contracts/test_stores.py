"""What every store promises of its records; pages and metrics have files of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from beagle.errors import InvalidInput, Unavailable
from beagle.experiment import Claimed, Experiment, State, Stopped, transition
from beagle.ports import Record
from beagle.records import Applied, Place, Project, Summary, System
from tests.contracts.records import PROJECT, experiment, experiments, metric, one_of_each, project

# Records


@pytest.mark.parametrize("record", one_of_each(), ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was_stored(store, record):
    assert store.add([record]) == [True]
    found = store.get(type(record), record.id)
    assert found == record
    assert repr(found) == repr(record)  # == takes 1, 1.0 and True for the same


def test_all_kinds_are_stored_in_one_call(store):
    records = one_of_each()
    assert store.add(records) == [True] * len(records)
    assert [store.get(type(record), record.id) for record in records] == records


def test_a_record_that_is_not_there_is_none(store):
    store.add([System()])
    assert store.get(System, "another") is None
    assert store.get(Place, "system") is None


def test_adding_one_that_exists_leaves_it_as_it_is(store):
    first = experiment(1)
    store.add([first])
    other = replace(first, name="another", state=State.POOL)
    assert store.add([experiment(2), other, experiment(3)]) == [True, False, True]
    assert store.get(Experiment, first.id) == first
    assert store.counts()[State.QUEUE] == 3


def test_adding_one_twice_in_a_call_stores_the_first(store):
    first = Applied(id="a", answer="first", at=1.0)
    assert store.add([first, replace(first, answer="second")]) == [True, False]
    assert store.get(Applied, "a") == first


def test_adding_nothing_answers_nothing(store):
    assert store.add([]) == []
    assert store.append([]) == []


def test_text_that_is_not_unicode_is_refused_and_nothing_of_the_call_is_stored(store):
    with pytest.raises(InvalidInput, match="cannot be stored"):
        store.add([experiment(1), replace(experiment(2), name="\udc80")])
    with pytest.raises(InvalidInput, match="cannot be stored"):
        store.add([experiment(1), replace(experiment(2), parameters={"\udc80": 1})])
    with pytest.raises(InvalidInput, match="cannot be stored"):
        store.append([metric(1), replace(metric(2), values={"\udc80": 1.0})])
    with pytest.raises(InvalidInput, match="cannot hold"):
        store.append([metric(1), metric(2, source="\udc80")])
    assert store.get(Experiment, experiment(1).id) is None
    assert store.metrics("e" * 24, 1).records == []


def test_a_number_beyond_64_bits_is_refused_and_nothing_of_the_call_is_stored(store):
    with pytest.raises(InvalidInput):
        store.add([experiment(1), experiment(2, rank=2**64)])
    with pytest.raises(InvalidInput):
        store.page(Experiment, "number", (PROJECT,), limit=2**64)
    assert store.get(Experiment, experiment(1).id) is None


# Replace


def test_replace_writes_the_next_version(store):
    before = experiment(1)
    store.add([before])
    after = transition(before, Claimed(3, "local"), 5.0)
    assert store.replace(before, after)
    assert store.get(Experiment, before.id) == after


def test_replace_of_a_stale_version_changes_nothing(store):
    before = experiment(1)
    store.add([before])
    won = transition(before, Claimed(3, "local"), 5.0)
    store.replace(before, won)
    assert not store.replace(before, transition(before, Stopped("by the user"), 6.0))
    assert store.get(Experiment, before.id) == won
    assert store.counts() == {state: int(state is State.POOL) for state in State}


def test_replace_of_one_that_is_not_there_stores_nothing(store):
    before = experiment(1)
    assert not store.replace(before, transition(before, Claimed(3, "local"), 5.0))
    assert store.get(Experiment, before.id) is None


def test_replace_goes_by_the_version_alone(store):
    stored = experiment(1)
    store.add([stored])
    copy = replace(stored, name="a poor copy", state=State.POOL, rank=9)
    after = replace(copy, version=1)
    assert store.replace(copy, after)
    assert store.page(Experiment, "queue", (PROJECT, State.POOL)).records == [after]
    assert store.page(Experiment, "name", ("a poor copy",)).records == [after]
    assert store.page(Experiment, "name", (stored.name,)).records == []
    assert store.counts(PROJECT)[State.POOL] == 1


@pytest.mark.parametrize("wrong", [{"version": 0}, {"version": 2}, {"version": 1, "id": "other"}])
def test_replace_takes_the_next_version_of_the_same_record_only(store, wrong):
    before = System()
    store.add([before])
    with pytest.raises(ValueError, match="does not follow"):
        store.replace(before, replace(before, **wrong))
    assert store.get(System, "system") == before


def test_each_version_has_one_winner_among_eight_threads(store):
    store.add([System(limit=0)])

    def count_up(_: int) -> int:
        won = 0
        while won < 25:
            before = store.get(System, "system")
            won += store.replace(before, replace(before, version=before.version + 1, limit=before.limit + 1))
        return won

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(count_up, range(8))) == 200
    assert store.get(System, "system") == System(version=200, limit=200)


def test_eight_threads_with_the_same_version_in_hand_have_one_winner(store):
    records = experiments(20)
    store.add(records)

    def claim(place: int) -> list[bool]:
        return [store.replace(record, transition(record, Claimed(place, "local"), 5.0)) for record in records]

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(claim, range(8)))
    for record, won in zip(records, zip(*outcomes, strict=True), strict=True):
        assert sum(won) == 1
        assert store.get(Experiment, record.id).place == won.index(True)
    assert store.counts(PROJECT)[State.POOL] == 20


# Counts


def test_every_state_is_counted_of_one_project_and_of_all(store):
    zeros = dict.fromkeys(State, 0)
    assert store.counts() == store.counts(PROJECT) == zeros
    store.add([*experiments(3), experiment(4, state=State.FAILED), *experiments(2, project="c" * 24)])
    assert store.counts(PROJECT) == {**zeros, State.QUEUE: 3, State.FAILED: 1}
    assert store.counts("c" * 24) == {**zeros, State.QUEUE: 2}
    assert store.counts("d" * 24) == zeros
    assert store.counts() == {**zeros, State.QUEUE: 5, State.FAILED: 1}


def test_counts_follow_every_change(store):
    before = experiment(1)
    store.add([before, experiment(2)])
    claimed = transition(before, Claimed(1, "local"), 5.0)
    store.replace(before, claimed)
    assert (store.counts()[State.QUEUE], store.counts()[State.POOL]) == (1, 1)
    store.replace(claimed, replace(claimed, version=2, project="c" * 24))
    assert (store.counts(PROJECT)[State.POOL], store.counts("c" * 24)[State.POOL]) == (0, 1)
    store.remove(Experiment, [before.id, experiment(2).id])
    assert set(store.counts().values()) == {0}


# Removal


def test_what_is_removed_is_gone_and_what_is_not_there_is_left_out(store):
    store.add(experiments(3))
    store.remove(Experiment, [experiment(1).id, "not there", experiment(3).id])
    store.remove(Experiment, [experiment(1).id])
    store.remove(Experiment, [])
    assert store.page(Experiment, "number", (PROJECT,)).records == [experiment(2)]
    assert store.counts()[State.QUEUE] == 1


def test_removal_is_of_one_kind(store):
    store.add([Applied(id="same", answer="", at=1.0), Summary(id="same", project=PROJECT, attempt=1)])
    store.remove(Applied, ["same"])
    assert store.get(Summary, "same") is not None


def test_what_was_removed_can_be_added_again(store):
    first = experiment(1)
    store.add([first])
    store.replace(first, transition(first, Claimed(1, "local"), 5.0))
    store.remove(Experiment, [first.id])
    assert store.add([first]) == [True]
    assert store.get(Experiment, first.id) == first


def test_an_experiment_takes_its_metrics_along(store):
    first, second = experiments(2)
    store.add([first, second])
    store.append([metric(n, experiment=each.id, attempt=n) for n in (1, 2) for each in (first, second)])
    store.remove(Experiment, [first.id])
    assert [store.metrics(first.id, attempt).records for attempt in (1, 2)] == [[], []]
    assert len(store.metrics(second.id, 1).records) == 1
    assert store.append([metric(1, experiment=first.id)]) == [True]


def test_metrics_are_removed_without_the_record_and_when_there_is_none(store):
    first, second = experiments(2)
    store.add([first])
    store.append([metric(n, experiment=each.id, attempt=n) for n in (1, 2) for each in (first, second)])
    store.append([metric(1)])
    store.remove_metrics([first.id, second.id, "f" * 24])
    assert [store.metrics(each.id, n).records for each in (first, second) for n in (1, 2)] == [[], [], [], []]
    assert store.get(Experiment, first.id) == first
    assert len(store.metrics("e" * 24, 1).records) == 1
    assert store.append([metric(1, experiment=first.id)]) == [True]
    assert len(store.metrics(first.id, 1).records) == 1


def test_projects_are_listed_apart_from_those_that_are_hidden(store):
    shown, hidden = project(1), replace(project(2), hidden=True)
    store.add([shown, hidden])
    assert store.page(Project, "all", (False,)).records == [shown]
    assert store.page(Project, "all", (True,)).records == [hidden]
    assert store.page(Project, "name", (False, "digits")).records == [shown]


def test_what_is_being_removed_is_listed_by_when_that_began(store):
    first, second, third = experiments(3)
    store.add([first, replace(second, removing=9.0), replace(third, removing=8.0)])
    assert [e.number for e in store.page(Experiment, "removing").records] == [3, 2]


# Life


def test_what_was_stored_is_there_after_opening_again(opening):
    store = opening()
    records: list[Record] = one_of_each()
    store.add(records)
    store.append([metric(1)])
    counts = store.counts()
    store.close()
    again = opening()
    assert [again.get(type(record), record.id) for record in records] == records
    assert again.metrics("e" * 24, 1).records == [metric(1)]
    assert again.counts() == counts
    again.close()


def test_a_closed_store_is_unavailable(opening):
    store = opening()
    store.add([System()])
    store.close()
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        store.get(System, "system")
    with pytest.raises(Unavailable, match="closed"):
        store.add([System(id="other")])
