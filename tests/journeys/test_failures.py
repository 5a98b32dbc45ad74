"""Failures do not burn a project: it is paused before its whole space has failed for one cause."""

from __future__ import annotations

import pytest

from tests.journeys import ledger
from tests.journeys.beagle_run import OwnRun, eventually, python, search, shell

FAILING = "from tests.journeys.ledger import write; write('start'); raise SystemExit(3)"


@pytest.fixture
def run(tmp_path):
    with OwnRun(tmp_path, limit=1) as run:
        yield run


def test_five_failures_without_a_success_pause_the_project_with_the_reason(run):
    run.submit(search(python(FAILING), 20))
    project = run.wait(state="paused")
    assert project["reason"] == "5 experiments failed and none succeeded; resume it when the cause is mended"
    assert project["counts"]["failed"] == 5
    assert len(ledger.starts(run.ledger())) == 5
    assert run.why(7) == f"its project is paused: {project['reason']}"


def test_submitting_it_again_resumes_it_and_the_old_failures_do_not_count_again(run):
    what = search(python(FAILING), 20)
    run.submit(what)
    run.wait(state="paused")
    assert run.submit(what) == run.project()["id"]
    eventually(lambda: run.project()["counts"]["failed"] == 10 and run.project()["state"] == "paused")
    assert len(ledger.starts(run.ledger())) == 10


def test_one_success_is_enough_to_go_on(run):
    run.submit(search(shell('test "$N" = 3 || exit 3'), 9))
    project = run.wait()
    assert (project["counts"]["failed"], project["counts"]["completed"]) == (8, 1)


def test_the_number_of_failures_is_the_definitions_and_0_never_pauses(run):
    run.submit(search(shell("exit 3"), 4, name="two", pause_after_failures=2))
    assert run.wait("two", state="paused")["counts"]["failed"] == 2
    run.submit(search(shell("exit 3"), 8, name="none", pause_after_failures=0))
    assert run.wait("none")["counts"]["failed"] == 8


def test_a_paused_project_does_not_keep_another_from_running(run):
    run.submit(search(shell("exit 3"), 9, name="burning"))
    run.wait("burning", state="paused")
    run.submit(search(shell("true"), 3, name="fine"))
    assert run.wait("fine")["counts"]["completed"] == 3
    assert run.project("burning")["counts"]["queue"] == 4


def test_more_running_at_once_may_fail_but_nothing_starts_after_the_fifth(tmp_path):
    with OwnRun(tmp_path, limit=4) as run:
        run.submit(search(python(FAILING), 30))
        run.wait(state="paused")
        run.idle()
        # Those that had a place when the fifth failed go on.
        assert 5 <= len(ledger.starts(run.ledger())) <= 5 + 3
