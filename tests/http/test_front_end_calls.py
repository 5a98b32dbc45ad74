"""The calls of the original, one by one: what each takes, and the shape and status of what it answers."""

from __future__ import annotations

import json

import pytest

from tests.journeys.cli_desk import PROJECT, TEMPLATE, eventually

OLDER = """\
timeOut: 60
accuracy_limit: 0.9
optimization: {type: grid}
project:
  - {name: one, template: template.yml, parameters: [{name: LR, type: absolute, value: [1]}]}
  - {name: two, template: other.yml, parameters: [{name: LR, type: absolute, value: [2]}]}
"""
STEADY = TEMPLATE.format(command=json.dumps("echo accuracy=0.5; sleep 60"))
QUICK = TEMPLATE.format(command=json.dumps("echo accuracy=0.5"))


def uploaded(client, kind: str, name: str, text: str | bytes):
    return client("POST", "upload", headers={"type": kind}, files={"file": (name, text)})


def with_model(client, text: str = QUICK, name: str = "template.yml") -> None:
    template = uploaded(client, "model", name, text).json()["template"]
    assert client("POST", "models", json=template).status_code == 200


def with_project(client, text: str = PROJECT.format(values="[0.1, 1e-3, 0.3]")) -> str:
    answer = client("POST", "projects", json=uploaded(client, "project", "project.yml", text).json())
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def play(client, limit: object = "1") -> None:
    answer = client("PUT", "systems/system", json={"running": True, "experimentsLimit": limit})
    assert answer.status_code == 200, answer.text


def test_the_heartbeat_beats(client):
    assert client.get("heartbeat") == {"status": "ok"}


def test_there_is_a_list_of_one_system_that_is_not_running_and_has_the_limit_1(client):
    (system,) = client.get("systems")
    assert {"id", "running", "state", "experimentsLimit", "version", "projects", "pools"} <= set(system)
    assert (system["running"], system["state"], system["experimentsLimit"]) == (False, "Waiting for launching", 1)
    assert client.get(f"systems/{system['id']}") == system


