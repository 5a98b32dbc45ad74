"""What every heuristic keeps: the same suggestions for the same seed, also after a restart, and never one too many."""

from __future__ import annotations

import json
import time

import pytest

from beagle.errors import InvalidInput
from beagle.experiment import State
from beagle.heuristics.grid import Grid
from beagle.heuristics.random import Random
from beagle.project import Definition
from beagle.records import Observation
from beagle.space import Choice, Float, Int, Layers, Lineal, combinations

FINITE = (
    Choice(name="C", values=(1, True, "x")),
    Int(name="I", low=1, high=5),
    Layers(name="L", lengths=(1, 2), units=(20, 50)),
)
LOGARITHMIC = (Int(name="I", low=1, high=40, log=True), Choice(name="C", values=("a", "b")))
CONTINUOUS = (Float(name="F", low=0.001, high=1.0, log=True), Lineal(name="L", initial=0.0, final=1.0, interval=0.1))

CASES = {
    "grid": (Grid, FINITE, None),
    "grid, capped": (Grid, FINITE, 7),
    "random, finite": (Random, FINITE, None),
    "random, finite and capped": (Random, FINITE, 20),
    "random, finite with a logarithm": (Random, LOGARITHMIC, None),
    "random, continuous": (Random, CONTINUOUS, 30),
}


def definition(parameters, total=None, seed=0) -> Definition:
    return Definition(name="p", template="t.yml", parameters=parameters, total=total, seed=seed)


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


def everything(heuristic) -> list:
    found = []
    while batch := heuristic.suggest(7):
        found += batch
    return found


def observation(number: int) -> Observation:
    return Observation(
        id=str(number),
        project="p",
        ordinal=number,
        experiment=str(number),
        number=number,
        attempt=1,
        state=State.COMPLETED,
        objective=0.5,
        ended_at=0.0,
    )


def test_it_suggests_as_many_as_it_says(case):
    kind, parameters, total = case
    heuristic = kind(definition(parameters, total), 0)
    assert len(everything(heuristic)) == heuristic.total
    assert heuristic.suggest(5) == []


def test_it_suggests_at_most_what_is_asked_for(case):
    kind, parameters, total = case
    heuristic = kind(definition(parameters, total), 0)
    assert heuristic.suggest(0) == []
    assert len(heuristic.suggest(3)) == 3


def test_every_suggestion_has_a_value_for_every_parameter(case):
    kind, parameters, total = case
    for suggestion in everything(kind(definition(parameters, total), 0)):
        assert list(suggestion) == [parameter.name for parameter in parameters]
        assert json.loads(json.dumps(suggestion)) == suggestion


@pytest.mark.parametrize("sent", [0, 1, 5, 100_000])
def test_a_restart_goes_on_where_it_was(case, sent):
    kind, parameters, total = case
    before = everything(kind(definition(parameters, total), 0))
    assert everything(kind(definition(parameters, total), sent)) == before[sent:]


def test_the_size_of_a_batch_and_what_was_observed_do_not_matter(case):
    kind, parameters, total = case
    one_by_one = kind(definition(parameters, total), 0)
    found = []
    for number in range(one_by_one.total):
        found += one_by_one.suggest(1)
        one_by_one.observe(observation(number + 1))
    assert found == everything(kind(definition(parameters, total), 0))


def test_a_finite_space_is_never_tried_twice(case):
    kind, parameters, total = case
    found = [repr(suggestion) for suggestion in everything(kind(definition(parameters, total), 0))]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("parameters", [FINITE, LOGARITHMIC])
def test_random_without_a_cap_tries_the_whole_of_a_finite_space(parameters):
    grid, random = Grid(definition(parameters), 0), Random(definition(parameters), 0)
    assert {repr(each) for each in everything(random)} == {repr(each) for each in everything(grid)}


@pytest.mark.parametrize(("parameters", "total"), [(FINITE, 20), (LOGARITHMIC, 20), (CONTINUOUS, 20)])
def test_another_seed_is_another_random_search(parameters, total):
    searches = {repr(everything(Random(definition(parameters, total, seed), 0))) for seed in range(20)}
    assert len(searches) == 20


def test_random_favours_small_numbers_of_a_logarithmic_range():
    found = everything(Random(definition((Int(name="I", low=1, high=100_000, log=True),), total=300), 0))
    assert 90 < sum(each["I"] < 300 for each in found) < 200


def test_the_documented_grid_has_the_documented_order():
    parameters = (
        Choice(name="EPOCHS", values=(4, 1)),
        Lineal(name="LEARNING_RATE", initial=0.01, final=0.1, interval=0.04),
        Layers(name="HIDDEN_SIZE", lengths=(1, 2), units=(20, 50)),
    )
    found = [tuple(each.values()) for each in everything(Grid(definition(parameters), 0))]
    assert len(found) == 36
    assert found[:3] == [(4, 0.01, "20"), (1, 0.01, "20"), (4, 0.05, "20")]
    assert found[-1] == (1, 0.09, "50,50")


def test_a_billion_combinations_are_refused_in_milliseconds_unless_capped():
    parameters = tuple(Int(name=f"P{place}", low=1, high=10) for place in range(9))
    began = time.monotonic()
    (sentence,) = Grid.check(definition(parameters))
    assert time.monotonic() - began < 1
    assert "the grid has 1,000,000,000 combinations; 1,000,000 is the most" in sentence
    assert "total_n_experiments" in sentence
    assert Grid.check(definition(parameters, total=1000)) == []
    assert Grid(definition(parameters, total=1000), 0).total == 1000


def test_a_count_beyond_all_words_is_still_one_sentence():
    huge = Layers(name="L", lengths=(100,), units=tuple(range(1, 11)))
    assert combinations((huge,)) == 10**100
    assert "more than 10^99 combinations" in Grid.check(definition((huge,)))[0]


def test_a_grid_over_a_continuous_range_says_what_to_add():
    (sentence,) = Grid.check(definition(CONTINUOUS, total=5))
    assert sentence.startswith("parameters.F: is continuous")
    assert "give it a step, or search with type: random" in sentence
    with pytest.raises(InvalidInput, match=r"parameters\.F"):
        Grid(definition(CONTINUOUS, total=5), 0)


def test_random_over_an_endless_or_huge_space_needs_a_number():
    huge = (Int(name="I", low=1, high=10**9),)
    for parameters, points in ((CONTINUOUS, "no end of"), (huge, "1,000,000,000")):
        (sentence,) = Random.check(definition(parameters))
        assert sentence.startswith(f"optimization.total_n_experiments: is missing, and the space has {points} points")
        assert Random.check(definition(parameters, total=5)) == []
        with pytest.raises(InvalidInput, match="total_n_experiments"):
            Random(definition(parameters), 0)


def test_a_random_search_of_a_huge_space_goes_on_at_once_however_many_were_sent():
    search = Random(definition((Int(name="I", low=1, high=10**9),), total=1_000_000), 999_990)
    assert len({each["I"] for each in search.suggest(100)}) == 10
