"""Memory and threads of live monitors, and how many metrics a second they take and store."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.child import Found, run
from tests.benchmarks.live import stored
from tests.benchmarks.result import Count, Figure, Result, Verdict

# Seconds; what is not stored by then tells enough of the pace.
PATIENCE = 30.0


def measure(
    folder: Path, *, sizes: tuple[int, ...] = (1_000, 10_000), metrics: int = 20_000, repetitions: int = 2
) -> Result:
    """Each size and repetition in a process of its own."""
    runs: dict[int, list[Found]] = {size: [] for size in sizes}
    for repetition in range(repetitions):
        for size in sizes:
            place = folder / f"monitors-{size}-{repetition}"
            found = run("tests.benchmarks.live", folder=str(place), monitors=size, metrics=metrics, patience=PATIENCE)
            counted = {"stored": stored(place, size, 1), "bare_stored": stored(place, size, 2)}
            runs[size].append({**found, **counted})
    return Result(
        name="monitors",
        measured=(
            "Live monitors, one actor for each running experiment, each with a limit and a deadline to watch, fed with "
            f"{metrics:,} metrics by a generator that publishes on the bus, one in a message, to all in turn; as a "
            "ratio to bare inserts of the same metrics into the same store, 1,000 in a transaction."
        ),
        verdicts=[
            Verdict(
                what=f"metrics/s with {size:,} monitors, to bare inserts",
                values=[_pace(found) * found["bare_seconds"] / metrics for found in runs[size]],
            )
            for size in sizes
        ],
        figures=[figure for size in sizes for figure in _figures(size, runs[size], metrics)],
        counts=[count for size in sizes for found in runs[size] for count in _counts(size, found, metrics)],
        limits=(
            "One metric costs the encoding, checking and decoding of its message, a change of thread, a transaction of "
            "its own unless others wait with it, and a summary a second for each monitor; all in one interpreter, so "
            "on one core. The monitors share a few threads."
        ),
    )


def _figures(size: int, runs: list[Found], metrics: int) -> list[Figure]:
    name = f"{size:,} monitors"
    return [
        Figure(what=f"{name}: metrics stored", unit="/s", values=[_pace(found) for found in runs]),
        Figure(
            what=f"{name}: of {metrics:,}, stored within {PATIENCE:g} s",
            unit="",
            values=[found["stored"] for found in runs],
        ),
        Figure(what=f"{name}: bare inserts", unit="/s", values=[metrics / found["bare_seconds"] for found in runs]),
        Figure(what=f"{name}: memory, idle", unit="MiB", values=[found["idle_mib"] for found in runs]),
        Figure(what=f"{name}: memory, fed", unit="MiB", values=[found["fed_mib"] for found in runs]),
        Figure(what=f"{name}: threads", unit="", values=[found["threads"] for found in runs]),
        Figure(what=f"{name}: until all watch", unit="s", values=[found["created"] for found in runs]),
    ]


def _pace(found: Found) -> float:
    return found["stored"] / found["seconds"]


def _counts(size: int, found: Found, metrics: int) -> list[Count]:
    return [
        Count(what=f"{size:,} monitors that watch", found=found["actors"], expected=size),
        Count(
            what=f"stored by {size:,} monitors",
            found=found["stored"],
            expected=metrics if found["drained"] else found["stored"],
        ),
        Count(what="stored by bare inserts", found=found["bare_stored"], expected=metrics),
    ]
