"""Lists by cursor and by offset: nothing left out, nothing twice, and what is deleted in none of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from beagle import projects
from beagle.commands import (
    FURTHEST,
    DeleteExperiment,
    DeleteProject,
    ListEndings,
    ListExperiments,
    ListPool,
    ListProjects,
    ListQueue,
    PrioritiseExperiment,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    StopExperiment,
    SubmitProject,
)
from beagle.definition_file import read_project
from beagle.errors import InvalidInput
from beagle.messages import decode, encode
from tests.actors.office import DEFINITION, TEMPLATE, office
from tests.contracts.records import plan, project


@pytest.fixture
def desk():
    """Nine experiments, of which the second is deleted."""
    with office(experiments=9) as opened:
        opened.give(DeleteExperiment(experiment=opened.ids[1]))
        yield opened


def numbers(answer):
    return [view["number"] for view in answer["experiments"]]


def by_cursor(desk, kind, limit, **fields):
    found, after = [], None
    while True:
        answer = desk.give(kind(after=after, limit=limit, **fields))
        found += answer.get("experiments") or answer.get("projects")
        after = answer["next"]
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 100])
def test_pages_by_cursor_are_the_whole_list_once(desk, limit):
    assert [v["number"] for v in by_cursor(desk, ListExperiments, limit)] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert [v["number"] for v in by_cursor(desk, ListQueue, limit)] == [1, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("offset", range(10))
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_an_offset_counts_what_is_shown(desk, offset, limit):
    answer = desk.give(ListExperiments(offset=offset, limit=limit))
    assert numbers(answer) == [1, 3, 4, 5, 6, 7, 8, 9][offset : offset + limit]
    assert answer["total"] == 8


def test_a_page_by_offset_is_continued_by_its_cursor(desk):
    first = desk.give(ListExperiments(offset=2, limit=3))
    assert numbers(first) == [4, 5, 6]
    assert numbers(desk.give(ListExperiments(after=first["next"], limit=3))) == [7, 8, 9]


def test_queue_and_pool_are_listed_in_their_order_with_how_many_there_are(desk):
    desk.run(1)
    desk.give(PrioritiseExperiment(experiment=desk.ids[8], priority=1))
    waiting = desk.give(ListQueue(limit=2))
    assert (numbers(waiting), waiting["total"]) == ([9, 4], 6)
    running = desk.give(ListPool())
    assert (numbers(running), running["total"]) == ([1, 3], 2)


def test_a_list_of_one_state_says_how_many_are_in_it(desk):
    desk.give(StopExperiment(experiment=desk.ids[4]))
    stopped = desk.give(ListExperiments(state="stopped"))
    assert (numbers(stopped), stopped["total"]) == ([5], 1)


def test_endings_do_not_show_what_is_deleted(desk):
    desk.give(StopExperiment(experiment=desk.ids[4]))
    assert numbers(desk.give(ListEndings())) == [5]


@pytest.fixture
def many(desk):
    for number in range(3, 8):
        other = replace(project(number), digest=f"digest {number}", source="")
        projects.create(desk.store, other, replace(plan(), id=other.id))
    desk.give(DeleteProject(project=project(5).id))
    return desk


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_projects_are_listed_the_newest_first_without_the_deleted(many, limit):
    wanted = [project(n).id for n in (7, 6, 4, 3)] + [many.project_id]
    assert [view["id"] for view in by_cursor(many, ListProjects, limit)] == wanted
    assert [view["id"] for view in many.give(ListProjects(offset=2, limit=2))["projects"]] == wanted[2:4]
    assert many.give(ListProjects(offset=9)) == {"projects": [], "next": None, "total": 5}
    assert [view["id"] for view in many.give(ShowSystem())["projects"]] == wanted


@pytest.mark.parametrize("limit", [1, 100])
def test_every_page_of_the_projects_says_how_many_there_are_without_the_deleted(many, limit):
    assert many.give(ListProjects(limit=limit))["total"] == 5
    for each in (many.project_id, *(project(number).id for number in (3, 4, 6, 7))):
        many.give(DeleteProject(project=each))
    assert many.give(ListProjects(limit=limit))["total"] == 0


def test_a_project_is_shown_with_what_was_asked_for(desk):
    desk.give(SubmitProject(definition=DEFINITION, template=TEMPLATE, template_name="t.yml"))
    shown = desk.give(ShowProject(project="digits"))["definition"]
    assert read_project(json.dumps(shown), "shown.yml") == read_project(DEFINITION, "p.yml")


def test_an_experiment_names_its_project_and_its_template_as_the_original_does(desk):
    shown = desk.give(ShowExperiment(experiment=desk.ids[0]))["experiment"]
    plan = desk.world.plans.of(desk.project_id)
    assert (shown["project_id"], shown["template_name"]) == (plan.id, plan.template.filename)


@pytest.mark.parametrize("kind", [ListProjects, ListExperiments, ListQueue, ListPool])
def test_an_offset_beyond_what_is_counted_in_a_moment_is_refused(kind):
    body = json.loads(encode(kind(offset=FURTHEST)))
    with pytest.raises(InvalidInput, match="offset"):
        decode(json.dumps({**body, "offset": FURTHEST + 1}).encode())
