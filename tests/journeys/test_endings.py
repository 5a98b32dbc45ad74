"""Every way in which an experiment can end, by real processes."""

from __future__ import annotations

import pytest

from beagle.commands import StartSystem, StopExperiment
from beagle.errors import Refused
from tests.journeys.beagle_run import OwnRun, eventually, python, search, shell
from tests.journeys.census import living


@pytest.fixture
def run(tmp_path):
    with OwnRun(tmp_path) as run:
        yield run


def the_end(run, *, seconds=30):
    run.wait(seconds=seconds)
    return run.show()


def test_exit_status_0_is_completed(run):
    run.submit(search(shell("echo accuracy=0.5")))
    view = the_end(run)
    assert (view["state"], view["reason"], view["exit_status"]) == ("completed", "exit status 0", 0)
    assert view["metrics"] == {"accuracy": 0.5}


@pytest.mark.parametrize("word", ["<EXPERIMENT_COMPLETED>", '{"type": "service", "msg": "experiment_completed"}'])
def test_one_that_says_that_it_is_completed_is_ended_though_it_would_go_on(run, word):
    run.submit(search(shell(f"echo '{word}'; sleep 60")))
    view = the_end(run)
    assert (view["state"], view["reason"]) == ("completed", "it said so itself")
    run.idle()
    assert living(run.folder) == {}


def test_completed_by_the_library_counts_whatever_the_exit_status(run):
    run.submit(search(python("import beagle; beagle.completed(); raise SystemExit(3)")))
    assert the_end(run)["state"] == "completed"


def test_one_that_runs_too_long_is_timeout(run):
    run.submit(search(shell("sleep 60"), experiment_timeout=0.5))
    view = the_end(run)
    assert (view["state"], view["reason"]) == ("timeout", "it ran for its 0.5 s")


def test_one_that_crosses_the_limit_is_accuracy_limit_reached(run):
    run.submit(search(shell("echo accuracy=0.5; echo accuracy=0.97; sleep 60"), experiment_accuracy_limit=0.9))
    view = the_end(run)
    assert (view["state"], view["reason"]) == ("accuracy_limit_reached", "accuracy 0.97 reached the limit 0.9")


def test_one_that_is_stopped_while_it_runs_is_stopped_and_dead(run):
    run.submit(search(shell("sleep 60")))
    run.launched()
    run.ask(StopExperiment(experiment="1"))
    view = the_end(run)
    assert (view["state"], view["reason"]) == ("stopped", "stopped by the user")
    run.idle()
    assert living(run.folder) == {}


def test_one_that_is_stopped_in_the_queue_never_runs(tmp_path):
    with OwnRun(tmp_path, paused=True) as run:
        run.submit(search(python("from tests.journeys.ledger import write; write('start')"), count=2))
        eventually(lambda: run.counts()["queue"] == 2)
        run.ask(StopExperiment(experiment="1"))
        run.ask(StartSystem())
        run.wait()
        assert run.states() == ["stopped", "completed"]
        assert [entry.experiment for entry in run.ledger()] == [run.show(2)["id"]]


def test_one_that_exits_with_3_is_failed_with_the_status_and_the_end_of_its_log(run):
    run.submit(search(shell("echo working; echo no luck >&2; echo no hope >&2; exit 3")))
    view = the_end(run)
    assert (view["state"], view["failure"], view["exit_status"]) == ("failed", "exit", 3)
    assert view["reason"] == "exit: exit status 3; its log ends with: no luck | no hope"


def test_one_that_kills_itself_is_failed_by_that_signal(run):
    run.submit(search(shell("kill -9 $$")))
    view = the_end(run)
    assert (view["state"], view["failure"], view["exit_status"]) == ("failed", "exit", -9)
    assert view["reason"] == "exit: killed by SIGKILL"


def test_a_command_that_vanishes_before_the_launch_is_failed_after_two_retries(tmp_path):
    program = tmp_path / "train"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with OwnRun(tmp_path, paused=True) as run:
        run.submit(search([str(program)]))
        program.unlink()
        run.start()
        view = the_end(run)
        assert (view["state"], view["failure"], view["attempt"]) == ("failed", "launch", 3)
        assert view["reason"] == f'launch: the command "{program}" was not found after 2 retries'
        run.idle()


def test_one_that_nobody_sees_ending_is_lost_and_tried_again_as_often_as_the_definition_says(run):
    # Its parent is the shim, which writes the exit status.
    run.submit(search(shell("kill -9 $PPID; sleep 60"), retries={"lost": 1}))
    view = the_end(run)
    assert (view["state"], view["failure"], view["attempt"]) == ("failed", "lost", 2)
    assert view["reason"].endswith("after 1 retries")
    run.idle()
    assert living(run.folder) == {}


def test_one_that_is_lost_is_tried_again_three_times_by_default(run):
    run.submit(search(shell("kill -9 $PPID; sleep 60")))
    assert the_end(run)["attempt"] == 4


def test_an_exit_status_is_tried_again_only_when_the_definition_says_so(run):
    run.submit(search(shell("test $BEAGLE_ATTEMPT = 3"), retries={"exit": 2}))
    view = the_end(run)
    assert (view["state"], view["attempt"]) == ("completed", 3)
    assert run.stored().retried == {"exit": 2}


def test_exit_status_130_counts_as_no_failure_and_runs_again(run):
    run.submit(search(shell("test $BEAGLE_ATTEMPT = 7 || exit 130")))
    view = the_end(run)
    assert (view["state"], view["attempt"]) == ("completed", 7)
    assert run.stored().retried == {}


def test_a_user_tries_again_what_failed_and_nothing_that_runs_or_succeeded(run):
    run.submit(search(shell("test $BEAGLE_ATTEMPT = 2 && sleep 60 || exit 3")))
    run.wait()
    run.retry()
    run.launched()
    with pytest.raises(Refused, match="in pool and cannot be retried"):
        run.retry()
    run.ask(StopExperiment(experiment="1"))
    run.retry()
    assert the_end(run)["state"] == "failed"
    assert run.show()["attempt"] == 3


def test_the_first_service_that_fails_ends_the_others(run):
    order = search(shell("sleep 60"))
    order.commands = {"server": shell("sleep 60"), "train": shell("exit 4")}
    run.submit(order)
    view = the_end(run)
    assert (view["state"], view["exit_status"]) == ("failed", 4)
    run.idle()
    assert living(run.folder) == {}


def test_what_left_its_process_group_ends_with_its_experiment(run):
    stray = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\ntime.sleep(60)"
    run.submit(search(python(stray)))
    assert the_end(run)["state"] == "completed"
    run.idle()
    assert living(run.folder) == {}
    assert list((run.folder / "state" / "running").iterdir()) == []
