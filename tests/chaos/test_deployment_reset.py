"""`kill -9` of actors, each a process, in the middle of a reset with 40 running, and of a delete of a project: nothing
runs on, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from pymongo import MongoClient

from beagle import lifecycle
from beagle.commands import DeleteProject, ListProjects, ResetSystem
from beagle.messages import Message
from tests.chaos.deployment import Deployment
from tests.journeys.beagle_run import Search, eventually

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]
RUNNING, EACH, KILLS = 40, 30, 12
SEEDS = range(1, 1 + int(os.environ.get("BEAGLE_CHAOS_SEEDS", "1")))
ENDLESS = ("say loss=5; wait 600", "ignore; say loss=6; wait 600", "on-stop loss=0 7; say loss=7; wait 600")


@pytest.fixture
def deployment(tmp_path):
    with Deployment(tmp_path, seed=1, tamper="impatient") as deployment:
        deployment.start(RUNNING)
        yield deployment


def endless(name: str) -> Search:
    """A few more than half of the places; they never end by themselves."""
    parameters = [
        {"name": "SCRIPT", "type": "absolute", "value": list(ENDLESS)},
        {"name": "N", "type": "absolute", "value": list(range(EACH // len(ENDLESS)))},
    ]
    return Search({"train": ["true"]}, EACH, parameters, {}, name=name, grace="0.5s")


def alive(deployment: Deployment) -> set[str]:
    """The experiments of which something runs."""
    entries = deployment.entries()
    running = Counter(entry.experiment for entry in entries if entry.what == "start")
    running.subtract(entry.experiment for entry in entries if entry.what == "end")
    return {experiment for experiment, times in running.items() if times > 0}


def begun(deployment: Deployment) -> dict[str, str]:
    """Two projects by their names, with as much running as may."""
    for name in ("one", "other"):
        deployment.submit(endless(name))
    eventually(lambda: len(alive(deployment)) == RUNNING)
    return {project["name"]: project["id"] for project in projects(deployment)}


def projects(deployment: Deployment) -> list[dict]:
    return deployment.ask(ListProjects())["projects"]


def order_amid_kills(deployment: Deployment, order: Message, seed: int) -> None:
    """Given again whenever its answer is lost, while actors of every kind die."""
    chance = Random(seed)
    deployment.ask(order)
    for _ in range(KILLS):
        time.sleep(chance.choice((0, 0.02, 0.1, 0.4)))
        with suppress(ProcessLookupError):
            os.kill(chance.choice(sorted(deployment.pids().values())), signal.SIGKILL)
        if chance.random() < 0.3:
            deployment.ask(order)


def ids_of(project: str) -> set[str]:
    return {project} | {lifecycle.experiment_id(project, number) for number in range(1, EACH + 1)}


def left(deployment: Deployment, ids: set[str]) -> Counter[str]:
    """What the database has of these, whatever the store's own lists would show; answers are kept for a day."""
    deployment.store.repair()
    found: Counter[str] = Counter()
    with MongoClient(deployment.mongo.address) as client:
        for name in client["beagle"].list_collection_names():
            for document in client["beagle"][name].find() if name != "applied" else ():
                found[name] += any(identity in str(document) for identity in ids)
    return +found


def running(deployment: Deployment, ids: set[str]) -> int:
    return len(alive(deployment) & ids)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_of_a_reset_whoever_is_killed(deployment, seed):
    ids = {identity for project in begun(deployment).values() for identity in ids_of(project)}
    assert left(deployment, ids).keys() >= {"project", "plan", "experiment", "place", "metric"}
    order_amid_kills(deployment, ResetSystem(), seed)
    assert projects(deployment) == []
    eventually(lambda: not alive(deployment))
    eventually(lambda: not left(deployment, ids))
    assert deployment.ended() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_of_a_deleted_project_whoever_is_killed_and_the_other_goes_on(deployment, seed):
    found = begun(deployment)
    gone, kept = ids_of(found["one"]), ids_of(found["other"])
    order_amid_kills(deployment, DeleteProject(project=found["one"]), seed)
    eventually(lambda: not running(deployment, gone))
    eventually(lambda: not left(deployment, gone))
    eventually(lambda: running(deployment, kept) == EACH)
    assert left(deployment, kept)["experiment"] == EACH
    assert [project["name"] for project in projects(deployment)] == ["other"]
    assert deployment.ended() == []
