"""How the terminal says things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cli.drawn import fitted
from actors.cli.lines import ending
from actors.cli.output import Table, aligned
from actors.cli.words import clean, duration, number, pairs, plural, seconds_between, tally
from actors.exports import cell, row

STATES = ("queue", "pool", "completed", "timeout", "accuracy_limit_reached", "stopped", "failed")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.0s"), (0.04, "0.0s"), (7.46, "7.5s"), (59.94, "59.9s"), (59.96, "0:01:00"), (65, "0:01:05")],
)
def test_a_duration_is_short(seconds, said):
    assert duration(seconds) == said


def test_a_long_duration_has_days():
    assert (duration(3600 * 24 - 1), duration(3600 * 25)) == ("23:59:59", "1d 1:00:00")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.1 + 0.2, "0.3"), (1e-7, "1e-07"), (4, "4"), (True, "True"), ("20,20", "20,20"), (None, "-"), (1e20, "1e+20")],
)
def test_a_value_is_said_to_six_digits(value, said):
    assert number(value) == said


@given(st.text())
def test_what_an_experiment_wrote_cannot_steer_the_terminal(text):
    assert clean(text).isprintable()


def test_parameters_and_counts_are_one_line_each():
    assert pairs({"LR": 0.1, "NAME": "a\x1b[2Jb"}) == "LR=0.1 NAME=a [2Jb"
    assert tally(dict.fromkeys(STATES, 0)) == "no experiments yet"
    assert tally(dict.fromkeys(STATES, 0) | {"pool": 2, "failed": 1}) == "2 running  1 failed"
    assert (plural(1, "experiment"), plural(0, "experiment")) == ("1 experiment", "0 experiments")


def test_time_runs_until_the_end_or_now():
    start, end = "1970-01-01T00:00:10+00:00", "1970-01-01T00:00:12.500000+00:00"
    assert seconds_between(start, end, 99.0) == 2.5
    assert seconds_between(start, None, 15.0) == 5.0
    assert seconds_between(None, None, 15.0) is None
    assert seconds_between(start, None, 5.0) == 0.0


def test_an_ending_is_one_line_with_its_place_its_objective_and_its_why():
    view = {
        "name": "digitsmodel3",
        "state": "failed",
        "objective": None,
        "parameters": {"LR": 0.1},
        "reason": "it\nfell",
    }
    project = {"planned": 18, "objective": "accuracy"}
    assert ending(3, view, project) == "3 of 18  digitsmodel3  failed  accuracy=-  LR=0.1  it fell"
    assert ending(3, view, project | {"planned": None}).startswith("3  digitsmodel3")


def test_columns_are_aligned_and_nothing_is_cut():
    table = Table(columns=("#", "name"), rows=[("1", "long name"), ("20", "")], numeric=frozenset({"#"}))
    assert aligned(table) == [" #  name", " 1  long name", "20  -"]


def test_a_narrow_terminal_costs_reasons_first_and_never_what_identifies_a_row():
    table = Table(
        columns=("#", "parameters", "reason"),
        rows=[("17", "p" * 50, "r" * 50)],
        folding=frozenset({"parameters"}),
        cut=frozenset({"reason"}),
    )
    assert fitted(table, 200) == {"#": 2, "parameters": 50, "reason": 50}
    assert fitted(table, 100) == {"#": 2, "parameters": 50, "reason": 42}
    assert fitted(table, 60) == {"#": 2, "parameters": 36, "reason": 16}
    assert fitted(table, 40) == {"#": 2, "parameters": 32, "reason": 0}


@given(st.integers(min_value=60, max_value=300), st.lists(st.integers(1, 80), min_size=3, max_size=3))
def test_a_table_is_never_wider_than_the_terminal(width, lengths):
    parameters, metrics, reason = lengths
    table = Table(
        columns=("#", "parameters", "metrics", "reason"),
        rows=[("17", "p" * parameters, "m" * metrics, "r" * reason)],
        folding=frozenset({"parameters", "metrics"}),
        cut=frozenset({"reason"}),
    )
    kept = [room for room in fitted(table, width).values() if room]
    assert sum(kept) + 3 * (len(kept) - 1) <= width


@pytest.mark.parametrize(
    ("value", "written"),
    [("=1+2", "'=1+2"), ("+x", "'+x"), ("-x", "'-x"), ("@x", "'@x"), ("\t=x", "'\t=x"), ("-3", "-3"), ("+0.5", "+0.5")],
)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(value, written):
    assert cell(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(-3.5, "-3.5"), (None, ""), (True, "true"), ("plain", "plain"), ("", "")]
)
def test_other_cells_are_written_as_they_are(value, written):
    assert cell(value) == written


def test_a_row_is_flat_and_no_parameter_takes_a_column_of_beagles():
    flat = row({"name": "n", "state": "failed", "parameters": {"state": "x"}, "metrics": {"state": 1.0}})
    assert flat == {"name": "n", "state": "failed", "parameters.state": "x", "metrics.state": 1.0}
