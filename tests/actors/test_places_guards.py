"""Each guard of the limit in the schedule it is there for, and the same schedule without it: then the check fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.gateway import Gateway
from actors.launcher import Launcher
from actors.queue_manager import QueueManager
from beagle import lifecycle, places, system
from beagle.commands import PauseSystem, StartSystem, StopExperiment
from beagle.experiment import Claimed, Completed, Experiment, Paused, PlaceRepaired
from beagle.messages import LaunchExperiment
from beagle.ports import Store
from beagle.records import Place, System
from beagle.stores.sqlite import SqliteStore
from beagle.template import workload_name
from tests.actors.desk import Desk
from tests.actors.sleepers import Sleeper

Schedule = Callable[[Desk], None]


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    opened = Desk(SqliteStore(tmp_path / "beagle.sqlite"), experiments=4, limit=1)
    yield opened
    opened.close()


def before_taking(desk: Desk) -> Sleeper:
    """A manager that has chosen a place and an experiment, and sleeps."""
    return Sleeper(desk.manager.fill).until("replace", Place)


def between_writes(desk: Desk) -> Sleeper:
    """A manager that has taken a place, and sleeps before its experiment is in the pool."""
    return before_taking(desk).until("replace", Experiment)


def launch(desk: Desk) -> None:
    for experiment in desk.pool():
        desk.launcher.on_launch_experiment(
            LaunchExperiment(site="local", experiment=experiment.id, attempt=experiment.attempt)
        )
    desk.check()


def wake(desk: Desk, *sleepers: Sleeper) -> None:
    for sleeper in sleepers:
        desk.note(sleeper.finish().result)
        desk.check()
    launch(desk)


def repair(desk: Desk) -> None:
    desk.time += 3.0
    for place in desk.places():
        if place.experiment:
            desk.manager._repair(place)


def claim(desk: Desk, number: int) -> None:
    """What a manager does that prefers this one by now."""
    (place,), experiment = places.free(desk.store, 1), lifecycle.load(desk.store, desk.ids[number - 1])
    desk.manager._claim(place, experiment, "local")
    launch(desk)


# Schedules. Each ends well with its guard, and breaks the check without it -------------------------------------------


def a_claimer_that_slept_before_it_took_its_place(desk: Desk) -> None:
    slow = before_taking(desk)
    claim(desk, 2)
    wake(desk, slow)
    desk.finish(limit=1)


def a_claimer_that_slept_through_its_repair(desk: Desk) -> None:
    slow = between_writes(desk)
    repair(desk)
    claim(desk, 2)
    wake(desk, slow)
    desk.finish(limit=1)


def a_claimer_that_died_between_its_writes(desk: Desk) -> None:
    between_writes(desk).vanish()
    desk.finish(limit=1)


def a_resizer_that_slept_before_the_places_followed(desk: Desk) -> None:
    slow = Sleeper(lambda: desk.resize(3)).until("replace", System).wake()
    desk.note(desk.resize(1))
    wake(desk, slow)
    desk.finish(limit=1)


def a_retry_whose_earlier_attempt_still_runs(desk: Desk) -> None:
    desk.note(desk.resize(2))
    claim(desk, 1)
    desk.judge((desk.ids[0], 1), Paused("the system was paused"))
    desk.manager.fill()
    desk.manager.fill()
    launch(desk)
    desk.finish(limit=2)


def a_workload_that_ends_only_after_its_experiment(desk: Desk) -> None:
    claim(desk, 1)
    desk.judge((desk.ids[0], 1), Paused("the system was paused"))
    desk.launcher.reconcile()
    desk.check()
    desk.finish(limit=1)


def an_experiment_claimed_by_two_managers(desk: Desk) -> None:
    desk.note(desk.resize(2))
    slow = between_writes(desk)
    (other,) = [place for place in desk.places() if place.open and not place.experiment]
    taken = places.take(desk.store, other, desk.experiments()[0], "local", desk.now())
    assert taken is not None
    wake(desk, slow)
    desk.time += 3.0
    desk.finish(limit=2)


def a_limit_lowered_under_what_runs(desk: Desk) -> None:
    desk.note(desk.resize(3))
    for number in (1, 2, 3):
        claim(desk, number)
    desk.note(desk.resize(1))
    desk.check()
    desk.orchestrator.end(workload_name(desk.ids[0], 1))
    desk.judge((desk.ids[0], 1), Completed("it exited with status 0", 0))
    desk.told(desk.orchestrator.pushes.popleft())()
    desk.launcher.reconcile()
    desk.manager.fill()
    desk.check()
    desk.finish(limit=1)


# The guards, taken away ----------------------------------------------------------------------------------------------


def any_version_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SqliteStore.replace

    def replace_whatever(store: SqliteStore, before: object, after: object, **options: object) -> bool:
        stored = store.get(type(before), before.id)
        return kept(store, stored, replace(after, version=stored.version + 1), **options)

    monkeypatch.setattr(SqliteStore, "replace", replace_whatever)


def a_repair_leaves_the_experiment_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = lifecycle.advance

    def advance(store: object, experiment: Experiment, event: object, now: float) -> object:
        return None if isinstance(event, PlaceRepaired) else kept(store, experiment, event, now)

    monkeypatch.setattr(lifecycle, "advance", advance)


def nothing_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QueueManager, "_repair", lambda *_: None)


def an_older_limit_is_followed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_up(store: Store, current: System) -> None:
        for place in places.every(store):
            after = replace(place, version=place.version + 1, open=place.number < current.limit)
            store.replace(place, after)

    monkeypatch.setattr(places, "open_up", open_up)


def what_drains_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_fitting", lambda found, limit: limit)


def places_are_made_open_after_the_limit_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_limit(store: object, limit: int) -> System:
        after = system.set_limit(store, limit)
        store.add([Place(id=f"place-{n}", number=n, open=True, of=after.version) for n in range(limit)])
        places.follow(store, after)
        return after

    monkeypatch.setattr(places, "set_limit", set_limit)


def an_earlier_attempt_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "held_by", lambda *_: [])


def a_place_is_given_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Launcher, "_end", lambda launcher, name: launcher._release(name))


GUARDED: list[tuple[Schedule, Callable[[pytest.MonkeyPatch], None]]] = [
    (a_claimer_that_slept_before_it_took_its_place, any_version_is_replaced),
    (a_claimer_that_slept_through_its_repair, a_repair_leaves_the_experiment_as_it_is),
    (a_claimer_that_slept_through_its_repair, any_version_is_replaced),
    (a_claimer_that_died_between_its_writes, nothing_is_repaired),
    (a_resizer_that_slept_before_the_places_followed, an_older_limit_is_followed_too),
    (a_resizer_that_slept_before_the_places_followed, places_are_made_open_after_the_limit_grew),
    (a_limit_lowered_under_what_runs, what_drains_is_not_counted),
    (a_retry_whose_earlier_attempt_still_runs, an_earlier_attempt_is_not_looked_for),
    (a_workload_that_ends_only_after_its_experiment, a_place_is_given_back_at_once),
    (an_experiment_claimed_by_two_managers, nothing_is_repaired),
]


@pytest.mark.parametrize("schedule", dict.fromkeys(schedule for schedule, _ in GUARDED), ids=lambda s: s.__name__)
def test_the_places_hold_for(desk, schedule):
    schedule(desk)


@pytest.mark.parametrize(("schedule", "taken_away"), GUARDED, ids=lambda part: part.__name__)
def test_without_its_guard_the_check_fails_for(desk, monkeypatch, schedule, taken_away):
    taken_away(monkeypatch)
    with pytest.raises(AssertionError):
        schedule(desk)


# Said once more, directly --------------------------------------------------------------------------------------------


def test_two_managers_never_claim_the_same_experiment(desk):
    desk.note(desk.resize(3))
    both = [before_taking(desk), before_taking(desk)]
    wake(desk, *both)
    assert sorted(e.attempt for e in desk.pool()) == [1, 1, 1]
    assert len({e.place for e in desk.pool()}) == 3
    assert len(desk.orchestrator.alive) == 3


def test_a_claimer_that_slept_through_repair_loses_and_takes_nothing_with_it(desk):
    slow = between_writes(desk)
    repair(desk)
    before = desk.places(), desk.experiments()
    system.set_running(desk.store, running=False)
    slow.finish()
    assert (desk.places(), desk.experiments()) == before
    assert desk.pool() == []


def test_a_claimer_that_slept_through_a_pause_takes_no_place(desk):
    slow = before_taking(desk)
    desk.gateway.pause_system(PauseSystem())
    slow.finish()
    assert desk.pool() == []
    assert [place.experiment for place in desk.places() if place.experiment] == []


def test_a_claimer_caught_by_a_pause_between_its_writes_puts_its_experiment_back(desk):
    slow = between_writes(desk)
    desk.gateway.pause_system(PauseSystem())
    slow.finish()
    assert desk.pool() == []
    assert desk.experiments()[0].reason == "the system was paused"
    desk.finish(limit=1)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_claimer_that_died_during_a_pause_leaves_nothing_in_the_pool(desk, writes):
    dying = between_writes(desk)
    desk.gateway.pause_system(PauseSystem())
    dying.wake(writes)
    dying.vanish()
    desk.time += 3.0
    desk.gateway.reconcile()
    desk.manager.reconcile()
    assert desk.pool() == []


def test_a_closed_place_is_not_taken_however_long_the_claimer_slept(desk):
    slow = before_taking(desk)
    desk.note(desk.resize(0))
    wake(desk, slow)
    assert desk.pool() == []


def test_a_lowered_limit_drains_and_kills_nothing(desk):
    desk.note(desk.resize(3))
    desk.manager.fill()
    launch(desk)
    desk.note(desk.resize(1))
    desk.launcher.reconcile()
    desk.check()
    assert len(desk.orchestrator.alive) == 3
    assert not desk.orchestrator.stopped


def test_a_launcher_starts_nothing_that_does_not_hold_its_place(desk):
    experiment = desk.experiments()[0]
    lifecycle.advance_exactly(desk.store, experiment, Claimed(0, "local"), desk.now())
    desk.launcher.on_launch_experiment(LaunchExperiment(site="local", experiment=experiment.id, attempt=1))
    assert desk.orchestrator.started == {}


def test_a_launch_told_twice_starts_once(desk):
    claim(desk, 1)
    launch(desk)
    desk.restart_launcher()
    launch(desk)
    desk.launcher.reconcile()
    assert len(desk.orchestrator.started) == 1


def test_a_limit_holds_although_whoever_raised_it_sleeps_before_the_places_follow(desk):
    slow = Sleeper(lambda: desk.resize(3)).until("replace", Place)
    desk.manager.fill()
    desk.check()
    assert len(desk.pool()) == 3
    wake(desk, slow)
    desk.finish(limit=3)


def test_a_place_is_not_repaired_while_its_claimer_may_just_be_slow(desk):
    slow = between_writes(desk)
    desk.time += 1.0
    desk.manager.reconcile()
    wake(desk, slow)
    assert [e.number for e in desk.pool()] == [1]
    assert [e.number for e in desk.pool()] == [1]


def test_starting_twice_is_starting_once(desk):
    desk.gateway.start_system(StartSystem())
    before = system.load(desk.store)
    desk.gateway.start_system(StartSystem())
    assert system.load(desk.store) == before


def test_each_kind_of_record_is_written_by_its_module_alone(desk, monkeypatch):
    writers: dict[str, set[str]] = {}

    def witness(name: str) -> None:
        kept = getattr(SqliteStore, name)

        def write(store: SqliteStore, first: object, *args: object, **options: object) -> object:
            frame = next(f for f in inspect.stack()[1:] if "/tests/" not in f.filename)
            for record in first if name == "add" else [first]:
                writers.setdefault(type(record).__name__, set()).add(Path(frame.filename).stem)
            return kept(store, first, *args, **options)

        monkeypatch.setattr(SqliteStore, name, write)

    for name in ("add", "replace"):
        witness(name)
    stop = StopExperiment(experiment=desk.ids[2])
    Gateway.handles[StopExperiment](desk.gateway, stop)
    desk.finish(limit=2)
    assert writers == {
        "Experiment": {"lifecycle"},
        "Place": {"places"},
        "System": {"system"},
        "Applied": {"front"},
    }
