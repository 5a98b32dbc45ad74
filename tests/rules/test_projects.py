"""When a project is paused for its failures, and when two submissions are the same project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beagle import projects
from beagle.errors import NotFound, Refused
from beagle.experiment import FINAL, SUCCESSES, State
from beagle.records import ProjectState
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import plan, project


def counts(**known: int) -> dict[State, int]:
    return {state: known.get(state.value, 0) for state in State}


@pytest.fixture
def store(tmp_path):
    opened = SqliteStore(tmp_path / "beagle.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def stored(store):
    projects.create(store, project(1), replace(plan(), id=project(1).id))
    return projects.load(store, project(1).id)


def test_five_failures_without_a_success_pause_a_project_with_the_reason():
    assert projects.burns(project(1), counts(failed=4)) is None
    reason = projects.burns(project(1), counts(failed=5, queue=100, pool=3, stopped=9))
    assert reason == "5 experiments failed and none succeeded; resume it when the cause is mended"


@pytest.mark.parametrize("success", sorted(SUCCESSES))
def test_one_success_keeps_a_project_going(success):
    assert projects.burns(project(1), counts(failed=1000, **{success.value: 1})) is None


@pytest.mark.parametrize("other", sorted(FINAL - SUCCESSES - {State.FAILED}))
def test_what_a_user_ended_is_neither_failure_nor_success(other):
    assert projects.burns(project(1), counts(failed=5, **{other.value: 1})) is not None
    assert projects.burns(project(1), counts(failed=4, **{other.value: 9})) is None


def test_failures_that_the_user_has_seen_count_no_more():
    seen = replace(project(1), forgiven=5)
    assert projects.burns(seen, counts(failed=9)) is None
    assert projects.burns(seen, counts(failed=10)) is not None


@pytest.mark.parametrize("never", [0, -1])
def test_a_project_can_ask_never_to_be_paused(never):
    assert projects.burns(replace(project(1), pause_after_failures=never), counts(failed=10_000)) is None


def test_resuming_forgives_the_failures_until_then(store, stored):
    paused = projects.pause(store, stored, "5 experiments failed")
    assert (paused.state, paused.reason) == (ProjectState.PAUSED, "5 experiments failed")
    resumed = projects.resume(store, paused, counts(failed=5))
    assert (resumed.state, resumed.reason, resumed.forgiven) == (ProjectState.RUNNING, "", 5)
    assert projects.load(store, stored.id) == resumed


def test_how_many_were_sent_never_goes_back_whoever_writes_late(store, stored):
    projects.sent(store, stored, 500)
    assert projects.sent(store, stored, 20).sent == 500
    assert projects.load(store, stored.id).sent == 500


def test_a_change_with_an_old_record_in_hand_keeps_what_others_wrote(store, stored):
    projects.sent(store, stored, 7)
    after = projects.pause(store, stored, "for lunch")
    assert (after.sent, after.reason, after.version) == (7, "for lunch", 2)


def test_a_completed_project_changes_only_when_it_is_reopened(store, stored):
    done = projects.complete(store, stored, "all 3 experiments have ended", 9.0)
    for change in (lambda: projects.pause(store, stored, "late"), lambda: projects.sent(store, done, 9)):
        with pytest.raises(Refused, match="the project digits is completed"):
            change()
    again = projects.reopen(store, done)
    assert (again.state, again.reason, again.ended_at) == (ProjectState.RUNNING, "", None)
    assert projects.reopen(store, again) == again


def test_only_running_projects_may_start_experiments_the_oldest_first(store):
    for number in (3, 1, 2):
        projects.create(store, project(number), replace(plan(), id=project(number).id))
    projects.pause(store, projects.load(store, project(2).id), "for lunch")
    assert [each.id for each in projects.runnable(store)] == [project(1).id, project(3).id]


def test_an_unknown_project_is_not_found(store):
    for read in (lambda: projects.load(store, "no such"), lambda: projects.Plans(store).of("no such")):
        with pytest.raises(NotFound, match="there is no project no such"):
            read()


def test_a_plan_is_read_once_and_is_the_one_that_was_stored(store, stored):
    plans = projects.Plans(store)
    assert plans.of(stored.id) == replace(plan(), id=stored.id)
    assert plans.of(stored.id) is plans.of(stored.id)


def test_the_digest_is_the_same_for_what_asks_for_the_same():
    one, other = plan(), plan()
    moved = replace(other.definition, places={"name": "other.yml:9"})
    assert projects.digest(one.definition, one.template) == projects.digest(moved, other.template)


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"seed": 1}, {"total": 5}, {"timeout": 80.0}, {"direction": "min"}, {"parameters": ()}],
)
def test_the_digest_tells_apart_what_asks_for_something_else(change):
    one = plan()
    assert projects.digest(one.definition, one.template) != projects.digest(
        replace(one.definition, **change), one.template
    )


def test_the_digest_tells_templates_apart():
    one = plan()
    assert projects.digest(one.definition, one.template) != projects.digest(
        one.definition, replace(one.template, folder="/elsewhere")
    )
