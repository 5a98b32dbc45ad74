"""`kill -9` in the middle of a reset with 40 running, or of a delete: nothing runs on, and nothing is left behind."""

from __future__ import annotations

import os
import random
import sqlite3
import time

import pytest

from beagle.commands import DeleteProject, ListExperiments, ListProjects, ResetSystem
from beagle.errors import Unavailable
from tests.journeys.beagle_run import eventually, search, shell
from tests.journeys.census import living
from tests.journeys.kennel import Kennel

RUNNING, KILLS = 40, 4
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))
# Ends by SIGTERM in its own time, and reports until then.
PROGRAM = "trap 'sleep 0.2; echo accuracy=0.1; exit 1' TERM; while :; do echo accuracy=0.5; sleep 0.3 & wait $!; done"
TABLES = ("experiment", "summary", "observation", "project", "plan", "metric", "series")


@pytest.fixture
def kennel(tmp_path):
    with Kennel(tmp_path) as kennel:
        kennel.start("impatient")
        yield kennel


def begin(kennel, names):
    """A project of each name; as many as there are places run, and have reported; some wait."""
    run = kennel.run()
    share = RUNNING // len(names)
    for name in names:
        run.submit(search(shell(PROGRAM), share + 5, name=name))
    run.start(RUNNING)
    eventually(lambda: run.counts()["pool"] == RUNNING and len(set(living(kennel.folder).values())) == RUNNING)
    shown = eventually(lambda: [e for e in run.ask(ListExperiments(state="pool"))["experiments"] if e["metric_count"]])
    assert shown
    return run


def rows(kennel):
    """What is in the store's file, whatever the store's own lists would show. Its owner is killed once more for it."""
    kennel.kill()
    file = sqlite3.connect(kennel.folder / "state" / "beagle.sqlite")
    try:
        return {table: n for table in TABLES if (n := file.execute(f"SELECT count(*) FROM {table}").fetchone()[0])}
    finally:
        file.close()
        kennel.start("impatient")


def removed(kennel):
    return (kennel.folder / "state" / "beagle.log").read_text().count("nothing is left of the project")


def asked(run, order):
    """An order that may lose its answer, as its gateway is killed."""
    try:
        run.ask(order)
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_of_a_reset_whenever_the_scheduler_is_killed(kennel, seed):
    chance = random.Random(seed)
    run = begin(kennel, ["one", "other"])
    order = ResetSystem()
    asked(run, order)
    for _ in range(KILLS):
        time.sleep(chance.choice((0, 0.02, 0.1, 0.3)))
        kennel.kill()
        kennel.start("impatient")
        run = kennel.run()
        assert run.ask(ListProjects())["projects"] == [], "what is deleted is hidden at once"
        asked(run, order)
    eventually(lambda: living(kennel.folder) == {})
    run.idle()
    eventually(lambda: removed(kennel) == 2)
    assert rows(kennel) == {}
    assert kennel.run().counts() == dict.fromkeys(kennel.run().counts(), 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_of_a_deleted_project_and_the_other_one_goes_on(kennel, seed):
    chance = random.Random(seed)
    run = begin(kennel, ["one", "other"])
    order = DeleteProject(project="one")
    asked(run, order)
    for _ in range(KILLS):
        time.sleep(chance.choice((0, 0.02, 0.1, 0.3)))
        kennel.kill()
        kennel.start("impatient")
        run = kennel.run()
        asked(run, order)
    eventually(lambda: removed(kennel) == 1)
    kept = rows(kennel)
    assert kept["project"] == 1
    assert (kept["experiment"], kept["plan"]) == (RUNNING // 2 + 5, 1)
    (other,) = kennel.run().ask(ListProjects())["projects"]
    assert (other["name"], other["counts"]["pool"]) == ("other", RUNNING // 2 + 5)
    eventually(lambda: len(set(living(kennel.folder).values())) == RUNNING // 2 + 5)
