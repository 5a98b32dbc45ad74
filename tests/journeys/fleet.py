"""A whole deployment with containers: RabbitMQ, MongoDB's stand-in, every actor a process of its own, a Docker daemon;
and a front end that knows nothing but the gateway's address and its token."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import requests

from beagle import deployment
from beagle.stores.mongodb import MongoStore
from tests.journeys.apart import Apart
from tests.journeys.cli_desk import eventually
from tests.servers.dockerd import Dockerd
from tests.servers.keeper import free_ports
from tests.servers.rabbitmq import RabbitNode

TOKEN = "canary-t0ken"
ENDED = ("completed", "timeout", "accuracy_limit_reached", "stopped", "failed")
View = dict[str, Any]


class Front:
    """The calls of a front end, in its order."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        return requests.request(method, f"{self.url}/api/v1/{path}", headers=headers, timeout=30, **more)

    def well(self, method: str, path: str, **more: Any) -> Any:
        """What is answered, when all is well."""
        answer = self.call(method, path, **more)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.well("GET", path)

    def add_model(self, filename: str, text: str) -> None:
        self.well("POST", "models", json=self._upload("model", filename, text)["template"])

    def add_project(self, text: str) -> str:
        """Its id."""
        found: str = self.well("POST", "projects", json=self._upload("project", "project.yml", text))["id"]
        return found

    def limit(self, limit: int) -> None:
        """As text, as the front end sends it."""
        self._change(experimentsLimit=str(limit))

    def play(self) -> None:
        self._change(running=True)

    def pause(self) -> None:
        self._change(running=False)

    def experiments(self, project: str) -> list[View]:
        found: list[View] = self.get(f"projects/{project}/experiments?offset=0&limit=10000")["info"]["experiments"]
        return found

    def by(self, project: str, parameter: str) -> dict[Any, View]:
        """Its experiments by their value of a parameter."""
        views = self.experiments(project)
        return {next(p["value"] for p in view["parameters"] if p["name"] == parameter): view for view in views}

    def in_state(self, project: str, count: int, *states: str) -> list[View]:
        """All of a project, as soon as there are so many, and each is in one of these states."""

        def found() -> list[View]:
            views = self.experiments(project)
            return views if len(views) == count and all(view["state"] in states for view in views) else []

        return eventually(found, 90)  # type: ignore[no-any-return]

    def ended(self, project: str, count: int) -> list[View]:
        return self.in_state(project, count, *ENDED)

    def metrics(self, view: View) -> list[View]:
        found: list[View] = self.get(f"experiments/{view['id']}/metrics")
        return found

    def why(self, view: View) -> str:
        found: str = self.get(f"experiments/{view['id']}/why")["why"]
        return found

    def _upload(self, what: str, filename: str, text: str) -> View:
        found: View = self.well("POST", "upload", files={"file": (filename, text)}, headers={"type": what})
        return found

    def _change(self, **fields: object) -> None:
        (system,) = self.get("systems")
        self.well("PUT", f"systems/{system['id']}", json=fields)


class Fleet(Apart):
    """`node` listens where containers reach it, too; so does the gateway."""

    def __init__(
        self, folder: Path, node: RabbitNode, hosts: tuple[str, str], database: str, dockerd: Dockerd, **more: str
    ) -> None:
        main, metrics = hosts
        super().__init__(folder, node.url(main), node.url(metrics), database)
        (port,) = free_ports(1)
        self.dockerd, self._database = dockerd, database
        self.front = Front(f"http://{dockerd.host}:{port}")
        self.environment |= {
            "BEAGLE_MANAGEMENT": node.management_url,
            "BEAGLE_EXPERIMENT_BUS": f"amqp://{dockerd.host}:{node.amqp}/{metrics}",
            "BEAGLE_EXPERIMENT_SERVER": self.front.url,
            "BEAGLE_HOST": dockerd.host,
            "BEAGLE_PORT": str(port),
            "BEAGLE_TOKEN": TOKEN,
            "BEAGLE_ORCHESTRATOR_URL": dockerd.url,
            **more,
        }

    def __enter__(self) -> Self:
        store = MongoStore(self._database)
        self._label = f"beagle.system={deployment.load(store).identity}"
        store.close()
        with ExitStack() as stack:
            stack.push(self)
            self.start_each()
            stack.pop_all()
        return self

    def __exit__(self, *reason: object) -> None:
        super().__exit__(*reason)
        with self.dockerd.client() as client:
            for container in client.api.containers(all=True, filters={"label": self._label}):
                client.api.remove_container(container["Id"], v=True, force=True)
            for network in client.api.networks(filters={"label": self._label}):
                client.api.remove_network(network["Id"])
            for volume in client.api.volumes(filters={"label": self._label})["Volumes"] or []:
                client.api.remove_volume(volume["Name"])

    def running(self) -> list[str]:
        """The names of our containers that run."""
        with self.dockerd.client() as client:
            return [each["Names"][0][1:] for each in client.api.containers(filters={"label": self._label})]

    def networks(self) -> list[str]:
        with self.dockerd.client() as client:
            return [each["Name"] for each in client.api.networks(filters={"label": self._label})]

    def said(self) -> str:
        return "\n".join(actor.said for actor in self.actors)
