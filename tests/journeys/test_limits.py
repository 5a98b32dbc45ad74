"""The limits: the first metric that crosses, the seconds of an attempt, and how many run at any instant."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from beagle.commands import SetLimit
from tests.journeys import ledger
from tests.journeys.beagle_run import OwnRun, eventually, python, search, shell
from tests.journeys.census import Census

# Goes on until the test makes a file with its number.
HELD = """
import os, time
from tests.journeys.ledger import write
write("start")
while not os.path.exists(f"{os.environ['LEDGER']}.{os.environ['N']}"): time.sleep(0.01)
write("end")
"""
# Tells when it printed what crosses, and when it was told to stop.
CROSSING = """
import signal, sys, time
from tests.journeys.ledger import write
def told(*_): write("end"); sys.exit()
signal.signal(signal.SIGTERM, told)
write("start")
print('accuracy=0.99'); time.sleep(60)
"""


def seconds(view):
    """How long it ran, by its record."""
    began, ended = (datetime.fromisoformat(view[key]) for key in ("launch_time", "end_time"))
    return (ended - began).total_seconds()


def test_200_programs_that_print_what_crosses_and_exit_at_once_all_reached_the_limit(tmp_path):
    with OwnRun(tmp_path, limit=8) as run:
        run.submit(search(shell("echo accuracy=0.99"), 200, experiment_accuracy_limit=0.9))
        run.wait()
        assert run.states() == ["accuracy_limit_reached"] * 200
        assert {len(run.metrics(number)) for number in range(1, 201, 20)} == {1}


@pytest.mark.parametrize("status", [0, 3, 130])
def test_what_crosses_counts_before_the_exit_status(tmp_path, status):
    with OwnRun(tmp_path) as run:
        run.submit(search(shell(f"echo accuracy=0.99; exit {status}"), experiment_accuracy_limit=0.9))
        run.wait()
        assert run.states() == ["accuracy_limit_reached"]


def test_the_limit_itself_is_enough_and_what_is_below_it_is_not(tmp_path):
    with OwnRun(tmp_path) as run:
        run.submit(search(shell("echo accuracy=0.89999999"), name="below", experiment_accuracy_limit=0.9))
        run.submit(search(shell("echo accuracy=0.9"), name="at", experiment_accuracy_limit=0.9))
        run.wait("below")
        run.wait("at")
        assert (run.states("below"), run.states("at")) == (["completed"], ["accuracy_limit_reached"])


def test_a_program_that_would_sleep_for_a_minute_is_stopped_within_a_second_of_what_crosses(tmp_path):
    with OwnRun(tmp_path) as run:
        run.submit(search(python(CROSSING), experiment_accuracy_limit=0.9))
        run.wait()
        run.idle()
        printed, stopped = run.ledger()
        assert (printed.word, stopped.word) == ("start", "end")
        assert stopped.at - printed.at < 1
        assert run.states() == ["accuracy_limit_reached"]


def test_timeout_is_exact_to_half_a_second_for_many_at_once_and_for_each_attempt(tmp_path):
    with OwnRun(tmp_path, limit=8) as run:
        run.submit(search(shell("sleep 60"), 8, experiment_timeout=0.7))
        run.wait()
        first = run.experiments()
        run.retry(1)
        run.wait()
        for view in [*first, run.show(1)]:
            assert view["state"] == "timeout"
            assert 0.7 <= seconds(view) <= 1.2
        assert run.show(1)["attempt"] == 2


def test_one_that_ends_just_in_time_is_completed(tmp_path):
    with OwnRun(tmp_path) as run:
        run.submit(search(shell("sleep 0.2"), experiment_timeout=5))
        run.wait()
        assert run.states() == ["completed"]


def release(run, *numbers):
    for number in numbers:
        (run.folder / f"ledger.{number}").touch()


def settled(run, count):
    """So many have been started, all of them run that are not released, and a tick later it is still so."""
    eventually(lambda: len(ledger.starts(run.ledger())) == count)
    time.sleep(1.1)
    assert len(ledger.starts(run.ledger())) == count
    return Census(run.folder).now()


@pytest.mark.parametrize("limit", [1, 3])
def test_the_limit_holds_at_every_instant(tmp_path, limit):
    with OwnRun(tmp_path, limit=limit) as run, Census(tmp_path) as census:
        run.submit(search(python(HELD), 20))
        assert settled(run, limit) == limit
        release(run, *range(21))
        run.wait()
        assert ledger.most_at_once(run.ledger()) == census.most == limit
        assert len(ledger.starts(run.ledger())) == 20


def test_the_limit_is_raised_and_lowered_during_the_run_and_lowering_drains(tmp_path):
    with OwnRun(tmp_path, limit=2) as run, Census(tmp_path) as census:
        run.submit(search(python(HELD), 12))
        assert settled(run, 2) == 2
        run.ask(SetLimit(limit=5))
        assert settled(run, 5) == 5
        run.ask(SetLimit(limit=1))
        assert settled(run, 5) == 5
        release(run, 1, 2, 3, 4)
        eventually(lambda: run.counts()["pool"] == 1)
        assert settled(run, 5) == 1
        release(run, 5)
        assert settled(run, 6) == 1
        run.ask(SetLimit(limit=3))
        assert settled(run, 8) == 3
        release(run, *range(6, 13))
        run.wait()
        assert ledger.most_at_once(run.ledger()) == census.most == 5
        assert run.states() == ["completed"] * 12


def test_with_a_limit_of_0_nothing_runs_until_it_is_raised(tmp_path):
    with OwnRun(tmp_path, limit=0) as run:
        run.submit(search(shell('echo x > "$LEDGER"')))
        eventually(lambda: run.counts()["queue"] == 1)
        assert run.why() == "limit 0 of 0, first in line"
        time.sleep(0.3)
        assert not (tmp_path / "ledger").exists()
        run.ask(SetLimit(limit=1))
        run.wait()
        assert run.states() == ["completed"]