@pytest.mark.parametrize(
    ("body", "running", "limit"),
    [
        ({"running": True}, True, 1),
        ({"running": "True"}, True, 1),
        ({"running": "false", "experimentsLimit": "7"}, False, 7),
        ({"experimentsLimit": 3, "anything": "else"}, False, 3),
        ({"experimentsLimit": 0}, False, 0),
    ],
)
def test_play_and_limit_arrive_as_they_are_or_as_text(client, body, running, limit):
    answer = client("PUT", "systems/system", json=body)
    assert (answer.json()["running"], answer.json()["experimentsLimit"]) == (running, limit)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"experimentsLimit": "many"}, "experimentsLimit: is 'many'; give a whole number from 0 to 10000"),
        ({"experimentsLimit": 10001}, "is 10001"),
        ({"experimentsLimit": True}, "is true"),
        ({"experimentsLimit": 1.5}, "is 1.5"),
        ({"running": 1, "experimentsLimit": 2}, "running: is 1; give true or false"),
        ({}, "neither running nor experimentsLimit"),
        ([], "the body: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_change_of_the_system_changes_nothing(client, body, sentence):
    answer = client("PUT", "systems/system", json=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    assert client.get("systems")[0]["experimentsLimit"] == 1


def test_a_model_is_parsed_then_stored_and_the_same_filename_replaces_it(client):
    answer = uploaded(client, "model", "template.yml", STEADY)
    assert answer.headers["Content-Type"] == "application/json"
    template = answer.json()["template"]
    assert template["filename"] == "template.yml"
    assert template["services"]["train"]["environment"] == {"LR": 1}
    assert client.get("models") == []
    client("POST", "models", json=template)
    (model,) = client.get("models")
    assert model["create_time"].startswith("20")
    client("POST", "models", json=uploaded(client, "model", "template.yml", QUICK).json()["template"])
    assert [each["id"] for each in client.get("models")] == [model["id"]]
    found = client.get(f"models/{model['id']}")
    assert found["text"] == QUICK
    assert found["services"]["train"]["command"] == ["sh", "-c", "echo accuracy=0.5"]


def test_a_model_that_was_got_can_be_posted_again(client):
    with_model(client)
    (model,) = client.get("models")
    found = client.get("models/template.yml")
    assert client("POST", "models", json=found).json()["id"] == model["id"]
    assert client.get("models/template.yml") == found
    assert found["text"] == QUICK


def test_fields_that_were_changed_on_the_way_win_over_the_text(client):
    template = uploaded(client, "model", "template.yml", QUICK).json()["template"]
    template["services"]["train"]["command"] = ["echo", "\u2028 other: é 😀"]
    client("POST", "models", json=template)
    assert client.get("models/template.yml")["services"]["train"]["command"] == ["echo", "\u2028 other: é 😀"]
    del template["text"]
    template["services"]["train"]["command"] = ["true"]
    client("POST", "models", json=template)
    assert client.get("models/template.yml")["services"]["train"]["command"] == ["true"]


@pytest.mark.parametrize("body", [{}, {"services": {}}, {"filename": ""}, {"filename": 3}])
def test_a_model_without_a_filename_is_400(client, body):
    answer = client("POST", "models", json=body)
    assert answer.status_code == 400
    assert "the template has no filename" in answer.json()["message"]


def test_a_project_is_answered_with_the_model_that_it_names_and_starts_when_posted_on(client):
    with_model(client)
    (model,) = client.get("models")
    found = uploaded(client, "project", "project.yml", PROJECT.format(values="[0.1, 1e-3]")).json()
    assert found["model_id"] == model["id"]
    assert (found["name"], found["parameters"][0]["value"]) == ("demo", [0.1, 0.001])
    assert client.get("projects") == []
    project = client("POST", "projects", json=found).json()
    assert project["name"] == "demo"
    eventually(lambda: client.get("queues"))
    # As it was written: a program that reads its parameter as text gets the same.
    assert client.get("queues")[0]["parameters"][0]["value"] == 0.1
    assert client("POST", "projects", json=found).json()["id"] == project["id"]
    assert client("POST", "projects", json=found).json()["taken_up"] is True


def test_a_project_of_the_older_shape_is_answered_with_a_model_for_each_and_becomes_several(client):
    with_model(client)
    with_model(client, name="other.yml")
    models = {model["filename"]: model["id"] for model in client.get("models")}
    found = uploaded(client, "project", "old.yml", OLDER).json()
    assert found["model_id"] == models["template.yml"]
    assert [each["model_id"] for each in found["project"]] == [models["template.yml"], models["other.yml"]]
    answer = client("POST", "projects", json=found).json()
    assert [each["name"] for each in answer["projects"]] == ["one", "two"]
    assert {each["name"] for each in client.get("projects")} == {"one", "two"}
    shown = client.get(f"projects/{answer['id']}")
    assert (shown["experiment_timeout"], shown["experiment_accuracy_limit"]) == (60, 0.9)


def test_a_project_may_name_its_model_by_id_alone(client):
    with_model(client)
    (model,) = client.get("models")
    fields = {"name": "demo", "model_id": model["id"], "parameters": [{"name": "LR", "type": "absolute", "value": [1]}]}
    assert client("POST", "projects", json=fields).status_code == 200


@pytest.mark.parametrize(
    ("kind", "name", "text", "sentence"),
    [
        ("model", "template.txt", QUICK, "template.txt: wrong file extension"),
        ("model", "template.yml", "a: [1", "template.yml:1:6: is not YAML"),
        ("model", "template.json", '{"a": ]}', "template.json:1:7: is not JSON"),
        ("model", "template.yml", b"\xff\xfe", "template.yml:1: is not UTF-8 text"),
        ("model", "template.yml", "services: {train: {}}", "services.train.command: is missing"),
        ("model", "template.yml", "", "is empty"),
        ("model", "template.yml", "x" * (257 * 1024), "larger than 256 KiB"),
        ("project", "project.md", "name: x", "project.md: wrong file extension"),
        ("project", "project.yml", "name: [", "project.yml:1:8: is not YAML"),
        ("project", "project.yml", PROJECT.format(values="[1]"), "no template template.yml was uploaded"),
        ("project", "project.yml", "name: x\ntemplate: t\nparameters: []", "parameters: has nothing to try"),
        ("other", "project.yml", "name: x", "the header type is 'other'; give model or project"),
        ("", "project.yml", "name: x", "the header type is missing"),
    ],
)
def test_a_wrong_upload_is_400_in_plain_text(client, kind, name, text, sentence):
    answer = uploaded(client, kind, name, text)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert sentence in answer.text
    with pytest.raises(ValueError):
        json.loads(answer.text)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"files": {"other": ("a.yml", "x")}}, 400),
        ({"data": b"--x", "headers": {"type": "model", "Content-Type": "multipart/form-data; boundary=x"}}, 400),
        ({"data": b"nothing", "headers": {"type": "model", "Content-Type": "multipart/form-data"}}, 400),
        ({"data": b"{}", "headers": {"type": "model", "Content-Type": "application/json"}}, 415),
        ({"files": {"file": ("a.yml", "x" * 400_000)}}, 413),
        ({}, 400),
    ],
)
def test_a_broken_upload_is_plain_text_too(client, more, status):
    answer = client("POST", "upload", **{"headers": {"type": "model"}, **more})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/plain; charset=utf-8"), answer.text


