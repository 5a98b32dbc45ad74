"""The sweep behind deleted experiments, when there are more of them than it looks at in one go."""

from __future__ import annotations

import pytest

from actors.orders import sweep
from beagle.commands import DeleteExperiment
from tests.actors.office import Office, office


@pytest.fixture
def desk(monkeypatch):
    monkeypatch.setattr(sweep, "AT_ONCE", 2)
    with office(experiments=6, limit=2) as opened:
        yield opened


def delete(desk: Office, *numbers: int) -> None:
    for number in numbers:
        desk.report(number)
        desk.time += 1.0
        desk.give(DeleteExperiment(experiment=desk.ids[number - 1]))


def steps(desk: Office) -> int:
    """How many it does at once."""
    count = 1
    while desk.gateway._sweep.step():
        count += 1
        assert count < 20, "it does not rest"
    return count


def test_it_rests_while_deleted_experiments_have_to_wait(desk):
    """For whoever may still write of them: until then there is nothing more to do."""
    desk.gateway._sweep._means.quiet = 15.0
    delete(desk, 1, 2, 3, 4, 5)
    assert steps(desk) <= 4
    assert desk.one(1).removing is not None
    assert desk.left()["Observation"] == 5
    assert "Metric" not in desk.left()
    desk.time += 20.0
    steps(desk)
    assert [desk.one(number).removing for number in range(1, 6)] == [None] * 5


def test_those_that_still_run_somewhere_keep_it_from_none_of_the_others(desk):
    """Their launcher is away: they were deleted first, and are looked at first."""
    desk.run(1)
    desk.run(2)
    delete(desk, 1, 2, 3, 4)
    steps(desk)
    assert [desk.one(number).removing is None for number in range(1, 5)] == [False, False, True, True]
