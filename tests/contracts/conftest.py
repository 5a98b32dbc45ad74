"""The stores under test. Another one joins as one more parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beagle.ports import Store
from beagle.stores.sqlite import SqliteStore


def sqlite(folder: Path) -> Store:
    return SqliteStore(folder / "beagle.sqlite")


@pytest.fixture(params=[pytest.param(sqlite, id="sqlite")])
def opening(request, tmp_path) -> Callable[[], Store]:
    """Opens the same store again and again."""
    return lambda: request.param(tmp_path)


@pytest.fixture
def store(opening) -> Iterator[Store]:
    opened = opening()
    yield opened
    opened.close()
