"""Requests a second of the busiest HTTP calls with many experiments stored, as a ratio to an empty FastAPI handler."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from beagle import lifecycle, projects
from beagle.commands import PauseSystem, SetLimit, ShowSystem, StartSystem
from beagle.experiment import Experiment, State
from beagle.folder import Folder
from beagle.project import Definition
from beagle.records import Metric, Plan, Project, ProjectState
from beagle.space import Int
from beagle.stores.sqlite import SqliteStore
from beagle.template import Service, Template
from tests.benchmarks.apart import until
from tests.benchmarks.child import Found, run, started
from tests.benchmarks.embedded import order
from tests.benchmarks.result import Count, Figure, Result, Verdict
from tests.journeys.cli_desk import BEAGLE
from tests.servers.keeper import free_ports

PROJECT, BATCH = "d" * 24, 5000
RUNNING, WAITING, METRICS = 8, 1000, 100
JSON = {"content-type": "application/json"}
EMPTY = "empty handler"


def calls(experiment: str) -> dict[str, str]:
    """What front ends ask for again and again, and the path of each."""
    return {
        "GET systems": "/api/v1/systems",
        "GET projects": "/api/v1/projects",
        "GET pools": "/api/v1/pools",
        "GET queues": "/api/v1/queues",
        "GET experiments/<id>": f"/api/v1/experiments/{experiment}",
        "GET experiments/<id>/metrics": f"/api/v1/experiments/{experiment}/metrics",
        "GET projects/<id>/experiments?limit=100": f"/api/v1/projects/{PROJECT}/experiments?limit=100",
    }


def measure(folder: Path, *, stored: int = 100_000, count: int = 2000, repetitions: int = 3) -> Result:
    """`count` requests to the empty handler in each turn, and a quarter of that for each call."""
    folder.mkdir(parents=True, exist_ok=True)
    experiment = fill(folder / "state", stored)
    paths = calls(experiment)
    ours: dict[str, list[Found]] = {name: [] for name in paths}
    theirs: list[Found] = []
    with _gateway(folder / "state") as port, _empty() as empty:
        for _ in range(repetitions):
            theirs.append(_load(empty, "/", count))
            for name, path in paths.items():
                ours[name].append(_load(port, path, max(8, count // 4)))
    return Result(
        name="http",
        measured=(
            f"Requests a second of `beagle up` with {stored:,} ended experiments stored, {RUNNING} that run and "
            f"{WAITING:,} that wait, eight at a time over kept connections; as a ratio to a FastAPI handler that "
            "answers with an empty object, served in the same way."
        ),
        verdicts=[_verdict(name, found, theirs) for name, found in ours.items()],
        figures=[_rate(name, found) for name, found in {**ours, EMPTY: theirs}.items()],
        counts=[
            Count(what=f"{name} answered with 200", found=sum(each["good"] for each in found), expected=_sent(found))
            for name, found in {**ours, EMPTY: theirs}.items()
        ],
        limits=(
            "A call goes through the framework as the empty one does, then as a message over the bus to a gateway "
            "actor, which reads the store; all of it in one interpreter, which the client does not share."
        ),
    )


def fill(folder: Path, count: int) -> str:
    """A state folder with a completed project of so many experiments; the id of one, which has metrics."""
    place = Folder(folder)
    place.own()
    store = SqliteStore(place.database)
    now = time.time()
    service = Service(name="train", command=("true",), environment={"N": "0"}, working_dir="/")
    definition = Definition(name="bench", template="t.yml", parameters=(Int(name="N", low=1, high=count),))
    plan = Plan(id=PROJECT, definition=definition, template=Template(filename="t.yml", folder="/", services=(service,)))
    project = Project(
        id=PROJECT,
        name="bench",
        state=ProjectState.COMPLETED,
        digest="",
        objective="accuracy",
        direction="max",
        pause_after_failures=5,
        created_at=now,
        ended_at=now,
        planned=count,
        sent=count,
    )
    projects.create(store, project, plan)
    for first in range(1, count + 1, BATCH):
        lifecycle.create(store, [_completed(number, now) for number in range(first, min(first + BATCH, count + 1))])
    one = lifecycle.experiment_id(PROJECT, 1)
    store.append([_metric(one, number, now) for number in range(METRICS)])
    store.close()
    place.release()
    return one


def _completed(number: int, now: float) -> Experiment:
    return Experiment(
        id=lifecycle.experiment_id(PROJECT, number),
        project=PROJECT,
        number=number,
        name=f"benchmodel{number}",
        state=State.COMPLETED,
        reason="it exited with status 0",
        parameters={"N": number},
        timeout=3600.0,
        accuracy_limit=0.98,
        order=number,
        rank=number,
        site="local",
        created_at=now,
        claimed_at=now,
        launched_at=now,
        ended_at=now,
        exit_status=0,
    )


def _metric(experiment: str, number: int, now: float) -> Metric:
    values = {"accuracy": number / METRICS, "cost": 1.0, "experimentTime": float(number)}
    return Metric(
        experiment=experiment, attempt=1, source="train/out", sequence=number, time=now, values=values, step=number
    )


@contextmanager
def _gateway(folder: Path) -> Iterator[int]:
    """`beagle up` on that folder, with experiments that run and others that wait."""
    (port,) = free_ports(1)
    command = [BEAGLE, "up", f"--folder={folder}", f"--port={port}", "--health-port=off"]
    with (folder.parent / "up.log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as serving:
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/api/v1/heartbeat"))
            url = f"http://127.0.0.1:{port}/api/v1/commands"
            submitted = order(folder, ["sleep", "3600"], RUNNING + WAITING, {}, {})
            for message in (SetLimit(limit=RUNNING), submitted, StartSystem()):
                requests.post(url, data=message.model_dump_json(), headers=JSON, timeout=60).raise_for_status()
            until(lambda: len(requests.get(f"http://127.0.0.1:{port}/api/v1/pools", timeout=60).json()) == RUNNING)
            until(lambda: _waiting(port) == WAITING)
            yield port
            requests.post(url, data=PauseSystem().model_dump_json(), headers=JSON, timeout=60).raise_for_status()
        finally:
            serving.terminate()


def _waiting(port: int) -> int:
    answer = requests.post(
        f"http://127.0.0.1:{port}/api/v1/commands", data=ShowSystem().model_dump_json(), headers=JSON, timeout=60
    )
    return int(answer.json()["counts"]["queue"])


@contextmanager
def _empty() -> Iterator[int]:
    (port,) = free_ports(1)
    with started("tests.benchmarks.http_empty", port=port):
        until(lambda: answers(f"http://127.0.0.1:{port}/"))
        yield port


def answers(url: str) -> bool:
    """Whether there is an answer at all."""
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def _load(port: int, path: str, count: int) -> Found:
    return run("tests.benchmarks.http_load", port=port, path=path, count=count)


def _rates(found: list[Found]) -> list[float]:
    return [each["sent"] / each["seconds"] for each in found]


def _sent(found: list[Found]) -> int:
    return sum(each["sent"] for each in found)


def _rate(name: str, found: list[Found]) -> Figure:
    return Figure(what=name, unit="/s", values=_rates(found))


def _verdict(name: str, ours: list[Found], theirs: list[Found]) -> Verdict:
    pairs = zip(_rates(ours), _rates(theirs), strict=True)
    return Verdict(what=f"{name}, to an empty handler", values=[mine / empty for mine, empty in pairs])
