"""That counts on MongoDB are exact whoever dies or sleeps in the middle, although no write spans two documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from threading import Event

import pytest

from beagle.experiment import Claimed, Experiment, Paused, State, Stopped, transition
from beagle.ports import Store
from beagle.stores.mongodb import MongoStore
from tests.contracts.records import PROJECT, experiment, experiments, walk

OTHER = "c" * 24
WRITES = ("bulk_write", "delete_one", "insert_one", "update_one")


class Watched:
    """A collection that tells before each write, or before other calls."""

    def __init__(self, collection, told: Callable[[], None], calls: tuple[str, ...] = WRITES) -> None:
        self._collection, self._told, self._calls = collection, told, calls

    def __getattr__(self, name: str):
        method = getattr(self._collection, name)
        return partial(self._tell, method) if name in self._calls else method

    def _tell(self, method, *arguments, **named):
        self._told()
        return method(*arguments, **named)


class Killed(BaseException):
    """The process ends here."""


def watch(store: MongoStore, told: Callable[[], None]) -> None:
    tally = store._tally
    tally._experiments, tally._tallies = Watched(tally._experiments, told), Watched(tally._tallies, told)


def at(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Does `act` when it is called for that time."""
    calls = count(1)
    return lambda: act() if next(calls) == number else None


def killed() -> None:
    raise Killed


@pytest.fixture
def opens(database) -> Iterator[Callable[[], MongoStore]]:
    """Opens another client of the same store; all are closed in the end."""
    opened: list[MongoStore] = []

    def open_one() -> MongoStore:
        opened.append(MongoStore(database))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def store(opens) -> MongoStore:
    return opens()


def truth(store: Store, project: str) -> dict[State, int]:
    """Counted one by one."""
    found = walk(lambda **more: store.page(Experiment, "number", (project,), **more))
    return {state: sum(each.state is state for each in found) for state in State}


def assert_exact(store: MongoStore) -> None:
    mine, others = truth(store, PROJECT), truth(store, OTHER)
    assert store.counts(PROJECT) == mine
    assert store.counts(OTHER) == others
    assert store.counts() == {state: mine[state] + others[state] for state in State}


def assert_settled(store: MongoStore) -> None:
    """Nothing is left to take in, and the tallies alone say what is true."""
    assert_exact(store)
    assert store._tally._dirty() == []
    assert list(store._tally._tallies.find({"_busy": True})) == []
    names = {f"project {project}" for project in (PROJECT, OTHER) if any(truth(store, project).values())}
    assert {each["_id"] for each in store._tally._tallies.find()} == names | ({"all"} if names else set())


def some_of_all(store: MongoStore) -> None:
    """Experiments that were counted and then claimed, moved to another project, removed and added again."""
    first, second, third, fourth, fifth = experiments(5)
    store.add([first, second, third, fourth, fifth, *experiments(2, project=OTHER)])
    store.repair()
    assert store.replace(first, transition(first, Claimed(0, "local"), 1.0))
    assert store.replace(second, replace(second, version=1, project=OTHER))
    store.remove(Experiment, [third.id, fourth.id])
    assert store.add([fourth, experiment(9, state=State.FAILED)]) == [True, True]


def the_first(store: MongoStore) -> None:
    """Experiments of two projects in a store without any tally."""
    store.add([*experiments(3), *experiments(2, project=OTHER)])


# How many writes a repair makes after each.
SCENARIOS = {some_of_all: 5, the_first: 10}
MOMENTS = [
    pytest.param(prepare, number, id=f"{prepare.__name__}-{number}")
    for prepare, most in SCENARIOS.items()
    for number in range(1, most + 1)
]


@pytest.mark.parametrize(("prepare", "number"), MOMENTS)
def test_counts_are_exact_when_a_repair_is_killed_before_any_of_its_writes(store, opens, prepare, number):
    prepare(store)
    dying = opens()
    watch(dying, at(number, killed))
    with pytest.raises(Killed):
        dying.repair()
    assert_exact(store)
    for _ in range(3):  # what changed its project is taken in by the second
        store.repair()
    assert_settled(store)


@pytest.mark.parametrize("prepare", SCENARIOS)
def test_a_repair_makes_no_more_writes_than_were_tried(store, prepare):
    prepare(store)
    made: list[int] = []
    watch(store, lambda: made.append(1))
    store.repair()
    assert len(made) == SCENARIOS[prepare]
    store.repair()
    store.repair()
    made.clear()
    store.repair()
    assert made == []
    assert_settled(store)


@pytest.mark.parametrize("number", range(1, 6))
def test_counts_are_exact_when_a_repair_sleeps_and_finds_that_others_went_on(store, opens, number):
    some_of_all(store)
    sleeping = opens()

    def meanwhile() -> None:
        # All is repaired by another. Then the same experiment is in the same state again, counted as it was before, and
        # removed ones come back.
        store.repair()
        queued = transition(store.get(Experiment, experiment(1).id), Paused("pause"), 2.0)
        assert store.replace(store.get(Experiment, experiment(1).id), queued)
        store.remove(Experiment, [experiment(5).id])
        store.repair()
        assert store.replace(queued, transition(queued, Claimed(1, "local"), 3.0))
        assert store.add([experiment(3), experiment(5)]) == [True, True]

    watch(sleeping, at(number, meanwhile))
    sleeping.repair()
    assert_exact(store)
    for _ in range(3):
        store.repair()
    assert_settled(store)


