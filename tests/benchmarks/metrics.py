"""How many metrics a second come through RabbitMQ into MongoDB, by monitor processes and by a bare consumer."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from beagle.records import Summary
from bus.routes import METRIC_QUEUES
from tests.benchmarks.apart import Servers, Stage, servers, until
from tests.benchmarks.child import Found, run, started
from tests.benchmarks.feeder import Feeder
from tests.benchmarks.result import Count, Figure, Result, Verdict
from tests.benchmarks.running import launched
from tests.journeys.apart import Actor

EXPERIMENTS = 16
AIM = 0.7
BARE, ONE, TWO = "bare consumer", "1 monitor process", "2 monitor processes"
MONITORS = {BARE: 0, ONE: 1, TWO: 2}


def measure(folder: Path, *, metrics: int = 30_000, repetitions: int = 3) -> Result:
    """The sides take turns, each time on fresh queues and a fresh database."""
    runs: dict[str, list[Found]] = {side: [] for side in MONITORS}
    with servers(folder / "servers") as both:
        for repetition in range(repetitions):
            # In turns, so that none always finds the servers cold.
            sides = [*MONITORS][repetition % len(MONITORS) :] + [*MONITORS][: repetition % len(MONITORS)]
            for number, side in enumerate(sides):
                runs[side].append(_run(both, folder / f"{repetition}{number}", MONITORS[side], metrics))
    return Result(
        name="metrics",
        measured=(
            f"{metrics:,} metrics of {EXPERIMENTS} running experiments, published with pika as training programs do, "
            "one in a message, from the first publish until all are stored, through RabbitMQ into the stand-in for "
            "MongoDB; as a ratio to a pika consumer that knows nothing of experiments, appends what has come to the "
            "same store in one call, and acknowledges it in one."
        ),
        verdicts=[_verdict(side, runs, metrics) for side in (ONE, TWO)],
        figures=[figure for side in MONITORS for figure in _figures(side, runs[side], metrics)],
        counts=[Count(what=f"stored by {side}", found=found["stored"], expected=metrics)
                for side in MONITORS for found in runs[side]],
        limits=(
            "Broker, store, publisher and consumer share the machine. A monitor checks each message's key, reads its "
            "text as a line of a log is read, judges it and keeps a summary; what waits of one experiment is stored "
            "in one call."
        ),
    )  # fmt: skip


def _run(both: Servers, folder: Path, monitors: int, metrics: int) -> Found:
    with ExitStack() as stack:
        stage = stack.enter_context(both.stage(folder))
        count = stack.enter_context(stage.documents())
        experiments = launched(stage.store, EXPERIMENTS)
        actors = [stage.apart.start("actor", "monitor") for _ in range(monitors)]
        bare = None
        if actors:
            settle(both, stage, actors)
        else:
            arguments = {"url": stage.metrics, "database": stage.database, "metrics": metrics + EXPERIMENTS}
            bare = stack.enter_context(started("tests.benchmarks.bare_consumer", None, **arguments))
            _listening(both, stage)
        _warm(stage, experiments)
        until(lambda: count() == EXPERIMENTS)
        until(lambda: not actors or all(stage.store.get(Summary, each) for each in experiments))
        before = sum(map(used, actors))
        fed = run("tests.benchmarks.feeder", None, url=stage.metrics, experiments=experiments, metrics=metrics)
        # Both clocks are the machine's.
        until(lambda: count() >= metrics + EXPERIMENTS)
        seconds = time.monotonic() - fed["began"]
        cpu = sum(map(used, actors)) - before if bare is None else bare()["cpu"]
        return {"seconds": seconds, "cpu": cpu, "feeding": fed["seconds"], "stored": count() - EXPERIMENTS}


def _warm(stage: Stage, experiments: list[str]) -> None:
    """One metric of each: what is known of it is read from the store at the first, and again at the first summary."""
    feeder = Feeder(stage.metrics)
    for experiment in experiments:
        feeder.publish(experiment, 0, b"accuracy=0.1", "first")
    feeder.close()


def settle(both: Servers, stage: Stage, actors: list[Actor]) -> None:
    """Wait until each has its share of the queues, as it stays."""
    for actor in actors:
        actor.serves()
    share = len(METRIC_QUEUES) // len(actors)
    until(lambda: all(_shares(actor) == share for actor in actors))
    _listening(both, stage)


def _listening(both: Servers, stage: Stage) -> None:
    host = stage.metrics.rpartition("/")[2]
    both.rabbit.until(
        f"/queues/{host}",
        lambda found: (
            sum(each.get("consumers", 0) for each in found if each["name"] in METRIC_QUEUES)  # type: ignore[attr-defined]
            >= len(METRIC_QUEUES)
        ),
    )


def _shares(actor: Actor) -> int:
    """How many queues it has, by what it said last."""
    return actor.said.rpartition(" has ")[2].partition("\n")[0].count("metrics.")


def used(actor: Actor) -> float:
    """Seconds of processor time of a process, all its threads."""
    fields = Path(f"/proc/{actor.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _verdict(side: str, runs: dict[str, list[Found]], metrics: int) -> Verdict:
    pairs = zip(runs[side], runs[BARE], strict=True)
    values = [bare["seconds"] / ours["seconds"] for ours, bare in pairs]
    return Verdict(what=f"metrics/s of {side}, to the {BARE}", values=values, aim=AIM)


def _figures(side: str, runs: list[Found], metrics: int) -> list[Figure]:
    return [
        Figure(what=f"{side}: metrics stored", unit="/s", values=[metrics / found["seconds"] for found in runs]),
        Figure(what=f"{side}: metrics published meanwhile", unit="/s",
               values=[metrics / found["feeding"] for found in runs]),
        Figure(what=f"{side}: its CPU, each metric", unit="µs",
               values=[found["cpu"] * 1e6 / metrics for found in runs]),
    ]  # fmt: skip
