"""Every order is applied once, however often it comes, and whatever dies between its effect and its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beagle import lifecycle, places, projects, removal
from beagle.commands import (
    CancelProject,
    ClearQueue,
    DeleteExperiment,
    DeleteProject,
    ListProjects,
    PauseProject,
    PauseSystem,
    PrioritiseExperiment,
    RequeuePool,
    ResetSystem,
    ResumeProject,
    RetryExperiment,
    SetLimit,
    ShowSystem,
    StartSystem,
    StopExperiment,
    StopProject,
    SubmitProject,
    UploadTemplate,
)
from beagle.errors import InvalidInput, Refused
from beagle.experiment import State, Stopped
from beagle.records import Applied, ProjectState
from tests.actors.office import DEFINITION, TEMPLATE, everything, office
from tests.contracts.records import plan, project

# By name, so that each repeat could mean something else.
ORDERS = {
    "start": StartSystem,
    "pause": PauseSystem,
    "limit": lambda: SetLimit(limit=3),
    "reset": ResetSystem,
    "upload": lambda: UploadTemplate(filename="t.yml", text=TEMPLATE),
    "submit": lambda: SubmitProject(definition=DEFINITION, template=TEMPLATE),
    "pause project": lambda: PauseProject(project="digits"),
    "resume project": lambda: ResumeProject(project="paused"),
    "stop project": lambda: StopProject(project="digits"),
    "cancel project": lambda: CancelProject(project="digits"),
    "delete project": lambda: DeleteProject(project="digits"),
    "stop": lambda: StopExperiment(experiment="digitsmodel3"),
    "retry": lambda: RetryExperiment(experiment="digitsmodel4"),
    "prioritise": lambda: PrioritiseExperiment(experiment="digitsmodel3", priority=4),
    "delete": lambda: DeleteExperiment(experiment="digitsmodel3"),
    "clear": ClearQueue,
    "requeue": RequeuePool,
}


@pytest.fixture
def desk():
    """Numbers 1 and 2 run, 3 waits, 4 was stopped; a second project is paused."""
    with office() as opened:
        opened.run(1)
        lifecycle.advance(opened.store, opened.one(4), Stopped("stopped by the user"), opened.now())
        other = replace(project(2), name="paused", state=ProjectState.PAUSED, digest="other", source="")
        projects.create(opened.store, other, replace(plan(), id=other.id))
        yield opened


def happens(desk):
    """What others do meanwhile: a younger project and experiments of the same names, another limit."""
    desk.time += 1
    other = replace(project(9), name="digits", digest="younger", source="", created_at=desk.now())
    projects.create(desk.store, other, replace(plan(), id=other.id))
    twins = [replace(desk._experiment(n), id=lifecycle.experiment_id(other.id, n), project=other.id) for n in (3, 4)]
    lifecycle.create(desk.store, [replace(twin, id="f" + twin.id[1:]) for twin in twins])
    places.set_limit(desk.store, 7)


def forget_answer(desk, order):
    """As when the gateway died after the effect, before the answer was stored."""
    known = desk.store.get(Applied, order.id)
    assert known.answer
    if known.subject or isinstance(order, ClearQueue | RequeuePool):
        desk.store.replace(known, replace(known, version=known.version + 1, answer=""))
    else:
        desk.store.remove(Applied, [order.id])
    desk.restart()


@pytest.mark.parametrize("name", ORDERS)
def test_a_repeat_gets_the_first_answer_and_changes_nothing(desk, name):
    order = ORDERS[name]()
    first = desk.give(order)
    happens(desk)
    before = everything(desk.store)
    assert desk.give(order) == first
    assert everything(desk.store) == before


@pytest.mark.parametrize("name", ORDERS)
def test_a_crash_between_the_effect_and_its_answer_does_not_apply_it_twice(desk, name):
    order = ORDERS[name]()
    desk.give(order)
    forget_answer(desk, order)
    happens(desk)
    before = everything(desk.store, but=(Applied,))
    desk.give(order)
    assert everything(desk.store, but=(Applied,)) == before


def test_a_refusal_is_an_answer_too(desk):
    order = RetryExperiment(experiment="digitsmodel3")
    with pytest.raises(Refused, match="cannot be retried") as first:
        desk.give(order)
    lifecycle.advance(desk.store, desk.one(3), Stopped("stopped by the user"), desk.now())
    with pytest.raises(Refused) as again:
        desk.give(order)
    assert str(again.value) == str(first.value)
    assert desk.state(3) is State.STOPPED


def test_what_was_wrong_may_come_again_after_it_was_put_right(desk):
    order = SubmitProject(definition=DEFINITION)
    with pytest.raises(InvalidInput, match=r"no template t\.yml was uploaded"):
        desk.give(order)
    desk.give(UploadTemplate(filename="t.yml", text=TEMPLATE))
    assert len(desk.give(order)["projects"]) == 1


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_expired_is_not_applied(desk, name):
    order = ORDERS[name]().model_copy(update={"expires_at": desk.now() - 2.5})
    before = everything(desk.store)
    with pytest.raises(InvalidInput, match=r"came 2\.5 s after its expires_at; it was not applied"):
        desk.give(order)
    assert everything(desk.store) == before


def test_a_repeat_that_comes_after_the_expiry_gets_the_first_answer(desk):
    order = SetLimit(limit=3, expires_at=desk.now() + 5)
    first = desk.give(order)
    desk.time += 60
    assert desk.give(order) == first


def test_a_question_that_expired_is_not_answered(desk):
    with pytest.raises(InvalidInput, match=r"ShowSystem came 1\.0 s after its expires_at"):
        desk.give(ShowSystem(expires_at=desk.now() - 1))
    assert desk.give(ListProjects(expires_at=desk.now() + 1))["projects"]


def test_answers_are_kept_for_a_day_and_removed_in_pieces(desk):
    for _ in range(removal.AT_ONCE + 50):
        desk.give(StartSystem())
    young = StartSystem()
    desk.time += 23.5 * 3600
    desk.give(young)
    desk.restart()
    desk.gateway.reconcile()
    assert len(desk.store.page(Applied, "at", limit=1000).records) == removal.AT_ONCE + 51
    desk.time += 3600
    desk.restart()
    while desk.gateway._sweep.step():
        pass
    assert [each.id for each in desk.store.page(Applied, "at", limit=1000).records] == [young.id]
