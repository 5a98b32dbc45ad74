"""What is written late of something that was removed does not stay; and however removals are interleaved, killed and
doubled, in the end nothing runs and nothing is left."""

from __future__ import annotations

import random

import pykka
import pytest

from actors.heuristic import HeuristicActor
from actors.watch import ExperimentMonitor
from beagle import lifecycle, projects, removal
from beagle.commands import DeleteProject, ResetSystem, SubmitProject
from beagle.errors import NotFound, Refused
from beagle.experiment import Deleted, Experiment, State
from beagle.records import Metric, Observation, Plan, Project, ProjectState, Summary
from beagle.template import workload_name
from tests.actors.bench import ID, Bench
from tests.actors.office import DEFINITION, TEMPLATE, office
from tests.actors.sleepers import Sleeper
from tests.journeys.beagle_run import eventually


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_metrics_that_come_after_their_experiment_was_removed_do_not_stay(bench):
    bench.launched()
    bench.report(0, cost=1)
    eventually(lambda: bench.stored() == [{"cost": 1}])
    removal.experiments(bench.store, [ID])
    bench.report(20, cost=2)
    eventually(lambda: bench.stored() == [{"cost": 2}])
    bench.end(0)
    eventually(lambda: bench.stored() == [])
    assert bench.store.get(Summary, ID) is None
    eventually(lambda: not pykka.ActorRegistry.get_by_class(ExperimentMonitor))


def test_metrics_that_come_after_their_experiment_was_deleted_do_not_stay(bench):
    bench.launched()
    bench.report(0, cost=1)
    bench.advance(Deleted())
    bench.report(20, cost=2)
    bench.end(0)
    eventually(lambda: bench.stored() == [])
    assert bench.state() == State.DELETED
    assert bench.store.get(Summary, ID) is None


@pytest.fixture
def desk():
    with office() as opened:
        yield opened


def heuristic(desk):
    """One that searches a grid of three in a project that is stored, none of them queued yet."""
    made = desk.give(SubmitProject(definition=DEFINITION, template=TEMPLATE))["projects"][0]["id"]
    return HeuristicActor(desk.world, ()), made


def queued(desk, project):
    return desk.store.page(Experiment, "number", (project,), limit=1000).records


def test_what_a_heuristic_queues_after_its_project_was_removed_does_not_stay(desk):
    actor, project = heuristic(desk)
    asleep = Sleeper(lambda: actor._advance(project, set())).until("add", Experiment)
    projects.delete(desk.store, projects.load(desk.store, project), "")
    removal.project(desk.store, project)
    asleep.finish()
    assert queued(desk, project) == []


def test_what_a_heuristic_queues_after_its_project_was_stopped_is_stopped(desk):
    actor, project = heuristic(desk)
    asleep = Sleeper(lambda: actor._advance(project, set())).until("add", Experiment)
    stopping = projects.stop(desk.store, projects.load(desk.store, project), "")
    projects.end(desk.store, stopping, desk.now())
    asleep.finish()
    assert {e.state for e in queued(desk, project)} == {State.STOPPED}


@pytest.mark.parametrize("state", [ProjectState.STOPPING, ProjectState.CANCELLING, ProjectState.STOPPED])
def test_a_heuristic_suggests_nothing_for_a_project_that_ends(desk, state):
    actor, project = heuristic(desk)
    stored = projects.stop(desk.store, projects.load(desk.store, project), "")
    if state is ProjectState.CANCELLING:
        projects.cancel(desk.store, stored, "")
    if state is ProjectState.STOPPED:
        projects.end(desk.store, stored, desk.now())
    actor._advance(project, set())
    assert queued(desk, project) == []


def test_what_was_written_under_numbers_that_are_gone_is_removed_too(desk):
    stored = desk.project()
    for number in (1, 4, removal.UNRECORDED):
        identity = lifecycle.experiment_id(stored.id, number)
        metric = Metric(experiment=identity, attempt=1, source="out", sequence=1, time=1.0, values={"a": 1.0})
        desk.store.append([metric])
        desk.store.add([Summary(id=identity, project=stored.id, attempt=1)])
    following = 1
    while following is not None:
        following = removal.by_number(desk.store, stored, following)
    for number in (1, 4, removal.UNRECORDED):
        identity = lifecycle.experiment_id(stored.id, number)
        assert desk.store.metrics(identity, 1).records == []
        assert desk.store.get(Summary, identity) is None


@pytest.mark.parametrize("late", ["experiment", "observation"])
def test_what_comes_within_the_quiet_time_is_found_before_the_project_is_removed(desk, late):
    desk.gateway._sweep._means.quiet = 1000.0
    desk.give(DeleteProject(project="digits"))
    while desk.gateway._sweep.step():
        pass
    assert desk.left() == {}
    assert desk.project() is not None
    if late == "experiment":
        lifecycle.create(desk.store, [desk._experiment(9)])
    else:
        desk.report(1)
    desk.work()
    assert desk.project() is not None
    desk.gateway._sweep._means.quiet = 0.0
    desk.work()
    assert desk.left() == {}
    assert desk.project() is None


def test_the_record_of_a_project_is_the_last_of_it(desk):
    """Killed before any of its operations, a sweep leaves something from which the next one goes on."""
    desk.give(DeleteProject(project="digits"))
    for steps in range(1, 60):
        sleeper = Sleeper(lambda: [desk.gateway._sweep.step() for _ in range(8)]).wake(steps)
        if not sleeper.over:
            sleeper.vanish()
        stored = desk.project()
        if stored is None:
            assert desk.left() == {}
            assert desk.store.get(Plan, desk.project_id) is None
            return
        desk.restart()
    desk.work()
    assert desk.project() is None


def nothing_is_left(desk):
    while any(projects.hidden(desk.store)) or desk.orchestrator.alive:
        desk.work()
    assert desk.left() == {}
    assert desk.orchestrator.list() == []
    assert desk.store.page(Project, "all", (False,)).records == []
    assert desk.store.page(Observation, "log", (desk.project_id,)).records == []


def refused(work):
    def guarded():
        try:
            return work()
        except (Refused, NotFound):
            return None

    return guarded


@pytest.mark.parametrize("seed", range(25))
def test_two_sweeps_two_managers_and_a_launcher_that_sleep_and_die_leave_nothing(desk, seed):
    chance = random.Random(seed)
    if chance.random() < 0.7:
        desk.run(1)
        desk.report(1)
    if chance.random() < 0.5:
        desk.give(DeleteProject(project="digits"))
    else:
        order = ResetSystem()
        Sleeper(refused(lambda: desk.give(order))).wake(chance.randrange(12)).vanish_if_asleep()
        desk.give(order)
    asleep = []
    for _ in range(60):
        works = (desk.gateway.reconcile, desk.gateway.reconcile, desk.manager.reconcile, desk.launcher.reconcile)
        if len(asleep) < 4:
            asleep.append(Sleeper(refused(chance.choice(works))))
        sleeper = chance.choice(asleep)
        sleeper.wake(chance.randrange(1, 12))
        if not sleeper.over and chance.random() < 0.1:
            sleeper.vanish()
            desk.restart()
        asleep = [each for each in asleep if not each.over]
        desk.time += chance.choice((0.0, 0.5, 3.0))
        held = {workload_name(p.experiment, p.attempt) for p in desk.places() if p.experiment}
        assert desk.orchestrator.alive <= held, "something runs without a place"
        while desk.orchestrator.pushes:
            desk.told(desk.orchestrator.pushes.popleft())()
    for sleeper in asleep:
        sleeper.finish()
    nothing_is_left(desk)
