"""Actors whose seconds are short, for what would take them a while."""

from __future__ import annotations

import pytest

from actors import base, watch
from beagle import members
from tests.actors.troupe import Troupe


@pytest.fixture
def quick(monkeypatch):
    """A tick is a tenth of a second, and whoever is silent for ten of them is dead: a busy machine is no death."""
    monkeypatch.setattr(base, "TICK", 0.1)
    monkeypatch.setattr(members, "DEAD_AFTER", 1.0)
    monkeypatch.setattr(members, "LONGEST_LOOK", 0.2)
    monkeypatch.setattr(watch, "UNQUEUED", 0.2)


@pytest.fixture
def troupe(quick, tmp_path):
    opened = Troupe(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def busy(quick, tmp_path):
    """Its workloads end by themselves, soon."""
    opened = Troupe(tmp_path, lasts=0.05)
    yield opened
    opened.close()
