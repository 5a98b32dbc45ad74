"""`kill -9` of the scheduler, again and again, while experiments run on and end in every way."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import datetime

import pytest

from beagle.commands import StopExperiment
from tests.journeys import ledger
from tests.journeys.beagle_run import python, search, shell
from tests.journeys.census import Census
from tests.journeys.kennel import Kennel

EXPERIMENTS, LIMIT, KILLS = 40, 4, 20
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))

# Ends with 0, with 3 and by SIGKILL in turn, after some tenths of a second and five metrics in two ways.
PROGRAM = """
import os, signal, time, beagle
from tests.journeys.ledger import write
write("start")
number = int(os.environ["N"])
for step in range(5):
    time.sleep(0.03 + 0.05 * (number * 7 % 10))
    print(f"cost={step}")
    beagle.report(step=step, accuracy=number / 100)
write("end")
if number % 3 == 1: raise SystemExit(3)
if number % 3 == 2: os.kill(os.getpid(), signal.SIGKILL)
"""
ENDS = {0: ("completed", 0), 1: ("failed", 3), 2: ("failed", -9)}


def ends_between(entries, intervals):
    """Which of the three ways of ending happened while no scheduler lived, by experiment id."""
    return [e.experiment for e in entries if e.word == "end" and any(low < e.at < high for low, high in intervals)]


@pytest.mark.parametrize("seed", SEEDS)
def test_20_kills_lose_nothing_double_nothing_and_never_exceed_the_limit(tmp_path, seed):
    chance, dead = random.Random(seed), []
    with Kennel(tmp_path) as kennel, Census(tmp_path) as census:
        kennel.start()
        run = kennel.run()
        run.submit(search(python(PROGRAM), EXPERIMENTS, pause_after_failures=0))
        run.start(LIMIT)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 0.4))
            kennel.kill()
            killed = time.monotonic()
            time.sleep(chance.uniform(0, 0.25))
            kennel.start()
            dead.append((killed, time.monotonic()))
        run = kennel.run()
        run.wait()
        run.idle()
        views, entries = run.experiments(), run.ledger()
        stored = {view["number"]: run.metrics(view["number"]) for view in views}

    assert [(view["state"], view["exit_status"]) for view in views] == [ENDS[n % 3] for n in range(1, EXPERIMENTS + 1)]
    assert {view["attempt"] for view in views} == {1}
    assert sorted(ledger.starts(entries)) == sorted((view["id"], 1) for view in views)
    assert ledger.most_at_once(entries) <= LIMIT
    assert census.most <= LIMIT
    for metrics in stored.values():
        assert sorted(m["values"]["cost"] for m in metrics if "cost" in m["values"]) == [0, 1, 2, 3, 4]
        assert sorted(m["step"] for m in metrics if "accuracy" in m["values"]) == [0, 1, 2, 3, 4]
    # That the seed tests what it is to test: it ran until after the last kill, and ended in each way while none lived.
    assert entries[-1].at > dead[-1][1]
    number = {view["id"]: view["number"] for view in views}
    unseen = Counter(number[identity] % 3 for identity in ends_between(entries, dead))
    assert len(unseen) == 3


@pytest.fixture
def kennel(tmp_path):
    with Kennel(tmp_path) as kennel:
        kennel.start()
        yield kennel


def begin(kennel, command, **fields):
    """One experiment, running."""
    run = kennel.run()
    run.submit(search(command, **fields))
    run.start()
    run.launched()
    return run


def restarted_after(kennel, seconds):
    kennel.kill()
    time.sleep(seconds)
    kennel.start()
    return kennel.run()


def lasted(view):
    began, ended = (datetime.fromisoformat(view[key]) for key in ("launch_time", "end_time"))
    return (ended - began).total_seconds()


def test_a_deadline_is_counted_from_the_launch_across_a_restart(kennel):
    begin(kennel, shell("sleep 60"), experiment_timeout=1.5)
    view = restarted_after(kennel, 0.5).ended()
    assert view["state"] == "timeout"
    assert 1.5 <= lasted(view) <= 2.0


def test_a_deadline_that_passes_while_the_scheduler_is_dead_is_met_at_its_return(kennel):
    begin(kennel, shell("sleep 60"), experiment_timeout=0.5)
    run = restarted_after(kennel, 0.8)
    assert run.ended(seconds=5)["state"] == "timeout"
    run.idle()


def test_one_that_ends_in_time_while_the_scheduler_is_dead_is_judged_by_its_own_time(kennel):
    begin(kennel, shell("sleep 0.3; echo accuracy=0.4"), experiment_timeout=2)
    view = restarted_after(kennel, 2.2).ended()
    assert (view["state"], view["exit_status"], view["metrics"]) == ("completed", 0, {"accuracy": 0.4})


def test_a_limit_that_is_crossed_while_the_scheduler_is_dead_counts_before_the_exit_and_the_deadline(kennel):
    command = shell("sleep 0.3; echo accuracy=0.95; sleep 60")
    begin(kennel, command, experiment_timeout=2, experiment_accuracy_limit=0.9)
    view = restarted_after(kennel, 2.2).ended()
    assert view["state"] == "accuracy_limit_reached"


def test_metrics_before_during_and_after_the_death_of_the_scheduler_are_each_stored_once(kennel):
    command = python("import time, beagle\nfor n in range(60): print(f'a={n}'); beagle.report(b=n); time.sleep(0.02)")
    run = begin(kennel, command)
    for _ in range(3):
        run = restarted_after(kennel, 0.1)
    run.wait()
    values = [metric["values"] for metric in run.metrics()]
    assert sorted(v["a"] for v in values if "a" in v) == list(range(60))
    assert sorted(v["b"] for v in values if "b" in v) == list(range(60))
    assert run.show()["metric_count"] == 120


def test_one_stopped_by_a_scheduler_that_dies_at_once_is_dead_after_the_next_start(kennel, tmp_path):
    run = begin(kennel, shell("trap '' TERM; sleep 60"))
    run.ask(StopExperiment(experiment="1"))
    run = restarted_after(kennel, 0)
    run.idle()
    assert run.show()["state"] == "stopped"
    assert Census(tmp_path).now() == 0
