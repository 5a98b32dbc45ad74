"""From a metric that reaches the limit, published by its program, to the order to stop it, as its launcher hears it."""

from __future__ import annotations

import queue
import time
from pathlib import Path

from beagle.messages import StopWorkload, decode
from beagle.records import Summary
from bus.port import Delivery
from tests.benchmarks.apart import PATIENCE, Servers, servers, until
from tests.benchmarks.feeder import Feeder
from tests.benchmarks.metrics import settle
from tests.benchmarks.result import Count, Figure, Result, Verdict, percentile
from tests.benchmarks.running import SITE, launched

MOST = 100.0


def measure(folder: Path, *, count: int = 200, repetitions: int = 2) -> Result:
    """`count` experiments in all, one after the other; all of them run, and have reported before."""
    with servers(folder / "servers") as both:
        turns = [_turn(both, folder / str(turn), count // repetitions) for turn in range(repetitions)]
    times = [milliseconds for turn in turns for milliseconds in turn]
    return Result(
        name="stops",
        measured=(
            f"{len(times)} running experiments, each of which publishes a metric over its limit with pika, one after "
            "the other: from just before the publish until the order to stop it has come to where its launcher "
            "listens. Over RabbitMQ and the stand-in for MongoDB, one monitor process."
        ),
        verdicts=[Verdict(what="p99", unit=" ms", most=MOST, values=[percentile(times, 99)])],
        figures=[
            Figure(what=f"p{percent}", unit="ms", values=[percentile(turn, percent) for turn in turns])
            for percent in (50, 99)
        ],
        counts=[Count(what="stopped", found=len(times), expected=count // repetitions * repetitions)],
        limits=(
            "The metric, the summary and the ending are stored one after the other, each a write that the store has "
            "confirmed; then the order goes through the broker."
        ),
    )


def _turn(both: Servers, folder: Path, count: int) -> list[float]:
    with both.stage(folder) as stage:
        experiments = launched(stage.store, count)
        settle(both, stage, [stage.apart.start("actor", "monitor")])
        stops: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()

        def heard(delivery: Delivery) -> None:
            message = decode(delivery.body)
            assert isinstance(message, StopWorkload)
            stops.put((time.perf_counter(), message.experiment))
            delivery.ack()

        stage.bus.consume(f"stops.{SITE}", heard, prefetch=100)
        feeder = Feeder(stage.metrics)
        for experiment in experiments:
            feeder.publish(experiment, 0, b"accuracy=0.5")
        feeder.flush()
        until(lambda: all(stage.store.get(Summary, each) for each in experiments))
        found = []
        for experiment in experiments:
            began = time.perf_counter()
            feeder.publish(experiment, 1, b"accuracy=0.99")
            feeder.flush()
            at, stopped = stops.get(timeout=PATIENCE)
            assert stopped == experiment
            found.append((at - began) * 1000)
        feeder.close()
        return found
