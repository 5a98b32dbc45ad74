"""What every store promises of its lists: pages, cursors and ranks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest

from beagle.errors import InvalidInput
from beagle.experiment import Experiment, State
from beagle.ports import INDEXES, Page, Store
from beagle.records import Place, Project, ProjectState, Summary
from tests.contracts.records import PROJECT, experiment, experiments, project, walk

QUEUE = (PROJECT, State.QUEUE)


def numbers(store: Store, **kwargs) -> list[int]:
    fetched = walk(lambda **more: store.page(Experiment, "queue", QUEUE, **more), **kwargs)
    return [each.number for each in fetched]


def test_a_page_is_in_the_order_of_its_index_and_then_by_id(store):
    ranks = [5, -(2**62), 7, 5, 2**62]
    store.add([experiment(number, rank=rank) for number, rank in enumerate(ranks, start=1)])
    assert numbers(store) == [2, 1, 4, 3, 5]
    assert numbers(store, descending=True) == [5, 3, 4, 1, 2]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_follow_each_other_without_a_gap(store, limit, descending):
    store.add([experiment(number, rank=number // 3) for number in range(10)])
    expected = sorted(range(10), reverse=descending)
    assert numbers(store, limit=limit, descending=descending) == expected


def test_the_last_page_has_no_cursor(store):
    store.add(experiments(4))
    page = store.page(Experiment, "queue", QUEUE, limit=2)
    assert page.next is not None
    page = store.page(Experiment, "queue", QUEUE, limit=2, after=page.next)
    assert (len(page.records), page.next) == (2, None)


def test_a_page_of_nothing_is_empty(store):
    assert store.page(Experiment, "queue", QUEUE) == Page([], None)


def test_a_page_shows_only_what_equals(store):
    store.add([*experiments(3), *experiments(2, project="c" * 24), experiment(9, state=State.POOL)])
    assert numbers(store) == [1, 2, 3]


def test_a_field_that_is_none_keeps_a_record_out_of_an_index_that_wants_it(store):
    store.add([experiment(1), experiment(2, state=State.FAILED), experiment(3, state=State.STOPPED)])
    records = store.page(Experiment, "ended", (PROJECT,), descending=True).records
    assert [record.number for record in records] == [3, 2]
    summary = Summary(id="a", project=PROJECT, attempt=1)
    store.add([summary])
    assert store.page(Summary, "objective", (PROJECT,)).records == []
    known = replace(summary, version=1, objective=0.0)
    assert store.replace(summary, known)
    assert store.page(Summary, "objective", (PROJECT,)).records == [known]


def test_a_record_that_changes_moves_in_every_index(store):
    before = experiment(1)
    store.add([before])
    after = replace(before, version=1, project="c" * 24, state=State.STOPPED, rank=8, number=8, name="x", ended_at=8.0)
    assert store.replace(before, after)
    for name, old in {"queue": QUEUE, "state": QUEUE[1:], "number": QUEUE[:1], "name": (before.name,)}.items():
        fields = INDEXES[Experiment][name].equal
        assert store.page(Experiment, name, old).records == []
        assert store.page(Experiment, name, [getattr(after, field) for field in fields]).records == [after]
    assert store.page(Experiment, "ended", ("c" * 24,)).records == [after]


def test_free_places_are_listed_by_truth_and_emptiness(store):
    places = [Place(id=f"place-{n}", number=n, open=n != 2, of=1, experiment="e" if n == 1 else "") for n in range(4)]
    store.add(places)
    assert store.page(Place, "free", (True, "")).records == [places[0], places[3]]
    assert store.page(Place, "free", (False, "")).records == [places[2]]
    assert store.page(Place, "all").records == places


def test_projects_are_listed_by_state_digest_and_age(store):
    projects = [project(number) for number in range(4)]
    store.add([*projects[::-1], project(9, state=ProjectState.PAUSED)])
    assert store.page(Project, "state", (ProjectState.RUNNING,)).records == projects
    assert store.page(Project, "digest", ("digest 0",)).records == [projects[0], projects[2]]
    assert [each.created_at - 1700000000 for each in store.page(Project, "all", (False,)).records] == [0, 1, 2, 3, 9]


@pytest.mark.parametrize("descending", [False, True])
def test_pages_neither_skip_nor_repeat_while_others_insert(store, descending):
    store.add([experiment(number) for number in range(1000, 1200)])

    def insert(number: int) -> None:
        store.add([experiment(number), experiment(5000 + number)])

    with ThreadPoolExecutor(4) as threads:
        inserting = [threads.submit(insert, number) for number in range(200)]
        seen = numbers(store, limit=7, descending=descending)
    for done in inserting:
        done.result()
    assert [number for number in seen if 1000 <= number < 1200] == sorted(range(1000, 1200), reverse=descending)
    assert all((a > b) is descending for a, b in pairwise(seen))


def test_a_record_inserted_behind_the_cursor_is_not_shown_and_one_before_it_is(store):
    store.add([experiment(number) for number in (10, 20, 30)])
    page = store.page(Experiment, "queue", QUEUE, limit=2)
    store.add([experiment(15), experiment(25)])
    rest = store.page(Experiment, "queue", QUEUE, limit=10, after=page.next)
    assert [record.number for record in rest.records] == [25, 30]


def test_a_cursor_goes_on_where_its_record_was_though_that_is_gone(store):
    store.add(experiments(4))
    page = store.page(Experiment, "queue", QUEUE, limit=2)
    store.remove(Experiment, [record.id for record in page.records])
    assert [record.number for record in store.page(Experiment, "queue", QUEUE, after=page.next).records] == [3, 4]


def test_a_cursor_is_safe_in_a_url(store):
    store.add([experiment(number, rank=-(2**62) + number) for number in range(3)])
    cursor = store.page(Experiment, "queue", QUEUE, limit=2).next
    assert all(char.isascii() and (char.isalnum() or char in "-_") for char in cursor)


@pytest.mark.parametrize(
    "cursor", ["", "x", "größer", "AAAA", "W10", "WzFd", "bnVsbA", "e30", "W1tdXQ", "W" * 9999, "a+b/"]
)
def test_a_cursor_that_is_none_of_ours_is_refused(store, cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        store.page(Experiment, "queue", QUEUE, after=cursor)
    with pytest.raises(InvalidInput, match="cursor"):
        store.metrics("e" * 24, 1, after=cursor)


@pytest.mark.parametrize(
    ("index", "equal", "descending"),
    [
        ("queue", (PROJECT, State.POOL), False),
        ("queue", ("c" * 24, State.QUEUE), False),
        ("queue", QUEUE, True),
        ("state", (State.QUEUE,), False),
        ("name", ("digits model 1",), False),
    ],
)
def test_a_cursor_of_another_list_is_refused(store, index, equal, descending):
    store.add(experiments(3))
    cursor = store.page(Experiment, "queue", QUEUE, limit=1).next
    with pytest.raises(InvalidInput, match="another list"):
        store.page(Experiment, index, equal, after=cursor, descending=descending)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(store, limit):
    with pytest.raises(InvalidInput, match=f"limit is {limit}"):
        store.page(Experiment, "queue", QUEUE, limit=limit)
    with pytest.raises(InvalidInput, match=f"limit is {limit}"):
        store.metrics("e" * 24, 1, limit=limit)


def test_the_rank_is_how_many_stand_before_it_but_no_more_than_asked(store):
    records = [experiment(number, rank=number // 2) for number in range(10)]
    store.add([*records, *experiments(3, project="c" * 24)])
    assert [store.rank_of(record, "queue", most=6) for record in records] == [0, 1, 2, 3, 4, 5, 6, 6, 6, 6]
    assert store.rank_of(records[3], "name", most=6) == 0


def test_one_that_is_not_in_an_index_has_none_before_it(store):
    store.add([experiment(1, state=State.FAILED), experiment(2)])
    assert store.rank_of(experiment(2), "ended", most=6) == 0
