"""Records of every kind to store, with what is hard to keep: None, Unicode, great numbers, nested parts."""

from __future__ import annotations

from collections.abc import Callable

from beagle.experiment import Experiment, Failure, State
from beagle.ports import Page, Record, paged
from beagle.project import Definition
from beagle.records import (
    Applied,
    Deployment,
    Member,
    Metric,
    Model,
    Observation,
    Place,
    Plan,
    Project,
    ProjectState,
    Summary,
    System,
)
from beagle.space import Choice, Float, Int, Layers, Lineal
from beagle.template import Service, Template

PROJECT = "b" * 24


def experiment(
    number: int, *, project: str = PROJECT, state: State = State.QUEUE, rank: int | None = None
) -> Experiment:
    return Experiment(
        id=f"{project[:4]}{number:020x}",
        project=project,
        number=number,
        name=f"digits model {number}",
        parameters={"LEARNING_RATE": 0.1, "EPOCHS": 4},
        state=state,
        order=number,
        rank=number if rank is None else rank,
        created_at=1700000000.25,
        ended_at=None if state in (State.QUEUE, State.POOL) else 1700000000.0 + number,
    )


def experiments(count: int, **fields: object) -> list[Experiment]:
    return [experiment(number, **fields) for number in range(1, count + 1)]


def metric(sequence: int, *, experiment: str = "e" * 24, attempt: int = 1, source: str = "out") -> Metric:
    return Metric(
        experiment=experiment,
        attempt=attempt,
        source=source,
        sequence=sequence,
        time=1700000000.5,
        values={"accuracy": 0.5, "cost": 1.0},
    )


def plan() -> Plan:
    parameters = (
        Choice(name="KIND", values=("1", 1, 1.5, True, "true", "größer 🐶")),
        Lineal(name="LR", initial=0.01, final=0.1, interval=0.04),
        Layers(name="LAYERS", lengths=(1, 2), units=(20, 50)),
        Float(name="MOMENTUM", low=1e-300, high=1e300, log=True),
        Int(name="SEED", low=-(2**62), high=2**62),
    )
    service = Service(name="main", command=("python3", "train.py"), environment={"A": ""}, working_dir=".", main=True)
    return Plan(
        id=PROJECT,
        definition=Definition(name="digits", template="t.yml", parameters=parameters, settings={"depth": 2**62}),
        template=Template(filename="t.yml", folder="/home/user", services=(service,)),
    )


def project(number: int, *, state: ProjectState = ProjectState.RUNNING) -> Project:
    return Project(
        id=f"{number:024x}",
        name="digits",
        state=state,
        digest=f"digest {number % 2}",
        source="/home/user/größer.yml",
        objective="accuracy",
        direction="max",
        pause_after_failures=5,
        created_at=1700000000.0 + number,
        planned=2**62,
    )


def one_of_each() -> list[Record]:
    """Every kind once, with every field away from its default."""
    return [
        Experiment(
            id="0" * 24,
            version=7,
            project=PROJECT,
            number=2**62,
            name="größer � 🐶 \x00 '\"; DROP TABLE experiment",
            parameters={"a": 1, "b": 1.0, "c": True, "d": "1", "e": 2**62, "f": float("inf"), "": ""},
            timeout=80.0,
            accuracy_limit=0.98,
            state=State.FAILED,
            reason="exit status 3\nlast line",
            attempt=3,
            priority=-50,
            at_head=True,
            order=2**62,
            rank=-(2**62),
            place=0,
            site="host",
            created_at=1700000000.123456,
            claimed_at=0.1 + 0.2,
            launched_at=1e-9,
            ended_at=1700000001.0,
            exit_status=-9,
            failure=Failure.OUT_OF_MEMORY,
            retried={Failure.LOST: 2, Failure.LAUNCH: 1},
        ),
        Place(id="place-1", version=1, number=1, open=True, of=3, experiment="0" * 24, attempt=2, taken_at=5.5),
        project(1),
        plan(),
        Deployment(version=1, identity="0" * 12, secret="1" * 64),
        System(version=4, running=True, limit=2**31, reset_at=1.5, orders=("a" * 24, "b" * 24)),
        Summary(
            id="0" * 24,
            version=2,
            project=PROJECT,
            attempt=3,
            objective=-1e-300,
            last={"accuracy": 0.1 + 0.2},
            lowest={"größe": -float("inf")},
            highest={"größe": float("inf")},
            count=2**62,
            refused=1,
            refusal="line 3 is no metric",
        ),
        Observation(
            id="observation",
            version=1,
            project=PROJECT,
            ordinal=1,
            experiment="0" * 24,
            number=5,
            attempt=1,
            state=State.TIMEOUT,
            objective=None,
            ended_at=6.0,
        ),
        Member(id="launcher.host.1", version=9, kind="launcher", site="host"),
        Applied(id="command", version=1, answer='{"number": 1}', at=1.5, subject="e" * 24),
        Model(
            id="9" * 24,
            version=1,
            filename="größer.yml",
            name="digits",
            text="services: {}\n",
            template=plan().template,
            created_at=2.5,
        ),
    ]


def walk(fetch: Callable[..., Page], **kwargs) -> list:
    """All records, page by page."""
    return list(paged(lambda after: fetch(after=after, **kwargs)))
