"""Servers for all tests. What one of them needs and is not installed fails it, with a sentence that says what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import keeper
from tests.servers.mongodb import fresh_database, shared_address
from tests.servers.rabbitmq import RabbitNode


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
