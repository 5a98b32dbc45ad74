"""Which experiments are the best: by their objective, ties by number, and nothing that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.views import best
from beagle.experiment import State
from beagle.records import Summary
from tests.contracts.records import PROJECT, experiment, project


@pytest.mark.parametrize(("direction", "expected"), [("max", [2, 3, 1]), ("min", [1, 2, 3])])
def test_the_best_comes_first_and_of_equal_ones_the_lowest_number(store, direction, expected):
    objectives = {1: 0.5, 2: 0.9, 3: 0.9, 4: 0.7}
    states = {4: State.FAILED}
    for number, objective in objectives.items():
        ended = experiment(number, state=states.get(number, State.COMPLETED))
        tie = -number if direction == "max" else number
        store.add([ended, Summary(id=ended.id, project=PROJECT, attempt=1, objective=objective, tie=tie, count=1)])
    found = best(store, replace(project(1), id=PROJECT, direction=direction), 10)
    assert [each.number for each in found] == expected
