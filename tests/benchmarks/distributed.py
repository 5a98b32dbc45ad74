"""Experiments that print one metric and exit: every actor a process, over RabbitMQ and MongoDB, and all in one."""

from __future__ import annotations

import time
from pathlib import Path

from actors.main import BusSession
from beagle.commands import SetLimit, ShowProject, ShowSystem, StartSystem
from beagle.settings import Settings
from tests.benchmarks import embedded
from tests.benchmarks.apart import Servers, servers, until
from tests.benchmarks.child import Found, clean_environment, clean_python, run
from tests.benchmarks.metrics import used
from tests.benchmarks.result import Count, Figure, Result, Verdict

AT_ONCE = 4
COMMAND = ("sh", "-c", "echo accuracy=0.5")


def measure(folder: Path, *, count: int = 300, repetitions: int = 2) -> Result:
    """Both sides in turns, each time in fresh folders, queues and databases."""
    environment = clean_environment(clean_python(folder))
    apart, alone = [], []
    with servers(folder / "servers") as both:
        for repetition in range(repetitions):
            alone.append(
                run(
                    "tests.benchmarks.embedded",
                    environment,
                    folder=str(folder / f"alone-{repetition}"),
                    command=COMMAND,
                    count=count,
                    limit=AT_ONCE,
                    more={},
                    variables={},
                )
            )
            apart.append(_apart(both, folder / f"apart-{repetition}", count))
    return Result(
        name="distributed",
        measured=(
            f"{count} experiments that print one metric and exit (`{COMMAND[-1]}`), {AT_ONCE} at a time, from the "
            "start of the system until the project is completed and no place is held: each actor a process of its own, "
            "over RabbitMQ and the stand-in for MongoDB, as a ratio to all in one process."
        ),
        verdicts=[
            Verdict(
                what="experiments/s apart, to all in one process",
                values=[one["seconds"] / many["seconds"] for one, many in zip(alone, apart, strict=True)],
            )
        ],
        figures=[
            Figure(what="apart", unit="/s", values=[count / found["seconds"] for found in apart]),
            Figure(what="in one process", unit="/s", values=[count / found["seconds"] for found in alone]),
            Figure(what="apart: CPU of the actors, each", unit="ms", values=[f["cpu"] * 1000 / count for f in apart]),
            Figure(
                what="in one process: CPU of the scheduler, each",
                unit="ms",
                values=[found["scheduler"] * 1000 / count for found in alone],
            ),
        ],
        counts=[
            Count(what=f"completed {where}", found=found["counts"]["completed"], expected=count)
            for where, side in (("apart", apart), ("in one process", alone))
            for found in side
        ],
        limits=(
            "Apart, each step is one write that the store confirms and one message that the broker confirms, and the "
            "processes, broker and store share the machine with the experiments."
        ),
    )


def _apart(both: Servers, folder: Path, count: int) -> Found:
    with both.stage(folder) as stage:
        actors = stage.apart.start_each().values()
        session = BusSession(Settings(bus=stage.main, metrics_bus=stage.metrics, store=stage.database))
        try:
            session.ask(SetLimit(limit=AT_ONCE))
            order = embedded.order(folder, COMMAND, count, {}, {})
            project = session.ask(order)["projects"][0]["id"]
            before, started = sum(map(used, actors)), time.perf_counter()
            session.ask(StartSystem())
            until(lambda: stage.store.counts(project)["completed"] >= count, pause=0.05)
            ended = until(lambda: _over(session, project), pause=0.05)
            return {
                "seconds": ended - started,
                "cpu": sum(map(used, actors)) - before,
                "counts": session.ask(ShowProject(project=project))["project"]["counts"],
            }
        finally:
            session.close()


def _over(session: BusSession, project: str) -> bool:
    view = session.ask(ShowProject(project=project))["project"]
    return view["state"] != "running" and not session.ask(ShowSystem())["held"]
