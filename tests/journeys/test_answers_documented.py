"""The page of the answers names what is answered: each command is given, and its answer is held against the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from actors.main import OwnSession, open_session
from beagle.commands import Order, Question, ShowExperiment, ShowSystem
from beagle.records import ProjectState
from bus.routes import COMMANDS
from tests.journeys.beagle_run import eventually
from tests.journeys.cli_desk import PROJECT, TEMPLATE, Desk

PAGE = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
TEXTS = {
    "definition": PROJECT.format(values="[0.1, 0.2, 0.3, 0.4, 0.5]"),
    "template": TEMPLATE.format(command='"echo accuracy=0.5; test $BEAGLE_NUMBER != 4 || sleep 60"'),
}


def rows(title: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = PAGE.partition(f"# {title}")[2]
    table = re.findall(r"^\|.*\|$", section.partition("| --- |")[2].partition("\n\n")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell.partition(":")[0])


ANSWERS = {name: set(words(fields)) for names, fields in rows("Answers") for name in words(names)}
EXPERIMENT = {name for names, _ in rows("An experiment") for name in words(names)}
PROJECT_FIELDS = {name for names, _ in rows("A project") for name in words(names)}


class Front:
    """Gives commands by name, and remembers what was answered."""

    def __init__(self, session: OwnSession) -> None:
        self.session = session
        self.kinds = {kind.__name__: kind for kind in (*get_args(Order), *get_args(Question))}
        self.answers: dict[str, dict] = {}

    def give(self, name: str, **fields: object) -> dict:
        answer = self.session.ask(self.kinds[name](**fields))
        self.answers[name] = answer
        return answer

    def wait_for(self, experiment: str, *states: str) -> None:
        eventually(lambda: self.session.ask(ShowExperiment(experiment=experiment))["experiment"]["state"] in states)


@pytest.fixture
def front(tmp_path):
    with Desk(tmp_path, "true"):
        session = open_session(tmp_path / ".beagle", scheduling=True)
        yield Front(session)
        session.close()


def templates_and_projects(front: Front) -> None:
    upload = {"filename": "template.yml", "text": TEXTS["template"]}
    front.give("CheckTemplate", **upload)
    front.give("UploadTemplate", **upload)
    front.give("ShowTemplate", template="template.yml")
    front.give("ListTemplates")
    front.give("CheckProject", definition=TEXTS["definition"])
    front.give("StartSystem")
    front.give("SetLimit", limit=1)
    front.give("SubmitProject", definition=TEXTS["definition"])
    front.give("PauseProject", project="demo")
    front.give("ResumeProject", project="demo")
    for name in ("ListProjects", "ShowProject", "ListQueue", "ListPool"):
        front.give(name)


def experiments(front: Front) -> None:
    front.wait_for("1", "completed")
    front.wait_for("4", "pool")  # it sleeps, and the fifth waits behind it
    front.give("PrioritiseExperiment", experiment="5", priority=-50)
    eventually(lambda: front.session.ask(ShowExperiment(experiment="4"))["experiment"]["metric_count"])
    for name in ("ShowSystem", "ListExperiments", "ListBest", "ListEndings"):
        front.give(name)
    for name in ("ShowExperiment", "ExplainExperiment", "ListMetrics", "ReadLog"):
        front.give(name, experiment="1")
    front.give("RequeuePool")
    front.give("StopExperiment", experiment="4")
    front.give("RetryExperiment", experiment="4")
    front.give("ClearQueue")
    front.give("DeleteExperiment", experiment="4")


def dead_letters(front: Front) -> None:
    for _ in range(2):
        front.session._world.bus.publish_raw(COMMANDS, "queue_manager.fill_places", b"nonsense")
    first, second = eventually(lambda: len(found := front.give("ListDeadLetters")["letters"]) == 2 and found)
    front.give("ShowDeadLetter", letter=first["id"])
    front.give("DropDeadLetter", letter=first["id"])
    front.give("ReplayDeadLetter", letter=second["id"])


def endings(front: Front) -> None:
    front.give("PauseSystem")
    for name in ("StopProject", "CancelProject"):
        front.give("SubmitProject", definition=TEXTS["definition"], anew=True)
        front.give(name, project="demo")
        eventually(lambda: front.session.ask(ShowSystem())["projects"][0]["state"] == "stopped")
    front.give("DeleteProject", project="demo")
    front.give("ResetSystem")
    front.give("ForgetSite", site="elsewhere")


def test_every_answer_has_the_fields_that_the_page_names(front):
    for chapter in (templates_and_projects, experiments, dead_letters, endings):
        chapter(front)
    assert set(front.answers) == set(ANSWERS) == set(front.kinds)
    assert {name: set(answer) for name, answer in front.answers.items()} == ANSWERS


def test_what_is_in_the_answers_has_the_fields_that_the_page_names(front):
    templates_and_projects(front)
    experiments(front)
    dead_letters(front)
    answers = front.answers
    assert set(answers["ShowExperiment"]["experiment"]) == EXPERIMENT
    assert set(answers["ListProjects"]["projects"][0]) == PROJECT_FIELDS
    fields = {what: re.findall(r"`(\w+)`", cell) for what, cell in rows("A template, a metric, a dead letter")}
    assert set(answers["ShowTemplate"]["template"]) == set(fields["template"])
    assert set(answers["ListMetrics"]["metrics"][0]) == set(fields["metric"])
    assert set(answers["ShowDeadLetter"]["letter"]) == set(fields["dead letter"])


def test_the_states_of_a_project_are_those_of_the_page():
    (said,) = (text for names, text in rows("A project") if "state" in words(names))
    assert set(re.findall(r"`(\w+)`", said)) == {state.value for state in ProjectState} - {"deleted"}
