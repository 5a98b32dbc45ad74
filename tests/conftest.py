"""Servers and stores for all tests. What is not installed fails those that need it, with a sentence that says what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from beagle.ports import Store
from beagle.stores.mongodb import MongoStore
from beagle.stores.sqlite import SqliteStore
from tests.servers import keeper
from tests.servers.dockerd import Dockerd
from tests.servers.mongodb import fresh_database, shared_address
from tests.servers.rabbitmq import RabbitNode

# How long an example takes tells how busy the machine is.
settings.register_profile("beagle", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beagle")


@pytest.fixture(scope="session")
def test_run(tmp_path_factory) -> Path:
    """The folder that all workers of this test run share."""
    return keeper.test_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def rabbitmq(test_run) -> RabbitNode:
    """The node that all tests of this run share: nobody kills it or changes its limits."""
    return RabbitNode.shared(test_run)


@pytest.fixture
def hosts(rabbitmq) -> Iterator[tuple[str, str]]:
    """A fresh pair of virtual hosts on the shared node: the deployment's, and the one for its metrics."""
    with rabbitmq.hosts() as pair:
        yield pair


@pytest.fixture(scope="session")
def mongodb(test_run) -> str:
    """The address of the MongoDB that all tests of this run share."""
    return shared_address(test_run)


@pytest.fixture
def database(mongodb) -> Iterator[str]:
    """The address of a fresh database on the shared MongoDB."""
    with fresh_database(mongodb) as address:
        yield address


@pytest.fixture(scope="session")
def dockerd(test_run) -> Dockerd:
    """The Docker daemon that all tests of this run share: nobody kills it, and what a test makes there it removes."""
    return Dockerd.shared(test_run)


# The stores under test. Another one joins as one more parameter.

Opening = Callable[[], Store]


@contextmanager
def sqlite(_: pytest.FixtureRequest) -> Iterator[Opening]:
    with TemporaryDirectory() as folder:
        yield lambda: SqliteStore(Path(folder) / "beagle.sqlite")


@contextmanager
def mongo(request: pytest.FixtureRequest) -> Iterator[Opening]:
    with fresh_database(request.getfixturevalue("mongodb")) as address:
        yield lambda: MongoStore(address)


@pytest.fixture(params=[sqlite, mongo], ids=["sqlite", "mongodb"])
def fresh(request) -> Callable[[], AbstractContextManager[Opening]]:
    """Each time a store of its own, as what opens it again and again."""
    return lambda: request.param(request)
