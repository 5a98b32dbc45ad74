"""A pause of the system puts what runs back at the head of the queue, as its next attempt."""

from __future__ import annotations

import time

import pytest

from beagle.commands import PauseSystem, StartSystem
from tests.journeys import ledger
from tests.journeys.beagle_run import OwnRun, eventually, python, search
from tests.journeys.census import living

# The first attempts report and go on until they are stopped; later ones end at once.
PROGRAM = """
import os, time, beagle
from tests.journeys.ledger import write
write("start")
beagle.report(accuracy=float(os.environ["BEAGLE_ATTEMPT"]))
if os.environ["BEAGLE_ATTEMPT"] == "1" and int(os.environ["N"]) <= 2: time.sleep(60)
"""


@pytest.fixture
def paused(tmp_path):
    """Two of five were running when the system was paused, each with a metric."""
    with OwnRun(tmp_path, limit=2) as run:
        run.submit(search(python(PROGRAM), 5))
        eventually(lambda: len(run.ledger()) == 2)
        eventually(lambda: run.metrics(1) and run.metrics(2))
        run.ask(PauseSystem())
        run.idle()
        yield run


def test_what_ran_is_dead_and_back_in_the_queue_with_the_next_attempt(paused):
    assert living(paused.folder) == {}
    views = paused.experiments()
    assert [view["state"] for view in views] == ["queue"] * 5
    assert [view["attempt"] for view in views] == [2, 2, 1, 1, 1]
    assert paused.why(1) == "attempt 2, because the system was paused; the system is paused; `beagle run` starts it"


def test_nothing_starts_while_it_is_paused(paused):
    time.sleep(1.2)  # longer than a tick
    assert len(paused.ledger()) == 2


def test_what_ran_goes_first_when_it_resumes(paused):
    paused.ask(StartSystem())
    paused.wait()
    views = sorted(paused.experiments(), key=lambda view: view["launch_time"])
    order = [(view["number"], view["attempt"]) for view in views]
    assert set(order[:2]) == {(1, 2), (2, 2)}
    assert sorted(order[2:]) == [(3, 1), (4, 1), (5, 1)]


def test_older_attempts_keep_their_metrics_and_lists_show_the_current_one(paused):
    view = paused.show(1)
    assert (view["metrics"], view["metric_count"], view["objective"]) == ({}, 0, None)
    paused.ask(StartSystem())
    paused.wait()
    assert [metric["values"] for metric in paused.metrics(1)] == [{"accuracy": 2}]
    assert [metric["values"] for metric in paused.metrics(1, attempt=1)] == [{"accuracy": 1}]
    view = paused.show(1)
    assert (view["metrics"], view["metric_count"], view["objective"]) == ({"accuracy": 2}, 1, 2)


def test_a_pause_counts_as_no_failure(paused):
    paused.ask(StartSystem())
    paused.wait()
    assert paused.states() == ["completed"] * 5
    assert paused.stored(1).retried == {}


def test_pausing_and_resuming_again_and_again_loses_nothing(tmp_path):
    program = "import time; from tests.journeys.ledger import write; write('start'); time.sleep(0.2); write('end')"
    with OwnRun(tmp_path, limit=4) as run:
        run.submit(search(python(program), 12))
        for pause in range(6):
            time.sleep(0.05 * (pause % 3))
            run.ask(PauseSystem())
            run.ask(StartSystem())
        run.wait()
        run.idle()
        assert run.states() == ["completed"] * 12
        began = ledger.starts(run.ledger())
        assert len(began) == len(set(began))
        assert ledger.most_at_once(run.ledger()) <= 4
        finished = {(e.experiment, e.attempt) for e in run.ledger() if e.word == "end"}
        assert {(view["id"], view["attempt"]) for view in run.experiments()} <= finished
