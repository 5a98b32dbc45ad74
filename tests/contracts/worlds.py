"""The orchestrators under test: how each opens, for a folder and until the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from beagle.orchestrators.compose import ComposeOrchestrator
from beagle.orchestrators.containers.orchestrator import ContainerOrchestrator
from beagle.orchestrators.docker import DockerOrchestrator
from beagle.orchestrators.process import ProcessOrchestrator
from beagle.ports import Orchestrator
from beagle.settings import Settings
from beagle.template import Workload
from tests.contracts.workloads import boxed
from tests.servers import compose as composes
from tests.servers import dock
from tests.servers.docked import DockOrchestrator
from tests.servers.dockerd import Dockerd
from tests.servers.keeper import test_run


@contextmanager
def process(folder: Path) -> Iterator[Callable[[], Orchestrator]]:
    yield lambda: ProcessOrchestrator(folder)


@contextmanager
def docked(folder: Path, seed: int | None = None) -> Iterator[Callable[[], Orchestrator]]:
    with dock.running(folder, seed=seed):
        yield lambda: DockOrchestrator(folder)


class Boxed:
    """Its workloads run in the tests' image, and see the folder of the test at its own path."""

    bound: Path
    image = "beagle-test/busybox"

    def start(self, workload: Workload) -> float:
        return super().start(boxed(workload, self.image, self.bound))


class BoxedOrchestrator(Boxed, DockerOrchestrator): ...


class ComposedOrchestrator(Boxed, ComposeOrchestrator):
    """With one of the two kinds of Docker Compose."""

    compose: str

    def program(self) -> str:
        return composes.path(self.compose)


@contextmanager
def engine(
    folder: Path, kind: type[ContainerOrchestrator] = BoxedOrchestrator, **more: object
) -> Iterator[Callable[[], Orchestrator]]:
    """Without a network: a bridge costs more than all else about a container."""
    dockerd, system = Dockerd.shared(test_run(folder.parent.parent)), f"test-{uuid4().hex[:12]}"
    dockerd.busybox()

    def make() -> Orchestrator:
        made = kind(folder, url=dockerd.url, settings=Settings(network="none", trusted="yes"), system=system)
        for name, value in {"bound": folder.parent, **more}.items():
            setattr(made, name, value)
        return made

    try:
        yield make
    finally:
        dockerd.sweep({"beagle.system": system})


docker = partial(engine)
compose_1 = partial(engine, kind=ComposedOrchestrator, compose="v1")
compose_2 = partial(engine, kind=ComposedOrchestrator, compose="v2")

# A start takes 0.3 s and more there: how many workloads a test has where it matters little.
docker.many = 8
compose_1.many = compose_2.many = 4

WORLDS = [
    pytest.param(docker, id="docker"),
    pytest.param(compose_1, id="compose-1"),
    pytest.param(compose_2, id="compose-2"),
    pytest.param(process, id="process"),
    pytest.param(docked, id="dock"),
    # Answers late, and with 500 after it did what it was asked for.
    pytest.param(partial(docked, seed=1), id="failing-dock"),
]
# For a file about what only processes do.
processes = pytest.mark.parametrize("world", [process], indirect=True)
