"""A user's retry at the very moment in which the project completes, or the scheduler dies."""

from __future__ import annotations

import threading

import pytest

from beagle import lifecycle, projects
from beagle.commands import (
    RetryExperiment,
    SetLimit,
    ShowProject,
    StopExperiment,
)
from beagle.errors import BeagleError, Refused
from beagle.experiment import RetryAsked
from beagle.records import Applied
from tests.journeys.beagle_run import OwnRun, eventually, search, shell

FAILS_ONCE = shell("test $BEAGLE_ATTEMPT = 2")


@pytest.fixture
def run(tmp_path):
    with OwnRun(tmp_path) as run:
        yield run


def assert_tried_again(run):
    eventually(lambda: run.show()["state"] == "completed", seconds=10)
    assert run.show()["attempt"] == 2
    run.wait(seconds=10)


def test_a_retry_that_meets_the_completion_of_its_project_is_run(run, monkeypatch):
    about_to, go, wrote, complete = threading.Event(), threading.Event(), [], projects.complete

    def slow(*arguments):
        about_to.set()
        assert go.wait(30)
        wrote.append(complete(*arguments))
        return wrote[-1]

    monkeypatch.setattr(projects, "complete", slow)
    run.submit(search(FAILS_ONCE))
    assert about_to.wait(30)
    run.ask(SetLimit(limit=0))
    run.retry()
    go.set()
    eventually(lambda: wrote)
    run.ask(SetLimit(limit=1))
    assert_tried_again(run)


def test_a_retry_that_a_crash_cuts_in_two_is_run_all_the_same(run, monkeypatch):
    advance = lifecycle.advance

    def torn(store, experiment, event, now, **options):
        step = advance(store, experiment, event, now, **options)
        if not isinstance(event, RetryAsked):
            return step
        raise SystemError("cut")

    run.submit(search(FAILS_ONCE))
    run.wait()
    monkeypatch.setattr(lifecycle, "advance", torn)
    with pytest.raises(BeagleError, match="cut"):
        run.retry()
    assert_tried_again(run)


def test_a_refused_retry_does_not_open_a_completed_project(run):
    run.submit(search(shell("true")))
    run.wait()
    ended = run.project()["end_time"]
    with pytest.raises(Refused):
        run.retry()
    assert (run.project()["state"], run.project()["end_time"]) == ("completed", ended)


def lose_the_next_answer(run, monkeypatch):
    """The scheduler can store the effect of the next order, and then not that it was applied."""
    store = run.world.store
    add = store.add

    def losing(records, **options):
        if not isinstance(records[0], Applied):
            return add(records, **options)
        monkeypatch.setattr(store, "add", add)
        raise SystemError("cut")

    monkeypatch.setattr(store, "add", losing)


def test_a_retry_repeated_after_its_answer_was_lost_is_one_retry(run, monkeypatch):
    run.submit(search(FAILS_ONCE))
    run.wait()
    order = RetryExperiment(experiment="1")
    lose_the_next_answer(run, monkeypatch)
    with pytest.raises(BeagleError, match="cut"):
        run.ask(order)
    assert run.ask(order)["experiment"]["attempt"] == 2
    assert_tried_again(run)


def test_a_stop_repeated_after_its_answer_was_lost_is_answered_as_the_first(run, monkeypatch):
    run.submit(search(shell("sleep 60")))
    run.launched()
    order = StopExperiment(experiment="1")
    lose_the_next_answer(run, monkeypatch)
    with pytest.raises(BeagleError, match="cut"):
        run.ask(order)
    assert run.ask(order)["experiment"]["state"] == "stopped"
    run.wait()


def test_a_project_that_another_definition_paused_completes_when_all_of_it_has_ended(run):
    first = run.submit(search(shell("sleep 0.3")))
    eventually(lambda: run.project(first)["counts"]["pool"])
    run.submit(search(shell("true")))
    eventually(lambda: run.ask(ShowProject(project=first))["project"]["state"] == "completed", seconds=15)
