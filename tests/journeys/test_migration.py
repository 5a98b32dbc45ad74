"""The page for users of BeagleML 1.0.0: its files are read, its program reports, its commands do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from beagle.check import check_together, planned
from beagle.definition_file import read_project
from beagle.orchestrators.permits import refused
from beagle.settings import TABLE, Settings
from beagle.template_file import read_template
from tests.journeys.apart import Apart
from tests.journeys.cli_desk import eventually
from tests.servers.keeper import free_ports

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), "sqlite") as apart:
        apart.environment["BEAGLE_MANAGEMENT"] = rabbitmq.management_url
        yield apart


def test_its_definition_and_its_template_fit_together_and_nothing_in_them_is_refused():
    front, project, template = blocks("yaml")
    (definition,) = read_project(project, "project.yml")
    found = read_template(template, definition.template, "/")
    assert check_together(definition, found) == []
    assert [parameter.name for parameter in definition.parameters] == ["C", "KAFKA_SERVICE"]
    assert planned(definition) == 9
    assert refused(found, Settings()) == refused(read_template(front, "front.yml", "/"), Settings()) == []


def test_its_program_publishes_to_the_topic_as_before_and_its_word_completes_it(apart):
    (program,) = blocks("python")
    service = {"command": [sys.executable, "-c", program], "environment": {"C": "", "METRICS_TOPIC": ""}}
    (apart.folder / "template.yml").write_text(json.dumps({"services": {"logistic": service}}))
    parameters = [{"name": "C", "type": "absolute", "value": [1, 2]}]
    project = {"name": "demo", "template": "template.yml", "parameters": parameters}
    (apart.folder / "project.yml").write_text(json.dumps(project))
    apart.start("up").serves()
    done = apart.beagle("run", "project.yml", "--limit", 2)
    assert done.returncode == 0, done.stderr
    for number in (1, 2):
        shown = json.loads(apart.beagle("show", number, "--format", "json").stdout)
        assert shown["state"] == "completed"
        reported = json.loads(apart.beagle("metrics", number, "--format", "json").stdout)
        assert [metric["values"] for metric in reported if metric["values"]] == [{"accuracy": 0.61, "cost": 1.9}]


def test_it_says_what_is_understood_of_the_original_s_variables(tmp_path):
    (command,) = [block for block in blocks("sh") if "beagle settings" in block]
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^orchestrator +docker-compose +ORCHESTRATOR *$", done.stdout, re.MULTILINE)
    assert re.search(r"^orchestrator_url +- +ORCHESTRATOR_URL *$", done.stdout, re.MULTILINE)
    assert "no_token" not in done.stdout


def test_its_gateway_lets_the_front_end_s_page_call(tmp_path):
    (command,) = [block.strip() for block in blocks("sh") if "beagle up" in block]
    (port,) = free_ports(1)
    words = command.replace("--port 5000", f"--port {port}").split()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEAGLE_")}
    with subprocess.Popen([BIN / words[0], *words[1:]], cwd=tmp_path, env=environment) as up:
        try:
            origin = {"Origin": "http://localhost:8080", "Access-Control-Request-Method": "PUT"}
            answer = eventually(lambda: answered(f"http://127.0.0.1:{port}/api/v1/systems", origin))
            assert answer.ok
            assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:8080"
            strange = answered(f"http://127.0.0.1:{port}/api/v1/systems", origin | {"Origin": "http://elsewhere"})
            assert "Access-Control-Allow-Origin" not in strange.headers
        finally:
            up.terminate()
            assert up.wait(30) == 0


def answered(url: str, headers: dict[str, str]) -> requests.Response | None:
    try:
        return requests.options(url, headers=headers, timeout=10)
    except requests.ConnectionError:
        return None


def test_it_names_variables_that_there_are():
    known = {setting.variable for setting in TABLE.values()}
    told = {"BEAGLE_METRICS_URL", "BEAGLE_METRICS_EXCHANGE", "BEAGLE_METRICS_KEY"}
    assert set(re.findall(r"\bBEAGLE_[A-Z_]+", PAGE)) <= known | told