def test_projects_are_listed_with_flat_counts_and_shown_with_their_definition(client):
    with_model(client)
    project = with_project(client)
    eventually(lambda: client.get("projects")[0]["queue"] == 3)
    (listed,) = client.get("projects")
    states = ("queue", "pool", "completed", "timeout", "accuracy_limit_reached", "stopped", "failed")
    assert [listed[state] for state in states] == [3, 0, 0, 0, 0, 0, 0]
    shown = client.get(f"projects/{project}")
    assert (shown["id"], shown["template"], shown["experiments"]) == (project, "template.yml", 3)
    assert shown["parameters"][0]["name"] == "LR"
    assert shown["optimization"]["type"] == "grid"


def test_experiments_of_a_project_are_a_page_in_info(client):
    with_model(client)
    project = with_project(client)
    eventually(lambda: client.get("projects")[0]["queue"] == 3)
    info = client.get(f"projects/{project}/experiments", offset=1, limit=10000)["info"]
    assert (info["limit"], info["offset"], info["total"]) == (10000, 1, 3)
    assert [each["number"] for each in info["experiments"]] == [2, 3]
    first = info["experiments"][0]
    assert first["project_id"] == project
    assert (first["name"], first["project_name"], first["state"]) == ("demomodel2", "demo", "queue")
    assert (first["template_name"], first["parameters"]) == ("template.yml", [{"name": "LR", "value": 0.001}])
    assert {"time_out", "accuracy_limit", "create_time", "launch_time"} <= set(first)


def test_queue_and_pool_are_bare_lists_of_10_with_the_way_on_in_a_header(client):
    with_model(client, STEADY)
    with_project(client, PROJECT.format(values=list(range(25))))
    eventually(lambda: client.get("projects")[0]["queue"] == 25)
    answer = client("GET", "queues")
    assert (len(answer.json()), answer.headers["X-Total-Count"]) == (10, "25")
    seen = [each["number"] for each in answer.json()]
    while "next" in answer.links:
        answer = client("GET", answer.links["next"]["url"])
        seen += [each["number"] for each in answer.json()]
    assert seen == list(range(1, 26))
    assert [each["number"] for each in client.get("queues", offset=5, limit=2)] == [6, 7]
    assert client.get("pools") == []


def test_an_experiment_is_stopped_taken_out_prioritised_and_retried_by_its_actions(client):
    with_model(client, STEADY)
    with_project(client)
    play(client)
    running = eventually(lambda: client.get("pools"))[0]["id"]
    shown = client.get(f"experiments/{running}")
    assert set(shown) == {"info", "links", "actions", "why"}
    assert {"deleteExperiment", "deleteExperimentPool", "stop"} == set(shown["actions"])
    assert client("DELETE", f"queues/{running}").status_code == 409
    waiting = client.get("queues")[-1]["id"]
    actions = client.get(f"experiments/{waiting}")["actions"]
    assert {"deleteExperimentQueue", "prioritizeExperiment"} <= set(actions)
    assert client("DELETE", f"pools/{waiting}").status_code == 409
    assert client("PUT", actions["prioritizeExperiment"]).json()["priority"] == 1
    assert client.get("queues")[0]["id"] == waiting
    undo = client.get(f"experiments/{waiting}")["actions"]["unPrioritizeExperiment"]
    assert client("DELETE", undo).json()["priority"] == 0
    assert client("PUT", undo, json={"priority": 51}).status_code == 400
    assert client("DELETE", actions["deleteExperimentQueue"]).json()["state"] == "stopped"
    assert "taken out of the queue" in client.get(f"experiments/{waiting}/why")["why"]
    assert client("POST", f"experiments/{waiting}/retry").json()["attempt"] == 2
    assert client("POST", shown["actions"]["stop"], json={"reason": "enough"}).json()["reason"] == "enough"
    assert client("POST", shown["actions"]["stop"]).status_code == 409
    assert client("DELETE", f"experiments/{running}").json() == {"deleted": running}
    assert client("GET", f"experiments/{running}").status_code == 404


