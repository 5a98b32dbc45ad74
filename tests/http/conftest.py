"""A gateway on real sockets, over the whole embedded system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from actors.http.live import Live
from tests.http.client import Client, serving


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Client]]:
    """Serves with these settings, in a folder of the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(tmp_path, **settings))


@pytest.fixture
def client(serve) -> Client:
    return serve()


@pytest.fixture
def live(client) -> Live:
    return client.live
