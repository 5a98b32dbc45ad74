"""From a metric that crosses the limit to the death of the process that wrote it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.child import Found, clean_environment, clean_python, started
from tests.benchmarks.observer import PROGRAM, Observer
from tests.benchmarks.result import Count, Figure, Result, Verdict, percentile

MOST = 50.0
LIMIT = {"experiment_accuracy_limit": 0.98}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who reads the metric and kills; milliseconds of each turn, and what it says it has done."""

    name: str
    module: str
    more: Found
    turns: list[list[float]] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def all_times(self) -> list[float]:
        return [milliseconds for turn in self.turns for milliseconds in turn]


def measure(folder: Path, *, count: int = 200, repetitions: int = 4) -> Result:
    """`count` programs for each side, in as many turns as there are repetitions."""
    alone = Side(name="one at a time", module="embedded", more={"limit": 1, "more": LIMIT})
    together = Side(name="four at a time", module="embedded", more={"limit": 4, "more": LIMIT})
    bare = Side(name="bare loop", module="bare", more={})
    for turn in range(repetitions):
        for side in (alone, together, bare):
            _take_turn(folder, side, turn, count // repetitions)
    total = count // repetitions * repetitions
    stopped = [found["counts"]["accuracy_limit_reached"] for side in (alone, together) for found in side.found]
    return Result(
        name="reaction",
        measured=(
            "From a metric over the limit written to the process dead, seen from outside by its process descriptor, "
            f"{total} times each: with one experiment at a time, with four of which the others are starting, and with "
            "a bare loop that reads the file when inotify says so and kills."
        ),
        verdicts=[_verdict(alone), _verdict(together)],
        figures=[figure for side in (alone, together, bare) for figure in _figures(side)],
        counts=[
            Count(what="accuracy_limit_reached", found=sum(stopped), expected=2 * total),
            Count(what="killed by the bare loop", found=sum(each["killed"] for each in bare.found), expected=total),
        ],
        limits=(
            "A metric passes the reader of the files, the monitor's host, its own actor, the launcher and the reader "
            "again, and is stored with its ending, before the signal is sent."
        ),
    )


def _take_turn(folder: Path, side: Side, turn: int, count: int) -> None:
    programs = clean_python(folder)
    # In a folder of its own: a socket's address holds 107 bytes.
    with tempfile.TemporaryDirectory() as short:
        path = Path(short) / "observer"
        observer = Observer(path)
        try:
            with started(
                f"tests.benchmarks.{side.module}",
                clean_environment(programs),
                folder=str(folder / f"{side.name}-{turn}"),
                command=[str(programs / "python3"), "-I", "-S", "-c", PROGRAM],
                count=count,
                variables={"OBSERVER": str(path)},
                **side.more,
            ) as answer:
                side.turns.append(observer.observe(count))
                side.found.append(answer())
        finally:
            observer.close()


def _verdict(side: Side) -> Verdict:
    return Verdict(what=f"p99, {side.name}", unit=" ms", most=MOST, values=[percentile(side.all_times(), 99)])


def _figures(side: Side) -> list[Figure]:
    return [
        Figure(what=f"{side.name}: p{percent}", unit="ms", values=[percentile(turn, percent) for turn in side.turns])
        for percent in (50, 99)
    ]
