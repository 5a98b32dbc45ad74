"""The composition, started as its file says: by docker-compose, from images, with the launcher in a container too.

What cannot be had here is put in place of what the file names: an image with this checkout for the one that the
`Dockerfile` makes, and for broker and store containers that lead to those of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from docker.models.containers import Container

from beagle.orchestrators.containers.labels import WORKLOAD
from tests.journeys.cli_desk import eventually
from tests.journeys.test_composition import ACTORS, ROOT, TOLD, broker
from tests.servers.compose import path
from tests.servers.dockerd import Dockerd
from tests.servers.keeper import free_ports

pytestmark = [pytest.mark.xdist_group("composition"), pytest.mark.timeout(300)]
__all__ = ["broker"]

PROJECT = """\
name: demo
template: template.yml
optimization: {type: grid, objective_function: accuracy}
parameters:
  - {name: LR, type: absolute, value: [0.1, 0.2]}
"""
PROGRAM = "import beagle; beagle.report(accuracy=0.5); print('cost=2')"


class Composition:
    """The file of the repository in a folder of the test, at a Docker of the tests."""

    def __init__(self, folder: Path, dockerd: Dockerd, ports: dict[int, int], database: str) -> None:
        """`ports` are those of broker and store, and where the machine has them."""
        self.folder, self._dockerd = folder, dockerd
        self.name = f"composition{uuid.uuid4().hex[:8]}"
        shutil.copy(ROOT / "docker-compose.yml", folder)
        shutil.copytree(ROOT / "config", folder / "config")
        (folder / "work").mkdir()
        self._environment = TOLD | {
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": dockerd.url,
            "BEAGLE_IMAGE": dockerd.actors(),
            "BEAGLE_NETWORK": f"{self.name}-experiments",
            "BEAGLE_HTTP_PORT": "0",
            "BEAGLE_DOCKER_GROUP": str(Path(dockerd.socket).stat().st_gid),
        }
        services = {name: {"environment": {"BEAGLE_STORE": f"mongodb://store:27017/{database}"}} for name in ACTORS}
        for name, led in {"broker": (5672, 15672), "store": (27017,)}.items():
            lead = " & ".join(f"nc -ll -p {port} -e nc {dockerd.host} {ports[port]}" for port in led)
            ready = {"test": ["CMD", "true"], "interval": "1s"}
            services[name] = {"image": dockerd.busybox(), "entrypoint": ["sh", "-c", lead], "healthcheck": ready}
        services["launcher"]["volumes"] = [f"{dockerd.socket}:/var/run/docker.sock"]
        (folder / "there.yml").write_text(yaml.safe_dump({"services": services}))

    def compose(self, *words: str) -> str:
        files = ("--file", self.folder / "docker-compose.yml", "--file", self.folder / "there.yml")
        done = subprocess.run(
            [path("v1"), "--project-name", self.name, *files, *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def experiments(self) -> list[dict[str, Any]]:
        """Their containers, which are kept for a while."""
        with self._dockerd.client() as client:
            found: list[dict[str, Any]] = client.api.containers(
                all=True, filters={"network": f"{self.name}-experiments", "label": WORKLOAD}
            )
        return found

    def inside(self, service: str, *words: str) -> str:
        """What a command says in that service's first container. It is ended when it does not come to its end."""
        with self._containers(service) as (container, *_):
            folder = "/work" if service == "gateway" else None
            status, said = container.exec_run(["timeout", "90", *words], workdir=folder)
        assert status == 0, said.decode() + self.said()
        return str(said.decode())

    def said(self, service: str = "") -> str:
        """What all containers of a service wrote, or of all."""
        with self._containers(service) as containers:
            return "".join(container.logs().decode() for container in containers)

    @contextmanager
    def _containers(self, service: str) -> Iterator[list[Container]]:
        labels = [f"com.docker.compose.project={self.name}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        with self._dockerd.client() as client:
            yield client.containers.list(all=True, filters={"label": labels})


@contextmanager
def ended(command: list[str]) -> Iterator[None]:
    """It runs until the end of the context."""
    with subprocess.Popen(command, start_new_session=True) as process:
        yield
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def composition(tmp_path, dockerd, broker, database):
    store = urlsplit(database)
    with ExitStack() as stack:

        def led(port: int) -> int:
            """Where containers find what listens at this port of the loopback."""
            (ours,) = free_ports(1)
            to = ["-e", "busybox", "nc", "127.0.0.1", str(port)]
            stack.enter_context(ended(["busybox", "nc", "-ll", "-p", str(ours), *to]))
            return ours

        ports = {5672: broker.amqp, 15672: led(broker.management_port), 27017: led(store.port)}
        composition = Composition(tmp_path, dockerd, ports, store.path.strip("/"))
        stack.callback(composition.compose, "down", "--volumes", "--timeout", "1")
        yield composition


def test_it_starts_as_written_and_experiments_are_containers_that_report_over_its_own_network(composition, dockerd):
    model = {"image": dockerd.python(), "command": ["python", "-c", PROGRAM], "environment": {"LR": 1}}
    (composition.folder / "work" / "template.yml").write_text(json.dumps({"services": {"train": model}}))
    (composition.folder / "work" / "project.yml").write_text(PROJECT)
    composition.compose("up", "--detach", "--scale", "launcher=2")
    eventually(lambda: composition.said("launcher").count("serving: launcher") == 2, 150)
    eventually(lambda: "serving: gateway" in composition.said("gateway"), 150)
    said = composition.inside("gateway", "beagle", "run", "project.yml", "--limit", "2")
    assert "demo is completed: 2 completed" in said
    server = ("--server", "http://gateway:5000", "--token", TOLD["BEAGLE_TOKEN"])
    told = json.loads(composition.inside("monitor", "beagle", "metrics", "1", "--format", "json", *server))
    reported, printed = sorted(told, key=lambda metric: metric["source"])
    assert (reported["values"], printed["values"]) == ({"accuracy": 0.5}, {"cost": 2.0})
    assert reported["source"].startswith("amqp/")
    found = composition.experiments()
    assert len(found) == 2
    assert all([*each["NetworkSettings"]["Networks"]] == [f"{composition.name}-experiments"] for each in found)
