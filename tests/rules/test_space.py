"""The space of a project: exact grid values, their order, and draws that stay inside."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.permutation import shuffled
from beagle.space import Choice, Float, Int, Layers, Lineal, as_text, combinations, draw, outcomes, point

DECIMALS = st.decimals(min_value=-1000, max_value=1000, places=4)
STEPS = st.decimals(min_value="0.0001", max_value=100, places=4)


def values(parameter) -> list:
    return [parameter.value(index) for index in range(parameter.size())]


def lineal(initial, final, interval) -> Lineal:
    return Lineal(name="A", initial=initial, final=final, interval=interval)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (lineal(0.01, 0.1, 0.04), [0.01, 0.05, 0.09]),
        (lineal(0.1, 0.4, 0.1), [0.1, 0.2, 0.3]),
        (lineal(0.0, 1.0, 0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        (lineal(0.1, 0.01, -0.04), [0.1, 0.06, 0.02]),
        (lineal(-1, 2, 1), [-1, 0, 1]),
        (lineal(1, 2, 0.5), [1.0, 1.5]),
        (lineal(1e-05, 4e-05, 1e-05), [1e-05, 2e-05, 3e-05]),
        (lineal(0, 1, 5), [0]),
        (Float(name="A", low=0.0, high=0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Float(name="A", low=0.0, high=0.35, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Int(name="A", low=1, high=10, step=4), [1, 5, 9]),
        (Int(name="A", low=3, high=3), [3]),
        (Choice(name="A", values=(4, "x", True)), [4, "x", True]),
        (Layers(name="A", lengths=(1, 2), units=(20, 50)), ["20", "50", "20,20", "20,50", "50,20", "50,50"]),
    ],
)
def test_grid_values_are_those_a_person_would_write(parameter, expected):
    assert values(parameter) == expected
    assert [type(value) for value in values(parameter)] == [type(value) for value in expected]


@given(DECIMALS, STEPS, st.integers(1, 300))
def test_a_lineal_grid_has_as_many_values_as_intervals_fit_exactly(initial, interval, count):
    final = initial + interval * count
    up, down = (
        lineal(float(initial), float(final), float(interval)),
        lineal(float(final), float(initial), -float(interval)),
    )
    exact = [initial + interval * index for index in range(count)]
    assert values(up) == [float(value) for value in exact]
    assert down.size() == count


@given(DECIMALS, DECIMALS, STEPS)
def test_a_lineal_grid_begins_with_initial_and_never_reaches_final(initial, final, interval):
    grid = lineal(float(initial), float(final), float(interval))
    size = grid.size()
    if initial >= final:
        assert size == 0
    else:
        assert grid.value(0) == float(initial)
        assert initial + interval * (size - 1) < final <= initial + interval * size


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_the_nth_point_is_the_nth_of_the_product_with_the_last_parameter_slowest(sizes):
    parameters = [Int(name=f"P{place}", low=0, high=size - 1) for place, size in enumerate(sizes)]
    expected = [tuple(reversed(each)) for each in product(*(range(size) for size in reversed(sizes)))]
    found = [tuple(point(parameters, index).values()) for index in range(combinations(parameters))]
    assert found == expected


@given(st.integers(1, 3), st.integers(1, 4))
def test_layers_count_what_they_list(longest, units):
    parameter = Layers(name="A", lengths=tuple(range(1, longest + 1)), units=tuple(range(1, units + 1)))
    assert len(set(values(parameter))) == parameter.size()


def test_layers_beyond_their_size_are_no_values():
    with pytest.raises(IndexError):
        Layers(name="A", lengths=(1,), units=(20, 50)).value(2)


def test_a_billion_combinations_are_counted_without_listing_them():
    parameters = [Int(name=f"P{place}", low=1, high=10) for place in range(9)]
    assert combinations(parameters) == 10**9
    assert set(point(parameters, 10**9 - 1).values()) == {10}


def test_a_continuous_parameter_has_no_size_and_a_lineal_one_no_end_of_outcomes():
    assert combinations([Float(name="A", low=0, high=1)]) is None
    assert combinations([lineal(0, 1, 0.5)]) == 2
    assert outcomes([lineal(0, 1, 0.5)]) is None
    assert outcomes([Float(name="A", low=0, high=1, step=0.5), Choice(name="B", values=(1, 2))]) == 6
    assert combinations([]) == 1


PARAMETERS = [
    lineal(0.01, 0.1, 0.04),
    lineal(0.1, 0.01, -0.04),
    lineal(-1e308, 1e308, 1e300),
    Float(name="A", low=-2.0, high=3.0),
    Float(name="A", low=1e-6, high=1.0, log=True),
    Float(name="A", low=0.0, high=1.0, step=0.3),
    Int(name="A", low=1, high=1000, log=True),
    Int(name="A", low=-5, high=5, step=2),
    Choice(name="A", values=("a", 2)),
    Layers(name="A", lengths=(1, 2), units=(20, 50)),
]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
@given(seed=st.integers(0, 2**32))
def test_draws_stay_inside_and_follow_their_seed(parameter, seed):
    drawn = parameter.draw(Random(seed))
    assert draw([parameter], Random(seed)) == {"A": drawn}
    match parameter:
        case Lineal():
            assert min(parameter.initial, parameter.final) <= drawn <= max(parameter.initial, parameter.final)
            assert drawn != parameter.final
        case Float(step=None):
            assert parameter.low <= drawn <= parameter.high
        case _:
            assert drawn in values(parameter)


@pytest.mark.parametrize(
    "parameter", [Float(name="A", low=1e-4, high=1.0, log=True), Int(name="A", low=1, high=10_000, log=True)], ids=str
)
def test_a_logarithmic_draw_is_as_likely_in_each_power_of_ten(parameter):
    random = Random(1)
    drawn = [parameter.draw(random) / parameter.low for _ in range(4000)]
    for power in (1, 10, 100, 1000):
        assert 700 < sum(power <= value < power * 10 for value in drawn) < 1300


@given(st.integers(1, 400), st.integers(0, 2**63))
def test_the_shuffle_names_every_number_once(size, seed):
    assert sorted(shuffled(index, size, seed) for index in range(size)) == list(range(size))


def test_the_shuffle_is_even_and_differs_by_seed():
    first = [shuffled(0, 10, seed) for seed in range(2000)]
    assert all(140 < first.count(number) < 260 for number in range(10))
    pairs = {(shuffled(0, 3, seed), shuffled(1, 3, seed)) for seed in range(200)}
    assert len(pairs) == 6


def test_the_shuffle_of_a_huge_space_needs_neither_time_nor_memory():
    size = 10**300
    found = {shuffled(index, size, 7) for index in range(50)}
    assert len(found) == 50
    assert all(0 <= number < size for number in found)


@pytest.mark.parametrize("index", [-1, 5])
def test_the_shuffle_has_no_place_outside_its_size(index):
    with pytest.raises(IndexError):
        shuffled(index, 5, 0)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (0.1, "0.1"), (1e-05, "1e-05"), (4, "4"), ("20,50", "20,50")]
)
def test_values_reach_programs_as_text(value, text):
    assert as_text(value) == text
