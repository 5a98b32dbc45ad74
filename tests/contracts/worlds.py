"""The orchestrators under test: how each opens, for a folder and until the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from beagle.orchestrators.process import ProcessOrchestrator
from beagle.ports import Orchestrator
from tests.servers import dock
from tests.servers.docked import DockOrchestrator


@contextmanager
def process(folder: Path) -> Iterator[Callable[[], Orchestrator]]:
    yield lambda: ProcessOrchestrator(folder)


@contextmanager
def docked(folder: Path, seed: int | None = None) -> Iterator[Callable[[], Orchestrator]]:
    with dock.running(folder, seed=seed):
        yield lambda: DockOrchestrator(folder)


WORLDS = [
    pytest.param(process, id="process"),
    pytest.param(docked, id="dock"),
    # Answers late, and with 500 after it did what it was asked for.
    pytest.param(partial(docked, seed=1), id="failing-dock"),
]
# For a file about what only processes do.
processes = pytest.mark.parametrize("world", [process], indirect=True)
