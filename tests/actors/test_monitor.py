"""What the monitor makes of an attempt's messages, in whatever order, however often and however late they come."""

from __future__ import annotations

import os
import threading

import pytest

from actors.base import World
from actors.monitor import Monitor
from beagle import projects
from beagle.experiment import Paused, State
from beagle.messages import WorkloadEnded
from beagle.records import Summary
from tests.actors.bench import ID, QUEUES, Bench
from tests.journeys.beagle_run import eventually


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_metric_that_comes_twice_is_stored_and_counted_once(bench):
    bench.launched()
    for _ in range(3):
        bench.report(0, cost=1)
    bench.report(7, cost=1)
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert bench.stored() == [{"cost": 1}, {"cost": 1}]
    assert bench.store.get(Summary, ID).count == 2


def test_the_same_place_in_another_source_is_another_metric(bench):
    bench.report(0, source="left/out", cost=1)
    bench.report(0, source="right/out", cost=2)
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert sorted(values["cost"] for values in bench.stored()) == [1, 2]


def test_a_crossing_metric_counts_before_what_comes_after_it(bench):
    bench.report(0, accuracy=0.95)
    bench.report(20, completed=True)
    bench.end(3)
    bench.wait(State.ACCURACY_LIMIT_REACHED)
    bench.report(40, cost=1)
    eventually(lambda: len(bench.stored()) == 3)
    assert bench.state() == State.ACCURACY_LIMIT_REACHED


def test_its_own_word_counts_before_the_exit_status(bench):
    bench.report(0, completed=True)
    bench.end(3)
    bench.wait(State.COMPLETED)


def test_an_ending_that_comes_twice_is_one(bench):
    bench.end(3)
    bench.end(3)
    bench.wait(State.FAILED)
    version = bench.experiment().version
    bench.end(0)
    bench.report(0, cost=1)
    eventually(bench.stored)
    assert bench.experiment().version == version


def test_what_an_older_attempt_says_is_kept_as_its_own_and_changes_no_state(bench):
    bench.report(0, cost=1)
    eventually(bench.stored)
    bench.advance(Paused("the system was paused"))
    bench.run()
    before = bench.experiment()
    bench.report(9, accuracy=0.99)
    bench.end(3)
    eventually(lambda: len(bench.stored()) == 2)
    bench.report(0, attempt=2, cost=5)
    eventually(lambda: bench.stored(2))
    bench.end(0, attempt=2)
    bench.wait(State.COMPLETED)
    assert (bench.experiment().attempt, bench.experiment().version) == (2, before.version + 1)
    assert bench.store.get(Summary, ID).last == {"cost": 5}
    assert bench.stored(2) == [{"cost": 5}]


def test_a_monitor_that_takes_over_knows_what_was_stored_before(bench):
    bench.launched()
    bench.report(0, cost=3)
    bench.report(9, cost=1)
    eventually(lambda: len(bench.stored()) == 2)
    bench.monitor.stop()
    world = World(store=bench.store, bus=bench.bus, clock=bench.clock, site="here", plans=projects.Plans(bench.store))
    bench.monitor = Monitor.start(world, QUEUES)
    bench.report(9, cost=1)
    bench.report(18, cost=2)
    bench.end(0)
    bench.wait(State.COMPLETED)
    summary = bench.store.get(Summary, ID)
    assert (summary.count, summary.last, summary.lowest, summary.highest) == (3, {"cost": 2}, {"cost": 1}, {"cost": 3})


def test_a_message_about_an_experiment_that_is_not_there_is_done_with(bench):
    unknown = WorkloadEnded(experiment="f" * 24, attempt=1, status=0, ended_at=1)
    bench.bus.publish(unknown)
    bench.end(0)
    bench.wait(State.COMPLETED)
    assert not bench.bus.dead_letters(9)


def test_an_ending_is_told_before_the_disk_has_it_and_acknowledged_after(bench, monkeypatch):
    gate, real = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: gate.wait(30) and real(file))
    told = []
    bench.bus.consume("events.heuristic", lambda delivery: (told.append(delivery), delivery.ack()), prefetch=9)
    bench.end(0)
    eventually(lambda: told)
    assert bench.state() == State.COMPLETED
    assert bench.unacknowledged() == 1
    gate.set()
    eventually(lambda: bench.unacknowledged() == 0)
