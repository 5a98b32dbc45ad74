"""Each command has one definition: over HTTP, over AMQP and from the command line it does and fails the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import pytest

from beagle.commands import (
    CancelProject,
    CheckProject,
    CheckTemplate,
    ClearQueue,
    DeleteExperiment,
    DeleteProject,
    ExplainExperiment,
    ForgetSite,
    ListBest,
    ListEndings,
    ListExperiments,
    ListMetrics,
    ListPool,
    ListProjects,
    ListQueue,
    ListTemplates,
    Order,
    PauseProject,
    PauseSystem,
    PrioritiseExperiment,
    Question,
    ReadLog,
    RequeuePool,
    ResetSystem,
    ResumeProject,
    RetryExperiment,
    SetLimit,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    ShowTemplate,
    StartSystem,
    StopExperiment,
    StopProject,
    SubmitProject,
    UploadTemplate,
)
from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter
from beagle.message import Command
from bus.rabbitmq import RabbitBus
from bus.routes import bindings
from tests.actors.office import DEFINITION, TEMPLATE
from tests.http.three_ways import Ways, same_error

LATE = {"expires_at": 1.0}
NONE = {"project": "none"}
NOBODY = {"experiment": "none"}


@dataclass(frozen=True)
class Row:
    """`right` are fields that work and `words` those of the command line for the same, where it has any; `wrong` is
    refused, and so is what the words `wrong_words` say. `quiet`: where nothing runs."""

    right: dict | None
    words: str = ""
    wrong: dict | None = None
    wrong_words: str = ""
    quiet: bool = False


ROWS: dict[type[Command], Row] = {
    StartSystem: Row({}, "start", LATE),
    PauseSystem: Row({}, "pause", LATE, quiet=True),
    SetLimit: Row({"limit": 3}, "limit 3", {"limit": 3, **LATE}),
    ResetSystem: Row({}, "reset --yes", LATE),
    # A launcher of the site lives, as everything does where there is one of each.
    ForgetSite: Row(None, "", {"site": "local"}, "site forget local --yes"),
    UploadTemplate: Row(
        {"filename": "new.yml", "text": TEMPLATE, "folder": "FOLDER"},
        "template upload new.yml",
        {"filename": "bad.yml", "text": "services: {}\n"},
        "template upload bad.yml",
    ),
    # `beagle run` submits and then follows; it reads both files itself before.
    SubmitProject: Row({"definition": DEFINITION}, "", {"definition": "name: x\n"}, "run bad-project.yml"),
    PauseProject: Row({"project": "digits"}, "project pause digits", NONE, "project pause none"),
    ResumeProject: Row({"project": "paused"}, "project resume paused", {"project": "digits"}, "project resume digits"),
    StopProject: Row({"project": "digits"}, "project stop digits", NONE, "project stop none"),
    CancelProject: Row({"project": "digits"}, "project cancel digits", NONE, "project cancel none"),
    DeleteProject: Row({"project": "digits"}, "project delete digits --yes", NONE, "project delete none --yes"),
    StopExperiment: Row({"experiment": "digitsmodel1"}, "stop digitsmodel1", {"experiment": "4"}, "stop 4"),
    RetryExperiment: Row({"experiment": "digitsmodel4"}, "retry digitsmodel4", NOBODY, "retry none"),
    PrioritiseExperiment: Row(
        {"experiment": "digitsmodel3", "priority": 4},
        "priority 4 digitsmodel3",
        {"experiment": "digitsmodel1", "priority": 4},
        "priority 4 digitsmodel1",
    ),
    DeleteExperiment: Row({"experiment": "digitsmodel3"}, "delete digitsmodel3 --yes", NOBODY, "delete none --yes"),
    ClearQueue: Row({}, "queue clear --yes", LATE),
    RequeuePool: Row({}, "", LATE),
    ReplayDeadLetter: Row({"letter": "LETTER"}, "dead replay LETTER", {"letter": "x"}, "dead replay x"),
    DropDeadLetter: Row({"letter": "LETTER"}, "dead drop LETTER", {"letter": "x"}, "dead drop x"),
    ListDeadLetters: Row({}, "dead ls", LATE),
    ShowDeadLetter: Row({"letter": "LETTER"}, "dead show LETTER", {"letter": "x"}, "dead show x"),
    ShowSystem: Row({}, "status", LATE),
    CheckTemplate: Row({"filename": "t.yml", "text": TEMPLATE}, "", {"filename": "t.yml", "text": "services: []"}),
    ListTemplates: Row({}, "template ls", LATE),
    ShowTemplate: Row({"template": "t.yml"}, "template show t.yml", {"template": "x"}, "template show x"),
    CheckProject: Row({"definition": DEFINITION}, "", {"definition": "name: x"}),
    ListProjects: Row({}, "project ls", LATE),
    ShowProject: Row({"project": "digits"}, "", NONE),
    ListExperiments: Row({"project": "digits"}, "experiments --project digits", NONE, "experiments --project none"),
    ListEndings: Row({"project": "digits"}, "", NONE),
    ListBest: Row({"project": "digits"}, "best --project digits", NONE, "best --project none"),
    ListQueue: Row({}, "queue ls", LATE),
    ListPool: Row({}, "", LATE),
    ShowExperiment: Row({"experiment": "digitsmodel1"}, "show digitsmodel1", NOBODY, "show none"),
    ExplainExperiment: Row({"experiment": "digitsmodel1"}, "why digitsmodel1", NOBODY, "why none"),
    ListMetrics: Row({"experiment": "digitsmodel1"}, "metrics digitsmodel1", NOBODY, "metrics none"),
    # To read one takes a launcher; of what waits there is none.
    ReadLog: Row(None, "", {"experiment": "digitsmodel3"}, "logs digitsmodel3"),
}


@pytest.fixture(scope="module")
def ways(rabbitmq) -> Iterator[Ways]:
    with rabbitmq.hosts() as (main, metrics):
        url = rabbitmq.url(main)
        bus = RabbitBus(url, bindings=bindings("local"), metrics_url=rabbitmq.url(metrics))
        yield Ways(bus, url)
        bus.close()


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """What the command line is given."""
    (tmp_path / "new.yml").write_text(TEMPLATE)
    (tmp_path / "bad.yml").write_text("services: {}\n")
    (tmp_path / "bad-project.yml").write_text("name: x\n")
    monkeypatch.chdir(tmp_path)


def test_every_command_is_in_the_table():
    assert set(ROWS) == {*get_args(Order), *get_args(Question)}


@pytest.mark.parametrize(
    "kind", [kind for kind, row in ROWS.items() if row.right is not None], ids=lambda k: k.__name__
)
def test_each_way_has_the_same_effect_and_answer(ways, kind, tmp_path):
    row = ROWS[kind]
    fields = {name: str(tmp_path) if value == "FOLDER" else value for name, value in row.right.items()}
    amqp = ways.over_amqp(kind(**fields), quiet=row.quiet)
    http = ways.over_http(kind(**fields), quiet=row.quiet)
    assert "error" not in amqp.answer, amqp.answer
    assert (http.status, http.answer) == (200, amqp.answer)
    assert http.after == amqp.after
    if row.words:
        typed = ways.from_the_command_line(kind(**fields), row.words.split(), quiet=row.quiet)
        assert typed.status == 0, typed.answer["complained"]
        assert typed.after == amqp.after


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_each_way_fails_with_the_same_sentence_and_changes_nothing(ways, kind):
    row = ROWS[kind]
    amqp, http = (way(kind(**row.wrong), quiet=row.quiet) for way in (ways.over_amqp, ways.over_http))
    same_error(amqp, http)
    assert http.after == amqp.after
    if row.wrong_words:
        typed = ways.from_the_command_line(kind(**row.wrong), row.wrong_words.split(), quiet=row.quiet)
        error = amqp.answer["error"]
        assert typed.status == (2 if error["kind"] in {"invalid", "not_found"} else 1)
        wanted = "".join(f"beagle: {each}\n" for each in error["problems"] or [error["message"]])
        assert typed.answer["complained"].replace("bad-project.yml", "project.yml") == wanted
        assert typed.after == amqp.after
