"""A user who pauses, resumes, stops, retries and changes the limit at random, while the scheduler is killed now and
then. Whatever they do, nothing runs twice, nothing is lost, the limit holds, and in the end all has ended."""

from __future__ import annotations

import os
import random
import time

import pytest

from beagle.commands import (
    PauseSystem,
    RetryExperiment,
    SetLimit,
    StartSystem,
    StopExperiment,
)
from beagle.errors import Refused
from tests.journeys import ledger
from tests.journeys.beagle_run import python, search
from tests.journeys.census import Census, living
from tests.journeys.kennel import Kennel

EXPERIMENTS, MOST, ORDERS = 24, 5, 40
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "2")))

# Some ignore SIGTERM for a while, some fail, some never end by themselves.
PROGRAM = """
import os, signal, time
from tests.journeys.ledger import write
number, attempt = int(os.environ["N"]), int(os.environ["BEAGLE_ATTEMPT"])
def told(*_):
    time.sleep(0.1 * (number % 3))
    write("end")
    os._exit(1)
signal.signal(signal.SIGTERM, told)
write("start")
print(f"accuracy={attempt}")
time.sleep(60 if number % 8 == 0 else 0.05 * (number % 5))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
write("end")
if number % 4 == 1 and attempt == 1: raise SystemExit(3)
"""


def an_order(chance):
    """Something that a user may do at any moment; it may be refused."""
    experiment = str(chance.randint(1, EXPERIMENTS))
    return chance.choice(
        [
            PauseSystem(),
            StartSystem(),
            StartSystem(),
            SetLimit(limit=chance.randint(0, MOST)),
            StopExperiment(experiment=experiment),
            RetryExperiment(experiment=experiment),
            RetryExperiment(experiment=experiment),
        ]
    )


def give(run, order):
    try:
        run.ask(order)
    except Refused:
        return


def to_the_end(run):
    """Let it run; what never ends by itself has a timeout."""
    run.start(MOST)
    run.wait()
    run.idle()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_user_does_and_whenever_the_scheduler_dies_the_laws_hold(tmp_path, seed):
    chance = random.Random(seed)
    with Kennel(tmp_path) as kennel, Census(tmp_path) as census:
        kennel.start()
        run = kennel.run()
        run.submit(search(python(PROGRAM), EXPERIMENTS, experiment_timeout=1, pause_after_failures=0))
        run.start(MOST)
        for _ in range(ORDERS):
            time.sleep(chance.choice((0, 0.01, 0.1)))
            give(run, an_order(chance))
            if chance.random() < 0.1:
                kennel.kill()
                time.sleep(chance.choice((0, 0.1)))
                kennel.start()
                run = kennel.run()
        to_the_end(run)
        views, entries = run.experiments(), run.ledger()
        assert living(tmp_path) == {}
        for view in views:
            reported = [run.metrics(view["number"], attempt) for attempt in range(1, view["attempt"] + 1)]
            assert all(len(metrics) <= 1 for metrics in reported)
            assert all(m["values"] == {"accuracy": n} for n, ms in enumerate(reported, 1) for m in ms)

    began = ledger.starts(entries)
    assert len(began) == len(set(began))
    assert ledger.most_at_once(entries) <= MOST
    assert census.most <= MOST
    assert {view["state"] for view in views} <= {"completed", "failed", "timeout", "stopped"}
    attempts = {view["id"]: view["attempt"] for view in views}
    assert all(attempt <= attempts[identity] for identity, attempt in began)
    for view in views:
        if view["state"] in {"completed", "failed"}:
            assert (view["id"], view["attempt"]) in began
