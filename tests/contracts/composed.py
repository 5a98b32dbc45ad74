"""Lets the workloads of the contract suite run as containers of Docker Compose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from beagle.orchestrators.compose import ComposeOrchestrator
from beagle.orchestrators.containers import labels
from beagle.ports import Orchestrator
from beagle.settings import Settings
from tests.contracts.workloads import new_id
from tests.servers import compose
from tests.servers.dockerd import Dockerd


class Composed(ComposeOrchestrator):
    """Gives each service of a workload the image, the words and the folder that the file of a user would name."""

    def __init__(self, dockerd: Dockerd, kind: str, folder: Path, system: str) -> None:
        super().__init__(folder, "compose", dockerd.url, Settings(network="none"), system)
        self.dockerd, self.compose, self.bound = dockerd, kind, folder.parent

    def program(self):
        return compose.path(self.compose)

    def start(self, workload):
        services = {
            service.name: {
                "image": self.dockerd.busybox(),
                "command": [word.replace("$", "$$") for word in service.command],
                "working_dir": service.working_dir,
                "init": True,  # a first process does not die of its own SIGKILL
                "stop_grace_period": f"{service.grace}s",
                "volumes": [f"{self.bound}:{self.bound}"],
            }
            for service in workload.services
        }
        return super().start(replace(workload, document={"version": "2.4", "services": services}))


@contextmanager
def composed(dockerd: Dockerd, kind: str, folder: Path) -> Iterator[Callable[[], Orchestrator]]:
    system = new_id()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    yield lambda: Composed(dockerd, kind, folder, system)
    with dockerd.client() as client:
        ours = {"label": f"{labels.SYSTEM}={system}"}
        for container in client.api.containers(all=True, filters=ours):
            client.api.remove_container(container["Id"], force=True, v=True)
        for volume in client.api.volumes(filters=ours)["Volumes"] or []:
            client.api.remove_volume(volume["Name"])