def test_one_that_was_noted_and_changed_back_is_found_though_another_saw_nothing_left_to_do(store, opens):
    first = experiment(1)
    store.add([first])
    store.repair()
    claimed = transition(first, Claimed(0, "local"), 1.0)
    assert store.replace(first, claimed)
    dying, other = opens(), opens()
    read, go_on, noted = Event(), Event(), Event()

    def before_the_notes() -> None:
        read.set()
        assert go_on.wait(30)

    def after_the_notes() -> None:
        noted.set()
        raise Killed

    def once_it_is_noted() -> None:
        go_on.set()
        assert noted.wait(30)

    first_write, third_write = at(1, before_the_notes), at(3, after_the_notes)
    watch(dying, lambda: (first_write(), third_write()))
    watch(other, at(1, once_it_is_noted))
    with ThreadPoolExecutor(1) as threads:
        repairing = threads.submit(dying.repair)
        assert read.wait(30)
        assert store.replace(claimed, transition(claimed, Paused("pause"), 2.0))
        other.repair()  # before its only write the other's note appears
        assert isinstance(repairing.exception(), Killed)
    assert store._tally._dirty() == []
    store.repair()
    assert list(store._tally._tallies.find({"_busy": True})) == []
    store.repair()
    assert_settled(store)


def test_one_that_another_is_taking_in_is_not_taken_in_again(store, opens):
    first = experiment(1)
    store.add([first])
    store.repair()
    assert store.replace(first, transition(first, Claimed(0, "local"), 1.0))
    one, other = opens(), opens()
    read, go_on, noted, finish, finished = (Event() for _ in range(5))

    def wait(told: Event, awaited: Event) -> None:
        told.set()
        assert awaited.wait(30)

    first_write, third_write = at(1, lambda: wait(read, go_on)), at(3, lambda: wait(noted, finish))
    watch(one, lambda: (first_write(), third_write()))
    # The other has looked for notes and seen none when the one writes them; before it writes any itself, all is done.
    watch(other, at(1, lambda: wait(finish, finished)))
    other._tally._tallies = Watched(other._tally._tallies, at(1, lambda: wait(go_on, noted)), ("find_one",))
    with ThreadPoolExecutor(1) as threads:
        repairing = threads.submit(one.repair)
        repairing.add_done_callback(lambda _: finished.set())
        assert read.wait(30)
        other.repair()
        repairing.result()
    assert_exact(store)
    store.repair()
    store.repair()
    assert_settled(store)


@pytest.mark.parametrize(("prepare", "number"), MOMENTS)
def test_two_repairs_at_once_count_nothing_twice(store, opens, prepare, number):
    prepare(store)
    sleeping = opens()
    watch(sleeping, at(number, store.repair))
    sleeping.repair()
    assert_exact(store)
    for _ in range(3):
        store.repair()
    assert_settled(store)


def test_what_is_dirty_is_taken_in_by_counting_too_when_it_is_much(store):
    store.add(experiments(600))
    assert store.counts(PROJECT)[State.QUEUE] == 600
    assert store._tally._dirty() == []
    assert_settled(store)


def test_a_project_that_is_empty_leaves_no_tally(store):
    store.add(experiments(3))
    store.repair()
    store.remove(Experiment, [each.id for each in experiments(3)])
    store.repair()
    assert_settled(store)
    assert store._tally._experiments.find_one({}) is None


def test_counts_are_exact_at_every_moment_though_eight_write_and_two_repair(store, opens):
    store.add(experiments(24))
    stores = [opens() for _ in range(4)]

    def change(worker: int) -> None:
        mine = stores[worker % 4]
        for turn in range(12):
            for number in range(worker * 3 + 1, worker * 3 + 4):
                current = mine.get(Experiment, experiment(number).id)
                event = {State.QUEUE: Claimed(0, "local"), State.POOL: Paused("p") if turn < 11 else Stopped("s")}[
                    current.state
                ]
                assert mine.replace(current, transition(current, event, 1.0))

    with ThreadPoolExecutor(10) as threads:
        changing = [threads.submit(change, worker) for worker in range(8)]
        repairing = [threads.submit(repair_while, each, changing) for each in stores[:2]]
        sums = set()
        while not all(each.done() for each in changing):
            sums.add(sum(store.counts().values()))
        for each in [*changing, *repairing]:
            each.result()
    assert sums <= {24}
    assert_exact(store)
    store.repair()
    assert_settled(store)


def repair_while(store: MongoStore, changing) -> None:
    while not all(each.done() for each in changing):
        store.repair()
