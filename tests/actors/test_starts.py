"""Starts that take long are made beside the launcher's thread: many at once, and none in anybody's way."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial

import pytest

from actors import held, starts
from actors.why import Why
from beagle import lifecycle, projects
from beagle.errors import Unavailable
from beagle.experiment import Failure, Stopped
from beagle.messages import MetricsReported, StopWorkload, WorkloadEnded, WorkloadLaunched, decode
from beagle.template import workload_name
from bus.routes import METRIC_QUEUES
from tests.actors.troupe import PROJECT, Replica, Troupe
from tests.journeys.beagle_run import eventually

MOMENTS = pytest.mark.parametrize("moment", ["before", "after"])


class Gate:
    """Starts wait here at one moment, before it or after: all, or that of one name."""

    def __init__(self, moment: str) -> None:
        self.moment, self.opened = moment, threading.Event()
        self.name = ""
        self.there: list[str] = []

    def __call__(self, moment: str, name: str) -> None:
        if moment == self.moment and self.name in ("", name):
            self.there.append(name)
            assert self.opened.wait(60)


@pytest.fixture
def gate(troupe, moment):
    made = troupe.engines["here"].passing = Gate(moment)
    troupe.engines["here"].at_once = 4
    yield made
    made.opened.set()


def cast(troupe: Troupe, *others: str) -> Replica:
    launcher = troupe.join("launcher")
    for kind in ("heuristic", "queue_manager", *others):
        troupe.join(kind)
    return launcher


def name_of(troupe: Troupe, number: int = 1, attempt: int = 1) -> str:
    return workload_name(lifecycle.experiment_id(PROJECT, number), attempt)


def stop(troupe: Troupe, number: int = 1) -> None:
    """As a gateway does."""
    before, _ = lifecycle.advance(troupe.store, troupe.experiment(number), Stopped("by the user"), time.time())
    order = StopWorkload(site="here", watcher=before.watcher, experiment=before.id, attempt=before.attempt)
    troupe.bus.nudge(order)


def heard(troupe: Troupe) -> list[object]:
    """What is published of attempts from now on; no monitor hears it."""
    messages: list[object] = []

    def take(delivery) -> None:
        messages.append(decode(delivery.body))
        delivery.ack()

    for queue in METRIC_QUEUES:
        troupe.bus.consume(queue, take, prefetch=1000)
    return messages


# Many at once --------------------------------------------------------------------------------------------------------


def test_twenty_slow_starts_overlap_and_their_launcher_lives_meanwhile(troupe):
    engine, together = troupe.engines["here"], threading.Barrier(20)
    engine.at_once, engine.passing = 20, lambda moment, _: moment == "before" and together.wait(30)
    launcher = cast(troupe)
    manager = troupe.replicas[-1].actor
    eventually(lambda: manager.membership.sites() == ["here"])
    troupe.submit(20, limit=20)
    eventually(lambda: len(engine.alive) == 20)
    assert set(Counter(engine.starts).values()) == {1}
    eventually(lambda: all(e is not None and e.launched_at for e in troupe.experiments(20)))
    assert manager.membership.sites() == ["here"]
    assert launcher.actor.membership.trouble == ""


@pytest.mark.parametrize("at_once", [2, 4])
def test_no_more_are_under_way_than_the_orchestrator_says(troupe, at_once):
    engine, lock = troupe.engines["here"], threading.Lock()
    engine.at_once = at_once
    now, most = 0, 0

    def count(moment: str, _: str) -> None:
        nonlocal now, most
        with lock:
            now += 1 if moment == "before" else -1
            most = max(most, now)
        time.sleep(0.02)

    engine.passing = count
    cast(troupe)
    troupe.submit(12, limit=12)
    eventually(lambda: len(engine.alive) == 12)
    assert most == at_once


@pytest.mark.parametrize("moment", ["before"])
def test_looks_at_the_store_neither_start_it_again_nor_take_it_for_lost(troupe, gate):
    launcher, messages = cast(troupe), heard(troupe)
    troupe.submit(1, limit=1)
    eventually(lambda: gate.there)
    looks = launcher.actor._looks
    eventually(lambda: launcher.actor._looks > looks + 5)
    assert (gate.there, messages) == ([name_of(troupe)], [])
    gate.opened.set()
    eventually(lambda: troupe.experiment().launched_at)
    assert troupe.engines["here"].starts == [name_of(troupe)]


# A stop meanwhile ----------------------------------------------------------------------------------------------------


@MOMENTS
def test_a_stop_goes_to_the_orchestrator_at_once_and_whatever_the_start_brings_is_ended(troupe, gate):
    engine = troupe.engines["here"]
    launcher = cast(troupe, "monitor")
    troupe.submit(1, limit=1)
    eventually(lambda: gate.there)
    stop(troupe)
    eventually(lambda: name_of(troupe) in engine.stopped)
    assert not gate.opened.is_set()
    gate.opened.set()
    eventually(lambda: not troupe.held())
    eventually(lambda: not launcher.actor._watched)
    assert (engine.alive, engine.listed, troupe.experiment().launched_at) == (set(), set(), None)


@pytest.mark.parametrize("moment", ["before"])
def test_one_that_still_waits_for_its_start_is_never_begun_when_it_is_stopped(troupe, gate):
    cast(troupe, "monitor")
    troupe.submit(5, limit=5)
    eventually(lambda: len(gate.there) == 4 and len(troupe.held()) == 5)
    (waits,) = [number for number in range(1, 6) if name_of(troupe, number) not in gate.there]
    stop(troupe, waits)
    eventually(lambda: len(troupe.held()) == 4)
    gate.opened.set()
    eventually(lambda: len(troupe.engines["here"].alive) == 4)
    assert name_of(troupe, waits) not in gate.there


@pytest.mark.parametrize("moment", ["before"])
def test_what_waits_is_looked_up_before_it_is_begun(troupe, gate):
    """The word that it was stopped got lost, and the launcher did not get round to a look of its own."""
    launcher = cast(troupe)
    troupe.submit(5, limit=5)
    eventually(lambda: len(gate.there) == 4 and len(launcher.actor._watched) == 5)
    (waits,) = [number for number in range(1, 6) if name_of(troupe, number) not in gate.there]
    launcher.actor.reconcile = lambda: None
    lifecycle.advance(troupe.store, troupe.experiment(waits), Stopped("by the user"), time.time())
    gate.opened.set()
    eventually(lambda: name_of(troupe, waits) not in launcher.actor._watched)
    assert name_of(troupe, waits) not in gate.there
    del launcher.actor.reconcile
    eventually(lambda: len(troupe.held()) == 4)


# The order of what it says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["after"])
@pytest.mark.parametrize("kept", [held.MOST, 0])
def test_what_it_says_before_its_start_returns_comes_after_its_launch_and_in_order(troupe, gate, monkeypatch, kept):
    """With room for it, and without."""
    monkeypatch.setattr(held, "MOST", kept)
    engine, messages = troupe.engines["here"], heard(troupe)
    cast(troupe)
    troupe.submit(1, limit=1)
    eventually(lambda: gate.there)
    name = name_of(troupe)
    for number in range(50):
        engine.say(name, f"loss={number}")
    engine.end(name)
    gate.opened.set()
    eventually(lambda: messages and isinstance(messages[-1], WorkloadEnded))
    assert isinstance(messages[0], WorkloadLaunched)
    reports = [report for message in messages[1:-1] for report in message.reports]
    assert [report.values for report in reports] == [{"loss": number} for number in range(50)]


@pytest.mark.parametrize("moment", ["after"])
def test_what_one_says_whose_start_is_under_way_holds_up_nobody_else(troupe, gate):
    engine, messages = troupe.engines["here"], heard(troupe)
    gate.name = name_of(troupe, 1)
    cast(troupe)
    troupe.submit(2, limit=2)
    eventually(lambda: gate.there)
    eventually(lambda: troupe.experiment(2).launched_at)
    engine.say(name_of(troupe, 1), "loss=1")
    engine.say(name_of(troupe, 2), "loss=2")
    eventually(lambda: any(isinstance(message, MetricsReported) for message in messages))
    (said,) = [message for message in messages if isinstance(message, MetricsReported)]
    assert said.reports[0].values == {"loss": 2}


# Death, and starts that fail or hang ---------------------------------------------------------------------------------


@MOMENTS
def test_what_a_launcher_had_in_its_hands_when_it_died_runs_once_and_is_adopted(troupe, gate):
    engine = troupe.engines["here"]
    dying = cast(troupe, "monitor")
    troupe.submit(3, limit=3)
    eventually(lambda: len(gate.there) == 3)
    dying.kill()
    gate.opened.set()
    troupe.join("launcher")
    eventually(lambda: all(e is not None and e.launched_at for e in troupe.experiments(3)), seconds=30)
    assert sorted(engine.starts) == sorted(name_of(troupe, number) for number in (1, 2, 3))
    for number in (1, 2, 3):
        engine.end(name_of(troupe, number))
    eventually(lambda: troupe.states(3) == {"completed"})
    eventually(lambda: not troupe.held())


@pytest.mark.parametrize("moment", ["before"])
def test_a_launcher_that_leaves_waits_for_no_start(troupe, gate):
    launcher = cast(troupe)
    troupe.submit(1, limit=1)
    eventually(lambda: gate.there)
    launcher.ref.stop(timeout=20)
    assert not gate.opened.is_set()


@MOMENTS
def test_a_start_that_hangs_is_given_up_as_a_failed_launch_and_what_it_brings_after_all_is_ended(
    troupe, gate, monkeypatch, moment
):
    monkeypatch.setattr(starts, "LONGEST", 0.3)
    engine, gate.name = troupe.engines["here"], name_of(troupe)
    cast(troupe, "monitor")
    troupe.submit(1, limit=1)
    await_second_attempt(troupe)
    assert troupe.experiment().retried == {Failure.LAUNCH: 1}
    eventually(lambda: engine.alive == {name_of(troupe, attempt=2)}, seconds=30)
    assert name_of(troupe) in engine.stopped
    gate.opened.set()
    eventually(lambda: engine.listed == engine.alive == {name_of(troupe, attempt=2)})
    assert [place.attempt for place in troupe.held()] == [2]
    assert engine.most == 1


@pytest.mark.parametrize("moment", ["before"])
def test_starts_that_hang_leave_room_for_the_others(troupe, gate, monkeypatch):
    monkeypatch.setattr(starts, "LONGEST", 0.3)
    cast(troupe)
    troupe.submit(12, limit=12)
    eventually(lambda: len(gate.there) == 12, seconds=30)


def await_second_attempt(troupe: Troupe) -> None:
    eventually(lambda: [each.attempt for each in troupe.experiments(1) if each] == [2], seconds=30)


def raised(troupe: Troupe, error: Exception, times: int) -> list[str]:
    tried: list[str] = []

    def fail(moment: str, name: str) -> None:
        tried.append(name)
        if moment == "before" and len(tried) <= times:
            raise error

    troupe.engines["here"].at_once, troupe.engines["here"].passing = 4, fail
    return tried


def test_an_orchestrator_that_is_away_is_why_it_waits_and_is_asked_again(troupe):
    raised(troupe, Unavailable("the engine does not answer"), 3)
    launcher = cast(troupe, "monitor")
    members = troupe.replicas[-1].actor.membership
    troupe.submit(1, limit=1)
    project = eventually(lambda: projects.load(troupe.store, PROJECT))
    why = partial(Why, troupe.store, members)
    eventually(lambda: launcher.actor.membership.trouble)
    eventually(
        lambda: (
            troupe.experiment().launched_at
            or "the engine does not answer" in why(time.time()).of(troupe.experiment(), project)
        )
    )
    eventually(lambda: troupe.experiment().launched_at)
    assert (troupe.experiment().attempt, launcher.actor.membership.trouble) == (1, "")


def test_a_mistake_of_the_orchestrators_own_is_a_failed_launch(troupe):
    raised(troupe, ZeroDivisionError("the moon"), 1)
    cast(troupe, "monitor")
    troupe.submit(1, limit=1, retries={Failure.LAUNCH: 0})
    assert failed(troupe) == "launch: ZeroDivisionError: the moon"


@pytest.mark.parametrize("moment", ["before"])
def test_who_reads_why_it_failed_learns_how_long_it_was_waited_for(troupe, gate, monkeypatch):
    monkeypatch.setattr(starts, "LONGEST", 0.3)
    cast(troupe, "monitor")
    troupe.submit(1, limit=1, retries={Failure.LAUNCH: 0})
    assert failed(troupe) == "launch: it did not come up in 0.3 s"


def failed(troupe: Troupe) -> str:
    """Why the only experiment failed."""
    (found,) = eventually(lambda: [each for each in troupe.experiments(1) if each and each.state == "failed"])
    return str(found.reason)
