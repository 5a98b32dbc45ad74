"""The orchestrators under test: how each opens, for a folder and until the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from beagle.orchestrators.docker import DockerOrchestrator
from beagle.orchestrators.process import ProcessOrchestrator
from beagle.ports import Orchestrator
from beagle.settings import Settings
from beagle.template import Workload
from tests.contracts.workloads import boxed
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


class BoxedOrchestrator(DockerOrchestrator):
    """Its workloads run in the tests' image, and see the folder of the test at its own path."""

    bound: Path
    image = "beagle-test/busybox"

    def start(self, workload: Workload) -> float:
        return super().start(boxed(workload, self.image, self.bound))


@contextmanager
def docker(folder: Path) -> Iterator[Callable[[], Orchestrator]]:
    """Without a network: a bridge costs more than all else about a container."""
    engine, system = Dockerd.shared(test_run(folder.parent.parent)), f"test-{uuid4().hex[:12]}"
    engine.busybox()

    def make() -> Orchestrator:
        made = BoxedOrchestrator(folder, url=engine.url, settings=Settings(network="none"), system=system)
        made.bound = folder.parent
        return made

    try:
        yield make
    finally:
        engine.sweep({"beagle.system": system})


# A start takes 0.3 s there: how many workloads a test has where it matters little.
docker.many = 8

WORLDS = [
    pytest.param(docker, id="docker"),
    pytest.param(process, id="process"),
    pytest.param(docked, id="dock"),
    # Answers late, and with 500 after it did what it was asked for.
    pytest.param(partial(docked, seed=1), id="failing-dock"),
]
# For a file about what only processes do.
processes = pytest.mark.parametrize("world", [process], indirect=True)
