"""Queue managers that sleep, double or die between taking a place and moving the experiment into the pool."""

from __future__ import annotations

import os
import signal
import time

import pytest

from actors import queue_manager
from actors.main import Cast
from actors.queue_manager import QueueManager
from beagle import places
from beagle.commands import PauseSystem
from tests.chaos.managers import drowsy, sleeper
from tests.journeys import ledger
from tests.journeys.beagle_run import OwnRun, eventually, python, search
from tests.journeys.census import Census
from tests.journeys.kennel import Kennel

LOGGED = "import time; from tests.journeys.ledger import write; write('start'); time.sleep(0.1); write('end')"
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "2")))


@pytest.fixture(autouse=True)
def _soon_leaked(monkeypatch):
    monkeypatch.setattr(queue_manager, "LEAKED_AFTER", 0.3)


@pytest.fixture
def asleep(tmp_path):
    """Its queue manager has taken a place for the first of 8 experiments, and sleeps."""
    manager = sleeper()
    with OwnRun(tmp_path, paused=True, cast=Cast(queue_manager=manager)) as run:
        run.manager = manager
        run.submit(search(python(LOGGED), 8))
        eventually(lambda: run.counts()["queue"] == 8)
        run.start(limit=2)
        assert manager.asleep.wait(10)
        yield run
        manager.wake.set()


def join(run):
    """Another queue manager over the same store and bus."""
    run.session._system._begin(QueueManager, ("queue_manager",))


def assert_whole(run, census, limit, count):
    assert run.states() == ["completed"] * count
    began = ledger.starts(run.ledger())
    assert len(began) == len(set(began)) == count
    assert ledger.most_at_once(run.ledger()) <= limit
    assert census.most <= limit


def test_what_a_sleeping_manager_took_is_repaired_and_it_loses_when_it_wakes(asleep, tmp_path):
    with Census(tmp_path) as census:
        join(asleep)
        asleep.wait()
        asleep.idle()
        asleep.manager.wake.set()
        time.sleep(0.2)
        asleep.idle()
    assert_whole(asleep, census, 2, 8)


def test_a_manager_that_wakes_in_the_middle_of_the_others_work_disturbs_nothing(asleep, tmp_path):
    with Census(tmp_path) as census:
        join(asleep)
        eventually(lambda: len(asleep.ledger()) >= 3)
        asleep.manager.wake.set()
        asleep.wait()
        asleep.idle()
    assert_whole(asleep, census, 2, 8)


def test_a_manager_that_wakes_before_anyone_noticed_goes_on_with_its_claim(asleep, tmp_path):
    with Census(tmp_path) as census:
        asleep.manager.wake.set()
        asleep.wait()
    assert_whole(asleep, census, 2, 8)


def test_a_manager_that_sleeps_over_a_pause_starts_nothing(asleep):
    asleep.ask(PauseSystem())
    asleep.manager.wake.set()
    asleep.idle()
    time.sleep(0.3)
    assert asleep.ledger() == []
    assert asleep.counts()["queue"] == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_four_drowsy_managers_at_once_never_exceed_the_limit(tmp_path, seed):
    with OwnRun(tmp_path, limit=3, cast=Cast(queue_manager=drowsy(seed))) as run, Census(tmp_path) as census:
        for other in range(3):
            run.session._system._begin(drowsy(seed + 100 * other), ("queue_manager",))
        run.submit(search(python(LOGGED), 24))
        run.wait()
        run.idle()
        assert_whole(run, census, 3, 24)
        assert not any(place.experiment for place in places.every(run.world.store))


@pytest.fixture
def stopped(tmp_path):
    """A scheduler whose queue manager has stopped the whole process between its third claim's two writes."""
    with Kennel(tmp_path) as kennel, Census(tmp_path) as census:
        kennel.start("stopping")
        run = kennel.run()
        run.submit(search(python(LOGGED), 12))
        run.start(2)
        eventually(kennel.is_stopped)
        time.sleep(0.3)
        yield kennel, census


def test_a_scheduler_that_is_stopped_between_the_writes_and_goes_on_loses_nothing(stopped):
    kennel, census = stopped
    os.kill(kennel.pid, signal.SIGCONT)
    run = kennel.run()
    run.wait()
    run.idle()
    assert_whole(run, census, 2, 12)


def test_a_scheduler_that_is_stopped_between_the_writes_and_killed_loses_nothing(stopped):
    kennel, census = stopped
    kennel.kill()
    kennel.start()
    run = kennel.run()
    run.wait()
    run.idle()
    assert_whole(run, census, 2, 12)
