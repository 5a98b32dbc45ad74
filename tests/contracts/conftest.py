"""The stores, buses and orchestrators under test. Another one joins as one more parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from beagle.ports import Store
from beagle.stores.mongodb import MongoStore
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.port import Bus
from bus.routes import bindings
from tests.contracts.inbox import LONGEST
from tests.contracts.workloads import World
from tests.contracts.worlds import WORLDS


@pytest.fixture
def sqlite(tmp_path) -> Callable[[], Store]:
    return lambda: SqliteStore(tmp_path / "beagle.sqlite")


@pytest.fixture
def mongo(database) -> Callable[[], Store]:
    return lambda: MongoStore(database)


@pytest.fixture(params=["sqlite", "mongo"])
def opening(request) -> Callable[[], Store]:
    """Opens the same store again and again."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(opening) -> Iterator[Store]:
    opened = opening()
    yield opened
    opened.close()


def memory() -> Bus:
    return MemoryBus(bindings("local"), longest_queue=LONGEST)


@pytest.fixture(params=[pytest.param(memory, id="memory")])
def bus(request) -> Iterator[Bus]:
    opened = request.param()
    yield opened
    opened.close()


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    with request.param(tmp_path / "state") as make:
        world = World(make, tmp_path)
        yield world
        world.close()


@pytest.fixture
def opened(world):
    return world.open()


@pytest.fixture
def orchestrator(opened):
    return opened[0]


@pytest.fixture
def seen(opened):
    return opened[1]