def test_metrics_are_a_list_with_the_reported_names_and_seconds_since_the_start(client):
    with_model(client, TEMPLATE.format(command=json.dumps("echo accuracy=0.5 cost=2; echo '1\\t9.5\\t3\\t0.4\\t0.7'")))
    with_project(client, PROJECT.format(values="[1]"))
    waits = eventually(lambda: client.get("queues"))[0]["id"]
    assert client.get(f"experiments/{waits}/metrics") == []
    play(client)
    eventually(lambda: client.get("projects")[0]["completed"] == 1)
    first, second = client.get(f"experiments/{waits}/metrics")
    assert (first["accuracy"], first["cost"]) == (0.5, 2)
    assert 0 <= first["experimentTime"] < 30
    assert (second["accuracy"], second["cost"], second["experimentTime"]) == (0.7, 0.4, 9.5)
    page = client("GET", f"experiments/{waits}/metrics", params={"limit": 1, "attempt": 1})
    assert client("GET", page.links["next"]["url"]).json() == [second]


def test_pool_and_queue_are_emptied(client):
    with_model(client, STEADY)
    project = with_project(client)
    play(client, "2")
    eventually(lambda: len(client.get("pools")) == 2)
    client("PUT", "systems/system", json={"experimentsLimit": "0"})
    assert client("DELETE", "pools").json() == {"requeued": 2}
    assert client("DELETE", "queues").json() == {"stopped": 3}
    assert client.get(f"projects/{project}")["stopped"] == 3


def test_projects_are_paused_resumed_stopped_and_deleted(client):
    with_model(client)
    project = with_project(client)
    assert client("POST", f"projects/{project}/pause", json={"reason": "lunch"}).json()["reason"] == "lunch"
    assert client("POST", f"projects/{project}/resume").json()["state"] == "running"
    assert client("POST", f"projects/{project}/stop").json()["state"] in {"stopping", "stopped"}
    answer = client("DELETE", f"projects/{project}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client("GET", f"projects/{project}").status_code == 404
    assert client.get("projects") == []


def test_a_project_is_cancelled_and_its_best_are_listed(client):
    with_model(client)
    project = with_project(client)
    play(client)
    eventually(lambda: client.get("projects")[0]["completed"] == 3)
    assert [each["number"] for each in client.get(f"projects/{project}/best", count=2)] == [1, 2]
    assert client.get(f"projects/{project}")["best"]["number"] == 1
    answer = client("POST", f"projects/{project}/cancel")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "refused")


def test_a_reset_deletes_projects_and_keeps_templates(client):
    with_model(client)
    with_project(client)
    assert client("POST", "systems/system/reset", json={}).status_code == 200
    assert client.get("projects") == []
    assert len(client.get("models")) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "systems/none"),
        ("PUT", "systems/none"),
        ("POST", "systems/none/reset"),
        ("GET", "models/none"),
        ("GET", "projects/none"),
        ("DELETE", "projects/none"),
        ("GET", "projects/none/experiments"),
        ("GET", "projects/none/best"),
        ("POST", "projects/none/pause"),
        ("POST", "projects/none/cancel"),
        ("GET", "experiments/none"),
        ("GET", "experiments/none/metrics"),
        ("GET", "experiments/none/why"),
        ("POST", "experiments/none/stop"),
        ("POST", "experiments/none/retry"),
        ("PUT", "experiments/none/priority"),
        ("DELETE", "experiments/none"),
        ("DELETE", "queues/none"),
        ("DELETE", "pools/none"),
        ("GET", "dead-letters/none"),
        ("POST", "dead-letters/none/replay"),
        ("DELETE", "dead-letters/none"),
        ("GET", "nothing"),
    ],
)
def test_an_unknown_id_is_404_with_a_sentence(client, method, path):
    answer = client(method, path, **({"json": {"running": True}} if method == "PUT" and "systems" in path else {}))
    assert answer.status_code == 404
    assert answer.json()["error"]["kind"] == "not_found"
    assert answer.json()["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "offset=-1", "after=nonsense"])
def test_a_wrong_page_is_400_with_a_sentence(client, query):
    answer = client("GET", f"queues?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].count("\n") == 0


def test_the_page_of_the_calls_loads_nothing_from_elsewhere(client):
    page = client("GET", "/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert client("GET", f"/docs/files/{name}").status_code == 200
