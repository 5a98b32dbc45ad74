"""The commands about projects, templates, the queue and the system: from a second terminal, and with nobody there."""

import json

import pytest

from tests.journeys.cli_desk import Desk, eventually
from tests.journeys.test_cli_looking import begun, busy, finish

DESTRUCTIVE = [
    ("reset",),
    ("delete", "1"),
    ("project", "delete", "demo"),
    ("queue", "clear"),
    ("site", "forget", "there"),
]


def listed(desk, *words):
    return json.loads(desk.beagle(*words, "--format", "json").stdout)


@pytest.fixture
def desk(tmp_path):
    """Two of four run."""
    with busy(tmp_path) as opened:
        opened.run = opened.start("run", "project.yml", "--limit", 2)
        begun(opened, 0.1)
        begun(opened, 0.2)
        yield opened


@pytest.mark.parametrize("words", DESTRUCTIVE, ids=" ".join)
def test_what_cannot_be_undone_is_not_done_without_yes(desk, words):
    done = desk.beagle(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("beagle: this ")
    undone = "only `beagle retry` brings each back" if words[0] == "queue" else "cannot be undone"
    assert done.stderr.endswith(f", and {undone}; say so with --yes\n")
    assert sorted(desk.states().values()) == ["pool", "pool", "queue", "queue"]


def test_a_pause_stops_what_runs_and_a_start_runs_it_again(desk):
    assert desk.beagle("pause").stdout.startswith("paused: nothing runs")
    assert not desk.alive()
    assert set(desk.states().values()) == {"queue"}
    desk.run.end()
    assert "nothing runs experiments here now" in desk.beagle("start").stdout


def test_experiments_are_moved_within_the_queue_and_deleted(desk):
    assert desk.beagle("priority", 3, 4).stdout == "demomodel4 has priority 3\n"
    assert [view["number"] for view in listed(desk, "queue", "ls")] == [4, 3]
    done = desk.beagle("delete", 1, 4, 9, "--yes")
    assert done.stdout == "demomodel1 is deleted\ndemomodel4 is deleted\n"
    assert done.stderr == "beagle: no experiment is called 9; `beagle experiments` lists them\n"
    assert set(desk.states()) == {2, 3}
    finish(desk, 0.2, 0.3)
    assert desk.run.end() == 0
    assert set(desk.states().values()) == {"failed", "completed"}


def test_the_queue_is_cleared(desk):
    said = desk.beagle("queue", "clear", "--yes").stdout
    assert said == "2 experiments taken out of the queue; `beagle retry` puts one back\n"
    assert desk.beagle("queue", "ls").stdout == "nothing waits\n"


def test_a_project_is_paused_resumed_and_stopped(desk):
    assert desk.beagle("project", "pause", "demo").stdout == "demo is paused: paused by the user\n"
    assert desk.beagle("why", 3).stdout == "its project is paused: paused by the user\n"
    assert desk.beagle("project", "resume", "demo").stdout == "demo is running\n"
    assert desk.beagle("project", "resume", "demo").stderr == (
        "beagle: the project demo is running and cannot be resumed; that takes one that is paused\n"
    )
    assert desk.beagle("project", "stop", "demo").stdout == "demo is stopping: stopped by the user\n"
    eventually(lambda: sorted(desk.states().values()) == ["pool", "pool", "stopped", "stopped"])
    finish(desk, 0.1, 0.2)
    desk.run.end()
    assert listed(desk, "project", "ls")[0]["state"] == "stopped"


def test_a_project_is_cancelled(desk):
    assert desk.beagle("project", "cancel", "demo").stdout == "demo is cancelling: cancelled by the user\n"
    desk.run.end()
    assert not desk.alive()
    assert set(desk.states().values()) == {"stopped"}
    assert "its project was cancelled by the user" in desk.beagle("why", 1).stdout


def test_a_deleted_project_is_gone_with_what_ran(desk):
    assert desk.beagle("project", "delete", "demo", "--yes").stdout == "demo is deleted\n"
    assert desk.beagle("project", "ls").stdout == "no projects yet; `beagle run project.yml` starts one\n"
    assert desk.run.end() == 2
    eventually(lambda: not desk.alive() or not desk.beagle("status"))


def test_a_reset_with_nobody_there_ends_what_was_left_running(desk):
    desk.run.process.kill()
    desk.run.process.wait()
    assert desk.alive()
    assert desk.beagle("reset", "--yes").stdout == "1 project deleted; model templates and settings stay\n"
    assert not desk.alive()
    assert "no project here yet" in desk.beagle("experiments").stderr


def test_templates_are_stored_listed_and_printed_as_they_were(tmp_path):
    with Desk(tmp_path, "true") as desk:
        assert desk.beagle("run", "project.yml").returncode == 0
        assert desk.beagle("template", "ls").stdout == "no templates yet; `beagle template upload FILE` stores one\n"
        assert desk.beagle("template", "upload", "template.yml", "no.yml").stdout == "template.yml is stored\n"
        assert [view["filename"] for view in listed(desk, "template", "ls")] == ["template.yml"]
        assert desk.beagle("template", "show", "template.yml").stdout == (tmp_path / "template.yml").read_text()
        assert "no template is called x" in desk.beagle("template", "show", "x").stderr


def test_a_site_is_given_up_only_when_its_launcher_is_gone(desk):
    done = desk.beagle("site", "forget", "local", "--yes")
    assert done.returncode == 1
    assert "serves local: it knows what runs there; end it first" in done.stderr
    assert desk.beagle("site", "forget", "there", "--yes").stdout == "0 places of there came back\n"
