"""Launchers of two sites, and two of one site: who starts, watches and stops what, whoever dies or sleeps."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from actors.launcher import Launcher
from actors.why import Why
from beagle import lifecycle, projects
from beagle.experiment import Completed, Paused, Stopped
from beagle.members import Members, joining
from beagle.messages import LaunchExperiment, StopWorkload
from beagle.template import workload_name
from tests.actors.troupe import PROJECT, SITES, Troupe
from tests.journeys.beagle_run import eventually


def cast(troupe: Troupe, here: int = 1, there: int = 0) -> None:
    """So many launchers of each site, and one of each other actor."""
    for site, count in zip(SITES, (here, there), strict=True):
        for _ in range(count):
            troupe.join("launcher", site)
    for kind in ("monitor", "heuristic", "queue_manager"):
        troupe.join(kind)


def launchers(troupe: Troupe, site: str = "here"):
    return [r for r in troupe.replicas if r.kind == "launcher" and r.world.site == site and not r.life.over]


def starts(troupe: Troupe) -> Counter[str]:
    return Counter(name for engine in troupe.engines.values() for name in engine.starts)


def watcher_of(troupe: Troupe, number: int = 1):
    name = eventually(lambda: troupe.experiment(number).watcher)
    return next(replica for replica in troupe.replicas if replica.name == name)


def name_of(troupe: Troupe, number: int = 1) -> str:
    experiment = troupe.experiment(number)
    return workload_name(experiment.id, experiment.attempt)


def alive(troupe: Troupe) -> int:
    return sum(len(engine.alive) for engine in troupe.engines.values())


def assert_all_over(troupe: Troupe, count: int, limit: int) -> None:
    eventually(lambda: troupe.states(count) == {"completed"}, seconds=40)
    eventually(lambda: troupe.held() == [])
    assert max(starts(troupe).values()) == 1
    assert max(engine.most for engine in troupe.engines.values()) <= limit
    assert [engine.listed for engine in troupe.engines.values()] == [set(), set()]


def advance(troupe: Troupe, event, number: int = 1) -> None:
    """As a gateway or monitor does that does not get round to tell anybody."""
    lifecycle.advance(troupe.store, troupe.experiment(number), event, time.time())


def why(troupe: Troupe, number: int = 1) -> str:
    """What a gateway answers that has just looked who lives."""
    members: Members = joining(troupe.store)("gateway", "")
    members.turn()
    for _ in range(12):
        time.sleep(0.1)
        members.turn()
    members.leave()
    project = projects.load(troupe.store, PROJECT)
    return Why(troupe.store, members, time.time()).of(troupe.experiment(number), project)


# Two sites -----------------------------------------------------------------------------------------------------------


def test_experiments_are_spread_over_the_sites_and_each_runs_at_its_own(busy):
    cast(busy, here=1, there=1)
    busy.submit(20, limit=4)
    assert_all_over(busy, 20, limit=4)
    for site, engine in busy.engines.items():
        assert engine.starts
        found = [experiment for experiment in busy.experiments(20) if experiment and experiment.site == site]
        assert sorted(engine.starts) == sorted(workload_name(e.id, e.attempt) for e in found)


def test_a_site_whose_launchers_are_away_is_a_why_and_nothing_of_it_is_judged(troupe):
    cast(troupe, here=1, there=1)
    troupe.submit(2, limit=2)
    eventually(lambda: alive(troupe) == 2)
    (gone,) = launchers(troupe, "there")
    number = next(e.number for e in troupe.experiments(2) if e and e.site == "there")
    eventually(lambda: troupe.experiment(number).launched_at)
    gone.kill()
    eventually(lambda: launchers(troupe)[0].actor.membership.sites() == ["here"])
    assert "the launchers of there are away, and it is seen to when one returns" in why(troupe, number)
    before = troupe.held()
    launchers(troupe)[0].actor.reconcile()
    assert troupe.held() == before
    assert troupe.experiment(number).state == "pool"


def test_a_stop_at_a_site_whose_launchers_are_away_is_carried_out_when_one_returns(troupe):
    cast(troupe, here=1, there=1)
    troupe.submit(2, limit=2)
    eventually(lambda: alive(troupe) == 2)
    number = next(e.number for e in troupe.experiments(2) if e and e.site == "there")
    (gone,) = launchers(troupe, "there")
    eventually(lambda: troupe.experiment(number).launched_at)
    gone.kill()
    advance(troupe, Stopped("stopped by the user"), number)
    eventually(lambda: launchers(troupe)[0].actor.membership.sites() == ["here"])
    time.sleep(0.3)
    assert sorted(place.site for place in troupe.held()) == ["here", "there"]
    assert troupe.engines["there"].alive
    troupe.join("launcher", "there")
    eventually(lambda: not troupe.engines["there"].alive)
    eventually(lambda: [place.site for place in troupe.held()] == ["here"])


def test_what_is_put_back_chooses_its_site_anew(troupe):
    cast(troupe, here=1, there=1)
    troupe.submit(1, limit=1)
    eventually(lambda: alive(troupe) == 1)
    first = troupe.experiment().site
    (gone,) = launchers(troupe, first)
    eventually(lambda: troupe.experiment().launched_at)
    gone.kill()
    eventually(lambda: len(launchers(troupe, "here") + launchers(troupe, "there")) == 1)
    advance(troupe, Paused("the system was paused"))
    (other,) = [site for site in SITES if site != first]
    eventually(lambda: launchers(troupe, other)[0].actor.membership.sites() == [other])
    time.sleep(0.3)
    # Its first attempt may still run there: it waits for the place to come back.
    assert (troupe.experiment().state, alive(troupe)) == ("queue", 1)
    assert f"attempt 1 is still being stopped at {first}, whose launchers are away" in why(troupe)
    troupe.join("launcher", first)
    eventually(lambda: troupe.experiment().attempt == 2 and troupe.experiment().launched_at)


def test_without_a_launcher_nothing_is_claimed_and_the_why_says_so(troupe):
    for kind in ("monitor", "heuristic", "queue_manager"):
        troupe.join(kind)
    troupe.submit(3, limit=3)
    eventually(lambda: troupe.states(3) == {"queue"})
    time.sleep(0.3)
    assert troupe.held() == []
    assert why(troupe) == "no launcher lives that could start it: `beagle actor launcher` starts one"
    troupe.join("launcher")
    eventually(lambda: alive(troupe) == 3)


def test_without_a_monitor_or_a_queue_manager_the_why_says_so(troupe):
    cast(troupe)
    troupe.submit(2, limit=1)
    eventually(lambda: alive(troupe) == 1)
    eventually(lambda: troupe.experiment().launched_at)
    next(replica for replica in troupe.replicas if replica.kind == "queue_manager").kill()
    next(replica for replica in troupe.replicas if replica.kind == "monitor").kill()
    assert "no monitor lives, so its metrics wait" in why(troupe)
    assert why(troupe, 2).endswith("lives that says what runs next: `beagle actor queue-manager` starts one")


def test_a_launcher_that_looked_at_other_sites_places_would_free_them(troupe, monkeypatch):
    """The control: without a look at the place's site, the other site's launcher gives it back while it still runs."""

    def frees_another_sites_place() -> bool:
        place = next(place for place in troupe.held() if place.site == "there")
        launchers(troupe)[0].actor.reconcile()
        launchers(troupe)[0].actor._release(workload_name(place.experiment, place.attempt))
        return all(held.site == "here" for held in troupe.held())

    cast(troupe, here=1, there=1)
    troupe.submit(2, limit=2)
    eventually(lambda: alive(troupe) == 2)
    launchers(troupe, "there")[0].kill()
    assert not frees_another_sites_place()

    def holds(launcher: Launcher, name: str):
        return [place for place in troupe.held() if workload_name(place.experiment, place.attempt) == name]

    monkeypatch.setattr(Launcher, "_holds", holds)
    assert frees_another_sites_place()


# Two launchers of one site -------------------------------------------------------------------------------------------


def test_two_launchers_of_a_site_share_its_work_and_start_each_once(busy):
    cast(busy, here=2)
    busy.submit(30, limit=4)
    assert_all_over(busy, 30, limit=4)
    assert len({experiment.watcher for experiment in busy.experiments(30) if experiment}) == 2


def test_what_runs_is_watched_by_one(troupe):
    cast(troupe, here=3)
    troupe.submit(6, limit=6)
    eventually(lambda: alive(troupe) == 6)
    time.sleep(1.0)
    engine = troupe.engines["here"]
    assert {engine.watchers(name) for name in engine.alive} == {1}
    for number in range(1, 7):
        actor = watcher_of(troupe, number).actor
        assert name_of(troupe, number) in actor._watched


def test_what_a_killed_launcher_watched_is_adopted_by_one_of_the_others_and_nothing_of_it_is_missed(troupe):
    cast(troupe, here=3)
    troupe.submit(1, limit=1)
    eventually(lambda: alive(troupe) == 1)
    name, engine = name_of(troupe), troupe.engines["here"]
    gone = watcher_of(troupe)
    engine.say(name, "cost=1")
    eventually(lambda: troupe.store.metrics(troupe.experiment().id, 1).records)
    gone.kill()
    engine.say(name, "cost=2")
    eventually(lambda: troupe.experiment().watcher not in {None, gone.name}, seconds=15)
    engine.say(name, "cost=3")
    engine.end(name)
    assert_all_over(troupe, 1, limit=1)
    found = troupe.store.metrics(troupe.experiment().id, 1).records
    assert [metric.values["cost"] for metric in found] == [1, 2, 3]


def test_without_the_watchers_name_each_of_them_would_watch_everything(troupe, monkeypatch):
    """The control of adoption: who does not look for a living watcher adopts what another watches."""
    monkeypatch.setattr(Launcher, "_falls_to_me", lambda *_: True)
    cast(troupe, here=2)
    troupe.submit(2, limit=2)
    eventually(lambda: alive(troupe) == 2)
    engine = troupe.engines["here"]
    eventually(lambda: {engine.watchers(name) for name in engine.alive} == {2})


def test_an_order_to_launch_that_got_lost_is_found_by_one_of_the_launchers(troupe, monkeypatch):
    monkeypatch.setattr(Launcher, "handles", {**Launcher.handles, LaunchExperiment: lambda *_: None})
    cast(troupe, here=2)
    troupe.submit(4, limit=4)
    eventually(lambda: alive(troupe) == 4)
    assert max(starts(troupe).values()) == 1
    engine = troupe.engines["here"]
    assert {engine.watchers(name) for name in engine.alive} == {1}


def test_an_order_to_stop_that_got_lost_is_found_too(troupe, monkeypatch):
    monkeypatch.setattr(Launcher, "handles", {**Launcher.handles, StopWorkload: lambda *_: None})
    cast(troupe, here=2)
    troupe.submit(2, limit=2)
    eventually(lambda: alive(troupe) == 2)
    for number in (1, 2):
        advance(troupe, Completed("it said so itself"), number)
    eventually(lambda: alive(troupe) == 0)
    assert_all_over(troupe, 2, limit=2)


def test_a_stop_reaches_the_one_that_watches(troupe):
    cast(troupe, here=2)
    troupe.submit(2, limit=2)
    eventually(lambda: all(e and e.launched_at for e in troupe.experiments(2)))
    step = lifecycle.advance(troupe.store, troupe.experiment(), Stopped("stopped by the user"), time.time())
    name = workload_name(step.before.id, 1)
    watching = watcher_of(troupe)
    order = StopWorkload(site="here", watcher=step.before.watcher, experiment=step.before.id, attempt=1)
    for each in sorted(launchers(troupe), key=lambda each: each is watching):
        each.actor.on_stop_workload(order)
        assert each is watching or name not in each.actor._watched
    eventually(lambda: name not in troupe.engines["here"].listed)
    eventually(lambda: all(name not in each.actor._watched for each in launchers(troupe)))


def test_a_launcher_that_slept_and_was_taken_over_wakes_and_does_no_harm(troupe):
    cast(troupe, here=2)
    troupe.submit(3, limit=3)
    eventually(lambda: all(e and e.launched_at for e in troupe.experiments(3)))
    sleeper = watcher_of(troupe)
    sleeper.sleep()
    eventually(lambda: all(e and e.watcher not in {None, sleeper.name} for e in troupe.experiments(3)), seconds=15)
    sleeper.wake()
    engine = troupe.engines["here"]
    for number in (1, 2, 3):
        engine.say(name_of(troupe, number), "cost=1")
        engine.end(name_of(troupe, number))
    assert_all_over(troupe, 3, limit=3)
    for experiment in troupe.experiments(3):
        assert experiment is not None
        assert len(troupe.store.metrics(experiment.id, 1).records) == 1
    eventually(lambda: not any(each.actor._watched for each in launchers(troupe)))


@pytest.mark.parametrize("moment", ["start", "_store_launch"])
def test_a_launcher_that_dies_in_the_middle_of_a_launch_has_its_workload_adopted(troupe, monkeypatch, moment):
    """Before anything runs, or after something does and before that is stored."""
    dying = troupe.join("launcher")
    if moment == "start":
        monkeypatch.setattr(dying.actor, "_start", lambda *_, **__: dying.kill())
    else:
        monkeypatch.setattr(dying.actor, "_store_launch", lambda *_: dying.kill())
    cast(troupe, here=0)
    troupe.submit(1, limit=1)
    eventually(lambda: dying.life.over)
    troupe.join("launcher")
    eventually(lambda: troupe.experiment().launched_at, seconds=15)
    troupe.engines["here"].end(name_of(troupe))
    assert_all_over(troupe, 1, limit=1)


def test_what_vanished_is_lost_by_the_word_of_one(troupe):
    cast(troupe, here=2)
    troupe.submit(1, limit=1)
    eventually(lambda: alive(troupe) == 1)
    gone = watcher_of(troupe)
    troupe.engines["here"].vanish(name_of(troupe))
    gone.kill()
    eventually(lambda: troupe.experiment().attempt == 2, seconds=15)
    assert "lost" in troupe.experiment().retried


def test_what_was_started_while_a_launcher_slept_over_its_list_is_not_lost(troupe):
    sleeper, asleep, awake = troupe.join("launcher"), threading.Event(), threading.Event()
    read_pool = sleeper.actor._pool

    def read_late():
        asleep.set()
        assert awake.wait(30)
        return read_pool()

    sleeper.actor._pool = read_late
    assert asleep.wait(10)
    cast(troupe)
    troupe.submit(1, limit=1)
    eventually(lambda: alive(troupe) == 1, seconds=15)
    eventually(lambda: troupe.experiment().launched_at)
    watcher_of(troupe).kill()
    awake.set()
    eventually(lambda: troupe.experiment().watcher == sleeper.name, seconds=15)
    assert (troupe.experiment().attempt, alive(troupe)) == (1, 1)
    troupe.engines["here"].end(name_of(troupe))
    assert_all_over(troupe, 1, limit=1)
