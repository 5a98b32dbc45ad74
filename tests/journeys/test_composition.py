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
import uuid
from pathlib import Path

import pytest
import yaml

from tests.journeys.apart import Apart
from tests.journeys.cli_desk import PROJECT
from tests.servers.keeper import free_ports, need
from tests.servers.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
ACTORS = {"gateway", "heuristic", "queue-manager", "launcher", "monitor"}
TOLD = {
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
    done = configured(**TOLD)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


@pytest.fixture
def broker(tmp_path, dockerd):
    """A node of its own with the definitions of the composition, as its entry point writes them."""
    script, written = tmp_path / "bin" / "docker-entrypoint.sh", tmp_path / "definitions.json"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    around = TOLD | {"PATH": f"{script.parent}:{os.environ['PATH']}", "DEFINITIONS": str(written)}
    subprocess.run([ROOT / "config/rabbitmq/start.sh"], env=around, check=True)
    node = RabbitNode.start_new(tmp_path / "rabbitmq", also_at=dockerd.host)
    node.call("POST", "/definitions", **json.loads(written.read_text())).raise_for_status()
    yield node
    node.kill()


def test_docker_compose_takes_the_file_and_there_is_one_service_for_each_actor(services):
    assert set(services) == ACTORS | {"broker", "store"}
    for actor in ACTORS:
        assert services[actor]["command"] == ["beagle", "actor", actor]


@pytest.mark.parametrize("name", sorted(TOLD))
def test_without_what_it_must_be_told_it_refuses_and_says_which(name):
    done = configured(**{each: value for each, value in TOLD.items() if each != name})
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
        assert not {"container_name", "hostname"} & set(services[actor])
        assert services[actor]["environment"]["BEAGLE_HEALTH_PORT"] == "9464"
        assert actor == "gateway" or "ports" not in services[actor]


def test_the_gateway_is_reached_from_this_machine_alone_and_asks_for_a_token(services):
    (port,) = services["gateway"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert services["gateway"]["environment"]["BEAGLE_TOKEN"] == TOLD["BEAGLE_TOKEN"]


def test_only_the_launcher_may_use_docker_and_experiments_find_broker_and_gateway_alone(services):
    with_socket = {name for name in services if "docker.sock" in str(services[name].get("volumes"))}
    assert with_socket == {name for name in services if "group_add" in services[name]} == {"launcher"}
    reached = {name for name in services if "experiments" in (services[name].get("networks") or {})}
    assert reached == {"broker", "gateway"}


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
        assert not any(password in done.stdout for password in TOLD.values())


@pytest.fixture
def experiments(dockerd):
    """The network of the experiments, on the tests' own Docker."""
    name = f"experiments-{uuid.uuid4().hex[:8]}"
    with dockerd.client() as client:
        network = client.networks.create(name)
        yield name
        for container in client.containers.list(all=True, filters={"network": name}):
            container.remove(force=True, v=True)
        network.remove()


def test_what_the_services_run_does_a_project_with_the_users_of_the_definitions(
    tmp_path, services, broker, database, dockerd, experiments
):
    """In containers that report over the bus: so each has found the broker, with a user of its own."""
    program = "import beagle; beagle.report(accuracy=0.5)"
    model = {"image": dockerd.python(), "command": ["python", "-c", program], "environment": {"LR": 1}}
    (tmp_path / "project.yml").write_text(PROJECT.format(values="[0.1, 0.2]"))
    (tmp_path / "template.yml").write_text(json.dumps({"services": {"train": model}}))
    (port,) = free_ports(1)
    moved = {
        "BEAGLE_STORE": database,
        "BEAGLE_FOLDER": str(tmp_path / "state"),
        "BEAGLE_HEALTH_PORT": "0",
        "BEAGLE_PORT": str(port),
        "BEAGLE_NETWORK": experiments,
        "BEAGLE_EXPERIMENT_BUS": f"amqp://{dockerd.host}:{broker.amqp}/beagle-metrics",
    }

    def here(given: dict[str, str]) -> dict[str, str]:
        """What a service is told, with the places where its neighbours are in this test."""
        told = json.dumps(given).replace("@broker:5672", f"@127.0.0.1:{broker.amqp}")
        told = told.replace("@broker:15672", f"@127.0.0.1:{broker.management_port}")
        there = {name: value for name, value in moved.items() if name in given}
        return {**json.loads(told), **there, "BEAGLE_ORCHESTRATOR_URL": dockerd.url}

    with Apart(tmp_path, "", "", "") as apart:
        for actor in sorted(ACTORS):
            apart.start(*services[actor]["command"][1:], **here(services[actor]["environment"]))
        for process in apart.actors:
            process.serves()
        front = f"amqp://front:{TOLD['BEAGLE_FRONT_PASSWORD']}@127.0.0.1:{broker.amqp}/beagle"
        done = apart.beagle("run", "project.yml", "--bus", front)
        assert done.returncode == 0, done.stderr + "".join(process.said for process in apart.actors)
        assert "demo is completed: 2 completed" in done.stdout
        server = ("--server", f"http://127.0.0.1:{port}", "--token", TOLD["BEAGLE_TOKEN"])
        found = apart.beagle("metrics", 1, "--format", "json", *server)
        assert [metric["values"] for metric in json.loads(found.stdout)] == [{"accuracy": 0.5}], found.stderr
        for process in apart.actors:
            assert process.page("/healthz") == (200, "ok\n")
        doctor = apart.start("doctor", **here(services["launcher"]["environment"]))
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
