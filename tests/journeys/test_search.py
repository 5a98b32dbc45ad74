"""Grid and random: which experiments a project tries, from its definition and its seed alone."""

from __future__ import annotations

from tests.journeys.beagle_run import OwnRun, Search, shell

CONTINUOUS = [
    {"name": "RATE", "type": "float", "min": 0.0001, "max": 1, "log": True},
    {"name": "UNITS", "type": "int", "min": 1, "max": 100},
]
FINITE = [
    {"name": "UNITS", "type": "int", "min": 1, "max": 5},
    {"name": "KIND", "type": "absolute", "value": ["a", "b", "c", "d"]},
]


def tried(folder, optimization, parameters):
    """What is tried, in order; and the seed that each experiment was given."""
    folder.mkdir()
    with OwnRun(folder) as run:
        what = Search({"train": shell('echo seed="$BEAGLE_SEED"')}, parameters=parameters)
        what.more = {"optimization": optimization}
        run.submit(what)
        run.wait()
        return [(view["parameters"], view["metrics"]["seed"]) for view in run.experiments()]


def test_random_is_the_same_again_for_the_same_seed_and_another_for_another(tmp_path):
    def once(name, seed):
        return tried(tmp_path / name, {"type": "random", "total_n_experiments": 12, "seed": seed}, CONTINUOUS)

    first, again, other = once("first", 7), once("again", 7), once("other", 8)
    assert first == again
    assert len(first) == 12
    assert not {str(point) for point, _ in first} & {str(point) for point, _ in other}
    assert not {seed for _, seed in first} & {seed for _, seed in other}


def test_random_never_repeats_a_point_of_a_finite_space(tmp_path):
    found = [str(point) for point, _ in tried(tmp_path / "all", {"type": "random"}, FINITE)]
    assert len(found) == len(set(found)) == 20


def test_grid_tries_every_combination_and_varies_the_last_one_slowest(tmp_path):
    found = [point for point, _ in tried(tmp_path / "grid", {"type": "grid"}, FINITE)]
    assert found == [{"UNITS": units, "KIND": kind} for kind in "abcd" for units in range(1, 6)]


def test_a_search_goes_on_where_it_was_when_its_scheduler_comes_back(tmp_path):
    optimization = {"type": "random", "total_n_experiments": 30, "seed": 3}
    whole = tried(tmp_path / "whole", optimization, CONTINUOUS)
    (tmp_path / "parts").mkdir()
    what = Search({"train": shell('echo seed="$BEAGLE_SEED"; sleep 0.05')}, parameters=CONTINUOUS)
    what.more = {"optimization": optimization}
    with OwnRun(tmp_path / "parts") as run:
        run.submit(what)
    with OwnRun(tmp_path / "parts") as run:
        run.wait()
        assert [(view["parameters"], view["metrics"]["seed"]) for view in run.experiments()] == whole
