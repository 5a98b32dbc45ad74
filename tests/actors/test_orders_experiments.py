"""Orders to one experiment, in each of its states: what they do, and what they refuse."""

from __future__ import annotations

import pytest

from beagle import lifecycle, places
from beagle.commands import (
    DeleteExperiment,
    ExplainExperiment,
    ListExperiments,
    ListMetrics,
    PrioritiseExperiment,
    RetryExperiment,
    ShowExperiment,
    ShowSystem,
    StopExperiment,
)
from beagle.errors import InvalidInput, NotFound, Refused
from beagle.experiment import Completed, Failed, Failure, State, Stopped, TimedOut
from tests.actors.office import office

ENDINGS = {
    State.COMPLETED: Completed("it exited with status 0", 0),
    State.TIMEOUT: TimedOut("it ran for its 80 s"),
    State.STOPPED: Stopped("stopped by the user"),
    State.FAILED: Failed("exit status 3", Failure.EXIT, 3),
}


@pytest.fixture
def desk():
    with office() as opened:
        yield opened


def in_state(desk, state):
    """Number 1, in that state; the others wait."""
    if state is not State.QUEUE:
        desk.run(1)
    if state in ENDINGS:
        desk.judge((desk.ids[0], 1), ENDINGS[state])
        desk.report(1)
    assert desk.state(1) is state
    return desk


@pytest.mark.parametrize("state", [State.QUEUE, State.POOL])
def test_one_that_waits_or_runs_is_stopped_and_says_why(desk, state):
    answer = in_state(desk, state).give(StopExperiment(experiment=desk.ids[0]))
    assert (answer["experiment"]["state"], answer["experiment"]["reason"]) == ("stopped", "stopped by the user")
    desk.work()
    assert desk.ids[0] not in {name.split("-")[1] for name in desk.orchestrator.alive}


@pytest.mark.parametrize("state", ENDINGS)
def test_one_that_has_ended_cannot_be_stopped_and_the_refusal_says_what_can(desk, state):
    in_state(desk, state)
    with pytest.raises(Refused, match=f"is in {state} and cannot be stopped; that takes one in queue, pool"):
        desk.give(StopExperiment(experiment=desk.ids[0]))


@pytest.mark.parametrize("state", [State.TIMEOUT, State.STOPPED, State.FAILED])
def test_one_that_did_not_succeed_is_retried_as_its_next_attempt(desk, state):
    answer = in_state(desk, state).give(RetryExperiment(experiment=desk.ids[0]))
    assert (answer["experiment"]["state"], answer["experiment"]["attempt"]) == ("queue", 2)


@pytest.mark.parametrize("state", [State.QUEUE, State.POOL, State.COMPLETED])
def test_a_retry_of_any_other_is_refused(desk, state):
    in_state(desk, state)
    with pytest.raises(Refused, match="cannot be retried; that takes one in timeout, stopped, failed"):
        desk.give(RetryExperiment(experiment=desk.ids[0]))


def test_a_higher_priority_runs_first_and_0_takes_it_back(desk):
    desk.give(PrioritiseExperiment(experiment=desk.ids[3], priority=2))
    assert desk.waiting()[0].id == desk.ids[3]
    answer = desk.give(PrioritiseExperiment(experiment=desk.ids[3], priority=0))
    assert answer["experiment"]["priority"] == 0
    assert [e.id for e in desk.waiting()] == desk.ids


@pytest.mark.parametrize("state", [State.POOL, *ENDINGS])
def test_only_what_waits_can_be_moved_within_the_queue(desk, state):
    in_state(desk, state)
    with pytest.raises(Refused, match="cannot be moved within the queue; that takes one in queue"):
        desk.give(PrioritiseExperiment(experiment=desk.ids[0]))


@pytest.mark.parametrize("state", [State.QUEUE, State.POOL, *ENDINGS])
def test_one_that_is_deleted_is_gone_with_its_metrics_whatever_its_state_was(desk, state):
    in_state(desk, state)
    before = desk.give(ShowSystem())["counts"]
    assert desk.give(DeleteExperiment(experiment=desk.ids[0])) == {"deleted": desk.ids[0]}
    after = desk.give(ShowSystem())["counts"]
    assert after == {**before, state.value: before[state.value] - 1}
    for question in (ShowExperiment, ExplainExperiment, ListMetrics):
        with pytest.raises(NotFound, match="no experiment is called"):
            desk.give(question(experiment=desk.ids[0]))
    listed = desk.give(ListExperiments())
    assert [view["number"] for view in listed["experiments"]] == [2, 3, 4]
    assert listed["total"] == 3
    desk.work()
    assert not places.held_by(desk.store, desk.ids[0])
    assert desk.store.metrics(desk.ids[0], 1).records == []
    left = lifecycle.load(desk.store, desk.ids[0])
    assert (left.state, left.name, left.parameters, left.removing) == (State.DELETED, "", {}, None)


def test_the_number_of_a_deleted_one_is_not_queued_again(desk):
    desk.give(DeleteExperiment(experiment=desk.ids[0]))
    desk.work()
    assert lifecycle.create(desk.store, [desk._experiment(1)]) == 0


def test_a_deleted_one_can_be_nothing_any_more(desk):
    desk.give(DeleteExperiment(experiment=desk.ids[0]))
    for order in (StopExperiment, RetryExperiment, PrioritiseExperiment, DeleteExperiment):
        with pytest.raises(NotFound, match="no experiment is called"):
            desk.give(order(experiment=desk.ids[0]))


def test_no_state_deleted_is_ever_shown(desk):
    desk.give(DeleteExperiment(experiment=desk.ids[0]))
    assert "deleted" not in desk.give(ShowSystem())["counts"]
    with pytest.raises(InvalidInput, match="there is no state deleted; the states are queue, pool, completed"):
        desk.give(ListExperiments(state="deleted"))


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (State.QUEUE, ["stop", "prioritise", "delete"]),
        (State.POOL, ["stop", "delete"]),
        (State.COMPLETED, ["delete"]),
        (State.FAILED, ["retry", "delete"]),
    ],
)
def test_an_experiment_is_shown_with_what_can_be_done_with_it(desk, state, actions):
    in_state(desk, state)
    assert desk.give(ShowExperiment(experiment=desk.ids[0]))["actions"] == actions


def test_an_experiment_is_named_by_its_id_its_number_or_its_name(desk):
    for name in (desk.ids[2], "3", "digitsmodel3"):
        assert desk.give(ShowExperiment(experiment=name))["experiment"]["number"] == 3
    for nobody in ("", "99", "digitsmodel9", "f" * 24):
        with pytest.raises(NotFound):
            desk.give(ShowExperiment(experiment=nobody))
