"""What the original's front end does, in its order, against `beagle up`: each call as its browser sends it, and each
answer held against what it reads of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from tests.journeys.cli_desk import TEMPLATE, Desk, eventually

ORIGIN = "http://localhost:8080"
# What it adds up to the total of a project.
SUMMED = ("pool", "queue", "completed", "timeout", "accuracy_limit_reached", "stopped")
TRAINING = "for n in 1 2 3 4 5 6 7 8 9; do echo accuracy=0.$n cost=$((10 - n)); sleep 0.2; done; sleep 60"
PROJECT = """\
name: neural_networks
template: template.yml
experiment_timeout: 120.0
experiment_accuracy_limit: 0.98
optimization:
  type: grid
  objective_function: accuracy
  objectiveResult: max
parameters:
  - {name: LR, type: lineal, value: {initial_value: 0.01, final_value: 0.1, interval: 0.04}}
"""


class FrontEnd:
    """A page served from another origin; `id` is what it reads, else `_id`."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/v1/"

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Origin": ORIGIN, **more.pop("headers", {})}
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **more)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        return answer

    def get(self, path: str) -> Any:
        answer = self._call("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def change(self, method: str, path: str, body: Any = None) -> requests.Response:
        answer = self._call(method, path, json=body)
        assert answer.ok, answer.text
        return answer

    def choose(self, kind: str, name: str, text: str) -> str:
        """The file dialog: it parses whatever is answered as JSON, and posts that on; what is no JSON it shows."""
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "type"}
        assert requests.options(self.url + "upload", headers=asked, timeout=30).ok
        answer = self._call("POST", "upload", headers={"type": kind}, files={"file": (name, text)}, data={"type": kind})
        try:
            body = json.loads(answer.text)
        except ValueError:
            return answer.text
        if body.get("model_id"):
            self.change("POST", "projects", body)
        else:
            self.change("POST", "models", body["template"])
        return ""

    def rows(self, path: str) -> list[dict[str, Any]]:
        return [{**row, "id": row.get("id") or row["_id"]} for row in self.get(path)]

    def totals(self) -> dict[str, int]:
        return {row["name"]: sum(row.get(state, 0) for state in SUMMED) for row in self.rows("projects")}

    def chart(self, experiment: str) -> tuple[list[float], list[float], list[int]]:
        points = self.get(f"experiments/{experiment}/metrics")
        labels = [int(point["experimentTime"] // 1) for point in points]
        return [point["accuracy"] for point in points], [point["cost"] for point in points], labels


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, "true") as desk:
        yield desk


@pytest.fixture
def front(desk) -> FrontEnd:
    up = desk.start("up", "--port", 0, "--health-port", "off", "--origins", ORIGIN)
    eventually(lambda: "serving: all actors" in up.complained or up.process.poll() is not None)
    found = re.search(r"serving: (http://\S+)", up.complained)
    assert found, up.complained
    return FrontEnd(found[1])


def model(command: str) -> str:
    return TEMPLATE.format(command=json.dumps(command))


def test_a_day_at_the_front_end(front):
    (system,) = front.rows("systems")
    assert (system["running"], system["experimentsLimit"], system["projects"], system["pools"]) == (False, 1, [], [])
    assert front.choose("model", "template.yml", model(TRAINING)) == ""
    assert [row["filename"] for row in front.rows("models")] == ["template.yml"]
    assert front.choose("project", "project.yml", PROJECT) == ""
    eventually(lambda: front.totals() == {"neural_networks": 3})
    assert len(front.rows("queues")) == 3
    here = f"systems/{system['id']}"

    front.change("PUT", here, {"experimentsLimit": "2"})  # its input field gives text
    assert front.get("pools") == []
    front.change("PUT", here, {"running": True})
    running = eventually(lambda: rows if len(rows := front.rows("pools")) == 2 else None)
    system = front.get(here)
    assert (system["running"], system["state"], system["experimentsLimit"]) == (True, "Launching experiments", 2)
    assert {row["id"] for row in system["pools"]} == {row["id"] for row in running}
    assert [row["project_name"] for row in running] == ["neural_networks"] * 2

    shown = front.get(f"experiments/{running[0]['id']}")["info"]
    assert shown["parameters"] == [{"name": "LR", "value": 0.01}]
    accuracy, cost, labels = eventually(lambda: chart if len((chart := front.chart(shown["id"]))[0]) >= 5 else None)
    assert (accuracy[:5], cost[:5]) == ([0.1, 0.2, 0.3, 0.4, 0.5], [9, 8, 7, 6, 5])
    assert labels == sorted(labels)
    assert 0 <= labels[0] < 30

    front.change("PUT", here, {"running": False})
    eventually(lambda: front.get("pools") == [] and len(front.get("queues")) == 3)
    assert front.get(here)["state"] == "Waiting for launching"
    assert front.get("queues")[0]["id"] in {row["id"] for row in running}
    front.change("PUT", here, {"running": True})
    again = eventually(lambda: rows if len(rows := front.rows("pools")) == 2 else None)
    assert {row["id"] for row in again} == {row["id"] for row in running}

    (project,) = front.rows("projects")
    info = front.get(f"projects/{project['id']}/experiments?offset=0&limit=10000")["info"]
    assert (info["total"], len(info["experiments"])) == (3, 3)
    definition = front.get(f"projects/{project['id']}")
    assert (definition["template"], definition["experiment_timeout"]) == ("template.yml", 120)
    assert front.change("DELETE", f"projects/{project['id']}").status_code == 204
    assert (front.get("projects"), front.get("pools"), front.get("queues")) == ([], [], [])

    assert front.choose("project", "project.yml", PROJECT) == ""
    eventually(lambda: front.totals() == {"neural_networks": 3})
    front.change("POST", f"{here}/reset", {})
    assert (front.get("projects"), front.get("pools"), front.get("queues")) == ([], [], [])
    assert len(front.rows("models")) == 1


def test_experiments_end_by_accuracy_by_timeout_by_their_own_word_by_a_stop_and_by_failing(front):
    ends = {
        "accuracy_limit_reached": "echo accuracy=0.99; sleep 60",
        "timeout": "sleep 60",
        "completed": "echo '<EXPERIMENT_COMPLETED>'",
        "stopped": "sleep 60",
        "failed": "exit 3",
    }
    for name, command in ends.items():
        assert front.choose("model", f"{name}.yml", model(command)) == ""
        text = PROJECT.replace("neural_networks", name).replace("template.yml", f"{name}.yml")
        timeout = "1.0" if name == "timeout" else "120.0"
        assert front.choose("project", "p.yml", text.replace("0.1, ", "0.02, ").replace("120.0", timeout)) == ""
    front.change("PUT", "systems/system", {"running": True, "experimentsLimit": "5"})
    stopped = eventually(lambda: [row for row in front.get("pools") if row["project_name"] == "stopped"])
    front.change("DELETE", f"pools/{stopped[0]['id']}")
    eventually(lambda: [row["name"] for row in front.get("projects") if row[row["name"]] != 1] == [])


def test_wrong_files_are_shown_as_they_are_answered_and_store_nothing(front):
    assert "template.txt: wrong file extension" in front.choose("model", "template.txt", model("true"))
    assert "template.yml:2:11: is not YAML" in front.choose("model", "template.yml", "services:\n  train: [")
    assert "template.json:1:" in front.choose("model", "template.json", "{,}")
    assert "no template template.yml was uploaded" in front.choose("project", "project.yml", PROJECT)
    assert "project.md: wrong file extension" in front.choose("project", "project.md", PROJECT)
    assert "project.yml:1: is empty" in front.choose("project", "project.yml", "")
    assert "give model or project" in front.choose("picture", "project.yml", PROJECT)
    assert front.get("models") == front.get("projects") == []


def test_a_definition_of_the_older_shape_becomes_its_projects(front):
    assert front.choose("model", "template.yml", model("echo accuracy=0.5")) == ""
    older = """\
timeOut: 60
accuracy_limit: 0.9
optimization: {type: grid, objectiveFunction: accuracy, objective_result: max}
project:
  - {name: one, template: template.yml, parameters: [{name: LR, type: absolute, value: [1, 2]}]}
  - {name: two, template: template.yml, parameters: [{name: LR, type: absolute, value: [3]}]}
"""
    assert front.choose("project", "older.yml", older) == ""
    eventually(lambda: front.totals() == {"one": 2, "two": 1})
    front.change("PUT", "systems/system", {"running": True})
    eventually(lambda: sum(row["completed"] for row in front.get("projects")) == 3)
