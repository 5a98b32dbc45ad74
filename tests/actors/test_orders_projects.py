"""Orders to a project, to its templates and to the whole system: what each does in each state, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beagle import projects, system
from beagle.commands import (
    CancelProject,
    CheckProject,
    CheckTemplate,
    ClearQueue,
    DeleteProject,
    ExplainExperiment,
    ListProjects,
    ListTemplates,
    PauseProject,
    RequeuePool,
    ResetSystem,
    ResumeProject,
    RetryExperiment,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    ShowTemplate,
    StopExperiment,
    StopProject,
    SubmitProject,
    UploadTemplate,
)
from beagle.errors import InvalidInput, NotFound, Refused
from beagle.experiment import Completed, State
from beagle.records import ProjectState
from tests.actors.office import DEFINITION, OLDER, TEMPLATE, office

ORDERS = {
    "paused": PauseProject,
    "resumed": ResumeProject,
    "stopped": StopProject,
    "cancelled": CancelProject,
    "deleted": DeleteProject,
}
# What may be done in each state, by the words of the orders.
ABLE = {
    ProjectState.RUNNING: {"paused", "stopped", "cancelled", "deleted"},
    ProjectState.PAUSED: {"resumed", "stopped", "cancelled", "deleted"},
    ProjectState.STOPPING: {"cancelled", "deleted"},
    ProjectState.CANCELLING: {"deleted"},
    ProjectState.STOPPED: {"deleted"},
    ProjectState.COMPLETED: {"deleted"},
}


@pytest.fixture
def desk():
    with office() as opened:
        yield opened


def in_state(desk, state):
    stored = desk.project()
    assert desk.store.replace(stored, replace(stored, version=stored.version + 1, state=state))


@pytest.mark.parametrize("word", ORDERS)
@pytest.mark.parametrize("state", ABLE)
def test_in_each_state_each_order_is_obeyed_or_refused_with_a_sentence(desk, state, word):
    in_state(desk, state)
    before = desk.project()
    order = ORDERS[word](project=desk.project_id)
    if word in ABLE[state]:
        assert desk.give(order)["project"]["state"] != state
    else:
        with pytest.raises(
            Refused, match=f"the project digits is {state} and cannot be {word}; that takes one that is"
        ):
            desk.give(order)
        assert desk.project() == before


@pytest.mark.parametrize("word", ORDERS)
def test_an_order_to_nothing_is_not_found(desk, word):
    with pytest.raises(NotFound, match="no project is called nobody"):
        desk.give(ORDERS[word](project="nobody"))


def test_a_paused_project_starts_nothing_and_what_runs_goes_on(desk):
    desk.run(1)
    alive = set(desk.orchestrator.alive)
    desk.give(PauseProject(project="digits", reason="for lunch"))
    desk.work()
    assert desk.orchestrator.alive == alive
    waiting = next(e for e in desk.experiments() if e.state is State.QUEUE)
    assert desk.give(ExplainExperiment(experiment=waiting.id))["why"] == "its project is paused: for lunch"
    desk.give(ResumeProject(project="digits"))
    desk.finish()


def test_a_claim_that_slept_through_the_pause_of_its_project_starts_nothing(desk):
    desk.manager.between_writes = lambda: projects.pause(desk.store, desk.project(), "for lunch")
    desk.manager.fill()
    assert {e.state for e in desk.experiments()} == {State.QUEUE}
    desk.work()
    assert desk.orchestrator.started == {}


def test_a_stopped_project_ends_with_what_runs_and_nothing_else_of_it_starts(desk):
    desk.run(1)
    started = set(desk.orchestrator.started)
    assert desk.give(StopProject(project="digits"))["project"]["state"] == "stopping"
    desk.work()
    assert desk.project().state is ProjectState.STOPPING
    assert set(desk.orchestrator.started) == started == desk.orchestrator.alive
    for held in [(e.id, 1) for e in desk.pool()]:
        desk.judge(held, Completed("it exited with status 0", 0))
    desk.work()
    stored = desk.project()
    assert (stored.state, stored.reason) == (ProjectState.STOPPED, "stopped by the user")
    assert desk.orchestrator.alive == set()
    assert {e.reason for e in desk.experiments() if e.state is State.STOPPED} == {"its project was stopped by the user"}


def test_a_cancelled_project_stops_what_runs_too(desk):
    desk.run(1)
    desk.give(CancelProject(project="digits"))
    desk.work()
    assert desk.project().state is ProjectState.STOPPED
    assert desk.orchestrator.alive == set()
    assert {e.state for e in desk.experiments()} == {State.STOPPED}
    assert {e.reason for e in desk.experiments()} == {"its project was cancelled by the user"}


def test_nothing_of_a_stopped_project_is_retried(desk):
    desk.give(CancelProject(project="digits"))
    desk.work()
    shown = desk.give(ShowExperiment(experiment=desk.ids[0]))
    assert "retry" not in shown["actions"]
    with pytest.raises(Refused, match="the project digits is stopped and cannot be taken up again"):
        desk.give(RetryExperiment(experiment=desk.ids[0]))
    assert desk.state(1) is State.STOPPED


def test_a_deleted_project_is_hidden_at_once_and_removed_with_all_that_it_left(desk):
    desk.run(1)
    for number in (1, 2, 3):
        desk.report(number)
    desk.give(DeleteProject(project="digits"))
    shown = desk.give(ShowSystem())
    assert (shown["projects"], shown["experiments"], sum(shown["counts"].values())) == ([], [], 0)
    for question in (ShowProject(project=desk.project_id), ShowProject(), ShowExperiment(experiment=desk.ids[0])):
        with pytest.raises(NotFound):
            desk.give(question)
    desk.work()
    assert desk.orchestrator.alive == set()
    assert desk.left() == {}
    assert desk.project() is None


def test_a_deleted_project_is_not_taken_up_again_by_the_same_files(desk):
    order = submission()
    first = desk.give(order)["projects"][0]
    assert desk.give(submission())["taken_up"] is True
    desk.give(DeleteProject(project=first["id"]))
    again = desk.give(submission())
    assert again["taken_up"] is False
    assert again["projects"][0]["id"] != first["id"]


def submission(**fields):
    given = {"template": TEMPLATE, "template_name": "t.yml", **fields}
    return SubmitProject(definition=DEFINITION, **given)


def test_a_reset_deletes_every_project_and_keeps_templates_and_settings(desk):
    desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))
    desk.give(submission())
    desk.run(1)
    assert desk.give(ResetSystem()) == {"deleted": 2}
    assert desk.give(ListProjects())["projects"] == []
    desk.work()
    assert desk.left() == {}
    assert projects.hidden(desk.store) == []
    assert desk.orchestrator.alive == set()
    current = system.load(desk.store)
    assert (current.running, current.limit, current.reset_at) == (True, 2, 0.0)
    assert [t["filename"] for t in desk.give(ListTemplates())["templates"]] == ["t.yml"]


def test_after_a_reset_everything_works_as_before(desk):
    desk.give(ResetSystem())
    desk.work()
    desk._fill(4, 2)
    desk.finish()


def test_a_reset_that_was_only_begun_is_finished_by_whoever_comes(desk):
    system.reset(desk.store, desk.now(), "a" * 24)
    desk.restart()
    desk.work()
    assert desk.left() == {}
    assert desk.project() is None


def test_what_comes_after_a_reset_stays_even_when_the_clock_is_set_back(desk):
    desk.give(ResetSystem())
    desk.time -= 3600
    made = desk.give(submission())["projects"][0]["id"]
    desk.work()
    assert [view["id"] for view in desk.give(ListProjects())["projects"]] == [made]


def test_clearing_the_queue_stops_what_waits_and_leaves_what_runs(desk):
    desk.run(1)
    alive = set(desk.orchestrator.alive)
    assert desk.give(ClearQueue()) == {"stopped": 2}
    assert sorted(e.state for e in desk.experiments()) == ["pool", "pool", "stopped", "stopped"]
    assert desk.orchestrator.alive == alive
    desk.give(RetryExperiment(experiment=next(e.id for e in desk.experiments() if e.state is State.STOPPED)))
    assert len(desk.waiting()) == 1


def test_requeueing_the_pool_stops_what_runs_and_runs_it_again_first(desk):
    desk.run(1)
    running = {e.id for e in desk.pool()}
    assert desk.give(RequeuePool()) == {"requeued": 2}
    assert {e.id for e in desk.waiting()[:2]} == running
    assert {(e.state, e.attempt) for e in desk.experiments() if e.id in running} == {(State.QUEUE, 2)}
    desk.finish()


def test_the_queue_cannot_be_cleared_of_what_has_begun_to_run_meanwhile(desk):
    with_claim = desk.gateway.announce

    def claimed_meanwhile(step):
        with_claim(step)
        desk.manager.fill()

    desk.gateway.announce = claimed_meanwhile
    assert desk.give(ClearQueue())["stopped"] < 4
    assert len(desk.pool()) >= 1


# Templates


def test_a_template_is_kept_under_its_filename_and_a_later_one_replaces_it(desk):
    first = desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))["template"]
    assert (first["filename"], first["services"]) == ("t.yml", ["train"])
    desk.time += 1
    again = desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))["template"]
    assert again == first
    other = TEMPLATE.replace("train", "learn")
    second = desk.give(UploadTemplate(filename="t.yml", text=other))["template"]
    assert (second["id"], second["services"]) == (first["id"], ["learn"])
    assert second["create_time"] > first["create_time"]
    assert desk.give(ShowTemplate(template=first["id"]))["template"]["text"] == other
    assert len(desk.give(ListTemplates())["templates"]) == 1


def test_a_template_is_found_by_the_name_in_it(desk):
    desk.give(UploadTemplate(filename="t.yml", text="name: digits\n" + TEMPLATE))
    assert desk.give(ShowTemplate(template="digits"))["template"]["filename"] == "t.yml"
    with pytest.raises(NotFound, match="no template is called x"):
        desk.give(ShowTemplate(template="x"))


@pytest.mark.parametrize("kind", [UploadTemplate, CheckTemplate])
def test_mistakes_in_a_template_are_told_with_their_line(desk, kind):
    with pytest.raises(InvalidInput, match=r"t.yml:1: services.train.command: is missing"):
        desk.give(kind(filename="t.yml", text="services: {train: {}}\n"))
    assert desk.give(ListTemplates())["templates"] == []


def test_to_check_a_template_stores_nothing(desk):
    checked = desk.give(CheckTemplate(filename="t.yml", text=TEMPLATE))["template"]
    assert checked["text"] == TEMPLATE
    assert desk.give(ListTemplates())["templates"] == []


def test_a_project_names_its_template_by_the_filename_of_an_upload(desk):
    desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))
    made = desk.give(submission(template=None))["projects"][0]
    assert desk.world.plans.of(made["id"]).template.filename == "t.yml"


def test_a_project_that_names_no_template_there_is_is_refused_with_those_there_are(desk):
    desk.give(UploadTemplate(filename="tt.yml", text=TEMPLATE))
    for order in (submission(template=None), CheckProject(definition=DEFINITION)):
        with pytest.raises(InvalidInput, match=r"no template t.yml was uploaded; did you mean tt.yml\?"):
            desk.give(order)


def test_the_older_shape_makes_a_project_of_each_element_with_its_own_template(desk):
    desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))
    other = desk.give(UploadTemplate(filename="other.yml", text=TEMPLATE.replace("train", "learn")))["template"]
    checked = desk.give(CheckProject(definition=OLDER))["projects"]
    assert [(c["name"], c["template"]) for c in checked] == [("first", "t.yml"), ("second", "other.yml")]
    assert checked[1]["model_id"] == other["id"]
    made = desk.give(SubmitProject(definition=OLDER))["projects"]
    assert [view["name"] for view in made] == ["first", "second"]
    assert [desk.world.plans.of(v["id"]).template.services[0].name for v in made] == ["train", "learn"]


def test_projects_that_come_without_a_file_do_not_replace_each_other(desk):
    first = desk.give(submission())["projects"][0]["id"]
    desk.give(SubmitProject(definition=DEFINITION.replace("digits", "others"), template=TEMPLATE))
    assert desk.give(ShowProject(project=first))["project"]["state"] == "running"


def test_a_stopped_experiment_of_the_queue_is_said_in_one_sentence(desk):
    desk.give(StopExperiment(experiment=desk.ids[0], reason="too slow"))
    assert desk.give(ExplainExperiment(experiment=desk.ids[0]))["why"] == "too slow"
