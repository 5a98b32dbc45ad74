"""The composition: docker-compose takes the file, and what its services run works with what it sets.

No image can be pulled where these tests run. So each service's command is started as a process, with the environment
that docker-compose computes for it, against a broker that was given the composition's own definitions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.journeys.apart import Apart
from tests.journeys.cli_desk import PROJECT, TEMPLATE
from tests.servers.keeper import need
from tests.servers.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
ACTORS = {"gateway", "heuristic", "queue-manager", "launcher", "monitor"}
PASSWORDS = {
    name: name.lower().replace("_", "-")
    for name in re.findall(r"^(\w+)=", (ROOT / "config/compose.env").read_text(), re.MULTILINE)
}


def configured(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    need("docker-compose")
    return subprocess.run(
        ["docker-compose", "--project-directory", ROOT, "--file", ROOT / "docker-compose.yml", "config", *options],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]} | variables,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    done = configured(**PASSWORDS)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


@pytest.fixture
def broker(tmp_path):
    """A node of its own with the definitions of the composition, as its entry point writes them."""
    script, written = tmp_path / "bin" / "docker-entrypoint.sh", tmp_path / "definitions.json"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    around = PASSWORDS | {"PATH": f"{script.parent}:{os.environ['PATH']}", "DEFINITIONS": str(written)}
    subprocess.run([ROOT / "config/rabbitmq/start.sh"], env=around, check=True)
    node = RabbitNode.start_new(tmp_path / "rabbitmq")
    node.call("POST", "/definitions", **json.loads(written.read_text())).raise_for_status()
    yield node
    node.kill()


def test_docker_compose_takes_the_file_and_there_is_one_service_for_each_actor(services):
    assert set(services) == ACTORS | {"broker", "store"}
    for actor in ACTORS:
        assert services[actor]["command"] == ["beagle", "actor", actor]


@pytest.mark.parametrize("name", sorted(PASSWORDS))
def test_without_a_password_it_refuses_and_says_which(name):
    done = configured(**{each: value for each, value in PASSWORDS.items() if each != name})
    assert done.returncode != 0
    assert name in done.stderr


def test_every_service_has_a_health_check_and_actors_wait_for_broker_and_store(services):
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
    for actor in ACTORS:
        waits = {on: how["condition"] for on, how in services[actor]["depends_on"].items()}
        assert waits == {"broker": "service_healthy", "store": "service_healthy"}


def test_what_scales_has_no_fixed_name_and_no_port_of_the_host(services):
    for actor in ACTORS:
        assert not {"container_name", "hostname", "ports"} & set(services[actor])
        assert services[actor]["environment"]["BEAGLE_HEALTH_PORT"] == "9464"


def test_the_files_that_are_mounted_are_there(services):
    places = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    mounted = [Path(place) for place in places if place.startswith(f"{ROOT}/config")]
    assert mounted
    assert [place for place in mounted if not place.exists()] == []


def test_every_service_is_given_settings_that_there_are_and_take_them(services):
    for actor in ACTORS:
        given = services[actor]["environment"]
        done = subprocess.run(
            [Path(sys.executable).with_name("beagle"), "settings", "--format", "json"],
            env={"PATH": os.environ["PATH"]} | given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        assert {view["from"] for view in json.loads(done.stdout)} - {"default"} == set(given)
        assert not any(password in done.stdout for password in PASSWORDS.values())


def test_what_the_services_run_does_a_project_with_the_users_of_the_definitions(tmp_path, services, broker, database):
    (tmp_path / "project.yml").write_text(PROJECT.format(values="[0.1, 0.2]"))
    (tmp_path / "template.yml").write_text(TEMPLATE.format(command=json.dumps("echo accuracy=0.5")))

    def here(value: str) -> str:
        moved = value.replace("@broker:5672", f"@127.0.0.1:{broker.amqp}")
        return moved.replace("@broker:15672", f"@127.0.0.1:{broker.management_port}")

    with Apart(tmp_path, "", "", "") as apart:
        for actor in sorted(ACTORS):
            given = {name: here(value) for name, value in services[actor]["environment"].items()}
            moved = {"BEAGLE_STORE": database, "BEAGLE_FOLDER": str(tmp_path / "state"), "BEAGLE_HEALTH_PORT": "0"}
            apart.start(*services[actor]["command"][1:], **given | moved)
        for process in apart.actors:
            process.serves()
        front = f"amqp://front:{PASSWORDS['BEAGLE_FRONT_PASSWORD']}@127.0.0.1:{broker.amqp}/beagle"
        done = apart.beagle("run", "project.yml", "--bus", front)
        assert done.returncode == 0, done.stderr + "".join(process.said for process in apart.actors)
        assert "demo is completed: 2 completed" in done.stdout
        for process in apart.actors:
            assert process.page("/healthz") == (200, "ok\n")
        doctor = apart.start(
            "doctor", **{name: here(value) for name, value in services["launcher"]["environment"].items()}
        )
        doctor.process.wait(60)
        assert "attempts can have broker users of their own" in doctor.said


def test_the_lock_for_running_is_the_lock_without_what_only_development_needs():
    def locked(name: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
        return dict(found)

    everything, running = locked("requirements.lock"), locked("requirements-run.lock")
    assert running.items() <= everything.items()
    asked = re.search(r"^dependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)[1]
    assert set(re.findall(r'"([\w-]+)', asked)) <= set(running)
    assert not {"pytest", "ruff", "scikit-learn"} & set(running)


def test_the_image_copies_only_what_there_is_and_is_sent():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    assert names == sent
