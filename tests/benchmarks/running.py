"""Experiments that run, as far as the store knows: each has a limit and a deadline to watch."""

from __future__ import annotations

import time
from dataclasses import replace

from beagle import lifecycle, projects
from beagle.experiment import Claimed, Experiment, Launched, queue_order, transition
from beagle.ports import Store
from beagle.project import Definition
from beagle.records import Plan, Project
from beagle.space import Int
from beagle.template import Service, Template

SITE = "local"
PROJECT = "c" * 24


def launched(store: Store, count: int) -> list[str]:
    """Ids of launched experiments; each with an accuracy limit and a timeout to watch."""
    now = time.time()
    definition = Definition(
        name="bench",
        template="t.yml",
        parameters=(Int(name="N", low=1, high=count),),
        timeout=3600,
        accuracy_limit=0.98,
    )
    service = Service(name="train", command=("true",), environment={"N": "0"}, working_dir="/")
    projects.create(
        store,
        Project(
            id=PROJECT,
            name="bench",
            digest="",
            objective="accuracy",
            direction="max",
            pause_after_failures=5,
            created_at=now,
            planned=count,
        ),
        Plan(id=PROJECT, definition=definition, template=Template(filename="t.yml", folder="/", services=(service,))),
    )
    waiting = [_experiment(number, now) for number in range(1, count + 1)]
    running = [transition(transition(e, Claimed(e.number, "local"), now), Launched(SITE, now), now) for e in waiting]
    lifecycle.create(store, [replace(e, version=0) for e in running])
    return [experiment.id for experiment in running]


def _experiment(number: int, now: float) -> Experiment:
    order = queue_order(now, number)
    return Experiment(
        id=lifecycle.experiment_id(PROJECT, number),
        project=PROJECT,
        number=number,
        name=f"benchmodel{number}",
        parameters={"N": number},
        timeout=3600.0,
        accuracy_limit=0.98,
        order=order,
        rank=order,
        created_at=now,
    )
