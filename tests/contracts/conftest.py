"""The stores, buses and orchestrators under test. Another one joins as one more parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from beagle.ports import Store
from bus.memory import MemoryBus
from bus.port import Bus
from bus.rabbitmq import RabbitBus
from bus.routes import bindings
from tests.contracts.inbox import LONGEST
from tests.contracts.workloads import World
from tests.contracts.worlds import WORLDS


@pytest.fixture
def opening(fresh) -> Iterator[Callable[[], Store]]:
    """Opens the same store again and again."""
    with fresh() as opens:
        yield opens


@pytest.fixture
def store(opening) -> Iterator[Store]:
    opened = opening()
    yield opened
    opened.close()


def memory(_: pytest.FixtureRequest) -> Bus:
    return MemoryBus(bindings("local"), longest_queue=LONGEST)


def rabbitmq(request: pytest.FixtureRequest) -> Bus:
    """On virtual hosts of its own, the metrics apart from all else as docker-compose.yml has it."""
    node, (main, metrics) = request.getfixturevalue("rabbitmq"), request.getfixturevalue("hosts")
    return RabbitBus(node.url(main), bindings=bindings("local"), metrics_url=node.url(metrics), longest_queue=LONGEST)


@pytest.fixture(params=[pytest.param(memory, id="memory"), pytest.param(rabbitmq, id="rabbitmq")])
def bus(request) -> Iterator[Bus]:
    opened = request.param(request)
    yield opened
    opened.close()


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    with request.param(tmp_path / "state") as make:
        world = World(make, tmp_path, many=getattr(request.param, "many", 200))
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
