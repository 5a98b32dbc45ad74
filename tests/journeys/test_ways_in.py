"""Every form of report by every way in: printed, over RabbitMQ with either key, and over HTTP. One table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests

from tests.journeys.apart import Apart
from tests.servers.keeper import free_ports

FORMS = {
    "json": '{"type": "metrics", "metrics": {"accuracy": 0.61, "cost": 1.9}}',
    "misspelt": '{"metrics": {"accuarcy": 0.61, "cost": 1.9}, "type": "metrics"}',
    "bare": '{"accuracy": 0.61, "cost": 1.9, "phase": "train"}',
    "pairs": "accuracy=0.61 cost=1.9",
    "positional": "7\t25.3\t100\t1.9\t0.61\tand more",
    "marker": "<EXPERIMENT_COMPLETED>",
    "service": '{"type": "service", "msg": "experiment_completed"}',
}
WAYS = ("printed", "key", "topic", "http")
ENDS = {"marker", "service"}
PROGRAM = """
import json, os, sys, time, urllib.request
body, way = json.loads(os.environ["FORMS"])[os.environ["FORM"]], os.environ["WAY"]
if way == "printed":
    print(body, flush=True)
elif way == "http":
    bearer = {"Authorization": "Bearer " + os.environ["BEAGLE_REPORT_TOKEN"]}
    urllib.request.urlopen(urllib.request.Request(os.environ["BEAGLE_METRICS_POST"], body.encode(), bearer)).close()
else:
    import pika
    key = os.environ["METRICS_TOPIC" if way == "topic" else "BEAGLE_METRICS_KEY"]
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["BEAGLE_METRICS_URL"]))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("beagle.metrics", key, body, mandatory=True)
    connection.close()
assert "operators-canary" not in str(os.environ)
if os.environ["FORM"] in ("marker", "service"):
    time.sleep(60)
"""


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), "sqlite") as apart:
        (port,) = free_ports(1)
        server = f"http://127.0.0.1:{port}"
        apart.environment |= {
            "BEAGLE_MANAGEMENT": rabbitmq.management_url,
            "BEAGLE_TOKEN": "operators-canary",
            "BEAGLE_SERVER": server,
            "BEAGLE_EXPERIMENT_SERVER": server,
        }
        apart.start("up", BEAGLE_PORT=str(port)).serves()
        yield apart


def test_each_form_is_read_alike_by_each_way(apart):
    parameters = [
        {"name": "FORM", "type": "absolute", "value": list(FORMS)},
        {"name": "WAY", "type": "absolute", "value": list(WAYS)},
    ]
    environment = {"FORM": "", "WAY": "", "METRICS_TOPIC": "", "FORMS": json.dumps(FORMS)}
    service = {"command": ["python3", "-c", PROGRAM], "environment": environment}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"train": service}}))
    definition = {"name": "demo", "template": "template.yml", "parameters": parameters}
    (apart.folder / "project.yml").write_text(json.dumps(definition))
    done = apart.beagle("run", "project.yml", "--limit", 8)
    assert done.returncode == 0, done.stdout + done.stderr
    views = json.loads(apart.beagle("experiments", "--format", "json").stdout)
    assert len(views) == len(FORMS) * len(WAYS)
    for view in views:
        form, way = view["parameters"]["FORM"], view["parameters"]["WAY"]
        if form in ENDS:
            expected = ("completed", "it said so itself", {})
        elif form == "positional":
            values = {"time": 7, "experimentTime": 25.3, "batches": 100, "cost": 1.9, "accuracy": 0.61}
            expected = ("completed", "exit status 0", values)
        else:
            expected = ("completed", "exit status 0", {"accuracy": 0.61, "cost": 1.9})
        assert (view["state"], view["reason"], view["metrics"]) == expected, (form, way, view)
        assert (view["metric_count"], view["refused"]) == (0 if form in ENDS else 1, 0), (form, way)


def test_the_command_of_the_page_about_metrics_works_as_it_is_printed(apart):
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    (printed,) = re.findall(r"```sh\n(curl .*?)```", page, re.DOTALL)
    service = {"command": ["sh", "-c", printed], "environment": {"N": ""}}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"train": service}}))
    parameter = {"name": "N", "type": "absolute", "value": [1]}
    definition = {"name": "demo", "template": "template.yml", "parameters": [parameter]}
    (apart.folder / "project.yml").write_text(json.dumps(definition))
    done = apart.beagle("run", "project.yml")
    assert done.returncode == 0, done.stdout + done.stderr + apart.beagle("logs", 1, "--err").stdout
    (shown,) = json.loads(apart.beagle("metrics", 1, "--format", "json").stdout)
    assert (shown["values"], shown["step"]) == ({"accuracy": 0.93}, 3)


def test_events_come_over_http_from_a_bus_between_processes_too(apart):
    server = apart.environment["BEAGLE_SERVER"]
    bearer = {"Authorization": "Bearer operators-canary"}
    service = {"command": ["true"], "environment": {"N": ""}}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"train": service}}))
    parameter = {"name": "N", "type": "absolute", "value": [1]}
    definition = {"name": "demo", "template": "template.yml", "parameters": [parameter]}
    (apart.folder / "project.yml").write_text(json.dumps(definition))
    with requests.get(f"{server}/api/v1/events", headers=bearer, stream=True, timeout=60) as answer:
        lines = answer.iter_lines(chunk_size=None, decode_unicode=True)
        while next(lines) != ": listening":
            pass
        assert apart.beagle("run", "project.yml").returncode == 0
        said = []
        while not said or said[-1].get("event") != "completed":
            line = next(lines)
            if line.startswith("data: "):
                said.append(json.loads(line.removeprefix("data: ")))
    assert said[0]["event"] == "created"
    assert [each["state"] for each in said if each["type"] == "ExperimentChanged"] == ["pool", "pool", "completed"]


REPORTS = """
import os, beagle
assert os.environ["BEAGLE_REPORT_URL"].startswith("file://"), "files that Beagle reads outlive a crash of either side"
os.environ["BEAGLE_REPORT_URL"] = os.environ["BEAGLE_METRICS_POST"]
for step in range(20):
    beagle.report(step=step, accuracy=step / 100)
beagle.report(accuracy=0.97)
beagle.completed()
"""


def test_a_program_reports_over_http_with_the_token_of_its_attempt(apart):
    service = {"command": ["python3", "-c", REPORTS], "environment": {"N": ""}}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"train": service}}))
    definition = {
        "name": "demo",
        "template": "template.yml",
        "experiment_accuracy_limit": 0.95,
        "parameters": [{"name": "N", "type": "absolute", "value": [1, 2]}],
    }
    (apart.folder / "project.yml").write_text(json.dumps(definition))
    done = apart.beagle("run", "project.yml", "--limit", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    for number in (1, 2):
        shown = json.loads(apart.beagle("metrics", number, "--format", "json").stdout)
        assert [each["values"]["accuracy"] for each in shown[:20]] == [step / 100 for step in range(20)]
        assert {each["source"].split("/")[0] for each in shown} == {"http"}
    states = json.loads(apart.beagle("experiments", "--format", "json").stdout)
    assert [view["state"] for view in states] == ["accuracy_limit_reached"] * 2
