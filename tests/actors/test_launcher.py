"""One launcher and what fails at its orchestrator: a place is free when nothing of its attempt runs or can run."""

from __future__ import annotations

import time

import pytest

from actors.launcher import Launcher
from beagle.errors import LaunchFailed
from beagle.experiment import Completed, Failure, Retried
from beagle.members import Alone
from beagle.messages import LaunchExperiment, StopWorkload
from beagle.stores.sqlite import SqliteStore
from beagle.template import workload_name
from tests.actors.desk import Desk
from tests.actors.troupe import Troupe
from tests.journeys.beagle_run import eventually


def fail_to_start(troupe: Troupe, times: int) -> list[str]:
    """The engine refuses so many starts; the names that were tried."""
    tried: list[str] = []
    engine = troupe.engines["here"]
    run = engine.run

    def refuse(name: str) -> None:
        tried.append(name)
        if len(tried) <= times:
            engine.listed.discard(name)
            raise LaunchFailed("the image is not there yet")
        run(name)

    engine.run = refuse  # type: ignore[method-assign]
    return tried


def test_what_could_not_be_launched_is_not_tried_again_before_its_monitor_has_judged_it(troupe):
    """It might come up then, while what ends it is on its way: its place would come back, and it would run on."""
    tried = fail_to_start(troupe, 1)
    launcher = troupe.join("launcher")
    for kind in ("heuristic", "queue_manager"):
        troupe.join(kind)
    troupe.submit(1, limit=1)
    eventually(lambda: tried)
    looks = launcher.actor._looks
    eventually(lambda: launcher.actor._looks > looks + 3)
    experiment = troupe.experiment()
    assert tried == [workload_name(experiment.id, 1)]
    troupe.join("monitor")
    eventually(lambda: troupe.engines["here"].alive == {workload_name(experiment.id, 2)}, seconds=15)
    assert troupe.engines["here"].most == 1


def test_what_was_lost_cannot_be_started_any_more(troupe):
    """By a launcher that slept with it in its hands."""
    for kind in ("launcher", "monitor", "heuristic", "queue_manager"):
        troupe.join(kind)
    troupe.submit(1, limit=1)
    engine = troupe.engines["here"]
    eventually(lambda: engine.alive and troupe.experiment().launched_at)
    name = workload_name(troupe.experiment().id, 1)
    troupe.replicas[0].kill()
    engine.vanish(name)
    troupe.join("launcher")
    eventually(lambda: troupe.experiment().attempt == 2, seconds=15)
    eventually(lambda: name in engine.stopped)
    eventually(lambda: [place.attempt for place in troupe.held()] == [2], seconds=15)


def test_what_one_could_not_launch_and_another_did_keeps_its_place_until_it_has_ended(tmp_path, monkeypatch):
    """Both had it in their hands. What the first one saw ends the attempt; to both it is told to stop it."""
    desk = Desk(SqliteStore(tmp_path / "beagle.sqlite"), experiments=1, limit=1)
    desk.manager.fill()
    (experiment,) = desk.pool()
    order = LaunchExperiment(site="local", experiment=experiment.id, attempt=1)
    one, other = (Launcher(desk.world, (), desk.orchestrator) for _ in range(2))

    def refuse(_: object) -> float:
        raise LaunchFailed("the image is not there yet")

    with monkeypatch.context() as patch:
        patch.setattr(desk.orchestrator, "start", refuse)
        one.on_launch_experiment(order)
    other.on_launch_experiment(order)
    desk.check()
    desk.judge((experiment.id, 1), Retried("launch: the image is not there yet", Failure.LAUNCH))
    stop = StopWorkload(site="local", watcher=None, experiment=experiment.id, attempt=1)
    for launcher in (one, other):
        launcher.on_stop_workload(stop)
        desk.check()
    assert [place.experiment for place in desk.places()] == [experiment.id]
    (name,) = desk.orchestrator.alive
    desk.orchestrator.end(name)
    while desk.orchestrator.pushes:
        ended = desk.orchestrator.pushes.popleft()
        one.on_told(ended)
        other.on_told(ended)
    assert [place.experiment for place in desk.places()] == [""]
    desk.close()


def test_one_that_has_much_to_start_is_not_taken_for_dead(troupe):
    """Each start takes a while, and the orders for all of them have come at once."""
    launcher = troupe.join("launcher")
    start = launcher.actor._start

    def slowly(*args, **options) -> None:
        time.sleep(0.25)
        start(*args, **options)

    launcher.actor._start = slowly
    for kind in ("monitor", "heuristic", "queue_manager"):
        troupe.join(kind)
    manager = troupe.replicas[-1].actor
    eventually(lambda: manager.membership.sites() == ["here"])
    troupe.submit(10, limit=10)
    seen: set[tuple[str, ...]] = set()

    def all_run() -> bool:
        seen.add(tuple(manager.membership.sites()))
        return len(troupe.engines["here"].alive) == 10

    eventually(all_run)
    assert seen == {("here",)}


class OneOfTwo(Alone):
    """The other one lives too, and everything falls to this one."""

    def living(self, kind: str, site: str | None = None) -> list[str]:
        return [f"{kind}.this", f"{kind}.other"]

    def lives(self, name: str) -> bool:
        return name.startswith("launcher.")


@pytest.fixture
def desk(tmp_path):
    opened = Desk(SqliteStore(tmp_path / "beagle.sqlite"), experiments=1, limit=1)
    opened.launcher.membership = OneOfTwo("launcher", "local")
    opened.manager.fill()
    yield opened
    opened.close()


def looks_until(desk: Desk, done) -> int:
    for look in range(1, 5):
        desk.launcher.reconcile()
        if done():
            return look
    raise AssertionError("it never does")


def looks_before_it_starts_what_was_claimed(desk: Desk) -> int:
    return looks_until(desk, lambda: desk.orchestrator.alive)


def looks_before_it_ends_what_is_over(desk: Desk) -> int:
    looks_before_it_starts_what_was_claimed(desk)
    desk.launcher.reconcile()
    (name,) = desk.orchestrator.alive
    desk.judge((desk.ids[0], 1), Completed("it said so itself"))
    desk.launcher._forget(name)  # the other one watches it
    return looks_until(desk, lambda: name in desk.orchestrator.stopped)


BOTH = pytest.mark.parametrize("looks", [looks_before_it_starts_what_was_claimed, looks_before_it_ends_what_is_over])


@BOTH
def test_what_another_may_be_about_to_do_is_done_at_the_second_look(desk, looks):
    assert looks(desk) == 2


@BOTH
def test_without_that_patience_it_is_done_at_the_first(desk, looks, monkeypatch):
    """The control."""
    monkeypatch.setattr(Launcher, "_falls_to_me", Launcher._is_next)
    assert looks(desk) == 1


@BOTH
def test_the_only_launcher_of_a_site_waits_for_nobody(desk, looks):
    desk.launcher.membership = Alone("launcher", "local")
    assert looks(desk) == 1
